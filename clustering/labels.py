"""Labels: what others say of an address, and which of it a kernel may use.

Claim. A label says that a named source calls an address something, with how much confidence. It is what the source
says, not what is so: a label names no one as the holder of a key (docs/methods.md, Labels).

Sources. The confidence ids and their levels are GraphSense's (graphsense-tagpack-tool, src/tagpack/db/confidence.csv;
`ledger_immanent` since its version 23.03, `forensic_investigation` later). The categories are the concepts of its
INTERPOL-derived taxonomy (src/tagpack/db/concepts.yaml).

Conflict rule. Of an address' labels that are in force and name a service, those of the highest confidence level speak
for it. Where they name one entity, it is the address' entity. Where they name several, the address is *contested* and
gets an entity of its own for that set of names, which equals none of them: doubt keeps apart. Labels of a lower level
are kept and shown, and change nothing. The result does not depend on the order in which labels came.

How it fails. Two spellings of one service without a common actor id ("Fomo3D: Soon", "Fomo3D, Gambling") are two
entities, so a guard refuses a merge that would be right. A service that was sold is one name for two parties. A level
measures how a source got its data, not whether it is right.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

import numpy as np

from chain.model import I32, I64, U8

CONFIDENCE: Mapping[str, int] = {
    "override": 100,
    "ownership": 100,
    "ledger_immanent": 100,
    "manual_transaction": 90,
    "service_api": 70,
    "forensic_investigation": 70,
    "authority_data": 60,
    "trusted_provider": 50,
    "service_data": 50,
    "forensic": 50,
    "untrusted_transaction": 40,
    "web_crawl": 20,
    "heuristic": 10,
    "unknown": 5,
}
"""Confidence id -> level; a row with another id is refused, because nobody can say how it compares."""

UNSTATED_LEVEL = CONFIDENCE["unknown"]
"""A label that states no confidence counts as `unknown` does."""

SERVICE_CATEGORIES: Mapping[str, str] = {
    "exchange": "holds its customers' coins under keys of its own",
    "wallet_service": "a hosted wallet: the service has the keys, not its users",
    "hosted_wallet": "the same, as other lists call it; not in the taxonomy",
    "escrow_wallet": "holds both sides' coins until a trade is done",
    "payment_processor": "receives for merchants under keys of its own and pays out",
    "mixing_service": "takes coins in under its own keys and pays out others",
    "gambling": "holds stakes and pays winnings under keys of its own",
    "market": "holds buyers' and sellers' balances under keys of its own",
    "miner": "a pool is paid its blocks and pays its miners from keys of its own",
    "mining_service": "rents out mining and pays from keys of its own",
    "atm": "an operator's machines pay out from the operator's keys",
}
"""Category -> why it names a service whose keys are its own. Left out on purpose: `coinjoin` (many parties in one
transaction), `shop` (its payments often arrive at a processor's keys), `user`, `perpetrator`, `victim` and
`organization` (people have several names), `service` and `defi_*` (software and contracts, which hold no key),
`hot_wallet` and `cold_wallet` (they say how, not whose)."""


class Kind(IntEnum):
    """What a labelled address is to a trace. Stored in label columns: append only. Of equals the smaller one speaks."""

    NONE = 0
    """No label in force."""
    MIXER = 1
    BRIDGE = 2
    SERVICE = 3
    POOL = 4
    """A contract that many pay into and get out of: an exchange without a keeper, lending, derivatives."""
    OTHER = 5
    """Labelled as something that ends no trace."""


MIXERS, BRIDGES = frozenset({"mixing_service"}), frozenset({"defi_bridge"})
POOLS = frozenset({"defi", "defi_dex", "defi_lending", "defi_derivative"})
"""Categories of the taxonomy (its concepts below `defi`) by `Kind`."""

HACK_ABUSES = frozenset({"service_hack", "phishing", "scam"})
"""An abuse that is done in a service's name or to it: its label names the victim or the bait, not who has the key."""

CONTESTED = "contested: "
"""What the name of an entity that stands for a doubt begins with."""

_SEPARATOR = " | "


@dataclass(frozen=True, slots=True)
class Statement:
    """What a label says that matters for a conflict: whose, how sure, and when."""

    label: str
    actor: str | None
    categories: frozenset[str]
    abuses: frozenset[str]
    confidence: str | None
    valid_from: date | None = None
    valid_until: date | None = None

    @property
    def level(self) -> int:
        return level_of(self.confidence)

    @property
    def identity(self) -> str:
        return identity(self.label, self.actor)

    def in_force(self, on: date) -> bool:
        """Whether the label counts on a day; both ends of its validity are within it."""
        return (self.valid_from is None or self.valid_from <= on) and (
            self.valid_until is None or on <= self.valid_until
        )

    @property
    def names_service(self) -> bool:
        """Whether it names a service whose keys are its own, and not somebody who preyed on one."""
        return bool(self.categories & SERVICE_CATEGORIES.keys()) and not self.abuses & HACK_ABUSES

    @property
    def kind(self) -> Kind:
        """What it makes of its address; of somebody who preyed on a service nothing that the service is."""
        if self.abuses & HACK_ABUSES:
            return Kind.OTHER
        if self.categories & MIXERS:
            return Kind.MIXER
        if self.categories & BRIDGES:
            return Kind.BRIDGE
        if self.names_service:
            return Kind.SERVICE
        return Kind.POOL if self.categories & POOLS else Kind.OTHER


def level_of(confidence: str | None) -> int:
    """The level of a confidence id of the vocabulary; that of `unknown` where none is stated."""
    return UNSTATED_LEVEL if confidence is None else CONFIDENCE[confidence]


def identity(label: str, actor: str | None) -> str:
    """Who a label means: the actor's id where there is one, else its text, in one spelling (NFKC, case, spaces)."""
    if actor:
        return f"actor:{actor}"
    return "label:" + " ".join(unicodedata.normalize("NFKC", label).casefold().split())


@dataclass(frozen=True, slots=True)
class LabelColumn:
    """Which service each address of a dataset is labelled as, by one version of the label set."""

    version: int
    """The version of the label set."""
    on: date
    """The day on which a label had to be in force: that of the dataset's last block, so that no clock decides."""
    entity: I32
    """[address_count] the entity, -1 where no label names a service"""
    entities: list[str]
    """Names of the entities, sorted; that of a doubt begins with CONTESTED"""
    labelled: I32
    """Addresses with any label of the version, ascending"""
    kind: U8
    """[address_count] `Kind`: that of the labels in force of the highest level, but of a service nothing less"""


def label_column(
    version: int, on: date, address_count: int, address: I32, statement: I32, statements: Sequence[Statement]
) -> LabelColumn:
    """The column of the labels `address[i]` -> `statements[statement[i]]`; addresses of -1 are not of the dataset."""
    known = address >= 0
    address, statement = address[known], statement[known]
    labelled = np.unique(address).astype(np.int32)
    counts = [each.names_service and each.in_force(on) for each in statements]
    names = sorted({each.identity for each, is_meant in zip(statements, counts, strict=True) if is_meant})
    number = {name: place for place, name in enumerate(names)}
    entity_of = np.full(len(statements), -1, np.int32)
    level_of_each = np.zeros(len(statements), np.int32)
    for place, (each, is_meant) in enumerate(zip(statements, counts, strict=True)):
        if is_meant:
            entity_of[place], level_of_each[place] = number[each.identity], each.level
    meant = entity_of[statement] >= 0
    pairs = _best(address[meant], level_of_each[statement[meant]], entity_of[statement[meant]])
    entity, entities = _entities(address_count, pairs, names)
    kind = _kinds(on, address_count, address, statement, statements)
    kind[(entity >= 0) & (kind >= Kind.POOL)] = Kind.SERVICE
    return LabelColumn(version, on, entity, entities, labelled, kind)


def _kinds(on: date, address_count: int, address: I32, statement: I32, statements: Sequence[Statement]) -> U8:
    """[address_count] `Kind` by the labels in force of each address' highest level."""
    kinds = np.array([int(each.kind) if each.in_force(on) else 0 for each in statements], np.int64)
    levels = np.array([each.level for each in statements], np.int64)
    found = np.zeros(address_count, np.int64)
    said = kinds[statement] if len(statements) else np.empty(0, np.int64)
    rank = (levels[statement[said > 0]] << 3) + (int(Kind.OTHER) - said[said > 0]) + 1
    np.maximum.at(found, address[said > 0], rank)
    kind: U8 = np.where(found > 0, int(Kind.OTHER) - ((found - 1) & 7), 0).astype(np.uint8)
    return kind


def _best(address: I32, level: I32, entity: I32) -> tuple[I32, I32]:
    """Distinct (address, entity) of the highest level of each address, sorted."""
    highest = np.zeros(int(address.max(initial=-1)) + 1, np.int32)
    np.maximum.at(highest, address, level)
    speaks = level == highest[address]
    packed: I64 = np.unique(address[speaks].astype(np.int64) << 32 | entity[speaks].astype(np.int64))
    return (packed >> 32).astype(np.int32), (packed & 0xFFFFFFFF).astype(np.int32)


def _entities(address_count: int, pairs: tuple[I32, I32], names: Sequence[str]) -> tuple[I32, list[str]]:
    """The entity of each address, and their names."""
    address, entity = pairs
    column = np.full(address_count, -1, np.int32)
    starts = np.flatnonzero(np.diff(address, prepend=-1))
    ends = np.append(starts[1:], len(address))
    doubts: dict[int, str] = {}
    for start, end in zip(starts[ends - starts > 1].tolist(), ends[ends - starts > 1].tolist(), strict=True):
        doubts[int(address[start])] = contested(names[each] for each in entity[start:end].tolist())
    used = [names[each] for each in np.unique(entity[starts[ends - starts == 1]]).tolist()]
    entities = sorted({*used, *doubts.values()})
    number = {name: place for place, name in enumerate(entities)}
    renumbered = np.array([number.get(name, -1) for name in names], np.int32)
    single = starts[ends - starts == 1]
    column[address[single]] = renumbered[entity[single]]
    for each, name in doubts.items():
        column[each] = number[name]
    return column, entities


def contested(names: Iterable[str]) -> str:
    """The name of the entity that stands for a doubt between several."""
    return CONTESTED + _SEPARATOR.join(sorted(set(names)))


def reference(statements: Iterable[Statement], on: date) -> str | None:
    """The readable twin of `label_column` for one address: the name of its entity, None for none."""
    meant = [each for each in statements if each.names_service and each.in_force(on)]
    highest = max((each.level for each in meant), default=0)
    names = {each.identity for each in meant if each.level == highest}
    if len(names) > 1:
        return contested(names)
    return names.pop() if names else None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Several services that labels in force name for one address or cluster."""

    entities: list[str]
    settled_as: str | None
    """The one of the highest level; None where that level names several"""


def conflict(statements: Iterable[Statement], on: date) -> Conflict | None:
    """The conflict between labels; None where they name at most one service."""
    meant = [each for each in statements if each.names_service and each.in_force(on)]
    names = {each.identity for each in meant}
    if len(names) < 2:
        return None
    entity = reference(meant, on)
    assert entity is not None, "there are labels that count"
    return Conflict(sorted(names), None if entity.startswith(CONTESTED) else entity)


def reference_kind(statements: Iterable[Statement], on: date) -> Kind:
    """The readable twin of `LabelColumn.kind` for one address."""
    said = [each for each in statements if each.in_force(on)]
    highest = max((each.level for each in said), default=0)
    kind = min((each.kind for each in said if each.level == highest), default=Kind.NONE)
    names_service = any(each.names_service for each in said)
    return Kind.SERVICE if names_service and kind >= Kind.POOL else kind
