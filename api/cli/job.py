"""headwater job, worker: long work, how far it is, and who does it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
import uuid
from typing import Annotated, Any

import typer

from api.answers.jobs import STATES, job_body
from api.cli.options import FormatOption, run, settings
from api.cli.output import Format, counted, limit_lines, print_lines, print_object, print_rows, stderr
from api.instance import open_instance, session
from api.jobs.worker import PARENT, Worker
from chain.errors import NotFound
from chain.store.jobs import Job, JobStore

app = typer.Typer(no_args_is_help=True)

SHOWN = 50
JobId = Annotated[str, typer.Argument(metavar="ID", help="As `job list` has it")]


@app.callback()
def job() -> None:
    """Long work that the service was asked for."""


@app.command("list")
def list_jobs(
    state: Annotated[str | None, typer.Option("--state", help=f"One of {', '.join(STATES)}")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many, the newest first")] = SHOWN,
    form: FormatOption = Format.TABLE,
) -> None:
    """Jobs, the newest first."""
    if state is not None and state not in STATES:
        raise typer.BadParameter(f"--state is one of {', '.join(STATES)}")

    async def work() -> list[Job]:
        async with session(settings()) as (_, connection):
            return await JobStore(connection).newest(limit, state)

    bodies = [job_body(each) for each in run(work())]
    if form is Format.TABLE:
        columns = ["job", "kind", "state", "created_at", "finished_at", "attempt"]
        print_rows([{name: dict(body)[name] for name in columns} for body in bodies], form, columns)
    else:
        print_rows([dict(body) for body in bodies], form)


@app.command()
def show(job_id: JobId, form: FormatOption = Format.TABLE) -> None:
    """One job: how far it is, or what came of it."""
    _print(run(_with(job_id, lambda store, name: store.get(name))), form)


@app.command()
def cancel(job_id: JobId, form: FormatOption = Format.TABLE) -> None:
    """Ask a job to end. One that runs ends at its next look; one that is done stays done."""
    _print(run(_with(job_id, lambda store, name: store.cancel(name))), form)


async def _with(job_id: str, work: Any) -> Job:
    try:
        name = uuid.UUID(job_id)
    except ValueError:
        raise NotFound(f"there is no job {job_id}") from None
    async with session(settings()) as (_, connection):
        found: Job = await work(JobStore(connection), name)
        return found


def _print(found: Job, form: Format) -> None:
    body = job_body(found)
    if form is not Format.TABLE:
        print_object(body, form)
        return
    lines = [f"job          {body['job']}: {body['kind']}, {body['state']}", f"asked        {body['created_at']}"]
    if body["state"] == "running":
        at = body["progress"]
        lines.append(f"at           {at['stage']} {at['done']:,} of {at['total']:,} (attempt {body['attempt']})")
    if body["finished_at"] is not None:
        lines.append(f"ended        {body['finished_at']} (attempt {body['attempt']})")
    if body["problem"] is not None:
        lines.append(f"problem      {body['problem']['type']}: {body['problem']['detail']}")
    lines += limit_lines(body["limits_hit"])
    lines += [
        f"result       {each['name']}, {each['bytes']:,} bytes, SHA-256 {each['sha256']}" for each in body["results"]
    ]
    print_lines(lines)


def worker(
    drain: Annotated[bool, typer.Option("--drain", help="End when no job is left to do")] = False,
) -> None:
    """Do jobs, one after another, until told to stop; what is then begun is put back."""
    instance = run(open_instance(settings()))
    working = Worker(instance)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: working.stopping.set())
    parent = os.environ.get(PARENT)
    if parent is not None:
        threading.Thread(target=_watch, args=(int(parent), working.stopping), daemon=True).start()
    ended = asyncio.run(working.run(drain=drain))
    stderr.print(f"{counted(ended, 'job')} done", markup=False)


def _watch(parent: int, stopping: threading.Event) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    stopping.set()
