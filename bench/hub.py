"""A busy address beside a quiet one: facts and first page of its transactions.

    python -m bench.hub [--json]

One address takes part in a million transactions, which are covered by many runs of activity, as after many loads; the
other in three. Opened from disk, asked in turn; the medians of many asks are compared.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from chain.activity import ActivityLog
from chain.model import Array

BUSY_TXS = 1_000_000
RUNS = 50
ASKS = 2_000
PAGE = 50
TARGET = 2.0
"""Times that a busy address may take of a quiet one's."""


class _Ledger:
    """Transactions of two outputs: one to the busy address (0), one to an address of its own or the quiet one (1)."""

    def __init__(self, txs: int) -> None:
        counts = np.full(txs, 2, np.int32)
        address = np.zeros(2 * txs, np.int32)
        address[1::2] = np.arange(txs) + 2
        address[[3, txs | 1, 2 * txs - 1]] = 1
        self._arrays: dict[str, Array] = {
            "tx_first_input": np.zeros(txs, np.int64),
            "input_spends": np.zeros(0, np.int64),
            "tx_first_output": np.arange(txs, dtype=np.int64) * 2,
            "tx_output_count": counts,
            "output_address": address,
            "output_value": np.ones(2 * txs, np.int64),
        }

    def array(self, name: str) -> Array:
        return self._arrays[name]


def run() -> dict[str, float]:
    """Microseconds of facts and a page for both addresses, and their ratio."""
    ledger = _Ledger(BUSY_TXS)
    with tempfile.TemporaryDirectory() as folder:
        log = ActivityLog.open(Path(folder), [])
        for end in np.linspace(0, BUSY_TXS, RUNS + 1).astype(int).tolist()[1:]:
            log.extend(end, ledger)  # type: ignore[arg-type]
        log = ActivityLog.open(Path(folder), log.runs)
        busy, quiet = (log.facts(address) for address in (0, 1))
        assert busy is not None
        assert quiet is not None
        assert (busy.tx_count, quiet.tx_count) == (BUSY_TXS, 3)
        times: dict[int, list[float]] = {0: [], 1: []}
        for _ in range(ASKS):
            for address, taken in times.items():
                started = perf_counter()
                log.facts(address)
                log.entries(address, PAGE, BUSY_TXS)
                taken.append(perf_counter() - started)
    of_busy, of_quiet = median(times[0]) * 1e6, median(times[1]) * 1e6
    return {"busy_us": of_busy, "quiet_us": of_quiet, "ratio": of_busy / of_quiet, "runs": float(len(log.runs))}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.hub", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    found = run()
    if parser.parse_args().json:
        print(json.dumps(found))
    else:
        print(f"an address with {BUSY_TXS:,} transactions  {found['busy_us']:8.0f} us  facts and a page of {PAGE}")
        print(f"an address with 3 transactions          {found['quiet_us']:8.0f} us")
        print(f"ratio {found['ratio']:.1f} (at most {TARGET:.0f}), over {found['runs']:.0f} runs of activity")
    return 0 if found["ratio"] <= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
