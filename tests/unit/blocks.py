"""Serialized transactions and mined regtest blocks, made by hand for tests; and readers to compare with."""

from __future__ import annotations

import lzma
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from chain.bitcoin.checks import reference_target
from chain.bitcoin.hashes import reference_double_sha256
from chain.bitcoin.merkle import reference_merkle_root
from chain.bitcoin.network import MAINNET, Network
from chain.bitcoin.parse import scan
from chain.model import BlockBatch

EASY_BITS = 0x207FFFFF
"""The easiest target of regtest: every second hash is below it."""
NULL_OUTPOINT = (bytes(32), 0xFFFFFFFF)
RESERVED = bytes(32)
"""The reserved value in a coinbase's witness."""
P2PKH = bytes.fromhex("76a914a31c06bd463e3923bc1aadbde48b16976c08071788ac")
P2WPKH = bytes.fromhex("0014751e76e8199196d454941c45d1b3a323f1433bd6")


def compact(number: int) -> bytes:
    if number < 0xFD:
        return bytes([number])
    if number <= 0xFFFF:
        return b"\xfd" + struct.pack("<H", number)
    return (b"\xfe" + struct.pack("<I", number)) if number <= 0xFFFFFFFF else b"\xff" + struct.pack("<Q", number)


def sized(data: bytes) -> bytes:
    return compact(len(data)) + data


@dataclass(frozen=True)
class Tx:
    """A transaction to serialize; `witnesses` has a stack per input, or is empty."""

    spends: list[tuple[bytes, int]]
    outputs: list[tuple[int, bytes]]
    witnesses: list[list[bytes]] = field(default_factory=list)
    script: bytes = b"\x51"
    version: int = 2
    lock_time: int = 0

    def base(self) -> bytes:
        return struct.pack("<i", self.version) + self._body() + struct.pack("<I", self.lock_time)

    def raw(self) -> bytes:
        if not self.witnesses:
            return self.base()
        stacks = b"".join(compact(len(stack)) + b"".join(map(sized, stack)) for stack in self.witnesses)
        lock_time = struct.pack("<I", self.lock_time)
        return struct.pack("<i", self.version) + b"\x00\x01" + self._body() + stacks + lock_time

    def txid(self) -> bytes:
        return reference_double_sha256(self.base())

    def wtxid(self) -> bytes:
        return reference_double_sha256(self.raw())

    def _body(self) -> bytes:
        inputs = b"".join(
            txid + struct.pack("<I", index) + sized(self.script) + b"\xfe\xff\xff\xff" for txid, index in self.spends
        )
        outputs = b"".join(struct.pack("<q", value) + sized(script) for value, script in self.outputs)
        return compact(len(self.spends)) + inputs + compact(len(self.outputs)) + outputs


def coinbase(height: int, value: int, others: Iterable[Tx] = (), *, commit: bool = True) -> Tx:
    """A coinbase that states its height and, if any of `others` has a witness, commits to them."""
    others = list(others)
    number = height.to_bytes(height.bit_length() // 8 + 1, "little")
    script = (bytes([0x50 + height]) if 0 < height <= 16 else sized(number)) + b"\x00"
    made = Tx([NULL_OUTPOINT], [(value, P2PKH)], [], script)
    if not commit or not any(tx.witnesses for tx in others):
        return made
    root, _ = reference_merkle_root([bytes(32), *(tx.wtxid() for tx in others)])
    commitment = bytes.fromhex("6a24aa21a9ed") + reference_double_sha256(root + RESERVED)
    return replace(made, outputs=[*made.outputs, (0, commitment)], witnesses=[[RESERVED]])


def block(
    txs: list[Tx],
    parent: bytes = bytes(32),
    *,
    bits: int = EASY_BITS,
    root: bytes | None = None,
    mine: bool = True,
) -> bytes:
    """The block of `txs`; mined, so that its hash is below its target, unless `mine` is False."""
    found = reference_merkle_root([tx.txid() for tx in txs])[0] if root is None else root
    start = struct.pack("<i", 4) + parent + found + struct.pack("<II", 1_700_000_000, bits)
    target = reference_target(bits) or 0
    nonce = 0
    while mine == (int.from_bytes(reference_double_sha256(start + struct.pack("<I", nonce)), "little") > target):
        nonce += 1
    return start + struct.pack("<I", nonce) + compact(len(txs)) + b"".join(tx.raw() for tx in txs)


def small_block(height: int = 7) -> bytes:
    """A block of every shape: a legacy and two segwit spends, one input without witness."""
    spends = [(bytes([number]) * 32, number) for number in range(4)]
    txs = [
        Tx([spends[0]], [(1000, P2PKH), (0, b"\x6a\x02hi")]),
        Tx(spends[1:3], [(2000, P2WPKH)], [[b"sig", b"key"], []], script=b""),
        Tx([spends[3]], [(3000, b"\x51\x20" + bytes(32))], [[bytes(300)]], version=-1, lock_time=0xFFFFFFFF),
    ]
    return block([coinbase(height, 50, txs), *txs])


def batch_of(blocks: list[bytes], network: Network) -> BlockBatch:
    """The blocks scanned from one buffer, with something before, between and behind them."""
    sizes = np.array([len(each) for each in blocks], np.int64)
    starts = 3 + np.concatenate(([0], np.cumsum(sizes + 5)))[: len(blocks)]
    buffer = b"abc" + b"".join(each + b"-----" for each in blocks)
    return scan(np.frombuffer(buffer, np.uint8), starts, sizes, network)


def real_blocks(data: Path) -> Iterator[tuple[int, bytes]]:
    """Every single raw block of the data folder with its height."""
    for path in sorted((data / "bitcoin" / "raw").glob("mainnet_*.raw.xz")):
        yield int(path.name.split("_")[1].split(".")[0]), lzma.decompress(path.read_bytes())


def real_chain(data: Path) -> list[bytes]:
    """Blocks 0 to 4312 (some orphans among them) out of a blk file."""
    raw = lzma.decompress((data / "bitcoin" / "raw" / "blk_mainnet_0-4312.dat.xz").read_bytes())
    blocks, at = [], 0
    while at < len(raw):
        assert raw[at : at + 4] == MAINNET.magic
        size = int.from_bytes(raw[at + 4 : at + 8], "little")
        blocks.append(raw[at + 8 : at + 8 + size])
        at += 8 + size
    return blocks
