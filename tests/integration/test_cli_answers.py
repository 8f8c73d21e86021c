"""Commands that show things: what people read, what machines read, and exit codes."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.instance import Instance, open_instance
from chain.bitcoin import address as codec
from chain.bitcoin.etl import EtlFiles
from chain.bitcoin.network import MAINNET, REGTEST
from chain.load import load_extract
from chain.model import AddressKind
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.postgres import connected
from clustering.simulate.sample import Sample
from tests.integration.loaded import load_sample
from tests.integration.services import Types, types_into
from tests.integration.test_rest import Running
from tests.unit.views import named, row

BANNED = re.compile(r"\b(owners?|criminals?|stolen|clean|verdicts?)\b", re.IGNORECASE)
OUTSIDE = codec.encode(bytes([AddressKind.WITNESS_KEY_HASH]) + bytes(20), MAINNET)
NEVER = codec.encode(bytes([AddressKind.TAPROOT]) + bytes(32), REGTEST)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Instance, Sample]]:
    """The sample as `btc` on regtest, and a mainnet extract with gaps, not clustered."""
    home = tmp_path_factory.mktemp("cli")
    instance = asyncio.run(open_instance(Settings(home=home, database_url=None)))
    sample = asyncio.run(load_sample(instance, home, "btc"))
    spends = [{"spent_transaction_hash": named("tx", 9), "spent_output_index": 0}]
    pays = [{"value": 123_456_789, "addresses": [OUTSIDE], "type": "witness_v0_keyhash"}]
    (home / "etl.json").write_text(json.dumps(row(1, spends, pays)) + "\n")

    async def extract() -> None:
        async with connected(instance.url) as connection:
            await load_extract(connection, home, EtlFiles([home / "etl.json"], MAINNET), "some")

    asyncio.run(extract())
    yield instance, sample
    EmbeddedPostgres(home).stop()


@pytest.fixture
def types(
    loaded: tuple[Instance, Sample], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Types:
    """Type a command; exit code, stdout and stderr."""
    command = types_into(loaded[0], monkeypatch, capsys)

    def and_read(*words: object) -> tuple[int, str, str]:
        code, said, complaint = command(*words)
        assert not BANNED.search(said)
        return code, said, complaint

    return and_read


def key(loaded: tuple[Instance, Sample], wallet: str, number: int) -> str:
    return codec.encode(loaded[1].wallet(wallet).keys[number], REGTEST)


def asked(types: Types, *words: object) -> Any:
    code, out, _ = types(*words, "--format", "json")
    assert code == 0
    return json.loads(out)


def test_machines_read_the_body_that_rest_gives(types: Types, loaded: tuple[Instance, Sample]) -> None:
    a, b = key(loaded, "sale", 0), key(loaded, "sale", 11)
    why = asked(types, "cluster", "explain", a, b)
    txid = why["answers"][0]["links"][0]["txid"]
    bodies = {
        f"btc/addresses/{a}": asked(types, "cluster", "show", a),
        f"btc/addresses/{a}?as_of=28&level=L0": asked(types, "cluster", "show", a, "--as-of", 28, "--level", "L0"),
        f"btc/explain?a={a}&b={b}": why,
        f"btc/transactions/{txid}": asked(types, "tx", "show", "btc", txid),
    }
    running = Running(*loaded)
    try:
        for path, body in bodies.items():
            answer = running.request("GET", f"/v1/{path}")
            assert answer.json() == body, path
        assert running.get("health")["datasets"] == asked(types, "chain", "status")["datasets"]
    finally:
        running.close()


def test_people_read_the_wallet_in_bitcoin(types: Types, loaded: tuple[Instance, Sample]) -> None:
    code, out, err = types("cluster", "show", key(loaded, "sale", 3))
    assert (code, err) == (0, "")
    assert "dataset      btc, as of block 39 (2023-11-15T04:43:20Z)" in out
    assert f"btc/L0/{key(loaded, 'sale', 0)}@1\n" in out
    assert "12 addresses" in out
    assert "             received 126.00000000 BTC, spent 126.00000000 BTC\n" in out
    assert (
        "22 links by the co-spend convention (error rate: not measured: never tried on field or emulated data)" in out
    )
    assert "not a finding of ownership or illegality" in out


def test_people_read_what_an_extract_cannot_know(types: Types) -> None:
    _, out, _ = types("cluster", "show", OUTSIDE)
    assert "received     1.23456789 BTC in 1 output\n" in out
    assert "balance      not known: transactions may be missing here" in out
    assert "no clustering of this dataset fits its ledger; run headwater cluster update" in out


def test_people_read_a_transaction(types: Types, loaded: tuple[Instance, Sample]) -> None:
    code, out, _ = types("tx", "show", "btc", named("tx", 1))
    assert code == 0
    assert "proof: stated" in out
    assert "not stated  unstated  outside" in out
    assert "1.23456789  0: " + OUTSIDE in out
    assert "not stated  fee" in out
    txid = asked(types, "cluster", "explain", key(loaded, "sale", 0), key(loaded, "sale", 1))["answers"][0]
    _, out, _ = types("tx", "show", "btc", txid["links"][0]["txid"])
    assert "debits       12" in out
    assert "links        11 links on it" in out
    assert "co-spend (accepted): " in out


def test_people_read_why_and_why_not(types: Types, loaded: tuple[Instance, Sample]) -> None:
    sale, investor = key(loaded, "sale", 0), key(loaded, "investor 1", 0)
    _, out, _ = types("cluster", "explain", sale, key(loaded, "sale", 5))
    assert "connected    yes: a chain of links leads from one to the other" in out
    assert (
        "co-spend, by the co-spend convention (error rate: not measured: never tried on field or emulated data)" in out
    )
    _, out, _ = types("cluster", "explain", sale, investor)
    assert "connected    no: they are in different clusters" in out
    assert f"{investor}: btc/L0/" in out
    _, out, _ = types("cluster", "explain", sale, NEVER)
    assert f"{NEVER}: not observed as of block 39" in out


def test_never_seen_is_an_answer_that_says_as_of_when(types: Types) -> None:
    code, out, _ = types("cluster", "show", NEVER)
    assert code == 0
    assert "not observed in btc (as of block 39)" in out
    assert "not covered by some: its network is main" in out


def test_a_height_that_a_dataset_does_not_reach_is_not_covered(types: Types, loaded: tuple[Instance, Sample]) -> None:
    code, _, err = types("cluster", "show", key(loaded, "sale", 0), "--as-of", 40)
    assert code == 2
    assert "btc: as of 40 is beyond its tip at height 39" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("cluster", "show", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"), 2, "(character "),
        (("cluster", "show", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"), 2, "checksum"),
        (("cluster", "show", NEVER, "--as-of", "-1"), 2, "--as-of"),
        (("cluster", "show", NEVER, "--level", "L1"), 2, "L0 is the only one"),
        (("cluster", "show", NEVER, "--chain", "doge"), 1, "no such chain"),
        (("cluster", "show", NEVER, "--chain", "eth"), 2, "does not begin with 0x"),
        (("cluster", "explain", NEVER, NEVER, "--chain", "eth"), 2, "does not begin with 0x"),
        (("cluster", "show", "0x" + "11" * 20), 1, "nothing of chain eth is loaded yet"),
        (("tx", "show", "eth", "0x11"), 2, "64 hex digits"),
        (("cluster", "show", NEVER, "--dataset", "none"), 1, "no such dataset"),
        (("tx", "show", "btc", "xyz"), 2, "64 hex digits"),
        (("tx", "show", "btc", "00" * 32), 1, "no such transaction"),
        (("chain", "status", "--dataset", "none"), 1, "no dataset 'none'"),
    ],
)
def test_what_is_wrong_is_one_line_and_an_exit_code(types: Types, words: tuple[str, ...], code: int, said: str) -> None:
    found, out, err = types(*words)
    assert (found, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


def test_status_in_every_format(types: Types) -> None:
    body = asked(types, "chain", "status")
    states = {state["dataset"]: state for state in body["datasets"]}
    assert states["btc"]["tip"]["height"] == 39
    assert (states["btc"]["gaps"], states["btc"]["columns_behind"], states["btc"]["clustering_behind"]) == (0, 0, 0)
    assert (states["some"]["run"], states["some"]["coverage"]["inputs_from_outside"]) == (None, 1)
    _, out, _ = types("chain", "status")
    assert len(out.splitlines()) == 3
    _, out, _ = types("chain", "status", "--format", "csv")
    cells = dict(csv.reader(io.StringIO(out)))
    assert cells["datasets.0.tip.height"] == "39"
    _, out, _ = types("chain", "status", "--format", "jsonl")
    assert json.loads(out) == body


def test_damaged_columns_are_made_again_from_the_database(types: Types, loaded: tuple[Instance, Sample]) -> None:
    before = asked(types, "cluster", "show", key(loaded, "sale", 0))
    (loaded[0].home / "columns" / "btc" / "manifest.json").write_text("{")
    assert asked(types, "cluster", "show", key(loaded, "sale", 0)) == before


def test_update_says_what_is_new_and_nothing_the_second_time(types: Types) -> None:
    (first,) = asked(types, "cluster", "update", "--dataset", "btc")
    assert (first["new"], first["transactions"]) == (False, 0)


def test_doctor_finds_nothing_and_says_what_to_do_where_it_does(types: Types, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = types("doctor", "--format", "json")
    found = json.loads(out)
    assert (code, [each["check"] for each in found if not each["ok"]]) == (0, [])
    assert {"python", "libcrypto", "kernel cache", "free disk", "database", "database role", "columns"} <= {
        each["check"] for each in found
    }
    monkeypatch.setattr("api.doctor.FREE_BYTES", 1 << 62)
    code, out, _ = types("doctor", "--format", "json")
    (bad,) = [each for each in json.loads(out) if not each["ok"]]
    assert (code, bad["check"], bool(bad["do"])) == (1, "free disk", True)


def test_serve_listens_where_it_says(loaded: tuple[Instance, Sample], tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "headwater"), "serve", "--port", str(port)]
    environment = {"HEADWATER_HOME": str(loaded[0].home), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as server:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    answer = httpx.get(f"http://127.0.0.1:{port}/v1/health", timeout=10)
                    break
                except httpx.ConnectError:
                    assert server.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            assert answer.json()["status"] == "ok"
        finally:
            server.terminate()
        _, said = server.communicate(timeout=20)
    assert f"http://127.0.0.1:{port}/v1" in said


def test_the_description_needs_no_instance() -> None:
    assert create_app().openapi()["info"]["title"] == "Headwater"
