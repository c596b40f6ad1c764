"""Whether one thing is beside, above or on another, by their boxes."""

from __future__ import annotations

from pipeline.quality.positions import Fit
from pipeline.quality.statements import Side
from pipeline.records import Box

_APART = 0.03  # of the image: centres nearer than this are level
_FAR = 0.3  # of the image: what is further apart is not next to each other
_TOUCH = 0.08  # of the image: boxes of things that touch are hardly further apart


def relate(side: Side, one: Box, other: Box) -> Fit:
    """Tell whether ``one`` is at a side of ``other``."""
    x, y = (one.x0 + one.x1) / 2, (one.y0 + one.y1) / 2
    other_x, other_y = (other.x0 + other.x1) / 2, (other.y0 + other.y1) / 2
    across = max(one.x0, other.x0) - min(one.x1, other.x1)  # the gap; negative where they overlap
    down = max(one.y0, other.y0) - min(one.y1, other.y1)
    if side == "left":
        return _order(other_x - x)
    if side == "right":
        return _order(x - other_x)
    if side == "above":
        return (
            "no"
            if y > other_y + _APART and one.y0 > other.y0 and one.y1 > other.y1
            else _order(other_y - y, lenient=True)
        )
    if side == "below":
        return (
            "no"
            if y < other_y - _APART and one.y1 < other.y1 and one.y0 < other.y0
            else _order(y - other_y, lenient=True)
        )
    if side == "near":
        gap = max(across, down)
        return "yes" if gap < _FAR / 2 else "no" if gap > _FAR else "perhaps"
    if max(across, down) > _TOUCH or one.y0 > other.y1:
        return "no"
    return "yes" if max(across, down) <= 0 else "perhaps"


def _order(ahead: float, lenient: bool = False) -> Fit:
    if ahead >= _APART:
        return "yes"
    return "perhaps" if lenient or ahead > -_APART else "no"
