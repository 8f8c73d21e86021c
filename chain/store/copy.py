"""Postgres' binary COPY format to and from columns, without a Python loop over rows.

A row is an int16 number of fields, then for each field an int32 length (-1: null) and its bytes,
big-endian; a header of 19 bytes stands before the rows and an int16 -1 after them
(PostgreSQL documentation, COPY, "Binary Format").
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from chain.errors import MalformedData
from chain.model import I64, U8, Array

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)


@dataclass(frozen=True, slots=True)
class Integers:
    """A column of int2, int4 or int8 (`width` bytes); the value `null` is written as NULL."""

    values: Array
    width: int
    null: int | None = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Booleans:
    """A column of boolean."""

    values: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Bytes:
    """A column of bytea: row i is `flat[starts[i] : starts[i] + sizes[i]]`; size -1 is NULL."""

    flat: U8
    starts: I64
    sizes: I64

    def __len__(self) -> int:
        return len(self.starts)

    @classmethod
    def rows(cls, matrix: U8, sizes: Array | None = None, skip: int = 0) -> Bytes:
        """Row i is `matrix[i, skip : sizes[i]]` (`sizes` None: the full width)."""
        starts = np.arange(len(matrix), dtype=np.int64) * matrix.shape[1] + skip
        ends = np.full(len(matrix), matrix.shape[1], np.int64) if sizes is None else sizes.astype(np.int64)
        return cls(np.ascontiguousarray(matrix).reshape(-1), starts, np.where(ends < 0, -1, ends - skip))

    @classmethod
    def packed(cls, flat: U8, sizes: I64) -> Bytes:
        """Rows that lie one after another."""
        return cls(flat, np.cumsum(sizes) - sizes, sizes)


Field = Integers | Booleans | Bytes


def encode(fields: Sequence[Field]) -> bytes:
    """One binary COPY stream with a row for each element of the columns, which are of equal length."""
    rows = len(fields[0])
    widths = np.full(rows, 2 + 4 * len(fields), np.int64)
    for field in fields:
        widths += _sizes(field)
    place = np.zeros(rows + 1, np.int64)
    np.cumsum(widths, out=place[1:])
    total = len(HEADER) + int(place[-1]) + len(TRAILER)
    out = np.empty(total, np.uint8)
    out[: len(HEADER)] = np.frombuffer(HEADER, np.uint8)
    out[total - len(TRAILER) :] = np.frombuffer(TRAILER, np.uint8)
    place = place[:-1] + len(HEADER)
    _write_field_count(out, place, len(fields))
    for field in fields:
        if isinstance(field, Bytes):
            _write_bytes(out, place, field.flat, field.starts, field.sizes)
        elif isinstance(field, Booleans):
            _write_integers(out, place, field.values.astype(np.int64), 1, False, 0)
        else:
            null = field.null is not None
            _write_integers(out, place, field.values.astype(np.int64), field.width, null, field.null or 0)
    return out.tobytes()


def _sizes(field: Field) -> I64:
    """Bytes that each value takes behind its length."""
    if isinstance(field, Bytes):
        return np.maximum(field.sizes, 0)
    if isinstance(field, Booleans):
        return np.full(len(field), 1, np.int64)
    sizes = np.full(len(field), field.width, np.int64)
    if field.null is not None:
        sizes[field.values == field.null] = 0
    return sizes


@njit(cache=True, nogil=True)
def _write_field_count(out: U8, place: I64, fields: int) -> None:
    for row in range(len(place)):
        at = place[row]
        out[at] = fields >> 8
        out[at + 1] = fields & 255
        place[row] = at + 2


@njit(cache=True, nogil=True)
def _write_length(out: U8, at: int, length: int) -> int:
    for byte in range(4):
        out[at + byte] = (length >> (24 - 8 * byte)) & 255
    return at + 4


@njit(cache=True, nogil=True)
def _write_integers(out: U8, place: I64, values: I64, width: int, has_null: bool, null: int) -> None:
    for row in range(len(place)):
        value = values[row]
        if has_null and value == null:
            place[row] = _write_length(out, place[row], -1)
            continue
        at = _write_length(out, place[row], width)
        for byte in range(width):
            out[at + byte] = (value >> (8 * (width - 1 - byte))) & 255
        place[row] = at + width


@njit(cache=True, nogil=True)
def _write_bytes(out: U8, place: I64, flat: U8, starts: I64, sizes: I64) -> None:
    for row in range(len(place)):
        size = sizes[row]
        at = _write_length(out, place[row], size)
        for byte in range(size):
            out[at + byte] = flat[starts[row] + byte]
        place[row] = at + max(size, 0)


def decode(stream: bytes, fields: Sequence[tuple[str, int]]) -> dict[str, Array]:
    """The columns of a binary COPY stream whose fields are all NOT NULL and of fixed width.

    `fields` names each field with its type: ("i", 2 | 4 | 8) is given as ("name:i", width), a bytea of a fixed
    width as ("name:b", width). MalformedData where the stream is not exactly that.
    """
    layout: list[tuple[str, str]] = [("_fields", ">i2")]
    for name, width in fields:
        layout.append((f"_{name}", ">i4"))
        layout.append((name, f">i{width}" if name.endswith(":i") else f"V{width}"))
    record = np.dtype([(name, kind) for name, kind in layout])
    body = memoryview(stream)[len(HEADER) : len(stream) - len(TRAILER)]
    if bytes(stream[: len(HEADER)]) != HEADER or len(body) % record.itemsize:
        raise MalformedData("a COPY stream is not of the fixed width that was asked for")
    rows = np.frombuffer(body, record)
    columns: dict[str, Array] = {}
    for name, width in fields:
        if len(rows) and not bool((rows[f"_{name}"] == width).all()):
            raise MalformedData(f"field {name} of a COPY stream has another width or is null")
        column = rows[name]
        if name.endswith(":i"):
            columns[name[:-2]] = column.astype(f"i{width}")
        else:
            columns[name[:-2]] = np.ascontiguousarray(column).view(np.uint8).reshape(len(rows), width)
    return columns
