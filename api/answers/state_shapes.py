"""How far datasets reach, and what follows them."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from api.answers.ethereum_shapes import EthereumCoverage
from api.answers.shapes import Answer, AsOf, Coverage


class RunRow(TypedDict):
    run: int
    level: str
    height: int | None
    block_hash: str | None
    transactions: int
    addresses: int
    links: int
    clusters: int
    partition_sha256: str
    rules: list[str]
    code_version: str
    finished_at: str | None


class RunsAnswer(Answer):
    items: list[RunRow]


class RunsBody(TypedDict):
    chain: str | None
    answers: list[RunsAnswer]
    next: str | None


class DatasetState(TypedDict):
    """How far a dataset reaches, and what follows it."""

    dataset: str
    chain: str
    network: str
    kind: str
    anchor_height: int | None
    tip: AsOf | None
    blocks: int
    transactions: int
    addresses: int
    columns_behind: int | None
    """Committed transactions that the columns do not have yet; null where there are no columns."""
    run: int | None
    clustering_behind: int | None
    """Transactions that the newest run has not looked at; null before the first run."""
    gaps: int | None
    """Heights between the first and the last known one that the dataset does not hold."""
    coverage: Coverage | EthereumCoverage | None


class DatabaseState(TypedDict):
    reachable: bool
    server_version: str


class HealthBody(TypedDict):
    status: Literal["ok"]
    version: str
    database: DatabaseState
    datasets: list[DatasetState]
