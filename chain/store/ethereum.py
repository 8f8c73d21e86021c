"""Ethereum's ledger in Postgres: datasets, commits of whole batches, rollbacks, and reading rows back."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import asyncpg
import numpy as np
import zstandard

from chain import faults
from chain.errors import IntegrityError, NotFound, StoreBusy, StoreError, StoreUnavailable
from chain.ethereum.laying import COUNT_NAMES, LaidBatch
from chain.ethereum.tokens import TokenFacts
from chain.model import I64, U8, UNKNOWN, AddressKind, Array
from chain.source import Tip
from chain.store import ethereum_rows, numeric
from chain.store.copy import Field, encode
from chain.store.ethereum_rows import COPY_FIELDS, tables
from chain.store.postgres import Connection, queries
from chain.store.rows import cut

TX_LEAF = 1 << 26
"""Transactions in a leaf table: 64 leaves hold 4.3 thousand million."""

MOVEMENT_LEAF = 1 << 28
"""Movements in a leaf table: 64 leaves hold 17 thousand million."""


@dataclass(frozen=True, slots=True)
class EthereumDataset:
    """A row of `dataset` with its cursor; `network` is the chain id in decimal."""

    dataset_id: int
    name: str
    network: str
    kind: str
    anchor_height: int | None
    epoch: int
    counts: dict[str, int]
    tip: Tip | None
    """None while empty; `hash` empty where a file did not state it."""

    @property
    def chain_id(self) -> int:
        return int(self.network)

    @property
    def is_full(self) -> bool:
        return self.kind == "full"


def dataset_of(row: asyncpg.Record) -> EthereumDataset:
    tip = None if row["tip_height"] is None else Tip(row["tip_height"], row["tip_hash"] or b"")
    counts = {name: row[f"{name}_count"] for name in COUNT_NAMES}
    return EthereumDataset(
        row["dataset_id"], row["name"], row["network"], row["kind"], row["anchor_height"], row["epoch"], counts, tip
    )


class EthereumStore:
    """Reads and writes one connection's database. Every method that writes is one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = queries("ethereum")
        self._ledger = queries("ledger")

    async def datasets(self, name: str | None = None) -> list[EthereumDataset]:
        return [dataset_of(row) for row in await self.connection.fetch(self._sql["datasets"], name)]

    async def dataset(self, name: str) -> EthereumDataset:
        """NotFound where there is none of that name."""
        row = await self.connection.fetchrow(self._sql["dataset_by_name"], name)
        if row is None:
            raise NotFound(f"there is no Ethereum dataset {name!r}")
        return dataset_of(row)

    async def open_dataset(self, name: str, chain_id: int, kind: str, anchor_height: int | None) -> EthereumDataset:
        """The dataset of that name, made where there is none. IntegrityError `network` on another network's."""
        async with self.connection.transaction():
            added = await self.connection.fetchval(self._sql["add_dataset"], name, str(chain_id), kind, anchor_height)
            if added is not None:
                await self.connection.execute(self._sql["add_partitions"], added)
            else:
                await self.connection.execute(self._sql["redeclare_dataset"], name, str(chain_id), anchor_height, kind)
        if await self.connection.fetchval(self._sql["chain_of_name"], name) != "eth":
            raise StoreError(f"dataset {name} is not of Ethereum")
        dataset = await self.dataset(name)
        if dataset.chain_id != chain_id:
            raise IntegrityError("network", f"dataset {name}", f"it holds chain {dataset.network}, not {chain_id}")
        if dataset.kind != kind:
            raise StoreError(f"dataset {name} is {dataset.kind}, not {kind}")
        return dataset

    async def lock_writer(self, dataset: EthereumDataset) -> None:
        """Be the one writer of a dataset until `unlock_writer` or the connection's end; StoreBusy where another is."""
        if not await self.connection.fetchval(self._ledger["lock_writer"], dataset.dataset_id):
            raise StoreBusy(f"another process writes to dataset {dataset.name}")

    async def unlock_writer(self, dataset: EthereumDataset) -> None:
        await self.connection.fetchval(self._ledger["unlock_writer"], dataset.dataset_id)

    async def known_addresses(self, dataset: EthereumDataset, keys: U8) -> I64:
        """The id of each address [n, 20], `UNKNOWN` where the dataset has not seen it."""
        if not dataset.counts["address"]:
            return np.full(len(keys), UNKNOWN, np.int64)
        texts = [row.tobytes() for row in keys]
        rows = await self.connection.fetch(
            self._sql["addresses_of"], dataset.dataset_id, texts, int(AddressKind.ACCOUNT)
        )
        ids = {row["payload"]: row["address_id"] for row in rows}
        return np.array([ids.get(text, UNKNOWN) for text in texts], np.int64)

    async def assets(self, dataset: EthereumDataset) -> dict[tuple[int, int], int]:
        """Asset ids by contract id (`UNKNOWN` for ether) and standard."""
        rows = await self.connection.fetch(self._sql["assets_of"], dataset.dataset_id)
        return {
            (UNKNOWN if row["contract_id"] is None else row["contract_id"], row["standard"]): row["asset_id"]
            for row in rows
        }

    async def fungible(self, dataset: EthereumDataset, contract: bytes | None) -> tuple[int, int | None] | None:
        """Id and stated decimals of an ERC-20 token, or of ether for None; None where the dataset has not seen it."""
        row = await self.connection.fetchrow(self._sql["fungible"], dataset.dataset_id, contract)
        return None if row is None else (row["asset_id"], row["decimals"])

    async def payments(
        self, dataset: EthereumDataset, asset: int, low: int, high: int, since: int, until: int, limit: int
    ) -> list[asyncpg.Record]:
        """Movements of `low` to `high` base units in the seconds from `since` to `until`, all included, in order."""
        span = await self.connection.fetchrow(self._sql["movements_between"], dataset.dataset_id, since, until)
        assert span is not None, "an aggregate has a row"
        found: list[asyncpg.Record] = await self.connection.fetch(
            self._sql["payments"], dataset.dataset_id, span["first"], span["last"], asset, Decimal(low), Decimal(high),
            since, until, limit,
        )  # fmt: skip
        return found

    async def commit(self, dataset: EthereumDataset, laid: LaidBatch) -> None:
        """Add the rows and move the cursor over them, or nothing."""
        pid = self.connection.get_server_pid()
        batch = laid.batch
        tip_hash = batch.block_hash[-1].tobytes() if batch.block_count and batch.block_hash[-1].any() else None
        try:
            async with self.connection.transaction():
                await self._add_leaves(dataset, laid)
                for table, ids, fields in tables(dataset.dataset_id, laid, anchor=self._anchor(dataset)):
                    await self._copy(dataset, table, ids, fields)
                faults.reach("after_copy", pid)
                moved = await self.connection.fetchval(
                    self._sql["move_cursor"], dataset.dataset_id, dataset.epoch, laid.before["block"],
                    *(laid.after[name] for name in COUNT_NAMES), int(batch.block_height[-1]), tip_hash,
                )  # fmt: skip
                if moved is None:
                    raise StoreBusy(f"another writer moved the cursor of dataset {dataset.name}")
                faults.reach("before_commit", pid)
        except asyncpg.IntegrityConstraintViolationError as error:
            where = f"dataset {dataset.name}"
            raise IntegrityError(error.constraint_name or "constraint", where, str(error)) from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise StoreUnavailable(f"the database did not take the batch: {error}") from error

    @staticmethod
    def _anchor(dataset: EthereumDataset) -> int | None:
        return dataset.anchor_height if dataset.is_full else None

    async def keep_tokens(self, dataset: EthereumDataset, tokens: Sequence[TokenFacts]) -> None:
        """What contracts say of themselves; a later word takes the place of an earlier one."""
        rows = [(dataset.dataset_id, each.contract, each.name, each.symbol, each.decimals) for each in tokens]
        await self.connection.executemany(self._sql["keep_token"], rows)

    async def unnamed_tokens(self, dataset: EthereumDataset, most: int) -> list[bytes]:
        """Contracts of tokens of which no words are kept, not even that there are none."""
        rows = await self.connection.fetch(
            self._sql["unnamed_tokens"], dataset.dataset_id, dataset.counts["asset"], most
        )
        return [row["contract"] for row in rows]

    async def set_faults(self, dataset: EthereumDataset, faults: Mapping[bytes, int]) -> None:
        """Why the amounts of tokens, by contract, cannot be followed; in the place of what was said before."""
        await self.connection.execute(self._sql["clear_faults"], dataset.dataset_id)
        rows = [(dataset.dataset_id, contract, fault) for contract, fault in faults.items()]
        await self.connection.executemany(self._sql["add_fault"], rows)

    async def rollback(self, dataset: EthereumDataset, block_id: int) -> EthereumDataset:
        """Remove every block above `block_id` (-1: all). Their ids are free again; the epoch rises."""
        async with self.connection.transaction():
            counts, tip = dict.fromkeys(COUNT_NAMES, 0), None
            if block_id >= 0:
                row = await self.connection.fetchrow(self._sql["counts_at"], dataset.dataset_id, block_id)
                if row is None:
                    raise NotFound(f"dataset {dataset.name} has no block {block_id}")
                counts = {name: row[name] for name in COUNT_NAMES}
                tip = Tip(row["height"], row["hash"] or b"")
            values = [counts[name] for name in COUNT_NAMES]
            await self.connection.execute(
                queries("relations")["forget_relations"], dataset.dataset_id, counts["tx"], counts["address"]
            )
            await self.connection.execute(self._sql["delete_rows"], dataset.dataset_id, *values)
            moved = await self.connection.fetchval(
                self._sql["reset_cursor"], dataset.dataset_id, dataset.epoch + 1, *values,
                None if tip is None else tip.height, None if tip is None else tip.hash or None,
            )  # fmt: skip
            if moved is None:
                raise StoreBusy(f"another writer moved the cursor of dataset {dataset.name}")
        return await self.dataset(dataset.name)

    async def block_at(self, dataset: EthereumDataset, height: int) -> tuple[int, bytes] | None:
        """Id and hash of the block at a height; None where there is none."""
        row = await self.connection.fetchrow(self._sql["block_at"], dataset.dataset_id, height)
        return None if row is None else (row["block_id"], row["hash"] or b"")

    async def block_bytes(self, dataset: EthereumDataset) -> dict[int, tuple[bytes, bytes]]:
        """Canonical bytes and receipts of every block that has them."""
        reader = zstandard.ZstdDecompressor()
        rows = await self.connection.fetch(self._sql["block_bytes"], dataset.dataset_id)
        return {
            row["block_id"]: (
                reader.decompress(row["bytes"]), reader.decompress(row["receipts"]) if row["receipts"] else b""
            )
            for row in rows
        }  # fmt: skip

    async def read(self, dataset: EthereumDataset, table: str) -> dict[str, Array]:
        """Every committed row of `blocks`, `txs`, `movements`, `addresses` or `assets`, as columns in order of id."""
        counts = dataset.counts
        sql = self._sql[f"copy_{table}"].format(
            dataset=dataset.dataset_id, txs=counts["tx"], movements=counts["movement"],
            addresses=counts["address"], assets=counts["asset"],
        )  # fmt: skip
        buffer = io.BytesIO()
        await self.connection.copy_from_query(sql, output=buffer, format="binary")
        return numeric.decode_rows(buffer.getvalue(), COPY_FIELDS[table])

    async def coverage(self, dataset: EthereumDataset) -> Mapping[str, int]:
        """Counts of blocks and transactions by what their source did not have."""
        blocks = await self.connection.fetchrow(self._sql["coverage"], dataset.dataset_id)
        txs = await self.connection.fetchrow(self._sql["tx_coverage"], dataset.dataset_id)
        assert blocks is not None, "an aggregate gives a row"
        assert txs is not None, "an aggregate gives a row"
        return {**dict(blocks), **dict(txs)}

    async def _add_leaves(self, dataset: EthereumDataset, laid: LaidBatch) -> None:
        for table, id_column, size, count in (
            ("eth_tx", "tx_id", TX_LEAF, laid.after["tx"]),
            ("eth_movement", "movement_id", MOVEMENT_LEAF, laid.after["movement"]),
        ):
            leaves = await self._leaves(dataset, table)
            end = leaves[-1][2] if leaves else 0
            for number, low in enumerate(range(end, count, size), start=len(leaves)):
                name = f"{table}_{dataset.dataset_id}_{number}"
                await self.connection.execute(
                    self._ledger["add_leaf"], table, name, dataset.dataset_id, id_column, low, low + size
                )

    async def _leaves(self, dataset: EthereumDataset, table: str) -> list[tuple[str, int, int]]:
        rows = await self.connection.fetch(self._ledger["leaves"], f"{table}_{dataset.dataset_id}")
        return [(row["name"], row["low"], row["high"]) for row in rows]

    async def _copy(self, dataset: EthereumDataset, table: str, ids: I64, fields: list[Field]) -> None:
        if table not in ethereum_rows.WIDE:
            await self._copy_into(table, fields)
            return
        for name, low, high in await self._leaves(dataset, table):
            inside = (ids >= low) & (ids < high)
            if inside.all():
                await self._copy_into(name, fields)
            elif inside.any():
                await self._copy_into(name, [cut(field, inside) for field in fields])

    async def _copy_into(self, table: str, fields: list[Field]) -> None:
        if len(fields[0]):
            await self.connection.copy_to_table(table, source=io.BytesIO(encode(fields)), format="binary")
