"""Values out of the spans of hex texts: rows of bytes, limbs of quantities, bytes of any size.

As strict as chain/ethereum/fields.py: a quantity has no leading zero and at most 64 digits, bytes have pairs of
digits; each function tells whether all rows kept that.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chain.ethereum.columnar.scan import NULL
from chain.model import I64, U8
from chain.uint256 import U64

_BAD = 255
_BASE = 16
_DIGITS_OF_LIMB = 16
_LIMB_SHIFT = 4


def _digits() -> U8:
    found = np.full(256, _BAD, np.uint8)
    for digit, character in enumerate("0123456789abcdef"):
        found[ord(character)] = found[ord(character.upper())] = digit
    return found


DIGITS = _digits()
"""What each character is worth as a hex digit."""

_ZERO, _X = ord("0"), ord("x")


@njit(cache=True, nogil=True)
def _unhex(digits: U8, out: U8) -> int:
    """Two digits for each byte of `out`; 16 or more where one is none. Of slices, which are quicker than offsets: an
    index that cannot be negative needs no check of its sign."""
    bad = np.uint8(0)
    for byte in range(len(out)):
        high, low = DIGITS[digits[2 * byte]], DIGITS[digits[2 * byte + 1]]
        out[byte] = (high << 4) | low
        bad |= high | low
    return int(bad)


@njit(cache=True, nogil=True)
def fixed(raw: U8, starts: I64, sizes: I64, places: I64, width: int) -> tuple[U8, bool]:
    """[fields, n, width] the bytes of some fields of n objects, whose spans are rows of [n, all fields]; zeros where
    there is no value or null; false where a text is not `0x` and so many bytes."""
    out = np.zeros((len(places), len(starts), width), np.uint8)
    bad = 0
    for row in range(len(starts)):
        for field in range(len(places)):
            at, size = starts[row, places[field]], sizes[row, places[field]]
            if at < 0:
                bad |= _BAD * (at < NULL)
                continue
            if size != 2 + 2 * width or raw[at] != _ZERO or raw[at + 1] != _X:
                return out, False
            bad |= _unhex(raw[at + 2 : at + size], out[field, row])
    return out, bad < _BASE


@njit(cache=True, nogil=True)
def quantities(raw: U8, starts: I64, sizes: I64, places: I64, limbs: int) -> tuple[U64, bool]:
    """[fields, n, limbs] the numbers of some fields of n objects, the least significant limb first, zeros where there
    is no value or null; false where a text is no quantity or needs more limbs."""
    out = np.zeros((len(places), len(starts), limbs), np.uint64)
    for row in range(len(starts)):
        for field in range(len(places)):
            at, size = starts[row, places[field]], sizes[row, places[field]]
            if at < 0:
                if at < NULL:
                    return out, False
                continue
            if size < 3 or size > 2 + _DIGITS_OF_LIMB * limbs or raw[at] != _ZERO or raw[at + 1] != _X:
                return out, False
            if size > 3 and raw[at + 2] == _ZERO:
                return out, False
            digits = raw[at + 2 : at + size]
            bad = np.uint8(0)
            for place in range(len(digits)):
                digit = DIGITS[digits[place]]
                bad |= digit
                limb = (len(digits) - 1 - place) >> _LIMB_SHIFT
                out[field, row, limb] = (out[field, row, limb] << np.uint64(4)) | np.uint64(digit)
            if bad >= _BASE:
                return out, False
    return out, True


@njit(cache=True, nogil=True)
def texts(raw: U8, starts: I64, sizes: I64) -> tuple[U8, I64, bool]:
    """The bytes of all rows one behind the other and the size of each; false where a text is not `0x` and pairs."""
    total = 0
    for row in range(len(starts)):
        if starts[row] < 0 or sizes[row] < 2 or sizes[row] & 1:
            return np.empty(0, np.uint8), np.empty(0, np.int64), False
        total += (sizes[row] - 2) >> 1
    flat, counts = np.empty(total, np.uint8), np.empty(len(starts), np.int64)
    out = bad = 0
    for row in range(len(starts)):
        at, count = starts[row], (sizes[row] - 2) >> 1
        if raw[at] != _ZERO or raw[at + 1] != _X:
            return flat, counts, False
        bad |= _unhex(raw[at + 2 : at + sizes[row]], flat[out : out + count])
        out += count
        counts[row] = count
    return flat, counts, bad < _BASE
