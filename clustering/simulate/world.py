"""The engine: a clock, the transactions that wait, blocks that are handed out as they are sealed.

A world keeps what can still be spent and the compact truth; blocks go to a sink and are forgotten. Everything follows
from the seed: `random.Random` draws, no order of a hash table decides anything, amounts are integers throughout. Floats
draw lots alone, and only by operations that IEEE 754 rounds the same everywhere (no powers, no logarithms).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from chain.bitcoin import wire
from chain.bitcoin.build import block_hash, regtest_genesis
from chain.bitcoin.hashes import hash160_digest
from chain.bitcoin.network import REGTEST, subsidy
from clustering.simulate.keys import INPUT_SIZE, OUTPUT_SIZE, Address, Form, KeyMaker
from clustering.simulate.kinds import NOBODY, SEVERAL, Kind, Party
from clustering.simulate.truth import Recorder
from clustering.simulate.wallet import Coin, Make, Order

START = 1_500_000_000
BLOCK_SECONDS = 600
MATURITY = 100
"""Blocks until a coinbase may be spent (Core, consensus.h)."""
WARM_UP = 130
"""Blocks without transactions at the beginning, so that there are coins to begin with."""
WEIGHT_LIMIT = 3_900_000
"""A block is sealed before it reaches this (BIP 141 allows 4,000,000)."""
DUST = 546
"""Satoshi; the least that is paid to anyone (Bitcoin Core's limit for P2PKH)."""
RATES = (1, 1, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7, 6, 5, 5, 4, 3, 2, 2, 1, 1)
"""Satoshi a virtual byte by the hour of the day."""

Sink = list[Coin] | None
Output = tuple[int, Address, Sink]
"""Satoshi, address, and the coins of the one who is paid (None: nobody will spend it)."""

DATA_OUTPUT = -1
"""Form of an output that pays no address."""


def data_address(data: bytes) -> Address:
    """An OP_RETURN output of at most 75 bytes, in the place of an address."""
    return DATA_OUTPUT, bytes([len(data) + 2, 0x6A, len(data)]) + data, b"", b""


class World:
    """A chain in the making."""

    def __init__(self, seed: int, per_block: int, sink: Callable[[bytes], None]) -> None:
        self.rng = Random(seed)
        self.keys = KeyMaker(seed)
        self.truth = Recorder()
        self.per_block = per_block
        self.height = 1
        """Of the block that is being filled."""
        self.rate = RATES[0]
        self.made = 0
        """Transactions, coinbases left out."""
        self.coinbase_outputs: Callable[[int], list[Output]] | None = None
        """What a block's reward goes to, given its sum."""
        self._sink = sink
        self._waiting: list[tuple[bytes, bytes, bytes]] = []
        self._weight = 0
        self._fees = 0
        self._immature: deque[tuple[int, list[tuple[Coin, list[Coin]]]]] = deque()
        self._pending: list[tuple[bytes, int, int, int]] = []
        genesis = regtest_genesis(REGTEST)
        self.tip = block_hash(genesis)
        network = self.truth.owner(Party.NETWORK, "network")
        key, txid = _genesis_parts(genesis)
        self.truth.address(key, network, NOBODY)
        self.truth.transaction(txid, Kind.COINBASE, -1, NOBODY)
        sink(genesis)

    def address(self, owner: int, form: int, customer: int = NOBODY) -> Address:
        """A new address of an owner; its row is the last of the truth's."""
        address, key = self.keys.address(form)
        self.truth.address(key, owner, customer)
        return address

    def last_row(self) -> int:
        """The row of the address made last."""
        return len(self.truth.address_owner) - 1

    def fee(self, coins: list[Coin], forms: tuple[int, ...], habit: int = 100) -> int:
        """The fee for spending `coins` to outputs of these forms."""
        size = 11
        for coin in coins:
            size += INPUT_SIZE[coin[2][0]]
        for form in forms:
            size += OUTPUT_SIZE[form]
        return size * self.rate * habit // 100

    def send(
        self, kind: int, payer: int, coins: list[Coin], payments: list[Output], change: Output | None, make: Make
    ) -> bytes:
        """A transaction of one wallet program; returns its txid. The fee is what the outputs leave."""
        outputs, at = payments, -1
        if change is not None:
            if make.order == Order.RANDOM:
                at = int(self.rng.random() * (len(payments) + 1))
            else:
                at = 0 if make.order == Order.FIRST else len(payments)
            outputs = [*payments[:at], change, *payments[at:]]
        if make.order == Order.BIP69:
            outputs = sorted(outputs, key=_bip69_output)
            coins = sorted(coins, key=_bip69_input)
            if change is not None:
                at = next(place for place, output in enumerate(outputs) if output is change)
        lock_time = self.height - 1 if make.locks else 0
        if make.locks and self.rng.random() < 0.1:
            # Core hides slow signers among these: one in ten locks up to 99 blocks below the tip.
            lock_time = max(0, lock_time - int(self.rng.random() * 100))
        return self.emit(kind, payer, coins, outputs, at, make.version, lock_time, make.sequence, make.low_r)

    def emit(
        self,
        kind: int,
        payer: int,
        coins: list[Coin],
        outputs: list[Output],
        change: int,
        version: int,
        lock_time: int,
        sequence: int,
        low_r: bool,
        hash_types: tuple[int, ...] | None = None,
    ) -> bytes:
        """A transaction as it stands; its outputs are coins of their owners at once."""
        left = -sum([output[0] for output in outputs])
        inputs: list[wire.Input] = []
        for place, (outpoint, value, address) in enumerate(coins):
            left += value
            inputs.append((outpoint, *self._unlock(address, low_r, hash_types[place] if hash_types else 1)))
        if left < 0:
            raise ValueError(f"a {Kind(kind).name} pays {-left} satoshi more than it spends")
        base, whole = wire.transaction(
            version, inputs, [(output[0], output[1][1]) for output in outputs], lock_time, sequence
        )
        txid = wire.hash_of(base)
        weight = 3 * len(base) + len(whole)
        if self._weight + weight > WEIGHT_LIMIT:
            self.seal()
        self._weight += weight
        self._fees += left
        self._waiting.append((txid, txid if base is whole else wire.hash_of(whole), whole))
        self._pending.append((txid, kind, change, payer))
        for place, (value, address, sink) in enumerate(outputs):
            if sink is not None:
                sink.append((txid + place.to_bytes(4, "little"), value, address))
        self.made += 1
        if len(self._waiting) >= self.per_block:
            self.seal()
        return txid

    def shared(self, kind: int, coins: list[Coin], outputs: list[Output], version: int = 1) -> bytes:
        """A transaction that several owners sign, inputs and outputs in random order."""
        self.shuffle(coins)
        self.shuffle(outputs)
        return self.emit(kind, SEVERAL, coins, outputs, -1, version, 0, 0xFFFFFFFF, True)

    def shuffle(self, items: list[Any]) -> None:
        """Random order, by draws whose results Python promises to keep (those of `Random.shuffle` it does not)."""
        for place in range(len(items) - 1, 0, -1):
            other = int(self.rng.random() * (place + 1))
            items[place], items[other] = items[other], items[place]

    def seal(self) -> None:
        """Hand out the block of what waits; what its predecessors made is ripe now."""
        assert self.coinbase_outputs is not None, "somebody must be paid for a block"
        outputs = self.coinbase_outputs(subsidy(REGTEST, self.height) + self._fees)
        time = START + BLOCK_SECONDS * self.height + int(self.rng.random() * 300)
        payments = [(value, address[1]) for value, address, _ in outputs]
        raw, self.tip, txid = wire.block(self.tip, self.height, time, payments, b"simulated", self._waiting)
        self._sink(raw)
        self.truth.transaction(txid, Kind.COINBASE, -1, NOBODY)
        for row in self._pending:
            self.truth.transaction(*row)
        coins = [
            ((txid + place.to_bytes(4, "little"), value, address), sink)
            for place, (value, address, sink) in enumerate(outputs)
            if sink is not None and value > 0
        ]
        self._immature.append((self.height, coins))
        self._waiting, self._pending, self._weight, self._fees = [], [], 4 * 600, 0
        self.height += 1
        self.rate = RATES[self.height // 6 % 24] + int(self.rng.random() * 3)
        while self._immature and self._immature[0][0] + MATURITY <= self.height:
            for coin, owned in self._immature.popleft()[1]:
                owned.append(coin)

    def finish(self) -> None:
        """Seal what waits."""
        if self._waiting:
            self.seal()

    def _unlock(self, address: Address, low_r: bool, hash_type: int) -> tuple[bytes, bytes]:
        """(script with its length, witness) of the form that spends an output to this address."""
        form, _, public, extra = address
        noise = self.rng.getrandbits(512).to_bytes(64, "little")
        if form == Form.TAPROOT:
            if hash_type == 1:
                return b"\x00", b"\x01\x40" + noise
            return b"\x00", b"\x01\x41" + noise + bytes([hash_type])
        signed = wire.signature(noise, low_r, hash_type)
        size = len(signed)
        if form == Form.P2PKH:
            return bytes((size + 35, size)) + signed + b"\x21" + public, wire.NO_WITNESS
        if form == Form.P2WPKH:
            return b"\x00", b"\x02" + bytes((size,)) + signed + b"\x21" + public
        if form == Form.NESTED:
            return extra, b"\x02" + bytes((size,)) + signed + b"\x21" + public
        second = wire.signature(noise[::-1], low_r, hash_type)
        both = bytes((size,)) + signed + bytes((len(second),)) + second
        if form == Form.P2WSH:
            return b"\x00", b"\x04\x00" + both + bytes((len(extra),)) + extra
        script = b"\x00" + both + b"\x4c" + bytes((len(extra),)) + extra
        return wire.count(len(script)) + script, wire.NO_WITNESS


def _bip69_output(output: Output) -> tuple[int, bytes]:
    return output[0], output[1][1][1:]


def _bip69_input(coin: Coin) -> tuple[bytes, int]:
    return coin[0][31::-1], int.from_bytes(coin[0][32:], "little")


def _genesis_parts(genesis: bytes) -> tuple[bytes, bytes]:
    """Address key and txid of the first coinbase."""
    transaction = genesis[81:]
    script = transaction[-4 - 66 - 1 : -5]
    return b"\x01" + hash160_digest(script[-65:]), wire.hash_of(transaction)
