"""The strongest paths between two addresses, in every dataset that knows both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from api.answers import text
from api.tracing.ground import Board, Ground, Place, Unusable
from api.tracing.request import Direction
from api.tracing.seeds import Seed
from api.tracing.sowing import sow
from chain import uint256
from chain.errors import LimitExceeded
from clustering.trace.movements import Movements
from clustering.trace.paths import Path, strongest
from clustering.trace.touched import Touched, touched

MAX_PATHS = 100

STATEMENT = (
    "payments in order of time, each path as strong as its least; a path is no flow of one party's money, and "
    + text.NO_FINDING
)


def paths_body(
    grounds: Sequence[Ground], chain: str, a: str, b: str, count: int, *, clusters: bool = False
) -> dict[str, Any]:
    """At most `count` paths of each asset, with `clusters` between the whole clusters of both addresses.

    LimitExceeded `paths` above `MAX_PATHS`.
    """
    if count > MAX_PATHS:
        raise LimitExceeded(f"paths: at most {MAX_PATHS} are listed")
    answers, asked = [], []
    for ground in grounds:
        try:
            ends = [ground.find(number, _seed(chain, each)).address for number, each in enumerate((a, b))]
        except Unusable as reason:
            asked.append({"dataset": ground.dataset, "reason": str(reason)})
            continue
        parties = [ground.members(end) if clusters else [end] for end in ends]
        answers.append({**ground.about, "paths": _paths(ground, parties[0], parties[1], count)})
    return {"chain": chain, "from": a, "to": b, "answers": answers, "not_answered": asked, "statement": STATEMENT}


def _seed(chain: str, address: str) -> Seed:
    return Seed(chain, address, "", -1, -1, -1, "")


def _paths(ground: Ground, a: Sequence[int], b: Sequence[int], count: int) -> list[dict[str, Any]]:
    board = ground.board(by_address=False)
    ends = board.ends.copy()
    ends[np.isin(board.owner, [*a, *b])] = 0
    places = [Place(0, each, (), 0, ground.base.size, -1) for each in a]
    points = sow(board, ground.base, places, Direction.FORWARD).points
    found = touched(board.movements, ends, points, board.movements.size)
    owner, asset = board.owner[found.holding], board.asset[found.holding]
    listed = []
    from_a, to_b = np.isin(owner, a), np.isin(owner, b)
    for name in np.unique(asset[to_b]).tolist() if not set(a) & set(b) else []:
        paths = strongest(found.part, from_a & (asset == name), to_b & (asset == name), count)
        listed += [_path(ground, board, found, path, name) for path in paths]
    return listed


def _path(ground: Ground, board: Board, found: Touched, path: Path, asset: int) -> dict[str, Any]:
    return {
        "asset": ground.asset_name(asset),
        "limiting_value": str(path.strength),
        "steps": [_step(ground, board, found, row) for row in path.credits],
    }


def _step(ground: Ground, board: Board, found: Touched, row: int) -> dict[str, Any]:
    movements: Movements = board.movements
    credit = int(found.part.credit[row, 0])
    movement = int(np.searchsorted(movements.first_credit, credit, side="right")) - 1
    holding = int(movements.credit_holding[credit])
    debits = range(int(movements.first_debit[movement]), int(movements.first_debit[movement + 1]))
    payers = sorted({ground.address(owner) for owner in _owners(board, movements, debits)})
    owner = int(board.owner[holding])
    amount = movements.credit_amount[credit]
    return {
        "transaction": ground.txid(int(movements.tx[movement])),
        "time": text.moment(int(ground.times[movement])),
        "from": payers,
        "to": ground.address(owner) if owner >= 0 else ground.output(holding),
        "value": str(int(amount) if amount.ndim == 0 else uint256.to_int(amount)),
    }


def _owners(board: Board, movements: Movements, debits: range) -> set[int]:
    held = [int(movements.debit_holding[row]) for row in debits]
    return {int(board.owner[holding]) for holding in held if holding >= 0 and board.owner[holding] >= 0}
