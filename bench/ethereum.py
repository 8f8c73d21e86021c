"""How fast token sales are looked for.

    python -m bench.ethereum [--transactions 1000000] [--json]

The ledger that they are looked for in is generated: a tenth of its 300 contracts sell at one price, the others give
another rate each time.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from bench.measure import Measure, report, seconds_of
from chain import uint256
from chain.ethereum.model import Movement, Part, Standard, Status
from clustering.detect.presale import find_collections
from clustering.detect.token_sale import find_sales
from clustering.ethereum.ledger import NOBODY, EthereumLedger

SEED = 20_150_730
RUNS = 3
CONTRACTS = 300
SELLERS = 30
ACCOUNTS = 400_000
FIRST_ACCOUNT = 1_000
TREASURY = 5
DAYS = 60
DAY = 86_400
CENT = 10**16


def random_ledger(count: int) -> EthereumLedger:
    """`count` transactions that each pay a contract, which pays its treasury and gives a token."""
    random = np.random.default_rng(SEED)
    contract = random.integers(0, CONTRACTS, count).astype(np.int32)
    payer = random.integers(FIRST_ACCOUNT, FIRST_ACCOUNT + ACCOUNTS, count).astype(np.int32)
    paid = random.integers(1, 100, count)
    rate = np.where(contract < SELLERS, 100, random.integers(90, 110, count))
    value = np.zeros((3 * count, uint256.LIMBS), np.uint64)
    value[0::3] = value[1::3] = uint256.from_ints(cents * CENT for cents in paid.tolist())
    value[2::3] = uint256.from_ints(cents * CENT for cents in (paid * rate).tolist())
    to = contract + 10
    return EthereumLedger(
        tx_time=np.sort(random.integers(0, DAYS * DAY, count)),
        tx_height=np.arange(count),
        tx_from=payer,
        tx_to=to,
        tx_created=np.full(count, NOBODY, np.int32),
        tx_status=np.full(count, Status.SUCCEEDED, np.uint8),
        tx_parts=np.full(count, Part.TRACES, np.uint8),
        move_tx=np.repeat(np.arange(count), 3),
        move_kind=np.tile([Movement.VALUE, Movement.INTERNAL, Movement.TOKEN], count).astype(np.uint8),
        move_asset=_by_turns(np.zeros_like(to), np.zeros_like(to), contract + 1),
        move_from=_by_turns(payer, to, np.zeros_like(to)),
        move_to=_by_turns(to, np.full_like(to, TREASURY), payer),
        move_value=value,
        act_tx=np.empty(0, np.int64),
        act_kind=np.empty(0, np.uint8),
        act_asset=np.empty(0, np.int32),
        act_from=np.empty(0, np.int32),
        act_to=np.empty(0, np.int32),
        asset_contract=np.append(NOBODY, 500 + np.arange(CONTRACTS)).astype(np.int32),
        asset_standard=np.append(Standard.ETHER, np.full(CONTRACTS, Standard.ERC20)).astype(np.uint8),
        zero_address=0,
    )


def _by_turns(*columns: Any) -> Any:
    return np.stack(columns, axis=1).reshape(-1).astype(np.int32)


def _sales(count: int) -> list[Measure]:
    ledger = random_ledger(count)
    sales, rejected = find_sales(ledger)  # which compiles what is not cached
    assert (len(sales), len(rejected)) == (SELLERS, CONTRACTS - SELLERS)
    known = np.arange(10, 10 + CONTRACTS)
    return [
        Measure("token sales looked for", count / _best(lambda: find_sales(ledger)), "tx/s"),
        Measure("collections looked for", count / _best(lambda: find_collections(ledger, known)), "tx/s"),
    ]


def _best(work: Any) -> float:
    return min(seconds_of(work) for _ in range(RUNS))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--transactions", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    return report(_sales(arguments.transactions), arguments.json)


if __name__ == "__main__":
    raise SystemExit(main())
