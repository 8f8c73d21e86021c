"""headwater detect: what is suspected, found on the chain, with its evidence."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from api.answers.cells import safe_cell
from api.answers.finding_shapes import AssetAmount, CollectionFinding, FlowRow, SaleAnswer, SalesBody, TokenSaleFinding
from api.answers.findings import EVIDENCE_COLUMNS, sales_body
from api.cli.ethereum import amount_text
from api.cli.options import DatasetOption, FormatOption, run, settings
from api.cli.output import Format, counted, print_lines, print_object, stderr
from api.instance import session
from chain.errors import NotFound

app = typer.Typer(no_args_is_help=True)

SHOWN = 8
"""Rows of each list that the table form prints."""


@app.callback()
def detect() -> None:
    """What is suspected, found on the chain."""


@app.command("token-sales")
def token_sales(
    chain: Annotated[str, typer.Option("--chain", help="eth")] = "eth",
    dataset: DatasetOption = None,
    out: Annotated[Path | None, typer.Option(help="A file for every purchase, as CSV")] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Token sales: contract, token, buyers, what was received and where it was collected; and what was rejected."""
    if chain != "eth":
        raise NotFound("token sales are looked for on eth")

    async def work() -> tuple[SalesBody, list[dict[str, Any]]]:
        async with session(settings()) as (_, connection):
            return await sales_body(connection, dataset)

    body, evidence = run(work())
    if out is not None:
        _write(out, evidence)
        stderr.print(f"{counted(len(evidence), 'purchase')} in {out}", markup=False, soft_wrap=True)
    if form is not Format.TABLE:
        print_object(body, form)
        return
    for answer in body["answers"]:
        print_lines(_answer(answer))


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(EVIDENCE_COLUMNS)
        writer.writerows([safe_cell(row[column]) for column in EVIDENCE_COLUMNS] for row in rows)


def _answer(answer: SaleAnswer) -> Iterator[str]:
    yield f"dataset      {answer['dataset']}: {counted(len(answer['findings']), 'sale')}"
    for found in answer["findings"]:
        yield ""
        yield from sale_lines(found)
    for collection in [*answer["presales"], *answer["leads"]]:
        yield ""
        yield from collection_lines(collection)
    for form in answer["rejected"]:
        yield f"no sale      {form['contract']} and token {form['token']}: {form['reason']}"
        yield f"             {counted(form['purchases'], 'purchase')} of {counted(form['buyers'], 'buyer')}"
    if answer["in_several_sales"]:
        several = answer["in_several_sales"]
        yield f"in several   {counted(len(several), 'address', 'addresses')} took part in two or more of these sales:"
        yield from (f"             {address}" for address in several[:SHOWN])
    yield ""


def sale_lines(found: TokenSaleFinding) -> Iterator[str]:
    """A token sale for people."""
    yield f"sale         {found['finding'][:16]} by {found['rule']} ({found['rate']})"
    yield f"  contract   {found['contract']}"
    yield f"  token      {found['token']}, {int(found['tokens_given']):,} base units given"
    yield f"  window     {found['window'][0]} to {found['window'][1]}"
    yield f"  calls      {found['contributions']:,} contributions of {found['contributors']:,} contributors"
    yield (
        f"  purchases  {found['purchases']:,} by {found['buyers']:,} buyers; {found['payers']:,} payers, "
        f"who are not the buyer in {found['payer_is_not_buyer']:,} purchases"
    )
    yield from (f"  received   {_amount(row)}, gross" for row in found["received_gross"])
    yield from (
        f"  net        {_amount(row)}, less refunds and the issuer's own recycling"
        for row in found["net_of_recycling_and_refunds"]
    )
    for tier in found["price_tiers"][:SHOWN]:
        yield (
            f"  price      {tier['tokens_per_unit']} tokens a unit of {tier['asset']} (both base units): "
            f"{tier['purchases']:,} purchases, {tier['first_time']} to {tier['last_time']}"
        )
    if len(found["price_tiers"]) > SHOWN:
        yield f"  price      and {len(found['price_tiers']) - SHOWN} more"
    yield from _flows("collected", found["collected"])
    yield from (f"  kept       {_amount(row)} in the contract" for row in found["retained_in_contract"])
    yield from _flows("refunded", found["refunded"])
    yield from _flows("recycled", found["recycled"])
    if found["purchases_with_traces"] < found["purchases"]:
        without = counted(found["purchases"] - found["purchases_with_traces"], "purchase")
        yield f"  not covered where the ether of {without} went, and refunds: no traces of their blocks"
    share = found["concentration"]
    percent, rest = divmod(share["top_share_ppm"], 10_000)
    yield f"  shares     {percent}.{rest // 100:02d} % of the tokens to the {share['top_buyers']} largest buyers"
    for agent in found["agents"][:SHOWN]:
        bought = counted(agent["purchases"], "purchase")
        yield f"  agent      {agent['payer']} paid for {agent['beneficiaries']:,} others in {bought}"
    if len(found["agents"]) > SHOWN:
        yield f"  agent      and {len(found['agents']) - SHOWN} more"
    yield f"  {found['statement']}"


def collection_lines(found: CollectionFinding) -> Iterator[str]:
    """A presale, or a lead of one, for people."""
    yield f"{found['kind']:<12} {found['finding'][:16]} by {found['rule']} ({found['rate']})"
    yield f"  collector  {found['collector']}"
    yield f"  window     {found['window'][0]} to {found['window'][1]}"
    senders = counted(found["senders"], "sender")
    yield f"  payments   {found['payments']:,} of {senders}, {found['round_percent']} % of round amounts"
    yield from (f"  received   {_amount(row)}, gross" for row in found["received_gross"])
    if found["token"] is not None:
        yield f"  token      {found['token']}, given to {found['served']:,} of them by {found['issuer']}"
    yield f"  {found['statement']}"


def _flows(word: str, rows: list[FlowRow]) -> Iterator[str]:
    for row in rows[:SHOWN]:
        yield f"  {word:<10} {_amount(row)} at {row['address']} in {counted(row['movements'], 'movement')}"
    if len(rows) > SHOWN:
        yield f"  {word:<10} and at {len(rows) - SHOWN} more"


def _amount(row: AssetAmount) -> str:
    return amount_text(row["asset"], row["amount"])
