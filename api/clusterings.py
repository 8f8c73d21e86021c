"""Runs of clustering: what is new since the last one, recorded in Postgres and indexed on disk."""

from __future__ import annotations

import asyncio
import importlib.metadata
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chain.columns import Columns
from chain.load import open_columns
from chain.store.dataset import Dataset
from chain.store.ledger import LedgerStore
from chain.store.links import LinkStore, Run, StoredLinks
from chain.store.postgres import Connection
from clustering import clustering as index
from clustering.bitcoin import cospend
from clustering.bitcoin.ledger import Ledger
from clustering.clustering import Basis, Clustering
from clustering.forest import Forest
from clustering.links import RULES, LinkStatus

LEVEL = "L0"
"""The only level so far: what joins by convention (docs/methods.md)."""

CODE_VERSION = importlib.metadata.version("headwater")


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What `cluster update` did with one dataset."""

    dataset: str
    run: int
    new: bool
    """False: nothing had come since the last run."""
    transactions: int
    """Transactions looked at."""
    links: int
    """Links found in them."""
    accepted_links: int
    clusters: int
    addresses: int
    largest: int
    """Addresses of the largest cluster."""
    partition_sha256: str
    seconds: float


def clusters_folder(home: Path, dataset: str) -> Path:
    return home / "clusters" / dataset


async def update(connection: Connection, home: Path, dataset: Dataset) -> UpdateReport:
    """Bring the clustering of a dataset to the tip of its columns, as one run."""
    started = time.monotonic()
    store, links = LedgerStore(connection), LinkStore(connection)
    await links.lock(dataset)
    try:
        dataset = await store.dataset(dataset.name)
        columns = await open_columns(store, dataset, home)
        run = await links.last_run(dataset)
        if run is not None and (run.epoch, run.tx_count) == (columns.manifest.epoch, columns.tx_count):
            clustering = await open_clustering(connection, home, dataset, columns, run)
            return _report(dataset, clustering, False, 0, 0, started)
        clustering, found, covered = await _next_run(store, links, dataset, columns, home, run)
        return _report(dataset, clustering, True, columns.tx_count - covered, found, started)
    finally:
        await links.unlock(dataset)


async def _next_run(
    store: LedgerStore, links: LinkStore, dataset: Dataset, columns: Columns, home: Path, last: Run | None
) -> tuple[Clustering, int, int]:
    covered = await _covered(store, dataset, last)
    forest, prior = await _prior(links, dataset, columns, home, last, covered)
    run_id = 1 if last is None else last.run_id + 1
    basis = Basis(
        columns.manifest.database_id, dataset.name, run_id, LEVEL, columns.manifest.epoch, columns.tx_count,
        columns.address_count,
    )  # fmt: skip
    found = _found(columns, covered, await links.next_link_id(dataset))
    standing = _joined(prior, found)
    clustering = await asyncio.to_thread(index.build, basis, columns, standing, forest, len(prior))
    folder = clusters_folder(home, dataset.name)
    await asyncio.to_thread(index.save, clustering, folder)
    rules = {facts.name: {"level": facts.level, "source": facts.source} for facts in RULES.values()}
    tip = dataset.tip if dataset.counts["tx"] == columns.tx_count else None
    run = Run(
        run_id, LEVEL, basis.epoch, basis.tx_count, basis.address_count, tip, rules, CODE_VERSION, len(standing),
        len(clustering.members), clustering.partition_sha256,
    )  # fmt: skip
    await links.commit(dataset, run, found)
    return clustering, len(found), covered


async def _covered(store: LedgerStore, dataset: Dataset, last: Run | None) -> int:
    """Transactions whose links stand already: those of the last run that no rollback took out since."""
    if last is None:
        return 0
    least = await store.fallback(dataset, last.epoch)
    return last.tx_count if least is None else min(last.tx_count, least["tx"])


async def _prior(
    links: LinkStore, dataset: Dataset, columns: Columns, home: Path, last: Run | None, covered: int
) -> tuple[Forest | None, StoredLinks]:
    """The links that stand already, and a forest of them where the last run's is on disk."""
    if last is None:
        return None, _none()
    basis = _basis(columns, dataset, last)
    before = index.load(clusters_folder(home, dataset.name), basis)
    if before is None:
        return None, await links.standing(dataset, last.run_id, LinkStatus.ACCEPTED)
    kept = before.before(covered)
    prior = before.links
    return before.forest, StoredLinks(*(getattr(prior, name)[:kept] for name in StoredLinks.__slots__))


def _found(columns: Columns, covered: int, first_link_id: int) -> StoredLinks:
    heights = columns.block_height[columns.tx_block]
    batch = cospend.links(Ledger.of(columns), heights, covered, columns.tx_count)
    ids = np.arange(len(batch), dtype=np.int64) + first_link_id
    return StoredLinks(ids, batch.u, batch.v, batch.rule, batch.tx, batch.status)


def _joined(prior: StoredLinks, found: StoredLinks) -> StoredLinks:
    return StoredLinks(
        *(np.concatenate((getattr(prior, name), getattr(found, name))) for name in StoredLinks.__slots__)
    )


def _none() -> StoredLinks:
    empty = np.empty(0, np.int64)
    return StoredLinks(
        empty,
        empty.astype(np.int32),
        empty.astype(np.int32),
        empty.astype(np.uint8),
        empty,
        empty.astype(np.uint8),
    )


def _basis(columns: Columns, dataset: Dataset, run: Run) -> Basis:
    return Basis(
        columns.manifest.database_id,
        dataset.name,
        run.run_id,
        run.level,
        run.epoch,
        run.tx_count,
        run.address_count,
    )


async def open_clustering(
    connection: Connection, home: Path, dataset: Dataset, columns: Columns, run: Run
) -> Clustering:
    """A run's clustering, made again from the link table where its folder is missing or damaged."""
    basis = _basis(columns, dataset, run)
    found = index.load(clusters_folder(home, dataset.name), basis)
    if found is None:
        standing = await LinkStore(connection).standing(dataset, run.run_id, LinkStatus.ACCEPTED)
        found = await asyncio.to_thread(index.build, basis, columns, standing)
        await asyncio.to_thread(index.save, found, clusters_folder(home, dataset.name))
    return found


async def current_clustering(
    connection: Connection, home: Path, dataset: Dataset, columns: Columns
) -> Clustering | None:
    """The clustering of the newest run that fits the columns; None before the first, and after a rollback."""
    run = await LinkStore(connection).last_run(dataset)
    if run is None or run.epoch != columns.manifest.epoch or run.tx_count > columns.tx_count:
        return None
    return await open_clustering(connection, home, dataset, columns, run)


def _report(
    dataset: Dataset, clustering: Clustering, new: bool, transactions: int, found: int, started: float
) -> UpdateReport:
    sizes = clustering.members.sizes()
    return UpdateReport(
        dataset.name, clustering.basis.run_id, new, transactions, found, len(clustering.links),
        len(clustering.members), clustering.basis.address_count, int(sizes.max(initial=0)),
        clustering.partition_sha256, time.monotonic() - started,
    )  # fmt: skip
