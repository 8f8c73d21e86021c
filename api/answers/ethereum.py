"""Answers about Ethereum: what an address holds, what a transaction moved."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from api.answers import text
from api.answers.ethereum_shapes import (
    Asset,
    BalancesAnswer,
    BalancesBody,
    EthereumAddressAnswer,
    EthereumAddressBody,
    EthereumAnswer,
    EthereumCoverage,
    EthereumMovement,
    EthereumTransactionAnswer,
    EthereumTransactionBody,
    Holding,
)
from api.answers.naming import check_height
from api.answers.shapes import Asked, AsOf, Limit, Seen
from api.answers.state_shapes import DatasetState
from api.answers.view import InvalidParameter
from chain.errors import NotFound
from chain.ethereum import address as codec
from chain.ethereum.model import Basis, Movement, Standard, Status
from chain.model import AddressKind, Proof
from chain.store.ethereum import EthereumDataset, EthereumStore
from chain.store.postgres import Connection, queries

HOLDINGS = 500
"""Assets of one address that an answer lists."""

TRANSACTION_MOVEMENTS = 5_000
"""Movements of one transaction that an answer lists."""

ETHER = "ETH"
ETHER_DECIMALS = 18
FINAL_DEPTH = 64
"""Blocks above one that count as final: two epochs of 32 slots (Casper FFG)."""

APART = "no rule joins Ethereum addresses at L0: it stands alone; " + text.NO_FINDING
STANDARDS = {
    Standard.ETHER: "native", Standard.ERC20: "ERC-20", Standard.ERC721: "ERC-721", Standard.ERC1155: "ERC-1155",
}  # fmt: skip


async def open_datasets(connection: Connection, dataset: str | None = None) -> list[EthereumDataset]:
    """The loaded datasets (or one of them), by name. NotFound where there is none."""
    found = [each for each in await EthereumStore(connection).datasets(dataset) if each.counts["block"]]
    if not found and dataset is not None:
        raise NotFound("there is no such dataset of this chain, or nothing of it is loaded yet")
    if not found:
        raise NotFound("nothing of chain eth is loaded yet; headwater ingest loads it")
    return found


async def coverage_of(store: EthereumStore, dataset: EthereumDataset) -> EthereumCoverage:
    """What a dataset holds and what its sources did not have."""
    counts = await store.coverage(dataset)
    return {
        "kind": "full" if dataset.is_full else "extract",
        "network": dataset.network,
        "anchor_height": dataset.anchor_height,
        "blocks": dataset.counts["block"],
        "blocks_stated": counts["blocks_stated"],
        "blocks_without_receipts": counts["without_receipts"],
        "blocks_without_logs": counts["without_logs"],
        "blocks_without_token_transfers": counts["without_tokens"],
        "blocks_without_traces": counts["without_traces"],
        "transactions": dataset.counts["tx"],
        "fees_missing": counts["fees_missing"],
        "status_unknown": counts["status_unknown"],
    }


async def address_body(
    connection: Connection, written: str, height: int | None = None, dataset: str | None = None
) -> EthereumAddressBody:
    """Facts of an address in every dataset that knows it. AddressError where it is none."""
    key = codec.decode(written)
    check_height(height)
    asked: list[Asked] = []
    answers: list[EthereumAddressAnswer] = []
    for each in await open_datasets(connection, dataset):
        word, found = await _held(connection, each, key, height)
        asked.append(word)
        if found is None:
            continue
        seen = await _activity(connection, each, found.address, found.movements)
        answers.append(
            {
                **found.answer,
                "first_seen": seen[0], "last_seen": seen[1], "movements": seen[2],
                "holdings": found.holdings, "statement": APART,
            }
        )  # fmt: skip
    return {
        "chain": "eth", "address": codec.encode(key), "kind": "account", "observed": bool(answers), "asked": asked,
        "answers": answers, "labels": None,
    }  # fmt: skip


async def balances_body(connection: Connection, written: str, height: int | None = None) -> BalancesBody:
    """What an address holds as of a height, in every dataset that knows it."""
    key = codec.decode(written)
    check_height(height, "height")
    asked: list[Asked] = []
    answers: list[BalancesAnswer] = []
    for each in await open_datasets(connection):
        word, found = await _held(connection, each, key, height)
        asked.append(word)
        if found is not None:
            answers.append({**found.answer, "holdings": found.holdings})
    return {
        "chain": "eth", "address": codec.encode(key), "observed": bool(answers), "asked": asked, "answers": answers
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Held:
    """What one dataset knows of an address as of a height."""

    address: int
    movements: int
    """Of the dataset, up to the height."""
    holdings: list[Holding]
    answer: EthereumAnswer


async def _held(
    connection: Connection, dataset: EthereumDataset, key: bytes, height: int | None
) -> tuple[Asked, _Held | None]:
    """What a dataset was asked, and what it knows; None where it never saw the address, or does not reach so far."""
    sql, store = queries("ethereum"), EthereumStore(connection)
    tip = dataset.tip
    at = height if height is not None or tip is None else tip.height
    row = await connection.fetchrow(sql["movements_below"], dataset.dataset_id, at)
    as_of = None if row is None else _as_of(dataset, row)
    reason = None
    if row is None:
        reason = "its first block is above that height"
    elif height is not None and tip is not None and height > tip.height:
        reason = f"its last block is at height {tip.height}"
    asked: Asked = {
        "dataset": dataset.name, "network": dataset.network, "observed": None, "as_of": as_of, "reason": reason
    }  # fmt: skip
    if reason is not None or row is None:
        return asked, None
    address = await connection.fetchval(sql["address_id"], dataset.dataset_id, key, int(AddressKind.ACCOUNT))
    rows = []
    if address is not None:
        rows = await connection.fetch(
            sql["balances"], dataset.dataset_id, address, row["movements_after"], HOLDINGS + 1
        )
    asked["observed"] = bool(rows)
    if not rows:
        return asked, None
    coverage = await coverage_of(store, dataset)
    limits: list[Limit] = []
    if len(rows) > HOLDINGS:
        limits.append({"limit": "holdings", "value": HOLDINGS, "detail": "the address has moved more assets"})
    answer: EthereumAnswer = {
        "dataset": dataset.name, "as_of": as_of, "clustering": None, "coverage": coverage, "limits_hit": limits
    }  # fmt: skip
    holdings = [_holding(each, coverage) for each in rows[:HOLDINGS]]
    return asked, _Held(address, row["movements_after"], holdings, answer)


async def ethereum_state(connection: Connection, dataset: EthereumDataset) -> DatasetState:
    """Where the ledger of a dataset stands. Kernels read it from Postgres: no columns follow it yet."""
    as_of = None
    if dataset.tip is not None:
        row = await connection.fetchrow(queries("ethereum")["movements_below"], dataset.dataset_id, dataset.tip.height)
        as_of = None if row is None else _as_of(dataset, row)
    return {
        "dataset": dataset.name,
        "chain": "eth",
        "network": dataset.network,
        "kind": dataset.kind,
        "anchor_height": dataset.anchor_height,
        "tip": as_of,
        "blocks": dataset.counts["block"],
        "transactions": dataset.counts["tx"],
        "addresses": dataset.counts["address"],
        "columns_behind": None,
        "run": None,
        "clustering_behind": None,
        "gaps": 0 if dataset.is_full else None,
        "coverage": await coverage_of(EthereumStore(connection), dataset),
    }


def _as_of(dataset: EthereumDataset, row: asyncpg.Record) -> AsOf:
    depth = None if dataset.tip is None else dataset.tip.height - row["height"]
    return {
        "height": row["height"],
        "block_hash": "" if row["hash"] is None else f"0x{row['hash'].hex()}",
        "time": text.moment(row["time"]),
        "final": depth >= FINAL_DEPTH if dataset.is_full and depth is not None else None,
    }


def _asset(row: asyncpg.Record) -> Asset:
    standard = Standard(row["standard"])
    native = standard == Standard.ETHER
    return {
        "asset": ETHER if native else codec.encode(row["contract"]),
        "standard": STANDARDS[standard],
        "decimals": ETHER_DECIMALS if native else None,
    }


def _holding(row: asyncpg.Record, coverage: EthereumCoverage) -> Holding:
    received, spent, opening = int(row["received"]), int(row["spent"]), -int(row["lowest"])
    whole = coverage["kind"] == "full" and not coverage["anchor_height"] and not opening
    parts = ("blocks_without_receipts", "blocks_without_logs", "blocks_without_traces")
    whole = whole and not any(coverage[part] for part in parts)  # type: ignore[literal-required]
    return {
        **_asset(row),
        "received": str(received),
        "spent": str(spent),
        "net": str(received - spent),
        "opening": str(opening),
        "balance": str(received - spent) if whole else None,
        "movements": row["movements"],
    }


async def _activity(
    connection: Connection, dataset: EthereumDataset, address: int, movements: int
) -> tuple[Seen, Seen, int]:
    row = await connection.fetchrow(queries("ethereum")["activity"], dataset.dataset_id, address, movements)
    assert row is not None, "an aggregate gives a row"
    seen = []
    for movement in (row["first"], row["last"]):
        found = await connection.fetchrow(queries("ethereum")["movement_seen"], dataset.dataset_id, movement)
        assert found is not None, "the movement was found before"
        seen.append(
            Seen(
                txid="" if found["hash"] is None else f"0x{found['hash'].hex()}",
                height=found["height"],
                time=text.moment(found["time"]),
            )
        )
    return seen[0], seen[1], row["movements"]


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
        as_of = None if row is None else _as_of(each, row)
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
    selector = tx["selector"]
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
        "movements": [_movement(row) for row in rows[:TRANSACTION_MOVEMENTS]],
    }


def _movement(row: asyncpg.Record) -> EthereumMovement:
    return {
        **_asset(row),
        "kind": Movement(row["kind"]).name.lower(),
        "basis": Basis(row["basis"]).name.lower(),
        "from": _name(row["sender"]),
        "to": _name(row["recipient"]),
        "value": str(int(row["value"])),
        "token_id": None if row["token_id"] is None else str(int(row["token_id"])),
        "log_index": row["log_index"],
    }


def _name(key: bytes | None) -> str | None:
    return None if key is None else codec.encode(key)
