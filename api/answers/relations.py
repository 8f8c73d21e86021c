"""Answers about relations of Ethereum addresses: what one has to others, and what two have in common."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from api.answers import text
from api.answers.relation_shapes import Common, Direction, RelationCount, RelationRow, RelationWords
from api.answers.shapes import Limit
from chain.ethereum import address as codec
from chain.store.ethereum import EthereumDataset
from chain.store.links import LinkStore, Run
from chain.store.postgres import Connection
from chain.store.relations import RelationStore
from clustering.ethereum.relations import RELATIONS, Relation, RelationFacts

LISTED = 50
"""Relations of one kind and direction that an answer lists."""

COMMON = 100
"""Addresses that two addresses have in common that an answer lists."""


@dataclass(frozen=True, slots=True)
class Related:
    """The relations of one address as of a run."""

    rows: list[RelationRow]
    counts: list[RelationCount]
    limits: list[Limit]


async def last_run(connection: Connection, dataset: EthereumDataset) -> Run | None:
    """The newest run that is of the ledger as it stands; None before the first, and after a rollback."""
    run = await LinkStore(connection).last_run(dataset)
    return None if run is None or run.epoch != dataset.epoch else run


async def relations_of(
    connection: Connection, dataset: EthereumDataset, run: Run, address: int, before_tx: int
) -> Related:
    """The relations of an address whose evidence begins below a transaction."""
    rows, counts = await RelationStore(connection).of_address(dataset, run.run_id, address, before_tx, LISTED)
    told: list[RelationCount] = [
        {"relation": _facts(row).name, "direction": _direction(row), "count": row["relations"]} for row in counts
    ]
    limits: list[Limit] = []
    if any(row["relations"] > LISTED for row in counts):
        detail = "there are more of one kind; those seen most often are listed"
        limits.append({"limit": "relations", "value": LISTED, "detail": detail})
    return Related([_row(row) for row in rows], told, limits)


async def in_common(
    connection: Connection, dataset: EthereumDataset, run: Run, a: int, b: int, before_tx: int
) -> list[Common]:
    """Addresses that two addresses have the same relation to: that, and nothing else, they have in common."""
    rows = await RelationStore(connection).in_common(dataset, run.run_id, a, b, before_tx, COMMON)
    return [
        {
            **_words(row), "address": codec.encode(row["other"]), "a_times": row["a_times"], "b_times": row["b_times"],
            "a_txid": f"0x{row['a_hash'].hex()}", "b_txid": f"0x{row['b_hash'].hex()}",
        }
        for row in rows
    ]  # fmt: skip


async def between(
    connection: Connection, dataset: EthereumDataset, run: Run, a: int, b: int, before_tx: int
) -> list[RelationRow]:
    """The relations of one address to another, and the other way."""
    return [_row(row) for row in await RelationStore(connection).between(dataset, run.run_id, a, b, before_tx)]


def _facts(row: asyncpg.Record) -> RelationFacts:
    return RELATIONS[Relation(row["relation"])]


def _direction(row: asyncpg.Record) -> Direction:
    return "to" if row["is_source"] else "from"


def _words(row: asyncpg.Record) -> RelationWords:
    facts = _facts(row)
    return {"relation": facts.name, "claim": facts.claim, "rate": facts.rate, "is_lead": facts.is_lead}


def _row(row: asyncpg.Record) -> RelationRow:
    facts = _facts(row)
    return {
        **_words(row),
        "direction": _direction(row),
        "wording": facts.forward if row["is_source"] else facts.backward,
        "address": codec.encode(row["other"]),
        "times": row["times"],
        "first": {
            "txid": f"0x{row['first_hash'].hex()}", "height": row["first_height"],
            "time": text.moment(row["first_time"]),
        },
        "last": {
            "txid": f"0x{row['last_hash'].hex()}", "height": row["last_height"], "time": text.moment(row["last_time"]),
        },
    }  # fmt: skip
