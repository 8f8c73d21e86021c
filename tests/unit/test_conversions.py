"""What is a conversion, and what stays a payment."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chain import uint256
from chain.ethereum.model import Movement
from clustering.ethereum.conversions import TRADERS
from clustering.ethereum.ledger import NOBODY, EthereumLedger
from clustering.trace import sums
from clustering.trace.ends import End
from clustering.trace.ethereum import AccountMovements, account_movements
from clustering.trace.movements import Side
from clustering.trace.policies import Policy
from clustering.trace.run import Course, Traced, trace
from tests.unit.ethereum_ledgers import ZERO, Ledger, Move, pays
from tests.unit.trace_ledgers import points_of

WETH, GOLD, POOL, OTHER_POOL, ROUTER, FEES, SALE, COLLECTOR = 9, 8, 10, 11, 12, 13, 14, 15
"""Addresses; the first two are the contracts of assets 1 and 2."""
TRADER = 50


def token(asset: int, source: int, target: int, value: int) -> Move:
    return (Movement.TOKEN, asset, source, target, value)


def internal(source: int, target: int, value: int) -> Move:
    return (Movement.INTERNAL, 0, source, target, value)


def swap(ledger: Ledger, day: float, trader: int, gave: int, got: int, value: int, pool: int = POOL) -> None:
    """Through a router, by tokens alone."""
    ledger.add(
        day, trader, ROUTER, token(gave, trader, ROUTER, value), token(gave, ROUTER, pool, value),
        token(got, pool, trader, 3 * value),
    )  # fmt: skip


def market(ledger: Ledger, traders: int = TRADERS, pool: int = POOL) -> None:
    """As many others as a market needs, each way."""
    for place in range(traders):
        swap(ledger, 1 + place / 10, 20 + place, 1, 2, 1000, pool)
        swap(ledger, 2 + place / 10, 30 + place, 2, 1, 1000, pool)


def told(ledger: EthereumLedger, found: AccountMovements, tx: int) -> list[tuple[object, ...]]:
    """The movements of a transaction: payer, asset, amount; payee, asset, amount; whether it is a conversion."""

    def name(holding: int) -> object:
        if holding < 0:
            return Side(holding).name
        return int(found.holdings.address[holding]), int(found.holdings.asset[holding])

    moves = found.movements
    return [
        (
            name(int(moves.debit_holding[row])), uint256.to_int(moves.debit_amount[row]),
            name(int(moves.credit_holding[row])), uint256.to_int(moves.credit_amount[row]),
            moves.stop[row] == End.CONVERTED,
        )
        for row in np.flatnonzero(moves.tx == tx)
    ]  # fmt: skip


def last(ledger: Ledger, **options: object) -> list[tuple[object, ...]]:
    built = ledger.build()
    return told(built, account_movements(built, **options), len(built.tx_time) - 1)  # type: ignore[arg-type]


def test_a_swap_on_a_market_is_a_conversion_of_both_sides() -> None:
    ledger = Ledger(tokens=(WETH, GOLD))
    market(ledger)
    swap(ledger, 5, TRADER, 1, 2, 70)
    assert set(last(ledger)) == {
        ((POOL, 2), 210, (POOL, 1), 70, True), ((TRADER, 1), 70, (TRADER, 2), 210, True)
    }  # fmt: skip


def test_without_enough_others_on_both_sides_it_is_two_payments() -> None:
    for traders in (0, TRADERS - 1):
        ledger = Ledger(tokens=(WETH, GOLD))
        market(ledger, traders)
        swap(ledger, 5, TRADER, 1, 2, 70)
        assert not any(converted for *_, converted in last(ledger))


def test_a_sale_that_nobody_can_sell_back_to_is_no_market() -> None:
    ledger = Ledger(tokens=(WETH, GOLD))
    for buyer in range(20, 40):
        ledger.add(buyer / 10, buyer, SALE, pays(buyer, SALE, 100), token(2, SALE, buyer, 900))
    assert last(ledger) == [((39, 0), 100, (SALE, 0), 100, False), ((SALE, 2), 900, (39, 2), 900, False)]


def test_what_a_finding_names_is_no_market() -> None:
    ledger = Ledger(tokens=(WETH, GOLD))
    market(ledger)
    swap(ledger, 5, TRADER, 1, 2, 70)
    assert not any(converted for *_, converted in last(ledger, spared=np.array([POOL])))
    assert not any(converted for *_, converted in last(ledger, convert=False))


def test_a_fee_beside_a_swap_stays_a_payment() -> None:
    ledger = Ledger(tokens=(WETH, GOLD))
    market(ledger)
    ledger.add(
        5, TRADER, ROUTER, (Movement.FEE_PAID, 0, TRADER, NOBODY, 4), token(1, TRADER, ROUTER, 100),
        token(1, ROUTER, FEES, 1), token(1, ROUTER, POOL, 99), token(2, POOL, TRADER, 300),
    )  # fmt: skip
    assert last(ledger) == [
        ((TRADER, 0), 4, "FEE", 4, False), ((TRADER, 1), 1, (FEES, 1), 1, False),
        ((POOL, 2), 300, (POOL, 1), 99, True), ((TRADER, 1), 99, (TRADER, 2), 300, True),
    ]  # fmt: skip


def test_ether_through_its_wrapped_form_and_two_pools() -> None:
    ledger = Ledger(tokens=(WETH, GOLD, 7))
    market(ledger)
    for place in range(TRADERS):
        swap(ledger, 3 + place / 10, 20 + place, 2, 3, 1000, OTHER_POOL)
        swap(ledger, 4 + place / 10, 30 + place, 3, 2, 1000, OTHER_POOL)
    ledger.add(
        5, TRADER, ROUTER, pays(TRADER, ROUTER, 50), internal(ROUTER, WETH, 50),
        (Movement.WRAP, 1, NOBODY, ROUTER, 50), token(1, ROUTER, POOL, 50), token(2, POOL, OTHER_POOL, 150),
        token(3, OTHER_POOL, TRADER, 7),
    )  # fmt: skip
    assert set(last(ledger)) == {
        ((OTHER_POOL, 3), 7, (OTHER_POOL, 2), 150, True), ((POOL, 2), 150, (POOL, 1), 50, True),
        ((TRADER, 0), 50, (TRADER, 3), 7, True), ("ISSUED", 50, (WETH, 0), 50, False),
    }  # fmt: skip


def test_wrapping_and_unwrapping_are_conversions_from_the_first_one_on() -> None:
    ledger = Ledger(tokens=(WETH, GOLD))
    ledger.add(1, TRADER, WETH, pays(TRADER, WETH, 50), (Movement.WRAP, 1, NOBODY, TRADER, 50))
    assert set(last(ledger)) == {("ISSUED", 50, (WETH, 0), 50, False), ((TRADER, 0), 50, (TRADER, 1), 50, True)}
    ledger.add(2, TRADER, WETH, (Movement.UNWRAP, 1, TRADER, NOBODY, 50), internal(WETH, TRADER, 50))
    assert set(last(ledger)) == {
        ((TRADER, 1), 50, (TRADER, 0), 50, True), ((WETH, 0), 50, "BURNED", 50, False)
    }  # fmt: skip


def test_amounts_that_no_token_can_have_leave_a_transaction_as_it_is() -> None:
    ledger = Ledger(tokens=(WETH, GOLD))
    market(ledger)
    most = uint256.MAX
    ledger.add(5, TRADER, ROUTER, token(1, TRADER, POOL, most), token(1, TRADER, POOL, most), token(2, POOL, TRADER, 5))
    assert not any(converted for *_, converted in last(ledger))


def test_what_has_several_payers_and_payees_of_one_asset_is_left_as_it_is() -> None:
    ledger = Ledger(tokens=(WETH, GOLD))
    market(ledger)
    market(ledger, pool=OTHER_POOL)
    ledger.add(
        5, TRADER, ROUTER, token(1, TRADER, POOL, 5), token(2, POOL, TRADER, 15), token(1, 51, OTHER_POOL, 5),
        token(2, OTHER_POOL, 51, 15),
    )  # fmt: skip
    assert not any(converted for *_, converted in last(ledger))


def followed(ledger: Ledger, seed: int, policy: Policy = Policy.FIFO) -> tuple[AccountMovements, Traced]:
    built = ledger.build()
    found = account_movements(built)
    size, holdings = found.movements.size, found.holdings.of(seed)
    points = points_of([(0, holding, 0, size, False) for holding in holdings])
    ends = np.zeros(found.movements.holding_count, np.uint8)
    return found, trace(found.movements, ends, points, 1, Course(policy, size))


def test_money_goes_on_as_what_was_bought_and_every_unit_is_told() -> None:
    ledger = Ledger(tokens=(WETH, GOLD))
    market(ledger)
    ledger.add(4, 60, TRADER, token(1, 60, TRADER, 100))
    swap(ledger, 5, TRADER, 1, 2, 70)
    ledger.add(6, TRADER, 61, token(2, TRADER, 61, 200))
    for policy in (Policy.FIFO, Policy.LIFO, Policy.PRO_RATA, Policy.LOWEST_BALANCE):
        found, traced = followed(ledger, TRADER, policy)
        balances = {
            each.asset: each for each in sums.balances(found.movements, found.holdings.asset.astype(np.int64), traced)
        }
        assert (balances[1].seeded, balances[1].ends) == (100, {End.LIVE: 30, End.CONVERTED: 70})
        assert (balances[2].seeded + balances[2].received, balances[2].ends) == (210, {End.LIVE: 210})
        held = {
            (int(found.holdings.address[h]), int(found.holdings.asset[h])): uint256.to_int(amount)
            for h, amount in zip(traced.live_holding.tolist(), traced.live_amount, strict=True)
        }
        assert held == {(TRADER, 1): 30, (TRADER, 2): 10, (61, 2): 200}


MOVES = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from([ZERO, WETH, 20, 21, 22, POOL]),
        st.sampled_from([ZERO, WETH, 20, 21, 22, POOL]), st.integers(1, 9),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=80)
@given(st.lists(MOVES, min_size=1, max_size=12))
def test_netting_changes_no_balance_after_a_transaction(txs: list[list[tuple[int, int, int, int]]]) -> None:
    """But of a token's contract in its own token, where what it issues is nobody's."""
    ledger = Ledger(tokens=(WETH, GOLD))
    market(ledger)
    for day, moves in enumerate(txs):
        rows = [
            token(asset, a, b, value * 10) if asset else internal(a, b, value * 10)
            for asset, a, b, value in moves
        ]  # fmt: skip
        ledger.add(10 + day, 20, ROUTER, *rows)
        # a swap among the rest, so that there is something to convert
        ledger.add(10.5 + day, TRADER, ROUTER, token(1, TRADER, POOL, 10), *rows, token(2, POOL, TRADER, 30))
    built = ledger.build()
    assert changes(built, convert=True) == changes(built, convert=False)


def changes(ledger: EthereumLedger, *, convert: bool) -> dict[tuple[int, int, int], int]:
    """(transaction, address, asset) -> change of its balance."""
    found = account_movements(ledger, convert=convert)
    moves = found.movements
    result: dict[tuple[int, int, int], int] = {}
    for sign, holding, amount in (
        (-1, moves.debit_holding, moves.debit_amount), (1, moves.credit_holding, moves.credit_amount)
    ):  # fmt: skip
        for tx, h, value in zip(moves.tx.tolist(), holding.tolist(), uint256.to_ints(amount), strict=True):
            if h < 0:
                continue
            address, asset = int(found.holdings.address[h]), int(found.holdings.asset[h])
            if int(ledger.asset_contract[asset]) != address:
                key = (tx, address, asset)
                result[key] = result.get(key, 0) + sign * value
    return {key: value for key, value in result.items() if value}
