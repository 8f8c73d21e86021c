"""headwater case, headwater contest: what a person works in."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from api.answers import text
from api.answers.companies import case_body
from api.answers.company_shapes import LinkBody
from api.answers.links import contest_body
from api.cli.audited import audited
from api.cli.options import FormatOption, local_person, run
from api.cli.output import Format, print_lines, print_object, print_rows
from api.companies import cases
from api.companies.identifiers import read_handle
from api.instance import Instance
from api.linking.contesting import contest_of
from api.linking.reading import links_now
from api.linking.recompute import refresh
from api.words import Language, say
from chain.store.cases import CaseStore
from chain.store.companies import CompanyStore
from chain.store.postgres import Connection

app = typer.Typer(no_args_is_help=True)

DATE = ["%Y-%m-%d"]
Case = Annotated[str, typer.Argument(help="The case's id")]
Link = Annotated[str, typer.Argument(help="The link's id")]
CaseOption = Annotated[str, typer.Option("--case", help="The case in which it is asked")]
LanguageOption = Annotated[Language, typer.Option("--language", help="Of what is said")]


@app.callback()
def case() -> None:
    """What a person works in: a question, exhibits, claims, links and decisions."""


@app.command("create")
def create(
    title: Annotated[str, typer.Option(help="What it is called")],
    question: Annotated[str, typer.Option(help="What is asked, before anything is looked for")],
    reason: Annotated[str, typer.Option(help="Why this convention, before anything is looked for")],
    convention: Annotated[str, typer.Option(help=f"One of: {', '.join(cases.CONVENTIONS)}")] = "fifo",
    company: Annotated[list[str] | None, typer.Option(help="A candidate; may be given again")] = None,
) -> None:
    """Open a case; prints its id."""

    async def work(_: Instance, connection: Connection) -> uuid.UUID:
        found = [await _company(connection, each) for each in company or []]
        made = await cases.open_case(connection, title, question, convention, reason, local_person())
        await cases.add_candidates(connection, made, found, local_person())
        return made

    print_lines([str(run(audited("case create", title, work)))])


@app.command("list")
def list_command(form: FormatOption = Format.TABLE) -> None:
    """All cases of this instance, the newest first."""

    async def work(_: Instance, connection: Connection) -> list[dict[str, Any]]:
        return await CaseStore(connection).cases()

    rows = [
        {
            "case": str(each["case_id"]), "title": each["title"], "opened_by": each["opened_by"],
            "opened_at": text.stamp(each["opened_at"]), "closed_at": text.stamp(each["closed_at"]),
        }
        for each in run(audited("case list", "", work))
    ]  # fmt: skip
    print_rows(rows, form, ["case", "title", "opened_by", "opened_at", "closed_at"])


@app.command("show")
def show(case: Case, form: FormatOption = Format.TABLE) -> None:
    """Question, convention, candidates, exhibits, claims, notes, and who was shown what has changed since."""

    async def work(instance: Instance, connection: Connection) -> Any:
        await CaseStore(connection).case(_uuid(case))
        await refresh(connection, instance.url, instance.home, _uuid(case))
        return await case_body(connection, _uuid(case))

    print_object(run(audited("case show", case, work, _uuid(case))), form)


@app.command("add-company")
def add_company(case: Case, company: Annotated[list[str], typer.Argument(help="Candidates")]) -> None:
    """Companies that the case asks of."""

    async def work(_: Instance, connection: Connection) -> None:
        found = [await _company(connection, each) for each in company]
        await cases.add_candidates(connection, _uuid(case), found, local_person())

    run(audited("case add-company", case, work, _uuid(case)))


@app.command("add-exhibit")
def add_exhibit(
    case: Case,
    file: Annotated[Path, typer.Argument(help="Kept as it is, with its SHA-256")],
    collector: Annotated[str, typer.Option(help="Who collected it")],
    method: Annotated[str, typer.Option(help="How")],
    day: Annotated[datetime | None, typer.Option("--date", formats=DATE, help="When; left out, today")] = None,
    root: Annotated[str, typer.Option(help="The document that it descends from; left out, itself")] = "",
) -> None:
    """Add a file; prints its number and SHA-256."""
    when = date.today() if day is None else day.date()

    async def work(_: Instance, connection: Connection) -> tuple[int, str]:
        data = cases.read_file(file)
        return await cases.add_exhibit(
            connection, _uuid(case), file.name, data, root, collector, method, when, local_person()
        )

    number, digest = run(audited("case add-exhibit", case, work, _uuid(case)))
    print_lines([f"{number} {digest}"])


@app.command("note")
def note(
    case: Case,
    body: Annotated[str, typer.Argument(help="The words; - reads them from standard input")],
    kind: Annotated[str, typer.Option(help="note; trace or finding names one that belongs to the case")] = "note",
) -> None:
    """Add a note, or the name of a trace's run or of a finding."""
    words = sys.stdin.read() if body == "-" else body

    async def work(_: Instance, connection: Connection) -> int:
        return await cases.add_entry(connection, _uuid(case), kind, words, local_person())

    print_lines([str(run(audited("case note", case, work, _uuid(case))))])


@app.command("claim")
def claim(
    case: Case,
    company: Annotated[str, typer.Argument(help="The company")],
    address: Annotated[str, typer.Argument(help="CHAIN:ADDRESS, as eth:0x…")],
    role: Annotated[str, typer.Option(help="What the address is to the company")],
    kind: Annotated[str, typer.Option(help="The kind of evidence")],
    statement: Annotated[str, typer.Option(help="What it says")],
    root: Annotated[str, typer.Option(help="The document that it descends from; left out, the exhibit's")] = "",
    exhibit: Annotated[int | None, typer.Option(help="The number of the exhibit that shows it")] = None,
    against: Annotated[bool, typer.Option("--against", help="It contradicts instead")] = False,
) -> None:
    """Say that a company has to do with an address; prints the claim's number."""
    chain, colon, written = address.partition(":")
    if not colon:
        raise typer.BadParameter("an address is CHAIN:ADDRESS, as btc:1A1z… or eth:0x…")

    async def work(_: Instance, connection: Connection) -> int:
        of = _uuid(case)
        found = root or await cases.root_of(connection, of, exhibit)
        new = cases.NewClaim(
            await _company(connection, company), chain, written, role, kind, found, statement, exhibit, against
        )
        return await cases.add_claim(connection, of, new, local_person())

    print_lines([str(run(audited("case claim", case, work, _uuid(case))))])


@app.command("withdraw-claim")
def withdraw_claim(case: Case, number: int, reason: Annotated[str, typer.Option(help="Why it counts no more")]) -> None:
    """A claim counts no more; it stays readable."""

    async def work(_: Instance, connection: Connection) -> None:
        await cases.withdraw_claim(connection, _uuid(case), number, reason)

    run(audited("case withdraw-claim", case, work, _uuid(case)))


@app.command("links")
def links(case: Case, language: LanguageOption = Language.EN, form: FormatOption = Format.TABLE) -> None:
    """All links of a case, inferred anew where something that they rest on changed."""

    async def work(instance: Instance, connection: Connection) -> Any:
        return await links_now(connection, instance.url, instance.home, language, _uuid(case), local_person())

    body = run(audited("case links", case, work, _uuid(case)))
    if form is not Format.TABLE:
        print_object(body, form)
        return
    print_lines(link_lines(language, body))


def link_lines(language: Language, body: Mapping[str, Any]) -> Iterator[str]:
    """Links for people: what counts against each comes first."""
    for each in body["items"]:
        yield from _lines(language, each)
        yield ""
    if body["coverage"]:
        yield body["coverage"]


def _lines(language: Language, link: LinkBody) -> Iterator[str]:
    head = {
        name: say(language, f"heading.{name}") for name in ("company", "role", "grade", "standing", "for", "against")
    }
    yield f"{link['link']}"
    yield f"  {head['company']}  {link['company_name']}"
    cluster = "" if link["cluster"] is None else f" + {link['cluster']}"
    yield f"  {link['chain']}  {link['address']}{cluster}"
    role, grade = say(language, f"role.{link['role']}"), say(language, f"grade.{link['grade']}")
    standing = say(language, f"standing.{link['standing']}")
    yield f"  {head['role']}  {role}   {head['grade']}  {grade}   {head['standing']}  {standing}"
    for item in link["evidence"]:
        sign = head["against"] if item["against"] else head["for"]
        place = "" if item["exhibit"] is None else f", exhibit {item['exhibit']}"
        yield f"  {sign}  {item['kind']}: {item['says']} [{item['root']}{place}]"
        yield from (f"      {each}" for each in item["transactions"][:2])
    yield from (f"  {each}" for each in (*link["notes"], *link["agents"][:5], *link["conduct"]))
    yield f"  {link['statement']}"


@app.command("decide")
def decide(
    link: Link,
    decision: Annotated[str, typer.Argument(help=f"One of: {', '.join(cases.DECISIONS)}")],
    reason: Annotated[str, typer.Option(help="Why")],
    person: Annotated[str | None, typer.Option(help="Who decides; left out, the user of this machine")] = None,
) -> None:
    """Confirm, reject or dispute the form of a link that stands. Grade A takes two persons."""

    async def work(_: Instance, connection: Connection) -> None:
        named = _uuid(link)
        row = await CaseStore(connection).link(named)
        await cases.decide(connection, row["case_id"], named, decision, reason, person or local_person())

    run(audited("case decide", link, work))


@app.command("versions")
def versions(link: Link, form: FormatOption = Format.JSON) -> None:
    """Every form that a link was shown in, the oldest first."""

    async def work(_: Instance, connection: Connection) -> list[dict[str, Any]]:
        return await CaseStore(connection).versions(_uuid(link))

    rows = [{**each, "at": text.stamp(each["at"])} for each in run(audited("case versions", link, work))]
    print_rows(rows, form, ["version", "at", "body"])


@app.command("close")
def close(case: Case) -> None:
    """Nothing is added to it any more."""

    async def work(_: Instance, connection: Connection) -> None:
        await CaseStore(connection).case(_uuid(case))
        await CaseStore(connection).close(_uuid(case))

    run(audited("case close", case, work, _uuid(case)))


@app.command("add-key")
def add_key(case: Case, key: Annotated[str, typer.Argument(help="The key's id, as `key list` has it")]) -> None:
    """Let a key of the service work in the case."""

    async def work(_: Instance, connection: Connection) -> None:
        await CaseStore(connection).case(_uuid(case))
        await CaseStore(connection).add_member(_uuid(case), _uuid(key))

    run(audited("case add-key", case, work, _uuid(case)))


@app.command("erase")
def erase(case: Case, reason: Annotated[str, typer.Option(help="Why; it is kept in the audit log")]) -> None:
    """Take out what people wrote and what was collected, for good; numbers, hashes and the audit log stay."""

    async def work(_: Instance, connection: Connection) -> str:
        await CaseStore(connection).case(_uuid(case))
        await CaseStore(connection).erase(_uuid(case))
        return reason

    run(audited("case erase", f"{case}: {reason}", work, _uuid(case)))


def contest(link: Link, language: LanguageOption = Language.EN, form: FormatOption = Format.TABLE) -> None:
    """Infer a link again without each rule, label, document and convention, and pairs: what its result hangs on."""

    async def work(instance: Instance, connection: Connection) -> Any:
        found = await contest_of(connection, instance.url, instance.home, _uuid(link))
        return contest_body(language, link, found)

    body = run(audited("contest", link, work))
    if form is not Format.TABLE:
        print_object(body, form)
        return
    print_lines([body["before"], *body["text"]])


async def _company(connection: Connection, written: str) -> uuid.UUID:
    try:
        return await CompanyStore(connection).find(read_handle(written))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _uuid(written: str) -> uuid.UUID:
    try:
        return uuid.UUID(written)
    except ValueError:
        raise typer.BadParameter(f"{written[:60]!r} is no id") from None
