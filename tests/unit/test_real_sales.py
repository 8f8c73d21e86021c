"""Two real token sales, from public data: Bancor (2017) and The DAO (2016)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from clustering.detect.token_sale import TokenSale, find_sales, overlap
from tests.unit.ethereum_ledgers import EtlLedger, etl_ledger

GROSS = 396_619_891_803_711_283_883_108
COLLECTOR = "0x5894110995b8c8401bd38262ba0c8ee41d4e4658"
DAO_AGENTS = {
    "0x32be343b94f860124dc4fee278fdcbd38c102d88": 2_388,
    "0xfbb1b73c4f0bda4f67dca266ce6ef42f520fbb98": 1_153,
    "0x9e6316f44baeeee5d41a1070516cc5fa47baf227": 577,
    "0x536fef0b5ae77486a5795048a659d689cd787c36": 183,
    "0x2910543af39aba0cd09dbb2d50200b3e800a63d2": 52,
}
"""Payers, and how many others they paid for: counted in the files by a plain loop, the contract itself left out."""


@pytest.fixture(scope="module")
def both(data: Path) -> EtlLedger:
    return etl_ledger(data / "ethereum" / "bancor", data / "ethereum" / "thedao")


@pytest.fixture(scope="module")
def sales(both: EtlLedger) -> list[TokenSale]:
    found, rejected = find_sales(both.ledger)
    assert rejected == []
    return found


def test_bancor_to_the_last_wei(both: EtlLedger, sales: list[TokenSale]) -> None:
    bancor = sales[1]
    assert bancor.contract == both.ids["0xbbc79794599b19274850492394004087cbf89710"]
    assert (bancor.contributions, bancor.contributors) == (13_373, 10_887)
    assert len(bancor.bought) == 13_364, "nine pay nothing and get nothing"
    assert (bancor.gross, bancor.tokens) == ({0: GROSS}, 100 * GROSS)
    (tier,) = bancor.tiers
    assert (tier.got, tier.paid, bancor.untiered) == (100 * GROSS, GROSS, 0)
    (flow,) = bancor.proceeds.collected
    assert (flow.address, flow.amount, bancor.proceeds.retained) == (both.ids[COLLECTOR], GROSS, {0: 0})


def test_the_dao_its_prices_and_who_paid_for_others(both: EtlLedger, sales: list[TokenSale]) -> None:
    dao = sales[0]
    address = both.ids["0xbb9bc244d798123fde783fcc1c72d3bb8c189413"]
    assert (dao.contract, both.ledger.asset_contract[dao.token]) == (address, address)
    # of 22,598 rows 18 have negative amounts; six name the contract as the owner, two are of no whole unit
    assert dao.contributions == 22_580
    main = [tier for tier in dao.tiers if tier.purchases > 100]
    assert [round(10_000 * tier.paid / tier.got) for tier in main] == [10_500, *range(11_000, 15_500, 500)]
    assert all(late.first_time > early.last_time for early, late in pairwise(main))
    assert (len(dao.tiers), dao.untiered) == (10, 0)
    assert dao.differ == 8_370
    names = {number: name for name, number in both.ids.items()}
    assert {names[agent.payer]: agent.beneficiaries for agent in dao.agents} == DAO_AGENTS
    # kept is what was paid, with the 99 ether for which the contract itself is named as the owner
    assert dao.proceeds.retained == {0: 1_562_764_554_229_259_891_765_298}
    assert dao.gross == {0: 1_562_665_202_939_609_891_765_296}


def test_addresses_that_took_part_in_both(sales: list[TokenSale]) -> None:
    assert len(overlap(sales)) == 78


def test_without_traces_the_sale_is_found_and_the_collector_is_not(data: Path) -> None:
    (bancor,), _ = find_sales(etl_ledger(data / "ethereum" / "bancor", traces=False).ledger)
    assert (bancor.gross, bancor.proceeds.collected, bancor.proceeds.traced) == ({0: GROSS}, [], 0)
