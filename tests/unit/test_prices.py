"""Prices: rows that are taken and rows that are not, and what an amount was worth."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from api.prices import HOLDS, Prices, read_prices
from chain.errors import LimitExceeded, MalformedData
from chain.store.prices import StatedPrice

TOKEN = "0x1F573D6Fb3F13d689FF844B4cE37794d79a7FF1C"
HEADER = "asset,time,currency,price,source,method,decimals"


def file_of(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "prices.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def test_a_row_is_a_price(tmp_path: Path) -> None:
    good, bad = read_prices(
        file_of(tmp_path, f"btc,2017-06-12,usd,2900.5,book,close,\n{TOKEN.lower()},1497225600,CNY,3,a,b,18")
    )
    assert (good, bad) == (
        [
            StatedPrice("BTC", "USD", "book", 1497225600, Decimal("2900.5"), 8, "close"),
            StatedPrice(TOKEN, "CNY", "a", 1497225600, Decimal(3), 18, "b"),
        ],
        [],
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("DOGE,2017-06-12,USD,1,a,b,", "0x"),
        ("BTC,2017-06-12,EUR,1,a,b,", "the currency is one of"),
        ("BTC,yesterday,USD,1,a,b,", "no time"),
        ("BTC,99999999999999,USD,1,a,b,", "9999"),
        ("BTC,2017-06-12,USD,-1,a,b,", "no price"),
        ("BTC,2017-06-12,USD,NaN,a,b,", "no price"),
        ("BTC,2017-06-12,USD,=cmd(),a,b,", "no price"),
        ("BTC,2017-06-12,USD,1e999,a,b,", "no price"),
        ("BTC,2017-06-12,USD,,a,b,", "price is empty"),
        ("BTC,2017-06-12,USD,1,a\u202eb,b,", "cannot be printed"),
        ("BTC,2017-06-12,USD,1,a,b,18", "8 decimals"),
        (f"{TOKEN},2017-06-12,USD,1,a,b,", "decimals of a token"),
        (f"{TOKEN},2017-06-12,USD,1,a,b,78", "decimals of a token"),
    ],
)
def test_a_row_that_is_none_says_why(tmp_path: Path, row: str, reason: str) -> None:
    good, (bad,) = read_prices(file_of(tmp_path, "ETH,2017-06-12,USD,400,a,b,", row))
    assert (len(good), bad.row) == (1, 3)
    assert reason in bad.reason


def test_the_same_price_twice_is_taken_once(tmp_path: Path) -> None:
    good, (bad,) = read_prices(file_of(tmp_path, *["ETH,2017-06-12,USD,400,a,b,"] * 2))
    assert (len(good), bad.row) == (1, 3)


def test_a_file_of_other_columns_or_too_many_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MalformedData, match="line 1"):
        read_prices(file_of(tmp_path, header="asset,time,price"))
    monkeypatch.setattr("api.prices.MAX_ROWS", 1)
    with pytest.raises(LimitExceeded, match="prices"):
        read_prices(file_of(tmp_path, *["ETH,2017-06-12,USD,400,a,b,"] * 2))


def test_an_amount_is_worth_what_the_last_price_says_for_two_days() -> None:
    prices = Prices("USD", [StatedPrice("ETH", "USD", "a", 1_000, Decimal("0.1"), 18, "close")])
    assert prices.money("ETH", 15 * 10**17, 999) is None
    found = prices.money("ETH", 15 * 10**17, 1_000 + HOLDS)
    assert found is not None
    assert (found.value, found.source, found.method, found.at) == ("0.15", "a", "close", 1_000)
    assert prices.money("ETH", 10**18, 1_001 + HOLDS) is None
    assert prices.money("BTC", 1, 1_000) is None


def test_money_is_exact_and_rounded_half_to_even() -> None:
    prices = Prices("USD", [StatedPrice("BTC", "USD", "a", 0, Decimal("1"), 8, "close")])
    assert [prices.money("BTC", amount, 0).value for amount in (500_000, 1_500_000)] == ["0.00", "0.02"]  # type: ignore[union-attr]
    most = prices.money("BTC", 2**256 - 1, 0)
    assert most is not None
    assert most.value.replace(".", "")[:60] == str(2**256 - 1)[:60]


def test_the_first_source_by_name_speaks_for_an_asset() -> None:
    stated = [
        StatedPrice("BTC", "USD", source, at, Decimal(price), 8, "m")
        for source, at, price in [("a", 5, 1), ("b", 9, 2)]
    ]
    found = Prices("USD", stated).money("BTC", 10**8, 10)
    assert found is not None
    assert (found.source, found.value) == ("a", "1.00")
