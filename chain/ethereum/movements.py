"""What a verified block moved: fees burned and paid, values, token logs, rewards, withdrawals.

All of it follows from bytes that the block's roots commit to. Internal transfers do not: only traces tell them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chain.ethereum.block import Block
from chain.ethereum.builder import NOTHING, BatchBuilder, BlockFacts, MovementFacts, TransactionFacts
from chain.ethereum.header import BLOB_GAS, blob_price
from chain.ethereum.logs import log_movements
from chain.ethereum.model import Basis, EthereumBatch, Movement, Part, Status
from chain.ethereum.receipts import Receipt
from chain.ethereum.transactions import Transaction
from chain.ethereum.verify import created_address
from chain.model import Proof

GWEI = 10**9
MAIN_CHAIN = 1
"""Chain id of the main network (EIP-155)."""

REWARDS = ((0, 5 * 10**18), (4_370_000, 3 * 10**18), (7_280_000, 2 * 10**18), (15_537_394, 0))
"""Wei for a block from each height on, main network: Frontier, EIP-649, EIP-1234, the merge (EIP-3675)."""

NEPHEW_PART = 32
"""Of the block's reward, one such part more for each uncle included (Yellow Paper, 11.3)."""

UNCLE_PARTS = 8
"""An uncle k blocks deep gets (8 - k) eighths."""


Internal = list[list[MovementFacts]]
"""Internal transfers of each transaction of a block."""


def batch_of(blocks: Sequence[Block], chain_id: int, traces: Sequence[Internal | None] | None = None) -> EthereumBatch:
    """Verified blocks in rising height as columns; `traces`: of each block, None where its source had none."""
    builder = BatchBuilder(chain_id)
    for place, block in enumerate(blocks):
        internal = None if traces is None else traces[place]
        header = block.header
        parts = (
            Part.TRANSACTIONS if block.receipts is None else Part.TRANSACTIONS | Part.RECEIPTS | Part.LOGS | Part.TOKENS
        )
        if internal is not None:
            parts |= Part.TRACES
        builder.add_block(
            BlockFacts(
                header.number, block.hash, header.parent_hash, header.time, header.miner, Proof.BYTES, parts,
                block.block_bytes, block.receipt_bytes,
            )
        )  # fmt: skip
        _add_transactions(builder, block, internal)
        builder.add_block_movements(_of_block(block, chain_id))
    return builder.build()


def _add_transactions(builder: BatchBuilder, block: Block, internal: Internal | None) -> None:
    gas = logs = 0
    for index, tx in enumerate(block.transactions):
        receipt = None if block.receipts is None else block.receipts[index]
        used = None if receipt is None else receipt.cumulative_gas - gas
        facts, burned = _facts(block, index, tx, receipt, used)
        inner = [] if internal is None else internal[index]
        builder.add_transaction(facts, _of_transaction(block, facts, receipt, burned, logs, inner, _signed(tx)))
        if receipt is not None:
            gas, logs = receipt.cumulative_gas, logs + len(receipt.logs)


def _signed(tx: Transaction) -> list[tuple[bytes, bytes]]:
    """Whoever signed an authorization of the transaction, and for whose code; invalid signatures are nobody's."""
    each = ((authorization.authority, authorization.address) for authorization in tx.authorizations)
    return [(authority, delegate) for authority, delegate in each if authority is not None]


def _facts(
    block: Block, index: int, tx: Transaction, receipt: Receipt | None, used: int | None
) -> tuple[TransactionFacts, int]:
    """The transaction, and what of its fee is burned."""
    assert tx.sender is not None, "a block with an invalid signature is not verified"
    header = block.header
    fee = burned = None
    if used is not None:
        blob = BLOB_GAS * len(tx.blob_hashes) * (blob_price(header) or 0)
        burned = used * (header.base_fee or 0) + blob
        fee = used * tx.effective_price(header.base_fee) + blob
    status = Status.UNKNOWN if receipt is None or receipt.status is None else Status(receipt.status)
    created = created_address(tx.sender, tx.nonce) if tx.to is None and status != Status.FAILED else NOTHING
    facts = TransactionFacts(
        tx.hash, index, tx.type, tx.sender, tx.to or NOTHING, created, tx.value, status, used, fee, tx.data
    )
    return facts, burned or 0


def _of_transaction(
    block: Block,
    facts: TransactionFacts,
    receipt: Receipt | None,
    burned: int,
    first_log: int,
    internal: list[MovementFacts],
    signed: list[tuple[bytes, bytes]],
) -> Iterator[MovementFacts]:
    if facts.fee is not None:
        if burned:
            yield MovementFacts(Movement.FEE_BURNED, Basis.PROVED, facts.sender, NOTHING, burned)
        if facts.fee > burned:
            paid = facts.fee - burned
            yield MovementFacts(Movement.FEE_PAID, Basis.PROVED, facts.sender, block.header.miner, paid)
    for authority, delegate in signed:  # which count even where the transaction then fails (EIP-7702)
        yield MovementFacts(Movement.DELEGATED, Basis.PROVED, authority, delegate, 0)
    if facts.status == Status.FAILED:
        return
    if facts.value:
        basis = Basis.ASSUMED if facts.status == Status.UNKNOWN else Basis.PROVED
        yield MovementFacts(Movement.VALUE, basis, facts.sender, facts.to or facts.created, facts.value)
    yield from internal
    for place, log in enumerate(() if receipt is None else receipt.logs):
        yield from log_movements(log.address, log.topics, log.data, first_log + place, Basis.PROVED)


def block_reward(height: int, chain_id: int) -> int:
    """Wei for a block without uncles; 0 for genesis, after the merge, and on chains other than the main one."""
    if chain_id != MAIN_CHAIN or not height:
        return 0
    return next(wei for since, wei in reversed(REWARDS) if height >= since)


def _of_block(block: Block, chain_id: int) -> Iterator[MovementFacts]:
    for withdrawal in block.withdrawals or ():
        if withdrawal.amount:
            amount = withdrawal.amount * GWEI
            yield MovementFacts(Movement.WITHDRAWAL, Basis.PROVED, NOTHING, withdrawal.address, amount)
    header = block.header
    reward = block_reward(header.number, chain_id)
    if not reward:
        return
    nephews = reward // NEPHEW_PART * len(block.uncle_hashes)
    yield MovementFacts(Movement.REWARD, Basis.PROVED, NOTHING, header.miner, reward + nephews)
    for uncle in block.uncles or ():  # of JSON only their hashes are known: whom they paid is not covered
        share = reward * (UNCLE_PARTS + uncle.number - header.number) // UNCLE_PARTS
        yield MovementFacts(Movement.REWARD, Basis.PROVED, NOTHING, uncle.miner, share)
