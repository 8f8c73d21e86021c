"""How the fields of blocks are read and written: one table entry serves JSON and RLP alike.

Both are read strictly. A JSON quantity is `0x` and hex digits without leading zeros; JSON bytes are `0x` and an even
number of digits. An RLP number has no leading zero, and RLP itself must be canonical and end where its item ends.
Everything else is MalformedData with the field's name. So what was read, written again, is the bytes that were read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import orjson
import rlp
from rlp.exceptions import DecodingError

from chain.errors import MalformedData

Item: TypeAlias = bytes | list["Item"]
"""An RLP string or list."""

WORD_BITS = 256
COUNT_BITS = 63
"""Heights, times and gas: what the ledger keeps in int64."""

_SHORT = 55
"""Bytes of payload that RLP states in one byte."""

_QUANTITY = re.compile(r"0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
_BYTES = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


class Kind(Protocol):
    """What the values of a field are. Each method raises MalformedData that names `where`."""

    def from_json(self, value: object, where: str) -> Any: ...

    def from_rlp(self, item: Item, where: str) -> Any: ...

    def to_rlp(self, value: Any) -> Item: ...


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute of a dataclass, its name in JSON, and what it holds."""

    name: str
    json: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number below 2^bits."""

    bits: int = WORD_BITS

    def from_json(self, value: object, where: str) -> int:
        if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
            raise MalformedData(f"{where}: {_short(value)} is no quantity (0x, hex digits, no leading zero, < 2^256)")
        return self._bounded(int(value, 16), where)

    def from_rlp(self, item: Item, where: str) -> int:
        if not isinstance(item, bytes) or item[:1] == b"\0" or len(item) > WORD_BITS // 8:
            raise MalformedData(f"{where}: {_short(item)} is no number (at most 32 bytes, no leading zero)")
        return self._bounded(int.from_bytes(item, "big"), where)

    def to_rlp(self, value: int) -> Item:
        return value.to_bytes((value.bit_length() + 7) // 8, "big")

    def _bounded(self, number: int, where: str) -> int:
        if number >> self.bits:
            raise MalformedData(f"{where}: {number} is not below 2^{self.bits}")
        return number


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes of a fixed size, or of any size where that is None."""

    size: int | None = None

    def from_json(self, value: object, where: str) -> bytes:
        if not isinstance(value, str) or not _BYTES.fullmatch(value):
            raise MalformedData(f"{where}: {_short(value)} is no bytes (0x and pairs of hex digits)")
        return self._sized(bytes.fromhex(value[2:]), where)

    def from_rlp(self, item: Item, where: str) -> bytes:
        if not isinstance(item, bytes):
            raise MalformedData(f"{where}: a list stands where bytes are due")
        return self._sized(item, where)

    def to_rlp(self, value: bytes) -> Item:
        return value

    def _sized(self, raw: bytes, where: str) -> bytes:
        if self.size is not None and len(raw) != self.size:
            raise MalformedData(f"{where}: {len(raw)} bytes, {self.size} are due")
        return raw


@dataclass(frozen=True, slots=True)
class MaybeBytes:
    """Bytes of a fixed size or none: null in JSON, the empty string in RLP. The recipient of a transaction."""

    size: int

    def from_json(self, value: object, where: str) -> bytes | None:
        return None if value is None else Bytes(self.size).from_json(value, where)

    def from_rlp(self, item: Item, where: str) -> bytes | None:
        return None if item == b"" else Bytes(self.size).from_rlp(item, where)

    def to_rlp(self, value: bytes | None) -> Item:
        return value or b""


@dataclass(frozen=True, slots=True)
class Many:
    """A tuple of values of one kind, at most `most`."""

    kind: Kind
    most: int | None = None

    def from_json(self, value: object, where: str) -> tuple[Any, ...]:
        items = json_list(value, where)
        return tuple(self.kind.from_json(each, f"{where}[{at}]") for at, each in enumerate(self._counted(items, where)))

    def from_rlp(self, item: Item, where: str) -> tuple[Any, ...]:
        items = rlp_list(item, where)
        return tuple(self.kind.from_rlp(each, f"{where}[{at}]") for at, each in enumerate(self._counted(items, where)))

    def to_rlp(self, value: tuple[Any, ...]) -> Item:
        return [self.kind.to_rlp(each) for each in value]

    def _counted(self, items: list[Any], where: str) -> list[Any]:
        if self.most is not None and len(items) > self.most:
            raise MalformedData(f"{where}: {len(items)} entries, at most {self.most} are allowed")
        return items


@dataclass(frozen=True, slots=True)
class Record:
    """A value of the dataclass `type`, whose fields are listed in the order of its RLP."""

    type: Any
    fields: tuple[Field, ...]

    def from_json(self, value: object, where: str) -> Any:
        return self.type(**read_json(self.fields, json_object(value, where), where))

    def from_rlp(self, item: Item, where: str) -> Any:
        return self.type(**read_rlp(self.fields, rlp_list(item, where), where))

    def to_rlp(self, value: Any) -> Item:
        return write(self.fields, value)


QUANTITY = Quantity()
COUNT = Quantity(COUNT_BITS)
HASH = Bytes(32)
ADDRESS = Bytes(20)
ANY_BYTES = Bytes()

Claims: TypeAlias = dict[str, Any]
"""What a JSON object says beside what is hashed, by JSON name: checked against what follows from the block."""


def read_json(fields: Iterable[Field], found: dict[str, object], where: str) -> dict[str, Any]:
    """The value of each field by attribute; a missing one is refused, except where null is a value."""
    for field in fields:
        if field.json not in found:
            raise MalformedData(f"{where}: {field.json} is missing")
    return {field.name: field.kind.from_json(found[field.json], f"{where}.{field.json}") for field in fields}


def read_claims(found: dict[str, object], due: dict[str, Kind], optional: dict[str, Kind], where: str) -> Claims:
    """The claims in `due`, and those in `optional` that are there and not null."""
    claims = read_json([Field(name, name, kind) for name, kind in due.items()], found, where)
    there = {name: kind for name, kind in optional.items() if found.get(name) is not None}
    return claims | read_json([Field(name, name, kind) for name, kind in there.items()], found, where)


def read_rlp(fields: tuple[Field, ...], items: list[Item], where: str) -> dict[str, Any]:
    """The value of each field by attribute; as many items as fields must be there."""
    if len(items) != len(fields):
        raise MalformedData(f"{where}: {len(items)} items, {len(fields)} are due")
    return {
        field.name: field.kind.from_rlp(item, f"{where}.{field.json}")
        for field, item in zip(fields, items, strict=True)
    }


def write(fields: Iterable[Field], value: object) -> list[Item]:
    """The RLP items of a dataclass."""
    return [field.kind.to_rlp(getattr(value, field.name)) for field in fields]


def encode(item: Item) -> bytes:
    """Canonical RLP. Written out here: the library's encoder takes five times as long."""
    if not isinstance(item, bytes):
        body = b"".join([encode(each) for each in item])
        return _prefix(len(body), 0xC0) + body
    return item if len(item) == 1 and item[0] < 0x80 else _prefix(len(item), 0x80) + item


def _prefix(size: int, offset: int) -> bytes:
    """The bytes before a payload: a short size in one byte, a longer one behind the count of its bytes."""
    if size <= _SHORT:
        return bytes([offset + size])
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([offset + _SHORT + len(digits)]) + digits


def decode(raw: bytes, where: str) -> Item:
    """The one item that the bytes are; MalformedData where they are not canonical RLP or go on behind it."""
    try:
        found: Item = rlp.decode(raw, strict=True)
    except (DecodingError, RecursionError) as error:
        raise MalformedData(f"{where}: no canonical RLP: {str(error)[:200] or 'nested too deeply'}") from error
    return found


def parse_json(text: str | bytes) -> object:
    """JSON whose objects name no field twice; MalformedData names the field that does."""
    try:
        # orjson bounds the nesting: json, where something raised Python's limit, overflows the stack
        orjson.loads(text)
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise MalformedData(f"no JSON: {error}") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedData(f"{twice[:80]!r} stands twice in one object")
    return found


def json_object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise MalformedData(f"{where}: {_short(value)} stands where an object is due")
    return value


def json_list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise MalformedData(f"{where}: {_short(value)} stands where a list is due")
    return value


def rlp_list(item: Item, where: str) -> list[Item]:
    if isinstance(item, bytes):
        raise MalformedData(f"{where}: bytes stand where a list is due")
    return list(item)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
