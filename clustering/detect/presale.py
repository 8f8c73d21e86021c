"""Collections of money whose tokens come later in other transactions (S2 of the research catalogue, 5.1).

It claims that many people paid one address for a token that one issuer then gave them in the order of what they paid.
Without the tokens a collection is a lead and no finding: donations, games and merchants collect as well.

How it fails. An address that is emptied while it collects reads as a service. Tokens that are given by lot do not
follow what was paid, and where all paid the same there is no order to follow. A reward for money that stays, or a free
distribution by what people had once paid to the address, has the form of a presale. Payments in tokens or in bitcoin,
and through wallets that are contracts, are not seen.

Payers and an issuer can make the form around any address without whoever holds it. So a collection is confirmed only
where the collector itself did something with the issuer or the token: it is the issuer, it called one of them, or its
ether went to one of them. A token's logs tie nothing: who writes them says what they like.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chain import uint256
from chain.ethereum.model import Movement
from chain.model import I64, Array
from clustering.detect import legs
from clustering.detect import parameters as p
from clustering.detect.legs import TokenLegs
from clustering.ethereum.ledger import ETHER, EthereumLedger


@dataclass(frozen=True, slots=True)
class Collection:
    """Ether paid to one address by many; ids of the dataset, exact wei."""

    collector: int
    first_tx: int
    last_tx: int
    payments: int
    senders: int
    gross: int
    round_percent: int
    """Payments that are whole tenths of an ether."""
    token: int
    """Asset that one issuer gave enough of the senders, in the order of what they paid; -1 where there is none."""
    issuer: int
    served: int
    """Senders who were given the token."""
    tokens: int
    spearman_ppm: int
    """Rank correlation of what was paid and what was given."""
    tied: bool
    """The collector itself dealt with the issuer or the token."""


def find_collections(ledger: EthereumLedger, known: I64) -> tuple[list[Collection], list[Collection]]:
    """Confirmed presales, and leads, in order of their first payment.

    `known`: contracts that sell in the same transaction, or resemble it, and are judged there.
    """
    transfers = legs.token_legs(ledger)
    pays, sent = legs.payments(ledger), _sent(ledger)
    by_target = np.argsort(transfers.target, kind="stable")
    plain = (pays.asset == ETHER) & ~np.isin(pays.tx, transfers.tx) & ~np.isin(pays.contract, known)
    rows = np.flatnonzero(plain)
    order = rows[np.argsort(pays.contract[rows], kind="stable")]
    found, first, counts = np.unique(pays.contract[order], return_index=True, return_counts=True)
    confirmed, leads = [], []
    for collector, at, count in zip(found.tolist(), first.tolist(), counts.tolist(), strict=True):
        if count < p.PRESALE_SENDERS:
            continue
        mine = order[at : at + count]
        mine = mine[legs.densest(ledger.tx_time[pays.tx[mine]], p.PRESALE_SECONDS)]
        if len(np.unique(pays.payer[mine])) < p.PRESALE_SENDERS:
            continue
        gross = uint256.total(pays.value[mine])
        left, returned = _flows_through(ledger, sent, collector, pays.tx[mine], pays.payer[mine])
        if left * 100 > p.PRESALE_OUTFLOW_PERCENT * gross or returned * 100 > p.PRESALE_RETURNED_PERCENT * gross:
            continue
        several = _judge(transfers, by_target, collector, pays.tx[mine], pays.payer[mine], pays.value[mine])
        several = [replace(each, tied=_is_tied(ledger, sent, each)) for each in several]
        # a stranger's gift to the same people must not hide what the collector's own issuer gave
        judged = next((each for each in several if each.tied), several[0])
        if judged.tied:
            confirmed.append(judged)
        elif judged.token >= 0 or judged.round_percent >= p.ROUND_PERCENT:
            leads.append(judged)
    return _by_time(confirmed), _by_time(leads)


def _by_time(found: list[Collection]) -> list[Collection]:
    return sorted(found, key=lambda each: (each.first_tx, each.collector))


def _sent(ledger: EthereumLedger) -> tuple[I64, I64]:
    """Who sent ether, ascending, and the rows of these movements in order of time; fees left out."""
    out = legs.succeeded(ledger) & (ledger.move_asset == ETHER) & (ledger.move_from != ledger.move_to)
    out &= (ledger.move_kind == Movement.VALUE) | (ledger.move_kind == Movement.INTERNAL)
    rows = np.flatnonzero(out)
    order = np.argsort(ledger.move_from[rows], kind="stable")
    return ledger.move_from[rows[order]].astype(np.int64), rows[order]


def _flows_through(
    ledger: EthereumLedger, sent: tuple[I64, I64], collector: int, txs: I64, payer: I64
) -> tuple[int, int]:
    """Ether that left the address between its first and last payment, and what its payers ever got back of it."""
    first, last = np.searchsorted(sent[0], [collector, collector + 1])
    rows = sent[1][first:last]
    rows = rows[ledger.move_tx[rows] >= txs[0]]
    meanwhile, back = rows[ledger.move_tx[rows] <= txs[-1]], rows[np.isin(ledger.move_to[rows], payer)]
    return uint256.total(ledger.move_value[meanwhile]), uint256.total(ledger.move_value[back])


def _judge(
    transfers: TokenLegs, by_target: I64, collector: int, txs: I64, payer: I64, value: uint256.U64
) -> list[Collection]:
    """The collection with each token that follows what was paid, the one that served most senders first; where there is
    none, the bare collection."""
    senders, group = np.unique(payer, return_inverse=True)
    paid = np.bincount(group.reshape(-1), weights=legs.as_float(value))
    whole = sum(amount % p.ROUND_UNIT == 0 for amount in uint256.to_ints(value))
    bare = Collection(
        collector, int(txs[0]), int(txs[-1]), len(txs), len(senders), uint256.total(value), whole * 100 // len(txs),
        -1, -1, 0, 0, 0, False,
    )  # fmt: skip
    found = []
    for token, issuer, served, rows in _distributions(transfers, by_target, senders, int(txs[0])):
        place = np.searchsorted(senders, transfers.target[rows])
        got = np.bincount(place, weights=legs.as_float(transfers.value[rows]), minlength=len(senders))
        same = np.count_nonzero((got > 0) & (np.abs(got - paid) <= p.RATE_TOLERANCE * paid))
        if same * 100 >= p.PRESALE_PARITY_PERCENT * np.count_nonzero(got):
            continue  # one for one: a bridge or a claim
        spearman = _spearman_ppm(paid[got > 0], got[got > 0])
        if spearman >= p.PRESALE_SPEARMAN_PPM:
            tokens = uint256.total(transfers.value[rows])
            given = replace(bare, token=token, issuer=issuer, served=served, tokens=tokens, spearman_ppm=spearman)
            found.append(given)
    return found or [bare]


def _is_tied(ledger: EthereumLedger, sent: tuple[I64, I64], found: Collection) -> bool:
    """Whether the collector is the issuer, called the issuer or the token, or sent ether to one of them."""
    if found.token < 0:
        return False
    others = [found.issuer, int(ledger.asset_contract[found.token])]
    first, last = np.searchsorted(sent[0], [found.collector, found.collector + 1])
    paid = np.isin(ledger.move_to[sent[1][first:last]], others).any()
    called = ((ledger.tx_from == found.collector) & np.isin(ledger.tx_to, others)).any()
    return found.collector in others or bool(paid or called)


def _distributions(
    transfers: TokenLegs, by_target: I64, senders: I64, first_tx: int
) -> list[tuple[int, int, int, I64]]:
    """Tokens that enough of the senders have from one giver each: the token, the giver, how many it served, and the
    rows of its transfers; the one that served most first, of equals the lower ids."""
    first = np.searchsorted(transfers.target, senders, sorter=by_target)
    count = np.searchsorted(transfers.target, senders, side="right", sorter=by_target) - first
    rows = by_target[np.repeat(first - np.cumsum(count) + count, count) + np.arange(int(count.sum()))]
    rows = np.sort(rows[transfers.tx[rows] > first_tx])
    if not len(rows):
        return []
    given = np.unique(np.stack((transfers.asset[rows], transfers.source[rows], transfers.target[rows]), axis=1), axis=0)
    pairs, counts = np.unique(given[:, :2], axis=0, return_counts=True)
    found = []
    for place in np.argsort(-counts, kind="stable").tolist():
        if int(counts[place]) * 100 < p.PRESALE_SERVED_PERCENT * len(senders):
            break
        token, issuer = pairs[place].tolist()
        mine = rows[(transfers.asset[rows] == token) & (transfers.source[rows] == issuer)]
        found.append((int(token), int(issuer), int(counts[place]), mine))
    return found


def _spearman_ppm(a: Array, b: Array) -> int:
    """Rank correlation in parts per million, rounded down; 0 where either is the same for all."""
    ranks = [_ranks(a), _ranks(b)]
    deviations = [rank - rank.mean() for rank in ranks]
    spread = np.sqrt((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum())
    if spread == 0:
        return 0  # everybody paid, or was given, one amount, as in an airdrop: no order to compare
    return int(np.floor(1_000_000 * (deviations[0] * deviations[1]).sum() / spread))


def _ranks(values: Array) -> Array:
    """Ranks from 0, equal values sharing the mean of theirs."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle: Array = np.cumsum(counts) - (counts + 1) / 2
    return middle[group.reshape(-1)]
