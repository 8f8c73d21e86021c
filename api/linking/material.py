"""All that the links of a case follow from, out of database and datasets, and the digest that knows it again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from api.answers.ethereum import open_datasets
from api.answers.labels import Asker, address_labels, today
from api.answers.relations import last_run
from api.linking import facts
from api.tracing.ground import Ground
from api.tracing.opening import open_chain
from api.tracing.request import TraceRequest
from chain.errors import LimitExceeded, NotFound
from chain.ethereum import address as codec
from chain.store.cases import Case, CaseStore
from chain.store.companies import Company, CompanyStore
from chain.store.labels import LabelStore
from chain.store.postgres import Connection, connected, queries
from chain.store.relations import RelationStore
from clustering.ethereum.relations import Relation
from clustering.link.evidence import Role
from clustering.link.infer import CARRIES, Claim, Cluster, Creation, Material, Named, Place, Sale, Share

CODE = "links 1"
"""Counted up when the same material makes other links."""

MAX_PLACES = 500
"""Addresses that the claims of one case name."""

SHARED = 20
"""Claimed addresses whose money is followed."""

TRANSACTIONS = 20


@dataclass(frozen=True, slots=True)
class Gathered:
    """The material of a case with what an answer says beside it."""

    case: Case
    companies: Mapping[str, Company]
    """Every candidate, counting flag or not"""
    material: Material
    as_of: tuple[Mapping[str, Any], ...]
    """Of each dataset that was asked: chain, dataset, place in the chain, clustering, label set"""
    covers: Mapping[Place, tuple[str, ...]]
    """Datasets in which a claimed address was observed"""


async def basis_of(connection: Connection, case_id: uuid.UUID) -> bytes:
    """A digest of everything that decides a case's links: where it is the same, so are they."""
    store = CaseStore(connection)
    claims = [
        (each.number, str(each.company_id), each.chain, each.address, each.role, each.kind, each.root, each.exhibit,
         each.against, each.statement, each.withdrawn_at is None)
        for each in await store.claims(case_id)
    ]  # fmt: skip
    candidates = await store.candidates(case_id)
    flags = await CompanyStore(connection).flags(candidates)
    said = {str(each): [(str(flag.flag_id), flag.status) for flag in flags.get(each, [])] for each in candidates}
    names = [(await CompanyStore(connection).company(each)).identifiers for each in candidates]
    ledgers = [tuple(row) for row in await connection.fetch(queries("links")["basis"])]
    labels = await LabelStore(connection).version()
    whole = json.dumps([CODE, claims, said, names, [list(map(str, row)) for row in ledgers], labels], sort_keys=True)
    return hashlib.sha256(whole.encode()).digest()


async def gather(connection: Connection, url: str, home: Path, case_id: uuid.UUID) -> Gathered:
    """The material of a case. NotFound, LimitExceeded `claimed_addresses`."""
    store, companies = CaseStore(connection), CompanyStore(connection)
    case = await store.case(case_id)
    candidates = {str(each): await companies.company(each) for each in await store.candidates(case_id)}
    asked = {
        name: tuple(value for scheme, value in each.identifiers if scheme == "actor")
        for name, each in candidates.items()
        if any(flag.counts for flag in each.flags)
    }
    claims = tuple(
        Claim(
            each.number, str(each.company_id), (each.chain, each.address), Role(each.role), each.kind, each.root,
            each.exhibit, each.against, each.statement,
        )
        for each in await store.claims(case_id)
        if each.withdrawn_at is None
    )  # fmt: skip
    places = {each.place for each in claims if each.company in asked}
    if len(places) > MAX_PLACES:
        raise LimitExceeded(f"claimed_addresses: a case's claims name at most {MAX_PLACES} addresses")
    sales = await _sales(connection, places)
    async with connected(url) as reader:  # a ledger is read in a transaction of its own
        grounds = await _grounds(reader, url, home, {chain for chain, _ in places})
    carrying = sorted({each.place for each in claims if each.role in CARRIES and each.company in asked})[:SHARED]
    shares = await asyncio.to_thread(_shares, grounds, carrying)
    creations = await _creations(connection, grounds, places)
    places |= {place for sale in sales for place, _, _ in sale.collectors}
    places |= {each.deployer for each in creations.values()} | {each.to for some in shares.values() for each in some}
    labels, services = await _labels(connection, sorted(places))
    clusters = await asyncio.to_thread(_clusters, grounds, sorted(places))
    deposits = await _deposits(connection, grounds, sorted(places))
    material = Material(
        case.convention, asked, claims, labels, _with_services(clusters, services, deposits), tuple(sales), creations,
        shares,
    )  # fmt: skip
    covers = {place: tuple(ground.dataset for ground, _ in facts.known_in(grounds, place)) for place in sorted(places)}
    return Gathered(case, candidates, material, tuple(ground.about for ground in grounds), covers)


async def _grounds(connection: Connection, url: str, home: Path, chains: Iterable[str]) -> list[Ground]:
    grounds: list[Ground] = []
    for chain in sorted(chains):
        try:
            grounds += await open_chain(connection, url, home, TraceRequest(), chain)
        except NotFound:
            continue  # nothing of it is loaded: the answer says in which datasets it looked
    return grounds


async def _sales(connection: Connection, places: set[Place]) -> list[Sale]:
    """Token sales that were found at claimed contracts; one in several datasets counts once, by the first."""
    found: dict[str, Sale] = {}
    for row in await connection.fetch(queries("ethereum")["findings"], "eth", None, None):
        body = json.loads(row["body"])
        contract = ("eth", body.get("contract") or "")
        if contract not in places or row["finding_id"] in found:
            continue
        evidence = tuple(body["evidence"])
        collectors = tuple(
            (("eth", flow["address"]), f"{flow['amount']} base units of {flow['asset']}", evidence)
            for flow in body.get("collected", [])
        )
        agents = tuple((("eth", each["payer"]), int(each["beneficiaries"])) for each in body.get("agents", []))
        received = ", ".join(f"{each['amount']} base units of {each['asset']}" for each in body["received_gross"])
        found[row["finding_id"]] = Sale(
            row["finding_id"], contract, collectors, body["rate"], body["window"][0][:10], received, evidence, agents
        )
    return [found[name] for name in sorted(found)]


def _shares(grounds: Sequence[Ground], places: Sequence[Place]) -> dict[Place, tuple[Share, ...]]:
    found = {}
    for place in places:
        for ground, address in facts.known_in(grounds, place)[:1]:
            shares = facts.shares_of(ground, address)
            if shares:
                found[place] = shares
    return found


async def _creations(connection: Connection, grounds: Sequence[Ground], places: set[Place]) -> dict[Place, Creation]:
    """Who created the claimed contracts, by the relations of the newest run."""
    found: dict[Place, Creation] = {}
    for place, row in await _related(connection, grounds, places, Relation.DEPLOYED, is_source=False):
        found.setdefault(place, Creation(("eth", codec.encode(row["other"])), f"0x{row['first_hash'].hex()}"))
    return found


async def _deposits(connection: Connection, grounds: Sequence[Ground], places: Iterable[Place]) -> dict[Place, str]:
    """Addresses that are swept into a service, and into which."""
    rows = await _related(connection, grounds, set(places), Relation.SWEPT_INTO, is_source=True)
    return {place: codec.encode(row["other"]) for place, row in rows}


async def _related(
    connection: Connection, grounds: Sequence[Ground], places: set[Place], relation: Relation, *, is_source: bool
) -> list[tuple[Place, Any]]:
    found = []
    if not any(ground.chain == "eth" for ground in grounds):
        return []
    for dataset in await open_datasets(connection):
        run = await last_run(connection, dataset)
        ground = next((each for each in grounds if each.dataset == dataset.name), None)
        if run is None or ground is None:
            continue
        for place in sorted(places):
            address = facts.observed(ground, place) if place[0] == "eth" else None
            if address is None:
                continue
            rows, _ = await RelationStore(connection).of_address(
                dataset, run.run_id, address, dataset.counts["tx"], TRANSACTIONS
            )
            found += [
                (place, row) for row in rows if row["relation"] == relation and bool(row["is_source"]) == is_source
            ]
    return found


async def _labels(
    connection: Connection, places: Sequence[Place]
) -> tuple[dict[Place, tuple[Named, ...]], dict[Place, tuple[str, str, str]]]:
    """Labels in force by address; and of each that labels name as a service: (what it says, source, actor)."""

    async def no_column(*_: object) -> None:
        return None

    asker = Asker(connection, no_column, today())
    found: dict[Place, tuple[Named, ...]] = {}
    services: dict[Place, tuple[str, str, str]] = {}
    for place in places:
        said = [each for each in (await address_labels(asker, place[0], (), place[1]))["direct"] if each["in_force"]]
        named = [Named(_root(each), each["label"], each["actor"] or "") for each in said]
        if named:
            found[place] = tuple(dict.fromkeys(named))
        for each in said:
            if each["names_service"]:
                services.setdefault(place, (each["label"], _root(each), each["actor"] or ""))
    return found, services


def _root(label: Mapping[str, Any]) -> str:
    """The document that a label descends from: where its source says it has it, else the pack."""
    return str(label["origin"] or label["given_by"]["title"])


def _clusters(grounds: Sequence[Ground], places: Sequence[Place]) -> dict[Place, Cluster]:
    """What is seen of each address: the dataset in which it looks like a service speaks, else the largest cluster."""
    found: dict[Place, Cluster] = {}
    for place in places:
        seen = [facts.cluster_of(ground, address) for ground, address in facts.known_in(grounds, place)]
        if seen:
            found[place] = max(seen, key=lambda each: (bool(each.service), each.size))
    return found


def _with_services(
    clusters: dict[Place, Cluster], services: Mapping[Place, tuple[str, str, str]], deposits: Mapping[Place, str]
) -> dict[Place, Cluster]:
    """Clusters with what labels and deposits say of the address itself."""
    whole = dict(clusters)
    for place, service in deposits.items():
        seen = whole.get(place, Cluster("", 1, ""))
        whole[place] = replace(seen, service=seen.service or f"a deposit account that is swept into {service}")
    for place, (label, source, actor) in services.items():
        seen = whole.get(place, Cluster("", 1, ""))
        whole[place] = replace(seen, service=f"labelled {label}", label=source, actor=actor)
    return whole
