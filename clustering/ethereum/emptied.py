"""Accounts that were emptied into one address: a drainer's victims, or somebody's own accounts on their last day.

Source: research catalogue, E6 (proposed there): at least `LEAST_ACCOUNTS` accounts send at least `LEAST_SHARE_PERCENT`
of what they hold of an asset to one address that is no labelled service and no contract, within `WITHIN_SECONDS`, and
nothing leaves any of them afterwards. Whether they signed it or a drainer took it by an approval, the row is the same;
so it joins nobody, and no one may read it as common ownership: victims of one thief have the thief in common.

How it fails. Donors, merchants' customers and a broker's clients are emptied into one address too, as are deposit
accounts of a service that no label names. In an extract what an account holds is not known: who pays more than
the dataset gave it is left out, and what came from elsewhere is not seen. The newest accounts look as if they never
acted again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numba import njit

from chain.model import I32, I64, Bool
from chain.uint256 import U64, add_to, is_less, take_from
from clustering.ethereum.flows import Flows
from clustering.ethereum.holdings import holding_numbers
from clustering.ethereum.relations import Relation, RelationBatch, gathered

LEAST_ACCOUNTS = 3
LEAST_SHARE_PERCENT = 95
WITHIN_SECONDS = 86_400
"""A day."""

_NONE = -1


def emptied(flows: Flows, tx_time: I64, service: I32, is_contract: Bool) -> RelationBatch:
    """Accounts whose last payment emptied them into an address that others were emptied into on the same day."""
    last = last_payments(flows, len(service))
    rows = last[last >= 0]
    target = flows.target[rows]
    rows = rows[(service[target] < 0) & ~is_contract[target] & (service[flows.source[rows]] < 0)]
    rows = _on_one_day(flows, tx_time, rows)
    rows = _on_one_day(flows, tx_time, rows[are_emptying(flows, rows, len(service))])
    return gathered(Relation.EMPTIED_INTO, flows.source[rows], flows.target[rows], flows.tx[rows], flows.tx[rows])


def _on_one_day(flows: Flows, tx_time: I64, rows: I64) -> I64:
    """Those of the payments `rows` that are of `LEAST_ACCOUNTS` to one address within `WITHIN_SECONDS`."""
    target, time = flows.target[rows].astype(np.int64), tx_time[flows.tx[rows]]
    order = np.lexsort((rows, time, target))
    rows, target, time = rows[order], target[order], time[order]
    kept = np.zeros(len(rows), np.bool_)
    for first in range(LEAST_ACCOUNTS):  # a row is in some window of so many when it is first, second, … of one
        begin = np.arange(len(rows)) - first
        end = begin + LEAST_ACCOUNTS - 1
        inside = (begin >= 0) & (end < len(rows))
        a, b = np.where(inside, begin, 0), np.where(inside, end, 0)
        kept |= inside & (target[a] == target[b]) & (time[b] - time[a] <= WITHIN_SECONDS)
    return np.sort(rows[kept])


def are_emptying(flows: Flows, last: I64, address_count: int) -> Bool:
    """Whether each payment of `last` (rows of `flows`, ascending, one an account) paid out nearly all that the account
    had of its asset."""
    wanted = np.zeros(address_count, np.bool_)
    wanted[flows.source[last]] = True
    is_target = (flows.target >= 0) & wanted[flows.target]
    rows = np.flatnonzero(wanted[flows.source] | is_target)
    ends = np.stack((flows.source[rows], np.where(is_target[rows], flows.target[rows], _NONE)), axis=1)
    place, holdings = holding_numbers(ends, flows.asset[rows, None])
    whole: Bool = _are_emptying(rows, place, holdings, flows.value, last)
    return whole


def reference(flows: Sequence[tuple[bool, int, int, int, int]]) -> list[int]:
    """The readable twin: rows are (is a fee, asset, from, to, value); the rows that are the last payment of an account
    and pay out nearly all that it had of the asset."""
    held: dict[tuple[int, int], int] = defaultdict(int)
    last: dict[int, tuple[int, bool]] = {}
    for row, (is_fee, asset, source, target, value) in enumerate(flows):
        before = held[source, asset]
        if not is_fee and source != target:
            last[source] = row, LEAST_SHARE_PERCENT * before <= 100 * value <= 100 * before
        held[source, asset] = max(before - value, 0)
        if target >= 0:
            held[target, asset] += value
    return sorted(row for row, whole in last.values() if whole)


def last_payments(flows: Flows, address_count: int) -> I64:
    """[address_count] The last row of `flows` by which each address paid another, -1 for none; fees do not count."""
    last: I64 = _last_payments(flows.is_fee, flows.source, flows.target, address_count)
    return last


@njit(cache=True, nogil=True)
def _last_payments(is_fee: Bool, source: I32, target: I32, address_count: int) -> I64:
    last = np.full(address_count, _NONE, np.int64)
    for row in range(len(source)):
        if not is_fee[row] and source[row] != target[row]:
            last[source[row]] = row
    return last


@njit(cache=True, nogil=True)
def _are_emptying(rows: I64, place: I32, holdings: int, value: U64, last: I64) -> Bool:
    """One pass over the movements of these accounts, with what each holds; below nothing it counts as nothing."""
    held, whole = np.zeros((holdings, 4), np.uint64), np.zeros(len(last), np.bool_)
    asked = 0
    for step in range(len(rows)):
        row = rows[step]
        if place[step, 0] >= 0:
            before = held[place[step, 0]]
            if asked < len(last) and last[asked] == row:
                whole[asked] = _is_nearly_all(value[row], before)
                asked += 1
            if is_less(before, value[row]):
                before[:] = 0
            else:
                take_from(before, value[row])
        if place[step, 1] >= 0:
            add_to(held[place[step, 1]], value[row])
    return whole


@njit(cache=True, nogil=True)
def _is_nearly_all(value: U64, before: U64) -> bool:
    """Not more than before, and the rest is a twentieth of it at most: 20 (before - value) <= before."""
    if is_less(before, value):
        return False
    rest, total = before.copy(), np.zeros(4, np.uint64)
    take_from(rest, value)
    for _ in range(100 // (100 - LEAST_SHARE_PERCENT)):
        add_to(total, rest)
    return not is_less(before, total)
