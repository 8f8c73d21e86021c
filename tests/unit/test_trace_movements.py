"""Both chains as movements: what is debited, credited, spent as a fee, burned, issued, and what stops a trace."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from chain import uint256
from chain.ethereum.model import Movement
from chain.model import OutputType
from clustering.bitcoin.ledger import Ledger as Columns
from clustering.ethereum.ledger import NOBODY
from clustering.trace.bitcoin import address_holdings, address_movements, output_movements
from clustering.trace.ends import End
from clustering.trace.ethereum import account_movements
from clustering.trace.movements import Movements, Side
from clustering.trace.policies import Policy
from clustering.trace.run import Cancellation, Course, trace
from clustering.trace.stops import hubs
from tests.unit.ethereum_ledgers import ZERO, forwards, gives, pays
from tests.unit.ethereum_ledgers import Ledger as Accounts
from tests.unit.ledgers import ADDRESSES, Ledger, ledgers
from tests.unit.trace_ledgers import movements_of, points_of

FEE, BURNED, ISSUED, UNKNOWN = (int(side) for side in (Side.FEE, Side.BURNED, Side.ISSUED, Side.UNKNOWN))


def _columns(ledger: Ledger) -> Columns:
    first_input, spends, address, first_output, count, value = ledger.columns()
    txs = len(ledger)
    return Columns(
        first_input, spends, address, first_output, count, value, np.zeros(len(value), np.uint8),
        np.zeros(txs, np.uint8), np.arange(txs, dtype=np.int32), np.arange(txs, dtype=np.int64)[::-1].copy(),
    )  # fmt: skip


def _sides(movements: Movements, movement: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    debit = slice(movements.first_debit[movement], movements.first_debit[movement + 1])
    credit = slice(movements.first_credit[movement], movements.first_credit[movement + 1])
    return (
        list(zip(movements.debit_holding[debit].tolist(), movements.debit_amount[debit].tolist(), strict=True)),
        list(zip(movements.credit_holding[credit].tolist(), movements.credit_amount[credit].tolist(), strict=True)),
    )


@settings(max_examples=60)
@given(ledgers())
def test_a_transaction_is_one_movement_over_outputs(ledger: Ledger) -> None:
    movements = output_movements(_columns(ledger))
    assert np.all(np.diff(movements.time) >= 0)
    for tx in range(len(ledger)):
        debits, paid = _sides(movements, tx)
        brought, outputs = ledger.debits(tx), ledger.output_values(tx)
        stated = [max(value, 0) for _, value in brought]
        if not brought:
            assert debits == [(ISSUED, sum(max(value, 0) for value in outputs))]
            continue
        assert [holding for holding, _ in debits] == [each if each >= 0 else UNKNOWN for each in ledger.spends[tx]]
        assert [amount for _, amount in debits] == stated
        assert [holding for holding, _ in paid] == [*ledger.makes[tx], FEE]
        unknown = any(value < 0 for _, value in brought) or any(value < 0 for value in outputs)
        short = sum(stated) < sum(max(value, 0) for value in outputs)
        assert movements.stop[tx] == (End.UNKNOWN_AMOUNT if unknown or short else 0)
        if not unknown and not short:
            assert sum(amount for _, amount in debits) == sum(amount for _, amount in paid)


@settings(max_examples=60)
@given(ledgers())
def test_over_addresses_what_comes_back_is_netted(ledger: Ledger) -> None:
    columns = _columns(ledger)
    outputs = output_movements(columns)
    holding = address_holdings(columns.output_address, ADDRESSES)
    movements = address_movements(outputs, holding, ADDRESSES + len(columns.output_value))
    for tx in range(len(ledger)):
        before, after = _sides(outputs, tx), _sides(movements, tx)
        assert not {h for h, _ in after[0] if h >= 0} & {h for h, _ in after[1]}
        assert sum(v for _, v in before[0]) - sum(v for _, v in after[0]) == (
            sum(v for _, v in before[1]) - sum(v for _, v in after[1])
        )
        for own in range(ADDRESSES):
            change = [sum(v for h, v in side if h >= 0 and holding[h] == own) for side in before]
            assert [sum(v for h, v in side if h == own) for side in after] == [
                max(change[0] - change[1], 0), max(change[1] - change[0], 0)
            ]  # fmt: skip


def test_what_is_paid_to_a_return_output_is_burned() -> None:
    ledger = Ledger.of([([1], [(2, 600), (-1, 100)])])
    columns = _columns(ledger)
    columns.output_type[-1] = OutputType.OP_RETURN
    _, paid = _sides(output_movements(columns), 0)
    assert paid == [(1, 600), (BURNED, 100), (FEE, 300)]


def test_transfers_fees_mints_and_burns_of_accounts() -> None:
    ledger = Accounts(tokens=(1,))
    payer, payee, miner = 2, 3, 4
    ledger.add(
        1, payer, payee, (Movement.FEE_BURNED, 0, payer, NOBODY, 5), (Movement.FEE_PAID, 0, payer, miner, 7),
        pays(payer, payee, 100), forwards(payee, payee, 9), pays(payer, payee, 0), gives(ZERO, payer, 50),
        gives(payer, ZERO, 20), (Movement.REWARD, 0, NOBODY, miner, 3),
    )  # fmt: skip
    found = account_movements(ledger.build())

    def name(holding: int) -> tuple[int, int] | int:
        return holding if holding < 0 else (int(found.holdings.address[holding]), int(found.holdings.asset[holding]))

    moves = [
        (name(source), name(target), value)
        for source, target, value in zip(
            found.movements.debit_holding.tolist(), found.movements.credit_holding.tolist(),
            uint256.to_ints(found.movements.debit_amount), strict=True,
        )
    ]  # fmt: skip
    assert moves == [
        ((payer, 0), FEE, 5), ((payer, 0), FEE, 7), (ISSUED, (miner, 0), 7), ((payer, 0), (payee, 0), 100),
        (ISSUED, (payer, 1), 50), ((payer, 1), BURNED, 20), (ISSUED, (miner, 0), 3),
    ]  # fmt: skip
    assert found.holdings.find(payer, 1) == found.holdings.of(payer)[1]
    assert found.holdings.find(miner, 1) == -1


def test_a_hub_pays_many_distinct_recipients() -> None:
    rows = [([(0, 5)], [(1 + place, 5)]) for place in range(4)] + [([(1, 1)], [(0, 1)])] * 9
    movements = movements_of(rows, 5)
    owner = np.arange(5, dtype=np.int64)
    assert hubs(movements, owner, 5, 3).tolist() == [0]
    assert hubs(movements, owner, 5, 4).tolist() == []
    movements.stop[0] = End.COINJOIN
    assert hubs(movements, owner, 5, 3).tolist() == []


def test_a_run_can_be_cancelled_and_says_how_far_it_is() -> None:
    movements = movements_of([([(-4, 9)], [(0, 9)]), ([(0, 9)], [(1, 9)])], 2)
    points = points_of([(0, 0, 0, 1, False)])
    said: list[tuple[str, int, int]] = []
    ends, course = np.zeros(2, np.uint8), Course(Policy.FIFO, 2)
    trace(movements, ends, points, 1, course, lambda *stage: said.append(stage))
    assert said == [("reach", 0, 1), ("reach", 1, 1), ("replay", 0, 2), ("replay", 2, 2)]
    with pytest.raises(Cancellation):
        trace(movements, ends, points, 1, course, cancelled=lambda: True)
