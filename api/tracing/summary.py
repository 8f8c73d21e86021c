"""The summary of a trace: sums by asset, the equation, and what the conventions say together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.answers import text
from api.tracing.request import Direction
from api.tracing.run import DatasetTrace, Run, TraceResult
from api.tracing.upper import Upper
from clustering.trace.ends import WORDS, End
from clustering.trace.evidence import MOST_STEPS, step_count
from clustering.trace.policies import POLICIES, Policy
from clustering.trace.sums import Balance

STATEMENT = (
    "what the named convention says of where this money went, on the transactions that edges.csv lists; conventions "
    "are rules that somebody chose, and their range is the answer's range; " + text.NO_FINDING
)
CONTINUED = "it went on through {what}, where nobody can say whose money came out: not for exposure, links or risk"

BACKWARD_WORDS = {
    End.LIVE: "held before the data begins",
    End.DATE: "received before the date",
}
"""Where a backward trace names an end otherwise."""

SUMS = ("seeded", "received", "live", "stopped", "fees", "burned", "cut_short")


def reason_of(end: End, direction: Direction) -> str:
    """The word for an end."""
    return BACKWARD_WORDS.get(end, WORDS[end]) if direction == Direction.BACKWARD else WORDS[end]


def summary_of(result: TraceResult) -> dict[str, Any]:
    request = result.request
    return {
        "policy": request.policy.value,
        "direction": request.direction.value,
        "seeds": len(result.seeds),
        "seeds_rejected": len(result.rejected),
        "datasets": [_dataset(result, trace) for trace in result.datasets],
        "passed": [CONTINUED.format(what=what) for what in request.stops.passed],
        "statement": STATEMENT,
    }


def _dataset(result: TraceResult, trace: DatasetTrace) -> dict[str, Any]:
    main = trace.main
    legal = [run for run in trace.runs if POLICIES[run.policy].legal]
    return {
        **trace.ground.about,
        "assets": _assets(trace, main, result.request.direction),
        "conventions": {run.policy.value: _convention(trace, run, result) for run in trace.runs if run in legal},
        "measures": {run.policy.value: _convention(trace, run, result) for run in trace.runs if run not in legal},
        "range": _range(trace, legal),
        "poison": None if trace.upper is None else _poison(trace, trace.upper, result.request.direction),
        "touched_movements": main.found.touched_movements,
        "reached_holdings": main.found.reached_holdings,
        "holdings_with_opening_lots": main.found.opening_lots,
        "limits_hit": _limits(trace, main, result),
    }


def _convention(trace: DatasetTrace, run: Run, result: TraceResult) -> dict[str, Any]:
    facts = POLICIES[run.policy]
    return {
        "name": facts.name,
        "rule": facts.rule,
        "source": facts.source,
        "assets": _assets(trace, run, result.request.direction),
    }


def _assets(trace: DatasetTrace, run: Run, direction: Direction) -> list[dict[str, Any]]:
    """All seeds together, each unit counted once, for its first claimant."""
    return [
        {
            "asset": trace.ground.asset_name(balance.asset),
            **{name: str(getattr(balance, name)) for name in SUMS},
            "stopped_by": _stopped(balance, direction),
            "equation": equation(balance),
            "by_seed_sum": str(sum(each.seeded for each in run.seeds if each.asset == balance.asset)),
        }
        for balance in run.union
    ]


def _poison(trace: DatasetTrace, upper: Upper, direction: Direction) -> dict[str, Any]:
    """All that was touched, whole: no sum is kept, and it is no convention."""
    facts = POLICIES[Policy.POISON]
    return {
        "name": facts.name,
        "rule": facts.rule,
        "source": facts.source,
        "reached": [
            {"asset": trace.ground.asset_name(asset), "end": reason_of(end, direction), "value": str(value)}
            for (asset, end), value in upper.ends.items()
        ],
    }


def _stopped(balance: Balance, direction: Direction) -> dict[str, str]:
    return {reason_of(end, direction): str(value) for end, value in sorted(balance.stops.items())}


def equation(balance: Balance) -> str:
    """`seeded 5 = live 1 + stopped 2 + fees 1 + burned 1`; it holds, or there would be no result."""
    parts = " + ".join(f"{name.replace('_', ' ')} {getattr(balance, name)}" for name in SUMS[2:])
    received = f" + received in conversions {balance.received}" if balance.received else ""
    return f"seeded {balance.seeded}{received} = {parts}"


def _range(trace: DatasetTrace, legal: Sequence[Run]) -> list[dict[str, Any]]:
    """The least and the most that any legal convention says of each sum."""
    found: dict[int, list[Balance]] = {}
    for run in legal:
        for balance in run.union:
            found.setdefault(balance.asset, []).append(balance)
    return [
        {
            "asset": trace.ground.asset_name(asset),
            **{
                name: [str(min(getattr(each, name) for each in rows)), str(max(getattr(each, name) for each in rows))]
                for name in SUMS[1:]
            },
        }
        for asset, rows in sorted(found.items())
    ]


def _limits(trace: DatasetTrace, run: Run, result: TraceResult) -> list[dict[str, Any]]:
    cut, movement = run.found.cut, run.found.cut_movement
    limits = []
    if step_count(run.found) > MOST_STEPS:
        limits.append({"limit": "path_steps", "value": MOST_STEPS, "detail": "paths.csv leaves this dataset out"})
    if cut is None:
        return limits
    at = trace.ground.base.size - 1 - movement if result.request.direction == Direction.BACKWARD else movement
    tx = int(trace.ground.base.tx[at])
    detail = f"followed as far as transaction {trace.ground.txid(tx)}; what was live there is `cut_short`"
    return [*limits, {"limit": cut, "value": getattr(result.request.bounds, cut), "detail": detail}]
