"""Findings of detectors: named, worded, kept, and shown again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api import detections
from api.answers import text
from api.answers.ethereum import ETHER, ethereum_state, open_datasets
from api.answers.finding_shapes import (
    AgentRow,
    AssetAmount,
    CollectionFinding,
    FindingsBody,
    FlowRow,
    RejectedForm,
    SaleAnswer,
    SalesBody,
    TierRow,
    TokenSaleFinding,
)
from api.answers.opening import LOADED
from api.answers.view import InvalidParameter
from api.detections import TOKEN_SALES
from chain import uint256
from chain.ethereum import address as codec
from chain.model import Array
from chain.store.ethereum import EthereumDataset, EthereumStore
from chain.store.postgres import Connection, queries
from clustering.detect import parameters
from clustering.detect.presale import Collection
from clustering.detect.proceeds import Flow
from clustering.detect.token_sale import Rejected, Tier, TokenSale, overlap
from clustering.ethereum.ledger import ETHER as ETHER_ID
from clustering.ethereum.ledger import EthereumLedger

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
"""As the table of datasets has it."""

LISTED = 100
"""Rows of each list that a finding shows, the largest first; `--out` has all purchases."""

RULE_VERSION = 1
RATE = "not measured: two public sales are too few for a rate"
STATEMENT = (
    "the form of a token sale: received, gross, and net of refunds and of the issuer's own recycling; a contract is no "
    "company; " + text.NO_FINDING
)

NO_TRIAL = "not measured: no labelled presale was at hand"
UNTIED = (
    "a lead and no finding: an issuer gave payers of this address a token in the order of what they paid, which payers "
    "and issuer can do to any address; nothing shows that its holder dealt with them"
)
LEAD = "a lead and no finding: many paid one address round amounts, and no token is known that they had for it"

EVIDENCE_COLUMNS = (
    "dataset", "finding", "height", "time", "transaction", "payer", "beneficiary", "asset", "paid", "tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Names:
    """From ids of one dataset to what leaves the instance."""

    ledger: EthereumLedger
    hashes: Array
    keys: Array

    def address(self, address: int) -> str:
        return "" if address < 0 else codec.encode(self.keys[address].tobytes())

    def asset(self, asset: int) -> str:
        return ETHER if asset == ETHER_ID else self.address(int(self.ledger.asset_contract[asset]))

    def transaction(self, tx: int) -> str:
        return f"0x{self.hashes[tx].tobytes().hex()}"

    def amounts(self, amounts: Mapping[int, int]) -> list[AssetAmount]:
        return [{"asset": self.asset(asset), "amount": str(amount)} for asset, amount in sorted(amounts.items())]


async def sales_body(connection: Connection, dataset: str | None = None) -> tuple[SalesBody, list[dict[str, Any]]]:
    """Run the detector on every dataset of eth (or one), keep what it finds; the answers, and a row a purchase."""
    answers: list[SaleAnswer] = []
    evidence: list[dict[str, Any]] = []
    for each in await open_datasets(connection, dataset):
        answer, rows = await _sales_of(connection, each)
        answers.append(answer)
        evidence.extend(rows)
    return {"chain": "eth", "detector": TOKEN_SALES, "answers": answers}, evidence


async def _sales_of(connection: Connection, dataset: EthereumDataset) -> tuple[SaleAnswer, list[dict[str, Any]]]:
    ledger, hashes, keys, found = await detections.token_sales(connection, dataset)
    names, sales = Names(ledger, hashes, keys), found.sales
    findings = [finding(names, dataset.network, sale) for sale in sales]
    presales = [_collection(names, dataset.network, each) for each in found.presales]
    kept: list[Any] = [*findings, *presales]
    await detections.keep(connection, dataset, TOKEN_SALES, [(each["finding"], each) for each in kept])
    state = await ethereum_state(connection, await EthereumStore(connection).dataset(dataset.name))
    answer: Any = {
        "dataset": dataset.name,
        "as_of": state["tip"],
        "coverage": state["coverage"],
        "findings": findings,
        "presales": presales,
        "leads": [_collection(names, dataset.network, each) for each in found.leads],
        "rejected": [_rejected(names, form) for form in found.rejected],
        "in_several_sales": sorted(names.address(address) for address in overlap(sales).tolist()),
    }
    rows = [
        row
        for sale, named in zip(sales, findings, strict=True)
        for row in evidence_rows(names, dataset.name, named["finding"], sale)
    ]
    return answer, rows


def finding(names: Names, network: str, sale: TokenSale) -> TokenSaleFinding:
    """A sale in words and names. Its id follows from chain, contract, token and first purchase."""
    bought, ledger, proceeds = sale.bought, names.ledger, sale.proceeds
    first, last = int(bought.tx[0]), int(bought.tx[-1])
    contract, token = names.address(sale.contract), names.asset(sale.token)
    # only traces tell what ether left a contract; tokens have their logs
    covered = [asset for asset in sale.gross if asset != ETHER_ID or proceeds.traced == len(bought)]
    lists: dict[str, list[Any]] = {
        "price_tiers": [_tier(names, tier) for tier in sale.tiers],
        "collected": [_flow(names, flow) for flow in proceeds.collected],
        "refunded": [_flow(names, flow) for flow in proceeds.refunded],
        "recycled": [_flow(names, flow) for flow in proceeds.recycled],
        "agents": [_agent(names, agent) for agent in sale.agents],
    }
    identity = f"{network} {TOKEN_SALES} {contract} {token} {names.transaction(first)}"
    body: Any = {
        "finding": hashlib.sha256(identity.encode()).hexdigest(),
        "kind": "same-transaction sale",
        "rule": "token-sale/S1",
        "rule_version": RULE_VERSION,
        "rate": RATE,
        "contract": contract,
        "token": token,
        "window": [text.moment(int(ledger.tx_time[tx])) for tx in (first, last)],
        "first_height": int(ledger.tx_height[first]),
        "last_height": int(ledger.tx_height[last]),
        "contributions": sale.contributions,
        "contributors": sale.contributors,
        "purchases": len(bought),
        "buyers": sale.beneficiaries,
        "payers": sale.payers,
        "paid_by_contracts": sale.through_wallets,
        "payer_is_not_buyer": sale.differ,
        "received_gross": names.amounts(sale.gross),
        "net_of_recycling_and_refunds": names.amounts({asset: sale.net(asset) for asset in covered}),
        "tokens_given": str(sale.tokens),
        "purchases_at_no_repeated_price": sale.untiered,
        "retained_in_contract": names.amounts({asset: proceeds.retained[asset] for asset in covered}),
        "purchases_with_traces": proceeds.traced,
        "concentration": {
            "top_buyers": parameters.TOP_BUYERS,
            "top_share_ppm": sale.top_share_ppm,
            "herfindahl_ppm": sale.herfindahl_ppm,
        },
        "sell_backs": sale.sell_backs,
        "evidence": [names.transaction(first), names.transaction(last)],
        **{name: rows[:LISTED] for name, rows in lists.items()},
        "limits_hit": [f"{name}: {LISTED} of {len(rows)}" for name, rows in lists.items() if len(rows) > LISTED],
        "statement": STATEMENT,
    }
    found: TokenSaleFinding = body
    return found


def evidence_rows(names: Names, dataset: str, finding_id: str, sale: TokenSale) -> Iterator[dict[str, Any]]:
    """A row for each purchase, in order of time (`EVIDENCE_COLUMNS`)."""
    bought = sale.bought
    columns = zip(
        bought.tx.tolist(), bought.payer.tolist(), bought.beneficiary.tolist(), bought.asset.tolist(),
        uint256.to_ints(bought.paid), uint256.to_ints(bought.got), strict=True,
    )  # fmt: skip
    for tx, payer, beneficiary, asset, paid, got in columns:
        yield {
            "dataset": dataset,
            "finding": finding_id,
            "height": int(names.ledger.tx_height[tx]),
            "time": text.moment(int(names.ledger.tx_time[tx])),
            "transaction": names.transaction(tx),
            "payer": names.address(payer),
            "beneficiary": names.address(beneficiary),
            "asset": names.asset(asset),
            "paid": str(paid),
            "tokens": str(got),
        }


def _tier(names: Names, tier: Tier) -> TierRow:
    whole, rest = divmod(tier.got, tier.paid)
    places = f"{rest * 10**12 // tier.paid:012d}".rstrip("0")
    return {
        "asset": names.asset(tier.asset),
        "tokens_per_unit": f"{whole}.{places}" if places else str(whole),
        "purchases": tier.purchases,
        "first_time": text.moment(tier.first_time),
        "last_time": text.moment(tier.last_time),
        "paid": str(tier.paid),
        "tokens": str(tier.got),
    }


def _flow(names: Names, flow: Flow) -> FlowRow:
    return {
        "address": names.address(flow.address),
        "asset": names.asset(flow.asset),
        "amount": str(flow.amount),
        "movements": flow.movements,
    }


def _agent(names: Names, agent: Any) -> AgentRow:
    return {
        "payer": names.address(agent.payer),
        "beneficiaries": agent.beneficiaries,
        "purchases": agent.purchases,
        "paid": names.amounts(agent.paid),
    }


def _collection(names: Names, network: str, found: Collection) -> CollectionFinding:
    named = found.token >= 0
    collector, first = names.address(found.collector), names.transaction(found.first_tx)
    identity = f"{network} {TOKEN_SALES} {collector} {first}"
    return {
        "finding": hashlib.sha256(identity.encode()).hexdigest(),
        "kind": "presale" if found.tied else "lead",
        "rule": "token-sale/S2",
        "rule_version": RULE_VERSION,
        "rate": NO_TRIAL,
        "collector": collector,
        "window": [text.moment(int(names.ledger.tx_time[tx])) for tx in (found.first_tx, found.last_tx)],
        "payments": found.payments,
        "senders": found.senders,
        "received_gross": names.amounts({ETHER_ID: found.gross}),
        "round_percent": found.round_percent,
        "token": names.asset(found.token) if named else None,
        "issuer": names.address(found.issuer) if named else None,
        "served": found.served,
        "tokens_given": str(found.tokens),
        "spearman_ppm": found.spearman_ppm,
        "tied": found.tied,
        "evidence": [first, names.transaction(found.last_tx)],
        "statement": STATEMENT if found.tied else UNTIED if named else LEAD,
    }


def _rejected(names: Names, form: Rejected) -> RejectedForm:
    return {
        "contract": names.address(form.contract),
        "token": names.asset(form.token),
        "purchases": form.purchases,
        "buyers": form.buyers,
        "reason": form.reason,
    }


async def findings_body(
    connection: Connection, chain: str | None, dataset: str | None, detector: str | None
) -> FindingsBody:
    """What detectors found in their last run on each dataset. InvalidParameter where one of these cannot be."""
    for parameter, value, allowed in (("chain", chain, LOADED), ("detector", detector, (TOKEN_SALES,))):
        if value is not None and value not in allowed:
            raise InvalidParameter(parameter, f"there is no such {parameter}; there are: {', '.join(allowed)}")
    if dataset is not None and not _NAME.fullmatch(dataset):
        raise InvalidParameter("dataset", "a dataset's name has lower-case letters, digits, - and _")
    rows = await connection.fetch(queries("ethereum")["findings"], chain, dataset, detector)
    answers: dict[tuple[str, str], Any] = {}
    for row in rows:
        name = (row["dataset"], row["detector"])
        if name not in answers:
            held = await EthereumStore(connection).dataset(row["dataset"])
            state = await ethereum_state(connection, held)
            answers[name] = {
                "dataset": name[0],
                "detector": name[1],
                "as_of": state["tip"],
                "current": (held.epoch, held.counts["tx"]) == (row["epoch"], row["tx_count"]),
                "findings": [],
            }
        answers[name]["findings"].append(json.loads(row["body"]))
    return {"answers": list(answers.values())}
