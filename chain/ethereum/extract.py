"""Extracts of Ethereum: transactions from anywhere, laid in chain order again whenever some are added.

Where two sources have one transaction, the one that knew more of its block counts, with all its movements; its sender,
recipient and value must be the same in both, and a height has one block.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np

from chain.errors import IntegrityError
from chain.ethereum.model import EthereumBatch, Standard
from chain.model import I64, U8, UNKNOWN, Array, Proof
from chain.store.ethereum import EthereumDataset, EthereumStore


async def stored_batch(store: EthereumStore, dataset: EthereumDataset) -> EthereumBatch:
    """All of an extract, as its sources gave it."""
    blocks, txs = await store.read(dataset, "blocks"), await store.read(dataset, "txs")
    moves, keys = await store.read(dataset, "movements"), (await store.read(dataset, "addresses"))["payload"]
    assets, kept = await store.read(dataset, "assets"), await store.block_bytes(dataset)
    contract = np.where(assets["standard"] == Standard.ETHER, UNKNOWN, assets["contract"])[moves["asset"]]
    source, source_size = _keys(keys, moves["from"])
    target, target_size = _keys(keys, moves["to"])
    origin, origin_size = _keys(keys, txs["from"])
    to, to_size = _keys(keys, txs["to"])
    created, created_size = _keys(keys, txs["created"])
    return EthereumBatch(
        chain_id=dataset.chain_id,
        block_height=blocks["height"],
        block_hash=blocks["hash"],
        block_parent=blocks["parent"],
        block_time=blocks["time"],
        block_miner=blocks["miner"],
        block_proof=blocks["proof"].astype(np.uint8),
        block_parts=blocks["parts"].astype(np.uint8),
        block_first_tx=np.append(blocks["first_tx"], dataset.counts["tx"]),
        block_bytes=[kept.get(block, (b"", b""))[0] for block in blocks["block_id"].tolist()],
        block_receipts=[kept.get(block, (b"", b""))[1] for block in blocks["block_id"].tolist()],
        tx_hash=txs["hash"],
        tx_index=txs["index"],
        tx_type=txs["type"],
        tx_from=origin,
        tx_from_size=origin_size,
        tx_to=to,
        tx_to_size=to_size,
        tx_created=created,
        tx_created_size=created_size,
        tx_value=txs["value"],
        tx_status=txs["status"].astype(np.uint8),
        tx_gas_used=txs["gas_used"],
        tx_fee=txs["fee"],
        tx_selector=txs["selector"],
        move_block=moves["block"],
        move_tx=moves["tx"],
        move_kind=moves["kind"].astype(np.uint8),
        move_basis=moves["basis"].astype(np.uint8),
        move_log=moves["log"],
        move_standard=assets["standard"][moves["asset"]].astype(np.uint8),
        move_contract=_keys(keys, contract)[0],
        move_token=moves["token"],
        move_from=source,
        move_from_size=source_size,
        move_to=target,
        move_to_size=target_size,
        move_value=moves["value"],
    )


def _keys(keys: U8, ids: Array) -> tuple[U8, U8]:
    """The addresses of ids, zeros for `UNKNOWN`, and their sizes."""
    known = ids >= 0
    found = np.zeros((len(ids), keys.shape[1]), np.uint8)
    found[known] = keys[ids[known]]
    return found, np.where(known, keys.shape[1], 0).astype(np.uint8)


def merge(batches: list[EthereumBatch]) -> EthereumBatch:
    """One batch of all, in chain order, each transaction once.

    IntegrityError `fork` where two blocks of one height differ, `conflict` where two sources tell a transaction
    otherwise, `place` where two transactions claim one place in a block.
    """
    joined = reduce(_joined, batches)
    heights, block_of = np.unique(joined.block_height, return_inverse=True)
    block_of = block_of.reshape(-1)
    score = joined.block_parts.astype(np.int64) + 256 * (joined.block_proof == Proof.BYTES)
    best = np.lexsort((np.arange(len(score)), -score, block_of))
    best = best[np.unique(block_of[best], return_index=True)[1]]
    _refuse_forks(joined, block_of, best)
    tx_block = np.repeat(np.arange(joined.block_count), np.diff(joined.block_first_tx))
    kept = _kept_transactions(joined, tx_block, score)
    index = np.where(joined.tx_index < 0, np.iinfo(np.int64).max, joined.tx_index)  # not stated: behind the others
    order = kept[np.lexsort((kept, index[kept], block_of[tx_block[kept]]))]
    _refuse_places(joined, block_of[tx_block[order]], order)
    new_tx = np.full(joined.tx_count, UNKNOWN, np.int64)
    new_tx[order] = np.arange(len(order))
    moves = _kept_movements(joined, new_tx, block_of, best)
    counts = np.bincount(block_of[tx_block[order]], minlength=len(heights))
    parts = np.full(len(heights), 255, np.uint8)
    np.bitwise_and.at(parts, block_of, joined.block_parts)  # a block is covered as far as all that has come of it is
    return _taken(joined, best, order, moves, new_tx, block_of, counts, parts)


def _taken(
    joined: EthereumBatch, blocks: I64, txs: I64, moves: I64, new_tx: I64, block_of: I64, counts: I64, parts: U8
) -> EthereumBatch:
    columns: dict[str, Any] = {}
    for field in fields(EthereumBatch):
        value = getattr(joined, field.name)
        if field.name in ("block_bytes", "block_receipts"):
            columns[field.name] = [value[place] for place in blocks.tolist()]
        elif field.name.startswith("block_") and field.name != "block_first_tx":
            columns[field.name] = value[blocks]
        elif field.name.startswith("tx_"):
            columns[field.name] = value[txs]
        elif field.name.startswith("move_"):
            columns[field.name] = value[moves]
    move_tx = columns["move_tx"]
    columns["move_tx"] = np.where(move_tx < 0, UNKNOWN, new_tx[move_tx])
    columns["move_block"] = block_of[columns["move_block"]]
    columns["block_parts"] = np.where(columns["block_proof"] == Proof.BYTES, columns["block_parts"], parts)
    columns["block_first_tx"] = np.array([0, *accumulate(counts.tolist())], np.int64)
    return replace(joined, **columns)


def _joined(a: EthereumBatch, b: EthereumBatch) -> EthereumBatch:
    """Two batches one behind the other, places moved."""
    columns: dict[str, Any] = {}
    for field in fields(EthereumBatch):
        if field.name == "chain_id":
            continue
        one, other = getattr(a, field.name), getattr(b, field.name)
        columns[field.name] = one + other if isinstance(one, list) else np.concatenate((one, other))
    columns["block_first_tx"] = np.concatenate((a.block_first_tx, b.block_first_tx[1:] + a.tx_count))
    columns["move_block"] = np.concatenate((a.move_block, b.move_block + a.block_count))
    columns["move_tx"] = np.concatenate((a.move_tx, np.where(b.move_tx < 0, UNKNOWN, b.move_tx + a.tx_count)))
    return replace(a, **columns)


def _refuse_forks(joined: EthereumBatch, block_of: I64, best: I64) -> None:
    theirs = joined.block_hash[best][block_of]
    stated = joined.block_hash.any(axis=1) & theirs.any(axis=1)
    bad = np.flatnonzero(stated & (joined.block_hash != theirs).any(axis=1))
    if len(bad):
        row = int(bad[0])
        height = int(joined.block_height[row])
        raise IntegrityError(
            "fork", f"height {height}", f"two blocks, one of them 0x{joined.block_hash[row].tobytes().hex()}"
        )
    bad = np.flatnonzero(joined.block_time != joined.block_time[best][block_of])
    if len(bad):
        raise IntegrityError("conflict", f"height {int(joined.block_height[bad[0]])}", "two times of one block")


def _kept_transactions(joined: EthereumBatch, tx_block: I64, score: I64) -> I64:
    """The transaction to keep of each hash: of the source that knew more, the earlier of equals."""
    void = np.ascontiguousarray(joined.tx_hash).view("V32").reshape(-1)
    _, group = np.unique(void, return_inverse=True)
    group = group.reshape(-1)
    order = np.lexsort((np.arange(joined.tx_count), -score[tx_block], group))
    kept = order[np.unique(group[order], return_index=True)[1]]
    mine = kept[group]
    same = joined.block_height[tx_block] == joined.block_height[tx_block[mine]]
    for name in ("tx_from", "tx_to", "tx_value"):
        same &= (getattr(joined, name) == getattr(joined, name)[mine]).all(axis=1)
    same &= joined.tx_index == joined.tx_index[mine]
    if not same.all():
        row = int(np.flatnonzero(~same)[0])
        raise IntegrityError(
            "conflict", f"transaction 0x{joined.tx_hash[row].tobytes().hex()}", "two sources tell it otherwise"
        )
    return kept


def _refuse_places(joined: EthereumBatch, block: I64, order: I64) -> None:
    index = joined.tx_index[order]
    twice = np.flatnonzero((block[1:] == block[:-1]) & (index[1:] == index[:-1]) & (index[1:] >= 0))
    if len(twice):
        row = int(order[twice[0] + 1])
        where = f"transaction 0x{joined.tx_hash[row].tobytes().hex()}"
        raise IntegrityError("place", where, f"another transaction has index {int(joined.tx_index[row])} of its block")


def _kept_movements(joined: EthereumBatch, new_tx: I64, block_of: I64, best: I64) -> I64:
    """Movements of what is kept, in order: a block's transactions, then its own."""
    own = joined.move_tx < 0
    target = np.where(own, UNKNOWN, new_tx[joined.move_tx])
    is_best = np.zeros(joined.block_count, np.bool_)
    is_best[best] = True
    rows = np.flatnonzero(np.where(own, is_best[joined.move_block], target >= 0))
    last = np.where(own[rows], np.iinfo(np.int64).max, target[rows])
    return rows[np.lexsort((rows, last, block_of[joined.move_block[rows]]))]
