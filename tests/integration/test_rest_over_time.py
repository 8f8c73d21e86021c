"""The service while the ledger under it grows, is clustered again, and loses blocks; and what it says of its faults."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.answers import opening
from api.instance import open_instance
from api.routes import addresses
from chain.bitcoin.files import BlockFiles
from chain.bitcoin.network import REGTEST
from chain.errors import IntegrityError, StoreError, StoreUnavailable
from chain.load import load_chain
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.postgres import connected
from clustering.simulate.sample import Sample, sample_chain
from tests.integration.loaded import load_sample, write_blocks
from tests.integration.test_rest import Running

SWEEP = 30
"""Height of the block in which the sale spends its deposits together."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The sample up to the sweep, clustered once."""
    home = tmp_path_factory.mktemp("over-time")
    instance = asyncio.run(open_instance(Settings(home=home, database_url=None)))
    sample = asyncio.run(load_sample(instance, home, "btc", SWEEP + 1))
    running = Running(instance, sample)
    yield running
    running.close()
    EmbeddedPostgres(home).stop()


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service looks at the ledger at each request."""
    monkeypatch.setattr(opening, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(opening, "REOPEN_SECONDS", 30.0)


def load_fork(running: Running, blocks: int) -> None:
    """Another chain from below the sweep on, of more work than the sample: the sweep never happened."""
    fork = Sample(blocks=sample_chain().blocks[:SWEEP])
    for _ in range(blocks):
        fork.mine("forker")
    path = write_blocks(running.instance.home / "fork.dat", fork.blocks)

    async def load() -> None:
        async with connected(running.instance.url) as connection:
            await load_chain(connection, running.instance.home, BlockFiles([path], REGTEST), "btc")

    asyncio.run(load())


def test_growing_clustering_and_reorganising_under_a_running_service(
    service: Running, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    deposit, home = service.address("sale", 0), service.instance.home
    handle = f"btc/clusters/btc/L0/{deposit}"
    transactions = f"btc/addresses/{deposit}/transactions"
    (first,) = service.get(handle)["answers"]
    assert (first["as_of"]["height"], first["cluster"]["size"], first["clustering"]["run"]) == (SWEEP, 12, 1)
    of_transactions = service.get(transactions, limit=1)
    of_members = service.get(f"{handle}/addresses", limit=5)
    swept = of_transactions["answers"][0]["items"][0]["txid"]

    asyncio.run(load_sample(service.instance, home, "btc"))
    (grown,) = service.get(f"btc/addresses/{deposit}")["answers"]
    assert (grown["as_of"]["height"], grown["clustering"]["run"]) == (39, 2)
    rest = service.get(transactions, limit=100, cursor=of_transactions["next"])
    assert len(rest["answers"][0]["items"]) == grown["facts"]["tx_count"] - 1, "blocks on top change no page below"
    (more,) = service.get(f"{handle}/addresses", cursor=of_members["next"])["answers"]
    assert (more["clustering"]["run"], len(more["items"])) == (1, 7), "a list that was begun keeps its run"
    (cited,) = service.get(f"{handle}@1")["answers"]
    assert cited["cluster"] == first["cluster"], "a cited answer is the same"
    assert cited["as_of"] == {**first["as_of"], "final": True}
    assert cited["clustering"]["run"] == 1
    (history,) = service.get(f"{handle}/history")["answers"]
    assert [(item["run"], item["height"], item["size"]) for item in history["items"]] == [(2, 39, 12), (1, SWEEP, 12)]
    assert [item["run"] for item in service.get("runs")["answers"][0]["items"]] == [2, 1]
    of_runs = service.get("runs", limit=1)
    assert [item["run"] for item in service.get("runs", cursor=of_runs["next"])["answers"][0]["items"]] == [1]
    of_transactions = service.get(transactions, limit=1)

    monkeypatch.setattr(opening, "CHECK_SECONDS", 1e9)
    load_fork(service, 12)
    (answer,) = service.get(f"btc/transactions/{rest['answers'][0]['items'][-1]['txid']}")["answers"]
    assert answer["as_of"]["height"] == 41, "a reorganisation between two looks is met with a new look"
    service.problem(404, f"btc/transactions/{swept}")
    assert service.problem(410, transactions, cursor=of_transactions["next"])["type"].endswith("#cursor-expired")
    (loose,) = service.get(f"btc/addresses/{deposit}")["answers"]
    assert (loose["clustering"], loose["cluster"]) == (None, None)
    assert "no clustering" in loose["cluster_note"]
    service.problem(404, handle)
    service.problem(410, f"{handle}/addresses", cursor=of_members["next"])
    assert service.problem(410, f"{handle}@1")["type"].endswith("#run-expired")
    service.problem(404, f"{handle}@9")


def boom(error: Exception) -> Any:
    def raises(*_: object) -> None:
        raise error

    return raises


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (RuntimeError("SECRET"), 500, "internal"),
        (IntegrityError("partition", "SECRET", "SECRET"), 500, "internal"),
        (StoreError("SECRET"), 500, "store"),
        (StoreUnavailable("SECRET"), 503, "store-unavailable"),
    ],
)
def test_a_fault_of_ours_says_nothing_but_where_to_find_it(
    service: Running,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    name: str,
) -> None:
    monkeypatch.setattr(addresses, "address_body", boom(error))
    body = service.problem(status, f"btc/addresses/{service.address('sale', 0)}")
    assert body["type"].endswith(f"#{name}")
    assert "SECRET" not in json.dumps(body)
    (correlation,) = re.findall(r"[0-9a-f]{16}", body["detail"])
    assert correlation in caplog.text
    assert "SECRET" in caplog.text


def test_a_parameter_given_twice_is_refused(service: Running) -> None:
    answer = service.request("GET", "/v1/runs?limit=1&limit=2")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "limit")


def operations(running: Running) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in running.app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_is_described_with_its_errors(service: Running) -> None:
    found = operations(service)
    assert len({operation["operationId"] for _, _, operation in found}) == len(found) >= 11
    for _, path, operation in found:
        assert operation["summary"], path
        assert operation["description"], path
        (success,) = (status for status in operation["responses"] if status in {"200", "201", "202"})
        content = operation["responses"][success]["content"]
        assert "application/json" not in content or content["application/json"]["schema"], path
        assert content, path
        assert "503" in operation["responses"], path
        for status, response in operation["responses"].items():
            of_success = status in {success, "206"}
            assert of_success or list(response["content"]) == ["application/problem+json"], (path, status)
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (path, parameter["name"])


ODD = st.one_of(
    st.text(max_size=30),
    st.integers().map(str),
    st.sampled_from(
        [
            "",
            "\0",
            "../..",
            "';--",
            "9" * 5_000,
            "-1",
            "NaN",
            "1e9",
            "true",
            "null",
            "{}",
            "%00",
            "%_%",
            "\u202e1A",
            "a" * 3_000,
        ]
    ),
)


@given(data=st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_value_of_any_parameter_of_any_operation(service: Running, data: st.DataObject) -> None:
    """Drawn from the service's own description: half of the values are right, the others odd."""
    good = {
        "chain": "btc", "address": service.address("sale", 0), "dataset": "btc", "level": "L0", "limit": "5",
        "as_of": "20", "txid": "00" * 32, "a": service.address("sale", 0), "b": service.address("sale", 1),
    }  # fmt: skip
    method, path, operation = data.draw(st.sampled_from(operations(service)))
    query = {}
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        value = data.draw(st.one_of(ODD, st.just(good.get(name, "x"))), label=name)
        if parameter["in"] == "path":
            path = path.replace("{" + name + "}", quote(value, safe="") or "%20")
        elif parameter["required"] or data.draw(st.booleans()):
            query[name] = value
    if data.draw(st.integers(0, 9)) == 0:
        query[data.draw(ODD)] = data.draw(ODD)
    body = data.draw(bodies) if method == "POST" else None
    answer = service.request(method, path, params=query, content=body)
    assert answer.status_code < 500, (path, query, answer.text)
    kind = "application/json" if answer.status_code == 200 else "application/problem+json"
    assert answer.headers["content-type"] == kind
    json.loads(answer.content)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
bodies = st.one_of(
    st.binary(max_size=60),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.lists(st.text(max_size=90), max_size=5).map(lambda rows: json.dumps({"addresses": rows}).encode()),
    st.sampled_from([b"", b'{"addresses": ["\\ud800"]}', b'{"addresses": ["x"], "addresses": []}', b"9" * 100_000]),
)


@given(body=bodies)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_of_a_lookup(service: Running, body: bytes) -> None:
    answer = service.request("POST", "/v1/lookup", content=body)
    assert answer.status_code in (200, 404, 422), (body, answer.text)


def test_paths_outside_the_routes_are_problems(service: Running, tmp_path: Path) -> None:
    for path in ("/", "/v1", "/v1/", "/v1/health/", "//v1/health", "/V1/health", "/v2/health", "/metrics"):
        answer = service.request("GET", path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path
    for method in ("HEAD", "PUT", "OPTIONS", "PATCH"):
        assert service.request(method, "/v1/health").status_code == 405
