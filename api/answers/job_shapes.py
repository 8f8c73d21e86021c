"""Answers about jobs."""

from __future__ import annotations

from typing_extensions import TypedDict


class JobProgress(TypedDict):
    stage: str
    done: int
    total: int


class JobProblem(TypedDict):
    type: str
    status: int
    detail: str


class JobFile(TypedDict):
    name: str
    bytes: int
    sha256: str
    href: str


class JobLimit(TypedDict):
    limit: str
    value: int
    detail: str


class JobBody(TypedDict):
    job: str
    kind: str
    state: str
    """queued, running, succeeded, failed or cancelled"""
    created_at: str
    started_at: str | None
    finished_at: str | None
    attempt: int
    cancel_requested: bool
    progress: JobProgress
    problem: JobProblem | None
    limits_hit: list[JobLimit]
    seeds: int | None
    seeds_rejected: int | None
    results: list[JobFile]
    href: str


class JobsBody(TypedDict):
    items: list[JobBody]
    next: str | None


class JobResultsBody(TypedDict):
    job: str
    results: list[JobFile]
