"""headwater tx: transactions."""

from __future__ import annotations

from typing import Annotated

import typer

from api.answers import ethereum_tx
from api.answers.ethereum_shapes import EthereumTransactionBody
from api.answers.opening import open_views
from api.answers.payments import PaymentsBody, payments_body, read_asked
from api.answers.text import ASSET, bitcoin
from api.answers.transaction import read_txid, stored, transaction_body
from api.answers.transaction_shapes import Change, TransactionAnswer, TransactionBody, TransactionClass
from api.cli.ethereum import transaction_lines
from api.cli.options import DatasetOption, FormatOption, run, settings
from api.cli.output import Format, counted, limit_lines, print_lines, print_object, print_rows, stderr
from api.instance import session

app = typer.Typer(no_args_is_help=True)


@app.callback()
def tx() -> None:
    """Transactions."""


@app.command()
def show(
    chain: str = typer.Argument(help="btc or eth"),
    txid: str = typer.Argument(help="64 hex digits, as explorers print them; behind 0x on Ethereum"),
    dataset: DatasetOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Class, movements, the links that rest on a transaction, and its probable change as a lead."""
    if chain == "eth":
        _show_ethereum(txid, dataset, form)
        return
    digest = read_txid(txid)

    async def work() -> TransactionBody:
        async with session(settings()) as (instance, connection):
            views = await open_views(connection, instance.url, instance.home, chain, dataset)
            return transaction_body(chain, views, digest, await stored(connection, views, digest))

    body = run(work())
    if form is not Format.TABLE:
        print_object(body, form)
        return
    for answer in body["answers"]:
        print_lines(_lines(body["txid"], answer))


@app.command()
def find(
    amount: Annotated[str, typer.Option(help="In whole units of the asset, as 1.5")],
    between: Annotated[
        tuple[str, str], typer.Option(help="Two days or times, both included; UTC where no zone is given")
    ],
    asset: Annotated[str, typer.Option(help="BTC, ETH, or the address of a token's contract")],
    tolerance: Annotated[str, typer.Option(help="How far the amount may be off, in whole units")] = "0",
    dataset: DatasetOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Payments of an amount within a time, as a complaint describes them."""
    asked = read_asked(amount, asset, *between, tolerance)

    async def work() -> PaymentsBody:
        async with session(settings()) as (instance, connection):
            views = []
            if asked.asset == ASSET:
                views = await open_views(connection, instance.url, instance.home, "btc", dataset)
            return await payments_body(connection, views, asked, dataset)

    body = run(work())
    if form in (Format.TABLE, Format.CSV):
        print_rows(body["items"], form, ["dataset", "time", "txid", "n", "value", "asset", "sender", "recipient"])
        for line in (*body["notes"], *limit_lines(body["limits_hit"])):
            stderr.print(line, markup=False, soft_wrap=True)
    else:
        print_object(body, form)


def _show_ethereum(txid: str, dataset: str | None, form: Format) -> None:
    async def work() -> EthereumTransactionBody:
        async with session(settings()) as (_, connection):
            return await ethereum_tx.transaction_body(connection, txid, dataset)

    body = run(work())
    if form is Format.TABLE:
        print_lines(list(transaction_lines(body)))
    else:
        print_object(body, form)


def _class_lines(found: TransactionClass) -> list[str]:
    name = found["name"] if found["form"] is None else f"{found['form']} ({found['name']})"
    lines = [f"class        {name}: {found['effect']}", f"  form       {found['rule']}", f"  here       {found['why']}"]
    if found["form"] is not None:
        lines.append(f"  protocol   {found['protocol']}; {found['parameters']}")
    if found["lineage"] is not None:
        lines.append(f"  lineage    {found['lineage']}")
    return [*lines, f"  source     {found['source']}", f"  fails      {found['fails']}"]


def _lines(txid: str, answer: TransactionAnswer) -> list[str]:
    block = answer["block"]
    height = "unknown height" if block["height"] is None else f"height {block['height']}"
    lines = [
        f"transaction  {txid}",
        f"dataset      {answer['dataset']}",
        f"block        {height}, {block['time']}, place {block['index']}, proof: {block['proof']}",
        *_class_lines(answer["class"]),
    ]
    for movement in answer["movements"]:
        lines.append(f"debits       {answer['input_count']}" + (" (coinbase: new coins)" if answer["coinbase"] else ""))
        for debit in movement["debits"]:
            outside = "  outside" if debit["outside"] else ""
            lines.append(f"  {bitcoin(debit['value']):>20}  {debit['address'] or debit['type']}{outside}")
        lines.append(f"credits      {answer['output_count']}")
        for credit in movement["credits"]:
            name = "fee" if credit["n"] is None else f"{credit['n']}: {credit['address'] or credit['type']}"
            spent = f"  spent by {credit['spent_by']}" if credit["spent_by"] else ""
            lines.append(f"  {bitcoin(credit['value']):>20}  {name}{spent}")
    lines.append(f"links        {counted(len(answer['links']), 'link')} on it")
    for link in answer["links"]:
        why = "" if link["reason"] is None else f": {link['reason']}"
        lines.append(f"  {link['rule']} ({link['status']}{why}): {' - '.join(link['addresses'])}")
    return [*lines, *change_lines(answer["change"]), *limit_lines(answer["limits_hit"])]


def change_lines(change: Change) -> list[str]:
    named = "" if change["n"] is None else f": output {change['n']}, {change['address'] or 'no address'}"
    score = change["score_milli_nats"]
    lines = [f"change       {change['status']}{named}"]
    if score is not None:
        lines.append(
            f"             score {score} milli-nats, a lead from {change['margin_milli_nats']} on; {change['stratum']}"
        )
    for output in change["by_convention"]:
        lines.append(f"  {output['n']}: {output['address'] or 'no address'}  {output['convention']}")
    for vote in change["votes"]:
        rate = "no published rate" if vote["precision"] is None else f"precision {vote['precision']}"
        counted = "" if vote["counted"] else ", not counted"
        lines.append(f"  {vote['n']}: {vote['feature']}  {vote['weight_milli_nats']:+d}{counted} ({rate})")
    lines += [f"             {note}" for note in change["notes"]]
    return [*lines, f"             {change['statement']}"]
