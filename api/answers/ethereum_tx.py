"""Answers about Ethereum transactions: what one moved, and who did what in it."""

from __future__ import annotations

import asyncpg

from api.answers import text
from api.answers.ethereum import as_of_row, asset_of, coverage_of, open_datasets
from api.answers.ethereum_shapes import (
    EthereumAct,
    EthereumMovement,
    EthereumTransactionAnswer,
    EthereumTransactionBody,
)
from api.answers.shapes import Asked, AsOf, Limit
from api.answers.view import InvalidParameter
from chain.errors import NotFound
from chain.ethereum import address as codec
from chain.ethereum.model import FIRST_ACT, Basis, Movement, Status
from chain.model import Proof
from chain.store.ethereum import EthereumDataset, EthereumStore
from chain.store.postgres import Connection, queries
from clustering.ethereum.actors import actors

POISONING = "a transfer of nothing, stated of an address that had no part in it: the form of address poisoning"

TRANSACTION_MOVEMENTS = 5_000
"""Movements and acts of one transaction that an answer lists."""


def read_hash(written: str) -> bytes:
    """A transaction's hash; InvalidParameter where it is none."""
    digits = written.removeprefix("0x")
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raw = b""
    if len(raw) != 32 or len(digits) != 64:
        raise InvalidParameter("txid", "a transaction's hash is 0x and 64 hex digits")
    return raw


async def transaction_body(connection: Connection, written: str, dataset: str | None = None) -> EthereumTransactionBody:
    """What a transaction did, in every dataset that has it. NotFound where none has."""
    digest = read_hash(written)
    asked: list[Asked] = []
    answers: list[EthereumTransactionAnswer] = []
    for each in await open_datasets(connection, dataset):
        tip = each.tip
        row = None if tip is None else await connection.fetchrow(
            queries("ethereum")["movements_below"], each.dataset_id, tip.height
        )  # fmt: skip
        as_of = None if row is None else as_of_row(each, row)
        found = await connection.fetch(queries("ethereum")["tx_of_hash"], each.dataset_id, digest)
        asked.append(
            {"dataset": each.name, "network": each.network, "observed": bool(found), "as_of": as_of, "reason": None}
        )
        answers.extend([await _transaction(connection, each, tx, as_of) for tx in found])
    if not answers:
        raise NotFound(f"no dataset of eth has observed transaction 0x{digest.hex()}")
    return {"chain": "eth", "txid": f"0x{digest.hex()}", "asked": asked, "answers": answers}


async def _transaction(
    connection: Connection, dataset: EthereumDataset, tx: asyncpg.Record, as_of: AsOf | None
) -> EthereumTransactionAnswer:
    rows = await connection.fetch(
        queries("ethereum")["movements_of_tx"], dataset.dataset_id, tx["tx_id"], TRANSACTION_MOVEMENTS + 1
    )
    limits: list[Limit] = []
    if len(rows) > TRANSACTION_MOVEMENTS:
        detail = "the transaction has more movements"
        limits.append({"limit": "movements", "value": TRANSACTION_MOVEMENTS, "detail": detail})
        rows = rows[:TRANSACTION_MOVEMENTS]
    selector = tx["selector"]
    done = [(Movement(row["kind"]), codec.encode(row["sender"])) for row in rows if row["sender"] is not None]
    acting = actors(_name(tx["sender"]), done)
    return {
        "dataset": dataset.name,
        "as_of": as_of,
        "clustering": None,
        "coverage": await coverage_of(EthereumStore(connection), dataset),
        "limits_hit": limits,
        "height": tx["height"],
        "block_hash": None if tx["block_hash"] is None else f"0x{tx['block_hash'].hex()}",
        "time": text.moment(tx["time"]),
        "proof": Proof(tx["proof"]).name.lower(),
        "index": tx["index"],
        "type": tx["type"],
        "status": Status(tx["status"]).name.lower(),
        "from": _name(tx["sender"]),
        "to": _name(tx["recipient"]),
        "created": _name(tx["created"]),
        "value": str(int(tx["value"])),
        "gas_used": tx["gas_used"],
        "fee": None if tx["fee"] is None else str(int(tx["fee"])),
        "selector": None if selector is None else f"0x{selector:08x}",
        "actors": acting,
        "movements": [_movement(row, acting) for row in rows if row["kind"] < FIRST_ACT],
        "acts": [_act(row) for row in rows if row["kind"] >= FIRST_ACT],
    }


def _act(row: asyncpg.Record) -> EthereumAct:
    return {
        **asset_of(row),
        "kind": Movement(row["kind"]).name.lower(),
        "basis": Basis(row["basis"]).name.lower(),
        "from": _name(row["sender"]),
        "to": _name(row["recipient"]),
        "allowance": str(int(row["value"])) if row["kind"] == Movement.APPROVED else None,
        "token_id": None if row["token_id"] is None else str(int(row["token_id"])),
        "log_index": row["log_index"],
    }


def _movement(row: asyncpg.Record, acting: list[str]) -> EthereumMovement:
    poisons = row["kind"] == Movement.TOKEN and not row["value"] and _name(row["sender"]) not in acting
    return {
        **asset_of(row),
        "kind": Movement(row["kind"]).name.lower(),
        "basis": Basis(row["basis"]).name.lower(),
        "from": _name(row["sender"]),
        "to": _name(row["recipient"]),
        "value": str(int(row["value"])),
        "token_id": None if row["token_id"] is None else str(int(row["token_id"])),
        "log_index": row["log_index"],
        "note": POISONING if poisons else None,
    }


def _name(key: bytes | None) -> str | None:
    return None if key is None else codec.encode(key)
