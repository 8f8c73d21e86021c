"""Blocks in the making: gas, the base fee (EIP-1559), roots, and the time between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

import numpy as np

from chain.ethereum.block import WITHDRAWAL, Withdrawal
from chain.ethereum.fields import Item, encode, write
from chain.ethereum.header import NO_UNCLES, Header
from chain.ethereum.keccak import keccak256
from chain.ethereum.receipts import Receipt, blooms
from chain.ethereum.trie import ordered_root

GWEI = 10**9
START = 1_750_000_007
"""Seconds since 1970 of the genesis: a slot of the main network, after Prague."""
SLOT = 12
SPAN_DAYS = 100
"""From the genesis to the end; slots between two blocks are missed."""
FIRST_FEE = 8 * GWEI
FEE_CHANGE = 8
"""The base fee moves by an eighth at most from block to block (EIP-1559)."""
TYPICAL_GAS = 55_000
"""Of a transaction here, with its logs."""
CALM_FEE = 12 * GWEI
"""Above this base fee fewer people send, below it more."""


class MadeBlock(NamedTuple):
    """RLP of a block's parts, and what a node's callTracer would say of its transactions."""

    header: bytes
    body: bytes
    receipts: bytes
    traces: list[dict[str, Any]]


class Mined(NamedTuple):
    """A transaction in a block."""

    item: Item
    """As it stands in the body."""
    raw: bytes
    receipt: Receipt
    """Its bloom is computed with the block."""
    trace: dict[str, Any]


class BlockMaker:
    """Fills a block, seals it, hands it on and forgets it."""

    def __init__(self, rng: Random, per_block: int, blocks: int, sink: Callable[[MadeBlock], None]) -> None:
        self.height = 0
        self.time = START
        self.base_fee = FIRST_FEE
        self.gas = 0
        self.count = 0
        """Transactions in the block that is being filled."""
        self.hash = bytes(32)
        self.interval = max(1, SPAN_DAYS * 86_400 // (blocks * SLOT)) * SLOT
        self._rng = rng
        self._limit = 2 * TYPICAL_GAS * per_block
        self._aim = 0
        self._most = 3 * per_block
        self._sink = sink
        self._mined: list[Mined] = []

    @property
    def is_full(self) -> bool:
        return self.gas >= self._aim or self.count >= self._most

    def has_room(self, gas: int) -> bool:
        """Whether a transaction of so much gas may stand in this block; an empty one takes any."""
        return not self.count or self.gas + gas <= self._limit

    def add(self, mined: Mined) -> None:
        self._mined.append(mined)
        self.gas = mined.receipt.cumulative_gas
        self.count += 1

    def seal(self, miner: bytes, withdrawals: list[Withdrawal]) -> None:
        """Hand the block on and begin the next one."""
        computed = blooms([each.receipt for each in self._mined])
        receipts = [
            replace(each.receipt, bloom=bloom.tobytes()) for each, bloom in zip(self._mined, computed, strict=True)
        ]
        encoded = [receipt.encode() for receipt in receipts]
        bloom = np.bitwise_or.reduce(computed, axis=0).tobytes()
        raw = self._header(miner, withdrawals, encoded, bloom).encode()
        body = encode([[each.item for each in self._mined], [], [write(WITHDRAWAL, each) for each in withdrawals]])
        # a typed receipt stands in the list as its bytes, a legacy one as what it is
        listed = [whole if receipt.type else receipt.item() for receipt, whole in zip(receipts, encoded, strict=True)]
        self._sink(MadeBlock(raw, body, encode(listed), [each.trace for each in self._mined]))
        self.hash = keccak256(raw)
        self._begin()

    def _begin(self) -> None:
        target = self._limit // 2
        if self.height:
            change = self.base_fee * (self.gas - target) // target // FEE_CHANGE
            if self.gas > target:
                change = max(1, change)
            elif self.gas < target:  # the protocol rounds towards nothing
                change = -(self.base_fee * (target - self.gas) // target // FEE_CHANGE)
            self.base_fee += change
        self.height += 1
        # some slots come sooner, some later; as many on the average as the span asks for
        self.time += max(SLOT, self.interval * (50 + self._rng.randrange(101)) // 100 // SLOT * SLOT)
        self.gas = self.count = 0
        self._mined = []
        calm = (CALM_FEE - self.base_fee) // (CALM_FEE // 25)
        percent = min(90, max(10, 50 + calm + self._rng.randrange(-30, 31)))
        self._aim = self._limit * percent // 100

    def _header(self, miner: bytes, withdrawals: list[Withdrawal], receipts: list[bytes], bloom: bytes) -> Header:
        return Header(
            parent_hash=self.hash,
            uncles_hash=NO_UNCLES,
            miner=miner,
            # of a state that nobody computes: a digest of its place
            state_root=keccak256(b"no state" + self.height.to_bytes(8, "big")),
            transactions_root=ordered_root([each.raw for each in self._mined]),
            receipts_root=ordered_root(receipts),
            logs_bloom=bloom,
            difficulty=0,
            number=self.height,
            gas_limit=self._limit,
            gas_used=self.gas,
            time=self.time,
            extra=b"headwater",
            mix_hash=keccak256(b"randao" + self.hash),
            nonce=bytes(8),
            base_fee=self.base_fee,
            withdrawals_root=ordered_root([each.encode() for each in withdrawals]),
            blob_gas_used=0,
            excess_blob_gas=0,
            parent_beacon_root=keccak256(b"beacon" + self.hash),
            requests_hash=_NO_REQUESTS,
        )


_NO_REQUESTS = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
"""SHA-256 of nothing: a block without requests (EIP-7685)."""
