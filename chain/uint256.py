"""Amounts up to 2^256-1 as arrays: rows of four uint64 limbs, the least significant first.

Ether and token amounts do not fit in 64 bits. Kernels add and compare limbs; at the edges they are Python ints, decimal
strings, or Postgres' numeric.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from chain.model import I64, U8

U64 = npt.NDArray[np.uint64]

LIMBS = 4
MAX = (1 << 256) - 1
_WORD = (1 << 64) - 1


def from_ints(values: Iterable[int]) -> U64:
    """[n, 4] limbs; OverflowError where a value is negative or 2^256 or more."""
    raw = b"".join(value.to_bytes(32, "little") for value in values)
    return np.frombuffer(raw, "<u8").reshape(-1, LIMBS).astype(np.uint64)


def to_ints(limbs: U64) -> list[int]:
    """Python ints of [n, 4] limbs."""
    raw = np.ascontiguousarray(limbs, "<u8").tobytes()
    return [int.from_bytes(raw[at : at + 32], "little") for at in range(0, len(raw), 32)]


def from_words(words: U8) -> U64:
    """[n, 4] limbs of [n, 32] big-endian words, as the EVM writes them."""
    big = np.ascontiguousarray(words).view(">u8").reshape(-1, LIMBS)
    return np.ascontiguousarray(big[:, ::-1]).astype(np.uint64)


def to_int(limbs: Any) -> int:
    """The Python int of one row of limbs."""
    return sum(int(limb) << (64 * place) for place, limb in enumerate(limbs))


def total(limbs: U64) -> int:
    """The exact sum of rows of limbs, which may exceed 2^256."""
    low, high = limbs & np.uint64(0xFFFFFFFF), limbs >> np.uint64(32)
    # 32-bit halves, so that a sum of fewer than 2^32 rows stays below 2^64
    return sum(
        (int(low[:, place].sum(dtype=np.uint64)) << (64 * place))
        + (int(high[:, place].sum(dtype=np.uint64)) << (64 * place + 32))
        for place in range(LIMBS)
    )


def sums_by(group: I64, limbs: U64, groups: int) -> list[int]:
    """The exact sum of the rows of each group 0 to `groups` - 1; `group` [n] names each row's."""
    halves = np.zeros((groups, 2 * LIMBS), np.uint64)
    _add_halves(group.astype(np.int64), np.ascontiguousarray(limbs), halves)
    return [sum(int(half) << (32 * place) for place, half in enumerate(row)) for row in halves.tolist()]


@njit(cache=True, nogil=True)
def _add_halves(group: I64, limbs: U64, halves: U64) -> None:
    for row in range(len(group)):
        for place in range(limbs.shape[1]):
            limb = limbs[row, place]
            halves[group[row], 2 * place] += limb & np.uint64(0xFFFFFFFF)
            halves[group[row], 2 * place + 1] += limb >> np.uint64(32)


@njit(cache=True, nogil=True, forceinline=True)
def is_less(a: U64, b: U64) -> bool:
    """a < b, each one row of limbs."""
    for place in range(LIMBS - 1, -1, -1):
        if a[place] != b[place]:
            return bool(a[place] < b[place])
    return False


@njit(cache=True, nogil=True, forceinline=True)
def add_to(total: U64, value: U64) -> None:
    """Add `value` to `total` in place; `MAX` where that is 2^256 or more, which only a lying token states."""
    carry = np.uint64(0)
    for place in range(LIMBS):
        found = total[place] + value[place]
        over = np.uint64(found < value[place])
        found += carry
        over |= np.uint64(found < carry)
        total[place] = found
        carry = over
    if carry:
        for place in range(LIMBS):
            total[place] = np.uint64(0xFFFFFFFFFFFFFFFF)


@njit(cache=True, nogil=True, forceinline=True)
def take_from(total: U64, value: U64) -> None:
    """Take `value`, which is not more, from `total` in place."""
    borrow = np.uint64(0)
    for place in range(LIMBS):
        before = total[place]
        found = before - value[place]
        under = np.uint64(before < value[place])
        under |= np.uint64(found < borrow)
        total[place] = found - borrow
        borrow = under
