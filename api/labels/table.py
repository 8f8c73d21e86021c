"""Tables: CSV with a header row that names the columns, in any order, as `tags_all.csv` has them.

pack, currency, address, label, category, abuse, actor, confidence, is_cluster_definer, lastmod, source; and network,
concepts (`;` between them), context, valid_from, valid_until. An empty cell says nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import PurePath
from typing import Any, BinaryIO

from api.labels.pack import (
    CONVERTERS,
    MAX_FILE,
    MAX_ROWS,
    NOT_STATED,
    Pack,
    RowError,
    check_any,
    check_validity,
    text_of,
)
from api.labels.tagpack import context_text
from chain.errors import HeadwaterError, LimitExceeded, MalformedData
from chain.store.labels import Claim

FORMAT = "csv"

DELIMITERS = (",", ";", "\t")
COLUMNS = frozenset(CONVERTERS) | {"address", "concepts"}

MAX_CELL = 1 << 20
"""Characters of a cell that the parser takes; longer ones are refused with their row."""


def columns_of(line: str) -> tuple[str, list[str]] | None:
    """The delimiter and the columns of a header row that has an address and a label; None where it is none."""
    for delimiter in DELIMITERS:
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
        if {"address", "label"} <= set(names):
            return delimiter, names
    return None


def read(file: str, handle: BinaryIO) -> Pack:
    """A table; MalformedData where a mandatory column is missing. Rows that cannot be taken are its `rejects`."""
    text = io.TextIOWrapper(handle, "utf-8-sig", "surrogateescape", newline="")
    start = text.readline(1 << 16)
    found = columns_of(start)
    if found is None:
        raise MalformedData(f"{file}: line 1: no columns address and label")
    delimiter, names = found
    _check_columns(file, names)
    title = PurePath(file).name.partition(".")[0] or file
    pack = Pack(FORMAT, file, title, NOT_STATED, place_name="line")
    pack.unread = set(names) - COLUMNS
    csv.field_size_limit(MAX_FILE)
    try:
        _rows(pack, names, csv.reader(text, delimiter=delimiter))
    except csv.Error as error:
        raise MalformedData(f"{file}: {error}") from None
    check_any(pack)
    return pack


def _check_columns(file: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MalformedData(f"{file}: line 1: the column {', '.join(twice)} stands twice")
    if "currency" not in names and "network" not in names:
        raise MalformedData(f"{file}: line 1: there is no column currency and none network")


def _rows(pack: Pack, names: Sequence[str], reader: Any) -> None:
    """Rows in the order of the file. Most share a claim with others: each distinct one is converted once."""
    address_at = names.index("address")
    said = [place for place, name in enumerate(names) if name in COLUMNS and name != "address"]
    cells: Callable[[Sequence[str]], tuple[str, ...]] = itemgetter(*said)
    fields = [names[place] for place in said]
    known: dict[tuple[str, ...], int | str] = {}
    width, line = len(names), 2
    for row in reader:
        place, line = line, reader.line_num + 2
        if len(row) != width:
            if row:
                pack.reject(place, f"{len(row)} cells, the header has {width}")
            continue
        key = cells(row)
        claim = known.get(key)
        if claim is None:
            claim = known[key] = _claim(pack, fields, key)
        if isinstance(claim, str):
            pack.reject(place, claim)
        elif not row[address_at]:
            pack.reject(place, "there is no address")
        else:
            pack.add(place, row[address_at], claim)
            if len(pack.place) > MAX_ROWS:
                raise LimitExceeded(f"{pack.file}: more than {MAX_ROWS:,} rows")


def _claim(pack: Pack, fields: Sequence[str], cells: Sequence[str]) -> int | str:
    """The number of the claim, or why it is none."""
    try:
        said: dict[str, Any] = {}
        for name, value in zip(fields, cells, strict=True):
            if not value:
                continue
            if name == "concepts":
                said[name] = tuple(text_of(name, each.strip()) for each in value.split(";") if each.strip())
            elif name == "context":
                said[name] = context_text(text_of(name, value, MAX_CELL))
            else:
                said[name] = CONVERTERS[name](name, value)
        said.setdefault("currency", said.get("network"))
        missing = [name for name in ("label", "currency") if not said.get(name)]
        if missing:
            raise RowError(f"there is no {', no '.join(missing)}")
        return pack.number(check_validity(Claim(**said)))
    except (RowError, HeadwaterError) as error:
        return str(error)
