"""The service, asked over HTTP, on the sample chain whose owners are known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.instance import Instance, open_instance
from api.routes.addresses import MAX_BODY
from chain.bitcoin import address as codec
from chain.bitcoin.network import REGTEST
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from clustering.simulate.sample import Sample
from tests.integration.loaded import load_sample

BANNED = ("owner", "criminal", "stolen", "clean", "verdict")
"""EVIDENCE 18; `ownership` stands only in the sentence that denies it."""


class Running:
    """A service with its own event loop, asked from ordinary tests."""

    def __init__(self, instance: Instance, sample: Sample | None = None) -> None:
        self.instance, self._sample = instance, sample
        self.app = create_app(instance)
        self.loop = asyncio.new_event_loop()
        self.lifespan = self.app.router.lifespan_context(self.app)
        self.loop.run_until_complete(self.lifespan.__aenter__())
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://headwater")

    @property
    def sample(self) -> Sample:
        assert self._sample is not None, "this service is over another chain"
        return self._sample

    def close(self) -> None:
        self.loop.run_until_complete(self.client.aclose())
        self.loop.run_until_complete(self.lifespan.__aexit__(None, None, None))
        self.loop.close()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.loop.run_until_complete(self.client.request(method, path, **more))

    def get(self, path: str, **query: object) -> Any:
        answer = self.request("GET", f"/v1/{path}", params={name: str(value) for name, value in query.items()})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def problem(self, status: int, path: str, **query: object) -> Any:
        answer = self.request("GET", f"/v1/{path}", params={name: str(value) for name, value in query.items()})
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert body["status"] == status
        return body

    def address(self, wallet: str, number: int) -> str:
        return codec.encode(self.sample.wallet(wallet).keys[number], REGTEST)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("rest")

    async def prepare() -> tuple[Instance, Sample]:
        instance = await open_instance(Settings(home=home, database_url=None))
        return instance, await load_sample(instance, home, "btc")

    running = Running(*asyncio.run(prepare()))
    yield running
    running.close()
    EmbeddedPostgres(home).stop()


def test_every_answer_says_what_it_rests_on(service: Running) -> None:
    deposit = service.address("sale", 0)
    paths = [
        f"btc/addresses/{deposit}",
        f"btc/addresses/{deposit}/transactions",
        f"btc/clusters/btc/L0/{deposit}@1",
    ]
    paths += [f"btc/clusters/btc/L0/{deposit}@1/{part}" for part in ("addresses", "links", "history")]
    for path in paths:
        (answer,) = service.get(path)["answers"]
        assert answer["dataset"] == "btc"
        assert answer["as_of"]["height"] == 39
        assert answer["clustering"]["run"] == 1
        assert answer["coverage"]["blocks_proven_by_bytes"] == 40
        assert answer["limits_hit"] == []


def test_facts_of_an_address_are_exact_strings(service: Running) -> None:
    (answer,) = service.get(f"btc/addresses/{service.address('sale', 0)}")["answers"]
    facts = answer["facts"]
    assert (facts["asset"], facts["decimals"]) == ("BTC", 8)
    assert facts["received"] == "500000000"
    assert facts["balance"] == "0"
    assert facts["tx_count"] == 4
    assert answer["cluster"]["size"] == 12


def test_an_address_never_seen_is_an_answer(service: Running) -> None:
    body = service.get("btc/addresses/bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080")
    assert body["observed"] is False
    assert body["answers"] == []
    assert body["asked"][0]["as_of"]["height"] == 39


def test_pages_of_members_and_links_reach_every_item_once(service: Running) -> None:
    handle = f"btc/clusters/btc/L0/{service.address('sale', 0)}@1"
    for part, expected in (("addresses", 12), ("links", 11)):
        found, cursor = [], None
        while True:
            page = service.get(f"{handle}/{part}", limit=5, **({"cursor": cursor} if cursor else {}))
            found += [json.dumps(item, sort_keys=True) for item in page["answers"][0]["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert len(found) == len(set(found))
        assert len(found) >= expected
    members = {item["address"] for item in service.get(f"{handle}/addresses")["answers"][0]["items"]}
    assert members == {service.address("sale", number) for number in range(12)}


def test_transactions_page_newest_first(service: Running) -> None:
    path = f"btc/addresses/{service.address('sale', 0)}/transactions"
    first = service.get(path, limit=3)
    rest = service.get(path, limit=3, cursor=first["next"])
    heights = [item["height"] for page in (first, rest) for item in page["answers"][0]["items"]]
    assert heights == sorted(heights, reverse=True)
    assert len(heights) == 4
    assert rest["next"] is None


def test_a_cursor_of_another_list_or_a_forged_one_is_refused(service: Running) -> None:
    path = f"btc/addresses/{service.address('sale', 0)}/transactions"
    cursor = service.get(path, limit=1)["next"]
    other = f"btc/addresses/{service.address('sale', 1)}/transactions"
    assert service.problem(422, other, cursor=cursor)["type"].endswith("#invalid-parameter")
    service.problem(422, path, cursor=cursor[:-4] + "AAAA")
    service.problem(422, path, cursor="x")


def test_explain_connects_deposits_and_not_investors(service: Running) -> None:
    a, b = service.address("sale", 0), service.address("sale", 11)
    body = service.get("btc/explain", a=a, b=b)
    assert body["connected"] is True
    (answer,) = body["answers"]
    assert answer["links"][0]["rate"] == "not measured: never tried on field or emulated data"
    assert "not a finding of ownership or illegality" in answer["statement"]
    txid = answer["links"][0]["txid"]
    rests = service.get(f"btc/transactions/{txid}")["answers"][0]["links"]
    assert any({a, b} & set(link["addresses"]) for link in rests)
    assert service.get("btc/explain", a=a, b=service.address("investor 1", 0))["connected"] is False
    assert service.get("btc/explain", a=a, b=b, as_of=29)["connected"] is False


def test_a_coinjoin_is_named_and_links_nothing(service: Running) -> None:
    address = service.address("investor 1", -1)
    items = service.get(f"btc/addresses/{address}/transactions")["answers"][0]["items"]
    shown = [service.get(f"btc/transactions/{item['txid']}")["answers"][0] for item in items]
    joined = [answer for answer in shown if answer["class"]["name"] != "none"]
    assert joined
    assert all(answer["links"] == [] for answer in joined)


def test_movements_conserve_value(service: Running) -> None:
    for wallet in ("investor 3", "sale", "collector"):
        path = f"btc/addresses/{service.address(wallet, 0)}/transactions"
        for item in service.get(path)["answers"][0]["items"]:
            (movement,) = service.get(f"btc/transactions/{item['txid']}")["answers"][0]["movements"]
            debits = sum(int(debit["value"]) for debit in movement["debits"])
            credits_ = sum(int(credit["value"]) for credit in movement["credits"])
            assert debits == credits_


def test_lookup_gives_each_row_its_own_answer(service: Running) -> None:
    rows = [service.address("sale", 2), "not an address", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"]
    answer = service.request("POST", "/v1/lookup", json={"addresses": rows})
    assert answer.status_code == 200
    found = answer.json()["rows"]
    assert [row["status"] for row in found] == ["ok", "invalid", "ok"]
    assert found[0]["answers"][0]["cluster"]["size"] == 12
    assert found[2]["observed"] is False


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b'{"addresses": "x"}', 422),
        (b'{"addresses": [], "more": 1}', 422),
        (json.dumps({"addresses": ["x"] * 1_001}).encode(), 422),
        (b'{"addresses": [' + b'"x",' * 3_000_000 + b'"x"]}', 413),
        (b"[" * 100_000, 422),
    ],
    ids=["cut", "wrong type", "unknown field", "too many", "too large", "too deep"],
)
def test_a_bad_lookup_is_a_problem(service: Running, body: bytes, status: int) -> None:
    assert len(body) > MAX_BODY or status == 422
    answer = service.request("POST", "/v1/lookup", content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("nowhere", 404, "not-found"),
        ("xmr/addresses/x", 404, "not-found"),
        ("btc/addresses/1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", 422, "invalid-address"),
        ("btc/transactions/zz", 422, "invalid-parameter"),
        ("btc/transactions/" + "00" * 32, 404, "not-found"),
        ("btc/clusters/btc/L9/x", 404, "not-found"),
        ("runs?limit=0", 422, "invalid-parameter"),
        ("runs?limit=1001", 422, "invalid-parameter"),
        ("runs?sort=size", 422, "invalid-parameter"),
    ],
)
def test_errors_are_problems_that_name_the_reason(service: Running, path: str, status: int, name: str) -> None:
    answer = service.request("GET", f"/v1/{path}")
    assert answer.status_code == status
    assert answer.json()["type"].endswith(f"#{name}")


def test_as_of_beyond_the_tip_is_refused_with_the_tip(service: Running) -> None:
    deposit = service.address("sale", 0)
    assert "39" in service.problem(422, f"btc/addresses/{deposit}", as_of=1_000)["detail"]
    service.problem(422, f"btc/addresses/{deposit}", as_of=-1)
    service.problem(422, f"btc/addresses/{deposit}", level="L7")


def test_method_not_allowed_is_a_problem(service: Running) -> None:
    answer = service.request("DELETE", "/v1/runs")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"


def test_no_dense_id_and_no_banned_word_leaves(service: Running) -> None:
    deposit = service.address("sale", 0)
    for path in (f"btc/addresses/{deposit}", f"btc/clusters/btc/L0/{deposit}@1/links", "runs", "health"):
        text = json.dumps(service.get(path)).replace("not a finding of ownership or illegality", "")
        assert not any(f"{word}" in text.lower() for word in BANNED)
        assert not any(name in text for name in ('"tx_id"', '"address_id"', '"output_id"', '"link_id"'))


def test_health_reaches_the_tip(service: Running) -> None:
    body = service.get("health")
    (dataset,) = body["datasets"]
    assert dataset["tip"]["height"] == 39
    assert (dataset["gaps"], dataset["columns_behind"], dataset["clustering_behind"]) == (0, 0, 0)


_ODD = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["\0", "..%2f", "';--", "9" * 400, "-1", "NaN", "{}", "%00", "\u202e1A1z", "a" * 3_000]),
)
_PATHS = ("{0}/addresses/{1}", "btc/addresses/{0}/transactions", "btc/transactions/{0}", "btc/clusters/btc/L0/{0}",
          "btc/clusters/{0}/{1}/{0}/links", "btc/explain?a={0}&b={1}", "runs?chain={0}&cursor={1}",
          "btc/addresses/x?as_of={0}&level={1}")  # fmt: skip


@given(path=st.sampled_from(_PATHS), first=_ODD, second=_ODD)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_is_sent_is_never_a_failure_of_ours(service: Running, path: str, first: str, second: str) -> None:
    where = path.format(quote(first, safe=""), quote(second, safe=""))
    answer = service.request("GET", f"/v1/{where}")
    assert answer.status_code < 500, (where, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_database_away_is_503_and_comes_back(tmp_path: Path) -> None:
    async def prepare() -> tuple[Instance, Sample]:
        instance = await open_instance(Settings(home=tmp_path, database_url=None))
        return instance, await load_sample(instance, tmp_path, "btc", 20)

    running = Running(*asyncio.run(prepare()))
    try:
        EmbeddedPostgres(tmp_path).stop()
        body = running.problem(503, "health")
        assert body["type"].endswith("#store-unavailable")
        EmbeddedPostgres(tmp_path).start()
        assert running.get("health")["status"] == "ok"
    finally:
        running.close()
        EmbeddedPostgres(tmp_path).stop()
