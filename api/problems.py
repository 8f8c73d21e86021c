"""Errors over REST: RFC 9457 problems, on every path, from one place."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.answers.view import InvalidParameter
from chain.errors import AddressError, HeadwaterError, IntegrityError, SourceError, StoreBusy
from chain.store.answers import NoAnswer

MEDIA_TYPE = "application/problem+json"
DOCS = "/docs/errors#"
"""Types are references to docs/errors.md, relative to wherever it is published."""

RETRY_SECONDS = "5"

log = logging.getLogger("headwater")

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "position": {"type": ["integer", "null"]},
                },
            },
        },
    },
}


def problem(
    request: Request,
    status: int,
    name: str,
    detail: str,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One problem body."""
    body: dict[str, Any] = {
        "type": DOCS + name,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
    }
    if errors:
        body["errors"] = list(errors)
    extra = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        extra.setdefault("Retry-After", RETRY_SECONDS)
    return Response(_dump(body), status, extra, MEDIA_TYPE)


def _dump(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:  # a caller's text with half a surrogate pair
        safe = {**body, "detail": body["detail"].encode("utf-8", "replace").decode(), "errors": []}
        return orjson.dumps({**safe, "instance": safe["instance"].encode("utf-8", "replace").decode()})


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""
    app.add_exception_handler(HeadwaterError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, HeadwaterError)
    if isinstance(error, IntegrityError | SourceError):  # of what is stored: the caller sent none of it
        return await _unexpected(request, error)
    errors: list[dict[str, Any]] = []
    named = {"code": error.problem_type, "detail": str(error)}
    if isinstance(error, AddressError):
        errors = [{"pointer": "address", **named, "position": error.position}]
    elif isinstance(error, InvalidParameter):
        errors = [{"pointer": error.name, **named}]
    return problem(request, error.status, error.problem_type, _detail(request, error), errors, error.headers)


def _detail(request: Request, error: HeadwaterError) -> str:
    """What goes out of an expected error: of one on our side only what names no host, path or file."""
    if error.status < HTTPStatus.INTERNAL_SERVER_ERROR or isinstance(error, StoreBusy | NoAnswer):
        return str(error)
    meaning = (type(error).__doc__ or "").splitlines()[0]
    return f"{meaning} Correlation id {_logged(request, error)}."


def _logged(request: Request, error: Exception) -> str:
    """Write an error to the log; the id that finds it there."""
    correlation = secrets.token_hex(8)
    log.error("%s %s %s failed", correlation, request.method, request.url.path, exc_info=error)
    return correlation


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"pointer": "/".join(str(part) for part in each["loc"]), "code": each["type"], "detail": each["msg"]}
        for each in error.errors()
    ]
    first = errors[0] if errors else {"pointer": "", "detail": "the request is not valid"}
    return problem(request, 422, "invalid-parameter", f"{first['pointer']}: {first['detail']}", errors)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    names = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}
    return problem(
        request,
        error.status_code,
        names.get(error.status_code, "http"),
        str(error.detail),
        headers=error.headers,
    )


async def _unexpected(request: Request, error: Exception) -> Response:
    """Nothing of what went wrong inside goes out; the correlation id finds it in the log."""
    correlation = _logged(request, error)
    return problem(request, 500, "internal", f"something went wrong here; correlation id {correlation}")
