"""Extracts of Ethereum: transactions from anywhere, laid in chain order again whenever some are added.

Where two sources have one transaction, it counts once: its facts, fee and value are those of the source that knew how
it ended, its internal transfers those of the one that had traces, its token transfers those of the one that had logs
(or a list of transfers). What both tell of its place, sender, recipient and value must be the same, and a height has
one block.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np

from chain.errors import IntegrityError
from chain.ethereum.model import EthereumBatch, Movement, Part, Standard, Status
from chain.model import I64, U8, UNKNOWN, Array, Proof
from chain.store.ethereum import EthereumDataset, EthereumStore

_PROVED = 1 << 8
"""Above every sum of parts."""

_TOLD = 1 << 10
"""Above what a block's parts and proof can be."""

_OF_TRACES = (Movement.INTERNAL, Movement.CREATED)
_OF_LOGS = (Movement.TOKEN, Movement.WRAP, Movement.UNWRAP, Movement.APPROVED, Movement.OPERATED)

_RANK = np.array([0, 1, 3, 4, 5, 5, 5, 6, 7, 2, 4, 5, 5])
"""Order of movements within a transaction, by kind; logs of all kinds stand in the order that they had."""


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
    score = joined.block_parts.astype(np.int64) + _PROVED * (joined.block_proof == Proof.BYTES)
    best = _best(block_of, score)
    _refuse_forks(joined, block_of, best)
    tx_block = np.repeat(np.arange(joined.block_count), np.diff(joined.block_first_tx))
    group = np.unique(np.ascontiguousarray(joined.tx_hash).view("V32").reshape(-1), return_inverse=True)[1].reshape(-1)
    tx_score = score[tx_block]
    kept = _best(group, tx_score + _TOLD * _tells(joined))
    _refuse_conflicts(joined, tx_block, kept[group])
    index = np.where(joined.tx_index[kept] < 0, np.iinfo(np.int64).max, joined.tx_index[kept])  # not stated: behind
    order = kept[np.lexsort((kept, index, block_of[tx_block[kept]]))]
    _refuse_places(joined, block_of[tx_block[order]], order)
    new_tx = np.full(int(group.max(initial=-1)) + 1, UNKNOWN, np.int64)
    new_tx[group[order]] = np.arange(len(order))
    new_tx = new_tx[group]
    moves = _kept_movements(joined, group, kept, tx_block, score, new_tx, block_of, best)
    counts = np.bincount(block_of[tx_block[order]], minlength=len(heights))
    parts = np.zeros(len(heights), np.uint8)
    np.bitwise_or.at(parts, block_of, joined.block_parts)
    return _taken(joined, best, order, moves, new_tx, block_of, counts, parts)


def _best(group: I64, score: I64) -> I64:
    """The row of the highest score in each group, the earlier of equals."""
    order = np.lexsort((np.arange(len(group)), -score, group))
    found: I64 = order[np.unique(group[order], return_index=True)[1]]
    return found


def _tells(joined: EthereumBatch) -> I64:
    """How much each row says of its transaction: who sent it, and how it ended."""
    ended = joined.tx_status != Status.UNKNOWN
    told: I64 = 2 * (joined.tx_from_size > 0).astype(np.int64) + ended + (joined.tx_gas_used >= 0)
    return told


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


def _refuse_conflicts(joined: EthereumBatch, tx_block: I64, mine: I64) -> None:
    """`mine`: for each row the one that is kept of its transaction."""
    same = joined.block_height[tx_block] == joined.block_height[tx_block[mine]]
    told = (joined.tx_from_size > 0) & (joined.tx_from_size[mine] > 0)
    for name in ("tx_from", "tx_to", "tx_value"):
        same &= ~told | (getattr(joined, name) == getattr(joined, name)[mine]).all(axis=1)
    same &= (joined.tx_index < 0) | (joined.tx_index[mine] < 0) | (joined.tx_index == joined.tx_index[mine])
    if not same.all():
        row = int(np.flatnonzero(~same)[0])
        raise IntegrityError(
            "conflict", f"transaction 0x{joined.tx_hash[row].tobytes().hex()}", "two sources tell it otherwise"
        )


def _refuse_places(joined: EthereumBatch, block: I64, order: I64) -> None:
    index = joined.tx_index[order]
    twice = np.flatnonzero((block[1:] == block[:-1]) & (index[1:] == index[:-1]) & (index[1:] >= 0))
    if len(twice):
        row = int(order[twice[0] + 1])
        where = f"transaction 0x{joined.tx_hash[row].tobytes().hex()}"
        raise IntegrityError("place", where, f"another transaction has index {int(joined.tx_index[row])} of its block")


def _kept_movements(
    joined: EthereumBatch, group: I64, kept: I64, tx_block: I64, score: I64, new_tx: I64, block_of: I64, best: I64
) -> I64:
    """Movements of what is kept, in order: a block's transactions, then its own."""
    proved = score[tx_block] & _PROVED
    parts = joined.block_parts[tx_block].astype(np.int64)
    traced = _best(group, proved + (parts & Part.TRACES))
    logged = _best(group, proved + 2 * (parts & Part.LOGS) + (parts & Part.TOKENS))
    own = joined.move_tx < 0
    source = np.select(
        [np.isin(joined.move_kind, _OF_TRACES), np.isin(joined.move_kind, _OF_LOGS)],
        [traced[group[joined.move_tx]], logged[group[joined.move_tx]]],
        kept[group[joined.move_tx]],
    ) if len(group) else joined.move_tx  # fmt: skip
    is_best = np.zeros(joined.block_count, np.bool_)
    is_best[best] = True
    rows = np.flatnonzero(np.where(own, is_best[joined.move_block], source == joined.move_tx))
    last = np.where(own[rows], np.iinfo(np.int64).max, new_tx[joined.move_tx[rows]] if len(new_tx) else 0)
    rank = _RANK[joined.move_kind[rows]]
    order: I64 = np.lexsort((rows, rank, last, block_of[joined.move_block[rows]]))
    return rows[order]
