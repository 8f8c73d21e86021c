"""A stored block out of its kept bytes, proved again, and how it is told which of its bytes are broken."""

from __future__ import annotations

from dataclasses import dataclass, replace

import asyncpg
import zstandard

from chain.errors import IntegrityError, MalformedData
from chain.ethereum.block import Block, block_from_bytes
from chain.ethereum.builder import NOTHING, MovementFacts
from chain.ethereum.header import NO_UNCLES
from chain.ethereum.model import Basis, Movement, Part
from chain.ethereum.movements import NEPHEW_PART, block_reward
from chain.ethereum.verify import verify_block
from chain.store.rows import CODEC_ZSTD

BYTES = "eth_block_bytes"

MOST_UNCLES = 2
"""Of one block (Yellow Paper, 11.1)."""

TOLD_BY_TRACES = (Movement.INTERNAL, Movement.CREATED)
"""What no root commits to and no rule computes."""

OF_RECEIPTS = ("receipts_count", "receipts_root", "logs_bloom", "gas_used", "receipt_fields", "log_index")
"""Checks whose failure is one of the receipts' bytes."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A stored row that is not what the bytes say, or whose bytes prove nothing."""

    table: str
    row: int
    column: str
    stored: str
    derived: str
    height: int | None
    """Of the block that it belongs to; None where no block can be told."""


class BrokenRow(Exception):
    """The first broken row, on its way up to the report."""

    def __init__(self, broken: Broken) -> None:
        super().__init__(broken.table)
        self.broken = broken


def kept_block(row: asyncpg.Record, chain_id: int) -> Block:
    """The block of a row of `blocks_of`, proved; BrokenRow where its bytes are none, or fail a check."""
    block = receipts = b""
    column = "bytes"
    try:
        if row["bytes"] is None or row["codec"] != CODEC_ZSTD:
            raise MalformedData("no bytes" if row["bytes"] is None else f"codec {row['codec']} is not known")
        block = _unpacked(row["bytes"])
        column = "receipts"
        if row["receipts"] is None and row["parts"] & Part.RECEIPTS:
            raise MalformedData("no bytes")
        receipts = b"" if row["receipts"] is None else _unpacked(row["receipts"])
        column = "bytes"
        found = block_from_bytes(block, None)
        column = "receipts"
        found = block_from_bytes(block, receipts) if receipts else found
        column = "bytes"
        found = _only_named(found)
        verify_block(found, chain_id)
    except IntegrityError as error:
        column = "receipts" if error.check in OF_RECEIPTS else "bytes"
        raise BrokenRow(_broken(row, column, str(error))) from error
    except MalformedData as error:
        raise BrokenRow(_broken(row, column, str(error))) from error
    return found


def _unpacked(frame: bytes) -> bytes:
    try:
        return zstandard.ZstdDecompressor().decompress(frame)
    except zstandard.ZstdError as error:
        raise MalformedData(f"no zstandard frame: {error}") from error


def _broken(row: asyncpg.Record, column: str, why: str) -> Broken:
    return Broken(BYTES, row["block_id"], column, why, "bytes that pass every check", row["height"])


def _only_named(block: Block) -> Block:
    """A block whose header commits to uncles that its bytes do not have: JSON named them by hash alone."""
    if block.header.uncles_hash == NO_UNCLES or block.uncles:
        return block
    return replace(block, uncles=None, uncle_hashes=(NOTHING,))


def with_uncles(block: Block, chain_id: int, rewards: list[int]) -> Block:
    """How many uncles a block has whose bytes do not have them: as many as its stored reward says, one or two."""
    if block.uncles is not None:
        return block
    reward = block_reward(block.header.number, chain_id)
    for count in range(1, MOST_UNCLES + 1):
        if reward + reward // NEPHEW_PART * count in rewards:
            return replace(block, uncle_hashes=(NOTHING,) * count)
    return block


def told_movement(row: asyncpg.Record, *, full: bool) -> MovementFacts:
    """A stored movement of a trace, on which it must rest in a full dataset; in an extract a file may state it."""
    basis = Basis.STATED if not full and row["basis"] == Basis.STATED else Basis.TRACED
    return MovementFacts(
        Movement(row["kind"]), basis, row["sender"] or NOTHING, row["recipient"] or NOTHING, int(row["value"])
    )
