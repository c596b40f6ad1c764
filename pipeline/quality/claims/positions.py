"""Whether a box is at a place. All positions are fractions of the image, x to the right and y down."""

from __future__ import annotations

from typing import Literal

import msgspec

from pipeline.quality.reading.places import Place
from pipeline.records import Box

Fit = Literal["yes", "perhaps", "no"]

# Where a place begins and ends. What is said of a centre between "fits" and "wrong" is a matter of opinion.
_FITS, _WRONG = 0.45, 0.55
_CLOSELY, _CLOSELY_WRONG = 0.4, 0.5
_ROUGHLY_WRONG, _SPREAD_WRONG = 0.65, 0.75
_REACHES = 0.2  # what begins this near to a side may be said to be there, wherever it ends

_THIRD, _CORNER, _NEAR_MIDDLE = 0.33, 0.2, 0.1  # where a centre is at a place for everybody


def area(box: Box) -> float:
    """Return the share of the image that a box fills."""
    return (box.x1 - box.x0) * (box.y1 - box.y0)


def share_inside(inner: Box, outer: Box) -> float:
    """Return how much of one box is inside another, from 0 to 1."""
    across = min(inner.x1, outer.x1) - max(inner.x0, outer.x0)
    down = min(inner.y1, outer.y1) - max(inner.y0, outer.y0)
    whole = area(inner)
    return across * down / whole if across > 0 and down > 0 and whole > 0 else 0.0


def gap_between(one: Box, other: Box) -> float:
    """Return how far two boxes are apart, as a share of the image; not above 0 where they overlap."""
    return max(
        max(one.x0, other.x0) - min(one.x1, other.x1),
        max(one.y0, other.y0) - min(one.y1, other.y1),
    )


def fit(place: Place, box: Box, frame: Box | None = None) -> Fit:
    """Tell whether a box is at a place, measured by the image or by another box."""
    x0, y0, x1, y1 = box.x0, box.y0, box.x1, box.y1
    if frame is not None:
        width, height = max(frame.x1 - frame.x0, 1e-6), max(frame.y1 - frame.y0, 1e-6)
        x0, x1 = (x0 - frame.x0) / width, (x1 - frame.x0) / width
        y0, y1 = (y0 - frame.y0) / height, (y1 - frame.y0) / height
    if place.spread and frame is not None:
        place = msgspec.structs.replace(place, spread=False)
    fits: list[Fit] = []
    if place.across:
        fits.append(_fit_axis(place.across, x0, x1, place, box.crowd))
    if place.down:
        fits.append(_fit_axis(place.down, y0, y1, place, box.crowd))
    if place.depth:
        fits.append(_fit_depth(place.depth, box))
    if "no" in fits:
        return "no"
    return "perhaps" if "perhaps" in fits else "yes"


def fits_well(place: Place, box: Box) -> bool:
    """Tell whether nobody can doubt that a box is at a place of the image."""
    if place.depth or place.loose or place.rough or place.aside or box.crowd:
        return False
    edge = _CORNER if place.close else _THIRD
    centres = ((place.across, (box.x0 + box.x1) / 2), (place.down, (box.y0 + box.y1) / 2))
    return all(_is_surely(side, centre, edge) for side, centre in centres if side)


def _is_surely(side: str, centre: float, edge: float) -> bool:
    if side == "middle":
        return abs(centre - 0.5) < _NEAR_MIDDLE
    return (1 - centre if side in ("right", "bottom") else centre) < edge


def _fit_axis(side: str, low: float, high: float, place: Place, crowd: bool) -> Fit:
    centre = (low + high) / 2
    if side in ("right", "bottom"):
        side, low, high, centre = "left", 1 - high, 1 - low, 1 - centre
    if side in ("left", "top"):
        if centre <= (_CLOSELY if place.close else _FITS):
            return "yes"
        if crowd and low <= _WRONG:
            return "perhaps"
        wrong = (
            _SPREAD_WRONG
            if place.spread
            else _ROUGHLY_WRONG
            if place.rough
            else _CLOSELY_WRONG
            if place.close
            else _WRONG
        )
        return "no" if centre > wrong and low > _REACHES else "perhaps"
    if 0.3 <= centre <= 0.7:
        return "yes"
    if low <= 0.45 and high >= 0.55:
        return "perhaps"
    return "no" if not 0.25 <= centre <= 0.75 else "perhaps"


def _fit_depth(depth: str, box: Box) -> Fit:
    size = area(box)
    if depth == "foreground":
        if size >= 0.1 or box.y1 >= 0.85:
            return "yes"
        return "no" if size < 0.01 and box.y1 < 0.55 else "perhaps"
    if size >= 0.25 and box.y1 >= 0.9:
        return "no"
    return "yes" if size < 0.05 or box.y1 < 0.7 else "perhaps"


def where(box: Box) -> str:
    """Return where a box is, for a person: ``left``, ``lower middle``."""
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    across = "left" if x < 1 / 3 else "right" if x > 2 / 3 else "middle"
    down = "upper" if y < 1 / 3 else "lower" if y > 2 / 3 else ""
    return f"{down} {across}".strip()
