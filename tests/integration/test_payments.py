"""Payments that a complaint describes, and cut-off addresses, found in real ledgers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.answers.payments import Asked, read_asked
from api.answers.view import InvalidParameter
from api.cli import app
from api.instance import Instance, open_instance
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from clustering.simulate.sample import COIN, Sample
from tests.integration.loaded import load_sample
from tests.integration.test_exposure import addresses
from tests.integration.test_relations import ACCOUNT, ETHER, VICTIMS, load, rows

DAY = "2017-07-14"
"""1,500,000,000 seconds."""

TOKEN = "0x" + "7" * 40
TRANSFERS = "token_address,from_address,to_address,value,transaction_hash,log_index,block_number,block_timestamp"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Instance, Sample]]:
    home = tmp_path_factory.mktemp("payments")
    instance = asyncio.run(open_instance(Settings(home=home, database_url=None)))
    sample = asyncio.run(load_sample(instance, home, "btc"))
    transfer = f"{TOKEN},{VICTIMS[0]},{ACCOUNT},{2**256 - 1},0x{0x1000:064x},5,10,1500000150"
    load(instance, home / "one", rows(VICTIMS), token_transfers=[TRANSFERS, transfer])
    yield instance, sample
    EmbeddedPostgres(home).stop()


def typed(instance: Instance, *words: str) -> Any:
    return CliRunner().invoke(app, list(words), env={"HEADWATER_HOME": str(instance.home)})


def find(instance: Instance, amount: str, asset: str, since: str, until: str, *more: str) -> Any:
    words = ["tx", "find", "--amount", amount, "--asset", asset, "--between", since, until, "--format", "json", *more]
    result = typed(instance, *words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_bitcoin_outputs_of_an_amount(loaded: tuple[Instance, Sample]) -> None:
    instance, sample = loaded
    body = find(instance, "1", "btc", "2023-11-14", "2023-11-16")
    assert body["items"]
    assert {each["value"] for each in body["items"]} == {str(COIN)}
    assert {each["recipient"] for each in body["items"]} & set(addresses(sample, "sale"))
    assert body["asked"]["since"] == "2023-11-14T00:00:00Z"
    assert body["asked"]["until"] == "2023-11-16T23:59:59Z"
    one = body["items"][0]["time"]
    same = find(instance, "1", "BTC", one, one)["items"]
    assert same
    assert {each["time"] for each in same} == {one}
    assert find(instance, "1", "BTC", "2020-01-01", "2020-12-31")["items"] == []
    wider = find(instance, "1", "BTC", "2023-11-14", "2023-11-16", "--tolerance", "5")["items"]
    assert len(wider) > len(body["items"])
    assert all(abs(int(each["value"]) - COIN) <= 5 * COIN for each in wider)


def test_ether_and_tokens_to_the_last_unit(loaded: tuple[Instance, Sample]) -> None:
    instance, _ = loaded
    body = find(instance, "2", "ETH", DAY, DAY)
    assert [each["sender"].lower() for each in body["items"]] == VICTIMS
    assert {each["recipient"].lower() for each in body["items"]} == {ACCOUNT}
    near = find(instance, "2", "ETH", DAY, DAY, "--tolerance", "0.000000000000000009")
    assert len(near["items"]) == 2 * len(VICTIMS)  # and what went on, 9 wei less
    assert find(instance, "1.999999999999999991", "ETH", DAY, DAY)["items"][0]["value"] == str(2 * ETHER - 9)
    zoned = find(instance, "2", "ETH", "2017-07-14T10:43:00+08:00", "2017-07-14T02:44:00Z")
    assert 0 < len(zoned["items"]) < len(VICTIMS)
    whole = find(instance, str(2**256 - 1), TOKEN, DAY, DAY)
    assert [each["value"] for each in whole["items"]] == [str(2**256 - 1)]
    assert "base units" in whole["notes"][0]
    assert "not observed" in find(instance, "1", ACCOUNT, DAY, DAY)["notes"][0]


@pytest.mark.parametrize(
    ("amount", "asset", "since", "until", "name"),
    [
        ("1.123456789", "BTC", DAY, DAY, "amount"),
        ("-1", "BTC", DAY, DAY, "amount"),
        ("NaN", "BTC", DAY, DAY, "amount"),
        ("1e999999999", "BTC", DAY, DAY, "amount"),
        ("9" * 1_000, "BTC", DAY, DAY, "amount"),
        ("1", "DOGE", DAY, DAY, "asset"),
        ("1", "", DAY, DAY, "asset"),
        ("1", "BTC", "yesterday", DAY, "between"),
        ("1", "BTC", "2017-07-15", DAY, "between"),
        ("1", "BTC", DAY, "9999-99-99", "between"),
    ],
)
def test_what_is_asked_wrongly_is_named(amount: str, asset: str, since: str, until: str, name: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        read_asked(amount, asset, since, until).units(8)
    assert refused.value.name == name


def test_units_stay_within_what_a_token_can_have() -> None:
    asked = Asked("ETH", Decimal(2**256 - 1), Decimal(5), 0, 0)
    assert asked.units(0) == (2**256 - 6, 2**256 - 1)
    assert Asked("ETH", Decimal(1), Decimal(5), 0, 0).units(18) == (0, 6 * 10**18)


def test_cut_off_addresses_are_found_in_the_ledgers(loaded: tuple[Instance, Sample], tmp_path: Path) -> None:
    instance, sample = loaded
    kinds = {each[:4]: each for wallet in ("sale", "collector", "exchange") for each in addresses(sample, wallet)}
    assert len(kinds) > 2
    path = tmp_path / "cut.txt"
    whole = [*kinds.values(), VICTIMS[0]]
    path.write_text("\n".join(f"{each[:12]}…{each[-4:]} {each}" for each in whole))
    result = typed(instance, "scan-text", str(path), "--search", "--format", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    cut = [each for each in found if each["kind"] == "truncated"]
    known = {each["value"]: each["seen_in"] for each in found if each["kind"] == "address"}
    assert len(cut) == len(whole)
    assert set(known.values()) == {"btc", "accounts"}
    for each, address in zip(cut, whole, strict=True):
        assert any("fits" in note and address.lower() in note.lower() for note in each["notes"]), each
    path.write_text("0x1…ab 1A…b2")
    result = typed(instance, "scan-text", str(path), "--search", "--format", "json")
    assert all("not searched" in each["notes"][-1] for each in json.loads(result.stdout))
