"""The strongest paths between two parties, in order of time: each as strong as the least payment on it.

A path is a row of payments, each later than the one before, and could carry no more than its weakest. One pass in chain
order finds the strongest (a widest path over time-stamped edges; one pass in order of time: Wu et al., VLDB 2014).
Further ones avoid the weakest step of every one before, so that each rests on a step that no other has.

How it fails. A path is no flow: the holdings on it may have mixed and spent other money, and conventions may say that
none of the first party's came out at the end. Services and coinjoins are not gone through, so a path over one is not
found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit

from chain import uint256
from chain.model import I64, Array, Bool
from clustering.trace.amounts import get, less, put
from clustering.trace.touched import Part

NONE, START = -1, -2


@dataclass(frozen=True, slots=True)
class Path:
    """Credits of a touched part, in order; `strength` is the least of them."""

    credits: list[int]
    strength: int


def strongest(part: Part, start: Bool, goal: Bool, count: int) -> list[Path]:
    """At most `count` paths from the holdings `start` [n] to the holdings `goal` [n], the strongest first."""
    blocked = np.zeros(len(part.credit), np.bool_)
    found: list[Path] = []
    while len(found) < count:
        before, width = np.full(len(part.credit), NONE, np.int64), np.zeros_like(part.credit_amount)
        best = np.full(len(part.end), NONE, np.int64)
        best[start] = START
        goal_row = int(widen(part, start, goal, blocked, before, width, best))
        if goal_row < 0:
            break
        rows = list(_back(before, goal_row))[::-1]
        amounts = [_int(part.credit_amount[row]) for row in rows]
        found.append(Path(rows, min(amounts)))
        blocked[rows[amounts.index(min(amounts))]] = True
    return found


def _int(row: Array) -> int:
    return int(row) if row.ndim == 0 else uint256.to_int(row)


def _back(before: I64, row: int) -> Iterator[int]:
    while row >= 0:
        yield row
        row = int(before[row])


@njit(cache=True, nogil=True)
def widen(part: Part, start: Bool, goal: Bool, blocked: Bool, before: I64, width: Array, best: I64) -> int:
    """The credit to a goal at which the strongest path ends, the earliest of equals; -1 for none.

    `best` [n]: the credit by which the strongest path so far reaches a holding. `before` and `width` [c]: of the path
    that ends with each credit, the credit before and its strength.
    """
    found = -1
    for m in range(len(part.movement)):
        if part.stop[m] > 0:
            continue
        source = -1
        for d in range(part.first[m, 0], part.first[m + 1, 0]):
            h = part.debit[d, 1]
            if h >= 0 and best[h] != -1 and (source == -1 or _stronger(width, best[h], source)):
                source = best[h]
        if source == -1:
            continue
        for c in range(part.first[m, 1], part.first[m + 1, 1]):
            h = part.credit[c, 1]
            if h < 0 or blocked[c] or start[h] or part.end[h] > 0:
                continue
            before[c] = source
            put(width, c, get(part.credit_amount, c))
            if source >= 0 and less(get(width, source), get(width, c)):
                put(width, c, get(width, source))
            if best[h] == -1 or _stronger(width, c, best[h]):
                best[h] = c
            if goal[h] and (found < 0 or _stronger(width, c, found)):
                found = c
    return found


@njit(cache=True, nogil=True)
def _stronger(width: Array, a: int, b: int) -> bool:
    """Whether the path of credit `a` is stronger than that of `b`; nothing is stronger than a start."""
    if b == -2:
        return False
    return a == -2 or less(get(width, b), get(width, a))


def reference(part: Part, start: Bool, goal: Bool, amounts: list[int]) -> int:
    """The readable twin: the strength of the strongest path, by trying every one; 0 for none."""
    best = 0

    def walk(holding: int, movement: int, strength: int | None) -> None:
        nonlocal best
        for m in range(movement, len(part.movement)):
            payers = part.debit[part.first[m, 0] : part.first[m + 1, 0], 1].tolist()
            if holding not in payers or part.stop[m]:
                continue
            for c in range(part.first[m, 1], part.first[m + 1, 1]):
                h = int(part.credit[c, 1])
                if h < 0 or start[h] or part.end[h]:
                    continue
                least = amounts[c] if strength is None else min(strength, amounts[c])
                if goal[h]:
                    best = max(best, least)
                walk(h, m + 1, least)

    for holding in np.flatnonzero(start).tolist():
        walk(holding, 0, None)
    return best
