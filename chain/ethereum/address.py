"""Ethereum addresses as people write them: 0x and 40 hex digits, whose case is a checksum (EIP-55)."""

from __future__ import annotations

import re

from eth_utils.address import to_checksum_address

from chain.errors import AddressError

ADDRESS_SIZE = 20
_FORM = re.compile(r"0[xX][0-9a-fA-F]{40}")
_TEXT_SIZE = 2 + 2 * ADDRESS_SIZE


def decode(text: str) -> bytes:
    """The 20 bytes of an address; AddressError where it is none.

    All lower or all upper case carries no checksum and passes; mixed case must be the checksum's (EIP-55).
    """
    if not _FORM.fullmatch(text):
        _refuse(text)
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()):
        due = to_checksum_address("0x" + digits.lower())[2:]
        wrong = next((place for place, (a, b) in enumerate(zip(digits, due, strict=True), 2) if a != b), None)
        if wrong is not None:
            raise AddressError(
                f"the EIP-55 checksum does not match: the case of {text[wrong]!r} at position {wrong}", wrong
            )
    return bytes.fromhex(digits)


def encode(key: bytes) -> str:
    """The address of 20 bytes, with its checksum."""
    return str(to_checksum_address("0x" + key.hex()))


def _refuse(text: str) -> None:
    if text[:2].lower() != "0x":
        raise AddressError("it does not begin with 0x", 0)
    for place, character in enumerate(text[2:_TEXT_SIZE], 2):
        if character not in "0123456789abcdefABCDEF":
            raise AddressError(f"{character!r} at position {place} is no hex digit", place)
    raise AddressError(f"wrong length: {len(text) - 2} hex digits, an address has 40", min(len(text), _TEXT_SIZE))
