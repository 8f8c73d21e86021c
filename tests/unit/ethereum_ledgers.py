"""Ethereum ledgers for tests, written transaction by transaction."""

from __future__ import annotations

from dataclasses import dataclass, field

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
    txs: list[tuple[int, int, int, int]] = field(default_factory=list)
    moves: list[tuple[int, Move]] = field(default_factory=list)

    def add(self, day: float, sender: int, to: int, *moves: Move, status: Status = Status.SUCCEEDED) -> None:
        """A transaction of `sender` to `to`, at a time in days."""
        self.txs.append((int(day * DAY), sender, to, int(status)))
        self.moves.extend((len(self.txs) - 1, move) for move in moves)

    def build(self) -> EthereumLedger:
        order = sorted(range(len(self.txs)), key=lambda tx: (self.txs[tx][0], tx))
        place = {tx: number for number, tx in enumerate(order)}
        moves = sorted(((place[tx], move) for tx, move in self.moves), key=lambda each: each[0])
        txs = np.array([self.txs[tx] for tx in order], np.int64)
        rows = np.array([(tx, kind, asset, a, b) for tx, (kind, asset, a, b, _) in moves], np.int64)
        standards = [Standard.ETHER, *[self.standard] * len(self.tokens)]
        return EthereumLedger(
            tx_time=txs[:, 0],
            tx_height=txs[:, 0] // 15,
            tx_from=txs[:, 1].astype(np.int32),
            tx_to=txs[:, 2].astype(np.int32),
            tx_status=txs[:, 3].astype(np.uint8),
            tx_parts=np.full(len(txs), Part.TRACES, np.uint8),
            move_tx=rows[:, 0],
            move_kind=rows[:, 1].astype(np.uint8),
            move_asset=rows[:, 2].astype(np.int32),
            move_from=rows[:, 3].astype(np.int32),
            move_to=rows[:, 4].astype(np.int32),
            move_value=uint256.from_ints(move[4] for _, move in moves),
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
