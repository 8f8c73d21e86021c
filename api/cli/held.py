"""headwater cluster held, decide, decisions: what guards hold back, and a person's word on it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from api.answers.decisions import Word, check, decide, decisions_body, read_rule
from api.answers.held import held_page
from api.answers.labels import asking
from api.answers.opening import open_views
from api.answers.run_shapes import DecidedBody, DecisionRow, DecisionsBody, HeldBody, HeldLink
from api.answers.transaction import read_txid
from api.cli.options import ChainOption, DatasetOption, FormatOption, run, settings
from api.cli.output import Format, counted, limit_lines, print_lines, print_object, print_rows, stderr
from api.instance import session

SHOWN = 50
"""Links that `cluster held` lists where nothing else is said."""


class Decided(StrEnum):
    accept = "accept"
    refuse = "refuse"
    withdraw = "withdraw"


def held(
    chain: ChainOption = "btc",
    dataset: DatasetOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Links to list.")] = SHOWN,
    form: FormatOption = Format.TABLE,
) -> None:
    """Links that guards hold for a person, or that were refused, with their evidence."""

    async def work() -> tuple[HeldBody, bool]:
        async with session(settings()) as (instance, connection):
            views = await open_views(connection, instance.url, instance.home, chain, dataset)
            column_of = asking(connection, instance.home).column_of
            body, place = await held_page(connection, column_of, chain, views, None, limit)
            return body, place is not None

    body, more = run(work())
    if form is not Format.TABLE:
        print_object(body, form)
    else:
        for answer in body["answers"]:
            note = [f"note         {answer['note']}"] if answer["note"] else []
            head = [f"dataset      {answer['dataset']}, {counted(answer['held'], 'link')} held or refused", *note]
            lines = [line for item in answer["items"] for line in ["", *_lines(item)]]
            print_lines([*head, *lines, *limit_lines(answer["limits_hit"]), answer["statement"], ""])
    if more:
        stderr.print(f"there are more than {limit}; --limit lists more", markup=False)


def _lines(item: HeldLink) -> list[str]:
    height = "unknown height" if item["height"] is None else f"height {item['height']}"
    lines = [
        f"{item['status']:<12} {item['reason']}, since run {item['since_run']}",
        f"  rule       {item['rule']}, {item['wording']} (error rate: {item['rate']})",
        f"  on         transaction {item['txid']}, {height}, {item['time']}",
    ]
    for side in item["sides"]:
        cluster = side["cluster"]
        lines.append(f"  address    {side['address']}")
        lines.append(f"    cluster  {cluster['id']}, {counted(cluster['size'], 'address', 'addresses')}")
        for service in side["services"]:
            on = counted(service["addresses"], "address", "addresses")
            lines.append(f"    labelled {service['entity']} on {on}, first {service['via']}")
        if not side["services"]:
            lines.append("    labelled no service")
    lines.append(f"  effect     {item['effect']}")
    return [*lines, *(f"  decision   {_said(each)}" for each in item["decisions"])]


def _said(row: DecisionRow) -> str:
    state = "in force" if row["in_force"] else "not in force"
    later = "" if row["counted"] else ", counted by the next run"
    who = f"{row['decision']} by {row['decided_by']}, {row['decided_at']}"
    return f"{row['number']}: {who}: {row['reason']} ({state}{later})"


def decide_link(
    decision: Decided,
    txid: Annotated[str, typer.Argument(help="The transaction that the link rests on")],
    a: Annotated[str, typer.Argument(help="One of its addresses")],
    b: Annotated[str, typer.Argument(help="The other one")],
    by: Annotated[str, typer.Option("--by", help="Who decides.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever reads it later.")],
    rule: Annotated[str, typer.Option("--rule", help="The rule that found the link.")] = "co-spend",
    chain: ChainOption = "btc",
    dataset: DatasetOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Accept or refuse a link, or withdraw what was decided on it. The next update counts it."""
    word = Word(decision.value, read_txid(txid), read_rule(rule), a, b, by, reason)
    check(word)

    async def work() -> DecidedBody:
        async with session(settings()) as (instance, connection):
            views = await open_views(connection, instance.url, instance.home, chain, dataset)
            return await decide(connection, chain, views, word)

    body = run(work())
    if form is not Format.TABLE:
        print_object(body, form)
        return
    made = body["decided"]
    print_lines(
        [
            f"decision     {made['number']}: {made['decision']} by {made['decided_by']}, dataset {body['dataset']}",
            f"  link       {made['rule']}, {' - '.join(made['addresses'])}",
            f"  on         transaction {made['txid']}",
            body["statement"],
        ]
    )


def decisions(chain: ChainOption = "btc", dataset: DatasetOption = None, form: FormatOption = Format.TABLE) -> None:
    """Decisions on links, the newest first: who, when and why."""

    async def work() -> DecisionsBody:
        async with session(settings()) as (instance, connection):
            views = await open_views(connection, instance.url, instance.home, chain, dataset)
            return await decisions_body(connection, chain, views)

    body = run(work())
    if form is Format.JSON:
        print_object(body, form)
        return
    if form is not Format.TABLE:
        rows = [
            {"dataset": answer["dataset"], **row, "addresses": " ".join(row["addresses"])}
            for answer in body["answers"]
            for row in answer["items"]
        ]
        print_rows(rows, form)
        return
    for answer in body["answers"]:
        print_lines([f"dataset      {answer['dataset']}, {counted(len(answer['items']), 'decision')}"])
        for row in answer["items"]:
            link = f"{row['rule']}, {' - '.join(row['addresses'])}"
            print_lines([f"  {_said(row)}", f"    link     {link}", f"    on       transaction {row['txid']}"])
