"""headwater measure: what the rules get right, counted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import FormatOption, settings
from api.cli.output import Format, print_lines, print_object, stderr
from api.measure import page
from api.measure.clustering import measure
from api.measure.links import DRAWS, links_table, measure_links
from api.measure.links import SEEDS as SEEDS_OF_LINKS
from api.measure.relations import measure_relations
from api.measure.sales import SEEDS, measure_sales
from api.measure.sales import TRANSACTIONS as TRANSACTIONS_OF_ETHEREUM
from api.measure.simulated import SEED, TRANSACTIONS
from api.measure.tracing import SEEDS as TRACING_SEEDS
from api.measure.tracing import TRANSACTIONS as TRANSACTIONS_OF_TRACING
from api.measure.tracing import measure_tracing, tracing_table
from clustering.levels import Origin
from clustering.simulate.ethereum.generator import LEAST_TRANSACTIONS as LEAST_OF_ETHEREUM
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


@app.command("token-sales")
def token_sales(
    seed: Annotated[
        list[int] | None, typer.Option("--seed", min=0, help="Of a generated chain; several are summed")
    ] = None,
    transactions: Annotated[
        int, typer.Option("--transactions", min=LEAST_OF_ETHEREUM, help="Of each generated chain")
    ] = TRANSACTIONS_OF_ETHEREUM,
    form: FormatOption = Format.TABLE,
) -> None:
    """What is found of the sales of generated chains, and what is wrongly called a sale: simulated, no field rate."""
    print_object(measure_sales(seed or SEEDS, transactions), form)


@app.command("relations")
def relations(
    seed: Annotated[
        list[int] | None, typer.Option("--seed", min=0, help="Of a generated chain; several are summed")
    ] = None,
    transactions: Annotated[
        int, typer.Option("--transactions", min=LEAST_OF_ETHEREUM, help="Of each generated chain")
    ] = TRANSACTIONS_OF_ETHEREUM,
    form: FormatOption = Format.TABLE,
) -> None:
    """What is said of generated Ethereum addresses, and whom published rules would join: simulated, no field rate."""
    print_object(measure_relations(seed or SEEDS, transactions), form)


@app.command("tracing")
def tracing(
    seed: Annotated[
        list[int] | None, typer.Option("--seed", min=0, help="Of a generated chain; several are summed")
    ] = None,
    transactions: Annotated[
        int,
        typer.Option("--transactions", min=max(LEAST_TRANSACTIONS, LEAST_OF_ETHEREUM), help="Of each generated chain"),
    ] = TRANSACTIONS_OF_TRACING,
    form: FormatOption = Format.TABLE,
) -> None:
    """Where the proceeds of generated sales are traced to, against where they went: simulated, no field rate."""
    body = measure_tracing(seed or TRACING_SEEDS, transactions)
    if form is Format.TABLE:
        print_lines(tracing_table(body))
    else:
        print_object(body, form)


@app.command("links")
def links(
    seed: Annotated[
        list[int] | None, typer.Option("--seed", min=0, help="Of a generated chain; several are summed")
    ] = None,
    transactions: Annotated[
        int, typer.Option("--transactions", min=LEAST_OF_ETHEREUM, help="Of each generated chain")
    ] = TRANSACTIONS_OF_ETHEREUM,
    draws: Annotated[int, typer.Option("--draws", min=1, help="Times that documents are drawn for one chain")] = DRAWS,
    form: FormatOption = Format.TABLE,
) -> None:
    """Links to generated companies by grade, against what is true: simulated, no field rate."""
    body = measure_links(seed or SEEDS_OF_LINKS, transactions, draws)
    if form is Format.TABLE:
        print_lines(links_table(body))
    else:
        print_object(body, form)
