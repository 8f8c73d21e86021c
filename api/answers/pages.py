"""Pages of lists that several datasets answer: one after another, in the order of their names.

A place names where a list goes on by durable names, and the snapshot that it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from api.answers.view import DatasetView
from chain.errors import HeadwaterError
from chain.model import hash_text

Item = TypeVar("Item")


class CursorExpired(HeadwaterError):
    """The list that this cursor goes on with has changed; begin it again."""

    problem_type = "cursor-expired"
    status = 410


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list goes on: behind `after` (None: at its start) in `dataset`, as of an epoch, tip and run."""

    dataset: str
    epoch: int
    tip_height: int | None
    tip_hash: str | None
    run: int | None
    after: list[str] | None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of one dataset, and the name behind which the rest begins (None: there is no more)."""

    items: list[Item]
    after: list[str] | None


Fetch = Callable[[DatasetView, list[str] | None, int], Page[Item]]
"""At most so many items of a dataset behind a name."""


def walk(
    views: Sequence[DatasetView], start: Place | None, limit: int, fetch: Fetch[Item], by_run: bool = False
) -> tuple[list[tuple[DatasetView, list[Item]]], Place | None]:
    """`limit` items from `start` on, by dataset, and where the list goes on.

    `views` are in a fixed order. `by_run`: the list is of each view's run of clustering. CursorExpired where a
    dataset is not what it was.
    """
    first = 0 if start is None else _find(views, start, by_run)
    pages: list[tuple[DatasetView, list[Item]]] = []
    room = limit
    for number in range(first, len(views)):
        view = views[number]
        if room == 0:
            return pages, _place(view, by_run, None)
        after = start.after if start is not None and number == first else None
        page = fetch(view, after, room)
        pages.append((view, page.items))
        room -= len(page.items)
        if page.after is not None:
            return pages, _place(view, by_run, page.after)
    return pages, None


def _find(views: Sequence[DatasetView], start: Place, by_run: bool) -> int:
    for number, view in enumerate(views):
        if view.name == start.dataset:
            same = (view.epoch, view.run if by_run else None) == (start.epoch, start.run) and _has_tip(view, start)
            if not same:
                break
            return number
    raise CursorExpired


def _has_tip(view: DatasetView, start: Place) -> bool:
    """Whether the block that was the tip is still there; unknown where it had no height."""
    if start.tip_height is None:
        return True
    reach = view.heights()
    if reach is None or not reach[0] <= start.tip_height <= reach[1]:
        return False
    block = view.at_height(start.tip_height).block
    return hash_text(view.columns.block_hash[block]) == start.tip_hash


def _place(view: DatasetView, by_run: bool, after: list[str] | None) -> Place:
    run = view.run if by_run else None
    tip = view.as_of(view.now())
    if tip is None or tip["height"] is None:
        return Place(view.name, view.epoch, None, None, run, after)
    return Place(view.name, view.epoch, tip["height"], tip["block_hash"], run, after)
