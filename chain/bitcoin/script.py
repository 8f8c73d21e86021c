"""The form of an output's script, and the address key that it pays.

The forms are those of Bitcoin Core's `Solver` (script/solver.cpp), with one difference: an output
is OP_RETURN when its script begins with that opcode, whatever follows. Core asks besides that the
rest only pushes data, which decides relay, not spending: the output is unspendable either way
(`CScript::IsUnspendable`), explorers call it op_return, and NONSTANDARD shall mean "can be spent,
nobody knows by whom".

Multisig follows `MatchMultisig`: m and n are OP_1 to OP_16, or the minimal one-byte push of 17 to
20; keys may be pushed in any way, have a valid size for their first byte, and need not be points.
"""
# mypy: disable-error-code="no-any-return"
# (compiled functions call each other through an untyped decorator)

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from chain.bitcoin.hashes import DIGEST_SIZE, HASH160_SIZE, hash160, hash160_digest, sha256
from chain.model import UNKNOWN, AddressKind, OutputType

if TYPE_CHECKING:
    from chain.model import U8

OP_0 = 0x00
OP_PUSHDATA1 = 0x4C
OP_PUSHDATA4 = 0x4E
OP_1 = 0x51
OP_16 = 0x60
OP_RETURN = 0x6A
OP_DUP = 0x76
OP_EQUAL = 0x87
OP_EQUALVERIFY = 0x88
OP_HASH160 = 0xA9
OP_CHECKSIG = 0xAC
OP_CHECKMULTISIG = 0xAE

COMPRESSED_SIZE = 33
UNCOMPRESSED_SIZE = 65
MAX_MULTISIG_KEYS = 20
"""MAX_PUBKEYS_PER_MULTISIG of Core's script/script.h."""
MIN_PROGRAM = 2
MAX_PROGRAM = 40
"""Bytes of a witness program (BIP 141)."""

NO_PROGRAM = -1
"""The key size of what is no witness program."""


def classify(script: bytes) -> tuple[OutputType, bytes]:
    """The form of `script` and its address key: kind byte and payload, b"" where it has none."""
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22] == OP_EQUAL:
        return OutputType.P2SH, bytes([AddressKind.SCRIPT_HASH]) + script[2:22]
    if MIN_PROGRAM + 2 <= len(script) <= MAX_PROGRAM + 2 and script[1] == len(script) - 2:
        # OP_RESERVED stands just below OP_1 and pushes no version
        version = 0 if script[0] == 0 else script[0] - OP_1 + 1 if script[0] >= OP_1 else UNKNOWN
        if 0 <= version <= 16:
            return _classify_program(version, script[2:])
    if script[:1] == bytes([OP_RETURN]):
        return OutputType.OP_RETURN, b""
    if script[-1:] == bytes([OP_CHECKSIG]) and script[0] == len(script) - 2 and is_public_key(script[1:-1]):
        return OutputType.P2PK, bytes([AddressKind.PUBKEY_HASH]) + hash160_digest(script[1:-1])
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return OutputType.P2PKH, bytes([AddressKind.PUBKEY_HASH]) + script[3:23]
    if is_multisig(script):
        return OutputType.MULTISIG, bytes([AddressKind.MULTISIG]) + hashlib.sha256(script).digest()
    return OutputType.NONSTANDARD, b""


def _classify_program(version: int, program: bytes) -> tuple[OutputType, bytes]:
    if version == 0 and len(program) == HASH160_SIZE:
        return OutputType.P2WPKH, bytes([AddressKind.WITNESS_KEY_HASH]) + program
    if version == 0 and len(program) == DIGEST_SIZE:
        return OutputType.P2WSH, bytes([AddressKind.WITNESS_SCRIPT_HASH]) + program
    if version == 1 and len(program) == DIGEST_SIZE:
        return OutputType.P2TR, bytes([AddressKind.TAPROOT]) + program
    if version:
        return OutputType.WITNESS_UNKNOWN, bytes([AddressKind.WITNESS_UNKNOWN, version]) + program
    return OutputType.NONSTANDARD, b""


def is_public_key(data: bytes) -> bool:
    """Whether `data` has the size that its first byte announces (`CPubKey::ValidSize`)."""
    if data[:1] in (b"\x02", b"\x03"):
        return len(data) == COMPRESSED_SIZE
    return data[:1] in (b"\x04", b"\x06", b"\x07") and len(data) == UNCOMPRESSED_SIZE


def is_multisig(script: bytes) -> bool:
    """Whether `script` is `m keys n OP_CHECKMULTISIG` with 1 <= m <= n <= 20."""
    if script[-1:] != bytes([OP_CHECKMULTISIG]):
        return False
    steps = list(operations(script[:-1]))
    if len(steps) < 3 or None in steps:
        return False
    required, *keys, total = [step for step in steps if step is not None]
    m, n = _count(required), _count(total)
    return 1 <= m <= n == len(keys) and all(is_public_key(key.data) for key in keys)


class Operation(NamedTuple):
    opcode: int
    data: bytes
    """What a push pushes; b"" for the other opcodes."""


def operations(script: bytes) -> list[Operation | None]:
    """The operations of `script`; None last where a push reaches beyond its end."""
    found: list[Operation | None] = []
    at = 0
    while at < len(script):
        opcode, at = script[at], at + 1
        size = opcode if opcode < OP_PUSHDATA1 else 0
        if OP_PUSHDATA1 <= opcode <= OP_PUSHDATA4:
            width = 1 << (opcode - OP_PUSHDATA1)
            size = int.from_bytes(script[at : at + width], "little")
            size, at = (size, at + width) if at + width <= len(script) else (len(script), at)
        if at + size > len(script):
            return [*found, None]
        found.append(Operation(opcode, script[at : at + size]))
        at += size
    return found


def _count(step: Operation) -> int:
    """The m or n of a multisig, 0 where it is none."""
    if OP_1 <= step.opcode <= OP_16:
        return step.opcode - OP_1 + 1
    if step.opcode == 1 and 16 < step.data[0] <= MAX_MULTISIG_KEYS:
        return step.data[0]
    return 0


@njit(cache=True, nogil=True)
def classify_kernel(state: U8, raw: U8, start: int, size: int, key: U8) -> tuple[OutputType, int]:
    """The twin of `classify` for the script `raw[start:start + size]`: (type, size of the key).

    `key` is a zeroed row of ADDRESS_KEY_WIDTH bytes that the key is written to; `state` is from
    `hashes.new_state`.
    """
    if size == 25 and raw[start] == OP_DUP and raw[start + 1] == OP_HASH160:
        if raw[start + 2] == 20 and raw[start + 23] == OP_EQUALVERIFY and raw[start + 24] == OP_CHECKSIG:
            return OutputType.P2PKH, _put(raw, start + 3, 20, key, AddressKind.PUBKEY_HASH)
        return OutputType.NONSTANDARD, 0
    if size == 23 and raw[start] == OP_HASH160 and raw[start + 1] == 20 and raw[start + 22] == OP_EQUAL:
        return OutputType.P2SH, _put(raw, start + 2, 20, key, AddressKind.SCRIPT_HASH)
    kind, key_size = _program_kernel(raw, start, size, key)
    if key_size != NO_PROGRAM:
        return kind, key_size
    if size > 0 and raw[start] == OP_RETURN:
        return OutputType.OP_RETURN, 0
    if size > 2 and raw[start] == size - 2 and _is_pay_to_key(raw, start, size):
        key[0] = AddressKind.PUBKEY_HASH
        hash160(state, raw, start + 1, size - 2, key[1:])
        return OutputType.P2PK, 1 + HASH160_SIZE
    if size > 0 and raw[start + size - 1] == OP_CHECKMULTISIG and _is_multisig(raw, start, start + size - 1):
        key[0] = AddressKind.MULTISIG
        sha256(state, raw, start, size, key[1:])
        return OutputType.MULTISIG, 1 + DIGEST_SIZE
    return OutputType.NONSTANDARD, 0


@njit(cache=True, nogil=True, forceinline=True)
def _put(raw: U8, start: int, size: int, key: U8, kind: AddressKind) -> int:
    key[0] = kind
    for byte in range(size):
        key[1 + byte] = raw[start + byte]
    return 1 + size


@njit(cache=True, nogil=True, forceinline=True)
def _program_kernel(raw: U8, start: int, size: int, key: U8) -> tuple[OutputType, int]:
    length = size - 2
    if length < MIN_PROGRAM or length > MAX_PROGRAM or raw[start + 1] != length:
        return OutputType.NONSTANDARD, NO_PROGRAM
    opcode = raw[start]
    if opcode == OP_0:
        if length == HASH160_SIZE:
            return OutputType.P2WPKH, _put(raw, start + 2, length, key, AddressKind.WITNESS_KEY_HASH)
        if length == DIGEST_SIZE:
            return OutputType.P2WSH, _put(raw, start + 2, length, key, AddressKind.WITNESS_SCRIPT_HASH)
        return OutputType.NONSTANDARD, 0
    if opcode < OP_1 or opcode > OP_16:
        return OutputType.NONSTANDARD, NO_PROGRAM
    if opcode == OP_1 and length == DIGEST_SIZE:
        return OutputType.P2TR, _put(raw, start + 2, length, key, AddressKind.TAPROOT)
    _put(raw, start + 1, length + 1, key, AddressKind.WITNESS_UNKNOWN)
    key[1] = opcode - OP_1 + 1
    return OutputType.WITNESS_UNKNOWN, 2 + length


@njit(cache=True, nogil=True, forceinline=True)
def _is_pay_to_key(raw: U8, start: int, size: int) -> bool:
    return raw[start + size - 1] == OP_CHECKSIG and _is_public_key(raw, start + 1, size - 2)


@njit(cache=True, nogil=True)
def _is_public_key(raw: U8, start: int, size: int) -> bool:
    if size == COMPRESSED_SIZE:
        return raw[start] == 2 or raw[start] == 3
    if size == UNCOMPRESSED_SIZE:
        return raw[start] == 4 or raw[start] == 6 or raw[start] == 7
    return False


@njit(cache=True, nogil=True)
def _push(raw: U8, at: int, end: int) -> tuple[int, int]:
    """Where the data of the operation at `at` begins and how long it is; size -1: beyond `end`."""
    opcode = int(np.int64(raw[at]))
    at += 1
    size = opcode if opcode < OP_PUSHDATA1 else 0
    if OP_PUSHDATA1 <= opcode <= OP_PUSHDATA4:
        width = 1 << (opcode - OP_PUSHDATA1)
        if at + width > end:
            return at, -1
        for byte in range(width):
            size |= int(np.int64(raw[at + byte]) << (8 * byte))
        at += width
    return (at, size) if size <= end - at else (at, -1)


@njit(cache=True, nogil=True)
def _is_multisig(raw: U8, at: int, end: int) -> bool:
    """`at:end` is the script without its last opcode, which is OP_CHECKMULTISIG."""
    required, total, keys = 0, 0, -1
    while at < end:
        data, size = _push(raw, at, end)
        if size < 0 or total:
            return False
        if keys >= 0 and _is_public_key(raw, data, size):
            keys += 1
        else:
            opcode = int(np.int64(raw[at]))
            count = opcode - OP_1 + 1 if OP_1 <= opcode <= OP_16 else 0
            if opcode == 1 and 16 < raw[data] <= MAX_MULTISIG_KEYS:
                count = int(np.int64(raw[data]))
            if count == 0:
                return False
            if keys < 0:
                required, keys = count, 0
            else:
                total = count
        at = data + size
    return 0 < required <= total == keys
