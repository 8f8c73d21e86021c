"""Chains of Ethereum as kernels' arrays, without a database: read, verified and laid as a load does it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain.ethereum import extract
from chain.ethereum.files import EthereumFiles
from chain.ethereum.laying import COUNT_NAMES, distinct_addresses, lay
from chain.ethereum.model import FIRST_ACT, Standard
from chain.model import U8, UNKNOWN
from clustering.ethereum.ledger import NOBODY, EthereumLedger


@dataclass(frozen=True, slots=True)
class LaidEthereum:
    """Arrays as kernels read them, the hash of each transaction [T, 32] and the key of each address [n, 20]."""

    ledger: EthereumLedger
    hashes: U8
    keys: U8

    def token(self, asset: int) -> int:
        """The id of an asset's contract."""
        return int(self.ledger.asset_contract[asset])


def ethereum_ledger(source: EthereumFiles) -> LaidEthereum:
    """All blocks of the source, laid as an extract of them alone."""
    batch = extract.merge(list(source.all_batches()))
    distinct = distinct_addresses(batch)
    laid = lay(batch, dict.fromkeys(COUNT_NAMES, 0), distinct, np.full(len(distinct[0]), UNKNOWN, np.int64), {})
    tx_block = np.repeat(np.arange(batch.block_count), np.diff(batch.block_first_tx))
    native = laid.asset_standard == Standard.ETHER
    zero = np.flatnonzero(~laid.address_key.any(axis=1))
    moves, acts = np.flatnonzero(batch.move_kind < FIRST_ACT), np.flatnonzero(batch.move_kind >= FIRST_ACT)
    ledger = EthereumLedger(
        tx_time=batch.block_time[tx_block],
        tx_height=batch.block_height[tx_block],
        tx_from=laid.tx_from.astype(np.int32),
        tx_to=laid.tx_to.astype(np.int32),
        tx_created=laid.tx_created.astype(np.int32),
        tx_status=batch.tx_status,
        tx_parts=batch.block_parts[tx_block],
        move_tx=batch.move_tx[moves],
        move_kind=batch.move_kind[moves],
        move_asset=laid.move_asset[moves].astype(np.int32),
        move_from=laid.move_from[moves].astype(np.int32),
        move_to=laid.move_to[moves].astype(np.int32),
        move_value=batch.move_value[moves],
        act_tx=batch.move_tx[acts],
        act_kind=batch.move_kind[acts],
        act_asset=laid.move_asset[acts].astype(np.int32),
        act_from=laid.move_from[acts].astype(np.int32),
        act_to=laid.move_to[acts].astype(np.int32),
        asset_contract=np.where(native, NOBODY, laid.asset_contract).astype(np.int32),
        asset_standard=laid.asset_standard,
        zero_address=int(zero[0]) if len(zero) else NOBODY,
    )
    return LaidEthereum(ledger, batch.tx_hash, laid.address_key)
