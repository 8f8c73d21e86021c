"""Links: what a heuristic says of two addresses, on which transaction, and what became of it.

A link is evidence, and the table of links is the record: a partition into clusters is always an
index over it. Redundant links are kept, so that a retraction of one leaves the others standing.
Only links of type `controls` join addresses; every other type is a relation and joins nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from chain.model import I32, I64, U8
from clustering.rates import told


class Rule(IntEnum):
    """The rule that found a link. The number is stored: append only."""

    COSPEND = 1
    SAME_KEY = 2


class LinkStatus(IntEnum):
    """What became of a link. The number is stored: append only. Only ACCEPTED links join."""

    ACCEPTED = 1
    HELD = 2
    """A guard held it for a person."""
    REFUSED = 3
    RETRACTED = 4
    """Its evidence is gone (a reorganisation, a later class of its transaction)."""


class LinkType(StrEnum):
    """What a link says of its two addresses."""

    CONTROLS = "controls"
    """One party controls both."""


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """What an answer says of a rule beside each of its links."""

    rule: Rule
    name: str
    claim: str
    """One line: what the rule takes for granted."""
    wording: str
    """How sure it is, in the words of an answer."""
    source: str
    link_type: LinkType
    level: str
    """The lowest level whose partition has the rule's links."""
    version: int
    """Raised whenever the rule finds other links in the same transactions: everything is then looked at again."""

    @property
    def rate(self) -> str:
        """The measured error rate with its place, n and bound, as answers tell it."""
        return told(self.name)


RULES: Mapping[Rule, RuleFacts] = MappingProxyType(
    {
        Rule.COSPEND: RuleFacts(
            rule=Rule.COSPEND,
            name="co-spend",
            claim="Addresses whose coins one transaction spends together are controlled by one party.",
            wording="by the co-spend convention",
            source="Meiklejohn et al., A Fistful of Bitcoins, IMC 2013, heuristic 1",
            link_type=LinkType.CONTROLS,
            level="L0",
            version=2,
        ),
        Rule.SAME_KEY: RuleFacts(
            rule=Rule.SAME_KEY,
            name="same key",
            claim="Scripts that ask for a signature of one and the same key alone are controlled by one party.",
            wording="as one key in several scripts",
            source="BIP 141; BlockSci cluster_manager.cpp (Kalodner et al., USENIX Security 2020)",
            link_type=LinkType.CONTROLS,
            level="L0",
            version=1,
        ),
    }
)
"""Every rule that can stand in a link table."""


@dataclass(frozen=True, slots=True)
class LinkBatch:
    """L links, one a row. Address and transaction ids are dense and of one dataset."""

    u: I32
    """[L] the smaller address id"""
    v: I32
    """[L] the greater address id"""
    rule: U8
    """[L] `Rule`"""
    tx: I64
    """[L] the evidence transaction; the latest where the evidence is several"""
    height: I32
    """[L] the height of `tx`, UNKNOWN where the dataset's blocks have none"""
    status: U8
    """[L] `LinkStatus`"""

    def __post_init__(self) -> None:
        """ValueError where the columns differ in length or a pair is not in ascending order."""
        columns = (self.u, self.v, self.rule, self.tx, self.height, self.status)
        lengths = {len(column) for column in columns}
        if len(lengths) != 1:
            raise ValueError(f"columns of a link batch differ in length: {sorted(lengths)}")
        if not bool(np.all(self.u < self.v)):
            raise ValueError(f"link {int(np.argmin(self.u < self.v))}: u is not below v")

    def __len__(self) -> int:
        return len(self.u)

    def take(self, rows: I64 | npt.NDArray[np.bool_]) -> LinkBatch:
        """The links at `rows` (positions or a mask), in that order."""
        return LinkBatch(
            u=self.u[rows],
            v=self.v[rows],
            rule=self.rule[rows],
            tx=self.tx[rows],
            height=self.height[rows],
            status=self.status[rows],
        )

    @classmethod
    def empty(cls) -> LinkBatch:
        """No link at all."""
        return cls(
            u=np.empty(0, np.int32),
            v=np.empty(0, np.int32),
            rule=np.empty(0, np.uint8),
            tx=np.empty(0, np.int64),
            height=np.empty(0, np.int32),
            status=np.empty(0, np.uint8),
        )


def concatenate(batches: Sequence[LinkBatch]) -> LinkBatch:
    """The links of all `batches`, one batch after another."""
    if not batches:
        return LinkBatch.empty()
    return LinkBatch(
        u=np.concatenate([batch.u for batch in batches]),
        v=np.concatenate([batch.v for batch in batches]),
        rule=np.concatenate([batch.rule for batch in batches]),
        tx=np.concatenate([batch.tx for batch in batches]),
        height=np.concatenate([batch.height for batch in batches]),
        status=np.concatenate([batch.status for batch in batches]),
    )


def canonical_order(batch: LinkBatch) -> LinkBatch:
    """The links in the order in which they join: by (transaction, rule, u, v).

    Transaction ids are in chain order, so this is (height, transaction, rule, addresses). A link's
    place in this order is its *ordinal*.
    """
    return batch.take(np.lexsort((batch.v, batch.u, batch.rule, batch.tx)))


def check_addresses(address_count: int, u: I32, v: I32) -> None:
    """ValueError where `u` and `v` differ in length or name an address outside [0, address_count).

    Kernels index without bounds checks: this stands before them.
    """
    if len(u) != len(v):
        raise ValueError(f"u has {len(u)} links, v has {len(v)}")
    for name, column in (("u", u), ("v", v)):
        if len(column) and (int(column.min()) < 0 or int(column.max()) >= address_count):
            row = int(np.argmax((column < 0) | (column >= address_count)))
            raise ValueError(f"link {row}: {name} = {int(column[row])} is outside 0..{address_count - 1}")
