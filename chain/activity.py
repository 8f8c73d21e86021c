"""What each address did, kept per segment of transactions, so that a busy address costs no more than a quiet one.

A *run* covers the transactions from `first_tx` to `last_tx` and lists, for each address that they touch, its totals
there and its transactions in chain order. Facts of an address are the sum over runs, each found by bisection; a page
of its transactions is a slice of one run or two. Runs never reach across a segment of `SEGMENT_TXS` transactions, and
within one they are laid together as they grow, so that there are few; a rollback rebuilds the last run alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from chain.arrays import FileNumbers
from chain.errors import StoreError, StoreUnavailable
from chain.model import I32, I64, Array, Bool

if TYPE_CHECKING:
    from chain.column_writer import ColumnWriter

SEGMENT_TXS = 1 << 20
"""Transactions that a run may cover: a rollback sorts at most those of one segment again (under a second)."""

TOTALS = ("received", "spent", "received_count", "spent_count", "unknown_count")
"""Totals of an address in a run: satoshi in and out, outputs to it and spendings of them, those of unstated value."""


@dataclass(frozen=True, slots=True)
class Run:
    """Transactions `first_tx` (included) to `last_tx` (excluded), in the files `activity.<number>.*`."""

    number: int
    first_tx: int
    last_tx: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Totals of one address over a whole dataset; amounts in satoshi, exact."""

    received: int
    spent: int
    received_count: int
    spent_count: int
    unknown_count: int
    tx_count: int
    first_tx: int
    last_tx: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What one transaction gave to an address and took from it."""

    tx: int
    received: int
    spent: int


FILES = ("address", "first", "totals", "tx", "moved", "counts")


@dataclass(slots=True)
class _Open:
    run: Run
    address: I32
    """[a], ascending"""
    first: I64
    """[a + 1]: where an address' transactions begin in `tx`"""
    totals: I64
    """[a, len(TOTALS)]"""
    tx: I64
    moved: I64
    """[n, 2]: received, spent"""
    counts: I32
    """[n, 3]: outputs to it, spendings, those of unstated value"""


class ActivityLog:
    """The runs of one dataset, oldest first."""

    def __init__(self, folder: Path, opened: list[_Open], numbers: FileNumbers) -> None:
        self.folder = folder
        self._opened = opened
        self._numbers = numbers

    @classmethod
    def open(cls, folder: Path, runs: list[Run], numbers: FileNumbers | None = None) -> ActivityLog:
        """The runs that a manifest names; only a writer needs `numbers`, for those to come."""
        return cls(folder, [_open(folder, run) for run in runs], numbers or FileNumbers())

    @property
    def runs(self) -> list[Run]:
        return [opened.run for opened in self._opened]

    def paths(self) -> Iterator[Path]:
        for run in self.runs:
            yield from (_path(self.folder, run, name) for name in FILES)

    def facts(self, address: int, before_tx: int | None = None) -> Facts | None:
        """Totals over the transactions before `before_tx` (None: all); None where none of them touches the address.

        Whole runs count by their totals, one that is cut by its rows.
        """
        totals = np.zeros(len(TOTALS), np.int64)
        tx_count, first, last = 0, -1, -1
        for opened, row in self._rows(address):
            start, end = int(opened.first[row]), int(opened.first[row + 1])
            if before_tx is None or opened.run.last_tx <= before_tx:
                totals += opened.totals[row]
            else:
                end = start + int(np.searchsorted(opened.tx[start:end], before_tx))
                totals[:2] += opened.moved[start:end].sum(axis=0)
                totals[2:] += opened.counts[start:end].sum(axis=0, dtype=np.int64)
            if end > start:
                tx_count += end - start
                first = int(opened.tx[start]) if first < 0 else first
                last = int(opened.tx[end - 1])
        received, spent, received_count, spent_count, unknown_count = (int(total) for total in totals)
        if not tx_count:
            return None
        return Facts(received, spent, received_count, spent_count, unknown_count, tx_count, first, last)

    def entries(self, address: int, limit: int, before_tx: int) -> list[Entry]:
        """At most `limit` transactions of an address before `before_tx`, newest first."""
        found: list[Entry] = []
        for opened, row in reversed(list(self._rows(address))):
            start, end = int(opened.first[row]), int(opened.first[row + 1])
            end = start + int(np.searchsorted(opened.tx[start:end], before_tx))
            first = max(start, end - (limit - len(found)))
            moved = np.asarray(opened.moved[first:end])[::-1].tolist()
            txs = np.asarray(opened.tx[first:end])[::-1].tolist()
            found += [Entry(tx, received, spent) for tx, (received, spent) in zip(txs, moved, strict=True)]
            if len(found) >= limit:
                break
        return found

    def extend(self, tx_count: int, writer: ColumnWriter) -> None:
        """Cover the transactions up to `tx_count`; laying runs of a segment together where they are alike in size."""
        covered = self._opened[-1].run.last_tx if self._opened else 0
        while covered < tx_count:
            end = min(tx_count, (covered // SEGMENT_TXS + 1) * SEGMENT_TXS)
            first = covered
            while self._opened and self._fits(self._opened[-1].run, first, end):
                first = self._opened.pop().run.first_tx
            self._opened.append(self._build(first, end, writer))
            covered = end

    @staticmethod
    def _fits(run: Run, first: int, end: int) -> bool:
        same_segment = run.first_tx // SEGMENT_TXS == first // SEGMENT_TXS
        return same_segment and run.last_tx == first and run.last_tx - run.first_tx <= 2 * (end - first)

    def truncate(self, tx_count: int) -> None:
        """Forget the transactions from `tx_count` on, with the whole run that is cut: `extend` builds it again."""
        while self._opened and self._opened[-1].run.last_tx > tx_count:
            self._opened.pop()

    def _build(self, first_tx: int, last_tx: int, writer: ColumnWriter) -> _Open:
        run = Run(self._numbers.take(), first_tx, last_tx)
        arrays: tuple[Array, ...] = build(
            writer.array("tx_first_input"), writer.array("input_spends"), writer.array("tx_first_output"),
            writer.array("tx_output_count"), writer.array("output_address"), writer.array("output_value"),
            first_tx, last_tx,
        )  # fmt: skip
        for name, array in zip(FILES, arrays, strict=True):
            _save(_path(self.folder, run, name), array)
        return _open(self.folder, run)

    def _rows(self, address: int) -> Iterator[tuple[_Open, int]]:
        for opened in self._opened:
            # a key of another type than the array's would copy the whole array
            row = int(np.searchsorted(opened.address, np.int32(address)))
            if row < len(opened.address) and opened.address[row] == address:
                yield opened, row


def _path(folder: Path, run: Run, name: str) -> Path:
    return folder / f"activity.{run.number}.{name}.npy"


def _open(folder: Path, run: Run) -> _Open:
    address, first, totals, tx, moved, counts = (_load(_path(folder, run, name)) for name in FILES)
    return _Open(run, address, first, totals, tx, moved, counts)


def _save(path: Path, array: Array) -> None:
    try:
        with open(path, "wb") as handle:
            np.save(handle, array)
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        raise StoreUnavailable(f"cannot write {path}: {error.strerror}") from error


def _load(path: Path) -> Array:
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise StoreError(f"{path} is damaged: {error}") from error
    return array


def build(
    tx_first_input: I64, input_spends: I64, tx_first_output: I64, tx_output_count: I32,
    output_address: I32, output_value: I64, first_tx: int, last_tx: int,
) -> tuple[I32, I64, I64, I64, I64, I32]:  # fmt: skip
    """The arrays of a run (see `_Open`) over the transactions `first_tx` to `last_tx`."""
    address, tx, value, is_spent = _events(
        tx_first_input,
        input_spends,
        tx_first_output,
        tx_output_count,
        output_address,
        output_value,
        first_tx,
        last_tx,
    )
    order = np.argsort(address, kind="stable")
    run: tuple[I32, I64, I64, I64, I64, I32] = _fold(address[order], tx[order], value[order], is_spent[order])
    return run


@njit(cache=True, nogil=True)
def _events(
    tx_first_input: I64, input_spends: I64, tx_first_output: I64, tx_output_count: I32, output_address: I32,
    output_value: I64, lo: int, hi: int,
) -> tuple[I32, I64, I64, Bool]:  # fmt: skip
    """Each output to an address and each spending of one, in chain order."""
    most = 0
    for t in range(lo, hi):
        last_input = tx_first_input[t + 1] if t + 1 < len(tx_first_input) else len(input_spends)
        most += last_input - tx_first_input[t] + tx_output_count[t]
    address = np.empty(most, np.int32)
    tx = np.empty(most, np.int64)
    value = np.empty(most, np.int64)
    is_spent = np.empty(most, np.bool_)
    n = 0
    for t in range(lo, hi):
        last_input = tx_first_input[t + 1] if t + 1 < len(tx_first_input) else len(input_spends)
        for i in range(tx_first_input[t], last_input):
            o = input_spends[i]
            if output_address[o] >= 0:
                address[n], tx[n], value[n], is_spent[n] = output_address[o], t, output_value[o], True
                n += 1
        for o in range(tx_first_output[t], tx_first_output[t] + tx_output_count[t]):
            if output_address[o] >= 0:
                address[n], tx[n], value[n], is_spent[n] = output_address[o], t, output_value[o], False
                n += 1
    return address[:n], tx[:n], value[:n], is_spent[:n]


@njit(cache=True, nogil=True)
def _fold(address: I32, tx: I64, value: I64, is_spent: Bool) -> tuple[I32, I64, I64, I64, I64, I32]:
    """Sorted events summed by address and by (address, transaction)."""
    addresses = 0
    entries = 0
    for i in range(len(address)):
        new_address = i == 0 or address[i] != address[i - 1]
        addresses += new_address
        entries += new_address or tx[i] != tx[i - 1]
    found = np.empty(addresses, np.int32)
    first = np.zeros(addresses + 1, np.int64)
    totals = np.zeros((addresses, 5), np.int64)
    entry_tx = np.empty(entries, np.int64)
    moved = np.zeros((entries, 2), np.int64)
    counts = np.zeros((entries, 3), np.int32)
    a = -1
    e = -1
    for i in range(len(address)):
        new_address = i == 0 or address[i] != address[i - 1]
        if new_address or tx[i] != tx[i - 1]:
            e += 1
            entry_tx[e] = tx[i]
        if new_address:
            a += 1
            found[a] = address[i]
            first[a] = e
        side = 1 if is_spent[i] else 0
        known = value[i] if value[i] >= 0 else 0
        unknown = 1 if value[i] < 0 else 0
        totals[a, side] += known
        totals[a, 2 + side] += 1
        totals[a, 4] += unknown
        moved[e, side] += known
        counts[e, side] += 1
        counts[e, 2] += unknown
    first[addresses] = entries
    return found, first, totals, entry_tx, moved, counts
