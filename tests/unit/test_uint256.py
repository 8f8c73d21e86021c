"""Amounts of 256 bits: limbs, Postgres' numeric, exact sums."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import uint256
from chain.errors import MalformedData
from chain.store import numeric
from chain.store.copy import HEADER, TRAILER, Bytes, encode

AMOUNTS = st.lists(
    st.one_of(st.integers(0, uint256.MAX), st.integers(0, 10**20), st.sampled_from([0, 1, 10**4, 10**18, uint256.MAX])),
    max_size=20,
)


@given(AMOUNTS)
def test_ints_survive_limbs_and_postgres_numeric(amounts: list[int]) -> None:
    limbs = uint256.from_ints(amounts)
    assert uint256.to_ints(limbs) == amounts
    assert uint256.total(limbs) == sum(amounts)
    stream = encode([numeric.encode(limbs)]) if amounts else HEADER + TRAILER
    back = numeric.decode_rows(stream, [("value", "n")])["value"]
    assert uint256.to_ints(back) == amounts


def test_words_of_the_evm_are_big_endian() -> None:
    word = np.frombuffer((5).to_bytes(32, "big") + (2**255 + 7).to_bytes(32, "big"), np.uint8).reshape(2, 32)
    assert uint256.to_ints(uint256.from_words(word)) == [5, 2**255 + 7]


def test_sums_of_groups_are_exact_above_2_to_the_256() -> None:
    limbs = uint256.from_ints([uint256.MAX, uint256.MAX, 3])
    assert uint256.sums_by(np.array([1, 1, 0]), limbs, 3) == [3, 2 * uint256.MAX, 0]


def test_no_amount_is_negative_or_2_to_the_256() -> None:
    for value in (-1, 1 << 256):
        with pytest.raises(OverflowError):
            uint256.from_ints([value])


def test_a_fraction_or_a_sign_is_refused() -> None:
    for body in (struct.pack(">hhHHhh", 2, 0, 0, 4, 1, 5), struct.pack(">hhHHh", 1, 0, 0x4000, 0, 1)):
        flat = np.frombuffer(body, np.uint8)
        stream = encode([Bytes(flat, np.array([0]), np.array([len(flat)]))])
        with pytest.raises(MalformedData, match="value"):
            numeric.decode_rows(stream, [("value", "n")])


def test_rows_of_varying_width() -> None:
    limbs = uint256.from_ints([7, 10**30])
    names = Bytes(np.frombuffer(b"abcde", np.uint8), np.array([0, 2]), np.array([2, 3]))
    columns = numeric.decode_rows(encode([numeric.encode(limbs), names]), [("value", "n"), ("name", "b4")])
    assert columns["name"].tobytes() == b"ab\0\0cde\0"
    assert columns["name_size"].tolist() == [2, 3]
    with pytest.raises(MalformedData, match="another number of fields"):
        numeric.decode_rows(encode([names]), [("value", "n"), ("name", "b4")])
