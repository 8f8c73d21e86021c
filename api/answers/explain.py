"""Why two addresses are together: the chain of links between them, or where each of them is instead."""

from __future__ import annotations

from collections.abc import Sequence

from api.answers import text
from api.answers.cluster import Found, cluster_at
from api.answers.cluster_shapes import ChainConfidence, ChainLink, ExplainAnswer, ExplainBody, Side
from api.answers.naming import Holder, name_address
from api.answers.shapes import ClusterName, Limit
from api.answers.view import DatasetView
from clustering import rates
from clustering.levels import chain_confidence
from clustering.links import RULES, Rule

CHAIN_LINKS = 1_000
"""Links of a chain that an answer lists."""


def explain_body(
    chain: str, views: Sequence[DatasetView], first: str, second: str, height: int | None = None
) -> ExplainBody:
    """The chain of links from one address to another in every dataset that knows at least one of them."""
    a, b = name_address(views, first, height), name_address(views, second, height)
    others = {holder.view.name: holder for holder in b.holders}
    pairs = [(holder, others[holder.view.name]) for holder in a.holders if holder.view.name in others]
    answers = [_answer(a.address, x, b.address, y) for x, y in pairs if x.knows or y.knows]
    in_b = {asked["dataset"]: asked for asked in b.asked}
    return {
        "chain": chain,
        "a": a.address,
        "b": b.address,
        "connected": any(answer["connected"] for answer in answers),
        "asked": [
            {
                **asked,
                "observed": asked["observed"] or in_b[asked["dataset"]]["observed"],
                "reason": asked["reason"] or in_b[asked["dataset"]]["reason"],
            }
            for asked in a.asked
        ],
        "answers": answers,
    }


def _answer(first: str, x: Holder, second: str, y: Holder) -> ExplainAnswer:
    view = x.view
    found_x, found_y = _found(x), _found(y)
    links, count = [], 0
    ordinals: list[int] | None = None
    connected = x.address == y.address and x.knows
    if isinstance(found_x, Found) and isinstance(found_y, Found):
        ordinals = _chain(found_x, found_y)
        connected = ordinals is not None
        count = len(ordinals or [])
        links = _links(found_x, (ordinals or [])[:CHAIN_LINKS])
    limits: list[Limit] = []
    if count > CHAIN_LINKS:
        detail = f"the chain has {count} links, the first are listed"
        limits = [{"limit": "chain_links", "value": CHAIN_LINKS, "detail": detail}]
    wording = " and ".join(sorted({link["wording"] for link in links}))
    return {
        **view.frame(x.moment, limits),
        "connected": connected,
        "reason": _reason(x, y, found_x, found_y, connected),
        "a": _side(first, x, found_x),
        "b": _side(second, y, found_y),
        "link_count": count,
        "confidence": _confidence(found_x, ordinals if connected else None),
        "links": links,
        "statement": text.LINKED.format(wording=wording) if links else text.NO_FINDING,
    }


def _confidence(found: Found | str, ordinals: list[int] | None) -> ChainConfidence | None:
    """What the whole chain is worth by the lower bounds of its rules' measured precision; None where there is none."""
    if isinstance(found, str) or not ordinals:
        return None
    rules = {RULES[Rule(rule)].name for rule in found.clustering.links.rule[ordinals].tolist()}
    bounds = {rule: rates.confidence(rule) for rule in rules}
    unknown = sorted(rule for rule, bound in bounds.items() if bound is None)
    if unknown:
        reason = f"not computed: {' and '.join(unknown)} was never tried on field or emulated data"
        return {"product_ppm": None, "weakest_ppm": None, "reason": reason}
    of_links = [bounds[RULES[Rule(rule)].name] for rule in found.clustering.links.rule[ordinals].tolist()]
    product, weakest = chain_confidence([bound for bound in of_links if bound is not None])
    return {"product_ppm": product, "weakest_ppm": weakest, "reason": None}


def _found(holder: Holder) -> Found | str:
    if not holder.knows:
        as_of = holder.view.as_of(holder.moment)
        height = "its last block" if as_of is None or as_of["height"] is None else f"block {as_of['height']}"
        return f"not observed as of {height}"
    return cluster_at(holder.view, holder.address, holder.moment)


def _chain(x: Found, y: Found) -> list[int] | None:
    links = x.clustering.links
    ordinals = x.clustering.forest.explain(x.address, y.address, links.u, links.v, x.before)
    return None if ordinals is None else [int(ordinal) for ordinal in ordinals]


def _links(found: Found, ordinals: list[int]) -> list[ChainLink]:
    """The links in the order of the way, each turned so that it begins where the one before ended."""
    view, links = found.view, found.clustering.links
    chain: list[ChainLink] = []
    at = found.address
    for ordinal in ordinals:
        u, v = int(links.u[ordinal]), int(links.v[ordinal])
        other = v if u == at else u
        chain.append(
            {
                **text.rule_words(int(links.rule[ordinal])),
                "a": view.address(at),
                "b": view.address(other),
                **view.seen(int(links.tx[ordinal])),
                "status": text.link_status(int(links.status[ordinal])),
            }
        )
        at = other
    return chain


def _side(address: str, holder: Holder, found: Found | str) -> Side:
    if isinstance(found, str):
        return {"address": address, "observed": holder.knows, "cluster": None, "note": found}
    cluster: ClusterName = {"id": found.handle, "size": len(found.members)}
    return {"address": address, "observed": True, "cluster": cluster, "note": None}


def _reason(x: Holder, y: Holder, found_x: Found | str, found_y: Found | str, connected: bool) -> str:
    if connected and x.address == y.address:
        return "they are one address"
    if connected:
        return "a chain of links leads from one to the other"
    if not (x.knows and y.knows):
        side = "a" if not x.knows else "b"
        return f"{side} was not observed in this dataset" if x.knows or y.knows else "neither was observed"
    if isinstance(found_x, str) or isinstance(found_y, str):
        return found_x if isinstance(found_x, str) else str(found_y)
    return "they are in different clusters: no chain of links leads from one to the other"
