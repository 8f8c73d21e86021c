"""Conversions: one party gives one asset and gets another in one transaction, from a market.

What is paid and got within a transaction is netted for each party and asset: routers drop out, and of a swap over three
pools each pool and the trader are left. A party that gives one asset and gets one other is a *converter*. Who paid whom
follows where an asset has one payer or one payee; a transaction with several of both is left as it is. A payment
between two converters is a *deal* where one of them is a market: in the dataset transactions of at least `TRADERS`
senders gave it one of its two assets for the other, and of as many the other way round; or it is the contract of a
wrapped form of ether. So a sale of tokens, which nobody can sell back to, is no market and a payment to it stays one;
nor is a contract that only its owner trades with, by which money could be made to look like something without worth.
The rest of what a converter pays or gets (a fee of the market's, say) stays a payment.

Sources: EVIDENCE 10; netting within a transaction before accounts are followed: MFTracer; the redirection at swaps:
TRacer (Wu et al., 2023). That a market must be seen from both sides is ours.

How it fails. A few accounts of one owner that trade both ways make a market of a pool that is the owner's own; then
the trace follows what was bought, and the money that was given lies in the pool. A market of which an extract shows one
side only is none. A trade that takes two transactions (an auction, an order filled later) is two payments. Providing
liquidity gives two assets for one and is none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from chain.ethereum.model import Movement
from chain.model import I32, I64, Array, Bool
from chain.uint256 import U64
from clustering.ethereum.ledger import ETHER, EthereumLedger
from clustering.trace.amounts import add, get, less, put, sub, zero

TRADERS = 3
"""Distinct senders that must have traded with a market in each direction: the least that is not one owner's two."""


class Payments(NamedTuple):
    """P payments of fungible amounts within transactions."""

    row: I64
    """[P] the ledger's movement; of what is netted the first one by which the payee got the asset"""
    source: I64
    """[P] address id; below 0 nobody that can be named"""
    target: I64
    asset: I64
    tx: I64
    amount: U64

    def taken(self, rows: Array) -> Payments:
        """Those of `rows` (places, or which ones)."""
        return Payments(
            self.row[rows], self.source[rows], self.target[rows], self.asset[rows], self.tx[rows], self.amount[rows]
        )


class Conversions(NamedTuple):
    """What the transactions that hold a conversion come to."""

    tx: I64
    """[X] these transactions, ascending"""
    paid: Payments
    """What in them is no conversion"""
    row: I64
    """[C] conversions: the movement of the ledger by which it was got"""
    party: I64
    gave: I64
    """[C] asset"""
    gave_amount: U64
    got: I64
    got_amount: U64


def conversions(ledger: EthereumLedger, moves: Payments, spared: I64) -> Conversions:
    """The conversions among `moves`. `spared`: addresses that are no markets, whatever they look like (findings')."""
    net = _netted(moves)
    source, target = net.tx * _addresses(net) + net.source, net.tx * _addresses(net) + net.target
    nodes, place = np.unique(np.concatenate((source, target)), return_inverse=True)
    payer, payee = place[: len(source)], place[len(source) :]
    gives, gave = _the_one(payer, net.asset, len(nodes))
    gets, got = _the_one(payee, net.asset, len(nodes))
    converter = gives & gets
    party = nodes % _addresses(net)
    between = converter[payer] & converter[payee]
    market = converter & (
        _two_sided(party[payee], got[payee], gave[payee], ledger.tx_from[net.tx], between, party, got, gave)
        | _wraps(ledger, party, gave, got)
    ) & ~np.isin(party, spared)  # fmt: skip
    deal = between & (market[payer] | market[payee])
    while True:
        both = _any(payer, deal, len(nodes)) & _any(payee, deal, len(nodes))
        kept = deal & both[payer] & both[payee]
        if np.array_equal(kept, deal):
            break
        deal = kept
    return _result(net, nodes, payer, payee, deal, gave, got, party)


def _addresses(net: Payments) -> int:
    return int(max(net.source.max(initial=0), net.target.max(initial=0))) + 1


def _any(node: I64, which: Bool, nodes: int) -> Bool:
    found = np.zeros(nodes, np.bool_)
    found[node[which]] = True
    return found


def _the_one(node: I64, asset: I64, nodes: int) -> tuple[Bool, I64]:
    """Which nodes have payments of exactly one asset, and that asset (-1 for none, any of several)."""
    low, high = np.full(nodes, np.iinfo(np.int64).max), np.full(nodes, -1, np.int64)
    np.minimum.at(low, node, asset)
    np.maximum.at(high, node, asset)
    return low == high, high


def _two_sided(
    party: I64, got: I64, gave: I64, sender: I32, which: Bool, parties: I64, parties_got: I64, parties_gave: I64
) -> Bool:
    """For each node, whether enough senders traded with its party both ways between its two assets."""
    which = which & (party != sender)
    trades = np.unique(np.stack((party, got, gave, sender.astype(np.int64)), axis=1)[which], axis=0)
    ways, count = np.unique(trades[:, :3], axis=0, return_counts=True)
    open_ways = {tuple(way) for way in ways[count >= TRADERS].tolist()}
    asked = np.stack((parties, parties_got, parties_gave), axis=1).tolist()
    return np.array([(p, a, b) in open_ways and (p, b, a) in open_ways for p, a, b in asked], np.bool_)


def _wraps(ledger: EthereumLedger, party: I64, gave: I64, got: I64) -> Bool:
    """Which nodes are the contract of a wrapped form of ether, at work."""
    wrapped = np.isin(ledger.move_kind, (Movement.WRAP, Movement.UNWRAP))
    forms = np.unique(ledger.move_asset[wrapped]).astype(np.int64)
    token = np.where(gave == ETHER, got, gave)
    own = (gave == ETHER) ^ (got == ETHER)
    result: Bool = own & np.isin(token, forms) & (ledger.asset_contract[np.maximum(token, 0)] == party)
    return result


def _result(
    net: Payments, nodes: I64, payer: I64, payee: I64, deal: Bool, gave: I64, got: I64, party: I64
) -> Conversions:  # fmt: skip
    converts = np.flatnonzero(_any(payer, deal, len(nodes)))
    place = np.full(len(nodes), -1, np.int64)
    place[converts] = np.arange(len(converts))
    gave_amount, got_amount = np.zeros((len(converts), 4), np.uint64), np.zeros((len(converts), 4), np.uint64)
    row = np.full(len(converts), np.iinfo(np.int64).max)
    sum_up(place[payer[deal]], net.amount[deal], gave_amount)
    sum_up(place[payee[deal]], net.amount[deal], got_amount)
    np.minimum.at(row, place[payee[deal]], net.row[deal])
    txs = np.unique(net.tx[deal])
    rest = np.isin(net.tx, txs) & ~deal
    return Conversions(
        txs, net.taken(rest), row, party[converts], gave[converts], gave_amount, got[converts],
        got_amount,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def sum_up(place: I64, amount: U64, sums: U64) -> None:
    """Add each amount to the sum at its place."""
    for row in range(len(place)):
        put(sums, place[row], add(get(sums, place[row]), get(amount, row)))


def _netted(moves: Payments) -> Payments:
    """Who paid whom in the transactions that move two assets or more, where that is plain."""
    few = _several(moves.tx, moves.asset)
    unnamed = np.unique(moves.tx[(moves.source < 0) | (moves.target < 0)])
    rows = np.flatnonzero(few & ~np.isin(moves.tx, unnamed))
    size = len(rows)
    tx, asset = np.tile(moves.tx[rows], 2), np.tile(moves.asset[rows], 2)
    party = np.concatenate((moves.source[rows], moves.target[rows]))
    order = np.lexsort((party, asset, tx))
    into = np.repeat(np.array([False, True]), size)[order]
    tx, asset, party = tx[order], asset[order], party[order]
    fresh = np.ones(2 * size, np.bool_)
    fresh[1:] = (tx[1:] != tx[:-1]) | (asset[1:] != asset[:-1]) | (party[1:] != party[:-1])
    first = np.flatnonzero(fresh)
    group = np.cumsum(fresh) - 1
    sign, amount = np.zeros(len(first), np.int8), np.zeros((len(first), 4), np.uint64)
    balance(group, into, moves.amount[rows][order % max(size, 1)], sign, amount)
    by = np.full(len(first), np.iinfo(np.int64).max)
    np.minimum.at(by, group[into], moves.row[rows][order % max(size, 1)][into])
    return _edges(tx[first], asset[first], party[first], sign, amount, by)


def _several(tx: I64, asset: I64) -> Bool:
    """Which movements are of transactions with more than one asset."""
    pairs = np.unique(np.stack((tx, asset), axis=1), axis=0)
    names, count = np.unique(pairs[:, 0], return_counts=True)
    result: Bool = np.isin(tx, names[count > 1])
    return result


_PAYS, _GETS, _LIES = -1, 1, 2
"""Signs of a net amount; `_LIES` where sums pass 2^256, which only a lying token can state."""


@njit(cache=True, nogil=True)
def balance(group: I64, into: Bool, amount: U64, sign: Array, net: U64) -> None:
    """The net of each group of rows that stand together: `sign` and `net` [groups]."""
    at = 0
    while at < len(group):
        g = group[at]
        had, gone = zero(amount), zero(amount)
        lies = False
        while at < len(group) and group[at] == g:
            value = get(amount, at)
            if into[at]:
                had = add(had, value)
                lies |= less(had, value)
            else:
                gone = add(gone, value)
                lies |= less(gone, value)
            at += 1
        if less(gone, had):
            sign[g] = _GETS
            put(net, g, sub(had, gone))
        elif less(had, gone):
            sign[g] = _PAYS
            put(net, g, sub(gone, had))
        if lies:
            sign[g] = _LIES


def _edges(tx: I64, asset: I64, party: I64, sign: Array, amount: U64, row: I64) -> Payments:
    """Payments where an asset of a transaction has one payer or one payee; no transaction in part."""
    fresh = np.ones(len(tx), np.bool_)
    fresh[1:] = (tx[1:] != tx[:-1]) | (asset[1:] != asset[:-1])
    group, groups = np.cumsum(fresh) - 1, int(fresh.sum())
    payers, payees = (np.bincount(group[sign == each], minlength=groups) for each in (_PAYS, _GETS))
    lies = np.bincount(group[sign == _LIES], minlength=groups) > 0
    unclear = np.unique(tx[((np.minimum(payers, payees) > 1) | lies)[group]])
    clear = ~np.isin(tx, unclear)
    one_payer = payers == 1
    alone = np.full(groups, -1, np.int64)
    for side, which in ((_PAYS, one_payer), (_GETS, ~one_payer)):
        rows = np.flatnonzero((sign == side) & which[group])
        alone[group[rows]] = rows
    other = np.where(one_payer[group], _GETS, _PAYS)
    rows = np.flatnonzero(clear & (sign == other))
    mate = alone[group[rows]]
    pays_out = one_payer[group[rows]]
    return Payments(
        np.where(pays_out, row[rows], row[mate]), np.where(pays_out, party[mate], party[rows]),
        np.where(pays_out, party[rows], party[mate]), asset[rows], tx[rows], amount[rows],
    )  # fmt: skip
