"""Links that a guard holds or a person refused, with what a person needs to decide on them.

Each names its transaction and rule, the two clusters as the newest run has them, and the services that labels name in
each: what accepting it would join.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg
import numpy as np

from api.answers import text
from api.answers.decisions import decision_row
from api.answers.labels import ColumnOf
from api.answers.pages import Page, Place, walk
from api.answers.run_shapes import DecisionRow, HeldAnswer, HeldBody, HeldLink, HeldSide, ServiceName
from api.answers.shapes import ClusterName, Limit
from api.answers.view import DatasetView
from api.decisions import standing
from chain.bitcoin import address as codec
from chain.model import hash_bytes
from chain.store.answers import AnswerStore
from chain.store.labels import LabelStore
from chain.store.links import START, Decision, LinkStore, Run
from chain.store.postgres import Connection
from clustering.clustering import Clustering
from clustering.guards import NOBODY, WORDS, Reason
from clustering.labels import LabelColumn
from clustering.links import RULES, LinkStatus

SERVICES = 20
"""Services of one cluster that are named, those of the most addresses."""

DECISIONS = 20
"""Decisions on one link that are listed, the newest."""

STATEMENT = "a link that is held or refused joins nothing; " + text.NO_FINDING
RELABELLED = "the labels have changed since the run judged by them; the next cluster update judges again"
UNCOUNTED = "decisions were made since the run; the next cluster update counts them"
NOT_CLUSTERED = "no clustering of this dataset fits its ledger; run headwater cluster update"


@dataclass(frozen=True, slots=True)
class Apart:
    """What does not join in the run of one view, from a place on."""

    run: Run
    rows: list[asyncpg.Record]
    decisions: list[Decision]
    """Every one of the dataset, the newest first"""
    column: LabelColumn | None


async def held_page(
    connection: Connection, column_of: ColumnOf, chain: str, views: Sequence[DatasetView], start: Place | None,
    limit: int,
) -> tuple[HeldBody, Place | None]:  # fmt: skip
    """Links of each view's run that do not join, in canonical order. Reorganised where a ledger was rolled back."""
    version = await LabelStore(connection).version()
    found: dict[str, Apart] = {}
    for view in views:
        here = start is not None and start.dataset == view.name
        after = start.after if start is not None and here else None
        apart = await _apart(connection, column_of, view, version, after, limit + 1)
        if apart is not None:
            found[view.name] = apart
    return await asyncio.to_thread(_page, chain, views, found, start, limit)


async def _apart(
    connection: Connection, column_of: ColumnOf, view: DatasetView, version: int, after: list[str] | None, limit: int
) -> Apart | None:
    """None where the view has no clustering."""
    if view.run is None:
        return None
    place = START if after is None else _behind(view, after)
    column = await column_of(view, version) if version else None
    links = LinkStore(connection)
    async with AnswerStore(connection).snapshot(view.dataset, view.epoch):
        (run,) = await links.runs(view.dataset, 1, view.run + 1)
        rows = await links.held(view.dataset, view.run, limit, place)
        return Apart(run, rows, await links.decisions(view.dataset), column)


def _behind(view: DatasetView, after: list[str]) -> tuple[int, int, int, int]:
    """The place of the link that a cursor names; the start where it is not there (the cursor has then expired)."""
    txid, rule, u, v = after
    tx = int(view.columns.find_txids(np.frombuffer(hash_bytes(txid), np.uint8).reshape(1, 32))[0])
    ids = sorted(view.address_id(codec.decode(each, view.network)) for each in (u, v))
    number = next(facts.rule for facts in RULES.values() if facts.name == rule)
    return START if tx < 0 or ids[0] < 0 else (tx, int(number), ids[0], ids[1])


def _page(
    chain: str, views: Sequence[DatasetView], found: dict[str, Apart], start: Place | None, limit: int
) -> tuple[HeldBody, Place | None]:
    tables = {view.name: _Table(view, found[view.name]) for view in views if view.name in found}

    def fetch(view: DatasetView, _: list[str] | None, count: int) -> Page[HeldLink]:
        if view.name not in tables:
            return Page([], None)
        rows = found[view.name].rows
        items = [tables[view.name].item(row) for row in rows[:count]]
        return Page(items, _name(items[-1]) if len(rows) > count else None)

    pages, place = walk(views, start, limit, fetch, by_run=True)
    answers = [_answer(view, found.get(view.name), tables.get(view.name), items) for view, items in pages]
    return {"chain": chain, "answers": answers, "next": None}, place


def _name(item: HeldLink) -> list[str]:
    return [item["txid"], item["rule"], *(side["address"] for side in item["sides"])]


def _answer(view: DatasetView, apart: Apart | None, table: _Table | None, items: list[HeldLink]) -> HeldAnswer:
    return {
        **view.frame(view.now(), [] if table is None else table.limits()),
        "held": 0 if apart is None else apart.run.held_count,
        "label_set": None if apart is None or apart.column is None else apart.column.version,
        "judged_by": None if apart is None else apart.run.label_set,
        "note": NOT_CLUSTERED if apart is None else _note(apart),
        "statement": STATEMENT,
        "items": items,
    }


def _note(apart: Apart) -> str | None:
    version = None if apart.column is None else apart.column.version
    notes = [RELABELLED] if version != apart.run.label_set else []
    if apart.decisions and apart.decisions[0].decision_id > apart.run.decision_id:
        notes.append(UNCOUNTED)
    return "; ".join(notes) or None


@dataclass(slots=True)
class _Table:
    """Makes the items of one view; a cluster that is on many of them is looked at once."""

    view: DatasetView
    apart: Apart
    _services: dict[int, list[ServiceName]] = field(default_factory=dict)
    _cut: set[str] = field(default_factory=set)

    def limits(self) -> list[Limit]:
        details = {
            "held_services": (SERVICES, "more services are named in one of these clusters"),
            "held_decisions": (DECISIONS, "more decisions were made on one of these links"),
        }
        return [
            {"limit": name, "value": details[name][0], "detail": details[name][1]}
            for name in details
            if name in self._cut
        ]

    def item(self, row: asyncpg.Record) -> HeldLink:
        clustering = self.view.clustering
        assert clustering is not None, "what does not join is of a run"
        u, v = row["u"], row["v"]
        sides = [self._side(clustering, each) for each in (u, v)]
        together = int(clustering.labels[u]) == int(clustering.labels[v])
        sizes = [side["cluster"]["size"] for side in sides]
        words = text.rule_words(row["rule"])
        return {
            **words,
            **self.view.seen(row["tx_id"]),
            "status": text.link_status(row["status"]),
            "reason": WORDS[Reason(row["reason"])],
            "since_run": row["from_run"],
            "sides": sides,
            "joined_size": None if together else sum(sizes),
            "effect": _effect(row["status"], together, sizes),
            "decisions": self._decisions(row),
        }

    def _side(self, clustering: Clustering, address: int) -> HeldSide:
        label = int(clustering.labels[address])
        basis = clustering.basis
        name: ClusterName = {
            "id": f"{self.view.name}/{basis.level}/{self.view.address(label)}@{basis.run_id}",
            "size": clustering.members.size(label),
        }
        if label not in self._services:
            self._services[label] = self._named(clustering, label)
        return {"address": self.view.address(address), "cluster": name, "services": self._services[label]}

    def _named(self, clustering: Clustering, label: int) -> list[ServiceName]:
        column = self.apart.column
        if column is None:
            return []
        members = clustering.members.of(label)
        entities = column.entity[members]
        labelled = members[entities != NOBODY]
        found, first, counts = np.unique(entities[entities != NOBODY], return_index=True, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        if len(order) > SERVICES:
            self._cut.add("held_services")
        return [
            {
                "entity": column.entities[int(found[each])],
                "addresses": int(counts[each]),
                "via": self.view.address(int(labelled[first[each]])),
            }
            for each in order[:SERVICES].tolist()
        ]

    def _decisions(self, row: asyncpg.Record) -> list[DecisionRow]:
        keys = sorted(self.view.columns.address_key(row[each]) for each in ("u", "v"))
        link = (bytes(self.view.columns.tx_txid[row["tx_id"]]), row["rule"], *keys)
        said = [each for each in self.apart.decisions if each.link == link]
        if len(said) > DECISIONS:
            self._cut.add("held_decisions")
        in_force = {each.decision_id for each in standing(said)}
        counted = self.apart.run.decision_id
        return [
            decision_row(self.view, each, each.decision_id in in_force, each.decision_id <= counted)
            for each in said[:DECISIONS]
        ]


def _effect(status: int, together: bool, sizes: list[int]) -> str:
    if together:
        return "other links that were accepted join the two in this run; this one adds nothing"
    taken = "" if status == LinkStatus.HELD else "a person refused it; "
    return (
        f"{taken}accepting it would join clusters of {sizes[0]:,} and {sizes[1]:,} addresses into one of {sum(sizes):,}"
    )
