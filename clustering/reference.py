"""The history forest once more, in plain Python that can be read in a minute; tests hold both equal."""

from __future__ import annotations

from clustering.forest import NEVER


def attach(address_count: int, links: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """The readable twin of `Forest.attach`: (parent, size, ordinal) of each address after all links."""
    parent, size, ordinal = [-1] * address_count, [1] * address_count, [NEVER] * address_count

    def root(x: int) -> int:
        return x if parent[x] < 0 else root(parent[x])

    for number, link in enumerate(links):
        below, above = sorted((root(x) for x in link), key=lambda x: (size[x], -x))
        if below != above:
            parent[below], ordinal[below] = above, number
            size[above] += size[below]
    return list(zip(parent, size, ordinal, strict=True))


def explain(links: list[tuple[int, int]], a: int, b: int) -> list[int] | None:
    """The readable twin of `Forest.explain`: the one way from a to b over links that joined two sides."""
    labels = list(range(1 + max((a, b, *(x for link in links for x in link)))))
    ways: dict[int, list[tuple[int, int]]] = {}
    for number, (u, v) in enumerate(links):
        if labels[u] != labels[v]:
            labels = [labels[u] if label == labels[v] else label for label in labels]
            ways.setdefault(u, []).append((v, number))
            ways.setdefault(v, []).append((u, number))
    chains: dict[int, list[int]] = {a: []}
    ahead = [a]
    for x in ahead:
        for y, number in ways.get(x, ()):
            if y not in chains:
                chains[y] = [*chains[x], number]
                ahead.append(y)
    return chains.get(b)
