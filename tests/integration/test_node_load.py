"""A real node's chain, loaded whole: by RPC and REST, from its block files, and along a reorganisation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from api.instance import Instance
from chain.bitcoin.files import BlkFolder
from chain.bitcoin.network import REGTEST
from chain.bitcoin.rpc import NodeSource
from chain.load import LoadReport, load_chain
from chain.source import ChainSource
from chain.store.ledger import LedgerStore
from chain.store.postgres import connected
from tests.integration.node import Node, running_node
from tests.integration.state import columns_digest, rows_digest
from tests.integration.test_node import make_chain

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with running_node("-rest", "-blocksxor=1") as node:
        make_chain(node)
        yield node


def _load(instance: Instance, source: ChainSource, name: str) -> LoadReport:
    async def work() -> LoadReport:
        async with connected(instance.url) as connection:
            return await load_chain(connection, instance.home, source, name)

    return asyncio.run(work())


def _state(instance: Instance, name: str) -> tuple[dict[str, str], dict[str, str]]:
    async def work() -> dict[str, str]:
        async with connected(instance.url) as connection:
            return await rows_digest(connection, await LedgerStore(connection).dataset(name))

    return asyncio.run(work()), columns_digest(instance.home, name)


def test_every_way_of_reading_a_node_gives_one_ledger(instance: Instance, node: Node) -> None:
    for ways, name in (("spenttxouts", "node-rest"), ("verbosity3", "node-rpc"), ("none", "node-own")):
        with NodeSource(node.url, prevouts=ways, rest=ways == "spenttxouts") as source:  # type: ignore[arg-type]
            report = _load(instance, source, name)
        assert report.blocks > 105
        assert report.outside_outputs == 0
    _load(instance, BlkFolder(node.blocks, REGTEST), "node-files")
    states = [_state(instance, name) for name in ("node-rest", "node-rpc", "node-own", "node-files")]
    assert all(state == states[0] for state in states)


def test_a_reorganisation_of_the_node_is_followed(instance: Instance, node: Node) -> None:
    with NodeSource(node.url) as source:
        before = _load(instance, source, "node-fork")
    tip = node.call("getblockcount")
    node.call("invalidateblock", node.call("getblockhash", tip - 2))
    node.mine(5, node.call("getnewaddress", "", "bech32"))
    with NodeSource(node.url) as source:
        after = _load(instance, source, "node-fork")
        _load(instance, source, "node-fresh")
    assert before.tip_height == tip
    assert (after.rolled_back, after.tip_height) == (3, tip + 2)
    assert _state(instance, "node-fork") == _state(instance, "node-fresh")
