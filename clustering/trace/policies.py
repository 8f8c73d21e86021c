"""Conventions of tracing: which money leaves a mixed holding first, and which output it fills.

Every convention is a rule that somebody chose, not a fact about money. EVIDENCE 9: the legal conventions are shown
together, as a range; the investigative measures apart, never as a range.

How they fail. Where a holding mixes money, no convention knows whose money left; they differ by design, and their
range says by how much. FIFO and LIFO depend on the order of rows in a transaction, which whoever made it could choose.
Pro rata spreads to ever smaller parts and reaches almost everyone in time. The lowest intermediate balance of a Bitcoin
address counts a person's addresses apart. TIHO, seniority and poison answer "at most", not "whose".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType


class Leaves(IntEnum):
    """Which lots of a holding leave first."""

    OLDEST = 0
    NEWEST = 1
    TRACED = 2
    """Traced lots, the oldest first, then the others."""
    OTHERS = 3
    """The others first, then traced lots, the oldest first."""
    IN_PROPORTION = 4


class Fills(IntEnum):
    """Which credits of a movement the lots fill."""

    IN_ORDER = 0
    TRACED_FIRST = 1
    """Traced lots in the order of the credits, then the others."""
    HIGHEST_FIRST = 2
    """Traced lots the largest credit first, then the others; the fee last."""
    IN_PROPORTION = 3


class Policy(StrEnum):
    FIFO = "fifo"
    LIFO = "lifo"
    PRO_RATA = "pro-rata"
    LOWEST_BALANCE = "lowest-balance"
    TIHO = "tiho"
    SENIORITY = "seniority"
    POISON = "poison"


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """What a result says of the convention that it was made by."""

    name: str
    legal: bool
    """A legal convention; else an investigative measure."""
    leaves: Leaves
    fills: Fills
    rule: str
    source: str
    by_address: bool = False
    """On Bitcoin over addresses, not over outputs."""
    backward: bool = False
    """Turned round in time it is the same convention, so it answers where money came from."""


POLICIES: Mapping[Policy, PolicyFacts] = MappingProxyType(
    {
        Policy.FIFO: PolicyFacts(
            "first in, first out", True, Leaves.OLDEST, Fills.IN_ORDER,
            "The oldest lots leave first; inputs in their order fill outputs in their order, and the fee last.",
            "Clayton's case (1816) 1 Mer 572; Anderson, Shumailov, Ahmed, Making Bitcoin Legal (2018)",
            backward=True,
        ),
        Policy.LIFO: PolicyFacts(
            "last in, first out", True, Leaves.NEWEST, Fills.IN_ORDER,
            "The newest lots leave first; the last input fills the first output.",
            "FIFO with the input stream turned round",
            backward=True,
        ),
        Policy.PRO_RATA: PolicyFacts(
            "pro rata (haircut)", True, Leaves.IN_PROPORTION, Fills.IN_PROPORTION,
            "Every payment takes of each lot in proportion; units that do not divide go by largest remainder.",
            "Barlow Clowes v Vaughan [1992] 4 All ER 22; Möser, Böhme, Breuker (2014)",
            backward=True,
        ),
        Policy.LOWEST_BALANCE: PolicyFacts(
            "lowest intermediate balance", True, Leaves.OTHERS, Fills.IN_ORDER,
            "A payment takes other money first, and traced money only where the balance falls below it; what comes in "
            "later restores none. On Bitcoin of each address, with change back to it netted.",
            "James Roscoe (Bolton) v Winder [1915] 1 Ch 62",
            by_address=True,
        ),
        Policy.TIHO: PolicyFacts(
            "taint in, highest out", False, Leaves.OLDEST, Fills.HIGHEST_FIRST,
            "Traced money fills the largest outputs first; an account pays out its oldest lots first.",
            "Tironsakkul et al. (2019)",
        ),
        Policy.SENIORITY: PolicyFacts(
            "seniority", False, Leaves.TRACED, Fills.TRACED_FIRST,
            "Traced money leaves first and fills outputs in their order.",
            "Möser, Narayanan, Effective Cryptocurrency Regulation Through Blacklisting (2019)",
        ),
        Policy.POISON: PolicyFacts(
            "poison", False, Leaves.TRACED, Fills.TRACED_FIRST,
            "Whatever was touched is reached whole: the upper end of where money can have gone. No sum is kept.",
            "Möser, Böhme, Breuker (2014)",
        ),
    }
)  # fmt: skip

LEGAL = tuple(policy for policy, facts in POLICIES.items() if facts.legal)
"""Their range is the answer's range."""
