"""The shapes of relations of Ethereum addresses, and of what two addresses have in common."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from api.answers.shapes import Seen

Direction = Literal["to", "from"]
"""`to`: the asked address is the source of the relation."""


class RelationWords(TypedDict):
    """What a rule says, and how sure it is."""

    relation: str
    claim: str
    """What the rule takes for granted."""
    rate: str
    """Its measured error rate; "not measured" where it was never tried."""
    is_lead: bool
    """Not what rows say themselves: a guess that a person must weigh."""


class RelationRow(RelationWords):
    """A relation to one other address. It joins nobody."""

    direction: Direction
    wording: str
    address: str
    times: int
    """How often it was seen in the whole dataset."""
    first: Seen
    """The first transaction of the evidence."""
    last: Seen


class RelationCount(TypedDict):
    relation: str
    direction: Direction
    count: int


class Common(RelationWords):
    """An address that two addresses have the same relation to: a lead about it, and none about them."""

    address: str
    a_times: int
    a_txid: str
    b_times: int
    b_txid: str
