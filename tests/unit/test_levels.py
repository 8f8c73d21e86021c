"""Levels: exact bounds, what they admit, and what a chain of links is worth."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, comb, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from clustering.levels import (
    LEVEL_BOUND,
    MILLION,
    Level,
    Origin,
    admitted,
    chain_confidence,
    lower_bound,
    upper_bound,
)

COUNTS = st.integers(0, 5_000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


@given(COUNTS)
def test_bounds_are_those_of_the_beta_distribution(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low = float(beta.ppf(0.05, successes, trials - successes + 1)) if successes else 0.0
    high = float(beta.ppf(0.95, successes + 1, trials - successes)) if successes < trials else 1.0
    assert lower_bound(successes, trials) in {floor(low * MILLION), floor(low * MILLION - 1e-3)}
    assert upper_bound(successes, trials) in {ceil(high * MILLION), ceil(high * MILLION + 1e-3)}


@given(st.integers(1, 60).flatmap(lambda trials: st.tuples(st.integers(1, trials), st.just(trials))))
def test_a_bound_is_the_last_part_per_million_that_exact_arithmetic_allows(counts: tuple[int, int]) -> None:
    successes, trials = counts

    def chance(ppm: int) -> Fraction:
        p = Fraction(ppm, MILLION)
        return sum((comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(successes, trials + 1)), Fraction())

    bound = lower_bound(successes, trials)
    assert chance(bound) <= Fraction(1, 20)
    assert chance(bound + 1) > Fraction(1, 20) * (1 - Fraction(1, 10**8)), "a tie falls to the side of caution"


@pytest.mark.parametrize(
    ("successes", "trials"), [(459_737, 459_737), (33_000_000, 33_714_510), (1_234_567, 900_000_000), (3, 10**9)]
)
def test_bounds_of_big_counts(successes: int, trials: int) -> None:
    low = float(beta.ppf(0.05, successes, trials - successes + 1)) * MILLION
    assert floor(low) - 1 <= lower_bound(successes, trials) <= floor(low + 1e-3)


def test_0_999_takes_2995_trials_without_error() -> None:
    assert lower_bound(2_995, 2_995) == 999_000
    assert lower_bound(2_994, 2_994) == 998_999
    assert admitted(0, 2_995, Origin.FIELD) is Level.L1
    assert admitted(0, 2_994, Origin.FIELD) is Level.L2
    assert admitted(1, 2_995, Origin.FIELD) is Level.L2


def test_a_rule_is_admitted_by_its_lower_bound_and_not_by_its_share() -> None:
    assert admitted(0, 58, Origin.FIELD) is None, "all right, and too few"
    assert admitted(0, 59, Origin.FIELD) is Level.L3
    assert admitted(0, 0, Origin.FIELD) is None
    assert admitted(9, 900, Origin.FIELD) is Level.L3, "0.99 by its share"


@pytest.mark.parametrize("origin", [Origin.EMULATED, Origin.SIMULATED])
def test_only_the_field_admits(origin: Origin) -> None:
    assert admitted(0, 10**9, origin) is None


def test_levels_are_tried_from_the_strictest() -> None:
    assert list(LEVEL_BOUND) == [Level.L1, Level.L2, Level.L3]
    assert list(LEVEL_BOUND.values()) == sorted(LEVEL_BOUND.values(), reverse=True)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 3), (4, 3), (0, -1)])
def test_what_are_no_counts_is_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match=f"{successes} successes in {trials} trials"):
        lower_bound(successes, trials)
    with pytest.raises(ValueError, match="trials"):
        admitted(trials - successes, trials, Origin.SIMULATED)


def test_a_hundred_links_at_0_997_are_worth_0_74() -> None:
    product, weakest = chain_confidence([997_000] * 100)
    assert (product, weakest) == (740_484, 997_000)
    assert chain_confidence([]) == (MILLION, MILLION)
    assert chain_confidence([MILLION, 950_000, 0]) == (0, 0)


@given(st.lists(st.integers(0, MILLION), max_size=40))
def test_the_product_is_rounded_down_once(bounds: list[int]) -> None:
    exact = Fraction(MILLION)
    for bound in bounds:
        exact *= Fraction(bound, MILLION)
    assert chain_confidence(bounds)[0] == floor(exact)
    assert chain_confidence(bounds)[1] == min([MILLION, *bounds])


@pytest.mark.parametrize("bound", [-1, MILLION + 1])
def test_what_is_no_share_is_refused(bound: int) -> None:
    with pytest.raises(ValueError, match="link 1"):
        chain_confidence([5, bound])
