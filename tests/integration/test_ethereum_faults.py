"""A node that misbehaves: what may pass is asked for again, what is wrong is a clear error, and nothing is stored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.instance import Instance, open_instance
from chain.errors import HeadwaterError, IntegrityError, NodeError
from chain.ethereum.block import Block
from chain.ethereum.calls import Limits
from chain.ethereum.load import load_chain
from chain.ethereum.node import EthereumNode
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.ethereum import EthereumStore
from chain.store.postgres import connected
from tests.integration.misbehaving import FIRST, MISSING, Node, Reply, chain_of, running

COUNT = 10
QUICK = Limits(timeout=5, patience=8, deadline=20, pause=0.01)
IMPATIENT = Limits(timeout=0.3, patience=0.3, deadline=2, pause=0.02)


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    return chain_of(COUNT)


@pytest.fixture
def node(blocks: list[Block]) -> Iterator[Node]:
    with running(blocks) as found:
        yield found


def read(node: Node, limits: Limits = QUICK) -> list[bytes]:
    """The hashes of all blocks that a source reads."""
    source = EthereumNode(node.url, limits)
    return [each.tobytes() for batch in source.batches(FIRST, None) for each in batch.block_hash]


def once(fault: Callable[[Any, Reply], Reply], times: int = 1) -> Callable[[Node, Any, Reply], Reply]:
    """The fault for the first requests for blocks, the truth after that."""
    left = [times]

    def work(node: Node, request: Any, reply: Reply) -> Reply:
        with node.lock:
            is_head = not isinstance(request, list) and request["params"][-1:] != [True]
            if is_head or not left[0]:
                return reply
            left[0] -= 1
        return fault(request, reply)

    return work


def in_batches(change: Callable[[list[Any]], list[Any]]) -> Callable[[Any, Reply], Reply]:
    def work(request: Any, reply: Reply) -> Reply:
        found = json.loads(reply.body)
        return Reply(json.dumps(change(found) if isinstance(found, list) else found).encode())

    return work


PASSING: dict[str, Callable[[Any, Reply], Reply]] = {
    "429": lambda request, reply: Reply(b"slow down", 429, {"Retry-After": "0"}),
    "503": lambda request, reply: Reply(b"", 503),
    "a connection that breaks": lambda request, reply: Reply(reply.body, cut=True),
    "an answer that is cut": lambda request, reply: Reply(reply.body[: len(reply.body) // 2]),
    "half a batch": in_batches(lambda found: found[::2]),
    "a batch out of order": in_batches(lambda found: found[::-1]),
    "an id twice": in_batches(lambda found: [*found[:-1], found[0]]),
    "a foreign id": in_batches(lambda found: [{**found[0], "id": 77}, *found[1:]]),
    "result and nothing": in_batches(lambda found: [{"jsonrpc": "2.0", "id": each["id"]} for each in found]),
    "rate limit by code": in_batches(
        lambda found: [{"id": each["id"], "error": {"code": -32005, "message": "limit exceeded"}} for each in found]
    ),
    "header not found": in_batches(
        lambda found: [{"id": each["id"], "error": {"code": -32000, "message": "header not found"}} for each in found]
    ),
    "one null": in_batches(lambda found: [{**found[0], "result": None}, *found[1:]]),
    "batches are refused": lambda request, reply: Reply(b"none here", 400) if isinstance(request, list) else reply,
    "a batch is too large": lambda request, reply: Reply(
        b'{"id": null, "error": {"code": -32000, "message": "batch too large"}}'
    ) if isinstance(request, list) else reply,
    "413": lambda request, reply: Reply(b"", 413) if isinstance(request, list) else reply,
}  # fmt: skip


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_is_asked_for_again(node: Node, blocks: list[Block], name: str) -> None:
    node.fault = once(PASSING[name], 3)
    assert read(node) == [block.hash for block in blocks]


def test_a_node_without_batches_is_asked_one_by_one(node: Node, blocks: list[Block]) -> None:
    node.fault = lambda node, request, reply: Reply(b"", 400) if isinstance(request, list) else reply
    source = EthereumNode(node.url, QUICK)
    assert sum(batch.block_count for batch in source.batches(FIRST, None)) == COUNT
    assert source.calls.batch.size == 1
    refused = [request for request in node.requests if isinstance(request, list)]
    assert len(refused) <= QUICK.workers


def test_a_bound_on_batches_is_found(node: Node) -> None:
    def bound(node: Node, request: Any, reply: Reply) -> Reply:
        if isinstance(request, list) and len(request) > 3:
            return Reply(b'{"id": null, "error": {"code": -32000, "message": "batch size is limited to 3"}}')
        return reply

    node.fault = bound
    source = EthereumNode(node.url, QUICK)
    assert sum(batch.block_count for batch in source.batches(FIRST, None)) == COUNT
    assert 2 <= source.calls.batch.size <= 3


def test_requests_under_way_are_bounded_and_shrink(node: Node) -> None:
    node.fault = once(PASSING["429"], 6)
    source = EthereumNode(node.url, Limits(timeout=5, patience=8, deadline=20, pause=0.01, workers=3, batch=2))
    assert sum(batch.block_count for batch in source.batches(FIRST, None)) == COUNT
    assert node.most_under_way <= 3
    assert all(len(request) <= 2 for request in node.requests if isinstance(request, list))


def test_receipts_come_one_by_one_where_the_node_has_no_other_way(node: Node, blocks: list[Block]) -> None:
    node.error = lambda method: MISSING if method == "eth_getBlockReceipts" else None
    # each test block has the same transactions, so their receipts are those of the first block: of another block
    with pytest.raises(IntegrityError, match="receipt_fields"):
        read(node)
    for number in list(node.blocks)[1:]:
        del node.blocks[number]
    assert read(node) == [blocks[0].hash]


def wrong(method: str, change: Callable[[Any], Any]) -> Callable[[Node], None]:
    def work(node: Node) -> None:
        node.change = lambda asked, result: change(json.loads(json.dumps(result))) if asked == method else result

    return work


def failing(method: str, code: int, message: str) -> Callable[[Node], None]:
    def work(node: Node) -> None:
        node.error = lambda asked: {"code": code, "message": message} if asked == method else None

    return work


def always(fault: Callable[[Any, Reply], Reply]) -> Callable[[Node], None]:
    def work(node: Node) -> None:
        node.fault = once(fault, 1_000_000)

    return work


def _swap_logs(receipts: Any) -> Any:
    receipts[3]["logs"].reverse()
    return receipts


def _renumber_logs(receipts: Any) -> Any:
    receipts[3]["logs"][0]["logIndex"], receipts[3]["logs"][1]["logIndex"] = "0x4", "0x3"
    return receipts


def _other_chain(node: Node) -> None:
    node.chain_id = 11155111


def _other_receipts(node: Node) -> None:
    bodies = list(node.blocks)
    node.by_hash = {node.blocks[number][0]["hash"]: bodies[place - 1] for place, number in enumerate(bodies)}


def _gap(node: Node) -> None:
    body, receipts = node.blocks[FIRST + 4]
    node.blocks[FIRST + 3] = (body, receipts)


def _too_few_traces(node: Node) -> None:
    original = node.result

    def result(method: str, parameters: Any) -> Any:
        return [{"result": {}}] if method == TRACES else original(method, parameters)

    node.result = result  # type: ignore[method-assign]


GET, RECEIPTS, TRACES = "eth_getBlockByNumber", "eth_getBlockReceipts", "debug_traceBlockByHash"
LASTING: dict[str, tuple[Callable[[Node], None], str]] = {
    "always 429": (always(PASSING["429"]), "HTTP 429"),
    "always 503": (always(PASSING["503"]), "HTTP 503"),
    "always cut": (always(PASSING["an answer that is cut"]), "no JSON-RPC, or cut"),
    "a body that drips": (always(lambda request, reply: Reply(reply.body, drip=0.05)), "Timeout"),
    "401": (always(lambda request, reply: Reply(b"key?", 401)), "HTTP 401"),
    "null receipts": (wrong(RECEIPTS, lambda found: None), "null for what must exist"),
    "null among receipts": (wrong(RECEIPTS, lambda found: [None, *found[1:]]), "receipts"),
    "no list of receipts": (wrong(RECEIPTS, lambda found: {"a": 1}), "answered no list"),
    "a receipt less": (wrong(RECEIPTS, lambda found: found[:-1]), "receipts_count"),
    "receipts of another block": (_other_receipts, "receipt"),
    "receipts out of order": (wrong(RECEIPTS, lambda found: found[::-1]), "receipts_root"),
    "logs out of order": (wrong(RECEIPTS, _swap_logs), "receipts_root|log_index"),
    "logs counted out of order": (wrong(RECEIPTS, _renumber_logs), "log_index"),
    "hashes for transactions": (
        wrong(GET, lambda found: found and {**found, "transactions": [tx["hash"] for tx in found["transactions"]]}),
        "a hash stands where a transaction is due",
    ),
    "another chain": (_other_chain, "signed for chain 1, not for 11155111"),
    "a block in the place of another": (_gap, "height"),
    "missing trie node": (failing(TRACES, -32000, "missing trie node 7b2a (path )"), "pruned what is asked for"),
    "history pruned": (failing(RECEIPTS, 4444, "pruned history unavailable"), "pruned what is asked for"),
    "traces of fewer transactions": (_too_few_traces, "not one trace for each"),
    "a refusal for good": (failing(RECEIPTS, -32000, "no such luck"), "no such luck"),
    "an answer that is no block": (wrong(GET, lambda found: found and {"number": found["number"]}), "no block"),
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance that nothing is ever stored in."""
    home = tmp_path_factory.mktemp("empty")
    yield asyncio.run(open_instance(Settings(home=home, database_url=None)))
    EmbeddedPostgres(home).stop()


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_is_told_and_stores_nothing(empty: Instance, node: Node, name: str) -> None:
    spoil, message = LASTING[name]
    spoil(node)

    async def load() -> None:
        async with connected(empty.url) as connection:
            source = await asyncio.to_thread(EthereumNode, node.url, IMPATIENT)
            await load_chain(connection, source, anchor_height=FIRST)

    async def stored() -> int:
        async with connected(empty.url) as connection:
            found = await EthereumStore(connection).datasets("eth")
            return sum(sum(dataset.counts.values()) for dataset in found)

    with pytest.raises(HeadwaterError, match=message):
        asyncio.run(load())
    assert asyncio.run(stored()) == 0


def test_who_is_not_there_is_told_without_the_key_in_the_url() -> None:
    with pytest.raises(NodeError, match="eth_chainId") as caught:
        EthereumNode("http://user:secret@127.0.0.1:9/v3/key", IMPATIENT)
    assert "secret" not in str(caught.value)
    assert "key" not in str(caught.value)
    with pytest.raises(NodeError, match="of the form"):
        EthereumNode("ftp://127.0.0.1")
