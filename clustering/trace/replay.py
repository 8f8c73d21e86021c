"""The replay: touched movements in chain order, each taking lots of its debits and giving them to its credits.

One kernel for every convention and both chains. `clustering/trace/reference.py` is the readable twin.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import njit

from chain.model import U8, Array
from clustering.trace.amounts import Amount, add, get, is_zero, less, put, share, sub
from clustering.trace.ends import End
from clustering.trace.lots import (
    CLAIM,
    CLAIMS,
    COUNT,
    ENDS,
    FAULT,
    FIRST,
    FLOWS,
    HEAD,
    HOPS,
    LAST,
    LOTS,
    NEXT,
    PAST_POINTS,
    POINTS,
    PREV,
    SHORT,
    SOURCE,
    SOWN,
    STRAY,
    TAIL,
    UNBALANCED,
    Lots,
    append,
    blend,
    free_lot,
    new_lot,
    note_flow,
    sow,
    stream,
    unlink,
)  # fmt: skip
from clustering.trace.movements import Side
from clustering.trace.policies import Fills, Leaves
from clustering.trace.prorata import draw_holding, draw_stream
from clustering.trace.touched import Part

_NEWEST, _TRACED, _OTHERS = int(Leaves.NEWEST), int(Leaves.TRACED), int(Leaves.OTHERS)
_PROPORTION = int(Leaves.IN_PROPORTION)
_IN_ORDER, _HIGHEST, _SPREAD = int(Fills.IN_ORDER), int(Fills.HIGHEST_FIRST), int(Fills.IN_PROPORTION)
_FEE, _BURNED, _ISSUED, _UNKNOWN = int(Side.FEE), int(Side.BURNED), int(Side.ISSUED), int(Side.UNKNOWN)
_END_FEE, _END_BURNED, _END_ISSUED = int(End.FEE), int(End.BURNED), int(End.ISSUED)
_END_UNKNOWN, _END_DUST, _END_HOPS = int(End.UNKNOWN_PARTY), int(End.DUST), int(End.HOPS)
_CONVERTED, _RECEIVED = int(End.CONVERTED), int(End.RECEIVED)


class Rules(NamedTuple):
    """How a replay goes."""

    leaves: int
    fills: int
    max_hops: int
    """0 for no bound"""
    keep: bool
    """Whether flows that go on are written down, beside those that end."""


@njit(cache=True, nogil=True, _nrt=False)
def replay(t: Part, s: Lots, rules: Rules, least: Amount, first: int, last: int) -> int:
    """Carry the touched movements [first, last); returns where it stopped for want of room, or `last`.

    `least`: lots below it are dust. A fault (`lots.FAULT`) stops it too: it is a mistake in what was handed in.
    Compiled without reference counts, six times as fast: nothing that it calls makes an array that outlives the call.
    """
    for m in range(first, last):
        if lacking(t, s, rules, m) >= 0:
            return m
        s.counter[HEAD] = s.counter[TAIL] = -1
        _gather(t, s, rules, m)
        if t.stop[m] == _CONVERTED:
            _convert(t, s, rules, m)
        elif t.stop[m] > 0:
            _end_all(t, s, rules, m)
        elif rules.fills == _SPREAD:
            _spread(t, s, rules, least, m)
        else:
            _fill(t, s, rules, least, m)
        if s.counter[FAULT] > 0:
            return m
    return last


@njit(cache=True, nogil=True, forceinline=True)
def wanted(t: Part, s: Lots, rules: Rules, m: int) -> tuple[int, int, int]:
    """Rows of lots, of flows, and of sowings (and of claims) that a movement may add at most."""
    debits, paid = t.first[m + 1, 0] - t.first[m, 0], t.first[m + 1, 1] - t.first[m, 1]
    pieces, drawing, receiving = debits, 0, 0
    for d in range(t.first[m, 0], t.first[m + 1, 0]):
        h = t.debit[d, 1]
        if h >= 0:
            pieces += s.holding[h, COUNT]
            drawing += s.holding[h, PAST_POINTS] - s.holding[h, POINTS]
    for c in range(t.first[m, 1], t.first[m + 1, 1]):
        h = t.credit[c, 1]
        if h >= 0:
            receiving = max(receiving, s.holding[h, PAST_POINTS] - s.holding[h, POINTS])
    carried = pieces * (paid + 1) if rules.fills == _SPREAD else pieces + paid
    if t.stop[m] == _CONVERTED:
        carried = 2 * pieces
    return carried + 2 * paid + debits, carried, pieces * drawing + (carried + paid) * receiving


@njit(cache=True, nogil=True, forceinline=True)
def lacking(t: Part, s: Lots, rules: Rules, m: int) -> int:
    """The table that lacks room for a movement, -1 where none does. Lots that are free again are not counted."""
    lots, flows, sown = wanted(t, s, rules, m)
    if s.counter[LOTS] + lots > len(s.lot):
        return LOTS
    if s.counter[FLOWS] + flows > len(s.flow):
        return FLOWS
    if s.counter[SOWN] + sown > len(s.sown):
        return SOWN
    return CLAIMS if s.counter[CLAIMS] + sown > len(s.claim) else -1


@njit(cache=True, nogil=True, forceinline=True)
def _gather(t: Part, s: Lots, rules: Rules, m: int) -> None:
    """Fill the stream with what the debits take."""
    low, high = t.first[m, 0], t.first[m + 1, 0]
    for place in range(high - low):
        d = high - 1 - place if rules.leaves == _NEWEST else low + place
        v, h = get(t.debit_amount, d), t.debit[d, 1]
        if is_zero(v):
            continue
        before = s.counter[TAIL]
        if h < 0:
            stream(s, new_lot(s, v, 0, 0, t.debit[d, 0]))
        elif rules.leaves == _PROPORTION:
            draw_holding(s, h, v, t.debit[d, 0])
        else:
            _take(s, h, v, rules.leaves, t.debit[d, 0])
        if h >= 0:
            _sow_debit(t, s, m, h, s.lot[before, NEXT] if before >= 0 else s.counter[HEAD], t.debit[d, 0])


@njit(cache=True, nogil=True, forceinline=True)
def _sow_debit(t: Part, s: Lots, m: int, h: int, node: int, row: int) -> None:
    """Let the seeds that claim what a holding pays claim the lots of the stream from `node` on."""
    for p in range(s.holding[h, POINTS], s.holding[h, PAST_POINTS]):
        if t.point[p, 3] == 1 and t.point[p, 1] <= t.movement[m] < t.point[p, 2]:
            at = node
            while at >= 0:
                sow(s, at, t.point[p, 0], ~row)
                at = s.lot[at, NEXT]


@njit(cache=True, nogil=True, forceinline=True)
def _take(s: Lots, h: int, v: Amount, leaves: int, row: int) -> None:
    """Move `v` of a holding's lots into the stream by the order in which they leave."""
    passes = 2 if leaves in (_TRACED, _OTHERS) else 1
    for number in range(passes):
        node = s.holding[h, LAST] if leaves == _NEWEST else s.holding[h, FIRST]
        while node >= 0 and not is_zero(v):
            follows = s.lot[node, PREV] if leaves == _NEWEST else s.lot[node, NEXT]
            if passes == 2 and (s.lot[node, CLAIM] > 0) != ((leaves == _TRACED) == (number == 0)):
                node = follows
                continue
            has = get(s.amount, node)
            if less(v, has):
                put(s.amount, node, sub(has, v))
                stream(s, new_lot(s, v, s.lot[node, CLAIM], s.lot[node, HOPS], row))
                v = sub(v, v)
            else:
                unlink(s, h, node)
                s.lot[node, SOURCE] = row
                stream(s, node)
                v = sub(v, has)
            node = follows
    if not is_zero(v):
        s.counter[FAULT] = SHORT


@njit(cache=True, nogil=True)
def _end_all(t: Part, s: Lots, rules: Rules, m: int) -> None:
    """A movement that stops a trace: what is traced ends in it, and what it pays is nobody's."""
    node = s.counter[HEAD]
    while node >= 0:
        follows = s.lot[node, NEXT]
        if s.lot[node, CLAIM] > 0:
            note_flow(s, node, -1, s.lot[node, HOPS] + 1, t.stop[m])
        free_lot(s, node)
        node = follows
    for c in range(t.first[m, 1], t.first[m + 1, 1]):
        v, h = get(t.credit_amount, c), t.credit[c, 1]
        if h >= 0 and s.holding[h, ENDS] == 0 and not is_zero(v):
            _lay(t, s, rules, m, c, new_lot(s, v, 0, 0, 0))


@njit(cache=True, nogil=True)
def _convert(t: Part, s: Lots, rules: Rules, m: int) -> None:
    """One asset given for another: each lot becomes its part of what was received, cut where the sums so far are.

    So the parts add up to the whole whatever does not divide. Where the other asset is not followed, it ends there.
    """
    c = t.first[m, 1]
    gave, got = get(t.debit_amount, t.first[m, 0]), get(t.credit_amount, c)
    h = t.credit[c, 1]
    end = s.holding[h, ENDS] if h >= 0 else 0
    before = sub(gave, gave)
    below = before
    node = s.counter[HEAD]
    while node >= 0:
        follows = s.lot[node, NEXT]
        above = add(below, get(s.amount, node))
        after = share(got, above, gave)[0]
        below = above
        if s.lot[node, CLAIM] > 0:
            hops = s.lot[node, HOPS] + 1
            note_flow(s, node, t.credit[c, 0], hops, end if end > 0 else _CONVERTED)
            if end > 0:
                s.lot[node, CLAIM] = 0
            elif h < 0:
                s.counter[FAULT] = STRAY
            s.lot[node, HOPS] = 0 if end > 0 else hops
        put(s.amount, node, sub(after, before))
        if s.lot[node, CLAIM] > 0 and less(before, after):
            note_flow(s, node, t.credit[c, 0], s.lot[node, HOPS], _RECEIVED)
        if h >= 0 and end == 0 and less(before, after):
            _lay(t, s, rules, m, c, node)
        else:
            free_lot(s, node)
        before, node = after, follows


@njit(cache=True, nogil=True, forceinline=True)
def _fill(t: Part, s: Lots, rules: Rules, least: Amount, m: int) -> None:
    """Fill the credits from the stream, one after another."""
    if rules.fills != _IN_ORDER:
        _traced_first(s)
    if rules.fills == _HIGHEST:
        count = _highest_first(t, s, t.first[m, 1], t.first[m + 1, 1])
        for place in range(count):
            _fill_one(t, s, rules, least, m, s.order[place, 0])
    else:
        for c in range(t.first[m, 1], t.first[m + 1, 1]):
            _fill_one(t, s, rules, least, m, c)
    if s.counter[HEAD] >= 0:
        s.counter[FAULT] = UNBALANCED


@njit(cache=True, nogil=True, forceinline=True)
def _fill_one(t: Part, s: Lots, rules: Rules, least: Amount, m: int, c: int) -> None:
    """Fill one credit from the head of the stream."""
    v = get(t.credit_amount, c)
    while not is_zero(v):
        node = s.counter[HEAD]
        if node < 0:
            s.counter[FAULT] = UNBALANCED
            return
        has = get(s.amount, node)
        if less(v, has):
            put(s.amount, node, sub(has, v))
            node = new_lot(s, v, s.lot[node, CLAIM], s.lot[node, HOPS], s.lot[node, SOURCE])
            v = sub(v, v)
        else:
            s.counter[HEAD] = s.lot[node, NEXT]
            v = sub(v, has)
        _deliver(t, s, rules, least, m, c, node)


@njit(cache=True, nogil=True)
def _traced_first(s: Lots) -> None:
    """Put the traced lots of the stream before the others; each kind stays in its order."""
    node = s.counter[HEAD]
    s.counter[HEAD] = s.counter[TAIL] = -1
    first, last = -1, -1
    while node >= 0:
        follows = s.lot[node, NEXT]
        if s.lot[node, CLAIM] > 0:
            stream(s, node)
        else:
            s.lot[node, NEXT] = -1
            if last >= 0:
                s.lot[last, NEXT] = node
            else:
                first = node
            last = node
        node = follows
    if first < 0:
        return
    if s.counter[TAIL] >= 0:
        s.lot[s.counter[TAIL], NEXT] = first
    else:
        s.counter[HEAD] = first
    s.counter[TAIL] = last


@njit(cache=True, nogil=True)
def _highest_first(t: Part, s: Lots, low: int, high: int) -> int:
    """Write the credits into `order` by falling amounts, equal ones in their order, the fee last; how many they are."""
    for c in range(low, high):
        place = c - low
        while place > 0 and _higher(t, c, s.order[place - 1, 0]):
            s.order[place, 0] = s.order[place - 1, 0]
            place -= 1
        s.order[place, 0] = c
    return high - low


@njit(cache=True, nogil=True)
def _higher(t: Part, a: int, b: int) -> bool:
    held_a, held_b = t.credit[a, 1] != _FEE, t.credit[b, 1] != _FEE
    if held_a != held_b:
        return held_a  # type: ignore[no-any-return]
    return less(get(t.credit_amount, b), get(t.credit_amount, a))  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def _spread(t: Part, s: Lots, rules: Rules, least: Amount, m: int) -> None:
    """Give each credit of every lot of the stream in proportion; the last credit takes what is left."""
    for c in range(t.first[m, 1], t.first[m + 1, 1]):
        v = get(t.credit_amount, c)
        if is_zero(v):
            continue
        node = draw_stream(s, v)
        while node >= 0:
            follows = s.lot[node, NEXT]
            _deliver(t, s, rules, least, m, c, node)
            node = follows
    if s.counter[HEAD] >= 0:
        s.counter[FAULT] = UNBALANCED


@njit(cache=True, nogil=True, forceinline=True)
def _deliver(t: Part, s: Lots, rules: Rules, least: Amount, m: int, c: int, node: int) -> None:
    """Give one lot to a credit: it goes on, or ends there and leaves as much that is nobody's."""
    h = t.credit[c, 1]
    held = h >= 0 and s.holding[h, ENDS] == 0
    if s.lot[node, CLAIM] > 0:
        hops = s.lot[node, HOPS] + 1
        end = _end_of(s, rules, least, h, node, hops)
        if rules.keep or end > 0:
            note_flow(s, node, t.credit[c, 0], hops, end)
        s.lot[node, HOPS] = hops
        if end > 0:
            s.lot[node, CLAIM], s.lot[node, HOPS] = 0, 0
        elif not held:
            s.counter[FAULT] = STRAY
    if held:
        _lay(t, s, rules, m, c, node)
    else:
        free_lot(s, node)


@njit(cache=True, nogil=True, forceinline=True)
def _end_of(s: Lots, rules: Rules, least: Amount, h: int, node: int, hops: int) -> int:
    if h == _FEE:
        return _END_FEE
    if h == _BURNED:
        return _END_BURNED
    if h == _ISSUED:
        return _END_ISSUED
    if h == _UNKNOWN:
        return _END_UNKNOWN
    if h >= 0 and s.holding[h, ENDS] > 0:
        return s.holding[h, ENDS]  # type: ignore[no-any-return]
    if less(get(s.amount, node), least):
        return _END_DUST
    return _END_HOPS if rules.max_hops > 0 and hops >= rules.max_hops else 0


@njit(cache=True, nogil=True, forceinline=True)
def _lay(t: Part, s: Lots, rules: Rules, m: int, c: int, node: int) -> None:
    """Let the seeds of a holding claim what it receives, and put it there."""
    h = t.credit[c, 1]
    for p in range(s.holding[h, POINTS], s.holding[h, PAST_POINTS]):
        if t.point[p, 3] == 0 and t.point[p, 1] <= t.movement[m] < t.point[p, 2]:
            sow(s, node, t.point[p, 0], t.credit[c, 0])
    if rules.leaves == _PROPORTION:
        blend(s, h, node)
    else:
        append(s, h, node)


@njit(cache=True, nogil=True)
def open_holdings(opening: Array, end: U8, s: Lots) -> None:
    """Put what a holding must have had before its first movement into it: nobody's, and the oldest."""
    for h in range(len(end)):
        v = get(opening, h)
        if end[h] == 0 and not is_zero(v):
            append(s, h, new_lot(s, v, 0, 0, 0))
