"""Jobs as answers tell them."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from api.answers.job_shapes import JobBody, JobFile
from chain.store.jobs import Job

STATES = ("queued", "running", "succeeded", "failed", "cancelled")


def job_body(job: Job) -> JobBody:
    result = job.result or {}
    return {
        "job": str(job.job_id),
        "kind": job.kind,
        "state": job.state,
        "created_at": _moment(job.created_at) or "",
        "started_at": _moment(job.started_at),
        "finished_at": _moment(job.finished_at),
        "attempt": job.attempt,
        "cancel_requested": job.cancel_requested,
        "progress": {"stage": job.stage, "done": job.done, "total": job.total},
        "problem": job.problem,
        "limits_hit": result.get("limits_hit", []),
        "seeds": result.get("seeds"),
        "seeds_rejected": result.get("seeds_rejected"),
        "results": result_files(job),
        "href": f"/v1/jobs/{job.job_id}",
    }


def result_files(job: Job) -> list[JobFile]:
    """The files that a job published."""
    files = (job.result or {}).get("files", {})
    base = f"/v1/jobs/{job.job_id}/results"
    return [
        {"name": name, "bytes": facts["bytes"], "sha256": facts["sha256"], "href": f"{base}/{quote(name)}"}
        for name, facts in sorted(files.items())
    ]


def _moment(when: datetime | None) -> str | None:
    return None if when is None else when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
