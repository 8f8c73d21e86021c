"""The state of a dataset, as digests that two ways of getting there must share."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from chain.columns import Columns
from chain.load import columns_folder
from chain.manifest import BITCOIN_ARRAYS
from chain.store.dataset import Dataset
from chain.store.postgres import Connection

TABLES = {
    "block": "block_id",
    "block_bytes": "block_id",
    "tx": "tx_id",
    "output": "output_id",
    "outside_output": "output_id",
    "input": "output_id",
    "address": "address_id",
    "ledger_cursor": "dataset_id",
}
_NOT_CONTENT = "'{dataset_id,epoch,moved_at}'::text[]"


async def rows_digest(connection: Connection, dataset: Dataset) -> dict[str, str]:
    """A digest of each table's rows of a dataset; what names the dataset or the moment is left out."""
    found = {}
    for table, key in TABLES.items():
        text = await connection.fetchval(
            f"select md5(coalesce(string_agg((to_jsonb(t) - {_NOT_CONTENT})::text, ',' order by {key}), ''))"
            f" from {table} t where dataset_id = $1",
            dataset.dataset_id,
        )
        found[table] = str(text)
    return found


def columns_digest(home: Path, name: str) -> dict[str, str]:
    """A digest of each array of a dataset's columns, and of what they say of every address."""
    columns = Columns.open(columns_folder(home, name))
    found = {spec.name: sha256(columns.arrays[spec.name].tobytes()).hexdigest() for spec in BITCOIN_ARRAYS}
    facts = repr([columns.activity.facts(address) for address in range(columns.address_count)])
    return {**found, "activity": sha256(facts.encode()).hexdigest()}
