"""Arrays on disk that grow at the end: segment files, mapped together, with generations.

A segment is a file of `SEGMENT` rows (the last one of fewer). Bytes below a published count are never changed in
place: growing writes behind them, and cutting rows off makes a new generation of the segment that is cut.
So a reader that mapped the files of one manifest sees the same rows for as long as it lives.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chain.errors import StoreError, StoreUnavailable
from chain.region import Region

SEGMENT = 1 << 22
"""Rows in a segment file. A power of two, so that each segment starts on a page for every item size."""

MAX_SEGMENTS = 1 << 11
"""Segments that an array can have: 8.6 thousand million rows, twice Bitcoin's outputs."""


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """One array of a dataset: rows of `width` items of `dtype`; as long as the count named `rows` says."""

    name: str
    dtype: str
    rows: str
    width: int = 1

    @property
    def row_size(self) -> int:
        return np.dtype(self.dtype).itemsize * self.width


@dataclass(slots=True)
class DiskArray:
    """One array in a folder. `generations[k]` is the generation of segment k, part of its file's name."""

    spec: ArraySpec
    folder: Path
    generations: list[int]
    count: int
    segment: int = SEGMENT
    _region: Region | None = None
    _mapped: list[int] = field(default_factory=list)
    _touched: set[Path] = field(default_factory=set)

    def path(self, segment: int) -> Path:
        return self.folder / f"{self.spec.name}.{segment}.{self.generations[segment]}"

    def paths(self) -> list[Path]:
        return [self.path(k) for k in range(len(self.generations))]

    def view(self, count: int | None = None) -> npt.NDArray[np.generic]:
        """The first `count` rows (default: all) as one read-only array over the mapped files."""
        rows = self.count if count is None else count
        if self._region is None:
            self._region = Region(self.spec.row_size * self.segment * MAX_SEGMENTS)
        bytes_each = self.spec.row_size * self.segment
        for k in range(len(self._mapped), len(self.generations)):
            self._region.map_file(self.path(k), k * bytes_each, bytes_each)
            self._mapped.append(self.generations[k])
        shape = (rows,) if self.spec.width == 1 else (rows, self.spec.width)
        return self._region.array(self.spec.dtype, shape)

    def append(self, rows: npt.NDArray[np.generic]) -> None:
        """Write `rows` behind the last row. StoreUnavailable where there is no room: nothing is then counted."""
        data = np.ascontiguousarray(rows, self.spec.dtype)
        expected = (self.spec.width,) if self.spec.width > 1 else ()
        if data.shape[1:] != expected:
            raise StoreError(f"{self.spec.name}: rows of shape {data.shape[1:]}, not {expected}")
        done = 0
        while done < len(data):
            k, at = divmod(self.count + done, self.segment)
            if k == len(self.generations):
                self._add_segment()
            take = min(len(data) - done, self.segment - at)
            self._write(self.path(k), at * self.spec.row_size, data[done : done + take])
            done += take
        self.count += len(data)

    def truncate(self, count: int, published: int) -> None:
        """Forget the rows from `count` on; rows below `published` may be mapped by readers and stay untouched."""
        if count > self.count:
            raise StoreError(f"{self.spec.name} has {self.count} rows, cannot be cut to {count}")
        keep = -(-count // self.segment)
        if count < published and count % self.segment:
            old = self.path(keep - 1)
            self.generations[keep - 1] += 1
            self._copy(old, self.path(keep - 1), (count % self.segment) * self.spec.row_size)
            self._region, self._mapped = None, []
        if keep < len(self.generations):
            del self.generations[keep:]
            self._region, self._mapped = None, []
        self.count = count

    def sync(self) -> None:
        """Make what was appended durable."""
        for path in self._touched:
            if path.exists():
                with open(path, "rb") as handle:
                    os.fsync(handle.fileno())
        self._touched.clear()

    def _add_segment(self) -> None:
        if len(self.generations) == MAX_SEGMENTS:
            raise StoreError(f"{self.spec.name} is full at {MAX_SEGMENTS * self.segment} rows")
        # A file of a generation that was cut off may still be mapped: never reuse its name.
        used = [int(p.suffix[1:]) for p in self.folder.glob(f"{self.spec.name}.{len(self.generations)}.*")]
        self.generations.append(max(used, default=-1) + 1)
        self.path(len(self.generations) - 1).touch()

    def _write(self, path: Path, offset: int, data: npt.NDArray[np.generic]) -> None:
        view = memoryview(data.reshape(-1).view(np.uint8))
        try:
            with open(path, "r+b", buffering=0) as handle:
                handle.seek(offset)
                while view:
                    view = view[handle.write(view) or 0 :]
        except OSError as error:
            raise StoreUnavailable(f"cannot write {path}: {error}") from error
        self._touched.add(path)

    def _copy(self, source: Path, target: Path, size: int) -> None:
        try:
            with open(source, "rb") as old, open(target, "wb") as new:
                sent = 0
                while sent < size:
                    sent += os.sendfile(new.fileno(), old.fileno(), sent, size - sent)
        except OSError as error:
            raise StoreUnavailable(f"cannot write {target}: {error}") from error
        self._touched.add(target)
