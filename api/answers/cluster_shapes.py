"""Answers about clusters and the links that hold them."""

from __future__ import annotations

from typing_extensions import TypedDict

from api.answers.shapes import Amount, Answer, Asked, Cluster, ClusterName, RuleWords, Seen


class ClusterAnswer(Answer):
    cluster: Cluster


class ClusterBody(TypedDict):
    chain: str
    id: str
    answers: list[ClusterAnswer]


class Member(TypedDict):
    address: str
    kind: str
    received: str
    spent: str
    balance: Amount
    net: Amount
    unknown_values: int
    tx_count: int
    first_seen: Seen


class MembersAnswer(Answer):
    asset: str
    decimals: int
    items: list[Member]


class MembersBody(TypedDict):
    chain: str
    id: str
    answers: list[MembersAnswer]
    next: str | None


class ClusterLink(TypedDict):
    txid: str
    height: int | None
    time: str | None
    rule: str
    wording: str
    u: str
    v: str
    status: str


class ClusterLinksAnswer(Answer):
    items: list[ClusterLink]


class ClusterLinksBody(TypedDict):
    chain: str
    id: str
    answers: list[ClusterLinksAnswer]
    next: str | None


class ChainLink(RuleWords):
    """One step of the way from a to b."""

    a: str
    b: str
    txid: str
    height: int | None
    time: str | None
    status: str


class ChainConfidence(TypedDict):
    """The lower 95 % bounds of the precision of a chain's links, in parts per million: repeated mistakes are not
    independent, so repetition earns no bonus.
    """

    product_ppm: int | None
    weakest_ppm: int | None
    reason: str | None
    """Why it is not computed."""


class Side(TypedDict):
    address: str
    observed: bool
    cluster: ClusterName | None
    note: str | None


class ExplainAnswer(Answer):
    connected: bool
    reason: str
    a: Side
    b: Side
    link_count: int
    confidence: ChainConfidence | None
    links: list[ChainLink]
    statement: str


class ExplainBody(TypedDict):
    chain: str
    a: str
    b: str
    connected: bool
    asked: list[Asked]
    answers: list[ExplainAnswer]
