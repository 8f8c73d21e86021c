"""The arrays that Ethereum kernels read: transactions and movements in chain order, ids dense."""

from __future__ import annotations

from typing import NamedTuple

from chain.model import I32, I64, U8
from chain.uint256 import U64

ETHER = 0
"""The asset id of ether in every dataset."""

NOBODY = -1
"""No address: the source of a reward, the recipient of a contract creation that is not known, a burned fee's end."""


class EthereumLedger(NamedTuple):
    """T transactions, M movements, C acts, A assets of one dataset."""

    tx_time: I64
    """[T] Seconds since 1970."""
    tx_height: I64
    tx_from: I32
    """Address id of the sender."""
    tx_to: I32
    """Address id, `NOBODY` for a contract creation."""
    tx_created: I32
    """Address id of the contract that it created, `NOBODY` for none."""
    tx_status: U8
    """`chain.ethereum.model.Status`"""
    tx_parts: U8
    """`chain.ethereum.model.Part` of the transaction's block: what its source had."""
    move_tx: I64
    """[M] Ascending; -1 for what belongs to a block and no transaction (rewards, withdrawals)."""
    move_kind: U8
    """`chain.ethereum.model.Movement`"""
    move_asset: I32
    """Asset id; `ETHER` is ether."""
    move_from: I32
    """Address id or `NOBODY`."""
    move_to: I32
    move_value: U64
    """[M, 4] limbs (chain/uint256.py), base units."""
    act_tx: I64
    """[C] Ascending: who did what, where nothing is moved."""
    act_kind: U8
    """`chain.ethereum.model.Movement` from `FIRST_ACT` on"""
    act_asset: I32
    act_from: I32
    act_to: I32
    asset_contract: I32
    """[A] Address id of the contract, `NOBODY` for ether."""
    asset_standard: U8
    """`chain.ethereum.model.Standard`"""
    zero_address: int
    """Address id of 0x0, which mints come from; `NOBODY` where the dataset has not seen it."""
