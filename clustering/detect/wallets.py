"""Purchases that a contract pays: wallets of several keys, and contracts that buy for many.

The sender of such a transaction calls the wallet, and the wallet pays the sale by an internal call, which only traces
tell. Where one transaction pays a sale as often as it is given tokens, the first payment is for the first gift and so
on, as logs and traces stand in the order of execution; else its payments are one purchase.

How it fails. Without traces nothing is seen. Tokens that a wallet pays with are not looked at. Where a contract buys
for many in another order than it is given, pairs are wrong and their prices fit no tier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain.ethereum.model import Movement
from chain.model import I64, Array
from chain.uint256 import LIMBS, U64
from clustering.detect.legs import Payments, Purchases, TokenLegs, offers, positive, purchases, succeeded, sums
from clustering.ethereum.ledger import NOBODY, EthereumLedger

_EMPTY = np.empty(0, np.int64)
_NONE = Purchases(*(_EMPTY,) * 4, *(np.empty((0, LIMBS), np.uint64),) * 2)


@dataclass(frozen=True, slots=True)
class InnerPayments:
    """Ether that calls carry into some contracts, in transactions that call another; by contract, then in order."""

    contract: I64
    tx: I64
    payer: I64
    asset: I64
    value: U64

    @classmethod
    def of(cls, ledger: EthereumLedger, contracts: I64) -> InnerPayments:
        good = (ledger.move_kind == Movement.INTERNAL) & succeeded(ledger) & np.isin(ledger.move_to, contracts)
        rows = np.flatnonzero(good & positive(ledger.move_value) & (ledger.move_from != NOBODY))
        rows = rows[ledger.tx_to[ledger.move_tx[rows]] != ledger.move_to[rows]]
        rows = rows[np.argsort(ledger.move_to[rows], kind="stable")]
        return cls(
            ledger.move_to[rows].astype(np.int64), ledger.move_tx[rows], ledger.move_from[rows].astype(np.int64),
            ledger.move_asset[rows].astype(np.int64), ledger.move_value[rows],
        )  # fmt: skip

    def take(self, rows: Array | slice) -> InnerPayments:
        return InnerPayments(self.contract[rows], self.tx[rows], self.payer[rows], self.asset[rows], self.value[rows])


def inner_purchases(
    into: InnerPayments, transfers: TokenLegs, contract: int, token: int, supply: I64, taken: I64
) -> Purchases:
    """What was bought of `contract` by inner payments, but in the transactions `taken`; in order of time."""
    first, last = np.searchsorted(into.contract, contract), np.searchsorted(into.contract, contract, side="right")
    mine = into.take(slice(int(first), int(last)))
    if not len(mine.tx):
        return _NONE
    # what comes from the supply itself (a forwarder of the sale) is no purchase
    mine = mine.take(~np.isin(mine.tx, taken) & ~np.isin(mine.payer, supply))
    leg = _legs_of(transfers, np.unique(mine.tx))
    leg = leg[(transfers.asset[leg] == token) & np.isin(transfers.source[leg], supply)]
    leg = leg[~np.isin(transfers.target[leg], supply)]
    mine = mine.take(np.isin(mine.tx, transfers.tx[leg]))
    txs, payments = np.unique(mine.tx, return_counts=True)
    gifts = np.unique(transfers.tx[leg], return_counts=True)[1]
    paired = txs[payments == gifts]
    rows, legs = mine.take(np.isin(mine.tx, paired)), leg[np.isin(transfers.tx[leg], paired)]
    one_by_one = Purchases(rows.tx, rows.payer, transfers.target[legs], rows.asset, rows.value, transfers.value[legs])
    rest = mine.take(~np.isin(mine.tx, paired))
    return merged(one_by_one, _as_one(rest, transfers, leg[~np.isin(transfers.tx[leg], paired)], supply))


def _legs_of(transfers: TokenLegs, txs: I64) -> I64:
    """Rows of the token legs of some transactions, ascending."""
    first, last = np.searchsorted(transfers.tx, txs), np.searchsorted(transfers.tx, txs, side="right")
    count = last - first
    rows: I64 = np.repeat(first - np.cumsum(count) + count, count) + np.arange(int(count.sum()))
    return rows


def merged(first: Purchases, second: Purchases) -> Purchases:
    """Both in order of time; of one transaction as they stand."""
    order = np.argsort(np.concatenate((first.tx, second.tx)), kind="stable")
    return Purchases(
        *(
            np.concatenate((getattr(first, name), getattr(second, name)))[order]
            for name in ("tx", "payer", "beneficiary", "asset", "paid", "got")
        )
    )


def _as_one(into: InnerPayments, transfers: TokenLegs, leg: I64, supply: I64) -> Purchases:
    """One purchase a transaction, of all its payments, by the first payer."""
    txs, first, group = np.unique(into.tx, return_index=True, return_inverse=True)
    paid = sums(group.reshape(-1), into.value, len(txs))
    pays = Payments(txs, into.contract[first], into.payer[first], into.asset[first], paid)
    few = TokenLegs(
        transfers.tx[leg], transfers.asset[leg], transfers.source[leg], transfers.target[leg], transfers.value[leg]
    )
    return purchases(pays, few, *offers(pays, few), supply)
