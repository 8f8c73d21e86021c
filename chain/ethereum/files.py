"""Files of whole blocks as a source: JSON as a node answers it, and RLP of header, body and receipts.

JSON: a block of `eth_getBlockByNumber(…, true)`, an answer that holds one (`result`), `{"block": …, "receipts": […]}`,
a list of receipts, or a list of these. RLP: YAML or JSON with the hex of `header`, `body` and, where they are at hand,
`receipts`. Beside a block's receipts may stand `traces`: what the node answered to `debug_traceBlockByNumber` with
callTracer, or to `trace_block`. Every block is verified when it is read; all are in memory.
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
from chain.ethereum.movements import Internal, batch_of
from chain.ethereum.tokens import TokenFacts
from chain.ethereum.traces import Frames, call_movements, trace_movements
from chain.ethereum.verify import verify_block
from chain.source import Reject, Tip

MAX_FILE = 1 << 30
"""Decompressed bytes of one file; a block with its receipts takes some megabytes of JSON."""

BATCH_BLOCKS = 32

Read = tuple[Block, Frames]
"""A block and the traces that stand beside it, or None."""


class EthereumFiles:
    """BlockSource and PartSource over files of whole blocks."""

    def __init__(self, paths: Sequence[Path], chain_id: int, *, rlp: bool) -> None:
        """IntegrityError where a block fails a check, MalformedData where a file is none of blocks."""
        self.chain_id = chain_id
        self.rejects: list[Reject] = []
        blocks = _rlp_blocks(paths) if rlp else _json_blocks(paths)
        self._blocks: dict[int, Block] = {}
        self._internal: dict[int, Internal] = {}
        for block, traces in blocks:
            verify_block(block, chain_id)
            height = block.header.number
            if traces is not None:
                self._internal[height] = _movements(block, traces)
            held = self._blocks.setdefault(height, block)
            if held.hash != block.hash:
                where = f"height {height}"
                raise IntegrityError("fork", where, f"two blocks, 0x{held.hash.hex()} and 0x{block.hash.hex()}")
            if held.receipts is None:
                self._blocks[height] = block

    def tokens(self) -> list[TokenFacts]:
        """Blocks say nothing of them."""
        return []

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
            some = heights[at : at + BATCH_BLOCKS]
            internal = [self._internal.get(height) for height in some]
            yield batch_of([self._blocks[height] for height in some], self.chain_id, internal)

    def all_batches(self) -> Iterator[EthereumBatch]:
        yield from self.batches(0, None)


def _movements(block: Block, traces: Frames) -> Internal:
    """Internal transfers out of either form of traces: callTracer's entries have a `result`, others an `action`."""
    is_flat = isinstance(traces, list) and any(isinstance(each, dict) and "action" in each for each in traces)
    return trace_movements(block, traces) if is_flat else call_movements(block, traces)


def _json_blocks(paths: Sequence[Path]) -> Iterator[Read]:
    blocks: list[tuple[Path, dict[str, object], object, Frames]] = []
    receipts: dict[str, list[object]] = {}
    for path in paths:
        for entry in _entries(path, parse_json(compressed.read_bytes(path, MAX_FILE))):
            if "cumulativeGasUsed" in entry:
                receipts.setdefault(str(entry.get("blockHash")), []).append(entry)
            elif isinstance(entry.get("block"), dict):
                blocks.append((path, entry["block"], entry.get("receipts"), entry.get("traces")))
            else:
                blocks.append((path, entry, None, None))
    for path, block, own, traces in blocks:
        mine = receipts.get(str(block.get("hash"))) if own is None else own
        if mine is not None and not isinstance(mine, list):
            raise MalformedData(f"{path}: receipts is no list")
        try:
            yield block_from_json(block, mine), traces
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


def _rlp_blocks(paths: Sequence[Path]) -> Iterator[Read]:
    for path in paths:
        found = _tree(path)
        for entry in found if isinstance(found, list) else [found]:
            if not isinstance(entry, dict) or not {"header", "body"} <= entry.keys():
                raise MalformedData(f"{path}: an entry has header, body and, where they are at hand, receipts")
            parts = {name: _hex(path, name, entry[name]) for name in ("header", "body", "receipts") if entry.get(name)}
            try:
                yield block_from_rlp(parts["header"], parts["body"], parts.get("receipts")), entry.get("traces")
            except MalformedData as error:
                raise MalformedData(f"{path}: {error}") from error


def _tree(path: Path) -> Any:
    raw = compressed.read_bytes(path, MAX_FILE)
    if ".json" in path.suffixes:
        try:
            return parse_json(raw)
        except MalformedData as error:
            raise MalformedData(f"{path}: {error}") from error
    try:
        return yaml.load(raw, yaml.CBaseLoader)  # every scalar stays text: hex is no number
    except yaml.YAMLError as error:
        raise MalformedData(f"{path}: {str(error)[:200]}") from error


def _hex(path: Path, name: str, text: object) -> bytes:
    try:
        if not isinstance(text, str):
            raise ValueError
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise MalformedData(f"{path}: {name} is no hex") from None
