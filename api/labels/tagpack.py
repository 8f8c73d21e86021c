"""TagPacks: YAML, a header and a list of tags; each field of a tag may stand in the header, and the tag's own wins.

The form is GraphSense's (graphsense-tagpack-tool, src/tagpack/conf/tagpack_schema.yaml).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from api.labels import yamlnodes
from api.labels.pack import CONVERTERS, MAX_ROWS, MAX_TEXT, Pack, RowError, check_any, check_validity, text_of
from api.labels.yamlnodes import Node, WrongType
from chain.errors import LimitExceeded, MalformedData
from chain.store.labels import Claim

FORMAT = "tagpack"

TAG_FIELDS = frozenset(CONVERTERS) - {"pack"} | {"concepts", "address"}
"""What a tag says; all but the address may stand in the header."""

HEADER_FIELDS = frozenset({"title", "creator", "description", "uri", "license", "licence", "tags"})

Values = dict[str, Any]


def read(file: str, data: bytes) -> Pack:
    """A TagPack; MalformedData where its header cannot be used. Tags that cannot be taken are its `rejects`."""
    try:
        top = yamlnodes.mapping(yamlnodes.read(file, data), "the pack")
        pack, tags = _header(file, top)
        inherited = _values({name: node for name, node in top.items() if name in TAG_FIELDS - {"address"}})
    except (WrongType, RowError) as error:
        raise MalformedData(f"{file}: header: {error}") from None
    pack.unread |= top.keys() - TAG_FIELDS - HEADER_FIELDS
    for place, node in enumerate(tags, 1):
        try:
            _add(pack, place, yamlnodes.mapping(node, "the tag"), inherited)
        except (WrongType, RowError) as error:
            pack.reject(place, f"line {yamlnodes.line(node)}: {error}")
    check_any(pack)
    return pack


def _header(file: str, top: Mapping[str, Node]) -> tuple[Pack, list[Node]]:
    missing = [name for name in ("title", "creator", "tags") if name not in top]
    if missing:
        raise WrongType(f"there is no {', no '.join(missing)}")
    said = header_texts(top)
    tags = yamlnodes.sequence(top["tags"], "tags")
    if len(tags) > MAX_ROWS:
        raise LimitExceeded(f"{file}: more than {MAX_ROWS:,} tags")
    return Pack(FORMAT, file, **said), tags


def header_texts(top: Mapping[str, Node]) -> dict[str, Any]:
    """Title, creator, description, uri and licence; WrongType or RowError where one cannot be used."""
    said: dict[str, Any] = {}
    for name in ("title", "creator", "description", "uri", "licence", "license"):
        value = yamlnodes.scalar(top[name], name) if name in top else None
        if value is not None:
            said["licence" if name == "license" else name] = text_of(name, value, MAX_TEXT)
    if not said.get("title") or not said.get("creator"):
        raise WrongType("title and creator must not be empty")
    return said


def _values(nodes: Mapping[str, Node]) -> Values:
    """The fields of a header or tag that say something, converted."""
    values: Values = {}
    for name, node in nodes.items():
        if name == "concepts":
            values[name] = tuple(text_of(name, each) for each in yamlnodes.texts(node, name))
        elif name == "context":
            found = yamlnodes.plain(node)
            if found is not None:
                values[name] = context_text(found)
        else:
            written = yamlnodes.scalar(node, name)
            if written is not None:
                values[name] = text_of(name, written) if name == "address" else CONVERTERS[name](name, written)
    return values


def context_text(found: Any) -> str:
    """A context as JSON, in one spelling; RowError where it is too long or no JSON can hold it."""
    try:
        text = orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()
    except (orjson.JSONEncodeError, TypeError) as error:
        raise RowError(f"context cannot be kept: {error}") from None
    return text_of("context", text, MAX_TEXT)


def _add(pack: Pack, place: int, nodes: Mapping[str, Node], inherited: Values) -> None:
    if "tx_hash" in nodes and "address" not in nodes:
        raise RowError("a tag of a transaction (tx_hash); only addresses are labelled")
    own = _values({name: node for name, node in nodes.items() if name in TAG_FIELDS})
    pack.unread |= nodes.keys() - TAG_FIELDS
    address = own.pop("address", None)
    said = {**inherited, **own}
    if "currency" not in said and "network" in said:
        said["currency"] = said["network"]
    missing = [
        name for name, value in (("address", address), *((n, said.get(n)) for n in ("label", "currency"))) if not value
    ]
    if missing:
        raise RowError(f"there is no {', no '.join(missing)}, here or in the header")
    assert isinstance(address, str)
    pack.add(place, address, pack.number(check_validity(Claim(**said))))
