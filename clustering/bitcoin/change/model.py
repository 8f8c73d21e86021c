"""The additive model: votes weighed and summed, and what may be said of a transaction then.

Source of the form: a logistic model on votes loses 0.005 of AUC to the best published classifier (0.9933 against
0.9986, Möser and Narayanan's notebooks) and each of its terms can be read in court. Until weights are fitted, a vote
weighs ln(p / (1 - p)) of the published precision p of its feature, as if either output were change as likely as the
other; of features of one family only the strongest vote on each side counts, so that evidence is not added to itself.
That is careful, and it is no calibrated probability: families depend on each other too, and p was measured elsewhere.

Amounts of evidence are integers, in milli-nats (a thousandth of a natural logarithm of odds): no sum depends on its
order. A score never joins addresses; levels and what admits to them are in clustering/levels.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from chain.model import I64
from clustering.bitcoin.change.arrays import I8
from clustering.bitcoin.change.features import FACTS, FEATURES, Convention, Feature
from clustering.bitcoin.change.votes import Votes

MARGIN = 2_944
"""Milli-nats between the two outputs from which one is called a lead: odds of 0.95 to 0.05, the bound of the lowest
level, if the weights held. One vote by script type or by amounts below is not enough, one by freshness is."""

ERA_BLOCKS = 52_560
"""Blocks of an era: a year of ten minutes each. Wallet software drifts by the year."""

MANY_INPUTS = 3

_FAMILIES = [
    [feature for feature in Feature if FACTS[feature].family is family]
    for family in dict.fromkeys(FACTS[feature].family for feature in Feature)
]


@dataclass(frozen=True, slots=True)
class Weights:
    """What each vote weighs."""

    milli_nats: I64
    """[FEATURES]"""
    by_family: bool
    """Of a family only the strongest vote counts; false where a fit has taken the dependence into account."""
    origin: str


PUBLISHED_WEIGHTS = Weights(
    np.array([FACTS[feature].weight for feature in Feature], np.int64), True, "published precisions, family by family"
)


@dataclass(frozen=True, slots=True)
class Stratum:
    """What rates may differ by."""

    inputs: int
    """1, 2, or 3 for more."""
    full: bool
    """Both outputs are spent, so that fingerprints can be compared."""
    era: int | None
    """Height // ERA_BLOCKS; None where the height is not known."""

    @classmethod
    def of(cls, inputs: int, full: bool, height: int) -> Stratum:
        """`height`: UNKNOWN where there is none."""
        return cls(min(inputs, MANY_INPUTS), full, height // ERA_BLOCKS if height >= 0 else None)

    def __str__(self) -> str:
        inputs = "3 or more inputs" if self.inputs == MANY_INPUTS else f"{self.inputs} input{'s'[: self.inputs - 1]}"
        spent = "both outputs spent" if self.full else "not both outputs spent"
        if self.era is None:
            return f"{inputs}, {spent}, height not known"
        first = self.era * ERA_BLOCKS
        return f"{inputs}, {spent}, heights {first} to {first + ERA_BLOCKS - 1}"


class Standing(StrEnum):
    """What may be said of the change of a transaction."""

    CONVENTION = "by convention"
    """An output returns to an input's address, or to one that co-spend joins with it: nothing is left to guess."""
    LEAD = "lead"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Vote:
    """One feature's vote, for one output."""

    feature: Feature
    output: int
    weight: int
    counted: bool
    """It is in the score: no vote of its family on its side is stronger."""


@dataclass(frozen=True, slots=True)
class Lead:
    """What the features say of one transaction."""

    standing: Standing
    output: int | None
    """The likely change."""
    score: int | None
    """Milli-nats by which the likelier output leads, never negative; None where the model is not for its form."""
    stratum: Stratum | None
    """None likewise."""
    votes: tuple[Vote, ...]
    conventions: dict[int, int]
    """Bits of `Convention` by output id, of the outputs that have any."""


def scores(vote: I8, weights: Weights) -> I64:
    """[R] the evidence for each row of votes [R, FEATURES], in milli-nats. The two of a pair are opposite."""
    if vote.shape[1:] != (FEATURES,) or weights.milli_nats.shape != (FEATURES,):
        raise ValueError(f"votes of shape {vote.shape} and {weights.milli_nats.shape} weights, not {FEATURES}")
    if not weights.by_family:
        plain: I64 = vote.astype(np.int64) @ weights.milli_nats
        return plain
    total = np.zeros(len(vote), np.int64)
    for family in _FAMILIES:
        worth = vote[:, family] * weights.milli_nats[family]
        total += worth.max(axis=1, initial=0) + worth.min(axis=1, initial=0)
    return total


def reference_score(vote: list[int], weights: Weights) -> int:
    """The readable twin of `scores`, for one row."""
    worth = {feature: vote[feature] * int(weights.milli_nats[feature]) for feature in Feature}
    if not weights.by_family:
        return sum(worth.values())
    return sum(
        max([0, *(worth[feature] for feature in family)]) + min([0, *(worth[feature] for feature in family)])
        for family in _FAMILIES
    )


def lead(votes: Votes, height: int, weights: Weights = PUBLISHED_WEIGHTS) -> Lead:
    """What may be said of the one transaction that `votes` are of; `height`: UNKNOWN where there is none."""
    if len(np.unique(votes.tx)) != 1:
        raise ValueError(f"votes of {len(np.unique(votes.tx))} transactions, not of one")
    conventions = {int(output): int(bits) for output, bits in zip(votes.output, votes.convention, strict=True) if bits}
    if conventions:
        return Lead(Standing.CONVENTION, None, None, None, (), conventions)
    cast = _listed(votes, weights)
    if not votes.pair[0]:
        return Lead(Standing.UNDECIDED, None, None, None, cast, {})
    first, second = scores(votes.vote, weights).tolist()
    ahead = 0 if first >= second else 1
    score = max(first, second)
    is_lead = score >= MARGIN
    return Lead(
        Standing.LEAD if is_lead else Standing.UNDECIDED, int(votes.output[ahead]) if is_lead else None, score,
        Stratum.of(int(votes.inputs[0]), bool(votes.spent[0]), height), cast, {},
    )  # fmt: skip


def _listed(votes: Votes, weights: Weights) -> tuple[Vote, ...]:
    """The votes for an output, by feature; what they speak against follows."""
    found = []
    for feature in Feature:
        for row in np.flatnonzero(votes.vote[:, feature] > 0).tolist():
            weight = int(weights.milli_nats[feature])
            found.append(Vote(feature, int(votes.output[row]), weight, votes.pair[row] and weight != 0))
    if not weights.by_family:
        return tuple(found)
    strongest: dict[tuple[str, int], Feature] = {}
    for vote in found:
        place = FACTS[vote.feature].family, vote.output
        if place not in strongest or vote.weight > int(weights.milli_nats[strongest[place]]):
            strongest[place] = vote.feature
    return tuple(
        Vote(vote.feature, vote.output, vote.weight, bool(vote.counted) and _is(strongest, vote)) for vote in found
    )


def _is(strongest: dict[tuple[str, int], Feature], vote: Vote) -> bool:
    return strongest[FACTS[vote.feature].family, vote.output] is vote.feature


def convention_words(bits: int) -> str:
    """By which convention an output is change."""
    if bits & Convention.SELF:
        return "change paid back to an input's own address"
    return "its address is in the inputs' cluster, by the co-spend convention"
