"""/v1/{chain}/addresses/{address}/exposure and the same of a cluster."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.answers.exposure_shapes import ExposureBody
from api.answers.view import InvalidParameter
from api.routes.service import DATASET, Address, Chain, ClusterHandle, Service, ServiceOf, answered, problems
from api.tracing.exposure import exposure_body, exposure_request
from api.tracing.opening import open_chain
from api.tracing.request import TraceRequest, read_policy
from api.tracing.seeds import CHAINS, read_address
from chain.errors import NotFound, StoreBusy
from chain.store.answers import reading
from chain.store.postgres import connected
from clustering.trace.policies import Policy

router = APIRouter()

SECONDS = 30
"""What one may take; the command has no such bound."""

AT_ONCE = 2
"""Exposures that a service traces at once: each holds a dataset's movements in memory."""

PolicyName = Annotated[str, Query(description="A convention; those that go back in time tell both ways", max_length=32)]


@router.get(
    "/{chain}/addresses/{address}/exposure",
    operation_id="get_exposure",
    summary="To whom an address' money went and from whom it came, by labels",
    response_model=ExposureBody,
    responses=problems(404, 422, 503),
)
async def exposure(
    chain: Chain,
    address: Address,
    service: ServiceOf,
    policy: PolicyName = Policy.FIFO.value,
    dataset: Annotated[str | None, Query(description=DATASET, max_length=63)] = None,
) -> Response:
    """Straight, and over unlabelled addresses; what ended at no label stands beside, so that all of it adds up."""
    if chain not in CHAINS:
        raise NotFound(f"there is no chain {chain[:16]}; {', '.join(CHAINS)} are")
    request = exposure_request(read_policy(policy), dataset)
    return await _answered(service, chain, read_address(chain, address), request, cluster=False)


@router.get(
    "/{chain}/clusters/{dataset}/{level}/{address}/exposure",
    operation_id="get_cluster_exposure",
    summary="The same of a whole cluster, as one",
    response_model=ExposureBody,
    responses=problems(404, 422, 503),
)
async def cluster_exposure(
    chain: Chain, handle: ClusterHandle, service: ServiceOf, policy: PolicyName = Policy.FIFO.value
) -> Response:
    """Of the newest run's cluster that the address is in."""
    if chain != "btc":
        raise NotFound("only btc has clusters that hold")
    views = await service.of_run(chain, handle)
    newest = {view.name: view.run for view in views}.get(handle.dataset)
    if handle.run is not None and handle.run != newest:
        raise InvalidParameter("address", f"an exposure is of the newest run, which is {newest}")
    request = exposure_request(read_policy(policy), handle.dataset)
    return await _answered(service, chain, read_address(chain, handle.address), request, cluster=True)


async def _answered(service: Service, chain: str, address: str, request: TraceRequest, *, cluster: bool) -> Response:
    if service.exposures >= AT_ONCE:
        raise StoreBusy(f"exposures: {AT_ONCE} are traced at once; come again later")
    service.exposures += 1
    try:
        work = _traced(service, chain, address, request, cluster=cluster)
        return answered(await asyncio.to_thread(asyncio.run, work))
    finally:
        service.exposures -= 1


async def _traced(service: Service, chain: str, address: str, request: TraceRequest, *, cluster: bool) -> Any:
    deadline = time.monotonic() + SECONDS
    async with reading(), connected(service.views.url) as connection:
        grounds = await open_chain(connection, service.views.url, service.views.home, request, chain)
        return await exposure_body(
            connection, grounds, chain, address, request.policy, cluster=cluster,
            cancelled=lambda: time.monotonic() > deadline,
        )  # fmt: skip
