"""A bitcoin node as a source of blocks, over JSON-RPC and, where the node serves it, REST.

Blocks come as their canonical bytes and are scanned here; of what the node says, the hash of the
block is recomputed, and heights are those of its active chain. The outputs spent are told by, in
this order: `/rest/spenttxouts` (Bitcoin Core 30, Bitcoin Knots 29.5), `getblock` with verbosity 3
(Bitcoin Core 23), and else by nobody but our own outputs.
"""

from __future__ import annotations

import binascii
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from chain.bitcoin.network import NETWORKS, Network
from chain.bitcoin.nodeclient import OUT_OF_RANGE, PATIENCE, TIMEOUT, NodeClient, RpcError
from chain.bitcoin.parse import scan, scan_headers
from chain.bitcoin.records import HEADER_SIZE, MAX_BLOCK_SIZE, MIN_BLOCK_SIZE
from chain.bitcoin.spent import NOTHING_SPENT, Spent, read_binary, read_json, with_prevouts
from chain.errors import IntegrityError, MalformedData, NodeError, TruncatedData
from chain.model import BlockBatch, hash_bytes, hash_text
from chain.source import Reject, Tip

Prevouts = Literal["auto", "spenttxouts", "verbosity3", "none"]

BATCH_BYTES = 16 << 20
BATCH_BLOCKS = 500
"""A batch ends with the block that fills either."""

THREADS = 4
"""Blocks asked for at a time: a node answers from 4 threads in its default settings (rpcthreads)."""

AHEAD = 3 * THREADS
"""Blocks asked for before they are needed: 48 MB at most, and far below the node's work queue."""

REPLANS = 5
"""How often a batch is begun again because the node's chain changed meanwhile."""

VERBOSITY_3_VERSION = 230_000
"""Bitcoin Core 23.0 told `prevout` first (release notes, RPC)."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A block as the node sent it."""

    height: int
    hash: bytes
    parent: bytes
    raw: bytes
    spent: Spent | None


@dataclass(frozen=True, slots=True)
class _ChainInfo:
    """What `getblockchaininfo` says, as far as it matters here."""

    chain: str
    tip: Tip
    pruned_below: int


class NodeSource:
    """ChainSource over a bitcoin node; asks the node at once which network it is on.

    `url` is `http://user:password@host:port`, or without user and password beside a `cookie` file.
    `network` None takes the node's; IntegrityError("network", …) where it is another.
    `prevouts` forces one way of learning the outputs spent; `rest=False` uses JSON-RPC alone.
    """

    def __init__(
        self,
        url: str,
        network: Network | None = None,
        *,
        prevouts: Prevouts = "auto",
        rest: bool = True,
        cookie: Path | None = None,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
    ) -> None:
        self.rejects: list[Reject] = []
        self._client = NodeClient(url, cookie, timeout, patience)
        self._tip: Tip | None = None
        try:
            self.network = self._check_network(network)
            self._rest = rest and self._has_rest()
            self.prevouts = self._choose_prevouts(prevouts)
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the node."""
        self._client.close()

    def connect(self, tip: Tip | None, anchor_height: int | None) -> None:
        """Take the node's active chain as it is now; see `ChainSource`.

        Every height down to genesis can be asked for, so any fork is found by `hash_at`.
        """
        info = self._info()
        self._tip = info.tip
        first = (anchor_height or 0) if tip is None else tip.height + 1
        if first < info.pruned_below:
            raise NodeError(f"{self._client.name}: it is pruned and has no blocks below {info.pruned_below}")
        if tip is None and first > info.tip.height:
            has = f"{self._client.name} has blocks up to height {info.tip.height} only"
            raise IntegrityError("parent", f"height {first}", has)

    def tip(self) -> Tip | None:
        """The tip of the node's active chain, as last asked for."""
        return self._tip

    def hash_at(self, height: int) -> bytes | None:
        """The hash of the node's active chain at `height` now, None above its tip."""
        if height < 0:
            return None
        try:
            return self._hash("getblockhash", self._client.call("getblockhash", height))
        except RpcError as error:
            if error.code == OUT_OF_RANGE:
                return None
            raise

    def batches(self, first: int, last: int | None) -> Iterator[BlockBatch]:
        """The node's blocks from `first` to `last`, a few of them in flight at a time.

        Where its active chain changes meanwhile, a batch is begun again. NodeError where it changed
        below what was given before: loading again then finds the fork.
        """
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="node")
        try:
            yield from self._in_order(pool, first, last)
        finally:
            pool.shutdown(cancel_futures=True)

    def _in_order(self, pool: ThreadPoolExecutor, first: int, last: int | None) -> Iterator[BlockBatch]:
        flight: deque[Future[_Fetched | None]] = deque()
        group: list[_Fetched] = []
        below: bytes | None = None
        asked, replans = first, 0
        while True:
            while len(flight) < AHEAD and asked <= self._end(last):
                flight.append(pool.submit(self._fetch, asked))
                asked += 1
            if not flight:
                break
            block = flight.popleft().result()
            parent = group[-1].hash if group else below
            if block is None or parent not in (None, block.parent):
                replans += 1
                self._replan(first, below, replans)
                flight.clear()
                group, asked = [], first
                continue
            group.append(block)
            if len(group) >= BATCH_BLOCKS or sum(len(one.raw) for one in group) >= BATCH_BYTES:
                yield self._batch(group)
                first, below, group, replans = block.height + 1, block.hash, [], 0
        if group:
            yield self._batch(group)

    def _end(self, last: int | None) -> int:
        height = self._tip.height if self._tip is not None else -1
        return height if last is None else min(height, last)

    def _replan(self, first: int, below: bytes | None, replans: int) -> None:
        """Look at the changed chain, which must still hold the block `below` the height `first`."""
        self._tip = self._info().tip
        if replans > REPLANS or (below is not None and self.hash_at(first - 1) != below):
            raise NodeError(
                f"{self._client.name}: its chain changed below height {first} while it was read; load again"
            )

    # -- one block

    def _fetch(self, height: int) -> _Fetched | None:
        """The block at `height` of the active chain, None where the chain became shorter."""
        digest = self.hash_at(height)
        if digest is None:
            return None
        raw = self._block_bytes(digest)
        header = np.frombuffer(raw[:HEADER_SIZE], np.uint8).reshape(1, HEADER_SIZE)
        headers = scan_headers(header)
        if headers.hash[0].tobytes() != digest:
            sent = f"{self._client.name} sent block {hash_text(headers.hash[0])} for {hash_text(digest)}"
            raise IntegrityError("block_hash", f"height {height}", sent)
        return _Fetched(height, digest, headers.parent[0].tobytes(), raw, self._spent(digest, raw))

    def _block_bytes(self, digest: bytes) -> bytes:
        name = hash_text(digest)
        if self._rest:
            raw = self._client.rest(f"block/{name}.bin")
            if raw is None:
                raise NodeError(f"{self._client.name}: it no longer has block {name} (is it pruned?)")
        else:
            try:
                raw = binascii.unhexlify(self._client.call("getblock", name, 0))
            except (TypeError, ValueError) as error:
                raise NodeError(f"{self._client.name}: getblock {name}: not hex: {error}") from error
        if not MIN_BLOCK_SIZE <= len(raw) <= MAX_BLOCK_SIZE:
            raise NodeError(f"{self._client.name}: block {name}: {len(raw):,} bytes are no block")
        return raw

    def _spent(self, digest: bytes, raw: bytes) -> Spent | None:
        """The outputs that the block spends; None where the node is not asked for them."""
        if self.prevouts == "none":
            return None
        if raw[HEADER_SIZE] == 1:  # the coinbase alone
            return NOTHING_SPENT
        name = hash_text(digest)
        try:
            if self.prevouts == "verbosity3":
                return read_json(self._client.call("getblock", name, 3))
            data = self._client.rest(f"spenttxouts/{name}.bin")
            if data is None:
                raise NodeError(f"{self._client.name}: it has no undo data of block {name}")
            return read_binary(data)
        except (MalformedData, TruncatedData) as error:
            raise NodeError(f"{self._client.name}: block {name}: {error}") from error

    def _batch(self, blocks: list[_Fetched]) -> BlockBatch:
        size = np.array([len(block.raw) for block in blocks], np.int64)
        raw = np.frombuffer(b"".join(block.raw for block in blocks), np.uint8)
        heights = np.array([block.height for block in blocks], np.int64)
        try:
            batch = scan(raw, np.cumsum(size) - size, size, self.network)
            spent = [block.spent for block in blocks if block.spent is not None]
            if self.prevouts != "none":
                batch = with_prevouts(batch, spent)
        except (MalformedData, TruncatedData) as error:
            where = f"blocks from height {blocks[0].height} to {blocks[-1].height}"
            raise type(error)(f"{self._client.name}: {where}: {error}") from error
        return replace(batch, block_height=heights)

    # -- the node itself

    def _info(self) -> _ChainInfo:
        info = self._client.call("getblockchaininfo")
        try:
            tip = Tip(int(info["blocks"]), self._hash("getblockchaininfo", info["bestblockhash"]))
            return _ChainInfo(str(info["chain"]), tip, int(info.get("pruneheight", 0)) if info["pruned"] else 0)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NodeError(f"{self._client.name}: getblockchaininfo: {type(error).__name__}: {error}") from error

    def _hash(self, method: str, text: Any) -> bytes:
        try:
            return hash_bytes(text)
        except (TypeError, ValueError) as error:
            raise NodeError(f"{self._client.name}: {method}: {error}") from error

    def _check_network(self, asked: Network | None) -> Network:
        chain = self._info().chain
        network = NETWORKS.get(chain)
        if network is None or (asked is not None and asked is not network):
            wanted = f", not of {asked.name}" if asked else ", which is unknown here"
            raise IntegrityError("network", self._client.name, f"it is a node of {chain[:40]!r}{wanted}")
        first = self.hash_at(0)
        if first != network.genesis_hash:
            found = hash_text(first) if first else "missing"
            raise IntegrityError("network", self._client.name, f"its block 0 is {found}, not {network.name}'s")
        return network

    def _has_rest(self) -> bool:
        try:
            return self._client.rest("chaininfo.json") is not None
        except NodeError:  # a gateway that lets nothing but calls through
            return False

    def _has_spenttxouts(self) -> bool:
        return self._client.rest(f"spenttxouts/{hash_text(self.network.genesis_hash)}.bin") is not None

    def _choose_prevouts(self, asked: Prevouts) -> Prevouts:
        if asked in ("auto", "spenttxouts") and self._rest and self._has_spenttxouts():
            return "spenttxouts"
        if asked == "spenttxouts":
            raise NodeError(f"{self._client.name}: it does not serve /rest/spenttxouts")
        if asked != "auto":
            return asked
        version = self._client.call("getnetworkinfo").get("version", 0)
        return "verbosity3" if version >= VERBOSITY_3_VERSION else "none"
