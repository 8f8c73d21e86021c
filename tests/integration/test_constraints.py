"""The database refuses by itself what must never be in a ledger, through parents and through leaves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from api.instance import Instance
from chain.errors import StoreError
from chain.store.ledger import LedgerStore
from chain.store.postgres import connected, migrate
from tests.integration.loaded import load_sample

NAME = "constraints"


@pytest.fixture(scope="module")
def dataset_id(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> int:
    async def prepare() -> int:
        await load_sample(instance, tmp_path_factory.mktemp("blocks"), NAME)
        async with connected(instance.url) as connection:
            return (await LedgerStore(connection).dataset(NAME)).dataset_id

    return asyncio.run(prepare())


def refused(instance: Instance, sql: str, dataset_id: int) -> asyncpg.PostgresError:
    """Run `sql` (`$d`: the dataset) and roll it back; the error that it met."""

    async def work() -> asyncpg.PostgresError:
        async with connected(instance.url) as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.execute(sql.replace("$d", str(dataset_id)))
            except asyncpg.PostgresError as error:
                return error
            finally:
                await transaction.rollback()
        raise AssertionError(f"the database took {sql}")

    return asyncio.run(work())


COPY_BLOCK = """insert into block select dataset_id, {id}, {height}, {hash}, {parent_height}, {parent_hash}, time,
    version, merkle_root, bits, nonce, size, first_tx_id, tx_count, inputs_after, outputs_after,
    outside_after, addresses_after, unclaimed, proof from block where dataset_id = $d and height = 39"""


def _block(**changes: str) -> str:
    columns = {"id": "block_id + 1", "height": "height + 1", "hash": "sha256('x'::bytea)", "parent_height": "height",
               "parent_hash": "hash"}  # fmt: skip
    return COPY_BLOCK.format(**(columns | changes))


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("a gap in heights", _block(height="height + 2", parent_height="height + 1")),
        (
            "a second block at a height",
            _block(height="height", parent_height="height - 1", parent_hash="parent_hash"),
        ),
        ("the same block twice", _block(hash="hash")),
        ("a parent that is not there", _block(parent_hash="sha256('y'::bytea)")),
        ("no parent above the anchor", _block(parent_height="null", parent_hash="null")),
        ("a hole in block ids", _block(id="block_id + 2")),
        ("a negative id", _block(id="-1")),
    ],
)
def test_blocks_form_one_chain(instance: Instance, dataset_id: int, name: str, sql: str) -> None:
    assert isinstance(refused(instance, sql, dataset_id), asyncpg.IntegrityConstraintViolationError), name


TX = """insert into {table} select dataset_id, tx_id + {step}, {block}, index, txid, coinbase, version, lock_time,
    start, size, base_size, first_input_id, input_count, first_output_id, output_count, fee
    from tx where dataset_id = $d and tx_id = (select max(tx_id) from tx where dataset_id = $d)"""
OUTPUT = """insert into {table} select dataset_id, output_id + {step}, {tx}, index, {address}, type, {value}
    from output where dataset_id = $d and output_id = (select max(output_id) from output where dataset_id = $d)"""
INPUT = """insert into {table} select dataset_id, {output}, {tx}, index, sequence
    from input where dataset_id = $d order by output_id limit 1"""
FAR = "1000000"

WIDE = [
    ("an orphan transaction", TX, {"step": "1", "block": FAR}, "tx"),
    ("a hole in transaction ids", TX, {"step": "2", "block": "block_id"}, "tx"),
    ("a transaction twice", TX, {"step": "0", "block": "block_id"}, "tx"),
    ("an orphan output", OUTPUT, {"step": "1", "tx": FAR, "address": "address_id", "value": "value"}, "output"),
    ("an output to nobody known", OUTPUT, {"step": "1", "tx": "tx_id", "address": FAR, "value": "value"}, "output"),
    ("a negative value", OUTPUT, {"step": "1", "tx": "tx_id", "address": "address_id", "value": "-1"}, "output"),
    ("more than all bitcoin", OUTPUT, {"step": "1", "tx": "tx_id", "address": "address_id",
                                       "value": "2100000000000001"}, "output"),
    ("a hole in output ids", OUTPUT, {"step": "2", "tx": "tx_id", "address": "address_id", "value": "value"}, "output"),
    ("a double spend", INPUT, {"output": "output_id", "tx": "tx_id"}, "input"),
    ("an input of nothing", INPUT, {"output": FAR, "tx": "tx_id"}, "input"),
    ("an orphan input", INPUT, {"output": "0", "tx": FAR}, "input"),
]  # fmt: skip


@pytest.mark.parametrize("leaf", [False, True], ids=["parent", "leaf"])
@pytest.mark.parametrize(("name", "sql", "parts", "table"), WIDE, ids=[case[0] for case in WIDE])
def test_rows_have_parents_and_dense_ids(
    instance: Instance, dataset_id: int, name: str, sql: str, parts: dict[str, str], table: str, leaf: bool
) -> None:
    target = f"{table}_{dataset_id}_0" if leaf else table
    error = refused(instance, sql.format(table=target, **parts), dataset_id)
    assert isinstance(error, asyncpg.IntegrityConstraintViolationError), (name, error)


MOVE = "update ledger_cursor set {} where dataset_id = $d"


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("a cursor beyond the rows", MOVE.format("tx_count = tx_count + 1")),
        ("a cursor beyond the blocks", MOVE.format("block_count = block_count + 1")),
        ("a block without transactions", _block() + "; " + MOVE.format("block_count = block_count + 1")),
        (
            "a transaction without its outputs",
            TX.format(table="tx", step="1", block="block_id") + "; " + MOVE.format("tx_count = tx_count + 1"),
        ),
        ("a rollback that adds", MOVE.format("epoch = epoch + 1, tx_count = tx_count + 1")),
    ],
)
def test_the_cursor_moves_only_over_what_is_whole(instance: Instance, dataset_id: int, name: str, sql: str) -> None:
    assert isinstance(refused(instance, sql, dataset_id), asyncpg.IntegrityConstraintViolationError), name


def test_an_outside_output_is_spent_once(instance: Instance, dataset_id: int) -> None:
    row = "insert into outside_output values ($d, {}, sha256('z'::bytea), 0)"
    error = refused(instance, row.format(0) + "; " + row.format(1), dataset_id)
    assert isinstance(error, asyncpg.UniqueViolationError)


def test_a_migration_that_was_changed_is_refused(fresh: Instance, tmp_path: Path) -> None:
    async def work() -> list[str]:
        async with connected(fresh.url) as connection:
            assert await migrate(connection) == []
            await connection.execute("update migration set sha256 = 'other'")
            return await migrate(connection)

    with pytest.raises(StoreError, match="another text"):
        asyncio.run(work())
