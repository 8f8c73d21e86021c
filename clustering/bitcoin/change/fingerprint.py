"""Fingerprints: habits of wallet software that two transactions of one wallet share.

The bits are those of Möser and Narayanan (FC 2022; `0b) Create Base Fingerprints` and `utils.py` of
maltemoeser/dissertation-code), computed from the columns. What is decided here, where that source leaves it open: the
set of types is of the coins that a transaction spends; a transaction spends segwit wrapped in P2SH where it has a
witness and P2SH coins and no native segwit ones, and with both it is not known; "unconfirmed"
is spending a coin that was made in the same block.

Nothing is guessed: blocks that a file stated have no version, lock time, sequence or size, outputs may lack value
or type, and a coin from outside has no known block. A fingerprint that rests on one of these is UNKNOWN.

How it fails. Two wallets of one software have one fingerprint; a wallet that changes its software, fee policy or
amounts has several. Since 2021 most wallets share version 2 and replaceability, so both say less than they did.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chain.model import I32, I64, UNKNOWN, OutputType, Proof
from clustering.bitcoin.change.arrays import I16, LedgerArrays
from clustering.bitcoin.change.features import FEATURES, FIRST_FINGERPRINT, Feature

FINGERPRINTS = FEATURES - FIRST_FINGERPRINT

LOCK_TIME_THRESHOLD = 500_000_000
"""Lock times from here on are times, below they are heights (Bitcoin Core, script/script.h)."""

FINAL_SEQUENCES = 0xFFFFFFFE
"""A sequence below signals replaceability (BIP 125)."""

MANY = 3
"""Counts of inputs and of outputs are told apart as 1, 2 and more."""

_STATED = int(Proof.STATED)
_P2SH = int(OutputType.P2SH)
_UNSTATED = int(OutputType.UNSTATED)
_SEGWIT_TYPES = (int(OutputType.P2WPKH), int(OutputType.P2WSH), int(OutputType.P2TR), int(OutputType.WITNESS_UNKNOWN))

_VERSION = int(Feature.VERSION) - FIRST_FINGERPRINT
_LOCK_TIME = int(Feature.LOCK_TIME) - FIRST_FINGERPRINT
_RBF = int(Feature.RBF) - FIRST_FINGERPRINT
_SEGWIT = int(Feature.SEGWIT) - FIRST_FINGERPRINT
_COMPATIBLE = int(Feature.SEGWIT_COMPATIBLE) - FIRST_FINGERPRINT
_BIP69 = int(Feature.BIP69) - FIRST_FINGERPRINT
_TYPE_SET = int(Feature.TYPE_SET) - FIRST_FINGERPRINT
_IN_OUT = int(Feature.IN_OUT_COUNT) - FIRST_FINGERPRINT
_OUT = int(Feature.OUT_COUNT) - FIRST_FINGERPRINT
_ZERO_CONF = int(Feature.ZERO_CONF) - FIRST_FINGERPRINT


def fingerprints(at: LedgerArrays, txs: I64) -> I16:
    """[n, FINGERPRINTS] the fingerprints of `txs`, in the order of `Feature`; UNKNOWN where one cannot be told.

    The time is linear in their inputs and outputs. ValueError where a transaction is none of the ledger.
    """
    if len(txs) and not (int(txs.min()) >= 0 and int(txs.max()) < len(at.tx_block)):
        raise ValueError(f"transactions are within 0..{len(at.tx_block) - 1}")
    found: I16 = _fingerprints(at, txs)
    return found


def reference(at: LedgerArrays, tx: int) -> list[int]:
    """The readable twin of `fingerprints`, for one transaction."""
    coins = [int(at.input_spends[row]) for row in at.inputs_of(tx)]
    outputs = at.outputs_of(tx)
    types = {UNKNOWN if coin < 0 else int(at.output_type[coin]) for coin in coins}
    all_typed = not types & {UNKNOWN, _UNSTATED}
    counts = min(len(coins), MANY), min(len(outputs), MANY)
    found = [UNKNOWN] * FINGERPRINTS
    found[_TYPE_SET] = sum(1 << kind for kind in types) if all_typed else UNKNOWN
    found[_IN_OUT] = counts[0] * (MANY + 1) + counts[1]
    found[_OUT] = counts[1]
    found[_BIP69] = _reference_bip69(at, coins, outputs)
    stated = at.block_proof[at.tx_block[tx]] == Proof.STATED
    places = [_reference_block(at, coin) for coin in coins]
    if int(at.tx_block[tx]) in places:
        found[_ZERO_CONF] = 1
    elif UNKNOWN not in places or not stated:
        found[_ZERO_CONF] = 0  # a block that was proven is held whole, so what is outside is of another one
    if stated:
        return found
    lock_time = int(at.tx_lock_time[tx])
    has_witness = int(at.tx_size[tx]) > int(at.tx_base_size[tx])
    found[_VERSION] = int(at.tx_version[tx] > 1)
    found[_LOCK_TIME] = 0 if lock_time == 0 else 1 if lock_time < LOCK_TIME_THRESHOLD else 2
    found[_RBF] = int(any(at.input_sequence[row] < FINAL_SEQUENCES for row in at.inputs_of(tx)))
    found[_SEGWIT] = int(has_witness)
    if not has_witness or (all_typed and _P2SH not in types):
        found[_COMPATIBLE] = 0
    elif all_typed and not types & set(_SEGWIT_TYPES):
        found[_COMPATIBLE] = 1
    return found


def _reference_bip69(at: LedgerArrays, coins: list[int], outputs: range) -> int:
    """BIP 69: inputs by (txid as it is printed, index), outputs by (value, script), both ascending."""
    points = [_reference_outpoint(at, coin) for coin in coins]
    values = [int(at.output_value[output]) for output in outputs]
    if None in points or UNKNOWN in values:
        return UNKNOWN
    if points != sorted(point for point in points if point is not None) or values != sorted(values):
        return 0
    ties = [place for place in range(1, len(values)) if values[place] == values[place - 1]]
    return 1 if all(_same_script(at, outputs[place], outputs[place - 1]) for place in ties) else UNKNOWN


def _reference_outpoint(at: LedgerArrays, coin: int) -> tuple[bytes, int] | None:
    outside = at.outside_output.tolist()
    if coin < 0:
        return None
    if coin in outside:
        row = outside.index(coin)
        return bytes(at.outside_txid[row])[::-1], int(at.outside_index[row])
    tx = next(tx for tx in range(len(at.tx_block)) if coin in at.outputs_of(tx))
    return bytes(at.tx_txid[tx])[::-1], at.outputs_of(tx).index(coin)


def _reference_block(at: LedgerArrays, coin: int) -> int:
    made = (tx for tx in range(len(at.tx_block)) if coin in at.outputs_of(tx))
    return next((int(at.tx_block[tx]) for tx in made), UNKNOWN)


@njit(cache=True, nogil=True)
def _same_script(at: LedgerArrays, output: int, other: int) -> bool:
    """Whether two outputs are known to have one script. (Scripts themselves are not in the columns.)"""
    known = at.output_address[output] >= 0 and at.output_type[output] != _UNSTATED
    return bool(
        known
        and at.output_address[output] == at.output_address[other]
        and at.output_type[output] == at.output_type[other]
    )


@njit(cache=True, nogil=True)
def maker(tx_first_output: I64, tx_output_count: I32, output: int) -> int:
    """The transaction that made an output, UNKNOWN for one from outside or one that is not known."""
    if output < 0:
        return UNKNOWN
    tx = np.searchsorted(tx_first_output, output, side="right") - 1
    if tx < 0 or output >= tx_first_output[tx] + tx_output_count[tx]:
        return UNKNOWN
    return int(tx)


@njit(cache=True, nogil=True)
def _fingerprints(at: LedgerArrays, txs: I64) -> I16:
    found = np.full((len(txs), FINGERPRINTS), UNKNOWN, np.int16)
    for n in range(len(txs)):
        tx = txs[n]
        first = at.tx_first_input[tx]
        end = at.tx_first_input[tx + 1] if tx + 1 < len(at.tx_first_input) else len(at.input_spends)
        row = found[n]
        row[_IN_OUT] = min(end - first, MANY) * (MANY + 1) + min(at.tx_output_count[tx], MANY)
        row[_OUT] = min(at.tx_output_count[tx], MANY)
        row[_BIP69] = _bip69(at, first, end, at.tx_first_output[tx], at.tx_output_count[tx])
        _of_coins(at, tx, first, end, row)
        if at.block_proof[at.tx_block[tx]] != _STATED:
            _of_bytes(at, tx, first, end, row)
    return found


@njit(cache=True, nogil=True)
def _of_coins(at: LedgerArrays, tx: int, first: int, end: int, row: I16) -> None:
    """What follows from the coins that a transaction spends: the set of types, and whether one is unconfirmed."""
    types, typed, placed, unconfirmed = 0, True, True, False
    for i in range(first, end):
        coin = at.input_spends[i]
        if coin < 0 or at.output_type[coin] == _UNSTATED:
            typed = False
        else:
            types |= 1 << at.output_type[coin]
        parent = maker(at.tx_first_output, at.tx_output_count, coin)
        if parent < 0:
            placed = False
        elif at.tx_block[parent] == at.tx_block[tx]:
            unconfirmed = True
    if typed:
        row[_TYPE_SET] = types
    if unconfirmed:
        row[_ZERO_CONF] = 1
    elif placed or at.block_proof[at.tx_block[tx]] != _STATED:
        row[_ZERO_CONF] = 0


@njit(cache=True, nogil=True)
def _of_bytes(at: LedgerArrays, tx: int, first: int, end: int, row: I16) -> None:
    """What only a transaction's bytes say; after `_of_coins`."""
    row[_VERSION] = at.tx_version[tx] > 1
    lock_time = at.tx_lock_time[tx]
    row[_LOCK_TIME] = 0 if lock_time == 0 else (1 if lock_time < LOCK_TIME_THRESHOLD else 2)
    row[_RBF] = 0
    for i in range(first, end):
        if at.input_sequence[i] < FINAL_SEQUENCES:
            row[_RBF] = 1
    row[_SEGWIT] = at.tx_size[tx] > at.tx_base_size[tx]
    types = row[_TYPE_SET]
    native = False
    for kind in _SEGWIT_TYPES:
        native |= types >= 0 and (types >> kind) & 1 == 1
    if row[_SEGWIT] == 0 or (types >= 0 and (types >> _P2SH) & 1 == 0):
        row[_COMPATIBLE] = 0
    elif types >= 0 and not native:
        row[_COMPATIBLE] = 1


@njit(cache=True, nogil=True)
def _bip69(at: LedgerArrays, first: int, end: int, first_output: int, outputs: int) -> int:
    for i in range(first, end):
        if at.input_spends[i] < 0:
            return UNKNOWN
    for output in range(first_output, first_output + outputs):
        if at.output_value[output] == UNKNOWN:
            return UNKNOWN
    for i in range(first + 1, end):
        if _outpoint_above(at, at.input_spends[i - 1], at.input_spends[i]):
            return 0
    for output in range(first_output + 1, first_output + outputs):
        if at.output_value[output - 1] > at.output_value[output]:
            return 0
    for output in range(first_output + 1, first_output + outputs):
        if at.output_value[output - 1] == at.output_value[output] and not _same_script(at, output, output - 1):
            return UNKNOWN
    return 1


@njit(cache=True, nogil=True)
def _outpoint_above(at: LedgerArrays, left: int, right: int) -> bool:
    """Whether the outpoint of output `left` comes after that of `right`."""
    left_tx, right_tx = (
        maker(at.tx_first_output, at.tx_output_count, left),
        maker(at.tx_first_output, at.tx_output_count, right),
    )
    left_row = np.searchsorted(at.outside_output, left) if left_tx < 0 else 0
    right_row = np.searchsorted(at.outside_output, right) if right_tx < 0 else 0
    left_txid = at.tx_txid[left_tx] if left_tx >= 0 else at.outside_txid[left_row]
    right_txid = at.tx_txid[right_tx] if right_tx >= 0 else at.outside_txid[right_row]
    for byte in range(31, -1, -1):  # hashes are printed in reverse
        if left_txid[byte] != right_txid[byte]:
            return bool(left_txid[byte] > right_txid[byte])
    left_index = left - at.tx_first_output[left_tx] if left_tx >= 0 else at.outside_index[left_row]
    right_index = right - at.tx_first_output[right_tx] if right_tx >= 0 else at.outside_index[right_row]
    return bool(left_index > right_index)
