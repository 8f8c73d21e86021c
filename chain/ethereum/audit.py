"""Stored Ethereum rows proved again: from the kept bytes of blocks and receipts every row is derived once more.

A block's bytes must pass each check of chain/ethereum/verify.py, and the rows that a load would write of them must be,
byte for byte, those that are stored: blocks, addresses, assets, transactions, movements and the cursor. What no bytes
prove is counted and said: blocks that tables stated, movements of traces, and in an extract what another source told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import asyncpg
import numpy as np

from chain.errors import HeadwaterError, IntegrityError, MalformedData
from chain.ethereum.block import Block
from chain.ethereum.builder import MovementFacts
from chain.ethereum.kept import BYTES, TOLD_BY_TRACES, Broken, BrokenRow, kept_block, told_movement, with_uncles
from chain.ethereum.laying import COUNT_NAMES, LaidBatch, distinct_addresses, lay
from chain.ethereum.model import EthereumBatch, Movement, Part
from chain.ethereum.movements import batch_of
from chain.ethereum.verify import verify_links
from chain.model import UNKNOWN, Proof
from chain.source import Tip
from chain.store.compare import Column, columns_of, first_difference, stored_range
from chain.store.copy import encode
from chain.store.ethereum import EthereumDataset, EthereumStore
from chain.store.ethereum_rows import tables
from chain.store.postgres import queries
from chain.threads import in_thread

RANGE = 32
"""Blocks that are derived and compared in one go; where they part, one by one."""

ID_COLUMNS = {
    "eth_block": ("block_id", "block"), "address": ("address_id", "address"), "eth_asset": ("asset_id", "asset"),
    "eth_tx": ("tx_id", "tx"), "eth_movement": ("movement_id", "movement"),
}  # fmt: skip
"""The tables that are compared, in this order: what names a row of each, and the count that bounds it."""


@dataclass(slots=True)
class AuditReport:
    """What was proved of a dataset, what could not be, and the first row that is broken."""

    dataset: str
    network: str
    kind: str
    blocks: int
    proved: int = 0
    """Blocks whose bytes passed and whose rows are what they say."""
    stated: int = 0
    """Blocks of tables, which have no bytes."""
    told_elsewhere: int = 0
    """Blocks of an extract whose bytes passed, and of which another source told what they do not."""
    traced: int = 0
    """Movements that rest on traces: their place is compared, their amounts no root commits to."""
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ID_COLUMNS, 0))
    """Rows compared of each table."""
    broken: Broken | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    row: asyncpg.Record
    block: Block


class Audit:
    """One dataset, in one snapshot: the caller holds a transaction of repeatable reads."""

    def __init__(self, store: EthereumStore, dataset: EthereumDataset) -> None:
        self._store = store
        self._dataset = dataset
        self._sql = queries("audit")
        self._columns: dict[str, list[Column]] = {}
        self._before = dict.fromkeys(COUNT_NAMES, 0)
        self._tip: Tip | None = None
        self._report = AuditReport(dataset.name, dataset.network, dataset.kind, dataset.counts["block"])

    async def run(self) -> AuditReport:
        """Prove every block and compare every row, until one is broken."""
        for table in ID_COLUMNS:
            self._columns[table] = await columns_of(self._store.connection, table)
        count = self._dataset.counts["block"]
        try:
            for low in range(0, count, RANGE):
                await self._range(low, min(low + RANGE, count))
            await self._end()
        except BrokenRow as error:
            self._report.broken = error.broken
        return self._report

    async def _range(self, low: int, high: int) -> None:
        rows = await self._store.connection.fetch(self._sql["blocks_of"], self._dataset.dataset_id, low, high)
        for due in range(low, high):
            if due - low >= len(rows) or rows[due - low]["block_id"] != due:
                raise BrokenRow(Broken("eth_block", due, "block_id", "no row", str(due), None))
        run: list[_Kept] = []
        failed: BrokenRow | None = None
        elsewhere = await self._told_elsewhere(low, high)
        for row in rows:
            if row["proof"] == Proof.STATED and row["bytes"] is None and not self._dataset.is_full:
                self._report.stated += 1
            else:
                try:
                    kept = _Kept(row, await in_thread(kept_block, row, self._dataset.chain_id))
                except BrokenRow as error:
                    failed = error  # told once all that stands before it is found whole
                    break
                if row["block_id"] not in elsewhere or not _says_little(kept.block):
                    run.append(kept)
                    continue
                self._report.told_elsewhere += 1
            await self._run(run)
            run = []
            self._skip(row)
        await self._run(run)
        if failed is not None:
            raise failed

    async def _told_elsewhere(self, low: int, high: int) -> set[int]:
        if self._dataset.is_full:
            return set()
        rows = await self._store.connection.fetch(
            self._sql["told_elsewhere"], self._dataset.dataset_id, low, high, self._before["movement"]
        )
        return {row["block_id"] for row in rows}

    def _skip(self, row: asyncpg.Record) -> None:
        """Go on behind a block whose rows are not compared, by what is stored of it."""
        self._before = {
            "block": row["block_id"] + 1, "tx": row["first_tx_id"] + row["tx_count"],
            "movement": row["movements_after"], "address": row["addresses_after"], "asset": row["assets_after"],
        }  # fmt: skip
        self._tip = None if row["hash"] is None else Tip(row["height"], row["hash"])

    async def _run(self, run: Sequence[_Kept]) -> None:
        """Blocks that follow one another: all in one go, and where a row parts one by one, to name the first."""
        if not run:
            return
        before, tip = dict(self._before), self._tip
        try:
            laid = await self._compared(run)
        except BrokenRow:
            if len(run) == 1:
                raise
            self._before, self._tip = before, tip
            for kept in run:
                await self._run([kept])
            raise
        for table, (_, name) in ID_COLUMNS.items():
            self._report.rows[table] += laid.after[name] - laid.before[name]
        self._report.proved += len(run)
        self._report.traced += int((laid.batch.move_kind == Movement.INTERNAL).sum())

    async def _compared(self, run: Sequence[_Kept]) -> LaidBatch:
        internal, rewards = await self._told(run)
        chain_id = self._dataset.chain_id
        blocks = [with_uncles(kept.block, chain_id, rewards[kept.row["block_id"]]) for kept in run]
        traces = [
            None if self._dataset.is_full and not kept.row["parts"] & Part.TRACES else internal[kept.row["block_id"]]
            for kept in run
        ]
        try:
            batch = await in_thread(batch_of, blocks, chain_id, traces)
        except MalformedData as error:  # heights that do not rise
            raise _unlinked(run, error) from error
        source = np.array([kept.row["parts"] & Part.TRACES for kept in run], np.uint8)  # the source's word
        batch = replace(batch, block_parts=batch.block_parts & ~np.uint8(Part.TRACES) | source)
        self._check_links(batch, run)
        laid = await self._laid(batch)
        for table, _, fields in tables(
            self._dataset.dataset_id, laid, anchor=self._dataset.anchor_height if self._dataset.is_full else None
        ):
            if table in ID_COLUMNS:
                await self._compare(table, laid, encode(fields), run)
        self._before, self._tip = laid.after, Tip(int(batch.block_height[-1]), batch.block_hash[-1].tobytes())
        return laid

    async def _told(self, run: Sequence[_Kept]) -> tuple[dict[int, list[list[MovementFacts]]], dict[int, list[int]]]:
        """Of each block: what traces tell of each transaction, and amounts of rewards, as they are stored."""
        internal: dict[int, list[list[MovementFacts]]] = {
            kept.row["block_id"]: [[] for _ in kept.block.transactions] for kept in run
        }
        rewards: dict[int, list[int]] = defaultdict(list)
        ends = self._before["movement"], run[-1].row["movements_after"]
        for row in await self._store.connection.fetch(
            self._sql["told_of"], self._dataset.dataset_id, *ends, [*TOLD_BY_TRACES, Movement.REWARD]
        ):
            if row["kind"] == Movement.REWARD:
                rewards[row["block_id"]].append(int(row["value"]))
                continue
            moves = internal.get(row["block_id"], [])
            if row["place"] is not None and 0 <= row["place"] < len(moves):
                moves[row["place"]].append(told_movement(row, full=self._dataset.is_full))
        return internal, rewards

    def _check_links(self, batch: EthereumBatch, run: Sequence[_Kept]) -> None:
        """In a full dataset each block stands on the one before it."""
        if not self._dataset.is_full:
            return
        first = (self._dataset.anchor_height or 0) if self._tip is None else self._tip.height + 1
        try:
            verify_links(batch, self._tip, first)
        except IntegrityError as error:
            raise _unlinked(run, error) from error

    async def _laid(self, batch: EthereumBatch) -> LaidBatch:
        """The batch in ids, as a load would have laid it: what the dataset knew before the batch keeps its id."""
        distinct = await in_thread(distinct_addresses, batch)
        known = await self._store.known_addresses(self._dataset, distinct[0])
        known[known >= self._before["address"]] = UNKNOWN
        assets = {
            pair: number
            for pair, number in (await self._store.assets(self._dataset)).items()
            if number < self._before["asset"]
        }
        return await in_thread(lay, batch, self._before, distinct, known, assets)

    async def _compare(self, table: str, laid: LaidBatch, derived: bytes, run: Sequence[_Kept]) -> None:
        id_column, name = ID_COLUMNS[table]
        stored = await stored_range(
            self._store.connection, table, id_column, self._dataset.dataset_id, laid.before[name], laid.after[name]
        )
        found = first_difference(stored, derived, self._columns[table], id_column)
        if found is not None:
            raise BrokenRow(Broken(table, found.row, found.column, found.stored, found.derived, run[0].row["height"]))

    async def _end(self) -> None:
        """The cursor stands where the rows end."""
        counts, dataset = self._dataset.counts, self._dataset
        for name in COUNT_NAMES:
            self._check_cursor(f"{name}_count", str(counts[name]), str(self._before[name]))
        behind = await self._store.connection.fetchrow(
            self._sql["rows_behind"], dataset.dataset_id, *(counts[name] for name in COUNT_NAMES)
        )
        assert behind is not None, "a select of values gives a row"
        for table, (id_column, _) in ID_COLUMNS.items():
            if behind[table] is not None:
                raise BrokenRow(Broken(table, behind[table], id_column, str(behind[table]), "no row", None))
        if self._tip is not None:
            told = dataset.tip or Tip(-1, b"")
            self._check_cursor("tip_height", str(told.height), str(self._tip.height))
            self._check_cursor("tip_hash", f"0x{told.hash.hex()}", f"0x{self._tip.hash.hex()}")

    def _check_cursor(self, column: str, stored: str, derived: str) -> None:
        if stored != derived:
            raise BrokenRow(Broken("eth_cursor", self._dataset.dataset_id, column, stored, derived, None))


def _unlinked(run: Sequence[_Kept], error: HeadwaterError) -> BrokenRow:
    """A run that does not follow on; of several blocks, which it is comes out when they are asked one by one."""
    row = run[0].row
    return BrokenRow(Broken(BYTES, row["block_id"], "bytes", str(error), "a block on the one before", row["height"]))


def _says_little(block: Block) -> bool:
    """Whether a block's own bytes do not tell how its transactions ended."""
    return block.receipts is None or any(receipt.status is None for receipt in block.receipts)
