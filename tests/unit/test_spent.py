"""The outputs that a node says a block spends: read exactly, or refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.bitcoin.network import MAX_MONEY
from chain.bitcoin.nodeclient import satoshi
from chain.bitcoin.spent import (
    Spent,
    classify_scripts,
    read_binary,
    read_json,
    reference_classify,
    reference_spent,
    walk_spent,
)
from chain.errors import MalformedData, SourceError, TruncatedData
from chain.model import ADDRESS_KEY_WIDTH, UNKNOWN

Listed = list[list[tuple[int, bytes]]]

scripts = st.one_of(
    st.binary(max_size=300),
    st.binary(min_size=20, max_size=20).map(lambda digest: b"\x76\xa9\x14" + digest + b"\x88\xac"),
    st.binary(min_size=32, max_size=32).map(lambda program: b"\x51\x20" + program),
    st.just(b"\x51\x21" + b"\x02" * 33 + b"\x51\xae"),
)
listed = st.lists(st.lists(st.tuples(st.integers(0, MAX_MONEY), scripts), max_size=4), max_size=4)


def compact(number: int) -> bytes:
    if number < 0xFD:
        return bytes([number])
    return b"\xfd" + number.to_bytes(2, "little")


def binary(transactions: Listed) -> bytes:
    parts = [compact(len(transactions))]
    for outputs in transactions:
        parts.append(compact(len(outputs)))
        parts += [value.to_bytes(8, "little") + compact(len(script)) + script for value, script in outputs]
    return b"".join(parts)


def unpacked(spent: Spent) -> Listed:
    """What `spent` holds, as the readable twin gives it."""
    raw = spent.scripts.tobytes()
    flat = [(value, raw[start : start + size]) for value, start, size in spent.outputs.tolist()]
    ends = np.cumsum(spent.inputs_per_tx).tolist()
    return [flat[end - count : end] for end, count in zip(ends, spent.inputs_per_tx.tolist(), strict=True)]


@given(listed)
def test_kernel_reads_what_its_twin_reads(transactions: Listed) -> None:
    data = binary(transactions)
    assert unpacked(read_binary(data)) == reference_spent(data) == transactions


@given(listed, st.data())
def test_damaged_bytes_are_refused_by_kernel_and_twin_alike(transactions: Listed, data: st.DataObject) -> None:
    whole = bytearray(binary(transactions))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    damaged = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        expected = reference_spent(damaged)
    except SourceError as error:
        with pytest.raises(type(error)):
            read_binary(damaged)
    else:
        if all(0 <= value <= MAX_MONEY for outputs in expected for value, _ in outputs):
            assert unpacked(read_binary(damaged)) == expected
        else:
            with pytest.raises(MalformedData, match="satoshi"):
                read_binary(damaged)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read_binary(data)
    except SourceError:
        return
    assert binary(reference_spent(data)) == data


@pytest.mark.parametrize("count", ["ff" + "ff" * 8, "ff" + "00" * 7 + "80", "fe" + "ff" * 4, "fdffff"])
def test_counts_that_cannot_fit(count: str) -> None:
    for data in (
        bytes.fromhex(count),
        b"\x01" + bytes.fromhex(count),
        b"\1\1" + bytes(8) + bytes.fromhex(count),
    ):
        with pytest.raises(TruncatedData):
            read_binary(data + bytes(20))


@given(st.lists(scripts, max_size=10))
def test_classified_scripts_equal_the_twin(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    size = np.array([len(part) for part in parts], np.int64)
    outputs = np.stack((np.zeros(len(parts), np.int64), np.cumsum(size) - size, size), axis=1)
    kind, key_size = np.zeros(len(parts), np.uint8), np.zeros(len(parts), np.uint8)
    key = np.zeros((len(parts), ADDRESS_KEY_WIDTH), np.uint8)
    classify_scripts(np.frombuffer(raw, np.uint8), outputs, kind, key, key_size)
    found = [(kind[n], key[n, : key_size[n]].tobytes()) for n in range(len(parts))]
    assert found == reference_classify(raw, [tuple(row) for row in outputs.tolist()])


def test_walk_without_filling_touches_nothing() -> None:
    none, rows = np.zeros(0, np.int64), np.zeros((0, 3), np.int64)
    data = binary([[], [(5, b"\x51")]])
    assert walk_spent(np.frombuffer(data, np.uint8), False, none, rows) == (2, 1, len(data))


# -- JSON


def block_json(prevout: Any) -> Any:
    return {"tx": [{"vin": [{"coinbase": "00"}]}, {"vin": [{"txid": "ab", "vout": 0, "prevout": prevout}]}]}


def test_json_form() -> None:
    stated = {"value": Decimal("0.00000007"), "scriptPubKey": {"hex": "51"}}
    assert unpacked(read_json(block_json(stated))) == [[], [(7, b"\x51")]]
    assert unpacked(read_json(block_json(None))) == [[], [(UNKNOWN, b"")]]


@pytest.mark.parametrize(
    "prevout",
    [
        {"value": 0.5, "scriptPubKey": {"hex": "51"}},
        {"value": float("nan"), "scriptPubKey": {"hex": "51"}},
        {"value": Decimal("NaN"), "scriptPubKey": {"hex": "51"}},
        {"value": Decimal("0.000000001"), "scriptPubKey": {"hex": "51"}},
        {"value": Decimal(-1), "scriptPubKey": {"hex": "51"}},
        {"value": Decimal(21_000_001), "scriptPubKey": {"hex": "51"}},
        {"value": True, "scriptPubKey": {"hex": "51"}},
        {"value": Decimal(1), "scriptPubKey": {"hex": "5"}},
        {"value": Decimal(1), "scriptPubKey": {}},
        {"value": Decimal(1), "scriptPubKey": None},
        "no object",
    ],
)
def test_json_that_is_not_exact_is_refused(prevout: Any) -> None:
    with pytest.raises(MalformedData, match="spent outputs"):
        read_json(block_json(prevout))


@pytest.mark.parametrize("block", [None, {}, {"tx": None}, {"tx": [{}]}, {"tx": ["ab"]}, []])
def test_json_that_is_no_block(block: Any) -> None:
    with pytest.raises(MalformedData):
        read_json(block)


@given(st.integers(0, MAX_MONEY))
def test_amounts_are_exact(amount: int) -> None:
    assert satoshi(Decimal(amount).scaleb(-8)) == amount
