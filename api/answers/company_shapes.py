"""Shapes of answers about companies, flags, cases and links."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict


class CompanyName(TypedDict):
    name: str
    kind: str


class CompanyIdentifier(TypedDict):
    scheme: str
    value: str


class CompanyFact(TypedDict):
    kind: str
    value: str
    source: str


class FlagEntry(TypedDict):
    """One entry of a flag's history."""

    version: int
    status: str
    since: str
    instrument: str | None
    note: str | None
    by: str
    at: str


class FlagBody(TypedDict):
    """What an authority holds against a company."""

    flag: str
    authority: str
    document: str
    document_date: str
    url: str | None
    archived_sha256: str | None
    activity: str
    status: str
    counts: bool
    """Not where it was dismissed or withdrawn; it stays in the history."""
    history: list[FlagEntry]


class CompanyBody(TypedDict):
    company: str
    name: str
    names: list[CompanyName]
    identifiers: list[CompanyIdentifier]
    jurisdiction: str | None
    facts: list[CompanyFact]
    other_companies_of_the_same_name: int
    """To look at; nothing is merged on a name."""
    flags: list[FlagBody]
    statement: str


class FlagsBody(TypedDict):
    company: str
    flags: list[FlagBody]


class CompanyRow(TypedDict):
    company: str
    name: str
    flags: int


class CompaniesBody(TypedDict):
    items: list[CompanyRow]
    next: str | None


class LinkItem(TypedDict):
    """One item for or against a link; those against come first."""

    kind: str
    says: str
    root: str
    against: bool
    authenticated: bool
    off_chain: bool
    claim: int | None
    exhibit: int | None
    exhibit_href: str | None
    rule: str | None
    rate: str | None
    weight_centinats: int
    transactions: list[str]
    transaction_hrefs: list[str]


class DecisionRow(TypedDict):
    version: int
    decision: str
    reason: str
    by: str
    at: str


class LinkBody(TypedDict):
    """A company and an address in a role, within a case."""

    link: str
    case: str
    company: str
    company_name: str
    chain: str
    address: str
    role: str
    grade: str
    version: int
    at: str
    standing: str
    cluster: str | None
    """Linked with the address; null for the address alone"""
    conditions: dict[str, int]
    log_likelihood_ratio_centinats: int
    likelihood_is: str
    evidence: list[LinkItem]
    notes: list[str]
    agents: list[str]
    observed_in: list[str]
    """Datasets in which the address is observed"""
    coverage: str
    """Why it is observed in none; empty where it is in one"""
    conduct: list[str]
    convention: str
    candidates: int
    decisions: list[DecisionRow]
    as_of: list[dict[str, Any]]
    statement: str


class LinksBody(TypedDict):
    case: str
    items: list[LinkBody]
    coverage: str
    """Which of four answers it is, where there is no link"""


class ExhibitBody(TypedDict):
    exhibit: int
    name: str
    sha256: str
    size: int
    root: str
    collector: str
    method: str
    collected_on: str
    erased: bool
    by: str
    at: str
    href: str


class EntryBody(TypedDict):
    number: int
    kind: str
    body: str
    by: str
    at: str


class ClaimBody(TypedDict):
    claim: int
    company: str
    chain: str
    address: str
    role: str
    kind: str
    root: str
    exhibit: int | None
    against: bool
    statement: str
    by: str
    at: str
    withdrawn_at: str | None
    withdrawn_reason: str | None


class CaseBody(TypedDict):
    case: str
    title: str
    question: str
    convention: str
    reason: str
    opened_by: str
    opened_at: str
    closed_at: str | None
    erased_at: str | None
    candidates: list[CompanyRow]
    exhibits: list[ExhibitBody]
    claims: list[ClaimBody]
    entries: list[EntryBody]
    changed_since_shown: list[dict[str, Any]]
    """Readers whose last sight of a link is not how it stands now"""


class CaseRow(TypedDict):
    case: str
    href: str


class CasesBody(TypedDict):
    items: list[CaseRow]
    next: str | None


class LinkVersion(TypedDict):
    version: int
    at: str
    body: dict[str, Any]
    """What sentences are made of, as it was kept"""


class LinkVersionsBody(TypedDict):
    link: str
    versions: list[LinkVersion]


class ContestRow(TypedDict):
    without: list[str]
    outcome: str
    text: str


class ContestBody(TypedDict):
    link: str
    before: str
    changes: list[ContestRow]
    same_without: list[str]
    smallest: list[str] | None
    """The smallest set found whose failure changes the result; null: not computed"""
    pairs_tried: int
    pairs: int
    text: list[str]
