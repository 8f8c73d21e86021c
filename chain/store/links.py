"""Clustering runs and links in Postgres: the record that every partition is an index over.

This module stores what heuristics hand it and knows none of them: rules and statuses are numbers here.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import asyncpg
import numpy as np
import numpy.typing as npt

from chain.errors import StoreBusy, StoreUnavailable
from chain.model import I32, I64, U8
from chain.source import Tip
from chain.store.copy import Field, Integers, decode, encode
from chain.store.dataset import Dataset
from chain.store.postgres import Connection, queries

CLOSED_AT_ONCE = 100_000
"""Links that one statement closes."""


class AnyDataset(Protocol):
    """What a run needs of a dataset of any chain."""

    @property
    def dataset_id(self) -> int: ...
    @property
    def name(self) -> str: ...


START = (-1, 0, 0, 0)
"""The place (tx, rule, u, v) before every link."""


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
    label_set: int | None = None
    label_sha256: str | None = None
    decision_id: int = 0
    held_count: int = 0
    changed_from: int | None = None
    """The first transaction of an earlier run whose links this one judged otherwise."""
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
    reason: U8

    def __len__(self) -> int:
        return len(self.u)

    def take(self, rows: Any) -> StoredLinks:
        """The links at `rows` (positions, a mask or a slice), in that order."""
        return StoredLinks(*(getattr(self, name)[rows] for name in StoredLinks.__slots__))

    @classmethod
    def empty(cls) -> StoredLinks:
        ids, narrow, bytes_ = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.uint8)
        return cls(ids, narrow, narrow, bytes_, ids, bytes_, bytes_)

    def joined(self, others: StoredLinks) -> StoredLinks:
        """These, then `others`."""
        return StoredLinks(
            *(np.concatenate((getattr(self, name), getattr(others, name))) for name in StoredLinks.__slots__)
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's word on a link, by durable names; address keys are kind byte and payload, in ascending order."""

    txid: bytes
    """Internal byte order"""
    rule: int
    a: bytes
    b: bytes
    verdict: str
    """accept, refuse or withdraw"""
    decided_by: str
    reason: str
    decision_id: int = 0
    decided_at: datetime | None = None

    @property
    def link(self) -> tuple[bytes, int, bytes, bytes]:
        return self.txid, self.rule, self.a, self.b


def _run(row: asyncpg.Record) -> Run:
    tip = None if row["tip_height"] is None else Tip(row["tip_height"], row["tip_hash"])
    return Run(
        row["run_id"], row["level"], row["epoch"], row["tx_count"], row["address_count"], tip,
        json.loads(row["rules"]), row["code_version"], row["link_count"], row["cluster_count"],
        row["partition_sha256"], row["label_set"], row["label_sha256"], row["decision_id"], row["held_count"],
        row["changed_from"],
        row["finished_at"],
    )  # fmt: skip


class LinkStore:
    """Reads and writes the links of one connection's database."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = queries("links")

    async def lock(self, dataset: AnyDataset) -> None:
        """Be the one clusterer of a dataset; StoreBusy where another is."""
        if not await self.connection.fetchval(self._sql["lock_clusterer"], dataset.dataset_id):
            raise StoreBusy(f"another process clusters dataset {dataset.name}")

    async def unlock(self, dataset: AnyDataset) -> None:
        await self.connection.fetchval(self._sql["unlock_clusterer"], dataset.dataset_id)

    async def runs(self, dataset: AnyDataset, limit: int, before: int | None = None) -> list[Run]:
        """The newest runs first, at most `limit`, with ids below `before`."""
        rows = await self.connection.fetch(self._sql["runs"], dataset.dataset_id, before, limit)
        return [_run(row) for row in rows]

    async def last_run(self, dataset: AnyDataset) -> Run | None:
        runs = await self.runs(dataset, 1)
        return runs[0] if runs else None

    async def next_link_id(self, dataset: Dataset) -> int:
        return int(await self.connection.fetchval(self._sql["next_link_id"], dataset.dataset_id))

    async def commit(self, dataset: AnyDataset, run: Run, links: StoredLinks, closed: I64) -> None:
        """Add a run and its new links, and close those (ids `closed`) that it no longer has; or nothing."""
        fields: list[Field] = [
            Integers(np.full(len(links), dataset.dataset_id), 2), Integers(links.link_id, 8),
            Integers(links.u, 4), Integers(links.v, 4), Integers(links.rule, 2), Integers(links.tx, 8),
            Integers(links.status, 2), Integers(np.full(len(links), run.run_id), 4),
            Integers(np.full(len(links), -1), 4, null=-1), Integers(links.reason, 2),
        ]  # fmt: skip
        try:
            async with self.connection.transaction():
                await self.connection.execute(
                    self._sql["add_run"], dataset.dataset_id, run.run_id, run.level, run.epoch, run.tx_count,
                    run.address_count, None if run.tip is None else run.tip.height,
                    None if run.tip is None else run.tip.hash, json.dumps(run.rules, sort_keys=True),
                    run.code_version, run.link_count, run.cluster_count, run.partition_sha256, run.label_set,
                    run.label_sha256, run.decision_id, run.held_count, run.changed_from,
                )  # fmt: skip
                for first in range(0, len(closed), CLOSED_AT_ONCE):
                    ids = closed[first : first + CLOSED_AT_ONCE].tolist()
                    await self.connection.execute(self._sql["close_links"], dataset.dataset_id, run.run_id, ids)
                if len(links):
                    await self.connection.copy_to_table("link", source=io.BytesIO(encode(fields)), format="binary")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise StoreUnavailable(f"the database did not take the links: {error}") from error

    async def standing(self, dataset: Dataset, run_id: int) -> StoredLinks:
        """The links of every status that stood in run `run_id`, in canonical order."""
        sql = self._sql["copy_links"].format(dataset=dataset.dataset_id, run=run_id)
        buffer = io.BytesIO()
        await self.connection.copy_from_query(sql, output=buffer, format="binary")
        layout = [
            ("link_id:i", 8), ("u:i", 4), ("v:i", 4), ("rule:i", 2), ("tx:i", 8), ("status:i", 2), ("reason:i", 2),
        ]  # fmt: skip
        rows: dict[str, npt.NDArray[Any]] = decode(buffer.getvalue(), layout)
        return StoredLinks(
            rows["link_id"], rows["u"], rows["v"], rows["rule"].astype(np.uint8), rows["tx"],
            rows["status"].astype(np.uint8), rows["reason"].astype(np.uint8),
        )  # fmt: skip

    async def of_transaction(self, dataset: Dataset, tx_id: int) -> list[asyncpg.Record]:
        """The links that rest on a transaction and stand."""
        return await self.connection.fetch(self._sql["links_of_tx"], dataset.dataset_id, tx_id)

    async def held_count(self, dataset: Dataset) -> int:
        """How many links stand and do not join."""
        return int(await self.connection.fetchval(self._sql["held_count"], dataset.dataset_id))

    async def held(
        self, dataset: Dataset, run_id: int, limit: int, after: tuple[int, int, int, int] = START
    ) -> list[asyncpg.Record]:
        """At most `limit` links that run `run_id` had and did not join, behind a place (tx, rule, u, v)."""
        return await self.connection.fetch(self._sql["held"], dataset.dataset_id, run_id, *after, limit)

    async def apart_counts(self, dataset: Dataset, run_id: int) -> dict[int, int]:
        """How many links run `run_id` had and did not join, by status."""
        rows = await self.connection.fetch(self._sql["apart_counts"], dataset.dataset_id, run_id)
        return {row["status"]: row["links"] for row in rows}

    async def apart_between(self, dataset: Dataset, first: int, last: int, limit: int) -> list[asyncpg.Record]:
        """At most `limit` links that do not join and came or went after run `first`, up to `last`."""
        return await self.connection.fetch(self._sql["apart_between"], dataset.dataset_id, first, last, limit)

    async def changes(self, dataset: Dataset, first: int, last: int, limit: int) -> list[asyncpg.Record]:
        """At most `limit` links that run `last` judges otherwise than run `first`, has no more, or holds back anew.

        `status_before` is null where run `first` did not have the link, `status_after` where `last` has it no more.
        """
        return await self.connection.fetch(self._sql["changes"], dataset.dataset_id, first, last, limit)

    async def decide(self, dataset: Dataset, decision: Decision) -> Decision:
        """Add a person's word on a link."""
        given = (decision.verdict, decision.decided_by, decision.reason)
        row = await self.connection.fetchrow(
            self._sql["add_decision"], dataset.dataset_id, decision.txid, decision.rule, decision.a[0], decision.a[1:],
            decision.b[0], decision.b[1:], *given,
        )  # fmt: skip
        assert row is not None, "an insert returns its row"
        return replace(decision, decision_id=row["decision_id"], decided_at=row["decided_at"])

    async def decisions(self, dataset: Dataset) -> list[Decision]:
        """Every word on a link of a dataset, the newest first: of one link the first counts."""
        rows = await self.connection.fetch(self._sql["decisions"], dataset.dataset_id)
        return [
            Decision(
                row["txid"], row["rule"], bytes([row["a_kind"]]) + row["a_payload"],
                bytes([row["b_kind"]]) + row["b_payload"], row["verdict"], row["decided_by"], row["reason"],
                row["decision_id"], row["decided_at"],
            )
            for row in rows
        ]  # fmt: skip
