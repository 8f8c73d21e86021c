"""Serialized blocks, cut into the columns of `BlockBatch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chain.bitcoin.hashes import DIGEST_SIZE, double_sha256_rows
from chain.bitcoin.network import NETWORKS
from chain.bitcoin.script import OP_1, OP_16
from chain.bitcoin.walk import FAULT, HEADER_SIZE, INPUT, OUTPUT, TX, Fault, Part, Rows, Wrong, walk_blocks
from chain.errors import MalformedData, TruncatedData
from chain.model import ADDRESS_KEY_WIDTH, I64, U8, UNKNOWN, BlockBatch, OutputType, Proof

if TYPE_CHECKING:
    from chain.bitcoin.network import Network

PART_TEXT = {
    Part.HEADER: "the block header",
    Part.TX_COUNT: "the number of transactions",
    Part.VERSION: "a transaction's version and marker",
    Part.MARKER: "a transaction's segwit marker and flag",
    Part.INPUT_COUNT: "the number of inputs",
    Part.OUTPOINT: "an input's outpoint",
    Part.INPUT_SCRIPT: "the length of an input's script",
    Part.SEQUENCE: "an input's sequence number",
    Part.OUTPUT_COUNT: "the number of outputs",
    Part.VALUE: "an output's value",
    Part.OUTPUT_SCRIPT: "the length of an output's script",
    Part.WITNESS_COUNT: "the number of witness items",
    Part.WITNESS_ITEM: "the length of a witness item",
    Part.LOCK_TIME: "a transaction's lock time",
    Part.END: "the end of the block",
}
"""How an error names what was being read."""


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
    blocks = len(block_start)
    tally = np.zeros(3, np.int64)
    _walk(raw, block_start, block_size, False, tally, _empty_rows(0, 0, 0, 0))
    rows = _empty_rows(blocks, int(tally[TX]), int(tally[INPUT]), int(tally[OUTPUT]))
    inputs = int(tally[INPUT])
    tally[:] = 0
    _walk(raw, block_start, block_size, True, tally, rows)
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
        **rows._asdict(),
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
    """[B] the height that each coinbase states, UNKNOWN where that proves nothing.

    BIP 34: the script begins with a minimal push of the height where the version is 2 or more.
    Heights below the network's `bip34_height` are not taken: no rule made miners tell the truth
    there, and several older blocks state a far future height (BIP 54, note on BIP 34 violations).
    """
    heights = np.full(batch.block_count, UNKNOWN, np.int64)
    least = NETWORKS[batch.network].bip34_height
    for block in np.flatnonzero(batch.block_version >= 2):
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


def _empty_rows(blocks: int, txs: int, inputs: int, outputs: int) -> Rows:
    """Rows to fill; offsets are one longer than what they delimit."""
    return Rows(
        block_first_tx=np.zeros(blocks + 1, np.int64),
        txid=np.empty((txs, DIGEST_SIZE), np.uint8),
        wtxid=np.empty((txs, DIGEST_SIZE), np.uint8),
        tx_index=np.empty(txs, np.int64),
        tx_coinbase=np.empty(txs, np.bool_),
        tx_start=np.empty(txs, np.int64),
        tx_size=np.empty(txs, np.int64),
        tx_base_size=np.empty(txs, np.int64),
        tx_version=np.empty(txs, np.int64),
        tx_lock_time=np.empty(txs, np.int64),
        tx_first_input=np.zeros(txs + 1, np.int64),
        tx_first_output=np.zeros(txs + 1, np.int64),
        input_prev_txid=np.empty((inputs, DIGEST_SIZE), np.uint8),
        input_prev_index=np.empty(inputs, np.int64),
        input_sequence=np.empty(inputs, np.int64),
        output_value=np.empty(outputs, np.int64),
        output_type=np.empty(outputs, np.uint8),
        output_key=np.zeros((outputs, ADDRESS_KEY_WIDTH), np.uint8),
        output_key_size=np.empty(outputs, np.uint8),
    )


def _walk(raw: U8, block_start: I64, block_size: I64, fill: bool, tally: I64, rows: Rows) -> None:
    fault = np.zeros(len(Fault._fields), np.int64)
    block = walk_blocks(raw, block_start, block_size, fill, tally, rows, fault)
    if block != FAULT:
        found = Fault(*(int(value) for value in fault))
        end = int(block_start[block] + block_size[block])
        _raise(int(block), found._replace(at=found.at - int(block_start[block])), end - found.at)


def _raise(block: int, found: Fault, left: int) -> None:
    """Raise the error that `found` is, `found.at` counting from the start of the block."""
    where = f"block {block} of the batch, byte {found.at}: {PART_TEXT[Part(found.part)]}"
    stated = found.stated % 2**64
    match Wrong(found.wrong):
        case Wrong.TRUNCATED:
            raise TruncatedData(f"{where}: only {left} bytes are left")
        case Wrong.DOES_NOT_FIT:
            raise TruncatedData(f"{where}: {stated} do not fit into the {left} bytes left")
        case Wrong.TOO_LARGE:
            raise MalformedData(f"{where}: {stated} is more than any block can hold")
        case Wrong.NOT_CANONICAL:
            raise MalformedData(f"{where}: {stated} is not in its shortest form")
        case Wrong.BAD_FLAG:
            raise MalformedData(f"{where}: the flag is {stated}, not 1")
        case Wrong.SUPERFLUOUS_WITNESS:
            raise MalformedData(f"{where}: every witness is empty, yet they are serialized")
        case Wrong.NO_INPUTS:
            raise MalformedData(f"{where}: the transaction has no inputs")
        case Wrong.TRAILING:
            raise MalformedData(f"{where}: {left} bytes follow the last transaction")
