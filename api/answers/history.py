"""What the cluster of an address was in each run, and what became of it from one run to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import asyncpg
import numpy as np

from api.answers import text
from api.answers.cluster import Found
from api.answers.past import Past, Reopen, pasts
from api.answers.run_shapes import EventLink, HistoryBody, HistoryEvent, HistoryRun
from api.answers.shapes import ClusterName, Limit
from api.answers.view import DatasetView
from chain.model import I32
from chain.store.answers import AnswerStore
from chain.store.links import LinkStore, Run
from chain.store.postgres import Connection
from clustering.guards import WORDS, Reason

HISTORY_RUNS = 100
"""Runs that a history lists, the newest."""

EVENT_CLUSTERS = 20
"""Clusters that one event names, the largest."""

EVENT_LINKS = 20
"""Links that one event names, the earliest."""

HISTORY_LINKS = 10_000
"""Links, held or released in these runs, among which those of the cluster are looked for."""

MERGED = "addresses of several clusters of the run before are in this one"
SPLIT = "addresses that the run before had in one cluster are in several"
GREW = "addresses that the run before had not observed are in it"
HELD = "links at it stand since this run and do not join"
RELEASED = "links at it that were held or refused are so no more: they join, or their evidence is gone"


async def history(connection: Connection, chain: str, found: Found, reopen: Reopen) -> HistoryBody:
    """The newest run first. Reorganised where the ledger was rolled back meanwhile."""
    view, links = found.view, LinkStore(connection)
    async with AnswerStore(connection).snapshot(view.dataset, view.epoch):
        runs = await links.runs(view.dataset, HISTORY_RUNS + 1)
        of_epoch = [run.run_id for run in runs if run.epoch == view.epoch]
        first, last = (of_epoch[-1], of_epoch[0]) if of_epoch else (0, 0)
        apart = await links.apart_between(view.dataset, first - 1, last, HISTORY_LINKS + 1)
    found_runs = await pasts(view, runs, reopen)
    return await asyncio.to_thread(history_body, chain, found, runs, found_runs, apart)


def history_body(
    chain: str, found: Found, runs: Sequence[Run], past: Sequence[Past | str], apart: Sequence[asyncpg.Record]
) -> HistoryBody:
    """`runs`: the newest first, with one more than are listed where there are more. `apart`: links that do not join
    and came or went in them.
    """
    made = _Events(found.view, found.address, apart[:HISTORY_LINKS])
    items = []
    for place, run in enumerate(runs[:HISTORY_RUNS]):
        before = past[place + 1] if place + 1 < len(past) else None
        items.append(_item(found, run, past[place], before, made))
    limits = []
    if len(runs) > HISTORY_RUNS:
        limits.append(_limit("history_runs", HISTORY_RUNS, "older runs are not listed"))
    if len(apart) > HISTORY_LINKS:
        limits.append(_limit("history_links", HISTORY_LINKS, "more links were held or released in these runs"))
    answer = found.view.frame(found.moment, limits + made.limits())
    return {
        "chain": chain,
        "id": found.handle,
        "answers": [{**answer, "address": found.view.address(found.address), "items": items}],
        "next": None,
    }


def _item(found: Found, run: Run, past: Past | str, before: Past | str | None, made: _Events) -> HistoryRun:
    item: HistoryRun = {
        "run": run.run_id,
        "height": None if run.tip is None else run.tip.height,
        "finished_at": text.stamp(run.finished_at),
        "id": None,
        "size": None,
        "note": None,
        "events": None,
    }
    if isinstance(past, str):
        return {**item, "note": past}
    if found.address >= run.address_count:
        return {**item, "note": "the address was not observed yet", "events": []}
    members = past.cluster_of(found.address)
    events = None if isinstance(before, str) else [] if before is None else made.between(before, past, members)
    return {**item, "id": past.handle(int(members[0])), "size": len(members), "events": events}


@dataclass(slots=True)
class _Events:
    """Tells what became of one address' cluster between neighbouring runs."""

    view: DatasetView
    address: int
    apart: Sequence[asyncpg.Record]
    _cut: set[str] = field(default_factory=set)

    def limits(self) -> list[Limit]:
        bounds = {
            "event_clusters": (EVENT_CLUSTERS, "an event names the largest clusters only"),
            "event_links": (EVENT_LINKS, "an event names the earliest links only"),
        }
        return [_limit(name, *bounds[name]) for name in bounds if name in self._cut]

    def between(self, before: Past, after: Past, members: I32) -> list[HistoryEvent]:
        """`members`: of the cluster in the later run."""
        events: list[HistoryEvent] = []
        merged = before.parts(members)
        if len(merged) > 1:
            events.append(self._clusters("merged", before, merged, MERGED))
        split = after.parts(before.cluster_of(self.address))
        if len(split) > 1:
            events.append(self._clusters("split", after, split, SPLIT))
        fresh = int(np.count_nonzero(members >= before.run.address_count))
        if fresh:
            events.append({"event": "grew", "count": fresh, "clusters": [], "links": [], "statement": GREW})
        return [*events, *self._links(after.run.run_id, members)]

    def _clusters(
        self, event: Literal["merged", "split"], past: Past, parts: list[I32], statement: str
    ) -> HistoryEvent:
        if len(parts) > EVENT_CLUSTERS:
            self._cut.add("event_clusters")
        named = [cluster_name(past, past.cluster_of(int(part[0]))) for part in parts[:EVENT_CLUSTERS]]
        return {"event": event, "count": len(parts), "clusters": named, "links": [], "statement": statement}

    def _links(self, run: int, members: I32) -> list[HistoryEvent]:
        """What was held or released at the cluster in a run; a link whose reason alone changed is neither."""
        came = {_link(row): row for row in self.apart if row["from_run"] == run}
        went = {_link(row): row for row in self.apart if row["to_run"] == run}
        held = [row for link, row in came.items() if link not in went and _touches(row, members)]
        released = [row for link, row in went.items() if link not in came and _touches(row, members)]
        events: list[HistoryEvent] = []
        if held:
            events.append(self._told(held, "held", HELD))
        if released:
            events.append(self._told(released, "released", RELEASED))
        return events

    def _told(self, rows: list[asyncpg.Record], event: Literal["held", "released"], statement: str) -> HistoryEvent:
        if len(rows) > EVENT_LINKS:
            self._cut.add("event_links")
        links = [_event_link(self.view, row) for row in rows[:EVENT_LINKS]]
        return {"event": event, "count": len(rows), "clusters": [], "links": links, "statement": statement}


def cluster_name(past: Past, members: I32) -> ClusterName:
    """Handle and size of a cluster of an earlier run."""
    return {"id": past.handle(int(members[0])), "size": len(members)}


def _link(row: asyncpg.Record) -> tuple[int, int, int, int]:
    return row["tx_id"], row["rule"], row["u"], row["v"]


def _touches(row: asyncpg.Record, members: I32) -> bool:
    ends = np.array([row["u"], row["v"]], np.int32)
    place = np.minimum(np.searchsorted(members, ends), len(members) - 1)
    return bool((members[place] == ends).any())


def _event_link(view: DatasetView, row: asyncpg.Record) -> EventLink:
    return {
        **view.seen(row["tx_id"]),
        "rule": text.rule_words(row["rule"])["rule"],
        "addresses": [view.address(row["u"]), view.address(row["v"])],
        "status": text.link_status(row["status"]),
        "reason": WORDS[Reason(row["reason"])],
    }


def _limit(name: str, value: int, detail: str) -> Limit:
    return {"limit": name, "value": value, "detail": detail}
