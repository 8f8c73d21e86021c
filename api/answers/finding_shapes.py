"""The shape of findings. Amounts are decimal strings in base units."""

from __future__ import annotations

from typing_extensions import TypedDict

from api.answers.ethereum_shapes import EthereumCoverage
from api.answers.shapes import AsOf


class AssetAmount(TypedDict):
    """`ETH` or a token's contract, and an amount of it."""

    asset: str
    amount: str


class FlowRow(AssetAmount):
    address: str
    movements: int


class TierRow(TypedDict):
    """Purchases at one price: `tokens` / `paid` is the exact rate of their sums, in base units."""

    asset: str
    tokens_per_unit: str
    """Of base units, to twelve places."""
    purchases: int
    first_time: str | None
    last_time: str | None
    paid: str
    tokens: str


class AgentRow(TypedDict):
    payer: str
    beneficiaries: int
    purchases: int
    paid: list[AssetAmount]


class Concentration(TypedDict):
    top_buyers: int
    top_share_ppm: int
    herfindahl_ppm: int


class TokenSaleFinding(TypedDict):
    """A contract that gave a token to outsiders for money, at set prices."""

    finding: str
    kind: str
    rule: str
    rule_version: int
    rate: str
    contract: str
    token: str
    window: list[str | None]
    first_height: int
    last_height: int
    contributions: int
    """Calls in which the token was given, those of nothing too."""
    contributors: int
    """Distinct beneficiaries of these."""
    purchases: int
    """Contributions of more than nothing."""
    buyers: int
    payers: int
    paid_by_contracts: int
    """Purchases that a contract paid for which the transaction's sender called."""
    payer_is_not_buyer: int
    """Purchases."""
    received_gross: list[AssetAmount]
    net_of_recycling_and_refunds: list[AssetAmount]
    """Without ether where a purchase's block has no traces: refunds are then not known."""
    tokens_given: str
    price_tiers: list[TierRow]
    purchases_at_no_repeated_price: int
    collected: list[FlowRow]
    retained_in_contract: list[AssetAmount]
    """Without ether where a purchase's block has no traces."""
    refunded: list[FlowRow]
    recycled: list[FlowRow]
    purchases_with_traces: int
    """Of the others, where the contract's money went is not covered."""
    concentration: Concentration
    agents: list[AgentRow]
    sell_backs: int
    evidence: list[str]
    """First and last purchase; `detect token-sales --out` lists every one."""
    limits_hit: list[str]
    statement: str


class CollectionFinding(TypedDict):
    """Ether that many paid to one address; a presale where an issuer that it dealt with gave them a token for it."""

    finding: str
    kind: str
    rule: str
    rule_version: int
    rate: str
    collector: str
    window: list[str | None]
    payments: int
    senders: int
    received_gross: list[AssetAmount]
    round_percent: int
    """Payments of whole tenths of an ether."""
    token: str | None
    """Null where no token that one issuer gave most of the senders is known."""
    issuer: str | None
    served: int
    """Senders who were given the token."""
    tokens_given: str
    spearman_ppm: int
    """Rank correlation of what was paid and what was given, in parts per million."""
    tied: bool
    """The collector itself dealt with the issuer or the token; a lead where not."""
    evidence: list[str]
    statement: str


class RejectedForm(TypedDict):
    contract: str
    token: str
    purchases: int
    buyers: int
    reason: str


class SaleAnswer(TypedDict):
    """What the detector says of one dataset."""

    dataset: str
    as_of: AsOf | None
    coverage: EthereumCoverage
    findings: list[TokenSaleFinding]
    presales: list[CollectionFinding]
    leads: list[CollectionFinding]
    """Suspected collections: no findings."""
    rejected: list[RejectedForm]
    in_several_sales: list[str]
    """Addresses that paid or were given tokens in two or more of the sales."""


class SalesBody(TypedDict):
    chain: str
    detector: str
    answers: list[SaleAnswer]


class FindingsAnswer(TypedDict):
    dataset: str
    detector: str
    as_of: AsOf | None
    current: bool
    """False: the dataset has changed since the detector ran."""
    findings: list[TokenSaleFinding | CollectionFinding]
    """Sales and presales; leads are not kept."""


class FindingsBody(TypedDict):
    answers: list[FindingsAnswer]
