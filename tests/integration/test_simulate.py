"""A generated chain through the command line's own paths: written, read back, loaded and verified by the service."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from api.cli import app
from api.instance import Instance
from api.simulate import open_truth, simulate
from chain.bitcoin.files import BlkFolder
from chain.bitcoin.network import REGTEST
from chain.errors import MalformedData, SourceError, StoreError
from chain.load import LoadReport, load_chain, open_columns
from chain.store.ledger import LedgerStore
from chain.store.postgres import connected
from clustering.simulate.generator import LEAST_TRANSACTIONS, generate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "chain"
    simulate(4, LEAST_TRANSACTIONS, folder)
    return folder


async def _load(instance: Instance, folder: Path, name: str) -> tuple[LoadReport, int]:
    async with connected(instance.url) as connection:
        report = await load_chain(connection, instance.home, BlkFolder(folder, REGTEST), name)
        store = LedgerStore(connection)
        columns = await open_columns(store, await store.dataset(name), instance.home)
        rows = np.zeros((1, 42), np.uint8)
        rows[0, :33] = open_truth(folder).address_key[5]
        size = np.array([len(open_truth(folder).key(5))], np.uint8)
        return report, int(columns.find_addresses(rows, size)[0])


def test_the_service_loads_and_verifies_it(instance: Instance, folder: Path) -> None:
    report, address = asyncio.run(_load(instance, folder, "simulated"))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert report.tip_hash == manifest["tip"]
    assert report.blocks == manifest["blocks"]
    assert report.transactions == LEAST_TRANSACTIONS + manifest["blocks"]
    assert report.outside_outputs == 0
    assert not report.rejects
    assert address >= 0


def test_the_truth_is_read_as_it_was_made(folder: Path) -> None:
    made, read = generate(4, LEAST_TRANSACTIONS, lambda _: None), open_truth(folder)
    assert read.owners == made.owners
    assert read.sale == made.sale
    for name in ("address_key", "address_owner", "address_customer", "address_importer"):
        assert (getattr(read, name) == getattr(made, name)).all()
    for name in ("txid", "kind", "change", "payer"):
        assert (getattr(read, name) == getattr(made, name)).all()


def test_the_command_writes_the_same_files_again(folder: Path, tmp_path: Path) -> None:
    words = ["simulate", "--seed", "4", "--transactions", str(LEAST_TRANSACTIONS), "--out", str(tmp_path / "again")]
    done = CliRunner().invoke(app, [*words, "--format", "json"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "again" / "manifest.json").read_bytes() == (folder / "manifest.json").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["again"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(StoreError, match="not empty"):
        simulate(4, LEAST_TRANSACTIONS, tmp_path)
    assert os.listdir(tmp_path) == ["mine"]


def test_a_chain_that_is_too_short_is_a_usage_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["simulate", "--transactions", "10", "--out", str(tmp_path / "short")])
    assert done.exit_code == 2
    assert os.listdir(tmp_path) == []


def test_a_truth_that_was_changed_is_refused(tmp_path: Path) -> None:
    simulate(4, LEAST_TRANSACTIONS, tmp_path / "chain")
    with open(tmp_path / "chain" / "owners.csv", "a") as handle:
        handle.write("9999999,CONSUMER,somebody,web\n")
    with pytest.raises(MalformedData, match=r"owners\.csv"):
        open_truth(tmp_path / "chain")


def test_where_there_is_no_truth_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no generated chain"):
        open_truth(tmp_path)


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match="cannot be written"):
        simulate(4, LEAST_TRANSACTIONS, tmp_path / "file" / "chain")
