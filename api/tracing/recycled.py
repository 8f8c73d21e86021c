"""The scheme's own money that comes back to it: what it paid to somebody and was paid in again.

Each payee's payments are a seed of their own, followed until they come to the scheme, where they end. What comes back
through who got it is *reinvested*; what comes back through another was the scheme's own, put in again: *recycled*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from api.tracing.ground import Ground
from api.tracing.request import Direction, TraceRequest
from api.tracing.run import Cancelled
from chain.model import I64, Array, Bool
from clustering.scheme.payments import Payments
from clustering.trace import sums
from clustering.trace.ends import End
from clustering.trace.movements import movement_of
from clustering.trace.run import Course, trace
from clustering.trace.touched import Points


@dataclass(slots=True)
class Party:
    """What one party paid and got of one asset, in base units."""

    paid: int = 0
    got: int = 0
    times_paid: int = 0
    times_got: int = 0
    first_paid: int = -1
    """Movements of the base; -1 for none"""
    last_paid: int = -1
    first_got: int = -1
    last_got: int = -1
    reinvested: int = 0
    """Of what was paid: what the party itself had got of the scheme before"""
    recycled: int = 0
    """Of what was paid: the scheme's own money, which had gone to others before"""

    @property
    def loss(self) -> int:
        """What was paid in and neither had back nor the scheme's own."""
        return max(0, self.paid - self.got - self.recycled)


def tell_recycled(
    request: TraceRequest, ground: Ground, told: Payments, parties: Mapping[tuple[int, int], Party], party: I64,
    mine: Bool, cancelled: Cancelled,
) -> str | None:  # fmt: skip
    """Write to each party what of its payments was the scheme's own money; the bound that cut it, None for none.

    `party`, `mine` [H] of each holding of the base: whose it is, and whether it is the scheme's.
    """
    board = ground.board(by_address=False)
    moves = board.movements
    out = ~told.paid_in
    payees = np.unique(told.party[out & (told.party >= 0)])
    if not len(payees) or request.direction == Direction.BACKWARD:
        return None
    movement = movement_of(moves.first_credit, np.arange(len(moves.credit_holding)))
    holding = moves.credit_holding
    rows = np.flatnonzero((holding >= 0) & np.isin(moves.tx[movement], np.unique(told.tx[out])))
    rows = rows[~mine[holding[rows]] & _positive(moves.credit_amount[rows])]
    held, at = holding[rows], movement[rows]
    paid = _rows_of((moves.tx[at], board.asset[held], party[held]), (told.tx[out], told.asset[out], told.party[out]))
    held, at = held[paid], at[paid]
    seed = np.searchsorted(payees, party[held])
    table = np.stack((seed, held, at, at + 1), axis=1)
    ends = board.ends.copy()
    ends[table[:, 1]] = 0
    ends[mine] = End.LABELLED
    placed = Points(
        table[:, 0].astype(np.int32), table[:, 1], table[:, 2], table[:, 3], np.zeros(len(table), np.bool_)
    ).ordered()
    course = Course(request.policy, moves.size, keep_flows=False, bounds=request.bounds)
    found = trace(moves, ends, placed, len(payees), course, cancelled=cancelled)
    back = np.flatnonzero((found.flows.end == End.LABELLED) & (found.flows.credit >= 0))
    back = back[mine[moves.credit_holding[found.flows.credit[back]]]]
    payer = party[moves.debit_holding[found.flows.debit[back]]]
    payee = payees[found.claimant[found.first_claimant[found.flows.claim[back]]]]
    asset = board.asset[moves.credit_holding[found.flows.credit[back]]]
    same = (payer == payee).astype(np.int64)
    for (what, who, own_money), value in sums.totals([asset, payer, same], found.flows.amount[back]).items():
        known = parties.get((what, who))
        if known is not None and own_money:
            known.reinvested = min(known.paid, value)
        elif known is not None:
            known.recycled = min(known.paid, value)
    return found.cut


def _rows_of(rows: tuple[I64, ...], wanted: tuple[I64, ...]) -> Bool:
    """Which of `rows` (columns) are among `wanted`."""
    both = np.concatenate((np.stack(rows, axis=1), np.stack(wanted, axis=1)))
    _, name = np.unique(both, axis=0, return_inverse=True)
    name = name.reshape(-1)
    result: Bool = np.isin(name[: len(rows[0])], name[len(rows[0]) :])
    return result


def _positive(amount: Array) -> Bool:
    result: Bool = np.asarray(amount > 0 if amount.ndim == 1 else amount.any(axis=1))
    return result
