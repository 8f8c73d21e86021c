"""Deposit accounts: the kernel against its readable twin, what is an account, and who is joined with whom (nobody)."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chain.ethereum.model import Movement
from clustering.ethereum.deposits import DUST_WEI, MOST_USERS, deposit_relations, matches, reference
from clustering.ethereum.flows import flows
from clustering.ethereum.ledger import NOBODY
from clustering.ethereum.relations import Relation, RelationBatch
from tests.unit.ethereum_ledgers import ETHER, Ledger, Move, gives, pays

HOT, COLD, OTHER_HOT = 1, 2, 3
"""Main wallets: two of exchange 0, one of exchange 1."""
ADDRESSES = 60
SERVICE = np.full(ADDRESSES, NOBODY, np.int32)
SERVICE[[HOT, COLD]] = 0
SERVICE[OTHER_HOT] = 1
ACCOUNT, FEE = 10, 21_000 * 10**9


def fee(sender: int, value: int = FEE) -> Move:
    return (Movement.FEE_PAID, 0, sender, 59, value)


def pay(ledger: Ledger, day: float, sender: int, to: int, value: int) -> None:
    ledger.add(day, sender, to, fee(sender), pays(sender, to, value))


def told(ledger: Ledger, relation: Relation) -> list[tuple[int, int, int]]:
    """(source, target, times) of a relation."""
    batch = deposit_relations(flows(ledger.build()), SERVICE)
    return _rows(batch.take(batch.relation == relation))


def _rows(batch: RelationBatch) -> list[tuple[int, int, int]]:
    return list(zip(batch.source.tolist(), batch.target.tolist(), batch.times.tolist(), strict=True))


small = st.tuples(
    st.sampled_from([0.0, 0.05, 0.3, 0.7]), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2),
    st.sampled_from([1, 5, DUST_WEI, 3 * DUST_WEI, 3 * DUST_WEI - FEE, 2**200]), st.booleans(),
)  # fmt: skip


@given(st.lists(small, min_size=1, max_size=40), st.booleans())
def test_the_kernel_equals_its_readable_twin(rows: list[tuple[float, int, int, int, int, bool]], in_sets: bool) -> None:
    ledger, day = Ledger(tokens=(50, 51)), 0.0
    for wait, sender, to, asset, value, has_fee in rows:
        day += wait
        move = pays(sender, to, value) if asset == 0 else gives(sender, to, value, asset)
        ledger.add(day, sender, to, *([fee(sender)] if has_fee else []), move)
    found = flows(ledger.build())
    written = [
        (bool(is_fee), asset, source, target, value, height)
        for is_fee, asset, source, target, value, height in zip(
            found.is_fee.tolist(), found.asset.tolist(), found.source.tolist(), found.target.tolist(),
            [int(sum(int(limb) << 64 * k for k, limb in enumerate(row))) for row in found.value], found.height.tolist(),
            strict=True,
        )
    ]  # fmt: skip
    deposit, sweep = matches(found, SERVICE, in_sets=in_sets)
    pairs = sorted(zip(sweep.tolist(), deposit.tolist(), strict=True))
    assert [(a, b) for b, a in pairs] == reference(written, SERVICE.tolist(), in_sets=in_sets)


def test_five_victims_of_one_account_have_it_in_common_and_nothing_else() -> None:
    ledger = Ledger()
    for victim in range(20, 25):
        pay(ledger, victim, victim, ACCOUNT, 2 * ETHER)
        pay(ledger, victim + 0.1, ACCOUNT, HOT, 2 * ETHER - FEE)
    assert told(ledger, Relation.PAID_DEPOSIT) == [(victim, ACCOUNT, 1) for victim in range(20, 25)]
    assert told(ledger, Relation.SWEPT_INTO) == [(ACCOUNT, HOT, 5)]


def test_one_sweep_takes_several_deposits_and_a_token_exactly() -> None:
    ledger = Ledger(tokens=(50,))
    pay(ledger, 1.0, 20, ACCOUNT, ETHER)
    pay(ledger, 1.1, 21, ACCOUNT, 3 * ETHER)
    pay(ledger, 1.2, ACCOUNT, COLD, 4 * ETHER - FEE)
    ledger.add(2.0, 22, 50, gives(22, ACCOUNT, 700))
    pay(ledger, 2.1, HOT, ACCOUNT, FEE)
    ledger.add(2.2, ACCOUNT, 50, fee(ACCOUNT), gives(ACCOUNT, HOT, 700))
    ledger.add(3.0, 23, 50, gives(23, ACCOUNT, 700))
    ledger.add(3.2, ACCOUNT, 50, fee(ACCOUNT), gives(ACCOUNT, HOT, 699))
    assert told(ledger, Relation.PAID_DEPOSIT) == [(20, ACCOUNT, 1), (21, ACCOUNT, 1), (22, ACCOUNT, 1)]
    batch = deposit_relations(flows(ledger.build()), SERVICE)
    paid = batch.take((batch.relation == Relation.PAID_DEPOSIT) & (batch.source == 20))
    assert (paid.first_tx.tolist(), paid.last_tx.tolist()) == ([0], [2])


def test_what_is_no_deposit_account() -> None:
    late = Ledger()
    pay(late, 1.0, 20, ACCOUNT, ETHER)
    pay(late, 1.6, ACCOUNT, HOT, ETHER - FEE)  # 3,456 blocks later
    partly = Ledger()
    pay(partly, 1.0, 20, ACCOUNT, ETHER)
    pay(partly, 1.1, ACCOUNT, HOT, ETHER // 2)
    elsewhere = Ledger()
    for day in range(1, 8):
        pay(elsewhere, day, 20, ACCOUNT, ETHER)
        pay(elsewhere, day + 0.1, ACCOUNT, HOT if day < 5 else 30, ETHER - FEE)
    two_services = Ledger()
    for day in range(1, 9):
        pay(two_services, day, 20, ACCOUNT, ETHER)
        pay(two_services, day + 0.1, ACCOUNT, HOT if day % 2 else OTHER_HOT, ETHER - FEE)
    crowd = Ledger()
    for place in range(MOST_USERS + 1):
        pay(crowd, place + 1, 20 + place, ACCOUNT, ETHER)
        pay(crowd, place + 1.1, ACCOUNT, HOT, ETHER - FEE)
    for ledger in (late, partly, elsewhere, two_services, crowd):
        assert told(ledger, Relation.PAID_DEPOSIT) == []
        assert told(ledger, Relation.SWEPT_INTO) == []


def test_zero_transfers_and_the_services_own_payments_name_no_user() -> None:
    ledger = Ledger(tokens=(50,))
    ledger.add(1.0, 40, 50, gives(20, ACCOUNT, 0))  # poisoning: 40 has a token say that 20 paid
    pay(ledger, 1.1, HOT, ACCOUNT, ETHER)
    pay(ledger, 1.2, ACCOUNT, HOT, ETHER - FEE)
    assert told(ledger, Relation.PAID_DEPOSIT) == []
    assert told(ledger, Relation.SWEPT_INTO) == [(ACCOUNT, HOT, 1)]
