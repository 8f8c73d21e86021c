"""headwater scan-text: addresses that stand in documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from api.answers.cells import safe_cell
from api.cli.options import FormatOption, run, settings
from api.cli.output import Format, counted, print_lines, print_rows, stderr
from api.documents.candidates import Found, find
from api.documents.reading import passages
from api.documents.search import Known, search
from api.instance import session
from chain.errors import HeadwaterError

EXIT_IN_PART = 3
COLUMNS = (
    "file", "page", "line", "column", "part", "sender", "time", "forwarded_from", "kind", "chain", "value", "role",
    "why", "notes", "seen_in", "context",
)  # fmt: skip
SAID = (("sender", "by"), ("time", "at"), ("forwarded_from", "forwarded from"))


def scan_text(
    file: Annotated[list[Path], typer.Argument(help="Texts, HTML, PDF, Telegram's result.json, zip, Word")],
    search_ledgers: Annotated[
        bool,
        typer.Option("--search", help="Say which datasets know an address, and which a cut-off one fits"),
    ] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Addresses found in documents: checked, with their place and apparent role; cut-off ones as patterns to search.

    Exit code 3 where a document could not be read, or a page of it has no text.
    """
    found: list[tuple[str, Found]] = []
    faults: list[str] = []
    for path in file:
        try:
            for name, passage in passages(path):
                if passage.text:
                    found += [(name, each) for each in find(passage)]
                else:
                    faults.append(f"{name}: page {passage.page} has no text: a picture, perhaps a scan")
        except HeadwaterError as error:
            faults.append(str(error))
    known: dict[tuple[str, str], Known] = {}
    if search_ledgers:
        known = run(_known({(each.chain, each.value) for _, each in found if each.kind in ("address", "truncated")}))
    rows = [_row(name, each, known.get((each.chain, each.value))) for name, each in found]
    if form is Format.TABLE:
        print_lines(_lines(rows))
    elif form is Format.CSV:
        print_rows([{**row, "notes": "; ".join(row["notes"])} for row in rows], form, COLUMNS)
    else:
        print_rows(rows, form, COLUMNS)
    for fault in faults:
        stderr.print(f"not read: {fault}", markup=False, soft_wrap=True)
    if faults:
        raise typer.Exit(EXIT_IN_PART)


async def _known(asked: set[tuple[str, str]]) -> dict[tuple[str, str], Known]:
    async with session(settings()) as (_, connection):
        return await search(connection, asked)


def _row(name: str, each: Found, known: Known | None) -> dict[str, Any]:
    passage = each.passage
    notes = list(each.notes)
    if known is not None and known.fits:
        more = f" and {known.more:,} more" if known.more else ""
        notes.append(f"fits {', '.join(known.fits)}{more}")
    notes += known.notes if known else []
    return {
        "file": name, "page": passage.page, "line": each.line, "column": each.column, "part": passage.part,
        "sender": passage.sender, "time": passage.time, "forwarded_from": passage.forwarded_from, "kind": each.kind,
        "chain": each.chain, "value": each.value, "role": each.role.role, "why": each.role.why, "notes": notes,
        "seen_in": "" if known is None else " ".join(known.datasets), "context": each.context,
    }  # fmt: skip


def _lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        place = f"page {row['page']}, " if row["page"] else ""
        part = f", {row['part']}" if row["part"] else ""
        yield f"{row['kind']:<12} {row['chain']:<8} {row['value'] or '(not shown)'}"
        yield f"  at         {row['file']}: {place}line {row['line']}, column {row['column']}{part}"
        who = [f"{word} {row[name]}" for name, word in SAID if row[name]]
        if who:
            yield f"  message    {', '.join(who)}"
        if row["role"]:
            yield f"  apparent   {row['role']}, by {row['why']}"
        if row["seen_in"]:
            yield f"  seen in    {row['seen_in']}"
        yield from (f"  note       {each}" for each in row["notes"])
        yield f"  context    {safe_cell(row['context'])}"
    yield f"{counted(len(rows), 'thing')} found"
