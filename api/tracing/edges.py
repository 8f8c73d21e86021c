"""Each step of each seed's money, as a table: who paid whom, in which transaction, how much of it was traced."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from api.answers import text
from api.tracing.picture import Step
from api.tracing.request import Direction
from api.tracing.run import DatasetTrace, TraceResult
from api.tracing.summary import reason_of
from clustering.trace import sums
from clustering.trace.ends import End
from clustering.trace.movements import Side, movement_of

EDGE_COLUMNS = (
    "dataset", "seed", "transaction", "time", "from", "from_output", "to", "to_output", "asset", "value", "hops", "end"
)  # fmt: skip


def edge_rows(result: TraceResult, trace: DatasetTrace) -> Iterator[list[str]]:
    """Steps in chain order; of one movement by the rows of its debits and credits, then by seed."""
    ground, run = trace.ground, trace.main
    board, flows = run.board, run.found.flows
    back = result.request.direction == Direction.BACKWARD
    row, seed = sums.by_seed(run.found, flows.claim)
    movement = movement_of(board.movements.first_debit, flows.debit)[row]
    base = ground.base.size - 1 - movement if back else movement
    keys = np.stack((base, flows.debit[row], flows.credit[row], seed, flows.end[row], flows.hops[row]), axis=1)
    totals = sums.totals(list(keys.T), flows.amount[row])
    for (at, debit, credit, number, end, hops), value in sorted(totals.items()):
        sides = [side(trace, int(board.movements.debit_holding[debit]))]
        sides.append(side(trace, int(board.movements.credit_holding[credit])) if credit >= 0 else ("", ""))
        payer, payee = reversed(sides) if back else sides
        received = board.movements.credit_holding[credit] if end == End.RECEIVED else None
        asset = int(board.asset[board.movements.debit_holding[debit] if received is None else received])
        yield [
            ground.dataset, result.seeds[number].name, ground.txid(int(ground.base.tx[at])),
            text.moment(int(ground.times[at])) or "", *payer, *payee, ground.asset_name(asset), str(value), str(hops),
            reason_of(End(end), result.request.direction) if end else "",
        ]  # fmt: skip


def side(trace: DatasetTrace, holding: int) -> tuple[str, str]:
    """Address and output of a holding; neither where it is none."""
    if holding < 0:
        return "", ""
    board = trace.main.board
    owner, output = int(board.owner[holding]), holding - (len(board.owner) - trace.ground.base.holding_count)
    named = trace.ground.output(output) if output >= 0 and bool(board.single[holding]) else ""
    return (trace.ground.address(owner) if owner >= 0 else ""), named


def picture_steps(trace: DatasetTrace, direction: Direction) -> dict[int, list[Step]]:
    """Steps of all seeds together, by asset, for a picture: each unit once, in the direction of the trace.

    What is received in a conversion is no step: its money goes on in the picture of the other asset.
    """
    board, flows = trace.main.board, trace.main.found.flows
    rows = np.flatnonzero(flows.end != End.RECEIVED)
    debit, credit = board.movements.debit_holding[flows.debit[rows]], flows.credit[rows]
    credit = np.where(credit >= 0, board.movements.credit_holding[np.maximum(credit, 0)], int(Side.ELSEWHERE))
    keys = [board.asset[debit], flows.hops[rows], debit, credit, flows.end[rows]]
    found: dict[int, list[Step]] = {}
    for (asset, hops, source, target, end), value in sorted(sums.totals(keys, flows.amount[rows]).items()):
        reason = reason_of(End(end), direction) if end else ""
        step = Step(hops, _name(trace, source), _name(trace, target), value, reason)
        found.setdefault(asset, []).append(step)
    return found


def _name(trace: DatasetTrace, holding: int) -> str:
    address, output = side(trace, holding)
    return address or output
