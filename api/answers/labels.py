"""Labels of an address: those that sources give to it, and those of its cluster's other addresses, with the rule.

Labels of the cluster are found among the dataset's labelled addresses (LabelColumn.labelled), so that a cluster of
millions costs no more than its labels; those of at most MEMBERS addresses are read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import orjson

from api.answers import text
from api.answers.cluster import Found, cluster_at
from api.answers.label_shapes import (
    AddressLabels,
    ClusterLabels,
    InheritedLabel,
    Label,
    LabelConflict,
    LabelsBody,
    LabelSource,
    NamedService,
)
from api.answers.naming import Holder, name_address
from api.answers.shapes import Limit
from api.answers.view import DatasetView, InvalidParameter
from api.labels.column import label_column
from api.labels.statements import statement
from chain.bitcoin import address as bitcoin
from chain.bitcoin.network import NETWORKS
from chain.errors import AddressError
from chain.ethereum import address as ethereum
from chain.model import I32
from chain.store.labels import CHAINS, LabelStore, Row
from chain.store.postgres import Connection
from clustering.labels import LabelColumn, Statement, conflict

OTHER = "other"
"""Names every chain that is not covered: its addresses are compared as text."""

DIRECT = 500
"""Labels of one address that are read; the most of any address in GraphSense's public packs is 26."""

MEMBERS = 1_000
"""Labelled addresses of one cluster whose labels are read, the earliest."""

MEMBER_LABELS = 5_000
"""Labels of them."""

STATEMENT = "what these sources say; " + text.NO_FINDING
NONE = "no source that was imported labels it; that says nothing of it"
NOT_COVERED = "addresses of this chain are not read: the text was compared; " + text.NO_FINDING

DEFINER = "another address of the cluster has this label, and its source says that it stands for the whole cluster"
MEMBER = "another address of the cluster has this label; its source does not say that it stands for the cluster"

SETTLED = "labels in force name several services; those of the highest confidence name one"
OPEN = "labels in force of equal confidence name several services; none of them speaks for it"

ColumnOf = Callable[[DatasetView, int], Awaitable[LabelColumn | None]]
"""The label column of a view in a version of the label set."""

Actors = Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class Asker:
    """What it takes to ask: a connection, the columns of labels, and the day."""

    connection: Connection
    column_of: ColumnOf
    on: date


def asking(connection: Connection, home: Path) -> Asker:
    """An asker of one command, today."""

    async def column_of(view: DatasetView, _: int) -> LabelColumn | None:
        return await label_column(connection, home, view.dataset, view.columns)

    return Asker(connection, column_of, today())


def today() -> date:
    return datetime.now(UTC).date()


async def labels_body(
    asker: Asker, chain: str, views: Sequence[DatasetView], written: str, height: int | None = None
) -> LabelsBody:
    """Labels of an address; InvalidParameter where there is no such chain, AddressError where it is no address."""
    return {"chain": chain, "address": written, **await address_labels(asker, chain, views, written, height)}


async def address_labels(
    asker: Asker, chain: str, views: Sequence[DatasetView], written: str, height: int | None = None
) -> AddressLabels:
    """The same, without naming the address. `height`: clusters as of then; labels are always those of today's set."""
    keys = _keys(chain, written)
    store = LabelStore(asker.connection)
    version = await store.version()
    if keys is None:
        rows = await store.of_text(written, version, DIRECT + 1)
    else:
        key, networks = keys
        rows = await store.of_keys(chain, [key], networks, version, DIRECT + 1)
    actors = await _actors(store, version, rows)
    limits = [_limit("direct_labels", DIRECT, "the address has more labels")] if len(rows) > DIRECT else []
    direct = [_label(row, actors, asker.on) for row in rows[:DIRECT]]
    found = [statement(row, actors) for row in rows[:DIRECT]]
    clusters = (
        [] if keys is None or not version else await _clusters(asker, store, views, written, keys[1], height, version)
    )
    said = any(each["inherited"] for each in clusters) or bool(direct)
    return {
        "label_set": version or None,
        "covered": keys is not None,
        "on": asker.on.isoformat(),
        "direct": direct,
        "conflicts": _conflicts(found, direct, asker.on),
        "clusters": clusters,
        "limits_hit": limits,
        "statement": NOT_COVERED if keys is None else STATEMENT if said else NONE,
    }


def _keys(chain: str, written: str) -> tuple[bytes, list[str]] | None:
    """The key of an address and the networks that it is of; None where the chain is not covered."""
    if chain == OTHER:
        return None
    if chain not in CHAINS:
        raise InvalidParameter(
            "chain", f"there is no such chain; {', '.join(CHAINS)}, or {OTHER} for any that is not covered"
        )
    if chain == "eth":
        return ethereum.decode(written), ["main"]
    refusal: AddressError | None = None
    key, networks = b"", []
    for network in NETWORKS.values():
        try:
            key = bitcoin.decode(written, network)
            networks.append(network.name)
        except AddressError as error:
            refusal = refusal or error
    if not networks:
        assert refusal is not None, "every network was asked"
        raise refusal
    return key, networks


async def _actors(store: LabelStore, version: int, rows: Sequence[Row]) -> Actors:
    ids = sorted({row["actor"] for row in rows if row["actor"] is not None})
    return await store.actors(version, ids) if ids else {}


def _label(row: Row, actors: Actors, on: date) -> Label:
    said = statement(row, actors)
    actor = actors.get(row["actor"])
    return {
        "label": row["label"],
        "entity": said.identity,
        "actor": row["actor"],
        "actor_label": None if actor is None else actor["label"],
        "category": row["category"],
        "concepts": list(row["concepts"]),
        "abuse": row["abuse"],
        "confidence": row["confidence"],
        "level": said.level,
        "names_service": said.names_service,
        "is_cluster_definer": row["is_cluster_definer"],
        "date": _stamp(row["lastmod"]),
        "valid_from": _day(row["valid_from"]),
        "valid_until": _day(row["valid_until"]),
        "in_force": said.in_force(on),
        "asset": row["currency"],
        "address": row["address"],
        "origin": row["source"],
        "context": row["context"],
        "pack": row["pack"],
        "place": row["place"],
        "given_by": _source(row),
    }


def _source(row: Row) -> LabelSource:
    return {
        "source": row["source_id"],
        "title": row["title"],
        "creator": row["creator"],
        "uri": row["uri"],
        "licence": row["licence"],
        "format": row["format"],
        "sha256": row["sha256"].hex(),
        "imported_at": text.stamp(row["imported_at"]),
        "since_version": row["from_version"],
    }


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _stamp(moment: datetime | None) -> str | None:
    """A day where it is a midnight, else RFC 3339."""
    if moment is None or moment.time() == datetime.min.time():
        return None if moment is None else moment.date().isoformat()
    return moment.isoformat() + "Z"


def _conflicts(statements: Sequence[Statement], labels: Sequence[Label], on: date) -> list[LabelConflict]:
    found = conflict(statements, on)
    if found is None:
        return []
    sides: dict[str, NamedService] = {}
    for said, label in zip(statements, labels, strict=True):
        best = sides.get(said.identity)
        counts = said.names_service and said.in_force(on)
        if counts and (best is None or said.level > best["level"]):
            sides[said.identity] = {
                "entity": said.identity,
                "level": said.level,
                "label": label["label"],
                "address": label["address"],
                "source": label["given_by"]["source"],
            }
    between = [sides[name] for name in found.entities]
    wording = OPEN if found.settled_as is None else SETTLED
    return [{"entities": found.entities, "settled_as": found.settled_as, "wording": wording, "between": between}]


def _limit(name: str, value: int, detail: str) -> Limit:
    return {"limit": name, "value": value, "detail": detail}


# What the cluster's other addresses are labelled


async def _clusters(
    asker: Asker,
    store: LabelStore,
    views: Sequence[DatasetView],
    written: str,
    networks: Sequence[str],
    height: int | None,
    version: int,
) -> list[ClusterLabels]:
    of_network = [view for view in views if view.network.name in networks]
    if not of_network:
        return []
    named = await asyncio.to_thread(name_address, of_network, written, height)
    return [await _cluster(asker, store, holder, version) for holder in named.knowing]


async def _cluster(asker: Asker, store: LabelStore, holder: Holder, version: int) -> ClusterLabels:
    view = holder.view
    found = await asyncio.to_thread(cluster_at, view, holder.address, holder.moment)
    if isinstance(found, str):
        return _nothing(view, found)
    column = await asker.column_of(view, version)
    assert column is not None, "there is a version, so there is a column"
    members = await asyncio.to_thread(_labelled, found, column)
    ids = members[:MEMBERS].tolist()
    keys = [view.columns.address_key(each) for each in ids]
    rows = (
        await store.of_keys(view.dataset.chain, keys, [view.network.name], version, MEMBER_LABELS + 1) if keys else []
    )
    actors = await _actors(store, version, rows)
    order = {key: place for place, key in enumerate(keys)}
    more = len(rows) > MEMBER_LABELS
    rows = sorted(rows[:MEMBER_LABELS], key=lambda row: (order[row["key"]], row["source_id"], row["place"]))
    limits = []
    if len(members) > MEMBERS:
        limits.append(_limit("labelled_members", MEMBERS, "labels of more addresses of the cluster are not read"))
    if more:
        limits.append(_limit("member_labels", MEMBER_LABELS, "more labels of the cluster's addresses are not read"))
    own = await store.of_keys(
        view.dataset.chain, [view.columns.address_key(found.address)], [view.network.name], version, DIRECT
    )
    own_actors = await _actors(store, version, own)
    statements = [*(statement(row, own_actors) for row in own), *(statement(row, actors) for row in rows)]
    labels = [*(_label(row, own_actors, asker.on) for row in own), *(_label(row, actors, asker.on) for row in rows)]
    return {
        "dataset": view.name,
        "cluster": {"id": found.handle, "size": len(found.members)},
        "cluster_note": None,
        "labelled": len(members),
        "inherited": _inherited(rows, labels[len(own) :]),
        "conflicts": _conflicts(statements, labels, asker.on),
        "limits_hit": limits,
    }


def _nothing(view: DatasetView, note: str) -> ClusterLabels:
    return {
        "dataset": view.name,
        "cluster": None,
        "cluster_note": note,
        "labelled": 0,
        "inherited": [],
        "conflicts": [],
        "limits_hit": [],
    }


def _labelled(found: Found, column: LabelColumn) -> I32:
    """The other addresses of a cluster that have a label, ascending; both lists are ascending."""
    small, large = sorted((found.members, column.labelled), key=len)
    if not len(small):
        return small
    place = np.minimum(np.searchsorted(large, small), len(large) - 1)
    both: I32 = small[(large[place] == small) & (small != found.address)]
    return both


def _inherited(rows: Sequence[Row], labels: Sequence[Label]) -> list[InheritedLabel]:
    """What the labels say, each thing once: rule, entity, category, abuse and confidence make one."""
    groups: dict[bytes, tuple[InheritedLabel, set[bytes]]] = {}
    for row, label in zip(rows, labels, strict=True):
        is_definer = row["is_cluster_definer"] is True
        said = [
            is_definer, label["entity"], label["category"], label["concepts"], label["abuse"], label["level"],
            label["in_force"],
        ]  # fmt: skip
        key = orjson.dumps(said)
        if key not in groups:
            shown: InheritedLabel = {
                "rule": "cluster definer" if is_definer else "member",
                "wording": DEFINER if is_definer else MEMBER,
                "via": label["address"],
                "addresses": 0,
                "label": label,
            }
            groups[key] = shown, set()
        groups[key][1].add(row["key"])
    found: list[InheritedLabel] = [{**shown, "addresses": len(keys)} for shown, keys in groups.values()]
    return sorted(found, key=lambda each: (each["rule"], -each["label"]["level"], each["label"]["entity"]))
