"""The shapes of bodies on what guards hold, what people decided, and what became of clusters between runs."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from api.answers.shapes import Answer, ClusterName, RuleWords


class ServiceName(TypedDict):
    """A service that labels name within a cluster."""

    entity: str
    """As the labels' sources call it, or its actor"""
    addresses: int
    """Addresses of the cluster that are labelled as it."""
    via: str
    """The earliest of them."""


class HeldSide(TypedDict):
    """One of the two clusters that a link would join."""

    address: str
    cluster: ClusterName
    services: list[ServiceName]


class DecisionRow(TypedDict):
    """A person's word on a link."""

    number: int
    decision: str
    """accept, refuse or withdraw"""
    txid: str
    rule: str
    addresses: list[str]
    decided_by: str
    reason: str
    decided_at: str | None
    in_force: bool
    """It is the last word on its link, and no withdrawal."""
    counted: bool
    """The newest run knew it; else the next one will."""


class HeldLink(RuleWords):
    """A link that stands and does not join, with what a person needs to decide on it."""

    txid: str
    height: int | None
    time: str | None
    status: str
    reason: str
    since_run: int
    sides: list[HeldSide]
    joined_size: int | None
    """Addresses of the cluster that accepting it would make; null where other links join the two already."""
    effect: str
    decisions: list[DecisionRow]
    """The newest first."""


class HeldAnswer(Answer):
    held: int
    """Links that the run has and does not join."""
    label_set: int | None
    """The version of the labels that name the services here."""
    judged_by: int | None
    """The version that the run judged by."""
    note: str | None
    statement: str
    items: list[HeldLink]


class HeldBody(TypedDict):
    chain: str
    answers: list[HeldAnswer]
    next: str | None


class DecisionsAnswer(Answer):
    items: list[DecisionRow]


class DecisionsBody(TypedDict):
    chain: str
    answers: list[DecisionsAnswer]


class DecidedBody(TypedDict):
    chain: str
    dataset: str
    decided: DecisionRow
    statement: str


class EventLink(TypedDict):
    """A link that an event tells of."""

    txid: str
    height: int | None
    time: str | None
    rule: str
    addresses: list[str]
    status: str
    reason: str


class HistoryEvent(TypedDict):
    """What became of the cluster from the run before to this one."""

    event: Literal["merged", "split", "grew", "held", "released"]
    count: int
    """Clusters, addresses or links, whichever the event tells of."""
    clusters: list[ClusterName]
    """merged: those of the run before; split: those that its addresses of the run before are in now."""
    links: list[EventLink]
    """held: not joined since this run; released: held or refused until this run."""
    statement: str


class HistoryRun(TypedDict):
    run: int
    height: int | None
    finished_at: str | None
    id: str | None
    size: int | None
    note: str | None
    """Why id and size are null, where they are."""
    events: list[HistoryEvent] | None
    """Null where this run or the one before it was not looked at."""


class HistoryAnswer(Answer):
    address: str
    items: list[HistoryRun]


class HistoryBody(TypedDict):
    chain: str
    id: str
    answers: list[HistoryAnswer]
    next: None


class RunGrounds(TypedDict):
    """A run, and what it judged by."""

    run: int
    height: int | None
    finished_at: str | None
    transactions: int
    addresses: int
    clusters: int
    accepted: int
    held: int
    refused: int
    partition_sha256: str
    label_set: int | None
    last_decision: int
    """Number of the last decision that it counted; 0: none."""


class Piece(TypedDict):
    """A cluster of the other run that one shares addresses with."""

    cluster: ClusterName
    shared: int


class DiffCluster(TypedDict):
    """A cluster that merged or split."""

    cluster: ClusterName
    count: int
    """Clusters of the other run that it shares addresses with."""
    pieces: list[Piece]


class DiffClusters(TypedDict):
    """merges: clusters of the later run with addresses of several earlier ones; splits: the other way round."""

    count: int
    pieces: int
    largest: list[DiffCluster]


class ChangedLink(TypedDict):
    """A link that the later run judges otherwise, has no more, or holds back anew."""

    txid: str
    height: int | None
    time: str | None
    rule: str
    addresses: list[str]
    status_before: str | None
    reason_before: str | None
    status_after: str | None
    reason_after: str | None


# `from` is a word of Python's own.
Diff = TypedDict(
    "Diff",
    {
        "from": RunGrounds,
        "to": RunGrounds,
        "grounds": list[str],
        "same_partition": bool,
        "common_addresses": int,
        "new_addresses": int,
        "merges": DiffClusters,
        "splits": DiffClusters,
        "changed_links": list[ChangedLink],
        "statement": str,
    },
)


class DiffAnswer(Answer):
    diff: Diff


class DiffBody(TypedDict):
    chain: str
    answers: list[DiffAnswer]
