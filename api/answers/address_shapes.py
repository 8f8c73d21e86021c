"""Answers about addresses."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from api.answers.company_shapes import LinksBody
from api.answers.label_shapes import AddressLabels
from api.answers.shapes import Amount, Answer, Asked, Cluster, ClusterName, Facts


class AddressAnswer(Answer):
    facts: Facts
    cluster: Cluster | None
    cluster_note: str | None
    """Why there is no cluster, where there is none."""


class AddressBody(TypedDict):
    chain: str
    address: str
    kind: str
    observed: bool
    asked: list[Asked]
    answers: list[AddressAnswer]
    labels: AddressLabels | None
    """Null where labels were not asked for."""
    company_links: LinksBody | None
    """In the case that was named; null where none was."""


class AddressTransaction(TypedDict):
    txid: str
    height: int | None
    time: str | None
    received: Amount
    spent: Amount


class AddressTransactionsAnswer(Answer):
    asset: str
    decimals: int
    items: list[AddressTransaction]


class AddressTransactionsBody(TypedDict):
    chain: str
    address: str
    observed: bool
    asked: list[Asked]
    answers: list[AddressTransactionsAnswer]
    next: str | None


class LookupRowAnswer(TypedDict):
    dataset: str
    cluster: ClusterName | None
    balance: Amount
    net: Amount
    tx_count: int


class LookupRow(TypedDict):
    row: int
    """Place in the request, from 0."""
    status: Literal["ok", "invalid"]
    address: str | None
    """Normalised; null where invalid (the text is not repeated: it may be a private key)."""
    kind: str | None
    observed: bool | None
    position: int | None
    """First character that cannot be right, from 0, where there is one."""
    reason: str | None
    answers: list[LookupRowAnswer]


class LookupAnswer(Answer):
    observed: int
    """How many of the rows the dataset knows."""


class LookupBody(TypedDict):
    chain: str
    asset: str
    decimals: int
    rows: list[LookupRow]
    answers: list[LookupAnswer]
