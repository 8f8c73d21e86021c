"""Runs of detectors over a dataset: its arrays read from Postgres, what is found kept there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chain.ethereum.model import FIRST_ACT, Standard
from chain.store.ethereum import EthereumDataset, EthereumStore
from chain.store.postgres import Connection, queries
from clustering.detect.presale import Collection, find_collections
from clustering.detect.token_sale import Rejected, TokenSale, find_sales
from clustering.ethereum.ledger import NOBODY, EthereumLedger

TOKEN_SALES = "token-sales"


async def read_ledger(store: EthereumStore, dataset: EthereumDataset) -> tuple[EthereumLedger, Any, Any]:
    """What kernels read of a dataset, the hash of each transaction [T, 32] and the key of each address [n, 20]."""
    async with store.connection.transaction(isolation="repeatable_read", readonly=True):
        blocks, txs = await store.read(dataset, "blocks"), await store.read(dataset, "txs")
        rows, keys = await store.read(dataset, "movements"), (await store.read(dataset, "addresses"))["payload"]
        assets = await store.read(dataset, "assets")
    moves = {name: column[rows["kind"] < FIRST_ACT] for name, column in rows.items()}
    acts = {name: column[rows["kind"] >= FIRST_ACT] for name, column in rows.items()}
    zero = np.flatnonzero(~keys.any(axis=1))
    native = assets["standard"] == Standard.ETHER
    ledger = EthereumLedger(
        tx_time=blocks["time"][txs["block"]],
        tx_height=blocks["height"][txs["block"]],
        tx_from=txs["from"].astype(np.int32),
        tx_to=txs["to"].astype(np.int32),
        tx_created=txs["created"].astype(np.int32),
        tx_status=txs["status"].astype(np.uint8),
        tx_parts=blocks["parts"][txs["block"]].astype(np.uint8),
        move_tx=moves["tx"],
        move_kind=moves["kind"].astype(np.uint8),
        move_asset=moves["asset"].astype(np.int32),
        move_from=moves["from"].astype(np.int32),
        move_to=moves["to"].astype(np.int32),
        move_value=moves["value"],
        act_tx=acts["tx"],
        act_kind=acts["kind"].astype(np.uint8),
        act_asset=acts["asset"].astype(np.int32),
        act_from=acts["from"].astype(np.int32),
        act_to=acts["to"].astype(np.int32),
        asset_contract=np.where(native, NOBODY, assets["contract"]).astype(np.int32),
        asset_standard=assets["standard"].astype(np.uint8),
        zero_address=int(zero[0]) if len(zero) else NOBODY,
    )
    return ledger, txs["hash"], keys


@dataclass(frozen=True, slots=True)
class Sales:
    """What the detector says of one dataset's arrays."""

    sales: list[TokenSale]
    rejected: list[Rejected]
    presales: list[Collection]
    leads: list[Collection]


def detect_sales(ledger: EthereumLedger) -> Sales:
    """Sales in one transaction first; what is not such a form may be a collection."""
    sales, rejected = find_sales(ledger)
    known = np.array([sale.contract for sale in sales] + [form.contract for form in rejected], np.int64)
    return Sales(sales, rejected, *find_collections(ledger, known))


async def token_sales(connection: Connection, dataset: EthereumDataset) -> tuple[EthereumLedger, Any, Any, Sales]:
    """The token sales of a dataset, with what names their ids."""
    ledger, hashes, keys = await read_ledger(EthereumStore(connection), dataset)
    return ledger, hashes, keys, await asyncio.to_thread(detect_sales, ledger)


async def keep(
    connection: Connection, dataset: EthereumDataset, detector: str, found: Sequence[tuple[str, Mapping[str, Any]]]
) -> None:
    """Put the findings (id, body) of a detector on a dataset in the place of those of its last run."""
    sql = queries("ethereum")
    async with connection.transaction():
        await connection.execute(sql["clear_findings"], dataset.dataset_id, detector)
        for finding_id, body in found:
            await connection.execute(
                sql["add_finding"], dataset.dataset_id, detector, finding_id, dataset.epoch, dataset.counts["tx"],
                json.dumps(body, sort_keys=True),
            )  # fmt: skip
