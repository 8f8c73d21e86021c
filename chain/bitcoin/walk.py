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
and flag lie before it, witnesses and lock time behind it."""
TX_COLUMNS = 7
INPUT, OUTPUT = range(2)
"""The rows of the array of items."""


class Places(NamedTuple):
    """Where the parts of the blocks are in the buffer."""

    wrong: int
    """The first block that is not well formed; WRONG (-1) where all are."""
    first_tx: I64
    """[B + 1]"""
    tx: I64
    """[T + 1, 7]; the last row holds only FIRST_INPUT and FIRST_OUTPUT."""
    input: I64
    """[I] outpoints, without those of coinbases."""
    output: I64
    """[O] values."""


@njit(cache=True, nogil=True, forceinline=True)
def read_u32(raw: U8, at: int) -> int:
    low = np.int64(raw[at]) | np.int64(raw[at + 1]) << 8
    return int(low | np.int64(raw[at + 2]) << 16 | np.int64(raw[at + 3]) << 24)


@njit(cache=True, nogil=True, forceinline=True)
def read_i64(raw: U8, at: int) -> int:
    return int(read_u32(raw, at) | read_u32(raw, at + 4) << 32)


@njit(cache=True, nogil=True, forceinline=True)
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


@njit(cache=True, nogil=True, forceinline=True)
def is_null_outpoint(raw: U8, at: int) -> bool:
    nonzero = 0
    for byte in range(32):
        nonzero |= int(np.int64(raw[at + byte]))
    return nonzero == 0 and read_u32(raw, at + 32) == NULL_INDEX


@njit(cache=True, nogil=True, forceinline=True)
def _walk_inputs(raw: U8, at: int, end: int, count: int, found: I64) -> int:
    """The position behind `count` inputs, whose outpoints are written to `found`."""
    for row in range(count):
        found[row] = at
        size, script = read_count(raw, at + OUTPOINT_SIZE, end, 1)
        if script == WRONG or end - script < size + 4:
            return WRONG
        at = script + size + 4
    return at


@njit(cache=True, nogil=True, forceinline=True)
def _walk_outputs(raw: U8, at: int, end: int, count: int, found: I64) -> int:
    """The position behind `count` outputs, whose values are written to `found`."""
    for row in range(count):
        found[row] = at
        size, script = read_count(raw, at + 8, end, 1)
        if script == WRONG:
            return WRONG
        at = script + size
    return at


@njit(cache=True, nogil=True, forceinline=True)
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


@njit(cache=True, nogil=True, forceinline=True)
def _walk_transaction(raw: U8, start: int, end: int, tx: I64, items: I64) -> int:
    """The position behind the transaction at `start`: fills the row tx[0], and of tx[1] the last columns."""
    if end - start < 6 or (raw[start + 4] == 0 and raw[start + 5] != 1):
        return WRONG
    segwit = raw[start + 4] == 0
    body = start + 6 if segwit else start + 4
    first_input, first_output = tx[0, FIRST_INPUT], tx[0, FIRST_OUTPUT]
    inputs, at = read_count(raw, body, end, MIN_INPUT_SIZE)
    if at == WRONG or inputs == 0:
        return WRONG
    coinbase = inputs == 1 and is_null_outpoint(raw, at)
    at = _walk_inputs(raw, at, end, inputs, items[INPUT, first_input:])
    if at == WRONG:
        return WRONG
    outputs, at = read_count(raw, at, end, MIN_OUTPUT_SIZE)
    if at == WRONG:
        return WRONG
    body_end = _walk_outputs(raw, at, end, outputs, items[OUTPUT, first_output:])
    at = body_end
    if segwit and at != WRONG:
        at = _walk_witnesses(raw, at, end, inputs)
    if at == WRONG or end - at < 4:
        return WRONG
    tx[0, START], tx[0, BODY], tx[0, BODY_END], tx[0, LOCK_TIME] = start, body, body_end, at
    tx[0, COINBASE] = coinbase
    tx[1, FIRST_INPUT] = first_input if coinbase else first_input + inputs
    tx[1, FIRST_OUTPUT] = first_output + outputs
    return int(at + 4)


@njit(cache=True, nogil=True)
def walk_blocks(raw: U8, block_start: I64, block_size: I64) -> Places:
    """Walk the blocks at `raw[block_start[b]:block_start[b] + block_size[b]]`, all of them in `raw`.

    The arrays are as long as the bytes could ask for at most, whatever counts stand in them; the
    pages behind what is found are never touched.
    """
    most = block_size.sum()
    first_tx = np.zeros(len(block_start) + 1, np.int64)
    tx = np.empty((most // MIN_TX_SIZE + 2, TX_COLUMNS), np.int64)
    items = np.empty((2, most // MIN_OUTPUT_SIZE + 1), np.int64)
    tx[0, FIRST_INPUT], tx[0, FIRST_OUTPUT] = 0, 0
    row, wrong = 0, WRONG
    for block in range(len(block_start)):
        end = block_start[block] + block_size[block]
        at, count = WRONG, 0
        if block_size[block] >= HEADER_SIZE:
            count, at = read_count(raw, block_start[block] + HEADER_SIZE, end, MIN_TX_SIZE)
        while count > 0 and at != WRONG:
            at = _walk_transaction(raw, at, end, tx[row:], items)
            row += 1
            count -= 1
        if at != end:
            wrong = block
            break
        first_tx[block + 1] = row
    inputs, outputs = tx[row, FIRST_INPUT], tx[row, FIRST_OUTPUT]
    return Places(wrong, first_tx, tx[: row + 1], items[INPUT, :inputs], items[OUTPUT, :outputs])
