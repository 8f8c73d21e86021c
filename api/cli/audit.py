"""headwater audit: stored rows proved again."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

import typer

from api.answers.ethereum import open_datasets
from api.answers.view import InvalidParameter
from api.cli.options import DatasetOption, FormatOption, run, settings
from api.cli.output import Format, counted, print_lines, print_object
from api.instance import session
from chain.ethereum.audit import Audit, AuditReport
from chain.ethereum.balances import BalanceReport, BalanceSource, compare_balances
from chain.store.ethereum import EthereumStore

AUDITED = ("eth",)
"""Chains whose rows can be derived again."""

SAMPLE = 100
"""Addresses whose balance is compared where nothing else is said."""

EXIT_BROKEN = 1


def audit(
    chain: Annotated[str, typer.Option("--chain", help="eth")],
    dataset: DatasetOption = None,
    rpc: Annotated[str | None, typer.Option(help="A node whose balances are compared: http://host:port")] = None,
    sample: Annotated[int, typer.Option(min=1, max=100_000, help="Addresses to compare with the node")] = SAMPLE,
    form: FormatOption = Format.TABLE,
) -> None:
    """Prove the stored blocks again and compare every row with what their bytes say. Exit code 1 where one differs."""
    if chain not in AUDITED:
        raise InvalidParameter("chain", f"the rows of {' and '.join(AUDITED)} can be audited so far")

    async def work() -> list[tuple[AuditReport, BalanceReport | None]]:
        node: BalanceSource | None = None
        if rpc is not None:
            from chain.ethereum.node import EthereumNode  # noqa: PLC0415 (web3 takes most of a second to import)

            node = await asyncio.to_thread(EthereumNode, rpc)
        async with (
            session(settings()) as (_, connection),
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            store, found = EthereumStore(connection), []
            for each in await open_datasets(connection, dataset):
                report, balances = await Audit(store, each).run(), None
                if report.broken is None and node is not None:
                    balances = await compare_balances(store, each, node, sample)
                found.append((report, balances))
            return found

    found = run(work())
    if form is Format.TABLE:
        for report, balances in found:
            print_lines(_lines(report, balances))
    else:
        print_object({"datasets": [_body(*each) for each in found]}, form)
    if any(report.broken is not None or (balances is not None and balances.unequal) for report, balances in found):
        raise typer.Exit(EXIT_BROKEN)


def _body(report: AuditReport, balances: BalanceReport | None) -> dict[str, Any]:
    body = {**asdict(report), "balances": None if balances is None else asdict(balances)}
    for unequal in (body["balances"] or {}).get("unequal", []):
        unequal["ledger"], unequal["node"] = str(unequal["ledger"]), str(unequal["node"])
    return body


def _lines(report: AuditReport, balances: BalanceReport | None) -> list[str]:
    lines = [
        f"dataset      {report.dataset} ({report.kind}, chain {report.network})",
        f"proved       {report.proved:,} of {counted(report.blocks, 'block')} from their bytes; equal rows: "
        + ", ".join(f"{count:,} {table}" for table, count in report.rows.items()),
    ]
    not_proved = [
        (report.stated, "of tables, which have no bytes"),
        (report.told_elsewhere, "with rows that another source told"),
    ]
    lines += [f"not proved   {counted(count, 'block')} {what}" for count, what in not_proved if count]
    if report.traced:
        lines.append(f"not proved   amounts of {counted(report.traced, 'movement')} that rest on traces")
    if report.broken is not None:
        broken = report.broken
        where = "" if broken.height is None else f" (height {broken.height})"
        lines.append(f"BROKEN       {broken.table} {broken.row}{where}, {broken.column}")
        lines += [f"  stored     {broken.stored}", f"  derived    {broken.derived}"]
    return [*lines, *([] if balances is None else _balance_lines(balances))]


def _balance_lines(balances: BalanceReport) -> list[str]:
    lines = []
    if balances.sampled:
        lines.append(
            f"balances     {counted(balances.sampled, 'address', 'addresses')} at height {balances.height}, "
            f"{counted(len(balances.unequal), 'differs', 'differ')}"
        )
    if balances.not_compared is not None:
        lines.append(f"not compared balances: {balances.not_compared}")
    for each in balances.unequal:
        lines.append(f"UNEQUAL      {each.address}: ledger {each.ledger} wei, node {each.node} wei")
    return lines
