"""What is asked of a trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from api.answers.view import InvalidParameter
from chain.errors import AddressError
from chain.ethereum import address as ethereum
from chain.store.prices import CURRENCIES
from clustering.trace.policies import POLICIES, Policy
from clustering.trace.run import Bounds
from clustering.trace.stops import HUB_RECIPIENTS

FOLLOWED = tuple(policy.value for policy in Policy if policy != Policy.POISON)
"""Conventions and measures that a run can be asked for."""

THROUGH = ("services", "coinjoins", "hubs", "mixers", "bridges", "pools")
"""What a trace can be told to go on through."""


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
    mixers: bool = True
    bridges: bool = True
    pools: bool = True
    every_label: bool = False
    """Whether any label at all ends it: an exposure"""

    @property
    def passed(self) -> list[str]:
        """What the trace goes on through, against the rule."""
        names = {
            "labelled services": self.services, "coinjoins": self.coinjoins, "high-degree addresses": self.hubs,
            "labelled mixers": self.mixers, "labelled bridges": self.bridges, "labelled pools": self.pools,
        }  # fmt: skip
        return [name for name, stops in names.items() if not stops]

    @classmethod
    def of(cls, through: Sequence[str], hub_recipients: int, *, conversions: bool) -> Stops:
        """What is left when it goes on `through` some; InvalidParameter `through`."""
        if [name for name in through if name not in THROUGH]:
            raise InvalidParameter("through", f"it takes {', '.join(THROUGH)}")
        ends = {name: name not in through for name in THROUGH}
        return cls(**ends, hub_recipients=hub_recipients, conversions=conversions)


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
    currency: str | None = None
    """CNY or USD: money of account beside amounts"""

    def __post_init__(self) -> None:
        """InvalidParameter where the convention does not go back in time, or there is no such currency."""
        if self.currency is not None and self.currency not in CURRENCIES:
            raise InvalidParameter("currency", f"it is one of {', '.join(CURRENCIES)}")
        if self.direction == Direction.BACKWARD and not POLICIES[self.policy].backward:
            names = [name.value for name, facts in POLICIES.items() if facts.backward]
            raise InvalidParameter("policy", f"backward takes {', '.join(names)}: the others are no rule back in time")

    def parameters(self) -> Mapping[str, Any]:
        """As results record them."""
        return {**asdict(self), "policy": self.policy.value, "direction": self.direction.value}


def read_policy(text: str) -> Policy:
    """InvalidParameter `policy` where there is no such one to follow money by."""
    if text not in FOLLOWED:
        raise InvalidParameter("policy", f"it is one of {', '.join(FOLLOWED)}")
    return Policy(text)


def read_remaining(said: Mapping[str, str]) -> dict[str, int]:
    """What is left of assets, in base units, by their names in one spelling; InvalidParameter `remaining`."""
    found = {}
    for name, value in said.items():
        if not (value.isascii() and value.isdecimal()) or len(value) > len(str(1 << 256)):
            raise InvalidParameter("remaining", "it is ASSET=V, V a whole number of base units")
        native = name.upper()
        try:
            asset = native if native in ("BTC", "ETH") else ethereum.encode(ethereum.decode(name))
        except AddressError as error:
            raise InvalidParameter("remaining", f"the asset is BTC, ETH or a token's contract: {error}") from error
        found[asset] = int(value)
    return found
