"""Votes on change: kernels against their readable twins, each rule by hand, and real transactions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.columns import spenders
from chain.model import I32, UNKNOWN, OutputType, Proof
from clustering.bitcoin.change.arrays import LedgerArrays
from clustering.bitcoin.change.features import FEATURES, FIRST_FINGERPRINT, Convention, Feature
from clustering.bitcoin.change.fingerprint import FINGERPRINTS, fingerprints
from clustering.bitcoin.change.fingerprint import reference as reference_fingerprint
from clustering.bitcoin.change.kernels import MAX_OUTPUTS
from clustering.bitcoin.change.votes import Surroundings, Votes, cast, freshness, reference, window
from tests.unit.change_ledgers import Output, Transaction, around, arrays, change_ledgers

BYTES, STATED = Proof.BYTES, Proof.STATED


def nothing_left_out(first: int, last: int) -> np.ndarray:
    return np.zeros(last - first, np.bool_)


def votes_of(at: LedgerArrays, whole: bool = True, labels: I32 | None = None) -> Votes:
    last = len(at.tx_block)
    return cast(at, 0, last, around(at, 0, last, whole), nothing_left_out(0, last), labels)


def said(votes: Votes, feature: Feature, tx: int) -> list[int]:
    """A feature's votes on the outputs of one transaction."""
    found: list[int] = votes.vote[votes.tx == tx, feature].tolist()
    return found


# Kernels and twins


@settings(max_examples=300)
@given(change_ledgers())
def test_fingerprints_equal_their_readable_twin(at: LedgerArrays) -> None:
    txs = np.arange(len(at.tx_block), dtype=np.int64)
    assert fingerprints(at, txs).tolist() == [reference_fingerprint(at, tx) for tx in txs.tolist()]


@given(change_ledgers(), st.data())
def test_an_address_is_fresh_where_no_earlier_transaction_and_no_coin_of_its_own_names_it(
    at: LedgerArrays, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, len(at.tx_block)))
    last = data.draw(st.integers(first, len(at.tx_block)))
    rows = window(at, first, last)
    expected = [UNKNOWN] * (rows.stop - rows.start)
    for tx in range(first, last):
        for output in at.outputs_of(tx):
            before = set(at.output_address[: at.tx_first_output[tx]].tolist())
            address = int(at.output_address[output])
            if address >= 0:
                expected[output - rows.start] = int(address not in before)
    assert freshness(at, first, last).tolist() == expected


@settings(max_examples=400)
@given(change_ledgers(), st.booleans(), st.booleans(), st.data())
def test_votes_equal_their_readable_twin(at: LedgerArrays, whole: bool, labelled: bool, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(at.tx_block)))
    last = data.draw(st.integers(first, len(at.tx_block)))
    labels = np.array(data.draw(st.lists(st.integers(0, 2), max_size=12)), np.int32) if labelled else None
    left_out = np.array([tx % 4 == 3 for tx in range(first, last)], np.bool_)
    surroundings = around(at, first, last, whole)
    votes = cast(at, first, last, surroundings, left_out, labels)
    by = spenders(at.tx_first_input, at.input_spends, len(at.output_value))
    rows = window(at, first, last)
    place = 0
    for tx in range(first, last):
        spent = {output: int(by[output]) for output in at.outputs_of(tx) if by[output] >= 0}
        news = {output: int(surroundings.fresh[output - rows.start]) for output in at.outputs_of(tx)}
        fresh = {output: new == 1 for output, new in news.items() if new != UNKNOWN}
        expected = reference(at, tx, spent, fresh, whole, [] if labels is None else labels.tolist())
        if expected is None or tx % 4 == 3:
            assert tx not in votes.tx
            continue
        for output, vote in expected.votes.items():
            row = votes.tx[place], votes.output[place], votes.convention[place], votes.pair[place], votes.spent[place]
            assert row == (tx, output, expected.convention[output], expected.pair, expected.spent)
            assert votes.vote[place].tolist() == vote, Feature(int(np.argmax(votes.vote[place] != vote)))
            assert votes.inputs[place] == len(at.inputs_of(tx))
            place += 1
    assert place == len(votes)


@given(change_ledgers(), st.booleans())
def test_the_votes_of_a_pair_are_opposite_and_parts_of_a_range_give_the_whole(at: LedgerArrays, whole: bool) -> None:
    votes = votes_of(at, whole)
    pairs = np.flatnonzero(votes.pair)
    assert (votes.vote[pairs[::2]] == -votes.vote[pairs[1::2]]).all()
    found = []
    for tx in range(len(at.tx_block)):
        part = cast(at, tx, tx + 1, around(at, tx, tx + 1, whole), nothing_left_out(tx, tx + 1))
        found += part.vote.tolist()
    assert found == votes.vote.tolist()


# Rules


def pay(inputs: list[tuple[int, int]], outputs: list[tuple[int, int]]) -> LedgerArrays:
    """One transaction that spends outside coins, as (address, value)."""
    coins: list[int | Output] = [Output(*coin) for coin in inputs]
    return arrays([Transaction(coins, [Output(*output) for output in outputs])], [BYTES])


@pytest.mark.parametrize(
    ("feature", "inputs", "outputs", "expected"),
    [
        (Feature.OPTIMAL, [(1, 500), (2, 400)], [(3, 500), (4, 380)], [-1, 1]),
        (Feature.OPTIMAL, [(1, 500), (2, 400)], [(3, 399), (4, 380)], [0, 0]),
        (Feature.OPTIMAL, [(1, 500), (2, 400)], [(3, 500), (4, 400)], [0, 0]),
        (Feature.OPTIMAL, [(1, 500), (2, UNKNOWN)], [(3, 500), (4, 380)], [0, 0]),
        (Feature.OPTIMAL_FEE, [(1, 500), (2, 400)], [(3, 390), (4, 300)], [0, 0]),
        (Feature.OPTIMAL_FEE, [(1, 500), (2, 400)], [(3, 390), (4, 450)], [0, 0]),
        (Feature.OPTIMAL_FEE, [(1, 500), (2, 400)], [(3, 100), (4, 700)], [1, -1]),
        (Feature.ROUND_VALUE, [(1, 9_999)], [(3, 100), (4, 1_234)], [-1, 1]),
        (Feature.ROUND_VALUE, [(1, 9_999)], [(3, 10), (4, 1_234)], [0, 0]),
        (Feature.ROUND_VALUE, [(1, 10**9)], [(3, 10**8), (4, 10**7)], [0, 0]),
        (Feature.ROUND_VALUE, [(1, 10**9)], [(3, 10**7), (4, 10**6)], [-1, 1]),
        (Feature.ROUND_VALUE, [(1, UNKNOWN)], [(3, 0), (4, 12_345)], [-1, 1]),
        (Feature.ROUND_VALUE, [(1, 10)], [(3, UNKNOWN), (4, 12_345)], [0, 0]),
        (Feature.ADDRESS_TYPE, [(1, 500)], [(3, 1), (4, 2)], [0, 0]),
        (Feature.OPTIMAL, [(1, 500), (2, 400)], [(3, 500), (3, 380)], [0, 0]),
    ],
)  # fmt: skip
def test_rules_of_amounts(
    feature: Feature, inputs: list[tuple[int, int]], outputs: list[tuple[int, int]], expected: list[int]
) -> None:
    assert said(votes_of(pay(inputs, outputs)), feature, 0) == expected


def test_optimal_change_is_below_every_input_and_with_the_fee_by_more() -> None:
    votes = votes_of(pay([(1, 500), (2, 400)], [(3, 450), (4, 390)]))
    assert said(votes, Feature.OPTIMAL, 0) == [-1, 1]
    assert said(votes, Feature.OPTIMAL_FEE, 0) == [0, 0], "the fee is 60, and 390 is not below 340"


def test_the_address_type_of_all_inputs() -> None:
    def types(spent: list[int], made: list[int]) -> list[int]:
        coins: list[int | Output] = [Output(n, 500, kind) for n, kind in enumerate(spent)]
        at = arrays([Transaction(coins, [Output(10 + n, 40, kind) for n, kind in enumerate(made)])], [STATED])
        return said(votes_of(at), Feature.ADDRESS_TYPE, 0)

    key, script, new = OutputType.P2PKH, OutputType.P2SH, OutputType.P2WPKH
    assert types([key, key], [script, key]) == [-1, 1]
    assert types([key, script], [script, key]) == [0, 0]
    assert types([new], [script, key]) == [0, 0]
    assert types([OutputType.UNSTATED], [script, OutputType.UNSTATED]) == [0, 0]
    assert types([key], [OutputType.UNSTATED, key]) == [0, 0], "what is not stated is not another type"


def test_new_addresses_vote_only_where_the_whole_chain_is_there() -> None:
    at = arrays(
        [
            Transaction([], [Output(1, 50)]),
            Transaction([0], [Output(2, 9), Output(3, 40)]),  # both new
            Transaction([1], [Output(3, 4), Output(4, 5)]),  # one new
            Transaction([2], [Output(3, 4), Output(5, 5)]),  # one new, the other returns
        ],
        [BYTES],
    )
    votes = votes_of(at)
    assert [said(votes, Feature.SHADOW, tx) for tx in (1, 2, 3)] == [[0, 0], [-1, 1], [-1, 1]]
    assert [said(votes, Feature.MEIKLEJOHN, tx) for tx in (1, 2, 3)] == [[0, 0], [-1, 1], [0, 0]]
    assert votes.convention.tolist() == [0, 0, 0, 0, Convention.SELF, 0]
    assert not votes_of(at, whole=False).vote[:, :2].any(), "earlier transactions may have named them"


def test_of_more_outputs_only_meiklejohn_s_rule_speaks() -> None:
    seen = [Output(n, 12_345) for n in range(20, 29)]
    new, data = Output(40, 100), Output(-1, 0, OutputType.OP_RETURN)

    def voted(makes: list[Output]) -> list[list[int]]:
        at = arrays([Transaction([], seen), Transaction([Output(1, 10**6)], makes)], [BYTES])
        votes = votes_of(at)
        rows: list[list[int]] = votes.vote[votes.tx == 1].tolist()
        return rows

    wide = voted([*seen[:3], new])
    assert [row[Feature.MEIKLEJOHN] for row in wide] == [-1, -1, -1, 1]
    assert sum(abs(each) for row in wide for each in row) == 4
    with_data = voted([seen[0], new, data])
    assert [row[Feature.MEIKLEJOHN] for row in with_data] == [-1, 1]
    assert sum(abs(each) for row in with_data for each in row) == 2
    assert len(voted([*seen, new])) == MAX_OUTPUTS == 10
    assert voted([*seen, new, Output(41, 3)]) == []
    assert voted([new, data]) == []


def test_what_is_left_out_and_a_coinbase_get_no_vote() -> None:
    at = arrays(
        [Transaction([], [Output(1, 5), Output(2, 5)]), Transaction([0], [Output(3, 1), Output(4, 2)])], [BYTES]
    )
    assert votes_of(at).tx.tolist() == [1, 1]
    assert len(cast(at, 0, 2, around(at, 0, 2, True), np.array([False, True]))) == 0


def test_outputs_that_return_to_an_input_or_its_cluster() -> None:
    coins: list[int | Output] = [Output(0, 9), Output(1, 9)]
    at = arrays([Transaction(coins, [Output(1, 3), Output(2, 4), Output(3, 5), Output(-1, 1)])], [BYTES])
    labels = np.array([0, 0, 0, 3], np.int32)
    assert votes_of(at).convention.tolist() == [1, 0, 0, 0]
    assert votes_of(at, labels=labels).convention.tolist() == [3, 2, 0, 0]
    assert votes_of(at, labels=labels[:2]).convention.tolist() == [3, 0, 0, 0], "later addresses have no cluster"


def fork(own: Transaction, left: Transaction, right: Transaction, proofs: list[int]) -> Votes:
    """`own` spends a coinbase; `left` spends its first output, `right` its second."""
    return votes_of(arrays([Transaction([], [Output(1, 900)]), own, left, right], proofs))


MINE = Transaction([0], [Output(2, 500), Output(3, 300)])


@pytest.mark.parametrize(
    ("feature", "fields"),
    [
        (Feature.VERSION, {"version": 2}),
        (Feature.LOCK_TIME, {"lock_time": 400_000}),
        (Feature.LOCK_TIME, {"lock_time": 500_000_000}),
        (Feature.RBF, {"sequences": [0xFFFFFFFD]}),
        (Feature.SEGWIT, {"witness": True}),
        (Feature.BIP69, {"makes": [Output(8, 5), Output(9, 4)]}),
        (Feature.IN_OUT_COUNT, {"makes": [Output(8, 5), Output(9, 6), Output(7, 7)]}),
        (Feature.OUT_COUNT, {"makes": [Output(8, 5)]}),
        (Feature.ZERO_CONF, {"block": 1}),
    ],
)
def test_fingerprints_tell_which_spender_is_alike(feature: Feature, fields: dict[str, object]) -> None:
    alike = Transaction([2], [Output(4, 5), Output(5, 6)], block=2)
    mine = Transaction([0], [Output(2, 200), Output(3, 300)], block=1)
    other = Transaction(**{"spends": [1], "makes": alike.makes, "block": 2, **fields})  # type: ignore[arg-type]
    found = fork(mine, other, alike, [BYTES] * 3) if fields.get("block") != 1 else None
    if found is None:
        at = arrays([Transaction([], [Output(1, 900)]), mine, other, alike], [BYTES] * 3)
        found = votes_of(at)
    assert said(found, feature, 1) == [-1, 1]
    silent = fork(mine, alike_of(1), alike, [BYTES] * 3)
    assert said(silent, feature, 1) == [0, 0]


def alike_of(output: int) -> Transaction:
    return Transaction([output], [Output(4, 5), Output(5, 6)], block=2)


def test_a_fingerprint_needs_both_outputs_spent_and_bytes_behind_all_three() -> None:
    mine = Transaction([0], [Output(2, 200), Output(3, 300)], block=0)
    other = Transaction([1], [Output(4, 5), Output(5, 6)], block=1, version=2)
    alike = Transaction([2], [Output(6, 5), Output(7, 6)], block=2)
    base = Transaction([], [Output(1, 900)])
    assert said(votes_of(arrays([base, mine, other, alike], [BYTES] * 3)), Feature.VERSION, 1) == [-1, 1]
    assert not votes_of(arrays([base, mine, other], [BYTES] * 3)).vote[:, FIRST_FINGERPRINT:].any()
    for stated in range(3):
        proofs = [STATED if block == stated else BYTES for block in range(3)]
        assert said(votes_of(arrays([base, mine, other, alike], proofs)), Feature.VERSION, 1) == [0, 0]


def test_a_chain_of_one_input_and_two_outputs_goes_on_where_the_next_one_is_such() -> None:
    first = Transaction([0], [Output(2, 200), Output(3, 300)])
    second = Transaction([2], [Output(4, 5), Output(5, 6)])
    at = arrays([Transaction([], [Output(1, 900)]), first, second, Transaction([1, 3], [Output(6, 1)])], [BYTES])
    votes = votes_of(at)
    assert said(votes, Feature.PEELING, 1) == [-1, 1]
    assert said(votes, Feature.PEELING, 2) == [-1, 1], "one output is swept away, the other is unspent"
    assert said(votes_of(at, whole=False), Feature.PEELING, 2) == [0, 0], "unspent, as far as is known"
    lone = arrays([Transaction([], [Output(1, 900)]), first], [BYTES])
    assert said(votes_of(lone), Feature.PEELING, 1) == [0, 0]


def test_wrapped_segwit_is_told_only_where_no_other_coin_can_have_the_witness() -> None:
    def told(types: list[int], witness: bool, proof: int = BYTES) -> int:
        coins: list[int | Output] = [Output(n, 9, kind) for n, kind in enumerate(types)]
        at = arrays([Transaction(coins, [Output(50, 1)], witness=witness)], [proof])
        mark = fingerprints(at, np.zeros(1, np.int64))[0]
        return int(mark[Feature.SEGWIT_COMPATIBLE - FIRST_FINGERPRINT])

    script, native, key = OutputType.P2SH, OutputType.P2WPKH, OutputType.P2PKH
    assert told([script, key], True) == 1
    assert told([script, native], True) == UNKNOWN
    assert told([native], True) == told([script, native], False) == 0
    assert told([script, OutputType.UNSTATED], True) == UNKNOWN
    assert told([script], True, STATED) == UNKNOWN


def test_arguments_of_another_range_are_refused() -> None:
    at = pay([(1, 5)], [(2, 3), (3, 1)])
    with pytest.raises(ValueError, match="not within 0"):
        window(at, 0, 2)
    with pytest.raises(ValueError, match="have 2 output rows"):
        cast(at, 0, 1, Surroundings(np.zeros(1, np.int64), np.zeros(2, np.int8), True), nothing_left_out(0, 1))
    with pytest.raises(ValueError, match="within 0"):
        fingerprints(at, np.array([1], np.int64))
    assert fingerprints(at, np.empty(0, np.int64)).shape == (0, FINGERPRINTS)
    assert cast(at, 1, 1, around(at, 1, 1, True), nothing_left_out(1, 1)).vote.shape == (0, FEATURES)
