"""Tokens that are not true to their logs: the kernel against its twin, and who may overspend without being one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clustering.ethereum.faithful import TOLD, Fault, faults, overspent, reference
from clustering.ethereum.ledger import NOBODY, EthereumLedger
from tests.unit.ethereum_ledgers import ZERO, Ledger, gives

TOKEN, DEPLOYER = 50, 40
UNKNOWN = np.zeros(2, np.bool_)


def created(*rows: tuple[int, int, int]) -> EthereumLedger:
    """A token that is deployed in the first transaction, then these transfers of it."""
    ledger = Ledger(tokens=(TOKEN,))
    ledger.add(0, DEPLOYER, NOBODY)
    ledger.created = {0: TOKEN}
    for place, (source, target, value) in enumerate(rows):
        ledger.add(1 + place, source, TOKEN, gives(source, target, value))
    return ledger.build()


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([0, 1, 5, 2**255])), max_size=40))
def test_the_kernel_equals_its_readable_twin(rows: list[tuple[int, int, int]]) -> None:
    ledger = created((ZERO, 1, 1), *rows)
    creator = np.full(2, 6, np.int32)
    counts = overspent(ledger, np.arange(len(ledger.move_kind)), creator)
    written = [(1, source, target, value, source == 6) for source, target, value in rows]
    assert int(counts[1]) == reference([(1, ZERO, 1, 1, True), *written]).get(1, 0)


def test_holders_who_pay_on_more_than_they_got_show_a_token_that_rebases() -> None:
    paid = [(ZERO, holder, 100) for holder in (1, 2, 3)] + [(holder, 9, 105) for holder in (1, 2, 3)]
    assert faults(created(*paid), UNKNOWN, True).tolist() == [Fault.NONE, Fault.OVERSPENT]
    assert faults(created(*paid[:-1]), UNKNOWN, True).tolist() == [Fault.NONE, Fault.NONE]
    assert faults(created(*paid), UNKNOWN, False).tolist() == [Fault.NONE, Fault.NONE]  # movements may be missing


def test_balances_that_were_there_from_the_creation_on_are_no_fault() -> None:
    silent = [(DEPLOYER, 1, 100), (7, 2, 100), (TOKEN, 3, 100), (8, 3, 50)]
    back = [(1, DEPLOYER, 1), (DEPLOYER, 2, 5_000), (2, TOKEN, 1), (TOKEN, 1, 900)]
    assert faults(created(*silent, *back), UNKNOWN, True).tolist() == [Fault.NONE, Fault.NONE]


def test_a_known_one_is_refused_in_an_extract_too() -> None:
    ledger = Ledger(tokens=(TOKEN,))
    ledger.add(0, 1, TOKEN, gives(1, 2, 5))
    assert faults(ledger.build(), np.array([False, True]), False).tolist() == [Fault.NONE, Fault.REBASES]
    assert set(TOLD) == set(Fault) - {Fault.NONE}
