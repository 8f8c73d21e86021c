"""Who is in a cluster, and what passed through it.

A cluster is named here by its label, the smallest address id in it. A partition is turned inside
out by a counting sort; sums and counts are made in one scan over the transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from chain.errors import IntegrityError, NotFound
from chain.model import I32, I64, UNKNOWN
from clustering.bitcoin.ledger import input_bounds


@dataclass(frozen=True, slots=True)
class Members:
    """The K clusters of n addresses, single addresses too; row k is the cluster `keys[k]`."""

    keys: I32
    """[K] labels, ascending"""
    offsets: I64
    """[K + 1] row k's addresses are `addresses[offsets[k]:offsets[k + 1]]`"""
    addresses: I32
    """[n] ascending within a cluster"""

    @classmethod
    def of_labels(cls, labels: I32) -> Members:
        """Sort the addresses by label. ValueError where a label is not the smallest id of its cluster."""
        rows = _rows_of(labels)
        keys = np.flatnonzero(labels == np.arange(len(labels), dtype=np.int32)).astype(np.int32)
        offsets = np.zeros(len(keys) + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=len(keys)), out=offsets[1:])
        return cls(keys, offsets, _sorted_by_row(rows, offsets))

    def __len__(self) -> int:
        return len(self.keys)

    def row(self, label: int) -> int:
        """The row of the cluster `label`; NotFound where no cluster has that label."""
        row = int(np.searchsorted(self.keys, np.int32(label)))
        if row == len(self.keys) or int(self.keys[row]) != label:
            raise NotFound(f"no cluster is labelled {label}")
        return row

    def of(self, label: int) -> I32:
        """The addresses of the cluster `label`, ascending (a view)."""
        row = self.row(label)
        return self.addresses[self.offsets[row] : self.offsets[row + 1]]

    def size(self, label: int) -> int:
        """How many addresses the cluster `label` has."""
        row = self.row(label)
        return int(self.offsets[row + 1] - self.offsets[row])

    def sizes(self) -> I64:
        """[K] how many addresses each cluster has."""
        return np.diff(self.offsets)

    def biggest(self, count: int) -> I32:
        """The labels of the `count` biggest clusters (all, where they are fewer), the biggest first.

        Of equal ones the smaller label comes first.
        """
        sizes = self.sizes()
        count = max(0, min(count, len(sizes)))
        if count == 0:
            return self.keys[:0]
        floor = np.partition(sizes, len(sizes) - count)[len(sizes) - count]
        rows = np.flatnonzero(sizes >= floor)
        return self.keys[rows[np.argsort(-sizes[rows], kind="stable")][:count]]


@dataclass(frozen=True, slots=True)
class Summaries:
    """What the transactions say of the K clusters, one a row, in the order of `Members.keys`."""

    label: I32
    address_count: I64
    received: I64
    """Satoshi: the outputs of these transactions to the cluster, as far as their values are known"""
    spent: I64
    """Satoshi: the outputs of the cluster that these transactions spend, as far as they are known"""
    unknown_values: I64
    """How many amounts are in neither sum because the source does not state them"""
    first_tx: I64
    """The first transaction that pays or spends from the cluster, UNKNOWN where none does"""
    last_tx: I64
    """The last one, UNKNOWN where none does"""
    tx_count: I64
    """How many transactions pay or spend from the cluster, each counted once"""


def summaries(
    labels: I32,
    tx_first_input: I64,
    input_spends: I64,
    output_address: I32,
    tx_first_output: I64,
    tx_output_count: I32,
    output_value: I64,
) -> Summaries:
    """Sums and counts of every cluster over all T transactions, in one scan.

    `labels`: [n] the label of each address. Columns as in `clustering.bitcoin.ledger.Ledger`. An outside output, which
    no transaction here makes, is never received and counts when it is spent. IntegrityError
    ("cluster-sum", ...) where a sum does not fit into int64; ValueError where a label is not the
    smallest id of its cluster, or an output's address has none.
    """
    if len(output_address) and int(output_address.max()) >= len(labels):
        raise ValueError(f"address {int(output_address.max())} has no label: there are {len(labels)}")
    rows = _rows_of(labels)
    keys = np.flatnonzero(labels == np.arange(len(labels), dtype=np.int32)).astype(np.int32)
    received, spent, unknown, tx_count = (np.zeros(len(keys), np.int64) for _ in range(4))
    first_tx, last_tx = (np.full(len(keys), UNKNOWN, np.int64) for _ in range(2))
    overflow = _summarise(
        rows,
        (input_bounds(tx_first_input, len(input_spends), 0, len(tx_first_input)), input_spends),
        (tx_first_output, tx_output_count, output_address, output_value),
        (received, spent, unknown),
        (first_tx, last_tx, tx_count),
    )
    if overflow >= 0:
        raise IntegrityError("cluster-sum", f"transaction id {overflow}", "the sum of a cluster leaves int64")
    return Summaries(
        label=keys,
        address_count=np.bincount(rows, minlength=len(keys)).astype(np.int64),
        received=received,
        spent=spent,
        unknown_values=unknown,
        first_tx=first_tx,
        last_tx=last_tx,
        tx_count=tx_count,
    )


Moves = tuple[list[tuple[int, int]], list[tuple[int, int]]]
"""One transaction's debits and credits, each (address, value); -1 where one is not known."""


def reference_summary(members: Sequence[int], transactions: Sequence[Moves]) -> tuple[int, ...]:
    """The readable twin of `summaries`, for one cluster: its row, without the label."""
    own = [
        tuple([value for address, value in side if address in members] for side in movement)
        for movement in transactions
    ]
    touched = [tx for tx, (spent, received) in enumerate(own) if spent or received]
    return (
        len(members),
        sum(value for _, received in own for value in received if value != UNKNOWN),
        sum(value for spent, _ in own for value in spent if value != UNKNOWN),
        sum([*spent, *received].count(UNKNOWN) for spent, received in own),
        touched[0] if touched else UNKNOWN,
        touched[-1] if touched else UNKNOWN,
        len(touched),
    )


def _rows_of(labels: I32) -> I32:
    rows: I32 = _rank(labels)
    if len(rows) and int(rows.min()) < 0:
        address = int(np.argmin(rows))
        raise ValueError(f"address {address} has label {int(labels[address])}, which labels no cluster")
    return rows


@njit(cache=True, nogil=True)
def _rank(labels: I32) -> I32:
    """[n] the rank of each address's label among the labels, -1 where it is no label."""
    rows = np.full(len(labels), -1, np.int32)
    rank = 0
    for address in range(len(labels)):
        label = labels[address]
        if label == address:
            rows[address] = rank
            rank += 1
        elif 0 <= label < address and labels[label] == label:
            rows[address] = rows[label]
    return rows


@njit(cache=True, nogil=True)
def _sorted_by_row(rows: I32, offsets: I64) -> I32:
    """Counting sort: addresses by row, ascending within a row."""
    addresses = np.empty(len(rows), np.int32)
    free = offsets[:-1].copy()
    for address in range(len(rows)):
        row = rows[address]
        addresses[free[row]] = address
        free[row] += 1
    return addresses


@njit(cache=True, nogil=True)
def _summarise(
    rows: I32,
    inputs: tuple[I64, I64],
    outputs: tuple[I64, I32, I32, I64],
    sums: tuple[I64, I64, I64],
    places: tuple[I64, I64, I64],
) -> int:
    """Fill the sums and places of each row; returns -1, or the transaction at which a sum overflows."""
    input_start, input_spends = inputs
    tx_first_output, tx_output_count, output_address, output_value = outputs
    received, spent, unknown = sums
    for tx in range(len(tx_first_output)):
        for place in range(input_start[tx], input_start[tx + 1]):
            output = input_spends[place]
            if output >= 0 and output_address[output] >= 0:
                row = rows[output_address[output]]
                _touch(places, row, tx)
                if not _add(spent, unknown, row, output_value[output]):
                    return tx
        for output in range(tx_first_output[tx], tx_first_output[tx] + tx_output_count[tx]):
            if output_address[output] >= 0:
                row = rows[output_address[output]]
                _touch(places, row, tx)
                if not _add(received, unknown, row, output_value[output]):
                    return tx
    return -1


@njit(cache=True, nogil=True)
def _touch(places: tuple[I64, I64, I64], row: int, tx: int) -> None:
    first_tx, last_tx, tx_count = places
    if last_tx[row] != tx:
        last_tx[row] = tx
        tx_count[row] += 1
        if first_tx[row] < 0:
            first_tx[row] = tx


@njit(cache=True, nogil=True)
def _add(sums: I64, unknown: I64, row: int, value: int) -> bool:
    """Add a value or count that it is not known; False where the sum would leave int64."""
    if value < 0:
        unknown[row] += 1
        return True
    if sums[row] > np.iinfo(np.int64).max - value:
        return False
    sums[row] += value
    return True
