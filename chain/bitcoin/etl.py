"""Files of bitcoin-etl transactions, one JSON object a line, as a source of blocks.

Such rows state a block and prove nothing: no header, no parent, no script of an input. Blocks are
therefore `Proof.STATED`, header fields are zeros, and the parent of the block at height h is the
block that the rows state at h - 1.

As a chain, blocks count while heights follow each other, with one hash a height, and while the
rows of each block are there from the coinbase (index 0) on without a gap; the chain ends before
the first block that is not so, and each block after it is one reject. As an extract, all rows
count. How many transactions a block has is stated nowhere, so a block whose last rows are missing
cannot be told from a whole one.

Rows without `index` take their place in the file as their place in the block.
All rows are kept in memory as columns, about a third of their text; `MAX_TEXT` bounds that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chain import compressed
from chain.bitcoin.etl_columns import BlockColumns, RowColumns, Settled, split
from chain.bitcoin.etl_rows import Row, RowReader
from chain.bitcoin.network import Network
from chain.errors import IntegrityError, LimitExceeded, MalformedData
from chain.model import UNKNOWN, BlockBatch, hash_text
from chain.source import Reject, Tip

MAX_TEXT = 4 << 30
"""Decompressed bytes of all files of one load; the columns of so much text take 1 to 2 GB."""

MAX_REJECTS = 100_000
"""Lines that may be refused before the load is: these are then other files than they should be."""

BATCH_ENTRIES = 100_000
"""Inputs and outputs after which a batch ends with its block."""

NO_PARENT = bytes(32)


@dataclass(slots=True)
class _Block:
    """A block as its rows state it."""

    hash: bytes
    time: int
    height: int
    file: str
    line: int


class EtlFiles:
    """ChainSource and ExtractSource over files of bitcoin-etl transactions."""

    def __init__(self, paths: Sequence[Path], network: Network) -> None:
        self.network = network
        self.rejects: list[Reject] = []
        self._paths = list(paths)
        self._blocks: list[_Block] = []
        self._settled: Settled | None = None
        self._row_rejects = 0
        self._chain: list[int] = []
        self._start = 0
        self._parent: bytes | None = None

    @property
    def repeated(self) -> int:
        """Rows that repeat another one in every field; they are left out."""
        return self._rows().repeated

    def connect(self, tip: Tip | None, anchor_height: int | None) -> None:
        """Choose the blocks around the stored tip, or from the anchor on; see `ChainSource`.

        Rows state no parent: the block after the stored tip is taken to be its child.
        """
        flawless, flaws = self._heights()
        pivot, lowest = _pivot(flawless, tip, anchor_height)
        if pivot not in flawless:
            raise IntegrityError("parent", f"height {pivot}", self._missing(pivot, flawless, flaws))
        start, end = pivot, pivot + 1
        while start > lowest and start - 1 in flawless:
            start -= 1
        while end in flawless:
            end += 1
        self._start = start
        self._chain = [flawless[height] for height in range(start, end)]
        self._parent = tip.hash if tip is not None and start == tip.height + 1 else None
        self.rejects[self._row_rejects :] = self._left_out(end, flaws)

    def tip(self) -> Tip | None:
        """The last block of the chosen chain."""
        if not self._chain:
            return None
        return Tip(self._start + len(self._chain) - 1, self._blocks[self._chain[-1]].hash)

    def hash_at(self, height: int) -> bytes | None:
        """The hash stated at `height`; just below the chain, the stored tip that it continues."""
        if height == self._start - 1:
            return self._parent
        place = height - self._start
        return self._blocks[self._chain[place]].hash if 0 <= place < len(self._chain) else None

    def batches(self, first: int, last: int | None) -> Iterator[BlockBatch]:
        """The chosen chain's blocks from `first` to `last`, as their rows state them."""
        end = self._start + len(self._chain) if last is None else last + 1
        chain = self._chain[max(first - self._start, 0) : max(end - self._start, 0)]
        for part in self._parts(chain):
            parents = [self.hash_at(self._blocks[block].height - 1) or NO_PARENT for block in part]
            yield self._batch(part, parents)

    def all_batches(self) -> Iterator[BlockBatch]:
        """Every row, whole groups of one block hash, in the order in which these first appear."""
        self._rows()
        self._rows()
        for part in self._parts(list(range(len(self._blocks)))):
            yield self._batch(part, [NO_PARENT] * len(part))

    def _parts(self, blocks: list[int]) -> Iterator[list[int]]:
        sizes = self._rows().entries()[np.array(blocks, np.int64)]
        for part in split(sizes, BATCH_ENTRIES):
            yield blocks[part]

    def _batch(self, blocks: list[int], parents: list[bytes]) -> BlockBatch:
        stated = [self._blocks[block] for block in blocks]
        said = BlockColumns(
            height=np.array([block.height for block in stated], np.int64),
            hash=np.frombuffer(b"".join(block.hash for block in stated), np.uint8).reshape(-1, 32),
            parent=np.frombuffer(b"".join(parents), np.uint8).reshape(-1, 32),
            time=np.array([block.time for block in stated], np.int64),
        )
        return self._rows().batch(self.network.name, np.array(blocks, np.int64), said)

    def _rows(self) -> Settled:
        """The rows of all files, read at the first call."""
        if self._settled is None:
            columns = RowColumns()
            self._read(columns)
            self._settled = Settled(columns, len(self._blocks))
            for row, reason in self._settled.contradictions:
                self._refuse(str(self._paths[columns.file[row]]), columns.line[row], reason)
            self._row_rejects = len(self.rejects)
        return self._settled

    def _read(self, columns: RowColumns) -> None:
        reader = RowReader(self.network)
        numbers: dict[bytes, int] = {}
        text = 0
        for file, path in enumerate(self._paths):
            for line, content in compressed.lines(path):
                text += len(content)
                if text > MAX_TEXT:
                    raise LimitExceeded(f"{path}: line {line}: more than {MAX_TEXT:,} bytes of rows in one load")
                try:
                    row = reader.read(content)
                    number = self._block_of(row, numbers, str(path), line)
                except MalformedData as error:
                    self._refuse(str(path), line, str(error))
                else:
                    columns.append(row, number, file, line)

    def _block_of(self, row: Row, numbers: dict[bytes, int], file: str, line: int) -> int:
        """The number of the row's block, which the row must not contradict."""
        number = numbers.setdefault(row.block_hash, len(self._blocks))
        if number == len(self._blocks):
            self._blocks.append(_Block(row.block_hash, row.time, row.height, file, line))
        block = self._blocks[number]
        if row.time != block.time:
            raise MalformedData(f"block_timestamp: {row.time}, but {block.time} in line {block.line}")
        if UNKNOWN not in (row.height, block.height) and row.height != block.height:
            raise MalformedData(f"block_number: {row.height}, but {block.height} in line {block.line}")
        block.height = max(block.height, row.height)
        if row.height == 0 and row.block_hash != self.network.genesis_hash:
            raise IntegrityError(
                "network",
                f"{file}: line {line}",
                f"block 0 is {hash_text(row.block_hash)}, which is not {self.network.name}'s",
            )
        return number

    def _refuse(self, file: str, line: int, reason: str) -> None:
        self.rejects.append(Reject(file, f"line {line}", reason))
        if len(self.rejects) > MAX_REJECTS:
            raise LimitExceeded(f"{file}: line {line}: over {MAX_REJECTS:,} lines refused; the last: {reason}")

    def _heights(self) -> tuple[dict[int, int], dict[int, tuple[str, list[int]]]]:
        """Blocks by height: the flawless ones, and the flawed heights with flaw and blocks."""
        complete = self._rows().complete()
        stated: dict[int, list[int]] = {}
        for number, block in enumerate(self._blocks):
            if block.height != UNKNOWN:
                stated.setdefault(block.height, []).append(number)
        flawless, flaws = {}, {}
        for height, numbers in stated.items():
            if len(numbers) > 1:
                hashes = ", ".join(hash_text(self._blocks[number].hash) for number in numbers[:3])
                flaws[height] = (f"{len(numbers)} blocks state height {height}: {hashes}", numbers)
            elif not complete[numbers[0]]:
                flaws[height] = (
                    f"height {height}: the block's rows do not run from its coinbase on",
                    numbers,
                )
            else:
                flawless[height] = numbers[0]
        return flawless, flaws

    def _missing(self, pivot: int, flawless: dict[int, int], flaws: dict[int, tuple[str, list[int]]]) -> str:
        if pivot in flaws:
            return flaws[pivot][0]
        known = f"the lowest whole block is at height {min(flawless)}" if flawless else "no block is whole"
        return (
            f"no row states this height ({known}); declare another first height with --from, "
            "or load these rows as an extract with --dataset NAME"
        )

    def _left_out(self, end: int, flaws: dict[int, tuple[str, list[int]]]) -> Iterator[Reject]:
        """One reject for each block above the chosen chain, or of no height."""
        flawed = {number: reason for reason, numbers in flaws.values() for number in numbers}
        for number, block in enumerate(self._blocks):
            if block.height == UNKNOWN:
                reason = "no block_number: only an extract (--dataset NAME) can hold it"
            elif block.height < end:
                continue
            else:
                reason = flawed.get(number, f"not connected: the chain of these rows ends at height {end - 1}")
            yield Reject(block.file, f"line {block.line}: block {hash_text(block.hash)}", reason)


def _pivot(flawless: dict[int, int], tip: Tip | None, anchor_height: int | None) -> tuple[int, int]:
    """A height that the chosen chain must have, and the lowest that it may reach down to."""
    if tip is None:
        anchor = anchor_height or 0
        return anchor, anchor
    return (tip.height + 1 if tip.height + 1 in flawless else tip.height), 0
