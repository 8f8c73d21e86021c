"""headwater company: companies, what authorities hold against them, and the links of their cases."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from api.answers.cells import safe_cell
from api.answers.companies import company_body
from api.cli.audited import audited
from api.cli.case import CaseOption, LanguageOption, link_lines
from api.cli.options import FormatOption, local_person, run
from api.cli.output import Format, counted, print_lines, print_object, print_rows, stderr
from api.companies import flags, names
from api.companies.flagging import import_flags
from api.companies.identifiers import read_handle
from api.companies.importing import Outcome, import_companies
from api.instance import Instance
from api.linking.reading import links_now
from api.words import Language
from chain.store.companies import CompanyStore
from chain.store.postgres import Connection

app = typer.Typer(no_args_is_help=True)

EXIT_IN_PART = 3
SHOWN = 20
"""Rejected rows that are told one by one."""

LISTED = 50
DATE = ["%Y-%m-%d"]
Company = Annotated[str, typer.Argument(help="Its id, a USCC, a LEI, or SCHEME:VALUE as actor:bancor")]


@app.callback()
def company() -> None:
    """Companies of registers and reports. Nothing is merged on a name."""


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="CSV; docs/companies.md names the columns")],
    outcomes: Annotated[Path | None, typer.Option(help="Write what became of each row to this CSV file")] = None,
) -> None:
    """Take the companies of a file. Exit code 3 where rows were rejected."""

    async def work(instance: Instance, connection: Connection) -> tuple[Sequence[Outcome], Path]:
        done = await import_companies(connection, file, local_person())
        return done.outcomes, instance.home / "rejects" / f"companies-{done.sha256[:16]}.csv"

    _report(*run(audited("company import", file.name, work)), outcomes, "company", "companies")


@app.command("flags")
def flags_command(
    file: Annotated[Path, typer.Argument(help="CSV; docs/companies.md names the columns")],
    outcomes: Annotated[Path | None, typer.Option(help="Write what became of each row to this CSV file")] = None,
) -> None:
    """Take the flags of a file. Exit code 3 where rows were rejected."""

    async def work(instance: Instance, connection: Connection) -> tuple[Sequence[Outcome], Path]:
        found = await import_flags(connection, file, local_person())
        return found, instance.home / "rejects" / f"flags-{file.stem}.csv"

    _report(*run(audited("company flags", file.name, work)), outcomes, "flag", "flags")


def _report(found: Sequence[Outcome], rejects: Path, wanted: Path | None, one: str, many: str) -> None:
    """What became of the rows; rejected ones always go to a file that is named."""
    bad = [each for each in found if each.outcome == "rejected"]
    new = sum(each.outcome == "new" for each in found)
    known = len(found) - new - len(bad)
    print_lines([f"{counted(new, one, many)} new, {known:,} known, {len(bad):,} rejected"])
    if wanted is not None:
        _write(wanted, found)
    if not bad:
        return
    for each in bad[:SHOWN]:
        stderr.print(f"line {each.row}: {each.reason}", markup=False, soft_wrap=True)
    _write(rejects, bad)
    stderr.print(f"{len(bad):,} rejected, listed in {rejects}", markup=False, soft_wrap=True)
    raise typer.Exit(EXIT_IN_PART)


def _write(path: Path, rows: Sequence[Outcome]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("row", "outcome", "company", "reason"))
        writer.writerows([safe_cell(cell) for cell in asdict(each).values()] for each in rows)


@app.command("list")
def list_command(
    name: Annotated[str | None, typer.Option(help="A name or its beginning, in any script or in pinyin")] = None,
    identifier: Annotated[str | None, typer.Option(help="A USCC, a LEI, or SCHEME:VALUE")] = None,
    limit: Annotated[int, typer.Option(help="At most so many")] = LISTED,
    form: FormatOption = Format.TABLE,
) -> None:
    """Companies by name."""

    async def work(_: Instance, connection: Connection) -> list[dict[str, Any]]:
        store = CompanyStore(connection)
        one = None if identifier is None else await store.find(_handle(identifier))
        key = None if name is None else names.key(name)
        found = await store.listed(one, key, None if name is None else names.pinyin(name), None, limit)
        return [{"company": str(each), "name": said, "flags": count} for said, each, count in found]

    print_rows(run(audited("company list", "", work)), form, ["company", "name", "flags"])


def _handle(text: str) -> tuple[str, str] | uuid.UUID:
    try:
        return read_handle(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


async def found(connection: Connection, text: str) -> uuid.UUID:
    """The id of the company that a text names."""
    return await CompanyStore(connection).find(_handle(text))


@app.command("show")
def show(company: Company, form: FormatOption = Format.TABLE) -> None:
    """Names, identifiers, facts, and flags with their history."""

    async def work(_: Instance, connection: Connection) -> Any:
        return company_body(await CompanyStore(connection).company(await found(connection, company)))

    print_object(run(audited("company show", company, work)), form)


@app.command("links")
def links(
    company: Company,
    case: CaseOption,
    language: LanguageOption = Language.EN,
    form: FormatOption = Format.TABLE,
) -> None:
    """Which addresses are linked to a company in a case, in which role and grade, by what evidence."""

    async def work(instance: Instance, connection: Connection) -> Any:
        of = await found(connection, company)
        return await links_now(
            connection, instance.url, instance.home, language, _uuid(case), local_person(), company=of
        )

    body = run(audited("company links", company, work, _uuid(case)))
    if form is not Format.TABLE:
        print_object(body, form)
        return
    print_lines(link_lines(language, body))


@app.command("flag")
def flag(
    company: Company,
    authority: Annotated[str, typer.Option(help="Who holds it against the company")],
    document: Annotated[str, typer.Option(help="In which document")],
    day: Annotated[datetime, typer.Option("--date", formats=DATE, help="Of the document")],
    activity: Annotated[str, typer.Option(help=f"One of: {', '.join(flags.ACTIVITIES)}")],
    status: Annotated[str, typer.Option(help=f"One of: {', '.join(flags.STATUSES)}")] = "alleged",
    instrument: Annotated[str, typer.Option(help="The number of a decision")] = "",
    url: Annotated[str, typer.Option(help="Where the document is")] = "",
    archived: Annotated[str, typer.Option(help="SHA-256 of an archived copy")] = "",
) -> None:
    """Keep what an authority holds against a company; prints the flag's id."""
    new = flags.NewFlag(authority, document, day.date(), activity, url, archived)
    said = flags.NewStatus(status, day.date(), instrument)

    async def work(_: Instance, connection: Connection) -> tuple[uuid.UUID, bool]:
        return await flags.add_flag(connection, await found(connection, company), new, said, local_person())

    named, is_new = run(audited("company flag", company, work))
    print_lines([f"{named}{'' if is_new else ' (known)'}"])


@app.command("flag-status")
def flag_status(
    flag: Annotated[str, typer.Argument(help="Its id")],
    status: Annotated[str, typer.Option(help=f"One of: {', '.join(flags.STATUSES)}")],
    since: Annotated[datetime, typer.Option(formats=DATE, help="From which day on")],
    instrument: Annotated[str, typer.Option(help="The number of a decision")] = "",
    note: Annotated[str, typer.Option(help="Why")] = "",
) -> None:
    """A new entry of a flag's history. Dismissed or withdrawn, it counts no more at once, and stays in the history."""
    said = flags.NewStatus(status, since.date(), instrument, note)

    async def work(_: Instance, connection: Connection) -> None:
        await flags.set_status(connection, _uuid(flag), said, local_person())

    run(audited("company flag-status", flag, work))
    print_lines([f"{flag}: {status} since {since.date()}"])


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise typer.BadParameter(f"{text[:60]!r} is no id") from None
