"""/v1/labels: what sources say of an address."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.answers.label_shapes import LabelsBody
from api.answers.labels import Asker, labels_body, today
from api.answers.opening import CHAINS
from api.answers.view import DatasetView
from api.routes.service import ANY_FORM, EXAMPLE, AsOfHeight, Service, ServiceOf, answered, problems
from chain.errors import NotFound

router = APIRouter()


@router.get(
    "/labels",
    operation_id="get_labels",
    summary="Labels of an address and of its cluster",
    response_model=LabelsBody,
    responses=problems(404, 422, 503),
)
async def labels(
    service: ServiceOf,
    address: Annotated[str, Query(description=ANY_FORM, max_length=4_096, examples=[EXAMPLE])],
    chain: Annotated[str, Query(description="btc, eth, or other: any that is not covered", max_length=16)] = "btc",
    as_of: AsOfHeight = None,
) -> Response:
    """Those that sources give to it, those of its cluster's other addresses, and where they disagree. Labels are of the
    newest version; `as_of` is for the cluster."""
    views = await views_of(service, chain)
    async with service.connection() as connection:
        body = await labels_body(Asker(connection, service.label_column, today()), chain, views, address, as_of)
    return answered(body)


async def views_of(service: Service, chain: str) -> list[DatasetView]:
    """The views of a chain; none where nothing of it is loaded: an address has its labels all the same."""
    if chain not in CHAINS:
        return []
    try:
        return await service.views.views(chain)
    except NotFound:
        return []
