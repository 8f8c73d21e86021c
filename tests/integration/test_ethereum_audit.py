"""The audit: clean rows pass, each broken one is found and named, and balances are a node's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from api.instance import Instance, open_instance
from chain.ethereum.audit import Audit, AuditReport
from chain.ethereum.block import Block, block_from_bytes
from chain.ethereum.etl import EtlFolder
from chain.ethereum.fields import encode
from chain.ethereum.files import EthereumFiles
from chain.ethereum.kept import Broken
from chain.ethereum.load import load_chain, load_extract
from chain.ethereum.logs import DEPOSIT, TRANSFER, TRANSFER_SINGLE, WRAPPED_ETHER
from chain.ethereum.model import Movement
from chain.ethereum.node import EthereumNode
from chain.ethereum.receipts import Log, Receipt, blooms
from chain.ethereum.transactions import transaction_from_raw
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.ethereum import EthereumStore
from chain.store.postgres import Connection, connected
from tests.integration.misbehaving import FIRST, running
from tests.unit.ethereum_blocks import bare_header, real_json, sealed, signed, to_json

COUNT = 6
TOKEN = b"\x88" * 20


def _address(number: int) -> bytes:
    return bytes([number]) * 20


def _log(contract: bytes, *topics: bytes, data: bytes = b"") -> Log:
    return Log(contract, tuple(topic.rjust(32, b"\0") for topic in topics), data)


def _logs(number: int) -> list[tuple[Log, ...]]:
    """Of each of four transactions: none, two transfers, a collectible and others, a wrapping."""
    word = number.to_bytes(32, "big")
    (weth,) = WRAPPED_ETHER
    return [
        (),
        (
            _log(TOKEN, TRANSFER, _address(1), _address(2), data=word),
            _log(TOKEN, TRANSFER, _address(2), _address(3 + number), data=b"\xff" * 32),
        ),
        (
            _log(_address(0x99), TRANSFER, _address(4), _address(5), word),
            _log(_address(0x9A), TRANSFER_SINGLE, _address(6), _address(4), _address(5), data=word + word),
        ),
        (_log(weth, DEPOSIT, _address(7), data=word),),
    ]


def block(number: int, parent: bytes) -> Block:
    txs = tuple(
        transaction_from_raw(signed(nonce=10 * number + row, gasPrice=70 + row, value=row * 1_000, to=to))
        for row, to in enumerate(("0x" + "22" * 20, "0x" + "23" * 20, "0x" + "24" * 20, None))
    )
    made = tuple(
        Receipt(tx.type, int(row != 2 or number % 2), None, 30_000 * (row + 1), b"", logs)
        for row, (tx, logs) in enumerate(zip(txs, _logs(number), strict=True))
    )
    # what failed has no logs
    made = tuple(receipt if receipt.status else replace(receipt, logs=()) for receipt in made)
    whole = tuple(replace(each, bloom=bloom.tobytes()) for each, bloom in zip(made, blooms(made), strict=True))
    return sealed(replace(bare_header(FIRST + number, parent), blob_gas_used=0), txs, whole)


def _traces(block: Block) -> list[Any]:
    call = {"type": "CALL", "from": to_json(_address(0x22)), "to": to_json(_address(0x55)), "value": "0x7"}
    return [
        {"txHash": to_json(tx.hash), "result": {**call, "calls": [call] if row == 1 else []}}
        for row, tx in enumerate(block.transactions)
    ]


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    found: list[Block] = []
    for number in range(COUNT):
        found.append(block(number, found[-1].hash if found else b"\x01" * 32))
    return found


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory, blocks: list[Block]) -> Iterator[Instance]:
    """An instance with the full dataset of the small blocks; tests take back what they break."""
    home = tmp_path_factory.mktemp("audited")
    instance = asyncio.run(open_instance(Settings(home=home, database_url=None)))

    async def load() -> None:
        with running(blocks) as node:
            node.traces = {to_json(block.hash): _traces(block) for block in blocks}
            async with connected(instance.url) as connection:
                source = await asyncio.to_thread(EthereumNode, node.url)
                await load_chain(connection, source, anchor_height=FIRST)

    asyncio.run(load())
    yield instance
    EmbeddedPostgres(home).stop()


async def _audit(connection: Connection, name: str = "eth") -> AuditReport:
    store = EthereumStore(connection)
    return await Audit(store, await store.dataset(name)).run()


def _broken(instance: Instance, corrupt: Callable[[Connection], Awaitable[object]]) -> AuditReport:
    """The report over what `corrupt` left, which is taken back."""

    async def work() -> AuditReport:
        async with connected(instance.url) as connection:
            change = connection.transaction()
            await change.start()
            await connection.execute("set local session_replication_role = replica")  # no trigger, no key guards
            await corrupt(connection)
            report = await _audit(connection)
            await change.rollback()
            return report

    return asyncio.run(work())


def test_clean_rows_pass(audited: Instance) -> None:
    async def work() -> AuditReport:
        async with connected(audited.url) as connection:
            return await _audit(connection)

    report = asyncio.run(work())
    assert report.broken is None
    assert (report.blocks, report.proved, report.stated, report.told_elsewhere) == (COUNT, COUNT, 0, 0)
    assert report.traced == COUNT
    assert report.rows["eth_tx"] == 4 * COUNT
    assert report.rows["eth_movement"] > 10 * COUNT


ROW = "where dataset_id = (select dataset_id from dataset where name = 'eth')"
UPDATES = [
    ("eth_block", "time", "time + 1", "block_id = 3", 3),
    ("eth_block", "miner", "'\\x0909090909090909090909090909090909090909'", "block_id = 2", 2),
    ("eth_block", "parts", "parts - 2", "block_id = 1", 1),
    ("eth_block", "proof", "1", "block_id = 1", 1),
    ("eth_block", "movements_after", "movements_after + 1", "block_id = 0", 0),
    ("eth_block", "hash", "overlay(hash placing '\\x00' from 5)", "block_id = 5", 5),
    ("eth_block", "height", "height - 100", "block_id = 0", 0),
    ("address", "payload", "overlay(payload placing '\\xee' from 1)", "address_id = 4", 4),
    ("address", "kind", "kind + 1", "address_id = 2", 2),
    ("eth_asset", "standard", "3", "asset_id = 2", 2),
    ("eth_asset", "contract_id", "0", "asset_id = 1", 1),
    ("eth_tx", "value", "value + 1", "tx_id = 7", 7),
    ("eth_tx", "status", "1 - status", "tx_id = 2", 2),
    ("eth_tx", "from_id", "to_id", "tx_id = 12", 12),
    ("eth_tx", "fee", "fee - 1", "tx_id = 12", 12),
    ("eth_tx", "fee", "null", "tx_id = 23", 23),
    ("eth_tx", "hash", "overlay(hash placing '\\x00' from 32)", "tx_id = 9", 9),
    ("eth_tx", "created_id", "from_id", "tx_id = 3", 3),
    ("eth_tx", "selector", "7", "tx_id = 1", 1),
    ("eth_movement", "value", "value - 1", "kind = 4 and value = 2::numeric ^ 256 - 1 and block_id = 3", None),
    ("eth_movement", "basis", "2", "kind = 3 and block_id = 2", None),
    ("eth_movement", "basis", "1", "kind = 4 and log_index = 1 and block_id = 2", None),
    ("eth_movement", "log_index", "log_index + 1", "kind = 5 and block_id = 4", None),
    ("eth_movement", "token_id", "token_id + 1", "token_id is not null and log_index = 2 and block_id = 1", None),
    ("eth_movement", "to_id", "from_id", "kind = 4 and log_index = 0 and block_id = 0", None),
    ("eth_movement", "kind", "7", "kind = 5 and block_id = 2", None),
    ("eth_movement", "asset_id", "1", "kind = 8 and block_id = 5 and to_id is not null", None),
    ("eth_cursor", "tip_height", "tip_height - 1", "true", None),
    ("eth_cursor", "tip_hash", "overlay(tip_hash placing '\\x00' from 1)", "true", None),
]


@pytest.mark.parametrize(("table", "column", "value", "which", "row"), UPDATES, ids=lambda each: str(each)[:24])
def test_a_broken_row_is_found_and_named(
    audited: Instance, table: str, column: str, value: str, which: str, row: int | None
) -> None:
    async def corrupt(connection: Connection) -> None:
        ids = {"address": "address_id", "eth_cursor": "dataset_id"}.get(table, f"{table.removeprefix('eth_')}_id")
        rows = await connection.fetch(
            f"update {table} set {column} = {value} {ROW} and ({which}) returning {ids} as id"
        )
        touched.extend(found["id"] for found in rows)

    touched: list[int] = []
    report = _broken(audited, corrupt)
    assert touched, "the test broke nothing"
    assert report.broken is not None
    assert (report.broken.table, report.broken.row) == (table, min(touched))
    assert report.broken.column == column
    assert row is None or report.broken.row == row
    assert report.broken.stored != report.broken.derived


def test_a_trace_that_is_made_another_movement_is_missed_in_its_block(audited: Instance) -> None:
    async def corrupt(connection: Connection) -> None:
        await connection.execute(f"update eth_movement set kind = 2 {ROW} and kind = 3 and block_id = 2")

    broken = _broken(audited, corrupt).broken
    assert broken is not None
    assert (broken.table, broken.row, broken.column) == ("eth_block", 2, "movements_after")


def _frame(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(raw)


async def _kept(connection: Connection, block: int) -> tuple[bytes, bytes]:
    store = EthereumStore(connection)
    return (await store.block_bytes(await store.dataset("eth")))[block]


async def _set(connection: Connection, block: int, column: str, raw: bytes | None) -> None:
    await connection.execute(f"update eth_block_bytes set {column} = $1 {ROW} and block_id = $2", raw, block)


async def _torn_frame(connection: Connection) -> None:
    body, _ = await _kept(connection, 2)
    await _set(connection, 2, "bytes", _frame(body)[:-3])


async def _no_receipts(connection: Connection) -> None:
    await _set(connection, 2, "receipts", None)


async def _other_receipts(connection: Connection) -> None:
    await _set(connection, 2, "receipts", _frame((await _kept(connection, 3))[1]))


async def _other_block(connection: Connection) -> None:
    body, receipts = await _kept(connection, 1)
    await _set(connection, 4, "bytes", _frame(body))
    await _set(connection, 4, "receipts", _frame(receipts))


async def _no_rlp(connection: Connection) -> None:
    await _set(connection, 2, "bytes", _frame(b"\xc0\x01"))


async def _more_gas(connection: Connection) -> None:
    body, receipts = await _kept(connection, 2)
    block = block_from_bytes(body, receipts)
    assert block.receipts is not None
    more = [replace(block.receipts[0], cumulative_gas=30_001), *block.receipts[1:]]
    await _set(connection, 2, "receipts", _frame(encode([each.item() for each in more])))


async def _another_value(connection: Connection) -> None:
    body, _ = await _kept(connection, 2)
    block = block_from_bytes(body, None)
    txs = (replace(block.transactions[0], value=9), *block.transactions[1:])
    await _set(connection, 2, "bytes", _frame(replace(block, transactions=txs).block_bytes))


async def _another_header(connection: Connection) -> None:
    body, _ = await _kept(connection, 2)
    block = block_from_bytes(body, None)
    await _set(
        connection, 2, "bytes", _frame(replace(block, header=replace(block.header, state_root=bytes(32))).block_bytes)
    )


OF_BYTES: dict[str, tuple[Callable[[Connection], Awaitable[None]], str, int, str, str]] = {
    "a torn frame": (_torn_frame, "eth_block_bytes", 2, "bytes", "zstandard"),
    "no RLP": (_no_rlp, "eth_block_bytes", 2, "bytes", "RLP"),
    "no receipts": (_no_receipts, "eth_block_bytes", 2, "receipts", "no bytes"),
    "receipts of another block": (_other_receipts, "eth_block_bytes", 2, "receipts", "receipts_root"),
    "more gas": (_more_gas, "eth_block_bytes", 2, "receipts", "receipts_root"),
    "another value": (_another_value, "eth_block_bytes", 2, "bytes", "transactions_root"),
    "another header": (_another_header, "eth_block", 2, "hash", ""),
    "another block": (_other_block, "eth_block_bytes", 4, "bytes", "height"),
}


@pytest.mark.parametrize("name", OF_BYTES)
def test_broken_bytes_are_found_and_named(audited: Instance, name: str) -> None:
    corrupt, table, row, column, why = OF_BYTES[name]
    broken = _broken(audited, corrupt).broken
    assert broken is not None
    assert (broken.table, broken.row, broken.column) == (table, row, column)
    assert why in broken.stored


@pytest.mark.parametrize(
    ("table", "id_column", "row"),
    [
        ("eth_tx", "tx_id", 5),
        ("eth_movement", "movement_id", 11),
        ("address", "address_id", 3),
        ("eth_block", "block_id", 4),
    ],
)
def test_a_missing_row_is_found(audited: Instance, table: str, id_column: str, row: int) -> None:
    async def corrupt(connection: Connection) -> None:
        await connection.execute(f"delete from {table} {ROW} and {id_column} = {row}")

    broken = _broken(audited, corrupt).broken
    assert broken is not None
    assert (broken.table, broken.row, broken.column, broken.stored) == (table, row, id_column, "no row")


def test_rows_behind_the_cursor_are_found(audited: Instance) -> None:
    async def corrupt(connection: Connection) -> None:
        await connection.execute(
            f"insert into eth_tx select dataset_id, 1000, block_id, 9, hash, type, from_id, to_id, created_id, value, "
            f"status, gas_used, fee, selector from eth_tx {ROW} and tx_id = 1"
        )

    broken = _broken(audited, corrupt).broken
    assert broken is not None
    assert (broken.table, broken.row, broken.derived) == ("eth_tx", 1000, "no row")


def test_seeded_flips_of_amounts_are_all_found(audited: Instance) -> None:
    """Rows at random, one off each."""
    random = np.random.default_rng(20_261_126)

    async def count() -> int:
        async with connected(audited.url) as connection:
            return int(await connection.fetchval(f"select count(*) from eth_movement {ROW}"))

    for movement in random.integers(0, asyncio.run(count()), 12).tolist():
        kind, broken = _one_off(audited, movement)
        if kind == Movement.INTERNAL:
            assert broken is None, "an amount of a trace is not proved"
        else:
            assert broken is not None
            assert (broken.table, broken.row, broken.column) == ("eth_movement", movement, "value")


def _one_off(audited: Instance, movement: int) -> tuple[int, Broken | None]:
    """The kind of a movement, and what the audit says when its amount is another."""
    kinds = []

    async def corrupt(connection: Connection) -> None:
        change = "update eth_movement set value = case value when 0 then 1 else value - 1 end"
        kinds.append(await connection.fetchval(f"{change} {ROW} and movement_id = {movement} returning kind"))

    broken = _broken(audited, corrupt).broken
    return kinds[0], broken


def test_extracts_of_real_blocks_pass(fresh: Instance, data: Path, tmp_path: Path) -> None:
    """All forks, with uncles that are known and uncles that are only named; and tables, which prove nothing."""
    folder = data / "ethereum"
    (tmp_path / "merged").mkdir()
    block = real_json(data, "22431080")
    tx = block["transactions"][0]
    columns = {
        "hash": tx["hash"],
        "block_number": int(block["number"], 16),
        "transaction_index": 0,
        "from_address": tx["from"],
        "to_address": tx["to"],
        "value": int(tx["value"], 16),
        "block_timestamp": int(block["timestamp"], 16),
        "receipt_status": 1,
        "receipt_gas_used": 21_000,
        "gas_price": int(tx["gasPrice"], 16),
    }
    table = [",".join(columns), ",".join(str(value) for value in columns.values())]
    (tmp_path / "merged" / "transactions.csv").write_text("\n".join(table) + "\n")

    async def work() -> dict[str, AuditReport]:
        async with connected(fresh.url) as connection:
            paths = [
                folder / "blocks_rlp" / f"block-data-{number}.yaml.xz" for number in (14764013, 15537393, 19426587)
            ]
            rlp = EthereumFiles(paths, 1, rlp=True)
            await load_extract(connection, rlp, "rlp")
            paths = [folder / "blocks_json" / f"{name}.json.xz" for name in ("Frontier", "DAO", "Byzantium", "Cancun")]
            by_json = EthereumFiles(paths, 1, rlp=False)
            await load_extract(connection, by_json, "json")
            await load_extract(connection, EtlFolder(folder / "tokens_traced", 1), "tables")
            contiguous = [folder / "blocks_json" / f"{number}.json.xz" for number in (22431080, 22431081)]
            await load_extract(connection, EthereumFiles(contiguous, 1, rlp=False), "mixed")
            await load_extract(connection, EtlFolder(tmp_path / "merged", 1), "mixed")
            return {name: await _audit(connection, name) for name in ("rlp", "json", "tables", "mixed")}

    reports = asyncio.run(work())
    assert {name: report.broken for name, report in reports.items()} == dict.fromkeys(reports)
    assert (reports["rlp"].proved, reports["json"].proved) == (3, 4)
    assert (reports["tables"].proved, reports["tables"].stated) == (0, reports["tables"].blocks)
    assert (reports["mixed"].proved, reports["mixed"].told_elsewhere) == (1, 1)


def test_the_command_names_what_is_broken(audited: Instance, tmp_path: Path) -> None:
    from typer.testing import CliRunner  # noqa: PLC0415

    from api.cli import app  # noqa: PLC0415

    environment = {"HEADWATER_DATABASE_URL": audited.url, "HEADWATER_HOME": str(tmp_path)}

    async def spoil(change: str) -> None:
        async with connected(audited.url) as connection:
            await connection.execute(f"update eth_tx set value = value {change} 1 {ROW} and tx_id = 7")

    clean = CliRunner().invoke(app, ["audit", "--chain", "eth", "--format", "json"], env=environment)
    assert clean.exit_code == 0, clean.output
    assert json.loads(clean.stdout)["datasets"][0]["proved"] == COUNT
    asyncio.run(spoil("+"))
    try:
        broken = CliRunner().invoke(app, ["audit", "--chain", "eth"], env=environment)
    finally:
        asyncio.run(spoil("-"))
    assert broken.exit_code == 1
    assert "BROKEN       eth_tx 7 (height 22500001), value\n  stored     3001\n  derived    3000\n" in broken.stdout
    assert CliRunner().invoke(app, ["audit", "--chain", "btc"], env=environment).exit_code != 0
