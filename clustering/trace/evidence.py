"""The best evidence path of every end: the steps by which most of a seed's traced money can have come there.

One pass over the flows in chain order keeps, for each seed and holding, the step by which its strongest path so far
arrives; a path is as strong as the least traced amount on it (a widest path over time-stamped edges, as in
clustering/trace/paths.py, but over traced money alone).

How it fails. Other steps carried parts of the same money; a path is the strongest of them, and not all of it. It may
be longer than its end's fewest hops.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from chain.model import I64, Array, Bool
from clustering.trace import sums
from clustering.trace.amounts import get, less, put
from clustering.trace.ends import End
from clustering.trace.movements import Movements
from clustering.trace.run import Traced

NONE = -1

MOST_STEPS = 5_000_000
"""Steps (of flows and seeds) of a run whose paths are looked for; 100 bytes each are held."""


def step_count(found: Traced) -> int:
    """How many steps the paths of a run would go through."""
    first = found.first_claimant
    return int((first[1:] - first[:-1])[found.flows.claim].sum())


class Evidence(NamedTuple):
    """R steps, one for each flow and seed, in chain order."""

    flow: I64
    seed: I64
    before: I64
    """[R] the step before on the strongest path that ends with this one, -1 for the first"""
    strength: Array
    arrival: dict[tuple[int, int], int]
    """(seed, holding) -> the step by which the strongest path arrives there"""

    def path(self, step: int) -> list[int]:
        """The steps up to and with one, the first first."""
        steps = []
        while step >= 0:
            steps.append(step)
            step = int(self.before[step])
        return steps[::-1]


def evidence(movements: Movements, found: Traced) -> Evidence:
    """The strongest paths of a run whose flows were all kept."""
    flows = found.flows
    flow, seed = sums.by_seed(found, flows.claim)
    source = movements.debit_holding[flows.debit[flow]]
    credit = flows.credit[flow]
    target = np.where(credit >= 0, movements.credit_holding[np.maximum(credit, 0)], NONE)
    goes_on = (credit >= 0) & np.isin(flows.end[flow], (End.NONE, End.RECEIVED)) & (target >= 0)
    keys, place = np.unique(
        np.stack((np.concatenate((seed, seed)), np.concatenate((source, target))), axis=1), axis=0, return_inverse=True
    )
    place = place.reshape(-1).astype(np.int64)
    size = len(flow)
    before, best = np.full(size, NONE, np.int64), np.full(len(keys), NONE, np.int64)
    amount = np.ascontiguousarray(flows.amount[flow])
    strength = np.zeros_like(amount)
    widen(place[:size], place[size:], goes_on, _at_seed(movements, found, seed, source), amount, before, strength, best)
    known = np.flatnonzero(best >= 0)
    arrival = {(int(keys[at, 0]), int(keys[at, 1])): int(best[at]) for at in known.tolist()}
    return Evidence(flow, seed, before, strength, arrival)


def _at_seed(movements: Movements, found: Traced, seed: I64, holding: I64) -> Bool:
    """Which steps leave a holding where their seed claimed money: paths begin there."""
    row = found.sown.row
    claimed = np.where(
        row >= 0, movements.credit_holding[np.maximum(row, 0)], movements.debit_holding[~np.minimum(row, -1)]
    )
    both = np.concatenate((np.stack((found.sown.seed, claimed), axis=1), np.stack((seed, holding), axis=1)))
    _, name = np.unique(both, axis=0, return_inverse=True)
    name = name.reshape(-1)
    result: Bool = np.isin(name[len(row) :], name[: len(row)])
    return result


@njit(cache=True, nogil=True)
def widen(
    source: I64, target: I64, goes_on: Bool, first: Bool, amount: Array, before: I64, strength: Array, best: I64
) -> None:
    """Write for each step the one before and the strength; `best`: by key of (seed, holding), the arriving step."""
    for step in range(len(source)):
        has = get(amount, step)
        prior = -1 if first[step] else best[source[step]]
        if prior >= 0 and less(get(strength, prior), has):
            has = get(strength, prior)
        before[step] = prior
        put(strength, step, has)
        if goes_on[step]:
            known = best[target[step]]
            if known < 0 or less(get(strength, known), has):
                best[target[step]] = step


def reference(steps: list[tuple[int, int, int, bool, bool, int]]) -> dict[tuple[int, int], int]:
    """The readable twin: (seed, source, target, goes on, first, amount) in order -> strength by (seed, holding)."""
    best: dict[tuple[int, int], int] = {}
    for seed, source, target, goes_on, first, amount in steps:
        strength = amount if first else min(amount, best.get((seed, source), amount))
        if goes_on:
            best[seed, target] = max(best.get((seed, target), 0), strength)
    return best
