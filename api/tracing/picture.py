"""The flow of a trace as an SVG picture: hops to the right, value as height, every end named. Layout by us, no chance.

A column for each number of hops; a box for each party that traced money came to in it, as high as what came; a band for
what went from box to box. Parties beyond the largest of a column are drawn together, and said so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

SHOWN = 12
"""Parties of a column that are drawn by themselves, the largest."""

COLUMNS = 12
"""Numbers of hops that are drawn; later ones stand in the last column."""

WIDTH, HEIGHT, MARGIN, BOX, GAP, STEP = 180, 420, 40, 16, 12, 260
FILL = {"": "#4477aa", "end": "#cc6677", "rest": "#999999"}
NO_OTHER = "others"


@dataclass(frozen=True, slots=True)
class Step:
    """One row of edges.csv, of all seeds together."""

    hops: int
    source: str
    target: str
    value: int
    end: str


@dataclass(slots=True)
class _Box:
    name: str
    column: int
    end: str
    value: int = 0
    top: int = 0
    height: int = 0
    left_used: int = 0
    right_used: int = 0


@dataclass(slots=True)
class _Layout:
    boxes: dict[tuple[int, str, str], _Box] = field(default_factory=dict)
    bands: dict[tuple[tuple[int, str, str], tuple[int, str, str]], int] = field(default_factory=dict)
    largest: int = 1


def draw(steps: Iterable[Step], title: str, unit: str) -> str:
    """The picture as SVG text; the same steps give the same bytes."""
    layout = _layout(list(steps))
    columns = max((box.column for box in layout.boxes.values()), default=0) + 1
    width, height = 2 * MARGIN + (columns - 1) * STEP + WIDTH, HEIGHT + 3 * MARGIN + SHOWN * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="10" role="img"><title>{escape(title)}</title>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{MARGIN}" y="20" font-size="13">{escape(title)}</text>',
    ]
    parts += [_column_name(column) for column in range(columns)]
    parts += [_band(layout, source, target, value) for (source, target), value in sorted(layout.bands.items())]
    parts += [_box(box, unit) for _, box in sorted(layout.boxes.items())]
    return "\n".join([*parts, "</svg>", ""])


def _layout(steps: list[Step]) -> _Layout:
    """Boxes and bands: who is drawn alone is decided column by column, by what came there."""
    kept = _kept(steps)
    layout = _Layout()
    for step in steps:
        column = min(step.hops, COLUMNS - 1)
        source = _key(column - 1, step.source, "", kept)
        target = _key(column, step.target, step.end, kept)
        for key, value in ((source, step.value if column == 1 else 0), (target, step.value)):
            box = layout.boxes.setdefault(key, _Box(key[1], key[0], key[2]))
            box.value += value
        layout.bands[source, target] = layout.bands.get((source, target), 0) + step.value
    for key, box in layout.boxes.items():
        out = sum(value for (source, _), value in layout.bands.items() if source == key)
        box.value = max(box.value, out)
    _place(layout)
    return layout


def _kept(steps: list[Step]) -> set[tuple[int, str, str]]:
    """The largest parties of each column."""
    sums: dict[int, dict[tuple[str, str], int]] = {}
    for step in steps:
        column = min(step.hops, COLUMNS - 1)
        here = sums.setdefault(column, {})
        here[step.target, step.end] = here.get((step.target, step.end), 0) + step.value
        before = sums.setdefault(column - 1, {})
        before[step.source, ""] = before.get((step.source, ""), 0) + step.value
    return {
        (column, *party)
        for column, parties in sums.items()
        for party, _ in sorted(parties.items(), key=lambda each: (-each[1], each[0]))[:SHOWN]
    }


def _key(column: int, name: str, end: str, kept: set[tuple[int, str, str]]) -> tuple[int, str, str]:
    return (column, name, end) if (column, name, end) in kept else (column, NO_OTHER, end)


def _place(layout: _Layout) -> None:
    """Heights by value, one scale for all; in a column the largest on top."""
    columns: dict[int, list[_Box]] = {}
    for _, box in sorted(layout.boxes.items()):
        columns.setdefault(box.column, []).append(box)
    layout.largest = max((sum(box.value for box in boxes) for boxes in columns.values()), default=1) or 1
    for boxes in columns.values():
        top = 2 * MARGIN
        for box in sorted(boxes, key=lambda each: (each.name == NO_OTHER, -each.value, each.name, each.end)):
            box.top, box.height = top, max(1, HEIGHT * box.value // layout.largest)
            top += box.height + GAP


def _left(column: int) -> int:
    return MARGIN + column * STEP


def _column_name(column: int) -> str:
    name = "seeds" if column == 0 else f"hop {column}" if column < COLUMNS - 1 else f"hop {column} and later"
    return f'<text x="{_left(column)}" y="{MARGIN + 16}" fill="#555555">{name}</text>'


def _band(layout: _Layout, source: tuple[int, str, str], target: tuple[int, str, str], value: int) -> str:
    """A curve from the right side of one box to the left side of the other, as thick as what went."""
    a, b = layout.boxes[source], layout.boxes[target]
    thick = max(1, HEIGHT * value // layout.largest)
    x1, x2 = _left(a.column) + BOX, _left(b.column)
    y1, y2 = a.top + a.right_used + thick // 2, b.top + b.left_used + thick // 2
    a.right_used += thick
    b.left_used += thick
    middle = (x1 + x2) // 2
    return (
        f'<path d="M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}" fill="none" stroke="#88aacc" '
        f'stroke-opacity="0.5" stroke-width="{thick}"/>'
    )


def _box(box: _Box, unit: str) -> str:
    kind = "end" if box.end else "rest" if box.name == NO_OTHER else ""
    name = box.name if len(box.name) <= 20 else f"{box.name[:10]}…{box.name[-6:]}"
    text = ": ".join(part for part in (box.end, name) if part)
    x, y = _left(box.column), box.top
    return (
        f"<g><title>{escape(box.name)} {escape(box.end)} {box.value} {escape(unit)}</title>"
        f'<rect x="{x}" y="{y}" width="{BOX}" height="{box.height}" fill="{FILL[kind]}"/>'
        f'<text x="{x + BOX + 4}" y="{y + min(box.height, 14) // 2 + 4}">{escape(text)}</text></g>'
    )
