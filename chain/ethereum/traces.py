"""Internal transfers out of a node's traces: geth's callTracer and the `trace_` module of Erigon and Parity.

No root commits to them. A call below one that failed moved nothing, whatever value stands in it. `delegatecall` and
`staticcall` move nothing, and `callcode` moves to itself.
"""

from __future__ import annotations

from typing import Any

from chain.errors import MalformedData
from chain.ethereum.block import Block
from chain.ethereum.builder import MovementFacts
from chain.ethereum.fields import ADDRESS, QUANTITY
from chain.ethereum.model import Basis, Movement

Frames = Any
"""As JSON has them."""

_MOVING = ("CALL", "CREATE", "CREATE2", "SELFDESTRUCT", "SUICIDE")

_CREATING = ("CREATE", "CREATE2")

MAX_FRAMES = 1_000_000
"""Calls of one transaction; a block's gas pays for fewer."""


def call_movements(block: Block, answer: Frames) -> list[list[MovementFacts]]:
    """Of `debug_traceBlockByNumber` with callTracer: one list a transaction, in order of execution.

    MalformedData where it is not one trace for each transaction of the block.
    """
    if not isinstance(answer, list) or len(answer) != len(block.transactions):
        raise MalformedData(f"block {block.header.number}: not one trace for each of its transactions")
    found = []
    for tx, entry in zip(block.transactions, answer, strict=True):
        if not isinstance(entry, dict) or entry.get("txHash") not in (None, f"0x{tx.hash.hex()}"):
            raise MalformedData(f"block {block.header.number}: a trace is of another transaction")
        found.append(_of_call(entry.get("result"), f"trace of 0x{tx.hash.hex()}"))
    return found


def _of_call(top: Any, where: str) -> list[MovementFacts]:
    moves: list[MovementFacts] = []
    waiting, seen = [(top, True)], 0
    while waiting:
        frame, is_top = waiting.pop()
        seen += 1
        if not isinstance(frame, dict) or seen > MAX_FRAMES:
            raise MalformedData(f"{where}: no call, or more than {MAX_FRAMES:,}")
        if frame.get("error") is not None:
            continue
        if not is_top and str(frame.get("type")).upper() in _MOVING:
            moves.extend(_move(frame.get("from"), frame.get("to"), frame.get("value"), where))
        if not is_top and str(frame.get("type")).upper() in _CREATING:
            moves.append(_creation(frame.get("from"), frame.get("to"), where))
        calls = frame.get("calls") or []
        if not isinstance(calls, list):
            raise MalformedData(f"{where}: calls is no list")
        waiting.extend((call, False) for call in reversed(calls))
    return moves


def trace_movements(block: Block, answer: Frames) -> list[list[MovementFacts]]:
    """Of `trace_block`: one list a transaction; rewards, which are computed, are left out."""
    if not isinstance(answer, list):
        raise MalformedData(f"block {block.header.number}: trace_block answered no list")
    place = {f"0x{tx.hash.hex()}": number for number, tx in enumerate(block.transactions)}
    found: list[list[MovementFacts]] = [[] for _ in block.transactions]
    failed: set[tuple[int, tuple[int, ...]]] = set()
    for trace in answer:
        if not isinstance(trace, dict) or not isinstance(trace.get("action"), dict):
            raise MalformedData(f"block {block.header.number}: a trace without an action")
        if trace.get("type") == "reward":
            continue
        if trace.get("transactionHash") not in place:
            raise MalformedData(f"block {block.header.number}: a trace of no transaction of the block")
        tx, path = place[trace["transactionHash"]], tuple(trace.get("traceAddress") or ())
        if trace.get("error") is not None:
            failed.add((tx, path))
        if path and not any((tx, path[:depth]) in failed for depth in range(len(path) + 1)):
            found[tx].extend(_of_action(trace, f"trace of {trace['transactionHash']}"))
    return found


def _of_action(trace: dict[str, Any], where: str) -> list[MovementFacts]:
    action, result = trace["action"], trace.get("result") or {}
    if trace.get("type") == "suicide":
        return _move(action.get("address"), action.get("refundAddress"), action.get("balance"), where)
    if trace.get("type") == "create":
        ends = action.get("from"), result.get("address")
        return [*_move(*ends, action.get("value"), where), _creation(*ends, where)]
    if action.get("callType") == "call":
        return _move(action.get("from"), action.get("to"), action.get("value"), where)
    return []


def _move(source: Any, target: Any, value: Any, where: str) -> list[MovementFacts]:
    amount = 0 if value is None else QUANTITY.from_json(value, f"{where}: value")
    if not amount:
        return []
    ends = ADDRESS.from_json(source, f"{where}: from"), ADDRESS.from_json(target, f"{where}: to")
    return [MovementFacts(Movement.INTERNAL, Basis.TRACED, *ends, amount)]


def _creation(creator: Any, created: Any, where: str) -> MovementFacts:
    ends = ADDRESS.from_json(creator, f"{where}: from"), ADDRESS.from_json(created, f"{where}: created")
    return MovementFacts(Movement.CREATED, Basis.TRACED, *ends, 0)
