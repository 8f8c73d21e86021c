"""Answers about companies, flags and cases."""

from __future__ import annotations

from typing import Any

from api.answers import text
from api.answers.company_shapes import CaseBody, CompanyBody, CompanyRow, FlagBody, LinksBody
from api.answers.links import link_body
from api.words import Language, say
from chain.store.cases import CaseStore, StoredLink
from chain.store.companies import Company, CompanyStore, Flag
from chain.store.postgres import Connection

STATEMENT = (
    "what registers and authorities say; a shared name, address, officer, agent or phone is no evidence; "
    + text.NO_FINDING
)


def company_body(company: Company) -> CompanyBody:
    """All that is kept of a company."""
    return {
        "company": str(company.company_id),
        "name": company.name,
        "names": [{"name": name, "kind": kind} for name, kind in company.names],
        "identifiers": [{"scheme": scheme, "value": value} for scheme, value in company.identifiers],
        "jurisdiction": company.jurisdiction or None,
        "facts": [{"kind": kind, "value": value, "source": source} for kind, value, source in company.facts],
        "other_companies_of_the_same_name": company.same_name,
        "flags": [flag_body(flag) for flag in company.flags],
        "statement": STATEMENT,
    }


def flag_body(flag: Flag) -> FlagBody:
    """A flag with its whole history, the oldest entry first."""
    return {
        "flag": str(flag.flag_id),
        "authority": flag.authority,
        "document": flag.document,
        "document_date": flag.document_date.isoformat(),
        "url": flag.url or None,
        "archived_sha256": flag.archived_sha256,
        "activity": flag.activity,
        "status": flag.status,
        "counts": flag.counts,
        "history": [
            {
                "version": each.version,
                "status": each.status,
                "since": each.since.isoformat(),
                "instrument": each.instrument or None,
                "note": each.note or None,
                "by": each.by,
                "at": str(text.stamp(each.at)),
            }
            for each in flag.history
        ],
    }


async def case_body(connection: Connection, case_id: Any) -> CaseBody:
    """A case with everything in it but its links. NotFound."""
    store = CaseStore(connection)
    case = await store.case(case_id)
    companies: list[CompanyRow] = []
    for each in await store.candidates(case_id):
        company = await CompanyStore(connection).company(each)
        companies.append({"company": str(each), "name": company.name, "flags": len(company.flags)})
    return {
        "case": str(case_id),
        "title": case.title,
        "question": case.question,
        "convention": case.convention,
        "reason": case.reason,
        "opened_by": case.opened_by,
        "opened_at": str(text.stamp(case.opened_at)),
        "closed_at": text.stamp(case.closed_at),
        "erased_at": text.stamp(case.erased_at),
        "candidates": companies,
        "exhibits": [
            {
                "exhibit": each["number"], "name": each["name"], "sha256": each["sha256"], "size": each["size"],
                "root": each["root"], "collector": each["collector"], "method": each["method"],
                "collected_on": each["collected_on"].isoformat(), "erased": each["erased"], "by": each["by_person"],
                "at": str(text.stamp(each["at"])), "href": f"/v1/cases/{case_id}/exhibits/{each['number']}",
            }
            for each in await store.exhibits(case_id)
        ],
        "claims": [
            {
                "claim": each.number, "company": str(each.company_id), "chain": each.chain, "address": each.address,
                "role": each.role, "kind": each.kind, "root": each.root, "exhibit": each.exhibit,
                "against": each.against, "statement": each.statement, "by": each.by, "at": str(text.stamp(each.at)),
                "withdrawn_at": text.stamp(each.withdrawn_at), "withdrawn_reason": each.withdrawn_reason,
            }
            for each in await store.claims(case_id)
        ],
        "entries": [
            {
                "number": each["number"], "kind": each["kind"], "body": each["body"], "by": each["by_person"],
                "at": str(text.stamp(each["at"])),
            }
            for each in await store.entries(case_id)
        ],
        "changed_since_shown": [
            {
                "link": str(each["link_id"]), "reader": each["reader"], "shown_version": each["shown_version"],
                "shown_at": text.stamp(each["shown_at"]), "version": each["version"],
                "changed_at": text.stamp(each["at"]),
            }
            for each in await store.outdated(case_id)
        ],
    }  # fmt: skip


async def links_body(
    connection: Connection, language: Language, case_id: Any, reader: str, *, company: Any = None,
    place: tuple[str, str] | None = None, clusters: frozenset[str] = frozenset(),
) -> LinksBody:  # fmt: skip
    """Links of a case as they stand, of a company, or of an address and the clusters (without run) that it is in.

    Which forms the reader is given is kept, so that it can be told when they change.
    """
    store = CaseStore(connection)
    found = [each for each in await store.links(case_id) if _asked(each, company, place, clusters)]
    decisions = await store.decisions(case_id)
    names = {each: (await CompanyStore(connection).company(each)).name for each in {link.company_id for link in found}}
    await store.shown(case_id, reader, found)
    items = [
        link_body(language, str(case_id), names[each.company_id], each, decisions.get(each.link_id, []))
        for each in found
    ]
    standing = any(each["standing"] != "not linked" for each in items)
    looked = place is not None or any(
        claim.withdrawn_at is None and company in (None, claim.company_id) for claim in await store.claims(case_id)
    )
    return {
        "case": str(case_id),
        "items": items,
        "coverage": "" if standing else say(language, "coverage.reviewed" if looked else "coverage.none"),
    }


def _asked(link: StoredLink, company: Any, place: tuple[str, str] | None, clusters: frozenset[str]) -> bool:
    if company is not None and link.company_id != company:
        return False
    if place is None or (link.chain, link.address) == place:
        return True
    return (link.body.get("cluster") or "").partition("@")[0] in clusters
