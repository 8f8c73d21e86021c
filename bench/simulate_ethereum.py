"""How fast the generator makes an Ethereum, and whether its cost follows its length.

Processor time of one process, blocks thrown away. Exit code 1 where a transaction of the long chain costs more than
`GROWTH` times one of the short chain.

    python -m bench.simulate_ethereum [--seed 1] [--transactions 80000]
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import time

from clustering.simulate.ethereum.blocks import MadeBlock
from clustering.simulate.ethereum.generator import LEAST_TRANSACTIONS, generate

PARTS = 4
"""The short chain is so many times shorter."""
GROWTH = 1.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transactions", type=int, default=80_000)
    arguments = parser.parse_args()
    generate(0, LEAST_TRANSACTIONS, lambda _: None)  # compiles the kernels
    costs = [_cost(arguments.seed, total) for total in (arguments.transactions // PARTS, arguments.transactions)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak of resident memory {peak:,.0f} MiB")
    return int(costs[1] > GROWTH * costs[0])


def _cost(seed: int, total: int) -> float:
    """Seconds of a transaction."""
    size = 0

    def sink(block: MadeBlock) -> None:
        nonlocal size
        size += len(block.header) + len(block.body) + len(block.receipts)

    gc.disable()
    started = time.process_time()
    truth = generate(seed, total, sink)
    seconds = time.process_time() - started
    gc.enable()
    print(f"{total:,} transactions, {len(truth.owners):,} owners, {len(truth.address_owner):,} addresses")
    print(f"{size / 1e6:,.0f} MB of RLP in {seconds:.1f} s: {1e6 * seconds / total:.0f} us a transaction")
    return seconds / total


if __name__ == "__main__":
    sys.exit(main())
