"""Export as TagPack. What every tag says alike stands in the header, so that an imported pack comes out as it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import orjson
import yaml

from chain.store.labels import Actor, Source

Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

BODY = (
    "label", "currency", "network", "category", "concepts", "abuse", "actor", "confidence", "is_cluster_definer",
    "lastmod", "valid_from", "valid_until", "source", "context",
)  # fmt: skip
"""Fields of a tag in the order of the export. `pack` is not TagPack's and stands in the archived file alone."""


def tagpack(header: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A TagPack of the labels `rows` (of LabelStore.for_export), as YAML in UTF-8."""
    tags = [{"address": row["address"], **_said(row)} for row in rows]
    common = _common(tags)
    body = [{name: value for name, value in tag.items() if name not in common} for tag in tags]
    return _dump({**_stated(header), **common, "tags": body})


def source_header(source: Source) -> dict[str, Any]:
    """What a source says of itself."""
    return {
        "title": source.title, "creator": source.creator, "description": source.description, "uri": source.uri,
        "licence": source.licence,
    }  # fmt: skip


def joint_header(version: int, sources: Sequence[Source], what: str) -> dict[str, Any]:
    """A header for labels of several sources, which it names: whose words these are, and under which licence."""
    lines = [
        f"{each.source_id}: {each.title} by {each.creator}; licence {each.licence or 'not stated'}; "
        f"sha256 {each.sha256.hex()}"
        for each in sources
    ]
    return {
        "title": f"Headwater label set {version}, {what}",
        "creator": "Headwater",
        "description": "From these sources:\n" + "\n".join(lines),
    }


def actorpack(source: Source, actors: Sequence[Actor]) -> bytes:
    """An ActorPack of a source's actors."""
    body = [
        _stated(
            {
                "id": each.actor_id, "label": each.label, "uri": each.uri, "categories": list(each.categories) or None,
                "jurisdictions": list(each.jurisdictions) or None, "aliases": list(each.aliases) or None,
                "lastmod": _moment(each.lastmod), "context": _context(each.context),
            }
        )
        for each in actors
    ]  # fmt: skip
    return _dump({**_stated(source_header(source)), "actors": body})


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a label that say something, as YAML has them."""
    said = {name: row[name] for name in BODY}
    said["lastmod"], said["context"] = _moment(row["lastmod"]), _context(row["context"])
    said["concepts"] = list(row["concepts"]) or None
    return _stated(said)


def _stated(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _moment(moment: datetime | None) -> date | None:
    """A day where it is a midnight."""
    if moment is None or moment.time() != datetime.min.time():
        return moment
    return moment.date()


def _context(context: str | None) -> Any:
    return None if context is None else orjson.loads(context)


def _common(tags: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields that all of two tags or more say alike."""
    if len(tags) < 2:
        return {}
    first = tags[0]
    return {
        name: first[name]
        for name in BODY
        if name in first and all(name in tag and _same(tag[name], first[name]) for tag in tags)
    }


def _same(one: Any, other: Any) -> bool:
    """Equal and of one type: in a context 1, 1.0 and true are three values."""
    return type(one) is type(other) and (one == other if not isinstance(one, dict | list) else repr(one) == repr(other))


def _dump(body: Mapping[str, Any]) -> bytes:
    text = yaml.dump(
        dict(body), Dumper=Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1_000_000
    )
    return str(text).encode()
