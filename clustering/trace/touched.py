"""What a trace touches: one pass for what money of the seeds can reach, and the movements of that alone.

A holding that no traced money can reach holds nobody's money, whatever it does; so a replay needs the lots of reached
holdings only, and of each of these all its movements, also those before: what was there first matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from chain.model import I32, I64, U8, Array, Bool
from clustering.trace.amounts import add, get, less, put, sub, zero
from clustering.trace.movements import Movements
from clustering.trace.selection import (
    CONVERTED,
    Words,
    count_blocks,
    cut_out,
    is_lit,
    light,
    names_of,
    new_bits,
    selected,
)


class Points(NamedTuple):
    """P places where seeds claim money: what a holding receives (or pays) in movements [start, end)."""

    seed: I32
    holding: I64
    start: I64
    end: I64
    debit: Bool
    """It claims what the holding pays: what it received is not known."""

    def taken(self, rows: Array) -> Points:
        """Those of `rows` (places, or which ones)."""
        return Points(self.seed[rows], self.holding[rows], self.start[rows], self.end[rows], self.debit[rows])

    def ordered(self) -> Points:
        """By holding, then seed: the order in which seeds of one holding claim."""
        order = np.lexsort((self.debit, self.end, self.start, self.seed, self.holding))
        return self.taken(order)


class Part(NamedTuple):
    """t movements over n holdings that are reached or that end a trace, with local ids; `Side` where there is none."""

    movement: I64
    stop: U8
    first: I64
    """[t + 1, 2] where the debits and the credits of each movement start"""
    debit: I64
    """[d, 2] row in the movements, holding"""
    debit_amount: Array
    credit: I64
    credit_amount: Array
    end: U8
    """[n] `End` of what is credited to a holding, 0 where it is followed"""
    first_point: I64
    """[n + 1] where the points of each holding start"""
    point: I64
    """[p, 4] seed, first movement, end of the movements, 1 for one that claims debits"""


@dataclass(frozen=True, slots=True)
class Touched:
    """What the replay needs, and what names it outside."""

    part: Part
    holding: I64
    """[n] ids, ascending"""
    opening: Array
    """[n] what it must have held before the first movement"""


def touched(movements: Movements, ends: U8, points: Points, last: int) -> Touched:
    """The part of the first `last` movements that the seeds at `points` can touch.

    `ends` [H]: `End` of each holding, 0 where a trace goes on; holdings of seeds must have 0.
    """
    points = points.ordered()
    reached = _reached(movements, ends, points, last)
    rows, named, debits, paid = selected(movements, ends, reached, last)
    before = count_blocks(named)
    holding = np.empty(int(before[-1]), np.int64)
    names_of(named, holding)
    first = np.empty((len(rows) + 1, 2), np.int64)
    form = movements.debit_amount
    debit, credit = np.empty((debits, 2), np.int64), np.empty((paid, 2), np.int64)
    debit_amount, credit_amount = (np.empty((size, *form.shape[1:]), form.dtype) for size in (debits, paid))
    cut_out(
        movements.first_debit, movements.debit_holding, form, rows, reached, named, before, first[:, 0], debit,
        debit_amount,
    )  # fmt: skip
    cut_out(
        movements.first_credit, movements.credit_holding, movements.credit_amount, rows, named, named, before,
        first[:, 1], credit, credit_amount,
    )  # fmt: skip
    part = Part(
        rows, movements.stop[rows], first, debit, debit_amount, credit, credit_amount, ends[holding],
        *_placed(holding, points),
    )  # fmt: skip
    opening = np.zeros((len(holding), *form.shape[1:]), form.dtype)
    openings(part, opening)
    return Touched(part, holding, opening)


def _placed(names: I64, points: Points) -> tuple[I64, I64]:
    """Where the points of each holding start, and the points; those of holdings that nothing moved are left out."""
    place = np.searchsorted(names, points.holding)
    known = place < len(names)
    known[known] = names[place[known]] == points.holding[known]
    table = np.stack((points.seed, points.start, points.end, points.debit), axis=1).astype(np.int64)
    return np.searchsorted(place[known], np.arange(len(names) + 1)).astype(np.int64), table[known]


def _reached(movements: Movements, ends: U8, points: Points, last: int) -> Words:
    """Bits of the holdings that money of the seeds can reach in the first `last` movements."""
    bits = new_bits(movements.holding_count)
    order = np.argsort(points.start, kind="stable")
    reach(
        movements.first_debit, movements.debit_holding, movements.first_credit, movements.credit_holding,
        movements.stop, ends, points.holding[order], points.start[order], last, bits,
    )  # fmt: skip
    return bits


@njit(cache=True, nogil=True)
def reach(
    first_debit: I64, debit_holding: I64, first_credit: I64, credit_holding: I64, stop: U8, ends: U8, seeds: I64,
    start: I64, last: int, bits: Words,
) -> None:  # fmt: skip
    """One pass in chain order: what a reached holding pays, reaches whom it pays. Seeds light up at their `start`."""
    lit, next_start = 0, start[0] if len(start) else last
    for m in range(last):
        while m >= next_start:
            light(bits, seeds[lit])
            lit += 1
            next_start = start[lit] if lit < len(start) else last
        hit = False
        for d in range(first_debit[m], first_debit[m + 1]):
            hit |= is_lit(bits, debit_holding[d])
        if hit and (stop[m] == 0 or stop[m] == CONVERTED):
            for c in range(first_credit[m], first_credit[m + 1]):
                h = credit_holding[c]
                if h >= 0 and ends[h] == 0:
                    light(bits, h)


@njit(cache=True, nogil=True)
def openings(part: Part, opening: Array) -> None:
    """What each holding must have had before, for no balance to fall below nothing."""
    balance = np.zeros_like(opening)
    for m in range(len(part.movement)):
        for d in range(part.first[m, 0], part.first[m + 1, 0]):
            h = part.debit[d, 1]
            if h >= 0:
                v, has = get(part.debit_amount, d), get(balance, h)
                if less(has, v):
                    put(opening, h, add(get(opening, h), sub(v, has)))
                    put(balance, h, zero(balance))
                else:
                    put(balance, h, sub(has, v))
        for c in range(part.first[m, 1], part.first[m + 1, 1]):
            h = part.credit[c, 1]
            if h >= 0:
                put(balance, h, add(get(balance, h), get(part.credit_amount, c)))
