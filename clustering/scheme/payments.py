"""Payments to and from a set of wallets, told for each transaction and asset.

What each party gave less what came back to it is netted within a transaction, so that change and refunds within it are
none. Where every movement has one payer and one payee (accounts), who pays the wallets directly is who paid, unless it
only passed on in the same transaction what others gave: then those share it by what they gave. Where payers stand
together (outputs), they share by what each gave; and so for who was paid. Shares are cut by running sums in order of
party, so that they add up to the whole. In a transaction of several parties that nobody can tell apart (a coinjoin) the
other side is one, `UNATTRIBUTED`.

How it fails. A party is an address, or on Bitcoin a cluster: people with several pay as several. Who pays through a
service appears as the service. Of several payers in one transaction nobody knows who paid whom: sharing is a rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from chain.model import I64, Array, Bool
from chain.uint256 import U64
from clustering.trace.amounts import add, get, is_zero, less, put, share, sub, zero
from clustering.trace.movements import Movements, Side, movement_of

OWN, UNATTRIBUTED = -10, -11
"""Parties beside those of `Side`: the wallets themselves, and whoever stands behind a coinjoin."""

_FEE = int(Side.FEE)


@dataclass(frozen=True, slots=True)
class Payments:
    """P payments, in chain order; of one transaction by asset, then by party."""

    tx: I64
    movement: I64
    """[P] the transaction's first movement"""
    asset: I64
    party: I64
    """[P] below 0 one of `Side` or `UNATTRIBUTED`"""
    paid_in: Bool
    """[P] to the wallets, else from them"""
    amount: U64

    def __len__(self) -> int:
        return len(self.tx)


class _Net(NamedTuple):
    """N parties of G groups (a transaction and an asset), sorted by group and party."""

    group: I64
    party: I64
    gets: Bool
    amount: U64
    direct: U64
    """Of that, straight from or to the wallets"""
    tx: I64
    """[G]"""
    movement: I64
    asset: I64
    mixed: Bool
    single: Bool
    """[G] whether every movement has one payer and one payee"""


def payments(movements: Movements, asset: I64, party: I64, own: Bool, mixed: Bool, gas: Bool) -> Payments:
    """Every payment to and from the wallets.

    `asset`, `party`, `own` [H] of each holding: its asset, whose it is, and whether it is the wallets'. `mixed` [M]:
    movements whose parties nobody can tell apart. `gas` [M]: movements that pay for a transaction and are none of its
    payments. What belongs to no transaction is one of its own.
    """
    net = _netted(movements, asset, party, own, mixed, gas)
    size = len(net.group)
    who, amount, kept = np.empty(size, np.int64), np.zeros((size, 4), np.uint64), np.zeros(size, np.bool_)
    paid_in = np.zeros(size, np.bool_)
    starts = np.searchsorted(net.group, np.arange(len(net.tx) + 1))
    attribute(starts, net.party, net.gets, net.amount, net.direct, net.mixed, net.single, who, amount, paid_in, kept)
    group = net.group[kept]
    return Payments(net.tx[group], net.movement[group], net.asset[group], who[kept], paid_in[kept], amount[kept])


def _netted(movements: Movements, asset: I64, party: I64, own: Bool, mixed: Bool, gas: Bool) -> _Net:
    touched = np.zeros(movements.size, np.bool_)
    sides = []
    for first, holding, amount in (
        (movements.first_debit, movements.debit_holding, movements.debit_amount),
        (movements.first_credit, movements.credit_holding, movements.credit_amount),
    ):
        movement = movement_of(first, np.arange(len(holding)))
        touched[movement[(holding >= 0) & own[np.maximum(holding, 0)]]] = True
        sides.append((movement, holding, amount))
    tx = np.where(movements.tx >= 0, movements.tx, -1 - np.arange(movements.size, dtype=np.int64))
    wanted = np.isin(tx, np.unique(tx[touched & ~gas]))
    wanted &= ~gas
    rows = [np.flatnonzero(wanted[movement]) for movement, _, _ in sides]
    movement = np.concatenate([side[0][row] for side, row in zip(sides, rows, strict=True)])
    holding = np.concatenate([side[1][row] for side, row in zip(sides, rows, strict=True)])
    value = np.concatenate([_limbs(side[2][row]) for side, row in zip(sides, rows, strict=True)])
    into = np.repeat(np.array([False, True]), [len(row) for row in rows])
    facing = np.concatenate([_has_own(movements, own, side)[movement] for side, movement in (
        (1, movement[~into]), (0, movement[into])
    )])  # fmt: skip
    held = holding >= 0
    who = np.where(held, party[np.maximum(holding, 0)], holding)
    who[held & own[np.maximum(holding, 0)]] = OWN
    what = np.where(held, asset[np.maximum(holding, 0)], -1)
    what = _of_movement(movement, what, movements.size)[movement]
    keys = np.stack((tx[movement], what), axis=1)
    pairs, place = np.unique(keys, axis=0, return_inverse=True)
    earliest = np.full(len(pairs), np.iinfo(np.int64).max)
    np.minimum.at(earliest, place.reshape(-1), movement)
    blurred = np.zeros(len(pairs), np.bool_)
    np.logical_or.at(blurred, place.reshape(-1), mixed[movement])
    single = np.ones(len(pairs), np.bool_)
    alone = (np.diff(movements.first_debit) == 1) & (np.diff(movements.first_credit) == 1)
    np.logical_and.at(single, place.reshape(-1), alone[movement])
    rank = np.empty(len(pairs), np.int64)
    rank[np.lexsort((pairs[:, 1], earliest))] = np.arange(len(pairs))
    group = rank[place.reshape(-1)]
    order = np.lexsort((who, group))
    group, who, into, value = group[order], who[order], into[order], np.ascontiguousarray(value[order])
    facing = facing[order]
    fresh = np.ones(len(group), np.bool_)
    fresh[1:] = (group[1:] != group[:-1]) | (who[1:] != who[:-1])
    head = np.flatnonzero(fresh)
    sign, net = np.zeros(len(head), np.int8), np.zeros((len(head), 4), np.uint64)
    row_of = np.cumsum(fresh) - 1
    net_of(row_of, into, value, sign, net)
    way, direct = np.zeros(len(head), np.int8), np.zeros((len(head), 4), np.uint64)
    net_of(row_of, into, np.where(facing[:, None], value, np.uint64(0)), way, direct)
    direct[way != sign] = 0
    moved = sign != 0
    by_rank = np.argsort(rank)
    return _Net(
        group[head][moved], who[head][moved], sign[moved] > 0, net[moved], direct[moved], pairs[by_rank, 0],
        earliest[by_rank], pairs[by_rank, 1], blurred[by_rank], single[by_rank],
    )  # fmt: skip


def _has_own(movements: Movements, own: Bool, side: int) -> Bool:
    """[M] whether the wallets are among those who are paid (`side` 1) or pay (0)."""
    first = movements.first_credit if side else movements.first_debit
    holding = movements.credit_holding if side else movements.debit_holding
    found = np.zeros(movements.size, np.bool_)
    found[movement_of(first, np.flatnonzero((holding >= 0) & own[np.maximum(holding, 0)]))] = True
    return found


def _limbs(amount: Array) -> U64:
    """[n, 4] of either chain's amounts."""
    if amount.ndim == 2:
        return amount.astype(np.uint64)
    limbs = np.zeros((len(amount), 4), np.uint64)
    limbs[:, 0] = amount
    return limbs


def _of_movement(movement: I64, asset: I64, size: int) -> I64:
    """[M] the asset of each movement, by its holdings that are any (a movement has one asset)."""
    found = np.full(size, -1, np.int64)
    np.maximum.at(found, movement, asset)
    return found


@njit(cache=True, nogil=True)
def net_of(group: I64, into: Bool, amount: U64, sign: Array, net: U64) -> None:
    """What each group of rows that stand together got (`sign` 1) or gave (-1), in all."""
    at = 0
    while at < len(group):
        g = group[at]
        had, gone = zero(amount), zero(amount)
        while at < len(group) and group[at] == g:
            if into[at]:
                had = add(had, get(amount, at))
            else:
                gone = add(gone, get(amount, at))
            at += 1
        if less(gone, had):
            sign[g] = 1
            put(net, g, sub(had, gone))
        elif less(had, gone):
            sign[g] = -1
            put(net, g, sub(gone, had))


@njit(cache=True, nogil=True)
def attribute(
    starts: I64, party: I64, gets: Bool, amount: U64, direct: U64, mixed: Bool, single: Bool, who: I64, told: U64,
    paid_in: Bool, kept: Bool,
) -> None:  # fmt: skip
    """For each group with the wallets in it, write what each other party's part of their net is.

    A fee is the wallets' own where they pay alone; where others pay too it is shared as the rest.
    """
    for g in range(len(starts) - 1):
        low, high = starts[g], starts[g + 1]
        own = -1
        for row in range(low, high):
            if party[row] == OWN:
                own = row
        if own < 0:
            continue
        whole, straight = zero(amount), zero(amount)
        others = False
        for row in range(low, high):
            if row != own and gets[row] != gets[own]:
                whole = add(whole, get(amount, row))
                straight = add(straight, get(direct, row))
            elif row != own and party[row] != _FEE:
                others = True
        mine = get(amount, own)
        if single[g] and not less(mine, straight):
            mine, whole = sub(mine, straight), sub(whole, straight)
        else:
            straight = zero(amount)
            if not gets[own] and not others:
                mine = whole  # paid alone: each of the others got what it got, the fee among them
        by_hand = not is_zero(straight)
        below, before = zero(amount), zero(amount)
        for row in range(low, high):
            if row == own or gets[row] == gets[own]:
                continue
            part = get(direct, row) if by_hand else zero(amount)
            below = add(below, sub(get(amount, row), part))
            after = zero(amount) if is_zero(whole) else share(mine, below, whole)[0]
            part = add(part, sub(after, before))
            if party[row] != _FEE and not is_zero(part):
                kept[row] = True
                who[row] = UNATTRIBUTED if mixed[g] else party[row]
                paid_in[row] = gets[own]
                put(told, row, part)
            before = after


def reference(
    moves: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]], tx: list[int], own: set[int]
) -> list[tuple[int, int, bool, int]]:
    """The readable twin for one asset: (transaction, party, whether paid in, amount); holdings are parties."""
    found = []
    for name in dict.fromkeys(tx):
        net: dict[int, int] = {}
        straight: dict[int, int] = {}
        mine_of = [move for place, move in enumerate(moves) if tx[place] == name]
        for debits, credits_ in mine_of:
            for sign, side, other in ((-1, debits, credits_), (1, credits_, debits)):
                for holding, value in side:
                    who = OWN if holding in own else holding
                    net[who] = net.get(who, 0) + sign * value
                    if any(each in own for each, _ in other):
                        straight[who] = straight.get(who, 0) + sign * value
        mine = net.pop(OWN, 0)
        if not mine:
            continue
        others = {who: abs(value) for who, value in sorted(net.items()) if value and (value < 0) == (mine > 0)}
        single = all(len(debits) == len(credits_) == 1 for debits, credits_ in mine_of)
        direct = {who: straight.get(who, 0) for who in others}
        direct = {who: abs(value) if (value < 0) == (mine > 0) else 0 for who, value in direct.items()}
        total, below = abs(mine), 0
        if single and sum(direct.values()) <= total:
            total -= sum(direct.values())
        else:
            direct = dict.fromkeys(others, 0)
            if mine < 0 and not [who for who, value in net.items() if value < 0 and who != _FEE]:
                total = sum(others.values())
        whole = sum(others.values()) - sum(direct.values())
        for who, value in others.items():
            above = below + value - direct[who]
            part = direct[who] + (total * above // whole - total * below // whole if whole else 0)
            below = above
            if part and who != _FEE:
                found.append((name, who, mine > 0, part))
    return found
