"""YAML files from strangers, as a tree of nodes whose scalars keep the text that was written.

YAML 1.1 reads `01` as a number, `NO` as false and 2021-11-12 as a date; a label or a country is the text itself. So
nothing is resolved here: whoever reads a field decides what it must be. Refused as a whole: aliases (they make small
files large), tags of other kinds (`!!python/object`), several documents, nesting deeper than MAX_DEPTH, a key that
stands twice in one mapping.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from chain.errors import LimitExceeded, MalformedData

MAX_YAML = 64 << 20
"""Decompressed bytes of a YAML file, whose tree takes some thirty times as much; 50,000 tags have about 8 MB."""

MAX_DEPTH = 16
"""Mappings and lists within each other; a tag's context lies at 5."""

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where it is there: the same trees, ten times as fast."""

_CORE = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map", "merge")
)
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FRACTION = re.compile(r"[-+]?[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?")
"""Numbers that everybody reads alike; octal, hex, sexagesimal and the rest stay the text that was written."""
_NULLS = ("", "~", "null", "Null", "NULL")
_NULL_TAG = "tag:yaml.org,2002:null"

Node = yaml.Node


class WrongType(Exception):
    """A field is not of the kind that it must be; the message says so."""


def read(file: str, data: bytes) -> yaml.MappingNode:
    """The mapping at the top of a document; MalformedData or LimitExceeded, with the line, where it is none."""
    if len(data) > MAX_YAML:
        raise LimitExceeded(f"{file}: more than {MAX_YAML:,} bytes of YAML")
    try:
        _check(file, data)
        node = yaml.compose(data, Loader)
    except yaml.YAMLError as error:
        raise MalformedData(f"{file}: no YAML: {' '.join(str(error).split())}") from None
    except (ValueError, RecursionError) as error:  # such as an escape that is no character
        raise MalformedData(f"{file}: no YAML: {error}") from None
    if not isinstance(node, yaml.MappingNode):
        raise MalformedData(f"{file}: not a mapping at the top")
    return node


def _check(file: str, data: bytes) -> None:
    """Look at the events, which need no recursion, before the tree is made."""
    depth, documents = 0, 0
    loader = Loader(data)
    try:
        while loader.check_event():
            event = loader.get_event()
            place = f"{file}: line {event.start_mark.line + 1 if event.start_mark else 0}"
            if isinstance(event, yaml.AliasEvent):
                raise MalformedData(f"{place}: an alias (*{event.anchor}); write the value out")
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise MalformedData(f"{place}: a second document")
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise LimitExceeded(f"{place}: more than {MAX_DEPTH} lists and mappings within each other")
            tag = getattr(event, "tag", None)
            if tag not in (None, "!", *_CORE):
                raise MalformedData(f"{place}: the tag {tag!r} is of no plain kind")
    finally:
        loader.dispose()


def line(node: Node) -> int:
    """The line where a node begins, from 1."""
    return int(node.start_mark.line) + 1


def mapping(node: Node, what: str) -> dict[str, Node]:
    """The fields of a mapping; WrongType where it is none, or a key is no text or stands twice."""
    if not isinstance(node, yaml.MappingNode):
        raise WrongType(f"{what} is {_kind(node)}, not a mapping")
    found: dict[str, Node] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise WrongType(f"{what} has {_kind(key)} as a key")
        if key.value in found:
            raise WrongType(f"{what} has {key.value[:80]!r} twice")
        found[key.value] = value
    return found


def sequence(node: Node, what: str) -> list[Node]:
    """The items of a list; WrongType where it is none."""
    if not isinstance(node, yaml.SequenceNode):
        raise WrongType(f"{what} is {_kind(node)}, not a list")
    return list(node.value)


def scalar(node: Node, what: str) -> str | None:
    """The text of a scalar as it was written, None for null; WrongType for a mapping or list."""
    if not isinstance(node, yaml.ScalarNode):
        raise WrongType(f"{what} is {_kind(node)}, not a text")
    if node.tag == _NULL_TAG and node.value in _NULLS:
        return None
    return str(node.value)


def texts(node: Node, what: str) -> list[str]:
    """A list of texts; null is an empty one."""
    if isinstance(node, yaml.ScalarNode) and scalar(node, what) is None:
        return []
    found = [scalar(item, what) for item in sequence(node, what)]
    return [item for item in found if item is not None]


def plain(node: Node) -> Any:
    """A tree of any form as JSON can hold it: numbers and truth values as such, dates as text."""
    if isinstance(node, yaml.MappingNode):
        return {key: plain(value) for key, value in mapping(node, "a mapping").items()}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    name = node.tag.rpartition(":")[2]
    if name == "int" and _DECIMAL.fullmatch(node.value):
        return int(node.value)
    if name == "float" and _FRACTION.fullmatch(node.value):
        return float(node.value)
    if name == "bool":
        return node.value.lower() in ("true", "yes", "on")
    return scalar(node, "a value")


def _kind(node: Node) -> str:
    return (
        "a text"
        if isinstance(node, yaml.ScalarNode)
        else "a list"
        if isinstance(node, yaml.SequenceNode)
        else "a mapping"
    )
