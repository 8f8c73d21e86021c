"""How fast the generator makes a chain, in how much memory, and how near its marginals come to Bitcoin's.

Processor time of one process. Blocks are kept for the marginals, or thrown away (`--without-marginals`). Exit code 1
where a marginal that is promised is off by more than three points.

    python -m bench.simulate [--seed 1] [--transactions 25000] [--without-marginals]
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import time

import numpy as np

from chain.bitcoin.network import REGTEST
from chain.bitcoin.parse import scan
from clustering.simulate.generator import LEAST_TRANSACTIONS, generate
from clustering.simulate.kinds import COINJOINS
from clustering.simulate.marginals import flows_of, marginals
from clustering.simulate.profile import RATIOS, REPORTED, TARGETS, TOLERANCE
from clustering.simulate.truth import Truth


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transactions", type=int, default=25_000)
    parser.add_argument("--without-marginals", action="store_true")
    arguments = parser.parse_args()
    total: int = arguments.transactions
    generate(0, LEAST_TRANSACTIONS, lambda _: None)  # compiles the kernel
    blocks: list[bytes] = []
    size = [0]

    def sink(block: bytes) -> None:
        size[0] += len(block)
        if not arguments.without_marginals:
            blocks.append(block)

    gc.disable()
    started = time.process_time()
    truth = generate(arguments.seed, total, sink)
    seconds = time.process_time() - started
    gc.enable()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{total:,} transactions, {len(truth.owners):,} owners, {len(truth.address_owner):,} addresses")
    print(f"{size[0] / 1e6:,.0f} MB of blocks in {seconds:.1f} s: {1e6 * seconds / total:.1f} us a transaction")
    print(f"peak of resident memory {peak:,.0f} MiB")
    return _compare(blocks, truth) if blocks else 0


def _compare(blocks: list[bytes], truth: Truth) -> int:
    sizes = np.array([len(block) for block in blocks], np.int64)
    batch = scan(np.frombuffer(b"".join(blocks), np.uint8), np.cumsum(sizes) - sizes, sizes, REGTEST)
    found = marginals(flows_of(batch), np.isin(truth.kind, COINJOINS))
    missed = 0
    print(f"{'':28}{'Bitcoin':>9}{'here':>9}{'off':>9}")
    for name, target in TARGETS.items():
        off = found[name] - target
        wrong = name not in REPORTED and abs(off) > (TOLERANCE / 100 if name in RATIOS else TOLERANCE)
        missed += wrong
        print(f"{name:28}{target:9.3f}{found[name]:9.3f}{off:+9.3f}{'  MISSED' if wrong else ''}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
