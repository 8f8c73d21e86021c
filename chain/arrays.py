"""Arrays on disk that grow at the end: segment files, mapped together, with generations.

A segment is a file of `SEGMENT` rows (the last one of fewer). Bytes below a published count are never changed in
place: growing writes behind them, and cutting rows off makes a new generation of the segment that is cut.
So a reader that mapped the files of one manifest sees the same rows for as long as it lives.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chain.errors import StoreError, StoreUnavailable
from chain.model import Array
from chain.region import Region

SEGMENT = 1 << 22
"""Rows in a segment file. A power of two, so that each segment starts on a page for every item size. A rollback copies
at most one segment of each array; a process may map some 65,000 files (vm.max_map_count), and a reader of a whole
Bitcoin maps about 8,000."""


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """One array of a dataset: rows of `width` items of `dtype`; as long as the count named `rows` says."""

    name: str
    dtype: str
    rows: str
    width: int = 1
    density: int = 1
    """Its segments have so many times the rows of others (bytes of keys, of which each key has many)."""

    @property
    def row_size(self) -> int:
        return np.dtype(self.dtype).itemsize * self.width


@dataclass(slots=True)
class FileNumbers:
    """Numbers for new files of a folder. None is given twice, so a name never stands for two contents."""

    next: int = 0

    def take(self) -> int:
        self.next += 1
        return self.next - 1


@dataclass(slots=True)
class DiskArray:
    """One array in a folder. `generations[k]` is the number in the name of segment k's file.

    Only a writer needs `numbers`.
    """

    spec: ArraySpec
    folder: Path
    generations: list[int]
    count: int
    segment_rows: int = SEGMENT
    numbers: FileNumbers = field(default_factory=FileNumbers)
    _region: Region | None = None
    _mapped: int = 0
    _touched: set[Path] = field(default_factory=set)

    @property
    def segment(self) -> int:
        """Rows of one segment of this array."""
        return self.segment_rows * self.spec.density

    def path(self, segment: int) -> Path:
        return self.folder / f"{self.spec.name}.{segment}.{self.generations[segment]}"

    def paths(self) -> Iterator[Path]:
        return (self.path(k) for k in range(len(self.generations)))

    def view(self) -> Array:
        """All rows as one read-only array over the mapped files; StoreError where a file is too short."""
        each = self.spec.row_size * self.segment
        needed = max(1, len(self.generations)) * each
        if self._region is None or self._region.size < needed:
            self._region = Region(needed if self._region is None else 2 * needed)
            self._mapped = 0
        for k in range(self._mapped, len(self.generations)):
            rows = min(self.segment, max(0, self.count - k * self.segment))
            self._region.map_file(self.path(k), k * each, each, rows * self.spec.row_size)
        self._mapped = len(self.generations)
        shape = (self.count,) if self.spec.width == 1 else (self.count, self.spec.width)
        return self._region.array(self.spec.dtype, shape)

    def append(self, rows: Array) -> None:
        """Write `rows` behind the last row. StoreUnavailable where there is no room: nothing is then counted."""
        data = np.ascontiguousarray(rows, self.spec.dtype)
        expected = (self.spec.width,) if self.spec.width > 1 else ()
        if data.shape[1:] != expected:
            raise StoreError(f"{self.spec.name}: rows of shape {data.shape[1:]}, not {expected}")
        done = 0
        while done < len(data):
            k, at = divmod(self.count + done, self.segment)
            if k == len(self.generations):
                self.generations.append(self.numbers.take())
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
            self.generations[keep - 1] = self.numbers.take()
            self._copy(old, self.path(keep - 1), (count % self.segment) * self.spec.row_size)
            self._region = None
        if keep < len(self.generations):
            del self.generations[keep:]
            self._region = None
        self.count = count

    def sync(self) -> None:
        """Make what was appended durable."""
        for path in self._touched & set(self.paths()):
            with open(path, "rb") as handle:
                os.fsync(handle.fileno())
        self._touched.clear()

    def _write(self, path: Path, offset: int, data: Array) -> None:
        view = data.reshape(-1).view(np.uint8).data
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                while view:
                    written = os.pwrite(handle, view, offset)
                    view, offset = view[written:], offset + written
            finally:
                os.close(handle)
        except OSError as error:
            raise StoreUnavailable(f"cannot write {path}: {error.strerror}") from error
        self._touched.add(path)

    def _copy(self, source: Path, target: Path, size: int) -> None:
        try:
            with open(source, "rb") as old, open(target, "wb") as new:
                sent = 0
                while sent < size:
                    step = os.sendfile(new.fileno(), old.fileno(), sent, size - sent)
                    if not step:
                        raise StoreError(f"{source} is damaged: {sent} bytes, not {size}")
                    sent += step
        except OSError as error:
            raise StoreUnavailable(f"cannot write {target}: {error.strerror}") from error
        self._touched.add(target)
