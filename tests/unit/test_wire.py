"""The quick serializer gives the bytes of the readable one."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.bitcoin import build, wire

PUSHES = st.lists(st.binary(min_size=1, max_size=105), max_size=4)
INPUTS = st.lists(
    st.tuples(st.binary(min_size=32, max_size=32), st.integers(0, 2**32 - 1), st.binary(max_size=300), PUSHES),
    min_size=1,
    max_size=5,
)
OUTPUTS = st.lists(st.tuples(st.integers(0, 21 * 10**14), st.binary(max_size=75)), min_size=1, max_size=4)
MANY = st.sampled_from([0, 252, 253])


def _sized(data: bytes) -> bytes:
    return build.compact_size(len(data)) + data


def _witness(items: list[bytes]) -> bytes:
    if not items:
        return wire.NO_WITNESS
    return build.compact_size(len(items)) + b"".join(map(_sized, items))


@given(INPUTS, OUTPUTS, st.sampled_from([1, 2]), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), MANY)
def test_a_transaction_is_the_readable_one_s(
    inputs: list[tuple[bytes, int, bytes, list[bytes]]],
    outputs: list[tuple[int, bytes]],
    version: int,
    lock_time: int,
    sequence: int,
    more: int,
) -> None:
    outputs = outputs + outputs[:1] * more
    readable = build.Transaction(
        tuple(build.Spend(txid, index, script, tuple(items), sequence) for txid, index, script, items in inputs),
        tuple(build.Payment(value, script) for value, script in outputs),
        version,
        lock_time,
    )
    parts = [
        (txid + struct.pack("<I", index), _sized(script), _witness(items)) for txid, index, script, items in inputs
    ]
    scripts = [(value, _sized(script)) for value, script in outputs]
    base, whole = wire.transaction(version, parts, scripts, lock_time, sequence)
    assert base == readable.serialize(witness=False)
    assert whole == readable.serialize()
    assert wire.hash_of(base) == readable.txid
    assert (base is whole) == (not any(items for _, _, _, items in inputs))


@pytest.mark.parametrize("witness", [(), (b"signature", b"key")])
@pytest.mark.parametrize("others", [0, 1, 2, 5])
def test_a_block_is_the_readable_one_s(others: int, witness: tuple[bytes, ...]) -> None:
    script = b"\x00\x14" + bytes(20)
    made = [
        build.Transaction((build.Spend(bytes([n]) * 32, n, b"", witness),), (build.Payment(n, script),))
        for n in range(others)
    ]
    first = build.coinbase(300, [build.Payment(50, script)], b"tag")
    readable = build.block(bytes(32), 1_600_000_000, build.with_commitment([first, *made]))
    rows = [(tx.txid, build.double_sha256(tx.serialize()) if witness else tx.txid, tx.serialize()) for tx in made]
    block, digest, coinbase = wire.block(bytes(32), 300, 1_600_000_000, [(50, _sized(script))], b"tag", rows)
    assert block == readable
    assert digest == build.block_hash(readable)
    assert coinbase == build.with_commitment([first, *made])[0].txid


@given(st.binary(min_size=64, max_size=64), st.booleans(), st.sampled_from([1, 0x83]))
def test_a_signature_has_the_form_of_bip_66(noise: bytes, low_r: bool, hash_type: int) -> None:
    signature = wire.signature(noise, low_r, hash_type)
    assert len(signature) in ((71,) if low_r else (71, 72))
    assert (signature[0], signature[1], signature[-1]) == (0x30, len(signature) - 3, hash_type)
    r, s = signature[4 : 4 + signature[3]], signature[6 + signature[3] : -1]
    assert signature[2] == signature[4 + signature[3]] == 2
    assert signature[5 + signature[3]] == len(s)
    for number in (r, s):
        assert number[0] < 0x80, "not negative"
        assert number[0] or number[1] >= 0x80, "no needless zero"
        assert any(number)
    assert s[0] > 0, "low, and 32 bytes"
