"""What is asked of a trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from clustering.trace.policies import Policy
from clustering.trace.run import Bounds
from clustering.trace.stops import HUB_RECIPIENTS


class Direction(StrEnum):
    FORWARD = "forward"
    """Where did it go?"""
    BACKWARD = "backward"
    """Where did it come from?"""


@dataclass(frozen=True, slots=True)
class Stops:
    """What ends a trace beside what always does; what is switched off is gone through, and said so."""

    services: bool = True
    coinjoins: bool = True
    hubs: bool = True
    hub_recipients: int = HUB_RECIPIENTS
    conversions: bool = True
    """Whether a swap on a market is followed into what was got; else what was given is followed as a payment"""

    @property
    def passed(self) -> list[str]:
        """What the trace goes on through, against the rule."""
        names = {"labelled services": self.services, "coinjoins": self.coinjoins, "high-degree addresses": self.hubs}
        return [name for name, stops in names.items() if not stops]


@dataclass(frozen=True, slots=True)
class TraceRequest:
    """Everything that the results follow from, beside the ledgers and the seeds."""

    policy: Policy = Policy.FIFO
    direction: Direction = Direction.FORWARD
    max_hops: int = 0
    """0 for no bound"""
    min_value: int = 0
    """Base units of each asset; lots below are dust"""
    until: int | None = None
    """Seconds since 1970: forward the last time, backward the first; None for all"""
    dataset: str | None = None
    """None: every dataset of the seeds' chains"""
    stops: Stops = Stops()
    compare: bool = True
    """Whether the other conventions are run too, for the range"""
    bounds: Bounds = field(default_factory=Bounds)

    def parameters(self) -> Mapping[str, Any]:
        """As results record them."""
        return {**asdict(self), "policy": self.policy.value, "direction": self.direction.value}
