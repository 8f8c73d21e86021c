"""Ethereum ledgers for tests, written transaction by transaction."""

from __future__ import annotations

import csv
import lzma
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chain import uint256
from chain.ethereum.model import Movement, Part, Standard, Status
from clustering.ethereum.ledger import NOBODY, EthereumLedger

ZERO = 0
"""Address id of 0x0."""

DAY = 86_400
ETHER = 10**18
Move = tuple[Movement, int, int, int, int]
"""Kind, asset, from, to, value."""


@dataclass
class Ledger:
    """Addresses are any small numbers; asset k > 0 is an ERC-20 whose contract is address `tokens[k - 1]`."""

    tokens: tuple[int, ...] = (1,)
    standard: Standard = Standard.ERC20
    parts: Part = Part.TRACES
    txs: list[tuple[int, int, int, int]] = field(default_factory=list)
    moves: list[tuple[int, Move]] = field(default_factory=list)
    created: dict[int, int] = field(default_factory=dict)
    """The contract that a transaction created."""
    acts: list[tuple[int, tuple[Movement, int, int, int]]] = field(default_factory=list)
    """Transaction; kind, asset, from, to."""

    def add(self, day: float, sender: int, to: int, *moves: Move, status: Status = Status.SUCCEEDED) -> None:
        """A transaction of `sender` to `to`, at a time in days."""
        self.txs.append((int(day * DAY), sender, to, int(status)))
        self.moves.extend((len(self.txs) - 1, move) for move in moves)

    def build(self) -> EthereumLedger:
        order = sorted(range(len(self.txs)), key=lambda tx: (self.txs[tx][0], tx))
        place = {tx: number for number, tx in enumerate(order)}
        moves = sorted(((place[tx], move) for tx, move in self.moves), key=lambda each: each[0])
        txs = np.array([self.txs[tx] for tx in order], np.int64)
        acts = np.array(sorted((place[tx], *act) for tx, act in self.acts), np.int64).reshape(-1, 5)
        rows = np.array([(tx, kind, asset, a, b) for tx, (kind, asset, a, b, _) in moves], np.int64)
        standards = [Standard.ETHER, *[self.standard] * len(self.tokens)]
        return EthereumLedger(
            tx_time=txs[:, 0],
            tx_height=txs[:, 0] // 15,
            tx_from=txs[:, 1].astype(np.int32),
            tx_to=txs[:, 2].astype(np.int32),
            tx_created=np.array([self.created.get(tx, NOBODY) for tx in order], np.int32),
            tx_status=txs[:, 3].astype(np.uint8),
            tx_parts=np.full(len(txs), self.parts, np.uint8),
            move_tx=rows[:, 0],
            move_kind=rows[:, 1].astype(np.uint8),
            move_asset=rows[:, 2].astype(np.int32),
            move_from=rows[:, 3].astype(np.int32),
            move_to=rows[:, 4].astype(np.int32),
            move_value=uint256.from_ints(move[4] for _, move in moves),
            act_tx=acts[:, 0],
            act_kind=acts[:, 1].astype(np.uint8),
            act_asset=acts[:, 2].astype(np.int32),
            act_from=acts[:, 3].astype(np.int32),
            act_to=acts[:, 4].astype(np.int32),
            asset_contract=np.array([NOBODY, *self.tokens], np.int32),
            asset_standard=np.array(standards, np.uint8),
            zero_address=ZERO,
        )


def pays(sender: int, to: int, value: int) -> Move:
    return (Movement.VALUE, 0, sender, to, value)


def forwards(sender: int, to: int, value: int) -> Move:
    return (Movement.INTERNAL, 0, sender, to, value)


def gives(sender: int, to: int, value: int, asset: int = 1) -> Move:
    return (Movement.TOKEN, asset, sender, to, value)


@dataclass
class EtlLedger:
    """What folders of ethereum-etl's columns hold, and the id of each address."""

    ledger: EthereumLedger
    ids: dict[str, int]


def etl_ledger(*folders: Path, traces: bool = True) -> EtlLedger:
    """The transactions and movements of the folders together; rows of negative amounts move nothing."""
    ids = {"0x" + 40 * "0": ZERO}
    tokens: dict[str, int] = {}
    txs: dict[str, tuple[int, ...]] = {}
    moves: list[tuple[str, Move]] = []
    for folder in folders:
        for row in _rows(folder / "transactions.csv.xz"):
            sender, to = (ids.setdefault(row[name], len(ids)) for name in ("from_address", "to_address"))
            time, height, index = (int(row[name]) for name in ("block_timestamp", "block_number", "transaction_index"))
            txs[row["hash"]] = height, index, time, sender, to, int(row["receipt_status"] or Status.UNKNOWN)
            if int(row["value"]):
                moves.append((row["hash"], pays(sender, to, int(row["value"]))))
        for row in _rows(folder / "traces.csv.xz") if traces and (folder / "traces.csv.xz").exists() else []:
            if int(row["value"]):
                sender, to = (ids.setdefault(row[name], len(ids)) for name in ("from_address", "to_address"))
                moves.append((row["transaction_hash"], forwards(sender, to, int(row["value"]))))
        for row in _rows(folder / "token_transfers.csv.xz"):
            sender, to = (ids.setdefault(row[name], len(ids)) for name in ("from_address", "to_address"))
            token = tokens.setdefault(row["token_address"], len(tokens) + 1)
            if int(row["value"]) >= 0:
                moves.append((row["transaction_hash"], gives(sender, to, int(row["value"]), token)))
    contracts = tuple(ids.setdefault(token, len(ids)) for token in tokens)
    made = Ledger(tokens=contracts, parts=Part.TRACES if traces else Part.TOKENS)
    place = {}
    for number, (name, (_, _, time, sender, to, status)) in enumerate(sorted(txs.items(), key=lambda tx: tx[1])):
        place[name] = number
        made.add(time / DAY, sender, to, status=Status(status))
    made.moves = [(place[name], move) for name, move in moves]
    return EtlLedger(made.build(), ids)


def _rows(path: Path) -> list[dict[str, str]]:
    with lzma.open(path, "rt") as file:
        return list(csv.DictReader(file))
