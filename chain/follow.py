"""Columns follow Postgres: caught up from its cursor, over rollbacks too, and made again from it alone."""

from __future__ import annotations

from pathlib import Path

from chain.column_writer import ColumnWriter
from chain.columns import Columns
from chain.errors import NotFound, StoreBusy, StoreError
from chain.manifest import COUNTS
from chain.store.dataset import Dataset
from chain.store.ledger import LedgerStore
from chain.threads import in_thread

CATCH_UP_TXS = 500_000
"""Transactions read back from Postgres at a time (some 300 MB in memory), and published."""


def columns_folder(home: Path, dataset: str) -> Path:
    return home / "columns" / dataset


async def open_writer(store: LedgerStore, dataset: Dataset, home: Path) -> ColumnWriter:
    """The writer of a dataset's columns, caught up with Postgres; StoreBusy where another has them."""
    folder = columns_folder(home, dataset.name)
    writer = await in_thread(ColumnWriter, folder, await store.database_id(), dataset.name, dataset.epoch)
    try:
        await follow(store, dataset.name, writer)
    except BaseException:
        writer.close()
        raise
    return writer


async def follow(store: LedgerStore, name: str, writer: ColumnWriter) -> Dataset:
    """Bring the columns to the cursor, as it stands in one snapshot of the database, and publish them."""
    async with store.connection.transaction(isolation="repeatable_read", readonly=True):
        dataset = await store.dataset(name)
        await _fall_back(store, dataset, writer)
        first = writer.row_counts()
        for block_id in await store.catch_up_blocks(dataset, first["block"], CATCH_UP_TXS):
            last, tip = await store.counts_at(dataset, block_id)
            rows = await store.read_rows(dataset, first, last, writer.counts["address_byte"])
            await in_thread(writer.stage, rows, in_dictionaries=False)
            if last != dataset.counts:
                await in_thread(writer.publish, tip, last, clean=True)
            first = last
    await in_thread(writer.publish, dataset.tip, dataset.counts, clean=True)
    return dataset


async def _fall_back(store: LedgerStore, dataset: Dataset, writer: ColumnWriter) -> None:
    """Drop what the ledger does not have: rows of another epoch, and rows that were staged and never committed."""
    if writer.epoch != dataset.epoch:
        # No later epoch is recorded where the database is older than the columns: it was restored from a copy.
        least = await store.fallback(dataset, writer.epoch) or dict.fromkeys(COUNTS, 0)
        await in_thread(writer.fall_back, least)
        writer.epoch = dataset.epoch
    await in_thread(writer.fall_back, dataset.counts)
    if writer.counts["block"]:
        last = writer.counts["block"] - 1
        blocks = await store.blocks(dataset, last, last + 1)
        if not blocks or blocks[0]["hash"] != writer.array("block_hash")[last].tobytes():
            await in_thread(writer.reset)


async def open_columns(store: LedgerStore, dataset: Dataset, home: Path) -> Columns:
    """A reader's columns, caught up first where they are behind and no other process is writing them."""
    folder = columns_folder(home, dataset.name)
    database_id = await store.database_id()
    try:
        columns = Columns.open(folder)
        if columns.is_at(database_id, dataset.epoch, dataset.counts):
            return columns
    except (NotFound, StoreError):
        pass  # never made, or damaged: the writer makes them from Postgres
    try:
        with await open_writer(store, dataset, home):
            pass
    except StoreBusy:
        pass  # a load is at work: what it last published is whole, and says of itself how far it reaches
    return Columns.open(folder)


async def rebuild_columns(store: LedgerStore, dataset: Dataset, home: Path) -> Columns:
    """Throw a dataset's columns away and make them again from Postgres alone; readers keep what they have."""
    folder = columns_folder(home, dataset.name)
    with ColumnWriter(folder, await store.database_id(), dataset.name, dataset.epoch) as writer:
        writer.reset()
        await follow(store, dataset.name, writer)
    return Columns.open(folder)
