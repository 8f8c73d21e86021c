"""What commands print: data on stdout in the asked format, everything else on stderr."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Any, Protocol

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from api.answers.cells import safe_cell


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


stderr = Console(stderr=True, highlight=False)

PIPE_WIDTH = 1_000
"""Characters of a table's line where no terminal sets them: nothing is folded that a script will read."""


def print_rows(rows: Sequence[Mapping[str, Any]], form: Format, columns: Sequence[str] | None = None) -> None:
    """A list: a table for people, or one of the machine formats."""
    names = list(columns or (rows[0].keys() if rows else []))
    if form is Format.JSON:
        _write(orjson.dumps(list(rows), option=orjson.OPT_INDENT_2))
    elif form is Format.JSONL:
        for row in rows:
            _write(orjson.dumps(dict(row)))
    elif form is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([safe_cell(row.get(name)) for name in names] for row in rows)
    else:
        _print_table(names, ([_text(row.get(name)) for name in names] for row in rows))


def print_object(body: Mapping[str, Any], form: Format) -> None:
    """One thing: its fields in two columns for people, the whole body for machines."""
    if form is Format.JSON:
        _write(orjson.dumps(body, option=orjson.OPT_INDENT_2))
    elif form is Format.JSONL:
        _write(orjson.dumps(body))
    else:
        flat = [{"field": name, "value": value} for name, value in flatten(body)]
        print_rows(flat, form, ["field", "value"])


def flatten(body: object, path: str = "") -> Iterable[tuple[str, object]]:
    """Leaves of a body with their paths, as `answers.0.facts.received`."""
    if isinstance(body, Mapping) and body:
        for name, value in body.items():
            yield from flatten(value, f"{path}.{name}" if path else str(name))
    elif isinstance(body, list) and body:
        for place, value in enumerate(body):
            yield from flatten(value, f"{path}.{place}")
    else:
        yield path, _text(body)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode() if value else "-"
    return str(value)


def _print_table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()


class ProgressFn(Protocol):
    def __call__(self, at: int, goal: int | None) -> None: ...


class LoadProgress(AbstractContextManager["LoadProgress"]):
    """A bar on stderr where that is a terminal, else silence."""

    def __init__(self, what: str) -> None:
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=stderr, disable=not stderr.is_terminal, transient=True)
        self._task = self._bar.add_task(what, total=None)

    def __enter__(self) -> LoadProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, at: int, goal: int | None) -> None:
        self._bar.update(self._task, completed=at, total=goal)


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 link`, `2 links`, `44 addresses`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def limit_lines(limits: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which limits cut an answer, so that nobody takes a part for the whole."""
    return [f"cut short    {limit['detail']} (limit {limit['limit']}: {limit['value']:,})" for limit in limits]


def print_lines(lines: Iterable[str]) -> None:
    """Text for people, as it is: control characters of foreign names are made visible."""
    for line in lines:
        sys.stdout.write("".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line) + "\n")
    sys.stdout.flush()
