"""headwater cluster history and diff: what became of clusters from run to run."""

from __future__ import annotations

from typing import Annotated

import typer

from api.answers.cluster import cluster_at
from api.answers.diff import LISTED, MAX_LISTED
from api.answers.diff import diff as diff_of
from api.answers.history import history as history_of
from api.answers.naming import name_address
from api.answers.opening import open_views, view_at_run
from api.answers.past import Reopen
from api.answers.run_shapes import (
    ChangedLink,
    Diff,
    DiffBody,
    DiffClusters,
    HistoryBody,
    HistoryEvent,
    HistoryRun,
    RunGrounds,
)
from api.answers.shapes import Asked
from api.answers.view import DatasetView
from api.cli.options import ChainOption, DatasetOption, FormatOption, run, settings
from api.cli.output import Format, counted, limit_lines, print_lines, print_object
from api.instance import Instance, session
from chain.errors import NotFound
from chain.store.postgres import Connection


def _reopening(connection: Connection, instance: Instance, view: DatasetView) -> Reopen:
    async def reopen(run_id: int) -> DatasetView:
        return await view_at_run(connection, instance.home, view, run_id)

    return reopen


def history(
    address: str, chain: ChainOption = "btc", dataset: DatasetOption = None, form: FormatOption = Format.TABLE
) -> None:
    """What the cluster of an address was in each run, and what became of it in between."""

    async def work() -> tuple[list[HistoryBody], list[str], list[Asked]]:
        async with session(settings()) as (instance, connection):
            views = await open_views(connection, instance.url, instance.home, chain, dataset)
            named = name_address(views, address)
            bodies, notes = [], []
            for holder in named.knowing:
                found = cluster_at(holder.view, holder.address, holder.view.now())
                if isinstance(found, str):
                    notes.append(f"{holder.view.name}: {found}")
                else:
                    reopen = _reopening(connection, instance, found.view)
                    bodies.append(await history_of(connection, chain, found, reopen))
            return bodies, notes, named.asked

    bodies, notes, asked = run(work())
    if not bodies:
        silent = [each["dataset"] for each in asked if each["observed"] is False]
        raise NotFound("; ".join(notes) or f"not observed in {', '.join(silent)}")
    answers = [answer for body in bodies for answer in body["answers"]]
    if form is not Format.TABLE:
        print_object({"chain": chain, "asked": asked, "answers": answers}, form)
        return
    for answer in answers:
        lines = [line for item in answer["items"] for line in _run_lines(item)]
        head = [f"address      {answer['address']}", f"dataset      {answer['dataset']}"]
        print_lines([*head, *lines, *limit_lines(answer["limits_hit"]), ""])
    print_lines(notes)


def _run_lines(item: HistoryRun) -> list[str]:
    height = "" if item["height"] is None else f", height {item['height']}"
    lines = [f"run {item['run']}, {item['finished_at']}{height}"]
    if item["size"] is None:
        lines.append(f"  {item['note']}")
    else:
        lines.append(f"  cluster    {item['id']}, {counted(item['size'], 'address', 'addresses')}")
    if item["events"] is None and item["size"] is not None:
        lines.append("  events     not known: the run before was not looked at")
    return [*lines, *(line for event in item["events"] or [] for line in _event_lines(event))]


def _event_lines(event: HistoryEvent) -> list[str]:
    lines = [f"  {event['event']:<10} {event['count']:,}: {event['statement']}"]
    lines += [f"    {each['id']}, {counted(each['size'], 'address', 'addresses')}" for each in event["clusters"]]
    return lines + [
        f"    {each['status']}, {each['reason']}: {' - '.join(each['addresses'])}, {each['rule']} on {each['txid']}"
        for each in event["links"]
    ]


def diff(
    first: Annotated[int, typer.Argument(metavar="RUN", min=1, help="The earlier run")],
    last: Annotated[int, typer.Argument(metavar="RUN", min=1, help="The later run")],
    dataset: Annotated[str, typer.Option("--dataset", help="The dataset of both runs.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=MAX_LISTED, help="To list of each kind.")] = LISTED,
    chain: ChainOption = "btc",
    form: FormatOption = Format.TABLE,
) -> None:
    """What differs between two runs: merges, splits, links judged otherwise, and what they judged by."""

    async def work() -> DiffBody:
        async with session(settings()) as (instance, connection):
            (view,) = await open_views(connection, instance.url, instance.home, chain, dataset)
            return await diff_of(connection, chain, view, first, last, limit, _reopening(connection, instance, view))

    body = run(work())
    if form is not Format.TABLE:
        print_object(body, form)
        return
    for answer in body["answers"]:
        print_lines([*_diff_lines(answer["dataset"], answer["diff"]), *limit_lines(answer["limits_hit"])])


def _diff_lines(dataset: str, found: Diff) -> list[str]:
    changed = found["changed_links"]
    return [
        f"dataset      {dataset}",
        *_side_lines("from", found["from"]),
        *_side_lines("to", found["to"]),
        f"grounds      {', '.join(found['grounds']) or 'the same'}",
        f"addresses    {found['common_addresses']:,} in both, {found['new_addresses']:,} new",
        *_cluster_lines("merged", found["merges"]),
        *_cluster_lines("split", found["splits"]),
        f"links        {len(changed):,} judged otherwise, held anew or gone",
        *(_changed_line(each) for each in changed),
        found["statement"],
    ]


def _side_lines(name: str, side: RunGrounds) -> list[str]:
    height = "" if side["height"] is None else f", height {side['height']}"
    return [
        f"{name:<12} run {side['run']}, {side['finished_at']}{height}, label set {side['label_set'] or 'none'}",
        f"             {counted(side['clusters'], 'cluster')} of {counted(side['addresses'], 'address', 'addresses')}",
        f"             links: {side['accepted']:,} accepted, {side['held']:,} held, {side['refused']:,} refused",
    ]


def _cluster_lines(name: str, found: DiffClusters) -> list[str]:
    lines = [f"{name:<12} {counted(found['count'], 'cluster')}, {counted(found['pieces'], 'piece')}"]
    for each in found["largest"]:
        lines.append(f"  {each['cluster']['id']}, {counted(each['cluster']['size'], 'address', 'addresses')}")
        lines += [
            f"    {piece['cluster']['id']}, {piece['shared']:,} of {piece['cluster']['size']:,} in common"
            for piece in each["pieces"]
        ]
    return lines


def _changed_line(link: ChangedLink) -> str:
    before, after = link["status_before"] or "not there", link["status_after"] or "not there"
    why = f" ({link['reason_after']})" if link["reason_after"] else ""
    return f"  {before} -> {after}{why}: {' - '.join(link['addresses'])}, {link['rule']} on {link['txid']}"
