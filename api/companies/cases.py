"""What a person does in a case: opens it, adds candidates, exhibits, notes and claims, and decides on links."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import zstandard

from api.answers.view import InvalidParameter
from api.companies.flags import one_of, text
from chain.bitcoin import address as bitcoin
from chain.errors import LimitExceeded
from chain.ethereum import address as ethereum
from chain.store.cases import CaseStore
from chain.store.companies import CompanyStore
from chain.store.postgres import Connection
from clustering.link.evidence import CLAIMED, Role
from clustering.trace.policies import LEGAL

MAX_EXHIBIT = 256 << 20
"""Bytes of an exhibit."""

MAX_TITLE = 300
MAX_WORDS = 20_000
"""Characters of a note."""

MAX_REASON = 2_000
CHAINS = ("btc", "eth")
CONVENTIONS = tuple(policy.value for policy in LEGAL)
DECISIONS = ("confirm", "reject", "dispute")
ENTRIES = ("note", "trace", "finding")


@dataclass(frozen=True, slots=True)
class NewClaim:
    """A claim as somebody makes it; InvalidParameter or AddressError where a field is not what it must be."""

    company: uuid.UUID
    chain: str
    address: str
    role: str
    kind: str
    root: str
    statement: str
    exhibit: int | None = None
    against: bool = False

    def __post_init__(self) -> None:
        one_of("role", self.role, tuple(Role))
        one_of("kind", self.kind, tuple(CLAIMED))
        text("root", self.root, MAX_TITLE)
        text("statement", self.statement, MAX_REASON)
        object.__setattr__(self, "address", canonical(self.chain, self.address))


def canonical(chain: str, address: str) -> str:
    """The one spelling of an address; AddressError, InvalidParameter `chain`."""
    one_of("chain", chain, CHAINS)
    if chain == "eth":
        return ethereum.encode(ethereum.decode(address.strip()))
    network, key = bitcoin.decode_any(address.strip())
    return bitcoin.encode(key, network)


async def open_case(
    connection: Connection, title: str, question: str, convention: str, reason: str, by: str,
    case_id: uuid.UUID | None = None,
) -> uuid.UUID:  # fmt: skip
    """A new case. Its question and convention, with the reason, stand before anything is looked for."""
    text("title", title, MAX_TITLE)
    text("question", question, MAX_REASON)
    text("reason", reason, MAX_REASON)
    one_of("convention", convention, CONVENTIONS)
    case_id = case_id or uuid.uuid4()
    async with connection.transaction():
        await CaseStore(connection).open(case_id, title, question, convention, reason, by)
    return case_id


async def add_candidates(connection: Connection, case_id: uuid.UUID, companies: list[uuid.UUID], by: str) -> None:
    """Companies that the case asks of. NotFound."""
    store = CaseStore(connection)
    async with connection.transaction():
        await store.open_case(case_id)
        for company in companies:
            await CompanyStore(connection).company(company)
            await store.add_candidate(case_id, company, by)


async def add_exhibit(
    connection: Connection, case_id: uuid.UUID, name: str, data: bytes, root: str, collector: str, method: str,
    collected_on: date, by: str,
) -> tuple[int, str]:  # fmt: skip
    """A file as it was collected; its number and SHA-256. `root`: what it descends from, left empty its own hash."""
    if len(data) > MAX_EXHIBIT:
        raise LimitExceeded(f"exhibit: a file has at most {MAX_EXHIBIT} bytes")
    text("name", name, MAX_TITLE)
    text("collector", collector, MAX_TITLE)
    text("method", method, MAX_TITLE)
    text("root", root, MAX_TITLE, needed=False)
    digest = hashlib.sha256(data)
    store = CaseStore(connection)
    content = zstandard.ZstdCompressor(level=9).compress(data)
    async with connection.transaction():
        await store.open_case(case_id)
        number = await store.add_exhibit(
            case_id, name, digest.digest(), len(data), root or f"sha256:{digest.hexdigest()}", collector, method,
            collected_on, content, by,
        )  # fmt: skip
    return number, digest.hexdigest()


async def exhibit_bytes(connection: Connection, case_id: uuid.UUID, number: int) -> tuple[str, bytes, str]:
    """(name, bytes, SHA-256) of an exhibit; NotFound where there is none, or where it was erased."""
    row = await CaseStore(connection).exhibit_content(case_id, number)
    data = b"" if row["content"] is None else zstandard.ZstdDecompressor().decompress(row["content"], MAX_EXHIBIT)
    return row["name"], data, bytes(row["sha256"]).hex()


async def add_entry(connection: Connection, case_id: uuid.UUID, kind: str, body: str, by: str) -> int:
    """A note, or the name of a trace or a finding that belongs to the case."""
    one_of("kind", kind, ENTRIES)
    text("body", body, MAX_WORDS)
    store = CaseStore(connection)
    async with connection.transaction():
        await store.open_case(case_id)
        return await store.add_entry(case_id, kind, body, by)


async def add_claim(connection: Connection, case_id: uuid.UUID, claim: NewClaim, by: str) -> int:
    """A claim's number. NotFound where there is no such company or exhibit."""
    store = CaseStore(connection)
    async with connection.transaction():
        await store.open_case(case_id)
        await CompanyStore(connection).company(claim.company)
        return await store.add_claim(
            case_id, claim.company, claim.chain, claim.address, claim.role, claim.kind, claim.root, claim.exhibit,
            claim.against, claim.statement, by,
        )  # fmt: skip


async def root_of(connection: Connection, case_id: uuid.UUID, exhibit: int | None) -> str:
    """The root of a case's exhibit; InvalidParameter `root` where neither is named."""
    for each in await CaseStore(connection).exhibits(case_id):
        if each["number"] == exhibit:
            return str(each["root"])
    raise InvalidParameter("root", "it is needed, or the number of an exhibit that the case has")


async def withdraw_claim(connection: Connection, case_id: uuid.UUID, number: int, reason: str) -> None:
    """It counts no more and stays readable. NotFound."""
    text("reason", reason, MAX_REASON)
    store = CaseStore(connection)
    async with connection.transaction():
        await store.open_case(case_id)
        await store.withdraw_claim(case_id, number, reason)


async def decide(
    connection: Connection, case_id: uuid.UUID, link: uuid.UUID, decision: str, reason: str, by: str
) -> None:
    """A person's word on the version of a link that stands. NotFound."""
    one_of("decision", decision, DECISIONS)
    text("reason", reason, MAX_REASON)
    store = CaseStore(connection)
    async with connection.transaction():
        await store.open_case(case_id)
        found = [each for each in await store.links(case_id) if each.link_id == link]
        if not found:
            await store.link(link)
            raise InvalidParameter("link", "it is a link of another case")
        await store.decide(case_id, link, found[0].version, decision, reason, by)


def read_file(path: Path) -> bytes:
    """An exhibit's bytes as they are; LimitExceeded `exhibit` before they are read."""
    if path.stat().st_size > MAX_EXHIBIT:
        raise LimitExceeded(f"exhibit: a file has at most {MAX_EXHIBIT} bytes")
    return path.read_bytes()
