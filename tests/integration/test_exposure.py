"""Exposure by command and over HTTP: direct, indirect, and what ended at no label, to the last unit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from api.cli import app
from api.instance import Instance, open_instance
from api.labels.importing import Options, import_file
from api.tracing.exposure import MILLION, _shares
from chain.bitcoin import address as codec
from chain.bitcoin.network import REGTEST
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.postgres import connected
from clustering.simulate.sample import Sample
from tests.integration.loaded import load_sample
from tests.integration.test_rest import Running


def addresses(sample: Sample, wallet: str) -> list[str]:
    return [codec.encode(key, REGTEST) for key in sample.wallet(wallet).keys]


def labels(folder: Path, sample: Sample) -> Path:
    """One address of the exchange and of the sale, the collector's, and an investor's: only some of each cluster's."""
    tags: list[dict[str, Any]] = [
        {"address": addresses(sample, "exchange")[0], "label": "Big Exchange", "category": "exchange"},
        {"address": addresses(sample, "collector")[0], "label": "=cmd()", "category": "user"},
    ]
    body = {"title": "few", "creator": "me", "currency": "BTC", "confidence": "service_data"}
    path = folder / "few.yaml"
    path.write_text(yaml.safe_dump({**body, "tags": [{**tag, "source": "https://x.example"} for tag in tags]}))
    return path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("exposure")

    async def prepare() -> tuple[Instance, Sample]:
        instance = await open_instance(Settings(home=home, database_url=None))
        sample = await load_sample(instance, home, "btc")
        async with connected(instance.url) as connection:
            await import_file(connection, labels(home, sample), Options(network=REGTEST, licence="MIT"))
        return instance, sample

    running = Running(*asyncio.run(prepare()))
    yield running
    running.close()
    EmbeddedPostgres(home).stop()


def adds_up(way: Any) -> None:
    rows = [*way["direct"], *way["indirect"], *way["rest"]]
    assert sum(int(row["value"]) for row in rows) == int(way["total"])
    assert sum(row["share_ppm"] for row in rows) == MILLION
    by_category = sum(int(row["direct"]) + int(row["indirect"]) for row in way["by_category"])
    assert by_category == int(way["total"]) - sum(int(row["value"]) for row in way["rest"])


def test_the_sale_s_money_went_to_the_collector_and_on_to_the_exchange(service: Running) -> None:
    body = service.get(f"btc/addresses/{service.address('sale', 0)}/exposure")
    (asset,) = body["answers"][0]["assets"]
    for way in ("sent", "received"):
        adds_up(asset[way])
    named = {(row["category"], row["entity"]) for row in [*asset["sent"]["direct"], *asset["sent"]["indirect"]]}
    assert named == {("user", "label:=cmd()")}
    assert asset["sent"]["direct"]


def test_a_labelled_service_speaks_for_its_cluster_and_other_labels_do_not(service: Running) -> None:
    """What comes from any address of the exchange comes from the exchange."""
    paid = service.get(f"btc/addresses/{service.address('collector', 0)}/exposure")["answers"][0]["assets"][0]
    adds_up(paid["sent"])
    assert {row["end"] for row in [*paid["sent"]["direct"], *paid["sent"]["indirect"]]} <= {"labelled service"}


def test_a_cluster_is_asked_as_one(service: Running) -> None:
    address = service.address("sale", 0)
    whole = service.get(f"btc/clusters/btc/L0/{address}/exposure")
    (answer,) = whole["answers"]
    assert (whole["of"], answer["addresses"]) == ("cluster", 12)
    assert answer["subject"].startswith("btc/L0/")
    assert int(answer["assets"][0]["sent"]["total"]) == 12_600_000_000
    adds_up(answer["assets"][0]["sent"])
    assert "no run 999" in service.problem(404, f"btc/clusters/btc/L0/{address}@999/exposure")["detail"]


def test_what_cannot_be_asked_says_why(service: Running) -> None:
    good = service.address("sale", 0)
    assert service.get("btc/addresses/1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa/exposure")["answers"] == []
    assert service.problem(422, f"btc/addresses/{good[:-1]}x/exposure")
    assert service.problem(422, f"btc/addresses/{good}/exposure", policy="poison")
    assert service.problem(404, f"doge/addresses/{good}/exposure")
    assert service.problem(404, f"btc/addresses/{good}/exposure", dataset="nowhere")
    assert service.problem(404, "eth/clusters/eth/L0/0x0000000000000000000000000000000000000001/exposure")
    never = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
    asked = service.get(f"btc/addresses/{never}/exposure")
    assert asked["asked"] == [{"dataset": "btc", "observed": False, "reason": "not observed"}]


def test_one_that_takes_too_long_or_too_many_at_once_are_refused(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"btc/addresses/{service.address('sale', 0)}/exposure"
    monkeypatch.setattr("api.routes.exposure.SECONDS", -1)
    assert "exposure_seconds" in service.problem(422, path)["detail"]
    monkeypatch.setattr("api.routes.exposure.AT_ONCE", 0)
    assert "exposures" in service.problem(503, path)["detail"]


def test_the_command_tells_the_same(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(service.instance.home))
    address = service.address("sale", 0)
    done = CliRunner().invoke(app, ["trace", "exposure", address, "--format", "json"])
    assert json.loads(done.output) == service.get(f"btc/addresses/{address}/exposure")
    shown = CliRunner().invoke(app, ["trace", "exposure", address, "--cluster"])
    assert "12 addresses" in shown.output
    assert CliRunner().invoke(app, ["trace", "exposure", address, "--policy", "poison"]).exit_code == 2


@pytest.mark.parametrize("values", [[1, 1, 1], [0, 7], [2**256, 1, 3], [5]])
def test_shares_add_up_to_a_million(values: list[int]) -> None:
    assert sum(_shares(values, sum(values))) == MILLION
