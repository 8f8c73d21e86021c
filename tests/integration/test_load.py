"""Loads: the same state whichever way it is reached."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from api import clusterings
from api.instance import Instance
from chain import load
from chain.bitcoin.build import Payment, Spend, Transaction, block, block_hash, coinbase, with_commitment
from chain.bitcoin.etl import EtlFiles
from chain.bitcoin.files import BlkFolder, BlockFiles
from chain.bitcoin.network import MAINNET, REGTEST, subsidy
from chain.columns import Columns
from chain.errors import IntegrityError, StoreBusy, StoreError
from chain.load import LoadReport, columns_folder, load_chain, load_extract, rebuild_columns
from chain.store.ledger import LedgerStore
from chain.store.postgres import Connection, connected
from clustering.simulate.sample import sample_chain
from tests.integration.loaded import write_blocks
from tests.integration.state import columns_digest, rows_digest

T = TypeVar("T")
SAMPLE = sample_chain().blocks


def on(instance: Instance, work: Callable[[Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with connected(instance.url) as connection:
            return await work(connection)

    return asyncio.run(run())


def chain_of(
    instance: Instance, folder: Path, name: str, blocks: Sequence[bytes], anchor: int | None = None
) -> LoadReport:
    path = write_blocks(folder / f"{name}.dat", list(blocks))

    async def work(connection: Connection) -> LoadReport:
        return await load_chain(connection, instance.home, BlockFiles([path], REGTEST), name, anchor_height=anchor)

    return on(instance, work)


def extract_of(instance: Instance, folder: Path, name: str, blocks: Sequence[bytes]) -> LoadReport:
    path = write_blocks(folder / f"{name}.dat", list(blocks))

    async def work(connection: Connection) -> LoadReport:
        return await load_extract(connection, instance.home, BlockFiles([path], REGTEST), name)

    return on(instance, work)


def state(instance: Instance, name: str) -> tuple[dict[str, str], dict[str, str]]:
    async def work(connection: Connection) -> dict[str, str]:
        return await rows_digest(connection, await LedgerStore(connection).dataset(name))

    return on(instance, work), columns_digest(instance.home, name)


def fork_of(blocks: Sequence[bytes], at: int, length: int) -> list[bytes]:
    """The first `at` blocks, then others up to `length`."""
    fork = list(blocks[:at])
    while len(fork) < length:
        height = len(fork)
        first = coinbase(height, [Payment(subsidy(REGTEST, height), b"\x51")], b"fork")
        fork.append(block(block_hash(fork[-1]), 1_800_000_000 + height, [first]))
    return fork


def test_a_load_in_steps_equals_a_load_at_once(instance: Instance, tmp_path: Path) -> None:
    whole = chain_of(instance, tmp_path, "at-once", SAMPLE)
    assert (whole.blocks, whole.tip_height) == (40, 39)
    for end in (1, 2, 17, 40):
        chain_of(instance, tmp_path, "in-steps", SAMPLE[:end])
    assert state(instance, "in-steps") == state(instance, "at-once")
    again = chain_of(instance, tmp_path, "in-steps", SAMPLE)
    assert (again.blocks, again.went_on_from) == (0, 39)


def test_small_batches_equal_one(instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain_of(instance, tmp_path, "one-batch", SAMPLE)
    monkeypatch.setattr("chain.bitcoin.files.BATCH_BLOCKS", 3)
    monkeypatch.setattr(load, "PUBLISH_SECONDS", 0)
    chain_of(instance, tmp_path, "small-batches", SAMPLE)
    assert state(instance, "small-batches") == state(instance, "one-batch")


def test_columns_made_again_from_postgres_are_the_same(instance: Instance, tmp_path: Path) -> None:
    chain_of(instance, tmp_path, "rebuilt", SAMPLE)
    live = columns_digest(instance.home, "rebuilt")

    async def work(connection: Connection) -> None:
        store = LedgerStore(connection)
        await rebuild_columns(store, await store.dataset("rebuilt"), instance.home)

    on(instance, work)
    assert columns_digest(instance.home, "rebuilt") == live


@pytest.mark.parametrize("depth", [1, 2, 9, 39])
def test_a_reorganisation_ends_where_a_fresh_load_of_the_new_chain_does(
    instance: Instance, tmp_path: Path, depth: int
) -> None:
    fork = fork_of(SAMPLE, 40 - depth, 42)
    chain_of(instance, tmp_path, f"fresh-{depth}", fork)
    name = f"reorganised-{depth}"
    chain_of(instance, tmp_path, name, SAMPLE)
    folder = columns_folder(instance.home, name)
    reader = Columns.open(folder)
    before = {array: rows.tobytes() for array, rows in reader.arrays.items()}
    every_tx = np.arange(reader.tx_count)
    report = chain_of(instance, tmp_path, name, fork)
    assert (report.rolled_back, report.tip_height) == (depth, 41)
    assert state(instance, name) == state(instance, f"fresh-{depth}")
    assert {array: rows.tobytes() for array, rows in reader.arrays.items()} == before
    assert (reader.find_txids(reader.tx_txid) == every_tx).all(), "what was taken out is still found by who had it"


def test_links_of_replaced_blocks_are_retired_by_durable_names(instance: Instance, tmp_path: Path) -> None:
    chain_of(instance, tmp_path, "retired", SAMPLE)

    async def cluster(connection: Connection) -> clusterings.UpdateReport:
        dataset = await LedgerStore(connection).dataset("retired")
        return await clusterings.update(connection, instance.home, dataset)

    async def retired(connection: Connection) -> int:
        dataset = await LedgerStore(connection).dataset("retired")
        return int(
            await connection.fetchval("select count(*) from retired_link where dataset_id = $1", dataset.dataset_id)
        )

    first = on(instance, cluster)
    assert first.accepted_links > 20
    chain_of(instance, tmp_path, "retired", fork_of(SAMPLE, 20, 42))
    second = on(instance, cluster)
    assert second.new
    assert second.accepted_links < first.accepted_links
    assert on(instance, retired) == first.accepted_links - second.accepted_links


def test_a_shorter_chain_is_no_reorganisation(instance: Instance, tmp_path: Path) -> None:
    chain_of(instance, tmp_path, "ahead", SAMPLE)
    before = state(instance, "ahead")
    report = chain_of(instance, tmp_path, "ahead", fork_of(SAMPLE, 20, 30))
    assert report.rolled_back == 0
    assert state(instance, "ahead") == before


def test_many_leaf_tables_hold_what_one_does(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain_of(instance, tmp_path, "one-leaf", SAMPLE)
    monkeypatch.setattr(LedgerStore.__init__, "__kwdefaults__", {"tx_leaf": 16, "output_leaf": 32})
    monkeypatch.setattr("chain.bitcoin.files.BATCH_BLOCKS", 7)
    chain_of(instance, tmp_path, "many-leaves", SAMPLE)
    assert state(instance, "many-leaves") == state(instance, "one-leaf")

    async def leaves(connection: Connection) -> int:
        dataset = await LedgerStore(connection).dataset("many-leaves")
        return int(
            await connection.fetchval(
                "select count(*) from pg_inherits where inhparent = to_regclass($1)",
                f"input_{dataset.dataset_id}",
            )
        )

    assert on(instance, leaves) == 7


def test_a_declared_anchor_has_outside_outputs_of_unknown_value(instance: Instance, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="parent"):
        chain_of(instance, tmp_path, "anchored", SAMPLE[25:])
    report = chain_of(instance, tmp_path, "anchored", SAMPLE[25:], anchor=25)
    assert report.tip_height == 39
    assert report.outside_outputs > 0
    columns = Columns.open(columns_folder(instance.home, "anchored"))
    values = columns.output_value[columns.outside_output]
    assert (values == -1).all(), "blocks alone do not state what they spend: missing, not zero"
    assert (columns.tx_fee == -1).any()


def test_an_extract_in_two_steps_equals_one_at_once(instance: Instance, tmp_path: Path) -> None:
    at_once = extract_of(instance, tmp_path, "extract-once", [*SAMPLE[30:], *SAMPLE[10:20]])
    assert at_once.outside_outputs > 0
    extract_of(instance, tmp_path, "extract-steps", SAMPLE[30:])
    extract_of(instance, tmp_path, "extract-steps", SAMPLE[10:20])
    assert state(instance, "extract-steps") == state(instance, "extract-once")
    nothing = extract_of(instance, tmp_path, "extract-steps", SAMPLE[12:14])
    assert nothing.transactions == 0
    assert state(instance, "extract-steps") == state(instance, "extract-once")


def test_an_outside_output_is_adopted_when_its_parent_arrives(instance: Instance, tmp_path: Path) -> None:
    extract_of(instance, tmp_path, "adopted", SAMPLE[20:])
    alone = Columns.open(columns_folder(instance.home, "adopted")).manifest.counts["outside"]
    extract_of(instance, tmp_path, "adopted", SAMPLE[:20])
    columns = Columns.open(columns_folder(instance.home, "adopted"))
    assert alone > 0
    assert columns.manifest.counts["outside"] == 0
    whole = chain_of(instance, tmp_path, "not-adopted", SAMPLE)
    full = Columns.open(columns_folder(instance.home, "not-adopted"))
    assert whole.transactions == columns.tx_count
    assert (columns.input_spends == full.input_spends).all()


def test_two_transactions_with_one_txid_are_both_kept(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BIP 30: the same coinbase in two blocks; who spends it spends the later one."""
    before_bip34 = replace(REGTEST, bip34_height=1_000)
    monkeypatch.setattr("tests.integration.test_load.REGTEST", before_bip34)
    monkeypatch.setattr("chain.store.dataset.NETWORKS", {"regtest": before_bip34})
    blocks = [SAMPLE[0]]
    same = coinbase(1, [Payment(1_000, b"\x51")], b"twice")
    for number in range(2):
        blocks.append(block(block_hash(blocks[-1]), 1_800_000_000 + number, [same]))
    spend = Transaction((Spend(same.txid, 0),), (Payment(900, b"\x51"),))
    third = coinbase(3, [Payment(1, b"\x51")], b"third")
    blocks.append(block(block_hash(blocks[-1]), 1_800_000_009, with_commitment([third, spend])))
    chain_of(instance, tmp_path, "bip30", blocks)
    columns = Columns.open(columns_folder(instance.home, "bip30"))
    twins = np.flatnonzero((columns.tx_txid == np.frombuffer(same.txid, np.uint8)).all(axis=1))
    assert len(twins) == 2
    assert columns.find_txids(np.frombuffer(same.txid, np.uint8).reshape(1, 32))[0] == twins[1]
    assert columns.input_spends.tolist() == [int(columns.tx_first_output[twins[1]])]


def test_one_writer_at_a_time(instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.threads.PATIENCE_S", 0)
    chain_of(instance, tmp_path, "locked", SAMPLE[:5])

    async def work(connection: Connection) -> None:
        store = LedgerStore(connection)
        await store.lock_writer(await store.dataset("locked"))
        with pytest.raises(StoreBusy):
            await asyncio.to_thread(chain_of, instance, tmp_path, "locked", SAMPLE)

    on(instance, work)


def test_a_load_waits_for_one_that_is_about_to_end(instance: Instance, tmp_path: Path) -> None:
    chain_of(instance, tmp_path, "waited", SAMPLE[:5])

    async def work(connection: Connection) -> LoadReport:
        store = LedgerStore(connection)
        dataset = await store.dataset("waited")
        await store.lock_writer(dataset)
        load_after = asyncio.create_task(asyncio.to_thread(chain_of, instance, tmp_path, "waited", SAMPLE))
        await asyncio.sleep(0.3)
        assert not load_after.done()
        await store.unlock_writer(dataset)
        return await load_after

    assert on(instance, work).tip_height == 39


def test_a_gap_that_is_asked_for_is_refused(instance: Instance, tmp_path: Path) -> None:
    chain_of(instance, tmp_path, "gap", SAMPLE[:5])
    with pytest.raises(StoreError, match="ends at height 4"):
        chain_of(instance, tmp_path, "gap", SAMPLE[10:], anchor=10)


def test_the_real_chain_from_blocks_and_from_rows(instance: Instance, data: Path) -> None:
    """Blocks 0 to 4312: proved by their bytes from the blk file, stated by the bitcoin-etl dump; the same ledger."""

    async def work(connection: Connection) -> list[LoadReport]:
        folder, dump = data / "bitcoin" / "raw", data / "bitcoin" / "transactions.jsonl.xz"
        return [
            await load_chain(connection, instance.home, BlkFolder(folder, MAINNET), "real"),
            await load_chain(connection, instance.home, EtlFiles([dump], MAINNET), "real-stated", last_height=4312),
        ]

    proved, stated = on(instance, work)
    assert (proved.blocks, proved.transactions, proved.inputs) == (4313, 4371, 247)
    assert (stated.blocks, stated.transactions, stated.inputs) == (4313, 4371, 247)
    assert proved.tip_hash == stated.tip_hash
    of_bytes, of_rows = (Columns.open(columns_folder(instance.home, name)) for name in ("real", "real-stated"))
    for name in ("tx_txid", "input_spends", "output_value", "output_address", "output_type", "address_bytes"):
        assert (of_bytes.arrays[name] == of_rows.arrays[name]).all(), name


def test_the_real_extract_has_its_outside_outputs(instance: Instance, data: Path) -> None:
    async def work(connection: Connection) -> LoadReport:
        dump = data / "bitcoin" / "transactions.jsonl.xz"
        return await load_extract(connection, instance.home, EtlFiles([dump], MAINNET), "real-extract")

    report = on(instance, work)
    assert report.transactions == 15_786
    assert report.inputs - 247 == 71_635, "the inputs of what is not the chain of blocks 0 to 4312"
    assert report.outside_outputs == 60_407
    assert report.rejects == []


def test_every_raw_block_loads(instance: Instance, data: Path) -> None:
    async def work(connection: Connection) -> LoadReport:
        paths = sorted((data / "bitcoin" / "raw").glob("mainnet_*.raw.xz"))
        return await load_extract(connection, instance.home, BlockFiles(paths, MAINNET), "real-raw")

    report = on(instance, work)
    assert (report.blocks, report.transactions) == (12, 10_007)
    assert report.tip_height == 866_342
