"""The records of a blk*.dat file: magic, length, block, one after another.

A node preallocates these files, so zeros may follow any record; a crash can leave a record cut or
garbage between two of them. The reader goes on at the next magic and tells what it left out.
Newer nodes XOR what they write with a key of 8 bytes kept beside the files (Bitcoin Core 28,
`xor.dat`), byte i of the file with byte i modulo 8 of the key. Preallocated zeros stay zeros.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chain import compressed
from chain.bitcoin.network import NETWORKS, Network
from chain.errors import IntegrityError, MalformedData, SourceError

HEADER_SIZE = 80
MAX_BLOCK_SIZE = 4_000_000
"""Most bytes of a serialized block (MAX_BLOCK_SERIALIZED_SIZE of Core's consensus/consensus.h)."""

MIN_BLOCK_SIZE = HEADER_SIZE + 1
FRAME_SIZE = 8
"""Magic and length before each block."""

SEARCH_SIZE = 1 << 20
"""Bytes looked through at a time for the next record."""

MAX_UNPACKED = 512 << 20
"""Most bytes of one decompressed file; a node's own have at most 128 MiB."""

KEY_FILE = "xor.dat"
KEY_SIZE = 8
NO_KEY = bytes(KEY_SIZE)

NETWORK_OF_MAGIC = {network.magic: network for network in NETWORKS.values()}


@dataclass(frozen=True, slots=True)
class Record:
    """A block's place in its file's decoded content, and its header."""

    offset: int
    size: int
    header: bytes


@dataclass(frozen=True, slots=True)
class Skipped:
    """Bytes of a file's content that were left out, and why."""

    offset: int
    reason: str


class Content:
    """The decoded bytes of one file by position: read from the disk where it is plain, held
    decompressed where it is not (`Unpacked`)."""

    def __init__(self, path: Path, key: bytes = NO_KEY) -> None:
        self.path = path
        self._key = key

    def size(self) -> int:
        """Bytes of content, now."""
        try:
            return self.path.stat().st_size
        except OSError as error:
            raise SourceError(f"{self.path}: {error.strerror}") from error

    def read(self, offset: int, size: int) -> bytes:
        """The bytes from `offset`; fewer than `size` where the content ends before."""
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(offset)
                return self._plain(file.read(size), offset)
        except OSError as error:
            raise SourceError(f"{self.path}: {error.strerror}") from error

    def blank(self, offset: int, end: int) -> bool:
        """Whether the file has only zeros from `offset` to `end`, as it stands on the disk."""
        return all(
            not any(self._plain(self.read(at, min(SEARCH_SIZE, end - at)), at))  # the key put on again
            for at in range(offset, end, SEARCH_SIZE)
        )

    def _plain(self, data: bytes, offset: int) -> bytes:
        """`data`, which stands at `offset`, with the key taken off."""
        if self._key == NO_KEY:
            return data
        turn = offset % KEY_SIZE
        word = np.frombuffer(self._key[turn:] + self._key[:turn], np.uint64)
        words = np.frombuffer(data + bytes(-len(data) % KEY_SIZE), np.uint64)
        return (words ^ word).tobytes()[: len(data)]


class Unpacked(Content):
    """The content of a compressed file, decoded as a whole.

    `kept` is shared by the files of a source: what was used last stays decoded there, at most
    `MAX_UNPACKED` bytes or one file.
    """

    def __init__(self, path: Path, kept: OrderedDict[Path, bytes], key: bytes = NO_KEY) -> None:
        super().__init__(path, key)
        self._kept = kept

    def size(self) -> int:
        return len(self._content())

    def read(self, offset: int, size: int) -> bytes:
        return self._content()[offset : offset + size]

    def _content(self) -> bytes:
        if self.path not in self._kept:
            self._kept[self.path] = self._decode(compressed.read_bytes(self.path, MAX_UNPACKED))
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > MAX_UNPACKED:
                self._kept.popitem(last=False)
        self._kept.move_to_end(self.path)
        return self._kept[self.path]

    def _decode(self, data: bytes) -> bytes:
        return self._plain(data, 0)


def records(content: Content, network: Network) -> Iterator[Record | Skipped]:
    """The records of `content` and what is no record, in order; zeros between them are padding.

    IntegrityError("network", …) where a record has another network's magic.
    """
    at, end = 0, content.size()
    while at < end:
        frame = content.read(at, FRAME_SIZE + HEADER_SIZE)
        if frame[:4] == network.magic:
            size = int.from_bytes(frame[4:8], "little")
            fault = _fault(content, at, size, end)
            if fault is None:
                yield Record(at + FRAME_SIZE, size, frame[FRAME_SIZE:])
                at += FRAME_SIZE + size
            else:
                yield Skipped(at, fault)
                at = _find(content, network.magic, at + len(network.magic), end)
        elif frame[:4] in NETWORK_OF_MAGIC:
            other = NETWORK_OF_MAGIC[frame[:4]].name
            place = f"{content.path}: byte {at}"
            raise IntegrityError("network", place, f"the record has the magic of {other}, not of {network.name}")
        else:
            found = _find(content, network.magic, at, end)
            if not content.blank(at, found):
                yield Skipped(at, f"bytes {at} to {found - 1} are no record: no magic of {network.name}")
            at = found


def _fault(content: Content, at: int, size: int, end: int) -> str | None:
    """What is wrong with the record at `at`, which states `size` bytes, in a file of `end`."""
    left = end - at - FRAME_SIZE
    if left < 0:
        return f"the record is cut off after {end - at} bytes"
    if size < MIN_BLOCK_SIZE:
        return f"the record states {size} bytes, fewer than a block has"
    if size > MAX_BLOCK_SIZE:
        return f"the record states {size:,} bytes, more than a block can have ({MAX_BLOCK_SIZE:,})"
    if size > left:
        return f"the record states {size:,} bytes, the file has only {left:,} more"
    if content.blank(at + FRAME_SIZE, at + FRAME_SIZE + HEADER_SIZE):
        return f"the record's {size:,} bytes begin with zeros: it was not written to its end"
    return None


def _find(content: Content, magic: bytes, at: int, end: int) -> int:
    """Where `magic` next stands from `at` on; `end` where it does not."""
    while at < end:
        data = content.read(at, min(SEARCH_SIZE, end - at))
        place = data.find(magic)
        if place >= 0:
            return at + place
        if len(data) < len(magic):
            return end
        at += len(data) - len(magic) + 1
    return end


def read_key(folder: Path) -> bytes:
    """The key that the folder's files are obfuscated with; zeros where the folder has none."""
    path = folder / KEY_FILE
    if not path.exists():
        return NO_KEY
    key = compressed.read_bytes(path, MAX_BLOCK_SIZE, sniff=False)
    if len(key) != KEY_SIZE:
        raise MalformedData(f"{path}: {len(key)} bytes, an obfuscation key has {KEY_SIZE}")
    return key


def folder_network(folder: Path) -> Network | None:
    """The network of the first record in a folder of blk*.dat files; None where no file begins with one."""
    key = read_key(folder)
    for path in sorted(folder.glob("blk*.dat*")):
        with compressed.open_binary(path, sniff=False) as file:
            start = np.frombuffer(file.read(len(key)), np.uint8)
        magic = (start ^ np.frombuffer(key, np.uint8)[: len(start)]).tobytes()[:4]
        if magic in NETWORK_OF_MAGIC:
            return NETWORK_OF_MAGIC[magic]
    return None
