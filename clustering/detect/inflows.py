"""Money that many send to one address, and what left it: what a collection is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chain import uint256
from chain.ethereum.model import Movement, Standard
from chain.model import I64, Array, Bool
from chain.uint256 import U64
from clustering.detect import parameters as p
from clustering.detect.legs import TokenLegs, positive, succeeded
from clustering.ethereum.ledger import ETHER, NOBODY, EthereumLedger


@dataclass(frozen=True, slots=True)
class Transfers:
    """N movements of one asset to, or from, one address, in order of time."""

    tx: I64
    other: I64
    """Who sent, or who got."""
    value: U64
    """[N, 4]"""

    def __len__(self) -> int:
        return len(self.tx)

    def take(self, rows: Array | slice) -> Transfers:
        return Transfers(self.tx[rows], self.other[rows], self.value[rows])

    @property
    def total(self) -> int:
        return uint256.total(self.value)


@dataclass(frozen=True, slots=True)
class Collection:
    """What an address took in of one asset in its densest `PRESALE_SECONDS`, from many, for nothing at once."""

    address: int
    asset: int
    inflow: Transfers
    outflow: Transfers
    """From its first payment to the end of the dataset."""
    senders: I64
    """Distinct, ascending."""
    sender: I64
    """[N] Place of each payment's sender in `senders`."""

    def paid(self) -> list[int]:
        """By each sender, exact."""
        return uint256.sums_by(self.sender, self.inflow.value, len(self.senders))


def collections(ledger: EthereumLedger, transfers: TokenLegs) -> Iterator[Collection]:
    """Addresses with `PRESALE_SENDERS` in the window, by address and asset."""
    moves = _money(ledger)
    rows = moves[_gives_nothing(ledger, transfers, moves)]
    key = ledger.move_to[rows].astype(np.int64) * len(ledger.asset_contract) + ledger.move_asset[rows]
    pairs = np.unique(np.stack((key, ledger.move_from[rows]), axis=1), axis=0)
    keys, senders = np.unique(pairs[:, 0], return_counts=True)
    keys = keys[senders >= p.PRESALE_SENDERS]
    rows = rows[np.isin(key, keys)]
    incoming = _by_key(ledger, rows, ledger.move_to)
    outgoing = _by_key(ledger, moves, ledger.move_from)
    for place in keys.tolist():
        address, asset = divmod(place, len(ledger.asset_contract))
        found = _collection(ledger, address, asset, _of(incoming, place), _of(outgoing, place))
        if found is not None:
            yield found


def _collection(ledger: EthereumLedger, address: int, asset: int, incoming: I64, outgoing: I64) -> Collection | None:
    mine = incoming[densest(ledger.tx_time[ledger.move_tx[incoming]], p.PRESALE_SECONDS)]
    senders, group = np.unique(ledger.move_from[mine], return_inverse=True)
    if len(senders) < p.PRESALE_SENDERS:
        return None
    outgoing = outgoing[ledger.move_tx[outgoing] >= ledger.move_tx[mine[0]]]
    return Collection(
        address, asset, _transfers(ledger, mine, ledger.move_from), _transfers(ledger, outgoing, ledger.move_to),
        senders.astype(np.int64), group.reshape(-1),
    )  # fmt: skip


def densest(times: I64, seconds: int) -> slice:
    """The most rows, ascending in time, within so long; the earlier of equals."""
    last = np.searchsorted(times, times + seconds, side="right")
    if not len(last):
        return slice(0)
    first = int(np.argmax(last - np.arange(len(times))))
    return slice(first, int(last[first]))


def _transfers(ledger: EthereumLedger, rows: I64, other: Array) -> Transfers:
    return Transfers(ledger.move_tx[rows], other[rows].astype(np.int64), ledger.move_value[rows])


def _money(ledger: EthereumLedger) -> I64:
    """Rows of ether and of ERC-20 tokens that moved from one address to another."""
    kind = ledger.move_kind
    ether = (kind == Movement.VALUE) | (kind == Movement.INTERNAL)
    token = (kind == Movement.TOKEN) & (ledger.asset_standard[ledger.move_asset] == Standard.ERC20)
    good = (ether | token) & succeeded(ledger) & positive(ledger.move_value)
    good &= (ledger.move_from != NOBODY) & (ledger.move_to != NOBODY) & (ledger.move_from != ledger.move_to)
    if ledger.zero_address != NOBODY:
        good &= (ledger.move_from != ledger.zero_address) & (ledger.move_to != ledger.zero_address)
    return np.flatnonzero(good)


def _gives_nothing(ledger: EthereumLedger, transfers: TokenLegs, rows: I64) -> Bool:
    """Whether no token but what is paid with moves in the row's transaction."""
    pairs = np.unique(np.stack((transfers.tx, transfers.asset), axis=1), axis=0)
    tx, assets = np.unique(pairs[:, 0], return_counts=True)
    count = np.zeros(len(ledger.tx_time), np.int64)
    count[tx] = assets
    own = ledger.move_asset[rows] != ETHER
    return np.asarray(count[ledger.move_tx[rows]] == own)


def _by_key(ledger: EthereumLedger, rows: I64, end: Array) -> tuple[I64, I64]:
    """Keys of address and asset ascending, and the rows that they are of in order of time."""
    key = end[rows].astype(np.int64) * len(ledger.asset_contract) + ledger.move_asset[rows]
    order = np.argsort(key, kind="stable")
    return key[order], rows[order]


def _of(sorted_rows: tuple[I64, I64], key: int) -> I64:
    keys, rows = sorted_rows
    return rows[np.searchsorted(keys, key) : np.searchsorted(keys, key, side="right")]
