"""Files as their bytes or lines, whether plain or compressed (.xz, .gz, .zst, .bz2).

The form is read off the file's first bytes; a name that promises another form is an error. All
forms go through one reader, so that a cut archive is TruncatedData everywhere (the zstandard
module and gzip's own reader disagree about that) and no input makes more than a bounded amount of
memory: `MAX_STEP` bytes of output at a time, `MAX_DICTIONARY` for the decoder.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import zstandard

from chain.errors import LimitExceeded, MalformedData, SourceError, TruncatedData

READ_SIZE = 1 << 16
"""Compressed bytes read from the disk at a time."""

ZSTD_READ_SIZE = 1 << 10
"""Compressed bytes given to the zstd decoder at a time. It cannot be told to stop early, and four
bytes (a run-length block, RFC 8878 3.1.1.2) can stand for 128 KiB, so 1 KiB makes 32 MiB at most."""

MAX_STEP = 1 << 20
"""Bytes that one step of the other decoders may give."""

MAX_DICTIONARY = 256 << 20
"""Memory of an xz decoder: four times what `xz -9` needs; larger archives are refused."""

MAX_LINE = 64 << 20
"""Longest line. The largest transaction (4 MB, hex and disassembled scripts) stays below it."""


class Decoder(Protocol):
    """One member of an archive being decoded; the shape of lzma's and bz2's decompressors."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's decompressor, which keeps its unread input apart, in the shape of `Decoder`."""

    def __init__(self) -> None:
        self._inner: Any = zlib.decompressobj(wbits=31)  # 16 + 15: a gzip header, any window

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return bytes(self._inner.decompress(self._inner.unconsumed_tail + data, max_length))


class _Zstd:
    """zstandard's decompressor, which takes small pieces of input, in the shape of `Decoder`."""

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor().decompressobj()
        self._waiting = b""

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def needs_input(self) -> bool:
        return not self._waiting

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + self._waiting

    def decompress(self, data: bytes, max_length: int) -> bytes:  # noqa: ARG002  (ZSTD_READ_SIZE bounds it)
        data = self._waiting + data
        self._waiting = data[ZSTD_READ_SIZE:]
        return self._inner.decompress(data[:ZSTD_READ_SIZE])


FORMS: dict[str, tuple[bytes, Callable[[], Decoder]]] = {
    ".xz": (b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(memlimit=MAX_DICTIONARY)),
    ".gz": (b"\x1f\x8b\x08", _Gzip),
    ".zst": (b"\x28\xb5\x2f\xfd", _Zstd),
    ".bz2": (b"BZh", bz2.BZ2Decompressor),
}
"""Suffix -> the form's first bytes and its decoder."""

_DECODE_ERRORS = (lzma.LZMAError, zlib.error, zstandard.ZstdError, OSError, ValueError)


class _Decompressed(io.RawIOBase):
    """The decoded bytes of an archive of one or more members, zero padding between them skipped."""

    def __init__(self, path: Path, suffix: str, file: BinaryIO) -> None:
        super().__init__()
        self._path = path
        self._suffix = suffix
        self._file = file
        self._make = FORMS[suffix][1]
        self._decoder: Decoder | None = self._make()
        self._next = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._ready:
            self._ready = memoryview(self._step())
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def _step(self) -> bytes:
        """The next decoded bytes; empty at the end of the last member."""
        while (decoder := self._member()) is not None:
            data = b""
            if decoder.needs_input:
                data = self._take()
                if not data:
                    raise TruncatedData(f"{self._path}: the {self._suffix} archive is cut off: {self._place()}")
            try:
                out = decoder.decompress(data, MAX_STEP)
            except _DECODE_ERRORS as error:
                raise MalformedData(
                    f"{self._path}: damaged {self._suffix} archive: {self._place()}: {error}"
                ) from error
            if out:
                return out
        return b""

    def _member(self) -> Decoder | None:
        """The decoder of the member that is being read; None when there is no further one."""
        if self._decoder is not None and self._decoder.eof:
            self._next = self._decoder.unused_data
            self._decoder = None
        while self._decoder is None:
            self._next = (self._next or self._file.read(READ_SIZE)).lstrip(b"\0")
            if self._next:
                self._decoder = self._make()
            elif not (more := self._file.read(READ_SIZE)):
                return None
            else:
                self._next = more
        return self._decoder

    def _take(self) -> bytes:
        data, self._next = self._next, b""
        return data or self._file.read(READ_SIZE)

    def _place(self) -> str:
        return f"near byte {self._file.tell()} of the archive"


def suffix_form(path: Path) -> str | None:
    """The form that the file's name promises: `.xz`, `.gz`, `.zst`, `.bz2`, or None for a plain one."""
    suffix = path.suffix.lower()
    return suffix if suffix in FORMS else None


def open_binary(path: Path, sniff: bool = True) -> BinaryIO:
    """Open `path` to read its decoded bytes, buffered, forward only where it is compressed.

    `sniff=False` takes a file without a known suffix as plain whatever its first bytes are (the
    obfuscated files of a node can begin with anything).
    SourceError where it cannot be opened, MalformedData where name and first bytes disagree; the
    reader raises TruncatedData for a cut archive and MalformedData for a damaged one.
    """
    try:
        file: io.BufferedReader = path.open("rb")
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    return _decoding(path, file, sniff)


def open_given(path: Path, data: bytes) -> BinaryIO:
    """`open_binary` for bytes that were read from `path` before: what is hashed is what is read."""
    return _decoding(path, io.BufferedReader(io.BytesIO(data)), True)


def _decoding(path: Path, file: io.BufferedReader, sniff: bool) -> BinaryIO:
    try:
        start = file.peek(8)[:8]
        promised = suffix_form(path)
        found = _first_bytes_form(start) if sniff or promised else None
        if promised and found != promised:
            kind = TruncatedData if FORMS[promised][0].startswith(start) else MalformedData
            raise kind(f"{path}: named {promised}, but its first bytes are {start.hex() or 'missing'}")
        return file if found is None else io.BufferedReader(_Decompressed(path, found, file), READ_SIZE)
    except OSError as error:
        file.close()
        raise SourceError(f"{path}: {error.strerror}") from error
    except BaseException:
        file.close()
        raise


def read_bytes(path: Path, limit: int, sniff: bool = True) -> bytes:
    """All decoded bytes of `path`; LimitExceeded where there are more than `limit`."""
    with open_binary(path, sniff) as file:
        return read_bounded(path, file, limit)


def read_start(path: Path, size: int, sniff: bool = False) -> bytes:
    """The first `size` decoded bytes of `path`, fewer where it has fewer; the form by its name alone."""
    with open_binary(path, sniff) as file:
        return file.read(size)


def read_bounded(path: Path, file: BinaryIO, limit: int) -> bytes:
    """What is left in `file`, opened from `path`; LimitExceeded where that is more than `limit`."""
    parts: list[bytes] = []
    left = limit
    while part := file.read(min(READ_SIZE, left + 1)):
        left -= len(part)
        if left < 0:
            raise LimitExceeded(f"{path}: more than {limit:,} bytes when decompressed")
        parts.append(part)
    return b"".join(parts)


def lines(path: Path, limit: int = MAX_LINE) -> Iterator[tuple[int, bytes]]:
    """The lines of `path` without their ends, each with its number from 1, empty ones left out.

    LimitExceeded where a line is longer than `limit` bytes.
    """
    with open_binary(path) as file:
        number = 0
        while line := file.readline(limit + 1):
            number += 1
            if len(line) > limit and not line.endswith(b"\n"):
                raise LimitExceeded(f"{path}: line {number} is longer than {limit:,} bytes")
            if text := line.strip():
                yield number, text


def _first_bytes_form(start: bytes) -> str | None:
    return next((suffix for suffix, (magic, _) in FORMS.items() if start.startswith(magic)), None)
