"""Keccak-256 against pycryptodome, at every size around a block of the sponge."""

from __future__ import annotations

import numpy as np
from Crypto.Hash import keccak
from eth_utils.crypto import keccak as eth_keccak
from hypothesis import given
from hypothesis import strategies as st

from chain.ethereum.keccak import RATE, keccak256, keccak_each, keccak_many


def reference(data: bytes) -> bytes:
    return bytes(keccak.new(data=data, digest_bits=256).digest())


def test_known_digests() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"abc").hex() == "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"


def test_every_size_up_to_three_blocks() -> None:
    text = bytes(np.random.default_rng(1).integers(0, 256, 3 * RATE + 1, np.uint8))
    items = [text[:size] for size in range(len(text) + 1)]
    assert [bytes(row) for row in keccak_each(items)] == [reference(item) for item in items]


@given(st.binary(max_size=1000))
def test_any_bytes(data: bytes) -> None:
    assert keccak256(data) == reference(data) == eth_keccak(data)


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_many_at_once(items: list[bytes]) -> None:
    assert [bytes(row) for row in keccak_each(items)] == [reference(item) for item in items]


def test_pieces_may_overlap_and_stand_in_any_order() -> None:
    flat = np.arange(200, dtype=np.uint8)
    got = keccak_many(flat, np.array([100, 0, 50]), np.array([100, 200, 0]))
    assert [bytes(row) for row in got] == [reference(bytes(range(a, b))) for a, b in ((100, 200), (0, 200), (50, 50))]
