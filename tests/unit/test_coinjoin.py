"""Coinjoins and look-alikes: every form and its edges, lineage, real transactions, and the kernel's readable twin."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.model import UNKNOWN, OutputType, Signing
from clustering.bitcoin.coinjoin import CLASSES, CoinjoinClass, Kind, classify, joins
from clustering.bitcoin.coinjoin.reference import Shape, Side, reference
from clustering.bitcoin.ledger import Ledger, input_bounds
from tests.unit import shapes
from tests.unit.shapes import LATER, P2PKH, RETURN, ledger_of, mix, plain, sides

C = CoinjoinClass


def class_of(*txs: Shape) -> CoinjoinClass:
    """The class of the last of `txs`, by the kernel and by its twin."""
    found = classify(ledger_of(txs), len(txs) - 1, len(txs))[0]
    at_hand = [parent if any(parent is each for each in txs) else None for parent in txs[-1].parents]
    assert found == reference(replace(txs[-1], parents=at_hand))
    return CoinjoinClass(found)


@settings(max_examples=400)
@given(st.lists(st.one_of(shapes.perturbed(), shapes.small()), max_size=6), st.data())
def test_the_kernel_equals_its_readable_twin(txs: list[Shape], data: st.DataObject) -> None:
    expected = [reference(tx) for tx in txs]
    ledger = ledger_of(txs)
    assert classify(ledger, 0, len(txs)).tolist() == expected
    first = data.draw(st.integers(0, len(txs)))
    last = data.draw(st.integers(first, len(txs)))
    assert classify(ledger, first, last).tolist() == expected[first:last]


@pytest.mark.parametrize(
    ("tx", "expected"),
    [
        pytest.param(shapes.joinmarket(), C.JOINMARKET, id="JoinMarket"),
        pytest.param(replace(shapes.joinmarket(), time=1_400_000_000), C.STRUCTURAL, id="its form before it was there"),
        pytest.param(shapes.joinmarket(value=2_730), C.POSSIBLE, id="equal outputs of dust"),
        pytest.param(shapes.joinmarket(3), C.JOINMARKET, id="three parties"),
        pytest.param(shapes.wasabi_1(), C.WASABI_1_0, id="Wasabi 1.0"),
        pytest.param(shapes.wasabi_1(value=5_004_000), C.WASABI_1_0, id="Wasabi 1.0 of 2018"),
        pytest.param(shapes.wasabi_1(value=7_000_000), C.POSSIBLE, id="of another denomination"),
        pytest.param(shapes.wasabi_1(levels=[20_024_690] * 3), C.WASABI_1_1, id="Wasabi 1.1"),
        pytest.param(shapes.wasabi_1(levels=[20_024_690]), C.POSSIBLE, id="one output is no level"),
        pytest.param(shapes.wabisabi(), C.WABISABI, id="WabiSabi"),
        pytest.param(shapes.wabisabi(10), C.WABISABI, id="WabiSabi of ten"),
        pytest.param(shapes.wabisabi(9), C.POSSIBLE, id="of nine"),
        pytest.param(mix([None] * 5), C.WHIRLPOOL, id="Whirlpool 5 x 5"),
        pytest.param(mix([None] * 8, 50_000_000), C.WHIRLPOOL, id="Whirlpool 8 x 8"),
        pytest.param(mix([None] * 4), C.POSSIBLE, id="4 x 4"),
        pytest.param(mix([None] * 9), C.POSSIBLE, id="9 x 9"),
        pytest.param(mix([None] * 5, 1_000_001), C.POSSIBLE, id="no pool's denomination"),
        pytest.param(shapes.tx0(), C.TX0, id="Tx0"),
        pytest.param(shapes.tx0(premix=70), C.TX0, id="Tx0 of 70"),
        pytest.param(shapes.tx0(premix=71), C.NONE, id="Tx0 of 71"),
        pytest.param(shapes.tx0(fee=10_000, change=None), C.NONE, id="no fee of the pool"),
        pytest.param(shapes.stonewall(), C.STONEWALL, id="Stonewall"),
        pytest.param(plain([12, 6], [5, 5, 3, 4]), C.STRUCTURAL, id="too small for a Stonewall, still structural"),
        pytest.param(shapes.payjoin(), C.PAYJOIN, id="payjoin"),
        pytest.param(plain([30_000, 40_000], [60_000, 9_000]), C.NONE, id="both inputs are needed"),
        pytest.param(plain([53, 52], [50, 50]), C.POSSIBLE, id="two equal payments"),
        pytest.param(plain([600, 5], [300, 300]), C.PAYJOIN, id="two equal payments, one input needed"),
        pytest.param(plain([50, 51, 52], [7, 8, 9, 100]), C.NONE, id="nothing equal"),
        pytest.param(plain([50], [25, 25]), C.NONE, id="one input"),
        pytest.param(plain([], [25, 25]), C.NONE, id="a coinbase"),
        pytest.param(Shape([], [RETURN, *sides([1_003_217, 50_000])]), C.NONE, id="a coinbase like a Tx0"),
    ],
)
def test_forms(tx: Shape, expected: CoinjoinClass) -> None:
    assert class_of(tx) == expected


def values_at(inputs: list[int], outputs: list[int]) -> Shape:
    """Inputs at these addresses, large enough for anything; outputs of these values to one address."""
    return Shape(
        [Side(each, 1_000, P2PKH) for each in inputs], [Side(77, value, P2PKH) for value in outputs], time=LATER
    )


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        pytest.param([1, 2, 3], [50, 50, 50, 7, 8, 9], C.STRUCTURAL, id="three parties with change"),
        pytest.param([1, 2, 3], [50, 50, 50, 7, 8], C.STRUCTURAL, id="one party without change"),
        pytest.param([1, 2, 2, 1], [50, 50, 9], C.STRUCTURAL, id="two parties, coins of one address"),
        pytest.param([1, 2, 3], [50, 50, 7, 8, 9, 10], C.POSSIBLE, id="one equal payment too few"),
        pytest.param([1, 2, 3], [50, 50, 50, 50, 7, 8], C.POSSIBLE, id="one equal payment too many"),
        pytest.param([1, 1, 2], [50, 50, 50, 7, 8], C.POSSIBLE, id="fewer addresses than parties"),
        pytest.param([1, 1, 1], [50, 50, 50, 7, 8], C.NONE, id="one address"),
        pytest.param([1, 2, 3, -1], [50, 50, 50, 7, 8], C.STRUCTURAL, id="enough known addresses"),
        pytest.param([1, 2], [546, 546, 9, 9], C.STRUCTURAL, id="dust, and another value as often"),
        pytest.param([1, 2], [UNKNOWN, UNKNOWN, 9], C.NONE, id="unknown values are not equal"),
        pytest.param([1, 2], [50, 50, UNKNOWN], C.STRUCTURAL, id="an unknown value is an output"),
    ],
)
def test_structural_forms(inputs: list[int], outputs: list[int], expected: CoinjoinClass) -> None:
    assert class_of(values_at(inputs, outputs)) == expected


def test_what_no_two_sides_can_pay_is_one_party_s() -> None:
    """One address brings everything: nobody else can have paid an equal share."""
    assert class_of(plain([900_000, 1_000], [400_000, 400_000, 99_000, 1_000])) == C.NONE
    assert class_of(plain([900_000, 401_000], [400_000, 400_000, 99_000, 400_500])) == C.STONEWALL
    unknown = Shape([Side(1, 900_000), Side(2, UNKNOWN)], sides([400_000, 400_000, 99_000, 1_000], 5))
    assert class_of(unknown) == C.STONEWALL, "what is not known may be enough"


def test_equal_payments_back_to_own_addresses_are_no_possible_coinjoin() -> None:
    own = Shape(sides([60, 50]), [Side(0, 40), Side(1, 40), Side(9, 20)], time=LATER)
    assert class_of(replace(own, outputs=[Side(8, 40), Side(9, 40), Side(0, 20), Side(1, 5)])) != C.NONE
    assert class_of(own) == C.STRUCTURAL, "BlockSci's rule does not ask to whom"
    assert class_of(replace(own, outputs=[*own.outputs, Side(3, 1), Side(4, 2)])) == C.NONE


@pytest.mark.parametrize("kind", [P2PKH, OutputType.P2SH, OutputType.P2WSH])
def test_wasabi_makes_segwit_alone(kind: OutputType) -> None:
    for tx in (shapes.wasabi_1(), shapes.wabisabi()):
        assert class_of(replace(tx, inputs=[*tx.inputs, Side(555, 100, kind)])) not in (C.WASABI_1_0, C.WABISABI)
        stated = [replace(side, type=OutputType.UNSTATED) for side in tx.inputs]
        assert class_of(replace(tx, inputs=stated)) == class_of(tx), "a type that is not stated contradicts nothing"


def test_round_sums_are_a_person_s() -> None:
    """A batch of round sums, each paid several times, has only denominations that are multiples of 5,000."""
    outputs = [value for value in (100_000, 200_000, 500_000, 1_000_000) for _ in range(5)]
    assert class_of(plain([700_000 + n for n in range(20)], outputs)) == C.POSSIBLE


def test_an_open_signature_joins_nothing() -> None:
    sale = replace(plain([30_000, 40_000], [60_000, 9_000]), signing=Signing.ANYONECANPAY)
    assert class_of(sale) == C.ANYONECANPAY
    assert class_of(replace(sale, signing=Signing.WHOLE)) == C.NONE
    one = replace(sale, inputs=sides([30_000])[:1])
    assert class_of(one) == C.NONE, "with one address there is nothing to join"
    assert class_of(replace(shapes.joinmarket(), signing=Signing.ANYONECANPAY)) == C.ANYONECANPAY


def test_lineage() -> None:
    entry = shapes.tx0(premix=4)
    premix = [side for side in entry.outputs if side.value == 1_003_217]
    first = mix([(entry, premix[0]), (entry, premix[1]), None, None, None])
    assert class_of(entry, first) == C.WHIRLPOOL, "three parents are not at hand"
    start = mix([(entry, each) for each in premix] + [None])
    other = shapes.tx0(premix=5)
    others = [(other, side) for side in other.outputs if side.value == 1_003_217]
    full = mix(others)
    assert class_of(other, full) == C.WHIRLPOOL_LINEAGE
    later = mix([(full, side) for side in full.outputs[:4]] + [(entry, premix[2])])
    assert class_of(other, entry, full, later) == C.WHIRLPOOL_LINEAGE
    assert class_of(full, later) == C.WHIRLPOOL, "the Tx0 is not at hand"
    wrong = shapes.tx0(50_000_000, 1_750_000, premix=1)
    coin = Side(5_000, 1_003_217)
    foreign = replace(wrong, outputs=[*wrong.outputs[:-1], coin])
    mixed = mix([*others[:4], (foreign, coin)])
    assert class_of(other, foreign, mixed) == C.WHIRLPOOL, "one comes from what is no Tx0"
    reused = mix([(start, start.outputs[0]), *others[:4]])
    payment = Shape(sides([5_000_000]), sides([1_000_000, 3_999_000], 6_000), time=LATER)
    loose = replace(reused, inputs=[payment.outputs[0], *reused.inputs[1:]], parents=[payment, *reused.parents[1:]])
    assert class_of(other, payment, loose) == C.WHIRLPOOL, "a coin of the denomination that no mix made"


def test_every_class_is_told_and_only_one_party_s_forms_join() -> None:
    assert set(CLASSES) == set(CoinjoinClass)
    classes = np.array(list(CoinjoinClass), np.uint8)
    assert [CoinjoinClass(each) for each in classes[joins(classes)]] == [C.NONE, C.TX0]
    for kind, facts in CLASSES.items():
        assert facts.form, kind
        assert facts.source, kind
        assert facts.fails, kind
        assert (facts.kind == Kind.NONE) == (kind == C.NONE)


@pytest.fixture(scope="module")
def real(data: Path) -> tuple[list[Shape], list[str], list[CoinjoinClass]]:
    txs, labels, _ = shapes.real_shapes(data)
    classes = [CoinjoinClass(each) for each in classify(_in_chain_order(txs)[0], 0, len(txs))]
    order = _in_chain_order(txs)[1]
    by_place = dict(zip(order, classes, strict=True))
    return txs, labels, [by_place[place] for place in range(len(txs))]


def _in_chain_order(txs: list[Shape]) -> tuple[Ledger, list[int]]:
    order = sorted(range(len(txs)), key=lambda place: txs[place].time)
    return ledger_of([txs[place] for place in order]), order


Real = tuple[list[Shape], list[str], list[CoinjoinClass]]


def test_the_twin_agrees_on_real_transactions(real: Real) -> None:
    txs, _, classes = real
    assert [reference(tx) for tx in txs] == classes


def test_listed_rounds_are_found(real: Real) -> None:
    """Every Whirlpool mix, Wasabi 1 and Wasabi 2 round of others' lists; a real Tx0 is never kept apart."""
    _, labels, classes = real
    found = Counter(zip(labels, classes, strict=True))
    whirlpool = found["whirlpool", C.WHIRLPOOL] + found["whirlpool", C.WHIRLPOOL_LINEAGE]
    assert (whirlpool, labels.count("whirlpool")) == (698, 698)
    assert (found["wasabi1", C.WASABI_1_0] + found["wasabi1", C.WASABI_1_1], labels.count("wasabi1")) == (169, 169)
    assert (found["wasabi2", C.WABISABI], labels.count("wasabi2")) == (16, 16)
    tx0 = Counter({kind: number for (label, kind), number in found.items() if label == "whirlpool_tx0"})
    assert set(tx0) <= {C.TX0, C.WHIRLPOOL, C.WHIRLPOOL_LINEAGE}, "a sixth of this list are mixes"
    assert tx0[C.TX0] == 391


def test_nothing_of_whole_blocks_is_called_a_coinjoin_without_a_form(real: Real) -> None:
    _, labels, classes = real
    called = [
        kind for label, kind in zip(labels, classes, strict=True) if not label and CLASSES[kind].kind == Kind.COINJOIN
    ]
    assert Counter(called) == {C.STRUCTURAL: 1, C.WHIRLPOOL: 1}


def test_a_range_outside_the_transactions_is_refused() -> None:
    starts = np.array([0, 2, 2], np.int64)
    assert input_bounds(starts, 5, 0, 3).tolist() == [0, 2, 2, 5]
    assert input_bounds(starts, 5, 1, 2).tolist() == [2, 2]
    assert input_bounds(starts, 5, 3, 3).tolist() == [5]
    for first, last in ((-1, 2), (2, 1), (0, 4)):
        with pytest.raises(ValueError, match=r"are not within 0\.\.3"):
            input_bounds(starts, 5, first, last)
