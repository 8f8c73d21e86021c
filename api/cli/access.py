"""headwater key, headwater audit-log: who may ask the service, and what was asked of companies."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from api.access import keys
from api.access.audit_log import seal, verify
from api.access.scopes import SCOPES
from api.answers import text
from api.cli.audited import audited
from api.cli.options import FormatOption, local_person, run, settings
from api.cli.output import Format, print_lines, print_rows, stderr
from api.instance import Instance, session
from chain.store.access import AuditStore, KeyStore
from chain.store.postgres import Connection

key = typer.Typer(no_args_is_help=True)
log = typer.Typer(no_args_is_help=True)

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]
LISTED = 50


@key.callback()
def _key() -> None:
    """Keys of the service. A key is shown once; its hash is kept."""


@log.callback()
def _log() -> None:
    """Who asked what of companies and cases, when and why."""


@key.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is called")],
    scope: Annotated[list[str], typer.Option(help=f"One of {', '.join(SCOPES)}; may be given again")],
    person: Annotated[str | None, typer.Option(help="Whose it is; left out, the user of this machine")] = None,
    expires: Annotated[datetime | None, typer.Option(formats=TIMES, help="When it ends, in UTC")] = None,
) -> None:
    """Make a key and print it, this once."""
    until = None if expires is None else expires.replace(tzinfo=UTC)

    async def work(_: Instance, connection: Connection) -> keys.NewKey:
        return await keys.create(connection, name, person or local_person(), scope, until)

    made = run(audited("key create", name, work))
    print_lines([made.token])
    stderr.print(f"key {made.key_id}: it is not shown again", markup=False, soft_wrap=True)


@key.command("list")
def list_command(form: FormatOption = Format.TABLE) -> None:
    """Keys with their scopes, the newest first; never the keys themselves."""

    async def work() -> list[dict[str, Any]]:
        async with session(settings()) as (_, connection):
            return await KeyStore(connection).keys()

    rows = [
        {
            "key": str(each["key_id"]), "begins": f"hw_{each['handle']}", "name": each["name"],
            "person": each["person"], "scopes": " ".join(each["scopes"]), "created_at": text.stamp(each["created_at"]),
            "expires_at": text.stamp(each["expires_at"]), "revoked_at": text.stamp(each["revoked_at"]),
        }
        for each in run(work())
    ]  # fmt: skip
    print_rows(rows, form, ["key", "begins", "name", "person", "scopes", "created_at", "expires_at", "revoked_at"])


@key.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id")]) -> None:
    """A key is refused from now on."""
    named = _uuid(key_id)

    async def work(_: Instance, connection: Connection) -> None:
        await KeyStore(connection).revoke(named)

    run(audited("key revoke", key_id, work))
    print_lines([f"{key_id}: revoked"])


@log.command("verify")
def verify_command() -> None:
    """Compute the log again. Exit code 1 and the first thing that is not as it was sealed."""

    async def work() -> tuple[str | None, int]:
        async with session(settings()) as (instance, connection):
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                wrong = await verify(connection, instance.home)
                last = await AuditStore(connection).last_batch()
            if wrong is None:
                await seal(connection, instance.home)
                last = await AuditStore(connection).last_batch()
            return wrong, 0 if last is None else last.batch

    wrong, batches = run(work())
    if wrong is not None:
        stderr.print(wrong, markup=False, soft_wrap=True)
        raise typer.Exit(1)
    print_lines([f"{batches:,} batches: everything stands as it was sealed"])


@log.command("list")
def list_entries(
    case: Annotated[str | None, typer.Option(help="Only of this case")] = None,
    limit: Annotated[int, typer.Option(help="At most so many", min=1)] = LISTED,
    form: FormatOption = Format.TABLE,
) -> None:
    """Entries, the newest first."""

    async def work() -> list[dict[str, Any]]:
        async with session(settings()) as (_, connection):
            return await AuditStore(connection).listed(None if case is None else _uuid(case), limit)

    rows = [
        {
            "seq": each["seq"], "at": text.stamp(each["at"]), "person": each["person"],
            "case": None if each["case_id"] is None else str(each["case_id"]), "purpose": each["purpose"],
            "action": each["action"], "object": each["object"], "rows": each["result_rows"], "client": each["client"],
        }
        for each in run(work())
    ]  # fmt: skip
    print_rows(rows, form, ["seq", "at", "person", "case", "purpose", "action", "object", "rows", "client"])


@log.command("erase")
def erase(
    case: Annotated[str, typer.Option(help="Of this case")],
    before: Annotated[datetime, typer.Option(formats=TIMES, help="Entries older than this, in UTC")],
    reason: Annotated[str, typer.Option(help="Why; it is an entry itself")],
) -> None:
    """Take the words of purposes out; the log stays verifiable."""
    named = _uuid(case)

    async def work(_: Instance, connection: Connection) -> int:
        return await AuditStore(connection).erase_texts(named, before.replace(tzinfo=UTC))

    print_lines([f"{run(audited('audit-log erase', f'{case}: {reason}', work, named)):,} purposes erased"])


def _uuid(written: str) -> uuid.UUID:
    try:
        return uuid.UUID(written)
    except ValueError:
        raise typer.BadParameter(f"{written[:60]!r} is no id") from None
