"""The box around a COCO segmentation, for annotations that have one and no ``bbox``, or a ``bbox`` without area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pipeline.annotations.rows import Pixels

NOWHERE: Pixels = (math.nan, math.nan, math.nan, math.nan)


def has_area(box: Sequence[float]) -> bool:
    """Return whether a box in pixels has finite numbers and an area."""
    return box[2] > 0 and box[3] > 0 and all(map(math.isfinite, box))


def box_or_around(box: Pixels, segmentation: Any) -> Pixels:
    """Return the box, or where only the segmentation has one with an area, that one."""
    if has_area(box):
        return box
    try:
        around = box_around(segmentation)
    except ValueError:
        return box
    return around if around and has_area(around) else box


def box_around(segmentation: Any) -> Pixels | None:
    """Return the smallest box around a segmentation, in pixels, or None where the segmentation is empty.

    Args:
        segmentation: As in the file: a list of polygons ``[x, y, x, y, …]`` (or a single one), or a run-length
            encoding ``{"size": [height, width], "counts": …}``, compressed (text) or not (a list of run lengths).

    Raises:
        ValueError: It is none of these; the text says why.
    """
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        return _around_runs(segmentation)
    if not isinstance(segmentation, list):
        raise ValueError("segmentation is neither polygons nor a run-length encoding")
    polygons = segmentation if isinstance(segmentation[0], list) else [segmentation]
    return _around_polygons(polygons)


def _around_polygons(polygons: list[Any]) -> Pixels | None:
    # Not by pycocotools: it needs the image size, draws the polygon on whole pixels, and takes four numbers for a box.
    # The corners' extremes are what COCO's own bbox is.
    numbers: list[float] = []
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) % 2 or not all(_is_number(value) for value in polygon):
            raise ValueError("segmentation has a polygon that is not a list of x, y pairs")
        try:
            numbers += map(float, polygon)
        except OverflowError:  # a whole number beyond the range of floats
            return NOWHERE
    if not numbers:
        return None
    if not all(map(math.isfinite, numbers)):
        return NOWHERE
    xs, ys = numbers[::2], numbers[1::2]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def _around_runs(runs: dict[str, Any]) -> Pixels:
    size, counts = runs.get("size"), runs.get("counts")
    # pycocotools trusts its input down to a division by zero in C, so everything is checked here.
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int and 0 < side < 2**16 for side in size)):
        raise ValueError("segmentation is a run-length encoding without a size of [height, width]")
    from pycocotools import mask

    if isinstance(counts, list) and all(type(run) is int and run >= 0 for run in counts):
        if sum(counts) != size[0] * size[1]:
            raise ValueError("segmentation has run lengths that do not add up to its size")
        encoded = mask.frPyObjects({"size": size, "counts": counts}, *size)
    elif isinstance(counts, str) and all("0" <= letter <= "o" for letter in counts):
        encoded = {"size": size, "counts": counts.encode()}
    else:
        raise ValueError("segmentation has counts that are neither run lengths nor their compressed text")
    x, y, width, height = mask.toBbox(encoded).tolist()
    return x, y, width, height


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
