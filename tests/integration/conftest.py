"""A real Postgres for the tests that need one: one server a session, one database a test where it writes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.instance import Instance, open_instance
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance of its own in an empty home folder, shared by the tests that add to it."""
    home = tmp_path_factory.mktemp("home")
    yield asyncio.run(open_instance(Settings(home=home, database_url=None)))
    EmbeddedPostgres(home).stop()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Instance]:
    """An instance that belongs to one test."""
    yield asyncio.run(open_instance(Settings(home=tmp_path, database_url=None)))
    EmbeddedPostgres(tmp_path).stop()
