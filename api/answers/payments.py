"""Payments of an amount within a time: what a complaint describes ("1.5 BTC on the evening of the 12th").

Of Bitcoin each output is a payment, of Ethereum each movement of a value or a token. Nothing is guessed: people round,
subtract fees, and confuse time zones, so `tolerance` widens the amount and the window is the asker's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import numpy as np
from typing_extensions import TypedDict

from api.answers import text
from api.answers.ethereum import ETHER, ETHER_DECIMALS, open_datasets
from api.answers.shapes import Limit
from api.answers.view import DatasetView, InvalidParameter
from chain.errors import AddressError
from chain.ethereum import address as codec
from chain.model import hash_text
from chain.store.ethereum import EthereumDataset, EthereumStore
from chain.store.postgres import Connection

MAX_PAYMENTS = 1_000
"""Payments that are listed."""

MAX_AMOUNT = 2**256 - 1
MAX_DIGITS = 160
MAX_PRECISION = 2 * MAX_DIGITS + 255
"""Digits of an amount with the decimals that a token may state."""


class Payment(TypedDict):
    """One output or movement."""

    dataset: str
    txid: str
    n: int
    """The output's place in the transaction; the movement's number within it"""
    time: str | None
    height: int | None
    value: str
    asset: str
    decimals: int | None
    sender: str | None
    """Null on Bitcoin: a transaction's inputs pay together"""
    recipient: str | None


class PaymentsBody(TypedDict):
    """Payments in the order of their chains."""

    asked: dict[str, Any]
    datasets: list[str]
    items: list[Payment]
    limits_hit: list[Limit]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for. `low` and `high`: base units, both included; `since` and `until`: seconds, both included."""

    asset: str
    amount: Decimal
    tolerance: Decimal
    since: int
    until: int

    def units(self, decimals: int) -> tuple[int, int]:
        """(low, high) in base units. InvalidParameter where the amount is finer than a unit."""
        with localcontext(prec=MAX_PRECISION):  # the default rounds to 28 digits
            exact, spread = self.amount.scaleb(decimals), int(self.tolerance.scaleb(decimals))
            if exact != exact.to_integral_value():
                raise InvalidParameter("amount", f"{self.asset} has {decimals} decimals")
        return max(0, int(exact) - spread), min(MAX_AMOUNT, int(exact) + spread)


def read_asked(amount: str, asset: str, since: str, until: str, tolerance: str = "0") -> Asked:
    """InvalidParameter names what is wrong."""
    start, end = _moment("between", since, end=False), _moment("between", until, end=True)
    if start > end:
        raise InvalidParameter("between", "its end is before its beginning")
    name = asset.strip()
    if not name:
        raise InvalidParameter("asset", "it is BTC, ETH, or the address of a token's contract")
    if name.upper() in (text.ASSET, ETHER):
        name = name.upper()
    else:
        try:
            name = codec.encode(codec.decode(name))
        except AddressError as error:
            raise InvalidParameter("asset", f"it is BTC, ETH, or the address of a token's contract: {error}") from error
    return Asked(name, _decimal("amount", amount), _decimal("tolerance", tolerance), start, end)


def _decimal(name: str, written: str) -> Decimal:
    try:
        value = Decimal(written.replace(",", "").replace("_", "")) if len(written) <= MAX_DIGITS else Decimal("NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0 or value.adjusted() > MAX_DIGITS:
        raise InvalidParameter(name, f"{written[:40]!r} is no amount as 1.5")
    return value


def _moment(name: str, written: str, *, end: bool) -> int:
    """Seconds since 1970: of a day in UTC its first or last second, else the time, with its zone or in UTC."""
    try:
        if len(written) == len("2017-06-12"):
            day = date.fromisoformat(written)
            found = datetime.combine(day, time(), UTC) + (timedelta(days=1, seconds=-1) if end else timedelta())
        else:
            found = datetime.fromisoformat(written)
            found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return int(found.timestamp())
    except (ValueError, OverflowError):
        raise InvalidParameter(
            name, f"{written[:40]!r} is no time as 2017-06-12 or 2017-06-12T18:30:00+08:00"
        ) from None


def bitcoin_payments(views: Sequence[DatasetView], asked: Asked, most: int = MAX_PAYMENTS) -> list[Payment]:
    """Outputs in chain order, at most `most` + 1. Vectorised over the outputs of the blocks of the time."""
    low, high = asked.units(text.DECIMALS)
    found: list[Payment] = []
    for view in views:
        columns = view.columns
        inside = (columns.block_time >= asked.since) & (columns.block_time <= asked.until)
        blocks = np.flatnonzero(inside)
        if not len(blocks) or low > np.iinfo(np.int64).max:
            continue
        first_tx = int(columns.block_first_tx[blocks[0]])
        last_tx = _after(columns.block_first_tx, int(blocks[-1]), columns.tx_count)
        start = int(columns.tx_first_output[first_tx]) if first_tx < columns.tx_count else columns.output_count
        end = _after(columns.tx_first_output, last_tx - 1, columns.output_count)
        value = columns.output_value[start:end]
        rows = start + np.flatnonzero((value >= low) & (value <= min(high, int(np.iinfo(np.int64).max))))
        tx = np.searchsorted(columns.tx_first_output, rows, side="right") - 1
        keep = inside[columns.tx_block[tx]]
        for row, of in zip(rows[keep][: most + 1].tolist(), tx[keep][: most + 1].tolist(), strict=True):
            found.append(_output(view, row, of))
    return found


def _after(first: Any, place: int, count: int) -> int:
    """Where what belongs to a row ends, by where that of the next begins."""
    return int(first[place + 1]) if place + 1 < len(first) else count


def _output(view: DatasetView, row: int, tx: int) -> Payment:
    columns = view.columns
    block = int(columns.tx_block[tx])
    height = int(columns.block_height[block])
    owner = int(columns.output_address[row])
    return {
        "dataset": view.name, "txid": hash_text(columns.tx_txid[tx].tobytes()),
        "n": row - int(columns.tx_first_output[tx]), "time": text.moment(int(columns.block_time[block])),
        "height": height if height >= 0 else None, "value": str(int(columns.output_value[row])), "asset": text.ASSET,
        "decimals": text.DECIMALS, "sender": None, "recipient": None if owner < 0 else view.address(owner),
    }  # fmt: skip


async def ethereum_payments(
    connection: Connection, datasets: Iterable[EthereumDataset], asked: Asked, most: int = MAX_PAYMENTS
) -> tuple[list[Payment], list[str]]:
    """Movements in order, at most `most` + 1 of a dataset, and what could not be asked."""
    store = EthereumStore(connection)
    found: list[Payment] = []
    notes: list[str] = []
    for each in datasets:
        contract = None if asked.asset == ETHER else codec.decode(asked.asset)
        asset = await store.fungible(each, contract)
        if asset is None:
            notes.append(f"{each.name}: {asked.asset} is not observed there")
            continue
        decimals = ETHER_DECIMALS if contract is None else asset[1]
        if decimals is None:
            notes.append(f"{each.name}: decimals of {asked.asset} are not stated: the amount was taken as base units")
        low, high = asked.units(decimals or 0)
        rows = await store.payments(each, asset[0], low, high, asked.since, asked.until, most + 1)
        found += [_movement(each.name, asked.asset, decimals, row) for row in rows]
    return found, notes


def _movement(dataset: str, asset: str, decimals: int | None, row: Any) -> Payment:
    return {
        "dataset": dataset, "txid": f"0x{row['hash'].hex()}", "n": row["place"], "time": text.moment(row["time"]),
        "height": row["height"], "value": str(int(row["value"])), "asset": asset, "decimals": decimals,
        "sender": None if row["sender"] is None else codec.encode(row["sender"]),
        "recipient": None if row["recipient"] is None else codec.encode(row["recipient"]),
    }  # fmt: skip


async def payments_body(
    connection: Connection, views: Sequence[DatasetView], asked: Asked, dataset: str | None = None
) -> PaymentsBody:
    """All that is found, in order. NotFound where there is no such dataset."""
    notes: list[str] = []
    if asked.asset == text.ASSET:
        names = [view.name for view in views]
        found = await asyncio.to_thread(bitcoin_payments, views, asked)
    else:
        datasets = await open_datasets(connection, dataset)
        names = [each.name for each in datasets]
        found, notes = await ethereum_payments(connection, datasets, asked)
    limits: list[Limit] = []
    if len(found) > MAX_PAYMENTS:
        more = "there are more: narrow the time or the amount"
        limits = [{"limit": "payments", "value": MAX_PAYMENTS, "detail": more}]
    return {
        "asked": {
            "asset": asked.asset, "amount": str(asked.amount), "tolerance": str(asked.tolerance),
            "since": text.moment(asked.since), "until": text.moment(asked.until),
        },
        "datasets": names, "items": found[:MAX_PAYMENTS], "limits_hit": limits, "notes": notes,
    }  # fmt: skip
