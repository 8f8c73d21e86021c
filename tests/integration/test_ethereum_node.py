"""A real node's chain: a token, its sale and a call that reverts, loaded, compared with the node, reorganised."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.answers.ethereum import balances_body
from api.answers.findings import sales_body
from api.instance import Instance, open_instance
from chain.ethereum.audit import Audit, AuditReport
from chain.ethereum.balances import BalanceReport, compare_balances
from chain.ethereum.load import EthereumReport, load_chain
from chain.ethereum.node import EthereumNode
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.ethereum import EthereumStore
from chain.store.postgres import connected
from tests.integration.ethereum_node import ETHER, FUNDS, Anvil, running_anvil

pytestmark = pytest.mark.node

TREASURY = "0x" + "77" * 20


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with running_anvil() as found:
        _sell(found)
        yield found


def _sell(node: Anvil) -> None:
    accounts = node.call("eth_accounts")
    sale = node.deploy(accounts[0], "Sale", TREASURY[2:].rjust(64, "0"))
    boom = node.deploy(accounts[0], "Boom")
    for number, buyer in enumerate(accounts[1:41]):
        node.send(buyer, sale, (1 + number % 5) * ETHER)
        if number % 8 == 7:
            node.mine()
    # it sends half on, and then reverts: nothing has moved but the fee
    node.send(accounts[43], boom, 6 * ETHER, _selector(node) + accounts[44][2:].rjust(64, "0"))
    node.mine(2)


def _selector(node: Anvil) -> str:
    found: str = node.call("web3_sha3", "0x" + b"die(address)".hex())
    return found[:10]


def _load(instance: Instance, node: Anvil) -> EthereumReport:
    async def work() -> EthereumReport:
        async with connected(instance.url) as connection:
            source = await asyncio.to_thread(EthereumNode, node.url)
            return await load_chain(connection, source)

    return asyncio.run(work())


def _state(instance: Instance) -> dict[str, Any]:
    async def work() -> dict[str, Any]:
        async with connected(instance.url) as connection:
            store = EthereumStore(connection)
            dataset = await store.dataset("eth")
            return {
                f"{table} {name}": column.tolist()
                for table in ("blocks", "txs", "movements", "addresses", "assets")
                for name, column in (await store.read(dataset, table)).items()
            }

    return asyncio.run(work())


def test_the_sale_is_found_and_balances_are_the_node_s(fresh: Instance, node: Anvil) -> None:
    report = _load(fresh, node)
    assert report.coverage["without_traces"] == report.coverage["without_receipts"] == 0

    async def work() -> None:
        async with connected(fresh.url) as connection:
            ((answer,),) = [(await sales_body(connection))[0]["answers"]]
            (sale,) = answer["findings"]
            gross = sum((1 + number % 5) * ETHER for number in range(40))
            assert (sale["purchases"], sale["buyers"]) == (40, 40)
            assert sale["received_gross"] == [{"asset": "ETH", "amount": str(gross)}]
            assert sale["price_tiers"][0]["tokens_per_unit"] == "1000"
            (flow,) = sale["collected"]
            assert (flow["address"].lower(), flow["amount"]) == (TREASURY, str(gross))
            for address in [*node.call("eth_accounts"), TREASURY, sale["contract"]]:
                theirs = int(node.call("eth_getBalance", address, "latest"), 16)
                answers = (await balances_body(connection, address))["answers"]
                ours = [each for each in answers[0]["holdings"] if each["asset"] == "ETH"] if answers else []
                start = 0 if address in (TREASURY, sale["contract"]) else FUNDS  # no block tells of the first funds
                assert start + sum(int(each["net"]) for each in ours) == theirs, address

    asyncio.run(work())


def test_a_reorganisation_is_followed_and_equals_a_fresh_load(fresh: Instance, node: Anvil, tmp_path: Path) -> None:
    _load(fresh, node)
    tip = int(node.call("eth_blockNumber"), 16)
    node.call("anvil_reorg", 3, [])
    accounts = node.call("eth_accounts")
    node.send(accounts[3], accounts[4], 5)
    node.mine(2)
    again = _load(fresh, node)
    assert (again.rolled_back, again.tip_height) == (3, tip + 2)
    other = asyncio.run(open_instance(Settings(home=tmp_path / "other", database_url=None)))
    try:
        _load(other, node)
        assert _state(fresh) == _state(other)
    finally:
        EmbeddedPostgres(tmp_path / "other").stop()


def test_balances_of_the_ledger_are_the_node_s_and_a_broken_trace_is_not(fresh: Instance, node: Anvil) -> None:
    _load(fresh, node)

    async def work() -> tuple[AuditReport, BalanceReport, BalanceReport]:
        async with connected(fresh.url) as connection:
            store = EthereumStore(connection)
            dataset = await store.dataset("eth")
            report = await Audit(store, dataset).run()
            source = await asyncio.to_thread(EthereumNode, node.url)
            clean = await compare_balances(store, dataset, source, 1_000)
            await connection.execute("update eth_movement set value = value - 1 where kind = 3")
            return report, clean, await compare_balances(store, dataset, source, 1_000)

    report, clean, broken = asyncio.run(work())
    assert (report.broken, report.proved) == (None, report.blocks)
    assert report.traced > 20
    assert (clean.unequal, clean.not_compared) == ([], None)
    assert clean.sampled == report.rows["address"] > 30
    assert {each.address.lower() for each in broken.unequal} >= {TREASURY}
    assert all(abs(each.ledger - each.node) == report.traced for each in broken.unequal)
