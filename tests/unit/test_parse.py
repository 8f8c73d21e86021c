"""The block scanner against two independent readers, and against bytes that are wrong."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import bitcoin.core
import embit.base58
import embit.hashes
import numpy as np
import pytest
from bitcoin.core import CBlock
from bitcoin.wallet import CBitcoinAddress, CBitcoinAddressError
from hypothesis import given
from hypothesis import strategies as st

from chain.bitcoin import sighash
from chain.bitcoin.address import encode
from chain.bitcoin.network import MAINNET, REGTEST
from chain.bitcoin.parse import bip34_height, scan, scan_headers
from chain.bitcoin.reference import Block, read_block
from chain.bitcoin.script import classify
from chain.errors import MalformedData, SourceError, TruncatedData
from chain.model import UNKNOWN, BlockBatch, OutputType, Proof
from tests.unit.blocks import (
    P2PKH,
    Tx,
    batch_of,
    block,
    coinbase,
    compact,
    real_blocks,
    real_chain,
    small_block,
)

SMALL = small_block()
Columns = dict[str, list[Any]]


def offsets(counts: list[int]) -> list[int]:
    return list(accumulate(counts, initial=0))


def by_reference(blocks: list[bytes]) -> Columns:
    """Every column that the plain reader gives."""
    parsed: list[Block] = [read_block(raw) for raw in blocks]
    txs = [tx for each in parsed for tx in each.transactions]
    inputs = [each for tx in txs if not tx.is_coinbase for each in tx.inputs]
    outputs = [each for tx in txs for each in tx.outputs]
    keys = [classify(output.script) for output in outputs]
    headers = [struct.unpack("<i32s32sIII", each.header) for each in parsed]
    return {
        "block_parent": [header[1] for header in headers],
        "block_merkle_root": [header[2] for header in headers],
        "block_version": [header[0] for header in headers],
        "block_time": [header[3] for header in headers],
        "block_bits": [header[4] for header in headers],
        "block_nonce": [header[5] for header in headers],
        "block_first_tx": offsets([len(each.transactions) for each in parsed]),
        "txid": [tx.txid for tx in txs],
        "wtxid": [tx.wtxid for tx in txs],
        "tx_index": [index for each in parsed for index in range(len(each.transactions))],
        "tx_coinbase": [tx.is_coinbase for tx in txs],
        "tx_start": [tx.start for tx in txs],
        "tx_size": [len(tx.raw) for tx in txs],
        "tx_base_size": [len(tx.base) for tx in txs],
        "tx_version": [tx.version for tx in txs],
        "tx_lock_time": [tx.lock_time for tx in txs],
        "tx_signing": [int(sighash.reference(tx)) for tx in txs],
        "tx_first_input": offsets([0 if tx.is_coinbase else len(tx.inputs) for tx in txs]),
        "tx_first_output": offsets([len(tx.outputs) for tx in txs]),
        "input_prev_txid": [each.prev_txid for each in inputs],
        "input_prev_index": [each.prev_index for each in inputs],
        "input_sequence": [each.sequence for each in inputs],
        "output_value": [output.value for output in outputs],
        "output_type": [int(kind) for kind, _ in keys],
        "output_key": [key.ljust(42, b"\0") for _, key in keys],
        "output_key_size": [len(key) for _, key in keys],
    }


def by_bitcoinlib(blocks: list[CBlock]) -> Columns:
    """Every column that python-bitcoinlib gives."""
    txs = [tx for each in blocks for tx in each.vtx]
    inputs = [each for tx in txs if not tx.is_coinbase() for each in tx.vin]
    return {
        "block_hash": [each.GetHash() for each in blocks],
        "block_parent": [each.hashPrevBlock for each in blocks],
        "block_merkle_root": [each.hashMerkleRoot for each in blocks],
        "block_version": [each.nVersion for each in blocks],
        "block_time": [each.nTime for each in blocks],
        "block_bits": [each.nBits for each in blocks],
        "block_nonce": [each.nNonce for each in blocks],
        "block_first_tx": offsets([len(each.vtx) for each in blocks]),
        "txid": [tx.GetTxid() for tx in txs],
        "wtxid": [tx.GetHash() for tx in txs],
        "tx_coinbase": [tx.is_coinbase() for tx in txs],
        "tx_version": [tx.nVersion for tx in txs],
        "tx_lock_time": [tx.nLockTime for tx in txs],
        "tx_first_input": offsets([0 if tx.is_coinbase() else len(tx.vin) for tx in txs]),
        "tx_first_output": offsets([len(tx.vout) for tx in txs]),
        "input_prev_txid": [each.prevout.hash for each in inputs],
        "input_prev_index": [each.prevout.n for each in inputs],
        "input_sequence": [each.nSequence for each in inputs],
        "output_value": [each.nValue for tx in txs for each in tx.vout],
    }


def assert_columns(batch: BlockBatch, expected: Columns) -> None:
    for name, values in expected.items():
        column = getattr(batch, name)
        found = [row.tobytes() for row in column] if column.ndim == 2 else column.tolist()
        assert found == values, name


@pytest.fixture(scope="module")
def real(data: Path) -> list[bytes]:
    return [raw for _, raw in real_blocks(data)] + real_chain(data)


def test_real_blocks_equal_the_reference(real: list[bytes]) -> None:
    assert_columns(batch_of(real, MAINNET), by_reference(real))


def test_real_blocks_equal_python_bitcoinlib(real: list[bytes]) -> None:
    batch = batch_of(real, MAINNET)
    parsed = [CBlock.deserialize(raw) for raw in real]
    assert_columns(batch, by_bitcoinlib(parsed))
    scripts = [output.scriptPubKey for each in parsed for tx in each.vtx for output in tx.vout]
    # Its addresses of uncompressed keys in P2PK are wrong: it hashes 64 of their 65 bytes.
    others = np.flatnonzero(batch.output_type != OutputType.P2PK)
    compared = 0
    for row in others[::5]:
        try:
            theirs = str(CBitcoinAddress.from_scriptPubKey(scripts[row]))
        except CBitcoinAddressError:
            continue
        assert address(batch, row) == theirs, scripts[row].hex()
        compared += 1
    assert compared > 2000


def test_real_keys_have_the_addresses_that_explorers_print(real: list[bytes]) -> None:
    batch = batch_of(real, MAINNET)
    rows = np.flatnonzero(batch.output_type == OutputType.P2PK)
    scripts = [tx.outputs for raw in real for tx in read_block(raw).transactions]
    scripts_of_rows = [output.script for outputs in scripts for output in outputs]
    for row in rows[::20]:
        hashed = b"\x00" + embit.hashes.hash160(scripts_of_rows[row][1:-1])
        assert address(batch, row) == embit.base58.encode_check(hashed)
    first = np.flatnonzero((batch.block_parent == np.frombuffer(MAINNET.genesis_hash, np.uint8)).all(axis=1))
    output = batch.tx_first_output[batch.block_first_tx[first[0]]]
    assert address(batch, output) == "12c6DSiU4Rq3P4ZxziKxzrL5LmMBrzjrJX"


def address(batch: BlockBatch, row: int) -> str:
    return encode(batch.output_key[row, : batch.output_key_size[row]].tobytes(), MAINNET)


def test_real_blocks_state_their_heights(data: Path) -> None:
    for height, raw in real_blocks(data):
        stated = bip34_height(batch_of([raw], MAINNET))
        assert stated.tolist() == [height if height >= MAINNET.bip34_height else UNKNOWN]


def test_every_transaction_can_be_read_again_from_its_block() -> None:
    batch = batch_of([SMALL, SMALL], REGTEST)
    for block_number in range(2):
        for row in range(batch.block_first_tx[block_number], batch.block_first_tx[block_number + 1]):
            start = batch.block_start[block_number] + batch.tx_start[row]
            raw = batch.raw[start : start + batch.tx_size[row]].tobytes()
            assert bitcoin.core.CTransaction.deserialize(raw).GetTxid() == batch.txid[row].tobytes()


def test_what_a_scan_does_not_know_is_unknown() -> None:
    batch = batch_of([SMALL], REGTEST)
    assert (batch.network, batch.proof) == ("regtest", Proof.BYTES)
    assert batch.block_height.tolist() == [UNKNOWN]
    assert set(batch.prevout_value.tolist()) == {UNKNOWN}
    assert set(batch.prevout_type.tolist()) == {OutputType.UNSTATED}
    assert batch.input_count == len(batch.prevout_key) == len(batch.prevout_key_size) == 4
    assert not batch.prevout_key_size.any()


def test_no_blocks() -> None:
    batch = batch_of([], REGTEST)
    assert (batch.block_count, batch.tx_count, batch.output_count) == (0, 0, 0)


@pytest.mark.parametrize("cut", range(len(SMALL)))
def test_a_block_cut_anywhere_is_refused(cut: int) -> None:
    with pytest.raises((TruncatedData, MalformedData), match="block 0 of the batch, byte"):
        batch_of([SMALL[:cut]], REGTEST)


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_a_changed_byte_never_crashes_and_reads_as_the_reference_reads(place: int, change: int) -> None:
    changed = bytearray(SMALL)
    changed[place] ^= change
    assert_same_reading(bytes(changed))


@given(st.binary(max_size=200).map(lambda tail: SMALL[:80] + tail))
def test_noise_never_crashes_and_reads_as_the_reference_reads(raw: bytes) -> None:
    assert_same_reading(raw)


def assert_same_reading(raw: bytes) -> None:
    refused: SourceError | None = None
    try:
        expected = by_reference([raw])
    except SourceError as error:
        refused = error
    if refused is None:
        assert_columns(batch_of([raw], REGTEST), expected)
        return
    with pytest.raises(type(refused)) as caught:
        batch_of([raw], REGTEST)
    assert str(caught.value) == f"block 0 of the batch, {refused}"


HEADER = SMALL[:80]
LEGACY = Tx([(b"\x01" * 32, 0)], [(1, P2PKH)])
SEGWIT = replace(LEGACY, witnesses=[[b"item"]])


def with_marker(flag: int) -> bytes:
    raw = SEGWIT.raw()
    return HEADER + b"\x01" + raw[:5] + bytes([flag]) + raw[6:]


def input_script_length(length: bytes) -> bytes:
    return HEADER + b"\x01" + LEGACY.raw()[:41] + length + bytes(1000)


WRONG: dict[str, tuple[bytes, type[SourceError], str]] = {
    "nothing": (b"", TruncatedData, "byte 0: the block header takes 80 bytes, only 0"),
    "a header alone": (HEADER, TruncatedData, "byte 80: the number of transactions"),
    "2**63 transactions": (
        HEADER + b"\xff" + struct.pack("<Q", 2**63),
        MalformedData,
        "9223372036854775808 is more",
    ),
    "2**64 - 1 transactions": (HEADER + b"\xff" * 9, MalformedData, "18446744073709551615 is more"),
    "2**32 - 1 transactions": (HEADER + b"\xfe" + b"\xff" * 14, MalformedData, "4294967295 is more"),
    "a million transactions": (
        HEADER + compact(10**6) + bytes(10),
        TruncatedData,
        "1000000 does not fit into",
    ),
    "count not in its shortest form": (
        HEADER + b"\xfd\x01\x00" + LEGACY.raw(),
        MalformedData,
        "byte 80: the number of transactions 1 is not in its shortest form",
    ),
    "count of 4 bytes for 2": (
        HEADER + b"\xfe\xff\xff\x00\x00",
        MalformedData,
        "65535 is not in its shortest",
    ),
    "count of 8 bytes for 4": (
        HEADER + b"\xff" + struct.pack("<Q", 2**32 - 1),
        MalformedData,
        "shortest form",
    ),
    "count cut off": (HEADER + b"\xfe\x01\x00", TruncatedData, "takes 4 bytes, only 2 are left"),
    "a script of 1 GB": (
        input_script_length(b"\xfe" + struct.pack("<I", 2**30)),
        MalformedData,
        "1073741824 is more",
    ),
    "a script of 1 MB": (
        input_script_length(b"\xfe" + struct.pack("<I", 2**20)),
        TruncatedData,
        "byte 122: the length of an input's script 1048576 does not fit into the 1000 bytes left",
    ),
    "trailing bytes": (
        SMALL + b"\x00",
        MalformedData,
        f"byte {len(SMALL)}: 1 bytes follow the last transaction",
    ),
    "no transactions, trailing bytes": (HEADER + bytes(60), MalformedData, "byte 81: 59 bytes follow"),
    "segwit flag 2": (with_marker(2), MalformedData, "byte 86: the segwit flag is 2"),
    "no inputs and no outputs": (
        HEADER + b"\x01" + replace(LEGACY, spends=[], outputs=[]).raw() + bytes(50),
        MalformedData,
        "byte 85: the transaction has no inputs",
    ),
    "no inputs behind the marker": (
        HEADER + b"\x01" + struct.pack("<i", 1) + b"\x00\x01\x00\x00" + bytes(50),
        MalformedData,
        "byte 87: the transaction has no inputs",
    ),
    "every witness empty": (
        HEADER + b"\x01" + replace(LEGACY, witnesses=[[]]).raw(),
        MalformedData,
        "every witness is empty",
    ),
}


@pytest.mark.parametrize(("raw", "error", "says"), WRONG.values(), ids=list(WRONG))
def test_wrong_bytes_are_refused_and_named(raw: bytes, error: type[SourceError], says: str) -> None:
    with pytest.raises(error) as caught:
        batch_of([SMALL, raw, SMALL], REGTEST)
    assert str(caught.value).startswith("block 1 of the batch, byte ")
    assert says in str(caught.value)


def test_odd_but_right_blocks_are_read() -> None:
    """Many witness items, a huge one, extreme values: size and value alone are no reason to refuse."""
    txs = [
        Tx([(b"\x01" * 32, 0xFFFFFFFF)], [(-(2**63), b""), (2**63 - 1, bytes(70_000))], [[b""] * 70_000]),
        Tx([(b"\x02" * 32, 7)] * 300, [(0, b"\x6a")] * 300, [[]] * 299 + [[bytes(396_669)]]),
        Tx([(bytes(32), 0xFFFFFFFF), (bytes(32), 0)], []),
    ]
    raw = block([coinbase(1, 0, txs), *txs])
    assert_columns(batch_of([raw], REGTEST), by_reference([raw]))


@pytest.mark.parametrize(("start", "size"), [(-1, 10), (0, -1), (5, 10), (2**62, 2**62), (11, 0)])
def test_extents_outside_the_buffer_are_refused(start: int, size: int) -> None:
    with pytest.raises(TruncatedData, match=r"block 0 of the batch: .* reach outside the 10 bytes read"):
        scan(np.zeros(10, np.uint8), np.array([start]), np.array([size]), REGTEST)


def test_the_buffer_may_be_writable() -> None:
    raw = np.frombuffer(SMALL, np.uint8).copy()
    batch = scan(raw, np.zeros(1, np.int64), np.array([len(raw)]), REGTEST)
    assert raw.flags.writeable
    assert_columns(batch, by_reference([SMALL]))


def test_headers_equal_python_bitcoinlib() -> None:
    rows = np.frombuffer(HEADER * 2, np.uint8).reshape(2, 80)
    headers = scan_headers(rows)
    theirs = bitcoin.core.CBlockHeader.deserialize(HEADER)
    assert headers.hash[1].tobytes() == theirs.GetHash()
    assert (headers.parent[1].tobytes(), headers.merkle_root[1].tobytes()) == (
        theirs.hashPrevBlock,
        theirs.hashMerkleRoot,
    )
    assert [int(column[1]) for column in (headers.version, headers.time, headers.bits, headers.nonce)] == [
        theirs.nVersion,
        theirs.nTime,
        theirs.nBits,
        theirs.nNonce,
    ]
    assert len(scan_headers(rows[:0]).hash) == 0


def stated(script: bytes, change: Callable[[Tx], Tx] = lambda tx: tx, version: int = 2) -> int:
    raw = bytearray(block([change(replace(coinbase(1, 50), script=script))]))
    raw[:4] = struct.pack("<i", version)
    return int(bip34_height(batch_of([bytes(raw)], REGTEST))[0])


@pytest.mark.parametrize("height", [1, 16, 17, 127, 128, 255, 256, 32767, 32768, 8_388_607, 8_388_608, 2**31 - 1])
def test_stated_heights(height: int) -> None:
    script = coinbase(height, 50).script
    assert stated(script) == height
    assert stated(script, version=1) == UNKNOWN
    assert stated(script, version=-2) == UNKNOWN
    assert stated(script, lambda tx: replace(tx, witnesses=[[bytes(32)]])) == height


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (b"", "empty"),
        (b"\x01\x05", "a small number must be an opcode"),
        (b"\x02\x11\x00", "a byte too many"),
        (b"\x01\x80", "negative"),
        (b"\x03\x01\x02", "cut off"),
        (b"\x05\x01\x02\x03\x04\x05", "five bytes"),
        (b"\x4c\x01\x20", "another push"),
        (b"\x00\x01", "zero"),
        (bytes(100), "zeros"),
    ],
)
def test_what_states_no_height(script: bytes, why: str) -> None:
    assert stated(script) == UNKNOWN, why


def test_no_height_without_bytes() -> None:
    batch = batch_of([block([coinbase(20, 50)])], REGTEST)
    assert bip34_height(batch).tolist() == [20]
    assert bip34_height(replace(batch, proof=Proof.STATED, raw=batch.raw[:0])).tolist() == [UNKNOWN]


def test_no_height_without_a_coinbase() -> None:
    assert bip34_height(batch_of([block([replace(LEGACY, script=b"\x01\x20")])], REGTEST)).tolist() == [UNKNOWN]
    assert bip34_height(batch_of([block([])], REGTEST)).tolist() == [UNKNOWN]
