"""A node that misbehaves on purpose: true blocks over real HTTP, and faults put between them and whoever asks."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chain.ethereum.block import Block
from chain.ethereum.transactions import transaction_from_raw
from tests.unit.ethereum_blocks import (
    bare_header,
    block_json,
    raw_transactions,
    receipts_json,
    sealed,
    small_receipts,
)

FIRST = 22_500_000
MISSING = {"code": -32601, "message": "the method does not exist"}


def chain_of(count: int) -> list[Block]:
    """Blocks of two transactions each, linked."""
    txs = tuple(transaction_from_raw(raw) for raw in raw_transactions()[:5])
    blocks: list[Block] = []
    for number in range(FIRST, FIRST + count):
        parent = blocks[-1].hash if blocks else b"\x01" * 32
        blocks.append(sealed(bare_header(number, parent), txs, small_receipts(txs)))
    return blocks


@dataclass
class Reply:
    """What goes over the wire."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0
    """Seconds between single bytes."""
    cut: bool = False
    """Whether the connection breaks half way."""


Fault = Callable[["Node", Any, Reply], Reply]
"""Given the node, the request's JSON and the true reply: what is sent."""


class Node:
    """The true answers, and the fault between."""

    def __init__(self, blocks: list[Block]) -> None:
        self.blocks = {block.header.number: (block_json(block), receipts_json(block)) for block in blocks}
        self.by_hash = {body["hash"]: number for number, (body, _) in self.blocks.items()}
        self.chain_id = 1
        self.traces: dict[str, list[Any]] = {}
        """Of `debug_traceBlockByHash`, by block; a node without any has no such method."""
        self.words: dict[tuple[str, str], Any] = {}
        """What a contract answers to a selector (`eth_call`): bytes in hex, or an error."""
        self.fault: Fault = lambda node, request, reply: reply
        self.change: Callable[[str, Any], Any] = lambda method, result: result
        """What becomes of each result before it is sent."""
        self.error: Callable[[str], dict[str, Any] | None] = lambda method: None
        self.requests: list[Any] = []
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()
        self.url = ""

    def reply(self, request: Any) -> Reply:
        many = isinstance(request, list)
        answers = [self.answer(each) for each in (request if many else [request])]
        return self.fault(self, request, Reply(json.dumps(answers if many else answers[0]).encode()))

    def answer(self, call: Any) -> dict[str, Any]:
        whole = {"jsonrpc": "2.0", "id": call["id"]}
        error = self.error(call["method"])
        result = self.result(call["method"], call["params"])
        if error is None and (result is MISSING or (call["method"] == "eth_call" and isinstance(result, dict))):
            error = result
        if error is not None:
            return whole | {"error": error}
        return whole | {"result": self.change(call["method"], result)}

    def result(self, method: str, parameters: Any) -> Any:
        if method == "eth_chainId":
            return hex(self.chain_id)
        if method == "eth_getBlockByNumber":
            number = max(self.blocks) if parameters[0] == "latest" else int(parameters[0], 16)
            return self.blocks[number][0] if number in self.blocks else None
        if method == "eth_getBlockReceipts":
            return self.blocks[self.by_hash[parameters[0]]][1]
        if method == "eth_getTransactionReceipt":
            found = (r for _, receipts in self.blocks.values() for r in receipts)
            return next((r for r in found if r["transactionHash"] == parameters[0]), None)
        if method == "debug_traceBlockByHash" and self.traces:
            return self.traces[parameters[0]]
        if method == "eth_call" and self.words:
            return self.words.get((parameters[0]["to"], parameters[0]["data"]), "0x")
        return MISSING


@contextlib.contextmanager
def running(blocks: list[Block]) -> Iterator[Node]:
    """The node on a free port, down at the end."""
    node = Node(blocks)
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body go out apart, and the body would wait for an acknowledgement

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with node.lock:
                node.requests.append(request)
                node.under_way += 1
                node.most_under_way = max(node.most_under_way, node.under_way)
            try:
                self.send(node.reply(request))
            finally:
                with node.lock:
                    node.under_way -= 1

        def send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                if reply.cut:
                    self.wfile.write(reply.body[: len(reply.body) // 2])
                    self.close_connection = True
                elif reply.drip:
                    for place in range(len(reply.body)):
                        self.wfile.write(reply.body[place : place + 1])
                        if stopped.wait(reply.drip):
                            return
                else:
                    self.wfile.write(reply.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    node.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield node
    finally:
        stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()
