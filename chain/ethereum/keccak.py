"""Keccak-256 as Ethereum uses it: the padding of the original submission (0x01), not that of SHA-3 (0x06).

Written out here as a kernel: OpenSSL offers it from 3.2 on only, and hashing millions of logs one by one from Python
is slow.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chain.model import I64, U8
from chain.uint256 import U64

DIGEST_SIZE = 32
RATE = 136
"""Bytes absorbed by one permutation: 200 of state less twice the digest."""

_WORDS = RATE // 8
_LANES = 25
_ROUNDS = 24


def _round_constants() -> list[int]:
    """One constant a round: bits 2^j - 1 of it are the output of the shift register x^8 + x^6 + x^5 + x^4 + 1."""
    register, constants = 1, []
    for _ in range(_ROUNDS):
        constant = 0
        for power in range(7):
            constant |= (register & 1) << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return constants


def _path() -> tuple[list[int], list[int]]:
    """Where rho and pi carry a lane, step by step from lane 1, and by how many bits each step turns it."""
    x, y, lanes, turns = 1, 0, [], []
    for step in range(_LANES - 1):
        x, y = y, (2 * x + 3 * y) % 5
        lanes.append(x + 5 * y)
        turns.append((step + 1) * (step + 2) // 2 % 64)
    return lanes, turns


CONSTANTS = np.array(_round_constants(), np.uint64)
LANES = np.array(_path()[0], np.int64)
TURNS = np.array(_path()[1], np.uint64)


@njit(cache=True, nogil=True)
def _permute(state: U64, column: U64) -> None:
    """Keccak-f[1600] of `state` [25] in place; `column` [5] is working memory."""
    for turn in range(_ROUNDS):
        for x in range(5):
            column[x] = state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20]
        for x in range(5):
            right = column[(x + 1) % 5]
            mix = column[(x + 4) % 5] ^ (right << np.uint64(1)) ^ (right >> np.uint64(63))
            for y in range(0, _LANES, 5):
                state[x + y] ^= mix
        carried = state[1]
        for step in range(_LANES - 1):
            lane = LANES[step]
            bits = TURNS[step]
            turned = (carried << bits) | (carried >> (np.uint64(64) - bits))
            carried = state[lane]
            state[lane] = turned
        for y in range(0, _LANES, 5):
            for x in range(5):
                column[x] = state[y + x]
            for x in range(5):
                state[y + x] = column[x] ^ (~column[(x + 1) % 5] & column[(x + 2) % 5])
        state[0] ^= CONSTANTS[turn]


@njit(cache=True, nogil=True)
def _absorb(state: U64, flat: U8, start: int, size: int) -> None:
    """XOR up to RATE bytes into the state, the first byte lowest."""
    for at in range(size):
        state[at >> 3] ^= np.uint64(flat[start + at]) << np.uint64((at & 7) * 8)


@njit(cache=True, nogil=True)
def digest_into(flat: U8, at: int, size: int, state: U64, column: U64, out: U8) -> None:
    """The digest of `flat[at:at + size]` into `out` [32]; `state` [25] and `column` [5] are working memory."""
    state[:] = 0
    end = at + size
    while end - at >= RATE:
        _absorb(state, flat, at, RATE)
        _permute(state, column)
        at += RATE
    _absorb(state, flat, at, end - at)
    rest = end - at
    state[rest >> 3] ^= np.uint64(1) << np.uint64((rest & 7) * 8)
    state[_WORDS - 1] ^= np.uint64(0x80) << np.uint64(56)
    _permute(state, column)
    for byte in range(DIGEST_SIZE):
        out[byte] = (state[byte >> 3] >> np.uint64((byte & 7) * 8)) & np.uint64(0xFF)


@njit(cache=True, nogil=True)
def keccak_many(flat: U8, starts: I64, sizes: I64) -> U8:
    """[n, 32] the digest of each `flat[starts[i]:starts[i] + sizes[i]]`, which the caller has bounds-checked."""
    out = np.empty((len(starts), DIGEST_SIZE), np.uint8)
    state = np.empty(_LANES, np.uint64)
    column = np.empty(5, np.uint64)
    for row in range(len(starts)):
        digest_into(flat, starts[row], sizes[row], state, column, out[row])
    return out


_START = np.zeros(1, np.int64)


def keccak256(data: bytes) -> bytes:
    """The 32 bytes of the digest."""
    digest: U8 = keccak_many(np.frombuffer(data, np.uint8), _START, np.array([len(data)], np.int64))
    return digest.tobytes()


def keccak_each(items: list[bytes]) -> U8:
    """[n, 32] the digest of each item."""
    sizes = np.fromiter(map(len, items), np.int64, len(items))
    digests: U8 = keccak_many(np.frombuffer(b"".join(items), np.uint8), np.cumsum(sizes) - sizes, sizes)
    return digests
