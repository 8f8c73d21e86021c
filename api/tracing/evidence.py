"""`paths.csv`: of each end the strongest path of traced money to it, step by step: where to look first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from api.answers import text
from api.tracing.edges import side
from api.tracing.ends import EndRow, Key, keys_of
from api.tracing.request import Direction
from api.tracing.run import DatasetTrace, TraceResult
from chain import uint256
from chain.model import Array
from clustering.trace import sums
from clustering.trace.ends import End
from clustering.trace.evidence import MOST_STEPS, Evidence, evidence, step_count
from clustering.trace.movements import movement_of

PATH_COLUMNS = (
    "dataset", "seed", "asset", "end", "reason", "limiting_value", "step", "transaction", "time", "from", "from_output",
    "to", "to_output", "value",
)  # fmt: skip

LISTED = 10_000
"""Ends whose path is listed, those of the most value."""

STEPS = 1_000
"""Steps of a path that are listed, the last ones."""


def path_rows(
    result: TraceResult, trace: DatasetTrace, rows: Mapping[Key, EndRow], named: Mapping[Key, tuple[str, str]]
) -> Iterator[list[str]]:
    """The steps of each path, the ends in their order. `named`: end and reason of each, as ends.csv has them."""
    run, back = trace.main, result.request.direction == Direction.BACKWARD
    if step_count(run.found) > MOST_STEPS:  # the summary says so
        return
    found = evidence(run.board.movements, run.found)
    steps = _last_steps(trace, result.request.direction, found)
    wanted = sorted(rows, key=lambda key: (-rows[key].value, key))[:LISTED]
    for key in sorted(wanted):
        step = steps.get(key, -1)
        if step < 0 or not rows[key].value:
            continue
        path = found.path(step)[-STEPS:]
        limiting = _int(found.strength[step])
        for number, each in enumerate(path, 1):
            yield [
                trace.ground.dataset, result.seeds[key[0]].name, trace.ground.asset_name(key[1]), *named[key],
                str(limiting), str(number), *_step(trace, found, each, back=back),
            ]  # fmt: skip


def _last_steps(trace: DatasetTrace, direction: Direction, found: Evidence) -> dict[Key, int]:
    """The step by which the strongest path of each end arrives."""
    run = trace.main
    ended = sums.ended(run.board.movements, run.found)
    steps: dict[Key, int] = {}
    over = np.flatnonzero((run.found.flows.end > 0) & (run.found.flows.end != End.RECEIVED))
    row, seed, keys = keys_of(trace, ended, direction)
    # rows of an end stand together and in the order of its claim's seeds, as the steps of its flow do
    place = np.arange(len(row)) - np.searchsorted(row, row)
    lies = row >= len(over)
    own = np.searchsorted(found.flow, np.append(over, 0)[np.minimum(row, len(over))]) + place
    columns = (row.tolist(), seed.tolist(), keys.tolist(), lies.tolist(), own.tolist())
    for at, who, name, is_live, flowed in zip(*columns, strict=True):
        step = found.arrival.get((who, int(ended.holding[at])), -1) if is_live else flowed
        key = (name[0], name[1], name[2], name[3], name[4])
        known = steps.get(key, -1)
        if step >= 0 and (known < 0 or _int(found.strength[step]) > _int(found.strength[known])):
            steps[key] = step
    return steps


def _step(trace: DatasetTrace, found: Evidence, step: int, *, back: bool) -> list[str]:
    ground, board, flows = trace.ground, trace.main.board, trace.main.found.flows
    flow = int(found.flow[step])
    debit, credit = int(flows.debit[flow]), int(flows.credit[flow])
    movement = int(movement_of(board.movements.first_debit, np.array([debit]))[0])
    at = ground.base.size - 1 - movement if back else movement
    payer = side(trace, int(board.movements.debit_holding[debit]))
    payee = side(trace, int(board.movements.credit_holding[credit])) if credit >= 0 else ("", "")
    if back:
        payer, payee = payee, payer
    when = text.moment(int(ground.times[at])) or ""
    return [ground.txid(int(ground.base.tx[at])), when, *payer, *payee, str(_int(flows.amount[flow]))]


def _int(value: Array) -> int:
    return int(value) if value.ndim == 0 else uint256.to_int(value)
