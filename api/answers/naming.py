"""From what a caller writes to what a dataset knows: addresses, levels, heights, handles of clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.answers.shapes import Asked
from api.answers.view import DatasetView, InvalidParameter, Moment
from api.clusterings import LEVEL
from chain.bitcoin import address as codec
from chain.errors import AddressError, NotFound
from chain.model import AddressKind

MAX_HEIGHT = 2**31 - 1
"""Heights are 32-bit in the ledger."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A dataset that was asked for an address, at a moment; `address` is -1 where it does not know it."""

    view: DatasetView
    address: int
    moment: Moment

    @property
    def knows(self) -> bool:
        return self.address >= 0


@dataclass(frozen=True, slots=True)
class Named:
    """An address, normalised, and every dataset's word on it."""

    address: str
    kind: str
    holders: list[Holder]
    asked: list[Asked]

    @property
    def knowing(self) -> list[Holder]:
        return [holder for holder in self.holders if holder.knows]


def check_level(level: str | None) -> None:
    """InvalidParameter where there is no such level."""
    if level is not None and level != LEVEL:
        raise InvalidParameter("level", f"there is no such level; {LEVEL} is the only one so far")


def check_height(height: int | None, name: str = "as_of") -> None:
    """InvalidParameter, of the parameter's name, where no block can have that height."""
    if height is not None and not 0 <= height <= MAX_HEIGHT:
        raise InvalidParameter(name, f"a height is between 0 and {MAX_HEIGHT}")


def name_address(views: Sequence[DatasetView], text: str, height: int | None = None) -> Named:
    """Ask every dataset whose network has such an address, as of a height where one is given.

    AddressError where no dataset's network has it; InvalidParameter where none reaches the height.
    """
    check_height(height)
    key, of_network = _decode(views, text)
    refusals = {view.name: view.refusal(height) for view in of_network} if height is not None else {}
    if refusals and all(refusals.values()):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in refusals.items())
        raise InvalidParameter("as_of", f"no dataset can answer as of {height}: {reasons}")
    holders, asked = [], []
    for view in views:
        if view not in of_network:
            asked.append(_asked(view, None, None, f"its network is {view.network.name}"))
        elif refusals.get(view.name):
            asked.append(_asked(view, None, None, refusals[view.name]))
        else:
            moment = view.now() if height is None else view.at_height(height)
            address = _id_at(view, key, moment)
            holders.append(Holder(view, address, moment))
            asked.append(_asked(view, moment, address >= 0, None))
    normal = codec.encode(key, of_network[0].network)
    return Named(normal, AddressKind(key[0]).name.lower(), holders, asked)


def _asked(view: DatasetView, moment: Moment | None, observed: bool | None, reason: str | None) -> Asked:
    return {
        "dataset": view.name,
        "network": view.network.name,
        "observed": observed,
        "as_of": None if moment is None else view.as_of(moment),
        "reason": reason,
    }


def asked_for(view: DatasetView, observed: bool) -> Asked:
    """A dataset that was asked for something other than an address."""
    return _asked(view, view.now(), observed, None)


def _decode(views: Sequence[DatasetView], text: str) -> tuple[bytes, list[DatasetView]]:
    first: AddressError | None = None
    key, found = b"", []
    for view in views:
        try:
            key = codec.decode(text, view.network)
            found.append(view)
        except AddressError as error:
            first = first or error
    if not found:
        assert first is not None, "a chain without datasets is refused before"
        raise first
    return key, found


def _id_at(view: DatasetView, key: bytes, moment: Moment) -> int:
    """The id of an address that the dataset knew at a moment, -1 otherwise."""
    address = view.address_id(key)
    if address < 0 or view.columns.activity.facts(address, moment.txs) is None:
        return -1
    return address


@dataclass(frozen=True, slots=True)
class Handle:
    """`dataset/level/address@run`, read; `run` None: the newest."""

    dataset: str
    level: str
    address: str
    run: int | None

    def __str__(self) -> str:
        return f"{self.dataset}/{self.level}/{self.address}" + ("" if self.run is None else f"@{self.run}")


def read_handle(dataset: str, level: str, rest: str) -> Handle:
    """The parts of a cluster's handle; NotFound where the run is no number."""
    address, at, run = rest.partition("@")
    if not at:
        return Handle(dataset, level, address, None)
    if not (run.isascii() and run.isdecimal() and 0 < len(run) <= 9):
        raise NotFound("a cluster's handle ends in @ and the number of a run")
    return Handle(dataset, level, address, int(run))


def find_handle(views: Sequence[DatasetView], handle: Handle) -> tuple[DatasetView, int]:
    """The dataset and the address id that a handle names; NotFound where there is no such cluster."""
    view = next((view for view in views if view.name == handle.dataset), None)
    if view is None:
        raise NotFound("there is no such dataset of this chain")
    if handle.level != LEVEL:
        raise NotFound(f"there is no such level; {LEVEL} is the only one so far")
    address = view.address_id(codec.decode(handle.address, view.network))
    if address < 0:
        raise NotFound(f"dataset {view.name} has not observed this address")
    return view, address
