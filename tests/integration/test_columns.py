"""Columns that were damaged, taken away or belong to another database: told to readers, made again by a writer."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from api.instance import Instance
from chain.column_writer import ColumnWriter
from chain.columns import Columns
from chain.errors import NotFound, StoreBusy, StoreError
from chain.load import columns_folder, open_columns
from chain.manifest import Manifest
from chain.store.ledger import LedgerStore
from chain.store.postgres import connected
from tests.integration.loaded import load_sample
from tests.integration.state import columns_digest


@pytest.fixture(scope="module")
def healthy(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    asyncio.run(load_sample(instance, tmp_path_factory.mktemp("columns"), "columns"))
    return columns_digest(instance.home, "columns")


def _reopen(instance: Instance) -> Columns:
    async def work() -> Columns:
        async with connected(instance.url) as connection:
            store = LedgerStore(connection)
            return await open_columns(store, await store.dataset("columns"), instance.home)

    return asyncio.run(work())


def _file(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[-1]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGE: dict[str, Callable[[Path], None]] = {
    "an array cut short": lambda folder: _cut(_file(folder, "output_value.*")),
    "an array taken away": lambda folder: _file(folder, "tx_txid.*").unlink(),
    "a run cut short": lambda folder: _cut(_file(folder, "activity.*.tx.npy")),
    "a run taken away": lambda folder: _file(folder, "activity.*.totals.npy").unlink(),
    "a dictionary cut short": lambda folder: _cut(_file(folder, "txid.slots.*")),
    "a dictionary taken away": lambda folder: _file(folder, "address.slots.*").unlink(),
    "a manifest of nonsense": lambda folder: _cut(folder / "manifest.json"),
    "everything taken away": shutil.rmtree,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_healed_from_postgres(instance: Instance, healthy: dict[str, str], name: str) -> None:
    folder = columns_folder(instance.home, "columns")
    DAMAGE[name](folder)
    _reopen(instance)
    assert columns_digest(instance.home, "columns") == healthy


@pytest.mark.parametrize("name", ["an array cut short", "an array taken away", "a run taken away"])
def test_a_reader_of_damaged_columns_is_told(instance: Instance, healthy: dict[str, str], name: str) -> None:
    folder = columns_folder(instance.home, "columns")
    DAMAGE[name](folder)
    with pytest.raises(StoreError, match="damaged"):
        Columns.open(folder)
    _reopen(instance)


def test_columns_of_another_database_are_not_believed(instance: Instance, healthy: dict[str, str]) -> None:
    folder = columns_folder(instance.home, "columns")
    manifest = Manifest.read(folder)
    assert manifest is not None
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace(manifest.database_id, "of another database"))
    _reopen(instance)
    assert columns_digest(instance.home, "columns") == healthy


def test_one_writer_of_a_folder(instance: Instance, healthy: dict[str, str]) -> None:
    folder = columns_folder(instance.home, "columns")
    manifest = Manifest.read(folder)
    assert manifest is not None
    with (
        ColumnWriter(folder, manifest.database_id, "columns", manifest.epoch),
        pytest.raises(StoreBusy),
    ):
        ColumnWriter(folder, manifest.database_id, "columns", manifest.epoch)
    _reopen(instance)


def test_nothing_was_loaded_yet(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Columns.open(tmp_path)
