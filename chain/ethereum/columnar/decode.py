"""Blocks of JSON as typed columns: the headers, transactions and withdrawals of many blocks at once.

Twin of `block_from_json` for the form that nodes write; where anything is of another form there are no columns, and
the strict reader decides. Nothing is proved here: chain/ethereum/columnar/prove.py does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chain.ethereum.columnar.scan import (
    NULL,
    OtherForm,
    Spans,
    Table,
    padded,
    scan_lists,
    scan_nested,
    scan_texts,
    table,
)
from chain.ethereum.columnar.values import fixed, quantities, texts
from chain.ethereum.fields import Bytes, Quantity
from chain.ethereum.header import BARE, FIELDS, FORMS
from chain.model import I64, U8
from chain.uint256 import LIMBS, U64

HASH, ADDRESS, ANY = 66, 42, 0
"""Characters of a value in JSON; numbers and bytes of any size have any."""

HEADER_BYTES = {
    field.json: field.kind.size for field in FIELDS if isinstance(field.kind, Bytes) and field.kind.size
} | {"hash": 32}
HEADER_NUMBERS = tuple(field.json for field in FIELDS if isinstance(field.kind, Quantity))


def _characters(name: str) -> int:
    return 2 + 2 * HEADER_BYTES[name] if name in HEADER_BYTES else ANY


HEADER_TABLE = table(
    {field.json: _characters(field.json) for field in FIELDS[:BARE]}
    | {"hash": HASH, "transactions": ANY, "uncles": ANY},
    {field.json: _characters(field.json) for field in FIELDS[BARE:]}
    | {"withdrawals": ANY, "size": ANY, "totalDifficulty": ANY},
)
"""A block's own fields."""

TX_TABLE = table(
    {"blockHash": HASH, "blockNumber": ANY, "from": ADDRESS, "gas": ANY, "hash": HASH, "input": ANY, "nonce": ANY,
     "to": ADDRESS, "transactionIndex": ANY, "value": ANY, "r": HASH, "s": HASH},
    {"type": ANY, "chainId": ANY, "v": ANY, "gasPrice": ANY, "maxPriorityFeePerGas": ANY, "maxFeePerGas": ANY,
     "yParity": ANY, "accessList": ANY, "maxFeePerBlobGas": ANY, "blobVersionedHashes": ANY, "authorizationList": ANY,
     "blockTimestamp": ANY},
)  # fmt: skip
WITHDRAWAL_TABLE = table({"index": ANY, "validatorIndex": ANY, "address": ADDRESS, "amount": ANY}, {})
ACCESS_TABLE = table({"address": ADDRESS, "storageKeys": ANY}, {})
AUTHORIZATION_TABLE = table({"chainId": ANY, "address": ADDRESS, "nonce": ANY, "yParity": ANY, "r": ANY, "s": ANY}, {})

TX_NUMBERS = (
    "type", "chainId", "nonce", "gasPrice", "maxPriorityFeePerGas", "maxFeePerGas", "gas", "value", "maxFeePerBlobGas",
    "v", "yParity", "r", "s", "blockNumber", "transactionIndex", "blockTimestamp",
)  # fmt: skip
WIDE = ("value", "r", "s")
"""Numbers that need 256 bits. Others may have as many by the specification: one of more than 64 is another form."""
TX_BYTES = {"blockHash": 32, "hash": 32, "from": 20, "to": 20}


@dataclass(frozen=True, slots=True)
class Ragged:
    """Rows of bytes of any size, one behind the other."""

    flat: U8
    sizes: I64

    @property
    def starts(self) -> I64:
        return np.cumsum(self.sizes) - self.sizes

    def rows(self) -> list[bytes]:
        raw, at, found = self.flat.tobytes(), 0, []
        for size in self.sizes.tolist():
            found.append(raw[at : at + size])
            at += size
        return found


@dataclass(frozen=True, slots=True)
class Columns:
    """The values of n objects; rows without one hold zeros, and `has` tells."""

    spans: Spans
    numbers: dict[str, U64]
    """[n, 4] limbs, the least significant first, of those in `WIDE`; [n, 1] of the others."""
    octets: dict[str, U8]
    """[n, width]"""
    ragged: dict[str, Ragged]

    def __len__(self) -> int:
        return len(self.spans.starts)

    @property
    def parent(self) -> I64:
        return self.spans.parent

    def has(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Where there is a value, and no null."""
        found: np.ndarray[tuple[int], np.dtype[np.bool_]] = self.spans.of(name)[0] >= 0
        return found


@dataclass(frozen=True, slots=True)
class BlockColumns:
    """B blocks, their T transactions (`txs.parent`: the block of each) and what stands in lists below them."""

    headers: Columns
    txs: Columns
    withdrawals: Columns
    has_withdrawals: np.ndarray[tuple[int], np.dtype[np.bool_]]
    uncles: Ragged
    uncle_parent: I64
    accesses: Columns
    """`parent` is the transaction, as below."""
    slots: Ragged
    slot_parent: I64
    """The access that each slot is of."""
    blobs: Ragged
    blob_parent: I64
    authorizations: Columns


def decode_blocks(bodies: Sequence[bytes]) -> BlockColumns:
    """The columns of blocks of `eth_getBlockByNumber(…, true)`; OtherForm where one is of another form."""
    raw, begins = padded(list(bodies))
    blocks, txs = scan_nested(raw, begins, HEADER_TABLE, "transactions", TX_TABLE, many=False)
    if (blocks.starts[:, : HEADER_TABLE.due] < 0).any():
        raise OtherForm
    accesses = _below(raw, txs, "accessList", ACCESS_TABLE, ())
    return BlockColumns(
        read_columns(raw, blocks, HEADER_NUMBERS, HEADER_BYTES, ("extraData",)),
        read_columns(raw, txs, TX_NUMBERS, TX_BYTES, ("input",)),
        _below(raw, blocks, "withdrawals", WITHDRAWAL_TABLE, ("index", "validatorIndex", "amount")),
        blocks.of("withdrawals")[0] >= 0,
        *texts_below(raw, blocks, "uncles", 32),
        accesses,
        *texts_below(raw, accesses.spans, "storageKeys", 32),
        *texts_below(raw, txs, "blobVersionedHashes", 32),
        _below(raw, txs, "authorizationList", AUTHORIZATION_TABLE, ("chainId", "nonce", "yParity", "r", "s")),
    )


def read_columns(
    raw: U8, spans: Spans, numbers: Sequence[str], octets: dict[str, int], ragged: Sequence[str]
) -> Columns:
    """The named fields of scanned objects; OtherForm where a value is not of its form."""
    found = Columns(spans, {}, {}, {})
    good = True
    for limbs in (1, LIMBS):
        names = [name for name in numbers if (name in WIDE) == (limbs == LIMBS)]
        values, fits = quantities(raw, spans.starts, spans.sizes, spans.places(names), limbs)
        found.numbers.update(zip(names, values, strict=True))
        good = good and fits
    for width in set(octets.values()):
        names = [name for name, size in octets.items() if size == width]
        rows, fits = fixed(raw, spans.starts, spans.sizes, spans.places(names), width)
        found.octets.update(zip(names, rows, strict=True))
        good = good and fits
    for name in ragged:
        flat, sizes, fits = texts(raw, *spans.of(name))
        found.ragged[name] = Ragged(flat, sizes)
        good = good and fits
    if not good:
        raise OtherForm
    return found


def _lists(spans: Spans, name: str) -> tuple[I64, int]:
    """Where the list in a field begins, negative where there is none, or null; and the bytes of them all."""
    starts, sizes = spans.of(name)
    if ((starts >= 0) & (sizes >= 0)).any() or (starts < NULL).any():
        raise OtherForm
    return starts, -int(sizes.sum())


def _below(raw: U8, spans: Spans, name: str, of: Table, numbers: Sequence[str]) -> Columns:
    """The objects of the list in a field, all of whose due fields are there."""
    found = scan_lists(raw, *_lists(spans, name), of)
    if (found.starts[:, : of.due] < 0).any():
        raise OtherForm
    return read_columns(raw, found, numbers, {"address": 20}, ())


def texts_below(raw: U8, spans: Spans, name: str, width: int) -> tuple[Ragged, I64]:
    """The bytes of the texts of the list in a field, all of one width, and the row that each is of."""
    begins, length = _lists(spans, name)
    starts, sizes, parent = scan_texts(raw, begins, length // (2 * width + 4) + 1)
    flat, counts, good = texts(raw, starts, sizes)
    if not good or (counts != width).any():
        raise OtherForm
    return Ragged(flat, counts), parent


def header_forms(headers: Columns) -> I64:
    """How many fields each header has (chain/ethereum/header.py, `FORMS`); OtherForm where one has a gap."""
    there = np.stack([headers.has(field.json) for field in FIELDS], axis=1)
    counts: I64 = there.sum(axis=1)
    if (there != (np.arange(len(FIELDS)) < counts[:, None])).any() or not np.isin(counts, sorted(FORMS)).all():
        raise OtherForm
    return counts
