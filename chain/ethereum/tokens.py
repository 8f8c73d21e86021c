"""What a token's contract says of itself: name, symbol, decimals. Bytes that anyone chose, kept as they are.

ERC-20 makes all three optional. A contract may answer a string (ABI), 32 bytes (as MKR does), nothing, or nonsense:
what is no answer is not stated. Escaping is for the edges where text is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

NAME, SYMBOL, DECIMALS = bytes.fromhex("06fdde03"), bytes.fromhex("95d89b41"), bytes.fromhex("313ce567")
"""Selectors of name(), symbol() and decimals()."""

LONGEST = 1_024
"""Bytes of a name that are kept."""

WORD = 32
MOST_DECIMALS = 255


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """A contract's words on itself; empty where it has none."""

    contract: bytes
    name: bytes
    symbol: bytes
    decimals: int | None


def token_facts(contract: bytes, name: bytes, symbol: bytes, decimals: bytes) -> TokenFacts:
    """Of what the contract answered to the three calls."""
    return TokenFacts(contract, text_of(name), text_of(symbol), decimals_of(decimals))


def text_of(answer: bytes) -> bytes:
    """The bytes of an ABI string, or of 32 bytes up to the first NUL; empty where it is neither."""
    if len(answer) == WORD:
        return answer.partition(b"\0")[0]
    if len(answer) < 2 * WORD:
        return b""
    at = int.from_bytes(answer[:WORD], "big")
    if at + WORD > len(answer):
        return b""
    size = int.from_bytes(answer[at : at + WORD], "big")
    text = answer[at + WORD : at + WORD + min(size, LONGEST)]
    return text if len(text) == min(size, LONGEST) else b""


def decimals_of(answer: bytes) -> int | None:
    """A number up to 255; None where it is none."""
    if len(answer) != WORD:
        return None
    value = int.from_bytes(answer, "big")
    return value if value <= MOST_DECIMALS else None
