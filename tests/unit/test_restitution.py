"""What is left, given back: by each rule to the last unit, and to nobody more than was lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clustering.scheme.restitution import by_fifo, by_net_loss, pro_rata


def test_what_is_left_is_of_the_last_payments() -> None:
    assert by_fifo(70, [(1, 50), (2, 40), (1, 20)], {1: 70, 2: 40}) == {1: 30, 2: 40}


def test_who_had_more_back_than_paid_gets_nothing() -> None:
    assert by_fifo(70, [(1, 50), (3, 60)], {1: 50}) == {1: 50}
    assert pro_rata(70, {1: 50, 3: 60}, {1: 50}) == {1: 50}


def test_by_what_was_paid_and_by_what_was_lost() -> None:
    # both paid 100; one had 80 back
    assert pro_rata(60, {1: 100, 2: 100}, {1: 100, 2: 20}) == {1: 40, 2: 20}
    assert by_net_loss(60, {1: 100, 2: 20}) == {1: 50, 2: 10}


AMOUNTS = st.integers(0, 10**30)


@given(AMOUNTS, st.lists(st.tuples(st.integers(0, 4), st.integers(1, 10**28)), min_size=1), st.data())
def test_each_rule_gives_all_that_it_can_and_no_more(
    remaining: int, payments: list[tuple[int, int]], data: st.DataObject
) -> None:
    weights: dict[int, int] = {}
    for who, amount in payments:
        weights[who] = weights.get(who, 0) + amount
    losses = {who: data.draw(st.integers(1, paid)) for who, paid in sorted(weights.items())}
    most = min(remaining, sum(losses.values()))
    for given_back in (
        by_fifo(remaining, payments, losses), pro_rata(remaining, weights, losses), by_net_loss(remaining, losses)
    ):  # fmt: skip
        assert sum(given_back.values()) == most
        assert all(0 <= given_back[who] <= loss for who, loss in losses.items())
