"""Connections, migrations and the named queries of the .sql files beside this module."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from chain.errors import StoreError, StoreUnavailable

OLDEST_SERVER = 150_000
"""Postgres 15: MERGE, security_invoker views; the embedded one is 18."""

RECOVERY_SECONDS = 30
"""How long a server may recover from a crash before a command gives up on it."""

_HERE = Path(__file__).parent
_MIGRATION_LOCK = 0x68656164
"""Advisory lock that two migrating processes meet at ("head")."""

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]
else:
    Connection = asyncpg.Connection


LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What a statement raises where the server, the connection or the way to it is gone."""


@contextlib.contextmanager
def available(what: str) -> Iterator[None]:
    """Whatever the database does not do in the block is StoreUnavailable."""
    try:
        yield
    except LOST as error:
        raise StoreUnavailable(f"{what}: {error or type(error).__name__}") from error


async def connect(url: str, **server_settings: str) -> Connection:
    """A connection; a server that is recovering from a crash is waited for. StoreUnavailable, without the password,
    where there is none to be had."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            connection: Connection = await asyncpg.connect(url, timeout=10, server_settings=server_settings)
            break
        except asyncpg.CannotConnectNowError as error:
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"cannot connect to {_without_password(url)}: {error}") from error
            await asyncio.sleep(0.1)
        except (*LOST, ValueError) as error:
            reason = error or type(error).__name__
            raise StoreUnavailable(f"cannot connect to {_without_password(url)}: {reason}") from error
    version = connection.get_server_version()
    if version.major * 10_000 < OLDEST_SERVER:
        await connection.close()
        raise StoreUnavailable(f"Postgres {version.major} is older than {OLDEST_SERVER // 10_000}")
    return connection


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection for the duration of a block."""
    connection = await connect(url)
    try:
        yield connection
    finally:
        with contextlib.suppress(asyncpg.PostgresError, OSError):
            await connection.close(timeout=5)


def _without_password(url: str) -> str:
    return re.sub(r"//([^:@/]*):[^@/]*@", r"//\1@", url)


@cache
def queries(file: str) -> dict[str, str]:
    """The queries of `queries/<file>.sql` by name; each follows a line `-- name: <name>`."""
    text = (_HERE / "queries" / f"{file}.sql").read_text()
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (body.strip().rstrip(";") for body in parts[2::2]), strict=True))


def migrations() -> list[tuple[str, str]]:
    """Name and text of each migration, in order."""
    return [(path.stem, path.read_text()) for path in sorted((_HERE / "migrations").glob("*.sql"))]


async def migrate(connection: Connection) -> list[str]:
    """Apply what was not applied yet, each in a transaction; the names. StoreError where history differs."""
    applied: list[str] = []
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        await connection.execute(queries("migrations")["create_table"])
        known = {row["name"]: row["sha256"] for row in await connection.fetch(queries("migrations")["applied"])}
        for name, text in migrations():
            digest = hashlib.sha256(text.encode()).hexdigest()
            if name not in known:
                await connection.execute(text)
                await connection.execute(queries("migrations")["record"], name, digest)
                applied.append(name)
            elif known[name] != digest:
                raise StoreError(f"migration {name} was applied with another text; this database is of other code")
        unknown = sorted(set(known) - {name for name, _ in migrations()})
        if unknown:
            raise StoreError(f"the database is of newer code: it has migration {unknown[-1]}")
    return applied
