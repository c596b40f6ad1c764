"""Boxes from pixels to fractions of the image, and the size that the pixels are counted on."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import msgspec

from pipeline.annotations.listing import Listed
from pipeline.annotations.pictures import size_in_file
from pipeline.annotations.rows import BoxRow, Id, Pixels, shown
from pipeline.errors import PipelineError
from pipeline.records import Box

# Rounding and sloppy drawing carry boxes a few pixels over the edge, and are clipped. A box that reaches further
# than this says that the size in the file is not that of the image that was annotated.
SLACK_SHARE, SLACK_PX = 0.1, 2

NO_BOX: Pixels = (0, 0, 0, 0)
NO_SIZE = (0, 0)

Size = tuple[int, int]
"""Width and height in pixels."""


class Placing(msgspec.Struct, frozen=True):
    """What boxes are placed by, beside the image they are in."""

    labels: dict[Id | None, str]
    """Of each category id that the rows have."""
    file: Path
    """The instances file, for messages."""
    dropped: Counter[str]
    """Counts what is left out, by reason."""

    def place(
        self, rows: list[BoxRow], image_id: str, image: Listed, path: Path | None
    ) -> tuple[list[Box], Size | None]:
        """Return the boxes of an image in fractions, clipped to it, in file order; and the image's size.

        Args:
            rows: Of this image.
            image_id: For messages.
            image: As it is listed.
            path: The image file; opened only where the listed size cannot be right.

        Raises:
            PipelineError: The boxes fit neither the listed size nor that of the image file.
        """
        labels = self.labels
        width, height = map(float, image.size or NO_SIZE)
        boxes = []
        for row in rows:
            x, y, w, h = row.bbox or NO_BOX
            right, bottom = x + w, y + h
            # An image with any box that is not plainly right is done again, carefully.
            if not (x >= 0.0 and y >= 0.0 and w > 0.0 and h > 0.0 and right <= width and bottom <= height):
                return self._place_carefully(rows, image_id, image, path)
            # Written out: a call for each of 860,001 boxes takes a tenth of the whole time.
            x, y = x or 0.0, y or 0.0  # no -0.0
            box = Box(labels[row.category_id], x / width, y / height, right / width, bottom / height, row.iscrowd == 1)
            boxes.append(box)
        return boxes, image.size

    def _place_carefully(
        self, rows: list[BoxRow], image_id: str, image: Listed, path: Path | None
    ) -> tuple[list[Box], Size | None]:
        sound = _sound(rows, self.dropped)
        size = _size(image_id, image, [box for _, box in sound], path, self.file) if sound else None
        return (_clipped(sound, self.labels, size, self.dropped) if size else []), size or image.size


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
    right, bottom = (side * (1 + SLACK_SHARE) + SLACK_PX for side in size)
    return sum(x + w <= right and y + h <= bottom for x, y, w, h in boxes)
