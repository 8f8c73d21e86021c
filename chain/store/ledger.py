"""The ledger in Postgres: datasets, commits of whole batches, rollbacks, and reading rows back for the columns."""

from __future__ import annotations

import io
from collections.abc import Mapping

import asyncpg
import numpy as np
import zstandard

from chain import dictionary, faults
from chain.bitcoin.network import Network
from chain.errors import IntegrityError, NotFound, StoreBusy, StoreError, StoreUnavailable
from chain.ledger import LaidRows
from chain.model import Array
from chain.source import Tip
from chain.store.copy import Field, decode, encode
from chain.store.dataset import COUNT_NAMES, Dataset, dataset_of
from chain.store.postgres import Connection, queries
from chain.store.rows import COPY_LAYOUTS, cut, narrow_tables, wide_tables

TX_LEAF = 1 << 25
"""Transactions in a leaf table: 64 leaves hold 2.1 thousand million."""

OUTPUT_LEAF = 1 << 27
"""Outputs, and inputs by the output they spend, in a leaf table: 64 leaves hold 8.6 thousand million."""


class LedgerStore:
    """Reads and writes one connection's database. Every method that writes is one transaction."""

    def __init__(self, connection: Connection, *, tx_leaf: int = TX_LEAF, output_leaf: int = OUTPUT_LEAF) -> None:
        self.connection = connection
        self._sql = queries("ledger")
        self._tx_leaf = tx_leaf
        self._output_leaf = output_leaf

    async def database_id(self) -> str:
        return str(await self.connection.fetchval(self._sql["database_id"]))

    async def datasets(self, chain: str | None = None) -> list[Dataset]:
        return [dataset_of(row) for row in await self.connection.fetch(self._sql["datasets"], chain)]

    async def dataset(self, name: str) -> Dataset:
        """NotFound where there is none of that name."""
        row = await self.connection.fetchrow(self._sql["dataset_by_name"], name)
        if row is None:
            raise NotFound(f"there is no dataset {name!r}")
        return dataset_of(row)

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
                await self.connection.execute(self._sql["redeclare_dataset"], name, network.name, anchor_height, kind)
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
        """Be the one writer of a dataset until `unlock_writer` or the connection's end; StoreBusy where another is."""
        if not await self.connection.fetchval(self._sql["lock_writer"], dataset.dataset_id):
            raise StoreBusy(f"another process writes to dataset {dataset.name}")

    async def unlock_writer(self, dataset: Dataset) -> None:
        await self.connection.fetchval(self._sql["unlock_writer"], dataset.dataset_id)

    async def commit(self, dataset: Dataset, rows: LaidRows, tip: Tip | None) -> None:
        """Add the rows and move the cursor over them, or nothing."""
        pid = self.connection.get_server_pid()
        try:
            async with self.connection.transaction():
                await self._add_leaves(dataset, rows)
                faults.reach("after_leaves", pid)
                for table, fields in narrow_tables(dataset, rows):
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
            await self.connection.execute(queries("links")["retire_links"], dataset.dataset_id, counts["tx"], epoch)
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
        return None if row is None or row["tx"] is None else dict(row)

    async def block_hash_at(self, dataset: Dataset, height: int) -> bytes | None:
        found: bytes | None = await self.connection.fetchval(self._sql["block_hash_at"], dataset.dataset_id, height)
        return found

    async def blocks(self, dataset: Dataset, first: int, last: int) -> list[asyncpg.Record]:
        """Header fields of the blocks with ids `first` to `last`."""
        return await self.connection.fetch(self._sql["blocks_between"], dataset.dataset_id, first, last)

    async def block_bytes(self, dataset: Dataset, block_id: int) -> bytes | None:
        """The canonical serialization of a block, None where its proof is "stated"."""
        row = await self.connection.fetchrow(self._sql["block_bytes"], dataset.dataset_id, block_id)
        return None if row is None else zstandard.ZstdDecompressor().decompress(row["bytes"])

    async def read_rows(
        self, dataset: Dataset, first: Mapping[str, int], last: Mapping[str, int], first_byte: int
    ) -> dict[str, Array]:
        """Committed rows between two counts, as the columns hold them; `first_byte`: where address bytes go on."""
        columns: dict[str, Array] = {}
        for name, layout in COPY_LAYOUTS.items():
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
            end = leaves[-1][2] if leaves else 0
            for number, low in enumerate(range(end, count, size), start=len(leaves)):
                name = f"{table}_{dataset.dataset_id}_{number}"
                await self.connection.execute(
                    self._sql["add_leaf"], table, name, dataset.dataset_id, id_column, low, low + size
                )

    async def _leaves(self, dataset: Dataset, table: str) -> list[tuple[str, int, int]]:
        """Name of each leaf table, and the ids that it takes, from and to before."""
        rows = await self.connection.fetch(self._sql["leaves"], f"{table}_{dataset.dataset_id}")
        return [(row["name"], row["low"], row["high"]) for row in rows]

    async def _copy_leaves(self, dataset: Dataset, rows: LaidRows) -> None:
        for table, ids, fields in wide_tables(dataset, rows):
            for name, low, high in await self._leaves(dataset, table):
                inside = (ids >= low) & (ids < high)
                if inside.all():
                    await self._copy(name, fields)
                elif inside.any():
                    await self._copy(name, [cut(field, inside) for field in fields])

    async def _copy(self, table: str, fields: list[Field]) -> None:
        if len(fields[0]):
            await self.connection.copy_to_table(table, source=io.BytesIO(encode(fields)), format="binary")


def _refused(error: asyncpg.UniqueViolationError) -> Exception:
    table = error.table_name or ""
    if table.startswith(("input", "outside_output")):
        return IntegrityError("double_spend", error.detail or table, "the output was spent before")
    return IntegrityError(error.constraint_name or "unique", error.detail or table, str(error))
