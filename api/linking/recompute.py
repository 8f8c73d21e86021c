"""The links of a case, inferred anew where something that they rest on changed, each form kept as a version."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from api.companies.identifiers import NAMESPACE
from api.companies.law import standing
from api.linking.material import Gathered, basis_of, gather
from chain.store.cases import CaseStore
from chain.store.postgres import Connection
from clustering.link.evidence import Item, Message
from clustering.link.infer import Key, Link, infer

GATHER_SECONDS = 600
"""For which the case stays locked while ledgers are read."""


def link_id(case_id: uuid.UUID, key: Key) -> uuid.UUID:
    """The id of a company and an address in a role, within a case."""
    company, (chain, address), role = key
    return uuid.uuid5(NAMESPACE, f"link:{case_id}:{company}:{chain}:{address}:{role.value}")


async def refresh(connection: Connection, url: str, home: Path, case_id: uuid.UUID) -> int:
    """Bring the links of a case to what stands; how many changed. In a transaction that may write.

    NotFound, LimitExceeded as of `gather`.
    """
    store = CaseStore(connection)
    await store.lock(case_id)
    await connection.execute(f"set local idle_in_transaction_session_timeout = {GATHER_SECONDS * 1_000}")
    basis = (await basis_of(connection, case_id)).hex()
    links = await store.links(case_id)
    if await store.basis(case_id) == basis:
        return 0
    gathered = await gather(connection, url, home, case_id)
    before = {each.link_id: each for each in links}
    digests = await store.newest_versions(case_id)
    changed = 0
    found: set[uuid.UUID] = set()
    for key, link in infer(gathered.material).items():
        named = link_id(case_id, key)
        found.add(named)
        body = body_of(gathered, link)
        digest = _digest(body)
        if digests.get(named) != digest:
            of = uuid.UUID(key[0]), *key[1], key[2].value
            await store.add_version(case_id, named, of, body, digest)
            changed += 1
    for named, was in before.items():
        if named in found or was.body.get("gone") or was.body.get("erased"):
            continue
        asked = str(was.company_id) in gathered.material.companies
        gone = {"gone": "not found" if asked else "no flag"}
        key_of = was.company_id, was.chain, was.address, was.role
        await store.add_version(case_id, named, key_of, gone, _digest(gone))
        changed += 1
    await store.set_basis(case_id, basis)
    return changed


def body_of(gathered: Gathered, link: Link) -> dict[str, Any]:
    """A link as it is kept: no sentence, but what sentences are made of; nothing of the clock."""
    return {
        "grade": link.grade.letter.value,
        "conditions": {
            "roots": link.grade.roots,
            "authenticated_roots": link.grade.authenticated_roots,
            "facts_on_chain": link.grade.facts,
            "open_contradictions": link.grade.contradictions,
        },
        "log_likelihood_ratio_centinats": link.grade.weight,
        "cluster": link.cluster or None,
        "items": [_item(each) for each in link.items],
        "notes": [_message(each) for each in link.notes],
        "agents": [{"chain": place[0], "address": place[1], "paid_for": count} for place, count in link.agents],
        "observed_in": list(gathered.covers.get(link.place, ())),
        "conduct": _conduct(gathered, link),
        "convention": gathered.material.convention,
        "candidates": len(gathered.material.companies),
        "as_of": [dict(each) for each in gathered.as_of if each["chain"] == link.place[0]],
    }


def _item(item: Item) -> dict[str, Any]:
    return {
        "kind": item.kind.name,
        "root": item.root,
        "against": item.against,
        "authenticated": item.authenticated,
        "off_chain": item.kind.off_chain,
        "claim": item.claim,
        "exhibit": item.exhibit,
        "rule": item.rule or None,
        "rate": item.rate or None,
        "weight_centinats": item.weight,
        "transactions": list(item.transactions),
        "says": _message(item.says),
    }


def _message(message: Message) -> dict[str, Any]:
    return {"name": message.name, "values": dict(message.values)}


def _conduct(gathered: Gathered, link: Link) -> list[dict[str, Any]]:
    """Of each sale that the link rests on: its first day, and which rules of law were in force on it."""
    company = gathered.companies[link.company]
    activities = frozenset(flag.activity for flag in company.flags if flag.counts)
    found = []
    for sale in gathered.material.sales:
        if link.place != sale.contract and link.place not in {place for place, _, _ in sale.collectors}:
            continue
        rules = standing(company.jurisdiction, activities, date.fromisoformat(sale.day))
        told = [{"rule": each.rule.name, "in_force": each.in_force} for each in rules]
        found.append({"finding": sale.finding, "day": sale.day, "rules": told})
    return found


def _digest(body: Mapping[str, Any]) -> bytes:
    """Of what a body says; how far the ledgers were when it was inferred makes no other version."""
    said = {name: value for name, value in body.items() if name != "as_of"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()
