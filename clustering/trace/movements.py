"""The one form that tracing reads: movements in chain order, each of debits of holdings and credits to holdings.

A holding is what money lies in: on Bitcoin an output (used once), on Ethereum an (address, asset). Rows of one movement
stand together; `first_debit` and `first_credit` [M + 1] delimit them. Debits and credits of a movement are equal in
sum, but for one whose amounts are not all stated and for a conversion, which has one debit and one credit of different
assets (`stop` tells both). Below 0 a holding is one of the ends of `Side`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from chain.model import I32, I64, U8, Array


class Side(IntEnum):
    """What stands for a holding where there is none. The numbers are the kernels'."""

    ELSEWHERE = -1
    """A holding that the trace does not reach."""
    FEE = -2
    """Spent by its payer (EVIDENCE 13)."""
    BURNED = -3
    """Nobody can spend it again."""
    ISSUED = -4
    """New money: a subsidy, a reward, a mint."""
    UNKNOWN = -5
    """A party that the source does not state."""


class Movements(NamedTuple):
    """M movements with D debits and C credits over H holdings."""

    first_debit: I64
    debit_holding: I64
    debit_amount: Array
    """[D] int64, or [D, 4] limbs; base units of the holding's asset"""
    first_credit: I64
    credit_holding: I64
    credit_amount: Array
    time: I64
    """[M] seconds since 1970, never falling: where a block's time is before its parent's, the parent's"""
    tx: I64
    """[M] transaction id, -1 where a movement belongs to a block alone"""
    stop: U8
    """[M] `End` of what is carried into the movement (a coinjoin, amounts that are not stated), 0 for none;
    `End.CONVERTED` for a conversion, by which it goes on"""
    holding_count: int

    @property
    def size(self) -> int:
        return len(self.tx)

    def until(self, time: int) -> int:
        """The number of movements up to and with a time."""
        return int(np.searchsorted(self.time, time, side="right"))


def backward(movements: Movements, *, inner: bool) -> Movements:
    """The same money, back in time: the last movement first, credits as debits.

    `inner`: the rows within a movement are turned round too. A queue turned round in time is a queue whose rows are
    turned round; a stack is one whose rows stand as they are. Times are negated, so that they never fall.
    """
    order = np.arange(movements.size - 1, -1, -1)
    debit = _turned(movements.first_credit, order, inner)
    credit = _turned(movements.first_debit, order, inner)
    return Movements(
        first_debit=_offsets(movements.first_credit, order),
        debit_holding=movements.credit_holding[debit],
        debit_amount=movements.credit_amount[debit],
        first_credit=_offsets(movements.first_debit, order),
        credit_holding=movements.debit_holding[credit],
        credit_amount=movements.debit_amount[credit],
        time=-movements.time[order],
        tx=movements.tx[order],
        stop=movements.stop[order],
        holding_count=movements.holding_count,
    )


def _offsets(first: I64, order: I64) -> I64:
    counts = np.diff(first)[order]
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))


def _turned(first: I64, order: I64, inner: bool) -> I64:
    """Where each row of the turned movements stood."""
    total = int(first[-1])
    if inner:
        return np.arange(total - 1, -1, -1)
    offsets = _offsets(first, order)
    movement = np.repeat(np.arange(len(order)), np.diff(offsets))
    return np.arange(total) - offsets[movement] + first[order][movement]


def movement_of(first: I64, rows: I64 | I32) -> I64:
    """The movement of each row (debit or credit)."""
    return np.searchsorted(first, rows, side="right").astype(np.int64) - 1
