"""Words, amounts and times as answers write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from api.answers.shapes import RuleWords
from clustering.links import RULES, LinkStatus, LinkType, Rule

ASSET = "BTC"
DECIMALS = 8

NO_FINDING = "this is not a finding of ownership or illegality"
LINKED = "linked {wording}, on the transactions that its links name; " + NO_FINDING
ALONE = "no link joins this address with another; " + NO_FINDING

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def amount(value: int) -> str | None:
    """Base units as a decimal string; None for a value that is not stated (negative)."""
    return str(value) if value >= 0 else None


def bitcoin(base_units: str | int | None) -> str:
    """Satoshi as bitcoin with eight places, exact; `not stated` for None. `123456789` -> `1.23456789`."""
    if base_units is None:
        return "not stated"
    value = int(base_units)
    whole, part = divmod(abs(value), 10**DECIMALS)
    return f"{'-' if value < 0 else ''}{whole:,}.{part:08d}"


def moment(seconds: int) -> str | None:
    """Seconds since 1970 as RFC 3339 in UTC; None where no calendar has them."""
    try:
        return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return None


def stamp(when: datetime | None) -> str | None:
    """A time of this system as RFC 3339 in UTC."""
    return None if when is None else when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rule_words(rule: int) -> RuleWords:
    """What an answer says of a rule."""
    facts = RULES[Rule(rule)]
    return {
        "rule": facts.name,
        "claim": facts.claim,
        "wording": facts.wording,
        "source": facts.source,
        "level": facts.level,
        "rate": facts.rate,
    }


def link_type(rule: int) -> str:
    link_type: LinkType = RULES[Rule(rule)].link_type
    return link_type.value


def link_status(status: int) -> str:
    return LinkStatus(status).name.lower()
