"""What is left, given back: three rules, each of which adds up to the whole. Nobody gets more than was lost.

FIFO. What was paid in first was paid out first, so what is left is of the last payments (Clayton's case, 1816).
Pro rata. Everybody by what was paid in (Barlow Clowes v Vaughan, 1992), where one has enough the rest is shared again.
Net loss. Everybody by what was paid in less what was had back (In re Bernard L. Madoff, 654 F.3d 229, 2011).

Shares are cut by running sums in the order of `losses`, so that no unit is lost. What is more than all losses is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def by_fifo(remaining: int, payments: Sequence[tuple[int, int]], losses: Mapping[int, int]) -> dict[int, int]:
    """`payments` (who, amount) in chain order."""
    got = dict.fromkeys(losses, 0)
    for who, amount in reversed(payments):
        if who in got:
            part = min(amount, remaining, losses[who] - got[who])
            got[who] += part
            remaining -= part
    return got


def pro_rata(remaining: int, weights: Mapping[int, int], losses: Mapping[int, int]) -> dict[int, int]:
    """`weights`: what each paid in; who lost nothing gets nothing."""
    got = dict.fromkeys(losses, 0)
    while remaining:
        needy = [who for who, loss in losses.items() if got[who] < loss and weights.get(who, 0) > 0]
        whole = sum(weights[who] for who in needy)
        if not whole:
            break
        below = before = given = 0
        for who in needy:
            below += weights[who]
            after = remaining * below // whole
            part = min(after - before, losses[who] - got[who])
            got[who] += part
            given += part
            before = after
        if not given:  # fewer units than shares: the first ones get one each
            for who in needy[:remaining]:
                got[who] += 1
                given += 1
        remaining -= given
    return got


def by_net_loss(remaining: int, losses: Mapping[int, int]) -> dict[int, int]:
    return pro_rata(remaining, losses, losses)
