"""Laying a batch into an Ethereum ledger: which address and which asset each row names, in dense ids.

Ids are given in order of appearance, block by block, so that a rollback frees them from the top.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from chain.errors import LimitExceeded
from chain.ethereum.address import ADDRESS_SIZE
from chain.ethereum.model import EthereumBatch, Standard
from chain.model import I64, U8, UNKNOWN

MAX_ADDRESSES = (1 << 31) - 1
"""Address ids are 32-bit; Ethereum has some 400 million accounts."""

COUNT_NAMES = ("block", "tx", "movement", "address", "asset")
"""Counts in the order of the cursor's columns and of the queries' parameters."""


@dataclass(frozen=True, slots=True)
class LaidBatch:
    """A batch in dense ids, `UNKNOWN` for nobody: what goes into Postgres."""

    batch: EthereumBatch
    before: dict[str, int]
    after: dict[str, int]
    addresses_after: I64
    """[B] Addresses of the dataset up to and with each block."""
    assets_after: I64
    movements_after: I64
    tx_from: I64
    tx_to: I64
    tx_created: I64
    move_asset: I64
    move_from: I64
    move_to: I64
    address_key: U8
    """[new addresses, 20]"""
    asset_standard: U8
    """[new assets]"""
    asset_contract: I64


KnownAddresses = Callable[[U8], I64]
"""Ids of address keys [n, 20] that the dataset has, `UNKNOWN` for the others."""


def distinct_addresses(batch: EthereumBatch) -> tuple[U8, I64, I64]:
    """The batch's distinct addresses [n, 20] in order of appearance, the block of each one's first appearance, and for
    each of `_named(batch)`'s rows the place of its address among them."""
    keys, blocks = _named(batch)
    order = np.argsort(blocks, kind="stable")
    void = np.ascontiguousarray(keys[order]).view(f"V{ADDRESS_SIZE}").reshape(-1)
    _, first, inverse = np.unique(void, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    by_first = np.argsort(first, kind="stable")
    rank[by_first] = np.arange(len(first))
    place = np.empty(len(keys), np.int64)
    place[order] = rank[inverse.reshape(-1)]
    firsts = order[first[by_first]]
    return keys[firsts], blocks[firsts], place


def lay(
    batch: EthereumBatch,
    before: Mapping[str, int],
    distinct: tuple[U8, I64, I64],
    known: I64,
    assets: Mapping[tuple[int, int], int],
) -> LaidBatch:
    """Give the batch's rows ids behind `before`.

    `distinct`: what `distinct_addresses` gave; `known` [n]: the ids that the dataset has for them, else `UNKNOWN`;
    `assets`: its assets by (contract id, standard), ether being (`UNKNOWN`, 0). LimitExceeded above `MAX_ADDRESSES`.
    """
    keys, first_block, place = distinct
    fresh = known < 0
    ids = known.copy()
    ids[fresh] = before["address"] + np.arange(int(fresh.sum()))
    if before["address"] + int(fresh.sum()) > MAX_ADDRESSES:
        raise LimitExceeded(f"a dataset holds at most {MAX_ADDRESSES} addresses")
    tx_from, tx_to, tx_created, contract, source, target = _spread(batch, ids[place])
    asset, new_assets, asset_block = _lay_assets(batch, contract, assets, before["asset"])
    after = {
        "block": before["block"] + batch.block_count,
        "tx": before["tx"] + batch.tx_count,
        "movement": before["movement"] + batch.move_count,
        "address": before["address"] + int(fresh.sum()),
        "asset": before["asset"] + len(new_assets),
    }
    blocks = np.arange(batch.block_count)
    return LaidBatch(
        batch=batch,
        before=dict(before),
        after=after,
        addresses_after=before["address"] + np.searchsorted(first_block[fresh], blocks, side="right"),
        assets_after=before["asset"] + np.searchsorted(asset_block, blocks, side="right"),
        movements_after=before["movement"] + np.searchsorted(batch.move_block, blocks, side="right"),
        tx_from=tx_from,
        tx_to=tx_to,
        tx_created=tx_created,
        move_asset=asset,
        move_from=source,
        move_to=target,
        address_key=keys[fresh],
        asset_standard=np.array([standard for _, standard in new_assets], np.uint8),
        asset_contract=np.array([address for address, _ in new_assets], np.int64),
    )


def _columns(batch: EthereumBatch) -> list[tuple[U8, I64, I64]]:
    """Each column of addresses: its keys, the rows that have one, and the block of each row."""
    tx_block = np.repeat(np.arange(batch.block_count), np.diff(batch.block_first_tx))
    every_move = np.arange(batch.move_count)
    return [
        (batch.tx_from, np.flatnonzero(batch.tx_from_size), tx_block),
        (batch.tx_to, np.flatnonzero(batch.tx_to_size), tx_block),
        (batch.tx_created, np.flatnonzero(batch.tx_created_size), tx_block),
        (batch.move_contract, every_move[batch.move_standard != Standard.ETHER], batch.move_block),
        (batch.move_from, np.flatnonzero(batch.move_from_size), batch.move_block),
        (batch.move_to, np.flatnonzero(batch.move_to_size), batch.move_block),
    ]


def _named(batch: EthereumBatch) -> tuple[U8, I64]:
    columns = _columns(batch)
    keys = np.concatenate([keys[rows] for keys, rows, _ in columns])
    return keys, np.concatenate([blocks[rows] for _, rows, blocks in columns])


def _spread(batch: EthereumBatch, ids: I64) -> list[I64]:
    """The ids of `_named`'s rows, column by column, `UNKNOWN` where a row has no address."""
    spread, at = [], 0
    for keys, rows, _ in _columns(batch):
        column = np.full(len(keys), UNKNOWN, np.int64)
        column[rows] = ids[at : at + len(rows)]
        at += len(rows)
        spread.append(column)
    return spread


def _lay_assets(
    batch: EthereumBatch, contract: I64, known: Mapping[tuple[int, int], int], next_id: int
) -> tuple[I64, list[tuple[int, int]], I64]:
    """The asset of each movement, the new assets in order of appearance, and the block of each one's first."""
    pairs = np.stack((contract, batch.move_standard.astype(np.int64)), axis=1)
    found, first, inverse = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
    ids, new, blocks = np.empty(len(found), np.int64), [], []
    if not known:  # ether is asset 0 from the first block on
        new.append((UNKNOWN, int(Standard.ETHER)))
        blocks.append(0)
    numbers = {**known, **{pair: next_id + place for place, pair in enumerate(new)}}
    for row in np.argsort(first, kind="stable").tolist():
        pair = (int(found[row, 0]), int(found[row, 1]))
        if pair not in numbers:
            numbers[pair] = next_id + len(new)
            new.append(pair)
            blocks.append(int(batch.move_block[first[row]]))
        ids[row] = numbers[pair]
    return ids[inverse.reshape(-1)], new, np.array(blocks, np.int64)
