"""Classes and co-spend links over columns, beside the time that reading the same columns once takes.

    python -m bench.coinjoins [--transactions N] [--json]

The transactions are random with the shape of Bitcoin to June 2021 (Möser and Narayanan, FC 2022: outputs 1, 2, 3 and
more in 13.96, 75.78 and 10.26 %; inputs as in their two-output transactions), spend young coins for the most part, and
one in a hundred repeats a real form of several equal outputs, so that every rule has work.
"""

from __future__ import annotations

import argparse

import numpy as np

from bench.measure import Measure, report, seconds_of
from chain.model import I32, I64, OutputType, Signing
from clustering.bitcoin import coinjoin, cospend
from clustering.bitcoin.ledger import Ledger

TRANSACTIONS = 4_000_000
SEED = 20_090_103
RUNS = 3
INPUTS = ((1, 0.788), (2, 0.136), (3, 0.03), (5, 0.025), (10, 0.015), (40, 0.006))
OUTPUTS = ((1, 0.1396), (2, 0.7578), (3, 0.06), (5, 0.022), (12, 0.015), (40, 0.0056))
EQUAL_SHARE = 0.01


def _sizes(random: np.random.Generator, shares: tuple[tuple[int, float], ...], count: int) -> I64:
    sizes, weights = (np.array(column) for column in zip(*shares, strict=True))
    return random.choice(sizes, count, p=weights / weights.sum()).astype(np.int64)


def random_ledger(count: int, seed: int = SEED) -> tuple[Ledger, I32]:
    """Columns of `count` transactions, and the height of each."""
    random = np.random.default_rng(seed)
    inputs, outputs = _sizes(random, INPUTS, count), _sizes(random, OUTPUTS, count)
    equal = random.random(count) < EQUAL_SHARE
    inputs[equal] = outputs[equal] = random.integers(3, 60, int(equal.sum()))
    first_input = np.cumsum(inputs) - inputs
    first_output = np.cumsum(outputs) - outputs
    total = int(outputs.sum())
    made_before = np.repeat(first_output, inputs)
    age = np.minimum(random.geometric(1 / 20_000, len(made_before)), made_before)
    value = (random.lognormal(15, 2, total)).astype(np.int64)
    rounded = random.random(total) < 0.3
    value[rounded] = value[rounded] // 10_000 * 10_000
    owner_equal = np.repeat(equal, outputs) & (random.random(total) < 0.6)
    value[owner_equal] = 10_000_000
    types = random.choice(
        [OutputType.P2PKH, OutputType.P2SH, OutputType.P2WPKH, OutputType.OP_RETURN], total, p=[0.5, 0.2, 0.28, 0.02]
    )
    types[owner_equal] = OutputType.P2WPKH
    ledger = Ledger(
        tx_first_input=first_input,
        input_spends=np.where(made_before > 0, made_before - age, -1),
        output_address=random.integers(0, max(1, total * 6 // 10), total).astype(np.int32),
        tx_first_output=first_output,
        tx_output_count=outputs.astype(np.int32),
        output_value=value,
        output_type=types.astype(np.uint8),
        tx_signing=np.full(count, Signing.WHOLE, np.uint8),
        tx_block=(np.arange(count) // 2_000).astype(np.int32),
        block_time=1_500_000_000 + 600 * np.arange(count // 2_000 + 1),
    )
    return ledger, ledger.tx_block


def run(transactions: int = TRANSACTIONS) -> list[Measure]:
    """Rates a second and a core, and the share of a plain reading's speed."""
    small, heights = random_ledger(20_000)
    cospend.links(small, heights, 0, 20_000)
    ledger, heights = random_ledger(transactions)
    classes, links, reading = [], [], []
    for _ in range(RUNS):
        reading.append(seconds_of(lambda: _read(ledger)))
        classes.append(seconds_of(lambda: coinjoin.classify(ledger, 0, transactions)))
        links.append(seconds_of(lambda: cospend.links(ledger, heights, 0, transactions)))
    return [
        Measure("classes of transactions", transactions / min(classes) / 1e6, "million a second"),
        Measure("classes and co-spend links", transactions / min(links) / 1e6, "million a second", 2.0),
        Measure("classes and links, times a plain reading of the columns", min(links) / min(reading), "times"),
    ]


def _read(ledger: Ledger) -> int:
    """Touch every value once, and what each input spends: what no kernel can do without."""
    spent = ledger.input_spends[ledger.input_spends >= 0]
    touched = ledger.output_address[spent].sum() + ledger.output_value[spent].sum() + ledger.output_value.sum()
    return int(touched + ledger.output_type.sum() + ledger.tx_output_count.sum())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--transactions", type=int, default=TRANSACTIONS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    return report(run(arguments.transactions), arguments.json)


if __name__ == "__main__":
    raise SystemExit(main())
