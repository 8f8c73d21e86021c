"""The columns of a Bitcoin dataset that the heuristics read, in one bundle that kernels take apart."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from chain.model import I32, I64, U8, Array

SHORT = 32
"""Values up to which insertion sort is quicker."""


class Ledger(NamedTuple):
    """T transactions in chain order with I inputs and O outputs (outside outputs among them)."""

    tx_first_input: I64
    """[T] where the inputs of each transaction start; those of the last reach to the end"""
    input_spends: I64
    """[I] the output id that an input spends, UNKNOWN where the dataset does not have it"""
    output_address: I32
    """[O] address id, -1 for none"""
    tx_first_output: I64
    tx_output_count: I32
    output_value: I64
    """[O] satoshi, UNKNOWN where the source states none"""
    output_type: U8
    """[O] `OutputType`"""
    tx_signing: U8
    """[T] `Signing`"""
    tx_block: I32
    """[T] the block of each transaction"""
    block_time: I64
    """[B] seconds since 1970"""

    @classmethod
    def of(cls, columns: Any) -> Ledger:
        """The bundle of `columns`, which has these arrays as attributes (`chain.columns.Columns`)."""
        return cls(**{name: getattr(columns, name) for name in cls._fields})


def input_bounds(tx_first_input: I64, input_count: int, first_tx: int, last_tx: int) -> I64:
    """[N + 1] where the inputs of the N transactions of [first_tx, last_tx) start, and the end of the last.

    ValueError where the range is not of the [T] transactions of `tx_first_input`.
    """
    if not 0 <= first_tx <= last_tx <= len(tx_first_input):
        raise ValueError(f"transactions {first_tx}..{last_tx} are not within 0..{len(tx_first_input)}")
    end = input_count if last_tx == len(tx_first_input) else int(tx_first_input[last_tx])
    return np.append(tx_first_input[first_tx:last_tx], np.int64(end))


@njit(cache=True, nogil=True, forceinline=True)
def sort_few(values: Array) -> None:
    """Sort in place, quickly where there are few values, as most transactions have."""
    if len(values) > SHORT:
        values.sort()
        return
    for end in range(1, len(values)):
        moved, place = values[end], end
        while place > 0 and values[place - 1] > moved:
            values[place] = values[place - 1]
            place -= 1
        values[place] = moved


@njit(cache=True, nogil=True, forceinline=True)
def take_addresses(spends: I64, output_address: I32, address: I32) -> int:
    """Put the distinct known addresses of the spent outputs into `address`, ascending; how many they are."""
    count = 0
    for output in spends:
        if output >= 0 and output_address[output] >= 0:
            address[count] = output_address[output]
            count += 1
    sort_few(address[:count])
    distinct = min(count, 1)
    for place in range(1, count):
        if address[place] != address[distinct - 1]:
            address[distinct] = address[place]
            distinct += 1
    return distinct
