"""Token sales: what is one, what resembles one and is none, and what is said of its money."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import uint256
from chain.ethereum.model import Standard, Status
from clustering.detect import legs
from clustering.detect.token_sale import TokenSale, find_sales, overlap
from tests.unit.ethereum_ledgers import ETHER, ZERO, Ledger, Move, forwards, gives, pays

TOKEN, SALE, TREASURY, ROUTER = 1, 2, 3, 4
BUYERS = range(100, 160)


def _only(ledger: Ledger) -> TokenSale:
    sales, rejected = find_sales(ledger.build())
    assert rejected == []
    (sale,) = sales
    return sale


def _reason(ledger: Ledger) -> str:
    sales, rejected = find_sales(ledger.build())
    assert sales == []
    (form,) = rejected
    return form.reason


def _sale(rate: Callable[[float], int] = lambda day: 100, days: float = 20) -> Ledger:
    """A crowdsale that mints, and forwards to its treasury, `rate(day)` tokens for each base unit."""
    ledger = Ledger()
    for number, buyer in enumerate(BUYERS):
        day = number * days / len(BUYERS)
        paid = (1 + number % 7) * ETHER
        ledger.add(
            day, buyer, SALE, pays(buyer, SALE, paid), forwards(SALE, TREASURY, paid),
            gives(ZERO, buyer, paid * rate(day)),
        )  # fmt: skip
    return ledger


def test_a_crowdsale_to_the_last_unit() -> None:
    sale = _only(_sale())
    paid = sum((1 + number % 7) * ETHER for number in range(len(BUYERS)))
    assert (sale.contract, sale.token, len(sale.bought)) == (SALE, 1, 60)
    assert (sale.gross, sale.tokens) == ({0: paid}, 100 * paid)
    assert (sale.beneficiaries, sale.payers, sale.differ, sale.agents) == (60, 60, 0, [])
    (tier,) = sale.tiers
    assert (tier.got, tier.paid, tier.purchases) == (100 * paid, paid, 60)
    (flow,) = sale.proceeds.collected
    assert (flow.address, flow.amount, flow.movements) == (TREASURY, paid, 60)
    assert (sale.proceeds.retained, sale.proceeds.refunded, sale.net(0)) == ({0: 0}, [], paid)


def test_failed_transactions_and_gifts_of_nothing_are_no_purchases() -> None:
    ledger = _sale()
    ledger.add(5, 900, SALE, status=Status.FAILED)
    ledger.add(5, 901, SALE, gives(ZERO, 901, 0))
    sale = _only(ledger)
    assert (len(sale.bought), sale.contributions, sale.contributors) == (60, 61, 61)


def test_bonus_tiers_side_by_side() -> None:
    ledger = Ledger()
    for number, buyer in enumerate(BUYERS):
        paid = (1 + number % 7) * ETHER
        rate = 120 if paid >= 5 * ETHER else 100
        ledger.add(number / 10, buyer, SALE, pays(buyer, SALE, paid), gives(TOKEN, buyer, paid * rate))
    tiers = _only(ledger).tiers
    assert [tier.got // tier.paid for tier in tiers] == [100, 120]
    assert sum(tier.purchases for tier in tiers) == 60


def test_a_price_a_day_in_one_direction_is_a_sale() -> None:
    sale = _only(_sale(lambda day: 200 - 10 * int(day), days=12))
    assert [tier.got // tier.paid for tier in sale.tiers] == [200 - 10 * day for day in range(12)]


def test_the_first_price_may_be_one_for_one_where_later_ones_are_not() -> None:
    assert len(_only(_sale(lambda day: 1 if day < 10 else 2)).tiers) == 2


def test_who_pays_for_many_is_an_agent_and_no_buyer() -> None:
    ledger = _sale()
    for number in range(10):
        ledger.add(
            3 + number / 10, 800, SALE, pays(800, SALE, ETHER), forwards(SALE, TREASURY, ETHER),
            gives(ZERO, 700 + number, 100 * ETHER),
        )  # fmt: skip
    sale = _only(ledger)
    (agent,) = sale.agents
    assert (agent.payer, agent.beneficiaries, agent.purchases, agent.paid) == (800, 10, 10, {0: 10 * ETHER})
    assert (sale.beneficiaries, sale.payers, sale.differ) == (70, 61, 10)


def test_a_stablecoin_that_goes_straight_to_the_treasury() -> None:
    ledger = Ledger(tokens=(TOKEN, 5))
    for number, buyer in enumerate(BUYERS):
        paid = (1 + number % 7) * 10**6
        ledger.add(
            number / 10, buyer, SALE, gives(buyer, TREASURY, paid, asset=2), gives(SALE, buyer, paid * 4 * 10**12)
        )
    sale = _only(ledger)
    assert sale.gross == {2: sum((1 + number % 7) * 10**6 for number in range(60))}


def test_a_token_that_passes_through_the_contract_and_a_team_share() -> None:
    ledger = Ledger()
    for number, buyer in enumerate(BUYERS):
        paid = (1 + number % 7) * ETHER
        ledger.add(
            number / 10, buyer, SALE, pays(buyer, SALE, paid), gives(ZERO, SALE, 130 * paid),
            gives(SALE, TREASURY, 30 * paid), gives(SALE, buyer, 100 * paid),
        )  # fmt: skip
    sale = _only(ledger)
    assert sale.beneficiaries == 60
    assert sale.tokens == 100 * sale.gross[0]


def test_a_refund_is_named_and_is_no_sell_back() -> None:
    ledger = _sale()
    for number, buyer in enumerate(list(BUYERS)[:20]):
        paid = (1 + number % 7) * ETHER
        ledger.add(19.5, buyer, SALE, gives(buyer, SALE, 100 * paid), forwards(SALE, buyer, paid))
    sale = _only(ledger)
    refunded = sum((1 + number % 7) * ETHER for number in range(20))
    assert sum(flow.amount for flow in sale.proceeds.refunded) == refunded
    assert sale.net(0) == sale.gross[0] - refunded


def test_the_issuer_s_own_money_is_not_received_twice() -> None:
    ledger = _sale()
    ledger.add(21, TREASURY, 500, pays(TREASURY, 500, 40 * ETHER))
    ledger.add(
        22,
        500,
        SALE,
        pays(500, SALE, 50 * ETHER),
        forwards(SALE, TREASURY, 50 * ETHER),
        gives(ZERO, 500, 5_000 * ETHER),
    )
    sale = _only(ledger)
    (flow,) = sale.proceeds.recycled
    assert (flow.address, flow.amount) == (500, 40 * ETHER)
    assert sale.net(0) == sale.gross[0] - 40 * ETHER


def test_only_the_densest_ninety_days_are_the_sale() -> None:
    ledger = _sale()
    ledger.add(400, 990, SALE, pays(990, SALE, ETHER), forwards(SALE, TREASURY, ETHER), gives(ZERO, 990, 100 * ETHER))
    sale = _only(ledger)
    assert len(sale.bought) == 60
    assert int(sale.bought.tx.max()) < 60


def test_a_pool_has_no_price_of_its_own() -> None:
    chance = random.Random(1)
    ledger = Ledger()
    for number, buyer in enumerate(BUYERS):
        paid = chance.randrange(ETHER, 9 * ETHER)
        ledger.add(
            number, buyer, ROUTER, pays(buyer, ROUTER, paid), forwards(ROUTER, SALE, paid),
            gives(SALE, buyer, int(paid * chance.uniform(90, 110))),
        )  # fmt: skip
    assert _reason(ledger).startswith("pool")


def test_wrapping_and_staking_at_one_for_one() -> None:
    assert _reason(_sale(lambda day: 1)).startswith("parity")


def test_a_staking_share_whose_price_creeps() -> None:
    ledger = Ledger()
    for day in range(30):
        for buyer in range(100 + 5 * day, 105 + 5 * day):
            paid = (1 + buyer % 7) * ETHER
            got = paid * (10_000_000 - 1_500 * day) // 10_000_000
            ledger.add(day + buyer % 5 / 10, buyer, SALE, pays(buyer, SALE, paid), gives(ZERO, buyer, got))
    assert _reason(ledger).startswith("redeemable claim")


def test_a_claim_that_holders_give_back_for_money() -> None:
    ledger = _sale()
    for number, buyer in enumerate(list(BUYERS)[:20]):
        ledger.add(
            10 + number / 10, buyer, SALE, gives(buyer, ZERO, 40 * ETHER), forwards(SALE, buyer, 4 * ETHER // 10)
        )
    assert _reason(ledger).startswith("market or redeemable claim")


def test_a_launchpad_sells_for_others() -> None:
    ledger = Ledger(tokens=(1, 5, 6))
    for asset in (1, 2, 3):
        for number, buyer in enumerate(BUYERS):
            paid = (1 + number % 7) * ETHER
            ledger.add(asset * 10, buyer, SALE, pays(buyer, SALE, paid), gives(ZERO, buyer, 7 * paid, asset))
    sales, rejected = find_sales(ledger.build())
    assert sales == []
    assert {form.reason.split(":")[0] for form in rejected} == {"launchpad"}


def test_a_contract_with_other_business() -> None:
    ledger = _sale()
    for number in range(100):
        ledger.add(number / 10, 2_000 + number, SALE, pays(2_000 + number, SALE, ETHER))
    assert _reason(ledger).startswith("other business")


@pytest.mark.parametrize(
    "moves",
    [
        pytest.param(lambda buyer: (gives(ZERO, buyer, 100),), id="airdrop claim"),
        pytest.param(lambda buyer: (pays(buyer, SALE, ETHER),), id="payment for nothing"),
        pytest.param(lambda buyer: (pays(buyer, SALE, ETHER), gives(buyer, SALE, 5)), id="the wrong way"),
    ],
)
def test_what_is_not_even_a_form(moves: Callable[[int], tuple[Move, ...]]) -> None:
    ledger = Ledger()
    for number, buyer in enumerate(BUYERS):
        ledger.add(number, buyer, SALE, *moves(buyer))
    assert find_sales(ledger.build()) == ([], [])


def test_collectibles_are_no_tokens_of_a_sale() -> None:
    ledger = Ledger(standard=Standard.ERC721)
    for number, buyer in enumerate(BUYERS):
        ledger.add(number / 10, buyer, SALE, pays(buyer, SALE, ETHER), gives(ZERO, buyer, 1))
    assert find_sales(ledger.build()) == ([], [])


def test_addresses_in_two_sales() -> None:
    ledger = _sale()
    ledger.tokens = (1, 5)
    for number, buyer in enumerate(range(150, 210)):
        paid = (1 + number % 7) * ETHER
        ledger.add(200 + number / 10, buyer, 6, pays(buyer, 6, paid), gives(ZERO, buyer, 3 * paid, 2))
    sales, _ = find_sales(ledger.build())
    assert [sale.contract for sale in sales] == [SALE, 6]
    assert overlap(sales).tolist() == list(range(150, 160))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(1, 2**255)), max_size=30))
def test_pairing_of_payments_and_legs_equals_a_plain_loop(rows: list[tuple[int, int, int]]) -> None:
    ledger = Ledger(tokens=(1, 5))
    for number, (buyers, gifts, value) in enumerate(rows):
        payer = 100 + buyers
        ledger.add(
            number, payer, SALE, pays(payer, SALE, value), *(gives(ZERO, 100 + gift, value) for gift in range(gifts))
        )
    ledger.add(99, 7, 8, pays(7, 8, 1))
    built = ledger.build()
    pay, transfers = legs.payments(built), legs.token_legs(built)
    row, leg = legs.offers(pay, transfers)
    found = legs.purchases(pay, transfers, row, leg, np.array([ZERO, TOKEN, SALE]))
    due = []
    for number, (buyers, gifts, value) in enumerate(rows):
        if gifts:
            due.append((number, 100 + buyers, 100 + buyers if buyers < gifts else 100, value))
    got = zip(
        found.tx.tolist(), found.payer.tolist(), found.beneficiary.tolist(), uint256.to_ints(found.got), strict=True
    )
    assert list(got) == due
    assert found.paid.tolist() == [pay.value[number].tolist() for number, *_ in due]


def test_a_pool_of_one_price_behind_a_router_takes_back() -> None:
    ledger = Ledger(tokens=(TOKEN, 5))
    for number, buyer in enumerate(BUYERS):
        paid = (1 + number % 7) * 10**6
        ledger.add(
            number, buyer, ROUTER, gives(buyer, SALE, paid, asset=2), gives(SALE, buyer, paid * 4 * 10**12)
        )  # fmt: skip
        if number % 3 == 0:
            ledger.add(
                number + 0.5, buyer, ROUTER, gives(buyer, SALE, 10**18), gives(SALE, buyer, 249_000, asset=2)
            )  # fmt: skip
    assert _reason(ledger).startswith("market or redeemable claim")


def test_where_a_stablecoin_that_goes_past_the_contract_went() -> None:
    ledger = Ledger(tokens=(TOKEN, 5))
    for number, buyer in enumerate(BUYERS):
        paid = (1 + number % 7) * 10**6
        ledger.add(number / 10, buyer, SALE, gives(buyer, TREASURY, paid, asset=2), gives(SALE, buyer, paid * 40))
    sale = _only(ledger)
    (flow,) = sale.proceeds.collected
    assert (flow.address, flow.asset, flow.amount) == (TREASURY, 2, sale.gross[2])


@pytest.mark.parametrize("quantities", [1, 3])
def test_a_fee_for_a_claim_is_no_price(quantities: int) -> None:
    ledger = Ledger()
    for number, buyer in enumerate(BUYERS):
        ledger.add(
            number / 10,
            buyer,
            SALE,
            pays(buyer, SALE, ETHER // 100),
            gives(SALE, buyer, (1 + number % quantities) * ETHER),
        )
    assert _reason(ledger).startswith("claim")


@pytest.mark.parametrize(("step", "reason"), [(0, "share"), (1_500_000, "redeemable claim")])
def test_a_vault_whose_price_moves_seldom_or_not_at_all(step: int, reason: str) -> None:
    ledger = Ledger()
    for number, buyer in enumerate(BUYERS):
        paid = (1 + number % 7) * ETHER
        share = 9_237_456_781 - step * (number // 15)
        ledger.add(number / 3, buyer, SALE, pays(buyer, SALE, paid), gives(ZERO, buyer, paid * share // 10**10))
    assert _reason(ledger).startswith(reason)


def test_a_token_one_for_one_with_a_stablecoin_of_fewer_decimals() -> None:
    ledger = Ledger(tokens=(TOKEN, 5))
    for number, buyer in enumerate(BUYERS):
        paid = (1 + number % 7) * 10**6
        ledger.add(number / 10, buyer, SALE, gives(buyer, SALE, paid, asset=2), gives(ZERO, buyer, paid * 10**12))
    assert _reason(ledger).startswith("parity")


def test_a_sale_through_a_forwarding_proxy_counts_once() -> None:
    ledger = Ledger()
    for number, buyer in enumerate(BUYERS):
        paid = (1 + number % 7) * ETHER
        ledger.add(
            number / 10, buyer, ROUTER, pays(buyer, ROUTER, paid), forwards(ROUTER, SALE, paid),
            forwards(SALE, TREASURY, paid), gives(ZERO, buyer, 7 * paid),
        )  # fmt: skip
    sale = _only(ledger)
    assert (sale.contract, sale.gross[0]) == (ROUTER, sum((1 + number % 7) * ETHER for number in range(60)))


def test_a_payment_of_few_base_units_does_not_begin_a_price() -> None:
    ledger = _sale(lambda day: 20 - int(day), days=12)
    first = next(iter(BUYERS))
    ledger.add(2.1, first, SALE, pays(first, SALE, 1), gives(ZERO, first, 17))
    tiers = _only(ledger).tiers
    assert [(tier.got // ETHER) // (tier.paid // ETHER) for tier in tiers] == list(range(20, 8, -1))
    assert [tier.first_time for tier in tiers] == sorted(tier.first_time for tier in tiers)
    assert all(early.last_time < late.first_time for early, late in pairwise(tiers))


def test_wallets_that_are_contracts_may_be_first_and_last_but_not_from_another_season() -> None:
    ledger = _sale()
    for day in (-80, -0.5, 21, 100):
        wallet = 600 + int(day)
        ledger.add(day, 599, wallet, forwards(wallet, SALE, ETHER), gives(ZERO, wallet, 100 * ETHER))
    assert (_only(ledger).through_wallets, len(_only(ledger).bought)) == (2, 62)


def test_wallets_that_are_contracts_and_one_that_buys_for_many() -> None:
    ledger = _sale()
    wallet, batch = 600, 601
    ledger.add(
        3, 599, wallet, forwards(wallet, SALE, 3 * ETHER), forwards(SALE, TREASURY, 3 * ETHER),
        gives(ZERO, wallet, 300 * ETHER),
    )  # fmt: skip
    each = [(700 + number, (1 + number) * ETHER) for number in range(5)]
    ledger.add(
        4, 598, batch, *(forwards(batch, SALE, paid) for _, paid in each),
        *(gives(ZERO, buyer, 100 * paid) for buyer, paid in each),
    )  # fmt: skip
    ledger.add(5, 598, batch, forwards(batch, SALE, ETHER), status=Status.FAILED)
    sale = _only(ledger)
    assert (len(sale.bought), sale.through_wallets, sale.contributions) == (66, 6, 62)
    assert (sale.untiered, len(sale.tiers)) == (0, 1)
    assert sale.gross[0] == sum((1 + number % 7) * ETHER for number in range(60)) + 18 * ETHER
    (agent,) = sale.agents
    assert (agent.payer, agent.beneficiaries, agent.paid) == (batch, 5, {0: 15 * ETHER})


def test_several_payments_for_one_gift_are_one_purchase() -> None:
    ledger = _sale()
    ledger.add(4, 598, 601, forwards(601, SALE, ETHER), forwards(601, SALE, 2 * ETHER), gives(ZERO, 601, 300 * ETHER))
    sale = _only(ledger)
    assert (len(sale.bought), sale.untiered, sale.contributions) == (61, 0, 61)


def test_a_router_s_customers_are_not_counted_twice() -> None:
    ledger = _sale()
    for number, buyer in enumerate(range(200, 260)):
        paid = (1 + number % 7) * ETHER
        ledger.add(
            number / 10, buyer, ROUTER, pays(buyer, ROUTER, paid), forwards(ROUTER, SALE, paid),
            gives(ZERO, buyer, 100 * paid),
        )  # fmt: skip
    sales, rejected = find_sales(ledger.build())
    assert rejected == []
    assert sorted((sale.contract, len(sale.bought)) for sale in sales) == [(SALE, 60), (ROUTER, 60)]


def test_a_router_that_takes_many_assets_has_no_price_in_any() -> None:
    chance = random.Random(2)
    ledger = Ledger(tokens=(TOKEN, *range(50, 56)))
    for number, buyer in enumerate(BUYERS):
        paid = chance.randrange(10**6, 10**9)
        ledger.add(
            number / 10, buyer, ROUTER, gives(buyer, SALE, paid, asset=2 + number % 6),
            gives(SALE, buyer, int(paid * chance.uniform(90, 110))),
        )  # fmt: skip
    assert _reason(ledger).startswith("pool")


def test_a_sale_for_ether_and_a_stablecoin() -> None:
    ledger = Ledger(tokens=(TOKEN, 5))
    for number, buyer in enumerate(BUYERS):
        if number % 2:
            paid = (1 + number % 7) * ETHER
            ledger.add(
                number / 10, buyer, SALE, pays(buyer, SALE, paid), forwards(SALE, TREASURY, paid),
                gives(ZERO, buyer, 900 * paid),
            )  # fmt: skip
        else:
            paid = (1 + number % 7) * 10**8
            ledger.add(
                number / 10, buyer, SALE, gives(buyer, SALE, paid, asset=2), gives(ZERO, buyer, 3 * paid * 10**12)
            )  # fmt: skip
    sale = _only(ledger)
    assert {tier.asset: tier.got // tier.paid for tier in sale.tiers} == {0: 900, 2: 3 * 10**12}
    assert set(sale.gross) == {0, 2}
    assert sale.proceeds.retained == {0: 0, 2: sale.gross[2]}
