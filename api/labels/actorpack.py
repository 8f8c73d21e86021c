"""ActorPacks: YAML, a header and a list of the organisations that tags name by an id.

The form is GraphSense's (graphsense-tagpack-tool, src/tagpack/conf/actorpack_schema.yaml).
"""

from __future__ import annotations

from collections.abc import Mapping

from api.labels import yamlnodes
from api.labels.pack import MAX_ROWS, MAX_TEXT, Pack, RowError, check_any, moment_of, text_of
from api.labels.tagpack import context_text, header_texts
from api.labels.yamlnodes import Node, WrongType
from chain.errors import LimitExceeded, MalformedData
from chain.store.labels import Actor

FORMAT = "actorpack"

LISTS = ("categories", "jurisdictions", "aliases")
ACTOR_FIELDS = frozenset({"id", "label", "uri", "lastmod", "context", *LISTS})
HEADER_FIELDS = frozenset({"title", "creator", "description", "uri", "license", "licence", "actors"})
INHERITED = ("lastmod", *LISTS)
"""What an actor takes from the header where it has none of its own."""


def read(file: str, data: bytes) -> Pack:
    """An ActorPack; MalformedData where its header cannot be used. Actors that cannot be taken are its `rejects`."""
    try:
        top = yamlnodes.mapping(yamlnodes.read(file, data), "the pack")
        missing = [name for name in ("title", "creator", "actors") if name not in top]
        if missing:
            raise WrongType(f"there is no {', no '.join(missing)}")
        pack = Pack(FORMAT, file, **header_texts(top), place_name="actor")
        inherited = {name: top[name] for name in INHERITED if name in top}
        actors = yamlnodes.sequence(top["actors"], "actors")
    except (WrongType, RowError) as error:
        raise MalformedData(f"{file}: header: {error}") from None
    if len(actors) > MAX_ROWS:
        raise LimitExceeded(f"{file}: more than {MAX_ROWS:,} actors")
    pack.unread |= top.keys() - HEADER_FIELDS - set(INHERITED)
    seen: set[str] = set()
    for place, node in enumerate(actors, 1):
        try:
            fields = {**inherited, **yamlnodes.mapping(node, "the actor")}
            actor = _actor(fields)
            if actor.actor_id in seen:
                raise RowError(f"the id {actor.actor_id!r} stands twice")
        except (WrongType, RowError) as error:
            pack.reject(place, f"line {yamlnodes.line(node)}: {error}")
            continue
        seen.add(actor.actor_id)
        pack.unread |= fields.keys() - ACTOR_FIELDS
        pack.actors.append(actor)
    check_any(pack)
    return pack


def _actor(nodes: Mapping[str, Node]) -> Actor:
    said = {name: yamlnodes.scalar(nodes[name], name) for name in ("id", "label", "uri", "lastmod") if name in nodes}
    missing = [name for name in ("id", "label") if not said.get(name)]
    if missing:
        raise RowError(f"there is no {', no '.join(missing)}")
    uri, lastmod = said.get("uri"), said.get("lastmod")
    context = yamlnodes.plain(nodes["context"]) if "context" in nodes else None
    lists = {
        name: tuple(text_of(name, each) for each in yamlnodes.texts(nodes[name], name)) if name in nodes else ()
        for name in LISTS
    }
    return Actor(
        text_of("id", str(said["id"])),
        text_of("label", str(said["label"])),
        None if uri is None else text_of("uri", uri, MAX_TEXT),
        **lists,
        lastmod=None if lastmod is None else moment_of("lastmod", lastmod),
        context=None if context is None else context_text(context),
    )
