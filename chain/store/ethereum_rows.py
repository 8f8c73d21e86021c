"""A laid Ethereum batch as COPY fields, table by table, and the fields that come back."""

from __future__ import annotations

import numpy as np
import zstandard

from chain.ethereum.laying import LaidBatch
from chain.ethereum.model import Standard
from chain.model import I64, UNKNOWN, AddressKind, Proof
from chain.store import numeric
from chain.store.copy import Bytes, Field, Integers
from chain.store.rows import CODEC_ZSTD, ZSTD_LEVEL

WIDE = ("eth_tx", "eth_movement")
"""Tables that are cut into leaves by id."""


def tables(dataset_id: int, laid: LaidBatch, *, anchor: int | None) -> list[tuple[str, I64, list[Field]]]:
    """Each table in the order that they are filled in, with its rows' ids and its fields in column order.

    `anchor`: height of a full dataset's first block; None for an extract, whose blocks have no parents.
    """
    return [
        _blocks(dataset_id, laid, anchor),
        _block_bytes(dataset_id, laid),
        _addresses(dataset_id, laid),
        _assets(dataset_id, laid),
        _txs(dataset_id, laid),
        _movements(dataset_id, laid),
    ]


def _same(dataset_id: int, rows: int) -> Integers:
    return Integers(np.full(rows, dataset_id), 2)


def _ids(laid: LaidBatch, name: str) -> I64:
    return np.arange(laid.before[name], laid.after[name], dtype=np.int64)


def _blocks(dataset_id: int, laid: LaidBatch, anchor: int | None) -> tuple[str, I64, list[Field]]:
    batch, ids = laid.batch, _ids(laid, "block")
    orphan = np.full(len(ids), True) if anchor is None else batch.block_height == anchor
    fields: list[Field] = [
        _same(dataset_id, len(ids)),
        Integers(ids, 4),
        Integers(batch.block_height, 4),
        Bytes.rows(batch.block_hash, np.where(batch.block_hash.any(axis=1), 32, UNKNOWN)),
        Integers(np.where(orphan, UNKNOWN, batch.block_height - 1), 4, UNKNOWN),
        Bytes.rows(batch.block_parent, np.where(batch.block_parent.any(axis=1), 32, UNKNOWN)),
        Integers(batch.block_time, 8),
        Bytes.rows(batch.block_miner, np.where(batch.block_miner.any(axis=1), 20, UNKNOWN)),
        Integers(batch.block_first_tx[:-1] + laid.before["tx"], 8),
        Integers(np.diff(batch.block_first_tx), 4),
        Integers(laid.movements_after, 8),
        Integers(laid.addresses_after, 4),
        Integers(laid.assets_after, 4),
        Integers(batch.block_parts, 2),
        Integers(batch.block_proof, 2),
    ]
    return "eth_block", ids, fields


def _block_bytes(dataset_id: int, laid: LaidBatch) -> tuple[str, I64, list[Field]]:
    batch = laid.batch
    proven = np.flatnonzero(batch.block_proof == Proof.BYTES)
    ids = _ids(laid, "block")[proven]
    fields: list[Field] = [
        _same(dataset_id, len(ids)),
        Integers(ids, 4),
        Integers(np.full(len(ids), CODEC_ZSTD), 2),
        _compressed([batch.block_bytes[place] for place in proven.tolist()]),
        _compressed([batch.block_receipts[place] for place in proven.tolist()]),
    ]
    return "eth_block_bytes", ids, fields


def _compressed(texts: list[bytes]) -> Bytes:
    """One zstandard frame for each text; NULL for an empty one."""
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
    frames = [compressor.compress(text) if text else b"" for text in texts]
    sizes = np.array([len(frame) for frame in frames], np.int64)
    packed = Bytes.packed(np.frombuffer(b"".join(frames), np.uint8), sizes)
    return Bytes(packed.flat, packed.starts, np.where(sizes == 0, UNKNOWN, sizes))


def _addresses(dataset_id: int, laid: LaidBatch) -> tuple[str, I64, list[Field]]:
    ids = _ids(laid, "address")
    kind = np.full(len(ids), int(AddressKind.ACCOUNT))
    return (
        "address",
        ids,
        [_same(dataset_id, len(ids)), Integers(ids, 4), Integers(kind, 2), Bytes.rows(laid.address_key)],
    )


def _assets(dataset_id: int, laid: LaidBatch) -> tuple[str, I64, list[Field]]:
    ids = _ids(laid, "asset")
    fields: list[Field] = [
        _same(dataset_id, len(ids)),
        Integers(ids, 4),
        Integers(laid.asset_standard, 2),
        Integers(laid.asset_contract, 4, UNKNOWN),
    ]
    return "eth_asset", ids, fields


def _txs(dataset_id: int, laid: LaidBatch) -> tuple[str, I64, list[Field]]:
    batch, ids = laid.batch, _ids(laid, "tx")
    block = np.repeat(_ids(laid, "block"), np.diff(batch.block_first_tx))
    fields: list[Field] = [
        _same(dataset_id, len(ids)),
        Integers(ids, 8),
        Integers(block, 4),
        Integers(batch.tx_index, 4, UNKNOWN),
        Bytes.rows(batch.tx_hash),
        Integers(batch.tx_type, 2, UNKNOWN),
        Integers(laid.tx_from, 4, UNKNOWN),
        Integers(laid.tx_to, 4, UNKNOWN),
        Integers(laid.tx_created, 4, UNKNOWN),
        numeric.encode(batch.tx_value),
        Integers(batch.tx_status, 2),
        Integers(batch.tx_gas_used, 8, UNKNOWN),
        numeric.encode(batch.tx_fee, batch.tx_gas_used >= 0),
        Integers(batch.tx_selector, 8, UNKNOWN),
    ]
    return "eth_tx", ids, fields


def _movements(dataset_id: int, laid: LaidBatch) -> tuple[str, I64, list[Field]]:
    batch, ids = laid.batch, _ids(laid, "movement")
    collectible = (batch.move_standard == Standard.ERC721) | (batch.move_standard == Standard.ERC1155)
    fields: list[Field] = [
        _same(dataset_id, len(ids)),
        Integers(ids, 8),
        Integers(batch.move_block + laid.before["block"], 4),
        Integers(np.where(batch.move_tx < 0, UNKNOWN, batch.move_tx + laid.before["tx"]), 8, UNKNOWN),
        Integers(batch.move_kind, 2),
        Integers(batch.move_basis, 2),
        Integers(laid.move_asset, 4),
        Integers(laid.move_from, 4, UNKNOWN),
        Integers(laid.move_to, 4, UNKNOWN),
        numeric.encode(batch.move_value),
        numeric.encode(batch.move_token, collectible),
        Integers(batch.move_log, 4, UNKNOWN),
    ]
    return "eth_movement", ids, fields


COPY_FIELDS: dict[str, list[tuple[str, str]]] = {
    "blocks": [("block_id", "i"), ("height", "i"), ("time", "i"), ("hash", "b32"), ("parent", "b32"), ("miner", "b20"),
               ("first_tx", "i"), ("tx_count", "i"), ("parts", "i"), ("proof", "i")],
    "txs": [("tx_id", "i"), ("block", "i"), ("index", "i"), ("hash", "b32"), ("type", "i"), ("from", "i"), ("to", "i"),
            ("created", "i"), ("value", "n"), ("status", "i"), ("gas_used", "i"), ("fee", "n"), ("selector", "i")],
    "movements": [("block", "i"), ("tx", "i"), ("kind", "i"), ("basis", "i"), ("asset", "i"), ("from", "i"),
                  ("to", "i"), ("value", "n"), ("token", "n"), ("log", "i")],
    "addresses": [("payload", "b20")],
    "assets": [("standard", "i"), ("contract", "i")],
}  # fmt: skip
"""The fields that each copy_* query gives back (chain.store.numeric.decode_rows)."""
