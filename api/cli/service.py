"""headwater serve, doctor, demo."""

from __future__ import annotations

from typing import Annotated

import typer
import uvicorn

from api import demo as main_job
from api.app import create_app
from api.cli.options import FormatOption, run, settings
from api.cli.output import Format, print_lines, print_rows, stderr
from api.doctor import examine
from api.instance import open_instance
from api.jobs.crew import crew


def serve(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to listen on", min=0, max=65535)] = None,
    workers: Annotated[int, typer.Option("--workers", help="Processes that do jobs", min=0, max=64)] = 1,
) -> None:
    """The REST service of this instance, with workers for its jobs."""
    chosen = settings()
    instance = run(open_instance(chosen))
    address, number = host or chosen.host, chosen.port if port is None else port
    stderr.print(
        f"Headwater answers at http://{address}:{number}/v1 (described at /openapi.json); Ctrl-C ends it",
        markup=False,
        soft_wrap=True,
    )
    with crew(workers, chosen):
        uvicorn.run(create_app(instance), host=address, port=number, log_level="warning", server_header=False)


def doctor(form: FormatOption = Format.TABLE) -> None:
    """Checks this machine and the instance, and says what to do about what it finds."""
    findings = run(examine(settings()))
    print_rows([finding.row() for finding in findings], form, ["check", "ok", "found", "do"])
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def demo() -> None:
    """The whole main job on a built-in chain, and on real data where HEADWATER_DATA names some."""
    run(main_job.demo(settings(), lambda line: print_lines([line])))
