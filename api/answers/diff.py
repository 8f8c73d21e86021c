"""What differs between two runs of one dataset: clusters that merged and split, links judged otherwise, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import numpy as np

from api.answers import text
from api.answers.past import Past, Reopen, past_of
from api.answers.run_shapes import ChangedLink, Diff, DiffBody, DiffCluster, DiffClusters, Piece, RunGrounds
from api.answers.shapes import ClusterName, Limit
from api.answers.view import DatasetView, InvalidParameter
from chain.errors import NotFound
from chain.model import I64
from chain.store.answers import AnswerStore
from chain.store.links import LinkStore, Run
from chain.store.postgres import Connection
from clustering.guards import WORDS, Reason
from clustering.history import Pieces, difference, sizes_of
from clustering.links import LinkStatus

MAX_LISTED = 1_000
"""Merges, splits and changed links that a diff lists at most, each."""

LISTED = 20
"""Of each, where nothing else is said."""

PIECES = 20
"""Clusters of the other run that one merge or split names, those that share the most addresses."""

RUNS_BETWEEN = 1_000
"""Runs that are read for whether they judged anything otherwise; where more lie between, the earlier is opened."""

STATEMENT = "what these runs joined by convention; " + text.NO_FINDING


@dataclass(frozen=True, slots=True)
class Stored:
    """What Postgres knows of two runs, the earlier first."""

    counts: list[dict[int, int]]
    """Of each, the links that do not join, by status"""
    changes: list[asyncpg.Record]


async def diff(
    connection: Connection, chain: str, view: DatasetView, first: int, last: int, limit: int, reopen: Reopen
) -> DiffBody:
    """The difference from run `first` to run `last`.

    InvalidParameter where `first` is not before `last`, NotFound where there is no such run, RunExpired where the
    ledger was rolled back since, LimitExceeded where one is too large to be opened again.
    """
    if first >= last:
        raise InvalidParameter("from", "the first run is before the second one")
    links = LinkStore(connection)
    async with AnswerStore(connection).snapshot(view.dataset, view.epoch):
        runs = await links.runs(view.dataset, min(last - first + 1, RUNS_BETWEEN), last + 1)
        missing = [each for each in (first, last) if each not in {run.run_id for run in runs}]
        if missing == [first]:
            runs += await links.runs(view.dataset, 1, first + 1)
            missing = [] if runs[-1].run_id == first else missing
        if missing:
            raise NotFound(f"dataset {view.name} has no run {missing[0]}")
        counts = [await links.apart_counts(view.dataset, each) for each in (first, last)]
        changes = await links.changes(view.dataset, first, last, limit + 1)
    newer = await reopen(last)
    older = await _older(newer, runs, reopen)
    return await asyncio.to_thread(diff_body, chain, view, older, newer, runs[0], Stored(counts, changes), limit)


async def _older(newer: DatasetView, runs: Sequence[Run], reopen: Reopen) -> Past:
    """The earlier run, read off the later one where its links are the first ones of that, else opened again."""
    run = runs[-1]
    all_between = len(runs) == runs[0].run_id - run.run_id + 1
    found = past_of(newer, run, runs) if all_between else None
    if isinstance(found, Past):
        return found
    again = await reopen(run.run_id)
    assert again.clustering is not None, "it was opened for its clustering"
    return Past(again, run, again.clustering, None)


def diff_body(
    chain: str, view: DatasetView, older: Past, newer: DatasetView, run: Run, stored: Stored, limit: int
) -> DiffBody:
    """`view`: the newest, which frames the answer; `newer`: of `run`."""
    assert newer.clustering is not None, "it was opened for its clustering"
    later = Past(newer, run, newer.clustering, None)
    a, b = older.labels(), later.labels()
    found = difference(a, b)
    cut: set[str] = set()
    sides = _Sides(older, later, sizes_of(a), sizes_of(b), cut)
    if len(stored.changes) > limit:
        cut.add("changed_links")
    body: Diff = {
        "from": _grounds(older.run, stored.counts[0]),
        "to": _grounds(run, stored.counts[1]),
        "grounds": _differences(older.run, run),
        "same_partition": older.run.partition_sha256 == run.partition_sha256,
        "common_addresses": found.common,
        "new_addresses": len(b) - found.common,
        "merges": sides.clusters(found.merges, "merges", limit),
        "splits": sides.clusters(found.splits, "splits", limit),
        "changed_links": [_changed(view, row) for row in stored.changes[:limit]],
        "statement": STATEMENT,
    }
    details = {
        "merges": (limit, "more clusters merged; the largest are listed"),
        "splits": (limit, "more clusters split; the largest are listed"),
        "pieces": (PIECES, "a cluster has more pieces; those that share the most are named"),
        "changed_links": (limit, "more links were judged otherwise; the earliest are listed"),
    }
    limits: list[Limit] = [
        {"limit": name, "value": value, "detail": detail} for name, (value, detail) in details.items() if name in cut
    ]
    return {"chain": chain, "answers": [{**view.frame(view.now(), limits), "diff": body}]}


@dataclass(frozen=True, slots=True)
class _Sides:
    """The two runs of a diff, with the sizes of their clusters by label."""

    older: Past
    later: Past
    sizes_before: I64
    sizes_after: I64
    cut: set[str]

    def clusters(self, pieces: Pieces, kind: str, limit: int) -> DiffClusters:
        whole, part = (self._after, self._before) if kind == "merges" else (self._before, self._after)
        sizes = self.sizes_after if kind == "merges" else self.sizes_before
        if len(pieces) > limit:
            self.cut.add(kind)
        largest: list[DiffCluster] = []
        for row in pieces.largest(sizes, limit):
            labels, shared = pieces.parts(row)
            order = np.argsort(-shared, kind="stable")
            if len(order) > PIECES:
                self.cut.add("pieces")
            named: list[Piece] = [
                {"cluster": part(int(labels[each])), "shared": int(shared[each])} for each in order[:PIECES].tolist()
            ]
            largest.append({"cluster": whole(int(pieces.whole[row])), "count": len(order), "pieces": named})
        return {"count": len(pieces), "pieces": len(pieces.part), "largest": largest}

    def _before(self, label: int) -> ClusterName:
        return {"id": self.older.handle(label), "size": int(self.sizes_before[label])}

    def _after(self, label: int) -> ClusterName:
        return {"id": self.later.handle(label), "size": int(self.sizes_after[label])}


def _grounds(run: Run, apart: dict[int, int]) -> RunGrounds:
    return {
        "run": run.run_id,
        "height": None if run.tip is None else run.tip.height,
        "finished_at": text.stamp(run.finished_at),
        "transactions": run.tx_count,
        "addresses": run.address_count,
        "clusters": run.cluster_count,
        "accepted": run.link_count,
        "held": apart.get(LinkStatus.HELD, 0),
        "refused": apart.get(LinkStatus.REFUSED, 0),
        "partition_sha256": run.partition_sha256,
        "label_set": run.label_set,
        "last_decision": run.decision_id,
    }


def _differences(a: Run, b: Run) -> list[str]:
    """In words, what the two runs judged by that is not the same."""
    found = [f"rule {name}" for name in sorted({*a.rules, *b.rules}) if a.rules.get(name) != b.rules.get(name)]
    if a.tx_count != b.tx_count:
        found.append("transactions")
    if a.label_set != b.label_set:
        found.append("label set")
    if a.decision_id != b.decision_id:
        found.append("decisions")
    if a.code_version != b.code_version:
        found.append("version of the code")
    return found


def _changed(view: DatasetView, row: asyncpg.Record) -> ChangedLink:
    return {
        **view.seen(row["tx_id"]),
        "rule": text.rule_words(row["rule"])["rule"],
        "addresses": [view.address(row["u"]), view.address(row["v"])],
        "status_before": _status(row["status_before"]),
        "reason_before": _reason(row["reason_before"]),
        "status_after": _status(row["status_after"]),
        "reason_after": _reason(row["reason_after"]),
    }


def _status(number: int | None) -> str | None:
    return None if number is None else text.link_status(number)


def _reason(number: int | None) -> str | None:
    return None if number is None else WORDS.get(Reason(number))
