"""Serialized blocks in files as a source: a node's folder of blk*.dat, or single blocks.

Both first read the headers alone (80 bytes a block) and keep where each block lies; the blocks
themselves are read batch by batch, in order of height. What is no whole record is a reject that
names file and byte; a block that cannot be cut into transactions ends a chain's load with an error
and is a reject of an extract.
"""

from __future__ import annotations

import binascii
import contextlib
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chain import compressed
from chain.bitcoin.blockindex import NO_BLOCK, BlockTree, Chain, choose
from chain.bitcoin.network import Network
from chain.bitcoin.parse import bip34_height, scan, scan_headers
from chain.bitcoin.records import (
    HEADER_SIZE,
    KEY_FILE,
    MAX_BLOCK_SIZE,
    MIN_BLOCK_SIZE,
    NETWORK_OF_MAGIC,
    NO_KEY,
    Content,
    Record,
    Skipped,
    Unpacked,
    read_key,
    records,
)
from chain.errors import LimitExceeded, MalformedData, SourceError, TruncatedData
from chain.model import U8, UNKNOWN, BlockBatch, hash_text
from chain.source import Reject, Tip

BATCH_BYTES = 16 << 20
"""Bytes of blocks after which a batch ends with its block."""

BATCH_BLOCKS = 2_000
"""Blocks after which a batch ends although they are small."""

MAX_REJECTS = 10_000
"""Records that may be refused before the load is."""

BLK_NAME = re.compile(r"blk.*\.dat(\.xz|\.gz|\.zst|\.bz2)?")

MAX_SINGLE = 2 * MAX_BLOCK_SIZE + 1024
"""Bytes of a file of one block: hex digits take two each, and may end with a line."""


class Place(NamedTuple):
    """Where a block lies."""

    content: Content
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.content.path}: byte {self.offset}"


class _Located:
    """ChainSource and ExtractSource over blocks whose places `_index` finds."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.rejects: list[Reject] = []
        self._places: list[Place] = []
        self._tree: BlockTree | None = None
        self._chain: Chain | None = None
        self._index_rejects = 0
        self._kept: OrderedDict[Path, bytes] = OrderedDict()

    def connect(self, tip: Tip | None, anchor_height: int | None) -> None:
        """Choose the chain of most work that the stored chain can grow along; see `ChainSource`."""
        tree = self._headers()
        self._chain = choose(tree, self.network, tip, anchor_height, self._stated_height)
        self.rejects[self._index_rejects :] = self._unconnected(tree, self._chain)

    def tip(self) -> Tip | None:
        """The highest block of the chosen chain."""
        if self._chain is None:
            return None
        return Tip(self._chain.start + len(self._chain.blocks) - 1, self._headers().hashes[self._chain.blocks[-1]])

    def hash_at(self, height: int) -> bytes | None:
        """The chosen chain's block hash at `height`; its first block's header names one more."""
        if self._chain is None:
            return None
        tree, blocks, place = self._headers(), self._chain.blocks, height - self._chain.start
        if place == -1 and height >= 0:
            return tree.parents[blocks[0]]
        return tree.hashes[blocks[place]] if 0 <= place < len(blocks) else None

    def batches(self, first: int, last: int | None) -> Iterator[BlockBatch]:
        """The chosen chain's blocks from `first` to `last`; an error names the file and byte."""
        if self._chain is None:
            return
        start = max(first, self._chain.start)
        end = len(self._chain.blocks) if last is None else max(last + 1 - self._chain.start, 0)
        height = start
        for group in self._groups(self._chain.blocks[start - self._chain.start : end]):
            try:
                batch = self._scan(group)
            except SourceError:
                self._name_fault(group)
                raise
            yield replace(batch, block_height=np.arange(height, height + len(group), dtype=np.int64))
            height += len(group)

    def all_batches(self) -> Iterator[BlockBatch]:
        """Every distinct block in the order of the files; heights where genesis or BIP 34 gives them."""
        tree = self._headers()
        genesis = tree.number(self.network.genesis_hash)
        for group in self._groups(range(len(self._places))):
            batch, good = self._scan_or_reject(group)
            if batch is None:
                continue
            proved = [tree.depth[n] if genesis != NO_BLOCK and tree.root[n] == genesis else UNKNOWN for n in good]
            known = np.array(proved, np.int64)
            yield replace(batch, block_height=np.where(known == UNKNOWN, bip34_height(batch), known))

    def _index(self) -> Iterator[tuple[Place, bytes]]:
        """Each block's place and header, in order of the files; fills `rejects`."""
        raise NotImplementedError

    def _headers(self) -> BlockTree:
        """The tree of headers, read at the first call; a block that is there twice counts once."""
        if self._tree is None:
            seen: set[bytes] = set()
            headers = bytearray()
            for place, header in self._index():
                if header not in seen:
                    seen.add(header)
                    headers += header
                    self._places.append(place)
            if not self._places:
                raise self._nothing()
            self._tree = BlockTree(scan_headers(np.frombuffer(headers, np.uint8).reshape(-1, HEADER_SIZE)))
            self._index_rejects = len(self.rejects)
        return self._tree

    def _nothing(self) -> SourceError:
        first = self.rejects[0] if self.rejects else None
        why = f"{first.source}: {first.place}: {first.reason}" if first else "the files are empty"
        return MalformedData(f"no block of {self.network.name} was found: {why}")

    def _stated_height(self, block: int) -> int:
        try:
            return int(bip34_height(self._scan([block]))[0])
        except SourceError:
            self._name_fault([block])
            raise

    def _groups(self, blocks: Sequence[int]) -> Iterator[list[int]]:
        group: list[int] = []
        total = 0
        for block in blocks:
            group.append(block)
            total += self._places[block].size
            if total >= BATCH_BYTES or len(group) >= BATCH_BLOCKS:
                yield group
                group, total = [], 0
        if group:
            yield group

    def _scan(self, group: Sequence[int]) -> BlockBatch:
        """The columns of the blocks of `group`; SourceError where one is not what was indexed."""
        places = [self._places[block] for block in group]
        size = np.array([place.size for place in places], np.int64)
        start = np.cumsum(size) - size
        raw: U8 = np.empty(int(size.sum()), np.uint8)
        for place, at in zip(places, start.tolist(), strict=True):
            data = place.content.read(place.offset, place.size)
            if len(data) < place.size:
                raise TruncatedData(f"{place}: the file became shorter while it was read")
            raw[at : at + place.size] = np.frombuffer(data, np.uint8)
        batch = scan(raw, start, size, self.network)
        for block, digest in zip(group, batch.block_hash, strict=True):
            if digest.tobytes() != self._headers().hashes[block]:
                raise SourceError(f"{self._places[block]}: the file changed while it was read")
        return batch

    def _name_fault(self, group: Sequence[int]) -> None:
        """Raise the error of the first faulty block of `group` with its file and byte."""
        for block in group:
            try:
                self._scan([block])
            except (TruncatedData, MalformedData) as error:
                raise type(error)(self._faulty(block, error)) from error

    def _faulty(self, block: int, error: Exception) -> str:
        return f"{self._places[block]}: block {hash_text(self._headers().hashes[block])}: {error}"

    def _scan_or_reject(self, group: list[int]) -> tuple[BlockBatch | None, list[int]]:
        """The blocks of `group` that can be cut, each other one a reject."""
        try:
            return self._scan(group), group
        except SourceError:
            good = []
            for block in group:
                try:
                    self._scan([block])
                    good.append(block)
                except SourceError as error:
                    place = self._places[block]
                    self._reject(place.content.path, Skipped(place.offset, str(error)))
            return (self._scan(good) if good else None), good

    def _unconnected(self, tree: BlockTree, chain: Chain) -> Iterator[Reject]:
        """One reject for each root that the chosen chain does not start from."""
        count: dict[int, int] = dict.fromkeys(tree.roots, 0)
        for root in tree.root:
            count[root] += 1
        for root, blocks in count.items():
            if root != chain.root and tree.parents[root] != tree.parents[chain.root]:
                place = self._places[root]
                yield Reject(
                    str(place.content.path),
                    f"byte {place.offset}",
                    f"block {hash_text(tree.hashes[root])} and {blocks - 1} above it are not connected: "
                    f"the parent {hash_text(tree.parents[root])} is missing",
                )

    def _records(self, content: Content) -> Iterator[tuple[Place, bytes]]:
        for found in records(content, self.network):
            if isinstance(found, Record):
                yield Place(content, found.offset, found.size), found.header
            else:
                self._reject(content.path, found)

    def _reject(self, path: Path, skipped: Skipped) -> None:
        self.rejects.append(Reject(str(path), f"byte {skipped.offset}", skipped.reason))
        if len(self.rejects) > MAX_REJECTS:
            raise LimitExceeded(f"{path}: byte {skipped.offset}: over {MAX_REJECTS:,} records refused")


class BlkFolder(_Located):
    """The blk*.dat files of a node's `blocks` folder, compressed ones too, with its xor.dat."""

    def __init__(self, folder: Path, network: Network) -> None:
        super().__init__(network)
        self._folder = folder

    def _index(self) -> Iterator[tuple[Place, bytes]]:
        key = read_key(self._folder)
        for path in self._files():
            content = Unpacked(path, self._kept, key) if compressed.suffix_form(path) else Content(path, key)
            found = False
            for record in self._records(content):
                found = True
                yield record
            if not found:
                self._check_key(content, key)

    def _files(self) -> list[Path]:
        try:
            paths = [path for path in self._folder.iterdir() if BLK_NAME.fullmatch(path.name)]
        except OSError as error:
            raise SourceError(f"{self._folder}: {error.strerror}") from error
        if not paths:
            raise SourceError(f"{self._folder}: no blk*.dat file")
        return sorted(paths, key=lambda path: (len(path.name), path.name))

    def _check_key(self, content: Content, key: bytes) -> None:
        """A file in which nothing is a record although it holds something has another key."""
        if content.read(0, 4) in NETWORK_OF_MAGIC or content.blank(0, content.size()):
            return
        if key == NO_KEY:
            why = f"newer nodes obfuscate these files: {KEY_FILE} must be in the same folder, and is not"
        else:
            why = f"the key of {KEY_FILE} does not fit this file"
        raise MalformedData(f"{content.path}: no record of {self.network.name} in it; {why}")


class BlockFiles(_Located):
    """Files of one serialized block each, as bytes or as hex digits, compressed or not; a file
    that begins with a network's magic is read as a blk file."""

    def __init__(self, paths: Sequence[Path], network: Network) -> None:
        super().__init__(network)
        self._paths = list(paths)

    def _index(self) -> Iterator[tuple[Place, bytes]]:
        for path in self._paths:
            with compressed.open_binary(path) as file:
                start = file.read(4)
                if start not in NETWORK_OF_MAGIC:
                    data = start + compressed.read_bounded(path, file, MAX_SINGLE)
            if start in NETWORK_OF_MAGIC:
                yield from self._records(Unpacked(path, self._kept))
            else:
                yield from self._single(path, data)

    def _single(self, path: Path, data: bytes) -> Iterator[tuple[Place, bytes]]:
        content: Content = Unpacked(path, self._kept)
        with contextlib.suppress(binascii.Error):
            data = binascii.unhexlify(data.strip())
            content = HexDigits(path, self._kept)
        if not MIN_BLOCK_SIZE <= len(data) <= MAX_BLOCK_SIZE:
            size = f"{len(data):,} bytes; a block has {MIN_BLOCK_SIZE} to {MAX_BLOCK_SIZE:,}"
            self._reject(path, Skipped(0, size))
        else:
            yield Place(content, 0, len(data)), data[:HEADER_SIZE]


class HexDigits(Unpacked):
    """The content of a file of hex digits."""

    def _decode(self, data: bytes) -> bytes:
        return binascii.unhexlify(data.strip())
