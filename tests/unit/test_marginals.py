"""The figures of a chain: by hand on a small one, and the generated chain's against Bitcoin's."""

from __future__ import annotations

import numpy as np
import pytest

from clustering.simulate.kinds import COINJOINS
from clustering.simulate.marginals import Flows, marginals
from clustering.simulate.profile import RATIOS, REPORTED, TARGETS, TOLERANCE
from tests.unit.simulated import simulated


@pytest.mark.parametrize("seed", [1, 2])
def test_a_generated_chain_has_bitcoin_s_marginals(seed: int) -> None:
    chain = simulated(seed, 25_000)
    found = marginals(chain.flows, np.isin(chain.truth.kind, COINJOINS))
    assert set(found) == set(TARGETS)
    off = {
        name: (round(found[name], 3), target)
        for name, target in TARGETS.items()
        if name not in REPORTED and abs(found[name] - target) > (TOLERANCE / 100 if name in RATIOS else TOLERANCE)
    }
    assert off == {}


def _flows(transactions: list[tuple[list[int], list[int], int, int, int, bool]]) -> Flows:
    """From (outputs spent, addresses paid with -2 for OP_RETURN, version, lock time, sequence, segwit)."""
    paid = [address for _, outputs, *_ in transactions for address in outputs]
    spends = [output for spent, *_ in transactions for output in spent]
    return Flows(
        first_input=np.cumsum([0, *[len(spent) for spent, *_ in transactions]]),
        spends=np.array(spends, np.int64),
        sequence=np.array([row[4] for row in transactions for _ in row[0]], np.int64),
        first_output=np.cumsum([0, *[len(outputs) for _, outputs, *_ in transactions]]),
        address=np.array([max(address, -1) for address in paid], np.int32),
        is_data=np.array([address == -2 for address in paid]),
        coinbase=np.array([not spent for spent, *_ in transactions]),
        version=np.array([row[2] for row in transactions], np.int64),
        lock_time=np.array([row[3] for row in transactions], np.int64),
        segwit=np.array([row[5] for row in transactions]),
        address_count=max(paid) + 1,
    )


def test_the_figures_of_a_chain_that_was_counted_by_hand() -> None:
    final, replaceable = 0xFFFFFFFF, 0xFFFFFFFD
    flows = _flows(
        [
            ([], [0, 1, 0, 2], 1, 0, final, False),  # outputs 0-3
            ([0], [3, 4], 1, 0, final, False),  # 4, 5: change 4 is spent with address 0 later, payee 3 is new
            ([1], [1, 2], 2, 9, replaceable, True),  # 6, 7: change to the input's address
            ([2, 5], [5], 1, 0, final, False),  # 8: joins addresses 0 and 4
            ([3], [6, -2], 1, 0, final, False),  # 9, 10: OP_RETURN
            ([7], [3, 6], 2, 7, replaceable, True),  # 11, 12: the rest
            ([4, 9], [3, 5, 6], 1, 0, final, False),  # 13-15: three outputs, a coinjoin of addresses 3 and 6
        ]
    )
    coinjoin = np.array([False] * 6 + [True])
    found = marginals(flows, coinjoin)
    assert found["outputs_1"] == pytest.approx(100 / 6)
    assert found["outputs_2"] == pytest.approx(400 / 6)
    assert found["outputs_3"] == pytest.approx(100 / 6)
    assert found["op_return_2"] == 25
    assert found["reuse_2"] == 25
    assert found["revealed_2"] == 25
    assert found["reuse_3"] == 100
    assert (found["rest_inputs_1"], found["rest_inputs_2"]) == (100, 0)
    assert (found["rest_version_1"], found["rest_lock_time"], found["rest_replaceable"]) == (0, 100, 100)
    assert found["rest_segwit"] == 100
    assert found["payee_fresh"] == 100
    assert (found["unspent_1"], found["unspent_2"], found["unspent_3"]) == (100, 50, 100)
    assert found["addresses_per_transaction"] == pytest.approx(7 / 6)
    assert found["entities_per_address"] == pytest.approx(6 / 7)
    # 0-3 0-4, 1-1 1-2, 0-5 4-5, 2-6, 2-3 (2-6 again), 3-3 3-5 3-6 6-3 6-5 6-6
    assert found["edges_per_transaction"] == pytest.approx(14 / 6)


def test_a_coinjoin_that_is_not_left_out_joins_its_inputs() -> None:
    final = 0xFFFFFFFF
    flows = _flows([([], [0, 1], 1, 0, final, False), ([0, 1], [2, 3, 4], 1, 0, final, False)])
    assert marginals(flows, np.array([False, True]))["entities_per_address"] == 1
    assert marginals(flows, np.array([False, False]))["entities_per_address"] == pytest.approx(4 / 5)
