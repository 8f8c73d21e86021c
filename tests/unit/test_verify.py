"""Verification: real blocks pass, and one broken block per check is refused by that check's name."""

from __future__ import annotations

import json
import lzma
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chain.bitcoin.checks import (
    NONE,
    first_repeat,
    first_without_work,
    reference_first_repeat,
    reference_sum_money,
    reference_target,
    sum_money,
)
from chain.bitcoin.hashes import reference_double_sha256
from chain.bitcoin.merkle import merkle_roots, reference_merkle_root
from chain.bitcoin.network import MAINNET, MAX_MONEY, NETWORKS, REGTEST, SATOSHI_PER_BITCOIN, SIGNET, subsidy
from chain.bitcoin.parse import scan_headers
from chain.bitcoin.script import classify
from chain.bitcoin.verify import CHECKS, verify_blocks, verify_links, verify_prevouts, verify_values
from chain.errors import IntegrityError
from chain.model import ADDRESS_KEY_WIDTH, I64, UNKNOWN, BlockBatch, Proof, hash_text
from chain.source import Tip
from tests.unit.blocks import (
    EASY_BITS,
    P2PKH,
    RESERVED,
    Tx,
    batch_of,
    block,
    coinbase,
    real_blocks,
    real_chain,
    small_block,
)

SUBSIDY = 50 * SATOSHI_PER_BITCOIN
SPEND = Tx([(b"\x01" * 32, 0)], [(1000, P2PKH)])
OTHER = Tx([(b"\x02" * 32, 1)], [(2000, P2PKH)])
SEGWIT = replace(OTHER, witnesses=[[b"sig"]])


def at_heights(batch: BlockBatch, first: int) -> BlockBatch:
    return replace(batch, block_height=np.arange(first, first + batch.block_count))


def one(txs: list[Tx], **changes: Any) -> BlockBatch:
    return batch_of([block(txs, **changes)], REGTEST)


def stated(batch: BlockBatch) -> BlockBatch:
    """The batch as a dump would state it: no header, no script, no witness."""
    zeros = np.zeros_like
    return replace(
        batch,
        proof=Proof.STATED,
        raw=np.zeros(0, np.uint8),
        block_parent=zeros(batch.block_parent),
        block_merkle_root=zeros(batch.block_merkle_root),
        wtxid=zeros(batch.wtxid),
        tx_base_size=zeros(batch.tx_base_size),
    )


def refused(check: str, run: Callable[[], object]) -> IntegrityError:
    assert check in {each.name for each in CHECKS}
    with pytest.raises(IntegrityError) as caught:
        run()
    assert caught.value.check == check, caught.value
    return caught.value


# Real blocks


def test_real_blocks_pass_with_and_without_their_heights(data: Path) -> None:
    for height, raw in real_blocks(data):
        batch = batch_of([raw], MAINNET)
        verify_blocks(batch, MAINNET)
        verify_blocks(at_heights(batch, height), MAINNET)
        verify_blocks(stated(batch), MAINNET)


def test_the_real_chain_passes_and_its_values_are_conserved(data: Path) -> None:
    """Blocks 0 to 4312: every spent output is among them, so every fee and subsidy is proven."""
    found = batch_of(real_chain(data), MAINNET)
    by_parent = {found.block_parent[row].tobytes(): row for row in reversed(range(found.block_count))}
    chain, tip = [], bytes(32)
    while tip in by_parent:
        chain.append(by_parent[tip])
        tip = found.block_hash[chain[-1]].tobytes()
    blocks = [found.raw[found.block_start[row] :][: found.block_size[row]].tobytes() for row in chain]
    batch = at_heights(batch_of(blocks, MAINNET), 0)
    assert batch.block_count == 4313
    verify_blocks(batch, MAINNET)
    verify_links(batch, None)
    values = verify_values(batch, MAINNET, own_prevout_values(batch))
    assert not values.unclaimed.any()
    assert values.fee.min() == 0
    cut = verify_values(batch, MAINNET, np.full(batch.input_count, UNKNOWN, np.int64))
    assert (cut.fee[~batch.tx_coinbase] == UNKNOWN).all()
    assert (cut.unclaimed == np.where(np.diff(batch.block_first_tx) > 1, UNKNOWN, 0)).all()


def own_prevout_values(batch: BlockBatch) -> I64:
    outputs = {}
    for row in range(batch.tx_count):
        first = batch.tx_first_output[row]
        for index in range(batch.tx_first_output[row + 1] - first):
            outputs[batch.txid[row].tobytes(), index] = batch.output_value[first + index]
    spends = zip(batch.input_prev_txid, batch.input_prev_index.tolist(), strict=True)
    return np.array([outputs[txid.tobytes(), index] for txid, index in spends])


def spent_outputs(folder: Path, height: int) -> list[tuple[int, bytes]]:
    """Value and script of every output that a block spends, in the order of its inputs."""
    listed = folder / f"mainnet_{height}.spent_utxos.json.xz"
    if listed.exists():
        outputs = [entry["txout"] for entry in json.loads(lzma.decompress(listed.read_bytes()))]
        return [(output["value"], bytes.fromhex(output["script_pubkey"])) for output in outputs]
    raw, at, found = lzma.decompress((folder / f"mainnet_{height}.undo_txouts.bin.xz").read_bytes()), 0, []
    while at < len(raw):
        value, size = struct.unpack_from("<qB", raw, at)
        assert size < 0xFD
        found.append((value, raw[at + 9 : at + 9 + size]))
        at += 9 + size
    return found


@pytest.mark.parametrize("height", [300_025, 367_891, 866_342])
def test_values_of_real_blocks_are_conserved_to_the_satoshi(data: Path, height: int) -> None:
    folder = data / "bitcoin" / "raw"
    raw = lzma.decompress((folder / f"mainnet_{height}.raw.xz").read_bytes())
    batch = at_heights(batch_of([raw], MAINNET), height)
    spent = spent_outputs(folder, height)
    value = np.array([each[0] for each in spent])
    values = verify_values(batch, MAINNET, value)
    paid = int(batch.output_value[: batch.tx_first_output[1]].sum())
    assert int(values.fee.sum()) == paid - subsidy(MAINNET, height) > 0
    assert values.unclaimed.tolist() == [0]
    assert values.fee[0] == 0
    assert values.fee.min() >= 0
    cheated = value.copy()
    cheated[-1] = 0
    refused("value_conservation", lambda: verify_values(batch, MAINNET, cheated))


# One broken block for each check


def test_small_block_passes() -> None:
    batch = batch_of([small_block(7), block([coinbase(8, 50)])], REGTEST)
    verify_blocks(batch, REGTEST)
    verify_blocks(at_heights(batch, 7), REGTEST)


def test_network() -> None:
    error = refused("network", lambda: verify_blocks(one([coinbase(1, 50)]), MAINNET))
    assert "blocks of regtest, not of main" in error.detail


@pytest.mark.parametrize(
    ("bits", "says"),
    [
        (EASY_BITS, "above its target"),
        (0x1D00FFFF, "above its target"),
        (0x20FFFFFF, "no valid target"),
        (0x04800001, "no valid target"),
        (0x00000000, "no valid target"),
        (0x20000000, "no valid target"),
        (0x01003456, "no valid target"),
        (0x23000001, "no valid target"),
        (0xFF123456, "no valid target"),
        (0x2100FFFF, "easier than regtest allows"),
        (0x20800000, "no valid target"),
    ],
)
def test_proof_of_work(bits: int, says: str) -> None:
    raw = block([coinbase(1, 50)], mine=bits != EASY_BITS and says.startswith("easier"))
    if bits != EASY_BITS:
        raw = raw[:72] + struct.pack("<I", bits) + raw[76:]
    error = refused("proof_of_work", lambda: verify_blocks(batch_of([raw], REGTEST), REGTEST))
    assert says in error.detail
    assert hash_text(reference_double_sha256(raw[:80])) in error.place


def test_proof_of_work_of_another_network() -> None:
    batch = replace(one([coinbase(1, 50)]), network="signet")
    assert "easier than signet allows" in refused("proof_of_work", lambda: verify_blocks(batch, SIGNET)).detail


def test_merkle_root() -> None:
    root = reference_merkle_root([coinbase(1, 50).txid(), OTHER.txid()])[0]
    batch = one([coinbase(1, 50), SPEND], root=root)
    error = refused("merkle_root", lambda: verify_blocks(batch, REGTEST))
    assert hash_text(root) in error.detail


def test_merkle_mutation() -> None:
    """CVE-2012-2459: the last transactions once more give the same root."""
    txs = [coinbase(1, 50), SPEND, OTHER]
    honest, mutated = one(txs), one([*txs, OTHER])
    assert (honest.block_merkle_root == mutated.block_merkle_root).all()
    verify_blocks(honest, REGTEST)
    refused("merkle_mutation", lambda: verify_blocks(mutated, REGTEST))


def test_duplicate_transaction() -> None:
    batch = one([coinbase(1, 50), SPEND, OTHER, SPEND])
    error = refused("duplicate_transaction", lambda: verify_blocks(batch, REGTEST))
    assert hash_text(SPEND.txid()) in error.place
    assert "at 1 and at 3" in error.detail
    refused("duplicate_transaction", lambda: verify_blocks(stated(batch), REGTEST))


def test_one_txid_in_two_blocks_is_allowed() -> None:
    """BIP 30: two coinbases of 2010 have the txid of an earlier one."""
    first, second = block([coinbase(1, 50)]), block([coinbase(1, 50)], parent=b"\x01" * 32)
    verify_blocks(batch_of([first, second], REGTEST), REGTEST)


@pytest.mark.parametrize(
    ("txs", "says"),
    [
        ([], "no transactions"),
        ([SPEND], "the first transaction of the block is not a coinbase"),
        ([SPEND, coinbase(1, 50)], "the first transaction of the block is not a coinbase"),
        ([coinbase(1, 50), coinbase(2, 50)], "transaction 1 of the block is a coinbase"),
        (
            [coinbase(1, 50), replace(SPEND, spends=[(b"\x01" * 32, 0), (bytes(32), 0xFFFFFFFF)])],
            "null outpoint",
        ),
    ],
)
def test_coinbase(txs: list[Tx], says: str) -> None:
    batch = one(txs)
    assert says in refused("coinbase", lambda: verify_blocks(batch, REGTEST)).detail
    if batch.tx_coinbase[1:].any() or "null" in says:
        refused("coinbase", lambda: verify_blocks(stated(batch), REGTEST))
    else:
        verify_blocks(stated(batch), REGTEST)  # a dump may hold a part of a block, at places it does not know


def test_coinbase_height() -> None:
    batch = one([coinbase(7, 50)])
    verify_blocks(at_heights(batch, 7), REGTEST)
    error = refused("coinbase_height", lambda: verify_blocks(at_heights(batch, 8), REGTEST))
    assert "states height 7, the block is taken for 8" in error.detail
    silent = one([replace(coinbase(7, 50), script=b"\x6a\x00")])
    verify_blocks(silent, REGTEST)
    error = refused("coinbase_height", lambda: verify_blocks(at_heights(silent, 7), REGTEST))
    assert "states no height" in error.detail


def test_empty_transaction() -> None:
    batch = one([coinbase(1, 50), replace(SPEND, outputs=[])])
    assert "no outputs" in refused("empty_transaction", lambda: verify_blocks(batch, REGTEST)).detail


def test_duplicate_input() -> None:
    """CVE-2018-17144."""
    batch = one([coinbase(1, 50), replace(SPEND, spends=[*SPEND.spends, *OTHER.spends, *SPEND.spends])])
    error = refused("duplicate_input", lambda: verify_blocks(batch, REGTEST))
    assert f"output spent {'01' * 32}:0" in error.place


def test_double_spend() -> None:
    again = replace(SPEND, outputs=OTHER.outputs)
    error = refused("double_spend", lambda: verify_blocks(one([coinbase(1, 50), SPEND, again]), REGTEST))
    assert hash_text(SPEND.txid()) in error.detail
    blocks = [block([coinbase(1, 50), SPEND]), block([coinbase(2, 50), again])]
    batch = batch_of(blocks, REGTEST)
    refused("double_spend", lambda: verify_blocks(batch, REGTEST))
    refused("double_spend", lambda: verify_blocks(stated(batch), REGTEST))


def test_outputs_of_one_transaction_may_all_be_spent() -> None:
    verify_blocks(one([coinbase(1, 50), *(replace(SPEND, spends=[(b"\x01" * 32, n)]) for n in range(9))]), REGTEST)


@pytest.mark.parametrize(
    "values",
    [[-1], [-2], [-(2**63)], [MAX_MONEY + 1], [2**63 - 1], [MAX_MONEY, 1], [MAX_MONEY] * 5000, [5, -1]],
    ids=["-1", "-2", "min", "max+1", "2^63-1", "sum", "wrapping sum", "-1 among others"],
)
def test_value_range(values: list[int]) -> None:
    bad = replace(SPEND, outputs=[(value, P2PKH) for value in values])
    error = refused("value_range", lambda: verify_blocks(one([coinbase(1, 50), bad]), REGTEST))
    assert hash_text(bad.txid()) in error.place


def test_values_at_the_bound_pass_and_a_stated_value_may_be_unknown() -> None:
    verify_blocks(one([coinbase(1, MAX_MONEY), replace(SPEND, outputs=[(MAX_MONEY - 1, b""), (1, b"")])]), REGTEST)
    verify_blocks(stated(one([coinbase(1, 50), replace(SPEND, outputs=[(UNKNOWN, b"")])])), REGTEST)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (coinbase(1, 50, [SEGWIT], commit=False), "does not commit to them"),
        (replace(coinbase(1, 50, [SEGWIT]), witnesses=[]), "lacks the reserved value"),
        (replace(coinbase(1, 50, [SEGWIT]), witnesses=[[RESERVED, b""]]), "lacks the reserved value"),
        (replace(coinbase(1, 50, [SEGWIT]), witnesses=[[bytes(31)]]), "lacks the reserved value"),
        (replace(coinbase(1, 50, [SEGWIT]), witnesses=[[b"\x01" * 32]]), "not those committed to"),
        (coinbase(1, 50, [replace(SEGWIT, witnesses=[[b"another"]])]), "not those committed to"),
    ],
)
def test_witness_commitment(made: Tx, says: str) -> None:
    batch = one([made, SEGWIT])
    assert says in refused("witness_commitment", lambda: verify_blocks(batch, REGTEST)).detail


def test_the_last_of_several_commitments_counts() -> None:
    made = coinbase(1, 50, [SEGWIT])
    decoy = (0, made.outputs[-1][1][:6] + bytes(32))
    verify_blocks(one([replace(made, outputs=[decoy, *made.outputs, (0, made.outputs[-1][1][:37])]), SEGWIT]), REGTEST)
    batch = one([replace(made, outputs=[*made.outputs, decoy]), SEGWIT])
    refused("witness_commitment", lambda: verify_blocks(batch, REGTEST))


def test_a_block_stripped_of_its_witnesses_is_told_where_its_height_is_known() -> None:
    made = replace(coinbase(1, 50, [SEGWIT]), witnesses=[])
    batch = one([made, OTHER])
    verify_blocks(batch, REGTEST)
    refused("witness_commitment", lambda: verify_blocks(at_heights(batch, 1), REGTEST))


def test_the_first_failing_block_of_many_is_named() -> None:
    good = block([coinbase(1, 50)])
    bad = [block([coinbase(height, 50), replace(SPEND, outputs=[])]) for height in (2, 3)]
    batch = at_heights(batch_of([good, *bad], REGTEST), 1)
    # The two bad blocks also spend one output; what comes first in CHECKS is named.
    error = refused("empty_transaction", lambda: verify_blocks(batch, REGTEST))
    assert error.place.startswith("block 2 (")


def test_only_blocks_with_bytes_are_held_to_them() -> None:
    good = block([coinbase(1, 50)])
    batch = batch_of([good, block([coinbase(2, 50), replace(SPEND, outputs=[])])], REGTEST)
    mixed = replace(batch, block_proof=np.array([Proof.BYTES, Proof.STATED], np.uint8))
    verify_blocks(mixed, REGTEST)
    with_bytes = replace(batch, block_proof=np.array([Proof.STATED, Proof.BYTES], np.uint8))
    refused("empty_transaction", lambda: verify_blocks(with_bytes, REGTEST))


# Links


def chain_of(count: int) -> BlockBatch:
    blocks, parent = [], b"\x07" * 32
    for height in range(1, count + 1):
        blocks.append(block([coinbase(height, 50)], parent=parent))
        parent = reference_double_sha256(blocks[-1][:80])
    return at_heights(batch_of(blocks, REGTEST), 1)


def test_links() -> None:
    batch = chain_of(3)
    verify_links(batch, None)
    verify_links(batch, Tip(0, b"\x07" * 32))
    verify_links(batch_of([], REGTEST), None)
    error = refused("parent", lambda: verify_links(batch, Tip(0, b"\x08" * 32)))
    assert "08" * 32 in error.detail
    refused("height", lambda: verify_links(batch, Tip(1, b"\x07" * 32)))
    refused("height", lambda: verify_links(replace(batch, block_height=np.array([1, 2, 4])), None))
    refused("height", lambda: verify_links(replace(batch, block_height=np.full(3, UNKNOWN)), None))
    torn = replace(batch, block_parent=batch.block_parent[[0, 2, 1]])
    error = refused("parent", lambda: verify_links(torn, None))
    assert error.place.startswith("block 2 (")
    assert hash_text(batch.block_hash[0]) in error.detail


def test_stated_blocks_without_parents_are_linked_by_height() -> None:
    batch = stated(chain_of(3))
    verify_links(batch, Tip(0, b"\x07" * 32))
    refused("height", lambda: verify_links(batch, Tip(5, b"\x07" * 32)))
    refused("parent", lambda: verify_links(replace(batch, proof=Proof.BYTES), None))


# Values


def paying(*, claimed: int, spent: list[int], paid: list[int]) -> tuple[BlockBatch, I64]:
    """A block at height 1 of one spend, and the values that it spends."""
    spends = [(bytes([number]) * 32, 0) for number in range(1, len(spent) + 1)]
    tx = Tx(spends, [(value, P2PKH) for value in paid])
    return at_heights(one([coinbase(1, claimed), tx]), 1), np.array(spent, np.int64)


def test_fees_and_unclaimed_subsidy() -> None:
    batch, spent = paying(claimed=SUBSIDY + 3, spent=[70, 40], paid=[100])
    values = verify_values(batch, REGTEST, spent)
    assert values.fee.tolist() == [0, 10]
    assert values.unclaimed.tolist() == [7]
    assert verify_values(replace(batch, block_height=np.array([UNKNOWN])), REGTEST, spent).unclaimed.tolist() == [-1]
    unknown = verify_values(batch, REGTEST, np.array([70, UNKNOWN]))
    assert (unknown.fee.tolist(), unknown.unclaimed.tolist()) == ([0, UNKNOWN], [UNKNOWN])


def test_value_conservation() -> None:
    batch, spent = paying(claimed=SUBSIDY, spent=[70, 29], paid=[100])
    error = refused("value_conservation", lambda: verify_values(batch, REGTEST, spent))
    assert "it spends 99 and pays 100" in error.detail
    batch, spent = paying(claimed=SUBSIDY + 11, spent=[70, 40], paid=[100])
    error = refused("value_conservation", lambda: verify_values(batch, REGTEST, spent))
    assert f"pays {SUBSIDY + 11}, subsidy and fees are {SUBSIDY + 10}" in error.detail
    verify_values(batch, REGTEST, np.array([UNKNOWN, 40]))


def test_a_stated_block_may_lack_transactions_unless_the_caller_vouches_for_it() -> None:
    batch, spent = paying(claimed=SUBSIDY + 11, spent=[70, 40], paid=[100])
    batch = stated(batch)
    values = verify_values(batch, REGTEST, spent)
    assert (values.fee.tolist(), values.unclaimed.tolist()) == ([0, 10], [UNKNOWN])
    refused("value_conservation", lambda: verify_values(batch, REGTEST, spent, stated_whole=True))
    poor = np.array([0, 0])
    refused("value_conservation", lambda: verify_values(batch, REGTEST, poor))


@pytest.mark.parametrize("spent", [[-2, 200], [MAX_MONEY, 1], [2**63 - 1, 2**63 - 1], [-(2**63), 100]])
def test_values_spent_are_bounded_before_they_are_added(spent: list[int]) -> None:
    batch, values = paying(claimed=SUBSIDY, spent=spent, paid=[100])
    refused("value_range", lambda: verify_values(batch, REGTEST, values))


def test_fees_of_a_block_are_bounded() -> None:
    txs = [replace(SPEND, spends=[(bytes([number]) * 32, 0)]) for number in range(1, 4)]
    batch = at_heights(one([coinbase(1, 50), *txs]), 1)
    error = refused("value_range", lambda: verify_values(batch, REGTEST, np.full(3, MAX_MONEY)))
    assert "fees" in error.detail


# Prevouts


def test_prevout_mismatch() -> None:
    batch = one([coinbase(1, 50), SPEND, OTHER])
    key = np.zeros((2, ADDRESS_KEY_WIDTH), np.uint8)
    raw_key = classify(P2PKH)[1]
    key[:, : len(raw_key)] = np.frombuffer(raw_key, np.uint8)
    size = np.full(2, len(raw_key), np.uint8)
    batch = replace(batch, prevout_value=np.array([5, UNKNOWN]), prevout_key=key, prevout_key_size=size)
    verify_prevouts(batch, np.array([5, 9]), key, size)
    verify_prevouts(batch, np.array([UNKNOWN, 9]), np.zeros_like(key), np.zeros_like(size))
    error = refused("prevout_mismatch", lambda: verify_prevouts(batch, np.array([6, 9]), key, size))
    assert "stated as 5, it was 6" in error.detail
    assert f"{'01' * 32}:0" in error.place
    other = key.copy()
    other[1, 20] ^= 1
    error = refused("prevout_mismatch", lambda: verify_prevouts(batch, np.array([5, 9]), other, size))
    assert f"{'02' * 32}:1" in error.place
    assert raw_key.hex() in error.detail


# Kernels and their twins


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=9), st.integers(0, 3))
def test_merkle_kernel_equals_its_twin(leaves: list[bytes], repeated: int) -> None:
    leaves = leaves + leaves[len(leaves) - repeated :] if repeated else leaves
    rows = np.frombuffer(b"".join([bytes(32), *leaves, b"x" * 32]), np.uint8).reshape(-1, 32)
    first = np.array([0, 1, 1 + len(leaves), 2 + len(leaves)])
    roots, mutated = merkle_roots(rows, first)
    assert (roots[1].tobytes(), mutated[1]) == reference_merkle_root(leaves)
    assert (roots[2].tobytes(), mutated[2]) == (b"x" * 32, False)


amounts = st.one_of(
    st.integers(0, 100),
    st.sampled_from([UNKNOWN, -2, -(2**63), 2**63 - 1, MAX_MONEY, MAX_MONEY - 1, MAX_MONEY + 1]),
)


@given(st.lists(st.lists(amounts, max_size=4), max_size=5))
def test_sum_money_equals_its_twin(groups: list[list[int]]) -> None:
    first = [0]
    for group in groups:
        first.append(first[-1] + len(group))
    flat = [value for group in groups for value in group]
    totals, bad = sum_money(np.array(first), np.array(flat, np.int64))
    expected, expected_bad = reference_sum_money(first, flat)
    assert bad == expected_bad
    assert totals[: bad if bad != NONE else None].tolist() == expected[: bad if bad != NONE else None]


words = st.one_of(st.integers(0, 3), st.integers(-(2**63), 2**63 - 1))


@given(st.integers(1, 5).flatmap(lambda width: st.lists(st.tuples(*[words] * width), min_size=1, max_size=40)))
def test_first_repeat_equals_its_twin(rows: list[tuple[int, ...]]) -> None:
    assert first_repeat(np.array(rows, np.int64)) == reference_first_repeat(rows)


@given(
    st.one_of(
        st.integers(0, 2**32 - 1),
        st.builds(lambda size, mantissa: size << 24 | mantissa, st.integers(28, 36), st.integers(0, 0xFFFFFF)),
        st.builds(lambda size, mantissa: size << 24 | mantissa, st.integers(0, 4), st.integers(0, 0xFFFFFF)),
    ),
    st.binary(min_size=32, max_size=32),
    st.integers(-1, 1),
    st.sampled_from(list(NETWORKS)),
)
@example(0x1D00FFFF, bytes(32), 0, "main")
@example(0x207FFFFF, bytes(32), 1, "regtest")
def test_work_kernel_equals_its_twin(bits: int, digest: bytes, near: int, name: str) -> None:
    network, target = NETWORKS[name], reference_target(bits)
    hashes = [digest]
    if target is not None and 0 <= target + near < 2**256:
        hashes.append((target + near).to_bytes(32, "little"))
    limit = np.frombuffer(network.pow_limit.to_bytes(32, "little"), np.uint8)
    for each in hashes:
        row = np.frombuffer(each, np.uint8).reshape(1, 32)
        enough = bool(target) and target is not None and target <= network.pow_limit
        expected = NONE if enough and int.from_bytes(each, "little") <= (target or 0) else 0
        assert first_without_work(row, np.array([bits]), limit) == expected


def test_headers_of_the_real_chain_have_work(data: Path) -> None:
    rows = np.frombuffer(b"".join(raw[:80] for raw in real_chain(data)), np.uint8).reshape(-1, 80)
    headers = scan_headers(rows)
    limit = np.frombuffer(MAINNET.pow_limit.to_bytes(32, "little"), np.uint8)
    assert first_without_work(headers.hash, headers.bits, limit) == NONE
    harder = headers.bits.copy()
    harder[1234] = 0x1B00FFFF
    assert first_without_work(headers.hash, harder, limit) == 1234


def test_checks_have_unique_names_and_a_line_each() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.meaning and "\n" not in check.meaning for check in CHECKS)
