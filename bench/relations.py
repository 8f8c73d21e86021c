"""Deposit relations over the flows of an Ethereum ledger, beside the time that reading the same columns once takes.

    python -m bench.relations [--transfers N] [--json]

A quarter of the transfers are deposits and their sweeps (half ether, half a token; one in five deposits waits for
the next), the others are payments between other addresses, and ether is preceded by its fee. Accounts are picked at
random, so that nothing is near in memory.
"""

from __future__ import annotations

import argparse

import numpy as np

from bench.measure import Measure, report, seconds_of
from chain import uint256
from chain.ethereum.model import Movement
from chain.model import I32
from clustering.ethereum.deposits import deposit_relations
from clustering.ethereum.emptied import emptied
from clustering.ethereum.flows import Flows

TRANSFERS = 4_000_000
SEED = 20_150_730
RUNS = 3
SERVICES, ACCOUNTS, OTHERS = 20, 300_000, 1_000_000
FEE, UNIT = 21_000 * 10**9, 10**14


def random_flows(transfers: int, seed: int = SEED) -> tuple[Flows, I32]:
    """Flows of so many transfers with the fees of those in ether, and the service of each address."""
    random = np.random.default_rng(seed)
    addresses = SERVICES + ACCOUNTS + OTHERS
    service = np.full(addresses, -1, np.int32)
    service[:SERVICES] = np.arange(SERVICES)
    kinds, sources, targets, assets, values = [], [], [], [], []
    waiting: dict[tuple[int, int], int] = {}
    pick = random.integers(0, 1 << 62, (transfers, 4))
    made = 0
    while made < transfers:
        a, b, c, d = pick[made].tolist()
        asset, value = d % 2, UNIT * (1 + c % 5_000)
        if a % 4:
            rows = [(SERVICES + ACCOUNTS + b % OTHERS, SERVICES + ACCOUNTS + c % OTHERS, value)]
        else:
            account = SERVICES + b % ACCOUNTS
            if (account, asset) in waiting and d % 5:
                swept = waiting.pop((account, asset)) - (0 if asset else FEE)
                rows = [(account, account % SERVICES, swept)]
            else:
                waiting[account, asset] = waiting.get((account, asset), 0) + value
                rows = [(SERVICES + ACCOUNTS + (7 * account + c % 2) % OTHERS, account, value)]
        for source, target, amount in rows:
            if asset == 0:
                kinds.append(Movement.FEE_PAID)
                sources.append(source)
                targets.append(0)
                assets.append(0)
                values.append(FEE)
            kinds.append(Movement.TOKEN if asset else Movement.VALUE)
            sources.append(source)
            targets.append(target)
            assets.append(asset)
            values.append(amount)
        made += 1
    limbs = np.zeros((len(values), uint256.LIMBS), np.uint64)
    limbs[:, 0] = np.array(values, np.uint64)
    tx = np.arange(len(values))
    flows = Flows(
        tx, np.array(kinds, np.uint8), np.array(assets, np.int32), np.array(sources, np.int32),
        np.array(targets, np.int32), limbs, tx * 1_000 // len(values),
    )  # fmt: skip
    return flows, service


def run(transfers: int = TRANSFERS) -> list[Measure]:
    """Rates a second and a core, and the share of a plain reading's speed."""
    deposit_relations(*random_flows(1_000))
    flows, service = random_flows(transfers)
    found = deposit_relations(flows, service)
    relations, reading, emptying = [], [], []
    time, is_contract = flows.tx, np.zeros(len(service), np.bool_)
    emptied(flows, time, service, is_contract)
    for _ in range(RUNS):
        reading.append(seconds_of(lambda: _read(flows, service)))
        relations.append(seconds_of(lambda: deposit_relations(flows, service)))
        emptying.append(seconds_of(lambda: emptied(flows, time, service, is_contract)))
    return [
        Measure("deposit relations", transfers / min(relations) / 1e6, "million a second", 5.0),
        Measure("relations found", len(found), "relations"),
        Measure("times a plain reading of the columns", min(relations) / min(reading), "times"),
        Measure("emptied accounts", transfers / min(emptying) / 1e6, "million a second"),
    ]


def _read(flows: Flows, service: I32) -> int:
    """Touch every value once, and what each end is: what no kernel can do without."""
    touched = service[flows.source].sum() + service[flows.target].sum() + flows.asset.sum() + flows.kind.sum()
    return int(touched + flows.height.sum()) + int(flows.value.sum(dtype=np.uint64))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--transfers", type=int, default=TRANSFERS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    return report(run(arguments.transfers), arguments.json)


if __name__ == "__main__":
    raise SystemExit(main())
