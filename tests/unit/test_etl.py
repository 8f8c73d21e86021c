"""Rows of bitcoin-etl: what they become, what is refused and why, and where a chain of them ends."""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.bitcoin import address
from chain.bitcoin.etl import EtlFiles
from chain.bitcoin.etl_rows import RowReader
from chain.bitcoin.files import BlkFolder, BlockFiles
from chain.bitcoin.network import MAINNET, MAX_MONEY, REGTEST
from chain.errors import IntegrityError, LimitExceeded, MalformedData
from chain.model import UNKNOWN, AddressKind, BlockBatch, OutputType, Proof, hash_bytes, hash_text
from chain.source import ChainSource, ExtractSource, Tip

Row = dict[str, Any]

GENESIS_HASH = hash_text(MAINNET.genesis_hash)
ALICE = address.encode(bytes([AddressKind.PUBKEY_HASH]) + b"a" * 20, MAINNET)
BOB = address.encode(bytes([AddressKind.WITNESS_KEY_HASH]) + b"b" * 20, MAINNET)
TESTER = address.encode(bytes([AddressKind.WITNESS_KEY_HASH]) + b"c" * 20, REGTEST)


def digest(*name: object) -> str:
    return random.Random(repr(name)).randbytes(32).hex()


def coinbase(height: int, **fields: Any) -> Row:
    """The coinbase row of the block at `height`."""
    return {
        "hash": digest("coinbase", height),
        "block_hash": GENESIS_HASH if height == 0 else digest("block", height),
        "block_number": height,
        "block_timestamp": 1_300_000_000 + height,
        "index": 0,
        "is_coinbase": True,
        "inputs": [],
        "outputs": [{"index": 0, "value": 5_000_000_000, "addresses": [ALICE], "type": "p2pkh"}],
    } | fields


def spend(height: int, index: int, **fields: Any) -> Row:
    """A payment in the block at `height`."""
    return (
        coinbase(height)
        | {
            "hash": digest("spend", height, index),
            "index": index,
            "is_coinbase": False,
            "inputs": [
                {
                    "index": 0,
                    "spent_transaction_hash": digest("spent", height, index),
                    "spent_output_index": 3,
                    "sequence": 0xFFFFFFFE,
                    "value": 70,
                    "addresses": [BOB],
                    "type": "witness_v0_keyhash",
                }
            ],
            "outputs": [{"index": 0, "value": 60, "addresses": [ALICE], "type": "pubkeyhash"}],
        }
        | fields
    )


def chain_rows(blocks: int) -> list[Row]:
    """A coinbase and two payments in each of `blocks` blocks from genesis on."""
    return [row for height in range(blocks) for row in (coinbase(height), spend(height, 1), spend(height, 2))]


def written(folder: Path, rows: list[Row | str]) -> Path:
    path = folder / "transactions.json"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def source_of(folder: Path, rows: Sequence[Row | str]) -> EtlFiles:
    return EtlFiles([written(folder, list(rows))], MAINNET)


def read(row: Row) -> Any:
    return RowReader(MAINNET).read(json.dumps(row).encode())


def changed(row: Row, path: str, value: Any) -> Row:
    """A copy of `row` with the field at `path` (`outputs.0.value`) set, or removed where None."""
    row = copy.deepcopy(row)
    *above, last = path.split(".")
    at: Any = row
    for name in above:
        at = at[int(name) if name.isdigit() else name]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return row


# -- one row


def test_enriched_row() -> None:
    row = read(spend(5, 1, version=2, lock_time=7))
    assert row.txid == hash_bytes(digest("spend", 5, 1))
    assert (row.height, row.time, row.index, row.coinbase) == (5, 1_300_000_005, 1, False)
    assert (row.version, row.lock_time) == (2, 7)
    (entry,) = row.inputs
    assert (entry.txid, entry.index, entry.sequence) == (hash_bytes(digest("spent", 5, 1)), 3, 0xFFFFFFFE)
    assert (entry.prevout.value, entry.prevout.type) == (70, OutputType.P2WPKH)
    assert entry.prevout.key == bytes([AddressKind.WITNESS_KEY_HASH]) + b"b" * 20
    (output,) = row.outputs
    assert (output.value, output.type) == (60, OutputType.P2PKH)


def test_plain_row_states_nothing_of_what_it_spends() -> None:
    plain = spend(5, 1)
    plain["inputs"] = [{
        "index": 0, "spent_transaction_hash": digest("x"), "spent_output_index": 0,
        "script_hex": "76a914" + "00" * 20 + "88ac", "sequence": 1, "value": None, "addresses": [],
        "type": None,
    }]  # fmt: skip
    (entry,) = read(plain).inputs
    assert (entry.prevout.value, entry.prevout.type, entry.prevout.key) == (UNKNOWN, OutputType.UNSTATED, b"")


def test_fields_left_out_are_unknown() -> None:
    bare = coinbase(3)
    for name in ("block_number", "index", "is_coinbase"):
        del bare[name]
    row = read(bare)
    assert (row.height, row.index, row.version, row.lock_time) == (UNKNOWN,) * 4
    assert row.coinbase  # it spends nothing


def test_other_names_and_forms_of_the_same_row() -> None:
    expected = read(coinbase(3))
    renamed = coinbase(3, transaction_hash=digest("coinbase", 3))
    del renamed["hash"]
    assert read(renamed) == expected
    for time in ("2011-03-13T07:06:43", "2011-03-13 07:06:43 UTC", "2011-03-13T08:06:43+01:00"):
        assert read(coinbase(3, block_timestamp=time)) == expected
    null_input = {"index": 0, "spent_transaction_hash": None, "spent_output_index": None}
    assert read(coinbase(3, inputs=[null_input])) == expected


SCRIPTS = [
    ("pubkey", "21" + "02" * 33 + "ac", OutputType.P2PK, AddressKind.PUBKEY_HASH),
    ("pubkeyhash", "76a914" + "11" * 20 + "88ac", OutputType.P2PKH, AddressKind.PUBKEY_HASH),
    ("scripthash", "a914" + "11" * 20 + "87", OutputType.P2SH, AddressKind.SCRIPT_HASH),
    ("witness_v0_keyhash", "0014" + "11" * 20, OutputType.P2WPKH, AddressKind.WITNESS_KEY_HASH),
    ("witness_v0_scripthash", "0020" + "11" * 32, OutputType.P2WSH, AddressKind.WITNESS_SCRIPT_HASH),
    ("witness_v1_taproot", "5120" + "11" * 32, OutputType.P2TR, AddressKind.TAPROOT),
    ("witness_unknown", "6002abcd", OutputType.WITNESS_UNKNOWN, AddressKind.WITNESS_UNKNOWN),
    ("multisig", "5121" + "02" * 33 + "51ae", OutputType.MULTISIG, AddressKind.MULTISIG),
    ("nulldata", "6a0101", OutputType.OP_RETURN, None),
    ("nonstandard", "51", OutputType.NONSTANDARD, None),
]


@pytest.mark.parametrize(("name", "script", "kind", "key_kind"), SCRIPTS)
def test_script_of_an_output_decides(name: str, script: str, kind: OutputType, key_kind: AddressKind | None) -> None:
    output = {"index": 0, "value": 1, "type": name, "addresses": [], "script_hex": script}
    (found,) = read(coinbase(1, outputs=[output])).outputs
    assert found.type is kind
    assert found.key[:1] == (b"" if key_kind is None else bytes([key_kind]))


@pytest.mark.parametrize(("name", "script", "kind", "key_kind"), SCRIPTS)
def test_type_and_address_stand_for_the_script(
    name: str, script: str, kind: OutputType, key_kind: AddressKind | None
) -> None:
    """Where a row has no script its type and address give what the script would have given."""
    output = {"index": 0, "value": 1, "type": name, "script_hex": script}
    (full,) = read(coinbase(1, outputs=[output])).outputs
    texts = [address.encode(full.key, MAINNET)] if full.key and kind is not OutputType.MULTISIG else []
    del output["script_hex"]
    (found,) = read(coinbase(1, outputs=[output | {"addresses": texts}])).outputs
    assert found.type is full.type
    assert found.key == (b"" if kind is OutputType.MULTISIG else full.key)


def test_multisig_without_its_script_keeps_its_type_and_has_no_address() -> None:
    output = {"index": 0, "value": 1, "type": "multisig", "addresses": [ALICE, BOB]}
    (found,) = read(coinbase(1, outputs=[output])).outputs
    assert (found.type, found.key) == (OutputType.MULTISIG, b"")


def test_pseudo_address_and_missing_type() -> None:
    pseudo = {"value": 1, "type": "nonstandard", "addresses": ["nonstandard" + "ab" * 20]}
    untyped = {"value": 1, "addresses": [BOB]}
    legacy = {"value": 1, "addresses": [ALICE]}  # of P2PK or P2PKH: the address does not tell
    first, second, third = read(coinbase(1, outputs=[pseudo, untyped, legacy])).outputs
    assert (first.type, first.key) == (OutputType.NONSTANDARD, b"")
    assert (second.type, second.key[0]) == (OutputType.P2WPKH, AddressKind.WITNESS_KEY_HASH)
    assert (third.type, third.key[0]) == (OutputType.UNSTATED, AddressKind.PUBKEY_HASH)


def test_entries_are_put_in_order_of_their_index() -> None:
    outputs = [{"index": n, "value": n} for n in (2, 0, 1)]
    assert [output.value for output in read(coinbase(1, outputs=outputs)).outputs] == [0, 1, 2]


BAD = [
    ("outputs.0.value", 1.0, r"Expected `int`, got `float` - at `\$\.outputs\[0\]\.value`"),
    ("outputs.0.value", -1, r"outputs\[0\]\.value"),
    ("outputs.0.value", MAX_MONEY + 1, r"outputs\[0\]\.value"),
    ("outputs.0.value", 1 << 64, r"outputs\[0\]\.value"),
    ("outputs.0.value", float("nan"), "not JSON"),
    ("outputs.0.value", "5", r"outputs\[0\]\.value"),
    ("outputs.0.value", True, r"outputs\[0\]\.value"),
    ("outputs.0.value", None, r"missing required field `value`"),
    ("outputs.0.index", 1, "outputs: index 0 is missing"),
    ("outputs.0.type", "p2magic", r"outputs\[0\]\.type: unknown type 'p2magic'"),
    ("outputs.0.type", "p2sh", r"outputs\[0\]\.addresses: an address of kind PUBKEY_HASH, type p2sh"),
    ("outputs.0.addresses", [ALICE[:-1] + "2"], r"outputs\[0\]\.addresses: "),
    ("outputs.0.addresses", [TESTER], r"outputs\[0\]\.addresses: .*regtest"),
    ("outputs.0.addresses", [ALICE, BOB], r"outputs\[0\]\.addresses: 2 addresses"),
    ("outputs.0.script_hex", "xy", r"outputs\[0\]\.script_hex: not hex"),
    ("outputs.0.script_hex", "0014" + "11" * 20, r"outputs\[0\]\.addresses: not the address of its script"),
    ("inputs.0.value", 0.7, r"inputs\[0\]\.value"),
    ("inputs.0.value", -70, r"inputs\[0\]\.value"),
    ("inputs.0.spent_transaction_hash", "ab", r"inputs\[0\]\.spent_transaction_hash: not 64 hex digits"),
    ("inputs.0.spent_transaction_hash", None, "inputs: none, or one without spent_transaction_hash"),
    ("inputs.0.spent_output_index", None, r"inputs\[0\]\.spent_output_index: missing"),
    ("inputs.0.spent_output_index", 1 << 32, r"inputs\[0\]\.spent_output_index"),
    ("inputs.0.sequence", 1 << 33, r"inputs\[0\]\.sequence"),
    ("is_coinbase", True, "a coinbase transaction spends no output"),
    ("hash", None, "hash: missing"),
    ("hash", "g" * 64, "hash: "),
    ("block_hash", None, "missing required field `block_hash`"),
    ("block_number", 1 << 63, "block_number"),
    ("block_number", -1, "block_number"),
    ("index", 1 << 70, "index"),
    ("block_timestamp", -5, "block_timestamp: -5 is no time of a block"),
    ("block_timestamp", 1 << 40, "is no time of a block"),
    ("block_timestamp", "yesterday", "block_timestamp: "),
    ("block_timestamp", None, "missing required field `block_timestamp`"),
    ("inputs", {"no": "list"}, r"`\$\.inputs`"),
]


@pytest.mark.parametrize(("path", "value", "reason"), BAD)
def test_bad_field_is_named(path: str, value: Any, reason: str) -> None:
    with pytest.raises(MalformedData, match=reason):
        read(changed(spend(5, 1), path, value))


def test_outputs_that_sum_to_more_than_there_is() -> None:
    with pytest.raises(MalformedData, match="their sum is over"):
        read(coinbase(1, outputs=[{"value": MAX_MONEY}, {"value": 1}]))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_row_or_malformed(line: bytes) -> None:
    with pytest.raises(MalformedData):
        RowReader(MAINNET).read(line)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_row_with_any_value_anywhere_is_read_or_malformed(data: st.DataObject) -> None:
    paths = [path for path, _, _ in BAD]
    value = data.draw(
        st.one_of(st.integers(), st.floats(), st.text(max_size=70), st.booleans(), st.just([]), st.just([None]))
    )
    row = changed(spend(5, 1), data.draw(st.sampled_from(paths)), value)
    try:
        found = read(row)
    except MalformedData:
        return
    assert all(type(output.value) is int for output in found.outputs)


# -- files as an extract


def test_bad_line_in_the_middle_is_named_and_the_rest_read(tmp_path: Path) -> None:
    rows: list[Row | str] = [*chain_rows(3)]
    rows[4] = '{"hash": "cut'
    source = source_of(tmp_path, rows)
    as_extract: ExtractSource = source
    (batch,) = as_extract.all_batches()
    assert batch.tx_count == 8
    ((file, place, reason),) = [(each.source, each.place, each.reason) for each in source.rejects]
    assert (file, place) == (str(tmp_path / "transactions.json"), "line 5")
    assert reason.startswith("not JSON")


def test_rows_are_grouped_by_block_and_in_order_of_index(tmp_path: Path) -> None:
    rows = [spend(9, 5), spend(4, 2), spend(9, 1), spend(4, 0)]
    (batch,) = source_of(tmp_path, rows).all_batches()
    assert batch.proof is Proof.STATED
    assert batch.block_height.tolist() == [9, 4]
    assert [hash_text(row) for row in batch.block_hash] == [digest("block", 9), digest("block", 4)]
    assert batch.block_first_tx.tolist() == [0, 2, 4]
    assert batch.tx_index.tolist() == [1, 5, 0, 2]
    assert [hash_text(row) for row in batch.txid] == [digest("spend", *at) for at in ((9, 1), (9, 5), (4, 0), (4, 2))]
    assert batch.tx_first_input.tolist() == batch.tx_first_output.tolist() == [0, 1, 2, 3, 4]
    assert [hash_text(row) for row in batch.input_prev_txid] == [
        digest("spent", *at) for at in ((9, 1), (9, 5), (4, 0), (4, 2))
    ]
    assert batch.prevout_value.tolist() == [70] * 4
    assert not batch.block_parent.any()


def test_different_transactions_with_one_index_are_both_kept_in_order_of_txid(tmp_path: Path) -> None:
    twins = [spend(4, 7, hash=digest(name)) for name in "abc"]
    (batch,) = source_of(tmp_path, twins).all_batches()
    assert batch.tx_index.tolist() == [7, 7, 7]
    assert [row.tobytes() for row in batch.txid] == sorted(hash_bytes(digest(name)) for name in "abc")


def test_repeated_row_is_dropped_and_a_contradicting_one_refused(tmp_path: Path) -> None:
    other = spend(4, 1, outputs=[{"value": 61}])
    source = source_of(tmp_path, [spend(4, 1), spend(4, 1), spend(4, 2), other])
    (batch,) = source.all_batches()
    assert batch.tx_count == 2
    assert batch.output_value.tolist() == [60, 60]
    assert source.repeated == 1
    assert [(reject.place, reject.reason) for reject in source.rejects] == [
        ("line 4", "states the transaction of line 1 otherwise")
    ]


def test_block_that_rows_state_differently(tmp_path: Path) -> None:
    unnumbered = spend(4, 3)
    unnumbered["block_number"] = None
    rows = [unnumbered, spend(4, 1), spend(4, 2, block_timestamp=5), spend(4, 4, block_number=5)]
    source = source_of(tmp_path, rows)
    (batch,) = source.all_batches()
    assert (batch.block_height.tolist(), batch.tx_index.tolist()) == ([4], [1, 3])
    assert [reject.reason.split(":")[0] for reject in source.rejects] == ["block_timestamp", "block_number"]


def test_rows_without_index_keep_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [changed(row, "index", None) for row in (coinbase(4), spend(4, 9), spend(4, 3))]
    source = source_of(tmp_path, rows)
    (batch,) = source.all_batches()
    assert batch.tx_index.tolist() == [0, 1, 2]
    assert batch.tx_coinbase.tolist() == [True, False, False]
    assert [hash_text(row) for row in batch.txid[1:]] == [digest("spend", 4, 9), digest("spend", 4, 3)]
    mixed = source_of(tmp_path, [coinbase(4), *rows[1:]])
    (batch,) = mixed.all_batches()
    assert batch.tx_count == 1
    assert {reject.reason for reject in mixed.rejects} == {"index: missing, other rows of its block state one"}


@given(st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_order_of_lines_and_files_does_not_matter(tmp_path_factory: pytest.TempPathFactory, chance: Any) -> None:
    folder = tmp_path_factory.mktemp("etl")
    (expected,) = source_of(folder, chain_rows(6)).all_batches()
    rows = chain_rows(6) + chance.sample(chain_rows(6), 5)
    chance.shuffle(rows)
    cut = chance.randrange(len(rows))
    paths = []
    for number, part in enumerate((rows[:cut], rows[cut:])):
        paths.append(folder / f"{number}.json.gz")
        paths[-1].write_bytes(gzip.compress("\n".join(map(json.dumps, part)).encode()))
    source = EtlFiles(paths, MAINNET)
    source.connect(None, None)
    (batch,) = source.batches(0, None)
    assert source.repeated == 5
    for column in (
        "txid",
        "tx_index",
        "block_hash",
        "output_value",
        "output_key",
        "prevout_key",
        "tx_first_input",
    ):
        np.testing.assert_array_equal(getattr(batch, column), getattr(expected, column))


def test_empty_files_and_too_many_refused_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(source_of(tmp_path, []).all_batches()) == []
    monkeypatch.setattr("chain.bitcoin.etl.MAX_REJECTS", 10)
    with pytest.raises(LimitExceeded, match="line 11: over 10 lines refused"):
        list(source_of(tmp_path, ["[]"] * 20).all_batches())


def test_bound_on_the_text_of_a_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.bitcoin.etl.MAX_TEXT", 2_000)
    with pytest.raises(LimitExceeded, match=r"line \d+: more than 2,000 bytes of rows"):
        list(source_of(tmp_path, chain_rows(10)).all_batches())


def test_batches_end_with_whole_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.bitcoin.etl.BATCH_ENTRIES", 7)  # a block has five entries
    source = source_of(tmp_path, chain_rows(5))
    source.connect(None, None)
    assert [batch.block_height.tolist() for batch in source.batches(0, None)] == [[0, 1], [2, 3], [4]]
    assert [batch.block_height.tolist() for batch in source.batches(1, 3)] == [[1, 2], [3]]


# -- files as a chain


def test_chain_from_genesis_with_parents(tmp_path: Path) -> None:
    source = source_of(tmp_path, chain_rows(4))
    as_chain: ChainSource = source
    as_chain.connect(None, None)
    assert source.tip() == Tip(3, hash_bytes(digest("block", 3)))
    assert source.hash_at(0) == MAINNET.genesis_hash
    assert source.hash_at(4) is source.hash_at(-1) is None
    (batch,) = source.batches(0, None)
    assert batch.block_height.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(batch.block_parent[1:], batch.block_hash[:-1])
    assert not batch.block_parent[0].any()
    (rest,) = source.batches(2, None)
    assert rest.block_parent[0].tobytes() == hash_bytes(digest("block", 1))


def without(rows: list[Row], height: int, index: int) -> list[Row]:
    return [row for row in rows if (row["block_number"], row["index"]) != (height, index)]


@pytest.mark.parametrize("index", [0, 1])
def test_chain_ends_before_an_incomplete_block(tmp_path: Path, index: int) -> None:
    source = source_of(tmp_path, without(chain_rows(5), 2, index))
    for _ in range(2):  # the second call repeats no reject
        source.connect(None, None)
        assert source.tip() == Tip(1, hash_bytes(digest("block", 1)))
        assert [reject.place.split("block ")[1] for reject in source.rejects] == [
            digest("block", height) for height in (2, 3, 4)
        ]
        assert "do not run from its coinbase" in source.rejects[0].reason
        assert "ends at height 1" in source.rejects[1].reason


def test_chain_ends_before_a_gap_and_before_two_hashes_of_one_height(tmp_path: Path) -> None:
    gap = [row for row in chain_rows(5) if row["block_number"] != 2]
    source = source_of(tmp_path, gap)
    source.connect(None, None)
    assert source.tip() == Tip(1, hash_bytes(digest("block", 1)))
    assert len(source.rejects) == 2
    source = source_of(tmp_path, [*chain_rows(5), coinbase(3, block_hash=digest("other"), hash=digest("c"))])
    source.connect(None, None)
    assert source.tip() == Tip(2, hash_bytes(digest("block", 2)))
    assert [reject.reason.split(":")[0] for reject in source.rejects] == [
        "2 blocks state height 3", "not connected", "2 blocks state height 3"
    ]  # fmt: skip


def test_refused_line_makes_its_block_incomplete(tmp_path: Path) -> None:
    rows: list[Row | str] = [*chain_rows(3)]
    rows[7] = changed(chain_rows(3)[7], "outputs.0.value", -1)
    source = source_of(tmp_path, rows)
    source.connect(None, None)
    assert source.tip() == Tip(1, hash_bytes(digest("block", 1)))
    assert [reject.place.split(":")[0] for reject in source.rejects] == ["line 8", "line 7"]


def test_declared_anchor_and_rows_below_it(tmp_path: Path) -> None:
    source = source_of(tmp_path, chain_rows(6))
    source.connect(None, 2)
    assert [batch.block_height.tolist() for batch in source.batches(2, None)] == [[2, 3, 4, 5]]
    assert source.hash_at(1) is None
    assert source.rejects == []
    with pytest.raises(IntegrityError, match=r"parent: height 9: .*--from.*--dataset NAME"):
        source.connect(None, 9)
    later = source_of(tmp_path, chain_rows(6)[6:])
    with pytest.raises(IntegrityError, match="lowest whole block is at height 2"):
        later.connect(None, None)


def test_growing_a_stored_chain(tmp_path: Path) -> None:
    source = source_of(tmp_path, chain_rows(6)[9:])
    below = Tip(2, hash_bytes(digest("block", 2)))
    source.connect(below, 0)
    assert source.hash_at(2) == below.hash
    (batch,) = source.batches(3, None)
    assert batch.block_parent[0].tobytes() == below.hash
    stored = Tip(4, b"x" * 32)  # another block 4 than the rows have
    source.connect(stored, 0)
    assert source.hash_at(4) == hash_bytes(digest("block", 4))
    assert source.hash_at(3) == hash_bytes(digest("block", 3))
    with pytest.raises(IntegrityError, match="parent: height 1"):
        source.connect(Tip(1, bytes(32)), 0)


def test_genesis_of_another_network(tmp_path: Path) -> None:
    source = source_of(tmp_path, [coinbase(0, block_hash=hash_text(REGTEST.genesis_hash))])
    with pytest.raises(IntegrityError, match=r"network: .*line 1: block 0 is 0f9188.*not main's"):
        source.connect(None, None)


# -- real data


def by_block(batches: Iterable[BlockBatch]) -> dict[bytes, dict[str, Any]]:
    """For each block hash, the columns that rows of bitcoin-etl state."""
    found = {}
    for batch in batches:
        for block, digest_of in enumerate(batch.block_hash):
            txs = slice(*batch.block_first_tx[block : block + 2])
            inputs = slice(batch.tx_first_input[txs.start], batch.tx_first_input[txs.stop])
            outputs = slice(batch.tx_first_output[txs.start], batch.tx_first_output[txs.stop])
            columns = {name: getattr(batch, name)[txs] for name in ("txid", "tx_index", "tx_coinbase")}
            columns |= {name: getattr(batch, name)[inputs] for name in ("input_prev_txid", "input_prev_index")}
            columns |= {
                name: getattr(batch, name)[outputs]
                for name in ("output_value", "output_type", "output_key", "output_key_size")
            }
            columns["time"] = batch.block_time[block]
            columns["entries"] = np.diff(batch.tx_first_output[txs.start : txs.stop + 1])
            found[digest_of.tobytes()] = columns
    return found


def assert_equal(stated: dict[str, Any], proved: dict[str, Any]) -> None:
    for name, column in stated.items():
        np.testing.assert_array_equal(column, proved[name], err_msg=name)


@pytest.fixture(scope="module")
def real_rows(data: Path) -> EtlFiles:
    return EtlFiles([data / "bitcoin" / "transactions.jsonl.xz"], MAINNET)


def test_real_rows_as_a_chain_equal_the_serialized_blocks(data: Path, real_rows: EtlFiles) -> None:
    source = real_rows
    source.connect(None, None)
    tip = hash_bytes("00000000a9da635727dce622d78361b153ce3334e6a60d4377fad529abfc7863")
    assert source.tip() == Tip(4312, tip)
    assert len(source.rejects) == 2065  # the blocks above, most without a height
    proved = BlkFolder(data / "bitcoin" / "raw", MAINNET)
    proved.connect(None, None)
    theirs = by_block(proved.batches(0, None))
    ours = by_block(source.batches(0, None))
    assert ours.keys() == theirs.keys()
    for digest_of, columns in ours.items():
        assert_equal(columns, theirs[digest_of])


def test_real_rows_as_an_extract(data: Path, real_rows: EtlFiles) -> None:
    batches = list(real_rows.all_batches())
    assert real_rows.repeated == 0
    assert sum(batch.tx_count for batch in batches) == 15_786
    heights = np.concatenate([batch.block_height for batch in batches])
    assert ((heights > 4312).sum(), (heights == UNKNOWN).sum()) == (20, 2045)
    ours = by_block(batches)
    theirs = by_block(BlockFiles(sorted((data / "bitcoin" / "raw").glob("*.raw.xz")), MAINNET).all_batches())
    both = ours.keys() & theirs.keys()
    assert len(both) == 4  # blocks that are here as rows and as bytes
    for digest_of in both:
        assert_equal(ours[digest_of], theirs[digest_of])
