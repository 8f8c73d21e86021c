"""The movements that relations look at, and what an address is as far as the dataset tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain.ethereum.model import Movement, Standard, Status
from chain.model import I32, I64, U8, Array, Bool
from chain.uint256 import U64
from clustering.ethereum.actors import have_acted
from clustering.ethereum.ledger import ETHER, NOBODY, EthereumLedger


@dataclass(frozen=True, slots=True)
class Flows:
    """F movements of an amount above zero from one address to another, in chain order, fees among them.

    Left out: transfers that say zero and those that nobody vouches for (`vouched`), collectibles, what a failed
    transaction would have moved, rewards and withdrawals.
    """

    tx: I64
    kind: U8
    asset: I32
    source: I32
    target: I32
    """`NOBODY` for a burned fee."""
    value: U64
    """[F, 4]"""
    height: I64

    def __len__(self) -> int:
        return len(self.tx)

    @property
    def is_fee(self) -> Bool:
        return np.asarray((self.kind == Movement.FEE_BURNED) | (self.kind == Movement.FEE_PAID))


@dataclass(frozen=True, slots=True)
class Accounts:
    """What the dataset shows of each of its n addresses."""

    has_acted: Bool
    """Somebody has a key to it."""
    is_contract: Bool
    """It was seen to be created, or it is a token."""


def flows(ledger: EthereumLedger) -> Flows:
    """The flows of a ledger."""
    is_fee = (ledger.move_kind == Movement.FEE_BURNED) | (ledger.move_kind == Movement.FEE_PAID)
    is_coin = np.isin(ledger.move_kind, (Movement.VALUE, Movement.INTERNAL, Movement.TOKEN))
    standard = ledger.asset_standard[ledger.move_asset]
    is_coin &= (ledger.move_asset == ETHER) | (standard == Standard.ERC20)
    good = (ledger.move_tx >= 0) & (ledger.move_from != NOBODY) & ledger.move_value.any(axis=1)
    tx = np.where(ledger.move_tx < 0, 0, ledger.move_tx)
    if len(ledger.tx_status):
        good &= is_fee | (ledger.tx_status[tx] != Status.FAILED)
    rows = np.flatnonzero(good & (is_fee | (is_coin & (ledger.move_to != NOBODY))))
    tokens = np.flatnonzero(ledger.move_kind[rows] == Movement.TOKEN)
    rows = np.delete(rows, tokens[~vouched(ledger, rows[tokens])])
    return Flows(
        ledger.move_tx[rows], ledger.move_kind[rows], ledger.move_asset[rows], ledger.move_from[rows],
        ledger.move_to[rows], np.ascontiguousarray(ledger.move_value[rows]), ledger.tx_height[ledger.move_tx[rows]],
    )  # fmt: skip


def vouched(ledger: EthereumLedger, rows: I64) -> Bool:
    """Which of the token transfers `rows` their source has a part in, by its own signature.

    A token's contract states what it likes: a counterfeit says that victims paid, and any token lets anybody say that
    they paid nothing (address poisoning). So a transfer counts whose source acted in the transaction, or signed an
    approval of that token up to then, or is a contract that was seen to be created, which moves what it is told to.
    """
    tx, source, asset = ledger.move_tx[rows], ledger.move_from[rows], ledger.move_asset[rows]
    found = (ledger.tx_from[tx] == source) | _created(ledger)[source]
    itself = np.isin(ledger.act_kind, (Movement.OPERATED, Movement.DELEGATED))
    signed = (ledger.act_kind == Movement.APPROVED) & (ledger.tx_from[ledger.act_tx] == ledger.act_from)
    acted = _pairs(ledger.act_tx[itself], ledger.act_from[itself])
    found |= np.isin(_pairs(tx, source), acted)
    approved, first = np.unique(_pairs(ledger.act_asset[signed], ledger.act_from[signed]), return_index=True)
    if len(approved):
        wanted = _pairs(asset, source)
        place = np.minimum(np.searchsorted(approved, wanted), len(approved) - 1)
        found |= (approved[place] == wanted) & (ledger.act_tx[signed][first[place]] <= tx)
    return np.asarray(found)


def _pairs(high: Array, low: Array) -> I64:
    pairs: I64 = high.astype(np.int64) << 32 | low.astype(np.int64)
    return pairs


def _created(ledger: EthereumLedger) -> Bool:
    """[n] Contracts that were seen to be created, n above every id of a movement's source."""
    acts = ledger.act_to[(ledger.act_kind == Movement.CREATED) & (ledger.act_to != NOBODY)]
    made = np.concatenate((ledger.tx_created[ledger.tx_created != NOBODY], acts))
    most = max(int(each.max(initial=0)) for each in (made, ledger.move_from))
    created = np.zeros(most + 1, np.bool_)
    created[made] = True
    return created


def accounts(ledger: EthereumLedger, address_count: int) -> Accounts:
    """Of each of `address_count` addresses whether it has a key and whether it has code, where that can be seen."""
    is_contract = np.zeros(address_count, np.bool_)
    is_contract[np.flatnonzero(_created(ledger))] = True
    is_contract[ledger.asset_contract[ledger.asset_contract != NOBODY]] = True
    return Accounts(have_acted(ledger, address_count), is_contract)
