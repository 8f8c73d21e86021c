"""Postgres' binary COPY, both ways."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.errors import MalformedData
from chain.store.copy import HEADER, TRAILER, Booleans, Bytes, Integers, decode, encode

ROWS = st.lists(
    st.tuples(
        st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-(1 << 31), (1 << 31) - 1), st.booleans(),
        st.one_of(st.none(), st.binary(max_size=6)),
    ),
    max_size=20,
)  # fmt: skip


def _field(value: bytes | None) -> bytes:
    return struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value


@given(ROWS)
def test_a_stream_is_what_the_format_says(rows: list[tuple[int, int, bool, bytes | None]]) -> None:
    null = 7
    expected = HEADER
    for long, short, truth, data in rows:
        expected += struct.pack(">h", 4) + _field(None if long == null else struct.pack(">q", long))
        expected += _field(struct.pack(">i", short)) + _field(bytes([truth])) + _field(data)
    flat = np.frombuffer(b"".join(data or b"" for *_, data in rows), np.uint8)
    sizes = np.array([-1 if data is None else len(data) for *_, data in rows], np.int64)
    starts = np.cumsum(np.maximum(sizes, 0)) - np.maximum(sizes, 0)
    stream = encode(
        [
            Integers(np.array([row[0] for row in rows], np.int64), 8, null),
            Integers(np.array([row[1] for row in rows], np.int64), 4),
            Booleans(np.array([row[2] for row in rows], np.bool_)),
            Bytes(flat, starts, sizes),
        ]
    )
    assert stream == expected + TRAILER


@given(st.lists(st.tuples(st.integers(-(1 << 63), (1 << 63) - 1), st.binary(min_size=5, max_size=5)), max_size=20))
def test_fixed_rows_come_back(rows: list[tuple[int, bytes]]) -> None:
    matrix = np.frombuffer(b"".join(data for _, data in rows), np.uint8).reshape(-1, 5)
    stream = encode([Integers(np.array([number for number, _ in rows], np.int64), 8), Bytes.rows(matrix)])
    back = decode(stream, [("number:i", 8), ("data:b", 5)])
    assert back["number"].tolist() == [number for number, _ in rows]
    assert (back["data"] == matrix).all()


def test_a_null_or_another_width_is_refused() -> None:
    stream = encode([Integers(np.array([1, 2]), 8, null=2)])
    with pytest.raises(MalformedData):
        decode(stream, [("number:i", 8)])
    with pytest.raises(MalformedData):
        decode(stream[:-1], [("number:i", 8)])
