"""What a job was asked: read from a body, kept as JSON, read back by a worker as the same question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from api.answers.view import InvalidParameter
from api.tracing.paths import MAX_PATHS
from api.tracing.request import Direction, Stops, TraceRequest, read_policy, read_remaining
from api.tracing.seeds import RejectedSeed, Seed, read_address, read_rows, read_text, read_time
from clustering.trace.policies import Policy
from clustering.trace.stops import HUB_RECIPIENTS

TRACE, PATHS, SCHEME = "trace", "paths", "scheme"


class StopsBody(msgspec.Struct, forbid_unknown_fields=True):
    """`stops` of a body."""

    through: list[str] = []
    hub_recipients: int = HUB_RECIPIENTS
    conversions: bool = True


class TraceBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /v1/traces."""

    seeds: list[dict[str, str | int | None]] | None = None
    file: str | None = None
    policy: str = Policy.FIFO.value
    direction: str = Direction.FORWARD.value
    max_hops: int = 0
    min_value: str | int = 0
    until: str | None = None
    dataset: str | None = None
    stops: StopsBody = msgspec.field(default_factory=StopsBody)
    range: bool = True
    currency: str | None = None


class SchemeBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /v1/schemes."""

    wallets: list[dict[str, str | int | None]] | None = None
    file: str | None = None
    finding: str | None = None
    remaining: dict[str, str] = {}
    policy: str = Policy.FIFO.value
    until: str | None = None
    dataset: str | None = None
    stops: StopsBody = msgspec.field(default_factory=StopsBody)
    range: bool = True
    currency: str | None = None


class PathsBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /v1/paths."""

    a: str
    b: str
    k: int = 3
    clusters: bool = False
    chain: str | None = None
    dataset: str | None = None


@dataclass(frozen=True, slots=True)
class TraceJob:
    """Seeds and how to follow them."""

    request: TraceRequest
    seeds: list[Seed]
    rejected: list[RejectedSeed]

    def stored(self) -> dict[str, Any]:
        parameters = {name: value for name, value in self.request.parameters().items() if name != "bounds"}
        return {
            "parameters": parameters,
            "seeds": [list(asdict(seed).values()) for seed in self.seeds],
            "rejected": [[row.row, row.text.replace("\0", "\\x00"), row.reason] for row in self.rejected],
        }

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> TraceJob:
        named = dict(stored["parameters"])
        named["policy"], named["direction"] = Policy(named["policy"]), Direction(named["direction"])
        named["stops"] = Stops(**named["stops"])
        seeds = [Seed(*values) for values in stored["seeds"]]
        return cls(TraceRequest(**named), seeds, [RejectedSeed(*values) for values in stored["rejected"]])


def read_trace(raw: bytes) -> TraceJob:
    """The question of a body; InvalidParameter, LimitExceeded or MalformedData say what is wrong with it."""
    body = _decoded(raw, TraceBody)
    seeds, rejected = _rows("seeds", body.seeds, body.file)
    if body.max_hops < 0:
        raise InvalidParameter("max_hops", "it is too small")
    if body.direction not in list(Direction):
        raise InvalidParameter("direction", f"it is one of {', '.join(Direction)}")
    request = TraceRequest(
        read_policy(body.policy), Direction(body.direction), body.max_hops, _units(body.min_value), _until(body.until),
        body.dataset, _stops(body.stops), body.range,
        currency=body.currency,
    )  # fmt: skip
    return TraceJob(request, seeds, rejected)


@dataclass(frozen=True, slots=True)
class SchemeJob:
    """Wallets, or the finding whose they are, and what is left to give back."""

    asked: TraceJob
    finding: str | None
    remaining: dict[str, int]

    def stored(self) -> dict[str, Any]:
        left = {name: str(value) for name, value in self.remaining.items()}
        return {**self.asked.stored(), "finding": self.finding, "remaining": left}

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> SchemeJob:
        left = {name: int(value) for name, value in stored["remaining"].items()}
        return cls(TraceJob.read(stored), stored["finding"], left)


def read_scheme(raw: bytes) -> SchemeJob:
    """The same of a scheme."""
    body = _decoded(raw, SchemeBody)
    wallets: list[Seed] = []
    rejected: list[RejectedSeed] = []
    if body.finding is None:
        wallets, rejected = _rows("wallets", body.wallets, body.file)
    elif body.wallets is not None or body.file is not None:
        raise InvalidParameter("finding", "a finding stands in the place of wallets")
    elif not body.finding.isalnum():
        raise InvalidParameter("finding", "it is the ID of a finding")
    request = TraceRequest(
        read_policy(body.policy), until=_until(body.until), dataset=body.dataset, stops=_stops(body.stops),
        compare=body.range, currency=body.currency,
    )  # fmt: skip
    return SchemeJob(TraceJob(request, wallets, rejected), body.finding, read_remaining(body.remaining))


def _rows(
    name: str, rows: list[dict[str, str | int | None]] | None, text: str | None
) -> tuple[list[Seed], list[RejectedSeed]]:
    """The rows that a body gives as a list or as a CSV text; InvalidParameter where none can be used."""
    if (rows is None) == (text is None):
        raise InvalidParameter(name, f"give {name}, a list of rows, or file, a CSV text")
    if text is not None:
        seeds, rejected = read_text(text, "file")
    else:
        said = [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows or []]
        seeds, rejected = read_rows(enumerate(said, 1))
    if not seeds:
        why = f"row {rejected[0].row}: {rejected[0].reason}" if rejected else "there is none"
        raise InvalidParameter(name, f"none can be traced: {why}")
    return seeds, rejected


def _stops(body: StopsBody) -> Stops:
    if body.hub_recipients < 1:
        raise InvalidParameter("hub_recipients", "it is too small")
    return Stops.of(body.through, body.hub_recipients, conversions=body.conversions)


def read_paths(raw: bytes) -> dict[str, Any]:
    """The question of a body, as it is kept."""
    body = _decoded(raw, PathsBody)
    chain = body.chain or ("eth" if body.a.lower().startswith("0x") else "btc")
    if chain not in ("btc", "eth"):
        raise InvalidParameter("chain", "it is btc or eth")
    if not 1 <= body.k <= MAX_PATHS:
        raise InvalidParameter("k", f"it is 1 to {MAX_PATHS}")
    ends = {name: read_address(chain, said) for name, said in (("a", body.a), ("b", body.b))}
    return {"chain": chain, **ends, "k": body.k, "clusters": body.clusters, "dataset": body.dataset}


def _decoded(raw: bytes, form: Any) -> Any:
    try:
        body = msgspec.json.decode(raw, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidParameter("body", f"the body is not what is asked for: {error}") from None
    if body.dataset is not None and not body.dataset.isprintable():
        raise InvalidParameter("dataset", "it has a character that cannot be printed")
    return body


def _units(said: str | int) -> int:
    text = str(said)
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(2**256)):
        raise InvalidParameter("min_value", "it is a whole number of base units")
    return int(text)


def _until(said: str | None) -> int | None:
    if said is None:
        return None
    try:
        return read_time(said)
    except ValueError as error:
        raise InvalidParameter("until", str(error)) from error
