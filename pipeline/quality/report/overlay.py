"""Boxes over a shown picture, and where their labels go so that they can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pipeline.quality.wording import gravest, plain, short

_LETTER = 7.6  # units of width
_TALL = 17.0  # units of height a label takes
_MARGIN = 3.0

_Area = tuple[float, float, float, float]
"""Left, top, right, bottom in units of the shown picture."""


class ShownBox(msgspec.Struct, frozen=True):
    """A box in units of the shown picture."""

    number: int
    label: str
    x: float
    y: float
    width: float
    height: float
    verdict: str
    """The gravest of the claims that rest on it; empty if none does."""
    label_x: float
    """Where its label begins."""
    label_y: float
    """The line that its label stands on."""
    named: bool
    """Whether its label always shows; where there is no room for it, it shows when the box is pointed at."""


def overlay(
    boxes: Sequence[Mapping[str, Any]], claims: Sequence[Mapping[str, Any]], width: int, height: int
) -> list[ShownBox]:
    """Return boxes over a picture of some width and height, the largest first, so that small ones lie above.

    Labels of boxes that claims rest on get their room first.
    """
    verdicts: dict[int, list[str]] = {}
    for claim in claims:
        for box in claim["boxes"] or ():
            verdicts.setdefault(box, []).append(claim["verdict"])
    grave = {box: gravest(found) for box, found in verdicts.items()}
    areas = [_area(box["bbox"], width, height) for box in boxes]
    order = sorted(range(len(boxes)), key=lambda box: (box not in grave, -_size(areas[box])))
    taken: list[_Area] = []
    shown = []
    for number in order:
        area = areas[number]
        label = short(plain(boxes[number]["label"] or ""), 20)
        room = _room(area, label, width, height, taken)
        x, y, named = (*room[:2], True) if room else (*next(_places(area, label, width, height))[:2], False)
        if room:
            taken.append(room)
        left, top, right, bottom = area
        shown.append(
            ShownBox(
                number, label, round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1),
                grave.get(number, ""), round(x + _MARGIN, 1), round(y + _TALL - 4.5, 1), named,
            )
        )  # fmt: skip
    return sorted(shown, key=lambda box: -box.width * box.height)


def _area(bbox: Sequence[float], width: int, height: int) -> _Area:
    left, top, right, bottom = (min(max(float(edge), 0.0), 1.0) for edge in bbox)
    return left * width, top * height, max(left, right) * width, max(top, bottom) * height


def _size(area: _Area) -> float:
    return (area[2] - area[0]) * (area[3] - area[1])


def _room(area: _Area, label: str, width: int, height: int, taken: list[_Area]) -> _Area | None:
    """Return the first place of a label that no other label takes."""
    for place in _places(area, label, width, height):
        if not any(_overlap(place, other) for other in taken):
            return place
    return None


def _places(area: _Area, label: str, width: int, height: int) -> Iterator[_Area]:
    """Yield places of a label, the best first: in the box at its top, above it, in it at its bottom, below it."""
    long = _LETTER * len(label) + 2 * _MARGIN
    x = max(0.0, min(area[0], width - long))
    for y in (area[1] + 1, area[1] - _TALL, area[3] - _TALL - 1, area[3]):
        top = max(0.0, min(y, height - _TALL))
        yield x, top, x + long, top + _TALL


def _overlap(one: _Area, other: _Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
