"""/v1/{chain}/transactions, /v1/runs, /v1/{chain}/runs/diff and /v1/health."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from api.answers.diff import LISTED, MAX_LISTED, diff
from api.answers.ethereum import ethereum_state
from api.answers.run_shapes import DiffBody
from api.answers.state import dataset_state, health_body, runs_page
from api.answers.state_shapes import HealthBody, RunsBody
from api.answers.transaction import read_txid, stored, transaction_body
from api.answers.transaction_shapes import TransactionBody
from api.answers.view import DatasetView
from api.routes.service import (
    DATASET,
    DEFAULT_LIMIT,
    Chain,
    Cursor,
    Limit,
    ServiceOf,
    answered,
    paged,
    problems,
    threaded,
)
from chain.store.answers import AnswerStore, Reorganised
from chain.store.ethereum import EthereumStore
from chain.store.ledger import LedgerStore
from chain.store.links import LinkStore

router = APIRouter()

MAX_RUN = 2**31 - 1
"""Runs are numbered in 32 bits."""


@router.get(
    "/{chain}/transactions/{txid}",
    operation_id="get_transaction",
    summary="Class, movements and links of a transaction",
    response_model=TransactionBody,
    responses=problems(404, 422, 503),
)
async def transaction(
    chain: Chain, service: ServiceOf, txid: Annotated[str, Path(description="64 hex digits", max_length=200)]
) -> Response:
    """Every transaction of that id, in every dataset that has one."""
    digest = read_txid(txid)
    views = await service.views.views(chain)
    try:
        async with service.connection() as connection:
            found = await stored(connection, views, digest)
    except Reorganised:  # since the views were opened: once more, with new ones
        await service.views.refresh(now=True)
        views = await service.views.views(chain)
        async with service.connection() as connection:
            found = await stored(connection, views, digest)
    return answered(await threaded(lambda: transaction_body(chain, views, digest, found)))


@router.get(
    "/runs",
    operation_id="list_runs",
    summary="Runs of clustering, the newest first",
    response_model=RunsBody,
    responses=problems(404, 410, 422, 503),
)
async def runs(
    service: ServiceOf,
    chain: Annotated[str | None, Query(description="btc; left out, every chain", max_length=16)] = None,
    dataset: Annotated[str | None, Query(description=DATASET, max_length=63)] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """What each run rests on, and the digest of its partition."""
    of_list = f"runs {chain} {dataset}"
    start = service.cursors.read(of_list, cursor)
    views = await service.views.views(chain, dataset)
    found = {}
    async with service.connection() as connection:
        for view in views:
            here = start is not None and start.dataset == view.name and start.after is not None
            before = int(start.after[0]) if start is not None and here and start.after else None
            found[view.name] = await LinkStore(connection).runs(view.dataset, limit + 1, before)
    return paged(service, of_list, runs_page(chain, views, found, start, limit))


@router.get(
    "/{chain}/runs/diff",
    operation_id="diff_runs",
    summary="What differs between two runs of a dataset",
    response_model=DiffBody,
    responses=problems(404, 410, 422, 503),
)
async def runs_diff(
    chain: Chain,
    service: ServiceOf,
    dataset: Annotated[str, Query(description=DATASET, max_length=63)],
    first: Annotated[int, Query(alias="from", ge=1, le=MAX_RUN, description="The earlier run")],
    last: Annotated[int, Query(alias="to", ge=1, le=MAX_RUN, description="The later run")],
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED, description="Merges, splits and links to list, each")] = LISTED,
) -> Response:
    """Merges and splits, links judged otherwise, and what the two judged by."""
    (view,) = await service.views.views(chain, dataset)

    async def reopen(run: int) -> DatasetView:
        return await service.views.at_run(view, run)

    async with service.connection() as connection:
        return answered(await diff(connection, chain, view, first, last, limit, reopen))


@router.get(
    "/health",
    operation_id="get_health",
    summary="Whether the service can answer, and how far each dataset reaches",
    response_model=HealthBody,
    responses=problems(503),
)
async def health(service: ServiceOf) -> Response:
    """Tips, what follows behind, and coverage. 503 where the database is away."""
    async with service.connection() as connection:
        store = AnswerStore(connection)
        version = await store.server_version()
        states = {state.name: state for state in await store.states()}
        datasets = await LedgerStore(connection).datasets()
        others = [await ethereum_state(connection, each) for each in await EthereumStore(connection).datasets()]
    await service.views.refresh()
    views = service.views.all_views()
    known = [each for each in datasets if each.name in states]
    found = [dataset_state(each, states[each.name], views.get(each.name)) for each in known]
    return answered(health_body(version, [*found, *others]))
