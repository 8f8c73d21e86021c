"""Extracts: transactions from anywhere, laid in chain order again whenever some are added.

Chain order of an extract is by block, then place in the block, then txid. Blocks of known height go by height. A block
of unknown height is placed among them by its time; as header times need not rise along a chain, a block is moved behind
the blocks that its transactions spend from, and blocks of known height never go back in time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from chain import dictionary
from chain.bitcoin.network import Network
from chain.column_writer import ColumnWriter
from chain.errors import MalformedData
from chain.model import ADDRESS_KEY_WIDTH, I64, U8, UNKNOWN, Array, BlockBatch, OutputType, Proof, hash_text
from chain.store.dataset import Dataset
from chain.store.ledger import LedgerStore

MOST_ROUNDS = 10_000
"""Rounds in which blocks may be moved behind their parents; more would mean that transactions spend in a circle."""

_BLOCK = ("height", "hash", "parent", "merkle_root", "version", "time", "bits", "nonce")
_TX = ("index", "coinbase", "start", "size", "base_size", "version", "lock_time", "signing")
_INPUT = (
    "input_prev_txid", "input_prev_index", "input_sequence", "prevout_value", "prevout_type", "prevout_key",
    "prevout_key_size",
)  # fmt: skip
_OUTPUT = ("output_value", "output_type", "output_key", "output_key_size")


def merge(batches: list[BlockBatch], network: Network) -> BlockBatch:
    """One batch of everything, in chain order, each transaction of a block once.

    Of a block that one source has whole, with its bytes, and another has stated in part, the bytes count; of a
    transaction that is there twice, the first. MalformedData where transactions spend in a circle.
    """
    whole = _concatenate(batches, network)
    tx_block = np.repeat(np.arange(whole.block_count), np.diff(whole.block_first_tx))
    hashes, group = _groups(whole.block_hash)
    best = _representatives(whole, group, len(hashes))
    keep = _kept_transactions(whole, group[tx_block], best[group[tx_block]] == tx_block, best)
    order = _chain_order(whole, group, best, tx_block, keep)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    txid_words = whole.txid[keep].view(">u8")
    by = np.lexsort(
        (
            *(txid_words[:, word] for word in range(3, -1, -1)),
            whole.tx_index[keep],
            rank[group[tx_block[keep]]],
        )
    )
    return _take(whole, best[order], keep[by], rank[group[tx_block[keep[by]]]])


def _groups(rows: U8) -> tuple[npt.NDArray[np.void], I64]:
    """Distinct 32-byte rows, and which of them each row is."""
    distinct, group = np.unique(np.ascontiguousarray(rows).view("V32").reshape(-1), return_inverse=True)
    return distinct, group.reshape(-1).astype(np.int64)


def _concatenate(batches: list[BlockBatch], network: Network) -> BlockBatch:
    def joined(name: str) -> Array:
        return np.concatenate([getattr(batch, name) for batch in batches])

    def offsets(name: str) -> I64:
        ends = np.cumsum([0] + [int(getattr(batch, name)[-1]) for batch in batches])
        parts = [getattr(batch, name)[:-1] + end for batch, end in zip(batches, ends, strict=False)]
        return np.concatenate([*parts, ends[-1:]]).astype(np.int64)

    ends = np.cumsum([0] + [len(batch.raw) for batch in batches])
    starts = [batch.block_start + end for batch, end in zip(batches, ends, strict=False)]
    return BlockBatch(
        network=network.name,
        proof=Proof.STATED,
        raw=np.concatenate([batch.raw for batch in batches]),
        block_start=np.concatenate(starts),
        block_size=joined("block_size"),
        **{f"block_{name}": joined(f"block_{name}") for name in _BLOCK},
        block_first_tx=offsets("block_first_tx"),
        txid=joined("txid"),
        wtxid=joined("wtxid"),
        **{f"tx_{name}": joined(f"tx_{name}") for name in _TX},
        tx_first_input=offsets("tx_first_input"),
        tx_first_output=offsets("tx_first_output"),
        **{name: joined(name) for name in (*_INPUT, *_OUTPUT)},
        block_proof=np.concatenate([batch.proofs for batch in batches]),
    )


def _representatives(whole: BlockBatch, group: I64, groups: int) -> I64:
    """For each distinct block the row that speaks for it: with its bytes before stated, known height before unknown."""
    worse = 2 * (whole.proofs != Proof.BYTES) + (whole.block_height < 0)
    best = np.full(groups, UNKNOWN, np.int64)
    by = np.lexsort((np.arange(len(group)), worse, group))
    first = np.flatnonzero(np.diff(group[by], prepend=-1))
    best[group[by[first]]] = by[first]
    return best


def _kept_transactions(whole: BlockBatch, tx_group: I64, of_best: npt.NDArray[np.bool_], best: I64) -> I64:
    """Transactions to keep: those of the bytes where there are bytes, else each (block, txid) once."""
    proven = whole.proofs[best][tx_group] == Proof.BYTES
    rows = np.flatnonzero(~proven | of_best)
    _, txid = _groups(whole.txid[rows])
    by = np.lexsort((rows, txid, tx_group[rows]))
    pairs = np.stack((tx_group[rows][by], txid[by]), axis=1)
    fresh = np.concatenate(([True], (pairs[1:] != pairs[:-1]).any(axis=1))) if len(by) else np.zeros(0, np.bool_)
    return np.sort(rows[by[fresh]])


def _chain_order(whole: BlockBatch, group: I64, best: I64, tx_block: I64, keep: I64) -> I64:
    """The distinct blocks in chain order."""
    height, time = whole.block_height[best], whole.block_time[best].astype(np.int64).copy()
    known = np.flatnonzero(height >= 0)
    known = known[np.argsort(height[known], kind="stable")]
    child, parent = _edges(whole, group[tx_block], keep)
    loose = (height[child] < 0) | (height[parent] < 0)
    wrong = ~loose & (height[parent] > height[child])
    if wrong.any():
        at = whole.block_hash[best[child[np.flatnonzero(wrong)[0]]]]
        raise MalformedData(f"block {hash_text(at)} spends from a higher block")
    child, parent = child[loose], parent[loose]
    for _ in range(MOST_ROUNDS):
        before = time.copy()
        time[known] = np.maximum.accumulate(time[known])
        np.maximum.at(time, child, time[parent] + 1)
        if (time == before).all():
            words = whole.block_hash[best].view(">u8")
            unknown_last = np.where(height < 0, np.iinfo(np.int64).max, height)
            return np.lexsort((*(words[:, word] for word in range(3, -1, -1)), unknown_last, time))
    raise MalformedData("transactions of the extract spend from each other in a circle")


def _edges(whole: BlockBatch, tx_group: I64, keep: I64) -> tuple[I64, I64]:
    """Pairs (block that spends, block that it spends from), where they differ."""
    wanted = np.zeros(whole.tx_count, np.bool_)
    wanted[keep] = True
    input_tx = np.repeat(np.arange(whole.tx_count), np.diff(whole.tx_first_input))
    inputs = np.flatnonzero(wanted[input_tx])
    both = np.concatenate((whole.txid[keep], whole.input_prev_txid[inputs]))
    _, txid = _groups(both)
    owner = np.full(txid.max(initial=0) + 1, UNKNOWN, np.int64)
    owner[txid[: len(keep)]] = tx_group[keep]
    child, parent = tx_group[input_tx[inputs]], owner[txid[len(keep) :]]
    differ = (parent >= 0) & (child != parent)
    pairs = np.unique(np.stack((child[differ], parent[differ]), axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _take(whole: BlockBatch, blocks: I64, txs: I64, tx_block: I64) -> BlockBatch:
    """The batch of `blocks` and `txs` in that order; `tx_block`: the place in `blocks` of each transaction's."""
    inputs, first_input = _ragged(whole.tx_first_input, txs)
    outputs, first_output = _ragged(whole.tx_first_output, txs)
    sizes = np.where(whole.proofs[blocks] == Proof.BYTES, whole.block_size[blocks], 0)
    pieces = [
        whole.raw[start : start + size]
        for start, size in zip(whole.block_start[blocks].tolist(), sizes.tolist(), strict=True)
    ]
    return replace(
        whole,
        raw=np.concatenate(pieces) if pieces else whole.raw[:0],
        block_start=np.cumsum(sizes) - sizes,
        block_size=sizes,
        **{f"block_{name}": getattr(whole, f"block_{name}")[blocks] for name in _BLOCK},
        block_first_tx=np.searchsorted(tx_block, np.arange(len(blocks) + 1)).astype(np.int64),
        txid=whole.txid[txs],
        wtxid=whole.wtxid[txs],
        **{f"tx_{name}": getattr(whole, f"tx_{name}")[txs] for name in _TX},
        tx_first_input=first_input,
        tx_first_output=first_output,
        **{name: getattr(whole, name)[inputs] for name in _INPUT},
        **{name: getattr(whole, name)[outputs] for name in _OUTPUT},
        block_proof=whole.proofs[blocks],
    )


def _ragged(first: I64, owners: I64) -> tuple[I64, I64]:
    """The elements of `owners` one after another, and the offsets [n + 1] that delimit them anew."""
    counts = first[owners + 1] - first[owners]
    ends = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    return np.repeat(first[owners] - ends[:-1], counts) + np.arange(ends[-1]), ends


async def stored_batch(store: LedgerStore, dataset: Dataset, writer: ColumnWriter) -> BlockBatch:
    """What an extract holds, as the batch that would load it again."""
    blocks = await store.blocks(dataset, 0, dataset.counts["block"])
    raw = [await store.block_bytes(dataset, block["block_id"]) or b"" for block in blocks]
    sizes = np.array([len(piece) for piece in raw], np.int64)

    def hashes(name: str) -> U8:
        return np.frombuffer(b"".join(block[name] or bytes(32) for block in blocks), np.uint8).reshape(-1, 32)

    def integers(name: str) -> I64:
        return np.array([UNKNOWN if block[name] is None else block[name] for block in blocks], np.int64)

    first_tx = np.append(integers("first_tx_id"), dataset.counts["tx"])
    rows = _stored_rows(writer)
    return BlockBatch(
        network=dataset.network,
        proof=Proof.STATED,
        raw=np.frombuffer(b"".join(raw), np.uint8),
        block_start=np.cumsum(sizes) - sizes,
        block_size=sizes,
        block_height=integers("height"),
        block_hash=hashes("hash"),
        block_parent=hashes("parent_hash"),
        block_merkle_root=hashes("merkle_root"),
        block_version=integers("version"),
        block_time=integers("time"),
        block_bits=integers("bits"),
        block_nonce=integers("nonce"),
        block_first_tx=first_tx,
        wtxid=np.zeros((dataset.counts["tx"], 32), np.uint8),
        block_proof=integers("proof").astype(np.uint8),
        **rows,
    )


def _stored_rows(writer: ColumnWriter) -> dict[str, Array]:
    """Transactions, inputs and outputs of a batch, from the columns."""
    at = writer.array
    first_output, counts = at("tx_first_output"), at("tx_output_count").astype(np.int64)
    own_first = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    own = np.repeat(first_output - own_first[:-1], counts) + np.arange(own_first[-1])
    starts, blob = at("address_start"), at("address_bytes")

    def key_of(outputs: I64) -> tuple[U8, U8]:
        address = at("output_address")[outputs].astype(np.int64)
        return dictionary.unpack_keys(starts, blob, address, ADDRESS_KEY_WIDTH)  # type: ignore[no-any-return]

    spends: I64 = at("input_spends")
    inside = np.zeros(writer.counts["output"], np.bool_)
    inside[own] = True
    outside = ~inside[spends]
    creator = np.searchsorted(first_output, spends, side="right") - 1
    prev_txid = at("tx_txid")[np.maximum(creator, 0)].copy()
    prev_index = spends - first_output[np.maximum(creator, 0)]
    row = np.searchsorted(at("outside_output"), spends[outside])
    prev_txid[outside], prev_index[outside] = at("outside_txid")[row], at("outside_index")[row]
    output_key, output_size = key_of(own)
    prevout_key, prevout_size = key_of(spends)
    prevout_size[~outside] = 0
    prevout_key[~outside] = 0
    return {
        "txid": at("tx_txid"), "tx_index": at("tx_index").astype(np.int64),
        "tx_coinbase": at("tx_coinbase").astype(np.bool_), "tx_start": at("tx_start").astype(np.int64),
        "tx_size": at("tx_size").astype(np.int64), "tx_base_size": at("tx_base_size").astype(np.int64),
        "tx_version": at("tx_version").astype(np.int64), "tx_lock_time": at("tx_lock_time").astype(np.int64),
        "tx_signing": at("tx_signing"),
        "tx_first_input": np.append(at("tx_first_input"), len(spends)), "tx_first_output": own_first,
        "input_prev_txid": prev_txid, "input_prev_index": prev_index,
        "input_sequence": at("input_sequence").astype(np.int64),
        "output_value": at("output_value")[own], "output_type": at("output_type")[own],
        "output_key": output_key, "output_key_size": output_size,
        "prevout_value": np.where(outside, at("output_value")[spends], UNKNOWN),
        "prevout_type": np.where(outside, at("output_type")[spends], OutputType.UNSTATED).astype(np.uint8),
        "prevout_key": prevout_key, "prevout_key_size": prevout_size,
    }  # fmt: skip
