"""The ledger in Postgres: datasets, commits of whole batches, rollbacks, and reading rows back for the columns."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg
import numpy as np
import numpy.typing as npt
import zstandard

from chain import dictionary, faults
from chain.bitcoin.network import NETWORKS, Network
from chain.errors import IntegrityError, NotFound, StoreBusy, StoreError, StoreUnavailable
from chain.ledger import LaidRows
from chain.model import I64, UNKNOWN, Proof
from chain.source import Tip
from chain.store.copy import Booleans, Bytes, Field, Integers, decode, encode
from chain.store.postgres import Connection, queries

TX_LEAF = 1 << 25
"""Transactions in a leaf table: 64 leaves hold 2.1 thousand million."""

OUTPUT_LEAF = 1 << 27
"""Outputs, and inputs by the output they spend, in a leaf table: 64 leaves hold 8.6 thousand million."""

CODEC_ZSTD = 1
ZSTD_LEVEL = 1
"""Blocks are hashes and signatures for the most part: level 1 saves what can be saved, at the speed of the disk."""

_NO_VERSION = -(1 << 62)
"""Stands for a version that is not stated: any int32 can be one, -1 too."""

COUNT_NAMES = ("block", "tx", "input", "output", "outside", "address")
"""Counts in the order of the cursor's columns and of the queries' parameters."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A row of `dataset` with its cursor."""

    dataset_id: int
    name: str
    chain: str
    network: str
    kind: str
    anchor_height: int | None
    epoch: int
    counts: dict[str, int]
    tip: Tip | None
    """None while empty, and where an extract's last block has no height."""

    @property
    def is_full(self) -> bool:
        return self.kind == "full"

    @property
    def params(self) -> Network:
        return NETWORKS[self.network]


def _dataset(row: asyncpg.Record) -> Dataset:
    tip = None if row["tip_height"] is None else Tip(row["tip_height"], row["tip_hash"])
    counts = {name: row[f"{name}_count"] for name in COUNT_NAMES}
    return Dataset(
        row["dataset_id"], row["name"], row["chain"], row["network"], row["kind"], row["anchor_height"], row["epoch"],
        counts, tip,
    )  # fmt: skip


class LedgerStore:
    """Reads and writes one connection's database. Every method that writes is one transaction."""

    def __init__(
        self, connection: Connection, *, tx_leaf: int = TX_LEAF, output_leaf: int = OUTPUT_LEAF
    ) -> None:
        self.connection = connection
        self._sql = queries("ledger")
        self._tx_leaf = tx_leaf
        self._output_leaf = output_leaf

    async def database_id(self) -> str:
        return str(await self.connection.fetchval(self._sql["database_id"]))

    async def datasets(self, chain: str | None = None) -> list[Dataset]:
        return [_dataset(row) for row in await self.connection.fetch(self._sql["datasets"], chain)]

    async def dataset(self, name: str) -> Dataset:
        """NotFound where there is none of that name."""
        row = await self.connection.fetchrow(self._sql["dataset_by_name"], name)
        if row is None:
            raise NotFound(f"there is no dataset {name!r}")
        return _dataset(row)

    async def open_dataset(
        self, name: str, chain: str, network: Network, kind: str, anchor_height: int | None
    ) -> Dataset:
        """The dataset of that name, made where there is none. IntegrityError `network` on another network's."""
        async with self.connection.transaction():
            added = await self.connection.fetchval(
                self._sql["add_dataset"], name, chain, network.name, kind, anchor_height
            )
            if added is not None:
                await self.connection.execute(self._sql["add_dataset_partitions"], added)
            else:
                await self.connection.execute(
                    self._sql["redeclare_dataset"], name, network.name, anchor_height, kind
                )
        dataset = await self.dataset(name)
        if (dataset.network, dataset.chain) != (network.name, chain):
            raise IntegrityError(
                "network",
                f"dataset {name}",
                f"it holds {dataset.chain} {dataset.network}, not {chain} {network.name}",
            )
        if dataset.kind != kind:
            raise StoreError(f"dataset {name} is {dataset.kind}, not {kind}")
        return dataset

    async def lock_writer(self, dataset: Dataset) -> None:
        """Be the one writer of a dataset for as long as the connection lives; StoreBusy where another is."""
        if not await self.connection.fetchval(self._sql["lock_writer"], dataset.dataset_id):
            raise StoreBusy(f"another process writes to dataset {dataset.name}")

    async def commit(self, dataset: Dataset, rows: LaidRows, tip: Tip | None) -> None:
        """Add the rows and move the cursor over them, or nothing."""
        pid = self.connection.get_server_pid()
        try:
            async with self.connection.transaction():
                await self._add_leaves(dataset, rows)
                faults.reach("after_leaves", pid)
                for table, fields in _tables(dataset, rows):
                    await self._copy(table, fields)
                await self._copy_leaves(dataset, rows)
                faults.reach("after_copy", pid)
                after = rows.after
                moved = await self.connection.fetchval(
                    self._sql["move_cursor"], dataset.dataset_id, dataset.epoch, rows.before["tx"],
                    *(after[name] for name in COUNT_NAMES),
                    None if tip is None else tip.height, None if tip is None else tip.hash,
                )  # fmt: skip
                if moved is None:
                    raise StoreBusy(f"another writer moved the cursor of dataset {dataset.name}")
                faults.reach("before_commit", pid)
            faults.reach("after_commit", pid)
        except asyncpg.UniqueViolationError as error:
            raise _refused(error) from error
        except asyncpg.IntegrityConstraintViolationError as error:
            raise IntegrityError(
                error.constraint_name or "constraint", f"dataset {dataset.name}", str(error)
            ) from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise StoreUnavailable(f"the database did not take the batch: {error}") from error

    async def rollback(self, dataset: Dataset, block_id: int) -> Dataset:
        """Remove every block above `block_id` (-1: all). Their ids are free again; the epoch rises."""
        async with self.connection.transaction():
            counts, tip = await self.counts_at(dataset, block_id)
            values = [counts[name] for name in COUNT_NAMES]
            epoch = dataset.epoch + 1
            await self.connection.execute(
                queries("links")["retire_links"], dataset.dataset_id, counts["tx"], epoch
            )
            await self.connection.execute(
                self._sql["delete_rows"], dataset.dataset_id, counts["block"], counts["tx"], counts["output"],
                counts["address"],
            )  # fmt: skip
            await self.connection.execute(self._sql["record_rollback"], dataset.dataset_id, epoch, *values)
            moved = await self.connection.fetchval(
                self._sql["reset_cursor"], dataset.dataset_id, epoch, *values,
                None if tip is None else tip.height, None if tip is None else tip.hash,
            )  # fmt: skip
            if moved is None:
                raise StoreBusy(f"another writer moved the cursor of dataset {dataset.name}")
        return await self.dataset(dataset.name)

    async def counts_at(self, dataset: Dataset, block_id: int) -> tuple[dict[str, int], Tip | None]:
        """Counts of the rows up to and with a block (-1: none), and that block."""
        if block_id < 0:
            return dict.fromkeys(COUNT_NAMES, 0), None
        row = await self.connection.fetchrow(self._sql["counts_at"], dataset.dataset_id, block_id)
        if row is None:
            raise NotFound(f"dataset {dataset.name} has no block {block_id}")
        tip = None if row["tip_height"] is None else Tip(row["tip_height"], row["tip_hash"])
        return {name: row[name] for name in COUNT_NAMES}, tip

    async def catch_up_blocks(self, dataset: Dataset, first_block: int, txs: int) -> list[int]:
        """Block ids up to the last one, each about `txs` transactions after the one before."""
        rows = await self.connection.fetch(self._sql["catch_up_blocks"], dataset.dataset_id, first_block, txs)
        return [row["block_id"] for row in rows]

    async def fallback(self, dataset: Dataset, epoch: int) -> dict[str, int] | None:
        """What a follower of `epoch` must fall back to; None where nothing was rolled back since."""
        row = await self.connection.fetchrow(self._sql["fallback"], dataset.dataset_id, epoch)
        return None if row["tx"] is None else dict(row)

    async def block_hash_at(self, dataset: Dataset, height: int) -> bytes | None:
        found: bytes | None = await self.connection.fetchval(
            self._sql["block_hash_at"], dataset.dataset_id, height
        )
        return found

    async def blocks(self, dataset: Dataset, first: int, last: int) -> list[asyncpg.Record]:
        """Header fields of the blocks with ids `first` to `last`."""
        return await self.connection.fetch(self._sql["blocks_between"], dataset.dataset_id, first, last)  # type: ignore[no-any-return]

    async def block_bytes(self, dataset: Dataset, block_id: int) -> bytes | None:
        """The canonical serialization of a block, None where its proof is "stated"."""
        row = await self.connection.fetchrow(self._sql["block_bytes"], dataset.dataset_id, block_id)
        return None if row is None else zstandard.ZstdDecompressor().decompress(row["bytes"])

    async def read_rows(
        self, dataset: Dataset, first: Mapping[str, int], last: Mapping[str, int], first_byte: int
    ) -> dict[str, npt.NDArray[np.generic]]:
        """Committed rows between two counts, as the columns hold them; `first_byte`: where address bytes go on."""
        columns: dict[str, npt.NDArray[np.generic]] = {}
        for name, layout in _COPY_LAYOUTS.items():
            by = {"input": "tx", "outside": "output"}.get(name, name)
            sql = self._sql[f"copy_{name}"].format(dataset=dataset.dataset_id, first=first[by], last=last[by])
            buffer = io.BytesIO()
            await self.connection.copy_from_query(sql, output=buffer, format="binary")
            columns.update(decode(buffer.getvalue(), layout))
        starts, blob = dictionary.pack_keys(
            columns.pop("address_key"), columns.pop("address_key_size").astype(np.uint8), first_byte
        )
        return {**columns, "address_start": starts, "address_bytes": blob}

    async def _add_leaves(self, dataset: Dataset, rows: LaidRows) -> None:
        after = rows.after
        for table, id_column, size, count in (
            ("tx", "tx_id", self._tx_leaf, after["tx"]),
            ("output", "output_id", self._output_leaf, after["output"]),
            ("input", "output_id", self._output_leaf, after["output"]),
        ):
            leaves = await self._leaves(dataset, table)
            for low in range(leaves[-1][1] + size if leaves else 0, count, size):
                name = f"{table}_{dataset.dataset_id}_{low // size}"
                await self.connection.execute(
                    self._sql["add_leaf"], table, name, dataset.dataset_id, id_column, low, low + size
                )

    async def _leaves(self, dataset: Dataset, table: str) -> list[tuple[str, int]]:
        rows = await self.connection.fetch(self._sql["leaves"], f"{table}_{dataset.dataset_id}")
        return [(row["name"], row["low"]) for row in rows]

    async def _copy_leaves(self, dataset: Dataset, rows: LaidRows) -> None:
        for table, ids, fields, size in _wide_tables(dataset, rows, self._tx_leaf, self._output_leaf):
            for name, low in await self._leaves(dataset, table):
                inside = (ids >= low) & (ids < low + size)
                if inside.all():
                    await self._copy(name, fields)
                elif inside.any():
                    await self._copy(name, [_cut(field, inside) for field in fields])

    async def _copy(self, table: str, fields: list[Field]) -> None:
        if len(fields[0]):
            await self.connection.copy_to_table(table, source=io.BytesIO(encode(fields)), format="binary")


def _refused(error: asyncpg.UniqueViolationError) -> Exception:
    table = error.table_name or ""
    if table.startswith(("input", "outside_output")):
        return IntegrityError("double_spend", error.detail or table, "the output was spent before")
    return IntegrityError(error.constraint_name or "unique", error.detail or table, str(error))


def _cut(field: Field, rows: npt.NDArray[np.bool_]) -> Field:
    if isinstance(field, Integers):
        return Integers(field.values[rows], field.width, field.null)
    if isinstance(field, Booleans):
        return Booleans(field.values[rows])
    return Bytes(field.flat, field.starts[rows], field.sizes[rows])


def _same(dataset: Dataset, rows: int) -> Integers:
    return Integers(np.full(rows, dataset.dataset_id), 2)


def _tables(dataset: Dataset, rows: LaidRows) -> list[tuple[str, list[Field]]]:
    """The narrow tables' fields, in the order of the tables' columns."""
    batch, columns, before = rows.batch, rows.columns, rows.before
    blocks = np.arange(batch.block_count) + before["block"]
    stated = batch.proofs == Proof.STATED
    anchor = np.zeros(batch.block_count, np.bool_)
    if dataset.is_full:
        anchor = batch.block_height == dataset.anchor_height
    parent = np.where(anchor | (not dataset.is_full), UNKNOWN, batch.block_height - 1)
    tables: list[tuple[str, list[Field]]] = [
        (
            "block",
            [
                _same(dataset, batch.block_count),
                Integers(blocks, 4),
                Integers(batch.block_height, 4, UNKNOWN),
                Bytes.rows(batch.block_hash),
                Integers(parent, 4, UNKNOWN),
                _nullable_hash(batch.block_parent, batch.block_parent.any(axis=1)),
                Integers(batch.block_time, 8),
                Integers(np.where(stated, _NO_VERSION, batch.block_version), 8, _NO_VERSION),
                _nullable_hash(batch.block_merkle_root, ~stated),
                Integers(np.where(stated, UNKNOWN, batch.block_bits), 8, UNKNOWN),
                Integers(np.where(stated, UNKNOWN, batch.block_nonce), 8, UNKNOWN),
                Integers(np.where(stated, UNKNOWN, batch.block_size), 4, UNKNOWN),
                Integers(columns["block_first_tx"], 8),
                Integers(np.diff(batch.block_first_tx), 4),
                *(Integers(rows.block_after[name], width) for name, width in _AFTER),
                Integers(rows.block_unclaimed, 8, UNKNOWN),
                Integers(columns["block_proof"], 2),
            ],
        ),
        (
            "address",
            [
                _same(dataset, len(rows.address_key)),
                Integers(np.arange(len(rows.address_key)) + before["address"], 4),
                Integers(rows.address_key[:, 0], 2),
                Bytes.rows(rows.address_key, rows.address_key_size, skip=1),
            ],
        ),
    ]
    outside = columns["outside_output"]
    tables.append(
        (
            "outside_output",
            [
                _same(dataset, len(outside)),
                Integers(outside, 8),
                Bytes.rows(columns["outside_txid"]),
                Integers(columns["outside_index"], 8),
            ],
        )
    )
    proven = np.flatnonzero(~stated)
    tables.append(
        (
            "block_bytes",
            [
                _same(dataset, len(proven)),
                Integers(blocks[proven], 4),
                Integers(np.full(len(proven), CODEC_ZSTD), 2),
                _compressed(rows, proven),
            ],
        )
    )
    return tables


_AFTER = (("input", 8), ("output", 8), ("outside", 8), ("address", 4))
"""Counts that each block keeps, with the width of their columns."""


def _nullable_hash(hashes: npt.NDArray[np.uint8], known: npt.NDArray[np.bool_]) -> Bytes:
    """Hashes where they are known, NULL elsewhere."""
    return Bytes.rows(hashes, np.where(known, hashes.shape[1], UNKNOWN))


def _compressed(rows: LaidRows, blocks: I64) -> Bytes:
    """One zstandard frame for each of `blocks` (one Python step a block, not a transaction)."""
    batch = rows.batch
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
    frames = [
        compressor.compress(memoryview(batch.raw[start : start + size]))
        for start, size in zip(
            batch.block_start[blocks].tolist(), batch.block_size[blocks].tolist(), strict=True
        )
    ]
    sizes = np.array([len(frame) for frame in frames], np.int64)
    return Bytes.packed(np.frombuffer(b"".join(frames), np.uint8), sizes)


def _wide_tables(
    dataset: Dataset, rows: LaidRows, tx_leaf: int, output_leaf: int
) -> list[tuple[str, I64, list[Field], int]]:
    """Each wide table with the id that its leaves are cut by, its fields, and the size of a leaf."""
    batch, columns, before = rows.batch, rows.columns, rows.before
    tx_ids = np.arange(batch.tx_count) + before["tx"]
    outputs = len(columns["output_value"])
    output_ids = np.arange(outputs) + before["output"]
    spends = columns["input_spends"].astype(np.int64)
    stated = batch.proofs[columns["tx_block"] - before["block"]] == Proof.STATED
    return [
        (
            "tx",
            tx_ids,
            [
                _same(dataset, batch.tx_count),
                Integers(tx_ids, 8),
                Integers(columns["tx_block"], 4),
                Integers(batch.tx_index, 4),
                Bytes.rows(batch.txid),
                Booleans(batch.tx_coinbase),
                Integers(np.where(stated, _NO_VERSION, batch.tx_version), 4, _NO_VERSION),
                Integers(batch.tx_lock_time, 8, UNKNOWN),
                Integers(batch.tx_start, 4),
                Integers(batch.tx_size, 4),
                Integers(batch.tx_base_size, 4),
                Integers(columns["tx_first_input"], 8),
                Integers(rows.tx_input_count, 4),
                Integers(columns["tx_first_output"], 8),
                Integers(rows.tx_output_count, 4),
                Integers(columns["tx_fee"], 8, UNKNOWN),
            ],
            tx_leaf,
        ),
        (
            "output",
            output_ids,
            [
                _same(dataset, outputs),
                Integers(output_ids, 8),
                Integers(rows.output_tx, 8, UNKNOWN),
                Integers(rows.output_index, 4),
                Integers(columns["output_address"], 4, UNKNOWN),
                Integers(columns["output_type"], 2),
                Integers(columns["output_value"], 8, UNKNOWN),
            ],
            output_leaf,
        ),
        (
            "input",
            spends,
            [
                _same(dataset, batch.input_count),
                Integers(spends, 8),
                Integers(rows.input_tx, 8),
                Integers(rows.input_index, 4),
                Integers(batch.input_sequence, 8, UNKNOWN),
            ],
            output_leaf,
        ),
    ]


_COPY_LAYOUTS: dict[str, list[tuple[str, int]]] = {
    "block": [("block_height:i", 4), ("block_time:i", 8), ("block_hash:b", 32), ("block_first_tx:i", 8),
              ("block_proof:i", 2)],
    "tx": [("tx_txid:b", 32), ("tx_block:i", 4), ("tx_index:i", 4), ("tx_coinbase:i", 4), ("tx_version:i", 4),
           ("tx_lock_time:i", 8), ("tx_start:i", 4), ("tx_size:i", 4), ("tx_base_size:i", 4),
           ("tx_first_input:i", 8), ("tx_first_output:i", 8), ("tx_output_count:i", 4), ("tx_fee:i", 8)],
    "input": [("input_spends:i", 8), ("input_sequence:i", 8)],
    "output": [("output_address:i", 4), ("output_value:i", 8), ("output_type:i", 2)],
    "outside": [("outside_output:i", 8), ("outside_txid:b", 32), ("outside_index:i", 8)],
    "address": [("address_key_size:i", 4), ("address_key:b", 42)],
}  # fmt: skip
