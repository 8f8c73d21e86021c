"""Deposit accounts: addresses whose deposits go on, whole, to a labelled service.

Source: F. Victor, Address Clustering Heuristics for Ethereum, FC 2020, algorithm 1 (deposit-address reuse), with what
the research catalogue adds (E1'): one sweep may take several deposits. An exchange gives each customer an address; what
is paid there is swept into a main wallet, less the fee. So a sweep y of d into a service X that equals what came into d
within `SWEEP_BLOCKS` before (ether: less fees and at most `DUST_WEI`; a token: exactly) says that d is an account at X,
and that who paid d paid that account.

It joins nobody. Victor joins all who paid one d; but five victims who pay one offender's account have nothing but that
in common, and friends, employers and other exchanges pay the same account too. What it gives are relations.

How it fails. Without a label of the service nothing is found: structure alone does not tell an exchange from a
merchant. An account that is swept in parts is missed, as is one whose first deposits are before the dataset begins.
A broker's account at an exchange looks the same, and is one: its payers are the broker's customers. A person who sends
each payment on to the main wallet of a service by hand is taken for an account. An address with more than `MOST_USERS`
payers is a service of its own and left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numba import njit

from chain.model import I32, I64, Bool
from chain.uint256 import U64, add_to, from_ints, is_less, take_from
from clustering.ethereum.flows import Flows
from clustering.ethereum.ledger import ETHER
from clustering.ethereum.relations import Relation, RelationBatch, concatenate, gathered

SWEEP_BLOCKS = 3_200
"""A deposit is swept within so many blocks (t_max of Victor FC 2020, half a day)."""

DUST_WEI = 10**16
"""What a sweep may leave of the ether, beside fees (a_max of Victor FC 2020: 0.01 ETH)."""

MOST_USERS = 20
"""Payers of one account: above, it is a service of its own (research catalogue, E1)."""

LEAST_SWEPT_PERCENT = 90
"""Of what a deposit account sends (counted in transfers), so many go to its one service (research catalogue, 5.3)."""

_NOBODY = -1


def deposit_relations(flows: Flows, service: I32) -> RelationBatch:
    """Who paid which deposit account, and where each is swept.

    `service` [n]: the labelled service of each address, -1 for none. A relation's first transaction is a deposit, its
    last a sweep.
    """
    if not (service >= 0).any():
        return RelationBatch.empty()
    deposit, sweep = matches(flows, service)
    account, user = flows.target[deposit].astype(np.int64), flows.source[deposit].astype(np.int64)
    paid = service[user] < 0
    payers = np.unique(account[paid] << 32 | user[paid]) >> 32
    counts = np.bincount(payers, minlength=len(service))
    small = counts[account] <= MOST_USERS
    rows = np.flatnonzero(small)
    to = flows.target[sweep].astype(np.int64)
    deposited, swept = flows.tx[deposit], flows.tx[sweep]
    by_user = np.flatnonzero(small & paid)
    return concatenate(
        (
            gathered(Relation.PAID_DEPOSIT, user[by_user], account[by_user], deposited[by_user], swept[by_user]),
            gathered(Relation.SWEPT_INTO, account[rows], to[rows], swept[rows], swept[rows]),
        )
    )


def matches(flows: Flows, service: I32, *, in_sets: bool = True) -> tuple[I64, I64]:
    """Rows of `flows`: each matched deposit and the sweep that took it, account by account, in order of sweeps.

    `in_sets` False: a sweep takes one deposit, as the published rule has it.
    """
    is_fee = flows.is_fee
    number, main = _candidates(is_fee, flows.source, flows.target, service)
    start, entry = _by_account(is_fee, flows.source, flows.target, number)
    deposit, sweep = _match(
        start, entry, is_fee, flows.asset, flows.source, flows.target, flows.value, flows.height, service, number,
        main, from_ints([DUST_WEI])[0], in_sets,
    )  # fmt: skip
    return deposit, sweep


def reference(
    flows: Sequence[tuple[bool, int, int, int, int, int]], service: Sequence[int], *, in_sets: bool = True
) -> list[tuple[int, int]]:
    """The readable twin of `matches`: rows are (is a fee, asset, from, to, value, height)."""
    sent: dict[int, list[int]] = defaultdict(list)
    for is_fee, _, source, target, _, _ in flows:
        if not is_fee and source != target and service[source] < 0:
            sent[source].append(service[target])
    accounts = {}
    for source, services in sent.items():
        main = _majority(services)
        if main >= 0 and 100 * services.count(main) >= LEAST_SWEPT_PERCENT * len(services):
            accounts[source] = main
    waiting: dict[tuple[int, int], list[int]] = defaultdict(list)
    left: dict[tuple[int, int], int] = defaultdict(int)
    fees: dict[int, int] = defaultdict(int)
    found: list[tuple[int, int]] = []
    for row, (is_fee, asset, source, target, value, height) in enumerate(flows):
        if is_fee:
            fees[source] += value
            continue
        if source == target:
            continue
        if source in accounts:
            holding = source, asset
            recent = [each for each in waiting[holding] if flows[each][5] >= height - SWEEP_BLOCKS]
            slack = DUST_WEI + fees[source] if asset == ETHER else 0
            there = left[holding] + sum(flows[each][4] for each in recent)
            taken = []
            if service[target] == accounts[source] and recent:
                if in_sets and 0 <= there - value <= slack:
                    taken = recent
                elif 0 <= flows[recent[-1]][4] - value <= slack:
                    taken, there = recent[-1:], flows[recent[-1]][4]
            found.extend((each, row) for each in taken)
            paid = fees[source] if asset == ETHER else 0
            left[holding] = max(there - value - paid, 0) if taken and in_sets else 0
            if asset == ETHER:
                fees[source] = 0
            waiting[holding] = []
        if target in accounts:
            waiting[target, asset].append(row)
    return found


def _majority(services: Sequence[int]) -> int:
    """Boyer and Moore's candidate for what most are, addresses of no service (-1) among them."""
    main, lead = -1, 0
    for each in services:
        if lead == 0:
            main = each
        lead += 1 if each == main else -1
    return main


@njit(cache=True, nogil=True)
def _candidates(is_fee: Bool, source: I32, target: I32, service: I32) -> tuple[I32, I32]:
    """A number for each address that pays a service nearly all that it pays, -1 for the others, and that service."""
    main, count = np.full(len(service), _NOBODY, np.int32), np.zeros((len(service), 3), np.int32)
    for row in range(len(source)):  # columns: the candidate's lead, payments, payments to the candidate
        one = source[row]
        if is_fee[row] or one == target[row] or service[one] >= 0:
            continue
        to = service[target[row]]
        if count[one, 0] == 0:
            main[one] = to
        count[one, 0] += 1 if main[one] == to else -1
    for row in range(len(source)):
        one = source[row]
        if main[one] >= 0 and not is_fee[row] and one != target[row]:
            count[one, 1] += 1
            count[one, 2] += service[target[row]] == main[one]
    number, accounts = np.full(len(service), _NOBODY, np.int32), 0
    for one in range(len(service)):
        if main[one] >= 0 and 100 * count[one, 2] >= LEAST_SWEPT_PERCENT * count[one, 1]:
            number[one] = accounts
            accounts += 1
    return number, main


@njit(cache=True, nogil=True)
def _by_account(is_fee: Bool, source: I32, target: I32, number: I32) -> tuple[I64, I64]:
    """The rows of each account in chain order: where those of account k start [accounts + 1], and the rows."""
    mine, found, count = np.empty(2 * len(source), np.int32), np.empty(2 * len(source), np.int64), 0
    for row in range(len(source)):
        one, to = source[row], target[row]
        if number[one] >= 0 and (is_fee[row] or one != to):
            mine[count], found[count] = number[one], row
            count += 1
        if not is_fee[row] and number[to] >= 0 and one != to:
            mine[count], found[count] = number[to], row
            count += 1
    start = np.zeros(number.max() + 2 if len(number) else 1, np.int64)
    for place in range(count):
        start[mine[place] + 1] += 1
    for account in range(len(start) - 1):
        start[account + 1] += start[account]
    at, entry = start.copy(), np.empty(count, np.int64)
    for place in range(count):
        entry[at[mine[place]]] = found[place]
        at[mine[place]] += 1
    return start, entry


@njit(cache=True, nogil=True)
def _match(
    start: I64, entry: I64, is_fee: Bool, asset: I32, source: I32, target: I32, value: U64, height: I64, service: I32,
    number: I32, main: I32, dust: U64, in_sets: bool,
) -> tuple[I64, I64]:  # fmt: skip
    """Account by account, in chain order; each asset of it has a list of deposits that no sweep took yet."""
    widest = np.max(np.diff(start)) if len(start) > 1 else 0
    assets = asset.max() + 1 if len(asset) else 0
    slot_of, owner_of = np.zeros(assets, np.int32), np.full(assets, _NOBODY, np.int32)
    head, tail, follows = np.empty(widest, np.int64), np.empty(widest, np.int64), np.empty(widest, np.int64)
    there, left = np.empty((widest, 4), np.uint64), np.empty((widest, 4), np.uint64)
    taken, by = np.empty(len(entry), np.int64), np.empty(len(entry), np.int64)
    paid, slack, rest = np.zeros(4, np.uint64), np.zeros(4, np.uint64), np.zeros(4, np.uint64)
    count = 0
    for account in range(len(start) - 1):
        rows = entry[start[account] : start[account + 1]]
        slots = 0
        paid[:] = 0
        for place in range(len(rows)):
            row = rows[place]
            if is_fee[row]:
                add_to(paid, value[row])
                continue
            if owner_of[asset[row]] != account:
                owner_of[asset[row]], slot_of[asset[row]] = account, slots
                head[slots] = tail[slots] = _NOBODY
                there[slots] = left[slots] = 0
                slots += 1
            at = slot_of[asset[row]]
            if number[source[row]] != account:  # a deposit
                if head[at] < 0:
                    head[at] = place
                else:
                    follows[tail[at]] = place
                follows[place], tail[at] = _NOBODY, place
                add_to(there[at], value[row])
                continue
            while head[at] >= 0 and height[rows[head[at]]] < height[row] - SWEEP_BLOCKS:
                take_from(there[at], value[rows[head[at]]])
                head[at] = follows[head[at]]
            slack[:] = 0
            if asset[row] == ETHER:
                slack[:] = dust
                add_to(slack, paid)
            add_to(left[at], there[at])
            before = count
            if service[target[row]] == main[source[row]] and head[at] >= 0:
                if in_sets and _fits(left[at], value[row], slack, rest):
                    each = head[at]
                    while each >= 0:
                        taken[count], by[count] = rows[each], row
                        count += 1
                        each = follows[each]
                elif _fits(value[rows[tail[at]]], value[row], slack, rest):
                    taken[count], by[count] = rows[tail[at]], row
                    count += 1
                    left[at] = value[rows[tail[at]]]
            if in_sets and count > before:
                _settle(left[at], value[row], paid, asset[row] == ETHER)
            else:
                left[at] = 0
            if asset[row] == ETHER:
                paid[:] = 0
            head[at] = tail[at] = _NOBODY
            there[at] = 0
    return taken[:count].copy(), by[:count].copy()


@njit(cache=True, nogil=True, forceinline=True)
def _settle(left: U64, value: U64, paid: U64, is_ether: bool) -> None:
    """What a sweep leaves there: nothing less than nothing."""
    take_from(left, value)
    if is_ether and is_less(left, paid):
        left[:] = 0
    elif is_ether:
        take_from(left, paid)


@njit(cache=True, nogil=True, forceinline=True)
def _fits(there: U64, value: U64, slack: U64, rest: U64) -> bool:
    """0 <= there - value <= slack; `rest` is overwritten."""
    if is_less(there, value):
        return False
    rest[:] = there
    take_from(rest, value)
    return not is_less(slack, rest)
