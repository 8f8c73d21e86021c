"""Grades by named conditions (EVIDENCE 7), never by a number that depends on how many candidates were compared.

A   two items with different roots, one of them authenticated off the chain, and no open contradiction
B   one authenticated item, consistent facts on the chain, and no open contradiction
C   several items with different roots
lead   everything else

Items that descend from one document count once. A fact on the chain is no item: it is consistent with items or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from clustering.link.evidence import Item


class Letter(StrEnum):
    A = "A"
    B = "B"
    C = "C"
    LEAD = "lead"


ORDER = (Letter.A, Letter.B, Letter.C, Letter.LEAD)


@dataclass(frozen=True, slots=True)
class Grade:
    """A grade with the conditions that it was decided by."""

    letter: Letter
    roots: int
    """Different roots of items for it"""
    authenticated_roots: int
    facts: int
    """Facts on the chain that are consistent with it"""
    contradictions: int
    """Roots of open contradictions"""
    weight: int
    """Log-likelihood ratio, hundredths of a nat: of each root the item of most weight; facts by kind, and once"""


def grade(items: Sequence[Item], at_best: Letter = Letter.A) -> Grade:
    """The grade of a link by its items; `at_best` caps what rests on a convention."""
    said = [each for each in items if not each.against and each.kind.off_chain]
    facts = {each.kind.name: each.weight for each in items if not each.against and not each.kind.off_chain}
    against = {each.root: each.weight for each in items if each.against}
    roots = {each.root for each in said}
    authenticated = {each.root for each in said if each.authenticated}
    letter = Letter.LEAD
    if authenticated and len(roots) > 1 and not against:
        letter = Letter.A
    elif authenticated and facts and not against:
        letter = Letter.B
    elif len(roots) > 1:
        letter = Letter.C
    weight = sum(max(each.weight for each in said if each.root == root) for root in roots)
    return Grade(
        max(letter, at_best, key=ORDER.index), len(roots), len(authenticated), len(facts), len(against),
        weight + sum(facts.values()) + sum(against.values()),
    )  # fmt: skip
