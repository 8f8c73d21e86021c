"""The command line: `headwater NOUN VERB`. Exit codes: 0 done, 1 failed, 2 usage, 3 done in part."""

from __future__ import annotations

import sys

import typer

from api.answers.view import InvalidParameter
from api.cli import (
    access,
    audit,
    case,
    chain,
    cluster,
    columns,
    company,
    config,
    db,
    detect,
    ingest,
    job,
    labels,
    measure,
    prices,
    scan,
    scheme,
    service,
    simulate,
    trace,
    tx,
)
from api.cli.output import stderr
from chain.errors import AddressError, HeadwaterError

app = typer.Typer(
    name="headwater",
    help="On-chain tracing and wallet clustering, with the evidence for every step.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(db.app, name="db", help="The database of this instance.")
app.add_typer(ingest.app, name="ingest", help="Load chain data, verified.")
app.add_typer(chain.app, name="chain", help="What is loaded.")
app.add_typer(tx.app, name="tx", help="Transactions.")
app.add_typer(cluster.app, name="cluster", help="Wallet clusters and why they hold together.")
trace.app.command("scheme")(scheme.scheme)
app.add_typer(trace.app, name="trace", help="Where money went, and where it came from.")
app.add_typer(detect.app, name="detect", help="What is suspected, found on the chain.")
app.add_typer(labels.app, name="labels", help="What sources say of addresses.")
app.add_typer(company.app, name="company", help="Companies, flags, and the links of their cases.")
app.add_typer(case.app, name="case", help="What a person works in.")
app.add_typer(access.key, name="key", help="Who may ask the service.")
app.add_typer(access.log, name="audit-log", help="What was asked of companies and cases.")
app.add_typer(columns.app, name="columns", help="The memory-mapped columns that follow the database.")
app.add_typer(prices.app, name="prices", help="What assets were worth, as somebody stated it.")
app.add_typer(measure.app, name="measure", help="What the rules get right, counted.")
app.add_typer(job.app, name="job", help="Long work that the service was asked for.")
app.add_typer(config.app, name="config", help="Settings.")
app.command("audit")(audit.audit)
app.command("contest")(case.contest)
app.command("scan-text")(scan.scan_text)
app.command("serve")(service.serve)
app.command("worker")(job.worker)
app.command("doctor")(service.doctor)
app.command("demo")(service.demo)
app.command("simulate")(simulate.simulate)

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def main() -> None:
    """Entry point of the `headwater` command."""
    try:
        app(standalone_mode=True)
    except AddressError as error:
        place = "" if error.position is None else f" (character {error.position + 1})"
        stderr.print(f"error: {error}{place}", markup=False, soft_wrap=True)
        sys.exit(EXIT_USAGE)
    except InvalidParameter as error:
        stderr.print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(EXIT_USAGE)
    except HeadwaterError as error:
        stderr.print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        stderr.print("interrupted; run the same command again to go on where it was", markup=False, soft_wrap=True)
        sys.exit(EXIT_INTERRUPTED)
