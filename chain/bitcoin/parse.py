"""Serialized blocks, cut into the columns of `BlockBatch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from chain.bitcoin.gather import gather_inputs, gather_outputs, gather_words, hash_transactions
from chain.bitcoin.hashes import double_sha256_rows
from chain.bitcoin.network import NETWORKS
from chain.bitcoin.reference import read_block
from chain.bitcoin.script import OP_1, OP_16
from chain.bitcoin.sighash import gather_signing
from chain.bitcoin.walk import (
    BODY,
    BODY_END,
    COINBASE,
    FIRST_INPUT,
    FIRST_OUTPUT,
    HEADER_SIZE,
    LOCK_TIME,
    START,
    WRONG,
    Places,
    walk_blocks,
)
from chain.errors import SourceError, TruncatedData
from chain.model import ADDRESS_KEY_WIDTH, I64, U8, UNKNOWN, BlockBatch, OutputType, Proof

if TYPE_CHECKING:
    from chain.bitcoin.network import Network


class Headers(NamedTuple):
    """The fields of n block headers."""

    hash: U8
    """[n, 32]"""
    parent: U8
    """[n, 32]"""
    merkle_root: U8
    """[n, 32]"""
    version: I64
    time: I64
    bits: I64
    nonce: I64


def scan(raw: U8, block_start: I64, block_size: I64, network: Network) -> BlockBatch:
    """Cut the blocks at `raw[block_start[b]:block_start[b] + block_size[b]]` into columns.

    Heights are UNKNOWN and nothing is said of the outputs spent. `raw` is kept, not copied, and
    must not change meanwhile. TruncatedData or MalformedData names the block's number in the
    batch, the byte offset in it and what was being read.
    """
    raw = _read_only(raw)
    block_start = np.ascontiguousarray(block_start, np.int64)
    block_size = np.ascontiguousarray(block_size, np.int64)
    _check_extents(len(raw), block_start, block_size)
    places = walk_blocks(raw, block_start, block_size)
    if places.wrong != WRONG:
        block = int(places.wrong)
        _explain(raw, block, int(block_start[block]), int(block_size[block]))
    blocks, inputs = len(block_start), len(places.input)
    headers = scan_headers(raw[block_start[:, None] + np.arange(HEADER_SIZE)])
    return BlockBatch(
        network=network.name,
        proof=Proof.BYTES,
        raw=raw,
        block_start=block_start,
        block_size=block_size,
        block_height=np.full(blocks, UNKNOWN, np.int64),
        block_hash=headers.hash,
        block_parent=headers.parent,
        block_merkle_root=headers.merkle_root,
        block_version=headers.version,
        block_time=headers.time,
        block_bits=headers.bits,
        block_nonce=headers.nonce,
        block_first_tx=places.first_tx,
        **_transactions(raw, block_start, places),
        **_inputs(raw, places),
        **_outputs(raw, places),
        prevout_value=np.full(inputs, UNKNOWN, np.int64),
        prevout_type=np.full(inputs, OutputType.UNSTATED, np.uint8),
        prevout_key=np.zeros((inputs, ADDRESS_KEY_WIDTH), np.uint8),
        prevout_key_size=np.zeros(inputs, np.uint8),
    )


def scan_headers(headers: U8) -> Headers:
    """The fields of block headers, [n, 80] bytes each as serialized; nothing is judged."""
    headers = _read_only(np.ascontiguousarray(headers))
    words = headers.view("<u4").astype(np.int64)
    return Headers(
        hash=double_sha256_rows(headers),
        parent=headers[:, 4:36].copy(),
        merkle_root=headers[:, 36:68].copy(),
        version=headers[:, :4].copy().view("<i4").astype(np.int64)[:, 0],
        time=words[:, 17],
        bits=words[:, 18],
        nonce=words[:, 19],
    )


def bip34_height(batch: BlockBatch) -> I64:
    """[B] the height that each coinbase states, UNKNOWN where that proves nothing or its bytes are not there.

    BIP 34: the script begins with a minimal push of the height where the version is 2 or more.
    Heights below the network's `bip34_height` are not taken: no rule made miners tell the truth
    there, and several older blocks state a far future height (BIP 54, note on BIP 34 violations).
    """
    heights = np.full(batch.block_count, UNKNOWN, np.int64)
    least = NETWORKS[batch.network].bip34_height
    for block in np.flatnonzero((batch.block_version >= 2) & (batch.proofs == Proof.BYTES)):
        stated = _stated_height(_coinbase_script(batch, int(block)))
        if stated >= least:
            heights[block] = stated
    return heights


def _coinbase_script(batch: BlockBatch, block: int) -> bytes:
    """The first bytes of the first input's script, b"" where the first transaction is no coinbase."""
    row = batch.block_first_tx[block]
    if row == batch.block_first_tx[block + 1] or not batch.tx_coinbase[row]:
        return b""
    at = int(batch.block_start[block] + batch.tx_start[row])
    segwit = batch.tx_size[row] != batch.tx_base_size[row]
    length_at = at + (6 if segwit else 4) + 1 + 36
    size = int(batch.raw[length_at])
    # A coinbase script has at most 100 bytes; a longer CompactSize is no coinbase that states a height.
    return batch.raw[length_at + 1 : length_at + 1 + size].tobytes() if size < 0xFD else b""


def _stated_height(script: bytes) -> int:
    """The height that `script` begins with, pushed as Core's `CScript() << height` does."""
    if script and OP_1 <= script[0] <= OP_16:
        return script[0] - OP_1 + 1
    size = script[0] if script else 0
    number = script[1 : 1 + size]
    if not 1 <= size <= 4 or len(number) < size or number[-1] & 0x80:
        return UNKNOWN
    if number[-1] == 0 and (size == 1 or not number[-2] & 0x80):
        return UNKNOWN
    height = int.from_bytes(number, "little")
    return height if height > 16 else UNKNOWN


def _read_only(raw: U8) -> U8:
    """A view that kernels see as read-only: they are then compiled once for both kinds of buffer."""
    view = raw.view()
    view.flags.writeable = False
    return view


def _check_extents(total: int, block_start: I64, block_size: I64) -> None:
    outside = np.flatnonzero((block_start < 0) | (block_size < 0) | (block_start > total - block_size))
    if len(outside):
        block = int(outside[0])
        raise TruncatedData(
            f"block {block} of the batch: {block_size[block]} bytes at {block_start[block]} reach "
            f"outside the {total} bytes read"
        )


def _explain(raw: U8, block: int, start: int, size: int) -> NoReturn:
    """Raise the error that the slow reader meets in a block that the kernel has refused."""
    try:
        read_block(raw[start : start + size].tobytes())
    except SourceError as error:
        raise type(error)(f"block {block} of the batch, {error}") from None
    raise AssertionError(f"block {block} of the batch: the kernel refuses what the reference reads")


def _transactions(raw: U8, block_start: I64, places: Places) -> dict[str, Any]:
    tx = places.tx[:-1]
    txid, wtxid = hash_transactions(raw, tx)
    counts = np.diff(places.first_tx)
    return {
        "txid": txid,
        "wtxid": wtxid,
        "tx_index": np.arange(len(tx)) - np.repeat(places.first_tx[:-1], counts),
        "tx_coinbase": tx[:, COINBASE] != 0,
        "tx_start": tx[:, START] - np.repeat(block_start, counts),
        "tx_size": tx[:, LOCK_TIME] + 4 - tx[:, START],
        "tx_base_size": tx[:, BODY_END] - tx[:, BODY] + 8,
        "tx_version": gather_words(raw, tx[:, START].copy()).astype(np.int32).astype(np.int64),
        "tx_lock_time": gather_words(raw, tx[:, LOCK_TIME].copy()),
        "tx_signing": gather_signing(raw, places.tx, places.input),
        "tx_first_input": places.tx[:, FIRST_INPUT].copy(),
        "tx_first_output": places.tx[:, FIRST_OUTPUT].copy(),
    }


def _inputs(raw: U8, places: Places) -> dict[str, Any]:
    prev_txid, prev_index, sequence = gather_inputs(raw, places.input)
    return {"input_prev_txid": prev_txid, "input_prev_index": prev_index, "input_sequence": sequence}


def _outputs(raw: U8, places: Places) -> dict[str, Any]:
    value, kind, key, key_size = gather_outputs(raw, places.output)
    return {"output_value": value, "output_type": kind, "output_key": key, "output_key_size": key_size}
