"""JSON bodies that requests send: read into typed structures, and described for OpenAPI from the same."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from api.answers.view import InvalidParameter

T = TypeVar("T", bound=msgspec.Struct)


def body_of(raw: bytes, kind: type[T]) -> T:
    """A body's structure; InvalidParameter says where it is another."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidParameter("body", str(error)) from error


def schema_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """What OpenAPI says of such a body."""
    whole = msgspec.json.schema(kind)
    schema = {name: value for name, value in whole["$defs"][kind.__name__].items() if name != "title"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
