"""The checks that an Ethereum block passes before anything of it is stored.

The block's hash commits to its header, and the header's roots to everything else that is hashed. What JSON says
beside (`from`, `blockHash`, `logIndex`, …) must be what follows from that. No root commits to `totalDifficulty`, which
is ignored, nor to fields that Ethereum's JSON does not define.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chain.errors import IntegrityError
from chain.ethereum.block import Block
from chain.ethereum.fields import Claims, encode
from chain.ethereum.header import BLOB_GAS, NO_UNCLES, blob_price
from chain.ethereum.keccak import keccak256
from chain.ethereum.model import EthereumBatch
from chain.ethereum.receipts import Receipt, blooms
from chain.ethereum.transactions import Transaction
from chain.ethereum.trie import ordered_root
from chain.source import Tip


class Check(NamedTuple):
    name: str
    meaning: str


CHECKS = (
    Check("block_hash", "the hash stated is the Keccak-256 of the header"),
    Check("transactions_root", "the header's root is the root over the transactions as they are encoded here"),
    Check("transaction_hash", "the hash stated of a transaction is that of its bytes"),
    Check("sender", "the signature is valid, and `from` is the account that it is of"),
    Check("chain", "transactions are signed for the chain that they are checked for, or for any (before EIP-155)"),
    Check("transaction_fields", "what else is stated of a transaction follows from it, its block and its place"),
    Check("uncles_hash", "the header's hash of uncles is that of their headers, or of the empty list"),
    Check("withdrawals_root", "the header's root is the root over the withdrawals; neither is there before Shanghai"),
    Check("block_size", "the size stated is that of the block's bytes (where the uncles are at hand)"),
    Check("receipts_count", "there is one receipt for each transaction"),
    Check("receipts_root", "the header's root is the root over the receipts as they are encoded here"),
    Check("logs_bloom", "the blooms of the receipts and of the header are those of the logs"),
    Check("gas_used", "cumulative gas grows from receipt to receipt, and ends at the header's"),
    Check("receipt_fields", "what else is stated of a receipt or log follows from block, transaction and receipt"),
    Check("log_index", "logs are counted through the block without a gap"),
    Check("parent", "a block's parent is the block before it"),
    Check("height", "heights follow one another"),
)
"""Every check, in the order in which a block meets them."""


def verify_block(block: Block, chain_id: int | None = None) -> None:
    """Every check that needs nothing but the block. IntegrityError names the first that fails.

    `chain_id`: the chain that the transactions must be of; None takes any.
    """
    _check("block_hash", _place(block), block.header.hash, block.hash)
    _check_transactions(block, chain_id)
    _check_uncles(block)
    _check_withdrawals(block)
    if "size" in block.claims and block.size is not None:
        _check("block_size", _place(block), block.size, block.claims["size"])
    if block.receipts is not None:
        verify_receipts(block, block.receipts)


def verify_links(batch: EthereumBatch, tip: Tip | None, first: int) -> None:
    """`height` and `parent`: the blocks follow one another from height `first` on, the first of them on `tip`.

    `tip` None: the first is an anchor, or genesis.
    """
    due = np.arange(first, first + batch.block_count)
    wrong = np.flatnonzero(batch.block_height != due)
    if len(wrong):
        place = int(wrong[0])
        found = int(batch.block_height[place])
        raise IntegrityError("height", f"height {int(due[place])}", f"the source goes on with block {found}")
    before = np.concatenate((batch.block_parent[:1], batch.block_hash[:-1]))
    if tip is not None:
        before[0] = np.frombuffer(tip.hash, np.uint8)
    wrong = np.flatnonzero((batch.block_parent != before).any(axis=1))
    if len(wrong):
        parent = before[int(wrong[0])].tobytes().hex()
        raise IntegrityError("parent", f"height {int(due[wrong[0]])}", f"it does not stand on 0x{parent}")


def created_address(sender: bytes, nonce: int) -> bytes:
    """The contract that a transaction of this sender and nonce creates."""
    raw = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    return keccak256(encode([sender, raw]))[12:]


def _check_transactions(block: Block, chain_id: int | None) -> None:
    root = ordered_root([tx.raw for tx in block.transactions])
    _check("transactions_root", _place(block), root, block.header.transactions_root)
    shared = _shared_facts(block)
    for row, tx in enumerate(block.transactions):
        place = _place(block, row)
        _check("transaction_hash", place, tx.hash, tx.claims.get("hash", tx.hash))
        if tx.sender is None:
            raise IntegrityError("sender", place, "its signature is invalid")
        _check("sender", place, tx.sender, tx.claims.get("from", tx.sender))
        if chain_id is not None and tx.chain_id not in (chain_id, None):
            raise IntegrityError("chain", place, f"it is signed for chain {tx.chain_id}, not for {chain_id}")
        if tx.claims:
            facts = shared | _transaction_facts(block, tx) | {"transactionIndex": row}
            _check_claims("transaction_fields", place, tx.claims, facts)


def _shared_facts(block: Block) -> Claims:
    return {"blockHash": block.hash, "blockNumber": block.header.number, "blockTimestamp": block.header.time}


def _transaction_facts(block: Block, tx: Transaction) -> Claims:
    return {
        "hash": tx.hash,
        "from": tx.sender,
        "chainId": tx.chain_id,
        "data": tx.data,
        "gasPrice": tx.effective_price(block.header.base_fee),
        "v": tx.v,
        "yParity": tx.parity,
    }


def _check_uncles(block: Block) -> None:
    place, due = _place(block), block.header.uncles_hash
    if block.uncles is None:
        if due == NO_UNCLES:
            raise IntegrityError("uncles_hash", place, "uncles are named, the header commits to none")
        return
    _check("uncles_hash", place, keccak256(encode([uncle.item() for uncle in block.uncles])), due)
    if tuple(uncle.hash for uncle in block.uncles) != block.uncle_hashes:
        raise IntegrityError("uncles_hash", place, "the hashes stated are not those of the uncles")


def _check_withdrawals(block: Block) -> None:
    root = None if block.withdrawals is None else ordered_root([each.encode() for each in block.withdrawals])
    _check("withdrawals_root", _place(block), root, block.header.withdrawals_root)


def verify_receipts(block: Block, receipts: tuple[Receipt, ...]) -> None:
    """The checks of receipts, of a block whose other checks passed. IntegrityError names the first that fails."""
    place = _place(block)
    if len(receipts) != len(block.transactions):
        detail = f"{len(receipts)} receipts for {len(block.transactions)} transactions"
        raise IntegrityError("receipts_count", place, detail)
    root = ordered_root([receipt.encode() for receipt in receipts])
    _check("receipts_root", place, root, block.header.receipts_root)
    computed = blooms(receipts)
    for row, receipt in enumerate(receipts):
        _check("logs_bloom", _place(block, row), computed[row].tobytes(), receipt.bloom)
    _check("logs_bloom", place, np.bitwise_or.reduce(computed, axis=0).tobytes(), block.header.logs_bloom)
    used = _gas_used(block, receipts)
    log = 0
    for row, receipt in enumerate(receipts):
        _check_receipt(block, row, receipt, used[row], log)
        log += len(receipt.logs)


def _gas_used(block: Block, receipts: tuple[Receipt, ...]) -> list[int]:
    """Gas of each transaction."""
    used, before = [], 0
    for row, receipt in enumerate(receipts):
        if receipt.cumulative_gas <= before:
            detail = f"cumulative gas {receipt.cumulative_gas} after {before}"
            raise IntegrityError("gas_used", _place(block, row), detail)
        used.append(receipt.cumulative_gas - before)
        before = receipt.cumulative_gas
    _check("gas_used", _place(block), before, block.header.gas_used)
    return used


def _check_receipt(block: Block, row: int, receipt: Receipt, gas_used: int, first_log: int) -> None:
    tx, place = block.transactions[row], _place(block, row)
    if receipt.type != tx.type:
        detail = f"a receipt of type {receipt.type} for a transaction of type {tx.type}"
        raise IntegrityError("receipt_fields", place, detail)
    shared = _shared_facts(block) | {"transactionHash": tx.hash, "transactionIndex": row, "removed": False}
    if receipt.claims:
        facts = shared | _receipt_facts(block, tx, gas_used)
        if tx.to is None and receipt.status and "contractAddress" not in receipt.claims:
            raise IntegrityError("receipt_fields", place, "contractAddress is missing")
        _check_claims("receipt_fields", place, receipt.claims, facts)
    for at, log in enumerate(receipt.logs):
        if log.claims:
            where = f"{place}, log {first_log + at}"
            _check("log_index", where, first_log + at, log.claims["logIndex"])
            _check_claims("receipt_fields", where, log.claims, shared | {"logIndex": first_log + at})


def _receipt_facts(block: Block, tx: Transaction, gas_used: int) -> dict[str, Any]:
    blobs = len(tx.blob_hashes)
    return {
        "from": tx.sender,
        "to": tx.to,
        "gasUsed": gas_used,
        "contractAddress": created_address(tx.sender or b"", tx.nonce) if tx.to is None else None,
        "effectiveGasPrice": tx.effective_price(block.header.base_fee),
        "blobGasUsed": BLOB_GAS * blobs if blobs else None,
        "blobGasPrice": blob_price(block.header) if blobs else None,
    }


def _check_claims(check: str, place: str, claims: Claims, facts: Claims) -> None:
    for name, stated in claims.items():
        if stated != facts[name]:
            raise IntegrityError(check, place, f"{name} is {_text(facts[name])}, {_text(stated)} is stated")


def _check(check: str, place: str, computed: object, stated: object) -> None:
    if computed != stated:
        raise IntegrityError(check, place, f"computed {_text(computed)}, stated {_text(stated)}")


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return "0x" + (value.hex() if len(value) <= 32 else f"{value[:16].hex()}… ({len(value)} bytes)")
    return "nothing" if value is None else str(value)


def _place(block: Block, row: int | None = None) -> str:
    where = f"block {block.header.number} 0x{block.hash.hex()}"
    return where if row is None else f"{where}, transaction {row}"
