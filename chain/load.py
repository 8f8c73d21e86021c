"""Loading: blocks from a source, verified, into Postgres; columns behind them.

    source ──> verify, lay, stage ──> commit ──> publish
               (a worker thread)      (Postgres) (columns)

While one batch is being committed the next is read and laid. A batch is in Postgres whole or not at all, with the
cursor in the same transaction; a load that was cut off anywhere goes on where the cursor stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from chain import extract, faults
from chain.bitcoin.verify import verify_blocks, verify_links
from chain.columns import Columns, ColumnWriter
from chain.errors import HeadwaterError, IntegrityError, StoreBusy, StoreError
from chain.ledger import LaidRows, lay
from chain.model import BlockBatch
from chain.source import ChainSource, ExtractSource, Reject, Tip
from chain.store.dataset import Dataset
from chain.store.ledger import LedgerStore
from chain.store.postgres import LOST, Connection, available

PUBLISH_SECONDS = 10
"""Columns are published at least so often during a long load; what is not is read from Postgres after a crash."""

CATCH_UP_TXS = 500_000
"""Transactions read back from Postgres at a time."""

T = TypeVar("T")

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


def columns_folder(home: Path, dataset: str) -> Path:
    return home / "columns" / dataset


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
    with available("the database went away during the load"):
        return await _load_chain(LedgerStore(connection), home, source, name, anchor_height, last_height, progress)


async def _load_chain(
    store: LedgerStore,
    home: Path,
    source: ChainSource,
    name: str,
    anchor_height: int | None,
    last_height: int | None,
    progress: Progress,
) -> LoadReport:
    started = time.monotonic()
    dataset = await store.open_dataset(name, "btc", source.network, "full", anchor_height or 0)
    await store.lock_writer(dataset)
    dataset = await store.dataset(name)
    report = LoadReport(name, dataset.network, dataset.kind, None if dataset.tip is None else dataset.tip.height)
    if dataset.tip is not None and anchor_height is not None and anchor_height > dataset.tip.height + 1:
        raise StoreError(f"dataset {name} ends at height {dataset.tip.height}; it cannot go on at {anchor_height}")
    with await open_writer(store, dataset, home) as writer:
        source.connect(dataset.tip, dataset.anchor_height)
        dataset = await _follow_reorganisation(store, dataset, writer, source, report)
        first = dataset.anchor_height or 0 if dataset.tip is None else dataset.tip.height + 1
        goal = source.tip()
        aim = last_height if goal is None else goal.height if last_height is None else min(last_height, goal.height)
        async with _settled(store, name, writer):
            batches = source.batches(first, last_height)
            await _load_batches(store, dataset, writer, batches, report, progress, aim)
    dataset = await store.dataset(name)
    report.tip_height = None if dataset.tip is None else dataset.tip.height
    report.tip_hash = None if dataset.tip is None else dataset.tip.hash[::-1].hex()
    report.rejects = source.rejects
    report.seconds = time.monotonic() - started
    return report


async def _load_batches(
    store: LedgerStore,
    dataset: Dataset,
    writer: ColumnWriter,
    batches: Iterator[BlockBatch],
    report: LoadReport,
    progress: Progress,
    aim: int | None,
) -> None:
    outside = bool(dataset.anchor_height)
    parent = dataset.tip
    pid = store.connection.get_server_pid()
    commit: asyncio.Task[None] | None = None
    published = time.monotonic()
    try:
        while True:
            tip_before = parent
            staged = await _in_thread(_stage_next, batches, writer, dataset, tip_before, outside)
            if commit is not None:
                await commit
                commit = None
            if staged is None:
                break
            rows, parent = staged
            faults.reach("after_stage", pid)
            if time.monotonic() - published > PUBLISH_SECONDS and tip_before is not None:
                await _publish_committed(store, dataset, writer)
                published = time.monotonic()
            commit = asyncio.create_task(store.commit(dataset, rows, parent))
            _count(report, rows)
            progress(parent.height, aim)
            await asyncio.sleep(0)
    finally:
        if commit is not None:
            await commit


def _stage_next(
    batches: Iterator[BlockBatch], writer: ColumnWriter, dataset: Dataset, parent: Tip | None, outside: bool
) -> tuple[LaidRows, Tip] | None:
    batch = next(batches, None)
    if batch is None:
        return None
    verify_blocks(batch, dataset.params)
    verify_links(batch, parent)
    rows = lay(batch, writer, dataset.params, outside=outside, whole=True)
    writer.stage(rows.columns, in_dictionaries=True)
    return rows, Tip(int(batch.block_height[-1]), bytes(batch.block_hash[-1]))


def _count(report: LoadReport, rows: LaidRows) -> None:
    report.blocks += rows.batch.block_count
    report.transactions += rows.batch.tx_count
    report.inputs += rows.batch.input_count
    report.outputs += rows.batch.output_count
    report.outside_outputs += len(rows.columns["outside_output"])


async def _publish_committed(store: LedgerStore, dataset: Dataset, writer: ColumnWriter) -> None:
    """Publish up to the cursor; rows staged behind it stay staged."""
    now = await store.dataset(dataset.name)
    await _in_thread(partial(writer.publish, now.tip, now.counts, clean=False))


async def _follow_reorganisation(
    store: LedgerStore, dataset: Dataset, writer: ColumnWriter, source: ChainSource, report: LoadReport
) -> Dataset:
    """Take out the blocks that the source's higher chain has replaced, once its first blocks were verified."""
    tip, goal = dataset.tip, source.tip()
    if tip is None or goal is None or goal.height <= tip.height:
        return dataset  # a lower tip is a node that is behind, not a reorganisation
    fork = await _fork_point(store, dataset, source, tip)
    if fork == tip:
        return dataset
    for batch in islice(source.batches(fork.height + 1, None), 1):
        verify_blocks(batch, dataset.params)
        verify_links(batch, fork)
    report.rolled_back = tip.height - fork.height
    return await roll_back(store, dataset, writer, fork.height)


async def _fork_point(store: LedgerStore, dataset: Dataset, source: ChainSource, tip: Tip) -> Tip:
    """The highest block that the dataset and the source's chain share. IntegrityError where none is known."""
    for height in range(tip.height, (dataset.anchor_height or 0) - 1, -1):
        stored = await store.block_hash_at(dataset, height)
        theirs = source.hash_at(height)
        if theirs is None:
            detail = "the source does not reach back to a block that the dataset has"
            raise IntegrityError("parent", f"height {height + 1}", detail)
        if stored is not None and stored == theirs:
            return Tip(height, stored)
    raise StoreError(f"the source's chain shares no block with dataset {dataset.name}, down to its anchor")


async def roll_back(store: LedgerStore, dataset: Dataset, writer: ColumnWriter, height: int) -> Dataset:
    """Remove the blocks above `height` from a full dataset, in Postgres and then in the columns."""
    pid = store.connection.get_server_pid()
    faults.reach("during_rollback", pid)
    dataset = await store.rollback(dataset, height - (dataset.anchor_height or 0))
    faults.reach("after_rollback", pid)
    await _follow(store, dataset, writer)
    return dataset


async def load_extract(
    connection: Connection,
    home: Path,
    source: ExtractSource,
    name: str,
    *,
    progress: Progress = lambda at, goal: None,
) -> LoadReport:
    """Add what the source has to an extract and lay it again in chain order, in one transaction."""
    with available("the database went away during the load"):
        return await _load_extract(LedgerStore(connection), home, source, name, progress)


async def _load_extract(
    store: LedgerStore, home: Path, source: ExtractSource, name: str, progress: Progress
) -> LoadReport:
    started = time.monotonic()
    dataset = await store.open_dataset(name, "btc", source.network, "extract", None)
    await store.lock_writer(dataset)
    dataset = await store.dataset(name)
    report = LoadReport(name, dataset.network, dataset.kind)
    with await open_writer(store, dataset, home) as writer:
        batches = []
        for batch in source.all_batches():
            verify_blocks(batch, dataset.params)
            batches.append(batch)
            progress(sum(each.tx_count for each in batches), None)
        if dataset.counts["tx"]:
            batches.insert(0, await extract.stored_batch(store, dataset, writer))
        if batches:
            merged = extract.merge(batches, source.network)
            async with _settled(store, name, writer):
                await _lay_again(store, dataset, writer, merged, report)
            for total, row in (("blocks", "block"), ("transactions", "tx"), ("inputs", "input")):
                setattr(report, total, getattr(report, total) - dataset.counts[row])
            report.outputs -= dataset.counts["output"] - dataset.counts["outside"]
            report.outside_outputs -= dataset.counts["outside"]
    dataset = await store.dataset(name)
    report.tip_height = None if dataset.tip is None else dataset.tip.height
    report.tip_hash = None if dataset.tip is None else dataset.tip.hash[::-1].hex()
    report.rejects = source.rejects
    report.seconds = time.monotonic() - started
    return report


async def _lay_again(
    store: LedgerStore, dataset: Dataset, writer: ColumnWriter, merged: BlockBatch, report: LoadReport
) -> None:
    if writer.counts["tx"]:
        writer.truncate(dict.fromkeys(writer.counts, 0), dataset.epoch + 1)
    rows = await _in_thread(partial(lay, merged, writer, dataset.params, outside=True, whole=False))
    writer.stage(rows.columns, in_dictionaries=True)
    pid = store.connection.get_server_pid()
    async with store.connection.transaction():
        if dataset.counts["tx"]:
            dataset = await store.rollback(dataset, -1)
        faults.reach("during_rollback", pid)
        height = int(merged.block_height[-1])
        await store.commit(dataset, rows, Tip(height, bytes(merged.block_hash[-1])) if height >= 0 else None)
    _count(report, rows)


async def open_writer(store: LedgerStore, dataset: Dataset, home: Path) -> ColumnWriter:
    """The writer of a dataset's columns, caught up with Postgres."""
    writer = ColumnWriter(columns_folder(home, dataset.name), await store.database_id(), dataset.name, dataset.epoch)
    try:
        await _follow(store, dataset, writer)
    except BaseException:
        writer.close()
        raise
    return writer


async def _follow(store: LedgerStore, dataset: Dataset, writer: ColumnWriter) -> None:
    """Bring the columns to the cursor: fall back over what was rolled back since, read what is new, publish."""
    if writer.published.epoch != dataset.epoch:
        least = await store.fallback(dataset, writer.published.epoch) or dict.fromkeys(dataset.counts, 0)
        writer.fall_back(least, dataset.epoch)
    writer.fall_back(dataset.counts, dataset.epoch)  # staged rows that were never committed
    if writer.counts["tx"] < dataset.counts["tx"]:
        first = writer.row_counts()
        for block_id in await store.catch_up_blocks(dataset, first["block"], CATCH_UP_TXS):
            last, _ = await store.counts_at(dataset, block_id)
            rows = await store.read_rows(dataset, first, last, writer.counts["address_byte"])
            writer.stage(rows, in_dictionaries=False)
            first = last
    writer.publish(dataset.tip, dataset.counts, clean=True)


@contextlib.asynccontextmanager
async def _settled(store: LedgerStore, name: str, writer: ColumnWriter) -> AsyncIterator[None]:
    """Columns at the cursor and published, however the block ends; its own error is never hidden by one of settling."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(HeadwaterError, *LOST):
            await _settle(store, name, writer)
        raise
    await _settle(store, name, writer)


async def _in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """`work` in a thread that is waited for, also by who is cancelled: it must not go on behind a rollback."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _settle(store: LedgerStore, name: str, writer: ColumnWriter) -> None:
    """After a load, well or ill: columns at the cursor, published."""
    pid = store.connection.get_server_pid()
    faults.reach("before_publish", pid)
    dataset = await store.dataset(name)
    await _follow(store, dataset, writer)
    faults.reach("after_publish", pid)


async def open_columns(store: LedgerStore, dataset: Dataset, home: Path) -> Columns:
    """A reader's columns, caught up first where no other process is writing them."""
    try:
        with await open_writer(store, dataset, home):
            pass
    except StoreBusy:
        pass  # a load is at work: what it last published is whole, and says of itself how far it reaches
    return Columns.open(columns_folder(home, dataset.name))


async def rebuild_columns(store: LedgerStore, dataset: Dataset, home: Path) -> Columns:
    """Throw a dataset's columns away and make them again from Postgres alone."""
    folder = columns_folder(home, dataset.name)
    with ColumnWriter(folder, await store.database_id(), dataset.name, dataset.epoch) as writer:
        writer.reset(dataset.epoch)
        await _follow(store, dataset, writer)
    return Columns.open(folder)
