"""Runs of clustering: what is new since the last one, recorded in Postgres and indexed on disk."""

from __future__ import annotations

import asyncio
import importlib.metadata
import time
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from api import decisions
from api.labels.column import label_column
from chain.columns import Columns
from chain.load import open_columns
from chain.model import I64, Bool
from chain.store.dataset import Dataset
from chain.store.ledger import LedgerStore
from chain.store.links import Decision, LinkStore, Run, StoredLinks
from chain.store.postgres import Connection
from clustering import clustering as index
from clustering import guards
from clustering.bitcoin.rules import found_links
from clustering.clustering import Basis, Clustering
from clustering.forest import Forest
from clustering.guards import NOBODY
from clustering.labels import LabelColumn
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
    held_links: int
    """Links that a guard holds or a person refused."""
    clusters: int
    addresses: int
    largest: int
    """Addresses of the largest cluster."""
    partition_sha256: str
    seconds: float
    relations: int = 0
    """Relations of Ethereum addresses that stand; they join nobody."""


def clusters_folder(home: Path, dataset: str) -> Path:
    return home / "clusters" / dataset


@dataclass(frozen=True, slots=True)
class Grounds:
    """What links are judged by, beside the ledger; where it differs from the last run's, all are judged again."""

    rules: dict[str, Any]
    labels: LabelColumn | None
    decisions: list[Decision]

    @property
    def label_set(self) -> int | None:
        return None if self.labels is None else self.labels.version

    @property
    def decision_id(self) -> int:
        return self.decisions[0].decision_id if self.decisions else 0

    def label_sha256(self, address_count: int) -> str | None:
        """Of what the labels say of the first `address_count` addresses: one may expire while its set is the same."""
        if self.labels is None:
            return None
        ids = np.flatnonzero(self.labels.entity[:address_count] >= 0)
        names = "\0".join(self.labels.entities[entity] for entity in self.labels.entity[ids].tolist())
        return sha256(ids.astype("<i8").tobytes() + names.encode()).hexdigest()

    def are_those_of(self, run: Run) -> bool:
        same = (run.rules, run.label_set, run.decision_id) == (self.rules, self.label_set, self.decision_id)
        return same and run.label_sha256 == self.label_sha256(run.address_count)


def current_rules() -> dict[str, Any]:
    """Names, versions and parameters of all that decides what joins, as a run records them."""
    rules: dict[str, Any] = {
        facts.name: {"level": facts.level, "source": facts.source, "version": facts.version} for facts in RULES.values()
    }
    return {**rules, "guards": {"quarantine_size": guards.QUARANTINE_SIZE}}


async def update(connection: Connection, home: Path, dataset: Dataset) -> UpdateReport:
    """Bring the clustering of a dataset to the tip of its columns, as one run."""
    started = time.monotonic()
    store, links = LedgerStore(connection), LinkStore(connection)
    await links.lock(dataset)
    try:
        dataset = await store.dataset(dataset.name)
        columns = await open_columns(store, dataset, home)
        run = await links.last_run(dataset)
        labels = await label_column(connection, home, dataset, columns)
        grounds = Grounds(current_rules(), labels, await links.decisions(dataset))
        same = run is not None and (run.epoch, run.tx_count) == (columns.manifest.epoch, columns.tx_count)
        if run is not None and same and grounds.are_those_of(run):
            clustering = await open_clustering(connection, home, dataset, columns, run)
            return _report(dataset, clustering, run, False, 0, 0, started)
        covered = await _covered(store, dataset, run)
        clustering, made, found = await _next_run(links, dataset, columns, home, run, grounds, covered)
        return _report(dataset, clustering, made, True, columns.tx_count - covered["tx"], found, started)
    finally:
        await links.unlock(dataset)


async def _next_run(
    links: LinkStore, dataset: Dataset, columns: Columns, home: Path, last: Run | None, grounds: Grounds,
    covered: dict[str, int],
) -> tuple[Clustering, Run, int]:  # fmt: skip
    """The clustering of a new run, the run, and how many links it found beyond the last one's transactions."""
    afresh = last is not None and not grounds.are_those_of(last)
    first = {"tx": 0, "address": 0} if afresh else covered
    forest, prior = await _prior(links, dataset, columns, home, None if afresh else last, first["tx"])
    batch = await asyncio.to_thread(found_links, columns, first["tx"], first["address"])
    entity = np.full(columns.address_count, NOBODY, np.int32) if grounds.labels is None else grounds.labels.entity
    verdicts = decisions.verdicts(grounds.decisions, columns, batch)
    forest.grow(columns.address_count)
    judged = await asyncio.to_thread(
        guards.judge, forest, batch.u, batch.v, verdicts, entity, len(prior), guards.QUARANTINE_SIZE
    )
    found = StoredLinks(
        np.zeros(len(batch), np.int64), batch.u, batch.v, batch.rule, batch.tx, judged.status, judged.reason
    )
    before = await links.standing(dataset, last.run_id) if afresh and last is not None else StoredLinks.empty()
    found, fresh, closed = _reconciled(before, found, await links.next_link_id(dataset))
    accepted = prior.joined(found.take(found.status == LinkStatus.ACCEPTED))
    run_id = 1 if last is None else last.run_id + 1
    basis = Basis(
        columns.manifest.database_id, dataset.name, run_id, LEVEL, columns.manifest.epoch, columns.tx_count,
        columns.address_count,
    )  # fmt: skip
    clustering = await asyncio.to_thread(index.build, basis, columns, accepted, forest)
    await asyncio.to_thread(index.save, clustering, clusters_folder(home, dataset.name))
    carried = 0 if afresh else await links.held_count(dataset)
    changed = np.concatenate((before.tx[np.isin(before.link_id, closed)], found.tx[fresh]))
    changed = changed[changed < covered["tx"]]
    run = Run(
        run_id, LEVEL, basis.epoch, basis.tx_count, basis.address_count,
        dataset.tip if dataset.counts["tx"] == columns.tx_count else None, grounds.rules, CODE_VERSION,
        len(accepted), len(clustering.members), clustering.partition_sha256, grounds.label_set,
        grounds.label_sha256(basis.address_count), grounds.decision_id,
        carried + int(np.count_nonzero(found.status != LinkStatus.ACCEPTED)),
        int(changed.min()) if len(changed) else None,
    )  # fmt: skip
    await links.commit(dataset, run, found.take(fresh), closed)
    return clustering, run, int(np.count_nonzero(found.tx >= covered["tx"]))


def _reconciled(before: StoredLinks, found: StoredLinks, next_id: int) -> tuple[StoredLinks, Bool, I64]:
    """`found` with the ids of the equal links that stand already and new ids for the others, which of them are new,
    and the ids of the standing ones that are found no more or are judged otherwise.
    """
    place, known = _places(before, found)
    same = np.zeros(len(found), np.bool_)
    same[known] = (before.status[place[known]] == found.status[known]) & (
        before.reason[place[known]] == found.reason[known]
    )
    ids = np.zeros(len(found), np.int64)
    ids[same] = before.link_id[place[same]]
    ids[~same] = next_id + np.arange(int(np.count_nonzero(~same)))
    kept = np.zeros(len(before), np.bool_)
    kept[place[same]] = True
    return replace(found, link_id=ids), ~same, before.link_id[~kept]


def _places(before: StoredLinks, found: StoredLinks) -> tuple[I64, Bool]:
    """Where each of `found` stands among `before` (both in canonical order), and whether it does."""
    both = before.joined(found)
    order = np.lexsort((both.v, both.u, both.rule, both.tx))
    name = np.stack((both.tx, both.rule.astype(np.int64), both.u, both.v), axis=1)[order]
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (name[1:] != name[:-1]).any(axis=1)
    group = np.empty(len(order), np.int64)
    group[order] = np.cumsum(fresh) - 1
    holder = np.full(len(order), -1, np.int64)
    holder[group[: len(before)]] = np.arange(len(before))
    place = holder[group[len(before) :]]
    return place, place >= 0


async def _covered(store: LedgerStore, dataset: Dataset, last: Run | None) -> dict[str, int]:
    """Transactions and addresses whose links stand already: those of the last run that no rollback took out since."""
    if last is None:
        return {"tx": 0, "address": 0}
    covered = {"tx": last.tx_count, "address": last.address_count}
    least = await store.fallback(dataset, last.epoch)
    return covered if least is None else {name: min(count, least[name]) for name, count in covered.items()}


async def _prior(
    links: LinkStore, dataset: Dataset, columns: Columns, home: Path, last: Run | None, covered: int
) -> tuple[Forest, StoredLinks]:
    """A forest of the accepted links that stand already, and these links."""
    if last is None:
        return Forest.empty(columns.address_count), StoredLinks.empty()
    before = index.load(clusters_folder(home, dataset.name), _basis(columns, dataset, last))
    if before is None:
        prior = _accepted(await links.standing(dataset, last.run_id))
        forest = Forest.empty(columns.address_count)
        forest.attach(prior.u, prior.v, 0)
        return forest, prior
    kept = before.before(covered)
    before.forest.rollback(kept)
    return before.forest.fitted(columns.address_count), before.links.take(slice(kept))


def _accepted(links: StoredLinks) -> StoredLinks:
    return links.take(links.status == LinkStatus.ACCEPTED)


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
        accepted = _accepted(await LinkStore(connection).standing(dataset, run.run_id))
        forest = Forest.empty(run.address_count)
        forest.attach(accepted.u, accepted.v, 0)
        found = await asyncio.to_thread(index.build, basis, columns, accepted, forest)
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
    dataset: Dataset, clustering: Clustering, run: Run, new: bool, transactions: int, found: int, started: float
) -> UpdateReport:
    sizes = clustering.members.sizes()
    return UpdateReport(
        dataset.name, run.run_id, new, transactions, found, len(clustering.links), run.held_count,
        len(clustering.members), clustering.basis.address_count, int(sizes.max(initial=0)),
        clustering.partition_sha256, time.monotonic() - started,
    )  # fmt: skip
