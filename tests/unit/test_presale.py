"""Money collected first and tokens given later: presales, what resembles them, and what is only a lead."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from chain.ethereum.model import Status
from clustering.detect.presale import find_presales, rank_correlation
from clustering.detect.report import survey
from tests.unit.ethereum_ledgers import ETHER, ZERO, Ledger, forwards, gives, pays

COLLECTOR, ISSUER, COLD = 2, 3, 4
PAYERS = range(100, 180)


def _paid(number: int) -> int:
    return (1 + number % 9) * ETHER


def _collection(paid: Callable[[int], int] = _paid, status: Status = Status.SUCCEEDED) -> Ledger:
    ledger = Ledger()
    for number, payer in enumerate(PAYERS):
        ledger.add(number / 4, payer, COLLECTOR, pays(payer, COLLECTOR, paid(number)), status=status)
    return ledger


def _distribute(ledger: Ledger, got: Callable[[int], int], served: int = len(PAYERS)) -> Ledger:
    for number, payer in enumerate(PAYERS[:served]):
        ledger.add(60 + number / 100, ISSUER, 1, gives(ISSUER, payer, got(number)))
    return ledger


def test_a_presale_to_the_last_unit() -> None:
    ledger = _distribute(_collection(), lambda number: _paid(number) * 1_000, served=60)
    ledger.add(70, COLLECTOR, COLD, pays(COLLECTOR, COLD, 100 * ETHER))
    (presale,), rejected, leads = find_presales(ledger.build())
    total = sum(_paid(number) for number in range(len(PAYERS)))
    assert (rejected, leads) == ([], [])
    assert (presale.address, presale.asset, presale.senders, len(presale.payments)) == (COLLECTOR, 0, 80, 80)
    assert (presale.received, presale.sent_on, presale.returned, presale.net) == (total, 0, 0, total)
    assert (presale.given.issuer, presale.given.token, presale.given.served) == (ISSUER, 1, 60)
    assert presale.given.tokens == 1_000 * sum(_paid(number) for number in range(60))
    assert (presale.given.rank_ppm, presale.given.one_for_one) == (1_000_000, 0)
    assert not presale.tied, "payers and issuer alone can have made this"


@pytest.mark.parametrize("end", [1, ISSUER])
def test_a_collector_that_dealt_with_the_issuer(end: int) -> None:
    ledger = _distribute(_collection(), lambda number: _paid(number) * 1_000)
    ledger.add(50, COLLECTOR, end)
    ((presale,), _, _) = find_presales(ledger.build())
    assert presale.tied


@pytest.mark.parametrize(
    ("got", "served"),
    [
        pytest.param(lambda number: 100 * ETHER, 80, id="the same to all: an airdrop"),
        pytest.param(lambda number: (10 - number % 9) * ETHER, 80, id="less for more"),
        pytest.param(lambda number: _paid(number) * 1_000, 40, id="half of them only"),
        pytest.param(lambda number: 0, 80, id="nothing"),
    ],
)
def test_without_tokens_by_payment_there_is_a_lead_and_no_finding(got: Callable[[int], int], served: int) -> None:
    presales, rejected, (lead,) = find_presales(_distribute(_collection(), got, served).build())
    assert (presales, rejected) == ([], [])
    assert (lead.address, lead.senders, lead.payments, lead.round_percent) == (COLLECTOR, 80, 80, 100)


def test_amounts_that_are_not_round_make_no_lead() -> None:
    assert find_presales(_collection(lambda number: 123_456_789_012 * (number + 1)).build()) == ([], [], [])


def test_what_flows_through_is_no_collection() -> None:
    ledger = _collection()
    for number in range(10):
        ledger.add(2 * number + 1.1, COLLECTOR, COLD, pays(COLLECTOR, COLD, 10 * ETHER))
    assert find_presales(ledger.build()) == ([], [], [])


def test_failed_payments_count_nothing() -> None:
    assert find_presales(_collection(status=Status.FAILED).build()) == ([], [], [])


def test_fewer_than_fifty_in_sixty_days_are_no_collection() -> None:
    ledger = Ledger()
    for number, payer in enumerate(PAYERS):
        ledger.add(3 * number, payer, COLLECTOR, pays(payer, COLLECTOR, ETHER))
    assert find_presales(ledger.build()) == ([], [], [])


def test_a_purchase_with_its_token_at_once_is_no_presale() -> None:
    ledger = Ledger()
    for number, payer in enumerate(PAYERS):
        ledger.add(number / 4, payer, COLLECTOR, pays(payer, COLLECTOR, ETHER), gives(ZERO, payer, 5 * ETHER))
    assert find_presales(ledger.build()) == ([], [], [])


def test_a_deposit_that_goes_back_and_earns_a_reward() -> None:
    ledger = _distribute(_collection(), lambda number: _paid(number) // 50)
    for number, payer in enumerate(PAYERS):
        ledger.add(90, payer, COLLECTOR, forwards(COLLECTOR, payer, _paid(number)))
    presales, (form,), leads = find_presales(ledger.build())
    assert (presales, leads) == ([], [])
    assert form.reason.startswith("deposit")


def test_one_for_one_is_a_bridge_or_a_claim() -> None:
    presales, (form,), leads = find_presales(_distribute(_collection(), _paid).build())
    assert (presales, leads) == ([], [])
    assert form.reason.startswith("parity")


def test_a_presale_in_a_stablecoin() -> None:
    ledger = Ledger(tokens=(1, 5))
    for number, payer in enumerate(PAYERS):
        ledger.add(number / 4, payer, 5, gives(payer, COLLECTOR, (number + 1) * 10**7, asset=2))
    (presale,), _, _ = find_presales(_distribute(ledger, lambda number: (number + 1) * 3 * ETHER).build())
    assert (presale.asset, presale.received) == (2, sum(range(1, 81)) * 10**7)


@given(st.lists(st.tuples(st.integers(0, 2**250), st.integers(0, 6)), min_size=3, max_size=40))
def test_rank_correlation_equals_scipy_s(pairs: list[tuple[int, int]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    found = rank_correlation(first, second)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert found == 0
    else:
        ranked = [sorted(first).index(a) for a in first]  # scipy would round amounts of 250 bits
        assert abs(found - 1_000_000 * float(spearmanr(np.array(ranked), np.array(second))[0])) < 2


def test_a_report_of_all_that_is_said() -> None:
    ledger = _distribute(_collection(), lambda number: _paid(number) * 1_000)
    for number in range(60):
        payer = 300 + number
        ledger.add(100 + number / 10, payer, 7, pays(payer, 7, _paid(number)), gives(ZERO, payer, 7 * _paid(number)))
        ledger.add(200 + number / 10, payer, 8, pays(payer, 8, ETHER))
        ledger.add(110 + number / 10, 400 + number, 7, pays(400 + number, 7, ETHER // 10))
        ledger.add(300 + number / 10, payer, 9, pays(payer, 9, _paid(number)), gives(ZERO, payer, _paid(number)))
    report = survey(ledger.build())
    assert [form.reason.split(":")[0] for form in report.rejected] == ["parity"]
    assert [sale.contract for sale in report.sales] == [7], "and what came after it closed is no lead besides"
    assert [presale.address for presale in report.presales] == [COLLECTOR]
    assert [lead.address for lead in report.leads] == [8]
