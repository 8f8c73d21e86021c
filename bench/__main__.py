"""Every benchmark, one after another; exit code 1 where one misses its target.

A benchmark that has nothing to measure with (no real blocks) says so and misses nothing.
"""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = (
    "scan",
    "ingest",
    "hub",
    "clusters",
    "coinjoins",
    "simulate",
    "simulate_ethereum",
    "ethereum",
    "ethereum_blocks",
    "transfers",
    "relations",
    "trace",
)
NOTHING_TO_MEASURE = 2


def main() -> int:
    missed = []
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False)
        if done.returncode not in (0, NOTHING_TO_MEASURE):
            missed.append(name)
    print("every target met" if not missed else f"missed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
