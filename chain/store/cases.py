"""Cases in Postgres: the file, candidates, exhibits, entries, claims, links in their versions, decisions.

Nothing is changed after it was written, but for a claim's withdrawal, a case's end, and erasure, which leaves the rows,
their numbers and hashes. A session of the service sees the rows of the case that it named, where its key is a member.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg

from chain.errors import HeadwaterError, NotFound
from chain.store.postgres import Connection, queries


class CaseClosed(HeadwaterError):
    """The case is closed: nothing is added to it."""

    problem_type = "case-closed"
    status = 409


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it was opened."""

    case_id: uuid.UUID
    title: str
    question: str
    convention: str
    reason: str
    opened_by: str
    opened_at: datetime
    closed_at: datetime | None
    erased_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredClaim:
    """Somebody says that a company has to do with an address."""

    number: int
    company_id: uuid.UUID
    chain: str
    address: str
    role: str
    kind: str
    root: str
    exhibit: int | None
    against: bool
    statement: str
    by: str
    at: datetime
    withdrawn_at: datetime | None
    withdrawn_reason: str | None


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A link in the form that stands."""

    link_id: uuid.UUID
    company_id: uuid.UUID
    chain: str
    address: str
    role: str
    version: int
    body: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class LinkDecision:
    """What a person made of a version of a link."""

    number: int
    version: int
    decision: str
    reason: str
    by: str
    at: datetime


class CaseStore:
    """Cases of one connection's database."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = queries("cases")

    async def open(
        self, case_id: uuid.UUID, title: str, question: str, convention: str, reason: str, person: str
    ) -> None:
        """A new case; the session's key, if it has one, is its first member."""
        await self.connection.execute(self._sql["open"], case_id, title, question, convention, reason, person)

    async def lock(self, case_id: uuid.UUID) -> None:
        await self.connection.execute(self._sql["lock"], case_id)

    async def case(self, case_id: uuid.UUID) -> Case:
        """NotFound where there is none, or none that the session may see: the same."""
        row = await self.connection.fetchrow(self._sql["case"], case_id)
        if row is None:
            raise NotFound(f"there is no case {case_id}")
        return Case(**row)

    async def open_case(self, case_id: uuid.UUID) -> Case:
        """A case that something can be added to, locked; NotFound, CaseClosed. In a transaction."""
        case = await self.case(case_id)
        await self.lock(case_id)
        if case.closed_at is not None:
            raise CaseClosed()
        return case

    async def basis(self, case_id: uuid.UUID) -> str:
        """The digest of what the links were last inferred from; empty before the first time."""
        return str(await self.connection.fetchval(self._sql["basis"], case_id))

    async def set_basis(self, case_id: uuid.UUID, basis: str) -> None:
        await self.connection.execute(self._sql["set_basis"], case_id, basis)

    async def cases(self) -> list[dict[str, Any]]:
        """The newest first."""
        return [dict(row) for row in await self.connection.fetch(self._sql["cases"])]

    async def close(self, case_id: uuid.UUID) -> None:
        await self.connection.execute(self._sql["close"], case_id)

    async def memberships(self) -> list[uuid.UUID]:
        """The cases that the session's key is a member of."""
        return [row["case_id"] for row in await self.connection.fetch(self._sql["memberships"])]

    async def add_member(self, case_id: uuid.UUID, key_id: uuid.UUID) -> None:
        await self.connection.execute(self._sql["add_member"], case_id, key_id)

    async def add_candidate(self, case_id: uuid.UUID, company_id: uuid.UUID, by: str) -> None:
        await self.connection.execute(self._sql["add_candidate"], case_id, company_id, by)

    async def candidates(self, case_id: uuid.UUID) -> list[uuid.UUID]:
        return [row["company_id"] for row in await self.connection.fetch(self._sql["candidates"], case_id)]

    async def add_exhibit(
        self, case_id: uuid.UUID, name: str, sha256: bytes, size: int, root: str, collector: str, method: str,
        collected_on: date, content: bytes, by: str,
    ) -> int:  # fmt: skip
        """Its number; `content` is compressed."""
        return int(
            await self.connection.fetchval(
                self._sql["add_exhibit"],
                case_id,
                name,
                sha256,
                size,
                root,
                collector,
                method,
                collected_on,
                content,
                by,
            )
        )

    async def exhibits(self, case_id: uuid.UUID) -> list[dict[str, Any]]:
        rows = await self.connection.fetch(self._sql["exhibits"], case_id)
        return [{**row, "sha256": bytes(row["sha256"]).hex()} for row in rows]

    async def exhibit_content(self, case_id: uuid.UUID, number: int) -> asyncpg.Record:
        """(name, sha256, size, content); NotFound."""
        row: asyncpg.Record | None = await self.connection.fetchrow(self._sql["exhibit_content"], case_id, number)
        if row is None:
            raise NotFound(f"the case has no exhibit {number}")
        return row

    async def add_entry(self, case_id: uuid.UUID, kind: str, body: str, by: str) -> int:
        return int(await self.connection.fetchval(self._sql["add_entry"], case_id, kind, body, by))

    async def entries(self, case_id: uuid.UUID) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.connection.fetch(self._sql["entries"], case_id)]

    async def add_claim(
        self, case_id: uuid.UUID, company_id: uuid.UUID, chain: str, address: str, role: str, kind: str, root: str,
        exhibit: int | None, against: bool, statement: str, by: str,
    ) -> int:  # fmt: skip
        """Its number; NotFound where the case has no such exhibit."""
        try:
            return int(
                await self.connection.fetchval(
                    self._sql["add_claim"], case_id, company_id, chain, address, role, kind, root, exhibit, against,
                    statement, by,
                )
            )  # fmt: skip
        except asyncpg.ForeignKeyViolationError:
            raise NotFound(f"the case has no exhibit {exhibit}, or there is no company {company_id}") from None

    async def claims(self, case_id: uuid.UUID) -> list[StoredClaim]:
        names = [name for name in StoredClaim.__dataclass_fields__ if name != "by"]
        rows = await self.connection.fetch(self._sql["claims"], case_id)
        return [StoredClaim(**{name: row[name] for name in names}, by=row["by_person"]) for row in rows]

    async def withdraw_claim(self, case_id: uuid.UUID, number: int, reason: str) -> None:
        """NotFound where there is none that stands."""
        if await self.connection.fetchval(self._sql["withdraw_claim"], case_id, number, reason) is None:
            raise NotFound(f"the case has no claim {number} that stands")

    async def newest_versions(self, case_id: uuid.UUID) -> dict[uuid.UUID, bytes]:
        """The digest of the form of each link that stands."""
        rows = await self.connection.fetch(self._sql["newest_versions"], case_id)
        return {row["link_id"]: bytes(row["digest"]) for row in rows}

    async def add_version(
        self, case_id: uuid.UUID, link_id: uuid.UUID, link: tuple[uuid.UUID, str, str, str], body: Mapping[str, Any],
        digest: bytes,
    ) -> int:  # fmt: skip
        """A new form of a link, which is made where it is new; `link`: company, chain, address, role."""
        await self.connection.execute(self._sql["add_link"], link_id, case_id, *link)
        text = json.dumps(body, sort_keys=True, ensure_ascii=False)
        return int(await self.connection.fetchval(self._sql["add_version"], link_id, case_id, text, digest))

    async def links(self, case_id: uuid.UUID) -> list[StoredLink]:
        rows = await self.connection.fetch(self._sql["links"], case_id)
        return [StoredLink(**{**row, "body": json.loads(row["body"])}) for row in rows]

    async def link(self, link_id: uuid.UUID) -> asyncpg.Record:
        """(link_id, case_id, company_id, chain, address, role); NotFound."""
        row: asyncpg.Record | None = await self.connection.fetchrow(self._sql["link"], link_id)
        if row is None:
            raise NotFound(f"there is no link {link_id}")
        return row

    async def versions(self, link_id: uuid.UUID) -> list[dict[str, Any]]:
        """Every form that it had, the oldest first."""
        rows = await self.connection.fetch(self._sql["versions"], link_id)
        return [{**row, "body": json.loads(row["body"])} for row in rows]

    async def decide(
        self, case_id: uuid.UUID, link_id: uuid.UUID, version: int, decision: str, reason: str, by: str
    ) -> None:
        await self.connection.execute(self._sql["add_decision"], link_id, case_id, version, decision, reason, by)

    async def decisions(self, case_id: uuid.UUID) -> dict[uuid.UUID, list[LinkDecision]]:
        found: dict[uuid.UUID, list[LinkDecision]] = {}
        for row in await self.connection.fetch(self._sql["decisions"], case_id):
            found.setdefault(row["link_id"], []).append(
                LinkDecision(row["number"], row["version"], row["decision"], row["reason"], row["by_person"], row["at"])
            )
        return found

    async def shown(self, case_id: uuid.UUID, reader: str, links: Sequence[StoredLink]) -> None:
        """Keep which forms a reader was given."""
        ids, versions = [each.link_id for each in links], [each.version for each in links]
        await self.connection.execute(self._sql["show"], case_id, reader, ids, versions)

    async def outdated(self, case_id: uuid.UUID) -> list[dict[str, Any]]:
        """Readers whose last sight of a link is not how it stands."""
        return [dict(row) for row in await self.connection.fetch(self._sql["outdated"], case_id)]

    async def erase(self, case_id: uuid.UUID) -> None:
        """Take out what people wrote; rows, numbers and hashes stay. In a transaction."""
        for name in ("exhibits", "entries", "claims", "versions", "decisions", "case"):
            await self.connection.execute(self._sql[f"erase_{name}"], case_id)
