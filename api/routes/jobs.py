"""/v1/traces, /v1/paths: long work is asked for. /v1/jobs: how far it is, its end, its results."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import mimetypes
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Path, Query, Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.answers.job_shapes import JobBody, JobResultsBody, JobsBody
from api.answers.jobs import STATES, job_body, result_files
from api.answers.pages import Place
from api.answers.view import InvalidParameter
from api.jobs.kinds import KINDS
from api.jobs.request import PATHS, SCHEME, TRACE, read_paths, read_scheme, read_trace
from api.jobs.results import file_of
from api.routes.service import (
    DEFAULT_LIMIT,
    Cursor,
    Limit,
    Service,
    ServiceOf,
    answered,
    bounded_body,
    problems,
    threaded,
)
from chain.errors import NotFound, StoreBusy
from chain.store.jobs import Job, JobStore

router = APIRouter()

MAX_BODY = 32 << 20
"""Bytes of a question with its seeds."""

MAX_STREAMS = 64
"""Streams of events that a service has open at once."""

STREAM_SECONDS = 600
"""How long one stream of events lasts; a browser opens it again by itself."""

LOOK_SECONDS = 0.5

Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=200, description="The same key and body give the same job, for good"),
]
JobId = Annotated[str, Path(description="As the job's address has it", max_length=40)]


def _body_schema(properties: dict[str, Any], required: list[str], example: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "required": required, "additionalProperties": False, "properties": properties}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


_TEXT = {"type": ["string", "null"]}
_TRACE_SCHEMA = _body_schema(
    {
        "seeds": {
            "type": ["array", "null"],
            "description": "Rows of chain and address, or chain, txid and index; from_time, to_time, asset",
            "items": {"type": "object", "additionalProperties": {"type": ["string", "integer", "null"]}},
        },
        "file": {**_TEXT, "description": "The same as a CSV text with a header, in the place of seeds"},
        "policy": {"type": "string", "default": "fifo"},
        "direction": {"type": "string", "enum": ["forward", "backward"], "default": "forward"},
        "max_hops": {"type": "integer", "minimum": 0, "default": 0},
        "min_value": {"type": ["string", "integer"], "default": 0},
        "until": _TEXT,
        "dataset": _TEXT,
        "stops": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "through": {"type": "array", "items": {"type": "string"}},
                "hub_recipients": {"type": "integer", "minimum": 1},
                "conversions": {"type": "boolean", "default": True},
            },
        },
        "range": {"type": "boolean", "default": True},
        "currency": {"type": ["string", "null"], "enum": ["CNY", "USD", None]},
    },
    [],
    {"seeds": [{"chain": "btc", "address": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"}], "policy": "fifo"},
)
_TRACED = _TRACE_SCHEMA["requestBody"]["content"]["application/json"]["schema"]["properties"]
_SCHEME_SCHEMA = _body_schema(
    {
        "wallets": {**_TRACED["seeds"], "description": "Rows of chain and address; asset"},
        "file": _TRACED["file"],
        "finding": {**_TEXT, "description": "A token sale's ID, in the place of wallets"},
        "remaining": {
            "type": "object",
            "description": "Asset -> what is left to give back, in base units",
            "additionalProperties": {"type": "string"},
        },
        **{name: _TRACED[name] for name in ("policy", "until", "dataset", "stops", "range", "currency")},
    },
    [],
    {"finding": "237b15b2f76eaa83", "policy": "fifo"},
)
_PATHS_SCHEMA = _body_schema(
    {
        "a": {"type": "string"},
        "b": {"type": "string"},
        "k": {"type": "integer", "minimum": 1, "maximum": 100, "default": 3},
        "clusters": {"type": "boolean", "default": False, "description": "Between their whole clusters"},
        "chain": _TEXT,
        "dataset": _TEXT,
    },
    ["a", "b"],
    {"a": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "b": "12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S"},
)
_POSTED: dict[int | str, dict[str, Any]] = {202: {"description": "The job, at its Location"}}


@router.post(
    "/traces",
    operation_id="post_trace",
    summary="Follow the money of up to 100,000 seeds, each apart",
    status_code=202,
    response_model=JobBody,
    responses={**_POSTED, **problems(413, 422, 503)},
    openapi_extra=_TRACE_SCHEMA,
)
async def post_trace(request: Request, service: ServiceOf, key: Key = None) -> Response:
    """A job whose results are the files of `headwater trace run`, byte for byte."""
    raw = await bounded_body(request, MAX_BODY)
    return await _post(service, TRACE, raw, key, await threaded(lambda: read_trace(raw).stored()))


@router.post(
    "/schemes",
    operation_id="post_scheme",
    summary="A scheme's deposit wallets together: who paid in, who was paid, where the money went",
    status_code=202,
    response_model=JobBody,
    responses={**_POSTED, **problems(413, 422, 503)},
    openapi_extra=_SCHEME_SCHEMA,
)
async def post_scheme(request: Request, service: ServiceOf, key: Key = None) -> Response:
    """A job whose results are the files of `headwater trace scheme`, byte for byte."""
    raw = await bounded_body(request, MAX_BODY)
    return await _post(service, SCHEME, raw, key, await threaded(lambda: read_scheme(raw).stored()))


@router.post(
    "/paths",
    operation_id="post_paths",
    summary="The strongest paths of payments from one address to another",
    status_code=202,
    response_model=JobBody,
    responses={**_POSTED, **problems(413, 422, 503)},
    openapi_extra=_PATHS_SCHEMA,
)
async def post_paths(request: Request, service: ServiceOf, key: Key = None) -> Response:
    """A job whose result is `paths.json`."""
    raw = await bounded_body(request, MAX_BODY)
    return await _post(service, PATHS, raw, key, read_paths(raw))


async def _post(service: Service, kind: str, raw: bytes, key: str | None, asked: Any) -> Response:
    if key is not None and not (key and key.isprintable()):
        raise InvalidParameter("Idempotency-Key", "it has at least one character, all of which can be printed")
    async with service.connection() as connection:
        job, new = await JobStore(connection).create(kind, asked, hashlib.sha256(raw).digest(), key)
    headers = {"Location": f"/v1/jobs/{job.job_id}", **({} if new else {"Idempotency-Replayed": "true"})}
    return Response(orjson.dumps(job_body(job)), 202, headers, "application/json")


@router.get(
    "/jobs",
    operation_id="list_jobs",
    summary="Jobs, the newest first",
    response_model=JobsBody,
    responses=problems(422, 503),
)
async def jobs(
    service: ServiceOf,
    state: Annotated[str | None, Query(description=f"One of {', '.join(STATES)}", max_length=16)] = None,
    kind: Annotated[str | None, Query(description=f"One of {', '.join(KINDS)}", max_length=32)] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """Of all kinds, or of one."""
    for name, said, known in (("state", state, STATES), ("kind", kind, tuple(KINDS))):
        if said is not None and said not in known:
            raise InvalidParameter(name, f"it is one of {', '.join(known)}")
    of_list = f"jobs {state} {kind}"
    start = service.cursors.read(of_list, cursor)
    after = None
    if start is not None and start.after is not None:
        after = datetime.fromisoformat(start.after[0]), uuid.UUID(start.after[1])
    async with service.connection() as connection:
        found = await JobStore(connection).newest(limit + 1, state, kind, after)
    place = None
    if len(found) > limit:
        last = found[limit - 1]
        place = Place("", 0, None, None, None, [last.created_at.isoformat(), str(last.job_id)])
    return answered({"items": [job_body(job) for job in found[:limit]], "next": service.cursors.write(of_list, place)})


@router.get(
    "/jobs/{job}",
    operation_id="get_job",
    summary="How far a job is, and what came of it",
    response_model=JobBody,
    responses=problems(404, 422, 503),
)
async def job(job: JobId, service: ServiceOf) -> Response:
    """State, progress by stage, the problem of a failure, or the files of its results."""
    return answered(job_body(await _found(service, job)))


@router.delete(
    "/jobs/{job}",
    operation_id="cancel_job",
    summary="Ask a job to end",
    response_model=JobBody,
    responses=problems(404, 422, 503),
)
async def cancel(job: JobId, service: ServiceOf) -> Response:
    """The job as it is then: one that runs ends at its next look; one that is done stays done."""
    name = _name(job)
    async with service.connection() as connection:
        return answered(job_body(await JobStore(connection).cancel(name)))


@router.get(
    "/jobs/{job}/results",
    operation_id="list_results",
    summary="The files of a job's results",
    response_model=JobResultsBody,
    responses=problems(404, 422, 503),
)
async def results(job: JobId, service: ServiceOf) -> Response:
    """Each with its size and SHA-256; none while the job is not done."""
    found = await _found(service, job)
    return answered({"job": str(found.job_id), "results": result_files(found)})


@router.get(
    "/jobs/{job}/results/{name}",
    operation_id="get_result",
    summary="One file of a job's results",
    response_class=FileResponse,
    responses={
        200: {"description": "The file", "content": {"application/octet-stream": {}}},
        206: {"description": "The asked range of it"},
        **problems(400, 404, 416, 422, 503),
    },
)
async def result(
    job: JobId, name: Annotated[str, Path(description="As listed", max_length=200)], service: ServiceOf
) -> Response:
    """Ranges are honoured; `Repr-Digest` and `ETag` are its SHA-256."""
    found = await _found(service, job)
    path, facts = file_of(service.views.home, found, name)
    digest = base64.b64encode(bytes.fromhex(facts["sha256"])).decode()
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {
        "Repr-Digest": f"sha-256=:{digest}:",
        "ETag": f'"{facts["sha256"]}"',
        "X-Content-Type-Options": "nosniff",
    }
    return _File(path, media_type=kind, headers=headers, filename=name)


class _File(FileResponse):
    """A file with ranges, whose refusals are problems like all others."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def checked(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
                size = {key: value for key, value in Headers(raw=message["headers"]).items() if key == "content-range"}
                raise HTTPException(message["status"], "Range: there is no such range of this file", size)
            await send(message)

        await super().__call__(scope, receive, checked)


@router.get(
    "/jobs/{job}/events",
    operation_id="stream_job",
    summary="A job's progress as it comes",
    response_class=StreamingResponse,
    responses={
        200: {"description": "Server-sent events", "content": {"text/event-stream": {}}},
        **problems(404, 422, 503),
    },
)
async def events(job: JobId, service: ServiceOf) -> Response:
    """An event `job` with the job's body at each change, until it is done."""
    found = await _found(service, job)
    if service.streams >= MAX_STREAMS:
        raise StoreBusy(f"streams: {MAX_STREAMS} streams of events are open; come again later")
    return StreamingResponse(_changes(service, found), media_type="text/event-stream")


async def _changes(service: Service, found: Job) -> AsyncIterator[bytes]:
    service.streams += 1
    try:
        told = b""
        for _ in range(int(STREAM_SECONDS / LOOK_SECONDS)):
            body = orjson.dumps(job_body(found))
            if body != told:
                yield b"event: job\ndata: " + body + b"\n\n"
            told = body
            if found.finished:
                return
            await asyncio.sleep(LOOK_SECONDS)
            async with service.connection() as connection:
                found = await JobStore(connection).get(found.job_id)
    finally:
        service.streams -= 1


def _name(job: str) -> uuid.UUID:
    try:
        return uuid.UUID(job)
    except ValueError:
        raise NotFound(f"there is no job {job[:40]}") from None


async def _found(service: Service, job: str) -> Job:
    async with service.connection() as connection:
        return await JobStore(connection).get(_name(job))
