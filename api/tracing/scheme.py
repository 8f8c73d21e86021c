"""A scheme's deposit wallets together: the trace of their money, and the register of who paid in and was paid.

`run_scheme` is a plain function over opened datasets, so that a command and a job call the same. The scheme's own side
is the wallets and, on Bitcoin, the other addresses of their clusters; a party is an address, or on Bitcoin a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.tracing.ground import Ground, Unusable
from api.tracing.register import DatasetScheme, register
from api.tracing.request import TraceRequest
from api.tracing.run import Cancelled, Progress, TraceResult, run_trace
from api.tracing.seeds import RejectedSeed, Seed


@dataclass(frozen=True, slots=True)
class SchemeResult:
    traced: TraceResult
    datasets: list[DatasetScheme]
    remaining: Mapping[str, int]


def run_scheme(
    request: TraceRequest,
    wallets: Sequence[Seed],
    rejected: Sequence[RejectedSeed],
    grounds: Sequence[Ground],
    remaining: Mapping[str, int],
    progress: Progress = lambda stage, done, total: None,
    cancelled: Cancelled = lambda: False,
) -> SchemeResult:
    """Trace the wallets and write the register. `remaining`: what is left of an asset, by its name, where known."""
    usable, refused = _usable(wallets, grounds)
    result = run_trace(request, usable, [*rejected, *refused], grounds, progress, cancelled)
    datasets = []
    for each in result.datasets:
        progress(f"{each.ground.dataset}: register", 0, 1)
        datasets.append(register(request, each, result.seeds, remaining, cancelled))
        progress(f"{each.ground.dataset}: register", 1, 1)
    return SchemeResult(result, datasets, remaining)


def _usable(wallets: Sequence[Seed], grounds: Sequence[Ground]) -> tuple[list[Seed], list[RejectedSeed]]:
    """The wallets that can be a scheme's, and why the others are none."""
    good, bad = [], []
    for wallet in wallets:
        reason = ""
        if not wallet.address:
            reason = "a wallet is an address; a finding is given by --finding"
        elif wallet.from_time >= 0 or wallet.to_time >= 0:
            reason = "a scheme's wallet is one at all times; leave its times out"
        elif any(_is_service(ground, wallet) for ground in grounds if ground.chain == wallet.chain):
            reason = "labels name it as a service: what others pay there is not the scheme's"
        if reason:
            bad.append(RejectedSeed(0, wallet.name, reason))
        else:
            good.append(wallet)
    return good, bad


def _is_service(ground: Ground, wallet: Seed) -> bool:
    try:
        return bool(ground.label(ground.find(0, wallet).address))
    except Unusable:
        return False
