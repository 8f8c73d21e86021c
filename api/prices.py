"""Money of account beside amounts: prices out of a file, and what an amount was worth by them.

A price holds for two days from its time on. Of several sources the first by name speaks, for one asset and currency the
same everywhere. Where there is no price there is no money: never zero.
"""

from __future__ import annotations

import bisect
import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext
from pathlib import Path
from typing import Any

from api.tracing.seeds import read_time
from chain.compressed import read_bytes
from chain.errors import AddressError, LimitExceeded, MalformedData
from chain.ethereum import address as ethereum
from chain.store.postgres import Connection
from chain.store.prices import CURRENCIES, PriceStore, StatedPrice

NEEDED = ("asset", "time", "currency", "price", "source", "method")
COLUMNS = (*NEEDED, "decimals")
NATIVE = {"BTC": 8, "ETH": 18}

MAX_BYTES = 256 << 20
MAX_ROWS = 2_000_000
MAX_TEXT = 200
"""Characters of a source's or a method's name."""

HOLDS = 2 * 86_400
"""Seconds for which a price holds."""

LAST_TIME = 253_402_300_799
_CENT = Decimal("0.01")
_DIGITS = 60
"""Significant digits of a price that are read."""


@dataclass(frozen=True, slots=True)
class RejectedPrice:
    """A row that was not taken, and why."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Money:
    """What an amount was worth, and by what that is said."""

    value: str
    """Rounded half to even, to a hundredth"""
    source: str
    method: str
    at: int


class Prices:
    """The prices of one currency."""

    def __init__(self, currency: str, stated: Iterable[StatedPrice]) -> None:
        self.currency = currency
        self._of: dict[str, list[StatedPrice]] = {}
        for each in stated:
            mine = self._of.setdefault(each.asset, [])
            if not mine or mine[0].source == each.source:
                mine.append(each)
        self._times = {asset: [each.at for each in mine] for asset, mine in self._of.items()}

    @classmethod
    async def read(cls, connection: Connection, currency: str) -> Prices:
        return cls(currency, await PriceStore(connection).of_currency(currency))

    def money(self, asset: str, amount: int, at: int) -> Money | None:
        """What `amount` base units were worth at a time; None where no price holds."""
        place = bisect.bisect_right(self._times.get(asset, []), at) - 1
        if place < 0 or at - self._times[asset][place] > HOLDS:
            return None
        price = self._of[asset][place]
        with localcontext(prec=200):
            worth = (Decimal(amount) * price.price).scaleb(-price.decimals).quantize(_CENT, ROUND_HALF_EVEN)
        return Money(f"{worth:f}", price.source, price.method, price.at)

    def inputs(self) -> Mapping[str, Any]:
        """What results record of the prices that they rest on."""
        digest = hashlib.sha256()
        for asset, mine in sorted(self._of.items()):
            lines = (f"{asset},{each.at},{each.price},{each.decimals},{each.source}\n" for each in mine)
            digest.update("".join(lines).encode())
        return {"prices": {"currency": self.currency, "sha256": digest.hexdigest()}}


def read_prices(path: Path) -> tuple[list[StatedPrice], list[RejectedPrice]]:
    """The prices of a CSV file, which may be compressed; MalformedData, or LimitExceeded `prices`."""
    try:
        text = read_bytes(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedData(f"{path}: it is not UTF-8 (byte {error.start})") from error
    rows = csv.reader(io.StringIO(text, newline=""))
    names = [name.strip().lower() for name in next(rows, [])]
    if [name for name in names if name not in COLUMNS] or set(NEEDED) - set(names):
        raise MalformedData(f"{path}: line 1 names the columns {', '.join(NEEDED)}, and decimals of a token")
    good: dict[tuple[str, str, str, int], StatedPrice] = {}
    bad = []
    for number, row in enumerate(rows, 2):
        if number - 1 > MAX_ROWS:
            raise LimitExceeded(f"prices: a file has at most {MAX_ROWS} rows")
        if not row:
            continue
        try:
            price = _read(dict(zip(names, (cell.strip() for cell in row), strict=False)))
        except (ValueError, AddressError) as error:
            bad.append(RejectedPrice(number, str(error)))
            continue
        key = price.asset, price.currency, price.source, price.at
        if key in good:
            bad.append(RejectedPrice(number, "the same asset, currency, source and time as in an earlier row"))
        else:
            good[key] = price
    return list(good.values()), bad


def _read(row: Mapping[str, str]) -> StatedPrice:
    """One row; ValueError or AddressError says what is wrong with it."""
    missing = [name for name in NEEDED if not row.get(name)]
    if missing:
        raise ValueError(f"{missing[0]} is empty")
    asset = row["asset"].upper() if row["asset"].upper() in NATIVE else ethereum.encode(ethereum.decode(row["asset"]))
    if row["currency"].upper() not in CURRENCIES:
        raise ValueError(f"the currency is one of {', '.join(CURRENCIES)}")
    for name in ("source", "method"):
        if len(row[name]) > MAX_TEXT or not row[name].isprintable():
            raise ValueError(f"{name} has more than {MAX_TEXT} characters, or some that cannot be printed")
    stated = row.get("decimals") or str(NATIVE.get(asset, ""))
    if not stated.isascii() or not stated.isdecimal() or int(stated) > 77:
        raise ValueError("decimals of a token are a whole number, 77 at most")
    if asset in NATIVE and int(stated) != NATIVE[asset]:
        raise ValueError(f"{asset} has {NATIVE[asset]} decimals")
    at = read_time(row["time"])
    if at > LAST_TIME:
        raise ValueError("a time after the year 9999")
    return StatedPrice(
        asset, row["currency"].upper(), row["source"], at, _price(row["price"]), int(stated),
        row["method"],
    )  # fmt: skip


def _price(text: str) -> Decimal:
    try:
        price = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text[:40]!r} is no price") from None
    if not price.is_finite() or price < 0 or len(price.as_tuple().digits) > _DIGITS or abs(price.adjusted()) > _DIGITS:
        raise ValueError(f"{text[:40]!r} is no price")
    return price


async def prices_of(connection: Connection, currency: str | None) -> Prices | None:
    """The prices that are asked for; None where none are."""
    return None if currency is None else await Prices.read(connection, currency)
