"""Where the values of JSON objects stand: one pass over the raw bytes that notes spans and decodes nothing.

A table of field names says which objects are due. Bytes are JSON of the form that nodes write: no escapes, no numbers,
no field twice, none that the table lacks; everything else fails, and the caller asks the strict reader
(chain/ethereum/fields.py), which takes it or names what is wrong with it. So this reader may be narrow, but must never
take what that one refuses. Zeros stand behind the bytes, and end every loop that runs over them.

The three smallest kernels are inlined by numba, for twice the speed; more of it multiplies the time to compile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from chain.model import I64, U8
from chain.uint256 import U64

ABSENT, NULL, TRUE, FALSE = -1, -2, -3, -4
"""What stands in place of a start: no such field, and the literals of JSON."""

FAILED = -1
PADDING = 1024
"""Zero bytes behind the text: more than any fixed length that is looked ahead by."""

_QUOTE, _COMMA, _COLON, _BACKSLASH = ord('"'), ord(","), ord(":"), ord("\\")
_OPEN, _CLOSE, _LIST, _LIST_END = ord("{"), ord("}"), ord("["), ord("]")
_NULL, _TRUE, _FALSE = ord("n"), ord("t"), ord("f")
_SPACE, _DIGIT = 32, ord("0")
_STRIDE = 32
_WORD = 8
_WORDS = 3
"""Of a name with its quote, at most; and most numbers are shorter, and found sooner word by word than by strides."""
_QUOTES, _ONES, _HIGHS = (np.uint64(0x0101010101010101 * byte) for byte in (_QUOTE, 1, 0x80))
_BYTE, _LAST = np.uint64(8), np.uint64(56)


class OtherForm(Exception):
    """The text is not of the narrow form that is read here: the strict reader decides what it is."""


@dataclass(frozen=True, slots=True)
class Table:
    """The fields of an object."""

    names: tuple[str, ...]
    words: U64
    """[fields, 2, 3] the bytes of each name and the quote behind it as little-endian words, and which of them count."""
    sizes: I64
    lengths: I64
    """Characters that the value has, or has mostly; 0 where there is no telling."""
    due: int
    """How many fields, the first ones, must be there."""
    smallest: int
    """Bytes that an object takes at least: its due fields, empty."""

    def at(self, name: str) -> int:
        return self.names.index(name)


def table(due: dict[str, int], optional: dict[str, int]) -> Table:
    """Fields with the characters of their values (0: any number)."""
    fields = due | optional
    return Table(
        tuple(fields),
        np.array([_words(f'{name}"'.encode()) for name in fields], "<u8"),
        np.array([len(name) for name in fields], np.int64),
        np.array(list(fields.values()), np.int64),
        len(due),
        sum(len(name) + 5 for name in due),
    )


def _words(name: bytes) -> list[list[int]]:
    size = _WORD * _WORDS
    assert len(name) <= size, "a longer name needs more words"
    both = name.ljust(size, b"\0"), (b"\xff" * len(name)).ljust(size, b"\0")
    return [[int.from_bytes(text[at : at + _WORD], "little") for at in range(0, size, _WORD)] for text in both]


@dataclass(frozen=True, slots=True)
class Spans:
    """[n, fields] where each value of n objects starts, and how long it is; a list has its negative size."""

    table: Table
    starts: I64
    sizes: I64
    parent: I64
    """[n] The list that each object is of."""

    def of(self, name: str) -> tuple[I64, I64]:
        """The spans of one field."""
        place = self.table.at(name)
        return self.starts[:, place], self.sizes[:, place]

    def places(self, names: list[str]) -> I64:
        """The columns of some fields."""
        return np.array([self.table.at(name) for name in names], np.int64)


def padded(texts: list[bytes]) -> tuple[U8, I64]:
    """The texts one behind the other, zeros behind each, and where each begins. A quote at the very end stops whoever
    looks for one."""
    gap = bytes(PADDING)
    sizes = np.array([len(text) + PADDING for text in texts], np.int64)
    return np.frombuffer(gap.join([*texts, b'"' + gap]), np.uint8), np.cumsum(sizes) - sizes


def scan_nested(raw: U8, begins: I64, outer: Table, child: str, inner: Table, *, many: bool) -> tuple[Spans, Spans]:
    """The object (`many`: the list of objects) at each of `begins`, and those of the list in its field `child`."""
    room = [len(raw) // outer.smallest + 1 if many else len(begins), len(raw) // inner.smallest + 1]
    out = [_empty(each, count) for each, count in zip((outer, inner), room, strict=True)]
    counts = _scan_nested(raw, begins, many, outer.at(child), *_columns(outer), *out[0], *_columns(inner), *out[1])
    if counts[0] == FAILED:
        raise OtherForm
    tops, below = (
        Spans(each, starts[:count], sizes[:count], parent[:count])
        for each, (starts, sizes, parent), count in zip((outer, inner), out, counts, strict=True)
    )
    return tops, below


def scan_lists(raw: U8, begins: I64, length: int, of: Table) -> Spans:
    """The objects of the list at each of `begins`; a negative one is no list. All have `length` bytes together."""
    room = length // of.smallest + 1
    starts, sizes, parent = _empty(of, room)
    count = _scan_lists(raw, begins, *_columns(of), starts, sizes, parent)
    if count == FAILED:
        raise OtherForm
    return Spans(of, starts[:count], sizes[:count], parent[:count])


def scan_texts(raw: U8, begins: I64, room: int) -> tuple[I64, I64, I64]:
    """Start, size and list of each text in the list at each of `begins`; at most `room` of them."""
    starts, sizes, parent = (np.empty(room, np.int64) for _ in range(3))
    count = _scan_texts(raw, begins, starts, sizes, parent)
    if count == FAILED:
        raise OtherForm
    return starts[:count], sizes[:count], parent[:count]


def _empty(of: Table, rows: int) -> tuple[I64, I64, I64]:
    shape = rows, len(of.names)
    return np.empty(shape, np.int64), np.empty(shape, np.int64), np.empty(rows, np.int64)


def _columns(of: Table) -> tuple[U64, I64, I64]:
    return of.words, of.sizes, of.lengths


@njit(cache=True, nogil=True, inline="always")
def _past_space(raw: U8, at: int) -> Any:
    while raw[at] <= _SPACE and (raw[at] == _SPACE or raw[at] == 10 or raw[at] == 13 or raw[at] == 9):
        at += 1
    return at


@njit(cache=True, nogil=True, inline="always")
def _word(raw: U8, at: int) -> Any:
    """Eight bytes as a little-endian word: the compiler makes one load of it."""
    word = np.uint64(raw[at])
    for byte in range(1, _WORD):
        word |= np.uint64(raw[at + byte]) << (_BYTE * np.uint64(byte))
    return word


@njit(cache=True, nogil=True, inline="always")
def _is_name(raw: U8, at: int, names: U64, field: int) -> bool:
    """Whether the name of a field stands at `at`, and the quote behind it."""
    other = np.uint64(0)
    for word in range(_WORDS):
        other |= (_word(raw, at + _WORD * word) & names[field, 1, word]) ^ names[field, 0, word]
    return bool(other == 0)


@njit(cache=True, nogil=True, inline="always")
def _field(raw: U8, at: int, names: U64, guess: int) -> int:
    """The field whose name stands at `at`, the guessed one first: objects of a list name theirs in one order."""
    if _is_name(raw, at, names, guess):
        return guess
    for field in range(len(names)):
        if _is_name(raw, at, names, field):
            return field
    return FAILED


@njit(cache=True, nogil=True)
def _past_list(raw: U8, at: int) -> int:
    """Behind the list at `at`; its contents are read later."""
    depth = 0
    while True:
        byte = raw[at]
        if byte == _QUOTE:
            at += 1
            while raw[at] != _QUOTE:
                if raw[at] < _SPACE or raw[at] == _BACKSLASH:
                    return FAILED
                at += 1
        elif byte in (_LIST, _OPEN):
            depth += 1
        elif byte in (_LIST_END, _CLOSE):
            depth -= 1
            if not depth:
                return at + 1
        elif not byte:
            return FAILED
        at += 1


@njit(cache=True, nogil=True)
def _literal(raw: U8, at: int) -> tuple[int, int]:
    """A literal and where it ends."""
    if raw[at] == _NULL and raw[at + 1] == 117 and raw[at + 2] == 108 and raw[at + 3] == 108:
        return NULL, at + 4
    if raw[at] == _TRUE and raw[at + 1] == 114 and raw[at + 2] == 117 and raw[at + 3] == 101:
        return TRUE, at + 4
    if raw[at] == _FALSE and raw[at + 1] == 97 and raw[at + 2] == 108 and raw[at + 3] == 115 and raw[at + 4] == 101:
        return FALSE, at + 5
    return ABSENT, FAILED


@njit(cache=True, nogil=True)
def _text_end(raw: U8, at: int, length: int) -> Any:
    """Where the text at `at` ends. One of fixed (or mostly of one) length is jumped over, and one of any length is
    looked through by strides that the compiler makes few instructions of: what lies between is hex, or is refused when
    it is read."""
    if length and raw[at + length] == _QUOTE and raw[at + length - 1] >= _DIGIT:
        return at + length
    for _ in range(_WORDS):
        other = _word(raw, at) ^ _QUOTES
        quotes = (other - _ONES) & ~other & _HIGHS  # the lowest bit set is of a quote
        if quotes:
            up_to = ((quotes & (~quotes + np.uint64(1))) - np.uint64(1)) & _ONES  # one bit for each byte up to it
            return at + np.int64((up_to * _ONES) >> _LAST) - 1
        at += _WORD
    while True:
        stride = raw[at : at + _STRIDE]
        found = np.uint8(0)
        for byte in range(_STRIDE):
            found |= np.uint8(stride[byte] == _QUOTE)
        if found:
            break
        at += _STRIDE
    while raw[at] != _QUOTE:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _value(raw: U8, at: int, length: int, starts: I64, sizes: I64, field: int) -> Any:
    """Note the span of the value at `at` and give its end."""
    byte = raw[at]
    if byte == _QUOTE:
        end = _text_end(raw, at + 1, length)
        starts[field], sizes[field] = at + 1, end - at - 1
        return end + 1 if end != FAILED else FAILED
    if byte == _LIST:
        end = _past_list(raw, at)
        starts[field], sizes[field] = at, at - end
        return end
    starts[field], end = _literal(raw, at)
    sizes[field] = 0
    return end


@njit(cache=True, nogil=True)
def _next_name(raw: U8, at: int) -> tuple[int, bool]:
    """Behind a value: where the next field's name begins, or where the object ended."""
    at = _past_space(raw, at)
    if raw[at] == _CLOSE:
        return at + 1, True
    if raw[at] != _COMMA:
        return FAILED, True
    at = _past_space(raw, at + 1)
    return (at + 1, False) if raw[at] == _QUOTE else (FAILED, True)


@njit(cache=True, nogil=True)
def _past_colon(raw: U8, at: int) -> Any:
    at = _past_space(raw, at)
    return _past_space(raw, at + 1) if raw[at] == _COLON else FAILED


@njit(cache=True, nogil=True)
def _begin(raw: U8, at: int) -> tuple[int, bool]:
    """Into an object: where its first name begins, or where it ended."""
    at = _past_space(raw, at + 1)
    if raw[at] == _CLOSE:
        return at + 1, True
    return (at + 1, False) if raw[at] == _QUOTE else (FAILED, True)


@njit(cache=True, nogil=True)
def _object(raw: U8, at: int, names: U64, name_size: I64, lengths: I64, order: I64, starts: I64, sizes: I64) -> int:
    """Note the fields of the object at `at` and give its end."""
    starts[:] = ABSENT
    sizes[:] = 0
    if raw[at] != _OPEN:
        return FAILED
    at, ended = _begin(raw, at)
    turn = 0
    while not ended:
        field = _field(raw, at, names, order[turn])
        if field == FAILED or starts[field] != ABSENT:
            return FAILED
        order[turn] = field
        turn += 1
        at = _past_colon(raw, at + name_size[field] + 1)
        if at == FAILED:
            return FAILED
        at = _value(raw, at, lengths[field], starts, sizes, field)
        if at == FAILED:
            return FAILED
        at, ended = _next_name(raw, at)
    return at


@njit(cache=True, nogil=True)
def _list(
    raw: U8,
    at: int,
    names: U64,
    name_size: I64,
    lengths: I64,
    order: I64,
    starts: I64,
    sizes: I64,
    parent: I64,
    count: int,
    owner: int,
) -> tuple[int, int]:
    """Note the objects of the list at `at` behind the first `count`; its end, and how many there are then."""
    if raw[at] != _LIST:
        return FAILED, count
    at = _past_space(raw, at + 1)
    if raw[at] == _LIST_END:
        return at + 1, count
    while True:
        if count == len(starts):
            return FAILED, count
        at = _object(raw, at, names, name_size, lengths, order, starts[count], sizes[count])
        if at == FAILED:
            return FAILED, count
        parent[count] = owner
        count += 1
        at = _past_space(raw, at)
        if raw[at] == _LIST_END:
            return at + 1, count
        if raw[at] != _COMMA:
            return FAILED, count
        at = _past_space(raw, at + 1)


@njit(cache=True, nogil=True)
def _scan_lists(
    raw: U8, begins: I64, names: U64, name_size: I64, lengths: I64, starts: I64, sizes: I64, parent: I64
) -> int:
    order = np.zeros(len(names) + 1, np.int64)
    count = 0
    for owner in range(len(begins)):
        if begins[owner] < 0:
            continue
        at, count = _list(raw, begins[owner], names, name_size, lengths, order, starts, sizes, parent, count, owner)
        if at == FAILED:
            return FAILED
    return count


@njit(cache=True, nogil=True)
def _scan_nested(
    raw: U8,
    begins: I64,
    many: bool,
    child: int,
    names: U64,
    name_size: I64,
    lengths: I64,
    starts: I64,
    sizes: I64,
    parent: I64,
    child_names: U64,
    child_name_size: I64,
    child_lengths: I64,
    child_starts: I64,
    child_sizes: I64,
    child_parent: I64,
) -> Any:
    """Objects whose field `child` is a list of objects: both levels in one pass."""
    order = np.zeros(len(names) + 1, np.int64)
    child_order = np.zeros(len(child_names) + 1, np.int64)
    row = below = 0
    for owner in range(len(begins)):
        at = _past_space(raw, begins[owner])
        if many:
            if raw[at] != _LIST:
                return FAILED, FAILED
            at = _past_space(raw, at + 1)
        while not (many and raw[at] == _LIST_END):
            if row == len(starts) or raw[at] != _OPEN:
                return FAILED, FAILED
            starts[row] = ABSENT
            sizes[row] = 0
            parent[row] = owner
            at, ended = _begin(raw, at)
            turn = 0
            while not ended:
                field = _field(raw, at, names, order[turn])
                if field == FAILED or starts[row, field] != ABSENT:
                    return FAILED, FAILED
                order[turn] = field
                turn += 1
                at = _past_colon(raw, at + name_size[field] + 1)
                if at == FAILED:
                    return FAILED, FAILED
                if field == child:
                    starts[row, field] = at
                    at, below = _list(
                        raw, at, child_names, child_name_size, child_lengths, child_order,
                        child_starts, child_sizes, child_parent, below, row,
                    )  # fmt: skip
                    sizes[row, field] = starts[row, field] - at
                else:
                    at = _value(raw, at, lengths[field], starts[row], sizes[row], field)
                if at == FAILED:
                    return FAILED, FAILED
                at, ended = _next_name(raw, at)
            if at == FAILED:
                return FAILED, FAILED
            row += 1
            at = _past_space(raw, at)
            if not many:
                break
            if raw[at] == _COMMA:
                at = _past_space(raw, at + 1)
                if raw[at] == _LIST_END:
                    return FAILED, FAILED
            elif raw[at] != _LIST_END:
                return FAILED, FAILED
        if _past_space(raw, at + many) < len(raw) and raw[_past_space(raw, at + many)]:
            return FAILED, FAILED  # something stands behind
    return row, below


@njit(cache=True, nogil=True)
def _scan_texts(raw: U8, begins: I64, starts: I64, sizes: I64, parent: I64) -> int:
    count = 0
    for owner in range(len(begins)):
        if begins[owner] < 0:
            continue
        at = begins[owner]
        if raw[at] != _LIST:
            return FAILED
        at = _past_space(raw, at + 1)
        while raw[at] != _LIST_END:
            if raw[at] != _QUOTE or count == len(starts):
                return FAILED
            end = _text_end(raw, at + 1, 0)
            if end == FAILED:
                return FAILED
            starts[count], sizes[count], parent[count] = at + 1, end - at - 1, owner
            count += 1
            at = _past_space(raw, end + 1)
            if raw[at] == _COMMA:
                at = _past_space(raw, at + 1)
                if raw[at] == _LIST_END:
                    return FAILED
            elif raw[at] != _LIST_END:
                return FAILED
    return count
