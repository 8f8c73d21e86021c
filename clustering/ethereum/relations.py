"""Relations: what a heuristic says of two Ethereum addresses that joins nobody.

A relation is directed, rests on transactions, and has a rule. It stands in a table of its own, apart from links: what
is there can never reach a forest, whatever its rate (EVIDENCE 1). People who pay one deposit address, or whose wallets
were emptied into one, have that in common and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Any

import numpy as np

from chain.model import I32, I64, U8, Array
from clustering.rates import told


class Relation(IntEnum):
    """What the source is to the target. The number is stored: append only."""

    PAID_DEPOSIT = 1
    SWEPT_INTO = 2
    DEPLOYED = 3
    FIRST_FUNDED = 4
    FORWARDED_AIRDROP = 5
    EMPTIED_INTO = 6


@dataclass(frozen=True, slots=True)
class RelationFacts:
    """What an answer says of a relation beside each one."""

    relation: Relation
    name: str
    claim: str
    """One line: what the rule takes for granted."""
    forward: str
    """What the source did, in the words of an answer."""
    backward: str
    """The same, told of the target."""
    source: str
    is_lead: bool
    """A guess with a published or proposed rule; else what the rows say themselves."""

    @property
    def rate(self) -> str:
        """The measured error rate of a lead, as answers tell it."""
        return told(self.name) if self.is_lead else "stands in the rows"


RELATIONS: Mapping[Relation, RelationFacts] = MappingProxyType(
    {
        Relation.PAID_DEPOSIT: RelationFacts(
            Relation.PAID_DEPOSIT,
            name="paid deposit account",
            claim="What comes into an address and goes on whole to a labelled service was paid into an account there.",
            forward="paid deposit account",
            backward="was paid, as a deposit account, by",
            source="F. Victor, Address Clustering Heuristics for Ethereum, FC 2020, algorithm 1, without its joining",
            is_lead=True,
        ),
        Relation.SWEPT_INTO: RelationFacts(
            Relation.SWEPT_INTO,
            name="swept into",
            claim="An address that passes whole deposits on to a labelled service is a deposit account there.",
            forward="is swept into",
            backward="is where is swept",
            source="F. Victor, Address Clustering Heuristics for Ethereum, FC 2020, algorithm 1",
            is_lead=True,
        ),
        Relation.DEPLOYED: RelationFacts(
            Relation.DEPLOYED,
            name="deployed",
            claim="Who creates a contract, by a transaction or as one itself, deployed it; it need not issue with it.",
            forward="deployed",
            backward="was deployed by",
            source="Yellow Paper, section 7",
            is_lead=False,
        ),
        Relation.FIRST_FUNDED: RelationFacts(
            Relation.FIRST_FUNDED,
            name="first funded",
            claim="Who gives an account its first ether, and gave few others theirs, may know who has its key.",
            forward="gave the first ether seen here to",
            backward="got the first ether seen here from",
            source="Victor FC 2020 (airdrop farmers); thresholds of the research catalogue, E5",
            is_lead=True,
        ),
        Relation.FORWARDED_AIRDROP: RelationFacts(
            Relation.FORWARDED_AIRDROP,
            name="forwarded airdrop",
            claim="Several who pass on exactly what an airdrop gave them to one address may be one party.",
            forward="passed on a whole airdrop to",
            backward="was passed whole airdrops by",
            source="F. Victor, Address Clustering Heuristics for Ethereum, FC 2020, multi-participation",
            is_lead=True,
        ),
        Relation.EMPTIED_INTO: RelationFacts(
            Relation.EMPTIED_INTO,
            name="emptied into",
            claim="Accounts that are emptied into one address within a day and never act again have that in common.",
            forward="was emptied into",
            backward="is what was filled by emptying",
            source="research catalogue, E6 (proposed there)",
            is_lead=True,
        ),
    }
)
"""Every relation that can stand in the table."""


@dataclass(frozen=True, slots=True)
class RelationBatch:
    """R relations, one row each (relation, source, target), in that order. Ids are dense and of one dataset."""

    relation: U8
    source: I32
    target: I32
    first_tx: I64
    """[R] the first transaction of the evidence"""
    last_tx: I64
    """[R] the last one"""
    times: I64
    """[R] how often it was seen"""

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: Any) -> RelationBatch:
        """The relations at `rows` (positions or a mask), in that order."""
        return RelationBatch(*(getattr(self, name)[rows] for name in RelationBatch.__slots__))

    @classmethod
    def empty(cls) -> RelationBatch:
        ids, narrow = np.empty(0, np.int64), np.empty(0, np.int32)
        return cls(np.empty(0, np.uint8), narrow, narrow, ids, ids, ids)


def gathered(relation: Relation, source: Array, target: Array, first_tx: I64, last_tx: I64) -> RelationBatch:
    """One relation for each distinct pair of `source` and `target` [n]; pairs of one address with itself are none."""
    apart = np.flatnonzero(source != target)
    source, target, first_tx, last_tx = (each[apart].astype(np.int64) for each in (source, target, first_tx, last_tx))
    pairs, place, times = np.unique(source << 32 | target, return_inverse=True, return_counts=True)
    place = place.reshape(-1)
    first = np.full(len(pairs), np.iinfo(np.int64).max, np.int64)
    last = np.full(len(pairs), -1, np.int64)
    np.minimum.at(first, place, first_tx)
    np.maximum.at(last, place, last_tx)
    return RelationBatch(
        np.full(len(pairs), relation, np.uint8), (pairs >> 32).astype(np.int32),
        (pairs & 0xFFFFFFFF).astype(np.int32), first, last, times.astype(np.int64),
    )  # fmt: skip


def concatenate(batches: Sequence[RelationBatch]) -> RelationBatch:
    """The relations of all `batches`, which are of different rules, by (relation, source, target)."""
    names = RelationBatch.__slots__
    joined = RelationBatch(*(np.concatenate([getattr(each, name) for each in batches]) for name in names))
    return joined.take(np.lexsort((joined.target, joined.source, joined.relation)))
