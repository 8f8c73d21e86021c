"""Links of a case: what its claims and the chain say of each candidate company and each address.

What makes a link, and what does not:

- A claim links the company to the address in its role.
- `controls` reaches the address' cluster, by the co-spend convention; no other role does, and never where the cluster
  looks like a service: there the company is the service's customer, and the address alone is linked (EVIDENCE 6).
- Where a claimed address is the contract of a token sale that was found, each collector of its proceeds is linked as
  `received proceeds`, by what was said of the contract. Where it is a contract whose creator is seen, the creator
  is linked as `deployed`; a deployer is not the issuer, a contract not the company.
- Where half of an address' money came to another under the case's convention, within three hops and through no service,
  pool or mixer, that one is linked as `received proceeds`, as a lead.
- Payers of a sale, of a deposit address or of anybody are linked to nobody: victims are no suspects (EVIDENCE 1).
  Agents who paid for many are named beside the sale, as no party. Money that came unasked links nobody.
- Registered addresses, officers, phones, agents and domains in common are no evidence (EVIDENCE 17); nothing here reads
  them.
- A label that names the company by its id is an item; one that names another organisation contradicts.
- Only candidates of the case that a flag counts against are asked for; they stand before the search.

How it fails. Claims may be wrong or planted; roots that seem different may copy each other. A cluster that nobody
labelled may be a service all the same. Deployers are often contractors. A convention says where money went, not whose
it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from clustering.link import evidence
from clustering.link.evidence import CLAIMED, Item, Message, Role
from clustering.link.grade import Grade, Letter, grade

Place = tuple[str, str]
"""(chain, address as printed)"""

FOR_ADDRESS_ALONE = frozenset({Role.CONTROLS, Role.PAYEE})
"""Roles that become `customer of a service` where the cluster looks like one."""

CARRIES = frozenset({Role.CONTROLS, Role.DEPLOYED, Role.PAYEE, Role.RECEIVED})
"""Roles in which a contract's sale says who received its proceeds; a payer or an example does not."""

SALE_RULE, DEPLOYED, CO_SPEND, SHARE_RULE, SERVICE_LIKE = (
    "token-sale/S1", "deployed", "co-spend", "traced share", "service-like cluster",
)  # fmt: skip
RULES = frozenset({SALE_RULE, DEPLOYED, CO_SPEND, SHARE_RULE, SERVICE_LIKE})
"""What the chain says of an address rests on one of these."""

SHARE_AT_LEAST = 500_000
"""Parts per million of an address' money that have to come to another (research 6)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody says of a company and an address; withdrawn ones are not here."""

    number: int
    company: str
    place: Place
    role: Role
    kind: str
    root: str
    exhibit: int | None
    against: bool
    statement: str


@dataclass(frozen=True, slots=True)
class Named:
    """A label of an address, in force."""

    source: str
    text: str
    actor: str
    """The id of an organisation; empty for none"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is seen of an address' cluster."""

    handle: str
    size: int
    service: str
    """Why it looks like a service; empty where it does not"""
    label: str = ""
    """The source of the label that says so; empty where its structure does"""
    actor: str = ""
    """The organisation whose service labels say it is; empty for none"""
    transactions: tuple[str, ...] = ()
    """Of links that attach the address to it"""
    rate: str = ""


@dataclass(frozen=True, slots=True)
class Sale:
    """A token sale that was found."""

    finding: str
    contract: Place
    collectors: tuple[tuple[Place, str, tuple[str, ...]], ...]
    """(address, what it collected, transactions)"""
    rate: str
    day: str = ""
    """Of its first purchase, ISO 8601"""
    received: str = ""
    transactions: tuple[str, ...] = ()
    agents: tuple[tuple[Place, int], ...] = ()
    """(address, for how many it paid)"""


@dataclass(frozen=True, slots=True)
class Creation:
    """Who created a contract."""

    deployer: Place
    transaction: str


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of an address' money came to another, within three hops and through no service."""

    to: Place
    ppm: Mapping[str, int]
    """Under each legal convention, parts per million"""
    asset: str
    transactions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Material:
    """All that the links of a case follow from."""

    convention: str
    companies: Mapping[str, tuple[str, ...]]
    """Candidates that a flag counts against -> their ids as labels name organisations"""
    claims: tuple[Claim, ...] = ()
    labels: Mapping[Place, tuple[Named, ...]] = field(default_factory=dict)
    clusters: Mapping[Place, Cluster] = field(default_factory=dict)
    sales: tuple[Sale, ...] = ()
    creations: Mapping[Place, Creation] = field(default_factory=dict)
    shares: Mapping[Place, tuple[Share, ...]] = field(default_factory=dict)
    rules: frozenset[str] = RULES
    """Rules in force; a contest takes them out one by one"""


@dataclass(frozen=True, slots=True)
class Link:
    """A company and an address in a role."""

    company: str
    place: Place
    role: Role
    cluster: str
    """Handle of the cluster that is linked with the address; empty for the address alone"""
    items: tuple[Item, ...]
    """Those against first (EVIDENCE 8)"""
    grade: Grade
    notes: tuple[Message, ...] = ()
    """What ended or narrowed it"""
    agents: tuple[tuple[Place, int], ...] = ()


Key = tuple[str, Place, Role]


def infer(material: Material) -> dict[Key, Link]:
    """The links of a case by (company, address, role), in order."""
    found: dict[Key, Link] = {}
    for link in _claimed(material):
        found[link.company, link.place, link.role] = link
    for link in [*found.values()]:
        for made in _derived(material, link):
            key = made.company, made.place, made.role
            if key not in found:
                found[key] = made
            elif made.grade.letter != Letter.LEAD or found[key].grade.letter == Letter.LEAD:
                found[key] = _merged(found[key], made)
    return dict(sorted(found.items()))


def _claimed(material: Material) -> Iterator[Link]:
    """One link for each company, address and role that is claimed, or that a label names the company at."""
    said: dict[Key, list[Item]] = {}
    for claim in sorted(material.claims, key=lambda each: each.number):
        if claim.company in material.companies and not claim.against:
            said.setdefault((claim.company, claim.place, claim.role), []).append(_item(claim))
    for (company, place, role), items in said.items():
        against = [
            _item(each) for each in material.claims
            if each.against and (each.company, each.place) == (company, place)
        ]  # fmt: skip
        facts = _sold(material, place) if role in CARRIES else ()
        said_of_it = [*items, *against, *facts, *_labels(material, company, place)]
        agents = tuple(each for sale in material.sales if sale.contract == place for each in sale.agents)
        yield replace(_settled(material, company, place, role, said_of_it), agents=agents)


def _sold(material: Material, place: Place) -> Iterator[Item]:
    """That the address is the contract of a token sale that was found."""
    for sale in material.sales:
        if sale.contract == place and SALE_RULE in material.rules:
            yield Item(
                evidence.SALE, "chain", Message.of("fact.sale", finding=sale.finding, received=sale.received),
                rule=SALE_RULE, rate=sale.rate, transactions=sale.transactions,
            )  # fmt: skip


def _item(claim: Claim) -> Item:
    says = Message.of("claim", text=claim.statement)
    return Item(CLAIMED[claim.kind], claim.root, says, claim.against, claim.number, claim.exhibit)


def _labels(material: Material, company: str, place: Place) -> Iterator[Item]:
    """Labels that name the company by its id, and those that name another organisation."""
    ids = material.companies[company]
    for label in material.labels.get(place, ()):
        if label.actor and label.actor in ids:
            yield Item(evidence.LABEL, label.source, Message.of("label.names", label=label.text))
        elif label.actor:
            words = Message.of("label.contradicts", label=label.text, actor=label.actor)
            yield Item(evidence.CONFLICT, label.source, words, against=True)


def _settled(material: Material, company: str, place: Place, role: Role, items: list[Item]) -> Link:
    """The link of an address with its role as the cluster leaves it."""
    cluster = material.clusters.get(place)
    notes: list[Message] = []
    handle = ""
    if cluster is not None and role in FOR_ADDRESS_ALONE:
        if _is_service(material, place, company):
            role = Role.CUSTOMER
            items = [each for each in items if each.kind is not evidence.CONFLICT]
            notes.append(Message.of("note.service", reason=cluster.service))
        elif role == Role.CONTROLS and cluster.size > 1 and CO_SPEND in material.rules:
            handle = cluster.handle
            words = Message.of("fact.cluster", size=cluster.size)
            items.append(
                Item(
                    evidence.CLUSTER, "chain", words, rule=CO_SPEND, rate=cluster.rate,
                    transactions=cluster.transactions,
                )
            )  # fmt: skip
    return Link(company, place, role, handle, _ordered(items), grade(items), tuple(notes))


def _derived(material: Material, link: Link) -> Iterator[Link]:
    """What follows on the chain from a link that was claimed."""
    said = [each for each in link.items if each.kind.off_chain]
    if link.role in CARRIES:
        yield from _collectors(material, link, said)
        yield from _deployer(material, link, said)
    if link.role in CARRIES and not _is_service(material, link.place) and SHARE_RULE in material.rules:
        yield from _shares(material, link, said)


def _collectors(material: Material, link: Link, said: list[Item]) -> Iterator[Link]:
    if SALE_RULE not in material.rules:
        return
    for sale in material.sales:
        if sale.contract != link.place:
            continue
        for place, amount, transactions in sale.collectors:
            if place == link.place:
                continue
            words = Message.of("fact.collector", amount=amount, finding=sale.finding, contract=sale.contract[1])
            fact = Item(evidence.COLLECTOR, "chain", words, rule=SALE_RULE, rate=sale.rate, transactions=transactions)
            made = _settled(
                material, link.company, place, Role.RECEIVED, [*said, fact, *_labels(material, link.company, place)]
            )
            yield replace(made, agents=sale.agents)


def _deployer(material: Material, link: Link, said: list[Item]) -> Iterator[Link]:
    made = material.creations.get(link.place)
    if made is None or DEPLOYED not in material.rules or made.deployer == link.place:
        return
    fact = Item(
        evidence.DEPLOYER, "chain", Message.of("fact.deployer", contract=link.place[1]), rule=DEPLOYED,
        rate="stands in the rows",
        transactions=(made.transaction,),
    )  # fmt: skip
    items = [*said, fact, *_labels(material, link.company, made.deployer)]
    yield replace(
        _settled(material, link.company, made.deployer, Role.DEPLOYED, items),
        notes=(Message("note.deployer"),),
    )


def _shares(material: Material, link: Link, said: list[Item]) -> Iterator[Link]:
    for share in material.shares.get(link.place, ()):
        part = share.ppm.get(material.convention, 0)
        if part < SHARE_AT_LEAST or _is_service(material, share.to):
            continue
        low, high = min(share.ppm.values()), max(share.ppm.values())
        words = Message.of(
            "fact.share", ppm=part, asset=share.asset, source=link.place[1], convention=material.convention, low=low,
            high=high,
        )  # fmt: skip
        fact = Item(
            evidence.SHARE, "chain", words, rule=SHARE_RULE, rate="a convention, not a rate",
            transactions=share.transactions,
        )  # fmt: skip
        items = [*said, fact, *_labels(material, link.company, share.to)]
        made = _settled(material, link.company, share.to, Role.RECEIVED, items)
        yield replace(
            made, grade=grade(items, Letter.LEAD),
            notes=(Message("note.share"),),
        )  # fmt: skip


def _is_service(material: Material, place: Place, company: str = "") -> bool:
    """Whether an address' cluster looks like a service, and not like this company's own."""
    cluster = material.clusters.get(place)
    if cluster is None or not cluster.service or SERVICE_LIKE not in material.rules:
        return False
    return not (cluster.actor and cluster.actor in material.companies.get(company, ()))


def _merged(a: Link, b: Link) -> Link:
    items = _ordered(dict.fromkeys((*a.items, *b.items)))
    notes = tuple(dict.fromkeys((*a.notes, *b.notes)))
    letters = (a.grade.letter, b.grade.letter)
    at_best = Letter.LEAD if letters == (Letter.LEAD, Letter.LEAD) else Letter.A
    return replace(a, items=items, grade=grade(items, at_best), notes=notes, agents=a.agents or b.agents)


def _ordered(items: Iterable[Item]) -> tuple[Item, ...]:
    """Against first; then what is authenticated, then what is said, then facts."""
    return tuple(sorted(items, key=lambda each: (not each.against, not each.authenticated, not each.kind.off_chain)))
