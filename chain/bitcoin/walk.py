"""The kernel that walks serialized blocks and finds the places of their parts.

It reads nothing beyond a block's end and stops at the first thing that is not as BIP 144 and Bitcoin
Core's primitives/transaction.h and serialize.h say. It says only which block is wrong;
`reference.read_block` then says where and how. Helpers are inlined: passing an array costs a kernel
more than reading a field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from chain.model import I64, U8

HEADER_SIZE = 80
OUTPOINT_SIZE = 36
NULL_INDEX = 0xFFFFFFFF
"""The output index of a coinbase input, whose txid is zero."""
MAX_SIZE = 0x02000000
"""The largest count or length that Core reads (serialize.h); no block can hold more."""
MIN_TX_SIZE = 51
"""Bytes of a transaction with one input, no output and empty scripts."""
MIN_INPUT_SIZE = 41
MIN_OUTPUT_SIZE = 9

WRONG = -1
"""The position after something wrong."""

START, BODY, BODY_END, LOCK_TIME, COINBASE, FIRST_INPUT, FIRST_OUTPUT = range(7)
"""The columns of `Places.tx`. The body reaches from the number of inputs to the last output; marker
and flag lie before it, witnesses and lock time after it."""
TX, INPUT, OUTPUT = range(3)
"""The columns of `Places.tally`."""


class Places(NamedTuple):
    """Where the parts of the blocks are in the buffer."""

    fill: bool
    """False in the first pass, which only proves and counts; the arrays but `tally` are then empty."""
    first_tx: I64
    """[B + 1]"""
    tx: I64
    """[T + 1, 7]; the last row holds only FIRST_INPUT and FIRST_OUTPUT."""
    input: I64
    """[I] outpoints."""
    output: I64
    """[O] values."""
    tally: I64
    """[3] transactions, inputs (without coinbase) and outputs so far."""


@njit(cache=True, nogil=True, inline="always")
def read_u32(raw: U8, at: int) -> int:
    low = np.int64(raw[at]) | np.int64(raw[at + 1]) << 8
    return int(low | np.int64(raw[at + 2]) << 16 | np.int64(raw[at + 3]) << 24)


@njit(cache=True, nogil=True, inline="always")
def read_i64(raw: U8, at: int) -> int:
    return int(read_u32(raw, at) | read_u32(raw, at + 4) << 32)


@njit(cache=True, nogil=True, inline="always")
def read_count(raw: U8, at: int, end: int, least: int) -> tuple[int, int]:
    """A CompactSize that counts things of `least` bytes or more, and the position after it.

    The position is WRONG where the bytes end, the number is not in its shortest form, or what it
    counts cannot fit before `end`. Numbers of 2**63 and more are negative here, so below any smallest.
    """
    first = int(np.int64(raw[at])) if at < end else 0
    after = at + 1 if first < 0xFD else at + 1 + (2 << (first - 0xFD))
    if at >= end or after > end:
        return 0, WRONG
    value, smallest = first, 0
    if first == 0xFD:
        value, smallest = int(np.int64(raw[at + 1]) | np.int64(raw[at + 2]) << 8), 0xFD
    elif first == 0xFE:
        value, smallest = read_u32(raw, at + 1), 0x10000
    elif first == 0xFF:
        value, smallest = read_i64(raw, at + 1), 0x100000000
    if value < smallest or value > MAX_SIZE or value * least > end - after:
        return 0, WRONG
    return value, after


@njit(cache=True, nogil=True, inline="always")
def is_null_outpoint(raw: U8, at: int) -> bool:
    nonzero = 0
    for byte in range(32):
        nonzero |= int(np.int64(raw[at + byte]))
    return nonzero == 0 and read_u32(raw, at + 32) == NULL_INDEX


@njit(cache=True, nogil=True, inline="always")
def _walk_inputs(raw: U8, at: int, end: int, count: int, to: Places) -> int:
    coinbase = count == 1 and end - at >= OUTPOINT_SIZE and is_null_outpoint(raw, at)
    for _ in range(count):
        outpoint = at
        size, script = read_count(raw, at + OUTPOINT_SIZE, end, 1)
        if script == WRONG or end - script < size + 4:
            return WRONG
        at = script + size + 4
        if not coinbase:
            if to.fill:
                to.input[to.tally[INPUT]] = outpoint
            to.tally[INPUT] += 1
    if to.fill:
        to.tx[to.tally[TX], COINBASE] = coinbase
    return at


@njit(cache=True, nogil=True, inline="always")
def _walk_outputs(raw: U8, at: int, end: int, count: int, to: Places) -> int:
    for _ in range(count):
        if to.fill:
            to.output[to.tally[OUTPUT]] = at
        to.tally[OUTPUT] += 1
        size, at = read_count(raw, at + 8, end, 1)
        if at == WRONG:
            return WRONG
        at += size
    return at


@njit(cache=True, nogil=True, inline="always")
def _walk_witnesses(raw: U8, at: int, end: int, count: int) -> int:
    """One stack of items per input; stacks that are all empty must not be serialized (BIP 144)."""
    all_items = 0
    for _ in range(count):
        items, at = read_count(raw, at, end, 1)
        if at == WRONG:
            return WRONG
        all_items += items
        for _ in range(items):
            size, at = read_count(raw, at, end, 1)
            if at == WRONG:
                return WRONG
            at += size
    return at if all_items else WRONG


@njit(cache=True, nogil=True, inline="always")
def _walk_transaction(raw: U8, start: int, end: int, to: Places) -> int:
    """The position after the transaction at `start`."""
    if end - start < 6:
        return WRONG
    segwit = raw[start + 4] == 0
    if segwit and raw[start + 5] != 1:
        return WRONG
    row = to.tally[TX]
    body = start + 6 if segwit else start + 4
    if to.fill:
        to.tx[row, START] = start
        to.tx[row, BODY] = body
        to.tx[row, FIRST_INPUT] = to.tally[INPUT]
        to.tx[row, FIRST_OUTPUT] = to.tally[OUTPUT]
    inputs, at = read_count(raw, body, end, MIN_INPUT_SIZE)
    if at == WRONG or inputs == 0:
        return WRONG
    at = _walk_inputs(raw, at, end, inputs, to)
    if at == WRONG:
        return WRONG
    outputs, at = read_count(raw, at, end, MIN_OUTPUT_SIZE)
    if at == WRONG:
        return WRONG
    body_end = _walk_outputs(raw, at, end, outputs, to)
    at = body_end
    if segwit and at != WRONG:
        at = _walk_witnesses(raw, at, end, inputs)
    if at == WRONG or end - at < 4:
        return WRONG
    if to.fill:
        to.tx[row, BODY_END] = body_end
        to.tx[row, LOCK_TIME] = at
    to.tally[TX] += 1
    return int(at + 4)


@njit(cache=True, nogil=True, inline="always")
def _walk_block(raw: U8, start: int, end: int, to: Places) -> int:
    if end - start < HEADER_SIZE:
        return WRONG
    count, at = read_count(raw, start + HEADER_SIZE, end, MIN_TX_SIZE)
    for _ in range(count):
        at = _walk_transaction(raw, at, end, to)
        if at == WRONG:
            return WRONG
    return at if at == end else WRONG


@njit(cache=True, nogil=True)
def walk_blocks(raw: U8, block_start: I64, block_size: I64, to: Places) -> int:
    """Walk every block; the number of the first that is not well formed, WRONG (-1) if all are."""
    for block in range(len(block_start)):
        if to.fill:
            to.first_tx[block] = to.tally[TX]
        start = block_start[block]
        if _walk_block(raw, start, start + block_size[block], to) == WRONG:
            return int(block)
    if to.fill:
        to.first_tx[len(block_start)] = to.tally[TX]
        to.tx[to.tally[TX], FIRST_INPUT] = to.tally[INPUT]
        to.tx[to.tally[TX], FIRST_OUTPUT] = to.tally[OUTPUT]
    return WRONG
