"""How fast blocks are scanned and verified, beside python-bitcoinlib on the same bytes.

Ours: offsets, every column, txid, wtxid, merkle root and all checks that need only the block
(`scan` and `verify_blocks`), one block a call, on one core. The other: `CBlock.deserialize` and
`GetTxid` of each transaction, which is less. Rounds alternate; in each, ours runs `REPEATS` times on
end, as it does in a load, and the best time of all counts, as the other's does.

    python -m bench.scan [--rounds 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bitcoin.core
import numpy as np

from chain.bitcoin.network import MAINNET
from chain.bitcoin.parse import scan
from chain.bitcoin.verify import verify_blocks

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 3
TARGET_RATE = 100.0
"""MB/s over all blocks together."""
TARGET_RATIO = 20.0
"""Times python-bitcoinlib, the median over the blocks."""


@dataclass(frozen=True, slots=True)
class Measured:
    block: str
    size: int
    transactions: int
    ours: float
    """Seconds."""
    bitcoinlib: float
    """Seconds."""

    @property
    def rate(self) -> float:
        return self.size / self.ours / 1e6

    @property
    def ratio(self) -> float:
        return self.bitcoinlib / self.ours


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    arguments = parser.parse_args()
    folder = Path(os.environ.get("HEADWATER_DATA", Path(__file__).parents[2] / "shared" / "data"))
    files = sorted((folder / "bitcoin" / "raw").glob("*.raw.xz"))
    if not files:
        sys.stderr.write(f"no blocks to measure with: HEADWATER_DATA={folder} has no bitcoin/raw/*.raw.xz\n")
        return 2
    results = [measure(path.name.split(".")[0], lzma.decompress(path.read_bytes()), arguments.rounds) for path in files]
    rate = sum(result.size for result in results) / sum(result.ours for result in results) / 1e6
    ratio = statistics.median(result.ratio for result in results)
    if arguments.json:
        blocks = [asdict(result) | {"rate": result.rate, "ratio": result.ratio} for result in results]
        print(json.dumps({"rate_mb_s": rate, "median_ratio": ratio, "blocks": blocks}))
    else:
        print_table(results, rate, ratio)
    return 0 if rate >= TARGET_RATE and ratio >= TARGET_RATIO else 1


def measure(name: str, raw: bytes, rounds: int) -> Measured:
    """The best of `rounds` alternating runs of each."""
    buffer = np.frombuffer(raw, np.uint8)
    start, size = np.zeros(1, np.int64), np.array([len(raw)])
    batch = scan(buffer, start, size, MAINNET)  # compiles, or loads what is compiled

    def ours() -> None:
        verify_blocks(scan(buffer, start, size, MAINNET), MAINNET)

    def bitcoinlib() -> None:
        for transaction in bitcoin.core.CBlock.deserialize(raw).vtx:
            transaction.GetTxid()

    ours()
    times = [(min(seconds(ours) for _ in range(REPEATS)), seconds(bitcoinlib)) for _ in range(rounds)]
    best_ours, best_other = (min(column) for column in zip(*times, strict=True))
    return Measured(name, len(raw), batch.tx_count, best_ours, best_other)


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def print_table(results: list[Measured], rate: float, ratio: float) -> None:
    print(f"{'block':>16} {'bytes':>9} {'txs':>6} {'ours ms':>9} {'MB/s':>7} {'bitcoinlib ms':>14} {'ratio':>7}")
    for each in results:
        print(
            f"{each.block:>16} {each.size:>9} {each.transactions:>6} {each.ours * 1e3:>9.2f} "
            f"{each.rate:>7.0f} {each.bitcoinlib * 1e3:>14.1f} {each.ratio:>6.0f}x"
        )
    print(f"all blocks {rate:.0f} MB/s a core (at least {TARGET_RATE:.0f})")
    print(f"median {ratio:.0f} times python-bitcoinlib (at least {TARGET_RATIO:.0f})")


if __name__ == "__main__":
    raise SystemExit(main())
