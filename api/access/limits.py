"""Rate limits: a bucket of tokens for each key, or for each address that asks without one."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chain.errors import HeadwaterError

MAX_BUCKETS = 10_000
"""Callers that are remembered; who comes least is forgotten first."""


class TooMany(HeadwaterError):
    """The caller asks more often than it may."""

    problem_type = "rate-limit"
    status = 429

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1, math.ceil(seconds))
        super().__init__(f"rate: ask again in {self.seconds} s")

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": str(self.seconds)}


@dataclass(slots=True)
class Limits:
    """Tokens that are left to each caller."""

    per_second: float
    burst: int
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, caller: str) -> None:
        """One request of a caller; TooMany where its bucket is empty."""
        now = self.clock()
        tokens, since = self._buckets.pop(caller, (float(self.burst), now))
        tokens = min(float(self.burst), tokens + (now - since) * self.per_second)
        enough = tokens >= 1
        self._buckets[caller] = (tokens - 1 if enough else tokens, now)
        while len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        if not enough:
            raise TooMany((1 - tokens) / self.per_second)
