"""Base58Check texts: a version byte and a payload with a checksum (Core, base58.cpp)."""
# mypy: disable-error-code="no-any-return"
# (compiled functions call each other through an untyped decorator)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from chain.bitcoin.hashes import DIGEST_SIZE, HASH160_SIZE, double_sha256, reference_double_sha256
from chain.errors import AddressError

if TYPE_CHECKING:
    from chain.model import U8

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
CHECKSUM_SIZE = 4
RAW_SIZE = 1 + HASH160_SIZE + CHECKSUM_SIZE
MAX_SIZE = 35
"""Characters of an address."""

_CHARACTERS = np.frombuffer(ALPHABET.encode(), np.uint8)
_VALUE_OF = {character: value for value, character in enumerate(ALPHABET)}
_DIGIT_OF = np.full(256, -1, np.int8)
"""The digit that a byte stands for, -1 for none."""
_DIGIT_OF[_CHARACTERS] = np.arange(len(ALPHABET))

# The kernel divides words of 32 bits by 58**5, five digits at a time, which fits 63 bits.
_WORDS = -(-RAW_SIZE // 4)
_CHUNK = 5
_CHUNK_VALUE = 58**_CHUNK
_CHUNKS = MAX_SIZE // _CHUNK


def encode(raw: bytes) -> str:
    """`raw` with its checksum in base 58; each leading zero byte is a 1."""
    checked = raw + reference_double_sha256(raw)[:CHECKSUM_SIZE]
    number, digits = int.from_bytes(checked, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = ALPHABET[digit] + digits
    return "1" * (len(checked) - len(checked.lstrip(b"\0"))) + digits


def decode(text: str) -> bytes:
    """What `encode` was given; AddressError with the position of a character not in base 58."""
    number = 0
    for place, character in enumerate(text):
        if character not in _VALUE_OF:
            raise AddressError(f"{character!r} at position {place} does not occur in base 58", place)
        number = number * 58 + _VALUE_OF[character]
    zeros = len(text) - len(text.lstrip("1"))
    checked = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    raw, checksum = checked[:-CHECKSUM_SIZE], checked[-CHECKSUM_SIZE:]
    if reference_double_sha256(raw)[:CHECKSUM_SIZE] != checksum:
        raise AddressError("the base58 checksum does not match: a character is wrong or missing")
    return raw


@njit(cache=True, nogil=True)
def write_hash(state: U8, version: int, payload: U8, out: U8) -> int:
    """Write the address of a 20-byte hash to `out`, the twin of `encode`; its length."""
    checked = np.zeros(4 * _WORDS, np.uint8)
    start = len(checked) - RAW_SIZE
    checked[start] = version
    checked[start + 1 : start + 1 + HASH160_SIZE] = payload
    digest = np.empty(DIGEST_SIZE, np.uint8)
    double_sha256(state, checked, start, 1 + HASH160_SIZE, digest)
    checked[start + 1 + HASH160_SIZE :] = digest[:CHECKSUM_SIZE]
    zeros = start
    while zeros < len(checked) and checked[zeros] == 0:
        zeros += 1
    digits = _digits(checked)
    skip = 0
    while skip < MAX_SIZE and digits[skip] == 0:
        skip += 1
    size = zeros - start
    out[:size] = _CHARACTERS[0]
    for place in range(skip, MAX_SIZE):
        out[size] = _CHARACTERS[digits[place]]
        size += 1
    return size


@njit(cache=True, nogil=True)
def _digits(raw: U8) -> U8:
    """The MAX_SIZE digits in base 58 of a big-endian number of whole words."""
    words = np.zeros(_WORDS, np.int64)
    for place in range(len(raw)):
        words[place // 4] = words[place // 4] << 8 | np.int64(raw[place])
    digits = np.empty(MAX_SIZE, np.uint8)
    for chunk in range(_CHUNKS - 1, -1, -1):
        rest = np.int64(0)
        for word in range(_WORDS):
            value = rest << 32 | words[word]
            words[word] = value // _CHUNK_VALUE
            rest = value % _CHUNK_VALUE
        for place in range(_CHUNK - 1, -1, -1):
            digits[chunk * _CHUNK + place] = rest % 58
            rest //= 58
    return digits


@njit(cache=True, nogil=True)
def read_hash(state: U8, text: U8, out: U8) -> int:
    """The twin of `decode` for addresses: writes the 20-byte hash to `out`; the version byte, -1 for no address."""
    if not 0 < len(text) <= MAX_SIZE:
        return -1
    words = np.zeros(_WORDS, np.int64)
    for place in range(len(text)):
        carry = np.int64(_DIGIT_OF[text[place]])
        if carry < 0:
            return -1
        for word in range(_WORDS - 1, -1, -1):
            value = words[word] * 58 + carry
            words[word] = value & 0xFFFFFFFF
            carry = value >> 32
        if carry:
            return -1
    raw = np.empty(4 * _WORDS, np.uint8)
    for place in range(len(raw)):
        raw[place] = words[place // 4] >> (24 - 8 * (place % 4)) & 255
    start, ones = len(raw) - RAW_SIZE, 0
    while ones < len(text) and text[ones] == _CHARACTERS[0]:
        ones += 1
    zeros = 0
    while zeros < len(raw) and raw[zeros] == 0:
        zeros += 1
    if zeros - ones != start:
        return -1
    digest = np.empty(DIGEST_SIZE, np.uint8)
    double_sha256(state, raw, start, 1 + HASH160_SIZE, digest)
    for place in range(CHECKSUM_SIZE):
        if raw[start + 1 + HASH160_SIZE + place] != digest[place]:
            return -1
    out[:HASH160_SIZE] = raw[start + 1 : start + 1 + HASH160_SIZE]
    return int(raw[start])
