"""Coinjoins: transactions in which several parties spend together, so that co-spend would lie.

STRUCTURAL is BlockSci's `isCoinjoin` (Kalodner et al., BlockSci, USENIX Security 2020; file
`src/heuristics/tx_identification.cpp` of citp/BlockSci): with p = (outputs + 1) // 2 participants,
each of whom brings an address and takes one equal payment and at most one change, the most frequent
output value must occur exactly p times. As published it counts every output, also an OP_RETURN
output and the value zero.

What is decided here, where the published rule leaves it open:
- of two most frequent values (BlockSci takes one in the order of a hash table) one that is not dust
  is enough: a doubt keeps addresses apart;
- a value that is not known equals no value, and an input whose address is not known counts as an
  input and brings no address; the rule then finds less.

How it fails. It finds the form that JoinMarket makes and misses every Whirlpool mix (5 to 8 equal
outputs and no change), practically every WabiSabi round (Wasabi 2: many equal groups) and most of
Wasabi 1 (any number of change outputs); Stockinger et al. count 25,070 Wasabi and 134,569 Samourai
transactions up to block 689,255. Of the lists of crocs-muni/pets26_coinjoin_analysis (lists of
others, not truth) it finds 0 of 698 Whirlpool, 0 of 16 Wasabi 2, 7 of 169 Wasabi 1 and 227 of 292
`joinmarket_like` transactions; a test holds these counts. The next step adds a class for each. In the
other direction, a payer of p equal sums from p addresses of its own (a payroll) has the same form and
loses its links.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numba import njit

from chain.model import I32, I64, U8, UNKNOWN


class CoinjoinClass(IntEnum):
    """What form of coinjoin a transaction has. The number is stored: append only."""

    NONE = 0
    STRUCTURAL = 1


DUST_VALUES = (546, 2730)
"""Satoshi. The dust limits of a P2PKH output (182 bytes, three times the relay fee) at relay fees of
1,000 and 5,000 satoshi a kilobyte (Bitcoin Core's defaults; the latter of 0.11.1): sent so often for
their own sake that equal ones mean nothing. BlockSci's exclusion."""

MIN_INPUTS = 2
MIN_OUTPUTS = 3

_STRUCTURAL = int(CoinjoinClass.STRUCTURAL)


def classify(
    tx_first_input: I64,
    input_spends: I64,
    output_address: I32,
    tx_first_output: I64,
    tx_output_count: I32,
    output_value: I64,
    first_tx: int,
    last_tx: int,
) -> U8:
    """The `CoinjoinClass` of each transaction in [first_tx, last_tx).

    `tx_first_input`, `tx_first_output`, `tx_output_count`: [T]; `input_spends`: [I] the output id that
    an input spends, UNKNOWN where the dataset does not have it; `output_address`: [O] address id, -1
    for none; `output_value`: [O] satoshi or UNKNOWN. Returns [last_tx - first_tx]. ValueError where
    the range is not of these transactions.
    """
    classes: U8 = _classify(
        input_bounds(tx_first_input, len(input_spends), first_tx, last_tx),
        input_spends,
        output_address,
        tx_first_output[first_tx:last_tx],
        tx_output_count[first_tx:last_tx],
        output_value,
    )
    return classes


def reference(input_addresses: Sequence[int], output_values: Sequence[int]) -> CoinjoinClass:
    """The readable twin of `classify`, for one transaction; -1 where an address or value is not known."""
    participants = (len(output_values) + 1) // 2
    distinct = len({address for address in input_addresses if address >= 0})
    if len(input_addresses) < MIN_INPUTS or len(output_values) < MIN_OUTPUTS or distinct < participants:
        return CoinjoinClass.NONE
    counts = Counter(value for value in output_values if value != UNKNOWN)
    most = max(counts.values(), default=0)
    payments = {value for value, count in counts.items() if count == most}
    if most == participants and payments - set(DUST_VALUES):
        return CoinjoinClass.STRUCTURAL
    return CoinjoinClass.NONE


def input_bounds(tx_first_input: I64, input_count: int, first_tx: int, last_tx: int) -> I64:
    """[N + 1] where the inputs of the N transactions of [first_tx, last_tx) start, and the end of the last.

    ValueError where the range is not of the [T] transactions of `tx_first_input`.
    """
    if not 0 <= first_tx <= last_tx <= len(tx_first_input):
        raise ValueError(f"transactions {first_tx}..{last_tx} are not within 0..{len(tx_first_input)}")
    end = input_count if last_tx == len(tx_first_input) else int(tx_first_input[last_tx])
    return np.append(tx_first_input[first_tx:last_tx], np.int64(end))


@njit(cache=True, nogil=True)
def _classify(
    input_start: I64,
    input_spends: I64,
    output_address: I32,
    first_output: I64,
    output_count: I32,
    output_value: I64,
) -> U8:
    classes = np.zeros(len(first_output), np.uint8)
    for tx in range(len(first_output)):
        outputs = output_count[tx]
        participants = (outputs + 1) // 2
        spends = input_spends[input_start[tx] : input_start[tx + 1]]
        if len(spends) < MIN_INPUTS or outputs < MIN_OUTPUTS or participants > len(spends):
            continue
        if _distinct_addresses(spends, output_address) < participants:
            continue
        values = output_value[first_output[tx] : first_output[tx] + outputs]
        if _paid_equally(values, participants):
            classes[tx] = _STRUCTURAL
    return classes


@njit(cache=True, nogil=True)
def _distinct_addresses(spends: I64, output_address: I32) -> int:
    addresses = np.full(len(spends), -1, np.int32)
    for place in range(len(spends)):
        if spends[place] >= 0:
            addresses[place] = output_address[spends[place]]
    addresses.sort()
    distinct = 0
    for place in range(len(addresses)):
        if addresses[place] >= 0 and (place == 0 or addresses[place] != addresses[place - 1]):
            distinct += 1
    return distinct


@njit(cache=True, nogil=True)
def _paid_equally(values: I64, participants: int) -> bool:
    """Whether a value that is not dust occurs `participants` times.

    That is half of the outputs or more, so no value is more frequent.
    """
    ordered = values.copy()
    ordered.sort()
    start = 0
    for end in range(1, len(ordered) + 1):
        if end < len(ordered) and ordered[end] == ordered[start]:
            continue
        value = ordered[start]
        if end - start == participants and value != UNKNOWN and value not in DUST_VALUES:
            return True
        start = end
    return False
