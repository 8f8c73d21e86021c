"""Proceeds of a generated sale, traced against the truth."""

from __future__ import annotations

from api.measure.tracing import ALL, CATEGORIES, KNOWN, measure_tracing, tracing_table
from clustering.simulate.generator import LEAST_TRANSACTIONS
from clustering.trace.policies import LEGAL


def test_every_true_end_is_reached_and_little_else() -> None:
    body = measure_tracing((1,), LEAST_TRANSACTIONS)
    rows = {(row["chain"], row["labels"], row["policy"], row["category"]): row for row in body["rows"]}
    assert {chain for chain, *_ in rows} == {"btc", "eth"}
    for policy in LEGAL:
        for category in CATEGORIES:
            for chain in ("btc", "eth"):
                row = rows.get((chain, ALL, policy.value, category))
                if row is not None and int(row["true"]):
                    assert row["recall_ppm"] >= 990_000, row
                    assert row["precision_ppm"] >= 900_000, row
        # an exchange that is only known by its own addresses is also where the broker's money went on to
        known = rows["eth", KNOWN, policy.value, "exchange"]
        assert known["precision_ppm"] < rows["eth", ALL, policy.value, "exchange"]["precision_ppm"]
    table = list(tracing_table(body))
    assert len(table) == 2 + 2 * 2 * len(LEGAL)
