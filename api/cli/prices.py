"""headwater prices: what assets were worth, as somebody stated it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api.answers import text
from api.cli.options import FormatOption, run, settings
from api.cli.output import Format, counted, print_lines, print_rows, stderr
from api.cli.trace import EXIT_IN_PART
from api.instance import session
from api.prices import read_prices
from chain.store.prices import PriceStore

app = typer.Typer(no_args_is_help=True)

SHOWN = 20
"""Rejected rows that are told one by one."""


@app.callback()
def prices() -> None:
    """What assets were worth."""


@app.command("import")
def import_prices(
    file: Annotated[Path, typer.Argument(help="CSV of asset,time,currency,price,source,method; decimals of a token")],
) -> None:
    """Take the prices of a file; one that is stated again replaces the one that stood."""
    good, bad = read_prices(file)

    async def work() -> None:
        async with session(settings()) as (_, connection):
            await PriceStore(connection).add(good)

    run(work())
    print_lines([f"{counted(len(good), 'price')} taken, {counted(len(bad), 'row')} not"])
    for each in bad[:SHOWN]:
        stderr.print(f"line {each.row}: {each.reason}", markup=False, soft_wrap=True)
    if len(bad) > SHOWN:
        stderr.print(f"and {len(bad) - SHOWN:,} more", markup=False)
    if bad:
        raise typer.Exit(EXIT_IN_PART)


@app.command("list")
def list_prices(form: FormatOption = Format.TABLE) -> None:
    """How many prices there are, by asset, currency, source and method."""

    async def work() -> list[dict[str, Any]]:
        async with session(settings()) as (_, connection):
            return await PriceStore(connection).kept()

    rows = [{**row, "first": text.moment(row["first"]), "last": text.moment(row["last"])} for row in run(work())]
    print_rows(rows, form, ["asset", "currency", "source", "method", "prices", "first", "last"])
