"""Where seeds claim money: what an address received in its time, or what it paid where nothing is known of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from api.tracing.ground import Board, Place
from api.tracing.request import Direction
from chain.model import I64
from clustering.trace.movements import Movements, movement_of
from clustering.trace.touched import Points

RECEIVED, PAID = "received", "paid"

Point = tuple[int, int, int, int, bool]
"""Seed, holding, first movement, end of the movements, whether it claims what the holding pays."""


@dataclass(frozen=True, slots=True)
class Sowing:
    """The points of all seeds on a board, and how each is claimed."""

    points: Points
    modes: dict[int, str]
    """`RECEIVED`, or `PAID`: nothing is known that it received. A seed that moved nothing is missing."""


def sow(board: Board, base: Movements, places: Sequence[Place], direction: Direction) -> Sowing:
    """Where seeds claim money on a forward board; turned round in time for a backward run.

    Forward a seed claims what it received, or what it paid where nothing is known that it received. Backward it
    claims what it received, on its way back.
    """
    received, paid = _Rows.of(board, places, credit=True), _Rows.of(board, places, credit=False)
    points: list[Point] = []
    modes: dict[int, str] = {}
    for place in places:
        own = [_credited(board, base, place, row) for row in place.rows] if place.rows else received.points(place)
        mode = RECEIVED
        if not own and direction == Direction.FORWARD:
            own, mode = paid.points(place), PAID
        if own:
            modes[place.seed] = mode
        points += own
    table = np.array(points, np.int64).reshape(-1, 5)
    seed, holding, start, end, debit = table.T
    if direction == Direction.BACKWARD:
        start, end, debit = base.size - end, base.size - start, 1 - debit
    return Sowing(Points(seed.astype(np.int32), holding, start, end, debit == 1).ordered(), modes)


def _credited(board: Board, base: Movements, place: Place, row: int) -> Point:
    """A credit of the base, on the board."""
    movement = int(np.searchsorted(base.first_credit, row, side="right")) - 1
    holding = int(base.credit_holding[row])
    here = holding if board.of_base is None else int(board.of_base[holding])
    return place.seed, here, movement, movement + 1, False


@dataclass(frozen=True, slots=True)
class _Rows:
    """Credits to (or debits of) the addresses of seeds, by address and movement."""

    board: Board
    credit: bool
    address: I64
    movement: I64
    holding: I64

    @classmethod
    def of(cls, board: Board, places: Sequence[Place], *, credit: bool) -> _Rows:
        movements = board.movements
        first = movements.first_credit if credit else movements.first_debit
        holding = movements.credit_holding if credit else movements.debit_holding
        amount = movements.credit_amount if credit else movements.debit_amount
        wanted = np.array(sorted({place.address for place in places if place.address >= 0}), np.int64)
        moved = (holding >= 0) & (amount > 0 if amount.ndim == 1 else amount.any(axis=1))
        rows = np.flatnonzero(moved)
        rows = rows[np.isin(board.owner[holding[rows]], wanted)]
        movement, held = movement_of(first, rows), holding[rows]
        order = np.lexsort((held, movement, board.owner[held]))
        return cls(board, credit, board.owner[held][order], movement[order], held[order])

    def points(self, place: Place) -> list[Point]:
        """Where a seed claims: each credit of a holding that is used once, else the holding's time."""
        low, high = np.searchsorted(self.address, (place.address, place.address + 1))
        first, last = low + np.searchsorted(self.movement[low:high], (place.start, place.end))
        holding, movement = self.holding[first:last], self.movement[first:last]
        if place.asset >= 0:
            mine = self.board.asset[holding] == place.asset
            holding, movement = holding[mine], movement[mine]
        single = self.board.single[holding]
        once = zip(holding[single].tolist(), movement[single].tolist(), strict=True)
        points = [(place.seed, held, at, at + 1, not self.credit) for held, at in sorted(set(once))]
        kept = np.unique(holding[~single]).tolist()
        return points + [(place.seed, held, place.start, place.end, not self.credit) for held in kept]
