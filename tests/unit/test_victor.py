"""The published rules join victims and payers, which is why they are for comparison only."""

from __future__ import annotations

import numpy as np

from chain.ethereum.model import Movement
from clustering.ethereum.ledger import NOBODY
from clustering.ethereum.victor import RULES, victor
from tests.unit.ethereum_ledgers import ETHER, Ledger, gives, pays

HOT, ACCOUNT, THIEF = 1, 10, 40
SERVICE = np.full(60, NOBODY, np.int32)
SERVICE[HOT] = 0


def groups(ledger: Ledger) -> dict[str, list[list[int]]]:
    found = {}
    for joined in victor(ledger.build(), SERVICE):
        members: dict[int, list[int]] = {}
        for address, label in enumerate(joined.labels.tolist()):
            members.setdefault(label, []).append(address)
        found[joined.rule] = [group for group in members.values() if len(group) > 1]
        assert joined.groups == len(found[joined.rule])
        assert joined.addresses == sum(map(len, found[joined.rule]))
        assert joined.largest == max(map(len, members.values()))
    return found


def test_five_victims_of_one_account_become_one_owner() -> None:
    ledger = Ledger()
    for victim in range(20, 25):
        ledger.add(victim, victim, ACCOUNT, pays(victim, ACCOUNT, ETHER))
        ledger.add(victim + 0.1, ACCOUNT, HOT, pays(ACCOUNT, HOT, ETHER))
    assert groups(ledger) == {
        RULES[0]: [[20, 21, 22, 23, 24]], RULES[1]: [], RULES[2]: [], "all together": [[20, 21, 22, 23, 24]]
    }  # fmt: skip


def test_a_drainer_becomes_one_with_its_victims() -> None:
    ledger = Ledger(tokens=(50,))
    for place, victim in enumerate((20, 21)):
        ledger.add(1 + place, victim, 50)
        ledger.acts.append((place, (Movement.APPROVED, 1, victim, THIEF)))
    for place, victim in enumerate((20, 21)):
        ledger.add(5 + place, THIEF, 50, gives(victim, THIEF, 100))
    ledger.add(6.5, 30, 50, gives(22, 30, 100))  # without an approval: the token's word alone
    assert groups(ledger)[RULES[2]] == [[20, 21, THIEF]]


def test_one_sweep_of_two_deposits_is_not_seen_by_the_published_rule() -> None:
    ledger = Ledger()
    for place, payer in enumerate((20, 21)):
        ledger.add(1 + place / 100, payer, ACCOUNT, pays(payer, ACCOUNT, ETHER))
    ledger.add(1.1, ACCOUNT, HOT, pays(ACCOUNT, HOT, 2 * ETHER))
    assert groups(ledger)["all together"] == []
