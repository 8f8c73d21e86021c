"""`headwater measure token-sales`: what the detector says of generated chains, against what happened on them.

The chains are written, read and proved like any other, and laid without a database. What is counted as right is exact:
the same transaction, payer, beneficiary, asset and amounts to the last unit.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.detections import Sales, detect_sales
from api.measure.ethereum_chains import LaidEthereum, ethereum_ledger
from api.simulate_ethereum import block_files, open_ethereum_truth, simulate_ethereum
from chain import uint256
from chain.ethereum.files import EthereumFiles
from clustering.detect import parameters
from clustering.detect.presale import Collection
from clustering.detect.token_sale import TokenSale
from clustering.ethereum.ledger import ETHER as ETHER_ID
from clustering.simulate.ethereum.signing import CHAIN_ID
from clustering.simulate.ethereum.truth import ETHER, Purchase, SaleTruth, Truth

SEEDS, TRANSACTIONS = (1, 2, 3, 4, 5), 10_000

Row = tuple[int, int, int, int, int, int]
"""Transaction, payer, beneficiary, asset, paid, got: ids of the ledger, exact amounts."""


@dataclass(slots=True)
class Measured:
    """Sums over chains."""

    sales: dict[str, Counter[str]] = field(default_factory=dict)
    """By form of sale: made, found, and how many are right in each respect."""
    findings: Counter[str] = field(default_factory=Counter)
    """Findings and leads, and those among them that are none of a sale."""
    forms: dict[str, Counter[str]] = field(default_factory=dict)
    """What the detector said of each form that is no sale."""
    harmed: Counter[str] = field(default_factory=Counter)
    """Victims and offenders, and how many of them a finding names as a party."""


def measure_sales(seeds: Sequence[int] = SEEDS, transactions: int = TRANSACTIONS) -> dict[str, Any]:
    """Generate a chain of each seed, look for sales, compare. The same input gives the same body."""
    found = Measured()
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="headwater-measure-") as scratch:
            folder = Path(scratch) / "chain"
            simulate_ethereum(seed, transactions, folder)
            truth = open_ethereum_truth(folder)
            laid = ethereum_ledger(EthereumFiles(block_files(folder), CHAIN_ID, rlp=True))
        compare(truth, laid, detect_sales(laid.ledger), found)
    return {
        "origin": "simulated",
        "seeds": list(seeds),
        "transactions": transactions,
        "sales": {form: dict(sorted(counts.items())) for form, counts in sorted(found.sales.items())},
        "findings": dict(sorted(found.findings.items())),
        "no_sales": {form: dict(sorted(counts.items())) for form, counts in sorted(found.forms.items())},
        "victims": dict(sorted(found.harmed.items())),
    }


def compare(truth: Truth, laid: LaidEthereum, said: Sales, found: Measured) -> None:
    """Add one chain's outcome."""
    names = _Names(truth, laid)
    sold = {(sale.contract, laid.token(sale.token)): sale for sale in said.sales}
    collected = {presale.collector: presale for presale in said.presales}
    for true in truth.sales:
        counts = found.sales.setdefault(true.form, Counter())
        counts["made"] += 1
        key = names.address(true.contract), names.token(true.token)
        if true.form == "presale":
            _compare_presale(true, collected.get(key[0]), names, counts)
        else:
            _compare_sale(true, sold.get(key), names, counts)
    right = {(names.address(true.contract), names.token(true.token)) for true in truth.sales}
    found.findings["sales"] += len(said.sales)
    found.findings["false sales"] += sum(key not in right for key in sold)
    found.findings["presales"] += len(said.presales)
    found.findings["false presales"] += sum(
        (each.collector, laid.token(each.token)) not in right for each in said.presales
    )
    found.findings["leads"] += len(said.leads)
    _compare_forms(truth, said, names, found)
    _compare_harms(truth, said, names, found)


class _Names:
    """From rows of the truth to ids of the ledger."""

    def __init__(self, truth: Truth, laid: LaidEthereum) -> None:
        self.truth = truth
        self.laid = laid
        self._ids = {key.tobytes(): number for number, key in enumerate(laid.keys)}
        self._txs = {digest.tobytes(): number for number, digest in enumerate(laid.hashes)}

    def address(self, row: int) -> int:
        """-1 where the ledger has not seen it."""
        return self._ids.get(self.truth.key(row), -1)

    def token(self, number: int) -> int:
        """The id of the token's contract."""
        return self.address(self.truth.tokens[number].address)

    def row(self, each: Purchase) -> Row:
        asset = -1 if each.asset == ETHER else self.token(each.asset)
        tx = self._txs[self.truth.tx_hash[each.tx].tobytes()]
        return tx, self.address(each.payer), self.address(each.beneficiary), asset, each.paid, each.got


def _compare_sale(true: SaleTruth, said: TokenSale | None, names: _Names, counts: Counter[str]) -> None:
    rows = {names.row(each) for each in true.purchases}
    counts["purchases made"] += len(rows)
    if said is None:
        return
    counts["found"] += 1
    mine = set(_rows(said, names.laid))
    counts["purchases found"] += len(mine)
    counts["purchases right"] += len(mine & rows)
    gross = sum(each.paid for each in true.purchases)
    less = sum(amount for _, _, amount in [*true.refunds, *true.recycled])
    (asset,) = said.gross if len(said.gross) == 1 else (-1,)
    counts["gross right"] += said.gross.get(asset) == gross
    counts["net right"] += asset >= 0 and said.net(asset) == gross - less
    counts["buyers right"] += said.beneficiaries == len({each.beneficiary for each in true.purchases})
    counts["prices right"] += sorted(_tiers(true)) == sorted((tier.got, tier.paid) for tier in said.tiers)
    collectors = {names.address(row) for row in true.collectors}
    counts["collectors right"] += {flow.address for flow in said.proceeds.collected} == collectors
    counts["agents right"] += {agent.payer for agent in said.agents} == _agents(true, names)


def _rows(said: TokenSale, laid: LaidEthereum) -> list[Row]:
    bought = said.bought
    asset = [-1 if each == ETHER_ID else laid.token(each) for each in bought.asset.tolist()]
    amounts = uint256.to_ints(bought.paid), uint256.to_ints(bought.got)
    ids = bought.tx.tolist(), bought.payer.tolist(), bought.beneficiary.tolist()
    return list(zip(*ids, asset, *amounts, strict=True))


def _tiers(true: SaleTruth) -> list[tuple[int, int]]:
    """Sums of what was given and paid in each tier."""
    sums: dict[int, tuple[int, int]] = {}
    for each in true.purchases:
        got, paid = sums.get(each.tier, (0, 0))
        sums[each.tier] = got + each.got, paid + each.paid
    return list(sums.values())


def _agents(true: SaleTruth, names: _Names) -> set[int]:
    """Who paid for so many others that a finding should list them."""
    others: dict[int, set[int]] = {}
    for each in true.purchases:
        if each.payer != each.beneficiary:
            others.setdefault(each.payer, set()).add(each.beneficiary)
    return {names.address(row) for row, served in others.items() if len(served) >= parameters.AGENT_BENEFICIARIES}


def _compare_presale(true: SaleTruth, said: Collection | None, names: _Names, counts: Counter[str]) -> None:
    counts["payments made"] += len(true.purchases)
    if said is None:
        return
    counts["found"] += 1
    counts["payments found"] += said.payments
    counts["gross right"] += said.gross == sum(each.paid for each in true.purchases)
    counts["token right"] += names.laid.token(said.token) == names.token(true.token)
    served = {each.payer for each in true.purchases if each.got and each.payer == each.beneficiary}
    counts["served made"] += len(served)
    counts["served found"] += said.served


def _compare_forms(truth: Truth, said: Sales, names: _Names, found: Measured) -> None:
    verdict = {(each.contract, names.laid.token(each.token)): each.reason.split(":")[0] for each in said.rejected}
    verdict |= {(each.contract, names.laid.token(each.token)): "a sale" for each in said.sales}
    collections = {each.collector: "a lead" for each in said.leads}
    collections |= {each.collector: "a presale" for each in said.presales}
    for form, contract, token in truth.no_sales:
        address = names.address(contract)
        key = address, names.token(token) if token != ETHER else -1
        reason = verdict.get(key) or collections.get(address) or "no form at all"
        found.forms.setdefault(form, Counter())[reason] += 1


def _compare_harms(truth: Truth, said: Sales, names: _Names, found: Measured) -> None:
    """Who is named for more than having bought: contracts, recipients of the money, agents, collectors, issuers."""
    parties = {address for sale in said.sales for address in _parties(sale)}
    # who truly bought for many is rightly named for that, also where an offender harmed them
    parties -= {address for true in truth.sales for address in _agents(true, names)}
    for collection in [*said.presales, *said.leads]:
        parties |= {collection.collector, collection.issuer}
    victims = {row for harm in truth.harms for row in harm.victims}
    traps = {harm.address for harm in truth.harms}
    for name, rows in (("victims", victims), ("addresses of offenders", traps)):
        found.harmed[name] += len(rows)
        found.harmed[f"{name} named"] += sum(names.address(row) in parties for row in rows)


def _parties(sale: TokenSale) -> set[int]:
    flows = [*sale.proceeds.collected, *sale.proceeds.recycled]
    return {sale.contract, *(flow.address for flow in flows), *(agent.payer for agent in sale.agents)}
