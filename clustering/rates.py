"""The measured rates of rules, as `headwater measure clustering --write` left them in rates.json beside this module.

Field and emulated rates are told in answers; simulated ones test this code and stand in docs/methods.md alone
(EVIDENCE 4). A rule that was never tried has no rate, and says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from clustering.levels import Origin, lower_bound, upper_bound

PATH = Path(__file__).with_name("rates.json")

NOT_MEASURED = "not measured: never tried on field or emulated data"

TOLD = (Origin.FIELD, Origin.EMULATED)
"""Origins that an answer tells of."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a rule was tried in one place, and wrong."""

    origin: Origin
    where: str
    trials: int
    errors: int

    @property
    def text(self) -> str:
        """`emulated: 0 of 30 wrong (95 % bound 9.51 %), two chains of ten wallets`"""
        bound = percent(upper_bound(self.errors, self.trials))
        return f"{self.origin.value}: {self.errors} of {self.trials:,} wrong (95 % bound {bound}), {self.where}"


def percent(ppm: int) -> str:
    """Parts per million as percent, rounded up to hundredths: `9.51 %`."""
    hundredths = -(-ppm // 100)
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


@cache
def measured() -> dict[str, Any]:
    """What rates.json says."""
    body: dict[str, Any] = json.loads(PATH.read_text())
    return body


def rates(rule: str) -> list[Rate]:
    """The rates of a rule (by its name) of every origin."""
    return [
        Rate(Origin(row["origin"]), row["where"], row["trials"], row["errors"])
        for row in measured()["rules"].get(rule, [])
    ]


def told(rule: str) -> str:
    """What an answer says of a rule's error rate."""
    return "; ".join(rate.text for rate in rates(rule) if rate.origin in TOLD and rate.trials) or NOT_MEASURED


def confidence(rule: str) -> int | None:
    """The lower 95 % bound of a rule's precision in parts per million, of field evidence where there is some, else
    emulated; None where it was never tried in either.
    """
    for origin in TOLD:
        tried = [rate for rate in rates(rule) if rate.origin is origin and rate.trials]
        if tried:
            return min(lower_bound(rate.trials - rate.errors, rate.trials) for rate in tried)
    return None
