"""Rows of ethereum-etl's tables, CSV or JSON lines, plain or compressed: read, named alike, and strictly parsed.

Column names are ethereum-etl's (github.com/blockchain-etl/ethereum-etl, docs/schema.md); graphsense's camel-case names
of the same columns are taken for them.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from chain import compressed, uint256
from chain.errors import MalformedData, SourceError

TABLES = ("blocks", "transactions", "token_transfers", "traces", "logs", "contracts", "tokens")

_ALIASES = {
    "blocks": {"block_hash": "hash", "block_id": "number", "block_number": "number"},
    "transactions": {"tx_hash": "hash", "transaction_hash": "hash", "block_id": "block_number"},
    "traces": {"tx_hash": "transaction_hash", "block_id": "block_number"},
    "logs": {"tx_hash": "transaction_hash", "block_id": "block_number"},
    "token_transfers": {"tx_hash": "transaction_hash", "block_id": "block_number"},
    "contracts": {},
    "tokens": {"token_address": "address"},
}
_REQUIRED = {
    "blocks": ("number", "timestamp"),
    "transactions": ("hash", "block_number", "from_address", "to_address", "value"),
    "traces": ("block_number", "transaction_hash", "from_address", "to_address", "value"),
    "logs": ("block_number", "transaction_hash", "log_index", "address", "data", "topics"),
    "token_transfers": ("token_address", "from_address", "to_address", "value", "transaction_hash", "block_number"),
    "contracts": ("address",),
    "tokens": ("address", "symbol"),
}
_SUFFIXES = (".csv", ".json", ".jsonl")
_COMPRESSED = (".xz", ".gz", ".zst", ".bz2")
_DIGITS = re.compile(r"[0-9]{1,78}")
_EXACT_POWER = re.compile(r"[0-9]{1,78}(\.0+)?[eE]\+?[0-9]{1,2}")
"""`199e17`: graphsense's dump writes round amounts so."""


class RowError(MalformedData):
    """A row cannot be taken."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}, line {line}: {reason}")
        self.reason = reason


@dataclass(slots=True)
class Row:
    """One row of a table: its fields by name, and where it stands. Not frozen: there are millions, and a frozen one
    takes three times as long to make."""

    fields: Mapping[str, Any]
    path: Path
    line: int

    def refuse(self, reason: str) -> RowError:
        return RowError(self.path, self.line, reason)

    def text(self, name: str) -> str:
        """The field as text, empty where the row has none."""
        value = self.fields.get(name)
        return value if type(value) is str else "" if value is None else str(value)

    def number(self, name: str) -> int | None:
        """A count, height, index or time; None where empty. RowError where it is no number below 2^63."""
        text = self.text(name)
        if not text:
            return None
        if not _DIGITS.fullmatch(text) or int(text) >= 1 << 63:
            raise self.refuse(f"{name} is {text[:80]!r}, not a number below 2^63")
        return int(text)

    def needed(self, name: str) -> int:
        """`number`, which the row must have."""
        found = self.number(name)
        if found is None:
            raise self.refuse(f"{name} is empty")
        return found

    def amount(self, name: str) -> int:
        """An amount in base units, 0 where empty; RowError where it is none below 2^256."""
        text = self.text(name)
        if not text:
            return 0
        found = -1
        if _DIGITS.fullmatch(text):
            found = int(text)
        elif _EXACT_POWER.fullmatch(text):
            found = int(Decimal(text))
        if not 0 <= found <= uint256.MAX:
            raise self.refuse(f"{name} is {text[:90]!r}, not an amount below 2^256")
        return found

    def octets(self, name: str, size: int | None) -> bytes:
        """Hex behind 0x, of so many bytes (None: any); empty where the field is. RowError where it is not."""
        text = self.text(name)
        if not text:
            return b""
        try:
            if text[:2] != "0x":
                raise ValueError
            found = bytes.fromhex(text[2:])
        except ValueError:
            raise self.refuse(f"{name} is {text[:80]!r}, not hex behind 0x") from None
        if (size is not None and len(found) != size) or len(text) != 2 + 2 * len(found):
            raise self.refuse(f"{name} is {text[:80]!r}, not {size} bytes")
        return found

    def must(self, name: str, size: int) -> bytes:
        """`octets`, which the row must have. Most are as they must be, and are read without further calls."""
        text = self.fields.get(name)
        if type(text) is str and len(text) == 2 + 2 * size and text[:2] == "0x":
            try:
                found = bytes.fromhex(text[2:])
            except ValueError:
                found = b""
            if len(found) == size:
                return found
        found = self.octets(name, size)
        if not found:
            raise self.refuse(f"{name} is empty")
        return found


def find_tables(folder: Path) -> dict[str, list[Path]]:
    """The files of each table in a folder and below it; SourceError where there is none."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        name = path.name
        for suffix in _COMPRESSED:
            name = name.removesuffix(suffix)
        stem = next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), None)
        table = None if stem is None else next((t for t in TABLES if re.fullmatch(rf"{t}([_.-].*)?", stem)), None)
        if table is not None and path.is_file():
            found.setdefault(table, []).append(path)
    if not found.keys() - {"contracts", "blocks"}:
        raise SourceError(f"{folder} has no file of transactions, token_transfers, traces or logs (.csv, .json)")
    return found


def rows(table: str, paths: Sequence[Path]) -> Iterator[Row]:
    """Every row of a table's files; MalformedData names the file, the line and the reason."""
    for path in paths:
        is_csv = ".csv" in path.suffixes
        yield from _csv_rows(table, path) if is_csv else _json_rows(table, path)


def _named(table: str, names: Iterable[str], where: str) -> list[str]:
    snake = [re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower() for name in names]
    mine = [_ALIASES[table].get(name, name) for name in snake]
    missing = [name for name in _REQUIRED[table] if name not in mine]
    if missing:
        raise MalformedData(f"{where}: the {table} table has no column {', '.join(missing)}")
    return mine


def _csv_rows(table: str, path: Path) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)  # the length of a line is bounded already
    number = 0

    def texts() -> Iterator[str]:
        nonlocal number
        for number, line in compressed.lines(path):  # noqa: B007 (told in errors)
            yield line.decode("utf-8", "strict")

    reader = csv.reader(texts(), strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise MalformedData(f"{path}: the file is empty")
        names = _named(table, header, f"{path}, line 1")
        for values in reader:
            if len(values) != len(names):
                raise RowError(path, number, f"{len(values)} fields, the header has {len(names)}")
            yield Row(dict(zip(names, values, strict=True)), path, number)
    except (csv.Error, UnicodeDecodeError) as error:
        raise MalformedData(f"{path}, line {number}: {error}") from error


def _json_rows(table: str, path: Path) -> Iterator[Row]:
    known: dict[tuple[str, ...], list[str]] = {}
    for number, line in compressed.lines(path):
        place = f"{path}, line {number}"
        try:
            found = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise MalformedData(f"{place}: {error}") from error
        if not isinstance(found, dict):
            raise MalformedData(f"{place}: a row is an object")
        shape = tuple(found)
        names = known.get(shape) or known.setdefault(shape, _named(table, shape, place))
        yield Row(dict(zip(names, found.values(), strict=True)), path, number)
