"""Stored rows against derived ones: both as binary COPY streams, equal byte for byte or told where they part.

The derived stream is the one that a load would write, so that every column of every row is compared and none can be
forgotten.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import NamedTuple

from chain.store.copy import HEADER
from chain.store.numeric import decode_rows
from chain.store.postgres import Connection, queries
from chain.uint256 import to_int

NO_ROW = "no row"
_LENGTH = struct.Struct(">i")
_COUNT = struct.Struct(">h")


class Column(NamedTuple):
    name: str
    type: str
    """As Postgres writes it."""


class Difference(NamedTuple):
    """The first value in which two streams differ."""

    row: int
    """The id of the row."""
    column: str
    stored: str
    derived: str


async def columns_of(connection: Connection, table: str) -> list[Column]:
    """A table's columns in the order that COPY writes them in."""
    rows = await connection.fetch(queries("audit")["columns_of"], table)
    return [Column(row["name"], row["type"]) for row in rows]


async def stored_range(
    connection: Connection, table: str, id_column: str, dataset_id: int, low: int, high: int
) -> bytes:
    """The rows of a dataset with ids from `low` to before `high`, in order of id, as a binary COPY stream."""
    sql = queries("audit")["rows_of"].format(table=table, id=id_column, dataset=dataset_id, low=low, high=high)
    buffer = io.BytesIO()
    await connection.copy_from_query(sql, output=buffer, format="binary")
    return buffer.getvalue()


def first_difference(stored: bytes, derived: bytes, columns: list[Column], id_column: str) -> Difference | None:
    """None where the streams are the same. The second column of each table that is compared is its id."""
    if stored == derived:
        return None
    place = [column.name for column in columns].index(id_column)
    ours, theirs = _rows(stored), _rows(derived)
    while True:
        one, other = next(ours, None), next(theirs, None)
        if one == other:
            if one is None:
                return None
            continue
        ids = [None if row is None else _number(row[place] or b"") for row in (one, other)]
        if one is None or other is None or ids[0] != ids[1]:
            first = min(number for number in ids if number is not None)
            return Difference(
                first, id_column, str(first) if ids[0] == first else NO_ROW, str(first) if ids[1] == first else NO_ROW
            )
        at = next(at for at, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
        kind = columns[at].type
        return Difference(ids[0] or 0, columns[at].name, _shown(one[at], kind), _shown(other[at], kind))


def _rows(stream: bytes) -> Iterator[list[bytes | None]]:
    at = len(HEADER)
    while (count := _COUNT.unpack_from(stream, at)[0]) >= 0:
        at += _COUNT.size
        row: list[bytes | None] = []
        for _ in range(count):
            (size,) = _LENGTH.unpack_from(stream, at)
            at += _LENGTH.size
            row.append(None if size < 0 else stream[at : at + size])
            at += max(size, 0)
        yield row


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "big", signed=True)


def _shown(raw: bytes | None, kind: str) -> str:
    if raw is None:
        return "null"
    if kind == "bytea":
        return f"0x{raw.hex()}"
    if kind.startswith("numeric"):
        stream = HEADER + _COUNT.pack(1) + _LENGTH.pack(len(raw)) + raw + _COUNT.pack(-1)
        return str(to_int(decode_rows(stream, [("value", "n")])["value"][0]))
    return str(_number(raw))
