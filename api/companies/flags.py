"""Flags: what an authority holds against a company, with the history of its status (EVIDENCE 19)."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import date

from api.answers.view import InvalidParameter
from api.companies.identifiers import NAMESPACE
from chain.store.companies import CompanyStore
from chain.store.postgres import Connection

ACTIVITIES = ("trading venue", "overseas channel", "token sale")
STATUSES = (
    "screened", "under inquiry", "alleged", "responded", "decided", "dismissed", "appealed", "rectified", "withdrawn",
)  # fmt: skip
MAX_TEXT = 300
MAX_NOTE = 2_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class NewFlag:
    """A flag as somebody states it; InvalidParameter where a field is not what it must be."""

    authority: str
    document: str
    document_date: date
    activity: str
    url: str = ""
    archived_sha256: str = ""

    def __post_init__(self) -> None:
        text("authority", self.authority)
        text("document", self.document)
        one_of("activity", self.activity, ACTIVITIES)
        if self.url and (len(self.url) > MAX_NOTE or not self.url.startswith(("http://", "https://"))):
            raise InvalidParameter("url", "it begins with http:// or https://")
        if self.archived_sha256 and not _SHA256.fullmatch(self.archived_sha256):
            raise InvalidParameter("archived_sha256", "it is 64 lower-case hex digits")


@dataclass(frozen=True, slots=True)
class NewStatus:
    """What a flag is from a day on; InvalidParameter where a field is not what it must be."""

    status: str
    since: date
    instrument: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        one_of("status", self.status, STATUSES)
        if self.status == "decided" and not self.instrument:
            raise InvalidParameter("instrument", "a decision is named with the number of its instrument")
        text("instrument", self.instrument, needed=False)
        text("note", self.note, MAX_NOTE, needed=False)


def text(name: str, value: str, most: int = MAX_TEXT, *, needed: bool = True) -> str:
    """InvalidParameter where a text is empty, too long, or has what cannot be printed."""
    if needed and not value.strip():
        raise InvalidParameter(name, "it is empty")
    if len(value) > most:
        raise InvalidParameter(name, f"it has at most {most} characters")
    if any(not (c.isprintable() or c in "\n\t") for c in value):
        raise InvalidParameter(name, "it has characters that cannot be printed")
    return value


def one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise InvalidParameter(name, f"it is one of: {', '.join(known)}")
    return value


async def add_flag(
    connection: Connection, company: uuid.UUID, flag: NewFlag, status: NewStatus, by: str
) -> tuple[uuid.UUID, bool]:
    """The flag's id, and whether it is new: one authority's document on one activity is one flag."""
    named = f"flag:{company}:{flag.authority}:{flag.document}:{flag.document_date}:{flag.activity}"
    flag_id = uuid.uuid5(NAMESPACE, named)
    archived = bytes.fromhex(flag.archived_sha256) or None
    store = CompanyStore(connection)
    async with connection.transaction():
        await store.company(company)
        new = await store.add_flag(
            flag_id, company, flag.authority, flag.document, flag.document_date, flag.url, archived, flag.activity
        )
        if new:
            await store.add_status(flag_id, status.status, status.since, status.instrument, status.note, by)
    return flag_id, new


async def set_status(connection: Connection, flag: uuid.UUID, status: NewStatus, by: str) -> uuid.UUID:
    """A new entry of a flag's history; the company whose flag it is. NotFound."""
    async with connection.transaction():
        return await CompanyStore(connection).add_status(
            flag, status.status, status.since, status.instrument, status.note, by
        )
