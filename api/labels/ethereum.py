"""The label column of an Ethereum dataset, made from Postgres each time: no folder keeps it yet."""

from __future__ import annotations

import numpy as np

from api.labels.column import day_of
from api.labels.statements import statement
from chain.model import I32, I64, U8
from chain.store.ethereum import EthereumDataset
from chain.store.labels import LabelStore
from chain.store.postgres import Connection
from clustering.labels import LabelColumn, label_column

MAIN_CHAIN, LABEL_NETWORK = "1", "main"
"""Chain id, and the network that labels of its addresses are kept under."""


async def ethereum_labels(
    connection: Connection, dataset: EthereumDataset, keys: U8, tx_time: I64
) -> LabelColumn | None:
    """What the newest label set says of a dataset's addresses; None where nothing was imported, and off the main chain.

    `keys` [n, 20]. A label counts that was in force on the day of the last transaction, so that no clock decides.
    """
    store = LabelStore(connection)
    version = await store.version()
    if not version or dataset.network != MAIN_CHAIN:
        return None
    actors = await store.actors(version)
    claims = await store.claims(LABEL_NETWORK, version)
    rows = await store.keys("eth", LABEL_NETWORK, version)
    numbers = np.array([claim["source_id"] << 32 | claim["claim_id"] for claim in claims], np.int64)
    place = np.searchsorted(numbers, rows.source_id.astype(np.int64) << 32 | rows.claim_id).astype(np.int32)
    on = day_of(int(tx_time.max(initial=0)))
    address = find(keys, rows.key[:, : keys.shape[1]])
    return label_column(version, on, len(keys), address, place, [statement(claim, actors) for claim in claims])


def find(keys: U8, wanted: U8) -> I32:
    """The row of `keys` [n, w] that each of `wanted` [m, w] is, -1 for none."""
    width = f"V{keys.shape[1]}"
    have = np.ascontiguousarray(keys).view(width).reshape(-1)
    look = np.ascontiguousarray(wanted).view(width).reshape(-1)
    if not len(have):
        return np.full(len(look), -1, np.int32)
    order = np.argsort(have)
    at = np.minimum(np.searchsorted(have, look, sorter=order), len(have) - 1)
    return np.where(have[order[at]] == look, order[at], -1).astype(np.int32)
