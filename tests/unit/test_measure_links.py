"""The measure of links: statements about generated companies, and the comparison with what is true."""

from __future__ import annotations

from collections.abc import Iterator

from api.measure.links import MISTAKEN_FOR, links_table, measure_links
from clustering.link.evidence import CLAIMED, Role
from clustering.simulate.documents import Said, Subject, statements

SUBJECTS = [Subject(f"company {n}", 10 + n, (100 + n,), (200 + n,)) for n in range(400)]


def said(seed: int = 1) -> Iterator[Said]:
    return statements(SUBJECTS, [7, 8, 9], seed)


def test_statements_are_the_same_for_a_seed_and_of_every_kind_of_fault() -> None:
    mine = list(said())
    assert mine == list(said())
    assert mine != list(said(2))
    assert {each.kind for each in mine} <= set(CLAIMED)
    own = {subject.company: {subject.contract, *subject.collectors, *subject.accounts} for subject in SUBJECTS}
    wrong = [each for each in mine if each.row not in own[each.company]]
    assert any(each.row in (7, 8, 9) and each.kind == "signed message" for each in wrong)
    assert any(each.row in (7, 8, 9) and each.kind == "complaint" for each in wrong)
    assert any(each.root.startswith("planted") for each in wrong)
    assert any(each.against for each in mine)
    copied = [each for each in mine if each.kind == "website" and each.root.startswith("paper")]
    assert 0 < len(copied) < 400
    assert {each.role for each in mine} == {Role.PAYEE, Role.CONTROLS}


def test_links_of_a_generated_chain_are_counted_and_name_no_victim_by_themselves() -> None:
    body = measure_links([1], 5_000, 3)
    assert body == measure_links([1], 5_000, 3)
    grades = body["grades"]
    links = sum(row["links"] for row in grades.values())
    assert links == sum(row["links"] for row in body["roles"].values()) > 30
    assert all(0 <= row["right"] <= row["links"] for row in grades.values())
    assert grades["lead"]["right"] < grades["lead"]["links"]  # faults are there to be seen
    whole, best = body["coverage"]["knowable"], 0
    for name in ("A or better", "B or better", "C or better", "lead or better"):
        assert best <= body["coverage"][name]["linked"] <= whole
        best = body["coverage"][name]["linked"]
    assert best > whole // 2
    assert body["victims"]["linked by no statement"] == 0
    lines = list(links_table(body))
    assert len(lines) == 8
    assert MISTAKEN_FOR
