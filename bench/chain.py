"""A generated chain for benchmarks: many small segwit transactions in regtest blocks.

One or two inputs, two outputs, P2WPKH; three payments in ten go to an address that was there before, and coins are
spent young for the most part, as on the real chain.
"""

from __future__ import annotations

import random
import struct
from hashlib import sha256
from pathlib import Path

from chain.bitcoin.build import (
    Payment,
    Spend,
    Transaction,
    block,
    block_hash,
    coinbase,
    regtest_genesis,
    with_commitment,
)
from chain.bitcoin.network import REGTEST, subsidy

START = 1_700_000_000
FEE = 500
SHARES = 50
"""Outputs of a coinbase, so that there are coins to begin with."""
_WITNESS = (b"\x30" + bytes(70), b"\x02" + bytes(32))


class ChainMaker:
    """Blocks from a seed; `blocks` are serialized, genesis first."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._keys: list[bytes] = []
        self._coins: list[tuple[bytes, int, int]] = []
        self.blocks = [regtest_genesis(REGTEST)]

    def mine(self, transactions: int) -> None:
        """A block with so many transactions beside its coinbase (none before there are coins)."""
        height = len(self.blocks)
        made = [self._transaction() for _ in range(transactions if self._coins else 0)]
        share = subsidy(REGTEST, height) // SHARES
        first = coinbase(height, [Payment(share, self._script()) for _ in range(SHARES)], b"bench")
        whole = with_commitment([first, *made])
        self.blocks.append(block(block_hash(self.blocks[-1]), START + 600 * height, whole))
        self._coins += [(whole[0].txid, index, share) for index in range(SHARES)]

    def write(self, path: Path) -> int:
        """A blk file of the chain; its size."""
        with open(path, "wb") as handle:
            for serialized in self.blocks:
                handle.write(REGTEST.magic + struct.pack("<I", len(serialized)) + serialized)
        return path.stat().st_size

    def _transaction(self) -> Transaction:
        spent = [self._coin() for _ in range(1 + (self._random.random() < 0.3))]
        total = sum(value for _, _, value in spent) - FEE
        paid = total * self._random.randrange(1, 90) // 100
        tx = Transaction(
            tuple(Spend(txid, index, witness=_WITNESS) for txid, index, _ in spent),
            (Payment(paid, self._script()), Payment(total - paid, self._script())),
        )
        self._coins += [(tx.txid, 0, paid), (tx.txid, 1, total - paid)]
        return tx

    def _coin(self) -> tuple[bytes, int, int]:
        """A coin, young for the most part, that is worth spending."""
        while True:
            place = max(0, len(self._coins) - 1 - int(self._random.expovariate(0.0005)))
            self._coins[place], self._coins[-1] = self._coins[-1], self._coins[place]
            coin = self._coins.pop()
            if coin[2] > 10 * FEE:
                return coin

    def _script(self) -> bytes:
        if len(self._keys) < 100 or self._random.random() < 0.7:
            self._keys.append(sha256(len(self._keys).to_bytes(8, "big")).digest()[:20])
            return b"\x00\x14" + self._keys[-1]
        return b"\x00\x14" + self._random.choice(self._keys)
