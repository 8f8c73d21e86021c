"""headwater cluster: which addresses belong together, and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from api import clusterings, relations
from api.answers import ethereum, ethereum_explain
from api.answers.address import address_body
from api.answers.address_shapes import AddressAnswer, AddressBody
from api.answers.cluster_shapes import ExplainAnswer, ExplainBody
from api.answers.ethereum_shapes import EthereumAddressBody, EthereumExplainBody
from api.answers.explain import explain_body
from api.answers.labels import address_labels, asking
from api.answers.opening import check_chain, open_views
from api.answers.shapes import Asked, ClusterName, Facts, Seen
from api.answers.text import bitcoin
from api.cli import held, runs
from api.cli.ethereum import address_lines, explain_lines, is_ethereum
from api.cli.labels import label_lines
from api.cli.options import ChainOption, DatasetOption, FormatOption, run, settings
from api.cli.output import Format, counted, limit_lines, print_lines, print_object, print_rows, stderr
from api.clusterings import UpdateReport
from api.instance import session
from chain.errors import NotFound
from chain.store.ethereum import EthereumStore
from chain.store.ledger import LedgerStore

app = typer.Typer(no_args_is_help=True)
app.command("held")(held.held)
app.command("decide")(held.decide_link)
app.command("decisions")(held.decisions)
app.command("history")(runs.history)
app.command("diff")(runs.diff)

AsOfOption = Annotated[int | None, typer.Option("--as-of", min=0, help="Answer as of this height.")]


@app.callback()
def cluster() -> None:
    """Which addresses belong together, and why."""


@app.command()
def update(
    chain: Annotated[str | None, typer.Option("--chain", help="btc or eth; left out, every chain")] = None,
    dataset: DatasetOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Cluster what is new since the last run."""
    if chain not in (None, "eth"):
        check_chain(chain)

    async def work() -> list[UpdateReport]:
        async with session(settings()) as (instance, connection):
            reports = []
            if chain != "eth":
                for each in await LedgerStore(connection).datasets(chain):
                    if dataset in (None, each.name) and each.counts["tx"]:
                        reports.append(await clusterings.update(connection, instance.home, each))
            if chain != "btc":
                for other in await EthereumStore(connection).datasets(dataset):
                    if other.counts["tx"]:
                        reports.append(await relations.update(connection, other))
            if not reports:
                raise NotFound("there is nothing to cluster; headwater ingest loads it")
            return reports

    reports = run(work())
    print_rows([{**asdict(report), "seconds": f"{report.seconds:.2f}"} for report in reports], form)
    for report in reports:
        if report.held_links:
            links = counted(report.held_links, "link")
            where = f"headwater cluster held --dataset {report.dataset}"
            stderr.print(
                f"{report.dataset}: {links} held or refused, not joined; {where}", markup=False, soft_wrap=True
            )


@app.command()
def research(dataset: DatasetOption = None, form: FormatOption = Format.TABLE) -> None:
    """Whom the published rules for Ethereum would join, to compare with; nothing of it is stored."""

    async def work() -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        async with session(settings()) as (_, connection):
            for each in await ethereum.open_datasets(connection, dataset):
                for joined in await relations.research(connection, each):
                    rows.append(
                        {
                            "dataset": each.name, "rule": joined.rule, "groups": joined.groups,
                            "addresses": joined.addresses, "largest": joined.largest,
                        }
                    )  # fmt: skip
        return rows

    print_rows(run(work()), form)


@app.command()
def show(
    address: str,
    level: Annotated[str | None, typer.Option("--level", help="L0")] = None,
    as_of: AsOfOption = None,
    chain: ChainOption = "btc",
    dataset: DatasetOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Facts of an address and its cluster, in every dataset that knows it."""
    if is_ethereum(chain, address):
        _show_ethereum(address, as_of, dataset, form)
        return

    async def work() -> AddressBody:
        async with session(settings()) as (instance, connection):
            views = await open_views(connection, instance.url, instance.home, chain, dataset)
            body = address_body(chain, views, address, as_of, level)
            asker = asking(connection, instance.home)
            return {**body, "labels": await address_labels(asker, chain, views, address, as_of)}

    body = run(work())
    if form is not Format.TABLE:
        print_object(body, form)
        return
    print_lines([f"address      {body['address']} ({body['kind']})"])
    for answer in body["answers"]:
        print_lines(["", *_show_lines(answer)])
    if body["labels"] is not None and body["labels"]["label_set"] is not None:
        print_lines(["", *label_lines(body["labels"])])
    print_lines(_silent(body["asked"], as_of is not None or not body["observed"]))


def _show_ethereum(address: str, as_of: int | None, dataset: str | None, form: Format) -> None:
    async def work() -> EthereumAddressBody:
        async with session(settings()) as (instance, connection):
            body = await ethereum.address_body(connection, address, as_of, dataset)
            asker = asking(connection, instance.home)
            return {**body, "labels": await address_labels(asker, "eth", [], address, None)}

    body = run(work())
    if form is not Format.TABLE:
        print_object(body, form)
        return
    print_lines(list(address_lines(body)))
    if body["labels"] is not None and body["labels"]["label_set"] is not None:
        print_lines(["", *label_lines(body["labels"])])


@app.command()
def explain(
    a: str,
    b: str,
    as_of: AsOfOption = None,
    chain: ChainOption = "btc",
    dataset: DatasetOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """The chain of links between two addresses; of Ethereum, what they have to do with each other."""
    if is_ethereum(chain, a):
        _explain_ethereum(a, b, as_of, dataset, form)
        return

    async def work() -> ExplainBody:
        async with session(settings()) as (instance, connection):
            views = await open_views(connection, instance.url, instance.home, chain, dataset)
            return explain_body(chain, views, a, b, as_of)

    body = run(work())
    if form is not Format.TABLE:
        print_object(body, form)
        return
    for answer in body["answers"]:
        print_lines([*_explain_lines(answer), ""])
    print_lines(_silent(body["asked"], as_of is not None or not body["answers"]))


def _explain_ethereum(a: str, b: str, as_of: int | None, dataset: str | None, form: Format) -> None:
    async def work() -> EthereumExplainBody:
        async with session(settings()) as (_, connection):
            return await ethereum_explain.explain_body(connection, a, b, as_of, dataset)

    body = run(work())
    if form is not Format.TABLE:
        print_object(body, form)
        return
    print_lines(list(explain_lines(body)))


def _silent(asked: list[Asked], all_of_them: bool) -> list[str]:
    """The datasets that do not answer: never "no such address", which nobody can know.

    `all_of_them`: also those that do not cover what was asked, say for being of another network.
    """
    lines = []
    for each in asked:
        as_of = each["as_of"]
        if each["observed"] is None and all_of_them:
            lines.append(f"not covered by {each['dataset']}: {each['reason']}")
        if each["observed"] is not False:
            continue
        reach = "an extract" if as_of is None or as_of["height"] is None else f"as of block {as_of['height']}"
        lines.append(f"not observed in {each['dataset']} ({reach})")
    return ["", *lines] if lines else []


def _show_lines(answer: AddressAnswer) -> list[str]:
    facts, cluster = answer["facts"], answer["cluster"]
    lines = [
        f"dataset      {answer['dataset']}, {_as_of(answer)}",
        f"received     {bitcoin(facts['received'])} BTC in {counted(facts['received_count'], 'output')}",
        f"spent        {bitcoin(facts['spent'])} BTC in {counted(facts['spent_count'], 'input')}",
        _balance(facts),
        f"transactions {facts['tx_count']}, {_seen(facts['first_seen'])} to {_seen(facts['last_seen'])}",
    ]
    if cluster is None:
        return [*lines, f"cluster      {answer['cluster_note']}"]
    lines += [
        f"cluster      {cluster['id']}",
        f"             {counted(cluster['size'], 'address', 'addresses')}",
    ]
    summary = cluster["summary"]
    if summary is not None:
        lines.append(f"             received {bitcoin(summary['received'])} BTC, spent {bitcoin(summary['spent'])} BTC")
    lines += [
        f"             {counted(rule['count'], 'link')} {rule['wording']} (error rate: {rule['rate']})"
        for rule in cluster["links"]
    ]
    return [*lines, f"             {cluster['statement']}", *limit_lines(answer["limits_hit"])]


def _balance(facts: Facts) -> str:
    if facts["balance"] is not None:
        return f"balance      {bitcoin(facts['balance'])} BTC"
    if facts["net"] is not None:
        net = bitcoin(facts["net"])
        return f"balance      not known: transactions may be missing here; received less spent {net} BTC"
    return f"balance      not known: {counted(facts['unknown_values'], 'value')} not stated"


def _as_of(answer: AddressAnswer) -> str:
    as_of = answer["as_of"]
    if as_of is None or as_of["height"] is None:
        return f"an extract of {counted(answer['coverage']['transactions'], 'transaction')}"
    return f"as of block {as_of['height']} ({as_of['time']})"


def _seen(seen: Seen) -> str:
    return seen["time"] or seen["txid"]


def _size(cluster: ClusterName) -> str:
    return f"{cluster['id']}, {counted(cluster['size'], 'address', 'addresses')}"


def _explain_lines(answer: ExplainAnswer) -> list[str]:
    lines = [
        f"dataset      {answer['dataset']}",
        f"connected    {'yes' if answer['connected'] else 'no'}: {answer['reason']}",
    ]
    for side in () if answer["connected"] else (answer["a"], answer["b"]):
        where = side["note"] if side["cluster"] is None else _size(side["cluster"])
        lines.append(f"  {side['address']}: {where}")
    for link in answer["links"]:
        height = "unknown height" if link["height"] is None else f"height {link['height']}"
        lines += [
            f"  {link['a']}",
            f"    {link['rule']}, {link['wording']} (error rate: {link['rate']})",
            f"    transaction {link['txid']}, {height}, {link['time']}",
            f"  {link['b']}",
        ]
    return [*lines, *_confidence_lines(answer), *limit_lines(answer["limits_hit"]), answer["statement"]]


def _confidence_lines(answer: ExplainAnswer) -> list[str]:
    """What the chain is worth, in parts per million, or why that is not known."""
    found = answer["confidence"]
    if found is None:
        return []
    links = counted(answer["link_count"], "link")
    if found["product_ppm"] is None or found["weakest_ppm"] is None:
        return [f"confidence   {links}; {found['reason']}"]
    return [f"confidence   {links}; weakest {found['weakest_ppm']:,} ppm, all together {found['product_ppm']:,} ppm"]
