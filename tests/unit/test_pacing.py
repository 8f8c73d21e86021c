"""The window, the batch size and the breaker, by what they were told."""

from __future__ import annotations

import pytest

from chain.ethereum.pacing import (
    FIRST_COOLING,
    GROWTH,
    LONGEST_COOLING,
    TRIPS,
    BatchSize,
    Breaker,
    Window,
)
from chain.ethereum.refusals import Verdict, judge


def test_the_window_halves_once_a_round_and_grows_slowly() -> None:
    window = Window(8)
    with window.turn() as first, window.turn() as second:
        window.shrink(first)
        window.shrink(second)
    assert window.size == 4
    with window.turn() as later:
        window.shrink(later)
    assert window.size == 2
    for _ in range(2):
        window.grow()
    assert window.size == 2
    window.grow()
    assert window.size == 3
    for _ in range(100):
        window.grow()
    assert window.size == 8


def test_the_window_never_closes() -> None:
    window = Window(1)
    for _ in range(3):
        with window.turn() as begun:
            window.shrink(begun)
    assert window.size == 1


def test_batches_shrink_by_what_was_too_large_and_grow_by_one() -> None:
    batch = BatchSize(32)
    batch.shrink(32)
    batch.shrink(32)  # told by a request that was under way
    assert batch.size == 16
    for _ in range(GROWTH - 1):
        batch.grow(16)
    batch.grow(3)  # a small request says nothing of large ones
    assert batch.size == 16
    batch.grow(16)
    assert batch.size == 17
    batch.refuse()
    for _ in range(3 * GROWTH):
        batch.grow(1)
    assert batch.size == 1


def test_the_breaker_opens_cools_and_lets_one_try() -> None:
    breaker = Breaker()
    for _ in range(TRIPS - 1):
        assert breaker.permit(0) == 0
        breaker.failed(0)
    assert breaker.permit(0) == 0
    breaker.failed(0)
    assert breaker.permit(FIRST_COOLING / 2) == FIRST_COOLING / 2
    assert breaker.permit(FIRST_COOLING) == 0
    assert breaker.permit(FIRST_COOLING) > 0, "one at a time"
    breaker.failed(FIRST_COOLING)
    assert breaker.permit(2 * FIRST_COOLING) == FIRST_COOLING, "twice as long as the first time"
    assert breaker.permit(3 * FIRST_COOLING) == 0
    breaker.succeeded()
    assert breaker.permit(3 * FIRST_COOLING) == breaker.permit(3 * FIRST_COOLING) == 0


def test_the_breaker_never_waits_for_ever() -> None:
    breaker = Breaker()
    for _ in range(100):
        breaker.failed(0)
    assert breaker.permit(0) <= LONGEST_COOLING


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ({"code": -32601, "message": "the method x does not exist/is not available"}, Verdict.MISSING),
        ({"code": -32005, "message": "daily request count exceeded"}, Verdict.LATER),
        ({"code": -32000, "message": "execution timeout"}, Verdict.LATER),
        ({"code": -32000, "message": "missing trie node 12 (path )"}, Verdict.PRUNED),
        ({"code": 4444, "message": "no"}, Verdict.PRUNED),
        ({"code": -32000, "message": "batch too large"}, Verdict.SMALLER),
        ({"code": -32003, "message": "response size exceeded"}, Verdict.SMALLER),
        ({"code": -32000, "message": "execution reverted"}, Verdict.REVERTED),
        ({"code": 3, "message": "execution reverted: too many requests"}, Verdict.REVERTED),
        ({"code": -32000, "message": "invalid opcode: INVALID"}, Verdict.REVERTED),
        ({"code": -32000, "message": "unauthorized"}, Verdict.REFUSED),
        ("nonsense", Verdict.REFUSED),
        ({"message": None}, Verdict.REFUSED),
    ],
)  # fmt: skip
def test_errors_are_judged_by_code_and_words(error: object, verdict: Verdict) -> None:
    assert judge(error).verdict is verdict
