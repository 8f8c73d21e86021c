"""Waiting: for work that a load has begun, also by who is cancelled (Ctrl-C), as it must not go on behind a rollback;
and for another process to be done."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from chain.errors import StoreBusy

PATIENCE_S = 5
"""How long a load waits for a reader that is catching up, or for the end of a load that was killed just now."""

LOOK_AGAIN_S = 0.1

P = ParamSpec("P")
T = TypeVar("T")


async def to_the_end(work: Awaitable[T]) -> T:
    """What `work` gives; a cancellation arrives when it has ended."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):  # being cancelled is what is told
            await asyncio.wait([task])
            task.result()
        raise


async def in_thread(work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """`work` in a thread of its own."""
    return await to_the_end(asyncio.to_thread(work, *arguments, **options))


async def patiently(work: Callable[P, Awaitable[T]], *arguments: P.args, **options: P.kwargs) -> T:
    """What `work` gives once it is not StoreBusy any more; StoreBusy after `PATIENCE_S`."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await work(*arguments, **options)
        except StoreBusy:
            if time.monotonic() >= deadline:
                raise
            await asyncio.sleep(LOOK_AGAIN_S)
