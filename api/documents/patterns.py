"""Cut-off addresses as ranges of what the ledger keeps, so that an index finds the addresses that fit.

A written address is a number in some base, highest digit first; known first digits are an interval of that number,
and so of the hash within it. The last characters hold the checksum: they are compared with each address when it is
written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chain.bitcoin import base58, bech32
from chain.bitcoin.network import Network
from chain.model import AddressKind

HASH, DIGEST, ACCOUNT = 20, 32, 20
"""Bytes of payloads."""

CHECKSUM_BITS = 32
LENGTHS = range(25, 36)
"""Characters of base58 addresses."""


@dataclass(frozen=True, slots=True)
class Span:
    """Payloads of one kind, both ends included."""

    kind: AddressKind
    low: bytes
    high: bytes


def ethereum_spans(start: str) -> Iterator[Span]:
    """Of `0x` and hex digits."""
    digits = start[2:].lower()
    low, high = digits.ljust(2 * ACCOUNT, "0"), digits.ljust(2 * ACCOUNT, "f")
    yield Span(AddressKind.ACCOUNT, bytes.fromhex(low), bytes.fromhex(high))


def bitcoin_spans(start: str, network: Network) -> list[Span]:
    """Of the first characters of an address on a network; none where no address of it begins so."""
    prefix = f"{network.segwit_prefix}1"
    if start.lower().startswith(prefix):
        return list(_segwit(start.lower()[len(prefix) :]))
    versions = {
        network.pubkey_hash_version: AddressKind.PUBKEY_HASH,
        network.script_hash_version: AddressKind.SCRIPT_HASH,
    }
    return [span for version, kind in versions.items() for span in _base58(start, version, kind)]


def _segwit(values: str) -> Iterator[Span]:
    if not values or set(values) - set(bech32.CHARSET):
        return
    version, digits = bech32.CHARSET.index(values[0]), [bech32.CHARSET.index(c) for c in values[1:]]
    kinds = {
        0: [(AddressKind.WITNESS_KEY_HASH, HASH), (AddressKind.WITNESS_SCRIPT_HASH, DIGEST)],
        1: [(AddressKind.TAPROOT, DIGEST)],
    }
    for kind, size in kinds.get(version, []):
        bits = 8 * size
        known = digits[: -(-bits // 5)]
        number = 0
        for digit in known:
            number = number << 5 | digit
        shift = bits - 5 * len(known)
        low = number << shift if shift >= 0 else number >> -shift
        high = low | ((1 << max(0, shift)) - 1)
        yield Span(kind, low.to_bytes(size, "big"), high.to_bytes(size, "big"))


def _base58(start: str, version: int, kind: AddressKind) -> Iterator[Span]:
    zeros = len(start) - len(start.lstrip("1"))
    if (version == 0) != (zeros > 0) or set(start) - set(base58.ALPHABET):
        return
    least, most = version << 8 * (HASH + 4), (version + 1 << 8 * (HASH + 4)) - 1
    value = 0
    for character in start:
        value = value * 58 + base58.ALPHABET.index(character)
    spans = set()
    for length in LENGTHS:
        rest = length - len(start)
        if rest < 0:
            continue
        low, high = max(least, value * 58**rest), min(most, (value + 1) * 58**rest - 1)
        if low <= high:
            mask = (1 << 8 * HASH) - 1
            spans.add((low >> CHECKSUM_BITS & mask, high >> CHECKSUM_BITS & mask))
    for low, high in sorted(spans):
        yield Span(kind, low.to_bytes(HASH, "big"), high.to_bytes(HASH, "big"))
