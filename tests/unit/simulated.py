"""Generated chains for tests: blocks, truth and arrays, each made once a session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from chain.bitcoin.network import REGTEST
from chain.bitcoin.parse import scan
from chain.bitcoin.reference import Reader, Transaction, read_transaction
from chain.model import I64, BlockBatch
from clustering.simulate.generator import generate
from clustering.simulate.kinds import Kind
from clustering.simulate.marginals import Flows, flows_of
from clustering.simulate.truth import Truth


@dataclass(frozen=True)
class Simulated:
    """A chain with its truth; rows of addresses of outputs are rows of the truth."""

    blocks: list[bytes]
    truth: Truth
    batch: BlockBatch
    flows: Flows
    output_row: I64
    """[O] row of each output's address among the truth's, -1 where it pays none"""

    def inputs(self, tx: int) -> I64:
        """The outputs that a transaction spends."""
        return self.flows.spends[self.flows.first_input[tx] : self.flows.first_input[tx + 1]]

    def outputs(self, tx: int) -> range:
        """The outputs that it makes."""
        return range(int(self.flows.first_output[tx]), int(self.flows.first_output[tx + 1]))

    def values(self, outputs: I64 | range) -> list[int]:
        return [int(self.batch.output_value[output]) for output in outputs]

    def owners(self, outputs: I64 | range) -> list[int]:
        """Who holds the address of each; -1 where there is none."""
        rows = self.output_row[np.asarray(outputs, np.int64)]
        return [int(self.truth.address_owner[row]) if row >= 0 else -1 for row in rows]

    def of(self, kind: Kind) -> Iterator[int]:
        return (int(tx) for tx in self.truth.rows_of(kind))

    def raw(self, tx: int) -> bytes:
        block = int(np.searchsorted(self.batch.block_first_tx, tx, "right")) - 1
        start = int(self.batch.block_start[block] + self.batch.tx_start[tx])
        return self.batch.raw[start : start + int(self.batch.tx_size[tx])].tobytes()

    def parsed(self, tx: int) -> Transaction:
        return read_transaction(Reader(self.raw(tx)))

    def maker(self, output: int) -> int:
        """The transaction that made an output."""
        return int(np.searchsorted(self.flows.first_output, output, "right")) - 1


@cache
def simulated(seed: int, total: int) -> Simulated:
    blocks: list[bytes] = []
    truth = generate(seed, total, blocks.append)
    sizes = np.array([len(block) for block in blocks], np.int64)
    starts = np.cumsum(sizes) - sizes
    batch = scan(np.frombuffer(b"".join(blocks), np.uint8), starts, sizes, REGTEST)
    batch.block_height[:] = np.arange(len(blocks))
    return Simulated(blocks, truth, batch, flows_of(batch), _rows(batch, truth))


def _rows(batch: BlockBatch, truth: Truth) -> I64:
    known = {truth.key(row): row for row in range(len(truth.address_owner))}
    assert len(known) == len(truth.address_owner), "no address is made twice"
    keys = batch.output_key_size
    return np.array(
        [
            known[batch.output_key[output, : keys[output]].tobytes()] if keys[output] else -1
            for output in range(batch.output_count)
        ],
        np.int64,
    )
