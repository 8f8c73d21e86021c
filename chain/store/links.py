"""Clustering runs and links in Postgres: the record that every partition is an index over.

This module stores what heuristics hand it and knows none of them: rules and statuses are numbers here.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import numpy as np
import numpy.typing as npt

from chain.errors import StoreBusy, StoreUnavailable
from chain.model import I32, I64, U8
from chain.source import Tip
from chain.store.copy import Field, Integers, decode, encode
from chain.store.dataset import Dataset
from chain.store.postgres import Connection, queries


@dataclass(frozen=True, slots=True)
class Run:
    """A row of `clustering_run`."""

    run_id: int
    level: str
    epoch: int
    tx_count: int
    address_count: int
    tip: Tip | None
    rules: dict[str, Any]
    code_version: str
    link_count: int
    cluster_count: int
    partition_sha256: str
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredLinks:
    """Links in canonical order, by dense ids."""

    link_id: I64
    u: I32
    v: I32
    rule: U8
    tx: I64
    status: U8

    def __len__(self) -> int:
        return len(self.u)


def _run(row: asyncpg.Record) -> Run:
    tip = None if row["tip_height"] is None else Tip(row["tip_height"], row["tip_hash"])
    return Run(
        row["run_id"], row["level"], row["epoch"], row["tx_count"], row["address_count"], tip,
        json.loads(row["rules"]), row["code_version"], row["link_count"], row["cluster_count"],
        row["partition_sha256"], row["finished_at"],
    )  # fmt: skip


class LinkStore:
    """Reads and writes the links of one connection's database."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = queries("links")

    async def lock(self, dataset: Dataset) -> None:
        """Be the one clusterer of a dataset; StoreBusy where another is."""
        if not await self.connection.fetchval(self._sql["lock_clusterer"], dataset.dataset_id):
            raise StoreBusy(f"another process clusters dataset {dataset.name}")

    async def unlock(self, dataset: Dataset) -> None:
        await self.connection.fetchval(self._sql["unlock_clusterer"], dataset.dataset_id)

    async def runs(self, dataset: Dataset, limit: int, before: int | None = None) -> list[Run]:
        """The newest runs first, at most `limit`, with ids below `before`."""
        rows = await self.connection.fetch(self._sql["runs"], dataset.dataset_id, before, limit)
        return [_run(row) for row in rows]

    async def last_run(self, dataset: Dataset) -> Run | None:
        runs = await self.runs(dataset, 1)
        return runs[0] if runs else None

    async def next_link_id(self, dataset: Dataset) -> int:
        return int(await self.connection.fetchval(self._sql["next_link_id"], dataset.dataset_id))

    async def commit(self, dataset: Dataset, run: Run, links: StoredLinks) -> None:
        """Add a run and the links that it found, or nothing."""
        fields: list[Field] = [
            Integers(np.full(len(links), dataset.dataset_id), 2), Integers(links.link_id, 8),
            Integers(links.u, 4), Integers(links.v, 4), Integers(links.rule, 2), Integers(links.tx, 8),
            Integers(links.status, 2), Integers(np.full(len(links), run.run_id), 4),
            Integers(np.full(len(links), -1), 4, null=-1),
        ]  # fmt: skip
        try:
            async with self.connection.transaction():
                await self.connection.execute(
                    self._sql["add_run"], dataset.dataset_id, run.run_id, run.level, run.epoch, run.tx_count,
                    run.address_count, None if run.tip is None else run.tip.height,
                    None if run.tip is None else run.tip.hash, json.dumps(run.rules, sort_keys=True),
                    run.code_version, run.link_count, run.cluster_count, run.partition_sha256,
                )  # fmt: skip
                if len(links):
                    await self.connection.copy_to_table("link", source=io.BytesIO(encode(fields)), format="binary")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise StoreUnavailable(f"the database did not take the links: {error}") from error

    async def standing(self, dataset: Dataset, run_id: int, accepted: int) -> StoredLinks:
        """The links of status `accepted` that stood in run `run_id`, in canonical order."""
        sql = self._sql["copy_links"].format(dataset=dataset.dataset_id, run=run_id, accepted=accepted)
        buffer = io.BytesIO()
        await self.connection.copy_from_query(sql, output=buffer, format="binary")
        layout = [("link_id:i", 8), ("u:i", 4), ("v:i", 4), ("rule:i", 2), ("tx:i", 8), ("status:i", 2)]
        rows: dict[str, npt.NDArray[Any]] = decode(buffer.getvalue(), layout)
        return StoredLinks(
            rows["link_id"], rows["u"], rows["v"], rows["rule"].astype(np.uint8), rows["tx"],
            rows["status"].astype(np.uint8),
        )  # fmt: skip

    async def of_transaction(self, dataset: Dataset, tx_id: int) -> list[asyncpg.Record]:
        """The links that rest on a transaction and stand."""
        return await self.connection.fetch(self._sql["links_of_tx"], dataset.dataset_id, tx_id)
