"""headwater trace scheme: a scheme's deposit wallets together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from api.answers.view import InvalidParameter
from api.cli.options import DatasetOption, FormatOption, run, settings
from api.cli.output import Format, LoadProgress, counted, print_lines, print_object, stderr
from api.cli.trace import EXIT_IN_PART, amount, read_until
from api.instance import session
from api.prices import prices_of
from api.tracing.findings import finding_wallets
from api.tracing.opening import open_grounds
from api.tracing.request import FOLLOWED, Stops, TraceRequest, read_policy, read_remaining
from api.tracing.scheme import run_scheme
from api.tracing.scheme_results import write_scheme
from api.tracing.seeds import RejectedSeed, Seed, read_file
from chain.errors import NotFound
from clustering.trace.policies import Policy
from clustering.trace.stops import HUB_RECIPIENTS

SHOWN = ("paid_in", "paid_out", "reinvested", "recycled", "loss", "remaining")


def scheme(
    wallets: Annotated[Path | None, typer.Argument(help="CSV of chain,address; asset")] = None,
    out: Annotated[Path, typer.Option("--out", help="A new folder for the results")] = ...,  # type: ignore[assignment]
    finding: Annotated[str | None, typer.Option("--finding", help="A token sale's ID, in the place of a file")] = None,
    remaining: Annotated[
        list[str] | None, typer.Option("--remaining", help="ASSET=V: what is left to give back, in base units")
    ] = None,
    policy: Annotated[str, typer.Option("--policy", help=f"One of {', '.join(FOLLOWED)}")] = Policy.FIFO.value,
    until: Annotated[str | None, typer.Option("--until", help="A time")] = None,
    through: Annotated[
        list[str] | None, typer.Option("--through", help="Go on through what ends a trace; marked")
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
    """Who paid a scheme's wallets and was paid by them, where the money went, and what each is short of."""
    if (wallets is None) == (finding is None):
        raise typer.BadParameter("give a file of wallets, or --finding")
    try:
        stops = Stops.of(through or [], hub_recipients, conversions=conversions)
        request = TraceRequest(
            read_policy(policy),
            until=read_until(until),
            dataset=dataset,
            stops=stops,
            compare=compare,
            currency=currency,
        )
        left = read_remaining(dict(each.rpartition("=")[::2] for each in remaining or []))
    except InvalidParameter as error:
        raise typer.BadParameter(f"--{error.name}: {error}") from error

    async def work() -> dict[str, Any]:
        seeds: list[Seed] = []
        rejected: list[RejectedSeed] = []
        if wallets is not None:
            seeds, rejected = read_file(wallets)
        async with session(settings()) as (instance, connection):
            if finding is not None:
                seeds = await finding_wallets(connection, finding, dataset)
            grounds = await open_grounds(connection, instance.url, instance.home, request, seeds)
            prices = await prices_of(connection, request.currency)
            with LoadProgress("movements") as bar:
                found = run_scheme(request, seeds, rejected, grounds, left, lambda stage, done, total: bar(done, total))
        if not found.datasets and not found.traced.rejected:
            raise NotFound(f"{wallets} names no wallets")
        return write_scheme(found, out, prices)

    summary = run(work())
    if form is Format.TABLE:
        print_lines(_lines(summary, out))
    else:
        print_object(summary, form)
    if summary["seeds_rejected"]:
        told = counted(summary["seeds_rejected"], "wallet")
        stderr.print(f"{told} left out: {out / 'seeds_rejected.csv'} says why", markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_IN_PART)


def _lines(summary: dict[str, Any], out: Path) -> Iterator[str]:
    yield f"traced       {counted(summary['seeds'], 'wallet')}, run {summary['run'][:16]}"
    for each in summary["scheme"]["datasets"]:
        yield ""
        yield f"dataset      {each['dataset']}: {counted(each['own_addresses'], 'address', 'addresses')} of the scheme"
        for asset in each["assets"]:
            who = counted(asset["participants"], "participant")
            yield f"  {asset['asset']}: {who}, {counted(asset['recipients'], 'recipient')} that never paid"
            yield from (f"    {name.replace('_', ' '):<12} {amount(asset['asset'], asset[name])}" for name in SHOWN)
            yield f"    {'':<12} ({asset['remaining_is']})"
            yield from (f"    {line}" for line in asset["equations"])
        if each["levels"]:
            yield "  levels     " + ", ".join(f"{level}: {count:,}" for level, count in each["levels"].items())
    yield ""
    yield from summary["passed"]
    yield f"results      {out}"
    yield summary["scheme"]["statement"]
