"""The flow picture: the same steps the same bytes, boxes in proportion, ends named, many parties drawn together."""

from __future__ import annotations

import random
from xml.etree import ElementTree

from api.tracing.picture import HEIGHT, SHOWN, Step, draw

NAME = "{http://www.w3.org/2000/svg}"


def _boxes(picture: str) -> dict[str, int]:
    """Title of each box and its height."""
    root = ElementTree.fromstring(picture)
    found = {}
    for group in root.iter(f"{NAME}g"):
        title, box = group.find(f"{NAME}title"), group.find(f"{NAME}rect")
        assert title is not None
        assert box is not None
        found[(title.text or "").strip()] = int(box.attrib["height"])
    return found


def test_the_order_of_steps_changes_nothing() -> None:
    steps = [Step(1 + place % 3, f"a{place % 5}", f"b{place % 7}", place + 1, "") for place in range(40)]
    expected = draw(steps, "title", "satoshi")
    for turn in range(3):
        random.Random(turn).shuffle(steps)
        assert draw(steps, "title", "satoshi") == expected


def test_boxes_are_as_high_as_what_came() -> None:
    steps = [Step(1, "seed", "half", 50, ""), Step(1, "seed", "quarter", 25, ""), Step(1, "seed", "", 25, "fee")]
    boxes = _boxes(draw(steps, "t", "satoshi"))
    assert boxes["seed  100 satoshi"] == HEIGHT
    assert boxes["half  50 satoshi"] == HEIGHT // 2
    assert boxes["quarter  25 satoshi"] == boxes["fee 25 satoshi"] == HEIGHT // 4


def test_many_parties_are_drawn_together() -> None:
    steps = [Step(1, "seed", f"payee {place:03}", 1000 - place, "") for place in range(100)]
    boxes = _boxes(draw(steps, "t", "wei"))
    assert len(boxes) == 1 + SHOWN + 1
    rest = sum(step.value for step in steps[SHOWN:])
    assert f"others  {rest} wei" in boxes


def test_names_cannot_break_out_of_the_picture() -> None:
    picture = draw([Step(1, "<script>", "&", 1, "")], "<b>", "x")
    ElementTree.fromstring(picture)
    assert "<script>" not in picture


def test_nothing_is_an_empty_picture() -> None:
    assert _boxes(draw([], "t", "wei")) == {}
