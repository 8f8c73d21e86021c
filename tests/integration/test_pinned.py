"""Dictionaries and pinned readers through crashes, refusals, reorganisations and rebuilding."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest

from api.instance import Instance
from chain import extract
from chain.bitcoin.build import Payment, Spend, Transaction, block, block_hash, coinbase, with_commitment
from chain.bitcoin.files import BlockFiles
from chain.bitcoin.network import REGTEST, subsidy
from chain.column_writer import ColumnWriter
from chain.columns import Columns
from chain.dictionary import unpack_keys
from chain.errors import IntegrityError, StoreUnavailable
from chain.ledger import lay
from chain.load import columns_folder, load_chain, open_columns, rebuild_columns
from chain.manifest import FILE, Manifest
from chain.model import ADDRESS_KEY_WIDTH
from chain.store.ledger import LedgerStore
from chain.store.postgres import Connection, connected
from clustering.simulate.sample import sample_chain
from tests.integration.loaded import write_blocks
from tests.integration.test_load import chain_of, extract_of, fork_of, on, state

SAMPLE = sample_chain().blocks


def assert_finds_its_keys(columns: Columns) -> None:
    """Every txid and every address of a reader leads to its id."""
    txids = np.ascontiguousarray(columns.tx_txid)
    assert columns.find_txids(txids).tolist() == list(range(columns.tx_count))
    ids = np.arange(columns.address_count)
    keys, sizes = unpack_keys(columns.address_start, columns.address_bytes, ids, ADDRESS_KEY_WIDTH)
    assert columns.find_addresses(keys, sizes).tolist() == ids.tolist()


def reader(instance: Instance, name: str) -> Columns:
    return Columns.open(columns_folder(instance.home, name))


@pytest.mark.parametrize("depth", [1, 3, 15])
def test_a_pinned_reader_finds_what_a_reorganisation_took_out(instance: Instance, tmp_path: Path, depth: int) -> None:
    name = f"pinned-{depth}"
    chain_of(instance, tmp_path, name, SAMPLE)
    before = reader(instance, name)
    lost = np.ascontiguousarray(before.tx_txid[before.block_first_tx[40 - depth] :])
    chain_of(instance, tmp_path, name, fork_of(SAMPLE, 40 - depth, 42))
    assert_finds_its_keys(before)
    after = reader(instance, name)
    assert_finds_its_keys(after)
    assert (after.find_txids(lost) == -1).all()


def test_a_pinned_reader_outlives_rebuilding_and_laying_again(instance: Instance, tmp_path: Path) -> None:
    extract_of(instance, tmp_path, "relaid", SAMPLE[20:])
    before = reader(instance, "relaid")
    extract_of(instance, tmp_path, "relaid", SAMPLE[:20])
    assert_finds_its_keys(before)
    between = reader(instance, "relaid")

    async def rebuild(connection: Connection) -> Columns:
        store = LedgerStore(connection)
        return await rebuild_columns(store, await store.dataset("relaid"), instance.home)

    assert_finds_its_keys(on(instance, rebuild))
    assert_finds_its_keys(between)
    assert_finds_its_keys(before)


def test_an_extract_cut_off_while_it_is_laid_again_keeps_its_dictionaries(instance: Instance, tmp_path: Path) -> None:
    """What a kill between staging and commit leaves on disk, without the kill."""
    extract_of(instance, tmp_path, "cut-off", SAMPLE[20:])
    before = state(instance, "cut-off")
    pinned = reader(instance, "cut-off")
    path = write_blocks(tmp_path / "more.dat", SAMPLE[5:25])
    batches = list(BlockFiles([path], REGTEST).all_batches())

    async def stage(connection: Connection) -> None:
        store = LedgerStore(connection)
        dataset = await store.dataset("cut-off")
        folder = columns_folder(instance.home, "cut-off")
        with ColumnWriter(folder, await store.database_id(), "cut-off", dataset.epoch) as writer:
            merged = extract.merge([*batches, await extract.stored_batch(store, dataset, writer)], REGTEST)
            writer.reset()
            writer.stage(lay(merged, writer, REGTEST, outside=True, whole=False).columns, in_dictionaries=True)

    on(instance, stage)
    assert_finds_its_keys(pinned)
    assert_finds_its_keys(reader(instance, "cut-off"))

    async def reopen(connection: Connection) -> Columns:
        store = LedgerStore(connection)
        return await open_columns(store, await store.dataset("cut-off"), instance.home)

    assert_finds_its_keys(on(instance, reopen))
    assert state(instance, "cut-off") == before
    extract_of(instance, tmp_path, "cut-off", SAMPLE[5:25])
    extract_of(instance, tmp_path, "not-cut-off", SAMPLE[5:])
    assert state(instance, "cut-off") == state(instance, "not-cut-off")


def test_a_refused_batch_leaves_no_key_behind(instance: Instance, tmp_path: Path) -> None:
    chain_of(instance, tmp_path, "no-keys", SAMPLE[:30])
    slots = [np.array(each.ids) for each in reader(instance, "no-keys")._slots.values()]
    parent = block_hash(SAMPLE[29])
    first = coinbase(30, [Payment(subsidy(REGTEST, 30), b"\x00\x14" + bytes(20))], b"x")
    thief = Transaction((Spend(bytes(31) + b"\7", 0),), (Payment(1, b"\x51"),))
    bad = block(parent, 1_800_000_000, with_commitment([first, thief]))
    with pytest.raises(IntegrityError, match="prevout_missing"):
        chain_of(instance, tmp_path, "no-keys", [*SAMPLE[:30], bad])
    now = reader(instance, "no-keys")
    assert [(old == new.ids).all() for old, new in zip(slots, now._slots.values(), strict=True)] == [True, True]


def test_an_invalid_chain_of_more_work_takes_nothing_out(instance: Instance, tmp_path: Path) -> None:
    """Its blocks are well formed and worked for; that one creates money shows only against the ledger."""
    chain_of(instance, tmp_path, "invalid-fork", SAMPLE)
    before, pinned = state(instance, "invalid-fork"), reader(instance, "invalid-fork")
    fork = fork_of(SAMPLE, 35, 40)
    greedy = coinbase(40, [Payment(subsidy(REGTEST, 40) + 1, b"\x51")], b"greedy")
    fork.append(block(block_hash(fork[-1]), 1_800_009_999, [greedy]))
    with pytest.raises(IntegrityError, match="value_conservation"):
        chain_of(instance, tmp_path, "invalid-fork", fork)
    assert state(instance, "invalid-fork") == before
    assert_finds_its_keys(pinned)
    assert_finds_its_keys(reader(instance, "invalid-fork"))
    report = chain_of(instance, tmp_path, "invalid-fork", fork_of(SAMPLE, 35, 42))
    assert report.rolled_back == 5


def test_reading_changes_no_file(instance: Instance, tmp_path: Path) -> None:
    """Columns that are at the cursor are opened, not written again."""
    chain_of(instance, tmp_path, "untouched", SAMPLE)
    folder = columns_folder(instance.home, "untouched")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}

    async def work(connection: Connection) -> None:
        store = LedgerStore(connection)
        dataset = await store.dataset("untouched")
        assert_finds_its_keys(await open_columns(store, dataset, instance.home))
        with ColumnWriter(folder, await store.database_id(), "untouched", dataset.epoch):
            pass

    on(instance, work)
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert {name: after[name] for name in after if name != "lock"} == {
        name: before[name] for name in before if name != "lock"
    }


@pytest.mark.parametrize("nth", [1, 15, 30, 50, 70])
def test_no_room_on_disk(instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """Wherever the disk is full, Postgres and columns agree afterwards, and the load goes on when there is room."""
    name = f"full-{nth}"
    chain_of(instance, tmp_path, name, SAMPLE[:20])
    monkeypatch.setattr("chain.bitcoin.files.BATCH_BLOCKS", 7)
    real, calls = os.pwrite, 0

    def pwrite(handle: int, data: bytes, offset: int) -> int:
        nonlocal calls
        calls += 1
        if calls >= nth:
            raise OSError(28, "No space left on device")
        return real(handle, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", pwrite)
        with pytest.raises(StoreUnavailable, match="No space left"):
            chain_of(instance, tmp_path, name, SAMPLE)
    assert_finds_its_keys(reader(instance, name))
    chain_of(instance, tmp_path, name, SAMPLE)
    chain_of(instance, tmp_path, f"{name}-not", SAMPLE)
    assert state(instance, name) == state(instance, f"{name}-not")
    assert_finds_its_keys(reader(instance, name))


def test_a_load_that_is_cancelled_goes_on_later(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C, after each number of blocks reached."""
    monkeypatch.setattr("chain.bitcoin.files.BATCH_BLOCKS", 4)
    chain_of(instance, tmp_path, "never-cancelled", SAMPLE)
    path = write_blocks(tmp_path / "cancelled.dat", SAMPLE)

    async def work(connection: Connection, stop_at: int) -> bool:
        task = asyncio.current_task()
        assert task is not None

        def progress(height: int, goal: int | None) -> None:
            if height >= stop_at:
                task.cancel()

        try:
            await load_chain(connection, instance.home, BlockFiles([path], REGTEST), "cancelled", progress=progress)
        except asyncio.CancelledError:
            return True
        return False

    async def run(stop_at: int) -> bool:
        async with connected(instance.url) as connection:
            return await asyncio.create_task(work(connection, stop_at))

    stopped = [asyncio.run(run(stop_at)) for stop_at in (3, 11, 19, 27, 100)]
    assert stopped == [True, True, True, True, False]
    assert state(instance, "cancelled") == state(instance, "never-cancelled")
    assert_finds_its_keys(reader(instance, "cancelled"))


def test_a_damaged_dictionary_count_is_healed(instance: Instance, tmp_path: Path) -> None:
    """A manifest that says that a writer was at work: what the dictionaries hold from there on is put right."""
    chain_of(instance, tmp_path, "unsure", SAMPLE)
    folder = columns_folder(instance.home, "unsure")
    manifest = Manifest.read(folder)
    assert manifest is not None
    text = (folder / FILE).read_text()
    (folder / FILE).write_text(text.replace('"sure": null', '"sure": {"tx": 7, "address": 5}'))
    with ColumnWriter(folder, manifest.database_id, "unsure", manifest.epoch) as writer:
        writer.slots["txid"].ids[:] = np.where(writer.slots["txid"].ids > 12, 0, writer.slots["txid"].ids)
    with ColumnWriter(folder, manifest.database_id, "unsure", manifest.epoch):
        pass
    assert_finds_its_keys(reader(instance, "unsure"))
