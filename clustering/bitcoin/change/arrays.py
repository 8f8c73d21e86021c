"""The columns that features of change read, as one value that kernels take."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from chain.columns import Columns
from chain.model import I32, I64, U8

I8 = npt.NDArray[np.int8]
I16 = npt.NDArray[np.int16]


class LedgerArrays(NamedTuple):
    """T transactions, I inputs, O outputs (outside ones included), X outside outputs, B blocks: chain/manifest.py."""

    tx_txid: U8
    tx_block: I32
    tx_coinbase: U8
    tx_version: I32
    tx_lock_time: Any
    """uint32"""
    tx_size: I32
    tx_base_size: I32
    tx_first_input: I64
    tx_first_output: I64
    tx_output_count: I32
    input_spends: I64
    input_sequence: Any
    """uint32"""
    output_address: I32
    output_value: I64
    output_type: U8
    outside_output: I64
    outside_txid: U8
    outside_index: I64
    block_proof: U8

    @classmethod
    def of(cls, columns: Columns) -> LedgerArrays:
        """The arrays of a dataset, as they are mapped."""
        return cls(*(columns.arrays[name] for name in cls._fields))

    def outputs_of(self, tx: int) -> range:
        """The ids of a transaction's own outputs."""
        first = int(self.tx_first_output[tx])
        return range(first, first + int(self.tx_output_count[tx]))

    def inputs_of(self, tx: int) -> range:
        """The rows of a transaction's inputs."""
        last = tx + 1 == len(self.tx_first_input)
        return range(int(self.tx_first_input[tx]), len(self.input_spends) if last else int(self.tx_first_input[tx + 1]))
