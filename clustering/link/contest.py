"""A contest of a link: it is inferred again without each rule, label, document and convention in turn, and pairs.

Tells what the result hangs on. The smallest set that was found to change it may not be the smallest there is, unless it
is one element, or two and every pair was tried; beyond the budget it is "not computed", never "none".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice

from clustering.link.infer import CO_SPEND, DEPLOYED, SALE_RULE, SERVICE_LIKE, SHARE_RULE, Key, Link, Material, infer

RUNS = 2_000
"""Times that links are inferred again."""

CONTESTED = (SALE_RULE, DEPLOYED, SERVICE_LIKE)
"""Rules that can fail; the co-spend and the tracing convention are told as conventions."""


@dataclass(frozen=True, slots=True, order=True)
class Element:
    """What a result may rest on, and what can fail."""

    sort: str
    """`rule`, `label`, `document` or `convention`"""
    name: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is left of a link."""

    found: bool
    role: str
    grade: str
    reaches_cluster: bool


@dataclass(frozen=True, slots=True)
class Contest:
    """What a link hangs on."""

    before: Outcome
    tried: tuple[tuple[tuple[Element, ...], Outcome], ...]
    """Each set of elements without which the result is another, and the result then; single ones first"""
    held: tuple[Element, ...]
    """Elements without which, one at a time, it is the same"""
    smallest: tuple[Element, ...] | None
    """The smallest set found whose failure changes the result; None: not computed"""
    pairs: int
    """Pairs that were tried"""
    complete: bool
    """Whether every pair was"""


def contest(material: Material, key: Key, budget: int = RUNS) -> Contest:
    """Infer a link again without each element, and without each pair of those that change nothing alone.

    KeyError where the material makes no such link.
    """
    before = _outcome(infer(material), key)
    if not before.found:
        raise KeyError(key)
    elements = elements_of(material, infer(material)[key])
    tried: list[tuple[tuple[Element, ...], Outcome]] = []
    held: list[Element] = []
    for each in elements:
        after = _outcome(infer(without(material, (each,))), key)
        if after == before:
            held.append(each)
        else:
            tried.append(((each,), after))
    left = max(0, budget - len(elements))
    pairs = 0
    for pair in islice(combinations(held, 2), left):
        pairs += 1
        after = _outcome(infer(without(material, pair)), key)
        if after != before:
            tried.append((pair, after))
    complete = pairs == len(held) * (len(held) - 1) // 2
    smallest = tried[0][0] if tried else _greedy(material, key, before, held, left - pairs)
    return Contest(before, tuple(tried), tuple(held), smallest, pairs, complete)


def elements_of(material: Material, link: Link) -> tuple[Element, ...]:
    """What can be taken away, in order: everything that bears on the case's links, not on this one alone."""
    found = {Element("rule", each) for each in CONTESTED if each in material.rules}
    found |= {Element("document", each.root) for each in material.claims if each.company == link.company}
    found |= {Element("label", each.source) for named in material.labels.values() for each in named}
    found |= {Element("convention", CO_SPEND), Element("convention", material.convention)}
    return tuple(sorted(found))


def without(material: Material, elements: Sequence[Element]) -> Material:
    """The material as if these were not."""
    gone = set(elements)
    rules = {each for each in material.rules if Element("rule", each) not in gone}
    rules -= {CO_SPEND} if Element("convention", CO_SPEND) in gone else set()
    rules -= {SHARE_RULE} if Element("convention", material.convention) in gone else set()
    labels = {
        place: kept
        for place, named in material.labels.items()
        if (kept := tuple(each for each in named if Element("label", each.source) not in gone))
    }
    claims = tuple(each for each in material.claims if Element("document", each.root) not in gone)
    clusters = material.clusters
    if any(each.sort == "label" for each in gone):
        names = {each.name for each in gone if each.sort == "label"}
        clusters = {
            place: replace(each, service="") if each.label in names else each for place, each in clusters.items()
        }
    return replace(material, rules=frozenset(rules), labels=labels, claims=claims, clusters=clusters)


def _greedy(
    material: Material, key: Key, before: Outcome, held: Sequence[Element], budget: int
) -> tuple[Element, ...] | None:
    """A set that changes the result, without what can stay in it; None beyond the budget or where none does."""
    for size in range(3, min(len(held), 3 + max(0, budget)) + 1):
        taken = tuple(held[:size])
        if _outcome(infer(without(material, taken)), key) != before:
            return tuple(_needed(material, key, before, taken))
    return None


def _needed(material: Material, key: Key, before: Outcome, taken: tuple[Element, ...]) -> Iterator[Element]:
    kept = list(taken)
    for each in taken:
        rest = [other for other in kept if other != each]
        if _outcome(infer(without(material, rest)), key) != before:
            kept = rest
    yield from kept


def _outcome(links: dict[Key, Link], key: Key) -> Outcome:
    """The link, or the one of the same company and address in another role."""
    link = links.get(key)
    if link is None:
        others = [each for (company, place, _), each in links.items() if (company, place) == key[:2]]
        if not others:
            return Outcome(False, "", "", False)
        link = others[0]
    return Outcome(True, link.role.value, link.grade.letter.value, bool(link.cluster))
