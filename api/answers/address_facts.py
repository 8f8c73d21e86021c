"""What the transactions of a dataset say of an address, as amounts and places of an answer."""

from __future__ import annotations

from typing_extensions import TypedDict

from api.answers import text
from api.answers.cluster_shapes import Member
from api.answers.shapes import Amount
from api.answers.shapes import Facts as FactsShape
from api.answers.view import DatasetView, has_everything
from chain.activity import Facts


class Amounts(TypedDict):
    received: str
    spent: str
    balance: Amount
    net: Amount


def amounts_of(view: DatasetView, facts: Facts) -> Amounts:
    """Sums of stated values. A difference is stated only where no value is missing; it is a balance only
    where no transaction can be missing either.
    """
    net = str(facts.received - facts.spent) if not facts.unknown_count else None
    return {
        "received": str(facts.received),
        "spent": str(facts.spent),
        "balance": net if has_everything(view) else None,
        "net": net,
    }


def address_facts(view: DatasetView, facts: Facts) -> FactsShape:
    return {
        "asset": text.ASSET,
        "decimals": text.DECIMALS,
        **amounts_of(view, facts),
        "received_count": facts.received_count,
        "spent_count": facts.spent_count,
        "unknown_values": facts.unknown_count,
        "tx_count": facts.tx_count,
        "first_seen": view.seen(facts.first_tx),
        "last_seen": view.seen(facts.last_tx),
    }


def member_facts(view: DatasetView, address: int, facts: Facts) -> Member:
    return {
        "address": view.address(address),
        "kind": view.address_kind(address),
        **amounts_of(view, facts),
        "unknown_values": facts.unknown_count,
        "tx_count": facts.tx_count,
        "first_seen": view.seen(facts.first_tx),
    }
