"""Which transactions have a signature that leaves out the other inputs: SIGHASH_ANYONECANPAY.

Such a signature lets anyone add inputs (a sale of a partially signed transaction, a crowdfunding), so that what is
spent together need not be one party's. The hash type is the last byte of a signature, with the bit 0x80 for
ANYONECANPAY (Bitcoin Core, script/interpreter.h; BIP 341 for Schnorr signatures, which state only the types below).

Signatures are told by their form alone, wherever they stand: a DER signature of BIP 66 that is pushed by a script or
stands in a witness, and in the witness of an input without script a Schnorr signature of 65 bytes: the only item of a
key path, or an item before script and control block of a script path. What else has the form of a signature is taken
for one: a doubt keeps addresses apart. Only transactions of two or more inputs are read; with one nothing is added.

How it fails. Signatures of before BIP 66 in other encodings are not seen; a script that hashes or carries a foreign
signature as data is taken to have one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chain.bitcoin.reference import Transaction
from chain.bitcoin.walk import BODY_END, COINBASE, FIRST_INPUT, LOCK_TIME, OUTPOINT_SIZE, read_count
from chain.model import I64, U8, Signing

ANYONECANPAY = 0x80
SCHNORR_TYPES = (0x81, 0x82, 0x83)
"""ALL, NONE and SINGLE with ANYONECANPAY: BIP 341 has no others."""

SCHNORR_SIZE = 65
"""64 bytes and a hash type; without one it commits to all inputs."""
DER_SIZES = (9, 73)
"""BIP 66, with the hash type."""
ANNEX = 0x50
CONTROL_BASE, CONTROL_STEP, LEAF_VERSION = 33, 32, 0xC0
PUSHDATA1, PUSHDATA2, PUSHDATA4 = 76, 77, 78

_WHOLE, _ANYONECANPAY = int(Signing.WHOLE), int(Signing.ANYONECANPAY)


def reference(tx: Transaction) -> Signing:
    """The readable twin of `gather_signing`, for one transaction."""
    if len(tx.inputs) < 2:
        return Signing.WHOLE
    for place, spend in enumerate(tx.inputs):
        stack = tx.witnesses[place] if tx.witnesses else []
        if any(_is_der(item) for item in [*_pushes(spend.script), *stack]):
            return Signing.ANYONECANPAY
        if not spend.script and any(_is_schnorr(item) for item in _schnorr_items(stack)):
            return Signing.ANYONECANPAY
    return Signing.WHOLE


def _pushes(script: bytes) -> list[bytes]:
    """What a script pushes, as far as it can be read."""
    found, at = [], 0
    while at < len(script):
        size, at = script[at], at + 1
        if size > PUSHDATA4:
            continue
        if size >= PUSHDATA1:
            width = 1 << (size - PUSHDATA1)
            size, at = int.from_bytes(script[at : at + width], "little"), at + width
        if at + size <= len(script):
            found.append(script[at : at + size])
        at += size
    return found


def _is_der(item: bytes) -> bool:
    sized = DER_SIZES[0] <= len(item) <= DER_SIZES[1]
    return sized and item[0] == 0x30 and item[1] == len(item) - 3 and item[2] == 2 and bool(item[-1] & ANYONECANPAY)


def _is_schnorr(item: bytes) -> bool:
    return len(item) == SCHNORR_SIZE and item[-1] in SCHNORR_TYPES


def _schnorr_items(stack: list[bytes]) -> list[bytes]:
    """The items of a taproot witness that may be signatures."""
    if len(stack) > 1 and stack[-1][:1] == bytes([ANNEX]):
        stack = stack[:-1]
    if len(stack) == 1:
        return stack
    control = stack[-1] if stack else b""
    fits = len(control) >= CONTROL_BASE and (len(control) - CONTROL_BASE) % CONTROL_STEP == 0
    return stack[:-2] if fits and control[0] >= LEAF_VERSION else []


@njit(cache=True, nogil=True)
def gather_signing(raw: U8, tx: I64, inputs: I64) -> U8:
    """[T] the `Signing` of the transactions at `tx` [T + 1, 7], whose inputs are at `inputs` [I] (`walk.Places`)."""
    signing = np.full(len(tx) - 1, _WHOLE, np.uint8)
    item_at, item_size = np.empty(16, np.int64), np.empty(16, np.int64)
    for row in range(len(signing)):
        first, last = tx[row, FIRST_INPUT], tx[row + 1, FIRST_INPUT]
        if tx[row, COINBASE] or last - first < 2:
            continue
        witness, end = tx[row, BODY_END], tx[row, LOCK_TIME]
        for place in range(first, last):
            size, script = read_count(raw, inputs[place] + OUTPOINT_SIZE, len(raw), 1)
            found = _pushes_der(raw, script, script + size)
            if witness < end:
                items, witness = read_count(raw, witness, end, 1)
                if items > len(item_at):
                    item_at, item_size = np.empty(2 * items, np.int64), np.empty(2 * items, np.int64)
                for item in range(items):
                    item_size[item], item_at[item] = read_count(raw, witness, end, 1)
                    witness = item_at[item] + item_size[item]
                    found = found or _ends_der(raw, item_at[item], item_size[item])
                if size == 0 and not found:
                    found = _holds_schnorr(raw, item_at[:items], item_size[:items])
            if found:
                signing[row] = _ANYONECANPAY
                break
    return signing


@njit(cache=True, nogil=True)
def _pushes_der(raw: U8, at: int, end: int) -> bool:
    while at < end:
        size = int(raw[at])
        at += 1
        if size > PUSHDATA4:
            continue
        if size >= PUSHDATA1:
            width = 1 << (size - PUSHDATA1)
            size = 0
            for byte in range(min(width, end - at)):
                size |= int(raw[at + byte]) << (8 * byte)
            at += width
        if at + size <= end and _ends_der(raw, at, size):
            return True
        at += size
    return False


@njit(cache=True, nogil=True)
def _ends_der(raw: U8, at: int, size: int) -> bool:
    if size < DER_SIZES[0] or size > DER_SIZES[1]:
        return False
    form = raw[at] == 0x30 and raw[at + 1] == size - 3 and raw[at + 2] == 2
    return bool(form and (raw[at + size - 1] & ANYONECANPAY) != 0)


@njit(cache=True, nogil=True)
def _holds_schnorr(raw: U8, item_at: I64, item_size: I64) -> bool:
    items = len(item_at)
    if items > 1 and item_size[items - 1] > 0 and raw[item_at[items - 1]] == ANNEX:
        items -= 1
    candidates = items
    if items != 1:
        candidates = items - 2
        control = item_size[items - 1] - CONTROL_BASE if items > 0 else -1
        if control < 0 or control % CONTROL_STEP or raw[item_at[items - 1]] < LEAF_VERSION:
            return False
    for item in range(candidates):
        if item_size[item] == SCHNORR_SIZE:
            kind = raw[item_at[item] + SCHNORR_SIZE - 1]
            if kind in SCHNORR_TYPES:
                return True
    return False
