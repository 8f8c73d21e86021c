"""What an error of JSON-RPC means: nodes and providers agree on few codes, so the words count too.

Codes: EIP-1474 and the JSON-RPC specification; 4444 is "pruned history unavailable" of go-ethereum and the execution
APIs. Words are those of go-ethereum, Erigon, Nethermind, Besu, Reth and of providers in public issues.

HOW IT FAILS: an error in other words is taken for final, and the load ends with what the node said.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

MISSING_CODES = (-32601, -32600, -32004)
"""Method not found, invalid request, method not supported."""

BUSY_CODES = (-32005, -32097, 429)
"""Limit exceeded (EIP-1474), and what providers say for it."""

PRUNED_CODES = (4444,)

TOO_LARGE = ("too large", "too big", "response size", "batch limit", "batch size", "too many requests in batch",
             "payload", "exceeds the limit", "max message size", "query returned more")  # fmt: skip
BUSY = ("rate limit", "too many requests", "limit exceeded", "capacity", "throttl", "timeout", "timed out",
        "try again", "header not found", "busy", "overload")  # fmt: skip
PRUNED = ("missing trie node", "pruned", "historical state", "state not available", "state is not available",
          "state histories", "old data not available", "required historical")  # fmt: skip
REVERTED_CODES = (3,)
"""What go-ethereum and others give an execution that was reverted."""

REVERTED = ("execution reverted", "vm execution error", "vm exception", "evm error", "invalid opcode", "out of gas",
            "stack underflow", "stack limit", "invalid jump", "bad instruction", "write protection")  # fmt: skip
"""First words of an execution that failed; behind them come words that the contract chose."""

MISSING = ("method not found", "does not exist/is not available", "not supported", "unsupported method")

_LONGEST = 200


class Verdict(Enum):
    LATER = "asked too fast or too early; the same may pass later"
    DOWN = "no answer at all, or one of a broken server"
    SMALLER = "too much in one request"
    PRUNED = "the node threw away what is asked for"
    REVERTED = "the contract that was called gave up"
    MISSING = "the node has no such method"
    REFUSED = "it will not, whenever it is asked"


class Refusal(NamedTuple):
    verdict: Verdict
    text: str


def judge(error: Any) -> Refusal:
    """What the `error` of an answer means, and its words, cut."""
    code = error.get("code") if isinstance(error, dict) else None
    text = str(error.get("message") if isinstance(error, dict) else error)[:_LONGEST]
    words = text.lower()
    found = Verdict.REFUSED
    if code in REVERTED_CODES or words.startswith(REVERTED):
        found = Verdict.REVERTED
    elif code in PRUNED_CODES or any(word in words for word in PRUNED):
        found = Verdict.PRUNED
    elif any(word in words for word in TOO_LARGE):
        found = Verdict.SMALLER
    elif code in BUSY_CODES or any(word in words for word in BUSY):
        found = Verdict.LATER
    elif code in MISSING_CODES or any(word in words for word in MISSING):
        found = Verdict.MISSING
    return Refusal(found, text)
