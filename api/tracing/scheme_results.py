"""The files of a scheme, beside those of its trace.

participants.csv    each party: what it paid and got, when, on which level, and what it is short of
payments.csv        each payment to and from the wallets, in chain order
restitution.csv     what is left, given back by three rules, each adding up to the whole
collectors.csv      addresses to which traced money of two wallets or more came
scheme.json         sums, and the equations that hold
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from api.answers import text
from api.prices import Prices
from api.tracing.recycled import Party
from api.tracing.register import NOBODY, DatasetScheme, Shares
from api.tracing.results import write_results, write_table
from api.tracing.scheme import SchemeResult
from chain import uint256
from clustering.scheme.payments import UNATTRIBUTED
from clustering.trace import sums
from clustering.trace.movements import Side

PARTICIPANT_COLUMNS = (
    "dataset", "asset", "party", "role", "level", "above", "paid", "got", "net", "reinvested", "recycled", "loss",
    "times_paid", "times_got", "first_paid", "last_paid", "first_got", "last_got", "cluster", "label",
)  # fmt: skip
PAYMENT_COLUMNS = ("dataset", "transaction", "time", "asset", "party", "direction", "value")
RESTITUTION_COLUMNS = ("dataset", "asset", "party", "loss", "fifo", "pro_rata", "net_loss")
COLLECTOR_COLUMNS = ("dataset", "asset", "address", "wallets", "value", "cluster", "label")

LISTED = 10_000
"""Collectors that are listed, those of the most wallets."""

NAMES = {
    UNATTRIBUTED: "not attributed: a coinjoin", int(Side.ISSUED): "new money", int(Side.BURNED): "burned",
    int(Side.UNKNOWN): "party not stated", int(Side.FEE): "fee",
}  # fmt: skip
SURPLUS = "more than all losses"

STATEMENT = (
    "who paid these wallets and whom they paid, as transactions show it; a party is an address, or on Bitcoin a "
    "cluster, and people may have several; rules of restitution are conventions; " + text.NO_FINDING
)


def write_scheme(result: SchemeResult, out: Path, prices: Prices | None = None) -> dict[str, Any]:
    """Write the trace and the register into the new folder `out`; the summary, with `scheme`.

    StoreError where something is there already, StoreUnavailable where it cannot be written.
    """
    told = {"statement": STATEMENT, "datasets": [_sums(each) for each in result.datasets]}

    def added(folder: Path) -> None:
        (folder / "scheme.json").write_text(json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
        tables = (
            ("participants.csv", PARTICIPANT_COLUMNS, _participants), ("payments.csv", PAYMENT_COLUMNS, _payments),
            ("restitution.csv", RESTITUTION_COLUMNS, _restitution),
            ("collectors.csv", COLLECTOR_COLUMNS, _collectors),
        )  # fmt: skip
        for name, columns, rows in tables:
            write_table(folder / name, columns, (row for each in result.datasets for row in rows(each)))

    inputs = {"remaining": {name: str(value) for name, value in sorted(result.remaining.items())}}
    return {**write_results(result.traced, out, prices, added, inputs), "scheme": told}


def _name(scheme: DatasetScheme, party: int) -> str:
    return NAMES.get(party, "nobody") if party < 0 else scheme.ground.address(party)


def _sums(scheme: DatasetScheme) -> dict[str, Any]:
    """By asset: what was paid in and out, by how many, and what is left of it."""
    ground = scheme.ground
    assets = []
    for asset, shares in scheme.shares.items():
        mine = [each for (name, who), each in scheme.parties.items() if name == asset and who not in NOBODY]
        new = scheme.parties.get((asset, int(Side.ISSUED)), Party()).paid
        assets.append({
            "asset": ground.asset_name(asset),
            "participants": sum(1 for each in mine if each.paid),
            "recipients": sum(1 for each in mine if each.got and not each.paid),
            "paid_in": str(sum(each.paid for each in mine)),
            "new_money": str(new),
            "paid_out": str(sum(each.got for each in mine)),
            "reinvested": str(sum(each.reinvested for each in mine)),
            "recycled": str(sum(each.recycled for each in mine)),
            "loss": str(sum(shares.losses.values())),
            "remaining": str(shares.remaining),
            "remaining_is": "as stated" if shares.stated else "what lies where no participant has it",
            "equations": _equations(shares),
        })  # fmt: skip
    levels = [level for level, _ in scheme.levels.values()]
    return {
        "dataset": ground.dataset,
        "wallets": scheme.wallets,
        "own_addresses": int(scheme.own.sum()),
        "assets": assets,
        "levels": {str(level): levels.count(level) for level in sorted(set(levels))},
        "recycled_cut_by": scheme.cut,
    }


def _equations(shares: Shares) -> list[str]:
    """`remaining 9 = fifo 8 + surplus 1`, for each rule."""
    rules = {"fifo": shares.fifo, "pro rata": shares.pro_rata, "net loss": shares.net_loss}
    given = {name: sum(rule.values()) for name, rule in rules.items()}
    return [
        f"remaining {shares.remaining} = {name} {value} + surplus {shares.remaining - value}"
        for name, value in given.items()
    ]


def _participants(scheme: DatasetScheme) -> Iterator[list[str]]:
    ground = scheme.ground
    for (asset, who), each in sorted(scheme.parties.items()):
        level, above = scheme.levels.get(who, (0, -1))
        yield [
            ground.dataset, ground.asset_name(asset), _name(scheme, who),
            _role(who, each), str(level) if level else "",
            _name(scheme, above) if above >= 0 else "", str(each.paid), str(each.got), str(each.paid - each.got),
            str(each.reinvested), str(each.recycled), str(each.loss), str(each.times_paid), str(each.times_got),
            *(_moment(scheme, at) for at in (each.first_paid, each.last_paid, each.first_got, each.last_got)),
            ground.cluster(who) if who >= 0 else "", ground.label(who) if who >= 0 else "",
        ]  # fmt: skip


def _role(party: int, each: Party) -> str:
    if party in NOBODY:
        return ""
    return "participant" if each.paid else "recipient"


def _moment(scheme: DatasetScheme, movement: int) -> str:
    return "" if movement < 0 else text.moment(int(scheme.ground.times[movement])) or ""


def _payments(scheme: DatasetScheme) -> Iterator[list[str]]:
    told, ground = scheme.payments, scheme.ground
    rows = zip(
        told.tx.tolist(), told.movement.tolist(), told.asset.tolist(), told.party.tolist(), told.paid_in.tolist(),
        uint256.to_ints(told.amount), strict=True,
    )  # fmt: skip
    for tx, movement, asset, who, paid_in, value in rows:
        yield [
            ground.dataset, ground.txid(tx), _moment(scheme, movement), ground.asset_name(asset), _name(scheme, who),
            "in" if paid_in else "out", str(value),
        ]  # fmt: skip


def _restitution(scheme: DatasetScheme) -> Iterator[list[str]]:
    for asset, shares in scheme.shares.items():
        name = scheme.ground.asset_name(asset)
        rules = (shares.fifo, shares.pro_rata, shares.net_loss)
        for who, loss in shares.losses.items():
            given = [str(rule[who]) for rule in rules]
            yield [scheme.ground.dataset, name, _name(scheme, who), str(loss), *given]
        left = [str(shares.remaining - sum(rule.values())) for rule in rules]
        yield [scheme.ground.dataset, name, SURPLUS, "", *left]


def _collectors(scheme: DatasetScheme) -> Iterator[list[str]]:
    """By the steps of the trace: whose money came to an address, and how much of it."""
    ground, run = scheme.ground, scheme.trace.main
    board, flows = run.board, run.found.flows
    came = np.flatnonzero(flows.credit >= 0)
    holding = board.movements.credit_holding[flows.credit[came]]
    owner = np.where(holding >= 0, board.owner[np.maximum(holding, 0)], -1)
    came, holding, owner = came[owner >= 0], holding[owner >= 0], owner[owner >= 0]
    other = ~scheme.own[owner]
    came, holding, owner = came[other], holding[other], owner[other]
    row, seed = sums.by_seed(run.found, flows.claim[came])
    keys = np.unique(np.stack((board.asset[holding][row], owner[row], seed), axis=1), axis=0)
    pairs, count = np.unique(keys[:, :2], axis=0, return_counts=True)
    value = sums.totals([board.asset[holding], owner], flows.amount[came])
    shared = [
        (int(many), int(asset), int(who))
        for (asset, who), many in zip(pairs.tolist(), count.tolist(), strict=True)
        if many > 1
    ]
    for many, asset, who in sorted(shared, key=lambda each: (-each[0], -value[each[1], each[2]], each))[:LISTED]:
        yield [
            ground.dataset, ground.asset_name(asset), ground.address(who), str(many), str(value[asset, who]),
            ground.cluster(who), ground.label(who),
        ]  # fmt: skip
