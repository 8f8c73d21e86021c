"""Links from claims and facts: roles, grades by named conditions, what links nobody, and what a contest shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering.link.contest import Element, contest, without
from clustering.link.evidence import CLAIMED, COLLECTOR, LABEL, SIGNED, WHITE_PAPER, Item, Message, Role
from clustering.link.grade import ORDER, Letter, grade
from clustering.link.infer import Claim, Cluster, Creation, Material, Named, Sale, Share, infer

A = ("eth", "0xA")
B = ("eth", "0xB")
C = ("eth", "0xC")
OTHER = ("eth", "0xD")
NOTHING = Message("claim")


def claim(
    number: int, place: tuple[str, str] = A, role: Role = Role.CONTROLS, kind: str = "white paper", root: str = "paper",
    company: str = "acme", against: bool = False,
) -> Claim:  # fmt: skip
    return Claim(number, company, place, role, kind, root, None, against, f"claim {number}")


def material(*claims: Claim, **more: object) -> Material:
    return replace(Material("fifo", {"acme": ("acme-id",), "other": ()}, claims), **more)  # type: ignore[arg-type]


def test_two_items_of_one_document_are_one() -> None:
    links = infer(material(claim(1), claim(2, kind="website")))
    assert links["acme", A, Role.CONTROLS].grade.letter == Letter.LEAD
    links = infer(material(claim(1), claim(2, kind="website", root="site")))
    assert links["acme", A, Role.CONTROLS].grade.letter == Letter.C


def test_grades_are_conditions() -> None:
    signed = Item(SIGNED, "message", NOTHING)
    paper = Item(WHITE_PAPER, "paper", NOTHING)
    fact = Item(COLLECTOR, "chain", NOTHING)
    against = replace(paper, root="answer", against=True)
    assert grade([signed, paper]).letter == Letter.A
    assert grade([signed, replace(paper, root="message")]).letter == Letter.LEAD
    assert grade([signed, fact]).letter == Letter.B
    assert grade([signed, paper, against]).letter == Letter.C
    assert grade([signed, fact, against]).letter == Letter.LEAD
    assert grade([paper, fact]).letter == Letter.LEAD  # facts on the chain are no items
    assert grade([signed, paper], Letter.LEAD).letter == Letter.LEAD
    assert grade([paper, replace(paper, says=Message("again")), fact]).weight == 1_000


@given(st.lists(st.sampled_from(sorted(CLAIMED)), max_size=6), st.integers(0, 3))
def test_repetition_and_contradiction_never_raise_a_grade(kinds: list[str], roots: int) -> None:
    items = [Item(CLAIMED[kind], f"root {place % (roots + 1)}", NOTHING) for place, kind in enumerate(kinds)]
    before = grade(items)
    assert grade([*items, *items]) == before
    after = grade([*items, Item(LABEL, "elsewhere", NOTHING, against=True)])
    assert ORDER.index(after.letter) >= ORDER.index(before.letter)
    assert after.weight == before.weight - 600


def test_a_published_address_in_a_service_is_a_customers() -> None:
    service = {A: Cluster("btc/L0/x@1", 4_000, "it pays 30,000 addresses")}
    for role in (Role.CONTROLS, Role.PAYEE):
        links = infer(material(claim(1, role=role), clusters=service))
        (link,) = links.values()
        assert (link.role, link.cluster, link.place) == (Role.CUSTOMER, "", A)
        assert link.notes == (Message.of("note.service", reason="it pays 30,000 addresses"),)


def test_a_services_own_addresses_are_its_own() -> None:
    service = {A: Cluster("btc/L0/x@1", 4_000, "labelled Acme", label="pack", actor="acme-id")}
    (link,) = infer(material(claim(1), clusters=service)).values()
    assert (link.role, link.cluster) == (Role.CONTROLS, "btc/L0/x@1")


def test_only_controls_reaches_the_cluster() -> None:
    clusters = {A: Cluster("btc/L0/x@1", 7, "", transactions=("t",))}
    links = infer(material(claim(1), claim(2, role=Role.PAYEE), clusters=clusters))
    assert links["acme", A, Role.CONTROLS].cluster == "btc/L0/x@1"
    assert links["acme", A, Role.PAYEE].cluster == ""
    assert links["acme", A, Role.CONTROLS].items[-1].transactions == ("t",)


def test_a_sale_links_its_collectors_and_no_payer() -> None:
    sale = Sale("f1", A, ((B, "10 ETH", ("t1",)),), "not measured", agents=((OTHER, 20),))
    links = infer(material(claim(1, role=Role.PAYEE), claim(2, role=Role.PAYEE, root="notice"), sales=(sale,)))
    assert [(place, role) for _, place, role in links] == [(A, Role.PAYEE), (B, Role.RECEIVED)]
    collector = links["acme", B, Role.RECEIVED]
    assert (collector.grade.letter, collector.agents) == (Letter.C, ((OTHER, 20),))
    assert [each.kind for each in collector.items][-1] is COLLECTOR
    for role in (Role.PAYER, Role.EXAMPLE):
        assert len(infer(material(claim(1, role=role), sales=(sale,)))) == 1


def test_an_unflagged_company_is_not_asked_for() -> None:
    assert not infer(material(claim(1, company="third")))


def test_a_deployer_is_linked_as_that() -> None:
    links = infer(material(claim(1, role=Role.PAYEE, kind="signed message"), creations={A: Creation(C, "t")}))
    deployer = links["acme", C, Role.DEPLOYED]
    assert deployer.grade.letter == Letter.B
    assert deployer.notes == (Message("note.deployer"),)


def test_a_traced_share_is_a_lead_and_ends_at_services() -> None:
    share = Share(B, {"fifo": 600_000, "lifo": 100_000}, "ETH", ("t",))
    signed = claim(1, kind="signed message")
    links = infer(material(signed, claim(2), shares={A: (share,)}))
    assert links["acme", B, Role.RECEIVED].grade.letter == Letter.LEAD
    said = dict(links["acme", B, Role.RECEIVED].items[-1].says.values)
    assert (said["low"], said["high"], said["ppm"]) == ("100000", "600000", "600000")
    assert len(infer(replace(material(signed, shares={A: (share,)}), convention="lifo"))) == 1
    assert len(infer(material(signed, shares={A: (share,)}, clusters={B: Cluster("", 1, "labelled")}))) == 1


def test_labels_name_the_company_or_contradict() -> None:
    named = {A: (Named("pack 1", "Acme", "acme-id"), Named("pack 2", "Binance", "binance"), Named("pack 3", "x", ""))}
    (link,) = infer(material(claim(1), labels=named)).values()
    assert [each.against for each in link.items] == [True, False, False]
    assert (link.grade.letter, link.grade.contradictions, link.grade.roots) == (Letter.C, 1, 2)


def test_a_contest_names_what_the_result_hangs_on() -> None:
    sale = Sale("f1", A, ((B, "10 ETH", ()),), "")
    case = material(claim(1, role=Role.PAYEE), claim(2, role=Role.PAYEE, root="notice"), sales=(sale,))
    shown = contest(case, ("acme", B, Role.RECEIVED))
    assert [each for each, _ in shown.tried[:3]] == [
        (Element("document", "notice"),), (Element("document", "paper"),), (Element("rule", "token-sale/S1"),),
    ]  # fmt: skip
    assert [after.grade for _, after in shown.tried[:3]] == ["lead", "lead", ""]
    assert shown.smallest == (Element("document", "notice"),)
    assert Element("rule", "deployed") in shown.held
    assert shown.complete
    assert contest(case, ("acme", B, Role.RECEIVED), budget=0).pairs == 0


def test_a_contest_finds_pairs() -> None:
    case = material(*(claim(n, root=f"paper {n}") for n in range(3)))
    shown = contest(case, ("acme", A, Role.CONTROLS))
    assert shown.smallest == (Element("document", "paper 0"), Element("document", "paper 1"))
    case = material(*(claim(n, root=f"paper {n}") for n in range(4)))
    shown = contest(case, ("acme", A, Role.CONTROLS))
    assert shown.smallest is not None
    assert len(shown.smallest) == 3
    assert contest(case, ("acme", A, Role.CONTROLS), budget=2).smallest is None


def test_a_contest_of_what_is_not_linked() -> None:
    with pytest.raises(KeyError):
        contest(material(claim(1)), ("acme", B, Role.CONTROLS))


def test_without_a_label_its_service_is_none() -> None:
    case = material(
        claim(1),
        clusters={A: Cluster("h", 3, "labelled Binance", label="pack")},
        labels={A: (Named("pack", "B", "b"),)},
    )
    assert infer(without(case, [Element("label", "pack")]))["acme", A, Role.CONTROLS].cluster == "h"
