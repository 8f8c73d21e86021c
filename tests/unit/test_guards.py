"""Guards: what is held and why, decisions, and that the order of arrival does not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.model import I32, U8
from clustering.components import relabel
from clustering.forest import Forest, verify_partition
from clustering.guards import NOBODY, Judged, Reason, Verdict, judge, reference
from clustering.links import LinkStatus

ACCEPTED, HELD, REFUSED = LinkStatus.ACCEPTED, LinkStatus.HELD, LinkStatus.REFUSED
Link = tuple[int, int, Verdict]
ADDRESSES = 9

LINKS = st.lists(
    st.tuples(
        st.integers(0, ADDRESSES - 1),
        st.integers(0, ADDRESSES - 1),
        st.sampled_from([*Verdict, Verdict.NONE, Verdict.NONE, Verdict.NONE]),
    )
    .filter(lambda link: link[0] != link[1])
    .map(lambda link: (min(link[:2]), max(link[:2]), link[2])),
    max_size=14,
)
ENTITIES = st.lists(st.sampled_from([NOBODY, NOBODY, 0, 1, 2]), min_size=ADDRESSES, max_size=ADDRESSES)


def columns(links: list[Link]) -> tuple[I32, I32, U8]:
    table = np.array(links, np.int64).reshape(-1, 3)
    return table[:, 0].astype(np.int32), table[:, 1].astype(np.int32), table[:, 2].astype(np.uint8)


def judged(links: list[Link], entity: list[int], size: int = 3) -> tuple[Forest, Judged]:
    forest = Forest.empty(len(entity))
    return forest, judge(forest, *columns(links), np.array(entity, np.int32), 0, size)


@given(LINKS, ENTITIES, st.integers(1, 4))
def test_the_kernel_equals_its_readable_twin(links: list[Link], entity: list[int], size: int) -> None:
    forest, found = judged(links, entity, size)
    assert list(zip(found.status.tolist(), found.reason.tolist(), strict=True)) == reference(links, entity, size)
    u, v, _ = columns(links)
    accepted = found.status == ACCEPTED
    verify_partition(forest, u[accepted], v[accepted])
    assert forest.next_ordinal == int(accepted.sum())


@given(LINKS, ENTITIES, st.data())
def test_links_that_come_in_parts_are_judged_as_all_at_once(
    links: list[Link], entity: list[int], data: st.DataObject
) -> None:
    whole, expected = judged(links, entity)
    cut = data.draw(st.integers(0, len(links)))
    forest, first = judged(links[:cut], entity)
    kept = int((first.status == ACCEPTED).sum())
    rest = judge(forest, *columns(links[cut:]), np.array(entity, np.int32), kept, 3)
    assert [*first.status, *rest.status] == expected.status.tolist()
    assert forest.nodes.tobytes() == whole.nodes.tobytes()
    back = data.draw(st.integers(0, kept))
    forest.rollback(back)
    accepted = [link for link, status in zip(links, expected.status, strict=True) if status == ACCEPTED]
    u, v, _ = columns(accepted)
    forest.attach(u[back:], v[back:], back)
    assert forest.nodes.tobytes() == whole.nodes.tobytes()


@given(LINKS, ENTITIES)
def test_no_cluster_holds_two_services_unless_a_person_said_so(links: list[Link], entity: list[int]) -> None:
    unguided = [(u, v, Verdict.NONE) for u, v, _ in links]
    forest, _ = judged(unguided, entity)
    labels = forest.labels()
    for label in set(labels.tolist()):
        assert len({entity[x] for x in np.flatnonzero(labels == label).tolist()} - {NOBODY}) <= 1


def test_what_lies_between_two_services_goes_to_the_first_and_the_second_link_is_held() -> None:
    links = [(0, 1, Verdict.NONE), (1, 2, Verdict.NONE), (0, 2, Verdict.NONE)]
    _, found = judged(links, [5, NOBODY, 7])
    assert found.status.tolist() == [ACCEPTED, HELD, HELD]
    assert found.reason.tolist() == [Reason.NONE, Reason.DIFFERENT_SERVICES, Reason.DIFFERENT_SERVICES]


def test_a_decision_is_of_one_link_and_can_be_taken_back() -> None:
    entity = [5, NOBODY, 7, 7, NOBODY]
    plain = [(0, 1, Verdict.NONE), (1, 2, Verdict.NONE), (0, 3, Verdict.NONE), (2, 4, Verdict.NONE)]
    assert judged(plain, entity)[1].status.tolist() == [ACCEPTED, HELD, HELD, ACCEPTED]
    accepted = [plain[0], (1, 2, Verdict.ACCEPT), *plain[2:]]
    forest, found = judged(accepted, entity)
    assert found.status.tolist() == [ACCEPTED, ACCEPTED, HELD, ACCEPTED], "the next one is held again"
    assert found.reason.tolist()[1] == Reason.DECISION
    assert forest.same(0, 4)
    refused = [(0, 1, Verdict.REFUSE), *plain[1:]]
    assert judged(refused, entity)[1].status.tolist() == [REFUSED, ACCEPTED, HELD, ACCEPTED]


def test_two_giants_are_quarantined_and_a_small_one_is_not() -> None:
    ring = [(x, x + 1, Verdict.NONE) for x in (0, 1, 3, 4)]
    _, found = judged([*ring, (0, 3, Verdict.NONE), (0, 6, Verdict.NONE)], [NOBODY] * 7)
    assert found.status.tolist() == [ACCEPTED] * 4 + [HELD, ACCEPTED]
    assert found.reason.tolist()[4] == Reason.GIANTS


def test_what_does_not_fit_is_refused_and_changes_nothing() -> None:
    forest = Forest.empty(3)
    one = columns([(0, 1, Verdict.NONE)])
    with pytest.raises(ValueError, match="2 entities of 3 addresses"):
        judge(forest, *one, np.zeros(2, np.int32), 0)
    with pytest.raises(ValueError, match="outside"):
        judge(forest, *columns([(0, 3, Verdict.NONE)]), np.zeros(3, np.int32), 0)
    assert judge(forest, *one, np.full(3, NOBODY, np.int32), 4).status.tolist() == [ACCEPTED]
    with pytest.raises(ValueError, match="not after the last one"):
        judge(forest, *one, np.full(3, NOBODY, np.int32), 2)
    assert relabel(3, *one[:2]).tolist() == forest.labels().tolist()
