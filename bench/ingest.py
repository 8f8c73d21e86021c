"""Ingest end to end, against COPY alone of the same rows into the same tables without triggers.

    python -m bench.ingest [--blocks N] [--json]

End to end is: bytes of a blk file -> records -> scan -> verify -> lay -> COPY -> commit -> columns published. COPY
alone gets the streams ready-made, batch by batch in the same transactions, into tables with the same indexes. Both run
in turn in one process against one embedded Postgres; the median of the rounds counts.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from api.instance import Instance, open_instance
from bench.chain import ChainMaker
from chain.bitcoin.files import BlockFiles
from chain.bitcoin.network import REGTEST
from chain.column_writer import ColumnWriter
from chain.ledger import LaidRows, lay
from chain.load import columns_folder, load_chain
from chain.settings import Settings
from chain.store.copy import encode
from chain.store.dataset import Dataset
from chain.store.embedded import EmbeddedPostgres
from chain.store.ledger import LedgerStore
from chain.store.postgres import Connection, connected
from chain.store.rows import narrow_tables, wide_tables

BLOCKS = 80
TRANSACTIONS = 2_000
"""A block's transactions beside the coinbase: what mainnet blocks have had since 2017."""
ROUNDS = 3
TARGET = 0.40


@dataclass(frozen=True, slots=True)
class Result:
    """Seconds of each round, for the same rows."""

    transactions: int
    size: int
    end_to_end: list[float]
    copy_alone: list[float]

    @property
    def ratio(self) -> float:
        """Rate of the whole way over the rate of COPY alone."""
        return median(self.copy_alone) / median(self.end_to_end)


def run(blocks: int = BLOCKS, rounds: int = ROUNDS) -> Result:
    """Make a chain and load it both ways, `rounds` times each after one round that compiles."""
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        path = home / "blk00000.dat"
        maker = ChainMaker()
        for _ in range(blocks):
            maker.mine(TRANSACTIONS)
        size = maker.write(path)
        try:
            return asyncio.run(_measure(home, path, size, rounds))
        finally:
            EmbeddedPostgres(home).stop()


async def _measure(home: Path, path: Path, size: int, rounds: int) -> Result:
    instance = await open_instance(Settings(home=home, database_url=None))
    end_to_end, copy_alone = [], []
    transactions = 0
    for number in range(rounds + 1):
        async with connected(instance.url) as connection:
            started = perf_counter()
            report = await load_chain(connection, home, BlockFiles([path], REGTEST), f"whole{number}")
            end_to_end.append(perf_counter() - started)
            transactions = report.transactions
        async with connected(instance.url) as connection:
            copy_alone.append(await _copy_alone(instance, connection, path, f"copy{number}"))
    return Result(transactions, size, end_to_end[1:], copy_alone[1:])


async def _copy_alone(instance: Instance, connection: Connection, path: Path, name: str) -> float:
    """Seconds of COPY and commit of every batch, without triggers and without anything before."""
    store = LedgerStore(connection)
    dataset = await store.open_dataset(name, "btc", REGTEST, "full", 0)
    batches = await _laid(store, dataset, instance.home, path)
    await store._add_leaves(dataset, batches[-1])
    streams = [_streams(dataset, rows) for rows in batches]
    tables = {table for batch in streams for table, _ in batch}
    for table in tables:
        await connection.execute(f"alter table {table} disable trigger user")
    started = perf_counter()
    for batch in streams:
        async with connection.transaction():
            for table, stream in batch:
                await connection.copy_to_table(table, source=io.BytesIO(stream), format="binary")
    seconds = perf_counter() - started
    for table in tables:
        await connection.execute(f"alter table {table} enable trigger user")
    return seconds


async def _laid(store: LedgerStore, dataset: Dataset, home: Path, path: Path) -> list[LaidRows]:
    source = BlockFiles([path], REGTEST)
    source.connect(None, 0)
    folder = columns_folder(home, dataset.name)
    found = []
    with ColumnWriter(folder, await store.database_id(), dataset.name, dataset.epoch) as writer:
        for batch in source.batches(0, None):
            rows = lay(batch, writer, REGTEST, outside=False, whole=True)
            writer.stage(rows.columns, in_dictionaries=True)
            found.append(rows)
    return found


def _streams(dataset: Dataset, rows: LaidRows) -> list[tuple[str, bytes]]:
    """Every COPY of a batch, with its table (one leaf of each wide table is enough here)."""
    streams = [(table, encode(fields)) for table, fields in narrow_tables(dataset, rows) if len(fields[0])]
    for table, _, fields in wide_tables(dataset, rows):
        if len(fields[0]):
            streams.append((f"{table}_{dataset.dataset_id}_0", encode(fields)))
    return streams


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = run(options.blocks)
    whole, alone = median(result.end_to_end), median(result.copy_alone)
    if options.json:
        print(json.dumps({"ratio": result.ratio, "end_to_end_s": whole, "copy_alone_s": alone}))
    else:
        megabytes = result.size / 1e6
        print(f"{result.transactions:,} transactions, {megabytes:.0f} MB, median of {len(result.end_to_end)} rounds")
        print(f"end to end   {whole:6.2f} s  {result.transactions / whole:9,.0f} tx/s  {megabytes / whole:5.1f} MB/s")
        print(f"COPY alone   {alone:6.2f} s  {result.transactions / alone:9,.0f} tx/s")
        print(f"rate of the whole way over COPY alone: {result.ratio:.0%} (at least {TARGET:.0%})")
    return 0 if result.ratio >= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
