"""/v1/{chain}/held: links that a guard holds or a person refused. Deciding takes a person at the command line."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.answers.held import held_page
from api.answers.run_shapes import HeldBody
from api.routes.service import DATASET, DEFAULT_LIMIT, Chain, Cursor, Limit, ServiceOf, paged, problems

router = APIRouter()


@router.get(
    "/{chain}/held",
    operation_id="list_held_links",
    summary="Links that are held for a person, or refused",
    response_model=HeldBody,
    responses=problems(404, 410, 422, 503),
)
async def held(
    chain: Chain,
    service: ServiceOf,
    dataset: Annotated[str | None, Query(description=DATASET, max_length=63)] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """Each with its evidence, the two clusters, the services that labels name in them, and decisions on it."""
    of_list = f"held {chain} {dataset}"
    start = service.cursors.read(of_list, cursor)
    views = await service.views.views(chain, dataset)
    async with service.connection() as connection:
        page = await held_page(connection, service.label_column, chain, views, start, limit)
    return paged(service, of_list, page)
