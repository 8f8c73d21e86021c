"""headwater trace: where money went, and where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from api.answers.text import bitcoin
from api.answers.view import InvalidParameter
from api.cli.ethereum import amount_text, is_ethereum
from api.cli.options import DatasetOption, FormatOption, run, settings
from api.cli.output import Format, LoadProgress, counted, limit_lines, print_lines, print_object, stderr
from api.instance import session
from api.prices import prices_of
from api.tracing.exposure import exposure_body, exposure_request
from api.tracing.opening import open_chain, open_grounds
from api.tracing.paths import MAX_PATHS, paths_body
from api.tracing.request import FOLLOWED, Direction, Stops, TraceRequest, read_policy
from api.tracing.results import write_results
from api.tracing.run import run_trace
from api.tracing.seeds import read_address, read_file, read_time
from api.tracing.summary import SUMS
from chain.errors import NotFound
from clustering.trace.policies import Policy
from clustering.trace.stops import HUB_RECIPIENTS

app = typer.Typer(no_args_is_help=True)

EXIT_IN_PART = 3

SHOWN_PAYERS = 3


@app.callback()
def trace() -> None:
    """Where money went, and where it came from."""


def read_until(text: str | None) -> int | None:
    """The time of --until."""
    if text is None:
        return None
    try:
        return read_time(text)
    except ValueError as error:
        raise typer.BadParameter(f"--until: {error}") from error


@app.command("run")
def trace_run(
    seeds: Annotated[Path, typer.Argument(help="CSV of chain,address or chain,txid,index; from_time,to_time,asset")],
    out: Annotated[Path, typer.Option("--out", help="A new folder for the results")],
    policy: Annotated[str, typer.Option("--policy", help=f"One of {', '.join(FOLLOWED)}")] = Policy.FIFO.value,
    direction: Annotated[Direction, typer.Option("--direction", help="Where to, or where from")] = Direction.FORWARD,
    max_hops: Annotated[int, typer.Option("--max-hops", min=0, help="0: no bound")] = 0,
    min_value: Annotated[int, typer.Option("--min-value", min=0, help="Base units below which lots are dust")] = 0,
    until: Annotated[str | None, typer.Option("--until", help="A time; backward the earliest")] = None,
    through: Annotated[
        list[str] | None, typer.Option("--through", help="Go on through services, coinjoins or hubs; marked")
    ] = None,
    hub_recipients: Annotated[
        int, typer.Option("--hub-recipients", min=1, help="Distinct recipients above which an address is a hub")
    ] = HUB_RECIPIENTS,
    conversions: Annotated[
        bool, typer.Option("--conversions/--no-conversions", help="Follow swaps into what was got, or what was given")
    ] = True,
    compare: Annotated[
        bool, typer.Option("--range/--no-range", help="Run the other conventions too, for the range")
    ] = True,
    currency: Annotated[
        str | None, typer.Option("--currency", help="CNY or USD: what ends were worth, by `prices import`")
    ] = None,
    dataset: DatasetOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Follow the money of all seeds of a file, each seed's own kept apart, under a convention."""
    try:
        stops = Stops.of(through or [], hub_recipients, conversions=conversions)
        request = TraceRequest(
            read_policy(policy),
            direction,
            max_hops,
            min_value,
            read_until(until),
            dataset,
            stops,
            compare,
            currency=currency,
        )
    except InvalidParameter as error:
        raise typer.BadParameter(f"--{error.name}: {error}") from error
    summary = run(_work(request, seeds, out))
    if form is Format.TABLE:
        print_lines(_lines(summary, out))
    else:
        print_object(summary, form)
    if summary["seeds_rejected"]:
        rejected = counted(summary["seeds_rejected"], "seed")
        stderr.print(f"{rejected} not traced: {out / 'seeds_rejected.csv'} says why", markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_IN_PART)


async def _work(request: TraceRequest, path: Path, out: Path) -> dict[str, Any]:
    seeds, rejected = read_file(path)
    async with session(settings()) as (instance, connection):
        grounds = await open_grounds(connection, instance.url, instance.home, request, seeds)
        prices = await prices_of(connection, request.currency)
        with LoadProgress("movements") as bar:
            result = run_trace(request, seeds, rejected, grounds, lambda stage, done, total: bar(done, total))
    if not result.datasets and not result.rejected:
        raise NotFound(f"{path} names no seeds")
    return write_results(result, out, prices)


@app.command()
def exposure(
    address: str,
    cluster: Annotated[bool, typer.Option("--cluster", help="Of its whole cluster (Bitcoin)")] = False,
    policy: Annotated[str, typer.Option("--policy", help=f"One of {', '.join(FOLLOWED)}")] = Policy.FIFO.value,
    dataset: DatasetOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """To whom its money went and from whom it came, by labels: straight, and over unlabelled addresses."""
    chain = "eth" if is_ethereum("", address) else "btc"
    named = read_address(chain, address)
    try:
        request = exposure_request(read_policy(policy), dataset)
    except InvalidParameter as error:
        raise typer.BadParameter(f"--{error.name}: {error}") from error

    async def work() -> dict[str, Any]:
        async with session(settings()) as (instance, connection):
            grounds = await open_chain(connection, instance.url, instance.home, request, chain)
            return await exposure_body(connection, grounds, chain, named, request.policy, cluster=cluster)

    body = run(work())
    if form is Format.TABLE:
        print_lines(_exposure_lines(body))
    else:
        print_object(body, form)


def _exposure_lines(body: dict[str, Any]) -> Iterator[str]:
    yield from (f"{each['dataset']}: {each['reason']}" for each in body["asked"] if not each["observed"])
    for answer in body["answers"]:
        yield f"{body['of']:<12} {answer['subject']}, {counted(answer['addresses'], 'address', 'addresses')}"
        yield f"dataset      {answer['dataset']}, by {body['policy']}"
        for asset in answer["assets"]:
            for way in ("sent", "received"):
                if way in asset and asset[way]["total"] != "0":
                    yield from _way_lines(asset["asset"], way, asset[way])
        yield from limit_lines(answer["limits_hit"])
    yield body["statement"]


def _way_lines(asset: str, way: str, told: dict[str, Any]) -> Iterator[str]:
    yield f"  {way:<10} {amount(asset, told['total'])}"
    for part in ("direct", "indirect"):
        for row in told[part]:
            yield (
                f"    {part:<8} {percent(row['share_ppm']):>9}  {amount(asset, row['value'])}  {row['entity']}"
                f" ({row['category']})"
            )
    for row in told["rest"]:
        yield f"    {'':<8} {percent(row['share_ppm']):>9}  {amount(asset, row['value'])}  {row['reason']}"


def percent(parts: int) -> str:
    """Parts per million as a percentage."""
    return f"{parts // 10_000}.{parts % 10_000:04d} %"


@app.command()
def paths(
    a: str,
    b: str,
    k: Annotated[int, typer.Option("--k", min=1, max=MAX_PATHS, help="How many paths of each asset")] = 3,
    clusters: Annotated[bool, typer.Option("--clusters", help="Between their whole clusters (Bitcoin)")] = False,
    dataset: DatasetOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """The strongest paths of payments from one address or cluster to another, in order of time."""
    chain = "eth" if is_ethereum("", a) else "btc"
    named = [read_address(chain, each) for each in (a, b)]

    async def work() -> dict[str, Any]:
        async with session(settings()) as (instance, connection):
            request = TraceRequest(dataset=dataset)
            grounds = await open_chain(connection, instance.url, instance.home, request, chain)
            return paths_body(grounds, chain, named[0], named[1], k, clusters=clusters)

    body = run(work())
    if form is Format.TABLE:
        print_lines(_path_lines(body))
    else:
        print_object(body, form)


def _path_lines(body: dict[str, Any]) -> Iterator[str]:
    for answer in body["answers"]:
        yield f"dataset      {answer['dataset']}: {counted(len(answer['paths']), 'path')}"
        for path in answer["paths"]:
            yield f"  at most {amount(path['asset'], path['limiting_value'])} by {counted(len(path['steps']), 'step')}"
            for step in path["steps"]:
                payers = ", ".join(step["from"][:SHOWN_PAYERS]) or "payers without an address"
                more = f" and {len(step['from']) - SHOWN_PAYERS} more" if len(step["from"]) > SHOWN_PAYERS else ""
                yield f"    {step['time']}  {amount(path['asset'], step['value'])} from {payers}{more}"
                yield f"      to {step['to']} in {step['transaction']}"
    yield from (f"{each['dataset']}: {each['reason']}" for each in body["not_answered"])
    yield body["statement"]


def _lines(summary: dict[str, Any], out: Path) -> Iterator[str]:
    yield f"traced       {counted(summary['seeds'], 'seed')} {summary['direction']}, run {summary['run'][:16]}"
    for each in summary["datasets"]:
        yield ""
        yield f"dataset      {each['dataset']}"
        for name, convention in each["conventions"].items():
            marked = " (asked for)" if name == summary["policy"] else ""
            yield f"  {name}{marked}: {convention['rule']}"
            yield from _sums(convention["assets"])
        for row in each["range"]:
            yield f"  range over the legal conventions, {row['asset']}"
            yield from (f"    {name:<10} {_between(row['asset'], *row[name])}" for name in SUMS[1:])
        for name, measure in each["measures"].items():
            yield f"  {name}, a measure and no convention: {measure['rule']}"
            yield from _sums(measure["assets"])
        if each["poison"] is not None:
            yield f"  poison, a measure and no convention: {each['poison']['rule']}"
            yield from (f"    {row['end']}: {amount(row['asset'], row['value'])}" for row in each["poison"]["reached"])
        yield from limit_lines(each["limits_hit"])
    yield ""
    yield from summary["passed"]
    yield f"results      {out}"
    yield summary["statement"]


def _sums(assets: list[dict[str, Any]]) -> Iterator[str]:
    for row in assets:
        yield from (f"    {name:<10} {amount(row['asset'], row[name])}" for name in SUMS if row[name] != "0")
        yield from (f"      {reason}: {amount(row['asset'], value)}" for reason, value in row["stopped_by"].items())


def _between(asset: str, low: str, high: str) -> str:
    return amount(asset, low) if low == high else f"{amount(asset, low)} to {amount(asset, high)}"


def amount(asset: str, value: str) -> str:
    """An amount as people read it."""
    return f"{bitcoin(value)} BTC" if asset == "BTC" else amount_text(asset, value)
