"""Files of whole blocks as a source: JSON as a node answers it, and RLP of header, body and receipts.

JSON: a block of `eth_getBlockByNumber(…, true)`, an answer that holds one (`result`), `{"block": …, "receipts": […]}`,
a list of receipts, or a list of these. RLP: YAML or JSON with the hex of `header`, `body` and, where they are at hand,
`receipts`. Every block is verified when it is read; all are in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from chain import compressed
from chain.errors import IntegrityError, MalformedData
from chain.ethereum.block import Block, block_from_json, block_from_rlp
from chain.ethereum.fields import parse_json
from chain.ethereum.model import EthereumBatch
from chain.ethereum.movements import batch_of
from chain.ethereum.verify import verify_block
from chain.source import Reject, Tip

MAX_FILE = 1 << 30
"""Decompressed bytes of one file; a block with its receipts takes some megabytes of JSON."""

BATCH_BLOCKS = 32


class EthereumFiles:
    """BlockSource and PartSource over files of whole blocks."""

    def __init__(self, paths: Sequence[Path], chain_id: int, *, rlp: bool) -> None:
        """IntegrityError where a block fails a check, MalformedData where a file is none of blocks."""
        self.chain_id = chain_id
        self.rejects: list[Reject] = []
        blocks = _rlp_blocks(paths) if rlp else _json_blocks(paths)
        self._blocks: dict[int, Block] = {}
        for block in blocks:
            verify_block(block, chain_id)
            height = block.header.number
            held = self._blocks.setdefault(height, block)
            if held.hash != block.hash:
                where = f"height {height}"
                raise IntegrityError("fork", where, f"two blocks, 0x{held.hash.hex()} and 0x{block.hash.hex()}")
            if held.receipts is None:
                self._blocks[height] = block

    def tip(self) -> Tip | None:
        """The highest block."""
        if not self._blocks:
            return None
        height = max(self._blocks)
        return Tip(height, self._blocks[height].hash)

    def hash_at(self, height: int) -> bytes | None:
        found = self._blocks.get(height)
        return None if found is None else found.hash

    def batches(self, first: int, last: int | None) -> Iterator[EthereumBatch]:
        """The blocks from `first` on; the loader refuses a gap by its height."""
        heights = sorted(height for height in self._blocks if first <= height and (last is None or height <= last))
        for at in range(0, len(heights), BATCH_BLOCKS):
            yield batch_of([self._blocks[height] for height in heights[at : at + BATCH_BLOCKS]], self.chain_id)

    def all_batches(self) -> Iterator[EthereumBatch]:
        yield from self.batches(0, None)


def _json_blocks(paths: Sequence[Path]) -> Iterator[Block]:
    blocks: list[tuple[Path, dict[str, object], object]] = []
    receipts: dict[str, list[object]] = {}
    for path in paths:
        for entry in _entries(path, parse_json(compressed.read_bytes(path, MAX_FILE))):
            if "cumulativeGasUsed" in entry:
                receipts.setdefault(str(entry.get("blockHash")), []).append(entry)
            elif isinstance(entry.get("block"), dict):
                blocks.append((path, entry["block"], entry.get("receipts")))
            else:
                blocks.append((path, entry, None))
    for path, block, own in blocks:
        mine = receipts.get(str(block.get("hash"))) if own is None else own
        if mine is not None and not isinstance(mine, list):
            raise MalformedData(f"{path}: receipts is no list")
        try:
            yield block_from_json(block, mine)
        except MalformedData as error:
            raise MalformedData(f"{path}: {error}") from error


def _entries(path: Path, body: Any) -> Iterator[dict[str, Any]]:
    """The objects of a file, out of the lists and answers that they stand in."""
    if isinstance(body, list):
        for each in body:
            yield from _entries(path, each)
    elif isinstance(body, dict) and isinstance(body.get("result"), dict | list):
        yield from _entries(path, body["result"])
    elif isinstance(body, dict):
        yield body
    else:
        raise MalformedData(f"{path}: {str(body)[:80]!r} is neither a block nor a receipt")


def _rlp_blocks(paths: Sequence[Path]) -> Iterator[Block]:
    for path in paths:
        try:
            # every scalar stays text: hex is no number
            found = yaml.load(compressed.read_bytes(path, MAX_FILE), yaml.CBaseLoader)
        except yaml.YAMLError as error:
            raise MalformedData(f"{path}: {str(error)[:200]}") from error
        for entry in found if isinstance(found, list) else [found]:
            if not isinstance(entry, dict) or not {"header", "body"} <= entry.keys():
                raise MalformedData(f"{path}: an entry has header, body and, where they are at hand, receipts")
            parts = {name: _hex(path, name, entry[name]) for name in ("header", "body", "receipts") if entry.get(name)}
            try:
                yield block_from_rlp(parts["header"], parts["body"], parts.get("receipts"))
            except MalformedData as error:
                raise MalformedData(f"{path}: {error}") from error


def _hex(path: Path, name: str, text: object) -> bytes:
    try:
        if not isinstance(text, str):
            raise ValueError
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise MalformedData(f"{path}: {name} is no hex") from None
