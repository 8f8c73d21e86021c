"""Whole Ethereum blocks into a real Postgres: proved, chained, exact; what fails stores nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from api.answers.ethereum import balances_body
from api.answers.ethereum_tx import transaction_body
from api.instance import Instance
from chain.errors import HeadwaterError, IntegrityError, MalformedData
from chain.ethereum.block import Block, block_from_bytes
from chain.ethereum.files import EthereumFiles
from chain.ethereum.load import EthereumReport, load_chain, load_extract
from chain.store.ethereum import EthereumStore
from chain.store.postgres import connected
from tests.unit.ethereum_blocks import real_json

CONTIGUOUS = range(22_431_080, 22_431_086)


def _files(data: Path, *names: object) -> list[Path]:
    return [data / "ethereum/blocks_json" / f"{name}.json.xz" for name in names]


def _chain(instance: Instance, files: list[Path], anchor: int | None = None) -> EthereumReport:
    async def work() -> EthereumReport:
        async with connected(instance.url) as connection:
            return await load_chain(connection, EthereumFiles(files, 1, rlp=False), anchor_height=anchor)

    return asyncio.run(work())


def _extract(instance: Instance, files: list[Path], name: str, *, rlp: bool) -> EthereumReport:
    async def work() -> EthereumReport:
        async with connected(instance.url) as connection:
            return await load_extract(connection, EthereumFiles(files, 1, rlp=rlp), name)

    return asyncio.run(work())


def test_a_chain_grows_block_by_block_from_its_anchor(fresh: Instance, data: Path) -> None:
    first = _chain(fresh, _files(data, *CONTIGUOUS[:3]), CONTIGUOUS[0])
    assert (first.blocks, first.tip_height) == (3, CONTIGUOUS[2])
    with pytest.raises(IntegrityError, match="goes on with block 22431084"):
        _chain(fresh, _files(data, *CONTIGUOUS[4:]))
    rest = _chain(fresh, _files(data, *CONTIGUOUS))
    assert (rest.blocks, rest.tip_height, rest.rolled_back) == (3, CONTIGUOUS[5], 0)
    assert _chain(fresh, _files(data, *CONTIGUOUS)).blocks == 0


def test_every_block_by_json_and_by_rlp_is_kept_as_its_bytes(instance: Instance, data: Path) -> None:
    rlp = sorted((data / "ethereum/blocks_rlp").glob("*.xz"))
    by_json = _extract(instance, sorted((data / "ethereum/blocks_json").glob("*.xz")), "blocks", rlp=False)
    assert (by_json.blocks, by_json.coverage["without_receipts"]) == (11, 11)
    both = _extract(instance, rlp, "blocks", rlp=True)
    assert (both.blocks, both.coverage["blocks_stated"]) == (6, 0)
    alone = _extract(instance, rlp, "rlp", rlp=True)
    assert (alone.blocks, alone.coverage["without_receipts"], alone.coverage["fees_missing"]) == (9, 0, 0)

    async def work() -> list[Block]:
        async with connected(instance.url) as connection:
            store = EthereumStore(connection)
            kept = await store.block_bytes(await store.dataset("rlp"))
            return [block_from_bytes(body, receipts) for body, receipts in kept.values()]

    blocks = asyncio.run(work())
    source = EthereumFiles(rlp, 1, rlp=True)
    assert [block.hash for block in blocks] == [source.hash_at(block.header.number) for block in blocks]


def test_fees_and_withdrawals_are_exact(instance: Instance, data: Path) -> None:
    """Of the merge's neighbour with one transaction: what it cost, what was burned, and who got the rest."""
    _extract(instance, [data / "ethereum/blocks_rlp/block-data-15537393.yaml.xz"], "last-mined", rlp=True)
    block = EthereumFiles([data / "ethereum/blocks_rlp/block-data-15537393.yaml.xz"], 1, rlp=True)
    ((batch,),) = (list(block.all_batches()),)

    async def work() -> None:
        async with connected(instance.url) as connection:
            (answer,) = [
                each
                for each in (await transaction_body(connection, batch.tx_hash[0].tobytes().hex()))["answers"]
                if each["dataset"] == "last-mined"
            ]
            moves = {move["kind"]: move for move in answer["movements"]}
            burned, paid = int(moves["fee_burned"]["value"]), int(moves["fee_paid"]["value"])
            assert answer["fee"] == str(burned + paid)
            assert {move["basis"] for move in answer["movements"]} == {"proved"}
            miner = moves["fee_paid"]["to"]
            assert miner is not None
            (held,) = [
                each for each in (await balances_body(connection, miner))["answers"] if each["dataset"] == "last-mined"
            ]
            ether = next(holding for holding in held["holdings"] if holding["asset"] == "ETH")
            assert int(ether["received"]) == 2 * 10**18 + paid

    asyncio.run(work())


@pytest.mark.parametrize(
    ("field", "value", "check"),
    [
        ("stateRoot", "0x" + "11" * 32, "block_hash"),
        ("transactions", [], "transactions_root"),
        ("timestamp", "0x1", "block_hash"),
        ("gasUsed", "0x00", "gasUsed"),
    ],
)
def test_a_lie_stores_nothing(
    fresh: Instance, data: Path, tmp_path: Path, field: str, value: object, check: str
) -> None:
    lie = {**real_json(data, str(CONTIGUOUS[1])), field: value}
    (tmp_path / "lie.json").write_text(json.dumps(lie))
    with pytest.raises(HeadwaterError, match=check):
        _chain(fresh, [*_files(data, CONTIGUOUS[0]), tmp_path / "lie.json"], CONTIGUOUS[0])

    async def work() -> None:
        async with connected(fresh.url) as connection:
            assert await EthereumStore(connection).datasets() == []

    asyncio.run(work())


@pytest.mark.parametrize("text", ["{", "[1]", '{"number": "0x1"}', '{"result": null, "error": {"code": -1}}'])
def test_what_is_no_block_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "none.json").write_text(text)
    with pytest.raises(MalformedData):
        EthereumFiles([tmp_path / "none.json"], 1, rlp=False)


def test_a_block_of_another_chain_is_refused(data: Path) -> None:
    with pytest.raises(IntegrityError, match="chain"):
        EthereumFiles(_files(data, CONTIGUOUS[0]), 5, rlp=False)
