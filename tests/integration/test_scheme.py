"""A scheme by command and by job: a generated sale against its truth, and Bancor's participants to the last wei."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.answers.findings import sales_body
from api.cli import app
from api.instance import Instance
from api.jobs.request import SCHEME, read_scheme
from api.jobs.results import folder_of
from api.jobs.worker import Worker
from api.simulate_ethereum import block_files, open_ethereum_truth, simulate_ethereum
from chain.ethereum.address import encode
from chain.ethereum.etl import EtlFolder
from chain.ethereum.files import EthereumFiles
from chain.ethereum.load import load_extract
from chain.store.jobs import JobStore
from chain.store.postgres import connected
from clustering.simulate.ethereum.generator import LEAST_TRANSACTIONS
from clustering.simulate.ethereum.signing import CHAIN_ID
from clustering.simulate.ethereum.truth import ETHER

BANCOR_ETHER = 396_619_891803711283883108
SALE, COLLECTOR = "0xBbc79794599b19274850492394004087cBf89710", "0x5894110995B8c8401Bd38262bA0c8EE41d4E4658"


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(instance: Instance, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, Any]:
    monkeypatch.setenv("HEADWATER_HOME", str(instance.home))
    done = CliRunner().invoke(app, ["trace", "scheme", *words, "--format", "json"])
    return done.exit_code, json.loads(done.stdout) if done.exit_code in (0, 3) else done.output


def balanced(out: Path) -> None:
    """Payments add up to the parties' sums, and each rule's shares to what is left."""
    sums: dict[tuple[str, str, str], int] = {}
    for row in rows_of(out / "payments.csv"):
        key = row["asset"], row["party"], "paid" if row["direction"] == "in" else "got"
        sums[key] = sums.get(key, 0) + int(row["value"])
    for row in rows_of(out / "participants.csv"):
        for side in ("paid", "got"):
            assert sums.pop((row["asset"], row["party"], side), 0) == int(row[side])
    assert sums == {}
    for dataset in json.loads((out / "scheme.json").read_text())["datasets"]:
        for asset in dataset["assets"]:
            mine = [row for row in rows_of(out / "restitution.csv") if row["asset"] == asset["asset"]]
            for rule in ("fifo", "pro_rata", "net_loss"):
                assert sum(int(row[rule]) for row in mine) == int(asset["remaining"])


def test_a_generated_sale_s_register_is_what_happened(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "chain"
    simulate_ethereum(4, LEAST_TRANSACTIONS, folder)
    truth = open_ethereum_truth(folder)

    async def prepare() -> Any:
        async with connected(instance.url) as connection:
            await load_extract(connection, EthereumFiles(block_files(folder), CHAIN_ID, rlp=True), "scheme")
            return (await sales_body(connection, "scheme"))[0]["answers"][0]["findings"]

    asyncio.run(prepare())
    sale = next(each for each in truth.sales if each.form == "crowdsale")
    wallets = [encode(truth.key(row)) for row in (sale.contract, *sale.collectors)]
    path = tmp_path / "wallets.csv"
    path.write_text("chain,address,asset\n" + "".join(f"eth,{each},ETH\n" for each in wallets))
    out = tmp_path / "out"
    code, summary = run(instance, monkeypatch, str(path), "--out", str(out), "--dataset", "scheme", "--no-range")
    assert code == 0, summary
    balanced(out)
    paid: dict[str, int] = {}
    for purchase in sale.purchases:
        if purchase.asset == ETHER:
            name = encode(truth.key(purchase.payer))
            paid[name] = paid.get(name, 0) + purchase.paid
    found = {
        row["party"]: int(row["paid"]) for row in rows_of(out / "participants.csv") if row["role"] == "participant"
    }
    assert {name: found.get(name) for name in paid} == paid
    refunds: dict[str, int] = {}
    for _, row, amount in sale.refunds:
        refunds[encode(truth.key(row))] = refunds.get(encode(truth.key(row)), 0) + amount
    got = {row["party"]: int(row["got"]) for row in rows_of(out / "participants.csv")}
    assert {name: got[name] for name in refunds} == refunds
    again = tmp_path / "again"
    path.write_text("chain,address,asset\n" + "".join(f"eth,{each},ETH\n" for each in wallets[::-1]))
    assert run(instance, monkeypatch, str(path), "--out", str(again), "--dataset", "scheme", "--no-range")[0] == 0
    assert [file.read_bytes() for file in sorted(again.iterdir())] == [
        file.read_bytes() for file in sorted(out.iterdir())
    ]
    _by_job(instance, path, out)


def _by_job(instance: Instance, path: Path, out: Path) -> None:
    """The same question as a job gives the same bytes."""
    raw = json.dumps({"file": path.read_text(), "dataset": "scheme", "range": False}).encode()

    async def work() -> Any:
        async with connected(instance.url) as connection:
            job, _ = await JobStore(connection).create(SCHEME, read_scheme(raw).stored(), b"", None)
        await Worker(instance).run(drain=True)
        async with connected(instance.url) as connection:
            return await JobStore(connection).get(job.job_id)

    done = asyncio.run(work())
    assert done.state == "succeeded", done.problem
    folder = folder_of(instance.home, done.job_id, done.attempt)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        file.name: file.read_bytes() for file in out.iterdir()
    }


def test_bancor_s_participants_paid_every_wei(
    instance: Instance, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def prepare() -> None:
        async with connected(instance.url) as connection:
            await load_extract(connection, EtlFolder(data / "ethereum" / "bancor", 1), "scheme-bancor")

    asyncio.run(prepare())
    monkeypatch.setenv("HEADWATER_HOME", str(instance.home))
    found = CliRunner().invoke(app, ["detect", "token-sales", "--dataset", "scheme-bancor", "--format", "json"])
    (sale,) = json.loads(found.stdout)["answers"][0]["findings"]
    out = tmp_path / "out"
    code, summary = run(
        instance, monkeypatch, "--finding", sale["finding"][:16], "--out", str(out), "--dataset", "scheme-bancor",
        "--no-range",
    )  # fmt: skip
    assert code == 0, summary
    balanced(out)
    seeds = tmp_path / "seeds.csv"
    seeds.write_text(f"chain,finding,asset\neth,{sale['finding'][:10]},ETH\n")
    words = ["trace", "run", str(seeds), "--out", str(tmp_path / "one"), "--dataset", "scheme-bancor", "--no-range"]
    assert CliRunner().invoke(app, words).exit_code == 0
    (seed,) = rows_of(tmp_path / "one" / "seeds.csv")
    assert (seed["seeded"], seed["live"]) == (str(BANCOR_ETHER), str(BANCOR_ETHER))
    (told,) = summary["scheme"]["datasets"]
    ether = next(each for each in told["assets"] if each["asset"] == "ETH")
    assert (ether["participants"], ether["paid_in"]) == (10_884, str(BANCOR_ETHER))
    assert ether["remaining"] == str(BANCOR_ETHER)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give a file of wallets"),
        (["--finding", "ffffffffffff"], "there is no finding"),
        (["--finding", "x", "--remaining", "ETH=1.5"], "a whole number of base units"),
        (["--finding", "x", "--remaining", "0x12=1"], "a token's contract"),
        (["--finding", "x", "--policy", "poison"], "it is one of"),
    ],
)
def test_what_cannot_be_is_refused(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(instance.home))
    monkeypatch.setenv("COLUMNS", "400")
    done = CliRunner().invoke(app, ["trace", "scheme", *words, "--out", str(tmp_path / "no")])
    assert done.exit_code != 0
    assert said in done.output + str(done.exception)
    assert not (tmp_path / "no").exists()
