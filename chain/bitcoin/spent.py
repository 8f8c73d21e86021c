"""The outputs that a block spends, as a node tells them, put into a batch's `prevout` columns.

Binary form (`/rest/spenttxouts/<hash>.bin`, Bitcoin Core 30, rest.cpp `SerializeBlockUndo`): the
number of transactions, for each (the coinbase first, with none) the number of its inputs, and for
each input the output that it spends: amount in 8 bytes, length of the script, script. All numbers
of things are CompactSize. JSON form: `prevout` of each `vin` of `getblock` with verbosity 3.
Nothing in a block commits to these values directly, but for the fee that they must leave: what a
node says here is checked against our own outputs where we have them.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit

from chain.bitcoin.hashes import new_state
from chain.bitcoin.network import MAX_MONEY
from chain.bitcoin.nodeclient import satoshi
from chain.bitcoin.script import classify, classify_kernel
from chain.bitcoin.walk import MIN_OUTPUT_SIZE, WRONG, read_count, read_i64
from chain.errors import MalformedData, TruncatedData
from chain.model import ADDRESS_KEY_WIDTH, I64, U8, UNKNOWN, BlockBatch, OutputType, hash_text

VALUE_SIZE = 8


@dataclass(frozen=True, slots=True)
class Spent:
    """The outputs spent by one block, in order of its inputs."""

    inputs_per_tx: I64
    """[T], 0 for the coinbase."""
    outputs: I64
    """[I, 3]: value (UNKNOWN where the node says nothing), start and size of the script."""
    scripts: U8
    """The bytes that the scripts lie in."""


NOTHING_SPENT = Spent(np.zeros(1, np.int64), np.zeros((0, 3), np.int64), np.zeros(0, np.uint8))
"""Of a block with no transaction but its coinbase."""


@njit(cache=True, nogil=True)
def walk_spent(raw: U8, fill: bool, per_tx: I64, outputs: I64) -> tuple[int, int, int]:
    """Walk the binary form: (transactions, outputs, end), WRONG as the end where it is malformed.

    Fills `per_tx` [T] and `outputs` [I, 3] (value, start and size of the script) where `fill`.
    """
    end, row = len(raw), 0
    transactions, at = read_count(raw, 0, end, 1)
    if at == WRONG:
        return 0, 0, WRONG
    for tx in range(transactions):
        inputs, at = read_count(raw, at, end, MIN_OUTPUT_SIZE)
        if at == WRONG:
            return transactions, row, WRONG
        if fill:
            per_tx[tx] = inputs
        for _ in range(inputs):
            size, script = read_count(raw, at + VALUE_SIZE, end, 1)
            if script == WRONG:
                return transactions, row, WRONG
            if fill:
                outputs[row, 0], outputs[row, 1], outputs[row, 2] = read_i64(raw, at), script, size
            row += 1
            at = script + size
    return transactions, row, at


@njit(cache=True, nogil=True)
def classify_scripts(raw: U8, outputs: I64, kind: U8, key: U8, key_size: U8) -> None:
    """Fill type [n], key [n, ADDRESS_KEY_WIDTH] (zeroed) and its size of the scripts of `outputs`."""
    state = new_state()
    for row in range(len(outputs)):
        form, width = classify_kernel(state, raw, outputs[row, 1], outputs[row, 2], key[row])
        kind[row] = form
        key_size[row] = width


def reference_classify(raw: bytes, outputs: Sequence[tuple[int, int, int]]) -> list[tuple[OutputType, bytes]]:
    """The readable twin of `classify_scripts`."""
    return [classify(raw[start : start + size]) for _, start, size in outputs]


def reference_spent(raw: bytes) -> list[list[tuple[int, bytes]]]:
    """The readable twin of `walk_spent`: (amount, script) of each input of each transaction.

    TruncatedData or MalformedData says where the form ends.
    """
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        if count > len(raw) - at:
            raise TruncatedData(f"spent outputs: byte {at}: {count} bytes wanted, {len(raw) - at} left")
        at += count
        return raw[at - count : at]

    def number() -> int:
        first = take(1)[0]
        if first < 0xFD:
            return first
        width = 2 << (first - 0xFD)
        value = int.from_bytes(take(width), "little")
        if value < (0xFD if width == 2 else 1 << (4 * width)):
            raise MalformedData(f"spent outputs: byte {at - width}: {value} is not in its shortest form")
        return value

    def output() -> tuple[int, bytes]:
        amount = int.from_bytes(take(VALUE_SIZE), "little", signed=True)
        return amount, take(number())

    found = [[output() for _ in range(number())] for _ in range(number())]
    if at != len(raw):
        raise MalformedData(f"spent outputs: {len(raw) - at} bytes follow the last one")
    return found


def read_binary(data: bytes) -> Spent:
    """The outputs that the binary form lists; TruncatedData or MalformedData where it is none."""
    raw = np.frombuffer(data, np.uint8)
    transactions, count, end = walk_spent(raw, False, NOTHING_SPENT.inputs_per_tx, NOTHING_SPENT.outputs)
    if end != len(data):
        reference_spent(data)
        raise MalformedData("spent outputs: more than any block can have")
    spent = Spent(np.empty(transactions, np.int64), np.empty((count, 3), np.int64), raw)
    walk_spent(raw, True, spent.inputs_per_tx, spent.outputs)
    value = spent.outputs[:, 0]
    wrong = np.flatnonzero((value < 0) | (value > MAX_MONEY))
    if len(wrong):
        raise MalformedData(f"spent outputs: output {wrong[0]} has {value[wrong[0]]} satoshi")
    return spent


def read_json(block: Any) -> Spent:
    """The outputs that a block's JSON names; MalformedData where an amount or a script is wrong."""
    per_tx: list[int] = []
    values: list[int] = []
    scripts: list[bytes] = []
    try:
        for tx in block["tx"]:
            spending = [entry for entry in tx["vin"] if "coinbase" not in entry]
            per_tx.append(len(spending))
            for entry in spending:
                value, script = _prevout(entry.get("prevout"))
                values.append(value)
                scripts.append(script)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise MalformedData(f"spent outputs: {type(error).__name__}: {error}") from error
    size = np.array([len(script) for script in scripts], np.int64)
    outputs = np.stack((np.array(values, np.int64), np.cumsum(size) - size, size), axis=1)
    return Spent(np.array(per_tx, np.int64), outputs, np.frombuffer(b"".join(scripts), np.uint8))


def _prevout(stated: Any) -> tuple[int, bytes]:
    """Amount and script, (UNKNOWN, b"") where a node that has lost its undo data says nothing."""
    if stated is None:
        return UNKNOWN, b""
    value = satoshi(stated["value"])
    if not 0 <= value <= MAX_MONEY:
        raise ValueError(f"{value} satoshi")
    return value, binascii.unhexlify(stated["scriptPubKey"]["hex"])


def with_prevouts(batch: BlockBatch, spent: Sequence[Spent]) -> BlockBatch:
    """`batch` with what `spent` says of each block; MalformedData where the inputs do not match."""
    per_tx = np.concatenate([one.inputs_per_tx for one in spent])
    inputs = np.diff(batch.tx_first_input)
    if len(per_tx) != len(inputs):
        raise MalformedData(f"spent outputs: listed for {len(per_tx)} transactions, there are {len(inputs)}")
    wrong = np.flatnonzero(per_tx != inputs)
    if len(wrong):
        row = int(wrong[0])
        raise MalformedData(
            f"spent outputs: {per_tx[row]} listed for transaction {hash_text(batch.txid[row])}, "
            f"which has {inputs[row]} inputs"
        )
    value = np.concatenate([one.outputs[:, 0] for one in spent])
    kind = np.zeros(len(value), np.uint8)
    key = np.zeros((len(value), ADDRESS_KEY_WIDTH), np.uint8)
    key_size = np.zeros(len(value), np.uint8)
    end = 0
    for one in spent:
        here = slice(end, end + len(one.outputs))
        classify_scripts(one.scripts, one.outputs, kind[here], key[here], key_size[here])
        end = here.stop
    kind[value == UNKNOWN] = OutputType.UNSTATED
    return replace(batch, prevout_value=value, prevout_type=kind, prevout_key=key, prevout_key_size=key_size)
