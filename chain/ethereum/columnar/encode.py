"""RLP of many rows at once. Twin of `fields.encode`: a row is a list whose items are columns of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from chain.model import I64, U8
from chain.uint256 import U64

NO_TYPE = -1
"""No byte before the list."""

_SHORT = 55
_STRING, _LIST = 0x80, 0xC0


@dataclass(frozen=True, slots=True)
class Rows:
    """n pieces of bytes: row i is `flat[starts[i]:starts[i] + sizes[i]]`."""

    flat: U8
    starts: I64
    sizes: I64


@dataclass(frozen=True, slots=True)
class Item:
    """A column of a list: bytes, or with `encoded` what is RLP already."""

    rows: Rows
    encoded: bool = False


def numbers(limbs: U64) -> Item:
    """[n, limbs] numbers as their shortest big-endian bytes."""
    flat, sizes = _big_endian(limbs)
    width = limbs.shape[1] * 8
    starts = np.arange(1, len(limbs) + 1, dtype=np.int64) * width - sizes
    return Item(Rows(flat.reshape(-1), starts, sizes))


def octets(matrix: U8, there: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None) -> Item:
    """[n, width] bytes; none where not `there`."""
    rows, width = matrix.shape
    starts = np.arange(rows, dtype=np.int64) * width
    sizes = np.full(rows, width, np.int64) if there is None else np.where(there, width, 0)
    return Item(Rows(np.ascontiguousarray(matrix).reshape(-1), starts, sizes))


def encode_rows(items: Sequence[Item], forms: Sequence[Sequence[int]], form: I64, types: I64) -> Rows:
    """The list of each row: the items that its form names, in that order, behind the byte of its type.

    `forms`: places in `items`; `form` [n] which one each row has; `types` [n], NO_TYPE for none.
    """
    base = np.cumsum([0, *(len(item.rows.flat) for item in items)])
    flat = np.concatenate([item.rows.flat for item in items])
    starts = np.stack([item.rows.starts + offset for item, offset in zip(items, base[:-1], strict=True)])
    sizes = np.stack([item.rows.sizes for item in items])
    longest = max(len(each) for each in forms)
    table = np.full((len(forms), longest), -1, np.int64)
    for place, each in enumerate(forms):
        table[place, : len(each)] = each
    encoded = np.array([item.encoded for item in items], np.bool_)
    return Rows(*_encode_rows(flat, starts, sizes, encoded, table, form, types))


def nested(children: Rows, parent: I64, count: int) -> Rows:
    """The list of each parent: its children's encodings, which lie one behind the other in order of `parent`."""
    held = np.bincount(parent, minlength=count).astype(np.int64)
    return Rows(*_nested(children.flat, children.starts, children.sizes, np.cumsum(held) - held, held))


def hash_strings(flat: U8) -> Rows:
    """The encodings of strings of 32 bytes."""
    matrix = flat.reshape(-1, 32)
    out = np.empty((len(matrix), 33), np.uint8)
    out[:, 0] = _STRING + 32
    out[:, 1:] = matrix
    return Rows(out.reshape(-1), np.arange(len(out), dtype=np.int64) * 33, np.full(len(out), 33, np.int64))


@njit(cache=True, nogil=True)
def _big_endian(limbs: U64) -> tuple[U8, I64]:
    width = limbs.shape[1] * 8
    out, sizes = np.empty((len(limbs), width), np.uint8), np.zeros(len(limbs), np.int64)
    for row in range(len(limbs)):
        for byte in range(width):
            value = (limbs[row, byte >> 3] >> np.uint64((byte & 7) * 8)) & np.uint64(0xFF)
            out[row, width - 1 - byte] = value
            if value:
                sizes[row] = byte + 1
    return out, sizes


@njit(cache=True, nogil=True)
def head_size(size: int) -> Any:
    """Bytes before a payload."""
    if size <= _SHORT:
        return 1
    count = 1
    while size:
        size >>= 8
        count += 1
    return count


@njit(cache=True, nogil=True)
def write_head(out: U8, at: int, size: int, offset: int) -> Any:
    """Write the bytes before a payload of a string or list; where the payload begins."""
    if size <= _SHORT:
        out[at] = offset + size
        return at + 1
    count = head_size(size) - 1
    out[at] = offset + _SHORT + count
    for byte in range(count):
        out[at + 1 + byte] = (size >> (8 * (count - 1 - byte))) & 0xFF
    return at + 1 + count


@njit(cache=True, nogil=True)
def write_string(out: U8, at: int, text: U8) -> Any:
    """Write a string with its head; its end."""
    if len(text) != 1 or text[0] >= _STRING:
        at = write_head(out, at, len(text), _STRING)
    out[at : at + len(text)] = text
    return at + len(text)


@njit(cache=True, nogil=True)
def string_size(text: U8) -> Any:
    if len(text) == 1 and text[0] < _STRING:
        return 1
    return head_size(len(text)) + len(text)


@njit(cache=True, nogil=True)
def _encode_rows(
    flat: U8, starts: I64, sizes: I64, encoded: U8, forms: I64, form: I64, types: I64
) -> tuple[U8, I64, I64]:
    rows = len(form)
    payload, at, count = np.zeros(rows, np.int64), np.empty(rows, np.int64), np.empty(rows, np.int64)
    total = 0
    for row in range(rows):
        for place in range(forms.shape[1]):
            item = forms[form[row], place]
            if item >= 0:
                begin, size = starts[item, row], sizes[item, row]
                payload[row] += size if encoded[item] else string_size(flat[begin : begin + size])
        at[row] = total
        count[row] = (types[row] >= 0) + head_size(payload[row]) + payload[row]
        total += count[row]
    out = np.empty(total, np.uint8)
    for row in range(rows):
        end = at[row]
        if types[row] >= 0:
            out[end] = types[row]
            end += 1
        end = write_head(out, end, payload[row], _LIST)
        for place in range(forms.shape[1]):
            item = forms[form[row], place]
            if item >= 0:
                text = flat[starts[item, row] : starts[item, row] + sizes[item, row]]
                if encoded[item]:
                    out[end : end + len(text)] = text
                    end += len(text)
                else:
                    end = write_string(out, end, text)
    return out, at, count


@njit(cache=True, nogil=True)
def _nested(flat: U8, starts: I64, sizes: I64, first: I64, held: I64) -> tuple[U8, I64, I64]:
    at, count = np.empty(len(held), np.int64), np.empty(len(held), np.int64)
    total = 0
    for row in range(len(held)):
        payload = sizes[first[row] : first[row] + held[row]].sum()
        at[row], count[row] = total, head_size(payload) + payload
        total += count[row]
    out = np.empty(total, np.uint8)
    for row in range(len(held)):
        payload = sizes[first[row] : first[row] + held[row]].sum()
        end = write_head(out, at[row], payload, _LIST)
        for child in range(first[row], first[row] + held[row]):
            out[end : end + sizes[child]] = flat[starts[child] : starts[child] + sizes[child]]
            end += sizes[child]
    return out, at, count
