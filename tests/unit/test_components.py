"""Links and their order, and the bulk relabelling against networkx and its readable twin."""

from __future__ import annotations

from random import Random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.model import I32, UNKNOWN
from clustering.components import partition_digest, reference_relabel, relabel
from clustering.links import RULES, LinkBatch, LinkStatus, Rule, canonical_order, concatenate
from clustering.rates import told


@st.composite
def multigraphs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    """A number of addresses, and links with repetitions and in any direction."""
    count = draw(st.integers(1, 24))
    address = st.integers(0, count - 1)
    return count, draw(st.lists(st.tuples(address, address), max_size=40))


def ends(links: list[tuple[int, int]]) -> tuple[I32, I32]:
    pairs = np.array(links, np.int32).reshape(-1, 2)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def batch(rows: list[tuple[int, int, int]]) -> LinkBatch:
    """Links from (u, v, tx)."""
    table = np.array(rows, np.int64).reshape(-1, 3)
    return LinkBatch(
        u=table[:, 0].astype(np.int32),
        v=table[:, 1].astype(np.int32),
        rule=np.full(len(rows), Rule.COSPEND, np.uint8),
        tx=table[:, 2].copy(),
        height=np.full(len(rows), UNKNOWN, np.int32),
        status=np.full(len(rows), LinkStatus.ACCEPTED, np.uint8),
    )


@settings(deadline=None)
@given(multigraphs())
def test_labels_are_the_smallest_ids_of_the_components(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, links = graph
    oracle = nx.MultiGraph()
    oracle.add_nodes_from(range(count))
    oracle.add_edges_from(links)
    expected = [min(nx.node_connected_component(oracle, address)) for address in range(count)]
    assert relabel(count, *ends(links)).tolist() == expected
    assert reference_relabel(count, links) == expected


@settings(deadline=None)
@given(multigraphs(), st.randoms(use_true_random=False))
def test_labels_do_not_depend_on_the_order_of_links(graph: tuple[int, list[tuple[int, int]]], random: Random) -> None:
    count, links = graph
    shuffled = list(links)
    random.shuffle(shuffled)
    assert partition_digest(relabel(count, *ends(links))) == partition_digest(relabel(count, *ends(shuffled)))


def test_a_long_chain_and_a_large_random_graph() -> None:
    count = 200_000
    order = np.random.default_rng(7).permutation(count).astype(np.int32)
    assert not relabel(count, order[1:], order[:-1]).any()
    u, v = np.random.default_rng(8).integers(0, count, (2, 90_000)).astype(np.int32)
    oracle: nx.Graph = nx.Graph(zip(u.tolist(), v.tolist(), strict=True))
    labels = relabel(count, u, v)
    for component in nx.connected_components(oracle):
        assert set(labels[list(component)].tolist()) == {min(component)}
    assert len(set(labels.tolist())) == nx.number_connected_components(oracle) + count - len(oracle)


@pytest.mark.parametrize(("u", "v"), [([0, 5], [1, 2]), ([0, 1], [1, -1])])
def test_a_link_outside_the_addresses_is_named(u: list[int], v: list[int]) -> None:
    with pytest.raises(ValueError, match=r"link 1: .* is outside 0\.\.4"):
        relabel(5, np.array(u, np.int32), np.array(v, np.int32))


def test_no_addresses_and_no_links() -> None:
    none = np.empty(0, np.int32)
    assert relabel(0, none, none).tolist() == []
    assert relabel(3, none, none).tolist() == [0, 1, 2]


def test_the_digest_tells_partitions_apart_and_is_of_the_values() -> None:
    labels = np.array([0, 0, 2], np.int32)
    assert partition_digest(labels) == partition_digest(np.array([0, 9, 0, 9, 2, 9], np.int32)[::2])
    assert partition_digest(labels) != partition_digest(np.array([0, 1, 2], np.int32))
    assert (
        partition_digest(np.array([0, 1], np.int32))
        == "01acecb507abfe1a354aa8064f4af5d3f1acd019e37db3c11c97523b71c76e9d"
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(5, 9), st.integers(0, 3)), max_size=30))
def test_canonical_order_is_by_transaction_then_addresses(rows: list[tuple[int, int, int]]) -> None:
    ordered = canonical_order(batch(rows))
    columns = (ordered.tx.tolist(), ordered.u.tolist(), ordered.v.tolist())
    assert list(zip(*columns, strict=True)) == sorted((tx, u, v) for u, v, tx in rows)


def test_batches_are_joined_in_order_and_rows_taken() -> None:
    joined = concatenate([batch([(0, 1, 5)]), LinkBatch.empty(), batch([(2, 3, 4), (0, 3, 4)])])
    assert joined.tx.tolist() == [5, 4, 4]
    assert joined.take(joined.tx == 4).u.tolist() == [2, 0]
    assert len(concatenate([])) == 0


def test_a_batch_refuses_wrong_pairs_and_lengths() -> None:
    with pytest.raises(ValueError, match="link 1: u is not below v"):
        batch([(0, 1, 0), (3, 3, 0)])
    good = batch([(0, 1, 0)])
    with pytest.raises(ValueError, match="differ in length"):
        LinkBatch(good.u, good.v, good.rule, good.tx, good.height, good.status[:0])


def test_each_rule_has_its_facts_and_no_invented_rate() -> None:
    assert set(RULES) == set(Rule)
    for rule, facts in RULES.items():
        assert facts.rule is rule
        assert facts.claim
        assert facts.source
        assert facts.rate == told(facts.name)
