"""The REST service, under /v1."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
from fastapi import Depends, FastAPI

from api import problems
from api.access.audit_log import keep_sealed
from api.access.guard import NoKeysInUrls, Requires, anonymous_scopes, refuse_open_routes
from api.access.limits import Limits
from api.access.role import service_url
from api.access.scopes import CHAIN_READ, TRACE_RUN
from api.answers.opening import ViewCache
from api.answers.state import VERSION
from api.cursors import Cursors
from api.instance import Instance
from api.labels.column import LabelCache
from api.routes import addresses, cases, clusters, companies, ethereum, exposure, held, jobs, labels, ledger
from api.routes.service import Service, known_parameters
from api.routes.service import problems as problems_of
from chain.errors import HeadwaterError
from chain.settings import Settings
from chain.store.answers import reading

POOL_SIZE = 8
"""Connections of one service."""

DESCRIPTION = """Answers rest on what is loaded and say so: `as_of`, `clustering` and `coverage` stand in
each. Amounts are decimal strings in base units. A cluster holds by convention; it is not a finding of
ownership."""

OPEN = (
    (jobs, TRACE_RUN),
    (exposure, CHAIN_READ),
    (ethereum, CHAIN_READ),
    (ledger, CHAIN_READ),
    (addresses, CHAIN_READ),
    (clusters, CHAIN_READ),
    (held, CHAIN_READ),
    (labels, CHAIN_READ),
)
"""Routers that know no company, and the scope that each asks for. Earlier ones match first."""

GUARDED = (companies, cases)
"""Routers whose routes each declare their scope."""

log = logging.getLogger("headwater")


def create_app(instance: Instance | None = None) -> FastAPI:
    """The service of an instance; None makes an app that can only describe itself."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if instance is None:
            yield
            return
        settings = instance.settings
        url = await service_url(instance)
        async with _pool(url, settings) as pool:
            service = Service(
                ViewCache(url, instance.home, pool),
                Cursors.of_instance(instance.home),
                pool,
                LabelCache(url, instance.home),
                Limits(settings.rate_per_second, settings.rate_burst),
                anonymous_scopes(settings.anonymous_scopes.split(",")),
            )
            app.state.service = service
            with contextlib.suppress(HeadwaterError):  # it will be tried again at the first request
                await service.views.refresh()
            sealing = asyncio.create_task(keep_sealed(service.connection, instance.home))
            try:
                yield
            finally:
                sealing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await sealing

    app = FastAPI(
        title="Headwater",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # its page loads scripts from elsewhere, which an office without a network does not have
        redoc_url=None,
    )
    problems.install(app)
    app.add_middleware(NoKeysInUrls)
    for router in GUARDED:
        needs = [Depends(known_parameters)]
        app.include_router(router.router, prefix="/v1", dependencies=needs, responses=problems_of(401, 403, 429))
    for module, scope in OPEN:
        needs = [Depends(Requires(scope)), Depends(known_parameters)]
        app.include_router(module.router, prefix="/v1", dependencies=needs, responses=problems_of(401, 403, 429))
    refuse_open_routes(app)
    return app


@contextlib.asynccontextmanager
async def _pool(url: str, chosen: Settings) -> AsyncIterator[asyncpg.Pool[Any]]:
    settings = {
        "statement_timeout": str(chosen.statement_timeout_ms),
        "idle_in_transaction_session_timeout": "10000",
        "application_name": "headwater serve",
    }
    async with reading():
        pool = await asyncpg.create_pool(url, min_size=1, max_size=POOL_SIZE, server_settings=settings)
    try:
        yield pool
    finally:
        pool.terminate()
