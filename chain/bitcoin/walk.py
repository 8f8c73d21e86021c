"""The kernel that walks serialized blocks, reading nothing beyond their ends.

One walker serves both passes of `parse.scan`: the first (`fill` False) proves the structure and
counts, so that no count in the data is ever allocated for before it is known to fit; the second
fills the rows and hashes. Formats: BIP 144 and Bitcoin Core's primitives/transaction.h.

A function that meets something wrong writes it to `fault` and returns `FAULT` as its position.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from chain.bitcoin.hashes import double_sha256, new_state, sha256_add, sha256_begin, sha256_end_double
from chain.bitcoin.script import classify_kernel

if TYPE_CHECKING:
    from chain.model import I64, U8, Bool

HEADER_SIZE = 80
OUTPOINT_SIZE = 36
NULL_INDEX = 0xFFFFFFFF
"""The output index of a coinbase input, whose txid is zero."""
MIN_TX_SIZE = 51
"""Bytes of a transaction with one input, no output and empty scripts."""
MIN_INPUT_SIZE = 41
MIN_OUTPUT_SIZE = 9
MAX_SIZE = 0x02000000
"""The largest count or length that Core reads (serialize.h); no block can hold more."""


class Wrong(IntEnum):
    """What can be wrong at a place."""

    TRUNCATED = 1
    DOES_NOT_FIT = 2
    TOO_LARGE = 3
    NOT_CANONICAL = 4
    BAD_FLAG = 5
    SUPERFLUOUS_WITNESS = 6
    NO_INPUTS = 7
    TRAILING = 8


class Part(IntEnum):
    """What was being read."""

    HEADER = 0
    TX_COUNT = 1
    VERSION = 2
    MARKER = 3
    INPUT_COUNT = 4
    OUTPOINT = 5
    INPUT_SCRIPT = 6
    SEQUENCE = 7
    OUTPUT_COUNT = 8
    VALUE = 9
    OUTPUT_SCRIPT = 10
    WITNESS_COUNT = 11
    WITNESS_ITEM = 12
    LOCK_TIME = 13
    END = 14


class Fault(NamedTuple):
    """The places in the `fault` array [4]."""

    wrong: int
    part: int
    at: int
    stated: int
    """The count that was stated (as int64), or the bytes that are left."""


FAULT = -1
TX, INPUT, OUTPUT = 0, 1, 2
"""The places in the `tally` array [3]: rows so far."""

_TRUNCATED = int(Wrong.TRUNCATED)
_DOES_NOT_FIT = int(Wrong.DOES_NOT_FIT)
_TOO_LARGE = int(Wrong.TOO_LARGE)
_NOT_CANONICAL = int(Wrong.NOT_CANONICAL)
_BAD_FLAG = int(Wrong.BAD_FLAG)
_SUPERFLUOUS_WITNESS = int(Wrong.SUPERFLUOUS_WITNESS)
_NO_INPUTS = int(Wrong.NO_INPUTS)
_TRAILING = int(Wrong.TRAILING)

_HEADER = int(Part.HEADER)
_TX_COUNT = int(Part.TX_COUNT)
_VERSION = int(Part.VERSION)
_MARKER = int(Part.MARKER)
_INPUT_COUNT = int(Part.INPUT_COUNT)
_OUTPOINT = int(Part.OUTPOINT)
_INPUT_SCRIPT = int(Part.INPUT_SCRIPT)
_SEQUENCE = int(Part.SEQUENCE)
_OUTPUT_COUNT = int(Part.OUTPUT_COUNT)
_VALUE = int(Part.VALUE)
_OUTPUT_SCRIPT = int(Part.OUTPUT_SCRIPT)
_WITNESS_COUNT = int(Part.WITNESS_COUNT)
_WITNESS_ITEM = int(Part.WITNESS_ITEM)
_LOCK_TIME = int(Part.LOCK_TIME)
_END = int(Part.END)


class Rows(NamedTuple):
    """The columns of BlockBatch that the second pass fills; all of length 0 in the first."""

    block_first_tx: I64
    txid: U8
    wtxid: U8
    tx_index: I64
    tx_coinbase: Bool
    tx_start: I64
    tx_size: I64
    tx_base_size: I64
    tx_version: I64
    tx_lock_time: I64
    tx_first_input: I64
    tx_first_output: I64
    input_prev_txid: U8
    input_prev_index: I64
    input_sequence: I64
    output_value: I64
    output_type: U8
    output_key: U8
    output_key_size: U8


@njit(cache=True, nogil=True)
def _refuse(fault: I64, wrong: int, part: int, at: int, stated: int) -> int:
    fault[0], fault[1], fault[2], fault[3] = wrong, part, at, stated
    return FAULT


@njit(cache=True, nogil=True)
def read_u32(raw: U8, at: int) -> int:
    return (
        np.int64(raw[at])
        | np.int64(raw[at + 1]) << 8
        | np.int64(raw[at + 2]) << 16
        | np.int64(raw[at + 3]) << 24
    )


@njit(cache=True, nogil=True)
def read_i32(raw: U8, at: int) -> int:
    return np.int64(np.int32(read_u32(raw, at)))


@njit(cache=True, nogil=True)
def read_i64(raw: U8, at: int) -> int:
    return read_u32(raw, at) | read_u32(raw, at + 4) << 32


@njit(cache=True, nogil=True)
def read_compact(raw: U8, at: int, end: int, part: int, fault: I64) -> tuple[int, int]:
    """A CompactSize and the position after it; the shortest form is required, as in Core.

    Values of 2**63 and more come back negative; `read_count` refuses them.
    """
    if at >= end:
        return 0, _refuse(fault, _TRUNCATED, part, at, 0)
    first = np.int64(raw[at])
    if first < 0xFD:
        return first, at + 1
    width = 2 << (first - 0xFD)
    if end - at < 1 + width:
        return 0, _refuse(fault, _TRUNCATED, part, at, end - at)
    if first == 0xFD:
        value = np.int64(raw[at + 1]) | np.int64(raw[at + 2]) << 8
        shortest = value >= 0xFD
    elif first == 0xFE:
        value = read_u32(raw, at + 1)
        shortest = value > 0xFFFF
    else:
        value = read_i64(raw, at + 1)
        shortest = value < 0 or value > 0xFFFFFFFF
    if not shortest:
        return 0, _refuse(fault, _NOT_CANONICAL, part, at, value)
    return value, at + 1 + width


@njit(cache=True, nogil=True)
def read_count(raw: U8, at: int, end: int, least: int, part: int, fault: I64) -> tuple[int, int]:
    """A count of things of `least` bytes or more that fits before `end`, and the position after it."""
    count, after = read_compact(raw, at, end, part, fault)
    if after == FAULT:
        return 0, FAULT
    if count < 0 or count > MAX_SIZE:
        return 0, _refuse(fault, _TOO_LARGE, part, at, count)
    if count * least > end - after:
        return 0, _refuse(fault, _DOES_NOT_FIT, part, at, count)
    return count, after


@njit(cache=True, nogil=True)
def is_null_outpoint(raw: U8, at: int) -> bool:
    for byte in range(32):
        if raw[at + byte]:
            return False
    return read_u32(raw, at + 32) == NULL_INDEX


@njit(cache=True, nogil=True)
def _walk_inputs(
    raw: U8, at: int, end: int, count: int, fill: bool, tally: I64, rows: Rows, fault: I64
) -> int:
    coinbase = count == 1 and end - at >= OUTPOINT_SIZE and is_null_outpoint(raw, at)
    for _ in range(count):
        if end - at < OUTPOINT_SIZE:
            return _refuse(fault, _TRUNCATED, _OUTPOINT, at, end - at)
        outpoint = at
        size, at = read_count(raw, at + OUTPOINT_SIZE, end, 1, _INPUT_SCRIPT, fault)
        if at == FAULT:
            return FAULT
        at += size
        if end - at < 4:
            return _refuse(fault, _TRUNCATED, _SEQUENCE, at, end - at)
        if not coinbase:
            if fill:
                row = tally[INPUT]
                for byte in range(32):
                    rows.input_prev_txid[row, byte] = raw[outpoint + byte]
                rows.input_prev_index[row] = read_u32(raw, outpoint + 32)
                rows.input_sequence[row] = read_u32(raw, at)
            tally[INPUT] += 1
        at += 4
    if fill:
        rows.tx_coinbase[tally[TX]] = coinbase
    return at


@njit(cache=True, nogil=True)
def _walk_outputs(
    raw: U8, at: int, end: int, count: int, fill: bool, state: U8, tally: I64, rows: Rows, fault: I64
) -> int:
    for _ in range(count):
        if end - at < 8:
            return _refuse(fault, _TRUNCATED, _VALUE, at, end - at)
        value = at
        size, at = read_count(raw, at + 8, end, 1, _OUTPUT_SCRIPT, fault)
        if at == FAULT:
            return FAULT
        if fill:
            row = tally[OUTPUT]
            rows.output_value[row] = read_i64(raw, value)
            kind, key_size = classify_kernel(state, raw, at, size, rows.output_key[row])
            rows.output_type[row] = kind
            rows.output_key_size[row] = key_size
        tally[OUTPUT] += 1
        at += size
    return at


@njit(cache=True, nogil=True)
def _walk_witnesses(raw: U8, at: int, end: int, count: int, fault: I64) -> int:
    """One stack of items per input; stacks that are all empty must not be serialized (BIP 144)."""
    start = at
    empty = True
    for _ in range(count):
        items, at = read_count(raw, at, end, 1, _WITNESS_COUNT, fault)
        if at == FAULT:
            return FAULT
        empty = empty and items == 0
        for _ in range(items):
            size, at = read_count(raw, at, end, 1, _WITNESS_ITEM, fault)
            if at == FAULT:
                return FAULT
            at += size
    if empty:
        return _refuse(fault, _SUPERFLUOUS_WITNESS, _WITNESS_COUNT, start, 0)
    return at


@njit(cache=True, nogil=True)
def walk_transaction(
    raw: U8, at: int, end: int, fill: bool, state: U8, tally: I64, rows: Rows, fault: I64
) -> int:
    """The position after the transaction at `at`; its row is filled but for its place in the block."""
    start = at
    if end - at < 6:
        return _refuse(fault, _TRUNCATED, _VERSION, at, end - at)
    segwit = raw[at + 4] == 0
    if segwit and raw[at + 5] != 1:
        # Without the marker a zero here is the number of inputs, and what follows that of outputs.
        wrong = _NO_INPUTS if raw[at + 5] == 0 else _BAD_FLAG
        return _refuse(fault, wrong, _MARKER, at + 4, np.int64(raw[at + 5]))
    body = at + 6 if segwit else at + 4
    inputs, at = read_count(raw, body, end, MIN_INPUT_SIZE, _INPUT_COUNT, fault)
    if at == FAULT:
        return FAULT
    if inputs == 0:
        return _refuse(fault, _NO_INPUTS, _INPUT_COUNT, body, 0)
    if fill:
        rows.tx_first_input[tally[TX]] = tally[INPUT]
        rows.tx_first_output[tally[TX]] = tally[OUTPUT]
    at = _walk_inputs(raw, at, end, inputs, fill, tally, rows, fault)
    if at == FAULT:
        return FAULT
    outputs, at = read_count(raw, at, end, MIN_OUTPUT_SIZE, _OUTPUT_COUNT, fault)
    if at == FAULT:
        return FAULT
    at = _walk_outputs(raw, at, end, outputs, fill, state, tally, rows, fault)
    if at == FAULT:
        return FAULT
    body_end = at
    if segwit:
        at = _walk_witnesses(raw, at, end, inputs, fault)
        if at == FAULT:
            return FAULT
    if end - at < 4:
        return _refuse(fault, _TRUNCATED, _LOCK_TIME, at, end - at)
    if fill:
        _fill_transaction(raw, start, body, body_end, at, state, tally[TX], rows)
    tally[TX] += 1
    return at + 4


@njit(cache=True, nogil=True)
def _fill_transaction(
    raw: U8, start: int, body: int, body_end: int, lock_time: int, state: U8, row: int, rows: Rows
) -> None:
    """Hash the transaction at `start`: its base is version, `body:body_end` and lock time (BIP 141)."""
    size = lock_time + 4 - start
    rows.tx_size[row] = size
    rows.tx_base_size[row] = 4 + body_end - body + 4
    rows.tx_version[row] = read_i32(raw, start)
    rows.tx_lock_time[row] = read_u32(raw, lock_time)
    double_sha256(state, raw, start, size, rows.wtxid[row])
    if body == start + 4:
        for byte in range(32):
            rows.txid[row, byte] = rows.wtxid[row, byte]
        return
    sha256_begin(state)
    sha256_add(state, raw, start, 4)
    sha256_add(state, raw, body, body_end - body)
    sha256_add(state, raw, lock_time, 4)
    sha256_end_double(state, rows.txid[row])


@njit(cache=True, nogil=True)
def _walk_block(
    raw: U8, start: int, end: int, fill: bool, state: U8, tally: I64, rows: Rows, fault: I64
) -> int:
    if end - start < HEADER_SIZE:
        return _refuse(fault, _TRUNCATED, _HEADER, start, end - start)
    count, at = read_count(raw, start + HEADER_SIZE, end, MIN_TX_SIZE, _TX_COUNT, fault)
    if at == FAULT:
        return FAULT
    for index in range(count):
        if fill:
            rows.tx_index[tally[TX]] = index
            rows.tx_start[tally[TX]] = at - start
        at = walk_transaction(raw, at, end, fill, state, tally, rows, fault)
        if at == FAULT:
            return FAULT
    if at != end:
        return _refuse(fault, _TRAILING, _END, at, end - at)
    return at


@njit(cache=True, nogil=True)
def walk_blocks(
    raw: U8, block_start: I64, block_size: I64, fill: bool, tally: I64, rows: Rows, fault: I64
) -> int:
    """Walk every block; the number of the first that `fault` is about, FAULT (-1) where none is.

    `tally` [3] is left with the numbers of transactions, inputs and outputs.
    """
    state = new_state()
    for block in range(len(block_start)):
        start = block_start[block]
        if fill:
            rows.block_first_tx[block] = tally[TX]
        if _walk_block(raw, start, start + block_size[block], fill, state, tally, rows, fault) == FAULT:
            return block
    if fill:
        rows.block_first_tx[len(block_start)] = tally[TX]
        rows.tx_first_input[tally[TX]] = tally[INPUT]
        rows.tx_first_output[tally[TX]] = tally[OUTPUT]
    return FAULT
