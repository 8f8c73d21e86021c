"""Ethereum as movements: each transfer is one, from an (address, asset) to another.

A transaction in which somebody gave one asset for another on a market (clustering/ethereum/conversions.py) is netted: a
movement for each conversion, from the party's one holding to its other, and one for each payment that is left.

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
from chain.model import I32, I64, U8, Array, Bool
from chain.uint256 import U64
from clustering.ethereum.conversions import Conversions, Payments, conversions
from clustering.ethereum.ledger import ETHER, NOBODY, EthereumLedger
from clustering.trace.ends import End
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


class _Transfers(NamedTuple):
    """M movements, each of one side of `Side` or an address id to another."""

    row: I64
    source: I64
    gave: I64
    """[M] asset"""
    gave_amount: U64
    target: I64
    got: I64
    got_amount: U64
    stop: U8

    def taken(self, rows: Array) -> _Transfers:
        """Those of `rows` (places, or which ones)."""
        return _Transfers(
            self.row[rows], self.source[rows], self.gave[rows], self.gave_amount[rows], self.target[rows],
            self.got[rows], self.got_amount[rows], self.stop[rows],
        )  # fmt: skip


def account_movements(
    ledger: EthereumLedger, left_out: I64 = NOTHING, *, spared: I64 = NOTHING, convert: bool = True
) -> AccountMovements:
    """Movements of one debit and one credit each over (address, asset); those of the assets `left_out` are none.

    `convert`: whether a swap is a conversion, but with the addresses `spared` (what findings name: a sale is no
    market); else it is two payments.
    """
    moved = _moved(ledger, left_out)
    if convert:
        moved = _converted(ledger, moved, spared)
    assets = len(ledger.asset_standard)
    debit = np.where(moved.source >= 0, moved.source * assets + moved.gave, moved.source)
    credit = np.where(moved.target >= 0, moved.target * assets + moved.got, moved.target)
    names = np.unique(np.concatenate((debit[debit >= 0], credit[credit >= 0])))
    rows = np.arange(len(moved.row) + 1, dtype=np.int64)
    movements = Movements(
        rows, _places(names, debit), moved.gave_amount, rows, _places(names, credit), moved.got_amount,
        _times(ledger)[moved.row], ledger.move_tx[moved.row], moved.stop, len(names),
    )  # fmt: skip
    holdings = Holdings((names // assets).astype(np.int32), (names % assets).astype(np.int32))
    return AccountMovements(movements, holdings, moved.row)


def _moved(ledger: EthereumLedger, left_out: I64) -> _Transfers:
    row, source, target = _parties(ledger, left_out)
    asset, amount = ledger.move_asset[row].astype(np.int64), np.ascontiguousarray(ledger.move_value[row])
    return _Transfers(row, source, asset, amount, target, asset, amount, np.zeros(len(row), np.uint8))


def _converted(ledger: EthereumLedger, moved: _Transfers, spared: I64) -> _Transfers:
    """The same with the transactions netted that hold conversions; fees stand as they do."""
    tx, kind = ledger.move_tx[moved.row], ledger.move_kind[moved.row]
    inner = (tx >= 0) & (kind != Movement.FEE_BURNED) & (kind != Movement.FEE_PAID)
    contract = ledger.asset_contract[moved.gave].astype(np.int64)
    source = np.where(moved.source == Side.ISSUED, contract, moved.source)
    target = np.where(moved.target == Side.BURNED, contract, moved.target)
    moves = Payments(moved.row, source, target, moved.gave, tx, moved.gave_amount)
    found = conversions(ledger, moves.taken(inner), spared)
    if not len(found.tx):
        return moved
    whole = inner & np.isin(tx, found.tx)
    issued = _keys(moved.gave[whole & (moved.source == Side.ISSUED)], tx[whole & (moved.source == Side.ISSUED)])
    burned = _keys(moved.gave[whole & (moved.target == Side.BURNED)], tx[whole & (moved.target == Side.BURNED)])
    parts = [moved.taken(~whole), _payments(ledger, found.paid, issued, burned)]
    parts.append(_conversions(ledger, found, issued, burned))
    joined = _Transfers(*map(np.concatenate, zip(*parts, strict=True)))
    return joined.taken(np.argsort(joined.row, kind="stable"))


def _keys(asset: I64, tx: I64) -> I64:
    """Assets of transactions."""
    return tx << 32 | asset


def _payments(ledger: EthereumLedger, paid: Payments, issued: I64, burned: I64) -> _Transfers:
    """What is left beside conversions; a token's contract that pays of its own issue, issues."""
    key, own = _keys(paid.asset, paid.tx), ledger.asset_contract[paid.asset]
    source = np.where((paid.source == own) & np.isin(key, issued), int(Side.ISSUED), paid.source)
    target = np.where((paid.target == own) & np.isin(key, burned), int(Side.BURNED), paid.target)
    stop = np.zeros(len(source), np.uint8)
    return _Transfers(paid.row, source, paid.asset, paid.amount, target, paid.asset, paid.amount, stop)


def _conversions(ledger: EthereumLedger, found: Conversions, issued: I64, burned: I64) -> _Transfers:
    """One movement each. A contract that issues what it gives only gets; one that burns what it gets only gives."""
    tx, party = ledger.move_tx[found.row], found.party
    issues = (ledger.asset_contract[found.gave] == party) & np.isin(_keys(found.gave, tx), issued)
    burns = (ledger.asset_contract[found.got] == party) & np.isin(_keys(found.got, tx), burned)
    gave = np.where(issues[:, None], found.got_amount, found.gave_amount)
    got = np.where((burns & ~issues)[:, None], found.gave_amount, found.got_amount)
    asset_in = np.where(burns & ~issues, found.gave, found.got)
    asset_out = np.where(issues, found.got, found.gave)
    return _Transfers(
        found.row, np.where(issues, int(Side.ISSUED), party), asset_out, gave,
        np.where(burns, int(Side.BURNED), party), asset_in, got,
        np.where(issues | burns, 0, int(End.CONVERTED)).astype(np.uint8),
    )  # fmt: skip


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
