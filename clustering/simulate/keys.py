"""Public keys and the addresses that wrap them: made in batches by a kernel, from a seed and a number.

A key is 33 bytes of the right form: 02 and a digest. That it is a point of the curve is not claimed. All that follows
from it does so for real: HASH160, the redeem script `0014 h`, its own HASH160, and the scripts of several keys; so the
wrappings of one key agree, as on the real chain.
"""

from __future__ import annotations

from enum import IntEnum
from hashlib import sha256

import numpy as np
from numba import njit

from chain.bitcoin import hashes
from chain.bitcoin.hashes import hash160_digest
from chain.model import U8, AddressKind

BATCH = 4096
KEY_SIZE = 33
KEY_WIDTH = 33
"""Bytes of an address key: its kind and at most 32 bytes of payload, zero-padded."""


class Form(IntEnum):
    """How an output of an address is spent."""

    P2PKH = 0
    NESTED = 1
    """P2WPKH within P2SH (BIP 141)."""
    P2WPKH = 2
    TAPROOT = 3
    P2WSH = 4
    """Two of three keys, in a witness script."""
    P2SH = 5
    """Two of three keys, in a redeem script."""


INPUT_SIZE = (148, 91, 68, 58, 105, 297)
"""Virtual bytes of an input of each form (BIP 141 weights, 72-byte signatures), for fees."""
OUTPUT_SIZE = (34, 32, 31, 43, 43, 32)
"""Bytes of an output to each form."""

Address = tuple[int, bytes, bytes, bytes]
"""Form; output script with its length before it; public key; what a spender must show besides: the script signature
(with its length) of NESTED, the script of P2WSH and P2SH, nothing of the others."""


class KeyMaker:
    """Addresses in the order in which they are asked for."""

    def __init__(self, seed: int) -> None:
        self._seed = sha256(b"headwater keys %d" % seed).digest()
        self._made = 0
        self._batch: list[tuple[bytes, bytes, bytes]] = []

    def key(self) -> tuple[bytes, bytes, bytes]:
        """(public key, its HASH160, the HASH160 of its redeem script)."""
        if not self._batch:
            self._refill()
        return self._batch.pop()

    def address(self, form: int) -> tuple[Address, bytes]:
        """A fresh address of this form, and its address key."""
        public, digest, nested = self.key()
        if form == Form.P2WPKH:
            return (form, b"\x16\x00\x14" + digest, public, b""), b"\x03" + digest
        if form == Form.P2PKH:
            return (form, b"\x19\x76\xa9\x14" + digest + b"\x88\xac", public, b""), b"\x01" + digest
        if form == Form.NESTED:
            unlock = b"\x17\x16\x00\x14" + digest
            return (form, b"\x17\xa9\x14" + nested + b"\x87", public, unlock), b"\x02" + nested
        if form == Form.TAPROOT:
            return (form, b"\x22\x51\x20" + public[1:], public, b""), b"\x05" + public[1:]
        keys = sorted((public, self.key()[0], self.key()[0]))
        script = b"\x52" + b"".join(b"\x21" + key for key in keys) + b"\x53\xae"
        if form == Form.P2WSH:
            program = sha256(script).digest()
            return (form, b"\x22\x00\x20" + program, public, script), bytes([AddressKind.WITNESS_SCRIPT_HASH]) + program
        payload = hash160_digest(script)
        return (form, b"\x17\xa9\x14" + payload + b"\x87", public, script), b"\x02" + payload

    def _refill(self) -> None:
        state = np.frombuffer(self._seed, np.uint8)
        public, digest, nested = _keys(state, self._made, BATCH)
        self._made += BATCH
        rows = (public.tobytes(), digest.tobytes(), nested.tobytes())
        self._batch = [
            (rows[0][33 * n : 33 * n + 33], rows[1][20 * n : 20 * n + 20], rows[2][20 * n : 20 * n + 20])
            for n in range(BATCH - 1, -1, -1)
        ]


def reference_key(seed: int, number: int) -> tuple[bytes, bytes, bytes]:
    """The readable twin of the kernel: key `number` of a maker."""
    start = sha256(b"headwater keys %d" % seed).digest()
    public = b"\x02" + sha256(start + number.to_bytes(8, "little")).digest()
    digest = hash160_digest(public)
    return public, digest, hash160_digest(b"\x00\x14" + digest)


@njit(cache=True, nogil=True)
def _keys(seed: U8, first: int, count: int) -> tuple[U8, U8, U8]:
    state = hashes.new_state()
    public = np.empty((count, 33), np.uint8)
    digest = np.empty((count, 20), np.uint8)
    nested = np.empty((count, 20), np.uint8)
    message = np.empty(40, np.uint8)
    message[:32] = seed
    redeem = np.zeros(22, np.uint8)
    redeem[1] = 0x14
    for row in range(count):
        number = first + row
        for byte in range(8):
            message[32 + byte] = (number >> (8 * byte)) & 0xFF
        public[row, 0] = 2
        hashes.sha256(state, message, 0, 40, public[row, 1:])
        hashes.hash160(state, public[row], 0, 33, digest[row])
        redeem[2:] = digest[row]
        hashes.hash160(state, redeem, 0, 22, nested[row])
    return public, digest, nested
