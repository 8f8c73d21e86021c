"""What every route has at hand: the open views, a connection, cursors, and how answers are written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import asyncpg
import orjson
from fastapi import Depends, Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.access.limits import Limits
from api.answers.naming import Handle, read_handle
from api.answers.opening import ViewCache, pooled
from api.answers.pages import Place
from api.answers.view import DatasetView, InvalidParameter
from api.cursors import Cursors
from api.labels.column import LabelCache
from api.problems import MEDIA_TYPE, PROBLEM_SCHEMA
from chain.store.postgres import Connection
from clustering.labels import LabelColumn

DEFAULT_LIMIT = 50
MAX_LIMIT = 1_000
"""Items of one page."""

DATASET = "A dataset of the chain"

MAX_NAME = 80
"""Characters of a wrong parameter's name that a problem repeats."""

T = TypeVar("T")


@dataclass(slots=True)
class Service:
    """What a running service has open."""

    views: ViewCache
    cursors: Cursors
    pool: asyncpg.Pool[Any]
    labels: LabelCache
    limits: Limits
    anonymous: frozenset[str]
    """Scopes of a caller without a key"""
    streams: int = 0
    """Streams of events that are open"""
    exposures: int = 0
    """Exposures that are being traced"""

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool; NoAnswer where there is none."""
        async with pooled(self.pool) as connection:
            yield connection

    async def label_column(self, view: DatasetView, version: int) -> LabelColumn | None:
        """The label column of a view in a version of the label set."""
        return await self.labels.column(version, view.dataset, view.columns)

    async def of_run(self, chain: str, handle: Handle, start: Place | None = None) -> list[DatasetView]:
        """The views of a chain; that of a handle's dataset has the clustering of the handle's run.

        A handle without a run means that of the list that was begun (`start`), else the newest.
        """
        run = start.run if handle.run is None and start is not None else handle.run
        views = await self.views.views(chain)
        for place, view in enumerate(views):
            if view.name == handle.dataset:
                views[place] = await self.views.at_run(view, run)
        return views


def service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


async def known_parameters(request: Request) -> None:
    """A query parameter that the route does not have, or that is there twice, is refused, never ignored."""
    route = request.scope["route"]
    names = {field.alias for field in route.dependant.query_params}
    for each in route.dependant.dependencies:
        names |= {field.alias for field in each.query_params}
    seen = set()
    for name, _ in request.query_params.multi_items():
        shown = name[:MAX_NAME]
        if name not in names:
            allowed = ", ".join(sorted(names)) or "none"
            raise InvalidParameter(shown, f"there is no parameter {shown!r} here; there are: {allowed}")
        if name in seen:
            raise InvalidParameter(shown, f"the parameter {shown!r} is given twice")
        seen.add(name)


ServiceOf = Annotated[Service, Depends(service)]
ANY_FORM = "An address of the chain, in any of its forms"
EXAMPLE = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
"""The genesis block's."""

Chain = Annotated[str, Path(description="btc", max_length=16)]
Address = Annotated[str, Path(description=ANY_FORM, max_length=200, examples=[EXAMPLE])]
AsOfHeight = Annotated[int | None, Query(description="Answer as of this height")]
Level = Annotated[str | None, Query(description="L0", max_length=16)]
_ITEMS = f"Items of a page; at most {MAX_LIMIT}"
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description=_ITEMS, examples=[DEFAULT_LIMIT])]
Cursor = Annotated[str | None, Query(description="`next` of the page before", max_length=4_096)]


def cluster_handle(
    dataset: Annotated[str, Path(description=DATASET, max_length=63)],
    level: Annotated[str, Path(description="L0", max_length=16)],
    address: Annotated[str, Path(description="The earliest address, with @run or without", max_length=200)],
) -> Handle:
    return read_handle(dataset, level, address)


ClusterHandle = Annotated[Handle, Depends(cluster_handle)]


async def threaded(work: Callable[[], T]) -> T:
    """Work on mapped arrays, off the event loop: a page that is not in memory must not hold up others."""
    return await asyncio.to_thread(work)


async def bounded_body(request: Request, most: int) -> bytes:
    """The bytes of a body, counted while they come in; 413 above `most`."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise HTTPException(413, f"a body has at most {most} bytes")
    return bytes(body)


def answered(body: Any) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")


def paged(service: Service, of_list: str, page: tuple[Any, Place | None]) -> Response:
    """A page with its `next`."""
    body, place = page
    return answered({**body, "next": service.cursors.write(of_list, place)})


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for OpenAPI."""
    meaning = {
        400: "The request cannot be read; the problem names what",
        401: "There is no key, or none that is good",
        403: "The key has another scope",
        404: "No such thing here",
        409: "It cannot be changed any more",
        410: "The list has changed; begin it again",
        413: "The body is larger than its limit",
        416: "There is no such range of the file",
        422: "A parameter is not what it must be; the problem names it",
        429: "Asked too often; Retry-After says when to come again",
        503: "The database or a dataset is not to be had now",
    }
    return {
        status: {"description": meaning[status], "content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}}
        for status in statuses
    }
