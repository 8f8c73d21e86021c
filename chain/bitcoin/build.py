"""Building serialized transactions and blocks: for the built-in sample, the generator and the tests.

Blocks are valid as far as this service proves blocks: work at the network's easiest target, merkle root, BIP 34
height, witness commitment, values. Scripts are of the right form and length; nothing here signs.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from chain.bitcoin.network import Network, subsidy
from chain.bitcoin.verify import COMMITMENT_PREFIX
from chain.model import AddressKind

EASIEST_BITS = 0x207FFFFF
"""Compact target of a regtest block: every second hash is below it."""

FINAL = 0xFFFFFFFF
_WITNESS_RESERVED = bytes(32)


def double_sha256(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


def compact_size(number: int) -> bytes:
    """A count or length as Bitcoin serializes it."""
    if number < 0xFD:
        return bytes([number])
    if number <= 0xFFFF:
        return b"\xfd" + struct.pack("<H", number)
    return b"\xfe" + struct.pack("<I", number) if number <= FINAL else b"\xff" + struct.pack("<Q", number)


def push(data: bytes) -> bytes:
    """A script's push of at most 75 bytes."""
    return bytes([len(data)]) + data


def script_for(key: bytes) -> bytes:
    """The output script of an address key (kind byte and payload); ValueError for a kind without its script."""
    kind, payload = AddressKind(key[0]), key[1:]
    match kind:
        case AddressKind.PUBKEY_HASH:
            return b"\x76\xa9" + push(payload) + b"\x88\xac"
        case AddressKind.SCRIPT_HASH:
            return b"\xa9" + push(payload) + b"\x87"
        case AddressKind.WITNESS_KEY_HASH | AddressKind.WITNESS_SCRIPT_HASH:
            return b"\x00" + push(payload)
        case AddressKind.TAPROOT:
            return b"\x51" + push(payload)
        case AddressKind.WITNESS_UNKNOWN:
            return bytes([0x50 + payload[0]]) + push(payload[1:])
    raise ValueError(f"the script of a {kind.name} address does not follow from its key")


@dataclass(frozen=True, slots=True)
class Spend:
    """An input: the output that it spends, what satisfies it, its sequence."""

    txid: bytes
    index: int
    script: bytes = b""
    witness: tuple[bytes, ...] = ()
    sequence: int = FINAL


@dataclass(frozen=True, slots=True)
class Payment:
    """An output: satoshi and script."""

    value: int
    script: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    inputs: tuple[Spend, ...]
    outputs: tuple[Payment, ...]
    version: int = 2
    lock_time: int = 0
    txid: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "txid", double_sha256(self.serialize(witness=False)))

    def serialize(self, *, witness: bool = True) -> bytes:
        """The bytes on the wire; without witness those that the txid is the hash of."""
        has_witness = witness and any(spend.witness for spend in self.inputs)
        parts = [struct.pack("<i", self.version), b"\x00\x01" if has_witness else b"", compact_size(len(self.inputs))]
        for spend in self.inputs:
            parts += [spend.txid, struct.pack("<I", spend.index), compact_size(len(spend.script)), spend.script]
            parts.append(struct.pack("<I", spend.sequence))
        parts.append(compact_size(len(self.outputs)))
        for output in self.outputs:
            parts += [struct.pack("<q", output.value), compact_size(len(output.script)), output.script]
        if has_witness:
            for spend in self.inputs:
                parts.append(compact_size(len(spend.witness)))
                for item in spend.witness:
                    parts += [compact_size(len(item)), item]
        parts.append(struct.pack("<I", self.lock_time))
        return b"".join(parts)


def merkle_root(hashes: Sequence[bytes]) -> bytes:
    """Root of Bitcoin's merkle tree: an odd last node is paired with itself."""
    row = list(hashes)
    while len(row) > 1:
        row += row[-1:] if len(row) % 2 else []
        row = [double_sha256(row[i] + row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def height_push(height: int) -> bytes:
    """How a coinbase script begins (BIP 34): the height as the shortest script number."""
    if height == 0:
        return b"\x00"
    if height <= 16:
        return bytes([0x50 + height])
    return push(height.to_bytes((height.bit_length() + 8) // 8, "little"))


def coinbase(height: int, outputs: Sequence[Payment], tag: bytes = b"") -> Transaction:
    """The transaction that creates a block's coins, without commitment."""
    script = height_push(height) + push(tag.ljust(2, b"\0"))
    return Transaction((Spend(bytes(32), FINAL, script),), tuple(outputs))


def block(
    parent: bytes,
    time: int,
    transactions: Sequence[Transaction],
    *,
    bits: int = EASIEST_BITS,
    version: int = 0x20000000,
) -> bytes:
    """A serialized block with work done. The coinbase stands first (see `with_commitment`)."""
    txs = list(transactions)
    root = merkle_root([tx.txid for tx in txs])
    header = mined(struct.pack("<i", version) + parent + root + struct.pack("<II", time, bits), bits)
    return header + compact_size(len(txs)) + b"".join(tx.serialize() for tx in txs)


def with_commitment(transactions: Sequence[Transaction]) -> list[Transaction]:
    """The transactions of a block, the coinbase with the witness commitment of BIP 141 where one is needed."""
    first, *others = transactions
    if not any(spend.witness for tx in others for spend in tx.inputs):
        return [first, *others]
    leaves = [bytes(32)] + [double_sha256(tx.serialize()) for tx in others]
    commitment = COMMITMENT_PREFIX + double_sha256(merkle_root(leaves) + _WITNESS_RESERVED)
    spend = Spend(first.inputs[0].txid, FINAL, first.inputs[0].script, (_WITNESS_RESERVED,))
    outputs = (*first.outputs, Payment(0, commitment))
    return [Transaction((spend,), outputs, first.version, first.lock_time), *others]


def mined(header: bytes, bits: int) -> bytes:
    """A header of 80 bytes: the 76 that are given and the first nonce that does the work."""
    target = (bits & 0x7FFFFF) << (8 * ((bits >> 24) - 3))
    for nonce in range(1 << 32):
        whole = header + struct.pack("<I", nonce)
        if int.from_bytes(double_sha256(whole), "little") <= target:
            return whole
    raise ValueError("no nonce does the work")


def block_hash(serialized: bytes) -> bytes:
    return double_sha256(serialized[:80])


def regtest_genesis(network: Network) -> bytes:
    """The genesis block that every regtest chain begins with (Bitcoin Core, chainparams)."""
    message = b"The Times 03/Jan/2009 Chancellor on brink of second bailout for banks"
    key = bytes.fromhex(
        "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb6"
        "49f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f"
    )
    script = push(bytes.fromhex("ffff001d")) + b"\x01\x04" + push(message)
    first = Transaction(
        (Spend(bytes(32), FINAL, script),), (Payment(subsidy(network, 0), push(key) + b"\xac"),), version=1
    )
    header = struct.pack("<i", 1) + bytes(32) + first.txid + struct.pack("<III", 1296688602, EASIEST_BITS, 2)
    serialized = header + b"\x01" + first.serialize()
    assert block_hash(serialized) == network.genesis_hash
    return serialized
