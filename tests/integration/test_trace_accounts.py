"""Traces of accounts: they end at a labelled service, and what cannot be followed is refused with the reason."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.instance import Instance, open_instance
from api.tracing.opening import open_chain
from api.tracing.request import TraceRequest
from api.tracing.results import write_results
from api.tracing.run import run_trace
from api.tracing.seeds import read_file
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.postgres import Connection
from clustering.ethereum.faithful import TOLD, Fault
from tests.integration.test_relations import ACCOUNT, ETHER, HOT, VICTIMS, asked, label, load, rows

STETH = "0xae7ab96520de3a18e5e111b5eaab095312d7fe84"
TRANSFERS = "token_address,from_address,to_address,value,transaction_hash,log_index,block_number"


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Five payers, an account, a labelled exchange, and a token that is known to rebase."""
    home = tmp_path_factory.mktemp("accounts")
    instance = asyncio.run(open_instance(Settings(home=home, database_url=None)))
    try:
        label(instance, home)
        moved = f"{STETH},{VICTIMS[0]},{VICTIMS[1]},7,0x{0x1000:064x},0,10"
        load(instance, home / "one", rows(VICTIMS), token_transfers=[TRANSFERS, moved])
        yield instance
    finally:
        EmbeddedPostgres(home).stop()


def traced(
    instance: Instance, folder: Path, seeds: list[str]
) -> tuple[dict[str, Any], dict[str, list[dict[str, str]]]]:
    """What a trace of rows of seeds writes: its summary, and its tables by name."""
    (folder / "seeds.csv").write_text("\n".join(["chain,address,asset", *seeds]) + "\n")

    async def work(connection: Connection) -> dict[str, Any]:
        request = TraceRequest(dataset="accounts", compare=False)
        grounds = await open_chain(connection, instance.url, instance.home, request, "eth")
        return write_results(run_trace(request, *read_file(folder / "seeds.csv"), grounds), folder / "out")

    summary = asked(instance, work)
    found = {}
    for path in (folder / "out").glob("*.csv"):
        with open(path, newline="") as file:
            found[path.stem] = list(csv.DictReader(file))
    return summary, found


def test_money_paid_to_a_labelled_exchange_stops_there(accounts: Instance, tmp_path: Path) -> None:
    _, tables = traced(accounts, tmp_path, [f"eth,{victim},ETH" for victim in VICTIMS])
    stopped = [row for row in tables["ends"] if row["reason"] == "labelled service"]
    assert {row["end"].lower() for row in stopped} == {HOT}
    assert {row["label"] for row in stopped} == {"label:acme"}
    # the first in are the first out: what each sweep leaves behind is by the end the last payer's
    kept = 9 * len(VICTIMS)
    assert sorted(int(row["value"]) for row in stopped) == [2 * ETHER - kept, *[2 * ETHER] * (len(VICTIMS) - 1)]
    (left,) = [row for row in tables["ends"] if row["reason"] == "live"]
    assert (left["end"].lower(), left["seed"].lower()) == (ACCOUNT, f"eth:{VICTIMS[-1]}#eth")
    assert int(left["value"]) == kept


def test_a_token_that_is_not_true_to_its_logs_is_not_followed(accounts: Instance, tmp_path: Path) -> None:
    summary, tables = traced(accounts, tmp_path, [f"eth,{VICTIMS[0]},{STETH}", f"eth,{VICTIMS[0]},"])
    (rejected,) = tables["seeds_rejected"]
    assert rejected["reason"] == f"accounts: its amounts cannot be followed: {TOLD[Fault.REBASES]}"
    (dataset,) = summary["datasets"]
    assert {asset.lower(): why for asset, why in dataset["not_traced"].items()} == {STETH: TOLD[Fault.REBASES]}
    assert {row["asset"] for row in tables["ends"]} == {"ETH"}
