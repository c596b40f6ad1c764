"""The images that the annotation files list, matched by id."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

from pipeline.annotations.rows import CaptionFile, ImageRow, InstanceFile, LicenceRow, shown
from pipeline.errors import PipelineError

LARGEST_SIDE_PX = 2**31 - 1  # what the int32 columns of a sample hold; a larger number is no image's size


class Listed(msgspec.Struct, frozen=True, gc=False):
    """One image, as far as the files tell."""

    names: tuple[str, ...]
    """What the files call it, the first name first; several where they differ, none where no file names it."""
    size: tuple[int, int] | None
    """Width and height in pixels, or None where no file tells both, or what it tells is no image's size."""
    licence: str | None

    @property
    def file_name(self) -> str:
        """The first name, or empty."""
        return self.names[0] if self.names else ""


def list_images(
    caption_file: CaptionFile, captions: Path, box_file: InstanceFile, instances: Path, dropped: Counter[str]
) -> dict[str, Listed]:
    """Return the images of both files by id: those of the instances file, then the others of the captions file.

    Where both list an image, the instances file counts: its boxes were drawn on that size. The captions file fills
    in what it leaves open. Repeated entries are counted in ``dropped``.

    Raises:
        PipelineError: An image has an empty id, or two different sizes in one file.
    """
    listed = _one_file(box_file.images, box_file.licenses, instances, dropped)
    for image_id, other in _one_file(caption_file.images, caption_file.licenses, captions, dropped).items():
        first = listed.get(image_id)
        listed[image_id] = _filled(first, other) if first else other
    return listed


def _one_file(rows: list[ImageRow], licences: list[LicenceRow], path: Path, dropped: Counter[str]) -> dict[str, Listed]:
    named = {str(row.id): _licence(row) for row in licences}
    listed: dict[str, Listed] = {}
    for number, row in enumerate(rows, start=1):
        image_id = str(row.id)
        if not image_id:
            raise PipelineError(f"{path}: image number {number} has an empty id; give it one")
        licence = None if row.license is None else named.get(str(row.license))
        image = Listed((row.file_name,) if row.file_name else (), _size(row), licence)
        first = listed.setdefault(image_id, image)
        if first is not image:
            dropped["images listed more than once"] += 1
            if first.size and image.size and first.size != image.size:
                sizes = " and ".join(f"{width} × {height}" for width, height in (first.size, image.size))
                raise PipelineError(
                    f"{path}: image {shown(image_id)} is listed twice, as {sizes}; remove the wrong entry"
                )
            listed[image_id] = _filled(first, image)
    return listed


def _filled(first: Listed, other: Listed) -> Listed:
    if first.names == other.names and first.size and first.licence:
        return first
    names = tuple(dict.fromkeys(first.names + other.names))
    return Listed(names, first.size or other.size, first.licence or other.licence)


def _size(row: ImageRow) -> tuple[int, int] | None:
    if row.width and row.height and 0 < row.width <= LARGEST_SIDE_PX and 0 < row.height <= LARGEST_SIDE_PX:
        return row.width, row.height
    return None


def _licence(row: LicenceRow) -> str | None:
    name, url = (row.name or "").strip(), (row.url or "").strip()
    return f"{name} ({url})" if name and url else name or url or None
