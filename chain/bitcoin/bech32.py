"""Bech32 and bech32m texts: BIP 173 and BIP 350."""
# mypy: disable-error-code="no-any-return"
# (compiled functions call each other through an untyped decorator)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from chain.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chain.model import U8

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32 = 1
BECH32M = 0x2BC830A3
"""What the checksum register must hold at the end; the encodings differ in nothing else."""
CHECKSUM_SIZE = 6
MAX_SIZE = 90
"""Characters of a bech32 text; beyond them its checksum no longer guarantees to find four errors."""

GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)

_CHARACTERS = np.frombuffer(CHARSET.encode(), np.uint8)
_GENERATOR = np.array(GENERATOR)
_VALUE_OF = {character: value for value, character in enumerate(CHARSET)}
_FIVE_BITS_OF = np.full(256, -1, np.int8)
"""The value that a lower-case byte stands for, -1 for none."""
_FIVE_BITS_OF[_CHARACTERS] = np.arange(len(CHARSET))


def _step(register: int, value: int) -> int:
    top = register >> 25
    register = (register & 0x1FFFFFF) << 5 ^ value
    for bit, term in enumerate(GENERATOR):
        register ^= term if top >> bit & 1 else 0
    return register


def polymod(values: Iterable[int], register: int = 1) -> int:
    """The checksum register after `values` of five bits each."""
    for value in values:
        register = _step(register, value)
    return register


def expand_prefix(prefix: str) -> list[int]:
    """The values that a human-readable part contributes to the checksum."""
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def encode(prefix: str, values: list[int], form: int) -> str:
    """`prefix`, the separator, `values` and their checksum; `form` is BECH32 or BECH32M."""
    register = polymod([*expand_prefix(prefix), *values, *[0] * CHECKSUM_SIZE]) ^ form
    checksum = [register >> 5 * (CHECKSUM_SIZE - 1 - place) & 31 for place in range(CHECKSUM_SIZE)]
    return prefix + "1" + "".join(CHARSET[value] for value in values + checksum)


def decode(text: str) -> tuple[str, list[int], int]:
    """Prefix, values without checksum, and form (BECH32 or BECH32M) of `text`.

    AddressError with the position of a character that cannot be right. A wrong checksum has a
    position where exactly one substitution would mend it; which one is not said (BIP 173).
    """
    _check_prefix(text)
    separator = text.rfind("1")
    prefix, data = text[:separator].lower(), text[separator + 1 :].lower()
    for place, character in enumerate(data, separator + 1):
        if character not in _VALUE_OF:
            raise AddressError(f"{text[place]!r} at position {place} does not occur in bech32", place)
    if len(data) < CHECKSUM_SIZE:
        raise AddressError("the checksum is too short: the text is cut off")
    values = [_VALUE_OF[character] for character in data]
    form = polymod([*expand_prefix(prefix), *values])
    if form not in (BECH32, BECH32M):
        found = locate_error(prefix, values)
        position = None if found is None else separator + 1 + found
        where = "" if position is None else f"; if one character is wrong, it is at position {position}"
        raise AddressError("the bech32 checksum does not match" + where, position)
    return prefix, values[:-CHECKSUM_SIZE], form


def _check_prefix(text: str) -> None:
    """Refuse characters outside ASCII, mixed case, more than 90 characters, no prefix."""
    for place, character in enumerate(text):
        if not "!" <= character <= "~":
            raise AddressError(f"character U+{ord(character):04X} at position {place}", place)
    if len(text) > MAX_SIZE:
        raise AddressError(f"{len(text)} characters are more than the {MAX_SIZE} of bech32", MAX_SIZE)
    letters = [(place, c.isupper()) for place, c in enumerate(text) if c.isalpha()]
    for place, upper in letters:
        if upper != letters[0][1]:
            raise AddressError(f"upper and lower case are mixed from position {place} on", place)
    if text.rfind("1") < 1:
        raise AddressError("no prefix with the separator '1' behind it", max(text.rfind("1"), 0))


def locate_error(prefix: str, values: list[int]) -> int | None:
    """The place in `values` where one substitution mends the checksum, None unless there is just one.

    The register is linear: a change at a place contributes its own pattern, carried through the
    places behind it. The mended witness version must fit the form that it mends to (BIP 350).
    """
    register = polymod([*expand_prefix(prefix), *values])
    found = set()
    for change in range(1, 32):
        pattern = change
        for place in range(len(values) - 1, -1, -1):
            version = values[0] ^ change if place == 0 else values[0]
            if register ^ pattern == (BECH32M if version else BECH32):
                found.add(place)
            pattern = _step(pattern, 0)
    return found.pop() if len(found) == 1 else None


def to_five_bits(raw: bytes) -> list[int]:
    """The bits of `raw` in groups of five, the last padded with zeros."""
    size = -(-len(raw) * 8 // 5)
    number = int.from_bytes(raw, "big") << size * 5 - len(raw) * 8
    return [number >> 5 * (size - 1 - place) & 31 for place in range(size)]


def from_five_bits(values: list[int]) -> bytes | None:
    """The inverse of `to_five_bits`; None where the padding has 5 bits or more, or is not zero."""
    number = 0
    for value in values:
        number = number << 5 | value
    padding = len(values) * 5 % 8
    if padding >= 5 or number & (1 << padding) - 1:
        return None
    return (number >> padding).to_bytes(len(values) * 5 // 8, "big")


@njit(cache=True, nogil=True)
def _step_kernel(register: int, value: int) -> int:
    top = register >> 25
    register = (register & 0x1FFFFFF) << 5 ^ value
    for bit in range(5):
        register ^= _GENERATOR[bit] * (top >> bit & 1)
    return register


@njit(cache=True, nogil=True)
def write_program(program: U8, version: int, prefix: U8, out: U8) -> int:
    """Write the address of a witness program to `out`, the twin of `encode`; its length.

    `prefix` is the human-readable part in ASCII, `out` has MAX_SIZE bytes.
    """
    register, size = 1, len(prefix)
    for place in range(size):
        out[place] = prefix[place]
        register = _step_kernel(register, np.int64(prefix[place]) >> 5)
    register = _step_kernel(register, 0)
    for place in range(size):
        register = _step_kernel(register, np.int64(prefix[place]) & 31)
    out[size] = ord("1")
    out[size + 1] = _CHARACTERS[version]
    register = _step_kernel(register, version)
    size += 2
    waiting, bits = np.int64(0), 0
    for place in range(len(program) + 1):
        if place < len(program):
            waiting, bits = (waiting << 8 | np.int64(program[place])) & 0xFFF, bits + 8
        elif bits:
            waiting, bits = waiting << 5 - bits, 5
        while bits >= 5:
            bits -= 5
            value = waiting >> bits & 31
            register = _step_kernel(register, value)
            out[size] = _CHARACTERS[value]
            size += 1
    for _ in range(CHECKSUM_SIZE):
        register = _step_kernel(register, 0)
    register ^= BECH32M if version else BECH32
    for place in range(CHECKSUM_SIZE):
        out[size + place] = _CHARACTERS[register >> 5 * (CHECKSUM_SIZE - 1 - place) & 31]
    return size + CHECKSUM_SIZE


@njit(cache=True, nogil=True)
def read_program(text: U8, prefix: U8, out: U8) -> int:
    """The twin of `decode` for addresses: writes witness version and program to `out` (41 bytes).

    The number of bytes written, 0 where `text` is no segwit address with that prefix: wrong checksum or form, mixed
    case, version above 16, padding that is too long or not 0, more than 40 bytes.
    """
    size = len(text)
    if size > MAX_SIZE or size < len(prefix) + 2 + CHECKSUM_SIZE:
        return 0
    lower, upper = False, False
    for place in range(size):
        lower |= ord("a") <= text[place] <= ord("z")
        upper |= ord("A") <= text[place] <= ord("Z")
    if lower and upper:
        return 0
    fold = np.uint8(32) if upper else np.uint8(0)
    register = 1
    for place in range(len(prefix)):
        if text[place] | fold != prefix[place]:
            return 0
        register = _step_kernel(register, np.int64(prefix[place]) >> 5)
    register = _step_kernel(register, 0)
    for place in range(len(prefix)):
        register = _step_kernel(register, np.int64(prefix[place]) & 31)
    if text[len(prefix)] != ord("1"):
        return 0
    waiting, bits, written = np.int64(0), 0, 1
    for place in range(len(prefix) + 1, size):
        letter = text[place] | fold if text[place] >= ord("A") else text[place]
        value = np.int64(_FIVE_BITS_OF[letter])
        if value < 0:
            return 0
        register = _step_kernel(register, value)
        if place == len(prefix) + 1:
            if value > 16:
                return 0
            out[0] = value
        elif place < size - CHECKSUM_SIZE:
            waiting, bits = (waiting << 5 | value) & 0xFFF, bits + 5
            if bits >= 8:
                bits -= 8
                if written == len(out):
                    return 0
                out[written] = waiting >> bits & 255
                written += 1
    if register != (BECH32M if out[0] else BECH32) or bits >= 5 or waiting & (1 << bits) - 1:
        return 0
    return written
