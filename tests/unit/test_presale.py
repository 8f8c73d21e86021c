"""Collections whose tokens come later, and those that are no more than leads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from clustering.detect.presale import _spearman_ppm, find_collections
from tests.unit.ethereum_ledgers import ETHER, Ledger, forwards, gives, pays

COLLECTOR, ISSUER = 2, 3
SENDERS = range(100, 160)
NONE = np.empty(0, np.int64)


def _paid(number: int) -> int:
    return (1 + number % 9) * ETHER // 10


def _collection() -> Ledger:
    ledger = Ledger()
    for number, sender in enumerate(SENDERS):
        ledger.add(number / 2, sender, COLLECTOR, pays(sender, COLLECTOR, _paid(number)))
    return ledger


def _distribute(ledger: Ledger, share: int, tokens: int = 1_000, *, tied: bool = True) -> Ledger:
    """The issuer gives tokens; `tied`: the collector hands it what was collected."""
    if tied:
        ledger.add(70, COLLECTOR, ISSUER, pays(COLLECTOR, ISSUER, ETHER))
    for number, sender in list(enumerate(SENDERS))[:share]:
        ledger.add(60, ISSUER, 1, gives(ISSUER, sender, _paid(number) * tokens))
    return ledger


def test_a_presale_is_confirmed_by_what_the_issuer_gave() -> None:
    confirmed, leads = find_collections(_distribute(_collection(), 60).build(), NONE)
    assert leads == []
    (found,) = confirmed
    gross = sum(_paid(number) for number in range(60))
    assert (found.collector, found.issuer, found.token, found.senders, found.served) == (COLLECTOR, ISSUER, 1, 60, 60)
    assert (found.gross, found.tokens, found.spearman_ppm) == (gross, 1_000 * gross, 1_000_000)


def test_who_gives_tokens_to_the_payers_of_a_stranger_s_address_makes_a_lead() -> None:
    confirmed, (lead,) = find_collections(_distribute(_collection(), 60, tied=False).build(), NONE)
    assert confirmed == []
    assert (lead.token, lead.issuer, lead.served, lead.tied) == (1, ISSUER, 60, False)


def _two_tokens() -> Ledger:
    ledger = Ledger(tokens=(1, 4))
    for number, sender in enumerate(SENDERS):
        ledger.add(number / 2, sender, COLLECTOR, pays(sender, COLLECTOR, _paid(number)))
    return ledger


@pytest.mark.parametrize("same", [True, False], ids=["an airdrop", "one in the same order"])
def test_what_a_stranger_gives_to_all_hides_no_presale(same: bool) -> None:
    ledger = _distribute(_two_tokens(), 50)
    for number, sender in enumerate(SENDERS):
        ledger.add(80, 7, 4, gives(7, sender, 400 if same else _paid(number) * 9, asset=2))
    (found,), leads = find_collections(ledger.build(), NONE)
    assert leads == []
    assert (found.token, found.issuer, found.served, found.tied) == (1, ISSUER, 50, True)


def test_a_call_of_the_token_ties_as_well() -> None:
    ledger = _distribute(_collection(), 60, tied=False)
    ledger.add(55, COLLECTOR, 1)
    (found,), _ = find_collections(ledger.build(), NONE)
    assert found.tied


def test_without_tokens_for_most_it_is_a_lead() -> None:
    for ledger in (_collection(), _distribute(_collection(), 30)):
        confirmed, leads = find_collections(ledger.build(), NONE)
        assert confirmed == []
        (lead,) = leads
        assert (lead.collector, lead.token, lead.round_percent) == (COLLECTOR, -1, 100)


def test_tokens_that_do_not_follow_the_payments_confirm_nothing() -> None:
    ledger = _collection()
    for number, sender in enumerate(SENDERS):
        ledger.add(60, ISSUER, 1, gives(ISSUER, sender, 1 + number * 37 % 60))
    confirmed, _ = find_collections(ledger.build(), NONE)
    assert confirmed == []


def test_an_address_that_pays_out_while_it_collects_is_neither() -> None:
    ledger = _distribute(_collection(), 60)
    ledger.add(5, COLLECTOR, 9, pays(COLLECTOR, 9, 20 * ETHER))
    assert find_collections(ledger.build(), NONE) == ([], [])


def test_contracts_that_are_judged_elsewhere_are_left_out() -> None:
    assert find_collections(_collection().build(), np.array([COLLECTOR])) == ([], [])


def test_amounts_that_nobody_chooses_are_no_lead() -> None:
    ledger = Ledger()
    for number, sender in enumerate(SENDERS):
        ledger.add(number / 2, sender, COLLECTOR, pays(sender, COLLECTOR, ETHER + 7 * number + 1))
    ledger.add(40, 5, 6, pays(5, 6, 1), forwards(6, 5, 1))
    assert find_collections(ledger.build(), NONE) == ([], [])


@pytest.mark.parametrize("seed", range(5))
def test_rank_correlation_equals_scipy_s(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.integers(0, 9, 50).astype(np.float64), random.integers(0, 9, 50).astype(np.float64)
    assert _spearman_ppm(a, b) == pytest.approx(1_000_000 * spearmanr(a, b).statistic, abs=1)


def test_a_deposit_that_goes_back_and_earns_a_reward_is_neither() -> None:
    ledger = _distribute(_collection(), 60)
    for number, sender in enumerate(SENDERS):
        ledger.add(90, sender, COLLECTOR, forwards(COLLECTOR, sender, _paid(number)))
    assert find_collections(ledger.build(), NONE) == ([], [])


def test_one_for_one_is_a_bridge_or_a_claim_and_confirms_nothing() -> None:
    confirmed, _ = find_collections(_distribute(_collection(), 60, tokens=1).build(), NONE)
    assert confirmed == []


def test_the_same_to_all_for_the_same_from_all_has_no_order() -> None:
    ledger = Ledger()
    for number, sender in enumerate(SENDERS):
        ledger.add(number / 2, sender, COLLECTOR, pays(sender, COLLECTOR, ETHER))
        ledger.add(60, ISSUER, 1, gives(ISSUER, sender, 700))
    confirmed, (lead,) = find_collections(ledger.build(), NONE)
    assert (confirmed, lead.token) == ([], -1)
