"""Ethereum as movements: each transfer is one, from an (address, asset) to another.

A fee is spent by its payer; whoever gets it gets clean money, as a movement of its own behind the fee's. What comes
from nobody or, of a token, from the zero address is issued; what goes there is burned. Transfers of nothing, and to
oneself, move nothing. Tokens that are told apart by id (ERC-721, ERC-1155) are no amounts and are not traced.

How it fails. A token's contract may change balances without a log (rebasing, fees in silence): a balance is then not
what was traced. Where that is recognised (clustering/ethereum/faithful.py) the token is left out. Transfers within a
transaction that no trace told are missing. A flash loan mixes borrowed money into its borrower's balance for one
transaction.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chain.ethereum.model import Movement, Standard
from chain.model import I32, I64, Array, Bool
from clustering.ethereum.ledger import ETHER, NOBODY, EthereumLedger
from clustering.trace.movements import Movements, Side

NOTHING: I64 = np.empty(0, np.int64)


class Holdings(NamedTuple):
    """H holdings in ascending order of (address, asset)."""

    address: I32
    asset: I32

    def find(self, address: int, asset: int) -> int:
        """The holding, -1 where the address never moved the asset."""
        low, high = np.searchsorted(self.address, (address, address + 1))
        place = int(low) + int(np.searchsorted(self.asset[low:high], asset))
        return place if place < high and int(self.asset[place]) == asset else -1

    def of(self, address: int) -> range:
        """The holdings of an address."""
        low, high = np.searchsorted(self.address, (address, address + 1))
        return range(int(low), int(high))


class AccountMovements(NamedTuple):
    movements: Movements
    holdings: Holdings
    row: I64
    """[M] the ledger's movement that each comes from"""


def account_movements(ledger: EthereumLedger, left_out: I64 = NOTHING) -> AccountMovements:
    """Movements of one debit and one credit each over (address, asset); those of the assets `left_out` are none."""
    row, source, target = _parties(ledger, left_out)
    asset = ledger.move_asset[row].astype(np.int64)
    assets = len(ledger.asset_standard)
    debit = np.where(source >= 0, source * assets + asset, source)
    credit = np.where(target >= 0, target * assets + asset, target)
    names = np.unique(np.concatenate((debit[debit >= 0], credit[credit >= 0])))
    rows = np.arange(len(row) + 1, dtype=np.int64)
    amount = np.ascontiguousarray(ledger.move_value[row])
    movements = Movements(
        rows, _places(names, debit), amount, rows, _places(names, credit), amount, _times(ledger)[row],
        ledger.move_tx[row], np.zeros(len(row), np.uint8), len(names),
    )  # fmt: skip
    holdings = Holdings((names // assets).astype(np.int32), (names % assets).astype(np.int32))
    return AccountMovements(movements, holdings, row)


def _places(names: I64, keys: I64) -> I64:
    places: I64 = np.where(keys >= 0, np.searchsorted(names, keys), keys)
    return places


def _parties(ledger: EthereumLedger, left_out: I64) -> tuple[I64, I64, I64]:
    """The movements that move money, with source and target of each; a fee that somebody gets is there twice."""
    kind, standard = ledger.move_kind, ledger.asset_standard[ledger.move_asset]
    source, target = ledger.move_from.astype(np.int64), ledger.move_to.astype(np.int64)
    token = ledger.move_asset != ETHER
    zero = ledger.zero_address
    source = np.where((source == NOBODY) | (token & (source == zero)), int(Side.ISSUED), source)
    burns = token | (kind == Movement.UNWRAP)
    target = np.where((target == NOBODY) & ~burns, int(Side.UNKNOWN), target)
    target = np.where((target == NOBODY) | (target == zero), int(Side.BURNED), target)
    fee = (kind == Movement.FEE_BURNED) | (kind == Movement.FEE_PAID)
    amounts = ledger.move_value.any(axis=1) & np.isin(standard, (Standard.ETHER, Standard.ERC20))
    amounts &= ~np.isin(ledger.move_asset, left_out)
    moves = amounts & ((source != target) | fee)
    paid = moves & (kind == Movement.FEE_PAID) & (ledger.move_to != NOBODY)
    return _with_receipts(moves, paid, source, np.where(fee, int(Side.FEE), target), ledger.move_to)


def _with_receipts(moves: Bool, paid: Bool, source: I64, target: I64, beneficiary: I32) -> tuple[I64, I64, I64]:
    """The rows that move, and behind each fee that is `paid` the same money, clean, to whom it goes."""
    row = np.repeat(np.arange(len(moves), dtype=np.int64), moves.astype(np.int64) + paid)
    receipt = np.zeros(len(row), np.bool_)
    receipt[1:] = row[1:] == row[:-1]
    debit = np.where(receipt, int(Side.ISSUED), source[row])
    credit = np.where(receipt, beneficiary[row].astype(np.int64), target[row])
    return row, debit, credit


def _times(ledger: EthereumLedger) -> I64:
    """[M] of each movement of the ledger; what belongs to a block alone has the time of the transaction before it."""
    if not len(ledger.tx_time):
        return np.zeros(len(ledger.move_tx), np.int64)
    last: Array = np.maximum.accumulate(ledger.move_tx) if len(ledger.move_tx) else ledger.move_tx
    return np.maximum.accumulate(ledger.tx_time[np.maximum(last, 0)])
