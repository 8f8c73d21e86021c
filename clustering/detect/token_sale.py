"""Token sales in which the payment and the token move in one transaction (S1 of the research catalogue, 5.1).

It claims that a contract gave a token of its issuer to outsiders for money, at prices that somebody set. The buyer is
the beneficiary of the token leg (EVIDENCE 14).

How it fails. Sales whose tokens are claimed later are no purchases here. A price that moves with each block (a Dutch
auction) reads as a pool. A sale at a single price of one base unit for one cannot be told from wrapping and is
rejected as `parity`. Purchases through wallets that are contracts are seen with traces only, and only beside enough
direct ones. The sales of a launchpad are rejected together. What holders were promised is not on the chain.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from chain import uint256
from chain.model import I64, Array, Bool
from clustering.detect import legs
from clustering.detect import parameters as p
from clustering.detect.legs import Payments, Purchases, TokenLegs
from clustering.detect.prices import NO_TIER, Prices, fee_flaw, find_prices, flaw
from clustering.detect.proceeds import Proceeds, find_proceeds
from clustering.detect.wallets import InnerPayments, inner_purchases, merged
from clustering.ethereum.ledger import ETHER, NOBODY, EthereumLedger


@dataclass(frozen=True, slots=True)
class Tier:
    """Purchases at one price: `got` / `paid` is the exact rate of their sums."""

    asset: int
    purchases: int
    first_time: int
    last_time: int
    paid: int
    got: int


@dataclass(frozen=True, slots=True)
class Agent:
    """A payer who bought for several others."""

    payer: int
    beneficiaries: int
    """Distinct ones, itself left out."""
    purchases: int
    paid: dict[int, int]


@dataclass(frozen=True, slots=True)
class TokenSale:
    """One sale: ids of the dataset, exact base units."""

    contract: int
    token: int
    """Asset id."""
    bought: Purchases
    through_wallets: int
    """Purchases that a contract paid for which the transaction's sender called: a wallet, a buyer of many."""
    contributions: int
    """Transactions in which the token was given, those of nothing too."""
    contributors: int
    """Distinct beneficiaries of these."""
    gross: dict[int, int]
    """Received, per asset that was paid with."""
    tokens: int
    """Given to beneficiaries."""
    tiers: list[Tier]
    untiered: int
    """Purchases at no repeated price."""
    beneficiaries: int
    payers: int
    differ: int
    """Purchases whose payer is not the beneficiary."""
    agents: list[Agent]
    proceeds: Proceeds
    top_share_ppm: int
    """Of the tokens, the largest `TOP_BUYERS` beneficiaries', in parts per million."""
    herfindahl_ppm: int
    sell_backs: int

    def net(self, asset: int) -> int:
        """Gross less refunds and the issuer's own recycling."""
        less = [*self.proceeds.refunded, *self.proceeds.recycled]
        return self.gross[asset] - sum(flow.amount for flow in less if flow.asset == asset)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A form that resembles a sale and is none, or cannot be told to be one."""

    contract: int
    token: int
    purchases: int
    buyers: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    contract: int
    token: int
    supply: I64
    """Addresses that the token comes from."""
    bought: Purchases
    inner: int
    """Of these, payments by another contract than the caller's own."""


def find_sales(ledger: EthereumLedger) -> tuple[list[TokenSale], list[Rejected]]:
    """Every sale and every rejected form with `LEAST_BUYERS`, in order of their first purchase."""
    pays, transfers = legs.payments(ledger), legs.token_legs(ledger)
    pay, leg = legs.offers(pays, transfers)
    pairs = np.stack((pays.contract[pay], transfers.asset[leg]), axis=1)
    found, group = np.unique(pairs, axis=0, return_inverse=True)
    order = np.argsort(group.reshape(-1), kind="stable")
    bounds = np.searchsorted(group.reshape(-1)[order], np.arange(len(found) + 1))
    candidates: list[_Candidate] = []
    for place, (contract, token) in enumerate(found.tolist()):
        rows = order[bounds[place] : bounds[place + 1]]
        if len(rows) >= p.LEAST_BUYERS:
            supply = legs.supply_of(ledger, transfers, leg[rows], contract, token)
            bought = legs.purchases(pays, transfers, pay[rows], leg[rows], supply)
            bought = bought.take(legs.densest(ledger.tx_time[bought.tx], p.WINDOW_SECONDS))
            if len(np.unique(bought.beneficiary)) >= p.LEAST_BUYERS:
                candidates.append(_Candidate(contract, token, supply, bought, 0))
    candidates = _with_wallets(ledger, transfers, candidates)
    candidates.sort(key=lambda each: (int(ledger.tx_time[each.bought.tx[0]]), each.contract, each.token))
    tokens_of = Counter(each.contract for each in candidates)
    by_contract = np.argsort(pays.contract, kind="stable")
    contracts = pays.contract[by_contract]
    sales, rejected = [], []
    for each in candidates:
        first, last = np.searchsorted(contracts, [each.contract, each.contract + 1])
        mine = by_contract[first:last]
        sold = _judge(ledger, pays, mine, transfers, each, tokens_of[each.contract])
        if isinstance(sold, TokenSale):
            sales.append(sold)
        else:
            buyers = len(np.unique(each.bought.beneficiary))
            rejected.append(Rejected(each.contract, each.token, len(each.bought), buyers, sold))
    return sales, rejected


def overlap(sales: list[TokenSale]) -> I64:
    """Addresses that paid or were given tokens in two or more of the sales, ascending."""
    people = [np.unique(np.concatenate((sale.bought.payer, sale.bought.beneficiary))) for sale in sales]
    found, counts = np.unique(np.concatenate(people), return_counts=True) if people else (np.empty(0, np.int64),) * 2
    both: I64 = found[counts > 1]
    return both


def _with_wallets(ledger: EthereumLedger, transfers: TokenLegs, candidates: list[_Candidate]) -> list[_Candidate]:
    """The candidates with what wallets that are contracts bought of them, but for what a router of the list sold."""
    into = InnerPayments.of(ledger, np.array([each.contract for each in candidates], np.int64))
    taken_of: dict[int, list[I64]] = {}
    for each in candidates:
        taken_of.setdefault(each.token, []).append(each.bought.tx)
    found = []
    for each in candidates:
        taken = np.concatenate(taken_of[each.token])
        more = inner_purchases(into, transfers, each.contract, each.token, each.supply, taken)
        # the first and the last purchase may be a wallet's: the whole still lies within the window
        ends, when = ledger.tx_time[each.bought.tx[[0, -1]]], ledger.tx_time[more.tx]
        more = more.take((when >= ends[1] - p.WINDOW_SECONDS) & (when <= ends[0] + p.WINDOW_SECONDS))
        found.append(replace(each, bought=merged(each.bought, more), inner=len(more)) if len(more) else each)
    return found


def _judge(
    ledger: EthereumLedger, pays: Payments, mine: I64, transfers: TokenLegs, candidate: _Candidate, tokens: int
) -> TokenSale | str:
    """The sale, or why it is none; `mine`: payments to the contract; `tokens`: it gives so many to many buyers each."""
    bought = candidate.bought
    if tokens >= p.LAUNCHPAD_TOKENS:
        return f"launchpad: the contract gives {tokens} tokens to many buyers each"
    times = ledger.tx_time[bought.tx]
    when = ledger.tx_time[pays.tx[mine]]
    paying = (when >= times[0]) & (when <= times[-1]) & np.isin(pays.asset[mine], bought.asset)
    if (len(bought) - candidate.inner) * 100 < p.LEAST_COVERED_PERCENT * int(np.count_nonzero(paying)):
        return "other business: most payments to the contract give no such token"
    priced: dict[int, tuple[I64, Prices]] = {}
    for asset in np.unique(bought.asset).tolist():
        rows = np.flatnonzero(bought.asset == asset)
        paid_so = bought.take(rows)
        priced[asset] = rows, find_prices(paid_so)
        why = flaw(priced[asset][1], asset == ETHER) or fee_flaw(paid_so)
        if len(rows) >= p.LEAST_BUYERS and why is not None:
            return why
    # assets with too few purchases to be judged alone count together: a router takes many
    tiered = sum(int(np.count_nonzero(prices.tier != NO_TIER)) for _, prices in priced.values())
    if tiered * 100 < p.TIERED_PERCENT * len(bought):
        return "pool: no few prices cover its trades"
    sell_backs = _sell_backs(ledger, transfers, candidate)
    if sell_backs * 100 > p.SELL_BACK_PERCENT * len(bought):
        return "market or redeemable claim: holders give the token back for the money while others buy"
    return _sale(ledger, candidate, priced, sell_backs)


def _sell_backs(ledger: EthereumLedger, transfers: TokenLegs, candidate: _Candidate) -> int:
    """Transactions before the last purchase in which a holder gives the token to where it comes from and is paid.

    Who is paid exactly what they paid is refunded. A pool behind a router is the supply: what it takes back counts.
    """
    contract, token, bought = candidate.contract, candidate.token, candidate.bought
    supply = candidate.supply[candidate.supply != NOBODY]
    given = (transfers.asset == token) & np.isin(transfers.target, supply) & ~np.isin(transfers.source, supply)
    given &= (transfers.tx < bought.tx[-1]) & ~np.isin(transfers.tx, bought.tx)
    txs, holders = transfers.tx[given], transfers.source[given]
    good = legs.succeeded(ledger) & legs.positive(ledger.move_value) & np.isin(ledger.move_asset, bought.asset)
    rows = np.flatnonzero(good & np.isin(ledger.move_tx, txs))
    holder_of = dict(zip(txs.tolist(), holders.tolist(), strict=True))
    sold = 0
    for row in rows[ledger.move_to[rows] != contract].tolist():
        holder = holder_of.get(int(ledger.move_tx[row]))
        if holder == int(ledger.move_to[row]):
            paid = uint256.total(bought.paid[bought.payer == holder])
            sold += paid != uint256.to_int(ledger.move_value[row])
        if sold * 100 > p.SELL_BACK_PERCENT * len(bought):
            break  # enough to say what it is
    return sold


def _sale(
    ledger: EthereumLedger, candidate: _Candidate, priced: dict[int, tuple[I64, Prices]], sell_backs: int
) -> TokenSale:
    contract, token, bought = candidate.contract, candidate.token, candidate.bought
    calls, contributors = legs.contributions(ledger, contract, token, candidate.supply, bought)
    times = ledger.tx_time[bought.tx]
    tiers = [
        tier
        for asset, (rows, prices) in priced.items()
        for tier in _tiers(asset, bought.take(rows), prices, times[rows])
    ]
    buyers, group = np.unique(bought.beneficiary, return_inverse=True)
    held = sorted(uint256.sums_by(group.reshape(-1), bought.got, len(buyers)), reverse=True)
    total = sum(held)
    differ = bought.payer != bought.beneficiary
    return TokenSale(
        contract=contract,
        token=token,
        bought=bought,
        through_wallets=candidate.inner,
        contributions=calls,
        contributors=contributors,
        gross=_by_asset(bought, np.ones(len(bought), np.bool_)),
        tokens=total,
        tiers=sorted(tiers, key=lambda tier: (tier.first_time, tier.asset, -tier.purchases)),
        untiered=sum(int(np.count_nonzero(prices.tier == NO_TIER)) for _, prices in priced.values()),
        beneficiaries=len(buyers),
        payers=len(np.unique(bought.payer)),
        differ=int(np.count_nonzero(differ)),
        agents=_agents(bought, differ),
        proceeds=find_proceeds(ledger, contract, bought),
        top_share_ppm=sum(held[: p.TOP_BUYERS]) * 1_000_000 // total,
        herfindahl_ppm=sum(amount * amount for amount in held) * 1_000_000 // (total * total),
        sell_backs=sell_backs,
    )


def _tiers(asset: int, bought: Purchases, prices: Prices, times: I64) -> list[Tier]:
    rows = [np.flatnonzero(prices.tier == tier) for tier in range(len(prices.rates))]
    return [
        Tier(
            asset, len(mine), int(times[mine].min()), int(times[mine].max()), uint256.total(bought.paid[mine]),
            uint256.total(bought.got[mine]),
        )
        for mine in rows
    ]  # fmt: skip


def _by_asset(bought: Purchases, rows: Bool) -> dict[int, int]:
    return {int(asset): uint256.total(bought.paid[rows & (bought.asset == asset)]) for asset in np.unique(bought.asset)}


def _agents(bought: Purchases, differ: Bool) -> list[Agent]:
    """Payers with `AGENT_BENEFICIARIES` other people, the one with most first."""
    pairs = np.unique(np.stack((bought.payer[differ], bought.beneficiary[differ]), axis=1), axis=0)
    payers, others = np.unique(pairs[:, 0], return_counts=True)
    found = []
    for payer, count in zip(payers.tolist(), others.tolist(), strict=True):
        if count >= p.AGENT_BENEFICIARIES:
            rows: Array = differ & (bought.payer == payer)
            found.append(Agent(payer, count, int(np.count_nonzero(rows)), _by_asset(bought, rows)))
    return sorted(found, key=lambda agent: (-agent.beneficiaries, -agent.purchases, agent.payer))
