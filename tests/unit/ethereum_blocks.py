"""Ethereum blocks for tests: real ones, small ones made by hand, and the JSON that a node would answer of a block."""

from __future__ import annotations

import json
import lzma
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from eth_account import Account

from chain.ethereum.block import Block, Withdrawal
from chain.ethereum.header import BLOB_GAS, BLOOM_SIZE, FIELDS, NO_UNCLES, Header, blob_price
from chain.ethereum.receipts import Log, Receipt, blooms
from chain.ethereum.transactions import FORMS, LEGACY, Transaction, transaction_from_raw
from chain.ethereum.trie import ordered_root
from chain.ethereum.verify import created_address

Json = dict[str, Any]
KEY = "0x" + "11" * 32
SIGNER = Account.from_key(KEY)


def real_json(data: Path, name: str) -> Json:
    found: Json = json.loads(lzma.decompress((data / "ethereum/blocks_json" / f"{name}.json.xz").read_bytes()))
    return found


def real_rlp(data: Path, number: int) -> tuple[bytes, bytes, bytes]:
    """Header, body and receipts."""
    raw = lzma.decompress((data / "ethereum/blocks_rlp" / f"block-data-{number}.yaml.xz").read_bytes())
    # BaseLoader keeps the hex as text
    found = yaml.load(raw, yaml.CBaseLoader)
    header, body, receipts = (bytes.fromhex(found[name][2:]) for name in ("header", "body", "receipts"))
    return header, body, receipts


def signed(**asked: Any) -> bytes:
    """The raw bytes of a transaction that eth_account signs; EIP-155 unless `chainId` is None."""
    order = {"nonce": 1, "gas": 100_000, "to": "0x" + "22" * 20, "value": 5, "data": "0x01", "chainId": 1} | asked
    whole = {name: value for name, value in order.items() if value is not None}
    return bytes(SIGNER.sign_transaction(whole).raw_transaction)


FEES = {"maxFeePerGas": 90, "maxPriorityFeePerGas": 2}
ACCESSES = [{"address": "0x" + "55" * 20, "storageKeys": ["0x" + "66" * 32, "0x" + "67" * 32]}]


def raw_transactions() -> list[bytes]:
    """One or more of each type: before EIP-155, legacy, a creation, access list, dynamic fee, blob, set code."""
    agreed = [
        SIGNER.sign_authorization({"chainId": chain, "address": "0x" + "44" * 20, "nonce": chain}) for chain in (0, 1)
    ]
    blobs = {"type": 3, "maxFeePerBlobGas": 30, "blobVersionedHashes": ["0x01" + "33" * 31, "0x01" + "34" * 31]}
    return [
        signed(gasPrice=70, chainId=None),
        signed(gasPrice=71, data="0x"),
        signed(gasPrice=72, to=None, nonce=0, data="0x6001"),
        signed(type=1, gasPrice=73, accessList=ACCESSES),
        signed(type=2, **FEES, accessList=ACCESSES),
        signed(**blobs, **FEES),
        signed(type=4, **FEES, authorizationList=agreed),
    ]


def sealed(header: Header, txs: tuple[Transaction, ...], receipts: tuple[Receipt, ...], **changes: Any) -> Block:
    """A block whose header commits to all that is given; `changes` are of the header, after that."""
    withdrawals = (Withdrawal(7, 8, b"\x77" * 20, 9), Withdrawal(8, 8, b"\x78" * 20, 10))
    union = np.zeros(BLOOM_SIZE, np.uint8)
    for receipt in receipts:
        union |= np.frombuffer(receipt.bloom, np.uint8)
    roots: Json = {
        "uncles_hash": NO_UNCLES,
        "transactions_root": ordered_root([tx.raw for tx in txs]),
        "receipts_root": ordered_root([receipt.encode() for receipt in receipts]),
        "withdrawals_root": ordered_root([each.encode() for each in withdrawals]),
        "logs_bloom": union.tobytes(),
        "gas_used": receipts[-1].cumulative_gas if receipts else 0,
    }
    head = replace(header, **(roots | changes))
    return Block(head, head.hash, txs, receipts, withdrawals, (), ())


def bare_header(number: int = 22_500_000, parent: bytes = b"\x01" * 32) -> Header:
    """A header of Prague."""
    return Header(
        parent_hash=parent,
        uncles_hash=NO_UNCLES,
        miner=b"\x02" * 20,
        state_root=b"\x03" * 32,
        transactions_root=b"",
        receipts_root=b"",
        logs_bloom=b"",
        difficulty=0,
        number=number,
        gas_limit=36_000_000,
        gas_used=0,
        time=1_747_000_000,
        extra=b"small",
        mix_hash=b"\x04" * 32,
        nonce=bytes(8),
        base_fee=50,
        withdrawals_root=b"",
        blob_gas_used=2 * BLOB_GAS,
        excess_blob_gas=60_000_000,
        parent_beacon_root=b"\x05" * 32,
        requests_hash=b"\x06" * 32,
    )


def small_receipts(txs: tuple[Transaction, ...]) -> tuple[Receipt, ...]:
    """Logs of 0 to 4 topics among them, and one transaction that failed."""
    logs = [tuple(Log(b"\x88" * 20, (bytes([9 + row]) * 32,) * n, bytes(n)) for n in range(row)) for row in range(6)]
    made = tuple(
        Receipt(tx.type, int(row != 1), None, 30_000 * (row + 1), b"", logs[min(row, 5)]) for row, tx in enumerate(txs)
    )
    return tuple(replace(each, bloom=bloom.tobytes()) for each, bloom in zip(made, blooms(made), strict=True))


def small_block(**changes: Any) -> Block:
    txs = tuple(transaction_from_raw(raw) for raw in raw_transactions())
    return sealed(bare_header(), txs, small_receipts(txs), **changes)


# What a node would answer

LOG_FIELDS = ("address", "topics", "data")


def to_json(value: Any) -> Any:
    """Values as JSON-RPC writes them."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple):
        return [to_json(each) for each in value]
    assert is_dataclass(value)
    names = {"slots": "storageKeys", "chain_id": "chainId", "v": "yParity", "validator": "validatorIndex"}
    return {names.get(each.name, each.name): to_json(getattr(value, each.name)) for each in fields(value)}


def block_json(block: Block) -> Json:
    found = {field.json: to_json(getattr(block.header, field.name)) for field in FIELDS}
    return {name: value for name, value in found.items() if value is not None} | {
        "hash": to_json(block.hash),
        "size": to_json(block.size),
        "totalDifficulty": "0x1",
        "uncles": to_json(block.uncle_hashes),
        "withdrawals": to_json(block.withdrawals),
        "transactions": [_transaction_json(block, row) for row in range(len(block.transactions))],
    }


def _transaction_json(block: Block, row: int) -> Json:
    tx = block.transactions[row]
    found = {field.json: to_json(getattr(tx, field.name)) for field in FORMS[tx.type]}
    if tx.type != LEGACY:
        found["v"] = found["yParity"]
    return found | {
        "type": hex(tx.type),
        "chainId": to_json(tx.chain_id),
        "hash": to_json(tx.hash),
        "from": to_json(tx.sender),
        "gasPrice": to_json(tx.effective_price(block.header.base_fee)),
        "blockHash": to_json(block.hash),
        "blockNumber": hex(block.header.number),
        "blockTimestamp": hex(block.header.time),
        "transactionIndex": hex(row),
    }


def receipts_json(block: Block) -> list[Json]:
    """The receipts as `eth_getBlockReceipts` answers them."""
    assert block.receipts is not None
    found: list[Json] = []
    before = log = 0
    for row, (tx, receipt) in enumerate(zip(block.transactions, block.receipts, strict=True)):
        shared = {
            "transactionHash": to_json(tx.hash),
            "transactionIndex": hex(row),
            "blockHash": to_json(block.hash),
            "blockNumber": hex(block.header.number),
        }
        logs = [to_json((each.address, each.topics, each.data)) for each in receipt.logs]
        found.append(
            shared
            | {
                "type": hex(receipt.type),
                "from": to_json(tx.sender),
                "to": to_json(tx.to),
                "contractAddress": to_json(created_address(tx.sender or b"", tx.nonce)) if tx.to is None else None,
                "cumulativeGasUsed": hex(receipt.cumulative_gas),
                "gasUsed": hex(receipt.cumulative_gas - before),
                "effectiveGasPrice": hex(tx.effective_price(block.header.base_fee)),
                "logsBloom": to_json(receipt.bloom),
                "logs": [
                    dict(zip(LOG_FIELDS, each, strict=True)) | shared | {"logIndex": hex(log + at), "removed": False}
                    for at, each in enumerate(logs)
                ],
            }
            | ({"root": to_json(receipt.root)} if receipt.status is None else {"status": hex(receipt.status)})
            | (_blob_json(block, tx) if tx.blob_hashes else {})
        )
        before, log = receipt.cumulative_gas, log + len(logs)
    return found


def _blob_json(block: Block, tx: Transaction) -> Json:
    return {"blobGasUsed": hex(BLOB_GAS * len(tx.blob_hashes)), "blobGasPrice": to_json(blob_price(block.header))}
