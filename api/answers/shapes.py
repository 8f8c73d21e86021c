"""The shape of every body: what builders must make, what OpenAPI shows, and what tests hold answers to.

Amounts are decimal strings in base units (satoshi); null is a value that no source states, never zero.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

Amount = str | None


class AsOf(TypedDict):
    """The last block that an answer rests on."""

    height: int | None
    block_hash: str
    time: str | None
    final: bool | None
    """Six or more blocks of the dataset lie above it; null in an extract, which has no depth."""


class ClusteringName(TypedDict):
    """The run that an answer's clusters are of."""

    run: int
    level: str
    height: int | None
    """The last block that the run looked at."""
    transactions_behind: int
    """Transactions of the dataset that the run has not looked at."""


class Coverage(TypedDict):
    """What a dataset holds, and what its rows rest on."""

    kind: Literal["full", "extract"]
    network: str
    anchor_height: int | None
    blocks: int
    blocks_proven_by_bytes: int
    blocks_stated: int
    transactions: int
    inputs: int
    inputs_from_outside: int
    """Inputs that spend outputs of transactions that the dataset does not hold."""
    outputs: int
    unknown_values: int
    """Outputs, outside ones included, whose value no source states."""


class Limit(TypedDict):
    """A bound that cut an answer."""

    limit: str
    value: int
    detail: str


class Asked(TypedDict):
    """One dataset that was asked, whether or not it knows the thing."""

    dataset: str
    network: str
    observed: bool | None
    """Null where the dataset does not cover what was asked: that is not "not observed"."""
    as_of: AsOf | None
    reason: str | None
    """Why it does not answer; null where it does."""


class Answer(TypedDict):
    """What each dataset's answer says of itself."""

    dataset: str
    as_of: AsOf | None
    clustering: ClusteringName | None
    coverage: Coverage
    limits_hit: list[Limit]


class Seen(TypedDict):
    """A transaction and when it was."""

    txid: str
    height: int | None
    time: str | None


class Facts(TypedDict):
    """What the dataset's transactions say of one address."""

    asset: str
    decimals: int
    received: str
    """Sum of the stated values of its outputs."""
    spent: str
    balance: Amount
    """received - spent where the dataset has every transaction of the address and every value; else null."""
    net: Amount
    """received - spent within this dataset; null where a value is not stated."""
    received_count: int
    spent_count: int
    unknown_values: int
    tx_count: int
    first_seen: Seen
    last_seen: Seen


class Summary(TypedDict):
    """What the transactions say of a whole cluster."""

    asset: str
    decimals: int
    received: str
    spent: str
    balance: Amount
    net: Amount
    unknown_values: int
    tx_count: int | None
    """Null where counting them would have passed a limit."""
    first_seen: Seen | None
    last_seen: Seen | None


class RuleWords(TypedDict):
    """What an answer says of the rule behind its links."""

    rule: str
    claim: str
    wording: str
    source: str
    level: str
    rate: str
    """The measured error rate with its place, n and bound, or that there is none yet."""


class RuleCount(RuleWords):
    count: int


class Cluster(TypedDict):
    """A cluster as one run has it."""

    id: str
    """dataset/level/earliest address@run"""
    size: int
    """Addresses."""
    summary: Summary | None
    """Null where summing would have passed a limit, named in limits_hit."""
    links: list[RuleCount]
    statement: str


class ClusterName(TypedDict):
    id: str
    size: int
