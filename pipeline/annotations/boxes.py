"""Boxes from pixels to fractions of the image, and the size that the pixels are counted on."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache
from pathlib import Path

from pipeline.annotations.listing import Listed
from pipeline.annotations.pictures import size_in_file
from pipeline.annotations.rows import BoxRow, Id, Pixels, shown
from pipeline.errors import PipelineError
from pipeline.records import Box

# Rounding and sloppy drawing carry boxes a few pixels over the edge, and are clipped. A box that reaches further
# than this says that the size in the file is not that of the image that was annotated.
SLACK_SHARE, SLACK_PX = 0.1, 2

NO_BOX: Pixels = (0, 0, 0, 0)

Size = tuple[int, int]
"""Width and height in pixels."""


def place_boxes(
    rows: list[BoxRow],
    known: dict[Id | None, str],
    labels: dict[Id | None, str],
    listed: dict[str, Listed],
    paths: dict[str, Path],
    file: Path,
    dropped: Counter[str],
) -> tuple[dict[str, list[Box]], dict[str, Size]]:
    """Return the boxes of each image in fractions, clipped to it, in file order; and sizes other than the listed ones.

    Args:
        rows: Annotations of listed images.
        known: Each image id as the rows have it, to the same as text.
        labels: Label of each category id that the rows have.
        listed: The images by id.
        paths: Image files by image id; opened only where the listed size cannot be right.
        file: The instances file, for messages.
        dropped: Counts what is left out, by reason.

    Raises:
        PipelineError: The boxes of an image fit neither the listed size nor that of the image file.
    """
    boxes: dict[str, list[Box]] = {image_id: [] for image_id in known.values()}
    slots = {key: (boxes[image_id], *_bounds(listed[image_id].size)) for key, image_id in known.items()}
    awkward: dict[str, list[BoxRow]] = {}
    # In file order, not image by image: rows lie in memory in that order, and fetching each from far away takes
    # nearly twice the time. An image with any box that is not plainly right is done again, carefully.
    for row in rows:
        placed, width, height, far_right, far_bottom = slots[row.image_id]
        x, y, w, h = pixels = row.bbox or NO_BOX
        if w > 0.0 and h > 0.0 and x < width and y < height and 0.0 < x + w <= far_right and 0.0 < y + h <= far_bottom:
            placed.append(_box(labels[row.category_id], pixels, width, height, row.iscrowd == 1))
        else:
            awkward[known[row.image_id]] = []
    if awkward:
        for row in rows:
            image_id = known[row.image_id]
            if image_id in awkward:
                awkward[image_id].append(row)
    corrected: dict[str, Size] = {}
    for image_id, group in awkward.items():
        image = listed[image_id]
        sound = _sound(group, dropped)
        size = _size(image_id, image, [box for _, box in sound], paths.get(image_id), file) if sound else None
        boxes[image_id] = _clipped(sound, labels, size, dropped) if size else []
        if size and size != image.size:
            corrected[image_id] = size
    return boxes, corrected


def _box(label: str, pixels: Pixels, width: float, height: float, crowd: bool) -> Box:
    x, y, w, h = pixels
    right, bottom = x + w, y + h
    return Box(
        label,
        x / width if x > 0.0 else 0.0,
        y / height if y > 0.0 else 0.0,
        right / width if right < width else 1.0,
        bottom / height if bottom < height else 1.0,
        crowd,
    )


def _sound(rows: list[BoxRow], dropped: Counter[str]) -> list[tuple[BoxRow, Pixels]]:
    """Return the rows whose box has finite numbers and an area, with that box."""
    sound = []
    for row in rows:
        if row.bbox is None:
            dropped["annotations without box or segmentation"] += 1
        elif not all(map(math.isfinite, row.bbox)):
            dropped["boxes with NaN or infinite numbers"] += 1
        elif row.bbox[2] <= 0 or row.bbox[3] <= 0:
            dropped["boxes with no area"] += 1
        else:
            sound.append((row, row.bbox))
    return sound


def _clipped(
    rows: list[tuple[BoxRow, Pixels]], labels: dict[Id | None, str], size: Size, dropped: Counter[str]
) -> list[Box]:
    boxes = []
    for row, pixels in rows:
        x, y, w, h = pixels
        if x >= size[0] or y >= size[1] or x + w <= 0 or y + h <= 0:
            dropped["boxes wholly outside the image"] += 1
        else:
            boxes.append(_box(labels[row.category_id], pixels, *size, row.iscrowd == 1))
    return boxes


def _size(image_id: str, image: Listed, boxes: list[Pixels], path: Path | None, file: Path) -> Size:
    """Return the size that the boxes were drawn on.

    The listed size counts as long as every box fits. Where one does not, the image file decides; without it, a box
    that most others contradict is itself at fault.

    Raises:
        PipelineError: Neither the listed size nor that of the image file is one that the boxes fit.
    """
    if image.size and _fitting(boxes, image.size) == len(boxes):
        return image.size
    found = size_in_file(path) if path else None
    for size in (found, image.size):
        if size and (found == image.size or 2 * _fitting(boxes, size) > len(boxes)):
            return size
    stated = f"a size of {image.size[0]} × {image.size[1]} that its boxes exceed" if image.size else "no usable size"
    if found:
        advice = f"its boxes do not fit the {found[0]} × {found[1]} of {shown(path)} either; correct width and height"
    elif path:
        advice = f"{shown(path)} cannot be opened as an image; correct width and height"
    else:
        advice = f"pass --images DIR with {shown(image.file_name) or 'its image file'}, or correct width and height"
    raise PipelineError(f"{file}: image {shown(image_id)} has {stated}; {advice}")


def _fitting(boxes: list[Pixels], size: Size) -> int:
    """Return how many boxes end within the image, or nearly so."""
    _, _, right, bottom = _bounds(size)
    return sum(x + w <= right and y + h <= bottom for x, y, w, h in boxes)


@cache  # A large set has few sizes: sharing their numbers keeps them near at hand.
def _bounds(size: Size | None) -> tuple[float, float, float, float]:
    """Return width and height, and how far right and down a box may reach without casting doubt on them."""
    if size is None:
        return 0.0, 0.0, 0.0, 0.0
    width, height = map(float, size)
    return width, height, width * (1 + SLACK_SHARE) + SLACK_PX, height * (1 + SLACK_SHARE) + SLACK_PX
