"""`headwater measure tracing`: where a token sale's proceeds are traced to, against where they went.

The collectors of generated sales are the seeds. *All labels*: every address of an exchange, mixer or broker is
labelled, deposit accounts among them. *Known labels*: only what somebody would know, an exchange's own addresses and a
mixer's contracts. A true end counts as found as far as traced money came to its address in its transaction; what is
traced to a category beyond that was other people's money that a convention says was the sale's, or the sale's by
another way.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from api.measure.chains import full_columns
from api.measure.ethereum_chains import LaidEthereum, ethereum_ledger
from api.measure.owned import owners_of
from api.simulate import open_truth, simulate
from api.simulate_ethereum import block_files, open_ethereum_truth, simulate_ethereum
from api.tracing.bitcoin import mixes
from chain.bitcoin.files import BlkFolder
from chain.bitcoin.network import REGTEST
from chain.ethereum.files import EthereumFiles
from chain.model import I64, U8
from clustering.bitcoin.ledger import Ledger
from clustering.simulate.ethereum import kinds as ethereum
from clustering.simulate.ethereum.signing import CHAIN_ID
from clustering.simulate.ethereum.truth import ETHER
from clustering.simulate.ethereum.truth import Truth as EthereumTruth
from clustering.simulate.kinds import NOBODY, Party
from clustering.simulate.truth import Truth
from clustering.trace import sums
from clustering.trace.bitcoin import address_holdings, address_movements, output_movements
from clustering.trace.ends import End
from clustering.trace.ethereum import account_movements
from clustering.trace.movements import Movements, movement_of
from clustering.trace.policies import LEGAL, POLICIES, Policy
from clustering.trace.run import Course, Traced, trace
from clustering.trace.touched import Points

SEEDS = (1, 2, 3)
TRANSACTIONS = 10_000

EXCHANGE, MIXER, BROKER = "exchange", "mixer", "broker"
CATEGORIES = (EXCHANGE, MIXER, BROKER)
ALL, KNOWN = "all labels", "known labels"


class TrueEnd(NamedTuple):
    """A part of the proceeds that came to an address (of a mix: that was spent from it) in a transaction."""

    category: str
    tx: int
    address: int
    asset: int
    value: int


@dataclass(frozen=True, slots=True)
class Case:
    """One sale's proceeds on a board of movements."""

    chain: str
    movements: Movements
    owner: I64
    """[H] address of each holding, -1 for none"""
    asset: I64
    collectors: I64
    ends: list[TrueEnd]
    category: dict[str, U8]
    """By which labels there are: [A] 0 for none, else the place in `CATEGORIES` and one"""


def measure_tracing(seeds: Sequence[int], transactions: int) -> dict[str, Any]:
    """Generate chains of each seed, trace each sale's proceeds, compare. The same input gives the same body."""
    counts: dict[tuple[str, str, str, str], Counter[str]] = {}
    sales: Counter[str] = Counter()
    for seed in seeds:
        for cases in (_bitcoin(seed, transactions), _ethereum(seed, transactions)):
            for case in cases:
                sales[case.chain] += 1
                for labels in (ALL, KNOWN):
                    for policy in LEGAL:
                        _compare(case, labels, policy, counts)
    return {
        "origin": "simulated",
        "seeds": list(seeds),
        "transactions": transactions,
        "sales": dict(sorted(sales.items())),
        "rows": [
            {
                "chain": chain, "labels": labels, "policy": policy, "category": category,
                **{name: str(each[name]) for name in ("true", "found", "right")},
                "recall_ppm": _part(each["right"], each["true"]), "precision_ppm": _part(each["right"], each["found"]),
            }
            for (chain, labels, policy, category), each in sorted(counts.items())
            if each["true"] or each["found"]
        ],
    }  # fmt: skip


def tracing_table(body: Mapping[str, Any]) -> Iterator[str]:
    """As docs/tracing.md has it: recall and precision of each convention, by chain, labels and category."""
    yield "| chain | labels | convention | exchange | mixer | broker |"
    yield "|---|---|---|---|---|---|"
    found: dict[tuple[str, str, str], dict[str, Mapping[str, Any]]] = {}
    for row in body["rows"]:
        found.setdefault((row["chain"], row["labels"], row["policy"]), {})[row["category"]] = row
    for (chain, labels, policy), rows in found.items():
        cells = [_cell(rows.get(category)) for category in CATEGORIES]
        yield f"| {chain} | {labels} | {policy} | {' | '.join(cells)} |"


def _cell(row: Mapping[str, Any] | None) -> str:
    return "-" if row is None else f"{_percent(row['recall_ppm'])} / {_percent(row['precision_ppm'])}"


def _percent(parts: int | None) -> str:
    return "-" if parts is None else f"{parts // 10_000}.{parts % 10_000 // 100:02d} %"


def _part(part: int, whole: int) -> int | None:
    return min(part, whole) * 1_000_000 // whole if whole else None


def _compare(case: Case, labels: str, policy: Policy, counts: dict[tuple[str, str, str, str], Counter[str]]) -> None:
    ended, came = traced_ends(case, labels, policy)
    for place, category in enumerate(CATEGORIES, 1):
        mine = counts.setdefault((case.chain, labels, policy.value, category), Counter())
        true = [end for end in case.ends if end.category == category]
        mine["true"] += sum(end.value for end in true)
        mine["found"] += ended.get(place, 0)
        mine["right"] += sum(
            min(value, came.get(key, 0))
            for key, value in _summed((end.tx, end.address, end.asset, end.value) for end in true).items()
        )


def _summed(rows: Iterator[tuple[int, int, int, int]]) -> dict[tuple[int, int, int], int]:
    found: dict[tuple[int, int, int], int] = {}
    for tx, address, asset, value in rows:
        found[tx, address, asset] = found.get((tx, address, asset), 0) + value
    return found


def traced_ends(case: Case, labels: str, policy: Policy) -> tuple[dict[int, int], dict[tuple[int, int, int], int]]:
    """What ended in each category, and what came to (of a mix: from) each address in each transaction, by asset."""
    moves, owner, asset = case.movements, case.owner, case.asset
    if POLICIES[policy].by_address and case.chain == "btc":
        of_base = address_holdings(owner.astype(np.int32), int(owner.max(initial=-1)) + 1)
        size = int(owner.max(initial=-1)) + 1 + len(owner)
        moves = address_movements(moves, of_base, size)
        owner = np.where(np.arange(size) < size - len(owner), np.arange(size), -1)
        asset = np.zeros(size, np.int64)
    held = owner >= 0
    category = np.where(held, case.category[labels][np.maximum(owner, 0)], 0)
    ends = np.where(category > 0, int(End.SERVICE), 0).astype(np.uint8)
    wanted = np.array(sorted({end.asset for end in case.ends}), np.int64)
    mine = held & np.isin(owner, case.collectors) & np.isin(asset, wanted)
    holdings = np.flatnonzero(mine)
    points = Points(
        np.zeros(len(holdings), np.int32), holdings, np.zeros(len(holdings), np.int64),
        np.full(len(holdings), moves.size), np.zeros(len(holdings), np.bool_),
    ).ordered()  # fmt: skip
    found = trace(moves, ends, points, 1, Course(policy, moves.size))
    return _by_category(moves, category, found), _by_transaction(moves, owner, asset, found)


def _by_category(moves: Movements, category: I64, found: Traced) -> dict[int, int]:
    ended = sums.ended(moves, found)
    place = np.where(ended.end == End.COINJOIN, CATEGORIES.index(MIXER) + 1, 0)
    served = (ended.end == End.SERVICE) & (ended.holding >= 0)
    place[served] = category[ended.holding[served]]
    return {name: value for (name,), value in sums.totals([place], ended.amount).items() if name}


def _by_transaction(moves: Movements, owner: I64, asset: I64, found: Traced) -> dict[tuple[int, int, int], int]:
    flows = found.flows
    rows = np.flatnonzero(flows.end != End.RECEIVED)
    debit, credit = moves.debit_holding[flows.debit[rows]], flows.credit[rows]
    target = np.where(credit >= 0, moves.credit_holding[np.maximum(credit, 0)], debit)
    tx = moves.tx[movement_of(moves.first_debit, flows.debit[rows])]
    who = np.where(target >= 0, owner[np.maximum(target, 0)], -1)
    totals = sums.totals([tx, who, asset[debit]], flows.amount[rows])
    return {(a, b, c): value for (a, b, c), value in totals.items()}


def _bitcoin(seed: int, transactions: int) -> list[Case]:
    with tempfile.TemporaryDirectory(prefix="headwater-measure-") as scratch:
        folder = Path(scratch)
        simulate(seed, transactions, folder / "chain")
        truth = open_truth(folder / "chain")
        columns = full_columns(BlkFolder(folder / "chain", REGTEST), folder, "generated")
        ledger = Ledger.of(columns)
        movements = output_movements(ledger)
        movements.stop[mixes(ledger, columns.tx_count) & (movements.stop == 0)] = End.COINJOIN
        place = owners_of(columns, truth.address_key, np.arange(len(truth.address_key), dtype=np.int32))
        row_of = {int(row): address for address, row in enumerate(place.tolist()) if row >= 0}
        txs = {bytes(txid): tx for tx, txid in enumerate(columns.tx_txid)}
        ends = [
            TrueEnd(end.to, txs[end.txid], row_of[end.address], 0, end.value)
            for end in truth.sale.ends
        ]  # fmt: skip
        collectors = np.array([row_of[row] for row in truth.sale.collectors if row in row_of], np.int64)
        owner = columns.output_address.astype(np.int64)
        return [
            Case("btc", movements, owner, np.zeros(len(owner), np.int64), collectors, ends, _categories(truth, place))
        ]


def _categories(truth: Truth, place: Any) -> dict[str, U8]:
    party = np.array([owner.party for owner in truth.owners])
    of_row = np.where(truth.address_owner >= 0, party[np.maximum(truth.address_owner, 0)], -1)
    exchange, broker = of_row == Party.EXCHANGE, of_row == Party.OTC_BROKER
    every = np.where(exchange, 1, np.where(broker, 3, 0))
    known = np.where(exchange & (truth.address_customer == NOBODY), 1, 0)
    return {name: _placed(rows, place) for name, rows in ((ALL, every), (KNOWN, known))}


def _placed(rows: Any, place: Any) -> U8:
    """[A] of the rows of the truth that `place` [A] names; 0 where it names none."""
    result: U8 = np.where(place >= 0, rows[np.maximum(place, 0)], 0).astype(np.uint8)
    return result


def _ethereum(seed: int, transactions: int) -> list[Case]:
    with tempfile.TemporaryDirectory(prefix="headwater-measure-") as scratch:
        folder = Path(scratch) / "chain"
        simulate_ethereum(seed, transactions, folder)
        truth = open_ethereum_truth(folder)
        laid = ethereum_ledger(EthereumFiles(block_files(folder), CHAIN_ID, rlp=True))
    return ethereum_cases(truth, laid)


def ethereum_cases(truth: EthereumTruth, laid: LaidEthereum) -> list[Case]:
    """Each sale whose proceeds went anywhere."""
    ids = {key.tobytes(): place for place, key in enumerate(laid.keys)}
    row_of = {row: ids[truth.key(row)] for row in range(len(truth.address_key)) if truth.key(row) in ids}
    place = np.full(len(laid.keys), -1, np.int64)
    place[list(row_of.values())] = list(row_of)
    txs = {bytes(digest): tx for tx, digest in enumerate(laid.hashes)}
    tokens = {laid.token(asset): asset for asset in range(1, len(laid.ledger.asset_contract))}
    spared = np.array([row_of[sale.contract] for sale in truth.sales if sale.contract in row_of], np.int64)
    found = account_movements(laid.ledger, spared=spared)
    party = np.array([owner.party for owner in truth.owners])[truth.address_owner]
    role = truth.address_role
    exchange, mixer = party == ethereum.Party.EXCHANGE, role == ethereum.Role.MIXER
    every = np.where(exchange, 1, np.where(mixer, 2, np.where(party == ethereum.Party.BROKER, 3, 0)))
    own = np.isin(role, (ethereum.Role.HOT, ethereum.Role.COLD))
    known = np.where(exchange & own, 1, np.where(mixer, 2, 0))
    category = {name: _placed(rows, place) for name, rows in ((ALL, every), (KNOWN, known))}
    cases = []
    for sale in truth.sales:
        ends = [
            TrueEnd(
                end.to, txs[truth.tx_hash[end.tx].tobytes()], row_of[end.address],
                0 if end.asset == ETHER else tokens[row_of[truth.tokens[end.asset].address]], end.amount,
            )
            for end in sale.ends
        ]  # fmt: skip
        if ends:
            cases.append(
                Case(
                    "eth", found.movements, found.holdings.address.astype(np.int64),
                    found.holdings.asset.astype(np.int64),
                    np.array([row_of[row] for row in sale.collectors], np.int64), ends, category,
                )
            )  # fmt: skip
    return cases
