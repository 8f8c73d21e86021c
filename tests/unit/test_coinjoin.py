"""The structural coinjoin rule: known forms, its edges, and the kernel against its readable twin."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.model import UNKNOWN
from clustering.bitcoin.coinjoin import CoinjoinClass, classify, input_bounds, reference
from tests.unit.ledgers import Ledger, ledgers, real_ledger

NONE, STRUCTURAL = CoinjoinClass.NONE, CoinjoinClass.STRUCTURAL


@settings(deadline=None)
@given(ledgers(), st.data())
def test_the_kernel_equals_its_readable_twin(ledger: Ledger, data: st.DataObject) -> None:
    expected = [reference(ledger.input_addresses(tx), ledger.output_values(tx)) for tx in range(len(ledger))]
    assert classify(*ledger.columns(), 0, len(ledger)).tolist() == expected
    first = data.draw(st.integers(0, len(ledger)))
    last = data.draw(st.integers(first, len(ledger)))
    assert classify(*ledger.columns(), first, last).tolist() == expected[first:last]


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        pytest.param([1, 2, 3], [50, 50, 50, 7, 8, 9], STRUCTURAL, id="three parties with change"),
        pytest.param([1, 2, 3], [50, 50, 50, 7, 8], STRUCTURAL, id="one party without change"),
        pytest.param([1, 2, 2, 1], [50, 50, 9], STRUCTURAL, id="two parties, coins of one address"),
        pytest.param([1, 2, 3], [50, 50, 7, 8, 9, 10], NONE, id="one equal payment too few"),
        pytest.param([1, 2, 3], [50, 50, 50, 50, 7, 8], NONE, id="one equal payment too many"),
        pytest.param([1, 2], [50, 50, 50, 7, 8], NONE, id="fewer inputs than parties"),
        pytest.param([1, 1, 2], [50, 50, 50, 7, 8], NONE, id="fewer addresses than parties"),
        pytest.param([1, 2, -1], [50, 50, 50, 7, 8], NONE, id="an unknown address is no party"),
        pytest.param([1, 2, 3, -1], [50, 50, 50, 7, 8], STRUCTURAL, id="enough known addresses"),
        pytest.param([1], [50, 50, 9], NONE, id="one input"),
        pytest.param([], [50, 50, 9], NONE, id="no input"),
        pytest.param([1, 2], [50, 50], NONE, id="two outputs"),
        pytest.param([1, 2], [546, 546, 9], NONE, id="dust of 546"),
        pytest.param([1, 2], [2730, 2730, 9], NONE, id="dust of 2,730"),
        pytest.param([1, 2], [546, 546, 9, 9], STRUCTURAL, id="dust, and another value as often"),
        pytest.param([1, 2], [0, 0, 9], STRUCTURAL, id="zero is a value like others"),
        pytest.param([1, 2], [UNKNOWN, UNKNOWN, 9], NONE, id="unknown values are not equal"),
        pytest.param([1, 2], [50, 50, UNKNOWN], STRUCTURAL, id="an unknown value is an output"),
        pytest.param([1, 2, 3, 4, 5], [5] * 5, NONE, id="a Whirlpool mix is missed"),
    ],
)
def test_forms(inputs: list[int], outputs: list[int], expected: CoinjoinClass) -> None:
    ledger = Ledger.of([(inputs, [(6, value) for value in outputs])])
    assert classify(*ledger.columns(), 0, len(ledger))[-1] == expected
    assert reference(inputs, outputs) == expected


def test_what_it_finds_of_real_transactions(data: Path) -> None:
    ledger, labels = real_ledger(data)
    classes = classify(*ledger.columns(), 0, len(ledger)).tolist()
    assert classes == [reference(ledger.input_addresses(tx), ledger.output_values(tx)) for tx in range(len(ledger))]
    known = Counter(labels)
    found = Counter(label for label, form in zip(labels, classes, strict=True) if form == STRUCTURAL)
    rates = {label: (found[label], known[label]) for label in ("whirlpool", "wasabi2", "wasabi1", "joinmarket_like")}
    assert rates == {
        "whirlpool": (0, 698),
        "wasabi2": (0, 16),
        "wasabi1": (7, 169),
        "joinmarket_like": (227, 292),
    }


def test_a_range_outside_the_transactions_is_refused() -> None:
    starts = np.array([0, 2, 2], np.int64)
    assert input_bounds(starts, 5, 0, 3).tolist() == [0, 2, 2, 5]
    assert input_bounds(starts, 5, 1, 2).tolist() == [2, 2]
    assert input_bounds(starts, 5, 3, 3).tolist() == [5]
    for first, last in ((-1, 2), (2, 1), (0, 4)):
        with pytest.raises(ValueError, match=r"are not within 0\.\.3"):
            input_bounds(starts, 5, first, last)
