"""From stored claims to what of them matters for conflicts (clustering/labels.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clustering.labels import Statement


def statement(claim: Mapping[str, Any], actors: Mapping[str, Mapping[str, Any]]) -> Statement:
    """What a claim says. One that names an actor and neither category nor abuse is of the actor's categories."""
    concepts = frozenset(claim["concepts"])
    categories = concepts | ({claim["category"]} if claim["category"] else set())
    abuses = concepts | ({claim["abuse"]} if claim["abuse"] else set())
    if not categories and not abuses and claim["actor"] in actors:
        categories = frozenset(actors[claim["actor"]]["categories"])
    return Statement(
        claim["label"], claim["actor"], categories, abuses, claim["confidence"], claim["valid_from"],
        claim["valid_until"],
    )  # fmt: skip
