"""Named points at which the crash tests kill a process; nothing happens unless HEADWATER_FAULT asks for it.

`HEADWATER_FAULT=point:n:target` sends SIGKILL the n-th time that the point is reached: to the process itself
(`loader`), to the Postgres backend that serves it (`backend`), or to the postmaster (`postmaster`, the embedded
server on this machine only).
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

POINTS = (
    "after_stage", "after_leaves", "after_copy", "before_commit", "after_commit", "before_publish", "after_publish",
    "during_rollback", "after_rollback",
)  # fmt: skip
"""Every point of a load; the crash test goes through all of them."""

_fault = os.environ.get("HEADWATER_FAULT", "")
_reached: Counter[str] = Counter()


def reach(point: str, backend_pid: int | None = None) -> None:
    """Be killed here, where the environment says so."""
    if not _fault:
        return
    name, nth, target = _fault.split(":")
    _reached[point] += 1
    if point != name or _reached[point] != int(nth):
        return
    if target == "loader" or backend_pid is None:
        os.kill(os.getpid(), signal.SIGKILL)
    victim = backend_pid if target == "backend" else _parent(backend_pid)
    os.kill(victim or 0, signal.SIGKILL)


def _parent(pid: int | None) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
