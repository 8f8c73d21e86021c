"""What the sources hand to verification and storage: whole blocks cut into columns.

Hashes are kept in internal byte order (as hashed) and reversed only when printed.
Amounts are int64 satoshi; `UNKNOWN` (-1) is a value that the source did not state, never zero.
An address is a *key*: its kind byte followed by its payload, in a zero-padded row of
`ADDRESS_KEY_WIDTH` bytes with its length beside it; length 0 means that there is no address.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

UNKNOWN = -1
"""An amount, height or id that the source does not state."""

ADDRESS_KEY_WIDTH = 42
"""Kind byte, and at most 41 payload bytes (a witness version and a 40-byte program, BIP 141)."""


class AddressKind(IntEnum):
    """What an address commits to. The number is stored: append only.

    A P2PK output is kept under the PUBKEY_HASH of its key, as block explorers and bitcoin-etl
    print it; the output's `OutputType` still says that the key itself was in the script.
    """

    PUBKEY_HASH = 1
    SCRIPT_HASH = 2
    WITNESS_KEY_HASH = 3
    WITNESS_SCRIPT_HASH = 4
    TAPROOT = 5
    WITNESS_UNKNOWN = 6
    """Payload: the witness version (1 to 16), then the program (2 to 40 bytes)."""
    MULTISIG = 7
    """A bare multisig script; payload: SHA-256 of the script. It has no address text of its own."""
    ACCOUNT = 8
    """An Ethereum account; payload: its 20 bytes."""


class OutputType(IntEnum):
    """The form of an output's script. The number is stored: append only."""

    P2PK = 0
    P2PKH = 1
    MULTISIG = 2
    P2SH = 3
    P2WPKH = 4
    P2WSH = 5
    P2TR = 6
    WITNESS_UNKNOWN = 7
    OP_RETURN = 8
    NONSTANDARD = 9
    UNSTATED = 10
    """The source named an address or nothing, and no script."""


class Proof(IntEnum):
    """What a stored block rests on. The number is stored: append only."""

    BYTES = 0
    """Its canonical bytes passed every check and are kept."""
    STATED = 1
    """A file stated its transactions; no header and no script was there to prove them."""


class Signing(IntEnum):
    """What the signatures of a transaction with two or more inputs commit to. The number is stored: append only."""

    UNSTATED = 0
    """The source has no signatures."""
    WHOLE = 1
    """No signature leaves out the other inputs; also every transaction of one input, where that says nothing."""
    ANYONECANPAY = 2
    """Some signature commits to its own input alone, so the other inputs may have come from anyone."""


@dataclass(frozen=True, slots=True)
class BlockBatch:
    """B whole blocks with T transactions, I inputs (coinbase inputs left out) and O outputs.

    Offsets of length n+1 delimit what belongs to each row above: block b has transactions
    `block_first_tx[b]:block_first_tx[b + 1]`, and so on. `raw` holds the blocks' canonical bytes
    one after another (empty where the source had none); `block_start` and `block_size` delimit
    them, and `tx_start` counts from the start of its block.
    """

    network: str
    proof: Proof
    raw: U8

    block_start: I64
    block_size: I64
    block_height: I64
    """UNKNOWN until something states it (the place in a chain, BIP 34, the file)."""
    block_hash: U8
    """[B, 32]"""
    block_parent: U8
    """[B, 32]; zeros where proof is STATED and the source has none."""
    block_merkle_root: U8
    """[B, 32]"""
    block_version: I64
    block_time: I64
    block_bits: I64
    block_nonce: I64
    block_first_tx: I64
    """[B + 1]"""

    txid: U8
    """[T, 32]"""
    wtxid: U8
    """[T, 32]; equals txid where there is no witness, zeros where proof is STATED."""
    tx_index: I64
    """Place in the block (an extract may hold only some of a block's transactions)."""
    tx_coinbase: Bool
    tx_start: I64
    tx_size: I64
    tx_base_size: I64
    """Size without marker, flag and witnesses (BIP 141); 0 where proof is STATED."""
    tx_version: I64
    tx_lock_time: I64
    tx_signing: U8
    """`Signing`"""
    tx_first_input: I64
    """[T + 1]"""
    tx_first_output: I64
    """[T + 1]"""

    input_prev_txid: U8
    """[I, 32]"""
    input_prev_index: I64
    input_sequence: I64

    output_value: I64
    output_type: U8
    output_key: U8
    """[O, ADDRESS_KEY_WIDTH]"""
    output_key_size: U8

    prevout_value: I64
    """What the source says of the outputs spent, per input: value, UNKNOWN where it says nothing."""
    prevout_type: U8
    prevout_key: U8
    """[I, ADDRESS_KEY_WIDTH]"""
    prevout_key_size: U8

    block_proof: U8 | None = None
    """Proof of each block where they differ (an extract of several sources); None: all have `proof`."""

    @property
    def block_count(self) -> int:
        return len(self.block_height)

    @property
    def proofs(self) -> U8:
        """Proof of each block, [B]."""
        return np.full(self.block_count, int(self.proof), np.uint8) if self.block_proof is None else self.block_proof

    @property
    def tx_count(self) -> int:
        return len(self.tx_index)

    @property
    def input_count(self) -> int:
        return len(self.input_prev_index)

    @property
    def output_count(self) -> int:
        return len(self.output_value)


def hash_text(digest: bytes | U8) -> str:
    """A 32-byte hash as users write it: byte-reversed hex."""
    return bytes(digest)[::-1].hex()


def hash_bytes(text: str) -> bytes:
    """The inverse of `hash_text`; ValueError where `text` is not 64 hex digits."""
    raw = bytes.fromhex(text)
    if len(raw) != 32 or len(text) != 64:
        raise ValueError(f"not 64 hex digits: {text[:80]!r}")
    return raw[::-1]
