"""Dense numbers for holdings: the pairs (address, asset) that occur."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from chain.model import I32, I64, Array

_NONE = -1


def holding_numbers(address: Array, asset: Array) -> tuple[I32, int]:
    """A number for each distinct (address, asset), in order of appearance, -1 where the address is negative; and how
    many there are. `address` of any shape, `asset` of one that fits it.
    """
    keys = np.where(address < 0, _NONE, address.astype(np.int64) << 32 | asset.astype(np.int64))
    numbers, count = _numbered(np.ascontiguousarray(keys).reshape(-1))
    return numbers.reshape(keys.shape), int(count)


@njit(cache=True, nogil=True)
def _numbered(keys: I64) -> tuple[I32, int]:
    """Open addressing at most half full; Fibonacci hashing takes the product's top bits, which all bits of a key reach
    (Knuth, volume 3, 6.4)."""
    bits = 12
    slots = np.full(1 << bits, _NONE, np.int32)
    known = np.empty(1 << (bits - 1), np.int64)
    numbers = np.full(len(keys), _NONE, np.int32)
    count = 0
    for row in range(len(keys)):
        key = keys[row]
        if key < 0:
            continue
        slot = _slot(key, bits)
        while slots[slot] >= 0 and known[slots[slot]] != key:
            slot = (slot + 1) & ((1 << bits) - 1)
        if slots[slot] < 0:
            if count == len(known):
                bits += 1
                slots, known = _grown(known, bits)
                slot = _slot(key, bits)
                while slots[slot] >= 0:
                    slot = (slot + 1) & ((1 << bits) - 1)
            slots[slot], known[count] = count, key
            count += 1
        numbers[row] = slots[slot]
    return numbers, count


@njit(cache=True, nogil=True)
def _grown(known: I64, bits: int) -> tuple[I32, I64]:
    """Twice the room, with what is known in it."""
    slots = np.full(1 << bits, _NONE, np.int32)
    for number in range(len(known)):
        slot = _slot(known[number], bits)
        while slots[slot] >= 0:
            slot = (slot + 1) & ((1 << bits) - 1)
        slots[slot] = number
    wider = np.empty(2 * len(known), np.int64)
    wider[: len(known)] = known
    return slots, wider


@njit(cache=True, nogil=True, forceinline=True)
def _slot(key: Any, bits: Any) -> Any:
    return np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - bits))
