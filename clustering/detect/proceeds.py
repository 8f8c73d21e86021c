"""Where a sale's money went: collected, given back, kept; and which of it the issuer put in itself.

It sees what movements of the dataset tell. Without traces a contract's outflow is not known: `traced` says of how many
purchases it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain import uint256
from chain.ethereum.model import Movement, Part
from chain.model import I64, Bool
from clustering.detect import parameters as p
from clustering.detect.legs import Purchases, succeeded
from clustering.ethereum.ledger import NOBODY, EthereumLedger


@dataclass(frozen=True, slots=True)
class Flow:
    """What went to one address, exact base units of `asset`."""

    address: int
    asset: int
    amount: int
    movements: int


@dataclass(frozen=True, slots=True)
class Proceeds:
    """Of one sale, per asset where amounts are."""

    collected: list[Flow]
    """Recipients who bought nothing of the contract's outflow, and of payments past it; the largest first."""
    refunded: list[Flow]
    """Buyers and payers whom the contract paid."""
    retained: dict[int, int]
    """In less out, of the contract, from the first purchase to `PROCEEDS_SECONDS` after the last, per asset."""
    recycled: list[Flow]
    """Payments of addresses that had been paid by a collector before, or are one: at most what they were paid."""
    traced: int
    """Purchases in blocks whose source had traces."""


def find_proceeds(ledger: EthereumLedger, contract: int, bought: Purchases) -> Proceeds:
    """The proceeds of the purchases from `contract`."""
    assets = np.unique(bought.asset)
    times = ledger.tx_time[bought.tx]
    tx = np.where(ledger.move_tx < 0, 0, ledger.move_tx)
    when = ledger.tx_time[tx]
    inside = succeeded(ledger) & (when >= times.min()) & (when <= times.max() + p.PROCEEDS_SECONDS)
    inside &= np.isin(ledger.move_asset, assets) & (ledger.move_kind != Movement.FEE_PAID)
    inside &= (ledger.move_kind != Movement.FEE_BURNED) & (ledger.move_from != ledger.move_to)
    # a token that the caller gives straight to a treasury never enters the contract
    straight = inside & (ledger.move_kind == Movement.TOKEN) & np.isin(ledger.move_tx, bought.tx)
    straight &= (ledger.move_from == ledger.tx_from[tx]) & (ledger.move_to != contract)
    out = np.flatnonzero(inside & (ledger.move_from == contract) | straight)
    people = np.unique(np.concatenate((bought.payer, bought.beneficiary)))
    back = np.isin(ledger.move_to[out], people)
    collected = _flows(ledger, out[~back])
    traced = int(np.count_nonzero(ledger.tx_parts[bought.tx] & Part.TRACES))
    return Proceeds(
        collected=collected,
        refunded=_flows(ledger, out[back]),
        retained={
            int(asset): _total(ledger, inside & (ledger.move_to == contract), int(asset))
            - _total(ledger, inside & (ledger.move_from == contract), int(asset))
            for asset in assets
        },
        recycled=_recycled(ledger, contract, bought, collected),
        traced=traced,
    )


def _total(ledger: EthereumLedger, rows: Bool, asset: int) -> int:
    return uint256.total(ledger.move_value[rows & (ledger.move_asset == asset)])


def _flows(ledger: EthereumLedger, rows: I64) -> list[Flow]:
    """Sums by recipient and asset, the largest first."""
    if not len(rows):
        return []
    pairs = np.stack((ledger.move_to[rows], ledger.move_asset[rows]), axis=1)
    found, group, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    sums = uint256.sums_by(group.reshape(-1), ledger.move_value[rows], len(found))
    flows = [
        Flow(int(address), int(asset), amount, int(count))
        for (address, asset), amount, count in zip(found, sums, counts, strict=True)
    ]
    return sorted(flows, key=lambda flow: (-flow.amount, flow.address, flow.asset))


def _recycled(ledger: EthereumLedger, contract: int, bought: Purchases, collected: list[Flow]) -> list[Flow]:
    insiders = np.array(sorted({flow.address for flow in collected} | {contract}), np.int64)
    insiders = insiders[insiders != NOBODY]
    good = succeeded(ledger)
    given = np.flatnonzero(good & np.isin(ledger.move_from, insiders) & np.isin(ledger.move_to, bought.payer))
    given = given[ledger.move_from[given] != contract]  # what the contract itself pays back is a refund
    flows = []
    for payer in np.unique(np.concatenate((ledger.move_to[given], insiders[np.isin(insiders, bought.payer)]))).tolist():
        for asset in np.unique(bought.asset[bought.payer == payer]).tolist():
            rows = np.flatnonzero((bought.payer == payer) & (bought.asset == asset))
            amount, count = _paid_of(ledger, bought, rows, given, payer, asset, payer in insiders)
            if amount:
                flows.append(Flow(int(payer), int(asset), amount, count))
    return sorted(flows, key=lambda flow: (-flow.amount, flow.address, flow.asset))


def _paid_of(
    ledger: EthereumLedger, bought: Purchases, rows: I64, given: I64, payer: int, asset: int, is_insider: bool
) -> tuple[int, int]:
    """How much of a payer's payments insiders' money can have been, and how many payments it is in."""
    if is_insider:
        return uint256.total(bought.paid[rows]), len(rows)
    mine = given[(ledger.move_to[given] == payer) & (ledger.move_asset[given] == asset)]
    if not len(mine):
        return 0, 0
    later = rows[bought.tx[rows] > int(ledger.move_tx[mine].min())]
    received = uint256.total(ledger.move_value[mine])
    return min(received, uint256.total(bought.paid[later])), len(later)
