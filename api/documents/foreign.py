"""Addresses of chains that Headwater does not cover, known by their own checksums, or by their form alone.

A form without a checksum is told as such: many words of base 58 look like an address of Solana.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from chain.bitcoin import base58, bech32
from chain.bitcoin.hashes import reference_double_sha256
from chain.errors import AddressError

RIPPLE = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
"""XRP's own order of base 58."""

VERSIONS = {
    b"\x41": ("tron", 20), b"\x30": ("litecoin", 20), b"\x32": ("litecoin", 20), b"\x1e": ("dogecoin", 20),
    b"\x16": ("dogecoin", 20), b"\x4c": ("dash", 20), b"\x10": ("dash", 20), b"\x1c\xb8": ("zcash", 20),
    b"\x1c\xbd": ("zcash", 20),
}  # fmt: skip
"""Version bytes of base58check -> chain and bytes of the hash (SLIP-0132 and each chain's parameters)."""

PREFIXES = {
    "ltc": "litecoin", "addr": "cardano", "cosmos": "cosmos", "bnb": "binance chain", "osmo": "osmosis",
    "terra": "terra", "inj": "injective", "zil": "zilliqa", "one": "harmony", "erd": "multiversx", "sei": "sei",
    "celestia": "celestia",
}  # fmt: skip
"""Prefixes of bech32."""

FORM = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    rf"(?P<bech32>(?:{'|'.join(PREFIXES)})1[02-9ac-hj-np-z]{{20,110}})"
    r"|(?P<ton>[EU]Q[A-Za-z0-9_-]{46})"
    r"|(?P<monero>[48][1-9A-HJ-NP-Za-km-z]{94})"
    r"|(?P<base58>[1-9A-HJ-NP-Za-km-z]{26,44})"
    r")(?![0-9A-Za-z])"
)
SOLANA_BYTES = 32


@dataclass(frozen=True, slots=True)
class Foreign:
    """An address of another chain."""

    chain: str
    checked: bool
    """By its checksum; else by its form alone"""


def recognise(found: re.Match[str]) -> Foreign | None:
    """Which chain's address a match of FORM is; None where it is none."""
    text = found[0]
    if found["bech32"]:
        return _bech32(text)
    if found["ton"]:
        return Foreign("ton", True) if _ton(text) else None
    if found["monero"]:
        return Foreign("monero", False)
    return _base58(text)


def _bech32(text: str) -> Foreign | None:
    prefix, _, values = text.rpartition("1")
    number = [bech32.CHARSET.find(c) for c in values]
    check = bech32.polymod([*bech32.expand_prefix(prefix), *number])
    return Foreign(PREFIXES[prefix], True) if check in (bech32.BECH32, bech32.BECH32M) else None


def _ton(text: str) -> bool:
    """36 bytes in base64url; the last two are the CRC16 (XMODEM) of the others."""
    try:
        raw = base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        return False
    return binascii.crc_hqx(raw[:34], 0) == int.from_bytes(raw[34:], "big")


def _base58(text: str) -> Foreign | None:
    try:
        raw = base58.decode(text)
    except AddressError:
        return _unchecked(text)
    for version, (chain, size) in VERSIONS.items():
        if raw.startswith(version) and len(raw) == len(version) + size:
            return Foreign(chain, True)
    return None


def _unchecked(text: str) -> Foreign | None:
    if text.startswith("r") and all(c in RIPPLE for c in text):
        translated = "".join(base58.ALPHABET[RIPPLE.index(c)] for c in text)
        try:
            if len(base58.decode(translated)) == 21:
                return Foreign("xrp", True)
        except AddressError:
            pass
    number = 0
    for character in text:
        number = number * 58 + base58.ALPHABET.index(character)
    size = (number.bit_length() + 7) // 8 + len(text) - len(text.lstrip("1"))
    mixed = any(c.isdigit() for c in text) and text.upper() != text and text.lower() != text
    return Foreign("solana", False) if size == SOLANA_BYTES and mixed and len(text) >= 43 else None


def private_key(text: str) -> bool:
    """Whether a text is a Bitcoin private key in wallet import format."""
    number = 0
    for character in text:
        number = number * 58 + base58.ALPHABET.index(character)
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return len(raw) in (37, 38) and raw[0] in (128, 239) and reference_double_sha256(raw[:-4])[:4] == raw[-4:]
