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
    Holding,
)
from api.answers.naming import check_height
from api.answers.relations import Related, last_run, relations_of
from api.answers.shapes import Asked, AsOf, ClusteringName, ClusterName, Limit, Seen
from api.answers.state_shapes import DatasetState
from chain.errors import NotFound
from chain.ethereum import address as codec
from chain.ethereum.model import Standard
from chain.model import AddressKind
from chain.store.ethereum import EthereumDataset, EthereumStore
from chain.store.links import Run
from chain.store.postgres import Connection, queries
from clustering.ethereum.faithful import TOLD, Fault

HOLDINGS = 500
"""Assets of one address that an answer lists."""

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
        word, found = await holder(connection, each, key, height)
        asked.append(word)
        if found is not None:
            answers.append(await _address(connection, each, codec.encode(key), found))
    return {
        "chain": "eth", "address": codec.encode(key), "kind": "account", "observed": bool(answers), "asked": asked,
        "answers": answers, "labels": None, "company_links": None,
    }  # fmt: skip


async def _address(
    connection: Connection, dataset: EthereumDataset, address: str, found: Holder
) -> EthereumAddressAnswer:
    holdings, limits = await _holdings(connection, dataset, found)
    first, last, movements = await _activity(connection, dataset, found.address, found.movements)
    related = Related([], [], [])
    if found.run is not None:
        related = await relations_of(connection, dataset, found.run, found.address, found.txs)
    return {
        **found.answer,
        "limits_hit": [*limits, *related.limits],
        "first_seen": first,
        "last_seen": last,
        "movements": movements,
        "holdings": holdings,
        "cluster": None if found.run is None else cluster_name(dataset, found.run, address),
        "relations": related.rows,
        "relation_counts": related.counts,
        "statement": APART,
    }


def cluster_name(dataset: EthereumDataset, run: Run, address: str) -> ClusterName:
    """The cluster of an address, which it is alone in."""
    return {"id": f"{dataset.name}/{run.level}/{address}@{run.run_id}", "size": 1}


async def balances_body(connection: Connection, written: str, height: int | None = None) -> BalancesBody:
    """What an address holds as of a height, in every dataset that knows it."""
    key = codec.decode(written)
    check_height(height, "height")
    asked: list[Asked] = []
    answers: list[BalancesAnswer] = []
    for each in await open_datasets(connection):
        word, found = await holder(connection, each, key, height)
        asked.append(word)
        if found is not None:
            holdings, limits = await _holdings(connection, each, found)
            answers.append({**found.answer, "limits_hit": limits, "holdings": holdings})
    return {
        "chain": "eth", "address": codec.encode(key), "observed": bool(answers), "asked": asked, "answers": answers
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Holder:
    """A dataset that knows an address as of a height."""

    address: int
    movements: int
    """Of the dataset, up to the height."""
    txs: int
    run: Run | None
    """The newest run of `cluster update` that fits the dataset."""
    answer: EthereumAnswer


async def holder(
    connection: Connection, dataset: EthereumDataset, key: bytes, height: int | None
) -> tuple[Asked, Holder | None]:
    """What a dataset was asked, and what it knows; None where it never saw the address, or does not reach so far."""
    sql = queries("ethereum")
    tip = dataset.tip
    at = height if height is not None or tip is None else tip.height
    row = await connection.fetchrow(sql["movements_below"], dataset.dataset_id, at)
    as_of = None if row is None else as_of_row(dataset, row)
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
    asked["observed"] = address is not None and address < row["addresses_after"]
    if not asked["observed"]:
        return asked, None
    run = await last_run(connection, dataset)
    answer: EthereumAnswer = {
        "dataset": dataset.name,
        "as_of": as_of,
        "clustering": None if run is None else _clustering(dataset, run),
        "coverage": await coverage_of(EthereumStore(connection), dataset),
        "limits_hit": [],
    }
    return asked, Holder(address, row["movements_after"], row["txs_after"], run, answer)


def _clustering(dataset: EthereumDataset, run: Run) -> ClusteringName:
    return {
        "run": run.run_id, "level": run.level, "height": None if run.tip is None else run.tip.height,
        "transactions_behind": dataset.counts["tx"] - run.tx_count,
    }  # fmt: skip


async def _holdings(
    connection: Connection, dataset: EthereumDataset, found: Holder
) -> tuple[list[Holding], list[Limit]]:
    rows = await connection.fetch(
        queries("ethereum")["balances"], dataset.dataset_id, found.address, found.movements, HOLDINGS + 1
    )
    limits: list[Limit] = []
    if len(rows) > HOLDINGS:
        limits.append({"limit": "holdings", "value": HOLDINGS, "detail": "the address has moved more assets"})
    return [_holding(each, found.answer["coverage"]) for each in rows[:HOLDINGS]], limits


async def ethereum_state(connection: Connection, dataset: EthereumDataset) -> DatasetState:
    """Where the ledger of a dataset stands. Kernels read it from Postgres: no columns follow it yet."""
    as_of, run = None, await last_run(connection, dataset)
    if dataset.tip is not None:
        row = await connection.fetchrow(queries("ethereum")["movements_below"], dataset.dataset_id, dataset.tip.height)
        as_of = None if row is None else as_of_row(dataset, row)
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
        "run": None if run is None else run.run_id,
        "clustering_behind": None if run is None else dataset.counts["tx"] - run.tx_count,
        "gaps": 0 if dataset.is_full else None,
        "coverage": await coverage_of(EthereumStore(connection), dataset),
    }


def as_of_row(dataset: EthereumDataset, row: asyncpg.Record) -> AsOf:
    depth = None if dataset.tip is None else dataset.tip.height - row["height"]
    return {
        "height": row["height"],
        "block_hash": "" if row["hash"] is None else f"0x{row['hash'].hex()}",
        "time": text.moment(row["time"]),
        "final": depth >= FINAL_DEPTH if dataset.is_full and depth is not None else None,
    }


def asset_of(row: asyncpg.Record) -> Asset:
    standard = Standard(row["standard"])
    native = standard == Standard.ETHER
    return {
        "asset": ETHER if native else codec.encode(row["contract"]),
        "standard": STANDARDS[standard],
        "decimals": ETHER_DECIMALS if native else row["decimals"],
        "symbol": None if not row["symbol"] else row["symbol"].decode("utf-8", "backslashreplace"),
        "fault": None if row["fault"] is None else TOLD[Fault(row["fault"])],
    }


def _holding(row: asyncpg.Record, coverage: EthereumCoverage) -> Holding:
    received, spent, opening = int(row["received"]), int(row["spent"]), -int(row["lowest"])
    whole = coverage["kind"] == "full" and not coverage["anchor_height"] and not opening
    parts = ("blocks_without_receipts", "blocks_without_logs", "blocks_without_traces")
    whole = whole and not any(coverage[part] for part in parts)  # type: ignore[literal-required]
    return {
        **asset_of(row),
        "received": str(received),
        "spent": str(spent),
        "net": str(received - spent),
        "opening": str(opening),
        "balance": str(received - spent) if whole else None,
        "movements": row["movements"],
    }


async def _activity(
    connection: Connection, dataset: EthereumDataset, address: int, movements: int
) -> tuple[Seen | None, Seen | None, int]:
    row = await connection.fetchrow(queries("ethereum")["activity"], dataset.dataset_id, address, movements)
    assert row is not None, "an aggregate gives a row"
    if not row["movements"]:
        return None, None, 0
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
