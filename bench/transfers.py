"""Token transfers of an ethereum-etl folder end to end, against COPY alone of the same rows into the same tables.

    python -m bench.transfers [--transfers N] [--json]

End to end is: the CSV's bytes -> rows -> transactions and movements -> ids -> COPY -> gate -> commit. COPY alone gets
the streams ready-made, in one transaction, into the same tables with the same indexes and without triggers. Both run
in turn against one embedded Postgres; the median of the rounds counts.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from api.instance import Instance, open_instance
from bench.measure import Measure, report
from chain.ethereum import extract
from chain.ethereum.etl import EtlFolder
from chain.ethereum.laying import LaidBatch, distinct_addresses, lay
from chain.ethereum.load import load_extract
from chain.settings import Settings
from chain.store.copy import encode
from chain.store.embedded import EmbeddedPostgres
from chain.store.ethereum import EthereumStore
from chain.store.ethereum_rows import WIDE, tables
from chain.store.postgres import connected

TRANSFERS = 100_000
PER_BLOCK = 200
ACCOUNTS = 40_000
TOKENS = 300
SEED = 20_170_612
ROUNDS = 3
TARGET = 40
"""Percent of the rate of COPY alone."""


def write_folder(folder: Path, count: int) -> None:
    """`count` transfers of 300 tokens between 40,000 accounts, one a transaction, and their blocks."""
    random = np.random.default_rng(SEED)
    sender, recipient = random.integers(1, ACCOUNTS, count).tolist(), random.integers(1, ACCOUNTS, count).tolist()
    token, value = random.integers(1, TOKENS, count).tolist(), random.integers(1, 1 << 62, count).tolist()
    with (folder / "token_transfers.csv").open("w") as out:
        out.write("token_address,from_address,to_address,value,transaction_hash,log_index,block_number\n")
        for row in range(count):
            out.write(
                f"0x{token[row]:040x},0x{sender[row] << 60:040x},0x{recipient[row] << 60:040x},{value[row] << 20},"
                f"0x{row * 0x9E3779B97F4A7C15:064x},{row % PER_BLOCK},{1 + row // PER_BLOCK}\n"
            )
    with (folder / "blocks.csv").open("w") as out:
        out.write("number,timestamp\n")
        out.writelines(f"{1 + block},{1_500_000_000 + 12 * block}\n" for block in range(-(-count // PER_BLOCK)))


async def _copy_alone(instance: Instance, folder: Path, name: str) -> float:
    """Seconds of COPY and commit, with nothing before."""
    async with connected(instance.url) as connection:
        store = EthereumStore(connection)
        dataset = await store.open_dataset(name, 1, "extract", None)
        laid = _laid(folder)
        await store._add_leaves(dataset, laid)
        streams = [
            (f"{table}_{dataset.dataset_id}_0" if table in WIDE else table, encode(fields))
            for table, ids, fields in tables(dataset.dataset_id, laid, anchor=None)
            if len(ids)
        ]
        for table, _ in streams:
            await connection.execute(f"alter table {table} disable trigger user")
        started = perf_counter()
        async with connection.transaction():
            for table, stream in streams:
                await connection.copy_to_table(table, source=io.BytesIO(stream), format="binary")
        seconds = perf_counter() - started
        for table, _ in streams:
            await connection.execute(f"alter table {table} enable trigger user")
        return seconds


def _laid(folder: Path) -> LaidBatch:
    batch = extract.merge(list(EtlFolder(folder, 1).all_batches()))
    distinct = distinct_addresses(batch)
    before = dict.fromkeys(("block", "tx", "movement", "address", "asset"), 0)
    return lay(batch, before, distinct, np.full(len(distinct[0]), -1, np.int64), {})


async def _measure(home: Path, folder: Path, rounds: int) -> tuple[list[float], list[float]]:
    instance = await open_instance(Settings(home=home, database_url=None))
    whole, alone = [], []
    for number in range(rounds + 1):
        async with connected(instance.url) as connection:
            started = perf_counter()
            await load_extract(connection, EtlFolder(folder, 1), f"whole{number}")
            whole.append(perf_counter() - started)
        alone.append(await _copy_alone(instance, folder, f"copy{number}"))
    return whole[1:], alone[1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--transfers", type=int, default=TRANSFERS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as name:
        home, folder = Path(name), Path(name) / "etl"
        home.chmod(0o755)
        folder.mkdir()
        write_folder(folder, options.transfers)
        try:
            whole, alone = (median(each) for each in asyncio.run(_measure(home, folder, ROUNDS)))
        finally:
            EmbeddedPostgres(home).stop()
    return report(
        [
            Measure("token transfers end to end", options.transfers / whole, "transfers/s"),
            Measure("COPY alone of the same rows", options.transfers / alone, "transfers/s"),
            Measure("the whole way over COPY alone", 100 * alone / whole, "%", TARGET),
        ],
        options.json,
    )


if __name__ == "__main__":
    raise SystemExit(main())
