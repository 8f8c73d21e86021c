"""Prices in Postgres. A price that is stated again replaces the one that stood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chain.store.postgres import Connection, queries

CURRENCIES = ("CNY", "USD")


@dataclass(frozen=True, slots=True)
class StatedPrice:
    """What one whole unit (10^decimals base units) of an asset was worth."""

    asset: str
    currency: str
    source: str
    at: int
    """Seconds since 1970"""
    price: Decimal
    decimals: int
    method: str


class PriceStore:
    """Prices of one connection's database."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = queries("prices")

    async def add(self, prices: Sequence[StatedPrice]) -> None:
        """All of them, or none."""
        columns = [[getattr(each, name) for each in prices] for name in StatedPrice.__dataclass_fields__]
        await self.connection.execute(self._sql["add"], *columns)

    async def of_currency(self, currency: str) -> list[StatedPrice]:
        """By asset, source and time."""
        rows = await self.connection.fetch(self._sql["of_currency"], currency)
        return [
            StatedPrice(
                row["asset"], currency, row["source"], row["at_time"], Decimal(row["price"]), row["decimals"],
                row["method"],
            )
            for row in rows
        ]  # fmt: skip

    async def kept(self) -> list[dict[str, Any]]:
        """How many there are, by asset, currency, source and method."""
        return [dict(row) for row in await self.connection.fetch(self._sql["kept"])]
