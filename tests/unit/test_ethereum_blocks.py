"""Ethereum blocks: real ones are proved, every flipped bit is refused, and decoding agrees with other libraries."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from rlp.codec import encode_raw
from web3._utils.method_formatters import PYTHONIC_RESULT_FORMATTERS
from web3._utils.rpc_abi import RPC

from chain.errors import IntegrityError, MalformedData
from chain.ethereum import fields
from chain.ethereum.block import Block, block_from_bytes, block_from_json, block_from_rlp
from chain.ethereum.header import blob_price
from chain.ethereum.movements import batch_of
from chain.ethereum.transactions import transaction_from_raw
from chain.ethereum.trie import EMPTY_ROOT, ordered_root
from chain.ethereum.verify import CHECKS, created_address, verify_block, verify_links
from chain.source import Tip
from tests.unit.ethereum_blocks import (
    SIGNER,
    Json,
    bare_header,
    block_json,
    raw_transactions,
    real_json,
    real_rlp,
    receipts_json,
    sealed,
    signed,
    small_block,
    small_receipts,
)

JSON_BLOCKS = ("Frontier", "DAO", "Byzantium", "Berlin", "Cancun", *map(str, range(22431080, 22431086)))
RLP_BLOCKS = (14764013, 15537393, 15537394, 15547621, 17062257, 19426586, 19426587, 22431083, 22431084)
HEADER, BODY, RECEIPTS = range(3)


def links(blocks: Sequence[Block], tip: Tip | None, first: int) -> None:
    verify_links(batch_of(blocks, 1), tip, first)


def loaded(obj: Json, receipts: list[Json] | None = None) -> None:
    verify_block(block_from_json(obj, receipts), 1)


def refused(check: str, run: Callable[[], object]) -> IntegrityError:
    assert check in {each.name for each in CHECKS}
    with pytest.raises(IntegrityError) as caught:
        run()
    assert caught.value.check == check, caught.value
    return caught.value


# Real blocks


@pytest.mark.parametrize("name", JSON_BLOCKS)
def test_real_json_is_proved(data: Path, name: str) -> None:
    block = block_from_json(real_json(data, name), None)
    verify_block(block, 1)
    again = block_from_bytes(block.block_bytes, None)
    verify_block(again, 1)
    assert (again.header, again.transactions, again.withdrawals) == (
        block.header,
        block.transactions,
        block.withdrawals,
    )
    assert block.receipt_bytes == b""


@pytest.mark.parametrize("number", RLP_BLOCKS)
def test_real_rlp_is_proved_and_written_as_it_was(data: Path, number: int) -> None:
    header, body, receipts = real_rlp(data, number)
    block = block_from_rlp(header, body, receipts)
    verify_block(block, 1)
    assert block.header.number == number
    assert block.block_bytes == encode_raw([rlp.decode(header), rlp.decode(body)])
    # the files' receipts are without blooms (EIP-7642); the canonical ones have them
    assert block_from_bytes(block.block_bytes, block.receipt_bytes) == block


def test_the_uncle_of_a_real_block_is_its_own(data: Path) -> None:
    block = block_from_rlp(*real_rlp(data, 14764013))
    assert [len(uncle) for uncle in block.uncle_hashes] == [32]
    without = replace(block, uncles=(), uncle_hashes=())
    refused("uncles_hash", lambda: verify_block(without))
    obj, receipts = block_json(block), receipts_json(block)
    uncle = {name: obj[name] for name in obj if name not in ("transactions", "withdrawals")} | {
        field: value
        for field, value in block_json(replace(block, header=(block.uncles or ())[0])).items()
        if field not in ("transactions", "hash", "size")
    }
    verify_block(block_from_json(obj, receipts, [uncle]), 1)
    merely_named = block_from_json({**obj, "size": "0x1"}, receipts)
    assert merely_named.size is None
    verify_block(merely_named, 1)
    again = block_from_bytes(merely_named.block_bytes, None)
    assert again.uncles == ()
    wrong = {**obj, "uncles": ["0x" + "00" * 32]}
    refused("uncles_hash", lambda: verify_block(block_from_json(wrong, receipts, [uncle])))


@pytest.mark.parametrize("number", [22431083, 22431084])
def test_json_and_rlp_of_one_block_agree(data: Path, number: int) -> None:
    by_json = block_from_json(real_json(data, str(number)), None)
    by_rlp = block_from_rlp(*real_rlp(data, number))
    assert replace(by_rlp, receipts=None) == by_json
    assert [tx.hash for tx in by_rlp.transactions] == [tx.hash for tx in by_json.transactions]
    assert [tx.sender for tx in by_rlp.transactions] == [tx.sender for tx in by_json.transactions]
    assert by_rlp.block_bytes == by_json.block_bytes


def test_real_blocks_link(data: Path) -> None:
    blocks = [block_from_json(real_json(data, str(number)), None) for number in range(22431080, 22431084)]
    links(blocks, None, 22431080)
    links(blocks[1:], Tip(22431080, blocks[0].hash), 22431081)
    refused("height", lambda: links([blocks[0], blocks[2]], None, 22431080))
    refused("height", lambda: links(blocks, None, 22431079))
    refused("parent", lambda: links(blocks, Tip(22431079, bytes(32)), 22431080))


def test_blob_price(data: Path) -> None:
    """The first block of Prague is priced by Prague's fraction, near the exponential that the integers follow."""
    header = block_from_rlp(*real_rlp(data, 22431084)).header
    expected = int(2.718281828459045 ** ((header.excess_blob_gas or 0) / 5007716))
    assert blob_price(header) == pytest.approx(expected, rel=1e-3, abs=1)
    assert blob_price(replace(header, excess_blob_gas=0)) == 1


# Every flipped bit


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all that can be flipped."""
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(below, (*path, key))
    elif value is not None:
        yield path


def flipped(value: Any, path: tuple[Any, ...]) -> Any:
    """The value with the last bit at `path` turned; empty bytes get a byte. Only what is on the path is copied."""
    if path:
        below = copy.copy(value)
        below[path[0]] = flipped(value[path[0]], path[1:])
        return below
    if isinstance(value, bool):
        return not value
    return value[:-1] + format(int(value[-1], 16) ^ 1, "x") if value != "0x" else "0x00"


def assert_flips_refused(obj: Json, receipts: list[Json], paths: list[tuple[Any, ...]]) -> None:
    """A flip in the block is found without the receipts, and so with them."""
    loaded(obj, receipts)
    loaded(obj)
    whole = [obj, receipts]
    for path in paths:
        changed = flipped(whole, path)
        assert changed != whole
        assert _is_refused(changed[0], changed[1] if path[0] else None), f"passed in spite of a flip at {path}"


def _is_refused(obj: Json, receipts: list[Json] | None) -> bool:
    try:
        loaded(obj, receipts)
    except (IntegrityError, MalformedData):
        return True
    return False


def test_every_flip_of_a_small_block_is_refused() -> None:
    block = small_block()
    obj, receipts = block_json(block), receipts_json(block)
    paths = [path for path in leaves([obj, receipts]) if path != (0, "totalDifficulty")]
    assert len(paths) > 350
    assert_flips_refused(obj, receipts, paths)
    loaded({**obj, "totalDifficulty": "0x2"}, receipts)


def test_flips_of_a_real_block_are_refused(data: Path) -> None:
    """Every field of the header, of a withdrawal, and of a transaction, receipt and log of each type."""
    obj = real_json(data, "22431084")
    receipts = receipts_json(block_from_rlp(*real_rlp(data, 22431084)))
    kinds = [tx["type"] for tx in obj["transactions"]]
    rows = {kinds.index(kind) for kind in set(kinds)}
    logged = next(row for row, receipt in enumerate(receipts) if receipt["logs"])
    paths = [
        path
        for path in leaves([obj, receipts])
        if (path[0] == 0 and path[1] not in ("transactions", "withdrawals"))
        or (path[:2] == (0, "withdrawals") and path[2] == 0)
        or (path[:2] == (0, "transactions") and path[2] in rows)
        or (path[0] == 1 and path[1] in rows and path[2] != "logs")
        or (path[:4] == (1, logged, "logs", 0))
    ]
    assert len(paths) > 100
    assert_flips_refused(obj, receipts, paths)


# One broken block for each check


def test_each_check_refuses_by_its_name() -> None:
    block = small_block()
    obj, receipts = block_json(block), receipts_json(block)

    def broken(check: str, *path: Any) -> None:
        refused(check, lambda: loaded(*flipped([obj, receipts], path)))

    broken("block_hash", 0, "stateRoot")
    broken("block_hash", 0, "hash")
    broken("transactions_root", 0, "transactions", 4, "value")
    broken("transaction_hash", 0, "transactions", 4, "hash")
    broken("sender", 0, "transactions", 4, "from")
    for name in ("blockHash", "blockNumber", "transactionIndex", "gasPrice", "v", "blockTimestamp"):
        broken("transaction_fields", 0, "transactions", 4, name)
    broken("withdrawals_root", 0, "withdrawals", 1, "amount")
    broken("block_size", 0, "size")
    broken("receipts_root", 1, 3, "status")
    broken("receipts_root", 1, 3, "cumulativeGasUsed")
    for name in ("gasUsed", "effectiveGasPrice", "from", "to", "transactionHash", "transactionIndex", "blockHash"):
        broken("receipt_fields", 1, 3, name)
    broken("receipt_fields", 1, 2, "contractAddress")
    broken("receipt_fields", 1, 5, "blobGasPrice")
    broken("receipt_fields", 1, 3, "logs", 1, "removed")
    broken("log_index", 1, 3, "logs", 1, "logIndex")
    refused("receipts_count", lambda: loaded(obj, receipts[:-1]))
    refused("receipts_count", lambda: loaded(obj, []))
    refused("receipts_root", lambda: loaded(obj, [receipts[0], receipts[2], receipts[1], *receipts[3:]]))
    refused("chain", lambda: verify_block(block, 5))
    unnamed = {name: value for name, value in receipts[2].items() if name != "contractAddress"}
    refused("receipt_fields", lambda: loaded(obj, [*receipts[:2], unnamed, *receipts[3:]]))
    refused("withdrawals_root", lambda: loaded({**obj, "withdrawals": None}, receipts))
    refused("uncles_hash", lambda: loaded({**obj, "uncles": ["0x" + "00" * 32]}, receipts))


def test_blocks_whose_header_commits_to_wrong_receipts_are_refused() -> None:
    txs = small_block().transactions
    good = small_receipts(txs)

    def broken(check: str, row: int, *, header: dict[str, Any] | None = None, **changes: Any) -> None:
        wrong = (*good[:row], replace(good[row], **changes), *good[row + 1 :])
        refused(check, lambda: verify_block(sealed(bare_header(), txs, wrong, **(header or {}))))

    broken("logs_bloom", 3, bloom=b"\xff" * 256)
    broken("logs_bloom", 3, header={"logs_bloom": b"\xff" * 256})
    broken("gas_used", 3, cumulative_gas=90_000)
    broken("gas_used", 3, header={"gas_used": 1})
    broken("receipt_fields", 3, type=0)
    broken("uncles_hash", 3, header={"uncles_hash": bytes(32)})
    unsigned = (replace(txs[0], r=0), *txs[1:])
    refused("sender", lambda: verify_block(sealed(bare_header(), unsigned, good)))


def test_small_blocks_link() -> None:
    first = sealed(bare_header(10), (), ())
    second = sealed(bare_header(11, first.hash), (), ())
    verify_block(first)
    links([first, second], None, 10)
    links([second], Tip(10, first.hash), 11)
    refused("parent", lambda: links([second], Tip(10, second.hash), 11))
    refused("parent", lambda: links([first, sealed(bare_header(11, second.hash), (), ())], None, 10))
    refused("height", lambda: links([first, sealed(bare_header(12, first.hash), (), ())], None, 10))


# Against other libraries


def test_small_transactions_are_what_eth_account_signed() -> None:
    for raw in raw_transactions():
        tx = transaction_from_raw(raw)
        assert tx.raw == raw
        assert tx.hash == keccak(raw)
        assert tx.sender == bytes.fromhex(SIGNER.address[2:])
    assert [each.authority for each in tx.authorizations] == [tx.sender, tx.sender]
    bad = replace(tx.authorizations[0], r=0), replace(tx.authorizations[0], v=2)
    assert [each.authority for each in bad] == [None, None]
    high = replace(tx.authorizations[0], s=(1 << 256) - 1)
    assert high.authority is None
    assert transaction_from_raw(raw_transactions()[0]).chain_id is None
    assert transaction_from_raw(signed(gasPrice=1, chainId=2**40)).chain_id == 2**40


def test_senders_are_those_of_eth_account(data: Path) -> None:
    for number in (14764013, 22431084):
        for tx in block_from_rlp(*real_rlp(data, number)).transactions[::8]:
            assert Account.recover_transaction(tx.raw).lower() == "0x" + (tx.sender or b"").hex()


def test_fields_are_those_of_web3(data: Path) -> None:
    obj = real_json(data, "22431084")
    theirs = PYTHONIC_RESULT_FORMATTERS[RPC.eth_getBlockByNumber](obj)
    block = block_from_json(obj, None)
    for name, field in (("number", "number"), ("gasUsed", "gas_used"), ("baseFeePerGas", "base_fee")):
        assert theirs[name] == getattr(block.header, field)
    assert bytes(theirs["logsBloom"]) == block.header.logs_bloom
    for tx, other in zip(block.transactions, theirs["transactions"], strict=True):
        assert (tx.nonce, tx.gas, tx.value, tx.type) == tuple(other[x] for x in ("nonce", "gas", "value", "type"))
        assert tx.hash == bytes(other["hash"])
        assert tx.data == bytes(other["input"])
        assert tx.effective_price(block.header.base_fee) == other["gasPrice"]


def test_created_address() -> None:
    """A widely quoted example of a sender's first two contracts."""
    sender = bytes.fromhex("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")
    assert created_address(sender, 0).hex() == "cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"
    assert created_address(sender, 1).hex() == "343c43a37d37dff08ae8c4a11544c718abb4fcf8"


ITEMS = st.recursive(st.binary(max_size=300), lambda below: st.lists(below, max_size=6), max_leaves=30)


@given(ITEMS)
def test_rlp_is_that_of_the_library(item: Any) -> None:
    assert fields.encode(item) == encode_raw(item)
    assert fields.decode(fields.encode(item), "it") == item


def test_roots() -> None:
    assert EMPTY_ROOT.hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    assert ordered_root([b"\x01"]) == keccak(encode_raw([b"\x20\x80", b"\x01"]))
    assert len({ordered_root([b"x"] * count) for count in range(300)}) == 300
