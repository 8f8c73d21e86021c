"""The kernels of `votes.py`, whose readable twin is `votes.reference`.

Functions within a loop take the arrays that they read and not all of `LedgerArrays`: handing over twenty arrays takes
longer than most of them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chain.model import I32, I64, U8, UNKNOWN, Bool, OutputType
from clustering.bitcoin.change.arrays import I8, I16, LedgerArrays
from clustering.bitcoin.change.features import FIRST_FINGERPRINT, Convention, Feature
from clustering.bitcoin.change.fingerprint import maker

MAX_OUTPUTS = 10
"""Outputs that can be spent, beyond which a payment is a batch and no vote is cast (GraphSense's one-time change
looks at 2 to 10 outputs)."""

LAST_DIGIT = 7
FIRST_DIGIT = 2
"""Powers of ten of the combined rule, 10^2 to 10^7 satoshi."""

_OP_RETURN = int(OutputType.OP_RETURN)
_LAST_PLAIN_TYPE = int(OutputType.P2TR)
"""Types above have no address of one kind: a type feature abstains."""

_SELF, _CLUSTER = int(Convention.SELF), int(Convention.CLUSTER)
_YES, _NOT_KNOWN = 1, -1
_ADDRESS_TYPE = int(Feature.ADDRESS_TYPE)
_MEIKLEJOHN = int(Feature.MEIKLEJOHN)
_OPTIMAL = int(Feature.OPTIMAL)
_OPTIMAL_FEE = int(Feature.OPTIMAL_FEE)
_PEELING = int(Feature.PEELING)
_ROUND_VALUE = int(Feature.ROUND_VALUE)
_SHADOW = int(Feature.SHADOW)


@njit(cache=True, nogil=True)
def scan_freshness(at: LedgerArrays, first_tx: int, last_tx: int, first_row: int, end_row: int, seen: int) -> I8:
    """`votes.freshness`, given the greatest address id before `first_row`."""
    fresh = np.full(end_row - first_row, UNKNOWN, np.int8)
    row = first_row
    for tx in range(first_tx, last_tx):
        own = at.tx_first_output[tx]
        end = own + at.tx_output_count[tx]
        while row < own:  # what it spends from outside
            seen = max(seen, at.output_address[row])
            row += 1
        for output in range(own, end):
            if at.output_address[output] >= 0:
                fresh[output - first_row] = at.output_address[output] > seen
        while row < end:
            seen = max(seen, at.output_address[row])
            row += 1
    return fresh


@njit(cache=True, nogil=True)
def count_outputs(at: LedgerArrays, first_tx: int, left_out: Bool) -> I64:
    """How many outputs of each transaction are voted on."""
    counts = np.zeros(len(left_out), np.int64)
    for n in range(len(left_out)):
        tx = first_tx + n
        if left_out[n] or at.tx_coinbase[tx]:
            continue
        own = at.tx_first_output[tx]
        spendable = 0
        for output in range(own, own + at.tx_output_count[tx]):
            if at.output_type[output] != _OP_RETURN:
                spendable += 1
        if 2 <= spendable <= MAX_OUTPUTS:
            counts[n] = spendable
    return counts


@njit(cache=True, nogil=True)
def fill_votes(
    at: LedgerArrays, first_tx: int, counts: I64, first_row: int, spender: I64, fresh: I8, whole: bool, labels: I32,
    wanted: I64, marks: I16, out: I64, vote: I8, convention: U8, pair: Bool, inputs: I32, spent: Bool,
) -> None:  # fmt: skip
    """Fills the rows of `votes.Votes`, `counts` a transaction; `marks`: fingerprints of `wanted` (ascending)."""
    start = 0
    for n in range(len(counts)):
        if counts[n] == 0:
            continue
        tx, end = first_tx + n, start + counts[n]
        row = start
        own = at.tx_first_output[tx]
        for output in range(own, own + at.tx_output_count[tx]):
            if at.output_type[output] != _OP_RETURN:
                out[row] = output
                row += 1
        outputs = out[start:end]
        first = at.tx_first_input[tx]
        last = at.tx_first_input[tx + 1] if tx + 1 < len(at.tx_first_input) else len(at.input_spends)
        coins = at.input_spends[first:last]
        all_payers_known = _conventions(at.output_address, coins, outputs, labels, convention[start:end])
        all_spent = True
        for output in outputs:
            all_spent &= spender[output - first_row] >= 0
        a, b = at.output_address[outputs[0]], at.output_address[outputs[1]]
        is_pair = at.tx_output_count[tx] == 2 and len(outputs) == 2 and (a != b or a < 0)
        inputs[start:end] = len(coins)
        spent[start:end] = all_spent
        pair[start:end] = is_pair
        votes = vote[start:end]
        by = spender[outputs - first_row]
        _vote_fresh(outputs, fresh[outputs - first_row], whole, is_pair, all_payers_known, convention[start:end], votes)
        if is_pair:
            _vote_values(at.output_value, coins, outputs, votes)
            _vote_type(at.output_type, coins, outputs, votes)
            _vote_peeling(at, coins, by, whole, votes)
            if all_spent:
                _vote_fingerprints(tx, by, wanted, marks, votes)
        start = end


@njit(cache=True, nogil=True)
def _conventions(output_address: I32, coins: I64, outputs: I64, labels: I32, bits: U8) -> bool:
    """Sets the bits of each output; returns whether the address of every input is known."""
    known = True
    for coin in coins:
        payer = output_address[coin] if coin >= 0 else UNKNOWN
        if payer < 0:
            known = False
            continue
        for place in range(len(outputs)):
            address = output_address[outputs[place]]
            if address == payer:
                bits[place] |= _SELF
            if payer < len(labels) and 0 <= address < len(labels) and labels[address] == labels[payer]:
                bits[place] |= _CLUSTER
    return known


@njit(cache=True, nogil=True)
def _settle(candidates: I8, votes: I8, feature: int) -> None:
    """Turns candidates (yes, no, not known) into votes, where exactly one is named and all are known."""
    named = -1
    for place in range(len(candidates)):
        if candidates[place] == _NOT_KNOWN:
            return
        if candidates[place] == _YES:
            if named >= 0:
                return
            named = place
    if named >= 0:
        votes[:, feature] = -1
        votes[named, feature] = 1


@njit(cache=True, nogil=True)
def _vote_fresh(
    outputs: I64, fresh: I8, whole: bool, is_pair: bool, all_payers_known: bool, convention: U8, votes: I8
) -> None:
    candidates = fresh.copy()
    for place in range(len(outputs)):
        if candidates[place] == _YES and not whole:
            candidates[place] = _NOT_KNOWN
    if is_pair:
        _settle(candidates, votes, _SHADOW)
    returned = False
    for bits in convention:
        returned |= bits & _SELF != 0
    if all_payers_known and not returned:
        _settle(candidates, votes, _MEIKLEJOHN)


@njit(cache=True, nogil=True)
def _vote_values(output_value: I64, coins: I64, outputs: I64, votes: I8) -> None:
    a, b = output_value[outputs[0]], output_value[outputs[1]]
    if UNKNOWN in (a, b):
        return
    candidates = np.zeros(2, np.int8)
    power = 10 ** (FIRST_DIGIT - 1)
    for _ in range(FIRST_DIGIT, LAST_DIGIT + 1):
        power *= 10
        candidates[0], candidates[1] = a % power != 0, b % power != 0
        _settle(candidates, votes, _ROUND_VALUE)
    least, total = -1, 0
    for coin in coins:
        value = output_value[coin] if coin >= 0 else UNKNOWN
        if value == UNKNOWN:
            return
        total += value
        if least < 0 or value < least:
            least = value
    if least < 0:
        return
    candidates[0], candidates[1] = a < least, b < least
    _settle(candidates, votes, _OPTIMAL)
    left = least - (total - a - b)
    candidates[0], candidates[1] = a < left, b < left
    _settle(candidates, votes, _OPTIMAL_FEE)


@njit(cache=True, nogil=True)
def _vote_type(output_type: U8, coins: I64, outputs: I64, votes: I8) -> None:
    kind = -1
    for coin in coins:
        if coin < 0 or output_type[coin] > _LAST_PLAIN_TYPE:
            return
        if kind >= 0 and output_type[coin] != kind:
            return
        kind = output_type[coin]
    candidates = np.zeros(2, np.int8)
    for place in range(2):
        if output_type[outputs[place]] > _LAST_PLAIN_TYPE:
            return
        candidates[place] = output_type[outputs[place]] == kind
    _settle(candidates, votes, _ADDRESS_TYPE)


@njit(cache=True, nogil=True)
def _peels(tx_first_input: I64, input_count: int, tx_output_count: I32, tx: int) -> bool:
    """Whether a transaction has one input and two outputs."""
    last = tx_first_input[tx + 1] if tx + 1 < len(tx_first_input) else input_count
    return bool(last - tx_first_input[tx] == 1 and tx_output_count[tx] == 2)


@njit(cache=True, nogil=True)
def _vote_peeling(at: LedgerArrays, coins: I64, by: I64, whole: bool, votes: I8) -> None:
    if len(coins) != 1:
        return
    parent = maker(at.tx_first_output, at.tx_output_count, coins[0])
    in_chain = parent >= 0 and _peels(at.tx_first_input, len(at.input_spends), at.tx_output_count, parent)
    candidates = np.empty(2, np.int8)
    for place in range(2):
        if by[place] < 0:
            candidates[place] = _YES if whole else _NOT_KNOWN
        else:
            candidates[place] = _peels(at.tx_first_input, len(at.input_spends), at.tx_output_count, by[place])
            in_chain |= candidates[place] == _YES
    if in_chain:
        _settle(candidates, votes, _PEELING)


@njit(cache=True, nogil=True)
def _vote_fingerprints(tx: int, by: I64, wanted: I64, marks: I16, votes: I8) -> None:
    own = marks[np.searchsorted(wanted, tx)]
    theirs = marks[np.searchsorted(wanted, by[0])], marks[np.searchsorted(wanted, by[1])]
    candidates = np.zeros(2, np.int8)
    for number in range(marks.shape[1]):
        if own[number] == UNKNOWN or theirs[0][number] == UNKNOWN or theirs[1][number] == UNKNOWN:
            continue
        candidates[0], candidates[1] = theirs[0][number] == own[number], theirs[1][number] == own[number]
        _settle(candidates, votes, FIRST_FINGERPRINT + number)
