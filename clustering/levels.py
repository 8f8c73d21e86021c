"""Levels: what a rule must have shown before its links may join, and what a chain of links is worth.

L0 joins by convention and is no claim about a rate. L1, L2 and L3 admit a rule only where the lower 95 % bound of its
precision, measured in the field, reaches the level's bound; a simulated or emulated rate tests this code and admits
nothing. A thousand repetitions of one kind of evidence are no bonus: repeated mistakes are not independent.

The bounds are those of Clopper and Pearson (Biometrika 26, 1934), one-sided, in parts per million, rounded towards
caution. They hold for independent trials drawn from the population that is spoken of; trials of one wallet are not
independent, and a rate measured in one stratum says nothing of another. The trials are the caller's responsibility.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

MILLION = 1_000_000

TAIL = 0.05
"""Chance that a one-sided 95 % bound is wrong."""


class Level(StrEnum):
    """How sure the links of a partition must be."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"


LEVEL_BOUND: Mapping[Level, int] = MappingProxyType({Level.L1: 999_000, Level.L2: 990_000, Level.L3: 950_000})
"""The precision, in parts per million, that the lower bound must reach. L0 has none: it is a convention."""


class Origin(StrEnum):
    """Where a rate was measured."""

    FIELD = "field"
    EMULATED = "emulated"
    """Real wallet software on a private chain."""
    SIMULATED = "simulated"
    """This project's generator of chains."""


def admitted(errors: int, trials: int, origin: Origin) -> Level | None:
    """The strictest level that a rule with `errors` in `trials` qualifies for; None: a lead, it joins nothing.

    ValueError where the counts are none.
    """
    bound = lower_bound(trials - errors, trials)
    if origin is not Origin.FIELD:
        return None
    return next((level for level, needed in LEVEL_BOUND.items() if bound >= needed), None)


def lower_bound(successes: int, trials: int) -> int:
    """The lower 95 % bound of a rate, in parts per million, rounded down; 0 where nothing was tried."""
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    low, high = 0, MILLION  # the tail is within its limit at low, beyond it at high
    if successes == 0:
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        if _is_improbable(trials - successes, trials, middle):
            low = middle
        else:
            high = middle
    return low


def upper_bound(successes: int, trials: int) -> int:
    """The upper 95 % bound of a rate, in parts per million, rounded up; all of it where nothing was tried."""
    return MILLION - lower_bound(trials - successes, trials)


def _is_improbable(failures: int, trials: int, ppm: int) -> bool:
    """Whether at most `failures` failures are less probable than `TAIL` where success has probability `ppm`.

    A doubt that rounding leaves is answered with no, which lowers the bound.
    """
    if failures * MILLION >= trials * (MILLION - ppm):
        return False  # at least as many as expected: the median of a binomial is there, so the chance is a half or more
    success, failure = ppm / MILLION, (MILLION - ppm) / MILLION
    kept = trials - failures
    log_ways = math.lgamma(trials + 1) - math.lgamma(failures + 1) - math.lgamma(kept + 1)
    term = math.exp(log_ways + failures * math.log(failure) + kept * math.log(success))
    total = 0.0
    for k in range(failures, -1, -1):  # below the mode, so each term is smaller than the one before
        total += term
        if term <= total * 1e-17:
            break
        term *= k * success / ((trials - k + 1) * failure)
    rounding = 1e-9 + 1e-14 * math.lgamma(trials + 1)
    return total * (1 + rounding) <= TAIL


def chain_confidence(bounds_ppm: Sequence[int]) -> tuple[int, int]:
    """(product, weakest) of the confidences of a chain of links, in parts per million, rounded down.

    The product is the lower end for links whose mistakes are independent; a chain without links has no doubt.
    A hundred links at 0.997 each are worth 0.74.
    """
    for place, bound in enumerate(bounds_ppm):
        if not 0 <= bound <= MILLION:
            raise ValueError(f"link {place}: {bound} is no part of a million")
    whole = MILLION ** len(bounds_ppm)
    return math.prod(bounds_ppm) * MILLION // whole, min(bounds_ppm, default=MILLION)
