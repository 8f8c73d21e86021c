"""Laid rows as COPY fields, table by table, and what of them comes back for the columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import zstandard

from chain.ledger import LaidRows
from chain.model import I64, UNKNOWN, Proof
from chain.store.copy import Booleans, Bytes, Field, Integers
from chain.store.dataset import Dataset

CODEC_ZSTD = 1
ZSTD_LEVEL = 1
"""Blocks are hashes and signatures for the most part: level 1 saves what can be saved, at the speed of the disk."""

_NO_VERSION = -(1 << 62)
"""Stands for a version that is not stated: any int32 can be one, -1 too."""


def cut(field: Field, rows: npt.NDArray[np.bool_]) -> Field:
    """The part of a field whose rows go into one leaf table."""
    if isinstance(field, Integers):
        return Integers(field.values[rows], field.width, field.null)
    if isinstance(field, Booleans):
        return Booleans(field.values[rows])
    return Bytes(field.flat, field.starts[rows], field.sizes[rows])


def _same(dataset: Dataset, rows: int) -> Integers:
    return Integers(np.full(rows, dataset.dataset_id), 2)


def narrow_tables(dataset: Dataset, rows: LaidRows) -> list[tuple[str, list[Field]]]:
    """The narrow tables' fields, in the order of the tables' columns."""
    batch, columns, before = rows.batch, rows.columns, rows.before
    blocks = np.arange(batch.block_count) + before["block"]
    stated = batch.proofs == Proof.STATED
    anchor = np.zeros(batch.block_count, np.bool_)
    if dataset.is_full:
        anchor = batch.block_height == dataset.anchor_height
    parent = np.where(anchor | (not dataset.is_full), UNKNOWN, batch.block_height - 1)
    tables: list[tuple[str, list[Field]]] = [
        (
            "block",
            [
                _same(dataset, batch.block_count),
                Integers(blocks, 4),
                Integers(batch.block_height, 4, UNKNOWN),
                Bytes.rows(batch.block_hash),
                Integers(parent, 4, UNKNOWN),
                _nullable_hash(batch.block_parent, np.asarray(batch.block_parent.any(axis=1))),
                Integers(batch.block_time, 8),
                Integers(np.where(stated, _NO_VERSION, batch.block_version), 8, _NO_VERSION),
                _nullable_hash(batch.block_merkle_root, ~stated),
                Integers(np.where(stated, UNKNOWN, batch.block_bits), 8, UNKNOWN),
                Integers(np.where(stated, UNKNOWN, batch.block_nonce), 8, UNKNOWN),
                Integers(np.where(stated, UNKNOWN, batch.block_size), 4, UNKNOWN),
                Integers(columns["block_first_tx"], 8),
                Integers(np.diff(batch.block_first_tx), 4),
                *(Integers(rows.block_after[name], width) for name, width in _AFTER),
                Integers(rows.block_unclaimed, 8, UNKNOWN),
                Integers(columns["block_proof"], 2),
            ],
        ),
        (
            "address",
            [
                _same(dataset, len(rows.address_key)),
                Integers(np.arange(len(rows.address_key)) + before["address"], 4),
                Integers(rows.address_key[:, 0], 2),
                Bytes.rows(rows.address_key, rows.address_key_size, skip=1),
            ],
        ),
    ]
    outside = columns["outside_output"]
    tables.append(
        (
            "outside_output",
            [
                _same(dataset, len(outside)),
                Integers(outside, 8),
                Bytes.rows(columns["outside_txid"]),
                Integers(columns["outside_index"], 8),
            ],
        )
    )
    proven = np.flatnonzero(~stated)
    tables.append(
        (
            "block_bytes",
            [
                _same(dataset, len(proven)),
                Integers(blocks[proven], 4),
                Integers(np.full(len(proven), CODEC_ZSTD), 2),
                _compressed(rows, proven),
            ],
        )
    )
    return tables


_AFTER = (("input", 8), ("output", 8), ("outside", 8), ("address", 4))
"""Counts that each block keeps, with the width of their columns."""


def _nullable_hash(hashes: npt.NDArray[np.uint8], known: npt.NDArray[np.bool_]) -> Bytes:
    """Hashes where they are known, NULL elsewhere."""
    return Bytes.rows(hashes, np.where(known, hashes.shape[1], UNKNOWN))


def _compressed(rows: LaidRows, blocks: I64) -> Bytes:
    """One zstandard frame for each of `blocks` (one Python step a block, not a transaction)."""
    batch = rows.batch
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
    frames = [
        compressor.compress(batch.raw[start : start + size].data)
        for start, size in zip(batch.block_start[blocks].tolist(), batch.block_size[blocks].tolist(), strict=True)
    ]
    sizes = np.array([len(frame) for frame in frames], np.int64)
    return Bytes.packed(np.frombuffer(b"".join(frames), np.uint8), sizes)


def wide_tables(dataset: Dataset, rows: LaidRows) -> list[tuple[str, I64, list[Field]]]:
    """Each wide table with the id that its leaves are cut by, and its fields."""
    batch, columns, before = rows.batch, rows.columns, rows.before
    tx_ids = np.arange(batch.tx_count) + before["tx"]
    outputs = len(columns["output_value"])
    output_ids = np.arange(outputs) + before["output"]
    spends = columns["input_spends"].astype(np.int64)
    stated = batch.proofs[columns["tx_block"] - before["block"]] == Proof.STATED
    return [
        (
            "tx",
            tx_ids,
            [
                _same(dataset, batch.tx_count),
                Integers(tx_ids, 8),
                Integers(columns["tx_block"], 4),
                Integers(batch.tx_index, 4),
                Bytes.rows(batch.txid),
                Booleans(batch.tx_coinbase),
                Integers(np.where(stated, _NO_VERSION, batch.tx_version), 4, _NO_VERSION),
                Integers(batch.tx_lock_time, 8, UNKNOWN),
                Integers(batch.tx_start, 4),
                Integers(batch.tx_size, 4),
                Integers(batch.tx_base_size, 4),
                Integers(columns["tx_first_input"], 8),
                Integers(rows.tx_input_count, 4),
                Integers(columns["tx_first_output"], 8),
                Integers(rows.tx_output_count, 4),
                Integers(columns["tx_fee"], 8, UNKNOWN),
                Integers(batch.tx_signing, 2),
            ],
        ),
        (
            "output",
            output_ids,
            [
                _same(dataset, outputs),
                Integers(output_ids, 8),
                Integers(rows.output_tx, 8, UNKNOWN),
                Integers(rows.output_index, 4, UNKNOWN),
                Integers(columns["output_address"], 4, UNKNOWN),
                Integers(columns["output_type"], 2),
                Integers(columns["output_value"], 8, UNKNOWN),
            ],
        ),
        (
            "input",
            spends,
            [
                _same(dataset, batch.input_count),
                Integers(spends, 8),
                Integers(rows.input_tx, 8),
                Integers(rows.input_index, 4),
                Integers(batch.input_sequence, 8, UNKNOWN),
            ],
        ),
    ]


COPY_LAYOUTS: dict[str, list[tuple[str, int]]] = {
    "block": [("block_height:i", 4), ("block_time:i", 8), ("block_hash:b", 32), ("block_first_tx:i", 8),
              ("block_proof:i", 2)],
    "tx": [("tx_txid:b", 32), ("tx_block:i", 4), ("tx_index:i", 4), ("tx_coinbase:i", 4), ("tx_version:i", 4),
           ("tx_lock_time:i", 8), ("tx_start:i", 4), ("tx_size:i", 4), ("tx_base_size:i", 4),
           ("tx_first_input:i", 8), ("tx_first_output:i", 8), ("tx_output_count:i", 4), ("tx_fee:i", 8),
           ("tx_signing:i", 2)],
    "input": [("input_spends:i", 8), ("input_sequence:i", 8)],
    "output": [("output_address:i", 4), ("output_value:i", 8), ("output_type:i", 2)],
    "outside": [("outside_output:i", 8), ("outside_txid:b", 32), ("outside_index:i", 8)],
    "address": [("address_key_size:i", 4), ("address_key:b", 42)],
}  # fmt: skip
"""The fields that each copy_* query gives back, with their widths (chain.store.copy.decode)."""
