"""How fast a node is asked: a window of requests and a size of batches that follow what it bears, and a breaker.

Both bounds grow by a little while answers come and are halved when the node says that it is too much (additive
increase, multiplicative decrease: D. Chiu, R. Jain, "Analysis of the Increase and Decrease Algorithms for Congestion
Avoidance", 1989). The breaker keeps a node that does not answer from being asked by everybody at once: after
`TRIPS` failures in a row one request at a time tries whether it is back (M. Nygard, "Release It!", 2007).

HOW IT FAILS: a node that drops every n-th request for reasons of its own is asked more slowly than it could bear.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

GROWTH = 16
"""Whole batches in a row after which the next may be one call larger."""

TRIPS = 8
"""Failures in a row that open the breaker: more than requests under way, so that one bad moment does not."""

FIRST_COOLING, LONGEST_COOLING = 0.5, 15.0
"""Seconds between two tries of an open breaker: doubled from the first to the longest."""


class Window:
    """Requests under way at once, at most `most`; any thread may call."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = float(most)
        self._under_way = 0
        self._round = 0
        self._changed = threading.Condition()

    @property
    def size(self) -> int:
        return int(self._size)

    @contextmanager
    def turn(self) -> Iterator[int]:
        """Hold a place among the requests under way; gives the round that `shrink` wants back."""
        with self._changed:
            self._changed.wait_for(lambda: self._under_way < self.size)
            self._under_way += 1
            begun = self._round
        try:
            yield begun
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def grow(self) -> None:
        """An answer came: one place more for a whole window of them."""
        with self._changed:
            self._size = min(self._most, self._size + 1 / self._size)
            self._changed.notify_all()

    def shrink(self, begun: int) -> None:
        """Halve, once for all the requests of a round: they were sent before anybody knew."""
        with self._changed:
            if begun == self._round:
                self._size = max(1.0, self._size / 2)
                self._round += 1


class BatchSize:
    """Calls that one request may hold, at most `most`; any thread may call."""

    def __init__(self, most: int) -> None:
        self._most = self._size = most
        self._whole = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        return self._size

    def grow(self, calls: int) -> None:
        """A request of so many calls was answered whole."""
        with self._lock:
            self._whole = self._whole + 1 if calls >= self._size else self._whole
            if self._whole >= GROWTH:
                self._size, self._whole = min(self._most, self._size + 1), 0

    def shrink(self, calls: int) -> None:
        """A request of so many calls was too large."""
        with self._lock:
            self._size, self._whole = max(1, min(self._size, calls // 2)), 0

    def refuse(self) -> None:
        """The node takes no batches at all."""
        with self._lock:
            self._most = self._size = 1


class Breaker:
    """Closed: requests go. Open: none goes until it has cooled. Half open: one goes, and its outcome decides."""

    def __init__(self) -> None:
        self._failures = 0
        self._cooling = FIRST_COOLING
        self._next = 0.0
        self._trying = False
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        return self._failures >= TRIPS

    def permit(self, now: float) -> float:
        """0 where a request may go now, and its outcome must be told; else the seconds to wait before asking again."""
        with self._lock:
            if not self.is_open:
                return 0.0
            if self._trying:
                return FIRST_COOLING
            if now < self._next:
                return self._next - now
            self._trying = True
            return 0.0

    def succeeded(self) -> None:
        """The node answered, if only to refuse."""
        with self._lock:
            self._failures, self._cooling, self._trying = 0, FIRST_COOLING, False

    def failed(self, now: float) -> None:
        """It did not answer."""
        with self._lock:
            self._failures += 1
            if self.is_open:
                self._next, self._trying = now + self._cooling, False
                self._cooling = min(LONGEST_COOLING, 2 * self._cooling)
