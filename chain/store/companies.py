"""Companies and flags in Postgres. Names, identifiers and facts are only added; of a flag a new status is added."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from chain.errors import NotFound
from chain.store.postgres import Connection, queries

Identifier = tuple[str, str]
"""(scheme, value)"""


@dataclass(slots=True)
class StatedCompany:
    """A row of a source: what it says of one company."""

    company_id: uuid.UUID
    jurisdiction: str
    names: list[tuple[str, str, str, str]]
    """(name, kind, key, pinyin)"""
    identifiers: list[Identifier]
    facts: list[tuple[str, str]]
    """(kind, value)"""


@dataclass(frozen=True, slots=True)
class FlagStatus:
    """One entry of a flag's history."""

    version: int
    status: str
    since: date
    instrument: str
    note: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Flag:
    """What an authority holds against a company."""

    flag_id: uuid.UUID
    company_id: uuid.UUID
    authority: str
    document: str
    document_date: date
    url: str
    archived_sha256: str | None
    activity: str
    history: list[FlagStatus]

    @property
    def status(self) -> str:
        return self.history[-1].status

    @property
    def counts(self) -> bool:
        return self.status not in NOT_COUNTING


NOT_COUNTING = frozenset({"dismissed", "withdrawn"})
"""Statuses in which a flag counts for nothing; it stays in the history."""


@dataclass(frozen=True, slots=True)
class Company:
    """All that is kept of one company."""

    company_id: uuid.UUID
    jurisdiction: str
    names: list[tuple[str, str]]
    """(name, kind), legal first"""
    identifiers: list[Identifier]
    facts: list[tuple[str, str, str]]
    """(kind, value, source)"""
    same_name: int
    """Other companies with a name of the same form"""
    flags: list[Flag] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.names[0][0]


class CompanyStore:
    """Companies of one connection's database."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = queries("companies")

    async def lock(self) -> None:
        """Hold other writers of companies up until the transaction ends."""
        await self.connection.execute(self._sql["lock"])

    async def named(self, identifiers: Sequence[Identifier]) -> dict[Identifier, uuid.UUID]:
        """Which companies identifiers name already."""
        columns = [each[0] for each in identifiers], [each[1] for each in identifiers]
        rows = await self.connection.fetch(self._sql["named"], *columns)
        return {(row["scheme"], row["value"]): row["company_id"] for row in rows}

    async def known(self, ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
        return {row["company_id"] for row in await self.connection.fetch(self._sql["known"], ids)}

    async def add(self, companies: Sequence[StatedCompany], source: str) -> None:
        """What rows say, beside what is there."""
        await self._add("add_companies", {each.company_id: each.jurisdiction for each in companies}.items())
        await self._add("add_names", ((each.company_id, *name) for each in companies for name in each.names))
        await self._add(
            "add_identifiers", ((each.company_id, *pair) for each in companies for pair in each.identifiers)
        )
        facts = ((each.company_id, *fact, source) for each in companies for fact in each.facts)
        await self._add("add_facts", facts)

    async def _add(self, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
        columns = list(zip(*rows, strict=True))
        if columns:
            await self.connection.execute(self._sql[name], *columns)

    async def add_import(self, file: str, sha256: bytes, taken: int, rejected: int, by: str) -> None:
        await self.connection.execute(self._sql["add_import"], file, sha256, taken, rejected, by)

    async def find(self, handle: Identifier | uuid.UUID) -> uuid.UUID:
        """The id of a company; NotFound where there is none."""
        if isinstance(handle, uuid.UUID):
            found = await self.connection.fetchval(self._sql["by_id"], handle)
        else:
            found = await self.connection.fetchval(self._sql["by_identifier"], *handle)
        if found is None:
            shown = handle if isinstance(handle, uuid.UUID) else ":".join(handle)
            raise NotFound(f"there is no company {shown}")
        return uuid.UUID(str(found))

    async def company(self, company_id: uuid.UUID) -> Company:
        """NotFound where there is none."""
        row = await self.connection.fetchrow(self._sql["by_id"], company_id)
        if row is None:
            raise NotFound(f"there is no company {company_id}")
        names = await self.connection.fetch(self._sql["names"], company_id)
        identifiers = await self.connection.fetch(self._sql["identifiers"], company_id)
        facts = await self.connection.fetch(self._sql["facts"], company_id)
        return Company(
            company_id,
            row["jurisdiction"],
            [(each["name"], each["kind"]) for each in names],
            [(each["scheme"], each["value"]) for each in identifiers],
            [(each["kind"], each["value"], each["source"]) for each in facts],
            await self.connection.fetchval(self._sql["same_name"], company_id),
            (await self.flags([company_id])).get(company_id, []),
        )

    async def finds(self, key: str, beginning: str) -> bool:
        """Whether this server finds a form of a name by a beginning of it, as `listed` does."""
        return bool(await self.connection.fetchval(self._sql["finds"], key, beginning))

    async def listed(
        self, company_id: uuid.UUID | None, key: str | None, pinyin: str | None,
        after: tuple[str, uuid.UUID, str] | None, limit: int,
    ) -> list[tuple[str, uuid.UUID, int]]:  # fmt: skip
        """(legal name, id, flags ever) by name, behind `after`: (key, id, name)."""
        place = after or (None, None, None)
        rows = await self.connection.fetch(self._sql["listed"], company_id, key, pinyin, *place, limit)
        return [(row["name"], row["company_id"], row["flags"]) for row in rows]

    async def flags(self, companies: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Flag]]:
        """Their flags by company, each with its whole history, by the date of the document."""
        found: dict[uuid.UUID, list[Flag]] = {}
        for row in await self.connection.fetch(self._sql["flags"], list(companies)):
            mine = found.setdefault(row["company_id"], [])
            if not mine or mine[-1].flag_id != row["flag_id"]:
                archived = None if row["archived_sha256"] is None else bytes(row["archived_sha256"]).hex()
                mine.append(
                    Flag(
                        row["flag_id"], row["company_id"], row["authority"], row["document"], row["document_date"],
                        row["url"], archived, row["activity"], [],
                    )
                )  # fmt: skip
            mine[-1].history.append(
                FlagStatus(
                    row["version"], row["status"], row["since"], row["instrument"], row["note"], row["by_person"],
                    row["at"],
                )
            )  # fmt: skip
        return found

    async def add_flag(
        self, flag_id: uuid.UUID, company_id: uuid.UUID, authority: str, document: str, document_date: date, url: str,
        archived: bytes | None, activity: str,
    ) -> bool:  # fmt: skip
        """Whether it is new."""
        row = await self.connection.fetchval(
            self._sql["add_flag"], flag_id, company_id, authority, document, document_date, url, archived, activity
        )
        return row is not None

    async def add_status(
        self, flag_id: uuid.UUID, status: str, since: date, instrument: str, note: str, by: str
    ) -> uuid.UUID:
        """The company whose flag it is; NotFound where there is no such flag. In a transaction."""
        await self.connection.execute(self._sql["hold_flag"], flag_id)
        company = await self.connection.fetchval(self._sql["flag_company"], flag_id)
        if company is None:
            raise NotFound(f"there is no flag {flag_id}")
        await self.connection.execute(self._sql["add_status"], flag_id, status, since, instrument, note, by)
        return uuid.UUID(str(company))
