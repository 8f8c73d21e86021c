"""The kernels that read and hash the parts of blocks whose places are known.

Every place comes from `walk.walk_blocks` over the same buffer, which has checked the bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from chain.bitcoin.hashes import (
    DIGEST_SIZE,
    double_sha256,
    new_state,
    sha256_add,
    sha256_begin,
    sha256_end_double,
)
from chain.bitcoin.script import classify_kernel
from chain.bitcoin.walk import BODY, BODY_END, LOCK_TIME, OUTPOINT_SIZE, START, read_count, read_i64, read_u32
from chain.model import ADDRESS_KEY_WIDTH

if TYPE_CHECKING:
    from chain.model import I64, U8


@njit(cache=True, nogil=True)
def hash_transactions(raw: U8, tx: I64) -> tuple[U8, U8]:
    """txid and wtxid, [T, 32] each, of the transactions at `tx` [T, 7] (`walk.Places.tx`).

    The txid leaves marker, flag and witnesses out (BIP 141); without them both are one hash.
    """
    state = new_state()
    txid = np.empty((len(tx), DIGEST_SIZE), np.uint8)
    wtxid = np.empty((len(tx), DIGEST_SIZE), np.uint8)
    for row in range(len(tx)):
        start, body, body_end, lock_time = (
            tx[row, START],
            tx[row, BODY],
            tx[row, BODY_END],
            tx[row, LOCK_TIME],
        )
        double_sha256(state, raw, start, lock_time + 4 - start, wtxid[row])
        if body_end == lock_time:
            for byte in range(DIGEST_SIZE):
                txid[row, byte] = wtxid[row, byte]
            continue
        sha256_begin(state)
        sha256_add(state, raw, start, 4)
        sha256_add(state, raw, body, body_end - body)
        sha256_add(state, raw, lock_time, 4)
        sha256_end_double(state, txid[row])
    return txid, wtxid


@njit(cache=True, nogil=True)
def gather_words(raw: U8, places: I64) -> I64:
    """[n] the 32 bits, unsigned, at each of `places`."""
    out = np.empty(len(places), np.int64)
    for row in range(len(places)):
        out[row] = read_u32(raw, places[row])
    return out


@njit(cache=True, nogil=True)
def gather_inputs(raw: U8, places: I64) -> tuple[U8, I64, I64]:
    """Previous txid [I, 32], its output's index and the sequence of the inputs at `places` [I]."""
    prev_txid = np.empty((len(places), DIGEST_SIZE), np.uint8)
    prev_index = np.empty(len(places), np.int64)
    sequence = np.empty(len(places), np.int64)
    for row in range(len(places)):
        at = places[row]
        for byte in range(DIGEST_SIZE):
            prev_txid[row, byte] = raw[at + byte]
        prev_index[row] = read_u32(raw, at + DIGEST_SIZE)
        size, script = read_count(raw, at + OUTPOINT_SIZE, len(raw), 1)
        sequence[row] = read_u32(raw, script + size)
    return prev_txid, prev_index, sequence


@njit(cache=True, nogil=True)
def gather_outputs(raw: U8, places: I64) -> tuple[I64, U8, U8, U8]:
    """Value, type, address key [O, ADDRESS_KEY_WIDTH] and its size of the outputs at `places` [O]."""
    state = new_state()
    value = np.empty(len(places), np.int64)
    kind = np.empty(len(places), np.uint8)
    key = np.zeros((len(places), ADDRESS_KEY_WIDTH), np.uint8)
    key_size = np.empty(len(places), np.uint8)
    for row in range(len(places)):
        at = places[row]
        value[row] = read_i64(raw, at)
        size, script = read_count(raw, at + 8, len(raw), 1)
        kind[row], key_size[row] = classify_kernel(state, raw, script, size, key[row])
    return value, kind, key, key_size
