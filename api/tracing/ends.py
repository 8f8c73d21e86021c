"""Where each seed's money ended: one row for each seed and end, with what the legal conventions say of it together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from api.tracing.ground import Board, Ground
from api.tracing.request import Direction
from api.tracing.run import DatasetTrace, Run
from chain.model import I64
from clustering.trace import sums
from clustering.trace.ends import End
from clustering.trace.movements import movement_of
from clustering.trace.policies import POLICIES

MOVEMENT_ENDS = (int(End.COINJOIN), int(End.UNKNOWN_AMOUNT))
"""Ends that a transaction is, and no address."""

NOWHERE, ADDRESS, OUTPUT, TRANSACTION = range(4)
"""What an end is."""

Key = tuple[int, int, int, int, int]
"""Seed, asset, `End`, what the end is, its id."""


@dataclass(slots=True)
class EndRow:
    """One seed's money at one end, in base units."""

    value: int = 0
    hops: int = 0
    """The fewest"""
    first: int = 0
    """Movements of the base in which it came there first and last"""
    last: int = 0
    by_policy: dict[str, int] = field(default_factory=dict)

    @property
    def low(self) -> int:
        return min(self.by_policy.values())

    @property
    def high(self) -> int:
        return max(self.by_policy.values())


def end_rows(trace: DatasetTrace, direction: Direction) -> dict[Key, EndRow]:
    """The ends under the convention that was asked for, and those that only another legal one has (value 0)."""
    rows: dict[Key, EndRow] = {}
    legal = [run for run in trace.runs if POLICIES[run.policy].legal] or [trace.main]
    for number, run in enumerate(trace.runs):
        if number and run not in legal:
            continue
        for key, row in _of_run(trace.ground, run, direction):
            known = rows.setdefault(key, row)
            if number == 0:
                rows[key] = known = row
            known.by_policy[run.policy.value] = row.value
            known.value = row.value if number == 0 else known.value
    for key, row in rows.items():
        if trace.main.policy.value not in row.by_policy:
            row.value = 0
        for run in legal:
            row.by_policy.setdefault(run.policy.value, 0)
        rows[key] = row
    return dict(sorted(rows.items()))


def _of_run(ground: Ground, run: Run, direction: Direction) -> Iterator[tuple[Key, EndRow]]:
    board, found = run.board, run.found
    ended = sums.ended(board.movements, found)
    row, seed, keys = _keys(ground, run, ended, direction)
    first, last = _arrivals(board, run, ended, row, seed)
    amounts = sums.totals(list(keys.T), ended.amount[row])
    names, group = np.unique(keys, axis=0, return_inverse=True) if len(keys) else (keys, np.empty(0, np.int64))
    hops = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(hops, group.reshape(-1), ended.hops[row])
    low, high = np.full(len(names), np.iinfo(np.int64).max), np.full(len(names), -1)
    np.minimum.at(low, group.reshape(-1), first)
    np.maximum.at(high, group.reshape(-1), last)
    size = ground.base.size
    for place, key in enumerate(names.tolist()):
        begin, end = int(low[place]), int(high[place])
        if direction == Direction.BACKWARD:
            begin, end = size - 1 - end, size - 1 - begin
        yield (key[0], key[1], key[2], key[3], key[4]), EndRow(amounts[tuple(key)], int(hops[place]), begin, end)


def keys_of(trace: DatasetTrace, ended: sums.Rows, direction: Direction) -> tuple[I64, I64, I64]:
    """For each end and seed of the convention that was asked for: the row of `ended`, the seed, and the `Key`."""
    return _keys(trace.ground, trace.main, ended, direction)


def _keys(ground: Ground, run: Run, ended: sums.Rows, direction: Direction) -> tuple[I64, I64, I64]:
    board = run.board
    row, seed = sums.by_seed(run.found, ended.claim)
    kind, name = _names(ground, board, ended, direction)
    asset = board.asset[np.where(ended.debit >= 0, board.movements.debit_holding[ended.debit], ended.holding)]
    return row, seed, np.stack((seed, asset[row], ended.end[row], kind[row], name[row]), axis=1)


def _names(ground: Ground, board: Board, ended: sums.Rows, direction: Direction) -> tuple[I64, I64]:
    """What each end is, and its id: address, output of the base, or movement of the base."""
    held = ended.holding >= 0
    owner = np.where(held, board.owner[np.maximum(ended.holding, 0)], -1)
    output = ended.holding - (len(board.owner) - ground.base.holding_count)
    movement = movement_of(board.movements.first_debit, ended.debit)
    if direction == Direction.BACKWARD:
        movement = ground.base.size - 1 - movement
    stopped = np.isin(ended.end, MOVEMENT_ENDS)
    kind = np.select([stopped, held & (owner >= 0), held], [TRANSACTION, ADDRESS, OUTPUT], NOWHERE)
    name = np.select([stopped, held & (owner >= 0), held], [movement, owner, output], -1)
    return kind.astype(np.int64), name.astype(np.int64)


def _arrivals(board: Board, run: Run, ended: sums.Rows, row: I64, seed: I64) -> tuple[I64, I64]:
    """The first and the last movement in which a seed's money came to each end (rows of claims, taken apart by seed).

    What ended on its way came there in that movement. What lies somewhere came with the flows to its holding, and with
    what the seed claimed there.
    """
    movements, found = board.movements, run.found
    at = movement_of(movements.first_debit, ended.debit)[row]
    going = np.flatnonzero(np.isin(found.flows.end, (End.NONE, End.RECEIVED)) & (found.flows.credit >= 0))
    part, by = sums.by_seed(found, found.flows.claim[going])
    credit = found.flows.credit[going][part]
    sown = found.sown.row >= 0
    who = np.concatenate((by, found.sown.seed[sown]))
    where = movements.credit_holding[np.concatenate((credit, found.sown.row[sown]))]
    when = movement_of(movements.first_credit, np.concatenate((credit, found.sown.row[sown])))
    order = np.lexsort((when, where, who))
    pairs = np.stack((who[order], where[order]), axis=1)
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    starts = np.flatnonzero(fresh)
    ends = np.append(starts[1:], len(order)) - 1
    index = {(int(a), int(b)): place for place, (a, b) in enumerate(pairs[starts].tolist())}
    first, last = at.copy(), at.copy()
    for place in np.flatnonzero(ended.debit[row] < 0).tolist():
        known = index[int(seed[place]), int(ended.holding[row[place]])]
        first[place], last[place] = when[order[starts[known]]], when[order[ends[known]]]
    return first, last
