"""Prices of purchases: whether they were few, or followed each other in one direction, as an issuer sets them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain.model import I64, Array
from clustering.detect import parameters as p
from clustering.detect.legs import Purchases, as_float

NO_TIER = -1


@dataclass(frozen=True, slots=True)
class Prices:
    """The tiers of N purchases paid with one asset."""

    tier: I64
    """[N] Tier of each purchase, numbered by first appearance; `NO_TIER` where it is at no repeated price."""
    rates: Array
    """[tiers] Token base units per base unit paid; for comparison, not for money."""

    @property
    def covered_percent(self) -> int:
        return int(np.count_nonzero(self.tier != NO_TIER)) * 100 // max(1, len(self.tier))


def find_prices(bought: Purchases) -> Prices:
    """Take the most frequent rate, then that of what is left, until too few share one."""
    paid, got = as_float(bought.paid), as_float(bought.got)
    rate = got / paid
    tier = np.full(len(bought), NO_TIER, np.int64)
    modes: list[float] = []
    for _ in range(p.MOST_TIERS):
        rest = np.flatnonzero(tier == NO_TIER)
        if len(rest) < p.LEAST_IN_TIER:
            break
        mode = _mode(rate[rest])
        slack = np.maximum(p.UNIT_TOLERANCE, p.RATE_TOLERANCE * got[rest])
        same = rest[np.abs(got[rest] - paid[rest] * mode) <= slack]
        if len(same) < p.LEAST_IN_TIER:
            break
        tier[same] = len(modes)
        modes.append(mode)
    return _numbered(tier, np.array(modes))


def _mode(rate: Array) -> float:
    """The middle of the densest stretch of rates."""
    ordered = np.sort(rate)
    last = np.searchsorted(ordered, ordered * (1 + p.RATE_TOLERANCE), side="right")
    at = int(np.argmax(last - np.arange(len(ordered))))
    return float(np.median(ordered[at : int(last[at])]))


def _numbered(tier: I64, modes: Array) -> Prices:
    used, first = np.unique(tier, return_index=True)
    order = used[np.argsort(first)]
    order = order[order != NO_TIER]
    number = np.full(len(modes) + 1, NO_TIER, np.int64)
    number[order] = np.arange(len(order))
    return Prices(number[tier], modes[order])


def flaw(prices: Prices) -> str | None:
    """Why prices are not those of a sale; None where they are."""
    if prices.covered_percent < p.TIERED_PERCENT:
        return "pool: no few prices cover its trades"
    sizes = np.bincount(prices.tier[prices.tier != NO_TIER], minlength=len(prices.rates))
    top = int(np.sort(sizes)[::-1][: p.FEW_TIERS].sum())
    few = top * 100 >= p.TIERED_PERCENT * len(prices.tier)
    if few and len(prices.rates) and abs(prices.rates[np.argmax(sizes)] - 1) < p.RATE_TOLERANCE:
        alone = int(sizes.max()) * 100 >= p.TIERED_PERCENT * len(prices.tier)
        if alone:
            return "parity: one base unit for one, as wrapping and staking give"
    if few and len(prices.rates) <= p.FEW_TIERS:
        return None
    against = _against_order(prices)
    if not few and against * 100 > p.AGAINST_ORDER_PERCENT * len(prices.tier):
        return "pool: many prices that go up and down"
    if against * 100 <= p.AGAINST_ORDER_PERCENT * len(prices.tier) and _median_step(prices.rates) < p.LEAST_STEP:
        return "redeemable claim: its price creeps as a yield accrues"
    return None


def _against_order(prices: Prices) -> int:
    """Purchases whose price has moved, since the one before, against the direction that most moves have."""
    rate = prices.rates[prices.tier[prices.tier != NO_TIER]]
    return min(int(np.count_nonzero(rate[1:] > rate[:-1])), int(np.count_nonzero(rate[1:] < rate[:-1])))


def _median_step(rates: Array) -> float:
    steps = np.diff(np.sort(rates)) / np.sort(rates)[:-1]
    return float(np.median(steps)) if len(steps) else np.inf
