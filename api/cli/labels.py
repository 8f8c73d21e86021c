"""headwater labels: what sources say of addresses: import, list, show, withdraw, export."""

from __future__ import annotations

import csv
import os
import sys
from dataclasses import asdict
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from api.answers.cells import safe_cell
from api.answers.label_shapes import AddressLabels, ClusterLabels, Label, LabelConflict, LabelsBody
from api.answers.labels import asking, labels_body
from api.answers.opening import CHAINS, open_views
from api.answers.text import stamp
from api.answers.view import DatasetView
from api.cli.options import FormatOption, run, settings
from api.cli.output import Format, counted, limit_lines, print_lines, print_object, print_rows, stderr
from api.instance import Instance, session
from api.labels import exporting
from api.labels.importing import ImportReport, Options, import_file
from chain.bitcoin.network import NETWORKS
from chain.errors import HeadwaterError, NotFound, SourceError, StoreUnavailable
from chain.source import Reject
from chain.store.labels import LabelStore
from chain.store.postgres import Connection

app = typer.Typer(no_args_is_help=True)

EXIT_FAILED = 1
EXIT_IN_PART = 3


class InputFormat(StrEnum):
    TAGPACK = "tagpack"
    ACTORPACK = "actorpack"
    OFAC = "ofac"
    CSV = "csv"


@app.callback()
def labels() -> None:
    """What sources say of addresses. A label is a source's word, not a finding."""


@app.command("import")
def import_command(
    files: list[Path],
    form: Annotated[
        InputFormat | None, typer.Option("--format", help="What the files are; left out, told by what they contain")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Under which licence the files are given")] = None,
    asset: Annotated[str | None, typer.Option(help="Of an OFAC list whose name does not say it")] = None,
    title: Annotated[str | None, typer.Option(help="Instead of the file's own")] = None,
    creator: Annotated[str | None, typer.Option(help="Instead of the file's own")] = None,
    valid_from: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="For labels that state none of their own")
    ] = None,
    valid_until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day on which they count")
    ] = None,
    network: Annotated[str, typer.Option(help=f"Of the Bitcoin addresses: {', '.join(NETWORKS)}")] = "main",
    replace: Annotated[bool, typer.Option("--replace", help="Close the open source of this title and creator")] = False,
    beside: Annotated[bool, typer.Option("--beside", help="Keep it open beside this one")] = False,
    printed: Annotated[Format, typer.Option("--print", help="How to print the answer.")] = Format.TABLE,
) -> None:
    """Add files as sources, each in one transaction. Exit code 3 where rows were rejected, to a file that is named."""
    if network not in NETWORKS:
        raise typer.BadParameter(f"unknown network {network!r}; one of {', '.join(NETWORKS)}")
    if replace and beside:
        raise typer.BadParameter("--replace or --beside, not both")
    options = Options(
        None if form is None else form.value, licence, asset, title, creator,
        _date(valid_from), _date(valid_until), NETWORKS[network], replace, beside,
    )  # fmt: skip
    if options.valid_from and options.valid_until and options.valid_from > options.valid_until:
        raise typer.BadParameter("--valid-from is after --valid-until")

    async def work() -> list[dict[str, Any]]:
        async with session(settings()) as (instance, connection):
            return [await _import(instance, connection, path, options) for path in files]

    rows = run(work())
    print_rows(rows, printed)
    if any(row["state"] == "refused" for row in rows):
        raise typer.Exit(EXIT_FAILED)
    if any(row["rejected"] and row["state"] == "added" for row in rows):
        raise typer.Exit(EXIT_IN_PART)


def _date(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


async def _import(instance: Instance, connection: Connection, path: Path, options: Options) -> dict[str, Any]:
    """What became of one file; a file that is refused does not keep the others from being added."""
    try:
        report, rejects = await import_file(connection, path, options)
    except StoreUnavailable:
        raise
    except HeadwaterError as error:
        stderr.print(f"error: {error}", markup=False, soft_wrap=True)
        nothing: dict[str, Any] = dict.fromkeys(ImportReport.__slots__)
        return {**nothing, "file": str(path), "state": "refused", "rejects_file": None}
    listed = None
    if rejects:
        listed = _write_rejects(instance.home / "rejects" / f"labels-{report.source}.csv", rejects)
        stderr.print(f"{path}: {len(rejects)} rejected, listed in {listed}", markup=False, soft_wrap=True)
    return {
        **asdict(report),
        "seconds": f"{report.seconds:.2f}",
        "rejects_file": None if listed is None else str(listed),
    }


def _write_rejects(path: Path, rejects: list[Reject]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", errors="backslashreplace") as handle:
        writer = csv.writer(handle)
        writer.writerow(["source", "place", "reason"])
        writer.writerows([safe_cell(each.source), safe_cell(each.place), safe_cell(each.reason)] for each in rejects)
    return path


@app.command("list")
def list_command(
    versions: Annotated[bool, typer.Option("--versions", help="The versions of the label set instead")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Sources, open and closed, with the version that each came with and the one that closed it."""

    async def work() -> list[dict[str, Any]]:
        async with session(settings()) as (_, connection):
            store = LabelStore(connection)
            if versions:
                rows = await store.versions()
                return [{**row, "created_at": stamp(row["created_at"])} for row in rows]
            return [_source_row(asdict(each)) for each in await store.sources()]

    print_rows(run(work()), form)


def _source_row(source: dict[str, Any]) -> dict[str, Any]:
    source["sha256"] = source["sha256"].hex()
    source["imported_at"], source["withdrawn_at"] = stamp(source["imported_at"]), stamp(source["withdrawn_at"])
    return source


@app.command()
def show(
    address: str,
    chain: Annotated[str, typer.Option("--chain", help="btc, eth, or other: any that is not covered")] = "btc",
    as_of: Annotated[int | None, typer.Option("--as-of", min=0, help="The cluster as of this height.")] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Labels of an address and of its cluster, and where they disagree."""

    async def work() -> LabelsBody:
        async with session(settings()) as (instance, connection):
            views = await _views(connection, instance, chain)
            return await labels_body(asking(connection, instance.home), chain, views, address, as_of)

    body = run(work())
    if form is not Format.TABLE:
        print_object(body, form)
        return
    print_lines([f"address      {body['address']}", *label_lines(body)])


async def _views(connection: Connection, instance: Instance, chain: str) -> list[DatasetView]:
    if chain not in CHAINS:
        return []
    try:
        return await open_views(connection, instance.url, instance.home, chain)
    except NotFound:
        return []


@app.command()
def withdraw(
    source: int,
    reason: Annotated[str, typer.Option(help="Why; it is kept")],
    form: FormatOption = Format.TABLE,
) -> None:
    """Close a source at a new version. Its labels stay in the versions that had them."""
    if not reason.strip():
        raise typer.BadParameter("--reason must say something")

    async def work() -> int:
        async with session(settings()) as (_, connection):
            return await LabelStore(connection).withdraw(source, reason)

    print_object({"source": source, "withdrawn_in_version": run(work())}, form)


@app.command()
def export(
    out: Annotated[Path | None, typer.Option(help="The file to write; left out, it goes to stdout")] = None,
    source: Annotated[int | None, typer.Option(help="Only this source; closed ones too")] = None,
    currency: Annotated[str | None, typer.Option(help="Only labels of this currency, as the sources write it")] = None,
    original: Annotated[bool, typer.Option("--original", help="The archived file of --source, byte for byte")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Write a TagPack (an ActorPack, of a source that is one)."""
    if original and (source is None or currency is not None):
        raise typer.BadParameter("--original goes with --source alone")

    async def work() -> tuple[bytes, int]:
        async with session(settings()) as (_, connection):
            return await exported_file(LabelStore(connection), source, currency, original)

    content, count = run(work())
    if out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    _write(out, content)
    print_object({"out": str(out), "bytes": len(content), "items": count}, form)


async def exported_file(
    store: LabelStore, source: int | None, currency: str | None, original: bool
) -> tuple[bytes, int]:
    """The file, and how many labels or actors it has."""
    version = await store.version()
    if source is None:
        sources = [each for each in await store.sources() if each.is_open and each.label_count]
        several = len(sources) != 1
        header = (
            exporting.joint_header(version, sources, currency or "every currency")
            if several
            else exporting.source_header(sources[0])
        )
    else:
        chosen = await store.source(source)
        if original:
            return await store.original(source), chosen.label_count + chosen.actor_count
        if chosen.actor_count:
            return exporting.actorpack(chosen, await store.actors_of(source)), chosen.actor_count
        header = exporting.source_header(chosen)
    rows = await store.for_export(source, currency, version)
    if not rows:
        raise NotFound("there are no such labels; headwater labels list names the sources")
    return exporting.tagpack(header, rows), len(rows)


def _write(path: Path, content: bytes) -> None:
    """Write a file as a whole: nobody finds half of it."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SourceError(f"cannot write {path}: {error.strerror}") from error


# Lines for people


def label_lines(labels: AddressLabels) -> list[str]:
    """What people read of the labels of an address."""
    if labels["label_set"] is None:
        return ["labels       none imported; headwater labels import adds sources"]
    lines = [f"labels       {counted(len(labels['direct']), 'label')} of the address (label set {labels['label_set']})"]
    for label in labels["direct"]:
        lines += _label_lines(label)
    lines += _conflict_lines(labels["conflicts"])
    for cluster in labels["clusters"]:
        lines += _cluster_lines(cluster)
    return [*lines, *limit_lines(labels["limits_hit"]), f"             {labels['statement']}"]


def _label_lines(label: Label) -> list[str]:
    given = label["given_by"]
    what = ", ".join(each for each in (label["category"], *label["concepts"], label["abuse"]) if each)
    who = f" ({label['actor_label'] or label['actor']})" if label["actor"] else ""
    dates = [
        label["date"] or "date not stated",
        *([f"from {label['valid_from']}"] if label["valid_from"] else []),
        *([f"until {label['valid_until']}"] if label["valid_until"] else []),
        *([] if label["in_force"] else ["not in force"]),
    ]
    return [
        f"  {label['label']}{who}" + (f": {what}" if what else ""),
        f"    confidence {label['confidence'] or 'not stated'} (level {label['level']}), {', '.join(dates)}",
        f"    {label['origin'] or 'origin not stated'}",
        f"    source {given['source']}: {given['title']}, {given['creator']}",
        f"    licence {given['licence'] or 'not stated'}, sha256 {given['sha256']}",
    ]


def _cluster_lines(cluster: ClusterLabels) -> list[str]:
    if cluster["cluster"] is None:
        return [f"inherited    {cluster['dataset']}: {cluster['cluster_note']}"]
    labelled = counted(cluster["labelled"], "other address", "other addresses")
    lines = [f"inherited    {cluster['dataset']}: {labelled} of {cluster['cluster']['id']} labelled"]
    for each in cluster["inherited"]:
        many = counted(each["addresses"], "address", "addresses")
        lines += [f"  {each['rule']}, via {each['via']} ({many}): {each['wording']}", *_label_lines(each["label"])]
    return [*lines, *_conflict_lines(cluster["conflicts"]), *limit_lines(cluster["limits_hit"])]


def _conflict_lines(conflicts: list[LabelConflict]) -> list[str]:
    lines = []
    for each in conflicts:
        lines.append(f"conflict     {each['wording']}: {each['settled_as'] or 'open'}")
        lines += [
            f"  {side['entity']}: {side['label']} (level {side['level']}, source {side['source']}, {side['address']})"
            for side in each["between"]
        ]
    return lines
