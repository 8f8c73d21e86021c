"""Payments and token legs of transactions: what was given to whom for what, before anything is called a sale.

A purchase is a transaction of an outside caller that pays a contract (the value of the transaction, or an ERC-20 taken
from the caller) and gives an ERC-20 from a supply to a beneficiary. The buyer is the beneficiary; who pays may be an
exchange or an agent. Of several beneficiaries in one transaction the payer counts, else the one that is given most;
what others are given (a team's share) is issue, not purchase.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain import uint256
from chain.ethereum.model import Movement, Standard, Status
from chain.model import I64, Array, Bool
from chain.uint256 import U64
from clustering.ethereum.ledger import ETHER, NOBODY, EthereumLedger


@dataclass(frozen=True, slots=True)
class Payments:
    """One row a transaction that pays what it calls: P rows, transactions ascending."""

    tx: I64
    contract: I64
    """Whom it calls."""
    payer: I64
    asset: I64
    value: U64
    """[P, 4]"""


@dataclass(frozen=True, slots=True)
class TokenLegs:
    """L transfers of ERC-20 tokens, by transaction ascending."""

    tx: I64
    asset: I64
    source: I64
    target: I64
    value: U64


@dataclass(frozen=True, slots=True)
class Purchases:
    """N purchases of one token from one contract, in order of time; rows of `Payments` joined with what they got."""

    tx: I64
    payer: I64
    beneficiary: I64
    asset: I64
    """What was paid with."""
    paid: U64
    got: U64

    def __len__(self) -> int:
        return len(self.tx)

    def take(self, rows: Array | slice) -> Purchases:
        return Purchases(
            self.tx[rows], self.payer[rows], self.beneficiary[rows], self.asset[rows], self.paid[rows], self.got[rows]
        )


def positive(limbs: U64) -> Bool:
    """Which amounts are not zero."""
    return np.asarray(limbs.any(axis=1))


def succeeded(ledger: EthereumLedger) -> Bool:
    """Per movement: it is of a transaction that is not known to have failed."""
    own = ledger.move_tx < 0
    status = ledger.tx_status[np.where(own, 0, ledger.move_tx)] if len(ledger.tx_status) else ledger.move_kind
    return np.asarray(~own & (status != Status.FAILED))


def payments(ledger: EthereumLedger) -> Payments:
    """The payment of each transaction that makes one: ether by value, else the first ERC-20 that its caller gives."""
    good = succeeded(ledger) & positive(ledger.move_value)
    tx = np.where(ledger.move_tx < 0, 0, ledger.move_tx)
    caller = np.where(good, ledger.tx_from[tx], NOBODY) if len(ledger.tx_from) else np.full(len(tx), NOBODY)
    from_caller = good & (ledger.move_from == caller) & (caller != NOBODY)
    called = ledger.tx_to[tx] if len(ledger.tx_to) else caller
    ether = from_caller & (ledger.move_kind == Movement.VALUE) & (ledger.move_to == called)
    token = from_caller & (ledger.move_kind == Movement.TOKEN) & _is_erc20(ledger)
    token &= ledger.asset_contract[ledger.move_asset] != called  # a plain transfer pays nobody's contract
    rows = np.flatnonzero(ether | token)
    rows = rows[called[rows] != NOBODY]
    rows = rows[np.lexsort((rows, ~ether[rows], ledger.move_tx[rows]))]
    rows = rows[np.unique(ledger.move_tx[rows], return_index=True)[1]]
    of = ledger.move_tx[rows]
    return Payments(
        of, ledger.tx_to[of].astype(np.int64), ledger.tx_from[of].astype(np.int64),
        ledger.move_asset[rows].astype(np.int64), ledger.move_value[rows],
    )  # fmt: skip


def token_legs(ledger: EthereumLedger) -> TokenLegs:
    """Transfers of ERC-20 tokens from one address to another, of an amount."""
    good = succeeded(ledger) & positive(ledger.move_value) & (ledger.move_kind == Movement.TOKEN) & _is_erc20(ledger)
    rows = np.flatnonzero(good & (ledger.move_from != ledger.move_to))
    return TokenLegs(
        ledger.move_tx[rows], ledger.move_asset[rows].astype(np.int64), ledger.move_from[rows].astype(np.int64),
        ledger.move_to[rows].astype(np.int64), ledger.move_value[rows],
    )  # fmt: skip


def _is_erc20(ledger: EthereumLedger) -> Bool:
    return np.asarray((ledger.asset_standard[ledger.move_asset] == Standard.ERC20) & (ledger.move_asset != ETHER))


def offers(pays: Payments, legs: TokenLegs) -> tuple[I64, I64]:
    """Rows of `pays` and of `legs` that are of one transaction, but for what was paid with."""
    first, last = np.searchsorted(legs.tx, pays.tx), np.searchsorted(legs.tx, pays.tx, side="right")
    count = last - first
    pay = np.repeat(np.arange(len(pays.tx)), count)
    leg = np.repeat(first - np.cumsum(count) + count, count) + np.arange(int(count.sum()))
    other = legs.asset[leg] != pays.asset[pay]
    return pay[other], leg[other]


def purchases(pays: Payments, legs: TokenLegs, pay: I64, leg: I64, supply: I64) -> Purchases:
    """The purchases among the offers (`pay`, `leg`) of one contract and one token, from its supply to outsiders."""
    inside = np.isin(legs.source[leg], supply)
    pay, leg = pay[inside], leg[inside]
    # what passes through the supply (minted to the contract, then given) is no buyer's, unless nobody else gets any
    within = np.isin(legs.target[leg], supply)
    payer_first = legs.target[leg] != pays.payer[pay]
    size = as_float(legs.value[leg])
    order = np.lexsort((leg, -size, payer_first, within, pay))
    chosen = order[np.unique(pay[order], return_index=True)[1]]
    buyer = legs.target[leg[chosen]]
    group = np.searchsorted(pay[chosen], pay)
    mine = np.flatnonzero(legs.target[leg] == buyer[group])
    got = sums(group[mine], legs.value[leg[mine]], len(chosen))
    rows = pay[chosen]
    return Purchases(pays.tx[rows], pays.payer[rows], buyer, pays.asset[rows], pays.value[rows], got)


def sums(group: I64, limbs: U64, groups: int) -> U64:
    """[groups, 4] sums of the rows of each group; most groups have one row, which is taken as it is."""
    found = np.zeros((groups, uint256.LIMBS), np.uint64)
    found[group] = limbs
    counts = np.bincount(group, minlength=groups)
    several = np.flatnonzero(counts > 1)
    rows = np.flatnonzero(counts[group] > 1)
    found[several] = uint256.from_ints(
        uint256.sums_by(np.searchsorted(several, group[rows]), limbs[rows], len(several))
    )
    return found


def contributions(ledger: EthereumLedger, contract: int, token: int, supply: I64, bought: Purchases) -> tuple[int, int]:
    """Transactions that call the contract, or buy of it, and in which its supply gives the token, of nothing too; and
    to how many."""
    good = succeeded(ledger) & (ledger.move_asset == token) & (ledger.move_kind == Movement.TOKEN)
    tx = np.where(good, ledger.move_tx, 0)
    good &= (tx >= bought.tx[0]) & (tx <= bought.tx[-1]) & ((ledger.tx_to[tx] == contract) | np.isin(tx, bought.tx))
    good &= np.isin(ledger.move_from, supply)
    outside = good & ~np.isin(ledger.move_to, supply)
    alone = good & ~np.isin(tx, tx[outside])
    return len(np.unique(tx[good])), len(np.unique(ledger.move_to[outside | alone]))


def supply_of(ledger: EthereumLedger, legs: TokenLegs, leg: I64, contract: int, token: int) -> I64:
    """Where a contract's token comes from: 0x0, the token's contract, the sale's, or the one that gives most often."""
    senders, counts = np.unique(legs.source[leg], return_counts=True)
    fixed = [NOBODY, ledger.zero_address, int(ledger.asset_contract[token]), contract]
    outside = ~np.isin(senders, fixed)
    if outside.any() and int(counts[outside].max()) * 10 >= 9 * len(np.unique(legs.tx[leg])):
        fixed.append(int(senders[outside][np.argmax(counts[outside])]))
    return np.array(fixed, np.int64)


def as_float(limbs: U64) -> Array:
    """Amounts as float64: for order and rates, never for sums."""
    found: Array = limbs.astype(np.float64) @ np.array([1.0, 2.0**64, 2.0**128, 2.0**192])
    return found


def densest(times: I64, seconds: int) -> slice:
    """The most rows, ascending in time, within so long; the earlier of equals."""
    last = np.searchsorted(times, times + seconds, side="right")
    if not len(last):
        return slice(0)
    first = int(np.argmax(last - np.arange(len(times))))
    return slice(first, int(last[first]))
