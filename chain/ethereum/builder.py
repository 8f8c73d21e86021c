"""Putting a batch together, block by block: what the readers of files and nodes write to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from chain import uint256
from chain.errors import MalformedData
from chain.ethereum.model import Basis, EthereumBatch, Movement, Part, Standard, Status
from chain.model import U8, UNKNOWN, Proof

NOTHING = b""
"""No address."""

ETHER = NOTHING
"""Stands for the contract of ether."""

# The facts below are made by the million and changed by nobody. They are not frozen, which would triple the making.


@dataclass(slots=True)
class BlockFacts:
    """A block as it is added; amounts and hashes as a source states them."""

    height: int
    hash: bytes
    parent: bytes
    time: int
    miner: bytes
    proof: Proof
    parts: Part
    canonical: bytes = b""
    receipts: bytes = b""


@dataclass(slots=True)
class TransactionFacts:
    """A transaction as it is added; `fee` and `gas_used` None where not known, `to` empty for a creation."""

    hash: bytes
    index: int
    type: int | None
    sender: bytes
    to: bytes
    created: bytes
    value: int
    status: Status
    gas_used: int | None
    fee: int | None
    input: bytes


@dataclass(slots=True)
class MovementFacts:
    """A movement as it is added; an empty sender or recipient is nobody."""

    kind: Movement
    basis: Basis
    sender: bytes
    recipient: bytes
    value: int
    standard: Standard = Standard.ETHER
    contract: bytes = ETHER
    token: int = 0
    log: int = UNKNOWN


@dataclass(slots=True)
class BatchBuilder:
    """Blocks in rising height, each with its transactions in order; `build` gives the columns."""

    chain_id: int
    _blocks: list[BlockFacts] = field(default_factory=list)
    _first_tx: list[int] = field(default_factory=list)
    _txs: list[TransactionFacts] = field(default_factory=list)
    _moves: list[MovementFacts] = field(default_factory=list)
    _move_place: list[tuple[int, int]] = field(default_factory=list)

    @property
    def tx_count(self) -> int:
        return len(self._txs)

    def add_block(self, block: BlockFacts) -> None:
        """Begin a block; MalformedData where its height is not above the last one's."""
        if self._blocks and block.height <= self._blocks[-1].height:
            raise MalformedData(f"block {block.height} comes after block {self._blocks[-1].height}")
        self._blocks.append(block)
        self._first_tx.append(len(self._txs))

    def add_transaction(self, tx: TransactionFacts, moves: Iterable[MovementFacts]) -> None:
        """Add a transaction of the last block with its movements."""
        place = (len(self._blocks) - 1, len(self._txs))
        self._txs.append(tx)
        self._add_moves(moves, place)

    def add_block_movements(self, moves: Iterable[MovementFacts]) -> None:
        """Add what belongs to the last block and no transaction; call it after its transactions."""
        self._add_moves(moves, (len(self._blocks) - 1, UNKNOWN))

    def _add_moves(self, moves: Iterable[MovementFacts], place: tuple[int, int]) -> None:
        for move in moves:
            self._moves.append(move)
            self._move_place.append(place)

    def build(self) -> EthereumBatch:
        """The columns; OverflowError where an amount is 2^256 or more."""
        blocks, txs, moves = self._blocks, self._txs, self._moves
        origin, origin_size = _addresses([tx.sender for tx in txs])
        to, to_size = _addresses([tx.to for tx in txs])
        created, created_size = _addresses([tx.created for tx in txs])
        source, source_size = _addresses([move.sender for move in moves])
        target, target_size = _addresses([move.recipient for move in moves])
        place = np.array(self._move_place, np.int64).reshape(-1, 2)
        return EthereumBatch(
            chain_id=self.chain_id,
            block_height=_numbers([block.height for block in blocks]),
            block_hash=_bytes([block.hash or bytes(32) for block in blocks], 32),
            block_parent=_bytes([block.parent or bytes(32) for block in blocks], 32),
            block_time=_numbers([block.time for block in blocks]),
            block_miner=_bytes([block.miner or bytes(20) for block in blocks], 20),
            block_proof=_small([block.proof for block in blocks]),
            block_parts=_small([block.parts for block in blocks]),
            block_first_tx=_numbers([*self._first_tx, len(txs)]),
            block_bytes=[block.canonical for block in blocks],
            block_receipts=[block.receipts for block in blocks],
            tx_hash=_bytes([tx.hash for tx in txs], 32),
            tx_index=_numbers([tx.index for tx in txs]),
            tx_type=_numbers([UNKNOWN if tx.type is None else tx.type for tx in txs]),
            tx_from=origin,
            tx_from_size=origin_size,
            tx_to=to,
            tx_to_size=to_size,
            tx_created=created,
            tx_created_size=created_size,
            tx_value=uint256.from_ints(tx.value for tx in txs),
            tx_status=_small([tx.status for tx in txs]),
            tx_gas_used=_numbers([UNKNOWN if tx.fee is None or tx.gas_used is None else tx.gas_used for tx in txs]),
            tx_fee=uint256.from_ints(tx.fee or 0 for tx in txs),
            tx_selector=_numbers([_selector(tx.input) for tx in txs]),
            move_block=place[:, 0],
            move_tx=place[:, 1],
            move_kind=_small([move.kind for move in moves]),
            move_basis=_small([move.basis for move in moves]),
            move_log=_numbers([move.log for move in moves]),
            move_standard=_small([move.standard for move in moves]),
            move_contract=_addresses([move.contract for move in moves])[0],
            move_token=uint256.from_ints(move.token for move in moves),
            move_from=source,
            move_from_size=source_size,
            move_to=target,
            move_to_size=target_size,
            move_value=uint256.from_ints(move.value for move in moves),
        )


def _selector(data: bytes) -> int:
    return int.from_bytes(data[:4], "big") if len(data) >= 4 else UNKNOWN


def _numbers(values: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def _small(values: list[int]) -> U8:
    return np.array(values, np.uint8)


def _bytes(values: list[bytes], width: int) -> U8:
    return np.frombuffer(b"".join(values), np.uint8).reshape(-1, width)


def _addresses(values: list[bytes]) -> tuple[U8, U8]:
    """[n, 20], zeros where there is none, and each one's size."""
    sizes = _small([len(value) for value in values])
    return _bytes([value or bytes(20) for value in values], 20), sizes
