"""A node by JSON-RPC as a source of verified blocks: web3.py carries the calls, its formatters are left out.

Blocks and receipts are proved by their roots whatever the node says; traces (where it has them) are its word. A call
that may pass is tried again with full jitter (M. Brooker, "Exponential Backoff And Jitter", 2015) until `PATIENCE`
seconds are over; an answer of null for what must exist is such a call, never an empty block.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from chain.errors import IntegrityError, MalformedData, NodeError
from chain.ethereum.block import Block, block_from_json
from chain.ethereum.builder import MovementFacts
from chain.ethereum.model import EthereumBatch
from chain.ethereum.movements import batch_of
from chain.ethereum.traces import Frames, call_movements, trace_movements
from chain.ethereum.verify import verify_block
from chain.source import Tip

TIMEOUT = 60
"""Seconds that one answer may take; traces of a full block take some."""

PATIENCE = 60
"""Seconds after which a call is given up that could pass when tried again."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds: the upper bounds of the first and of the longest random pause."""

WORKERS = 4
"""Blocks that are asked for at once: enough to hide the way to the node, few enough for one that bounds its callers."""

BATCH_BLOCKS = 32

BLOB_TYPE = "0x3"

NOT_THERE = (-32601, -32600, -32004)
"""Method not found, invalid request, method not supported (EIP-1474)."""


class _Missing(NodeError):
    """The node does not have a method."""


class EthereumNode:
    """BlockSource over a node; NodeError where it refuses, times out or answers nonsense."""

    def __init__(self, url: str) -> None:
        self._provider = HTTPProvider(url, request_kwargs={"timeout": TIMEOUT}, exception_retry_configuration=None)
        self._name = urlsplit(url).hostname or "node"
        self.chain_id = _quantity(self._call("eth_chainId"), "eth_chainId")
        self._tracer: str | None = "debug_traceBlockByNumber"
        self._whole_receipts = True

    def tip(self) -> Tip | None:
        """The node's newest block."""
        return self._head("latest")

    def hash_at(self, height: int) -> bytes | None:
        """None above the node's tip."""
        found = self._head(hex(height))
        return None if found is None else found.hash

    def _head(self, which: str) -> Tip | None:
        found = self._call("eth_getBlockByNumber", which, False)
        if found is None:
            return None
        if not isinstance(found, dict) or not isinstance(found.get("hash"), str):
            raise NodeError(f"{self._name}: eth_getBlockByNumber answered no block")
        return Tip(_quantity(found.get("number"), "number"), bytes.fromhex(found["hash"].removeprefix("0x")))

    def batches(self, first: int, last: int | None) -> Iterator[EthereumBatch]:
        """The node's chain as it stands now. One that changes meanwhile fails the `parent` check: load again."""
        tip = self.tip()
        end = -1 if tip is None else tip.height if last is None else min(last, tip.height)
        with ThreadPoolExecutor(WORKERS) as pool:
            for at in range(first, end + 1, BATCH_BLOCKS):
                heights = range(at, min(at + BATCH_BLOCKS, end + 1))
                found = list(pool.map(self._block, heights))
                yield batch_of([block for block, _ in found], self.chain_id, [frames for _, frames in found])

    def _block(self, height: int) -> tuple[Block, list[list[MovementFacts]] | None]:
        body = self._there("eth_getBlockByNumber", hex(height), True)
        if isinstance(body, dict):
            body.pop("size", None)  # nothing commits to it, and anvil does not count the list of withdrawals
        try:
            block = block_from_json(body, self._receipts(body))
        except MalformedData as error:
            raise NodeError(f"{self._name}: block {height}: {error}") from error
        verify_block(block, self.chain_id)
        if block.header.number != height:
            raise IntegrityError("height", f"height {height}", f"the node answered with block {block.header.number}")
        return block, self._traces(block)

    def _receipts(self, body: Any) -> list[Any]:
        """Receipts of the very block, by its hash: another one of the same height may have come meanwhile."""
        found: list[Any] | None = None
        if self._whole_receipts:
            try:
                found = cast(list[Any], self._there("eth_getBlockReceipts", body.get("hash")))
            except _Missing:
                self._whole_receipts = False
        if found is None:
            found = [self._there("eth_getTransactionReceipt", tx["hash"]) for tx in body.get("transactions", [])]
        for receipt in found:
            if isinstance(receipt, dict):
                _drop_additions(receipt)
        return found

    def _traces(self, block: Block) -> list[list[MovementFacts]] | None:
        """Internal transfers of each transaction; None where the node has no traces."""
        frames: Frames
        if self._tracer == "debug_traceBlockByNumber":
            try:
                frames = self._there(self._tracer, hex(block.header.number), {"tracer": "callTracer"})
                return call_movements(block, frames)
            except _Missing:
                self._tracer = "trace_block"
        if self._tracer == "trace_block":
            try:
                return trace_movements(block, self._there(self._tracer, hex(block.header.number)))
            except _Missing:
                self._tracer = None
        return None

    def _there(self, method: str, *parameters: Any) -> Any:
        """An answer that must exist; a node that is behind its own word is asked again."""
        return self._call(method, *parameters, may_be_null=False)

    def _call(self, method: str, *parameters: Any, may_be_null: bool = True) -> Any:
        deadline, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
        while True:
            try:
                answer = self._provider.make_request(RPCEndpoint(method), list(parameters))
                if not isinstance(answer, dict):
                    raise NodeError(f"{self._name}: {method}: the answer is no object")
                if answer.get("error") is not None:
                    self._refuse(method, answer["error"])
                if may_be_null or answer.get("result") is not None:
                    return answer.get("result")
                reason = "null for what must exist"
            except (requests.RequestException, OSError, ValueError) as error:
                status = getattr(getattr(error, "response", None), "status_code", None)
                if status is not None and 400 <= status < 500 and status != requests.codes.too_many:
                    raise NodeError(f"{self._name}: {method}: HTTP {status}") from None
                reason = type(error).__name__
            if time.monotonic() + pause > deadline:
                raise NodeError(f"{self._name}: {method}: {reason}, for {PATIENCE} seconds") from None
            time.sleep(random.uniform(0, pause))
            pause = min(LONGEST_PAUSE, 2 * pause)

    def _refuse(self, method: str, error: Any) -> None:
        code = error.get("code") if isinstance(error, dict) else None
        message = str(error.get("message") if isinstance(error, dict) else error)[:200]
        if code in NOT_THERE:
            raise _Missing(f"{self._name} has no {method}: {message}")
        raise NodeError(f"{self._name}: {method}: {message}")


def _drop_additions(receipt: dict[str, Any]) -> None:
    """Leave out what anvil states beyond the specification of a receipt: a time as a number, blob gas of no blob."""
    if isinstance(receipt.get("blockTimestamp"), int):
        del receipt["blockTimestamp"]
    if receipt.get("type") != BLOB_TYPE:
        for name in ("blobGasPrice", "blobGasUsed"):
            receipt.pop(name, None)


def _quantity(value: object, name: str) -> int:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise NodeError(f"{name} is {str(value)[:80]!r}, not a quantity")
    try:
        return int(value, 16)
    except ValueError:
        raise NodeError(f"{name} is {value[:80]!r}, not a quantity") from None
