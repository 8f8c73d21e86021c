"""Loading: blocks from a source, verified, into Postgres; columns behind them.

    source ──> verify, lay, stage ──> commit ──> publish
               (a worker thread)      (Postgres) (columns)

While one batch is being committed the next is read and laid. A batch is in Postgres whole or not at all, with the
cursor in the same transaction; a load that was cut off anywhere goes on where the cursor stands. A reorganisation is
one transaction from the fork to above the old tip, so nobody sees a shorter chain, and a branch of more work that
proves invalid takes nothing out.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from chain import extract, faults
from chain.bitcoin.verify import verify_blocks, verify_links
from chain.column_writer import ColumnWriter
from chain.errors import HeadwaterError, IntegrityError, StoreError
from chain.follow import columns_folder, follow, open_columns, open_writer, rebuild_columns
from chain.ledger import LaidRows, lay
from chain.model import BlockBatch, hash_text
from chain.source import ChainSource, ExtractSource, Reject, Tip
from chain.store.dataset import Dataset
from chain.store.ledger import LedgerStore
from chain.store.postgres import LOST, Connection, available
from chain.threads import in_thread, patiently, to_the_end

__all__ = [
    "LoadReport", "columns_folder", "load_chain", "load_extract", "open_columns", "open_writer", "rebuild_columns",
]  # fmt: skip

PUBLISH_SECONDS = 10
"""Columns are published at least so often during a long load; what is not is read from Postgres after a crash."""

Progress = Callable[[int, int | None], None]
"""Called with the height reached and the height aimed at."""


@dataclass(slots=True)
class LoadReport:
    """What a load did; the command line prints it."""

    dataset: str
    network: str
    kind: str
    went_on_from: int | None = None
    """Height of the tip that was there before; None: the dataset was empty."""
    blocks: int = 0
    transactions: int = 0
    inputs: int = 0
    outputs: int = 0
    outside_outputs: int = 0
    tip_height: int | None = None
    tip_hash: str | None = None
    rolled_back: int = 0
    """Blocks that a reorganisation of the source's chain took out."""
    seconds: float = 0.0
    rejects: list[Reject] = field(default_factory=list)


async def load_chain(
    connection: Connection,
    home: Path,
    source: ChainSource,
    name: str = "btc",
    *,
    anchor_height: int | None = None,
    last_height: int | None = None,
    progress: Progress = lambda at, goal: None,
) -> LoadReport:
    """Bring a full dataset to the source's tip (or `last_height`).

    `anchor_height` declares the first block of an empty dataset; None means genesis. Raises IntegrityError (a named
    check; nothing of the batch is stored), SourceError, StoreError.
    """
    started = time.monotonic()
    with available("the database went away during the load"):
        store = LedgerStore(connection)
        dataset = await store.open_dataset(name, "btc", source.network, "full", anchor_height or 0)
        async with _writing(store, dataset, home, progress) as load:
            load.check_anchor(anchor_height)
            await _load_chain(load, source, last_height)
        return await load.finish(source.rejects, started)


async def load_extract(
    connection: Connection,
    home: Path,
    source: ExtractSource,
    name: str,
    *,
    progress: Progress = lambda at, goal: None,
) -> LoadReport:
    """Add what the source has to an extract and lay it again in chain order, in one transaction.

    All of it is in memory at once, several times over: sources bound what they read (chain/bitcoin/etl.py).
    """
    started = time.monotonic()
    with available("the database went away during the load"):
        store = LedgerStore(connection)
        dataset = await store.open_dataset(name, "btc", source.network, "extract", None)
        async with _writing(store, dataset, home, progress) as load:
            await _load_extract(load, source)
        return await load.finish(source.rejects, started)


@dataclass(slots=True)
class _Load:
    """A load at work on one dataset."""

    store: LedgerStore
    dataset: Dataset
    writer: ColumnWriter
    report: LoadReport
    progress: Progress
    published: float

    @property
    def backend(self) -> int:
        return self.store.connection.get_server_pid()

    def check_anchor(self, declared: int | None) -> None:
        tip = self.dataset.tip
        if tip is not None and declared is not None and declared > tip.height + 1:
            where = f"dataset {self.dataset.name} ends at height {tip.height}"
            raise StoreError(f"{where}; it cannot go on at {declared}")

    def count(self, rows: LaidRows) -> None:
        self.report.blocks += rows.batch.block_count
        self.report.transactions += rows.batch.tx_count
        self.report.inputs += rows.batch.input_count
        self.report.outputs += rows.batch.output_count
        self.report.outside_outputs += len(rows.columns["outside_output"])

    async def finish(self, rejects: list[Reject], started: float) -> LoadReport:
        tip = (await self.store.dataset(self.dataset.name)).tip
        self.report.tip_height = None if tip is None else tip.height
        self.report.tip_hash = None if tip is None else hash_text(tip.hash)
        self.report.rejects = rejects
        self.report.seconds = time.monotonic() - started
        return self.report


@contextlib.asynccontextmanager
async def _writing(store: LedgerStore, dataset: Dataset, home: Path, progress: Progress) -> AsyncIterator[_Load]:
    """Be the one who writes a dataset. However the block ends, the columns stand at the cursor afterwards, published;
    its own error is never hidden by one of settling."""
    await patiently(store.lock_writer, dataset)
    try:
        dataset = await store.dataset(dataset.name)
        tip = None if dataset.tip is None else dataset.tip.height
        report = LoadReport(dataset.name, dataset.network, dataset.kind, went_on_from=tip)
        with await patiently(open_writer, store, dataset, home) as writer:
            load = _Load(store, dataset, writer, report, progress, time.monotonic())
            try:
                yield load
            except BaseException:
                with contextlib.suppress(HeadwaterError, *LOST):
                    await to_the_end(_settle(load, failed=True))
                raise
            await to_the_end(_settle(load))
    finally:
        with contextlib.suppress(*LOST):
            await store.unlock_writer(dataset)


async def _settle(load: _Load, *, failed: bool = False) -> None:
    """After a load, well or ill: columns at the cursor, published."""
    faults.reach("before_publish", load.backend)
    if failed:
        await in_thread(load.writer.reopen)
    await follow(load.store, load.dataset.name, load.writer)
    faults.reach("after_publish", load.backend)


async def _load_chain(load: _Load, source: ChainSource, last_height: int | None) -> None:
    dataset = load.dataset
    source.connect(dataset.tip, dataset.anchor_height)
    goal = source.tip()
    ends = (None if goal is None else goal.height, last_height)
    aim = min((height for height in ends if height is not None), default=None)
    if dataset.tip is not None and aim is not None and aim > dataset.tip.height:
        # a lower tip is a node that is behind, not a reorganisation
        fork = await _fork_point(load, source, dataset.tip)
        if fork != dataset.tip:
            await _reorganise(load, source, fork, dataset.tip, aim)
    tip = load.dataset.tip
    first = load.dataset.anchor_height or 0 if tip is None else tip.height + 1
    await _load_batches(load, source.batches(first, last_height), aim)


async def _load_batches(load: _Load, batches: Iterator[BlockBatch], aim: int | None, *, publish: bool = True) -> None:
    """Stage and commit batch by batch, the next while one is being committed; `load.dataset` moves on at the end."""
    parent = load.dataset.tip
    commit: asyncio.Task[None] | None = None
    try:
        while (staged := await in_thread(_stage_next, load, batches, parent)) is not None:
            rows, parent = staged
            if commit is not None:
                done, commit = commit, None
                await to_the_end(done)
            faults.reach("after_stage", load.backend)
            if publish and time.monotonic() - load.published > PUBLISH_SECONDS:
                await _publish_committed(load)
            commit = asyncio.create_task(load.store.commit(load.dataset, rows, parent))
            load.count(rows)
            load.progress(parent.height, aim)
            await asyncio.sleep(0)
        if commit is not None:
            done, commit = commit, None
            await to_the_end(done)
    except BaseException as first:
        if commit is not None:
            await asyncio.wait([commit])
            second = commit.exception()
            if second is not None:
                first.add_note(f"the batch before it was not committed: {second}")
        raise
    load.dataset = await load.store.dataset(load.dataset.name)


def _stage_next(load: _Load, batches: Iterator[BlockBatch], parent: Tip | None) -> tuple[LaidRows, Tip] | None:
    batch = next(batches, None)
    if batch is None:
        return None
    network = load.dataset.params
    verify_blocks(batch, network)
    verify_links(batch, parent)
    if batch.block_height[0] == 0 and batch.block_hash[0].tobytes() != network.genesis_hash:
        raise IntegrityError("network", "height 0", f"block {hash_text(batch.block_hash[0])} is not {network.name}'s")
    outside = bool(load.dataset.anchor_height)
    rows = lay(batch, load.writer, network, outside=outside, whole=True)
    load.writer.stage(rows.columns, in_dictionaries=True)
    return rows, Tip(int(batch.block_height[-1]), batch.block_hash[-1].tobytes())


async def _publish_committed(load: _Load) -> None:
    """Publish up to the cursor; rows staged behind it stay staged."""
    now = await load.store.dataset(load.dataset.name)
    await in_thread(load.writer.publish, now.tip, now.counts, clean=False)
    load.published = time.monotonic()


async def _fork_point(load: _Load, source: ChainSource, tip: Tip) -> Tip:
    """The highest block that the dataset and the source's chain share. IntegrityError where none is known."""
    dataset = load.dataset
    for height in range(tip.height, (dataset.anchor_height or 0) - 1, -1):
        stored = await load.store.block_hash_at(dataset, height)
        theirs = source.hash_at(height)
        if theirs is None:
            detail = "the source does not reach back to a block that the dataset has"
            raise IntegrityError("parent", f"height {height + 1}", detail)
        if stored is not None and stored == theirs:
            return Tip(height, stored)
    raise StoreError(f"the source's chain shares no block with dataset {dataset.name}, down to its anchor")


async def _reorganise(load: _Load, source: ChainSource, fork: Tip, tip: Tip, aim: int) -> None:
    """Put the source's branch above `fork` in the place of the stored one, up to above its `tip`, or leave that.

    The columns are cut and staged along; where the transaction fails, their manifest still names the old ones.
    """
    async with load.store.connection.transaction():
        faults.reach("during_rollback", load.backend)
        load.dataset = await load.store.rollback(load.dataset, fork.height - (load.dataset.anchor_height or 0))
        faults.reach("after_rollback", load.backend)
        await in_thread(load.writer.fall_back, load.dataset.counts)
        load.writer.epoch = load.dataset.epoch
        await _load_batches(load, source.batches(fork.height + 1, tip.height + 1), aim, publish=False)
        if load.dataset.tip is None or load.dataset.tip.height <= tip.height:
            raise IntegrityError("parent", f"height {tip.height + 1}", "the source's chain ends below the stored tip")
    load.report.rolled_back = tip.height - fork.height


async def _load_extract(load: _Load, source: ExtractSource) -> None:
    batches: list[BlockBatch] = []
    for batch in source.all_batches():
        verify_blocks(batch, load.dataset.params)
        batches.append(batch)
        load.progress(sum(each.tx_count for each in batches), None)
    if not batches:
        return
    before = load.dataset.counts
    if before["tx"]:
        batches.insert(0, await extract.stored_batch(load.store, load.dataset, load.writer))
    await _lay_again(load, extract.merge(batches, source.network))
    report = load.report
    report.blocks -= before["block"]
    report.transactions -= before["tx"]
    report.inputs -= before["input"]
    report.outputs -= before["output"] - before["outside"]
    report.outside_outputs -= before["outside"]


async def _lay_again(load: _Load, merged: BlockBatch) -> None:
    """Lay the whole of an extract in the place of what it was."""
    again = load.dataset.counts["tx"] > 0
    if again:
        await in_thread(load.writer.reset)
        load.writer.epoch = load.dataset.epoch + 1
    rows = await in_thread(lay, merged, load.writer, load.dataset.params, outside=True, whole=False)
    await in_thread(load.writer.stage, rows.columns, in_dictionaries=True)
    async with load.store.connection.transaction():
        if again:
            load.dataset = await load.store.rollback(load.dataset, -1)
        faults.reach("during_rollback", load.backend)
        height = int(merged.block_height[-1])
        tip = Tip(height, merged.block_hash[-1].tobytes()) if height >= 0 else None
        await to_the_end(load.store.commit(load.dataset, rows, tip))
    load.count(rows)
