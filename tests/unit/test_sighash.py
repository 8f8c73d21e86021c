"""Signatures that leave out the other inputs: their forms, and the kernel against its readable twin."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.bitcoin import sighash
from chain.bitcoin.build import push
from chain.bitcoin.network import MAINNET, REGTEST
from chain.bitcoin.reference import read_block
from chain.model import Signing
from tests.unit.blocks import P2PKH, Tx, batch_of, block, coinbase, real_blocks

WHOLE, ANYONECANPAY = Signing.WHOLE, Signing.ANYONECANPAY


def der(hash_type: int, size: int = 71) -> bytes:
    return bytes([0x30, size - 3, 2, *(9,) * (size - 4), hash_type])


def schnorr(hash_type: int) -> bytes:
    return bytes([7] * 64 + [hash_type])


KEY, CONTROL = bytes([2] * 33), bytes([0xC1] + [5] * 32)


def signing(script: bytes, stacks: list[list[bytes]], inputs: int = 2) -> Signing:
    tx = Tx([(bytes([9] * 32), index) for index in range(inputs)], [(5, P2PKH)], stacks, script)
    raw = block([coinbase(1, 50, [tx]), tx])
    found = int(batch_of([raw], REGTEST).tx_signing[1])
    assert found == sighash.reference(read_block(raw).transactions[1])
    return Signing(found)


@pytest.mark.parametrize(
    ("script", "stacks", "expected"),
    [
        pytest.param(push(der(0x01)) + push(KEY), [], WHOLE, id="all"),
        pytest.param(push(der(0x81)) + push(KEY), [], ANYONECANPAY, id="all, anyone can pay"),
        pytest.param(push(der(0x83, 72)) + push(KEY), [], ANYONECANPAY, id="single, anyone can pay: a sale"),
        pytest.param(b"\x00" + push(der(1)) + push(der(0x82)), [], ANYONECANPAY, id="one of two signers"),
        pytest.param(b"\x4c\x47" + der(0x83), [], ANYONECANPAY, id="pushed with its length beside"),
        pytest.param(b"\x4d\x47\x00" + der(0x83), [], ANYONECANPAY, id="pushed with two bytes of length"),
        pytest.param(b"\x47" + der(0x83)[:-1], [], WHOLE, id="a push that is cut off"),
        pytest.param(push(der(0x83, 8)), [], WHOLE, id="too short for a signature"),
        pytest.param(push(b"\x31" + der(0x83)[1:]), [], WHOLE, id="no signature, though it ends like one"),
        pytest.param(b"", [[der(1), KEY], [der(0x83), KEY]], ANYONECANPAY, id="the second input's witness"),
        pytest.param(push(b"\0\x14" + bytes(20)), [[der(0x81), KEY], []], ANYONECANPAY, id="nested segwit"),
        pytest.param(b"", [[schnorr(0x83)], []], ANYONECANPAY, id="key path"),
        pytest.param(b"", [[schnorr(0x01)], [bytes(64)]], WHOLE, id="key path, all"),
        pytest.param(b"", [[schnorr(0xAC)], []], WHOLE, id="65 bytes of script that end in CHECKSIG"),
        pytest.param(b"", [[schnorr(0x83), b"\x50annex"], []], ANYONECANPAY, id="key path with annex"),
        pytest.param(b"", [[schnorr(0x83), b"script", CONTROL], []], ANYONECANPAY, id="script path"),
        pytest.param(b"", [[schnorr(0x83), b"script", CONTROL[:-1]], []], WHOLE, id="no control block"),
        pytest.param(b"", [[schnorr(0x83), CONTROL], []], WHOLE, id="the script of a script path is no signature"),
        pytest.param(b"\x51", [[schnorr(0x83)], []], WHOLE, id="a taproot input has no script"),
    ],
)
def test_forms(script: bytes, stacks: list[list[bytes]], expected: Signing) -> None:
    assert signing(script, stacks) == expected
    assert signing(script, stacks[:1], inputs=1) == WHOLE, "with one input nothing is added"


ITEM = st.sampled_from([b"", der(1), der(0x83), KEY, schnorr(0x82), schnorr(1), CONTROL, b"\x50x", b"\x4c\xff"])


@given(st.lists(ITEM, max_size=4), st.lists(st.lists(ITEM, max_size=4), min_size=2, max_size=2), st.binary(max_size=9))
def test_the_kernel_equals_its_readable_twin(pushes: list[bytes], stacks: list[list[bytes]], tail: bytes) -> None:
    script = b"".join(map(push, pushes)) + tail
    signing(script, stacks if any(stacks) else [])


def test_real_sales_are_found(data: Path) -> None:
    """A block of October 2024 has sales of inscriptions; those of before 2017 have none with two inputs."""
    found = {name: batch_of([raw], MAINNET).tx_signing.tolist() for name, raw in real_blocks(data)}
    counts = {name: column.count(ANYONECANPAY) for name, column in found.items()}
    assert {name: count for name, count in counts.items() if count} == {866342: 33}
