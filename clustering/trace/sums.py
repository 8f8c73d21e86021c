"""Sums over what a run found, and the equation that it must meet: seeded = live + stopped + fees + burned.

What was given for another asset is stopped (`End.CONVERTED`); what was received for it is added to what was seeded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain import uint256
from chain.errors import HeadwaterError
from chain.model import I64, Array
from clustering.trace.ends import End
from clustering.trace.movements import Movements
from clustering.trace.run import Traced


class Imbalance(HeadwaterError):
    """Traced money was lost or made: a mistake of ours. No result is given."""

    problem_type = "imbalance"


_SUMS = (End.LIVE, End.FEE, End.BURNED, End.LIMIT)


@dataclass(frozen=True, slots=True)
class Balance:
    """One seed's money of one asset (or, in a union, everybody's, each unit once)."""

    seed: int
    """-1 in a union"""
    asset: int
    seeded: int
    ends: dict[End, int]
    received: int = 0
    """Got in conversions for traced money of other assets"""

    @property
    def live(self) -> int:
        return self.ends.get(End.LIVE, 0)

    @property
    def fees(self) -> int:
        return self.ends.get(End.FEE, 0)

    @property
    def burned(self) -> int:
        return self.ends.get(End.BURNED, 0)

    @property
    def cut_short(self) -> int:
        """What lay somewhere when a limit cut the run."""
        return self.ends.get(End.LIMIT, 0)

    @property
    def stops(self) -> dict[End, int]:
        """What is none of these, by what stopped it."""
        return {end: value for end, value in self.ends.items() if end not in _SUMS}

    @property
    def stopped(self) -> int:
        return sum(self.stops.values())


@dataclass(frozen=True, slots=True)
class Rows:
    """Where money ended, one row for each claim, in one list: flows that end, and what lies somewhere."""

    claim: I64
    holding: I64
    """The holding that it is in or ended at; `Side` or, where a movement stopped all, the holding that paid"""
    debit: I64
    """-1 for what lies somewhere"""
    credit: I64
    """-1 for what lies somewhere and where a movement stopped all"""
    hops: I64
    end: I64
    amount: Array


def ended(movements: Movements, found: Traced) -> Rows:
    """Every end of the run."""
    flows = found.flows
    over = np.flatnonzero((flows.end > 0) & (flows.end != End.RECEIVED))
    debit, credit = flows.debit[over], flows.credit[over]
    holding = np.where(credit >= 0, movements.credit_holding[credit], movements.debit_holding[debit])
    live = np.full(len(found.live_holding), -1, np.int64)
    reason = np.where(found.moved_on, int(End.DATE), int(End.LIVE if found.cut is None else End.LIMIT))
    return Rows(
        np.concatenate((flows.claim[over], found.live_claim)), np.concatenate((holding, found.live_holding)),
        np.concatenate((debit, live)), np.concatenate((credit, live)),
        np.concatenate((flows.hops[over], found.live_hops)),
        np.concatenate((flows.end[over], reason.astype(np.int64))),
        np.concatenate((flows.amount[over], found.live_amount)),
    )  # fmt: skip


def by_seed(found: Traced, claim: I64) -> tuple[I64, I64]:
    """For rows of claims: the row and the seed of each (row, claimant)."""
    first = found.first_claimant
    counts = (first[1:] - first[:-1])[claim]
    row = np.repeat(np.arange(len(claim)), counts)
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))[:-1]
    place = np.arange(len(row)) - np.repeat(offsets, counts) + np.repeat(first[claim], counts)
    return row, found.claimant[place].astype(np.int64)


def totals(keys: list[Array], amount: Array) -> dict[tuple[int, ...], int]:
    """Exact sums of amounts by the rows of `keys`."""
    if not len(amount):
        return {}
    names, group = np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)
    words = amount.astype(np.uint64).reshape(len(amount), -1)
    found = uint256.sums_by(group.reshape(-1), words, len(names))
    return {tuple(name): value for name, value in zip(names.tolist(), found, strict=True)}


def balances(movements: Movements, asset: I64, found: Traced) -> list[Balance]:
    """Each seed's sums by asset; `asset` [H] of each holding. Imbalance where the equation does not hold."""
    rows = ended(movements, found)
    row, seed = by_seed(found, rows.claim)
    ends = totals([seed, _assets(movements, asset, rows)[row], rows.end[row]], rows.amount[row])
    sown = totals([found.sown.seed, _sown_assets(movements, asset, found)], found.sown.amount)
    got = _received(found)
    row, seed = by_seed(found, found.flows.claim[got])
    assets = asset[movements.credit_holding[found.flows.credit[got]]]
    return _balanced(sown, totals([seed, assets[row]], found.flows.amount[got][row]), ends)


def union(movements: Movements, asset: I64, found: Traced) -> list[Balance]:
    """All seeds together, each unit counted for its first claimant alone."""
    rows = ended(movements, found)
    everybody = np.full(len(rows.claim), -1, np.int64)
    ends = totals([everybody, _assets(movements, asset, rows), rows.end], rows.amount)
    fresh = np.flatnonzero(found.sown.claim == 0)
    assets = _sown_assets(movements, asset, found)[fresh]
    sown = totals([np.full(len(fresh), -1, np.int64), assets], found.sown.amount[fresh])
    got = _received(found)
    assets = asset[movements.credit_holding[found.flows.credit[got]]]
    return _balanced(sown, totals([np.full(len(got), -1, np.int64), assets], found.flows.amount[got]), ends)


def _received(found: Traced) -> I64:
    """The flows that say what was received in conversions."""
    return np.flatnonzero(found.flows.end == End.RECEIVED)


def _assets(movements: Movements, asset: I64, rows: Rows) -> I64:
    """The asset of each row: that of the holding that paid, or that it lies in."""
    payer = np.where(rows.debit >= 0, movements.debit_holding[rows.debit], rows.holding)
    return asset[payer]


def _sown_assets(movements: Movements, asset: I64, found: Traced) -> I64:
    row = found.sown.row
    holding = np.where(row >= 0, movements.credit_holding[row], movements.debit_holding[~np.minimum(row, -1)])
    return asset[holding]


def _balanced(
    sown: dict[tuple[int, ...], int], received: dict[tuple[int, ...], int], ends: dict[tuple[int, ...], int]
) -> list[Balance]:
    found = {
        key: Balance(key[0], key[1], sown.get(key, 0), {}, received.get(key, 0))
        for key in sorted(sown.keys() | received.keys())
    }
    for (seed, asset, end), amount in sorted(ends.items()):
        found.setdefault((seed, asset), Balance(seed, asset, 0, {})).ends[End(end)] = amount
    for balance in found.values():
        if balance.seeded + balance.received != sum(balance.ends.values()):
            raise Imbalance(
                f"seed {balance.seed}, asset {balance.asset}: {balance.seeded} seeded, {balance.received} received in"
                f" conversions, {balance.ends} ended"
            )
    return list(found.values())
