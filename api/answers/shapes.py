"""The shape of every body: what builders must make, what OpenAPI shows, and what tests hold answers to.

Amounts are decimal strings in base units (satoshi); null is a value that no source states, never zero.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

Amount = str | None


class AsOf(TypedDict):
    """The last block that an answer rests on."""

    height: int | None
    block_hash: str
    time: str | None
    final: bool | None
    """Six or more blocks of the dataset lie above it; null in an extract, which has no depth."""


class ClusteringName(TypedDict):
    """The run that an answer's clusters are of."""

    run: int
    level: str
    height: int | None
    """The last block that the run looked at."""
    transactions_behind: int
    """Transactions of the dataset that the run has not looked at."""


class Coverage(TypedDict):
    """What a dataset holds, and what its rows rest on."""

    kind: Literal["full", "extract"]
    network: str
    anchor_height: int | None
    blocks: int
    blocks_proven_by_bytes: int
    blocks_stated: int
    transactions: int
    inputs: int
    inputs_from_outside: int
    """Inputs that spend outputs of transactions that the dataset does not hold."""
    outputs: int
    unknown_values: int
    """Outputs, outside ones included, whose value no source states."""


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


class Limit(TypedDict):
    """A bound that cut an answer."""

    limit: str
    value: int
    detail: str


class Asked(TypedDict):
    """One dataset that was asked, whether or not it knows the thing."""

    dataset: str
    network: str
    observed: bool | None
    """Null where the dataset does not cover what was asked: that is not "not observed"."""
    as_of: AsOf | None
    reason: str | None
    """Why it does not answer; null where it does."""


class Answer(TypedDict):
    """What each dataset's answer says of itself."""

    dataset: str
    as_of: AsOf | None
    clustering: ClusteringName | None
    coverage: Coverage
    limits_hit: list[Limit]


class Seen(TypedDict):
    """A transaction and when it was."""

    txid: str
    height: int | None
    time: str | None


class Facts(TypedDict):
    """What the dataset's transactions say of one address."""

    asset: str
    decimals: int
    received: str
    """Sum of the stated values of its outputs."""
    spent: str
    balance: Amount
    """received - spent where the dataset has every transaction of the address and every value; else null."""
    net: Amount
    """received - spent within this dataset; null where a value is not stated."""
    received_count: int
    spent_count: int
    unknown_values: int
    tx_count: int
    first_seen: Seen
    last_seen: Seen


class Summary(TypedDict):
    """What the transactions say of a whole cluster."""

    asset: str
    decimals: int
    received: str
    spent: str
    balance: Amount
    net: Amount
    unknown_values: int
    tx_count: int | None
    """Null where counting them would have passed a limit."""
    first_seen: Seen | None
    last_seen: Seen | None


class RuleWords(TypedDict):
    """What an answer says of the rule behind its links."""

    rule: str
    claim: str
    wording: str
    source: str
    level: str
    rate: str
    """The measured error rate with its place, n and bound, or that there is none yet."""


class RuleCount(RuleWords):
    count: int


class Cluster(TypedDict):
    """A cluster as one run has it."""

    id: str
    """dataset/level/earliest address@run"""
    size: int
    """Addresses."""
    summary: Summary | None
    """Null where summing would have passed a limit, named in limits_hit."""
    links: list[RuleCount]
    statement: str


class ClusterName(TypedDict):
    id: str
    size: int


class LabelSource(TypedDict):
    """The file that says so; its bytes are archived."""

    source: int
    title: str
    creator: str
    uri: str | None
    licence: str | None
    """Null: not stated."""
    format: str
    sha256: str
    imported_at: str | None
    since_version: int
    """The version of the label set that it came with."""


class Label(TypedDict):
    """What a source says of an address, in its own words."""

    label: str
    entity: str
    """Who is meant, for conflicts: the actor's id, else the label's text."""
    actor: str | None
    actor_label: str | None
    """What an ActorPack calls the actor."""
    category: str | None
    concepts: list[str]
    abuse: str | None
    confidence: str | None
    """How the source came by it; null: not stated, which counts as unknown."""
    level: int
    names_service: bool
    """Whether it can be in conflict with other labels."""
    is_cluster_definer: bool | None
    date: str | None
    """When the source last changed it."""
    valid_from: str | None
    valid_until: str | None
    in_force: bool
    asset: str
    address: str
    """As the source has it."""
    origin: str | None
    """Where the source says that it has it from."""
    context: str | None
    """JSON"""
    pack: str | None
    place: int
    """Number of the tag or line in the file."""
    given_by: LabelSource


class InheritedLabel(TypedDict):
    """A label of other addresses of the cluster, and by which rule it is shown here."""

    rule: Literal["cluster definer", "member"]
    wording: str
    via: str
    """The earliest of the addresses that are labelled so."""
    addresses: int
    """How many of those that were read are labelled so."""
    label: Label
    """That of `via`."""


class NamedService(TypedDict):
    """One side of a conflict."""

    entity: str
    level: int
    label: str
    address: str
    source: int


class LabelConflict(TypedDict):
    """Labels in force that name several services; all of them are kept."""

    entities: list[str]
    settled_as: str | None
    """The one of the highest level; null where that level names several: then none of them speaks."""
    wording: str
    between: list[NamedService]


class ClusterLabels(TypedDict):
    """What the labels of a cluster's other addresses say, in one dataset."""

    dataset: str
    cluster: ClusterName | None
    cluster_note: str | None
    labelled: int
    """Other addresses of the cluster that have a label."""
    inherited: list[InheritedLabel]
    conflicts: list[LabelConflict]
    limits_hit: list[Limit]


class AddressLabels(TypedDict):
    """What sources say of an address, and of its clusters."""

    label_set: int | None
    """The version of the label set; null where nothing was ever imported."""
    covered: bool
    """Whether addresses of this chain are read; else the text is compared."""
    on: str
    """The day on which labels are in force or not."""
    direct: list[Label]
    conflicts: list[LabelConflict]
    clusters: list[ClusterLabels]
    limits_hit: list[Limit]
    statement: str


class LabelsBody(AddressLabels):
    chain: str
    address: str


class AddressAnswer(Answer):
    facts: Facts
    cluster: Cluster | None
    cluster_note: str | None
    """Why there is no cluster, where there is none."""


class AddressBody(TypedDict):
    chain: str
    address: str
    kind: str
    observed: bool
    asked: list[Asked]
    answers: list[AddressAnswer]
    labels: AddressLabels | None
    """Null where labels were not asked for."""


class AddressTransaction(TypedDict):
    txid: str
    height: int | None
    time: str | None
    received: Amount
    spent: Amount


class AddressTransactionsAnswer(Answer):
    asset: str
    decimals: int
    items: list[AddressTransaction]


class AddressTransactionsBody(TypedDict):
    chain: str
    address: str
    observed: bool
    asked: list[Asked]
    answers: list[AddressTransactionsAnswer]
    next: str | None


class TransactionClass(TypedDict):
    """Which form a transaction has, by which rule, and why."""

    name: Literal["none", "coinjoin", "ambiguous", "single owner"]
    """What follows from the form."""
    form: str | None
    protocol: str | None
    rule: str
    """What a transaction of this class looks like."""
    parameters: str | None
    lineage: str | None
    """What the transactions before it say, where the class asks for them."""
    why: str
    """What the rules looked at, in this transaction's numbers."""
    source: str
    fails: str
    """How the rule errs."""
    effect: str
    """What clustering does with it."""


class BlockName(TypedDict):
    height: int | None
    hash: str
    time: str | None
    index: int
    """Place of the transaction in the block."""
    proof: str
    """bytes: the block's own bytes passed every check; stated: a file named its transactions."""


class Debit(TypedDict):
    """An output that is spent."""

    outpoint: str
    address: str | None
    type: str
    value: Amount
    outside: bool
    """The dataset does not hold the transaction that made it; a source states its value and address."""


class Credit(TypedDict):
    """An output that is made, or the fee, which comes last."""

    n: int | None
    address: str | None
    type: str
    value: Amount
    spent_by: str | None


class TransactionLink(RuleWords):
    """A link that rests on a transaction."""

    type: str
    addresses: list[str]
    status: str
    reason: str | None
    """Why it is held or refused, or that a person accepted it; null where it joins by its rule."""


class ChangeOutput(TypedDict):
    """An output that is change by a convention of L0."""

    n: int
    address: str | None
    convention: str


class ChangeVote(TypedDict):
    """One feature's vote for one output, against each other one."""

    feature: str
    claim: str
    n: int
    address: str | None
    weight_milli_nats: int
    counted: bool
    """False: a stronger vote of its family is in the score, or there is no score, or no rate is published."""
    precision: str | None
    """Share that was right where the feature named an output; null where no rate is published."""
    precision_lower_95: str | None
    trials: int | None
    coverage: str | None
    measured: str
    """Where these were measured."""
    source: str


class Change(TypedDict):
    """Which output probably went back to the payer. A lead, not a link: nothing is joined on it."""

    status: Literal["by convention", "lead", "undecided", "not asked"]
    n: int | None
    """The output of a lead."""
    address: str | None
    score_milli_nats: int | None
    """Sum of the votes that count, for the likelier output against the other; no probability."""
    margin_milli_nats: int
    """Least score of a lead."""
    weights: str
    stratum: str | None
    by_convention: list[ChangeOutput]
    votes: list[ChangeVote]
    notes: list[str]
    """Why a lead was not asked for, or what to know of it."""
    statement: str


class Movement(TypedDict):
    """Ordered debits of one asset given to ordered credits."""

    asset: str
    decimals: int
    debits: list[Debit]
    credits: list[Credit]


_Classed = TypedDict("_Classed", {"class": TransactionClass})


class TransactionAnswer(Answer, _Classed):
    block: BlockName
    coinbase: bool
    """It makes new coins and has no debits."""
    input_count: int
    output_count: int
    fee: Amount
    movements: list[Movement]
    links: list[TransactionLink]
    change: Change


class TransactionBody(TypedDict):
    chain: str
    txid: str
    asked: list[Asked]
    answers: list[TransactionAnswer]


class ClusterAnswer(Answer):
    cluster: Cluster


class ClusterBody(TypedDict):
    chain: str
    id: str
    answers: list[ClusterAnswer]


class Member(TypedDict):
    address: str
    kind: str
    received: str
    spent: str
    balance: Amount
    net: Amount
    unknown_values: int
    tx_count: int
    first_seen: Seen


class MembersAnswer(Answer):
    asset: str
    decimals: int
    items: list[Member]


class MembersBody(TypedDict):
    chain: str
    id: str
    answers: list[MembersAnswer]
    next: str | None


class ClusterLink(TypedDict):
    txid: str
    height: int | None
    time: str | None
    rule: str
    wording: str
    u: str
    v: str
    status: str


class ClusterLinksAnswer(Answer):
    items: list[ClusterLink]


class ClusterLinksBody(TypedDict):
    chain: str
    id: str
    answers: list[ClusterLinksAnswer]
    next: str | None


class ChainLink(RuleWords):
    """One step of the way from a to b."""

    a: str
    b: str
    txid: str
    height: int | None
    time: str | None
    status: str


class ChainConfidence(TypedDict):
    """The lower 95 % bounds of the precision of a chain's links, in parts per million: repeated mistakes are not
    independent, so repetition earns no bonus.
    """

    product_ppm: int | None
    weakest_ppm: int | None
    reason: str | None
    """Why it is not computed."""


class Side(TypedDict):
    address: str
    observed: bool
    cluster: ClusterName | None
    note: str | None


class ExplainAnswer(Answer):
    connected: bool
    reason: str
    a: Side
    b: Side
    link_count: int
    confidence: ChainConfidence | None
    links: list[ChainLink]
    statement: str


class ExplainBody(TypedDict):
    chain: str
    a: str
    b: str
    connected: bool
    asked: list[Asked]
    answers: list[ExplainAnswer]


class LookupRowAnswer(TypedDict):
    dataset: str
    cluster: ClusterName | None
    balance: Amount
    net: Amount
    tx_count: int


class LookupRow(TypedDict):
    row: int
    """Place in the request, from 0."""
    status: Literal["ok", "invalid"]
    address: str | None
    """Normalised; null where invalid (the text is not repeated: it may be a private key)."""
    kind: str | None
    observed: bool | None
    position: int | None
    """First character that cannot be right, from 0, where there is one."""
    reason: str | None
    answers: list[LookupRowAnswer]


class LookupAnswer(Answer):
    observed: int
    """How many of the rows the dataset knows."""


class LookupBody(TypedDict):
    chain: str
    asset: str
    decimals: int
    rows: list[LookupRow]
    answers: list[LookupAnswer]


class RunRow(TypedDict):
    run: int
    level: str
    height: int | None
    block_hash: str | None
    transactions: int
    addresses: int
    links: int
    clusters: int
    partition_sha256: str
    rules: list[str]
    code_version: str
    finished_at: str | None


class RunsAnswer(Answer):
    items: list[RunRow]


class RunsBody(TypedDict):
    chain: str | None
    answers: list[RunsAnswer]
    next: str | None


class DatasetState(TypedDict):
    """How far a dataset reaches, and what follows it."""

    dataset: str
    chain: str
    network: str
    kind: str
    anchor_height: int | None
    tip: AsOf | None
    blocks: int
    transactions: int
    addresses: int
    columns_behind: int | None
    """Committed transactions that the columns do not have yet; null where there are no columns."""
    run: int | None
    clustering_behind: int | None
    """Transactions that the newest run has not looked at; null before the first run."""
    gaps: int | None
    """Heights between the first and the last known one that the dataset does not hold."""
    coverage: Coverage | EthereumCoverage | None


class DatabaseState(TypedDict):
    reachable: bool
    server_version: str


class HealthBody(TypedDict):
    status: Literal["ok"]
    version: str
    database: DatabaseState
    datasets: list[DatasetState]
