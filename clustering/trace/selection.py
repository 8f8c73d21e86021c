"""Selecting what a trace touches: movements by bits of holdings, and local ids that are ranks among the bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from chain.model import I64, U8, Array
from clustering.trace.amounts import get, put
from clustering.trace.ends import End
from clustering.trace.movements import Movements, Side

ELSEWHERE, CONVERTED = int(Side.ELSEWHERE), int(End.CONVERTED)

Words = npt.NDArray[np.uint64]

_BLOCK = 8
"""Words of 64 bits between two counts: a rank costs eight words at most, the counts an eighth of the bits."""


@njit(cache=True, nogil=True, forceinline=True)
def is_lit(bits: Words, holding: int) -> bool:
    """Whether the bit of a holding is set; what is no holding has none."""
    return holding >= 0 and (bits[holding >> 6] >> np.uint64(holding & 63)) & np.uint64(1) == np.uint64(1)


@njit(cache=True, nogil=True, forceinline=True)
def light(bits: Words, holding: int) -> None:
    bits[holding >> 6] |= np.uint64(1) << np.uint64(holding & 63)


def new_bits(holdings: int) -> Words:
    return np.zeros((holdings >> 6) + 1, np.uint64)


@njit(cache=True, nogil=True)
def mark(
    first_debit: I64, debit: I64, first_credit: I64, credit: I64, stop: U8, ends: U8, last: int, reached: Words,
    named: Words, movements: I64,
) -> tuple[int, int, int]:  # fmt: skip
    """Write the movements of reached holdings, and light in `named` where they end; how many, with debits and credits.

    Only so many movements are written as there is room for.
    """
    count, debits, paid = 0, 0, 0
    for m in range(last):
        from_reached, hit = False, False
        for d in range(first_debit[m], first_debit[m + 1]):
            from_reached |= is_lit(reached, debit[d])
        hit = from_reached
        for c in range(first_credit[m], first_credit[m + 1]):
            hit |= is_lit(reached, credit[c])
        if not hit:
            continue
        if count < len(movements):
            movements[count] = m
        count += 1
        debits += first_debit[m + 1] - first_debit[m]
        paid += first_credit[m + 1] - first_credit[m]
        if from_reached and (stop[m] == 0 or stop[m] == CONVERTED):
            for c in range(first_credit[m], first_credit[m + 1]):
                if credit[c] >= 0 and ends[credit[c]] > 0:
                    light(named, credit[c])
    return count, debits, paid


@njit(cache=True, nogil=True)
def popcount(word: np.uint64) -> np.uint64:
    """How many bits are set (Hacker's Delight, 5-1)."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@njit(cache=True, nogil=True)
def count_blocks(bits: Words) -> I64:
    """How many bits stand before each block of words, and in all."""
    before = np.zeros(len(bits) // _BLOCK + 2, np.int64)
    total = np.int64(0)
    for word in range(len(bits)):
        if word % _BLOCK == 0:
            before[word // _BLOCK] = total
        total += np.int64(popcount(bits[word]))
    for block in range((len(bits) + _BLOCK - 1) // _BLOCK, len(before)):
        before[block] = total
    return before


@njit(cache=True, nogil=True)
def rank(bits: Words, before: I64, holding: int) -> int:
    """The local id of a holding: how many bits stand before its own."""
    word = holding >> 6
    found = before[word // _BLOCK]
    for at in range(word // _BLOCK * _BLOCK, word):
        found += np.int64(popcount(bits[at]))
    below = bits[word] & ((np.uint64(1) << np.uint64(holding & 63)) - np.uint64(1))
    return found + np.int64(popcount(below))  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def names_of(bits: Words, names: I64) -> None:
    """Write the holdings whose bits are set, ascending."""
    count = 0
    for word in range(len(bits)):
        left, holding = bits[word], word << 6
        while left != 0:
            if left & np.uint64(1) == np.uint64(1):
                names[count] = holding
                count += 1
            left >>= np.uint64(1)
            holding += 1


@njit(cache=True, nogil=True)
def cut_out(
    first: I64, holding: I64, amount: Array, movements: I64, followed: Words, bits: Words, before: I64, starts: I64,
    side: I64, taken: Array,
) -> None:  # fmt: skip
    """Write the debits (or credits) of the movements: where each one's start, row and local id, amount.

    Only holdings in `followed` have local ids: what ends a trace pays nobody's money.
    """
    at = 0
    for place in range(len(movements)):
        starts[place] = at
        for row in range(first[movements[place]], first[movements[place] + 1]):
            h = holding[row]
            side[at, 0] = row
            side[at, 1] = h if h < 0 else ELSEWHERE
            if is_lit(followed, h):
                side[at, 1] = rank(bits, before, h)
            put(taken, at, get(amount, row))
            at += 1
    starts[len(movements)] = at


def selected(movements: Movements, ends: U8, reached: Words, last: int) -> tuple[I64, Words, int, int]:
    """Movements of reached holdings among the first `last`, bits of these and of where they end, debits, credits."""
    columns = (movements.first_debit, movements.debit_holding, movements.first_credit, movements.credit_holding)
    named, room = reached.copy(), np.empty(max(1024, last // 8), np.int64)
    count, debits, paid = mark(*columns, movements.stop, ends, last, reached, named, room)
    if count > len(room):
        room = np.empty(count, np.int64)
        mark(*columns, movements.stop, ends, last, reached, named, room)
    return room[:count].copy(), named, int(debits), int(paid)
