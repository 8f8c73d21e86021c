"""Keys and the audit log in Postgres, and the role that the service works as."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from chain.errors import NotFound
from chain.store.postgres import Connection, queries


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is kept of a key."""

    key_id: uuid.UUID
    sha256: bytes
    person: str
    scopes: tuple[str, ...]
    revoked: bool
    expired: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One access, as the log keeps it; `seq` and `at` are the database's."""

    key_id: uuid.UUID | None
    person: str
    case_id: uuid.UUID | None
    purpose_hash: bytes
    action: str
    object: str
    query_hash: bytes
    result_rows: int
    result_hash: bytes
    rests_on: str
    client: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Sealed entries."""

    batch: int
    first_seq: int
    last_seq: int
    entries: int
    root: bytes
    previous: bytes


class KeyStore:
    """Keys of one connection's database."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = queries("access")

    async def add(
        self, key_id: uuid.UUID, handle: str, sha256: bytes, person: str, name: str, scopes: Sequence[str],
        expires_at: datetime | None,
    ) -> None:  # fmt: skip
        await self.connection.execute(
            self._sql["add_key"], key_id, handle, sha256, person, name, list(scopes), expires_at
        )

    async def key(self, handle: str) -> StoredKey | None:
        row = await self.connection.fetchrow(self._sql["key"], handle)
        if row is None:
            return None
        return StoredKey(
            row["key_id"], bytes(row["sha256"]), row["person"], tuple(row["scopes"]), row["revoked"], row["expired"]
        )

    async def keys(self) -> list[dict[str, Any]]:
        """The newest first."""
        return [dict(row) for row in await self.connection.fetch(self._sql["keys"])]

    async def revoke(self, key_id: uuid.UUID) -> None:
        """NotFound where there is none."""
        if await self.connection.fetchval(self._sql["revoke"], key_id) is None:
            raise NotFound(f"there is no key {key_id}")


class AuditStore:
    """The audit log of one connection's database."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = queries("access")

    async def work_as(self, key_id: uuid.UUID | None, case_id: uuid.UUID | None) -> None:
        """Say whose rows this transaction may see. In a transaction."""
        await self.connection.execute(
            self._sql["work_as"], str(key_id) if key_id else "", str(case_id) if case_id else ""
        )

    async def add(self, entry: Entry, salt: bytes, purpose: str) -> int:
        """Its number. In a transaction, as the last thing in it: the sealer waits for its end."""
        await self.connection.execute(self._sql["hold"])
        values = [getattr(entry, name) for name in Entry.__dataclass_fields__]
        seq = int(await self.connection.fetchval(self._sql["add_entry"], *values))
        await self.connection.execute(self._sql["add_text"], seq, salt, purpose)
        return seq

    async def posted(self, key_id: uuid.UUID, idempotency_key: str) -> tuple[bytes, int, bytes] | None:
        """(digest of the request, status, body) of what was answered; holds others of the key up. In a transaction."""
        await self.connection.execute(self._sql["hold_posted"], key_id, idempotency_key)
        row = await self.connection.fetchrow(self._sql["posted"], key_id, idempotency_key)
        return None if row is None else (bytes(row["digest"]), row["status"], bytes(row["body"]))

    async def add_posted(
        self, key_id: uuid.UUID, idempotency_key: str, digest: bytes, status: int, body: bytes
    ) -> None:
        await self.connection.execute(self._sql["add_posted"], key_id, idempotency_key, digest, status, body)

    async def unsealed(self) -> bool:
        return bool(await self.connection.fetchval(self._sql["unsealed"]))

    async def seal_lock(self) -> None:
        """Wait until no entry is being added. In a transaction."""
        await self.connection.execute(self._sql["seal_lock"])

    async def last_batch(self) -> Batch | None:
        row = await self.connection.fetchrow(self._sql["last_batch"])
        return None if row is None else _batch(row)

    async def batches(self, after: int, limit: int) -> list[Batch]:
        return [_batch(row) for row in await self.connection.fetch(self._sql["batches"], after, limit)]

    async def entries(self, after: int, until: int, limit: int) -> list[dict[str, Any]]:
        """Entries behind `after`, none behind `until`, in order."""
        return [dict(row) for row in await self.connection.fetch(self._sql["entries"], after, until, limit)]

    async def texts(self, after: int, until: int) -> dict[int, tuple[bytes | None, str | None]]:
        """Salt and words by entry; both None where they were erased."""
        rows = await self.connection.fetch(self._sql["texts"], after, until)
        return {row["seq"]: (row["salt"], row["purpose"]) for row in rows}

    async def add_batch(self, batch: Batch) -> None:
        await self.connection.execute(
            self._sql["add_batch"], batch.batch, batch.first_seq, batch.last_seq, batch.entries, batch.root,
            batch.previous,
        )  # fmt: skip

    async def listed(self, case_id: uuid.UUID | None, limit: int) -> list[dict[str, Any]]:
        """The newest first."""
        return [dict(row) for row in await self.connection.fetch(self._sql["listed"], case_id, limit)]

    async def erase_texts(self, case_id: uuid.UUID, before: datetime) -> int:
        """How many purposes of a case were taken out."""
        return int((await self.connection.execute(self._sql["erase_texts"], case_id, before)).split()[-1])


def _batch(row: asyncpg.Record) -> Batch:
    return Batch(
        row["batch"], row["first_seq"], row["last_seq"], row["entries"], bytes(row["root"]), bytes(row["previous"])
    )


async def database_id(connection: Connection) -> str:
    return str(await connection.fetchval(queries("access")["database_id"]))


async def role_exists(connection: Connection, role: str) -> bool:
    return bool(await connection.fetchval(queries("access")["role_exists"], role))


async def role_faults(connection: Connection, role: str) -> list[str]:
    """Why row security would not hold for a role; empty where it does."""
    row = await connection.fetchrow(queries("access")["role_facts"], role)
    if row is None:
        return ["there is no such role"]
    faults = {
        "is a superuser": row["superuser"],
        "bypasses row security": row["bypasses_row_security"],
        f"is the holder of {row['relations']} relations": row["relations"] > 0,
    }
    return [fault for fault, there in faults.items() if there]


async def set_role(connection: Connection, role: str, password: str) -> None:
    """Make the role or give it another password; both are words of [A-Za-z0-9_-] that this process made."""
    verb = "alter" if await role_exists(connection, role) else "create"
    rights = "login nosuperuser nobypassrls nocreatedb nocreaterole noinherit"
    await connection.execute(f"{verb} role \"{role}\" with {rights} password '{password}'")


async def grant(connection: Connection, role: str) -> None:
    """Let the role do what the service needs, and nothing else."""
    sql = queries("grants")
    quoted = '"' + role.replace('"', '""') + '"'
    async with connection.transaction():
        await connection.execute(sql["public"])
        await connection.execute(sql["service"].replace("{role}", quoted))
