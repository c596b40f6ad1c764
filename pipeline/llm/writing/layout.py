"""Where things are: what may be said of boxes, with wide margins, so that nothing said is a matter of opinion.

All positions are fractions of the image, x to the right and y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

Side = Literal["left", "centre", "right"]
Level = Literal["top", "middle", "bottom"]

TINY = 0.002  # a smaller box may be named, but nothing is said of its size
_APART = 0.1  # centres nearer than this are a near tie
_OVERLAP = 0.2  # share of the smaller extent that two things may overlap and still be side by side
_LARGER = 1.7  # ratio of areas from which one thing clearly takes up more of the image


class Spot(NamedTuple):
    """One box, with what is asked of it again and again."""

    x0: float
    y0: float
    x1: float
    y1: float
    cx: float
    cy: float
    area: float


def spot(x0: float, y0: float, x1: float, y1: float) -> Spot:
    """Return the spot of a box, its corners put in order."""
    x0, x1 = min(x0, x1), max(x0, x1)
    y0, y1 = min(y0, y1), max(y0, y1)
    return Spot(x0, y0, x1, y1, (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) * (y1 - y0))


def side(box: Spot) -> Side | None:
    """Return which third across the box is clearly in, ``None`` if it is too wide or between two."""
    if box.cx <= 0.32 and box.x1 <= 0.5:
        return "left"
    if box.cx >= 0.68 and box.x0 >= 0.5:
        return "right"
    return "centre" if abs(box.cx - 0.5) <= 0.1 and box.x1 - box.x0 <= 0.5 else None


def level(box: Spot) -> Level | None:
    """Return which third down the box is clearly in, ``None`` if it is too tall or between two."""
    if box.cy <= 0.32 and box.y1 <= 0.5:
        return "top"
    if box.cy >= 0.68 and box.y0 >= 0.5:
        return "bottom"
    return "middle" if abs(box.cy - 0.5) <= 0.1 and box.y1 - box.y0 <= 0.5 else None


class Place(NamedTuple):
    """What is clear of a box's position; not both are ``None``."""

    side: Side | None
    level: Level | None
    corner: bool


def place(box: Spot) -> Place | None:
    """Return where the box is, ``None`` where nothing about it is clear."""
    across, down = side(box), level(box)
    if across in (None, "centre") and down in (None, "middle") and not (across and down):
        return None  # "in the centre" needs both, and "halfway down" alone says nothing
    corner = (
        across in ("left", "right")
        and down in ("top", "bottom")
        and min(box.cx, 1 - box.cx) <= 0.2
        and min(box.cy, 1 - box.cy) <= 0.2
    )
    return Place(across, down, corner)


def common_side(boxes: Sequence[Spot]) -> Side | None:
    """Return the side that all boxes are on."""
    first = side(boxes[0])
    return first if first in ("left", "right") and all(side(box) == first for box in boxes) else None


def common_level(boxes: Sequence[Spot]) -> Level | None:
    """Return the level that all boxes are at."""
    first = level(boxes[0])
    return first if first in ("top", "bottom") and all(level(box) == first for box in boxes) else None


def is_left_of(a: Spot, b: Spot) -> bool:
    """Tell whether ``a`` is clearly to the left of ``b``."""
    overlap = a.x1 - b.x0
    return b.cx - a.cx >= _APART and overlap <= _OVERLAP * min(a.x1 - a.x0, b.x1 - b.x0)


def is_above(a: Spot, b: Spot) -> bool:
    """Tell whether ``a`` is clearly higher in the image than ``b``."""
    overlap = a.y1 - b.y0
    return b.cy - a.cy >= _APART and overlap <= _OVERLAP * min(a.y1 - a.y0, b.y1 - b.y0)


def overlaps_across(a: Spot, b: Spot) -> bool:
    """Tell whether one stands over the other, so that "above" is meant literally."""
    return min(a.x1, b.x1) - max(a.x0, b.x0) >= 0.5 * min(a.x1 - a.x0, b.x1 - b.x0)


def is_larger(a: Spot, b: Spot) -> bool:
    """Tell whether ``a`` clearly takes up more of the image than ``b``."""
    return b.area >= TINY and a.area >= _LARGER * b.area


def is_close(a: Spot, b: Spot) -> bool:
    """Tell whether two boxes of like size stand side by side with hardly a gap between them."""
    if min(a.area, b.area) < 0.005 or max(a.area, b.area) > 4 * min(a.area, b.area):
        return False
    gap = max(a.x0, b.x0) - min(a.x1, b.x1)
    shared = min(a.y1, b.y1) - max(a.y0, b.y0)
    return -0.02 <= gap <= 0.05 and shared >= 0.6 * min(a.y1 - a.y0, b.y1 - b.y0)


def left_to_right(boxes: Sequence[Spot]) -> list[int] | None:
    """Return the boxes' indices in order across, ``None`` if two of them are not clearly apart."""
    order = sorted(range(len(boxes)), key=lambda index: boxes[index].cx)
    clear = all(is_left_of(boxes[a], boxes[b]) for a, b in pairwise(order))
    return order if clear else None
