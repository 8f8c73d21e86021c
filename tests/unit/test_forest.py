"""The history forest against brute force on random multigraphs: partition, as-of, why, rollback."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.errors import IntegrityError, StoreError
from chain.model import I32
from clustering import reference
from clustering.components import reference_relabel, relabel
from clustering.forest import (
    FILE_NAME,
    NODE,
    SAME,
    Forest,
    verify_partition,
)

Graph = tuple[int, list[tuple[int, int]]]


@st.composite
def multigraphs(draw: st.DrawFn) -> Graph:
    """A number of addresses, and links in canonical order, with repetitions."""
    count = draw(st.integers(2, 14))
    address = st.integers(0, count - 1)
    pair = st.tuples(address, address).filter(lambda link: link[0] != link[1])
    return count, draw(st.lists(pair, max_size=24))


def ends(links: list[tuple[int, int]]) -> tuple[I32, I32]:
    pairs = np.array(links, np.int32).reshape(-1, 2)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def build(count: int, links: list[tuple[int, int]]) -> Forest:
    forest = Forest.empty(count)
    forest.attach(*ends(links), 0)
    return forest


@settings(deadline=None)
@given(multigraphs())
def test_the_forest_equals_its_readable_twin(graph: Graph) -> None:
    count, links = graph
    forest = Forest.empty(count)
    joined = forest.attach(*ends(links), 0)
    assert [tuple(node) for node in forest.nodes.tolist()] == reference.attach(count, links)
    oracle: nx.Graph = nx.Graph(links)
    oracle.add_nodes_from(range(count))
    assert joined == count - nx.number_connected_components(oracle)


@settings(deadline=None)
@given(multigraphs())
def test_the_partition_as_of_each_ordinal(graph: Graph) -> None:
    count, links = graph
    forest = build(count, links)
    for before in range(len(links) + 1):
        expected = reference_relabel(count, links[:before])
        assert forest.labels(before).tolist() == expected
        for a, b in combinations(range(count), 2):
            assert forest.same(a, b, before) == (expected[a] == expected[b])
            same_root = forest.root(a, before) == forest.root(b, before)
            assert same_root == (expected[a] == expected[b])
        everyone = np.arange(count, dtype=np.int32)
        assert forest.roots(everyone, before).tolist() == [forest.root(a, before) for a in range(count)]
    assert forest.labels().tolist() == reference_relabel(count, links)


@settings(deadline=None)
@given(multigraphs())
def test_the_link_that_joined_two_addresses(graph: Graph) -> None:
    count, links = graph
    forest = build(count, links)
    partitions = [reference_relabel(count, links[:before]) for before in range(len(links) + 1)]
    for a, b in combinations(range(count), 2):
        together = [before for before, labels in enumerate(partitions) if labels[a] == labels[b]]
        assert forest.connected_at(a, b) == (together[0] - 1 if together else None)
    assert forest.connected_at(0, 0) == SAME


@settings(deadline=None)
@given(multigraphs())
def test_why_is_a_way_of_links_from_one_to_the_other(graph: Graph) -> None:
    count, links = graph
    forest, (u, v) = build(count, links), ends(links)
    for a, b in combinations(range(count), 2):
        chain = forest.explain(a, b, u, v)
        assert (None if chain is None else chain.tolist()) == reference.explain(links, a, b)
        for before in range(len(links) + 1):
            chain = forest.explain(b, a, u, v, before)
            assert (chain is not None) == forest.same(a, b, before)
            here = b
            for ordinal in [] if chain is None else chain.tolist():
                assert ordinal < before
                assert here in links[ordinal]
                here = sum(links[ordinal]) - here
            assert chain is None or here == a


@settings(deadline=None)
@given(multigraphs())
def test_many_whys_equal_single_ones(graph: Graph) -> None:
    count, links = graph
    forest, (u, v) = build(count, links), ends(links)
    pairs = np.array([(a, b) for a in range(count) for b in range(count)], np.int32)
    offsets, ordinals = forest.explain_many(pairs, u, v)
    for row, (a, b) in enumerate(pairs.tolist()):
        single = forest.explain(a, b, u, v)
        assert ordinals[offsets[row] : offsets[row + 1]].tolist() == ([] if single is None else single.tolist())


@settings(deadline=None)
@given(multigraphs(), st.data())
def test_a_rolled_back_forest_is_one_that_never_went_on(graph: Graph, data: st.DataObject) -> None:
    count, links = graph
    at = data.draw(st.integers(0, len(links)))
    forest = build(count, links)
    forest.rollback(at)
    assert forest.nodes.tobytes() == build(count, links[:at]).nodes.tobytes()
    forest.attach(*ends(links[at:]), at)
    assert forest.nodes.tobytes() == build(count, links).nodes.tobytes()


@settings(deadline=None)
@given(multigraphs(), st.data())
def test_late_evidence_and_retraction_equal_a_fresh_build(graph: Graph, data: st.DataObject) -> None:
    count, links = graph
    at = data.draw(st.integers(0, len(links)))
    a, b = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=2, max_size=2)))
    completed = [*links[:at], (a, b), *links[at:]]
    forest = build(count, links)
    forest.replay(at, *ends(completed[at:]))
    assert forest.nodes.tobytes() == build(count, completed).nodes.tobytes()
    forest.replay(at, *ends(links[at:]))
    assert forest.nodes.tobytes() == build(count, links).nodes.tobytes()


@settings(deadline=None)
@given(multigraphs(), st.lists(st.integers(0, 24), max_size=4))
def test_link_by_link_equals_all_at_once(graph: Graph, cuts: list[int]) -> None:
    count, links = graph
    bounds = sorted({0, len(links), *(cut for cut in cuts if cut < len(links))})
    forest = Forest.empty(0)
    for first, last in pairwise(bounds):
        forest.grow(max(len(forest), 1 + max(max(link) for link in links[first:last])))
        forest.attach(*ends(links[first:last]), first)
    forest.grow(count)
    assert forest.nodes.tobytes() == build(count, links).nodes.tobytes()


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_larger_graphs_against_relabelling_and_the_shape_of_the_tree(seed: int) -> None:
    random = np.random.default_rng(seed)
    count, link_count = 3000, 2600
    u, v = random.integers(0, count, (2, link_count)).astype(np.int32)
    forest = Forest.empty(count)
    forest.attach(u, v, 0)
    verify_partition(forest, u, v)
    at = int(random.integers(0, link_count))
    assert np.array_equal(forest.labels(at), relabel(count, u[:at], v[:at]))
    depth = np.zeros(count, np.int64)
    above = forest.nodes["parent"].astype(np.int64)
    while (above >= 0).any():
        depth += above >= 0
        above = np.where(above >= 0, forest.nodes["parent"][above], -1)
    assert depth.max() <= np.log2(count)


def test_a_chain_of_a_hundred_thousand_links_is_explained() -> None:
    count = 100_001
    order = np.random.default_rng(3).permutation(count - 1)
    steps = np.arange(count - 1, dtype=np.int32)[order]
    forest = Forest.empty(count)
    forest.attach(steps, steps + 1, 0)
    chain = forest.explain(0, count - 1, steps, steps + 1)
    assert chain is not None
    assert steps[chain].tolist() == list(range(count - 1))


def test_a_saved_forest_opens_read_only_and_grows_in_memory(tmp_path: Path) -> None:
    links = [(0, 1), (2, 3), (0, 1), (1, 3)]
    fresh = build(6, links)
    file = fresh.save(tmp_path)
    before = file.read_bytes()
    opened = Forest.open(tmp_path)
    assert not opened.nodes.flags.writeable
    assert opened.labels().tolist() == [0, 0, 0, 0, 4, 5]
    assert opened.next_ordinal == 4
    opened.attach(*ends([(4, 5)]), 4)
    opened.rollback(1)
    assert opened.nodes.tobytes() == build(6, links[:1]).nodes.tobytes()
    assert file.read_bytes() == before
    opened.save(tmp_path)
    assert Forest.open(tmp_path).labels().tolist() == [0, 0, 2, 3, 4, 5]
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_an_empty_forest_is_saved_and_opened(tmp_path: Path) -> None:
    Forest.empty(0).save(tmp_path)
    forest = Forest.open(tmp_path)
    assert len(forest) == 0
    assert forest.labels().tolist() == []
    assert forest.next_ordinal == 0


def test_what_is_no_forest_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=FILE_NAME):
        Forest.open(tmp_path)
    np.save(tmp_path / FILE_NAME, np.zeros(3))
    with pytest.raises(StoreError, match="not a forest"):
        Forest.open(tmp_path)
    whole = build(50, [(0, 1)]).save(tmp_path).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(whole[:-1])
    with pytest.raises(StoreError, match=FILE_NAME):
        Forest.open(tmp_path)
    with pytest.raises(StoreError, match="cannot be written"):
        build(2, []).save(tmp_path / "missing")


def test_a_wrong_forest_does_not_pass_the_check() -> None:
    links = [(0, 1), (2, 3), (1, 3)]
    verify_partition(build(5, links), *ends(links))
    with pytest.raises(IntegrityError, match="address id 2: the forest has it with 2, relabelling with 0") as caught:
        verify_partition(build(5, links[:2]), *ends(links))
    assert caught.value.check == "partition"


def test_wrong_calls_change_nothing() -> None:
    links = [(0, 1), (1, 2)]
    forest, (u, v) = build(4, links), ends(links)
    before = forest.nodes.tobytes()
    with pytest.raises(ValueError, match="ordinal 1 is not after the last one: 1"):
        forest.attach(*ends([(2, 3)]), 1)
    with pytest.raises(ValueError, match="link 0: v = 4 is outside"):
        forest.replay(0, *ends([(0, 4)]))
    with pytest.raises(ValueError, match="does not shrink"):
        forest.grow(3)
    with pytest.raises(IndexError, match="address id 4"):
        forest.root(4)
    with pytest.raises(IndexError, match="address id 4"):
        forest.roots(np.array([0, 4], np.int32))
    with pytest.raises(IndexError, match="address id -1"):
        forest.connected_at(0, -1)
    with pytest.raises(IndexError, match="address id 4"):
        forest.explain_many(np.array([[0, 4]], np.int32), u, v)
    assert forest.nodes.tobytes() == before


@pytest.mark.parametrize(
    "other",
    [[(0, 1)], [(0, 1), (2, 3)], [(0, 1), (0, 1)], [(0, 1), (1, 99)], [(0, 1), (-9, 2)]],
    ids=["fewer", "apart", "of one side", "beyond the forest", "below the forest"],
)
def test_links_of_another_forest_explain_nothing(other: list[tuple[int, int]]) -> None:
    forest = build(4, [(0, 1), (1, 2)])
    with pytest.raises(IntegrityError, match="forest-links: link 1"):
        forest.explain(0, 2, *ends(other))


def test_an_address_costs_sixteen_bytes() -> None:
    assert NODE.itemsize == 16
    assert Forest.empty(1000).nodes.nbytes == 16_000
