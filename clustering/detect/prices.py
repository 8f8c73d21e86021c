"""Prices of purchases: whether they were few, or followed each other in one direction, as an issuer sets them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain.model import I64, Array, Bool
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
    slack: Array
    """[tiers] What rounding to base units may take from each rate, relative."""

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
        same = rest[_fits(paid[rest], got[rest], mode)]
        if len(same) < p.LEAST_IN_TIER:
            break
        tier[same] = len(modes)
        modes.append(mode)
    return _numbered(_settle(tier, paid, got, modes), np.array(modes), got)


def _fits(paid: Array, got: Array, rate: float) -> Bool:
    return np.asarray(np.abs(got - paid * rate) <= np.maximum(p.UNIT_TOLERANCE, p.RATE_TOLERANCE * got))


def _settle(tier: I64, paid: Array, got: Array, modes: list[float]) -> I64:
    """Tiers where a purchase of a few base units, which fits several prices, has that of the purchases before it."""
    tiered = np.flatnonzero(tier != NO_TIER)
    fits = np.stack([_fits(paid[tiered], got[tiered], mode) for mode in modes], axis=1) if modes else np.empty((0, 0))
    sure = fits.sum(axis=1) == 1
    if not len(tiered) or sure.all() or not sure.any():
        return tier
    before = np.maximum.accumulate(np.where(sure, np.arange(len(sure)), -1))
    before[before < 0] = int(np.argmax(sure))
    then = tier[tiered[before]]
    moved = ~sure & fits[np.arange(len(sure)), then]
    tier[tiered[moved]] = then[moved]
    return tier


def _mode(rate: Array) -> float:
    """The middle of the densest stretch of rates."""
    ordered = np.sort(rate)
    last = np.searchsorted(ordered, ordered * (1 + p.RATE_TOLERANCE), side="right")
    at = int(np.argmax(last - np.arange(len(ordered))))
    return float(np.median(ordered[at : int(last[at])]))


def _numbered(tier: I64, modes: Array, got: Array) -> Prices:
    used, first = np.unique(tier, return_index=True)
    order = used[np.argsort(first)]
    order = order[order != NO_TIER]
    number = np.full(len(modes) + 1, NO_TIER, np.int64)
    number[order] = np.arange(len(order))
    typical = np.array([np.median(got[tier == mode]) for mode in order.tolist()])
    return Prices(number[tier], modes[order], p.UNIT_TOLERANCE / np.maximum(typical, 1))


def flaw(prices: Prices, in_ether: bool) -> str | None:
    """Why prices are not those of a sale; None where they are."""
    if prices.covered_percent < p.TIERED_PERCENT:
        return "pool: no few prices cover its trades"
    sizes = np.bincount(prices.tier[prices.tier != NO_TIER], minlength=len(prices.rates))
    top = int(np.sort(sizes)[::-1][: p.FEW_TIERS].sum())
    few = top * 100 >= p.TIERED_PERCENT * len(prices.tier)
    alone = int(sizes.max()) * 100 >= p.TIERED_PERCENT * len(prices.tier)
    if alone and _is_parity(float(prices.rates[np.argmax(sizes)]), in_ether):
        return "parity: one for one at a single price, as wrapping and staking give"
    against = _against_order(prices) * 100 > p.AGAINST_ORDER_PERCENT * len(prices.tier)
    if not few and against:
        return "pool: many prices that go up and down"
    if not against and _median_step(prices.rates) < p.LEAST_STEP:
        return "redeemable claim: its price creeps as a yield accrues"
    if few and 2 * int(sizes[_round(prices)].sum()) < int(sizes.sum()):
        return "share: no round price, as that of a vault's or a staking share"
    return None


def fee_flaw(bought: Purchases) -> str | None:
    """Why one amount paid by almost all is no price: a fee for a claim is the same whatever is given."""
    _, counts = np.unique(bought.paid, axis=0, return_counts=True)
    if int(counts.max()) * 100 < p.FEE_PERCENT * len(bought):
        return None
    return "claim: almost all pay one amount, as a fee for a claim is"


def _is_parity(rate: float, in_ether: bool) -> bool:
    powers = (0,) if in_ether else p.PARITY_POWERS
    return any(abs(rate / 10.0**power - 1) < p.RATE_TOLERANCE for power in powers)


def _round(prices: Prices) -> Bool:
    """Which rates, or their inverses, have few digits."""
    found = np.zeros(len(prices.rates), np.bool_)
    for rate in (prices.rates, 1 / prices.rates):
        digits = rate * 10.0 ** (p.ROUND_DIGITS - 1 - np.floor(np.log10(rate)))
        found |= np.abs(digits - np.rint(digits)) <= np.maximum(p.ROUND_TOLERANCE, prices.slack) * digits
    return found


def _against_order(prices: Prices) -> int:
    """Purchases whose price has moved, since the one before, against the direction that most moves have."""
    rate = prices.rates[prices.tier[prices.tier != NO_TIER]]
    return min(int(np.count_nonzero(rate[1:] > rate[:-1])), int(np.count_nonzero(rate[1:] < rate[:-1])))


def _median_step(rates: Array) -> float:
    steps = np.diff(np.sort(rates)) / np.sort(rates)[:-1]
    return float(np.median(steps)) if len(steps) else np.inf
