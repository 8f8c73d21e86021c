"""Amounts of one and of four words against Python's whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from chain import uint256
from clustering.trace.amounts import add, get, is_zero, less, share, sub


@njit
def _share(amount: Any, part: Any, whole: Any) -> Any:
    return share(get(amount, 0), get(part, 0), get(whole, 0))


@njit
def _compare(a: Any, b: Any) -> Any:
    x, y = get(a, 0), get(b, 0)
    return add(x, y), sub(x, y), less(x, y), less(y, x), is_zero(x), is_zero(sub(x, x))


def _int(words: tuple[Any, ...]) -> int:
    return sum(int(word) << (64 * place) for place, word in enumerate(words))


def _sized(bits: int) -> st.SearchStrategy[int]:
    """Numbers of every length, and those next to powers of two, where carries and guesses of digits go wrong."""
    near = st.builds(lambda power, step: max(0, (1 << power) + step), st.integers(0, bits - 1), st.integers(-2, 2))
    return st.one_of(near, st.integers(0, bits).flatmap(lambda size: st.integers(0, (1 << size) - 1)))


@given(st.tuples(_sized(62), _sized(62), _sized(62)))
def test_shares_of_64_bits(values: tuple[int, int, int]) -> None:
    amount, part, whole = sorted(values)
    whole = max(whole, 1)
    quotient, remainder = _share(*(np.array([value], np.int64) for value in (amount, part, whole)))
    assert (_int(quotient), _int(remainder)) == divmod(amount * part, whole)


@given(st.tuples(_sized(256), _sized(256), _sized(256)))
def test_shares_of_256_bits(values: tuple[int, int, int]) -> None:
    amount, part, whole = sorted(values)
    whole = max(whole, 1)
    quotient, remainder = _share(*(uint256.from_ints([value]) for value in (amount, part, whole)))
    assert (_int(quotient), _int(remainder)) == divmod(amount * part, whole)


@given(st.tuples(_sized(255), _sized(255)))
def test_sums_and_differences_of_256_bits(values: tuple[int, int]) -> None:
    low, high = sorted(values)
    total, left, is_less, is_more, nothing, none = _compare(uint256.from_ints([high]), uint256.from_ints([low]))
    assert (_int(total), _int(left)) == (high + low, high - low)
    assert (is_less, is_more, nothing, none) == (False, low < high, high == 0, True)
