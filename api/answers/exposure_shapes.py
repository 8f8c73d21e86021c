"""Answers about exposure."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from api.answers.shapes import Limit


class ExposedParty(TypedDict):
    category: str
    entity: str
    end: str
    value: str
    share_ppm: int


class ExposedRest(TypedDict):
    reason: str
    value: str
    share_ppm: int


class ExposedCategory(TypedDict):
    category: str
    direct: str
    indirect: str
    share_ppm: int


class ExposureWay(TypedDict):
    """Direct, indirect and the rest add up to `total`, their shares to a million."""

    total: str
    received_in_conversions: str
    direct: list[ExposedParty]
    indirect: list[ExposedParty]
    rest: list[ExposedRest]
    by_category: list[ExposedCategory]


class ExposedAsset(TypedDict, total=False):
    asset: str
    sent: ExposureWay
    received: ExposureWay


class ExposureAnswer(TypedDict):
    chain: str
    dataset: str
    as_of: dict[str, Any] | None
    clustering: dict[str, Any] | None
    coverage: dict[str, Any]
    label_set: int | None
    subject: str
    addresses: int
    assets: list[ExposedAsset]
    limits_hit: list[Limit]


class ExposureAsked(TypedDict):
    dataset: str
    observed: bool | None
    reason: str | None


class ExposureBody(TypedDict):
    chain: str
    address: str
    of: str
    policy: str
    asked: list[ExposureAsked]
    answers: list[ExposureAnswer]
    statement: str
