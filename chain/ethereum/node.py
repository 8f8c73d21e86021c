"""A node by JSON-RPC as a source of verified blocks, read ahead of the loader (chain/ethereum/calls.py asks).

Blocks and receipts are proved by their roots whatever the node says; traces (where it has them) are its word. Nothing
here trusts the order, the number or the identity of what comes: an answer of null for what must exist is asked for
again, receipts of another block fail their root, and a chain that changes while it is read fails the `parent` check.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

from chain.errors import IntegrityError, MalformedData, NodeError
from chain.ethereum.block import Block, block_from_json, receipts_from_json
from chain.ethereum.builder import MovementFacts
from chain.ethereum.calls import Call, Limits, MethodMissing, NodeCalls
from chain.ethereum.columnar.prove import prove_blocks
from chain.ethereum.columnar.scan import OtherForm
from chain.ethereum.fields import parse_json
from chain.ethereum.model import EthereumBatch
from chain.ethereum.movements import batch_of
from chain.ethereum.tokens import DECIMALS, NAME, SYMBOL, TokenFacts, token_facts
from chain.ethereum.traces import call_movements, trace_movements
from chain.ethereum.verify import verify_block, verify_receipts
from chain.source import Tip

BATCH_BLOCKS = 32
"""Blocks that are stored in one go."""

READ_AHEAD = 2 * BATCH_BLOCKS
"""Blocks that may be asked for or wait in memory at once."""

GROUP = 8
"""Blocks that are asked for together at most: their calls share requests."""

BLOB_TYPE = "0x3"

WORDS_GAS = 500_000
"""What a contract may burn to say its name: no loop of its own making keeps the node busy."""

TRACERS = ("debug_traceBlockByHash", "debug_traceBlockByNumber", "trace_block")
"""The ways to traces; the first that a node has is taken. A hash names one block for certain."""

Internal = list[list[MovementFacts]]
"""Internal transfers of each transaction of a block."""


class _Read(NamedTuple):
    block: Block
    internal: Internal | None
    """None where the node has no traces."""


class EthereumNode:
    """BlockSource over a node; NodeError where it refuses, times out or answers nonsense."""

    def __init__(self, url: str, limits: Limits | None = None) -> None:
        self.calls = NodeCalls(url, limits or Limits())
        self._name = self.calls.name
        self.chain_id = self._quantity(self._parsed("eth_chainId", self.calls.one("eth_chainId")), "eth_chainId")
        self._tracers: tuple[str, ...] = TRACERS
        self._whole_receipts = True

    def tip(self) -> Tip | None:
        """The node's newest block."""
        return self._head("latest")

    def hash_at(self, height: int) -> bytes | None:
        """None above the node's tip."""
        found = self._head(hex(height))
        return None if found is None else found.hash

    def balance_at(self, address: bytes, height: int) -> int:
        """Wei of an account as the node says; NodeError where it keeps no state of that height."""
        raw = self.calls.one("eth_getBalance", "0x" + address.hex(), hex(height))
        return self._quantity(self._parsed("eth_getBalance", raw), "eth_getBalance")

    def words_of(self, contracts: Sequence[bytes]) -> list[TokenFacts]:
        """What each contract says of itself as of the newest block, in their order."""
        asked = [
            Call("eth_call", (_question(contract, selector), "latest"), may_revert=True)
            for contract in contracts
            for selector in (NAME, SYMBOL, DECIMALS)
        ]
        answers = [self._parsed("eth_call", raw) for raw in self.calls.ask(asked, self.calls.limits.deadline)]
        words = [_bytes_of(answer) for answer in answers]
        return [token_facts(contract, *words[3 * place : 3 * place + 3]) for place, contract in enumerate(contracts)]

    def batches(self, first: int, last: int | None) -> Iterator[EthereumBatch]:
        """The node's chain as it stands now. One that changes meanwhile fails the `parent` check: load again."""
        tip = self.tip()
        end = -1 if tip is None else tip.height if last is None else min(last, tip.height)
        read: list[_Read] = []
        for each in self._read_ahead(first, end):
            read.append(each)
            if len(read) == BATCH_BLOCKS or each.block.header.number == end:
                yield batch_of([one.block for one in read], self.chain_id, [one.internal for one in read])
                read = []

    def _read_ahead(self, first: int, end: int) -> Iterator[_Read]:
        """Blocks in order of height, the next ones being asked for while the caller stores the last."""
        waiting: deque[tuple[int, Future[list[_Read]]]] = deque()
        at = first
        with ThreadPoolExecutor(self.calls.limits.workers) as pool:
            try:
                while at <= end or waiting:
                    while at <= end and sum(count for count, _ in waiting) < READ_AHEAD:
                        count = min(GROUP, self.calls.batch.size, end + 1 - at)
                        waiting.append((count, pool.submit(self._group, range(at, at + count))))
                        at += count
                    yield from waiting.popleft()[1].result()
            finally:
                if waiting:  # an error, or a caller that wants no more
                    self.calls.stop()
                    pool.shutdown(cancel_futures=True)

    def _group(self, heights: Sequence[int]) -> list[_Read]:
        """Blocks of these heights, proved, each within the deadline of one block."""
        ends = time.monotonic() + self.calls.limits.deadline * len(heights)
        asked = [Call("eth_getBlockByNumber", (hex(height), True)) for height in heights]
        blocks = self._blocks(self.calls.ask(asked, _left(ends)))
        for height, block in zip(heights, blocks, strict=True):
            if block.header.number != height:
                other = f"the node answered with block {block.header.number}"
                raise IntegrityError("height", f"height {height}", other)
        blocks = [
            self._with_receipts(block, receipts)
            for block, receipts in zip(blocks, self._receipts(blocks, ends), strict=True)
        ]
        traces = self._traces(blocks, ends)
        return [_Read(block, internal) for block, internal in zip(blocks, traces, strict=True)]

    def _blocks(self, bodies: Sequence[bytes]) -> list[Block]:
        """Proved blocks without receipts: all at once, or where one is of another form by the strict reader."""
        try:
            return prove_blocks(bodies, self.chain_id)
        except OtherForm:
            return [self._block(self._parsed("eth_getBlockByNumber", raw)) for raw in bodies]

    def _block(self, body: Any) -> Block:
        if not isinstance(body, dict):
            raise NodeError(f"{self._name}: eth_getBlockByNumber answered no block")
        body.pop("size", None)  # nothing commits to it, and anvil does not count the list of withdrawals
        try:
            block = block_from_json(body, None)
        except MalformedData as error:
            raise NodeError(f"{self._name}: block {str(body.get('number'))[:20]}: {error}") from error
        verify_block(block, self.chain_id)
        return block

    def _with_receipts(self, block: Block, listed: list[Any]) -> Block:
        for receipt in listed:
            if isinstance(receipt, dict):
                _drop_additions(receipt)
        try:
            receipts = receipts_from_json(listed)
        except MalformedData as error:
            raise NodeError(f"{self._name}: block {block.header.number}: {error}") from error
        verify_receipts(block, receipts)
        return replace(block, receipts=receipts)

    def _receipts(self, blocks: Sequence[Block], ends: float) -> list[list[Any]]:
        """Receipts of the very blocks, by their hashes: others of the same height may have come meanwhile."""
        if self._whole_receipts:
            method = "eth_getBlockReceipts"
            asked = [Call(method, ("0x" + block.hash.hex(),)) for block in blocks]
            try:
                found = [self._parsed(method, raw) for raw in self.calls.ask(asked, _left(ends))]
            except MethodMissing:
                self._whole_receipts = False
            else:
                if not all(isinstance(listed, list) for listed in found):
                    raise NodeError(f"{self._name}: {method} answered no list")
                return found
        method = "eth_getTransactionReceipt"
        asked = [Call(method, ("0x" + tx.hash.hex(),)) for block in blocks for tx in block.transactions]
        each = iter(self.calls.ask(asked, _left(ends)))
        return [[self._parsed(method, next(each)) for _ in block.transactions] for block in blocks]

    def _traces(self, blocks: Sequence[Block], ends: float) -> list[Internal | None]:
        """Internal transfers of each transaction; None for each block where the node has no traces."""
        while self._tracers:
            method = self._tracers[0]
            asked = [Call(method, self._of_trace(method, block)) for block in blocks]
            try:
                answers = self.calls.ask(asked, _left(ends))
            except MethodMissing:
                self._tracers = tuple(each for each in self._tracers if each != method)
                continue
            read = trace_movements if method == "trace_block" else call_movements
            try:
                return [read(block, self._parsed(method, raw)) for block, raw in zip(blocks, answers, strict=True)]
            except MalformedData as error:
                raise NodeError(f"{self._name}: {method}: {error}") from error
        return [None for _ in blocks]

    @staticmethod
    def _of_trace(method: str, block: Block) -> tuple[Any, ...]:
        if method == "trace_block":
            return (hex(block.header.number),)
        which = "0x" + block.hash.hex() if method == "debug_traceBlockByHash" else hex(block.header.number)
        return (which, {"tracer": "callTracer"})

    def _head(self, which: str) -> Tip | None:
        raw = self.calls.one("eth_getBlockByNumber", which, False, may_be_null=True)
        found = self._parsed("eth_getBlockByNumber", raw)
        if found is None:
            return None
        try:
            return Tip(self._quantity(found["number"], "number"), bytes.fromhex(found["hash"].removeprefix("0x")))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise NodeError(f"{self._name}: eth_getBlockByNumber answered no block") from None

    def _parsed(self, method: str, raw: bytes) -> Any:
        try:
            return parse_json(raw)
        except MalformedData as error:
            raise NodeError(f"{self._name}: {method}: {error}") from error

    def _quantity(self, value: object, name: str) -> int:
        if not isinstance(value, str) or not value.startswith("0x"):
            raise NodeError(f"{self._name}: {name} is {str(value)[:80]!r}, not a quantity")
        try:
            return int(value, 16)
        except ValueError:
            raise NodeError(f"{self._name}: {name} is {value[:80]!r}, not a quantity") from None


def _question(contract: bytes, selector: bytes) -> dict[str, str]:
    return {"to": f"0x{contract.hex()}", "data": f"0x{selector.hex()}", "gas": hex(WORDS_GAS)}


def _bytes_of(answer: Any) -> bytes:
    """The bytes of an answer; none where it is no hex: a contract's words prove nothing, whatever they are."""
    try:
        return bytes.fromhex(answer.removeprefix("0x"))
    except (AttributeError, ValueError):
        return b""


def _left(ends: float) -> float:
    return max(0.0, ends - time.monotonic())


def _drop_additions(receipt: dict[str, Any]) -> None:
    """Leave out what anvil states beyond the specification of a receipt: a time as a number, blob gas of no blob."""
    if isinstance(receipt.get("blockTimestamp"), int):
        del receipt["blockTimestamp"]
    if receipt.get("type") != BLOB_TYPE:
        for name in ("blobGasPrice", "blobGasUsed"):
            receipt.pop(name, None)
