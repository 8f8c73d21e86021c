"""Lots: what lies in each holding, whose it is, and what became of it; arrays that kernels link, split and move.

A lot is an amount with a claim and a count of hops. Claim 0 is nobody's: money that is not traced. A claim is a list of
seeds in the order in which they claimed (EVIDENCE 12): where money of one seed arrives at another, the lot keeps both,
and totals count it once, for the first. Claims are rows of a tree: a claim is its parent's seeds and one more.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from chain.model import I32, I64, U8, Array
from clustering.trace.amounts import Amount, add, get, put

FREE, LOTS, FLOWS, SOWN, CLAIMS, HEAD, TAIL, FAULT = range(8)
"""Counters: the first free lot, how many of each there are, the ends of the stream, and what must never happen."""

SHORT, STRAY, UNBALANCED = 1, 2, 3
"""Faults: a holding had less than it paid; traced money went where reach said that it could not; sides differ."""


CLAIM, HOPS, SOURCE, NEXT, PREV = range(5)
"""Columns of `lot`."""

FIRST, LAST, COUNT, ENDS, POINTS, PAST_POINTS = range(6)
"""Columns of `holding`."""

_HOLDING_COLUMNS = 8
"""A row is a cache line: all that a movement asks of a holding is one read."""

PARENT, SEED, CHILD, SIBLING = range(4)
"""Columns of `claim`."""


class Lots(NamedTuple):
    """L lots over n holdings, F flows, S sowings, K claims; of each as many rows are in use as its counter says."""

    amount: Array
    lot: I64
    """[L, 5] claim, hops, the debit that a lot in the stream comes from, next and previous lot (-1 for none)"""
    holding: I64
    """[n, 8] first and last lot (-1 for none), number of lots, `End`, where the points start and end, two unused"""
    part: Array
    """Scratch of pro rata: what of each lot is drawn, and the remainders."""
    rest: Array
    order: I64
    """[.., 2] scratch of sorting"""
    flow: I64
    """[F, 5] debit row, credit row (-1 where a movement stops all), claim, hops, `End`; a conversion is two rows"""
    flow_amount: Array
    sown: I64
    """[S, 3] seed, the credit that was claimed (of a debit ~, below 0), whose it was before (0: nobody's)"""
    sown_amount: Array
    claim: I64
    """[K, 4] parent, seed, first child and next sibling (-1 for none)"""
    counter: I64


def new_lots(end: U8, first_point: I64, seeds: int, form: Array, paid: int, *, proportional: bool) -> Lots:
    """Empty holdings, with `end` [n] and the places of their points; claim k + 1 is that of seed k alone.

    `form`: an array of amounts of the chain; `paid`: the most credits that one movement has.
    """
    size = 1024
    scratch = size if proportional else 0
    holding, claim = np.zeros((len(end), _HOLDING_COLUMNS), np.int64), np.full((seeds + 1 + size, 4), -1, np.int64)
    holding[:, FIRST] = holding[:, LAST] = -1
    holding[:, ENDS], holding[:, POINTS], holding[:, PAST_POINTS] = end, first_point[:-1], first_point[1:]
    claim[:, PARENT] = 0
    claim[1 : seeds + 1, SEED] = np.arange(seeds)
    counter = np.zeros(8, np.int64)
    counter[FREE], counter[CLAIMS] = -1, seeds + 1
    return Lots(
        _rows(form, size), np.zeros((size, 5), np.int64), holding, _rows(form, scratch), _rows(form, scratch),
        np.zeros((max(scratch, paid), 2), np.int64), np.zeros((size, 5), np.int64), _rows(form, size),
        np.zeros((size, 3), np.int64), _rows(form, size), claim, counter,
    )  # fmt: skip


def _rows(form: Array, count: int) -> Array:
    return np.zeros((count, *form.shape[1:]), form.dtype)


_TABLES = {
    LOTS: ("lot", "amount"),
    FLOWS: ("flow", "flow_amount"),
    SOWN: ("sown", "sown_amount"),
    CLAIMS: ("claim",),
}


def size_of(lots: Lots, table: int) -> int:
    """Rows that a table has room for."""
    return len(getattr(lots, _TABLES[table][0]))


def grown(lots: Lots, table: int, more: int) -> Lots:
    """The same with room for `more` rows at least, and half as many again as there are."""
    used = int(lots.counter[table])
    wanted = max(size_of(lots, table), used + used // 2 + more)
    changed = {name: _extended(getattr(lots, name), wanted) for name in _TABLES[table]}
    if table == LOTS and len(lots.part):
        changed |= {name: _extended(getattr(lots, name), wanted) for name in ("part", "rest", "order")}
    return lots._replace(**changed)


def _extended(rows: Array, wanted: int) -> Array:
    longer = np.zeros((wanted, *rows.shape[1:]), rows.dtype)
    longer[: len(rows)] = rows
    return longer


@njit(cache=True, nogil=True, forceinline=True)
def new_lot(s: Lots, x: Amount, claim: int, hops: int, source: int) -> int:
    """A lot of its own; there must be room."""
    node = s.counter[FREE]
    if node >= 0:
        s.counter[FREE] = s.lot[node, NEXT]
    else:
        node = s.counter[LOTS]
        s.counter[LOTS] += 1
    put(s.amount, node, x)
    s.lot[node, CLAIM], s.lot[node, HOPS], s.lot[node, SOURCE] = claim, hops, source
    return node  # type: ignore[no-any-return]


@njit(cache=True, nogil=True, forceinline=True)
def free_lot(s: Lots, node: int) -> None:
    s.lot[node, NEXT] = s.counter[FREE]
    s.counter[FREE] = node


@njit(cache=True, nogil=True, forceinline=True)
def unlink(s: Lots, holding: int, node: int) -> None:
    """Take a lot out of its holding."""
    before, after = s.lot[node, PREV], s.lot[node, NEXT]
    if before >= 0:
        s.lot[before, NEXT] = after
    else:
        s.holding[holding, FIRST] = after
    if after >= 0:
        s.lot[after, PREV] = before
    else:
        s.holding[holding, LAST] = before
    s.holding[holding, COUNT] -= 1


@njit(cache=True, nogil=True, forceinline=True)
def insert(s: Lots, holding: int, node: int, before: int) -> None:
    """Put a lot into a holding behind the lot `before` (-1: in front of all)."""
    after = s.lot[before, NEXT] if before >= 0 else s.holding[holding, FIRST]
    s.lot[node, PREV], s.lot[node, NEXT] = before, after
    if before >= 0:
        s.lot[before, NEXT] = node
    else:
        s.holding[holding, FIRST] = node
    if after >= 0:
        s.lot[after, PREV] = node
    else:
        s.holding[holding, LAST] = node
    s.holding[holding, COUNT] += 1


@njit(cache=True, nogil=True, forceinline=True)
def append(s: Lots, holding: int, node: int) -> None:
    """Put a lot at the end of a holding; one that equals the last lot but for its amount becomes part of it."""
    last = s.holding[holding, LAST]
    if last >= 0 and s.lot[last, CLAIM] == s.lot[node, CLAIM] and s.lot[last, HOPS] == s.lot[node, HOPS]:
        put(s.amount, last, add(get(s.amount, last), get(s.amount, node)))
        free_lot(s, node)
    else:
        insert(s, holding, node, last)


@njit(cache=True, nogil=True)
def blend(s: Lots, holding: int, node: int) -> None:
    """Put a lot into a holding whose lots stand in order of claims, one of each; the fewest hops count."""
    before, at = -1, s.holding[holding, FIRST]
    while at >= 0 and s.lot[at, CLAIM] < s.lot[node, CLAIM]:
        before, at = at, s.lot[at, NEXT]
    if at >= 0 and s.lot[at, CLAIM] == s.lot[node, CLAIM]:
        put(s.amount, at, add(get(s.amount, at), get(s.amount, node)))
        s.lot[at, HOPS] = min(s.lot[at, HOPS], s.lot[node, HOPS])
        free_lot(s, node)
    else:
        insert(s, holding, node, before)


@njit(cache=True, nogil=True, forceinline=True)
def stream(s: Lots, node: int) -> None:
    """Put a lot at the end of the stream."""
    s.lot[node, NEXT] = -1
    if s.counter[TAIL] >= 0:
        s.lot[s.counter[TAIL], NEXT] = node
    else:
        s.counter[HEAD] = node
    s.counter[TAIL] = node


@njit(cache=True, nogil=True)
def claimed_by(s: Lots, claim: int, seed: int) -> bool:
    """Whether a seed is among those of a claim."""
    while claim > 0:
        if s.claim[claim, SEED] == seed:
            return True
        claim = s.claim[claim, PARENT]
    return False


@njit(cache=True, nogil=True)
def with_seed(s: Lots, claim: int, seed: int) -> int:
    """The claim of the same seeds and one more; there must be room for a new one."""
    if claim == 0:
        return seed + 1
    child = s.claim[claim, CHILD]
    while child >= 0 and s.claim[child, SEED] != seed:
        child = s.claim[child, SIBLING]
    if child < 0:
        child = s.counter[CLAIMS]
        s.counter[CLAIMS] += 1
        s.claim[child, PARENT], s.claim[child, SEED], s.claim[child, CHILD] = claim, seed, -1
        s.claim[child, SIBLING] = s.claim[claim, CHILD]
        s.claim[claim, CHILD] = child
    return child  # type: ignore[no-any-return]


@njit(cache=True, nogil=True, forceinline=True)
def note_flow(s: Lots, node: int, credit: int, hops: int, end: int) -> None:
    """Write down that traced money was carried to a credit, and whether it ended there."""
    at = s.counter[FLOWS]
    s.counter[FLOWS] += 1
    s.flow[at, 0], s.flow[at, 1], s.flow[at, 2] = s.lot[node, SOURCE], credit, s.lot[node, CLAIM]
    s.flow[at, 3], s.flow[at, 4] = hops, end
    put(s.flow_amount, at, get(s.amount, node))


@njit(cache=True, nogil=True, forceinline=True)
def sow(s: Lots, node: int, seed: int, row: int) -> None:
    """Let a seed claim a lot, if it did not before; hops count from here."""
    if claimed_by(s, s.lot[node, CLAIM], seed):
        return
    at = s.counter[SOWN]
    s.counter[SOWN] += 1
    s.sown[at, 0], s.sown[at, 1], s.sown[at, 2] = seed, row, s.lot[node, CLAIM]
    put(s.sown_amount, at, get(s.amount, node))
    s.lot[node, CLAIM] = with_seed(s, s.lot[node, CLAIM], seed)
    s.lot[node, HOPS] = 0


@njit(cache=True, nogil=True)
def live_lots(s: Lots, holding: I64, node: I64) -> int:
    """Fill in the holding and the lot of every traced lot that lies somewhere, and return how many there are."""
    found = 0
    for h in range(len(s.holding)):
        at = s.holding[h, FIRST]
        while at >= 0:
            if s.lot[at, CLAIM] > 0:
                if found < len(node):
                    holding[found], node[found] = h, at
                found += 1
            at = s.lot[at, NEXT]
    return found


def traced(lots: Lots) -> tuple[I64, I64]:
    """Holding and lot of every traced lot that lies somewhere."""
    count = int(live_lots(lots, np.empty(0, np.int64), np.empty(0, np.int64)))
    holding, node = np.empty(count, np.int64), np.empty(count, np.int64)
    live_lots(lots, holding, node)
    return holding, node


def claimants(lots: Lots) -> tuple[I64, I32]:
    """[K + 1] where the seeds of each claim start, and the seeds of all claims in the order in which they claimed."""
    count = int(lots.counter[CLAIMS])
    lists: list[list[int]] = [[]]
    for claim in range(1, count):  # a parent stands before its children
        lists.append([*lists[int(lots.claim[claim, PARENT])], int(lots.claim[claim, SEED])])
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum([len(each) for each in lists], dtype=np.int64)))
    flat: Any = [seed for each in lists for seed in each]
    return starts, np.array(flat, np.int32)
