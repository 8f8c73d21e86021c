"""Which rule of law was in force on the day of a conduct (EVIDENCE 19). Conduct before it predates it.

The rules of mainland China on token sales and trading venues, by the day of their document. Others are added here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of law."""

    jurisdiction: str
    name: str
    since: date
    activities: frozenset[str]


TOKEN_SALE, VENUE, CHANNEL = "token sale", "trading venue", "overseas channel"

RULES = (
    Rule("CN", "关于防范代币发行融资风险的公告 (seven authorities, 4 September 2017)", date(2017, 9, 4),
         frozenset({TOKEN_SALE, VENUE})),
    Rule("CN", "关于进一步防范和处置虚拟货币交易炒作风险的通知, 银发〔2021〕237号 (15 September 2021)",
         date(2021, 9, 15), frozenset({TOKEN_SALE, VENUE, CHANNEL})),
)  # fmt: skip
"""By day. Published at pbc.gov.cn."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A rule, and whether it was in force on a day."""

    rule: Rule
    in_force: bool


def standing(jurisdiction: str, activities: frozenset[str], day: date) -> list[Standing]:
    """Each rule that a jurisdiction has on some activities, with whether it was in force on a day."""
    return [
        Standing(rule, rule.since <= day)
        for rule in RULES
        if rule.jurisdiction == jurisdiction.partition("-")[0] and rule.activities & activities
    ]
