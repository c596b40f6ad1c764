"""Whether one thing is beside, above or on another, by their boxes."""

from __future__ import annotations

from pipeline.quality.claims.positions import Fit
from pipeline.quality.reading.statements import Side
from pipeline.records import Box

_APART = 0.03  # of the image: centres nearer than this are level
_ASIDE = 0.05  # of the image: what is no further beyond two things may be said to be between them
_FAR = 0.3  # of the image: what is further apart is not next to each other
_TOUCH = 0.08  # of the image: boxes of things that touch are hardly further apart
_SPAN = 0.2  # of the larger side of what another thing is on: what is further off is not on it


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
    span = _SPAN * max(other.x1 - other.x0, other.y1 - other.y0)  # boxes leave out a saddle, a howdah or a cloth
    if max(across, down) > max(_TOUCH, span) or one.y0 > other.y1:
        return "no"
    return "yes" if max(across, down) <= 0 else "perhaps"


def relate_between(one: Box, ends: tuple[Box, Box]) -> Fit:
    """Tell whether ``one`` is between two others, along the axis on which these are further apart."""
    (x, y), (x0, y0), (x1, y1) = _centre(one), _centre(ends[0]), _centre(ends[1])
    where, low, high = (x, *sorted((x0, x1))) if abs(x1 - x0) >= abs(y1 - y0) else (y, *sorted((y0, y1)))
    if low <= where <= high:
        return "yes"
    return "perhaps" if low - _ASIDE <= where <= high + _ASIDE else "no"


def _centre(box: Box) -> tuple[float, float]:
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


def _order(ahead: float, lenient: bool = False) -> Fit:
    if ahead >= _APART:
        return "yes"
    return "perhaps" if lenient or ahead > -_APART else "no"
