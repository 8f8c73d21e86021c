"""The upper end: all that money of the seeds touched, whole (poison). No sum is kept, so it is no convention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from api.tracing.ground import Board
from chain.model import I64, Array
from clustering.trace import sums
from clustering.trace.ends import End
from clustering.trace.movements import Side, movement_of
from clustering.trace.poison import Reached, poison
from clustering.trace.touched import Part, Points, touched

_SIDES = {Side.FEE: End.FEE, Side.BURNED: End.BURNED, Side.ISSUED: End.ISSUED, Side.UNKNOWN: End.UNKNOWN_PARTY}


@dataclass(frozen=True, slots=True)
class Upper:
    """What the seeds reach."""

    holdings: list[int]
    """How many holdings each seed reaches"""
    ends: dict[tuple[int, End], int]
    """(asset, end) -> all that reached holdings paid there; of LIVE all that reached holdings have at the end"""


def upper_reach(board: Board, points: Points, seeds: int, last: int, cancelled: Callable[[], bool]) -> Upper:
    """Poison on a board, of the first `last` movements."""
    ends = board.ends.copy()
    ends[points.holding] = 0
    found = touched(board.movements, ends, points, last)
    part, reached = found.part, poison(found, seeds, cancelled)
    asset, held = board.asset[found.holding], np.flatnonzero(reached.union)
    totals: dict[tuple[int, End], int] = {}
    _add(totals, asset[held], End.LIVE, found.opening[held], 1)
    for side, amount, sign in ((part.credit, part.credit_amount, 1), (part.debit, part.debit_amount, -1)):
        rows = np.flatnonzero((side[:, 1] >= 0) & reached.union[np.maximum(side[:, 1], 0)])
        _add(totals, asset[side[rows, 1]], End.LIVE, amount[rows], sign)
    _add_ended(totals, part, reached, asset)
    return Upper(reached.holdings.tolist(), {key: value for key, value in sorted(totals.items()) if value})


def _add_ended(totals: dict[tuple[int, End], int], part: Part, reached: Reached, named: I64) -> None:
    """What reached holdings paid to where a trace ends, and into movements that end it."""
    movement, holding = movement_of(part.first[:, 1], np.arange(len(part.credit))), part.credit[:, 1]
    held, assets = holding >= 0, _assets(part, named)
    end = np.where(held, part.end[np.maximum(holding, 0)].astype(np.int64), 0) if len(part.end) else holding
    for side, reason in _SIDES.items():
        end[holding == side] = int(reason)
    for reason in np.unique(end[reached.carried & (end > 0)]).tolist():
        rows = np.flatnonzero(reached.carried & (end == reason))
        asset = np.where(held[rows], named[holding[rows]], assets[movement[rows]])
        _add(totals, asset, End(reason), part.credit_amount[rows], 1)
    payer = part.debit[:, 1]
    stops = reached.stopped[movement_of(part.first[:, 0], np.arange(len(part.debit)))]
    for row in np.flatnonzero(stops & (payer >= 0) & reached.union[np.maximum(payer, 0)]).tolist():
        at = int(movement_of(part.first[:, 0], np.array([row]))[0])
        _add(totals, assets[at : at + 1], End(int(part.stop[at])), part.debit_amount[row : row + 1], 1)


def _assets(part: Part, asset: I64) -> I64:
    """The asset of each movement: that of its first debit, or of its first credit where nobody pays."""
    debit, credit = part.debit[part.first[:-1, 0], 1], part.credit[part.first[:-1, 1], 1]
    named = np.where(debit >= 0, debit, np.maximum(credit, 0))
    names: I64 = asset[named]
    return names


def _add(totals: dict[tuple[int, End], int], asset: I64, end: End, amount: Array, sign: int) -> None:
    for (name,), value in sums.totals([asset], amount).items():
        totals[name, end] = totals.get((name, end), 0) + sign * value
