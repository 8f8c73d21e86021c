"""The slow, readable reader of serialized blocks: the kernels' twin, and what explains their refusals.

Formats: BIP 144 and Bitcoin Core's primitives/transaction.h and serialize.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from chain.bitcoin.hashes import reference_double_sha256
from chain.bitcoin.walk import (
    HEADER_SIZE,
    MAX_SIZE,
    MIN_INPUT_SIZE,
    MIN_OUTPUT_SIZE,
    MIN_TX_SIZE,
    NULL_INDEX,
    OUTPOINT_SIZE,
)
from chain.errors import MalformedData, TruncatedData


class Input(NamedTuple):
    prev_txid: bytes
    prev_index: int
    script: bytes
    sequence: int


class Output(NamedTuple):
    value: int
    script: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction and where it lies in its block."""

    start: int
    raw: bytes
    base: bytes
    """Without marker, flag and witnesses (BIP 141)."""
    version: int
    inputs: list[Input]
    outputs: list[Output]
    witnesses: list[list[bytes]]
    """One stack per input; empty where none is serialized."""
    lock_time: int

    @property
    def txid(self) -> bytes:
        return reference_double_sha256(self.base)

    @property
    def wtxid(self) -> bytes:
        return reference_double_sha256(self.raw)

    @property
    def is_coinbase(self) -> bool:
        first = self.inputs[0]
        return len(self.inputs) == 1 and first.prev_txid == bytes(32) and first.prev_index == NULL_INDEX


@dataclass(frozen=True, slots=True)
class Block:
    header: bytes
    transactions: list[Transaction]


class Reader:
    """Reads fields from `raw`; errors name the byte and what was being read."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0

    @property
    def left(self) -> int:
        return len(self.raw) - self.at

    def take(self, size: int, what: str) -> bytes:
        if size > self.left:
            raise TruncatedData(f"byte {self.at}: {what} takes {size} bytes, only {self.left} are left")
        self.at += size
        return self.raw[self.at - size : self.at]

    def number(self, size: int, what: str, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size, what), "little", signed=signed)

    def count(self, least: int, what: str) -> int:
        """A CompactSize that counts things of `least` bytes or more."""
        start = self.at
        value = self.number(1, what)
        if value >= 0xFD:
            size = 2 << (value - 0xFD)
            value = self.number(size, what)
            if value < (0xFD if size == 2 else 1 << 4 * size):
                raise MalformedData(f"byte {start}: {what} {value} is not in its shortest form")
        if value > MAX_SIZE:
            raise MalformedData(f"byte {start}: {what} {value} is more than any block can hold")
        if value * least > self.left:
            raise TruncatedData(f"byte {start}: {what} {value} does not fit into the {self.left} bytes left")
        return value

    def bytes(self, what: str) -> bytes:
        return self.take(self.count(1, what), what)


def read_block(raw: bytes) -> Block:
    """The block that `raw` is; TruncatedData or MalformedData names the byte and what was read."""
    reader = Reader(raw)
    header = reader.take(HEADER_SIZE, "the block header")
    count = reader.count(MIN_TX_SIZE, "the number of transactions")
    transactions = [read_transaction(reader) for _ in range(count)]
    if reader.left:
        raise MalformedData(f"byte {reader.at}: {reader.left} bytes follow the last transaction")
    return Block(header, transactions)


def read_transaction(reader: Reader) -> Transaction:
    """The transaction at which `reader` stands."""
    start = reader.at
    version = reader.number(4, "a transaction's version", signed=True)
    segwit = _skip_marker(reader)
    body = reader.at
    inputs = [_read_input(reader) for _ in range(reader.count(MIN_INPUT_SIZE, "the number of inputs"))]
    if not inputs:
        raise MalformedData(f"byte {body}: the transaction has no inputs")
    outputs = [_read_output(reader) for _ in range(reader.count(MIN_OUTPUT_SIZE, "the number of outputs"))]
    body_end = reader.at
    witnesses = [_read_witness(reader) for _ in inputs] if segwit else []
    if segwit and not any(witnesses):
        raise MalformedData(f"byte {body_end}: every witness is empty, yet they are serialized")
    lock_time = reader.number(4, "a transaction's lock time")
    raw = reader.raw
    base = raw[start : start + 4] + raw[body:body_end] + raw[reader.at - 4 : reader.at]
    return Transaction(start, raw[start : reader.at], base, version, inputs, outputs, witnesses, lock_time)


def _skip_marker(reader: Reader) -> bool:
    """Whether marker and flag of BIP 144 are there."""
    marker = reader.take(2, "a transaction's first bytes")
    if marker[0]:
        reader.at -= 2
        return False
    if marker[1] == 0:
        raise MalformedData(f"byte {reader.at - 2}: the transaction has no inputs")
    if marker[1] != 1:
        raise MalformedData(f"byte {reader.at - 1}: the segwit flag is {marker[1]}, not 1")
    return True


def _read_input(reader: Reader) -> Input:
    outpoint = reader.take(OUTPOINT_SIZE, "an input's outpoint")
    script = reader.bytes("the length of an input's script")
    sequence = reader.number(4, "an input's sequence number")
    return Input(outpoint[:32], int.from_bytes(outpoint[32:], "little"), script, sequence)


def _read_output(reader: Reader) -> Output:
    value = reader.number(8, "an output's value", signed=True)
    return Output(value, reader.bytes("the length of an output's script"))


def _read_witness(reader: Reader) -> list[bytes]:
    count = reader.count(1, "the number of witness items")
    return [reader.bytes("the length of a witness item") for _ in range(count)]
