"""The Merkle-Patricia roots of many lists at once. Twin of `trie.ordered_root`.

The keys are the RLP of 0, 1, 2, …; sorted as bytes they are 1 to 127, 0, 128 and so on, so no sorting is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from chain.ethereum.columnar.encode import Rows, string_size, write_head, write_string
from chain.ethereum.keccak import DIGEST_SIZE, digest_into
from chain.ethereum.trie import EMPTY_ROOT
from chain.model import I64, U8
from chain.uint256 import U64

MOST = 1 << 16
"""Values of one list: keys of three bytes at most."""

_DEPTHS = 8
_BRANCHES = 16
_LIST, _STRING = 0xC0, 0x80
_BRANCH_SIZE = _BRANCHES * (DIGEST_SIZE + 1) + 1
_ROOM = 64
"""Bytes of a leaf beside its value."""

_DEPTH, _FORK, _AT, _HIGH, _TURN, _FILLED = range(6)
"""Of an open branch: the depth it was come to at, where its keys part, the rank that is next, the rank behind its last,
the half byte that is next, and the bytes of its payload so far."""

_EMPTY = np.frombuffer(EMPTY_ROOT, np.uint8)


def ordered_roots(values: Rows, first: I64) -> U8:
    """[lists, 32] the root of each list: `first` [lists + 1] delimits its values. ValueError above `MOST` of them."""
    if len(first) > 1 and int(np.diff(first).max()) > MOST:
        raise ValueError(f"a list has more than {MOST} values")
    found: U8 = _ordered_roots(values.flat, values.starts, values.sizes, first)
    return found


@njit(cache=True, nogil=True)
def _ordered_roots(flat: U8, starts: I64, sizes: I64, first: I64) -> U8:
    out = np.empty((len(first) - 1, DIGEST_SIZE), np.uint8)
    payloads = np.empty((_DEPTHS, _BRANCH_SIZE), np.uint8)
    longest = max(sizes.max() if len(sizes) else 0, _BRANCH_SIZE)
    scratch = np.empty(longest + _ROOM, np.uint8)
    state, column = np.empty(25, np.uint64), np.empty(5, np.uint64)
    for row in range(len(out)):
        count = first[row + 1] - first[row]
        if not count:
            out[row] = _EMPTY
            continue
        at, many = starts[first[row] : first[row + 1]], sizes[first[row] : first[row + 1]]
        size = _node(count, flat, at, many, payloads, scratch, state, column)
        digest_into(scratch, 0, size, state, column, out[row])
    return out


@njit(cache=True, nogil=True)
def _value_of(rank: int, count: int) -> Any:
    """Which value has the key of this rank."""
    small = min(count, 128)
    if rank < small - 1:
        return rank + 1
    return 0 if rank == small - 1 else rank


@njit(cache=True, nogil=True)
def _nibble(value: int, depth: int) -> Any:
    """A half byte of a key, -1 behind its end."""
    if value == 0:
        byte, length = 0x80, 1
    elif value < 0x80:
        byte, length = value, 1
    elif value < 0x100:
        byte, length = (0x81 if depth < 2 else value), 2
    else:
        byte, length = (0x82 if depth < 2 else value >> 8 if depth < 4 else value & 0xFF), 3
    if depth >= 2 * length:
        return -1
    return byte & 15 if depth & 1 else byte >> 4


@njit(cache=True, nogil=True)
def _packed(value: int, begin: int, end: int, leaf: bool, out: U8) -> Any:
    """The half bytes of a key from `begin` to `end` (-1: its end) in the hex prefix form; how many bytes."""
    count = 0
    while (end < 0 or begin + count < end) and _nibble(value, begin + count) >= 0:
        count += 1
    flag = (2 if leaf else 0) + (count & 1)
    at = 0
    if count & 1:
        out[0] = flag << 4 | _nibble(value, begin)
        at = 1
    else:
        out[0] = flag << 4
    for place in range(count // 2):
        left = begin + at + 2 * place
        out[1 + place] = _nibble(value, left) << 4 | _nibble(value, left + 1)
    return 1 + count // 2


@njit(cache=True, nogil=True)
def _link(out: U8, at: int, scratch: U8, size: int, state: U64, column: U64) -> Any:
    """Name the node in `scratch` by its hash, or by itself where that is shorter; the end."""
    if size < DIGEST_SIZE:
        out[at : at + size] = scratch[:size]
        return at + size
    out[at] = _STRING + DIGEST_SIZE
    digest_into(scratch, 0, size, state, column, out[at + 1 : at + 1 + DIGEST_SIZE])
    return at + 1 + DIGEST_SIZE


@njit(cache=True, nogil=True)
def _leaf(value: int, depth: int, text: U8, scratch: U8, key: U8) -> Any:
    """Write the leaf of a value whose key is used up to `depth`; its size."""
    packed = key[: _packed(value, depth, -1, True, key)]
    end = write_head(scratch, 0, string_size(packed) + string_size(text), _LIST)
    return write_string(scratch, write_string(scratch, end, packed), text)


@njit(cache=True, nogil=True)
def _branch(
    payload: U8, size: int, value: int, depth: int, fork: int, scratch: U8, key: U8, state: U64, column: U64
) -> Any:
    """Write a branch of this payload, and before it what its keys have in common from `depth` on; the size."""
    payload[size] = _STRING  # no key ends at a branch
    size += 1
    end = write_head(scratch, 0, size, _LIST)
    scratch[end : end + size] = payload[:size]
    size += end
    if fork == depth:
        return size
    packed = key[: _packed(value, depth, fork, False, key)]
    size = _link(payload, 0, scratch, size, state, column)
    end = write_head(scratch, 0, string_size(packed) + size, _LIST)
    end = write_string(scratch, end, packed)
    scratch[end : end + size] = payload[:size]
    return end + size


@njit(cache=True, nogil=True)
def _node(count: int, flat: U8, starts: I64, sizes: I64, payloads: U8, scratch: U8, state: U64, column: U64) -> Any:
    """Write the root node over `count` values into `scratch`; its size.

    A walk down the keys by ranks, without recursion: numba's cache does not keep functions that call themselves. Each
    open branch has a row of `frames` and of `payloads`.
    """
    key = np.empty(4, np.uint8)
    frames = np.empty((_DEPTHS, 6), np.int64)
    level, low, high, depth = -1, 0, count, 0
    while True:
        size = -1  # of the node that was written last
        first = _value_of(low, count)
        if high - low == 1:
            size = _leaf(first, depth, flat[starts[first] : starts[first] + sizes[first]], scratch, key)
        else:
            fork, last = depth, _value_of(high - 1, count)
            while _nibble(first, fork) == _nibble(last, fork):
                fork += 1
            level += 1
            frames[level] = np.array([depth, fork, low, high, 0, 0])
        while True:
            if size >= 0:
                if level < 0:
                    return size
                frames[level, _FILLED] = _link(payloads[level], frames[level, _FILLED], scratch, size, state, column)
            frame, payload = frames[level], payloads[level]
            end = frame[_AT]
            while frame[_TURN] < _BRANCHES:
                while end < frame[_HIGH] and _nibble(_value_of(end, count), frame[_FORK]) == frame[_TURN]:
                    end += 1
                if end > frame[_AT]:
                    break
                payload[frame[_FILLED]] = _STRING
                frame[_FILLED] += 1
                frame[_TURN] += 1
            if frame[_TURN] < _BRANCHES:
                low, high, depth = frame[_AT], end, frame[_FORK] + 1
                frame[_AT] = end
                frame[_TURN] += 1
                break
            value = _value_of(frame[_HIGH] - 1, count)
            size = _branch(payload, frame[_FILLED], value, frame[_DEPTH], frame[_FORK], scratch, key, state, column)
            level -= 1
