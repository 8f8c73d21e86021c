"""Relations beside deposits: each kernel against its twin, what is left out, and that nothing here is a link."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chain import uint256
from chain.ethereum.model import Movement, Status
from clustering.ethereum import airdrops, emptied, funders
from clustering.ethereum.actors import actors
from clustering.ethereum.deployers import deployments
from clustering.ethereum.flows import Accounts, Flows, accounts, flows
from clustering.ethereum.ledger import NOBODY
from clustering.ethereum.relations import RELATIONS, Relation, RelationBatch
from tests.unit.ethereum_ledgers import ETHER, Ledger, gives, pays

ADDRESSES = 60
SERVICE = np.full(ADDRESSES, NOBODY, np.int32)
SERVICE[1] = 0
NO_CONTRACT = np.zeros(ADDRESSES, np.bool_)
THIEF = 40


def pairs(batch: RelationBatch) -> list[tuple[int, int]]:
    return list(zip(batch.source.tolist(), batch.target.tolist(), strict=True))


def amounts(found: Flows) -> list[int]:
    return uint256.to_ints(found.value)


transfer = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 2), st.sampled_from([1, 5, 100, 2**250]))


def ledger_of(rows: list[tuple[int, int, int, int]], step: float = 0.01) -> Ledger:
    ledger = Ledger(tokens=(50, 51))
    for place, (sender, to, asset, value) in enumerate(rows):
        ledger.add(step * place, sender, to, gives(sender, to, value, asset) if asset else pays(sender, to, value))
    return ledger


@given(st.lists(transfer, min_size=1, max_size=40))
def test_first_funders_equal_their_readable_twin(rows: list[tuple[int, int, int, int]]) -> None:
    ledger = ledger_of(rows).build()
    found, own = flows(ledger), accounts(ledger, ADDRESSES)
    written = list(zip((found.asset == 0).tolist(), found.source.tolist(), found.target.tolist(), strict=True))
    assert pairs(funders.first_funders(found, SERVICE, own.has_acted)) == funders.reference(
        written, SERVICE.tolist(), own.has_acted.tolist()
    )


@given(st.lists(transfer, min_size=1, max_size=40))
def test_emptied_accounts_equal_their_readable_twin(rows: list[tuple[int, int, int, int]]) -> None:
    found = flows(ledger_of(rows).build())
    last = emptied.last_payments(found, ADDRESSES)
    last = np.sort(last[last >= 0])
    written = zip(
        found.is_fee.tolist(), found.asset.tolist(), found.source.tolist(), found.target.tolist(), amounts(found),
        strict=True,
    )  # fmt: skip
    assert last[emptied.are_emptying(found, last, ADDRESSES)].tolist() == emptied.reference(list(written))


@given(st.lists(transfer, min_size=1, max_size=60), st.integers(2, 3))
def test_forwarded_airdrops_equal_their_readable_twin(rows: list[tuple[int, int, int, int]], least: int) -> None:
    found = flows(ledger_of([(a, b, 1 + asset % 2, value) for a, b, asset, value in rows], 0.0001).build())
    written = zip(
        found.asset.tolist(), found.source.tolist(), found.target.tolist(), amounts(found), found.height.tolist(),
        strict=True,
    )  # fmt: skip
    batch = airdrops.forwarded_airdrops(found, SERVICE, NO_CONTRACT, least)
    assert pairs(batch) == sorted(airdrops.reference(list(written), SERVICE.tolist(), NO_CONTRACT.tolist(), least))


def stolen(hours: float) -> Ledger:
    """Three victims, emptied into one address within so many hours; one of them never signed that."""
    ledger = Ledger(tokens=(50,))
    for place, victim in enumerate((20, 21, 22)):
        ledger.add(1 + place, 30, 50, gives(30, victim, 1_000))
        last = gives(victim, THIEF, 960)
        if victim == 22:
            ledger.add(2 + place, victim, 50)
            ledger.acts = [(len(ledger.txs) - 1, (Movement.APPROVED, 1, victim, THIEF))]
        ledger.add(10 + place * hours / 48, THIEF if victim == 22 else victim, 50, last)
    return ledger


def test_victims_of_one_thief_are_each_emptied_into_the_same_address() -> None:
    ledger = stolen(24).build()
    batch = emptied.emptied(flows(ledger), ledger.tx_time, SERVICE, NO_CONTRACT)
    assert pairs(batch) == [(20, THIEF), (21, THIEF), (22, THIEF)]
    assert pairs(emptied.emptied(flows(ledger), ledger.tx_time, SERVICE, ~NO_CONTRACT)) == []


def test_nobody_is_emptied_by_what_a_token_says_of_them() -> None:
    unsigned = stolen(24)
    unsigned.acts = []
    others = stolen(24)
    tx, (kind, asset, victim, thief) = others.acts[0]
    others.txs[tx] = (others.txs[tx][0], thief, *others.txs[tx][2:])  # the approval is the thief's word too
    others.acts = [(tx, (kind, asset, victim, thief))]
    for ledger in (unsigned.build(), others.build()):
        assert 22 not in flows(ledger).source
        assert pairs(emptied.emptied(flows(ledger), ledger.tx_time, SERVICE, NO_CONTRACT)) == []


def test_a_transfer_counts_where_its_source_acted_by_itself_or_is_a_contract() -> None:
    ledger = Ledger(tokens=(50,))
    for place, source in enumerate((5, 6, 7, 8)):  # a bundler sends for 5, 6 is a contract, 7 approved later, 8 nothing
        ledger.add(1 + place, 30, 50, gives(source, 9, 1 + place))
    ledger.add(9, 7, 50)
    ledger.created = {0: 6}
    ledger.acts = [(0, (Movement.OPERATED, 0, 5, NOBODY)), (4, (Movement.APPROVED, 1, 7, 30))]
    assert amounts(flows(ledger.build())) == [1, 2]


def test_the_actor_is_who_acts_and_not_who_sends() -> None:
    assert actors(30, []) == [30]
    assert actors(None, []) == []
    assert actors(30, [(Movement.APPROVED, 5), (Movement.OPERATED, 6), (Movement.OPERATED, 6)]) == [6]
    assert actors(30, [(Movement.DELEGATED, 7), (Movement.OPERATED, 6)]) == [7, 6]


def test_who_acts_again_or_on_another_day_or_keeps_some_was_not_emptied() -> None:
    again = stolen(1)
    again.add(20, 21, 22, gives(21, 25, 40))
    for ledger in (again.build(), stolen(30).build()):
        batch = emptied.emptied(flows(ledger), ledger.tx_time, SERVICE, NO_CONTRACT)
        assert pairs(batch) == []


def test_who_funds_many_first_is_a_service_that_no_label_names() -> None:
    ledger = Ledger()
    many = funders.MOST_FUNDED + 1
    for place in range(many):
        ledger.add(place, 2, 100 + place, pays(2, 100 + place, ETHER))
        ledger.add(place + 0.5, 100 + place, 3, pays(100 + place, 3, 1))
    ledger.add(90, 4, 200, pays(4, 200, ETHER))
    ledger.add(91, 1, 201, pays(1, 201, ETHER))
    ledger.add(92, 200, 3, pays(200, 3, 1))
    ledger.add(93, 201, 3, pays(201, 3, 1))
    service = np.full(300, NOBODY, np.int32)
    service[1] = 0
    built = ledger.build()
    batch = funders.first_funders(flows(built), service, accounts(built, 300).has_acted)
    assert (4, 200) in pairs(batch)
    assert {source for source, _ in pairs(batch)} & {1, 2} == set()


def test_a_contract_was_deployed_by_who_sent_the_transaction_that_made_it_unless_that_failed() -> None:
    ledger = Ledger()
    ledger.add(1, 5, NOBODY)
    ledger.add(2, 6, NOBODY, status=Status.FAILED)
    ledger.created = {0: 7, 1: 8}
    ledger.moves = [(0, pays(5, 7, 1))]
    ledger.acts = [(0, (Movement.CREATED, 0, 7, 9))]
    built = ledger.build()
    assert pairs(deployments(built)) == [(5, 7), (7, 9)]
    assert accounts(built, ADDRESSES).is_contract[[7, 5]].tolist() == [True, False]


def test_what_fails_or_says_zero_is_no_flow() -> None:
    ledger = Ledger(tokens=(50,))
    ledger.add(1, 5, 6, pays(5, 6, 7), status=Status.FAILED)
    ledger.add(2, 5, 50, gives(20, 21, 0))
    ledger.add(3, 5, 6, pays(5, 6, 9))
    assert amounts(flows(ledger.build())) == [9]


def test_each_relation_says_what_it_takes_for_granted_and_how_sure_it_is() -> None:
    assert set(RELATIONS) == set(Relation)
    for facts in RELATIONS.values():
        assert facts.claim.endswith(".")
        assert facts.rate.startswith("not measured" if facts.is_lead else "stands in the rows")
    assert isinstance(accounts(stolen(1).build(), ADDRESSES), Accounts)
