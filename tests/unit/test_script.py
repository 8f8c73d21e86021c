"""The forms of output scripts: the rules of Core's Solver, and kernel against reference."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.bitcoin.hashes import hash160_digest, new_state
from chain.bitcoin.script import classify, classify_kernel
from chain.model import ADDRESS_KEY_WIDTH, AddressKind, OutputType

SMALL_KEY = b"\x02" + bytes(range(32))
LARGE_KEY = b"\x04" + bytes(64)
HYBRID_KEY = b"\x07" + bytes(64)
HASH = bytes(range(20))
DIGEST = bytes(range(32))


def push(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def multisig(required: bytes, keys: list[bytes], total: bytes) -> bytes:
    return required + b"".join(push(key) for key in keys) + total + b"\xae"


def by_kernel(script: bytes) -> tuple[OutputType, bytes]:
    raw = np.frombuffer(b"before" + script + b"behind", np.uint8)
    key = np.zeros(ADDRESS_KEY_WIDTH, np.uint8)
    kind, size = classify_kernel(new_state(), raw, 6, len(script), key)
    assert not key[size:].any()
    return OutputType(kind), key[:size].tobytes()


P2PK_KEY = bytes([AddressKind.PUBKEY_HASH]) + hash160_digest(SMALL_KEY)
CASES: dict[str, tuple[bytes, OutputType, bytes]] = {
    "p2pk compressed": (push(SMALL_KEY) + b"\xac", OutputType.P2PK, P2PK_KEY),
    "p2pk uncompressed": (push(LARGE_KEY) + b"\xac", OutputType.P2PK, b"\x01" + hash160_digest(LARGE_KEY)),
    "p2pk hybrid": (push(HYBRID_KEY) + b"\xac", OutputType.P2PK, b"\x01" + hash160_digest(HYBRID_KEY)),
    "p2pk of a wrong size": (push(b"\x04" + bytes(32)) + b"\xac", OutputType.NONSTANDARD, b""),
    "p2pk of an unknown first byte": (push(b"\x05" + bytes(32)) + b"\xac", OutputType.NONSTANDARD, b""),
    "p2pk pushed in another way": (b"\x4c" + push(SMALL_KEY) + b"\xac", OutputType.NONSTANDARD, b""),
    "p2pkh": (b"\x76\xa9\x14" + HASH + b"\x88\xac", OutputType.P2PKH, b"\x01" + HASH),
    "p2pkh with another end": (b"\x76\xa9\x14" + HASH + b"\x88\xad", OutputType.NONSTANDARD, b""),
    "p2sh": (b"\xa9\x14" + HASH + b"\x87", OutputType.P2SH, b"\x02" + HASH),
    "p2sh with one byte more": (b"\xa9\x14" + HASH + b"\x87\x51", OutputType.NONSTANDARD, b""),
    "p2wpkh": (b"\x00\x14" + HASH, OutputType.P2WPKH, b"\x03" + HASH),
    "p2wsh": (b"\x00\x20" + DIGEST, OutputType.P2WSH, b"\x04" + DIGEST),
    "version 0 of another length": (b"\x00\x15" + HASH + b"x", OutputType.NONSTANDARD, b""),
    "p2tr": (b"\x51\x20" + DIGEST, OutputType.P2TR, b"\x05" + DIGEST),
    "pay to anchor": (b"\x51\x02\x4e\x73", OutputType.WITNESS_UNKNOWN, b"\x06\x01\x4e\x73"),
    "version 1 of 40 bytes": (b"\x51\x28" + bytes(40), OutputType.WITNESS_UNKNOWN, b"\x06\x01" + bytes(40)),
    "version 16": (b"\x60\x20" + DIGEST, OutputType.WITNESS_UNKNOWN, b"\x06\x10" + DIGEST),
    "program of 1 byte": (b"\x51\x01\x01", OutputType.NONSTANDARD, b""),
    "program of 41 bytes": (b"\x51\x29" + bytes(41), OutputType.NONSTANDARD, b""),
    "op_return": (b"\x6a\x04data", OutputType.OP_RETURN, b""),
    "op_return alone": (b"\x6a", OutputType.OP_RETURN, b""),
    "op_return and no push": (b"\x6a\xac\xff", OutputType.OP_RETURN, b""),
    "empty": (b"", OutputType.NONSTANDARD, b""),
    "2 + 2 and a key": (b"\x55\x55\x93\x75" + push(SMALL_KEY) + b"\xac", OutputType.NONSTANDARD, b""),
}
MULTISIGS = {
    "1 of 1": multisig(b"\x51", [SMALL_KEY], b"\x51"),
    "2 of 3 of mixed keys": multisig(b"\x52", [SMALL_KEY, LARGE_KEY, HYBRID_KEY], b"\x53"),
    "16 of 16": multisig(b"\x60", [SMALL_KEY] * 16, b"\x60"),
    "1 of 20": multisig(b"\x51", [SMALL_KEY] * 20, b"\x01\x14"),
    "17 of 20": multisig(b"\x01\x11", [SMALL_KEY] * 20, b"\x01\x14"),
    "a key by PUSHDATA1": b"\x51\x4c" + push(SMALL_KEY) + b"\x51\xae",
    "a key by PUSHDATA2": b"\x51\x4d\x21\x00" + SMALL_KEY + b"\x51\xae",
    "a key by PUSHDATA4": b"\x51\x4e\x21\x00\x00\x00" + SMALL_KEY + b"\x51\xae",
}
NO_MULTISIGS = {
    "2 of 1": multisig(b"\x52", [SMALL_KEY], b"\x51"),
    "0 of 1": multisig(b"\x00", [SMALL_KEY], b"\x51"),
    "1 of 21": multisig(b"\x51", [SMALL_KEY] * 21, b"\x01\x15"),
    "fewer keys than n": multisig(b"\x51", [SMALL_KEY], b"\x52"),
    "more keys than n": multisig(b"\x51", [SMALL_KEY] * 3, b"\x52"),
    "16 by a push": multisig(b"\x51", [SMALL_KEY] * 16, b"\x01\x10"),
    "20 by a longer push": multisig(b"\x51", [SMALL_KEY] * 20, b"\x02\x14\x00"),
    "20 by PUSHDATA1": multisig(b"\x51", [SMALL_KEY] * 20, b"\x4c\x01\x14"),
    "a key of a wrong size": multisig(b"\x51", [SMALL_KEY[:-1]], b"\x51"),
    "no keys": b"\x51\x51\xae",
    "the opcode alone": b"\xae",
    "another n behind": multisig(b"\x51", [SMALL_KEY], b"\x51\x51"),
    "a push beyond the end": b"\x51" + push(SMALL_KEY) + b"\x51\x05\xae",
    "a length beyond the end": b"\x51\x4e\xae",
}


@pytest.mark.parametrize(("script", "kind", "key"), CASES.values(), ids=list(CASES))
def test_forms(script: bytes, kind: OutputType, key: bytes) -> None:
    assert classify(script) == (kind, key)
    assert by_kernel(script) == (kind, key)


@pytest.mark.parametrize("script", MULTISIGS.values(), ids=list(MULTISIGS))
def test_multisig(script: bytes) -> None:
    expected = OutputType.MULTISIG, bytes([AddressKind.MULTISIG]) + hashlib.sha256(script).digest()
    assert classify(script) == by_kernel(script) == expected


@pytest.mark.parametrize("script", NO_MULTISIGS.values(), ids=list(NO_MULTISIGS))
def test_no_multisig(script: bytes) -> None:
    assert classify(script) == by_kernel(script) == (OutputType.NONSTANDARD, b"")


known_scripts = st.sampled_from(
    [case[0] for case in CASES.values()] + list(MULTISIGS.values()) + list(NO_MULTISIGS.values())
)
pieces = st.one_of(
    st.sampled_from([b"\x00", b"\x51", b"\x52", b"\x60", b"\x6a", b"\xac", b"\xae", b"\x01\x11", b"\x4c", b"\x4e"]),
    st.sampled_from([push(SMALL_KEY), push(LARGE_KEY), push(HASH), push(DIGEST), b"\x76\xa9", b"\x88", b"\x87"]),
    st.binary(max_size=4),
)


@st.composite
def changed_scripts(draw: st.DrawFn) -> bytes:
    script = bytearray(draw(known_scripts))
    for _ in range(draw(st.integers(0, 2))):
        if script:
            script[draw(st.integers(0, len(script) - 1))] = draw(st.integers(0, 255))
    return bytes(script[: draw(st.integers(0, len(script)))] if draw(st.booleans()) else script)


@given(st.one_of(changed_scripts(), st.lists(pieces, max_size=8).map(b"".join), st.binary(max_size=80)))
def test_kernel_equals_reference(script: bytes) -> None:
    assert by_kernel(script) == classify(script)
