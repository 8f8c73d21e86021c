"""/v1/{chain}/clusters/{dataset}/{level}/{address@run}: one cluster, its members, links and history."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api.answers.cluster import cluster_body, links_page, members_page, of_handle
from api.answers.cluster_shapes import ClusterBody, ClusterLinksBody, MembersBody
from api.answers.history import history as history_of
from api.answers.run_shapes import HistoryBody
from api.answers.view import DatasetView
from api.routes.service import (
    DEFAULT_LIMIT,
    Chain,
    ClusterHandle,
    Cursor,
    Limit,
    ServiceOf,
    answered,
    paged,
    problems,
    threaded,
)

router = APIRouter()

CLUSTER = "/{chain}/clusters/{dataset}/{level}/{address}"


@router.get(
    CLUSTER,
    operation_id="get_cluster",
    summary="A cluster by its handle",
    response_model=ClusterBody,
    responses=problems(404, 410, 422, 503),
)
async def cluster(chain: Chain, handle: ClusterHandle, service: ServiceOf) -> Response:
    """Size, sums and links by rule. Without @run: in the newest run."""
    views = await service.of_run(chain, handle)
    return answered(await threaded(lambda: cluster_body(chain, of_handle(views, handle))))


@router.get(
    CLUSTER + "/addresses",
    operation_id="list_cluster_addresses",
    summary="Addresses of a cluster, in order of first appearance",
    response_model=MembersBody,
    responses=problems(404, 410, 422, 503),
)
async def members(
    chain: Chain,
    handle: ClusterHandle,
    service: ServiceOf,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """Each with its facts."""
    of_list = f"members {chain} {handle}"
    start = service.cursors.read(of_list, cursor)
    views = await service.of_run(chain, handle, start)
    return paged(service, of_list, await threaded(lambda: members_page(chain, of_handle(views, handle), start, limit)))


@router.get(
    CLUSTER + "/links",
    operation_id="list_cluster_links",
    summary="The links that hold a cluster together",
    response_model=ClusterLinksBody,
    responses=problems(404, 410, 422, 503),
)
async def links(
    chain: Chain,
    handle: ClusterHandle,
    service: ServiceOf,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """All of them, redundant ones too, in chain order."""
    of_list = f"links {chain} {handle}"
    start = service.cursors.read(of_list, cursor)
    views = await service.of_run(chain, handle, start)
    return paged(service, of_list, await threaded(lambda: links_page(chain, of_handle(views, handle), start, limit)))


@router.get(
    CLUSTER + "/history",
    operation_id="get_cluster_history",
    summary="What the cluster was in each run",
    response_model=HistoryBody,
    responses=problems(404, 410, 422, 503),
)
async def history(chain: Chain, handle: ClusterHandle, service: ServiceOf) -> Response:
    """The newest run first, each with what became of the cluster since the one before."""
    views = await service.of_run(chain, handle)
    found = await threaded(lambda: of_handle(views, handle))

    async def reopen(run: int) -> DatasetView:
        return await service.views.at_run(found.view, run)

    async with service.connection() as connection:
        return answered(await history_of(connection, chain, found, reopen))
