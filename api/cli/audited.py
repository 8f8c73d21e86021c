"""Commands on companies and cases: each is an entry in the audit log, by the user of this machine."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable
from typing import TypeVar

import orjson

from api.access.audit_log import Told, record, seal
from api.cli.options import local_person, settings
from api.instance import Instance, session
from chain.store.postgres import Connection

T = TypeVar("T")
PURPOSE = "typed at the command line"


async def audited(
    action: str, asked_of: str, work: Callable[[Instance, Connection], Awaitable[T]], case: uuid.UUID | None = None
) -> T:
    """Do a command's work in one transaction, with its entry in the log as the last thing in it."""
    async with session(settings()) as (instance, connection):
        async with connection.transaction():
            found = await work(instance, connection)
            digest = hashlib.sha256(orjson.dumps(found, default=str)).digest()
            await record(
                connection, key_id=None, person=local_person(), case_id=case, purpose=PURPOSE, action=action,
                asked_of=asked_of, query="", told=Told(1, digest), client="command line",
            )  # fmt: skip
        await seal(connection, instance.home)
        return found
