"""A quick serializer of transactions and blocks for the generator; `build.py` is its readable twin.

It puts together parts that are serialized already, so that a generator of millions of transactions makes no object
for each input and output. A test holds that both give the same bytes. Nothing here signs: `signature` has the form and
the length of a signature and verifies under no key.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import sha256

from chain.bitcoin.build import (
    EASIEST_BITS,
    Payment,
    Spend,
    Transaction,
    coinbase,
    compact_size,
    double_sha256,
    merkle_root,
    mined,
)
from chain.bitcoin.verify import COMMITMENT_PREFIX

Input = tuple[bytes, bytes, bytes]
"""Outpoint (36 bytes), script with its length before it, witness (the count of its items, each with its length)."""

NO_WITNESS = b"\x00"
_MARKER = b"\x00\x01"
_RESERVED = bytes(32)
_SMALL = [bytes([number]) for number in range(0xFD)]
_LOW = [bytes([1 + number % 0x7F]) for number in range(256)]
_HIGH = [b"\x00" + bytes([0x80 | number & 0x7F]) for number in range(256)]


def signature(noise: bytes, low_r: bool, hash_type: int = 1) -> bytes:
    """A DER signature (BIP 66) made of 64 bytes of noise: low S always, R as asked for: 71 or 72 bytes in all.

    A wallet that does not grind for a low R has a high one half of the time (bit 0 of the second byte of noise).
    """
    s = b"\x02\x20" + _LOW[noise[32]] + noise[33:] + _SMALL[hash_type]
    if low_r or noise[1] & 1:
        return b"\x30\x44\x02\x20" + _LOW[noise[0]] + noise[1:32] + s
    return b"\x30\x45\x02\x21" + _HIGH[noise[0]] + noise[1:32] + s


def count(number: int) -> bytes:
    """`compact_size`, without a call for what is small."""
    return _SMALL[number] if number < 0xFD else compact_size(number)


def transaction(
    version: int, inputs: Sequence[Input], outputs: Sequence[tuple[int, bytes]], lock_time: int, sequence: int
) -> tuple[bytes, bytes]:
    """(bytes without witness, bytes on the wire); one and the same object where no input has a witness.

    `outputs`: satoshi, and the script with its length before it. Every input has the same sequence.
    """
    sequence_bytes = sequence.to_bytes(4, "little")
    body = [count(len(inputs))]
    has_witness = False
    for outpoint, script, witness in inputs:
        body += (outpoint, script, sequence_bytes)
        has_witness = has_witness or witness is not NO_WITNESS
    body.append(count(len(outputs)))
    for value, script in outputs:
        body += (value.to_bytes(8, "little"), script)
    middle = b"".join(body)
    first, last = version.to_bytes(4, "little"), lock_time.to_bytes(4, "little")
    base = first + middle + last
    if not has_witness:
        return base, base
    return base, b"".join((first, _MARKER, middle, *[witness for _, _, witness in inputs], last))


def block(
    parent: bytes,
    height: int,
    time: int,
    payments: Sequence[tuple[int, bytes]],
    tag: bytes,
    made: Sequence[tuple[bytes, bytes, bytes]],
) -> tuple[bytes, bytes, bytes]:
    """(serialized block, its hash, txid of its coinbase) of transactions `made`: (txid, wtxid, bytes on the wire).

    The coinbase makes `payments` and, where a transaction has a witness, commits to the witnesses.
    """
    first = coinbase(height, [Payment(value, script[1:]) for value, script in payments], tag)
    if any(txid is not wtxid for txid, wtxid, _ in made):
        leaves = merkle_root([bytes(32), *[wtxid for _, wtxid, _ in made]])
        commitment = Payment(0, COMMITMENT_PREFIX + double_sha256(leaves + _RESERVED))
        spend = Spend(bytes(32), first.inputs[0].index, first.inputs[0].script, (_RESERVED,))
        first = Transaction((spend,), (*first.outputs, commitment))
    root = merkle_root([first.txid, *[txid for txid, _, _ in made]])
    start = struct.pack("<i", 0x20000000) + parent + root + struct.pack("<II", time, EASIEST_BITS)
    header = mined(start, EASIEST_BITS)
    serialized = b"".join((header, count(1 + len(made)), first.serialize(), *[raw for _, _, raw in made]))
    return serialized, double_sha256(header), first.txid


def hash_of(serialized: bytes) -> bytes:
    """Double SHA-256, without the call of `build.double_sha256`."""
    return sha256(sha256(serialized).digest()).digest()
