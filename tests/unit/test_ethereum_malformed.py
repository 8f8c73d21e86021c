"""Malformed Ethereum blocks are refused, and what is wrong is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import rlp
from rlp.codec import encode_raw

from chain.errors import IntegrityError, MalformedData
from chain.ethereum import fields
from chain.ethereum.block import block_from_bytes, block_from_json
from chain.ethereum.header import Header
from chain.ethereum.transactions import transaction_from_raw
from chain.ethereum.verify import verify_block
from tests.unit.ethereum_blocks import (
    Json,
    bare_header,
    block_json,
    raw_transactions,
    receipts_json,
    sealed,
    small_block,
)


@pytest.mark.parametrize(
    "quantity", ["0x", "0x00", "0x01", "0X1", "-0x1", "+0x1", "1", 1, "0x1 ", "0xg", "", None, True]
)
def test_quantities_are_strict(quantity: object) -> None:
    obj = block_json(small_block())
    with pytest.raises(MalformedData, match="gasUsed"):
        block_from_json({**obj, "gasUsed": quantity}, None)


def test_quantities_have_bounds() -> None:
    assert fields.QUANTITY.from_json("0x" + "F" * 64, "it") == 2**256 - 1
    for wrong in ("0x1" + "0" * 64, "0x" + "f" * 100_000):
        with pytest.raises(MalformedData, match="it"):
            fields.QUANTITY.from_json(wrong, "it")
    with pytest.raises(MalformedData, match="2\\^63"):
        fields.COUNT.from_json(hex(2**63), "it")


def without(value: Json, name: str) -> Json:
    return {key: each for key, each in value.items() if key != name}


def test_missing_and_malformed_fields_are_named() -> None:
    block = small_block()
    obj, receipts = block_json(block), receipts_json(block)
    txs = obj["transactions"]
    for name in ("hash", "uncles", "transactions", "miner", "number", "blobGasUsed", "parentBeaconBlockRoot"):
        with pytest.raises(MalformedData, match=name):
            block_from_json(without(obj, name), None)
    for name in ("hash", "from", "blockHash", "nonce", "to", "maxFeePerGas", "accessList", "r", "input"):
        with pytest.raises(MalformedData, match=f"4.*{name}"):
            block_from_json({**obj, "transactions": [*txs[:4], without(txs[4], name)]}, None)
    for name in ("status", "logs", "logsBloom", "cumulativeGasUsed", "gasUsed", "to", "transactionHash"):
        with pytest.raises(MalformedData, match=f"1.*{name}"):
            block_from_json(obj, [receipts[0], without(receipts[1], name)])
    log = receipts[3]["logs"][0]
    for broken, says in (
        (without(log, "logIndex"), "logIndex"),
        ({**log, "topics": ["0x" + "00" * 32] * 5}, "topics"),
        ({**log, "topics": ["0x" + "00" * 31]}, "topics"),
        ({**log, "removed": 0}, "removed"),
        ({**log, "data": "0x0"}, "data"),
        ({**log, "address": None}, "address"),
    ):
        with pytest.raises(MalformedData, match=says):
            block_from_json(obj, [{**receipts[3], "logs": [broken]}])


def test_other_malformed_blocks() -> None:
    obj = block_json(small_block())
    receipts = receipts_json(small_block())
    for transactions, says in (
        ([obj["transactions"][0]["hash"]], "a hash stands"),
        ([{**obj["transactions"][0], "type": "0x7e"}], "0x7e"),
        ([None], "object"),
        ({}, "list"),
    ):
        with pytest.raises(MalformedData, match=says):
            block_from_json({**obj, "transactions": transactions}, None)
    others: tuple[object, ...] = (None, [], "0x")
    for wrong in others:
        with pytest.raises(MalformedData, match="block"):
            block_from_json(wrong, None)
    with pytest.raises(MalformedData, match="both"):
        block_from_json(obj, [{**receipts[0], "root": "0x" + "00" * 32}])
    with pytest.raises(MalformedData, match="'hash' stands twice"):
        fields.parse_json('{"hash": "0x1", "hash": "0x2"}')
    with pytest.raises(MalformedData, match="no JSON"):
        fields.parse_json("[" * 100_000)


def test_pre_byzantium_receipts_have_a_root() -> None:
    block = small_block()
    rooted = tuple(replace(each, status=None, root=bytes([row]) * 32) for row, each in enumerate(block.receipts or ()))
    old = sealed(bare_header(), block.transactions, rooted)
    verify_block(block_from_json(block_json(old), receipts_json(old)), 1)
    verify_block(block_from_bytes(old.block_bytes, old.receipt_bytes), 1)
    assert block_from_bytes(old.block_bytes, old.receipt_bytes) == old


def test_rlp_cut_or_changed_anywhere_is_refused() -> None:
    block = small_block()
    raw, receipts = block.block_bytes, block.receipt_bytes
    assert block_from_bytes(raw, receipts) == block
    for end in range(len(raw)):
        with pytest.raises(MalformedData):
            block_from_bytes(raw[:end], None)
    with pytest.raises(MalformedData):
        block_from_bytes(raw + b"\0", None)
    for at in range(0, len(raw), 7):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises((MalformedData, IntegrityError)):
            # RLP states no hash of the block: who asked for one compares it
            verify_block(replace(block_from_bytes(changed, None), hash=block.hash))
    for at in range(0, len(receipts), 13):
        changed = receipts[:at] + bytes([receipts[at] ^ 1]) + receipts[at + 1 :]
        with pytest.raises((MalformedData, IntegrityError)):
            verify_block(block_from_bytes(raw, changed))


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "no canonical RLP|no bytes"),
        (b"\x00", "byte 0x0"),
        (b"\x7e\xc0", "0x7e"),
        (b"\x02\xc0", "0 items"),
        (b"\x02" + b"\xc1" * 5000, "RLP|items"),
        (b"\xc0", "0 items"),
        (b"\xf8\x01\x00", "RLP"),
        (b"\xb8", "no canonical RLP|known"),
    ],
)
def test_malformed_transactions(raw: bytes, says: str) -> None:
    with pytest.raises(MalformedData, match=says):
        transaction_from_raw(raw)


def test_numbers_in_rlp_have_no_leading_zero() -> None:
    items: Any = rlp.decode(raw_transactions()[1])
    with pytest.raises(MalformedData, match="leading zero"):
        transaction_from_raw(encode_raw([b"\0\1", *items[1:]]))
    with pytest.raises(MalformedData, match="value"):
        transaction_from_raw(encode_raw([*items[:4], b"\1" * 33, *items[5:]]))
    header = list(rlp.decode(small_block().header.encode()))
    for count in (14, 18, 19, 22):
        with pytest.raises(MalformedData, match="header"):
            Header.from_rlp(encode_raw((header * 2)[:count]))
