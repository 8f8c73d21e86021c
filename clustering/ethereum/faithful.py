"""Tokens whose logs do not say what they move: tracing them would make money up, so it is refused and said so.

Balances of a rebasing token change without a transfer, and a token that takes a fee in silence gives less than its log
says. Both show where everything since the token's creation is known: holders pay on more than they were ever given. A
token that logs its fee as a transfer of its own (PAXG, STA) is true to its logs and none of these.

How it fails. In an extract, and where the token is older than the dataset, holders seem to overspend whatever the token
does: only the list of known ones speaks there. Balances that were set in silence at the creation look the same, so who
deployed the token, the token itself and who was never given any do not count, and it takes `LEAST_OVERSPENT` others. A
token that takes more than it says and whose holders leave the rest alone is not recognised.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numba import njit

from chain.ethereum.model import Movement, Standard
from chain.model import I32, I64, U8, Bool
from chain.uint256 import U64, add_to, is_less, take_from
from clustering.ethereum.holdings import holding_numbers
from clustering.ethereum.ledger import NOBODY, EthereumLedger


class Fault(IntEnum):
    """Why a token's amounts cannot be followed. The number is stored: append only."""

    NONE = 0
    REBASES = 1
    """It is known to: balances change without transfers."""
    OVERSPENT = 2
    """Holders paid on more than its logs gave them."""


TOLD = {
    Fault.REBASES: "known to rebase: balances change without transfers",
    Fault.OVERSPENT: "holders paid on more than its logs gave them: it rebases, or takes fees in silence",
}

KNOWN_REBASING = frozenset(
    bytes.fromhex(address)
    for address in (
        "ae7ab96520de3a18e5e111b5eaab095312d7fe84",
        "d46ba6d942050d489dbd938a2c909a5d5039a161",
    )
)
"""stETH (docs.lido.fi, "Rebase") and AMPL (docs.ampleforth.org, "supply policy") on the main network."""

LEAST_OVERSPENT = 3
"""Holders who overspend before it is the token's doing; fewer may have had balances from the creation on."""


def faults(ledger: EthereumLedger, is_known: Bool, is_whole: bool) -> U8:
    """[A] The `Fault` of each asset. `is_known` [A]: it stands in `KNOWN_REBASING`; `is_whole`: the dataset lacks no
    transfer from its first block on."""
    found = np.zeros(len(ledger.asset_contract), np.uint8)
    if is_whole:
        creator = _creators(ledger)
        rows = np.flatnonzero(
            (creator[ledger.move_asset] != NOBODY)
            & np.isin(ledger.move_kind, (Movement.TOKEN, Movement.WRAP, Movement.UNWRAP))
        )
        found[overspent(ledger, rows, creator) >= LEAST_OVERSPENT] = Fault.OVERSPENT
    found[is_known] = Fault.REBASES
    return found


def overspent(ledger: EthereumLedger, rows: I64, creator: I32) -> I64:
    """[A] How many holders of each asset paid on more than the transfers `rows` had given them."""
    source, target, asset = ledger.move_from[rows], ledger.move_to[rows], ledger.move_asset[rows]
    exempt = (source == creator[asset]) | (source == ledger.asset_contract[asset]) | (source == ledger.zero_address)
    place, holdings = holding_numbers(np.stack((source, target), axis=1), asset[:, None])
    over = _overspent(place, holdings, exempt, np.ascontiguousarray(ledger.move_value[rows]))
    holder = np.full(holdings, -1, np.int64)
    holder[place[:, 0][source >= 0]] = asset[source >= 0]
    return np.bincount(holder[over], minlength=len(creator))


def reference(rows: Sequence[tuple[int, int, int, int, bool]]) -> dict[int, int]:
    """The readable twin of `overspent`: rows are (asset, from, to, value, source is exempt); holders by asset."""
    held: dict[tuple[int, int], int] = {}
    over: set[tuple[int, int]] = set()
    for asset, source, target, value, exempt in rows:
        known = held.get((asset, source))
        if known is not None:
            if value > known and not exempt:
                over.add((asset, source))
            held[asset, source] = max(known - value, 0)
        if target >= 0:
            held[asset, target] = held.get((asset, target), 0) + value
    counts: dict[int, int] = {}
    for asset, _ in over:
        counts[asset] = counts.get(asset, 0) + 1
    return counts


def _creators(ledger: EthereumLedger) -> I32:
    """[A] Who deployed the contract of each ERC-20 that was seen to be created, `NOBODY` of the others."""
    creator = np.full(len(ledger.asset_contract), NOBODY, np.int32)
    made = np.flatnonzero((ledger.tx_created != NOBODY) & (ledger.tx_from != NOBODY))
    acts = np.flatnonzero(ledger.act_kind == Movement.CREATED)
    contract = np.concatenate((ledger.tx_created[made], ledger.act_to[acts]))
    by = np.concatenate((ledger.tx_from[made], ledger.act_from[acts]))
    assets = np.flatnonzero((ledger.asset_standard == Standard.ERC20) & (ledger.asset_contract != NOBODY))
    order = np.argsort(contract, kind="stable")
    if len(order):
        wanted = ledger.asset_contract[assets]
        place = np.minimum(np.searchsorted(contract, wanted, sorter=order), len(order) - 1)
        seen = contract[order[place]] == wanted
        creator[assets[seen]] = by[order[place[seen]]]
    return creator


@njit(cache=True, nogil=True)
def _overspent(place: I32, holdings: int, exempt: Bool, value: U64) -> Bool:
    held, given = np.zeros((holdings, 4), np.uint64), np.zeros(holdings, np.bool_)
    over = np.zeros(holdings, np.bool_)
    for row in range(len(value)):
        source, target = place[row, 0], place[row, 1]
        if source >= 0 and given[source]:
            if is_less(held[source], value[row]):
                over[source] |= not exempt[row]
                held[source] = 0
            else:
                take_from(held[source], value[row])
        if target >= 0:
            given[target] = True
            add_to(held[target], value[row])
    return over
