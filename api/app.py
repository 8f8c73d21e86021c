"""The REST service, under /v1."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
from fastapi import Depends, FastAPI

from api import problems
from api.answers.opening import ViewCache
from api.answers.state import VERSION
from api.cursors import Cursors
from api.instance import Instance
from api.labels.column import LabelCache
from api.routes import addresses, clusters, ethereum, exposure, held, jobs, labels, ledger
from api.routes.service import Service, known_parameters
from chain.errors import HeadwaterError
from chain.store.answers import reading

POOL_SIZE = 8
"""Connections of one service."""

DESCRIPTION = """Answers rest on what is loaded and say so: `as_of`, `clustering` and `coverage` stand in
each. Amounts are decimal strings in base units. A cluster holds by convention; it is not a finding of
ownership."""

log = logging.getLogger("headwater")


def create_app(instance: Instance | None = None) -> FastAPI:
    """The service of an instance; None makes an app that can only describe itself."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if instance is None:
            yield
            return
        async with _pool(instance) as pool:
            service = Service(
                ViewCache(instance.url, instance.home, pool),
                Cursors.of_instance(instance.home),
                pool,
                LabelCache(instance.url, instance.home),
            )
            app.state.service = service
            with contextlib.suppress(HeadwaterError):  # it will be tried again at the first request
                await service.views.refresh()
            yield

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
    for module in (jobs, exposure, ethereum, ledger, addresses, clusters, held, labels):
        app.include_router(module.router, prefix="/v1", dependencies=[Depends(known_parameters)])
    return app


@contextlib.asynccontextmanager
async def _pool(instance: Instance) -> AsyncIterator[asyncpg.Pool[Any]]:
    settings = {
        "statement_timeout": str(instance.settings.statement_timeout_ms),
        "idle_in_transaction_session_timeout": "10000",
        "application_name": "headwater serve",
    }
    async with reading():
        pool = await asyncpg.create_pool(instance.url, min_size=1, max_size=POOL_SIZE, server_settings=settings)
    try:
        yield pool
    finally:
        pool.terminate()
