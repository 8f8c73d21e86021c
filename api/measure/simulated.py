"""Simulated: a generated chain, whose every owner is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from api.measure.chains import full_columns
from api.measure.owned import Compared, compare, owners_of
from api.simulate import open_truth, simulate
from chain.bitcoin.files import BlkFolder
from chain.bitcoin.network import REGTEST
from chain.columns import Columns
from chain.model import I64, Bool
from clustering.bitcoin import coinjoin
from clustering.bitcoin.change.arrays import LedgerArrays
from clustering.bitcoin.change.measure import Rate, evaluate, pairs, strata
from clustering.bitcoin.change.model import MARGIN, PUBLISHED_WEIGHTS, scores
from clustering.bitcoin.change.votes import Surroundings, cast, freshness, window
from clustering.bitcoin.coinjoin import CLASSES, CoinjoinClass
from clustering.bitcoin.ledger import Ledger
from clustering.simulate.kinds import Kind, Party
from clustering.simulate.truth import Truth

SEED, TRANSACTIONS = 1, 25_000

SERVICES = (Party.EXCHANGE, Party.MERCHANT, Party.GAMBLING, Party.POOL, Party.KEY_IMPORTER, Party.OTC_BROKER)

MIXES = {
    Kind.JOINMARKET: (CoinjoinClass.JOINMARKET,),
    Kind.WASABI_1_0: (CoinjoinClass.WASABI_1_0, CoinjoinClass.WASABI_1_1),
    Kind.WASABI_1_1: (CoinjoinClass.WASABI_1_0, CoinjoinClass.WASABI_1_1),
    Kind.WASABI_2: (CoinjoinClass.WABISABI,),
    Kind.WHIRLPOOL: (CoinjoinClass.WHIRLPOOL, CoinjoinClass.WHIRLPOOL_LINEAGE),
    Kind.WHIRLPOOL_TX0: (CoinjoinClass.TX0,),
    Kind.STONEWALL: (CoinjoinClass.STONEWALL,),
    Kind.PAYJOIN: (CoinjoinClass.PAYJOIN,),
    Kind.INSCRIPTION_SALE: (CoinjoinClass.ANYONECANPAY,),
}
"""The classes that are right for a kind."""

ONE_OWNER = (Kind.WHIRLPOOL_TX0, Kind.STONEWALL)


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a generated chain shows."""

    seed: int
    compared: Compared
    found: dict[str, dict[str, int]]
    """Of each kind: transactions made, given its class, and linked by co-spend although several owners made them"""
    alarms: dict[str, int]
    """Classes that keep apart what one owner made (but Stonewall): transactions with two input addresses or more"""
    linkable: int
    """One owner's transactions with two input addresses or more"""
    change: list[Rate]


def measure_simulated(
    folder: Path, seed: int = SEED, transactions: int = TRANSACTIONS, *, hidden_payjoins: bool = False
) -> Simulated:
    """Generate a chain into `folder`, read it as blocks, and compare with its truth."""
    simulate(seed, transactions, folder / "chain", hidden_payjoins=hidden_payjoins)
    truth = open_truth(folder / "chain")
    columns = full_columns(BlkFolder(folder / "chain", REGTEST), folder, "simulated")
    owner = np.where(truth.address_importer >= 0, truth.address_importer, truth.address_owner).astype(np.int32)
    services = [row for row, each in enumerate(truth.owners) if each.party in SERVICES]
    compared = compare(
        f"a generated chain of {transactions:,} transactions, seed {seed}",
        columns,
        owners_of(columns, truth.address_key, owner),
        services,
    )
    classes = coinjoin.classify(Ledger.of(columns), 0, columns.tx_count)
    kinds = truth.kind.astype(np.int64)
    several = _addresses_spent(columns) > 1
    joined = coinjoin.joins(classes) & several
    found = {
        kind.name: {
            "made": int(np.count_nonzero(kinds == kind)),
            "found": int(np.count_nonzero((kinds == kind) & np.isin(classes, right))),
            "joined_though_several": 0 if kind in ONE_OWNER else int(np.count_nonzero((kinds == kind) & joined)),
        }
        for kind, right in MIXES.items()
    }
    ours = several & ~np.isin(kinds, [int(kind) for kind in MIXES])
    alarms = {
        CLASSES[kind].name: int(np.count_nonzero(ours & (classes == kind)))
        for kind in CoinjoinClass
        if not CLASSES[kind].joins
    }
    return Simulated(
        seed, compared, found, alarms, int(np.count_nonzero(ours)), _change(columns, truth, joined | ~several)
    )


def _addresses_spent(columns: Columns) -> I64:
    """[T] how many different known addresses each transaction spends from."""
    counts = np.diff(np.append(columns.tx_first_input, len(columns.input_spends)))
    tx = np.repeat(np.arange(columns.tx_count), counts)
    address = columns.output_address[columns.input_spends]
    distinct = np.unique(np.stack((tx[address >= 0], address[address >= 0]), axis=1), axis=0)
    return np.bincount(distinct[:, 0], minlength=columns.tx_count)


def _change(columns: Columns, truth: Truth, asked: Bool) -> list[Rate]:
    """Rates of the change model's leads against the true change of two-output transactions."""
    at = LedgerArrays.of(columns)
    count = columns.tx_count
    around = Surroundings(columns.spender()[window(at, 0, count)], freshness(at, 0, count), True)
    votes = cast(at, 0, count, around, ~asked, None)
    first = pairs(votes)
    first = first[(votes.convention[first] | votes.convention[first + 1]) == 0]
    tx = votes.tx[first]
    place = votes.output[first] - columns.tx_first_output[tx]
    change = truth.change[tx].astype(np.int64)
    known = change >= 0
    made = scores(votes.vote, PUBLISHED_WEIGHTS)[first]
    right = change[known] == place[known]
    return evaluate(made[known], right, strata(votes)[first][known], [MARGIN, 2 * MARGIN])
