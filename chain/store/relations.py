"""Relations in Postgres: the record of what heuristics say of two Ethereum addresses that joins nobody.

This module stores what it is handed and knows no heuristic: relations are numbers here.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg
import numpy as np

from chain.model import I32, I64, U8
from chain.store.copy import Field, Integers, decode, encode
from chain.store.ethereum import EthereumDataset
from chain.store.postgres import Connection, queries

CLOSED_AT_ONCE = 100_000
"""Relations that one statement closes."""

COLUMNS = ("relation", "source", "target", "first_tx", "last_tx", "times")


@dataclass(frozen=True, slots=True)
class StoredRelations:
    """R relations by (relation, source, target), by dense ids."""

    relation_id: I64
    relation: U8
    source: I32
    target: I32
    first_tx: I64
    last_tx: I64
    times: I64

    def __len__(self) -> int:
        return len(self.relation_id)


class RelationStore:
    """Reads and writes the relations of one connection's database."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = queries("relations")

    async def standing(self, dataset: EthereumDataset) -> StoredRelations:
        """The relations that stand."""
        buffer = io.BytesIO()
        sql = self._sql["copy_standing"].format(dataset=dataset.dataset_id)
        await self.connection.copy_from_query(sql, output=buffer, format="binary")
        layout = [
            ("relation_id:i", 8), ("relation:i", 2), ("source:i", 4), ("target:i", 4), ("first_tx:i", 8),
            ("last_tx:i", 8), ("times:i", 8),
        ]  # fmt: skip
        rows = decode(buffer.getvalue(), layout)
        return StoredRelations(
            rows["relation_id"], rows["relation"].astype(np.uint8), rows["source"], rows["target"], rows["first_tx"],
            rows["last_tx"], rows["times"],
        )  # fmt: skip

    async def replace(self, dataset: EthereumDataset, run_id: int, fresh: Mapping[str, I64], closed: I64) -> None:
        """Close the relations of ids `closed` and add those of `fresh` (`COLUMNS` by name) as of a run; the caller's
        transaction holds it together with the run."""
        for first in range(0, len(closed), CLOSED_AT_ONCE):
            ids = closed[first : first + CLOSED_AT_ONCE].tolist()
            await self.connection.execute(self._sql["close_relations"], dataset.dataset_id, run_id, ids)
        count = len(fresh["times"])
        if not count:
            return
        next_id = int(await self.connection.fetchval(self._sql["next_relation_id"], dataset.dataset_id))
        widths = {"relation": 2, "source": 4, "target": 4}
        fields: list[Field] = [
            Integers(np.full(count, dataset.dataset_id), 2),
            Integers(next_id + np.arange(count), 8),
            *(Integers(fresh[name], widths.get(name, 8)) for name in COLUMNS),
            Integers(np.full(count, run_id), 4),
            Integers(np.full(count, -1), 4, null=-1),
        ]
        await self.connection.copy_to_table("relation", source=io.BytesIO(encode(fields)), format="binary")

    async def of_address(
        self, dataset: EthereumDataset, run_id: int, address: int, before_tx: int, limit: int
    ) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
        """At most `limit` relations of each kind and direction that stood in a run and whose evidence begins below a
        transaction; and how many there are of each."""
        given = (dataset.dataset_id, address, before_tx, run_id)
        rows = await self.connection.fetch(self._sql["of_address"], *given, limit)
        return rows, await self.connection.fetch(self._sql["counts_of_address"], *given)

    async def between(
        self, dataset: EthereumDataset, run_id: int, a: int, b: int, before_tx: int
    ) -> list[asyncpg.Record]:
        """The relations of `a` to `b` and of `b` to `a`, as `of_address` gives those of `a`."""
        return await self.connection.fetch(self._sql["between"], dataset.dataset_id, a, b, before_tx, run_id)

    async def in_common(
        self, dataset: EthereumDataset, run_id: int, a: int, b: int, before_tx: int, limit: int
    ) -> list[asyncpg.Record]:
        """At most `limit` addresses that `a` and `b` have the same relation to."""
        return await self.connection.fetch(self._sql["in_common"], dataset.dataset_id, a, b, before_tx, run_id, limit)
