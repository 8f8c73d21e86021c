"""The kernels of verification: each finds the first row that fails, -1 where none does.

A kernel names no reason; `verify` looks at the row again and says what is wrong with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from chain.bitcoin.hashes import DIGEST_SIZE
from chain.bitcoin.network import MAX_MONEY
from chain.model import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chain.model import I64, U8

NONE = -1

# The compact form of a target (Core, arith_uint256::SetCompact): an exponent of 256, a sign, 23 bits.
MANTISSA = 0x7FFFFF
SIGN = 0x800000


@njit(cache=True, nogil=True)
def _expand_target(bits: int, target: U8) -> bool:
    """Write the target that `bits` says, little-endian; False where it is negative or overflows."""
    target[:] = 0
    size, mantissa = bits >> 24, bits & MANTISSA
    if mantissa and bits & SIGN:
        return False
    for part in range(3):
        byte, at = (mantissa >> 8 * part) & 0xFF, size - 3 + part
        if byte and at >= DIGEST_SIZE:
            return False
        if 0 <= at < DIGEST_SIZE:
            target[at] = byte
    return True


@njit(cache=True, nogil=True)
def _exceeds(a: U8, b: U8) -> bool:
    """Whether `a` is more than `b`, both little-endian."""
    for byte in range(DIGEST_SIZE - 1, -1, -1):
        if a[byte] != b[byte]:
            return bool(a[byte] > b[byte])
    return False


@njit(cache=True, nogil=True)
def first_without_work(hashes: U8, bits: I64, limit: U8) -> int:
    """The first header [B, 32] whose target is invalid, above `limit` or below its hash.

    A target of zero needs no test of its own: no hash is below it but zero.
    """
    target = np.empty(DIGEST_SIZE, np.uint8)
    for row in range(len(bits)):
        if not _expand_target(bits[row], target) or not np.any(target):
            return row
        if _exceeds(target, limit) or _exceeds(hashes[row], target):
            return row
    return NONE


def reference_target(bits: int) -> int | None:
    """The target that `bits` says; None where it is negative or does not fit 256 bits."""
    size, mantissa = bits >> 24, bits & MANTISSA
    target = mantissa << 8 * (size - 3) if size > 3 else mantissa >> 8 * (3 - size)
    negative = mantissa != 0 and bits & SIGN != 0
    return None if negative or target >> 256 else target


@njit(cache=True, nogil=True)
def sum_money(first: I64, value: I64) -> tuple[I64, int]:
    """Sums of `value[first[n]:first[n + 1]]`, UNKNOWN where one is; and the first row out of range.

    Out of range is a sum or a value above MAX_MONEY, or one below zero but UNKNOWN; adding stops
    there, so that nothing overflows.
    """
    total = np.zeros(len(first) - 1, np.int64)
    for row in range(len(total)):
        known = True
        for item in range(first[row], first[row + 1]):
            if value[item] == UNKNOWN:
                known = False
                continue
            if value[item] < 0 or value[item] > MAX_MONEY - total[row]:
                return total, row
            total[row] += value[item]
        if not known:
            total[row] = UNKNOWN
    return total, NONE


def reference_sum_money(first: Sequence[int], value: Sequence[int]) -> tuple[list[int], int]:
    """The twin of `sum_money`, in integers without bounds; sums after a row out of range are 0."""
    total = [0] * (len(first) - 1)
    for row in range(len(total)):
        items = value[first[row] : first[row + 1]]
        known = [item for item in items if item != UNKNOWN]
        if sum(item for item in known if item > 0) > MAX_MONEY or any(item < 0 for item in known):
            return total, row
        total[row] = sum(known) if len(known) == len(items) else UNKNOWN
    return total, NONE


@njit(cache=True, nogil=True)
def first_repeat(rows: I64) -> tuple[int, int]:
    """The first row of `rows` [n, w] that equals an earlier one, as (earlier, later); NONE twice else."""
    size = 16
    while size < 2 * len(rows):
        size *= 2
    slots = np.full(size, NONE, np.int64)
    last = rows.shape[1] - 1
    for row in range(len(rows)):
        # A digest's first word is as good as random; the last column tells outputs and blocks apart.
        mix = (rows[row, 0] ^ rows[row, last]) * np.int64(0x1E3779B97F4A7C15)
        slot = (mix ^ mix >> 32) & (size - 1)
        while slots[slot] != NONE:
            word = 0
            while word <= last and rows[slots[slot], word] == rows[row, word]:
                word += 1
            if word > last:
                return slots[slot], row
            slot = (slot + 1) & (size - 1)
        slots[slot] = row
    return NONE, NONE


def reference_first_repeat(rows: list[tuple[int, ...]]) -> tuple[int, int]:
    """The twin of `first_repeat`."""
    seen: dict[tuple[int, ...], int] = {}
    for number, row in enumerate(rows):
        if row in seen:
            return seen[row], number
        seen[row] = number
    return NONE, NONE
