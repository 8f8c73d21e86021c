"""headwater measure: what the rules get right, counted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import FormatOption, settings
from api.cli.output import Format, print_lines, print_object, stderr
from api.measure import page
from api.measure.clustering import measure
from api.measure.simulated import SEED, TRANSACTIONS
from clustering.levels import Origin
from clustering.simulate.generator import LEAST_TRANSACTIONS

app = typer.Typer(no_args_is_help=True)


@app.callback()
def measure_group() -> None:
    """What the rules get right, counted."""


@app.command("clustering")
def clustering(
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of real data (default HEADWATER_DATA)", file_okay=False)
    ] = None,
    origin: Annotated[
        list[Origin] | None, typer.Option("--origin", help="Only these; left out, all that data is there for")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the generated chain")] = SEED,
    transactions: Annotated[
        int, typer.Option("--transactions", min=LEAST_TRANSACTIONS, help="Of the generated chain")
    ] = TRANSACTIONS,
    write: Annotated[
        bool, typer.Option("--write", help="Renew docs/methods.md and clustering/rates.json of this checkout")
    ] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Precision and recall of clusters and rules, by where they were measured."""
    body = measure(data or settings().data, origin or list(Origin), seed, transactions)
    if form is Format.TABLE:
        print_lines(page.section(body).splitlines())
    else:
        print_object(body, form)
    if write:
        for path in page.write(body):
            stderr.print(f"written: {path}", markup=False, soft_wrap=True)
