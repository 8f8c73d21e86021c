"""What Ethereum sources hand to the ledger: blocks cut into columns of transactions and movements.

Hashes and addresses are bytes in the order that they are printed in. Amounts are rows of four uint64 limbs
(chain/uint256.py) in base units. A size of 0 beside an address means that there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

from chain.model import I64, U8
from chain.uint256 import U64


class Status(IntEnum):
    """How a transaction ended. The number is stored: append only."""

    FAILED = 0
    SUCCEEDED = 1
    UNKNOWN = 2
    """No receipt was there to say so (or it is of before EIP-658, and nothing else tells)."""


class Standard(IntEnum):
    """What an asset is. The number is stored: append only."""

    ETHER = 0
    ERC20 = 1
    ERC721 = 2
    ERC1155 = 3


class Movement(IntEnum):
    """What moved an amount, or who did what. The number is stored: append only. In a transaction, fees come first, then
    delegations, the value, what traces tell in their order, and what logs tell in theirs."""

    FEE_BURNED = 0
    """The base fee's part (EIP-1559) and that of blobs (EIP-4844): nobody gets it."""
    FEE_PAID = 1
    """The rest of the fee, to the block's beneficiary."""
    VALUE = 2
    """The value of the transaction itself."""
    INTERNAL = 3
    """Value of a call, a creation or a self-destruct within a transaction; no root commits to it."""
    TOKEN = 4
    """A `Transfer` log of a token (ERC-20, ERC-721, ERC-1155)."""
    WRAP = 5
    """Ether put into its wrapped form: a `Deposit` log."""
    UNWRAP = 6
    """Its way back: a `Withdrawal` log."""
    REWARD = 7
    """Block and uncle rewards before the merge."""
    WITHDRAWAL = 8
    """From the beacon chain (EIP-4895)."""
    DELEGATED = 9
    """An act: an account signed that it runs another's code (EIP-7702); to 0x0, that it no longer does. Whether the
    signature's nonce was right, and so whether it counted, is not in the block."""
    CREATED = 10
    """An act: a contract created another, as traces tell. (Who creates by a transaction stands in that.)"""
    APPROVED = 11
    """An act: an `Approval` log; who may take how much of whose tokens."""
    OPERATED = 12
    """An act: an account acted through an entry point (ERC-4337), at the cost of a paymaster where there is one. The
    sender of such a transaction is a bundler, whose part it is not."""


FIRST_ACT = Movement.DELEGATED
"""From here on a row moves nothing; it says who did what. Its value is 0, but for an approval's allowance."""


class Basis(IntEnum):
    """What a movement rests on. The number is stored: append only."""

    PROVED = 0
    """Bytes that the block's roots commit to."""
    TRACED = 1
    """A node's trace, which no root commits to."""
    STATED = 2
    """A file said so."""
    ASSUMED = 3
    """The transaction's success is not known; the value moved only if it succeeded."""


class Part(IntFlag):
    """What a source had of a block: coverage. The bits are stored: append only."""

    TRANSACTIONS = 1
    RECEIPTS = 2
    """Status, fee and created contract of every transaction."""
    LOGS = 4
    TOKENS = 8
    """Token transfers, by logs or by a list of them."""
    TRACES = 16


@dataclass(frozen=True, slots=True)
class EthereumBatch:
    """B blocks with T transactions and M movements, in chain order.

    `block_first_tx` [B + 1] delimits the transactions of each block. Movements of one block stand together, those of
    its transactions first, then those of the block itself (`move_tx` -1).
    """

    chain_id: int

    block_height: I64
    block_hash: U8
    """[B, 32]; zeros where the source does not state it."""
    block_parent: U8
    block_time: I64
    """Seconds since 1970."""
    block_miner: U8
    """[B, 20]; zeros where not stated."""
    block_proof: U8
    """`chain.model.Proof`"""
    block_parts: U8
    """`Part` bits"""
    block_first_tx: I64
    block_bytes: list[bytes]
    """Canonical RLP of [header, body] of each block; empty where the proof is STATED."""
    block_receipts: list[bytes]
    """Canonical RLP of the receipts; empty where the source had none."""

    tx_hash: U8
    """[T, 32]"""
    tx_index: I64
    """Place in the block, -1 where not stated."""
    tx_type: I64
    """EIP-2718 type; -1 where not stated."""
    tx_from: U8
    """[T, 20]"""
    tx_from_size: U8
    """0 where the sender is not stated."""
    tx_to: U8
    tx_to_size: U8
    """20, or 0 for a contract creation."""
    tx_created: U8
    """The contract that it created."""
    tx_created_size: U8
    tx_value: U64
    """[T, 4]"""
    tx_status: U8
    tx_gas_used: I64
    """-1 where not known; the fee is then missing too."""
    tx_fee: U64
    """[T, 4] Burned and paid together; means nothing where the gas is not known."""
    tx_selector: I64
    """First four bytes of the input as a number; -1 where there are fewer or none is stated."""

    move_block: I64
    """[M] Place of the block in the batch."""
    move_tx: I64
    """Place of the transaction in the batch, -1 for the block's own."""
    move_kind: U8
    move_basis: U8
    move_log: I64
    """Log index in the block, -1 where it is no log's."""
    move_standard: U8
    move_contract: U8
    """[M, 20] The asset's contract; zeros for ether."""
    move_token: U64
    """[M, 4] Token id of a collectible; zeros else."""
    move_from: U8
    """[M, 20]"""
    move_from_size: U8
    move_to: U8
    move_to_size: U8
    move_value: U64
    """[M, 4]"""

    @property
    def block_count(self) -> int:
        return len(self.block_height)

    @property
    def tx_count(self) -> int:
        return len(self.tx_index)

    @property
    def move_count(self) -> int:
        return len(self.move_kind)
