"""Activity of addresses against a plain reading of the transactions."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import activity
from chain.activity import ActivityLog, Facts
from chain.model import I32, I64

ADDRESSES = 5


class Ledger:
    """Random transactions as the arrays that a writer has."""

    def __init__(self, transactions: list[tuple[list[int], list[tuple[int, int]]]]) -> None:
        lists: list[list[int]] = [[] for _ in range(6)]
        first_input, first_output, counts, spends, address, value = lists
        unspent: list[int] = []
        self.moves: list[list[tuple[int, int, bool]]] = []
        for picks, outputs in transactions:
            moves = []
            first_input.append(len(spends))
            for pick in picks:
                if unspent:
                    output = unspent.pop(pick % len(unspent))
                    spends.append(output)
                    moves.append((address[output], value[output], True))
            first_output.append(len(address))
            counts.append(len(outputs))
            for who, amount in outputs:
                unspent.append(len(address))
                address.append(who)
                value.append(amount)
                moves.append((who, amount, False))
            self.moves.append(moves)
        self.arrays: dict[str, Any] = {
            "tx_first_input": np.array(first_input, np.int64), "input_spends": np.array(spends, np.int64),
            "tx_first_output": np.array(first_output, np.int64), "tx_output_count": np.array(counts, np.int32),
            "output_address": np.array(address, np.int32), "output_value": np.array(value, np.int64),
        }  # fmt: skip

    def array(self, name: str) -> I64 | I32:
        found: I64 | I32 = self.arrays[name]
        return found

    def entries(self, address: int, before: int) -> list[tuple[int, int, int]]:
        """Transaction, received, spent; newest first."""
        found = []
        for tx, moves in enumerate(self.moves[:before]):
            mine = [(amount, spent) for who, amount, spent in moves if who == address]
            if mine:
                received = sum(amount for amount, spent in mine if not spent and amount >= 0)
                found.append((tx, received, sum(amount for amount, spent in mine if spent and amount >= 0)))
        return found[::-1]

    def facts(self, address: int, before: int) -> Facts | None:
        totals: dict[str, int] = defaultdict(int)
        for moves in self.moves[:before]:
            for who, amount, spent in moves:
                if who == address:
                    totals["spent" if spent else "received"] += max(amount, 0)
                    totals["spent_count" if spent else "received_count"] += 1
                    totals["unknown"] += amount < 0
        entries = self.entries(address, before)
        if not entries:
            return None
        return Facts(
            totals["received"], totals["spent"], totals["received_count"], totals["spent_count"], totals["unknown"],
            len(entries), entries[-1][0], entries[0][0],
        )  # fmt: skip


LEDGERS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 100), max_size=3),
        st.lists(st.tuples(st.integers(-1, ADDRESSES - 1), st.integers(-1, 9)), max_size=3),
    ),
    min_size=1,
    max_size=25,
).map(Ledger)


@given(
    ledger=LEDGERS,
    steps=st.lists(st.integers(1, 25), max_size=4),
    cut=st.integers(0, 25),
    limit=st.integers(1, 4),
)
def test_runs_answer_as_a_plain_reading_does(
    tmp_path_factory: pytest.TempPathFactory, ledger: Ledger, steps: list[int], cut: int, limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(activity, "SEGMENT_TXS", 8)
        total = len(ledger.moves)
        log = ActivityLog.open(tmp_path_factory.mktemp("runs"), [])
        for end in [*sorted(min(step, total) for step in steps), total]:
            log.extend(end, ledger)  # type: ignore[arg-type]
        cut = min(cut, total)
        log.truncate(cut)
        log.extend(total, ledger)  # type: ignore[arg-type]
        assert [run.first_tx for run in log.runs] == [0, *(run.last_tx for run in log.runs[:-1])]
        again = ActivityLog.open(log.folder, log.runs)
        for address in range(ADDRESSES):
            assert again.facts(address) == ledger.facts(address, total)
            assert again.facts(address, cut) == ledger.facts(address, cut)
            page = [(e.tx, e.received, e.spent) for e in again.entries(address, limit, cut)]
            assert page == ledger.entries(address, cut)[:limit]


def test_runs_of_a_segment_stay_few(tmp_path: Path) -> None:
    ledger = Ledger([([], [(0, 1)]) for _ in range(64)])
    log = ActivityLog.open(tmp_path, [])
    for end in range(1, 65):
        log.extend(end, ledger)  # type: ignore[arg-type]
    assert len(log.runs) <= 7, "runs are laid together as they grow: logarithmically many"
