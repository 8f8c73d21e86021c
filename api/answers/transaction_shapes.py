"""Answers about transactions."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from api.answers.shapes import Amount, Answer, Asked, RuleWords


class TransactionClass(TypedDict):
    """Which form a transaction has, by which rule, and why."""

    name: Literal["none", "coinjoin", "ambiguous", "single party"]
    """What follows from the form."""
    form: str | None
    protocol: str | None
    rule: str
    """What a transaction of this class looks like."""
    parameters: str | None
    lineage: str | None
    """What the transactions before it say, where the class asks for them."""
    why: str
    """What the rules looked at, in this transaction's numbers."""
    source: str
    fails: str
    """How the rule errs."""
    effect: str
    """What clustering does with it."""


class BlockName(TypedDict):
    height: int | None
    hash: str
    time: str | None
    index: int
    """Place of the transaction in the block."""
    proof: str
    """bytes: the block's own bytes passed every check; stated: a file named its transactions."""


class Debit(TypedDict):
    """An output that is spent."""

    outpoint: str
    address: str | None
    type: str
    value: Amount
    outside: bool
    """The dataset does not hold the transaction that made it; a source states its value and address."""


class Credit(TypedDict):
    """An output that is made, or the fee, which comes last."""

    n: int | None
    address: str | None
    type: str
    value: Amount
    spent_by: str | None


class TransactionLink(RuleWords):
    """A link that rests on a transaction."""

    type: str
    addresses: list[str]
    status: str
    reason: str | None
    """Why it is held or refused, or that a person accepted it; null where it joins by its rule."""


class ChangeOutput(TypedDict):
    """An output that is change by a convention of L0."""

    n: int
    address: str | None
    convention: str


class ChangeVote(TypedDict):
    """One feature's vote for one output, against each other one."""

    feature: str
    claim: str
    n: int
    address: str | None
    weight_milli_nats: int
    counted: bool
    """False: a stronger vote of its family is in the score, or there is no score, or no rate is published."""
    precision: str | None
    """Share that was right where the feature named an output; null where no rate is published."""
    precision_lower_95: str | None
    trials: int | None
    coverage: str | None
    measured: str
    """Where these were measured."""
    source: str


class Change(TypedDict):
    """Which output probably went back to the payer. A lead, not a link: nothing is joined on it."""

    status: Literal["by convention", "lead", "undecided", "not asked"]
    n: int | None
    """The output of a lead."""
    address: str | None
    score_milli_nats: int | None
    """Sum of the votes that count, for the likelier output against the other; no probability."""
    margin_milli_nats: int
    """Least score of a lead."""
    weights: str
    stratum: str | None
    by_convention: list[ChangeOutput]
    votes: list[ChangeVote]
    notes: list[str]
    """Why a lead was not asked for, or what to know of it."""
    statement: str


class Movement(TypedDict):
    """Ordered debits of one asset given to ordered credits."""

    asset: str
    decimals: int
    debits: list[Debit]
    credits: list[Credit]


_Classed = TypedDict("_Classed", {"class": TransactionClass})


class TransactionAnswer(Answer, _Classed):
    block: BlockName
    coinbase: bool
    """It makes new coins and has no debits."""
    input_count: int
    output_count: int
    fee: Amount
    movements: list[Movement]
    links: list[TransactionLink]
    change: Change


class TransactionBody(TypedDict):
    chain: str
    txid: str
    asked: list[Asked]
    answers: list[TransactionAnswer]
