"""Traces over a real Postgres: what commands write, on the sample chain, on accounts, and on the real sales."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import app, main
from api.instance import Instance
from chain.bitcoin import address as codec
from chain.bitcoin.network import REGTEST
from chain.ethereum.etl import EtlFolder
from chain.ethereum.load import load_extract
from chain.store.postgres import connected
from clustering.simulate.sample import Sample
from tests.integration.loaded import load_sample

SALE = "0xbbc79794599b19274850492394004087cbf89710"
COLLECTOR = "0x5894110995B8c8401Bd38262bA0c8EE41d4E4658"
GROSS = 396619891803711283883108
DAO = "0xBB9bc244D798123fDe783fCc1C72d3Bb8C189413"

Trace = Callable[..., tuple[int, Path]]


@pytest.fixture
def trace(instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trace:
    """`headwater trace run` on rows of seeds: its exit code and the folder."""
    monkeypatch.setenv("HEADWATER_HOME", str(instance.home))
    monkeypatch.delenv("HEADWATER_DATABASE_URL", raising=False)
    runs = 0

    def run(header: str, rows: list[str], *options: str) -> tuple[int, Path]:
        nonlocal runs
        runs += 1
        seeds, out = tmp_path / f"{runs}.csv", tmp_path / f"out{runs}"
        seeds.write_text("\n".join([header, *rows]) + "\n")
        monkeypatch.setattr(sys, "argv", ["headwater", "trace", "run", str(seeds), "--out", str(out), *options])
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0), out

    return run


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def _summary(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return found


@pytest.fixture(scope="module")
def sample(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return asyncio.run(load_sample(instance, tmp_path_factory.mktemp("traced"), "traced"))


def _sale_keys(sample: Sample) -> list[str]:
    return [codec.encode(key, REGTEST) for key in sample.wallet("sale").keys]


def test_each_end_has_its_strongest_path(sample: Sample, trace: Trace) -> None:
    rows = [f"btc,{address}" for address in _sale_keys(sample)]
    _, out = trace("chain,address", rows, "--dataset", "traced", "--no-range")
    ends = {(row["seed"], row["end"], row["reason"]): row for row in _rows(out / "ends.csv") if int(row["value"])}
    paths: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for row in _rows(out / "paths.csv"):
        paths.setdefault((row["seed"], row["end"], row["reason"]), []).append(row)
    own = {key for key in ends if key[0].removeprefix("btc:") == key[1]}
    assert set(ends) - own <= set(paths) <= set(ends)
    for key, steps in paths.items():
        assert [int(step["step"]) for step in steps] == list(range(1, len(steps) + 1))
        assert all(one["to"] == two["from"] and one["time"] <= two["time"] for one, two in pairwise(steps))
        assert int(steps[0]["limiting_value"]) == min(int(step["value"]) for step in steps)
        assert int(steps[0]["limiting_value"]) <= int(ends[key]["value"])
        assert steps[0]["from"] == key[0].removeprefix("btc:")


def test_money_stands_beside_an_end_where_there_is_a_price(
    sample: Sample, trace: Trace, tmp_path: Path, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(instance.home))
    path = tmp_path / "prices.csv"
    path.write_text(
        "asset,time,currency,price,source,method\nBTC,2023-11-15,USD,36000,=book(),close\nBTC,x,USD,1,a,b\n"
    )
    taken = CliRunner().invoke(app, ["prices", "import", str(path)])
    assert (taken.exit_code, taken.stdout) == (3, "1 price taken, 1 row not\n")
    rows = [f"btc,{address}" for address in _sale_keys(sample)]
    _, out = trace("chain,address", rows, "--dataset", "traced", "--no-range", "--currency", "USD")
    (end,) = [row for row in _rows(out / "ends.csv") if row["value"] == "500000000" and row["reason"] == "live"][:1]
    assert (end["money"], end["currency"], end["price_source"]) == ("180000.00", "USD", "'=book() (close)")
    assert "prices" in json.loads((out / "manifest.json").read_text())
    _, none = trace("chain,address", rows, "--dataset", "traced", "--no-range", "--currency", "CNY")
    assert {row["money"] for row in _rows(none / "ends.csv")} == {""}
    listed = CliRunner().invoke(app, ["prices", "list", "--format", "json"])
    assert json.loads(listed.stdout)[0]["prices"] == 1


def test_a_cluster_is_one_seed(sample: Sample, trace: Trace) -> None:
    _, out = trace("chain,cluster", [f"btc,traced/L0/{_sale_keys(sample)[0]}"], "--dataset", "traced", "--no-range")
    (row,) = _rows(out / "seeds.csv")
    assert (row["seed"], row["seeded"]) == (f"btc:cluster:{_sale_keys(sample)[0]}", "12600000000")


def test_the_samples_sale_adds_up_and_comes_out_the_same_in_any_order(sample: Sample, trace: Trace) -> None:
    rows = [f"btc,{address}" for address in _sale_keys(sample)]
    code, out = trace("chain,address", rows, "--dataset", "traced")
    again, other = trace("chain,address", rows[::-1], "--dataset", "traced")
    assert code == again
    names = ["summary.json", "ends.csv", "paths.csv", "edges.csv", "seeds.csv", "manifest.json"]
    assert all((out / name).read_bytes() == (other / name).read_bytes() for name in names)
    manifest = json.loads((out / "manifest.json").read_text())
    assert set(manifest["files"]) == {*names[:-1], "seeds_rejected.csv", "flow.traced.BTC.svg"}
    for name, said in manifest["files"].items():
        data = (out / name).read_bytes()
        assert said == {"bytes": len(data), "sha256": sha256(data).hexdigest()}
    (dataset,) = _summary(out)["datasets"]
    (asset,) = dataset["assets"]
    parts = sum(int(asset[name]) for name in ("live", "stopped", "fees", "burned", "cut_short"))
    assert int(asset["seeded"]) == parts > 0
    for convention in [*dataset["conventions"].values(), *dataset["measures"].values()]:
        for row in convention["assets"]:
            assert int(row["seeded"]) == sum(
                int(row[name]) for name in ("live", "stopped", "fees", "burned", "cut_short")
            )
    by_seed: dict[str, int] = {}
    for end in _rows(out / "ends.csv"):
        by_seed[end["seed"]] = by_seed.get(end["seed"], 0) + int(end["value"])
        assert int(end["low"]) <= int(end["value"]) <= int(end["high"])
    assert by_seed == {row["seed"]: int(row["seeded"]) for row in _rows(out / "seeds.csv")}


def test_a_coinjoin_ends_a_trace_and_lists_its_outputs(sample: Sample, trace: Trace) -> None:
    keys = [sample.wallet(f"investor {number}").keys for number in range(1, 6)]
    rows = [f"btc,{codec.encode(key, REGTEST)}" for own in keys for key in own]
    _, out = trace("chain,address", rows, "--dataset", "traced", "--no-range")
    ended = [row for row in _rows(out / "ends.csv") if row["reason"] == "coinjoin"]
    assert ended
    for row in ended:
        assert len(row["end"]) == 64
        assert all(output.startswith(row["end"]) for output in row["possible_outputs"].split())
        assert len(row["possible_outputs"].split()) >= 5
    _, through = trace("chain,address", rows, "--dataset", "traced", "--no-range", "--through", "coinjoins")
    assert not [row for row in _rows(through / "ends.csv") if row["reason"] == "coinjoin"]
    assert "coinjoins" in _summary(through)["passed"][0]
    assert _summary(out)["passed"] == []


def test_back_from_an_output_is_forward_to_it(sample: Sample, trace: Trace) -> None:
    """What reaches an address forward is what comes from there backward, for each pair."""
    rows = [f"btc,{address}" for address in _sale_keys(sample)]
    _, out = trace("chain,address", rows, "--dataset", "traced", "--no-range")
    reached = [row for row in _rows(out / "ends.csv") if row["reason"] == "live" and row["hops"] != "0"]
    target = reached[0]["end"]
    _, back = trace("chain,address", [f"btc,{target}"], "--dataset", "traced", "--no-range", "--direction", "backward")
    forward_edges = {row["transaction"] for row in _rows(out / "edges.csv") if row["to"] == target}
    back_edges = {row["transaction"] for row in _rows(back / "edges.csv") if row["to"] == target}
    assert forward_edges <= back_edges
    assert {row["claimed"] for row in _rows(back / "seeds.csv")} == {"what it received, back"}


def test_paths_lead_from_payer_to_payee_in_order_of_time(
    sample: Sample,
    instance: Instance,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trace: Trace,
) -> None:
    own = _sale_keys(sample)
    _, out = trace("chain,address", [f"btc,{address}" for address in own], "--dataset", "traced", "--no-range")
    edge = next(row for row in _rows(out / "edges.csv") if row["to"] and row["from"] in own and row["to"] not in own)
    arguments = ["paths", edge["from"], edge["to"], "--dataset", "traced", "--k", "2", "--format", "json"]
    monkeypatch.setattr(sys, "argv", ["headwater", "trace", *arguments])
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code
    (answer,) = json.loads(capsys.readouterr().out)["answers"]
    assert answer["paths"]
    for path in answer["paths"]:
        steps = path["steps"]
        assert edge["from"] in steps[0]["from"]
        assert steps[-1]["to"] == edge["to"]
        assert [step["time"] for step in steps] == sorted(step["time"] for step in steps)
        assert int(path["limiting_value"]) == min(int(step["value"]) for step in steps)
        assert all(before["to"] in after["from"] for before, after in pairwise(steps))
    whole = CliRunner().invoke(app, ["trace", *arguments, "--clusters"])
    (wider,) = json.loads(whole.stdout)["answers"]
    assert int(wider["paths"][0]["limiting_value"]) >= int(answer["paths"][0]["limiting_value"])


def test_poison_reaches_at_least_what_every_convention_does(sample: Sample, trace: Trace) -> None:
    _, out = trace("chain,address", [f"btc,{_sale_keys(sample)[0]}"], "--dataset", "traced")
    (dataset,) = _summary(out)["datasets"]
    upper = sum(int(row["value"]) for row in dataset["poison"]["reached"])
    for convention in dataset["conventions"].values():
        assert 0 < sum(int(row["seeded"]) for row in convention["assets"]) <= upper


def test_rejected_seeds_are_listed_and_the_rest_run(sample: Sample, trace: Trace) -> None:
    known = _sale_keys(sample)[0]
    unseen = codec.encode(bytes([3]) + bytes(20), REGTEST)
    txid = "00" * 32
    rows = [f"btc,{known},,", f"btc,{unseen},,", "btc,nonsense,,", f"doge,{known},,", f"btc,,{txid},0"]
    code, out = trace("chain,address,txid,index", rows, "--dataset", "traced", "--no-range")
    assert code == 3
    reasons = {row["row"]: row["reason"] for row in _rows(out / "seeds_rejected.csv")}
    assert len(reasons) == 4
    assert [reason for reason in reasons.values() if "not observed" in reason] == ["traced: not observed"] * 2
    assert {row["seed"] for row in _rows(out / "seeds.csv")} == {f"btc:{known}"}


def test_results_go_into_a_new_folder(sample: Sample, trace: Trace, tmp_path: Path) -> None:
    (tmp_path / "out1").mkdir()
    (tmp_path / "out1" / "mine").write_text("")
    code, out = trace("chain,address", [f"btc,{_sale_keys(sample)[0]}"], "--dataset", "traced", "--no-range")
    assert code == 1
    assert [path.name for path in out.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    "options", [["--policy", "poison"], ["--policy", "tiho", "--direction", "backward"], ["--through", "walls"]]
)
def test_what_cannot_be_asked_is_a_usage_error(trace: Trace, options: list[str]) -> None:
    assert trace("chain,address", [f"eth,{COLLECTOR}"], *options)[0] == 2


def _load(instance: Instance, folder: Path, name: str) -> None:
    async def work() -> None:
        async with connected(instance.url) as connection:
            await load_extract(connection, EtlFolder(folder, 1), name)

    asyncio.run(work())


def test_bancors_proceeds_reach_the_collector_whole(instance: Instance, data: Path, trace: Trace) -> None:
    _load(instance, data / "ethereum" / "bancor", "traced-bancor")
    code, out = trace("chain,address,asset", [f"eth,{SALE},ETH"], "--dataset", "traced-bancor")
    assert code == 0
    (end,) = _rows(out / "ends.csv")
    assert (end["end"], end["reason"], end["value"], end["share_ppm"]) == (COLLECTOR, "live", str(GROSS), "1000000")
    assert end["low"] == end["high"] == str(GROSS)
    (dataset,) = _summary(out)["datasets"]
    assert [len(dataset[name]) for name in ("conventions", "measures")] == [4, 2]


def test_the_dao_by_payer(instance: Instance, data: Path, trace: Trace) -> None:
    """Every payer's own ether, kept apart, ends where they paid it; what nobody is known to have sent is said so."""
    _load(instance, data / "ethereum" / "thedao", "traced-dao")
    paid: dict[str, int] = {}

    async def payments() -> None:
        async with connected(instance.url) as connection:
            rows = await connection.fetch(
                "select f.payload as sender, m.value from eth_movement m join dataset d using (dataset_id)"
                " join address f on f.dataset_id = m.dataset_id and f.address_id = m.from_id"
                " where d.name = 'traced-dao' and m.kind = 2"
            )
            for row in rows:
                sender = f"0x{row['sender'].hex()}"
                paid[sender] = paid.get(sender, 0) + int(row["value"])

    asyncio.run(payments())
    payers = sorted(paid)[:300]
    code, out = trace(
        "chain,address,asset", [f"eth,{payer},ETH" for payer in payers], "--dataset", "traced-dao", "--no-range"
    )
    assert code == 0
    ends = {row["seed"]: row for row in _rows(out / "ends.csv") if row["reason"] == "live"}
    assert {seed.lower(): int(row["value"]) for seed, row in ends.items()} == {
        f"eth:{payer}#eth": paid[payer] for payer in payers
    }
    assert {row["claimed"] for row in _rows(out / "seeds.csv")} == {"what it paid: nothing is known that it received"}
