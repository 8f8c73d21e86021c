"""A real node's chain, loaded in every way there is, is the same in every column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embit.ec import PrivateKey
from embit.networks import NETWORKS as EMBIT_NETWORKS

from chain.bitcoin import address
from chain.bitcoin.files import BlkFolder, BlockFiles
from chain.bitcoin.network import MAINNET, REGTEST
from chain.bitcoin.nodeclient import satoshi
from chain.bitcoin.rpc import NodeSource, Prevouts
from chain.bitcoin.script import classify
from chain.errors import IntegrityError, NodeError
from chain.model import BlockBatch, OutputType, hash_bytes, hash_text
from chain.source import ChainSource, Tip
from tests.integration.node import PASSWORD, USER, Node, running_node

pytestmark = pytest.mark.node

KINDS = ("legacy", "p2sh-segwit", "bech32", "bech32m")
PREVOUT_COLUMNS = {"prevout_value", "prevout_type", "prevout_key", "prevout_key_size"}
COIN = Decimal("0.1")
KEYS = [PrivateKey(bytes([number]) * 32) for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A node whose chain holds every form of output, most of them spent, in some 120 blocks."""
    with running_node("-rest", "-blocksxor=1") as node:
        make_chain(node)
        yield node


def make_chain(node: Node) -> None:
    node.call("createwallet", "w")
    home = node.call("getnewaddress", "", "bech32")
    node.mine(105, home)
    paid = [node.call("getnewaddress", "", kind) for kind in KINDS for _ in range(3)]
    node.call("sendmany", "", dict.fromkeys(paid, 1.5))
    node.mine(1, home)
    bare = bare_scripts()
    coins = [coin for coin in node.call("listunspent") if coin["address"] in paid[-3:]]
    fee = Decimal("0.001")
    left = sum((coin["amount"] for coin in coins), Decimal(0)) - COIN * len(bare) - fee
    outputs = [*((COIN, script) for script in bare.values()), (left, script_of(node, home))]
    made = node.put_in_block(coins, outputs, home)  # a key-path Taproot spend makes the bare outputs
    spendable = [n for n, name in enumerate(bare) if name in ("p2pk", "multisig", "anyone", "future", "anchor")]
    inputs = [{"txid": made, "vout": n} for n in spendable]
    wif = [key.wif(EMBIT_NETWORKS["regtest"]) for key in KEYS]
    node.put_in_block(inputs, [(COIN * len(inputs) - fee, script_of(node, home))], home, wif)
    node.call("sendall", [node.call("getnewaddress", "", "bech32m")])  # one spend of all forms
    node.mine(2, home)


def bare_scripts() -> dict[str, str]:
    """Scripts that no address stands for, and such that anyone may spend."""
    keys = [key.get_public_key().sec().hex() for key in KEYS]
    return {
        "p2pk": f"21{keys[0]}ac",
        "multisig": f"5121{keys[1]}21{keys[2]}52ae",
        "op_return": "6a0b" + b"hello world".hex(),
        "anyone": "51",
        "future": "6014" + "ab" * 20,
        "anchor": "51024e73",
        "witness": "0020" + "cd" * 32,
    }


def script_of(node: Node, address: str) -> str:
    script: str = node.call("getaddressinfo", address)["scriptPubKey"]
    return script


def whole(source: ChainSource) -> BlockBatch:
    """The source's chain from genesis as one batch (it is small enough for one)."""
    source.connect(None, None)
    (batch,) = source.batches(0, None)
    return batch


def by_node(node: Node, prevouts: Prevouts = "auto", rest: bool = True) -> BlockBatch:
    with NodeSource(node.url, REGTEST, prevouts=prevouts, rest=rest) as source:
        return whole(source)


def assert_same(one: BlockBatch, other: BlockBatch, leave: frozenset[str] = frozenset()) -> None:
    for column in (field.name for field in fields(BlockBatch) if field.name not in leave):
        left, right = getattr(one, column), getattr(other, column)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype, column
            np.testing.assert_array_equal(left, right, err_msg=column)
        else:
            assert left == right, column


def test_ways_of_the_node_agree_in_every_column(node: Node) -> None:
    calls = by_node(node, rest=False)
    assert calls.prevout_value.min() > 0
    assert_same(calls, by_node(node))
    assert_same(calls, by_node(node, prevouts="verbosity3"))
    assert_same(calls, by_node(node, prevouts="none"), leave=frozenset(PREVOUT_COLUMNS))


def test_rest_with_spenttxouts(node: Node) -> None:
    with NodeSource(node.url, prevouts="auto") as source:
        if source.prevouts != "spenttxouts":
            pytest.skip("this node does not serve /rest/spenttxouts")
        batch = whole(source)
    assert_same(batch, by_node(node, prevouts="verbosity3", rest=False))


def test_blk_files_with_xor_key_hold_the_same_chain(node: Node) -> None:
    key = (node.blocks / "xor.dat").read_bytes()
    assert any(key)
    source = BlkFolder(node.blocks, REGTEST)
    assert_same(whole(source), by_node(node), leave=frozenset(PREVOUT_COLUMNS))
    assert source.rejects == []


def test_blk_files_without_xor_and_a_copied_chain() -> None:
    with running_node("-blocksxor=0") as plain:
        plain.call("createwallet", "w")
        plain.mine(30, plain.call("getnewaddress"))
        assert not any((plain.blocks / "xor.dat").read_bytes())
        loaded = whole(BlkFolder(plain.blocks, REGTEST))
        assert_same(loaded, by_node(plain))
        with NodeSource(plain.url) as source:  # started without -rest
            assert source.prevouts == "verbosity3"
        with pytest.raises(NodeError, match="does not serve /rest/spenttxouts"):
            NodeSource(plain.url, prevouts="spenttxouts")


def test_every_form_of_output_is_there(node: Node) -> None:
    batch = by_node(node)
    made, spent = set(batch.output_type.tolist()), set(batch.prevout_type.tolist())
    assert made == {*OutputType} - {OutputType.UNSTATED}
    assert spent >= made - {OutputType.OP_RETURN, OutputType.P2WSH}


def test_outputs_and_prevouts_are_what_the_node_itself_says(node: Node) -> None:
    batch = by_node(node)
    row = spend = output = 0
    seen: Counter[str] = Counter()
    for height in range(batch.block_count):
        block = node.call("getblock", node.call("getblockhash", height), 3)
        assert hash_text(batch.block_hash[height]) == block["hash"]
        for tx in block["tx"]:
            assert hash_text(batch.txid[row]) == tx["txid"]
            assert hash_text(batch.wtxid[row]) == tx["hash"]
            for entry in tx["vout"]:
                assert_output(batch, "output", output, entry)
                seen[entry["scriptPubKey"]["type"]] += 1
                output += 1
            for entry in tx["vin"]:
                if "coinbase" not in entry:
                    assert hash_text(batch.input_prev_txid[spend]) == entry["txid"]
                    assert batch.input_prev_index[spend] == entry["vout"]
                    assert_output(batch, "prevout", spend, entry["prevout"])
                    spend += 1
            row += 1
    assert (row, spend, output) == (batch.tx_count, batch.input_count, batch.output_count)
    assert seen.keys() >= {
        "pubkey", "pubkeyhash", "scripthash", "multisig", "nulldata", "nonstandard", "witness_v0_keyhash",
        "witness_v0_scripthash", "witness_v1_taproot", "witness_unknown",
    }  # fmt: skip


def assert_output(batch: BlockBatch, side: str, row: int, stated: dict[str, Any]) -> None:
    assert getattr(batch, f"{side}_value")[row] == satoshi(stated["value"])
    size = getattr(batch, f"{side}_key_size")[row]
    key = getattr(batch, f"{side}_key")[row]
    kind, expected = classify(bytes.fromhex(stated["scriptPubKey"]["hex"]))
    assert getattr(batch, f"{side}_type")[row] == kind
    assert key[:size].tobytes() == expected
    assert not key[size:].any()
    if "address" in stated["scriptPubKey"]:
        assert address.encode(expected, REGTEST) == stated["scriptPubKey"]["address"]


def test_single_blocks_saved_from_the_node_grow_a_stored_chain(node: Node, tmp_path: Path) -> None:
    tip = node.call("getblockcount")
    paths = []
    for height in (tip, tip - 1):
        path = tmp_path / f"{height}.hex"
        path.write_text(node.call("getblock", node.call("getblockhash", height), 0) + "\n")
        paths.append(path)
    source = BlockFiles(paths, REGTEST)
    below = hash_bytes(node.call("getblockhash", tip - 2))
    source.connect(Tip(tip - 2, below), None)
    assert source.hash_at(tip - 2) == below
    (batch,) = source.batches(tip - 1, None)
    with NodeSource(node.url) as by_calls:
        by_calls.connect(Tip(tip - 2, below), None)
        (expected,) = by_calls.batches(tip - 1, None)
    assert_same(batch, expected, leave=frozenset(PREVOUT_COLUMNS))


def test_another_network_is_refused_by_name(node: Node) -> None:
    with pytest.raises(IntegrityError, match=r"network: node .*'regtest', not of main"):
        NodeSource(node.url, MAINNET)


def test_wrong_password_is_not_repeated(node: Node) -> None:
    with pytest.raises(NodeError, match="HTTP 401") as caught:
        NodeSource(node.url.replace("word", "secret"))
    assert "secret" not in str(caught.value)


def test_cookie_file_in_place_of_a_password(node: Node, tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text(f"{USER}:{PASSWORD}\n")
    with NodeSource(node.cookieless_url, cookie=cookie) as source:
        assert source.network is REGTEST
    with pytest.raises(NodeError, match=r"cookie file .*absent"):
        NodeSource(node.cookieless_url, cookie=tmp_path / "absent")


def test_anchor_above_the_tip_is_refused(node: Node) -> None:
    with NodeSource(node.url) as source, pytest.raises(IntegrityError, match="parent: height 5000"):
        source.connect(None, 5000)


def test_chain_that_changes_while_it_is_read(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reorganisation in mid-batch: the batch is begun again and is of one chain."""
    before = node.call("getblockcount")
    with NodeSource(node.url) as source:
        source.connect(None, None)
        fetch = source._fetch
        done: list[Any] = []

        def reorganise(height: int) -> Any:
            if height == before and not done:
                done.append(node.call("invalidateblock", node.call("getblockhash", before - 3)))
                node.mine(6, node.call("getnewaddress"))
            return fetch(height)

        monkeypatch.setattr(source, "_fetch", reorganise)
        (batch,) = source.batches(0, None)
        assert source.tip() == Tip(before + 2, hash_bytes(node.call("getbestblockhash")))
    assert batch.block_count == before + 3
    np.testing.assert_array_equal(batch.block_parent[1:], batch.block_hash[:-1])
    assert_same(batch, by_node(node))


def test_chain_that_changes_below_what_was_given(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.bitcoin.rpc.BATCH_BLOCKS", 20)
    tip = node.call("getblockcount")
    with NodeSource(node.url) as source:
        source.connect(None, None)
        batches = source.batches(tip - 39, None)
        next(batches)
        node.call("invalidateblock", node.call("getblockhash", tip - 25))
        node.mine(27, node.call("getnewaddress"))
        with pytest.raises(NodeError, match=rf"changed below height {tip - 19}.*load again"):
            list(batches)
        source.connect(None, None)
        assert sum(one.block_count for one in source.batches(0, None)) == tip + 2


def test_stale_branch_in_blk_files_is_not_chosen(node: Node) -> None:
    """After the reorganisations above the files hold stale blocks as well."""
    source = BlkFolder(node.blocks, REGTEST)
    assert_same(whole(source), by_node(node), leave=frozenset(PREVOUT_COLUMNS))
    blocks = sum(one.block_count for one in source.all_batches())
    assert blocks > node.call("getblockcount") + 1
