"""Sales whose money is collected first and whose tokens are given later (S2 of the research catalogue, 5.1).

It claims that an address took money of many and that one issuer later gave most of them one token, the more the more
they had paid. Without the tokens, round amounts make a lead and never a finding: a collection for anything else, a
donation too, has the same form.

How it fails. Who was given the token at another address than they paid from is not seen, nor who paid from an
exchange, which has one address for many customers; both lower the share that was served. Tokens that are given while
others still pay do not count. Where everybody paid the same, no rank tells who was given how much, and only a lead is
left. A reward for a deposit that is never given back, and a free distribution by what people had once paid to an
address, look like a presale.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from chain import uint256
from chain.ethereum.model import Status
from chain.model import I64, Array
from clustering.detect import legs
from clustering.detect import parameters as p
from clustering.detect.inflows import Collection, Transfers, collections
from clustering.detect.legs import TokenLegs, succeeded
from clustering.ethereum.ledger import NOBODY, EthereumLedger

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Distribution:
    """One token of one issuer, given to those who had paid."""

    issuer: int
    token: int
    """Asset id."""
    served: int
    """Distinct senders who got some."""
    tokens: int
    """Given to them, exact base units."""
    rank_ppm: int
    """Spearman's correlation of paid and given, over the served, in parts per million."""
    first_time: int
    last_time: int
    one_for_one: int
    """Senders who got as many base units as they had paid."""


@dataclass(frozen=True, slots=True)
class Presale:
    """A collection and the distribution that followed it: ids of the dataset, exact base units."""

    address: int
    asset: int
    """What was paid with."""
    payments: Transfers
    senders: int
    first_time: int
    last_time: int
    received: int
    """Gross, within the window."""
    sent_on: int
    """Within the window."""
    returned: int
    """To senders, from the first payment on."""
    given: Distribution
    tied: bool
    """Whether the address is the issuer, or paid or called the issuer or the token's contract. Where it never did,
    payers and issuer alone can have made the form, without whoever holds the address."""

    @property
    def net(self) -> int:
        return self.received - self.returned


@dataclass(frozen=True, slots=True)
class SuspectedCollection:
    """A lead: many paid an address round amounts, which stayed there. Nothing says what for."""

    address: int
    asset: int
    payments: int
    senders: int
    first_time: int
    last_time: int
    received: int
    sent_on: int
    round_percent: int


@dataclass(frozen=True, slots=True)
class NoPresale:
    """A collection with a distribution that is none of a sale, and why."""

    address: int
    asset: int
    token: int
    first_time: int
    payments: int
    senders: int
    reason: str


def find_presales(ledger: EthereumLedger) -> tuple[list[Presale], list[NoPresale], list[SuspectedCollection]]:
    """Presales, forms that are none, and leads, each in order of the first payment, then of the address."""
    transfers = legs.token_legs(ledger)
    order = np.argsort(transfers.target, kind="stable")
    by_target = transfers.target[order], order
    found: list[Presale | NoPresale | SuspectedCollection] = []
    for each in collections(ledger, transfers):
        if _sent_on(each) * 100 > p.PRESALE_OUTFLOW_PERCENT * each.inflow.total:
            continue
        judged = _judge(ledger, each, _distribution(ledger, transfers, by_target, each))
        if judged is not None:
            found.append(judged)
    found.sort(key=lambda each: (each.first_time, each.address, each.asset))
    return (
        [each for each in found if isinstance(each, Presale)],
        [each for each in found if isinstance(each, NoPresale)],
        [each for each in found if isinstance(each, SuspectedCollection)],
    )


def _judge(
    ledger: EthereumLedger, found: Collection, given: Distribution | None
) -> Presale | NoPresale | SuspectedCollection | None:
    times = ledger.tx_time[found.inflow.tx]
    start, end, received = int(times[0]), int(times[-1]), found.inflow.total
    sent_on = _sent_on(found)
    address, asset, payments, senders = found.address, found.asset, len(found.inflow), len(found.senders)
    returned = found.outflow.take(np.isin(found.outflow.other, found.senders)).total
    if given is not None:
        why = _flaw(given, received, returned)
        if why is not None:
            return NoPresale(address, asset, given.token, start, payments, senders, why)
        tied = _tied(ledger, address, given)
        return Presale(
            address, asset, found.inflow, senders, start, end, received, sent_on, returned, given, tied
        )  # fmt: skip
    percent = round_percent(found.inflow)
    if returned * 100 > p.PRESALE_RETURNED_PERCENT * received or percent < p.COLLECTION_ROUND_PERCENT:
        return None
    return SuspectedCollection(address, asset, payments, senders, start, end, received, sent_on, percent)


def _sent_on(found: Collection) -> int:
    """What left the address before its last payment came in."""
    return found.outflow.take(found.outflow.tx <= found.inflow.tx[-1]).total


def _tied(ledger: EthereumLedger, address: int, given: Distribution) -> bool:
    ends = {given.issuer, int(ledger.asset_contract[given.token])} - {NOBODY, ledger.zero_address}
    moved = succeeded(ledger) & (ledger.move_from == address) & np.isin(ledger.move_to, list(ends))
    called = (ledger.tx_from == address) & np.isin(ledger.tx_to, list(ends)) & (ledger.tx_status != Status.FAILED)
    return address in ends or bool(moved.any()) or bool(called.any())


def _flaw(given: Distribution, received: int, returned: int) -> str | None:
    if returned * 100 > p.PRESALE_RETURNED_PERCENT * received:
        return "deposit: most of the money went back to those who had sent it"
    if given.one_for_one * 100 >= p.PRESALE_PARITY_PERCENT * given.served:
        return "parity: one base unit for one, as bridges and claims give"
    return None


def _distribution(
    ledger: EthereumLedger, transfers: TokenLegs, by_target: tuple[I64, I64], found: Collection
) -> Distribution | None:
    """The token and issuer that served most senders by what they had paid, None where none did."""
    rows, sender = _given_to(by_target, found.senders)
    later = (transfers.tx[rows] > found.inflow.tx[-1]) & (transfers.asset[rows] != found.asset)
    later &= transfers.source[rows] != found.address if found.asset else True
    rows, sender = rows[later], sender[later]
    if not len(rows):
        return None
    pairs, group = np.unique(
        np.stack((transfers.source[rows], transfers.asset[rows]), axis=1), axis=0, return_inverse=True
    )
    group = group.reshape(-1)
    of_sender = np.unique(np.stack((group, sender), axis=1), axis=0)
    served = np.bincount(of_sender[:, 0], minlength=len(pairs))
    best: Distribution | None = None
    for place in np.flatnonzero(served * 100 >= p.PRESALE_SERVED_PERCENT * len(found.senders)).tolist():
        mine = group == place
        each = _measured(ledger, transfers, rows[mine], sender[mine], found.paid())
        if each.rank_ppm >= p.PRESALE_RANK_PPM and (best is None or _merit(each) > _merit(best)):
            best = each
    return best


def _merit(given: Distribution) -> tuple[int, int, int, int]:
    return given.served, given.rank_ppm, -given.token, -given.issuer


def _measured(ledger: EthereumLedger, transfers: TokenLegs, rows: I64, sender: I64, paid: list[int]) -> Distribution:
    served, group = np.unique(sender, return_inverse=True)
    got = uint256.sums_by(group.reshape(-1), transfers.value[rows], len(served))
    put = [paid[one] for one in served.tolist()]
    times = ledger.tx_time[transfers.tx[rows]]
    return Distribution(
        issuer=int(transfers.source[rows[0]]),
        token=int(transfers.asset[rows[0]]),
        served=len(served),
        tokens=sum(got),
        rank_ppm=rank_correlation(put, got),
        first_time=int(times.min()),
        last_time=int(times.max()),
        one_for_one=sum(a == b for a, b in zip(put, got, strict=True)),
    )


def _given_to(by_target: tuple[I64, I64], senders: I64) -> tuple[I64, I64]:
    """Rows of token legs to the senders, and which sender each is to."""
    targets, order = by_target
    first, last = np.searchsorted(targets, senders), np.searchsorted(targets, senders, side="right")
    count = last - first
    place = np.repeat(first - np.cumsum(count) + count, count) + np.arange(int(count.sum()))
    return order[place], np.repeat(np.arange(len(senders)), count)


def rank_correlation(first: list[int], second: list[int]) -> int:
    """Spearman's rho of exact amounts in parts per million, ties at their mean rank; 0 where one side is constant."""
    a, b = _ranks(first), _ranks(second)
    count = len(a)
    spread = [count * int(np.dot(x, x)) - int(x.sum()) ** 2 for x in (a, b)]
    if not spread[0] or not spread[1]:
        return 0
    shared = count * int(np.dot(a, b)) - int(a.sum()) * int(b.sum())
    return abs(shared) * MILLION**2 // isqrt(spread[0] * spread[1] * MILLION**2) * (1 if shared >= 0 else -1)


def _ranks(amounts: list[int]) -> I64:
    """[n] twice the rank of each, ties at the mean."""
    place = {amount: number for number, amount in enumerate(sorted(set(amounts)))}
    level: Array = np.array([place[amount] for amount in amounts], np.int64)
    counts = np.bincount(level, minlength=1)
    found: I64 = (2 * np.cumsum(counts) - counts + 1)[level] if len(level) else level
    return found


def round_percent(payments: Transfers) -> int:
    """How many of a hundred payments have at most `COLLECTION_DIGITS` digits before their zeros."""
    amounts, counts = np.unique(payments.value, axis=0, return_counts=True)
    digits = (len(str(amount).rstrip("0")) for amount in uint256.to_ints(amounts))
    few = np.fromiter((count <= p.COLLECTION_DIGITS for count in digits), np.bool_, len(amounts))
    return int(counts[few].sum()) * 100 // max(1, len(payments))
