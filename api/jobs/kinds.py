"""What each kind of job does: a question in, a folder of results out."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.jobs.request import PATHS, SCHEME, TRACE, SchemeJob, TraceJob
from api.prices import prices_of
from api.tracing.findings import finding_wallets
from api.tracing.opening import open_chain, open_grounds
from api.tracing.paths import paths_body
from api.tracing.request import TraceRequest
from api.tracing.results import write_results
from api.tracing.run import Cancelled, Progress, run_trace
from api.tracing.scheme import run_scheme
from api.tracing.scheme_results import write_scheme
from chain.store.postgres import connected


@dataclass(frozen=True, slots=True)
class Bench:
    """What a job works with."""

    url: str
    """A database session opened with it bears the attempt's name"""
    home: Path
    out: Path
    """The folder for the results, which is not there yet"""
    progress: Progress
    cancelled: Cancelled


async def _trace(asked: Any, bench: Bench) -> dict[str, Any]:
    job = TraceJob.read(asked)
    async with connected(bench.url) as connection:
        grounds = await open_grounds(connection, bench.url, bench.home, job.request, job.seeds)
        prices = await prices_of(connection, job.request.currency)
    result = run_trace(job.request, job.seeds, job.rejected, grounds, bench.progress, bench.cancelled)
    return _told(write_results(result, bench.out, prices))


async def _scheme(asked: Any, bench: Bench) -> dict[str, Any]:
    job = SchemeJob.read(asked)
    request, wallets = job.asked.request, job.asked.seeds
    async with connected(bench.url) as connection:
        if job.finding is not None:
            wallets = await finding_wallets(connection, job.finding, request.dataset)
        grounds = await open_grounds(connection, bench.url, bench.home, request, wallets)
        prices = await prices_of(connection, request.currency)
    found = run_scheme(request, wallets, job.asked.rejected, grounds, job.remaining, bench.progress, bench.cancelled)
    return _told(write_scheme(found, bench.out, prices))


def _told(summary: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": summary["run"],
        "seeds": summary["seeds"],
        "seeds_rejected": summary["seeds_rejected"],
        "limits_hit": [limit for each in summary["datasets"] for limit in each["limits_hit"]],
    }


async def _paths(asked: Any, bench: Bench) -> dict[str, Any]:
    request = TraceRequest(dataset=asked["dataset"])
    async with connected(bench.url) as connection:
        grounds = await open_chain(connection, bench.url, bench.home, request, asked["chain"])
    body = paths_body(grounds, asked["chain"], asked["a"], asked["b"], asked["k"], clusters=asked["clusters"])
    bench.out.mkdir(parents=True)
    (bench.out / "paths.json").write_text(json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return {"paths": sum(len(answer["paths"]) for answer in body["answers"]), "limits_hit": []}


KINDS: Mapping[str, Callable[[Any, Bench], Awaitable[dict[str, Any]]]] = {TRACE: _trace, PATHS: _paths, SCHEME: _scheme}
"""By the name that a row has; each returns what the job tells of its results."""
