"""The shape of every body about Ethereum. Amounts are decimal strings in base units; null is what no source states."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from api.answers.company_shapes import LinksBody
from api.answers.label_shapes import AddressLabels
from api.answers.relation_shapes import Common, RelationCount, RelationRow
from api.answers.shapes import Amount, Asked, AsOf, ClusteringName, ClusterName, Limit, Seen


class EthereumCoverage(TypedDict):
    """What a dataset holds, and what its sources did not have."""

    kind: Literal["full", "extract"]
    network: str
    anchor_height: int | None
    blocks: int
    blocks_stated: int
    """Not proved by bytes."""
    blocks_without_receipts: int
    blocks_without_logs: int
    blocks_without_token_transfers: int
    blocks_without_traces: int
    transactions: int
    fees_missing: int
    status_unknown: int
    """Transactions whose success no receipt and no trace tells."""


class EthereumAnswer(TypedDict):
    """What each dataset's answer says of itself."""

    dataset: str
    as_of: AsOf | None
    clustering: ClusteringName | None
    """The run of `cluster update` that relations are of. No rule joins Ethereum addresses (docs/methods.md)."""
    coverage: EthereumCoverage
    limits_hit: list[Limit]


class Asset(TypedDict):
    """`ETH`, or a token by its contract. Nothing else names a token: symbols are anyone's to choose."""

    asset: str
    standard: str
    decimals: int | None
    """Null where no source states them: base units then have no unit of their own."""
    symbol: str | None
    """As the contract says, with what is no text escaped; null where no source states it. Anyone may choose any."""
    fault: str | None
    """Why the token's logs do not say what it moves; null where nothing speaks against them."""


class Holding(Asset):
    """One address and one asset, within the dataset."""

    received: str
    spent: str
    net: str
    """received - spent within the dataset."""
    opening: str
    """The least that was held before the dataset's first movement: else the balance would have gone below zero."""
    balance: Amount
    """Null where the dataset may lack movements (an extract, or one without traces, logs or receipts)."""
    movements: int


class EthereumAddressAnswer(EthereumAnswer):
    first_seen: Seen | None
    """Null where nothing was ever moved from or to it."""
    last_seen: Seen | None
    movements: int
    holdings: list[Holding]
    cluster: ClusterName | None
    """Null before the first run of `cluster update` on the dataset as it stands."""
    relations: list[RelationRow]
    relation_counts: list[RelationCount]
    statement: str


class EthereumAddressBody(TypedDict):
    chain: str
    address: str
    kind: str
    observed: bool
    asked: list[Asked]
    answers: list[EthereumAddressAnswer]
    labels: AddressLabels | None
    company_links: LinksBody | None
    """In the case that was named; null where none was."""


class BalancesAnswer(EthereumAnswer):
    holdings: list[Holding]


class BalancesBody(TypedDict):
    chain: str
    address: str
    observed: bool
    asked: list[Asked]
    answers: list[BalancesAnswer]


_Ends = TypedDict("_Ends", {"from": str | None, "to": str | None})


class EthereumMovement(Asset, _Ends):
    """An amount of one asset from one address to another; null is nobody (a burned fee, a wrap)."""

    kind: str
    basis: str
    """proved: the block's roots commit to it; traced: a node's word; stated: a file's; assumed: success not known."""
    value: str
    token_id: str | None
    log_index: int | None
    note: str | None
    """What a reader must know of it before trusting it."""


class EthereumAct(Asset, _Ends):
    """Who did what, where nothing is moved: delegated, created, approved, operated (docs/methods.md)."""

    kind: str
    basis: str
    allowance: Amount
    """Of an approval: how much may be taken; null of other acts."""
    token_id: str | None
    log_index: int | None


class EthereumTransactionAnswer(EthereumAnswer, _Ends):
    height: int
    block_hash: str | None
    time: str | None
    proof: str
    index: int | None
    type: int | None
    status: str
    created: str | None
    value: str
    gas_used: int | None
    fee: Amount
    selector: str | None
    actors: list[str]
    """Who acts in it: not the sender where that is a bundler (ERC-4337) or may be a sponsor (EIP-7702)."""
    movements: list[EthereumMovement]
    acts: list[EthereumAct]


class EthereumTransactionBody(TypedDict):
    chain: str
    txid: str
    asked: list[Asked]
    answers: list[EthereumTransactionAnswer]


class EthereumExplainAnswer(EthereumAnswer):
    connected: bool
    reason: str
    relations: list[RelationRow]
    """From a to b (`to`) and from b to a."""
    in_common: list[Common]
    statement: str


class EthereumExplainBody(TypedDict):
    chain: str
    a: str
    b: str
    connected: bool
    asked: list[Asked]
    answers: list[EthereumExplainAnswer]
