"""Laying blocks into the ledger: which output each input spends, which address each output names, in dense ids.

Rows are laid in chain order. The outputs that a transaction spends from outside the dataset get ids just before its
own outputs, so that ids rise along the chain for every holding. What cannot be laid is refused by the name of the
check (docs/verification.md) and leaves nothing behind: the caller drops what was staged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain import dictionary
from chain.bitcoin.checks import NONE, first_repeat
from chain.bitcoin.network import Network
from chain.bitcoin.verify import verify_prevouts, verify_values
from chain.column_writer import ColumnWriter
from chain.errors import IntegrityError, LimitExceeded
from chain.model import I32, I64, U8, UNKNOWN, Array, BlockBatch, Bool, hash_text

MAX_ADDRESSES = (1 << 31) - 1
"""Address ids are 32-bit, which halves the arrays over addresses; Bitcoin has used 1.4 thousand million."""


@dataclass(frozen=True, slots=True)
class LaidRows:
    """A batch in dense ids: what goes into Postgres and, as `columns`, behind the arrays."""

    batch: BlockBatch
    before: dict[str, int]
    """Counts in front of the batch."""
    columns: dict[str, Array]
    block_unclaimed: I64
    block_after: dict[str, I64]
    """Per block: counts of the dataset's inputs, outputs, outside outputs and addresses up to and with it."""
    tx_output_count: I64
    tx_input_count: I64
    output_tx: I64
    """Per output row, outside ones included (-1)."""
    output_index: I64
    """Place in the transaction; -1 for an outside output, whose index any 32-bit number can be."""
    input_tx: I64
    input_index: I64
    address_key: U8
    """[new addresses, ADDRESS_KEY_WIDTH]"""
    address_key_size: U8

    @property
    def after(self) -> dict[str, int]:
        grown = dict(self.before)
        for name, array in (
            ("block", "block_height"), ("tx", "tx_block"), ("input", "input_spends"), ("output", "output_value"),
            ("outside", "outside_output"), ("address", "address_start"), ("address_byte", "address_bytes"),
        ):  # fmt: skip
            grown[name] += len(self.columns[array])
        return grown


def lay(batch: BlockBatch, writer: ColumnWriter, network: Network, *, outside: bool, whole: bool) -> LaidRows:
    """Check what `batch` spends and moves, give its rows ids behind the writer's last ones, add its keys.

    `outside`: inputs may spend outputs of transactions that the dataset does not hold (an extract, or a full
    dataset anchored above genesis). `whole`: stated blocks hold all their transactions. IntegrityError names the
    check that failed; the dictionaries then run ahead and the caller truncates the writer. The blocks themselves
    were verified before (chain/bitcoin/verify.py).
    """
    before = dict(writer.counts)
    writer.make_room(batch.tx_count, batch.output_count + batch.input_count)
    if before["address"] + batch.output_count + batch.input_count > MAX_ADDRESSES:
        raise LimitExceeded(f"a dataset holds at most {MAX_ADDRESSES} addresses")

    prev = _find_parents(batch, writer)
    if not outside and bool((prev < 0).any()):
        _refuse_missing(batch, int(np.flatnonzero(prev < 0)[0]))
    place = _Places.of(batch, prev, before)
    spends = _find_outputs(batch, writer, prev, place)
    _refuse_double_spends(batch, writer, spends, within=not whole)

    value = place.gather(batch.output_value, batch.prevout_value)
    kind = place.gather(batch.output_type, batch.prevout_type)
    key = place.gather(batch.output_key, batch.prevout_key)
    key_size = place.gather(batch.output_key_size, batch.prevout_key_size)
    address, fresh = _find_addresses(writer, key, key_size)
    prevout_value = _at(writer.array("output_value"), value, spends)
    _verify_stated(batch, writer, spends, prevout_value, address, key[fresh], key_size[fresh])
    money = verify_values(batch, network, prevout_value, stated_whole=whole)
    new_key, new_size = key[fresh], key_size[fresh]
    starts, blob = dictionary.pack_keys(new_key, new_size, before["address_byte"])
    input_counts = np.diff(batch.tx_first_input)
    outside_rows = np.flatnonzero(place.is_outside)
    columns: dict[str, Array] = {
        "block_height": batch.block_height,
        "block_time": batch.block_time,
        "block_hash": batch.block_hash,
        "block_first_tx": batch.block_first_tx[:-1] + before["tx"],
        "block_proof": batch.proofs,
        "tx_txid": batch.txid,
        "tx_block": _owner(batch.block_first_tx) + before["block"],
        "tx_index": batch.tx_index,
        "tx_coinbase": batch.tx_coinbase,
        "tx_version": batch.tx_version,
        "tx_lock_time": batch.tx_lock_time,
        "tx_signing": batch.tx_signing,
        "tx_start": batch.tx_start,
        "tx_size": batch.tx_size,
        "tx_base_size": batch.tx_base_size,
        "tx_first_input": batch.tx_first_input[:-1] + before["input"],
        "tx_first_output": place.first_output,
        "tx_output_count": np.diff(batch.tx_first_output),
        "tx_fee": money.fee,
        "input_spends": spends,
        "input_sequence": batch.input_sequence,
        "output_address": address,
        "output_value": value,
        "output_type": kind,
        "outside_output": place.outside_row[outside_rows] + before["output"],
        "outside_txid": batch.input_prev_txid[outside_rows],
        "outside_index": batch.input_prev_index[outside_rows],
        "address_start": starts,
        "address_bytes": blob,
    }
    return LaidRows(
        batch=batch,
        before=before,
        columns=columns,
        block_unclaimed=money.unclaimed,
        block_after=place.counts_after(batch, before, fresh),
        tx_output_count=np.diff(batch.tx_first_output),
        tx_input_count=input_counts,
        output_tx=place.row_tx(before),
        output_index=place.row_index(batch),
        input_tx=_owner(batch.tx_first_input) + before["tx"],
        input_index=np.arange(batch.input_count) - np.repeat(batch.tx_first_input[:-1], input_counts),
        address_key=new_key,
        address_key_size=new_size,
    )


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the rows of the output table go: each transaction's outside outputs, then its own."""

    is_outside: Bool
    """Per input."""
    outside_row: I64
    """Per input: its row in the batch's output rows, where it spends from outside."""
    own_row: I64
    """Per output of the batch: its row."""
    own_tx: I64
    """Per output of the batch: its transaction in the batch."""
    first_output: I64
    """Per transaction: the id of its first own output."""
    rows: int

    @classmethod
    def of(cls, batch: BlockBatch, prev: I64, before: dict[str, int]) -> _Places:
        is_outside = prev < 0
        input_tx = _owner(batch.tx_first_input)
        outside_count = np.bincount(input_tx[is_outside], minlength=batch.tx_count)
        own_count = np.diff(batch.tx_first_output)
        ahead = np.cumsum(outside_count)  # outside rows up to and with each transaction
        own_tx = _owner(batch.tx_first_output)
        own_row = np.arange(batch.output_count) + ahead[own_tx] if batch.output_count else np.empty(0, np.int64)
        outside_row = np.full(batch.input_count, UNKNOWN, np.int64)
        at = np.flatnonzero(is_outside)
        outside_row[at] = np.arange(len(at)) + batch.tx_first_output[input_tx[at]]
        first = batch.tx_first_output[:-1] + ahead + before["output"]
        return cls(is_outside, outside_row, own_row, own_tx, first, int(own_count.sum()) + len(at))

    def gather(self, own: Array, outside: Array) -> Array:
        """Output rows in order, from the batch's outputs and what its inputs say of outside ones."""
        rows = np.empty((self.rows, *own.shape[1:]), own.dtype)
        rows[self.own_row] = own
        rows[self.outside_row[self.is_outside]] = outside[self.is_outside]
        return rows

    def row_tx(self, before: dict[str, int]) -> I64:
        tx = np.full(self.rows, UNKNOWN, np.int64)
        tx[self.own_row] = self.own_tx + before["tx"]
        return tx

    def row_index(self, batch: BlockBatch) -> I64:
        index = np.full(self.rows, UNKNOWN, np.int64)
        index[self.own_row] = np.arange(batch.output_count) - batch.tx_first_output[self.own_tx]
        return index

    def counts_after(self, batch: BlockBatch, before: dict[str, int], fresh: I64) -> dict[str, I64]:
        """Counts after each block; `fresh`: the rows that brought a new address, ascending."""
        last_tx = batch.block_first_tx[1:]
        last_input = batch.tx_first_input[last_tx]
        outside = np.concatenate(([0], np.cumsum(self.is_outside)))[last_input]
        outputs = batch.tx_first_output[last_tx] + outside
        return {
            "input": last_input + before["input"],
            "output": outputs + before["output"],
            "outside": outside + before["outside"],
            "address": np.searchsorted(fresh, outputs) + before["address"],
        }


def _owner(first: I64) -> I64:
    """For offsets [n + 1] the owner of each element."""
    return np.repeat(np.arange(len(first) - 1, dtype=np.int64), np.diff(first))


def _find_parents(batch: BlockBatch, writer: ColumnWriter) -> I64:
    """The transaction that each input spends from, -1 where the dataset does not hold it; only earlier ones."""
    base, seed = writer.counts["tx"], writer.seed
    slots = writer.slots["txid"].ids
    dictionary.add_txids(slots, seed, batch.txid, base)
    limit = _owner(batch.tx_first_input) + base
    found: I64 = dictionary.find_txids(slots, seed, writer.array("tx_txid"), batch.txid, batch.input_prev_txid, limit)
    return found


def _find_outputs(batch: BlockBatch, writer: ColumnWriter, prev: I64, place: _Places) -> I64:
    """The output id that each input spends."""
    first = _at(writer.array("tx_first_output"), place.first_output, prev)
    count = _at(writer.array("tx_output_count"), np.diff(batch.tx_first_output), prev)
    missing = (prev >= 0) & (batch.input_prev_index >= count)
    if bool(missing.any()):
        _refuse_missing(batch, int(np.flatnonzero(missing)[0]))
    spends = first + batch.input_prev_index
    outside = place.outside_row + writer.counts["output"]
    return np.where(prev >= 0, spends, outside)


def _at(stored: Array, fresh: Array, ids: I64) -> I64:
    """Elements by id from the stored rows and the batch's own behind them; -1 for id -1."""
    found = np.full(len(ids), UNKNOWN, np.int64)
    old = (ids >= 0) & (ids < len(stored))
    found[old] = stored[ids[old]]
    new = ids >= len(stored)
    found[new] = fresh[ids[new] - len(stored)]
    return found


def _find_addresses(writer: ColumnWriter, key: U8, key_size: U8) -> tuple[I32, I64]:
    return dictionary.add_addresses(  # type: ignore[no-any-return]
        writer.slots["address"].ids, writer.seed,
        writer.array("address_start"), writer.array("address_bytes"), key, key_size,
    )  # fmt: skip


def _verify_stated(
    batch: BlockBatch,
    writer: ColumnWriter,
    spends: I64,
    prevout_value: I64,
    address: I32,
    fresh_key: U8,
    fresh_size: U8,
) -> None:
    """`prevout_mismatch`: what the source says of an output that we hold is what we hold."""
    named = np.flatnonzero(batch.prevout_key_size)
    if not len(named) and not (batch.prevout_value >= 0).any():
        return
    held = _at(writer.array("output_address"), address, spends[named])
    base = writer.counts["address"]
    key, size = np.zeros_like(batch.prevout_key), np.zeros_like(batch.prevout_key_size)
    old, fresh = np.flatnonzero((held >= 0) & (held < base)), np.flatnonzero(held >= base)
    key[named[old]], size[named[old]] = dictionary.unpack_keys(
        writer.array("address_start"), writer.array("address_bytes"), held[old], key.shape[1]
    )
    key[named[fresh]], size[named[fresh]] = fresh_key[held[fresh] - base], fresh_size[held[fresh] - base]
    verify_prevouts(batch, prevout_value, key, size)


def _refuse_double_spends(batch: BlockBatch, writer: ColumnWriter, spends: I64, *, within: bool) -> None:
    """`double_spend`; `within`: the batch was put together of several that were verified each by itself."""
    if within:
        _, later = first_repeat(spends.reshape(-1, 1))
        if later != NONE:
            _refuse_input(batch, later, "double_spend", "another transaction of the dataset spends it too")
    old = np.flatnonzero(spends < writer.counts["output"])
    spent = writer.spent[spends[old]]
    if bool(spent.any()):
        _refuse_input(batch, int(old[np.flatnonzero(spent)[0]]), "double_spend", "the output was spent before")


def _refuse_missing(batch: BlockBatch, i: int) -> None:
    _refuse_input(batch, i, "prevout_missing", "no earlier transaction of the dataset has this output")


def _refuse_input(batch: BlockBatch, i: int, check: str, detail: str) -> None:
    t = int(np.searchsorted(batch.tx_first_input, i, side="right")) - 1
    b = int(np.searchsorted(batch.block_first_tx, t, side="right")) - 1
    outpoint = f"{hash_text(batch.input_prev_txid[i])}:{int(batch.input_prev_index[i])}"
    height = int(batch.block_height[b])
    where = f"height {height}" if height >= 0 else f"block {hash_text(batch.block_hash[b])}"
    place = f"{where}, transaction {hash_text(batch.txid[t])}, input {i - int(batch.tx_first_input[t])}"
    raise IntegrityError(check, place, f"{outpoint}: {detail}")
