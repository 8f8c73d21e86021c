"""The additive model of change, ground truth, fitting and rates."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.model import UNKNOWN
from clustering.bitcoin.change.features import FACTS, FEATURES, Convention, Family, Feature
from clustering.bitcoin.change.measure import (
    COLLAPSE_PERCENT,
    evaluate,
    fit,
    fit_strata,
    pairs,
    strata,
    stratum,
    truth,
)
from clustering.bitcoin.change.model import (
    ERA_BLOCKS,
    MARGIN,
    PUBLISHED_WEIGHTS,
    Lead,
    Standing,
    Stratum,
    Weights,
    convention_words,
    lead,
    reference_score,
    scores,
)
from clustering.bitcoin.change.votes import Votes
from clustering.levels import lower_bound
from tests.unit.change_ledgers import Output, Transaction, arrays
from tests.unit.test_change_votes import votes_of

VOTE_ROWS = st.lists(st.lists(st.sampled_from((-1, 0, 1)), min_size=FEATURES, max_size=FEATURES), max_size=5)
WEIGHTS = st.lists(st.integers(-9_999, 9_999), min_size=FEATURES, max_size=FEATURES)


def of_pair(first: dict[Feature, int], **fields: object) -> Votes:
    """Two outputs, 7 and 8, of transaction 3; `first`: the votes on the first."""
    vote = np.zeros((2, FEATURES), np.int8)
    for feature, each in first.items():
        vote[:, feature] = each, -each
    votes = Votes(
        np.array([3, 3]), np.array([7, 8]), vote, np.zeros(2, np.uint8), np.ones(2, np.bool_),
        np.ones(2, np.int32), np.ones(2, np.bool_),
    )  # fmt: skip
    return replace(votes, **fields)  # type: ignore[arg-type]


# Facts


@pytest.mark.parametrize("feature", Feature)
def test_a_weight_is_the_log_odds_of_the_published_precision(feature: Feature) -> None:
    facts = FACTS[feature]
    if facts.precision_ppm is None:
        assert facts.weight == 0
        return
    p = facts.precision_ppm / 1_000_000
    assert facts.weight == round(1_000 * math.log(p / (1 - p)))


@pytest.mark.parametrize("feature", Feature)
def test_every_feature_is_documented_with_its_rates(feature: Feature) -> None:
    facts = FACTS[feature]
    text = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()
    rates = [
        "none" if ppm is None else f"{ppm // 10_000}.{ppm % 10_000 // 100:02d} %"
        for ppm in (facts.precision_ppm, facts.coverage_ppm)
    ]
    cells = (facts.name, facts.claim, facts.family, *rates, str(facts.weight), facts.source)
    assert f"| {' | '.join(cells)} |" in text


def test_published_bounds_lie_just_below_the_published_rates() -> None:
    for facts in FACTS.values():
        assert (facts.lower_ppm is None) == (facts.coverage_ppm is None)
        if facts.lower_ppm is not None and facts.precision_ppm is not None:
            assert facts.precision_ppm - 500 < facts.lower_ppm < facts.precision_ppm


def test_every_feature_and_every_family_is_used() -> None:
    assert set(FACTS) == set(Feature)
    assert {facts.family for facts in FACTS.values()} == set(Family)
    assert len({facts.name for facts in FACTS.values()}) == FEATURES


def test_the_margin_is_the_bound_of_the_lowest_level() -> None:
    assert round(1_000 * math.log(0.95 / 0.05)) == MARGIN


# Scores


@given(VOTE_ROWS, WEIGHTS, st.booleans())
def test_scores_equal_their_readable_twin(rows: list[list[int]], numbers: list[int], by_family: bool) -> None:
    weights = Weights(np.array([abs(each) for each in numbers] if by_family else numbers, np.int64), by_family, "test")
    vote = np.array(rows, np.int8).reshape(-1, FEATURES)
    found = scores(vote, weights)
    assert found.tolist() == [reference_score(row, weights) for row in rows]
    assert (scores(-vote, weights) == -found).all()


def test_of_a_family_the_strongest_vote_counts_once() -> None:
    def of(**signs: int) -> int:
        row = np.zeros((1, FEATURES), np.int8)
        for name, sign in signs.items():
            row[0, Feature[name]] = sign
        return int(scores(row, PUBLISHED_WEIGHTS)[0])

    assert of(SHADOW=1) == of(SHADOW=1, MEIKLEJOHN=1) == 3_173
    assert of(OPTIMAL=1, OPTIMAL_FEE=1, ROUND_VALUE=1) == of(ROUND_VALUE=1) == 3_504
    assert of(OPTIMAL=1, ROUND_VALUE=-1) == 2_453 - 3_504
    assert of(SHADOW=1, LOCK_TIME=1) == 3_173 + 4_647
    assert of(PEELING=1) == 0


def test_scores_refuse_votes_of_other_features() -> None:
    with pytest.raises(ValueError, match="not 17"):
        scores(np.zeros((1, 3), np.int8), PUBLISHED_WEIGHTS)


# Leads


def test_a_lead_names_an_output_with_its_evidence() -> None:
    found = lead(of_pair({Feature.SHADOW: 1, Feature.MEIKLEJOHN: 1, Feature.ADDRESS_TYPE: -1, Feature.VERSION: 1}), 500)
    assert (found.standing, found.output, found.score) == (Standing.LEAD, 7, 3_173 - 2_049 + 4_178)
    assert [(vote.feature, vote.output, vote.weight, vote.counted) for vote in found.votes] == [
        (Feature.SHADOW, 7, 3_173, True),
        (Feature.MEIKLEJOHN, 7, 3_173, False),
        (Feature.ADDRESS_TYPE, 8, 2_049, True),
        (Feature.VERSION, 7, 4_178, True),
    ]
    assert found.stratum == Stratum(1, True, 0)


@given(VOTE_ROWS.filter(bool))
def test_the_votes_that_count_add_up_to_the_score(rows: list[list[int]]) -> None:
    votes = of_pair({Feature(place): each for place, each in enumerate(rows[0])})
    found = lead(votes, UNKNOWN)
    sums = [sum(vote.weight for vote in found.votes if vote.counted and vote.output == output) for output in (7, 8)]
    assert found.score == abs(sums[0] - sums[1])
    assert (found.output is None) == (found.score < MARGIN)
    assert found.output is None or sums[found.output - 7] > sums[8 - found.output]


@pytest.mark.parametrize(
    ("first", "standing", "output"),
    [
        ({}, Standing.UNDECIDED, None),
        ({Feature.OPTIMAL: 1}, Standing.UNDECIDED, None),
        ({Feature.OPTIMAL: -1, Feature.ADDRESS_TYPE: -1}, Standing.LEAD, 8),
        ({Feature.SHADOW: 1, Feature.ROUND_VALUE: -1}, Standing.UNDECIDED, None),
        ({Feature.PEELING: 1}, Standing.UNDECIDED, None),
    ],
)
def test_below_the_margin_nothing_is_named(first: dict[Feature, int], standing: Standing, output: int | None) -> None:
    found = lead(of_pair(first), 1)
    assert (found.standing, found.output) == (standing, output)


def test_change_by_convention_is_no_lead() -> None:
    bits = np.array([0, Convention.SELF | Convention.CLUSTER], np.uint8)
    found = lead(of_pair({Feature.SHADOW: 1}, convention=bits), 1)
    assert found == Lead(Standing.CONVENTION, None, None, None, (), {8: 3})
    assert convention_words(3) == "change paid back to an input's own address"
    assert "co-spend convention" in convention_words(Convention.CLUSTER)


def test_what_is_no_pair_has_votes_and_no_score() -> None:
    found = lead(of_pair({Feature.MEIKLEJOHN: 1}, pair=np.zeros(2, np.bool_)), 1)
    assert (found.standing, found.output, found.score, found.stratum) == (Standing.UNDECIDED, None, None, None)
    assert [(vote.feature, vote.counted) for vote in found.votes] == [(Feature.MEIKLEJOHN, False)]


def test_a_lead_is_of_one_transaction() -> None:
    with pytest.raises(ValueError, match="2 transactions"):
        lead(of_pair({}, tx=np.array([3, 4])), 1)


def test_strata_name_inputs_what_is_spent_and_the_era() -> None:
    assert str(Stratum.of(1, True, ERA_BLOCKS)) == "1 input, both outputs spent, heights 52560 to 105119"
    assert str(Stratum.of(2, False, UNKNOWN)) == "2 inputs, not both outputs spent, height not known"
    assert Stratum.of(9, True, 0) == Stratum.of(3, True, ERA_BLOCKS - 1)


# Ground truth, fitting and rates

PAYER, PAYEE, CHANGE = 0, 1, 2


def payments(shapes: list[tuple[bool, bool]]) -> tuple[Votes, np.ndarray, object]:
    """Payments of cluster 0 with two outputs that are spent; of each, whether the first and second are its own."""
    transactions: list[Transaction] = []
    labels: list[int] = []
    row = 0
    for place, own in enumerate(shapes):
        address = 10 * place
        transactions.append(Transaction([Output(address, 900)], [Output(address + 1, 500), Output(address + 2, 300)]))
        transactions.append(Transaction([row + 1], [Output(address + 3, 1)]))
        transactions.append(Transaction([row + 2], [Output(address + 4, 1)]))
        first = 5 * place
        labels += [0, *(0 if each else first + 1 + n for n, each in enumerate(own)), first + 3, first + 4]
        row += 5
    at = arrays(transactions, [0])
    by = np.array(labels, np.int32)
    return votes_of(at, labels=by), by, at


def test_truth_is_what_exactly_one_output_in_the_payer_s_cluster_tells() -> None:
    votes, labels, at = payments([(True, False), (False, True), (False, False)] * 4)
    found = truth(at, votes, labels)  # type: ignore[arg-type]
    assert found.row.tolist() == [row for place, row in enumerate(pairs(votes).tolist()) if place % 3 < 2]
    assert found.first_is_change.tolist() == [True, False] * 4


@pytest.mark.parametrize(("others", "kept"), [(9, 0), (10, 10)])
def test_a_cluster_that_pays_itself_twice_too_often_is_left_out(others: int, kept: int) -> None:
    votes, labels, at = payments([(True, True), *[(True, False)] * others])
    assert COLLAPSE_PERCENT * (others + 1) <= 100 or kept
    assert len(truth(at, votes, labels).row) == kept  # type: ignore[arg-type]


def test_truth_leaves_out_returned_and_unspent_outputs() -> None:
    votes, labels, at = payments([(True, False)] * 3)
    convention, spent = votes.convention.copy(), votes.spent.copy()
    convention[0] |= Convention.SELF
    spent[2:4] = False
    found = truth(at, replace(votes, convention=convention, spent=spent), labels)  # type: ignore[arg-type]
    assert found.row.tolist() == [4]


def drawn(seed: int, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Votes by three features of precision 0.95, 0.8 and 0.5; the first is copied into a fourth."""
    random = np.random.default_rng(seed)
    change = random.random(count) < 0.5
    vote = np.zeros((count, FEATURES), np.int8)
    for feature, precision in ((0, 0.95), (2, 0.8), (5, 0.5)):
        right = random.random(count) < precision
        vote[:, feature] = np.where(right == change, 1, -1) * (random.random(count) < 0.7)
    vote[:, 1] = vote[:, 0]
    return vote, change


def test_a_fit_finds_the_log_odds_and_shares_them_among_copies() -> None:
    vote, change = drawn(1)
    weights = fit(vote, change, "test")
    found = weights.milli_nats.tolist()
    assert found[0] == found[1]
    assert abs(found[0] + found[1] - 1_000 * math.log(0.95 / 0.05)) < 150
    assert abs(found[2] - 1_000 * math.log(0.8 / 0.2)) < 100
    assert abs(found[5]) < 100
    assert not any(found[6:])
    assert not weights.by_family


def test_a_fit_does_not_depend_on_which_output_comes_first() -> None:
    vote, change = drawn(2, 3_000)
    assert (fit(vote, change, "").milli_nats == fit(-vote, ~change, "").milli_nats).all()


def test_a_feature_that_is_never_wrong_stays_finite() -> None:
    vote = np.zeros((500, FEATURES), np.int8)
    vote[:, 3] = 1
    found = fit(vote, np.ones(500, np.bool_), "").milli_nats
    assert 2_000 < int(found[3]) < 10_000


def test_each_stratum_is_fitted_on_its_own() -> None:
    vote, change = drawn(3, 6_000)
    half = np.arange(6_000) % 2
    change = change ^ (half == 1)
    found = fit_strata(vote, change, half, "test")
    assert list(found) == [0, 1]
    assert found[0].milli_nats[2] > 1_000
    assert found[1].milli_nats[2] < -1_000
    assert found[1].origin == "test; 1 input, both outputs spent, height not known"


@pytest.mark.parametrize(("votes", "truths"), [(0, 0), (3, 2)])
def test_nothing_to_fit_is_refused(votes: int, truths: int) -> None:
    with pytest.raises(ValueError, match=f"{truths} transactions"):
        fit(np.zeros((votes, FEATURES), np.int8), np.zeros(truths, np.bool_), "")


@given(st.lists(st.tuples(st.integers(-9, 9), st.booleans(), st.integers(0, 2)), max_size=30))
def test_rates_count_what_is_named_right_and_wrong(rows: list[tuple[int, bool, int]]) -> None:
    score, change, of = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.zeros(0),) * 3
    found = evaluate(score.astype(np.int64), change.astype(np.bool_), of.astype(np.int64), [1, 5])
    assert [(rate.stratum, rate.threshold) for rate in found] == [
        (each, threshold) for each in sorted({row[2] for row in rows}) for threshold in (1, 5)
    ]
    for rate in found:
        here = [row for row in rows if row[2] == rate.stratum]
        named = [row for row in here if abs(row[0]) >= rate.threshold]
        assert rate.trials == len(here)
        assert rate.right == sum((each > 0) == is_change for each, is_change, _ in named)
        assert rate.right + rate.wrong == len(named)
        assert rate.lower_ppm == lower_bound(rate.right, len(named))


def test_a_threshold_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above zero"):
        evaluate(np.zeros(1, np.int64), np.ones(1, np.bool_), np.zeros(1, np.int64), [0])


def test_strata_of_votes_are_told_by_inputs_and_by_what_is_spent() -> None:
    votes = of_pair({}, inputs=np.array([1, 7], np.int32), spent=np.array([True, False]))
    assert strata(votes).tolist() == [1, 4]
    numbers = strata(votes, np.array([2 * ERA_BLOCKS, UNKNOWN], np.int32))
    assert [stratum(number) for number in numbers.tolist()] == [Stratum(1, True, 2), Stratum(3, False, None)]


@given(st.integers(1, 9), st.booleans(), st.integers(-1, 10**6))
def test_a_stratum_s_number_says_which_it_is(inputs: int, spent: bool, height: int) -> None:
    votes = of_pair({}, inputs=np.full(2, inputs, np.int32), spent=np.full(2, spent))
    (number, _) = strata(votes, np.full(2, height, np.int32)).tolist()
    assert stratum(number) == Stratum.of(inputs, spent, height)
