"""Pro rata: what a payment takes of each lot, in proportion, to the last unit (largest remainder)."""

from __future__ import annotations

import numpy as np
from numba import njit

from clustering.trace.amounts import Amount, add, get, is_zero, less, put, share, sub, zero
from clustering.trace.lots import (
    CLAIM,
    FAULT,
    FIRST,
    HEAD,
    HOPS,
    NEXT,
    SHORT,
    SOURCE,
    TAIL,
    Lots,
    free_lot,
    new_lot,
    stream,
    unlink,
)  # fmt: skip


@njit(cache=True, nogil=True)
def divide(s: Lots, head: int, v: Amount) -> bool:
    """Write what of each lot of a list `v` takes into `part`, in the list's order; False where they are less.

    Each gets the whole units of its proportion; the units left over go one each to the largest remainders, of equal
    ones to the lot that stands first.
    """
    total, count, node = zero(s.amount), 0, head
    while node >= 0:
        total = add(total, get(s.amount, node))
        node = s.lot[node, NEXT]
    if less(total, v):
        return False
    given, node = zero(s.amount), head
    while node >= 0:
        quotient, remainder = share(get(s.amount, node), v, total)
        put(s.part, count, quotient)
        put(s.rest, count, remainder)
        given = add(given, quotient)
        count += 1
        node = s.lot[node, NEXT]
    left = sub(v, given)
    if is_zero(left):
        return True
    _by_remainder(s, count)
    one = _one(left)
    for place in range(count):
        if is_zero(left):
            break
        at = s.order[place, 0]
        put(s.part, at, add(get(s.part, at), one))
        left = sub(left, one)
    return True


@njit(cache=True, nogil=True)
def _one(like: Amount) -> Amount:
    if len(like) == 1:
        return (np.int64(1),)
    return (np.uint64(1), np.uint64(0), np.uint64(0), np.uint64(0))


@njit(cache=True, nogil=True)
def _by_remainder(s: Lots, count: int) -> None:
    """Write the places of the lots into `order` by falling remainders, equal ones as they stand (merge sort)."""
    for place in range(count):
        s.order[place, 0] = place
    width = 1
    while width < count:
        for low in range(0, count, 2 * width):
            _merge(s, low, min(low + width, count), min(low + 2 * width, count))
        for place in range(count):
            s.order[place, 0] = s.order[place, 1]
        width *= 2


@njit(cache=True, nogil=True)
def _merge(s: Lots, low: int, middle: int, high: int) -> None:
    left, right = low, middle
    for at in range(low, high):
        take_right = left >= middle
        if left < middle and right < high:
            take_right = less(get(s.rest, s.order[left, 0]), get(s.rest, s.order[right, 0]))
        if take_right:
            s.order[at, 1] = s.order[right, 0]
            right += 1
        else:
            s.order[at, 1] = s.order[left, 0]
            left += 1


@njit(cache=True, nogil=True)
def draw_holding(s: Lots, holding: int, v: Amount, row: int) -> None:
    """Move `v` of a holding's lots into the stream, in proportion."""
    if not divide(s, s.holding[holding, FIRST], v):
        s.counter[FAULT] = SHORT
        return
    node, place = s.holding[holding, FIRST], 0
    while node >= 0:
        after, part, has = s.lot[node, NEXT], get(s.part, place), get(s.amount, node)
        place += 1
        if not less(part, has):
            unlink(s, holding, node)
            s.lot[node, SOURCE] = row
            stream(s, node)
        elif not is_zero(part):
            put(s.amount, node, sub(has, part))
            stream(s, new_lot(s, part, s.lot[node, CLAIM], s.lot[node, HOPS], row))
        node = after


@njit(cache=True, nogil=True)
def draw_stream(s: Lots, v: Amount) -> int:
    """Cut lots of `v` together off those of the stream, in proportion; the first of their list, -1 for none."""
    if not divide(s, s.counter[HEAD], v):
        s.counter[FAULT] = SHORT
        return -1
    first, last, node, place = -1, -1, s.counter[HEAD], 0
    s.counter[HEAD] = s.counter[TAIL] = -1
    while node >= 0:
        after, part, has = s.lot[node, NEXT], get(s.part, place), get(s.amount, node)
        place += 1
        piece = -1
        if not is_zero(part):
            piece = new_lot(s, part, s.lot[node, CLAIM], s.lot[node, HOPS], s.lot[node, SOURCE])
            s.lot[piece, NEXT] = -1
            if last >= 0:
                s.lot[last, NEXT] = piece
            else:
                first = piece
            last = piece
        if less(part, has):
            put(s.amount, node, sub(has, part))
            stream(s, node)
        else:
            free_lot(s, node)
        node = after
    return first
