"""The images that the annotation files list, matched by id."""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

import msgspec

from pipeline.annotations.files import AnnotationFile
from pipeline.annotations.rows import BoxRow, CaptionRow, ImageRow, LicenceRow, shown
from pipeline.errors import PipelineError

AnyRow = TypeVar("AnyRow", CaptionRow, BoxRow)

LARGEST_SIDE_PX = 2**31 - 1  # what the int32 columns of a sample hold; a larger number is no image's size


class Listed(msgspec.Struct, frozen=True, gc=False):
    """One image, as far as the files tell."""

    place: int
    """Grows in the order of the scenes: the images of the instances file, then those of the captions file."""
    names: tuple[str, ...]
    """What the files call it, the first name first; several where they differ, none where no file names it."""
    size: tuple[int, int] | None
    """Width and height in pixels, or None where no file tells both, or what it tells is no image's size."""
    licence: str | None

    @property
    def file_name(self) -> str:
        """The first name, or empty."""
        return self.names[0] if self.names else ""


class Listing:
    """Tells the images of two files, part by part."""

    def __init__(self, captions: AnnotationFile[CaptionRow], instances: AnnotationFile[BoxRow]) -> None:
        """Take the two files."""
        self._captions = captions
        self._instances = instances
        self._caption_licences = _licences(captions)
        self._instance_licences = _licences(instances)

    def images(self, part: int, dropped: Counter[str]) -> dict[str, Listed]:
        """Return the images of a part by id.

        Where both files list an image, the instances file counts: its boxes were drawn on that size. The captions file
        fills in what it leaves open. Repeated entries are counted in ``dropped``.

        Raises:
            PipelineError: An image has an empty id, or two different sizes in one file.
        """
        listed = _one_file(self._instances, self._instance_licences, part, 0, dropped)
        later = len(self._instances.images)
        others = _one_file(self._captions, self._caption_licences, part, later, dropped)
        for image_id, other in others.items():
            first = listed.get(image_id)
            listed[image_id] = _filled(first, other) if first else other
        return listed


def _licences(file: AnnotationFile[AnyRow]) -> dict[str, str | None]:
    return {str(row.id): _licence(row) for row in file.licences}


def _one_file(
    file: AnnotationFile[AnyRow], licences: dict[str, str | None], part: int, before: int, dropped: Counter[str]
) -> dict[str, Listed]:
    listed: dict[str, Listed] = {}
    for number, row in file.images.part(part):
        image_id = str(row.id)
        if not image_id:
            raise PipelineError(f"{file.path}: image number {number} has an empty id; give it one")
        licence = None if row.license is None else licences.get(str(row.license))
        image = Listed(before + number, (row.file_name,) if row.file_name else (), _size(row), licence)
        first = listed.setdefault(image_id, image)
        if first is not image:
            dropped["images listed more than once"] += 1
            if first.size and image.size and first.size != image.size:
                sizes = " and ".join(f"{width} × {height}" for width, height in (first.size, image.size))
                raise PipelineError(
                    f"{file.path}: image {shown(image_id)} is listed twice, as {sizes}; remove the wrong entry"
                )
            listed[image_id] = _filled(first, image)
    return listed


def _filled(first: Listed, other: Listed) -> Listed:
    if first.names == other.names and first.size and first.licence:
        return first
    names = tuple(dict.fromkeys(first.names + other.names))
    return Listed(first.place, names, first.size or other.size, first.licence or other.licence)


def _size(row: ImageRow) -> tuple[int, int] | None:
    if row.width and row.height and 0 < row.width <= LARGEST_SIDE_PX and 0 < row.height <= LARGEST_SIDE_PX:
        return row.width, row.height
    return None


def _licence(row: LicenceRow) -> str | None:
    name, url = (row.name or "").strip(), (row.url or "").strip()
    return f"{name} ({url})" if name and url else name or url or None
