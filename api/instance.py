"""An instance: one home folder with its database, columns and clusterings, opened for a command or the service."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.ledger import LedgerStore
from chain.store.postgres import Connection, connected, migrate


@dataclass(frozen=True, slots=True)
class Instance:
    """Where everything of an instance is."""

    settings: Settings
    url: str

    @property
    def home(self) -> Path:
        return self.settings.folder


async def open_instance(settings: Settings) -> Instance:
    """The instance that the settings name; the embedded database is started where it does not run."""
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
    else:
        url = await asyncio.to_thread(EmbeddedPostgres(settings.folder).start)
    instance = Instance(settings, url)
    async with connected(url) as connection:
        await migrate(connection)
    return instance


@contextlib.asynccontextmanager
async def session(settings: Settings) -> AsyncIterator[tuple[Instance, Connection]]:
    """An instance with one connection to its database."""
    instance = await open_instance(settings)
    async with connected(instance.url) as connection:
        yield instance, connection


@contextlib.asynccontextmanager
async def ledger(settings: Settings) -> AsyncIterator[tuple[Instance, LedgerStore]]:
    """An instance with its ledger."""
    async with session(settings) as (instance, connection):
        yield instance, LedgerStore(connection)
