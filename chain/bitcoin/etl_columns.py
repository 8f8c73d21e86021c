"""Rows of bitcoin-etl transactions kept as columns, settled into whole blocks."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec
import numpy as np

from chain.bitcoin.etl_rows import Holding, Row
from chain.model import ADDRESS_KEY_WIDTH, I64, U8, UNKNOWN, BlockBatch, Bool, Proof, Signing

DIGEST_SIZE = 16
"""Enough to tell a repeated row from a contradicting one: nobody gains by a collision here."""


class _Holdings:
    """Outputs, or what inputs say of the outputs that they spend, as growing columns."""

    def __init__(self) -> None:
        self.value = array("q")
        self.type = bytearray()
        self.key = bytearray()
        self.key_size = bytearray()

    def append(self, holding: Holding) -> None:
        self.value.append(holding.value)
        self.type.append(holding.type)
        self.key += holding.key.ljust(ADDRESS_KEY_WIDTH, b"\0")
        self.key_size.append(len(holding.key))

    def take(self, entries: I64) -> tuple[I64, U8, U8, U8]:
        """Value, type, key and key size of `entries`."""
        return (
            _longs(self.value)[entries],
            _bytes(self.type)[entries],
            _bytes(self.key, ADDRESS_KEY_WIDTH)[entries],
            _bytes(self.key_size)[entries],
        )


class RowColumns:
    """All rows in the order read. `first_input[r]:first_input[r + 1]` are row r's inputs."""

    def __init__(self) -> None:
        self.block = array("q")
        self.index = array("q")
        self.file = array("q")
        self.line = array("q")
        self.coinbase = bytearray()
        self.version = array("q")
        self.lock_time = array("q")
        self.txid = bytearray()
        self.digest = bytearray()
        self.first_input = array("q", [0])
        self.first_output = array("q", [0])
        self.prev_txid = bytearray()
        self.prev_index = array("q")
        self.sequence = array("q")
        self.prevouts = _Holdings()
        self.outputs = _Holdings()

    def append(self, row: Row, block: int, file: int, line: int) -> None:
        self.block.append(block)
        self.index.append(row.index)
        self.file.append(file)
        self.line.append(line)
        self.coinbase.append(row.coinbase)
        self.version.append(row.version)
        self.lock_time.append(row.lock_time)
        self.txid += row.txid
        self.digest += _digest(row)
        for spend in row.inputs:
            self.prev_txid += spend.txid
            self.prev_index.append(spend.index)
            self.sequence.append(spend.sequence)
            self.prevouts.append(spend.prevout)
        for output in row.outputs:
            self.outputs.append(output)
        self.first_input.append(len(self.prev_index))
        self.first_output.append(len(self.outputs.value))


@dataclass(frozen=True, slots=True)
class BlockColumns:
    """Per block of a batch, what the files say of it: [B] heights and times, [B, 32] hashes."""

    height: I64
    hash: U8
    parent: U8
    time: I64


class Settled:
    """The rows that count, grouped by block and in order of index, then txid, in each.

    `repeated` is the number of rows left out because they repeat another one in every field;
    `contradictions` lists (row, reason) of those left out because they contradict one.
    """

    def __init__(self, columns: RowColumns, blocks: int) -> None:
        self._columns = columns
        self._block = _longs(columns.block)
        self._words = _bytes(columns.txid, 32).view(">u8")
        self.contradictions: list[tuple[int, str]] = []
        keep = self._without_repeats()
        self._index = self._complete_index(keep)
        rows = np.flatnonzero(keep)
        words = [self._words[rows, n] for n in (3, 2, 1, 0)]
        self._rows: I64 = rows[np.lexsort((*words, self._index[rows], self._block[rows]))]
        self._first: I64 = np.searchsorted(self._block[self._rows], np.arange(blocks + 1))

    def _without_repeats(self) -> Bool:
        """Which rows are the first with their block and txid; fills `repeated`, `contradictions`."""
        order = np.lexsort((*(self._words[:, n] for n in (3, 2, 1, 0)), self._block))
        block, words = self._block[order], self._words[order]
        again = np.zeros(len(order), np.bool_)
        again[1:] = (block[1:] == block[:-1]) & (words[1:] == words[:-1]).all(axis=1)
        head = np.maximum.accumulate(np.where(again, 0, np.arange(len(order))))
        digest = _bytes(self._columns.digest, DIGEST_SIZE)[order]
        differs = again & (digest != digest[head]).any(axis=1)
        for row, first in zip(order[differs].tolist(), order[head[differs]].tolist(), strict=True):
            line = self._columns.line[first]
            self.contradictions.append((row, f"states the transaction of line {line} otherwise"))
        self.repeated = int(again.sum() - differs.sum())
        keep = np.ones(len(order), np.bool_)
        keep[order[again]] = False
        return keep

    def _complete_index(self, keep: Bool) -> I64:
        """Each row's index in its block; rows of a block that states none count in file order."""
        index = _longs(self._columns.index).copy()
        unstated = keep & (index == UNKNOWN)
        stated = np.zeros(int(self._block.max(initial=-1)) + 1, np.bool_)
        stated[self._block[keep & ~unstated]] = True
        mixed = np.flatnonzero(unstated & stated[self._block])
        self.contradictions += [(row, "index: missing, other rows of its block state one") for row in mixed.tolist()]
        keep[mixed] = False
        rows = np.flatnonzero(unstated & keep)
        rows = rows[np.argsort(self._block[rows], kind="stable")]
        index[rows] = np.arange(len(rows)) - np.searchsorted(self._block[rows], self._block[rows])
        return index

    def complete(self) -> Bool:
        """[B] whether a block starts with its coinbase and its indices count from 0 on."""
        place = np.arange(len(self._rows)) - self._first[self._block[self._rows]]
        coinbase = _bytes(self._columns.coinbase)[self._rows].astype(np.bool_)
        good = (self._index[self._rows] == place) & (coinbase == (place == 0))
        faults = np.bincount(self._block[self._rows][~good], minlength=len(self._first) - 1)
        return np.equal(faults, 0)

    def entries(self) -> I64:
        """[B] the number of inputs and outputs of each block."""
        columns = self._columns
        each = np.diff(_longs(columns.first_input)) + np.diff(_longs(columns.first_output))
        total = np.concatenate(([0], np.cumsum(each[self._rows])))
        return total[self._first[1:]] - total[self._first[:-1]]

    def batch(self, network: str, blocks: I64, said: BlockColumns) -> BlockBatch:
        """The columns of `blocks` in that order."""
        c = self._columns
        count = self._first[blocks + 1] - self._first[blocks]
        rows = self._rows[_ranges(self._first[blocks], count)]
        first_input, first_output = _longs(c.first_input), _longs(c.first_output)
        input_count, output_count = np.diff(first_input)[rows], np.diff(first_output)[rows]
        inputs = _ranges(first_input[rows], input_count)
        outputs = _ranges(first_output[rows], output_count)
        value, kind, key, key_size = c.outputs.take(outputs)
        prevout_value, prevout_type, prevout_key, prevout_key_size = c.prevouts.take(inputs)
        return BlockBatch(
            network=network,
            proof=Proof.STATED,
            raw=np.zeros(0, np.uint8),
            block_height=said.height,
            block_hash=said.hash,
            block_parent=said.parent,
            block_time=said.time,
            **_unstated(len(blocks), len(rows)),
            block_first_tx=_offsets(count),
            txid=_bytes(c.txid, 32)[rows],
            tx_index=self._index[rows],
            tx_coinbase=_bytes(c.coinbase)[rows].astype(np.bool_),
            tx_version=_longs(c.version)[rows],
            tx_lock_time=_longs(c.lock_time)[rows],
            tx_signing=np.full(len(rows), Signing.UNSTATED, np.uint8),
            tx_first_input=_offsets(input_count),
            tx_first_output=_offsets(output_count),
            input_prev_txid=_bytes(c.prev_txid, 32)[inputs],
            input_prev_index=_longs(c.prev_index)[inputs],
            input_sequence=_longs(c.sequence)[inputs],
            output_value=value,
            output_type=kind,
            output_key=key,
            output_key_size=key_size,
            prevout_value=prevout_value,
            prevout_type=prevout_type,
            prevout_key=prevout_key,
            prevout_key_size=prevout_key_size,
        )


def split(sizes: I64, limit: int) -> Iterator[slice]:
    """Consecutive runs whose sizes add up to `limit` or a little more (the last may be less)."""
    start = total = 0
    for place, size in enumerate(sizes.tolist()):
        total += size
        if total >= limit:
            yield slice(start, place + 1)
            start, total = place + 1, 0
    if start < len(sizes):
        yield slice(start, len(sizes))


def _unstated(blocks: int, txs: int) -> dict[str, Any]:
    """The columns that only serialized blocks can fill, as zeros."""
    per_block = ("block_start", "block_size", "block_version", "block_bits", "block_nonce")
    per_tx = ("tx_start", "tx_size", "tx_base_size")
    return {
        **{name: np.zeros(blocks, np.int64) for name in per_block},
        **{name: np.zeros(txs, np.int64) for name in per_tx},
        "block_merkle_root": np.zeros((blocks, 32), np.uint8),
        "wtxid": np.zeros((txs, 32), np.uint8),
    }


def _digest(row: Row) -> bytes:
    text = msgspec.msgpack.encode((row.index, row.coinbase, row.version, row.lock_time, row.inputs, row.outputs))
    return blake2b(text, digest_size=DIGEST_SIZE).digest()


def _longs(column: array[int]) -> I64:
    return np.frombuffer(column, np.int64)


def _bytes(column: bytearray, width: int = 0) -> U8:
    flat = np.frombuffer(column, np.uint8)
    return flat.reshape(-1, width) if width else flat


def _offsets(count: I64) -> I64:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(count)))


def _ranges(start: I64, count: I64) -> I64:
    """`start[i], start[i] + 1, …`, `count[i]` of them, for each i, one after another."""
    before = _offsets(count)
    return np.arange(before[-1], dtype=np.int64) + np.repeat(start - before[:-1], count)
