"""Small random ledgers with every column that features of change read, as chain/ledger.py would lay them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from chain.columns import spenders
from chain.model import UNKNOWN, OutputType, Proof
from clustering.bitcoin.change.arrays import LedgerArrays
from clustering.bitcoin.change.votes import Surroundings, freshness, window

VALUES = (UNKNOWN, 0, 40, 50, 100, 1_000, 12_345, 99_000, 10_000_000, 310_000_000)
TYPES = (*[OutputType.P2PKH] * 3, *[OutputType.P2SH] * 3, *[OutputType.P2WPKH] * 3, OutputType.P2TR,
         OutputType.MULTISIG, OutputType.OP_RETURN, OutputType.NONSTANDARD, OutputType.UNSTATED)  # fmt: skip


@dataclass
class Output:
    address: int
    value: int
    type: int = OutputType.P2PKH


@dataclass
class Transaction:
    """What it spends (output ids, UNKNOWN for one that is not known) and makes; outside coins are `Output`s."""

    spends: list[int | Output]
    makes: list[Output]
    block: int = 0
    version: int = 1
    lock_time: int = 0
    witness: bool = False
    sequences: list[int] = field(default_factory=list)


def arrays(transactions: list[Transaction], proofs: Sequence[int], txids: list[bytes] | None = None) -> LedgerArrays:
    """Columns of transactions in chain order. Addresses are numbered anew, in order of first appearance."""
    rows: list[Output] = []
    outside: list[int] = []
    spends: list[list[int]] = []
    first: list[int] = []
    for tx in transactions:
        coins = []
        for coin in tx.spends:
            if isinstance(coin, Output):
                outside.append(len(rows))
                coins.append(len(rows))
                rows.append(coin)
            else:
                coins.append(coin)
        spends.append(coins)
        first.append(len(rows))
        rows += tx.makes
    number: dict[int, int] = {}
    addresses = [number.setdefault(row.address, len(number)) if row.address >= 0 else -1 for row in rows]
    names = txids or [bytes([n % 7, n]) * 16 for n in range(len(transactions))]
    counts = [len(coins) for coins in spends]
    sequences = [(*tx.sequences, *[0xFFFFFFFF] * len(tx.spends))[: len(tx.spends)] for tx in transactions]
    return LedgerArrays(
        tx_txid=np.frombuffer(b"".join(names), np.uint8).reshape(-1, 32),
        tx_block=np.array([tx.block for tx in transactions], np.int32),
        tx_coinbase=np.array([not tx.spends for tx in transactions], np.uint8),
        tx_version=np.array([tx.version for tx in transactions], np.int32),
        tx_lock_time=np.array([tx.lock_time for tx in transactions], np.uint32),
        tx_size=np.array([200 + 100 * tx.witness for tx in transactions], np.int32),
        tx_base_size=np.full(len(transactions), 200, np.int32),
        tx_first_input=np.cumsum([0, *counts], dtype=np.int64)[: len(transactions)],
        tx_first_output=np.array(first, np.int64),
        tx_output_count=np.array([len(tx.makes) for tx in transactions], np.int32),
        input_spends=np.array([coin for coins in spends for coin in coins], np.int64),
        input_sequence=np.array([each for row in sequences for each in row], np.uint32),
        output_address=np.array(addresses, np.int32),
        output_value=np.array([row.value for row in rows], np.int64),
        output_type=np.array([row.type for row in rows], np.uint8),
        outside_output=np.array(outside, np.int64),
        outside_txid=np.full((len(outside), 32), 3, np.uint8),
        outside_index=np.array([(7 * n) % 5 for n in range(len(outside))], np.int64),
        block_proof=np.array(proofs, np.uint8),
    )


def around(at: LedgerArrays, first_tx: int, last_tx: int, whole: bool) -> Surroundings:
    """What a scan hands to `votes.cast`."""
    spender = spenders(at.tx_first_input, at.input_spends, len(at.output_value))
    return Surroundings(spender[window(at, first_tx, last_tx)], freshness(at, first_tx, last_tx), whole)


@st.composite
def change_ledgers(draw: st.DrawFn) -> LedgerArrays:
    """Up to ten transactions, most of two outputs, with few addresses, values and types."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    blocks = draw(st.integers(1, 4))

    def output(addresses: int = 8) -> Output:
        address = int(random.integers(-1, addresses)) if random.random() < 0.7 else int(random.integers(100, 200))
        return Output(address, int(random.choice(VALUES)), int(random.choice(TYPES[: random.choice((6, len(TYPES)))])))

    made: list[int] = []
    transactions: list[Transaction] = []
    rows = 0
    block = 0
    for _ in range(draw(st.integers(0, 10))):
        spends: list[int | Output] = []
        for _ in range(int(random.choice((0, 1, 1, 1, 2, 3)))):
            if made and random.random() < 0.7:
                spends.append(made.pop(int(random.integers(len(made)))))
            else:
                spends.append(output() if random.random() < 0.9 else UNKNOWN)
        makes = [output() for _ in range(int(random.choice((1, 2, 2, 2, 2, 3, 12))))]
        block = min(blocks - 1, block + int(random.random() < 0.4))
        sequences = [int(each) for each in random.choice((0, 0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF), len(spends))]
        lock_time = int(random.choice((0, 0, 400_000, 499_999_999, 500_000_000, 0xFFFFFFFF)))
        witness = bool(random.random() < 0.5)
        transactions.append(
            Transaction(spends, makes, block, int(random.choice((-1, 1, 2))), lock_time, witness, sequences)
        )
        rows += sum(isinstance(coin, Output) for coin in spends)
        made += range(rows, rows + len(makes))
        rows += len(makes)
    proofs = [int(each) for each in random.choice((Proof.BYTES, Proof.BYTES, Proof.STATED), blocks)]
    return arrays(transactions, proofs)
