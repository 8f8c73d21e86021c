"""What answers say of labels."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from api.answers.shapes import ClusterName, Limit


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
