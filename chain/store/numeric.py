"""Postgres' binary numeric to and from limbs (chain/uint256.py), and COPY streams of rows of varying width.

A numeric is int16 counts of digits and weight, a sign and a scale, then digits in base 10,000, the first of weight
`weight` (PostgreSQL source, numeric_send in src/backend/utils/adt/numeric.c).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from chain.errors import MalformedData
from chain.model import I64, U8, Array
from chain.store.copy import HEADER, TRAILER, Bytes
from chain.uint256 import LIMBS, U64

_BASE = 10_000
_MOST_DIGITS = 20
"""2^256 has 78 decimal digits."""
_HEAD = 8
_MOST_BYTES = _HEAD + 2 * _MOST_DIGITS


def encode(limbs: U64, known: Array | None = None) -> Bytes:
    """A column of numeric; NULL where `known` is false."""
    flat = np.zeros((len(limbs), _MOST_BYTES), np.uint8)
    sizes = np.empty(len(limbs), np.int64)
    _encode(np.ascontiguousarray(limbs), flat, sizes)
    if known is not None:
        sizes[~known] = -1
    return Bytes(flat.reshape(-1), np.arange(len(limbs), dtype=np.int64) * _MOST_BYTES, sizes)


@njit(cache=True, nogil=True)
def _encode(limbs: U64, flat: U8, sizes: I64) -> None:
    halves = np.empty(2 * LIMBS, np.uint64)
    digits = np.empty(_MOST_DIGITS, np.int64)
    for row in range(len(limbs)):
        top = 0
        for place in range(LIMBS):
            halves[2 * place] = limbs[row, place] & np.uint64(0xFFFFFFFF)
            halves[2 * place + 1] = limbs[row, place] >> np.uint64(32)
        for place in range(2 * LIMBS):
            if halves[place]:
                top = place + 1
        count = 0  # digits, the least significant first
        while top:
            rest = np.uint64(0)
            for place in range(top - 1, -1, -1):
                rest = (rest << np.uint64(32)) | halves[place]
                halves[place] = rest // np.uint64(_BASE)
                rest %= np.uint64(_BASE)
            digits[count] = np.int64(rest)
            count += 1
            while top and not halves[top - 1]:
                top -= 1
        trailing = 0
        while trailing < count and digits[trailing] == 0:
            trailing += 1
        kept = count - trailing
        weight = count - 1 if count else 0
        flat[row, 0], flat[row, 1] = kept >> 8, kept & 255
        flat[row, 2], flat[row, 3] = weight >> 8, weight & 255
        for place in range(kept):
            digit = digits[count - 1 - place]
            flat[row, _HEAD + 2 * place] = digit >> 8
            flat[row, _HEAD + 2 * place + 1] = digit & 255
        sizes[row] = _HEAD + 2 * kept


def decode_rows(stream: bytes, fields: list[tuple[str, str]]) -> dict[str, Array]:
    """The columns of a binary COPY stream whose fields are NOT NULL, of any width.

    Each field is named with its kind: `i` an integer of any width, as int64; `n` a numeric of an integer below 2^256,
    as limbs [rows, 4]; `b<width>` bytea of at most so many bytes, zero-padded, with `<name>_size` beside it.
    MalformedData where the stream is not that.
    """
    if stream[: len(HEADER)] != HEADER or stream[-len(TRAILER) :] != TRAILER:
        raise MalformedData("a COPY stream has no header or no end")
    body = np.frombuffer(stream, np.uint8)[len(HEADER) : len(stream) - len(TRAILER)]
    rows = _count_rows(body, len(fields))
    if rows < 0:
        raise MalformedData("a COPY stream has another number of fields than was asked for, or a null")
    starts, sizes = np.empty((len(fields), rows), np.int64), np.empty((len(fields), rows), np.int64)
    _cut_rows(body, starts, sizes)
    columns: dict[str, Array] = {}
    for place, (name, kind) in enumerate(fields):
        if kind == "i":
            columns[name] = _integers(body, starts[place], sizes[place])
        elif kind == "n":
            columns[name], fits = _limbs(body, starts[place], sizes[place])
            if not fits:
                raise MalformedData(f"field {name} of a COPY stream is no integer below 2^256")
        else:
            width = int(kind[1:])
            if rows and int(sizes[place].max()) > width:
                raise MalformedData(f"field {name} of a COPY stream is longer than {width} bytes")
            columns[name] = _padded(body, starts[place], sizes[place], width)
            columns[f"{name}_size"] = sizes[place].astype(np.uint8)
    return columns


@njit(cache=True, nogil=True)
def _number(body: U8, at: int, width: int) -> Any:
    value = np.int64(body[at])
    if value > 127:
        value -= 256
    for byte in range(1, width):
        value = (value << 8) | np.int64(body[at + byte])
    return value


@njit(cache=True, nogil=True)
def _count_rows(body: U8, fields: int) -> int:
    at = rows = 0
    while at < len(body):
        if at + 2 > len(body) or _number(body, at, 2) != fields:
            return -1
        at += 2
        for _ in range(fields):
            size = _number(body, at, 4) if at + 4 <= len(body) else -1
            if size < 0:
                return -1
            at += 4 + size
        rows += 1
    return rows if at == len(body) else -1


@njit(cache=True, nogil=True)
def _cut_rows(body: U8, starts: I64, sizes: I64) -> None:
    at = 0
    for row in range(starts.shape[1]):
        at += 2
        for field in range(starts.shape[0]):
            sizes[field, row] = _number(body, at, 4)
            starts[field, row] = at + 4
            at += 4 + sizes[field, row]


@njit(cache=True, nogil=True)
def _integers(body: U8, starts: I64, sizes: I64) -> I64:
    values = np.empty(len(starts), np.int64)
    for row in range(len(starts)):
        values[row] = _number(body, starts[row], sizes[row])
    return values


@njit(cache=True, nogil=True)
def _padded(body: U8, starts: I64, sizes: I64, width: int) -> U8:
    out = np.zeros((len(starts), width), np.uint8)
    for row in range(len(starts)):
        for byte in range(sizes[row]):
            out[row, byte] = body[starts[row] + byte]
    return out


@njit(cache=True, nogil=True)
def _limbs(body: U8, starts: I64, sizes: I64) -> tuple[U64, bool]:
    limbs = np.zeros((len(starts), LIMBS), np.uint64)
    fits = True
    for row in range(len(starts)):
        at = starts[row]
        count, weight = _number(body, at, 2), _number(body, at + 2, 2)
        fraction = count > weight + 1  # a digit behind the point
        if sizes[row] != _HEAD + 2 * count or fraction or body[at + 4] or body[at + 5]:
            fits = False
            continue
        for place in range(weight + 1 if count else 0):
            carry = np.uint64(_number(body, at + _HEAD + 2 * place, 2) if place < count else 0)
            for limb in range(LIMBS):
                low = (limbs[row, limb] & np.uint64(0xFFFFFFFF)) * np.uint64(_BASE) + carry
                high = (limbs[row, limb] >> np.uint64(32)) * np.uint64(_BASE) + (low >> np.uint64(32))
                limbs[row, limb] = (high << np.uint64(32)) | (low & np.uint64(0xFFFFFFFF))
                carry = high >> np.uint64(32)
            if carry:
                fits = False
    return limbs, fits
