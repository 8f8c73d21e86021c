"""What benchmarks measure with, and how they print it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table; `target` is the bound that `value` must keep, None where there is none."""

    name: str
    value: float
    unit: str
    target: float | None = None
    at_most: bool = False

    @property
    def met(self) -> bool:
        if self.target is None:
            return True
        return self.value <= self.target if self.at_most else self.value >= self.target


def seconds_of(work: Callable[[], object]) -> float:
    begin = perf_counter()
    work()
    return perf_counter() - begin


def report(measures: Sequence[Measure], as_json: bool) -> int:
    """Print the table; 1 where a target is missed."""
    if as_json:
        print(json.dumps([{**asdict(measure), "met": measure.met} for measure in measures], indent=1))
    else:
        for measure in measures:
            bound = "" if measure.target is None else f"{'<=' if measure.at_most else '>='} {measure.target:,.0f}"
            verdict = "" if measure.target is None else "met" if measure.met else "MISSED"
            print(f"{measure.name:55} {measure.value:>18,.2f} {measure.unit:16} {bound:>10} {verdict}")
    return 0 if all(measure.met for measure in measures) else 1
