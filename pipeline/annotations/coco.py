"""COCO-format captions and boxes, as people really have them, to scenes.

What can be read right is read; what cannot is refused in one line that names file and id; what is left out is
counted. How fast, and in how much memory: ``benchmarks/annotations.py``.
"""

from __future__ import annotations

import gc
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

import msgspec

from pipeline.annotations import files
from pipeline.annotations.boxes import Placing
from pipeline.annotations.categories import read_categories
from pipeline.annotations.files import AnnotationFile, find_files
from pipeline.annotations.listing import Listed, Listing
from pipeline.annotations.pictures import Pictures, size_in_file
from pipeline.annotations.rows import BoxRow, CaptionRow, Id, shown
from pipeline.annotations.store import Picked, Scenes, deal_alike
from pipeline.errors import PipelineError
from pipeline.records import Scene

__all__ = ["Annotations", "find_files", "read_scenes"]

AnnotationRow = TypeVar("AnnotationRow", CaptionRow, BoxRow)

ENOUGH_IN_COMMON = 0.1  # of the annotated images of the smaller file; two random splits of one set share none
USUAL_IN_COMMON = 0.5  # below this, a person is told


class Annotations(msgspec.Struct, frozen=True):
    """What the annotation files tell, and what was left out of it."""

    scenes: Sequence[Scene]
    """In file order: the images of the instances file, then those that only the captions file lists. They lie in a
    temporary file and are unpacked one at a time."""
    categories: dict[str, str]
    """Category name to supercategory (empty where there is none), in file order, used or not.

    Boxes tell only what is in an image. What a checker of samples looks for beyond that, such as a category that is
    claimed and not there, it finds in this list.
    """
    dropped: dict[str, int]
    """What was left out, or is in doubt: a reason in words, and how often."""


def read_scenes(captions: Path | None, instances: Path | None, images: Path | None = None) -> Annotations:
    """Return one scene for each image that has a caption or a box.

    Args:
        captions: COCO-format captions file; at least one of the two files is needed.
        instances: COCO-format instances file. Images are matched by id, since file names differ between releases.
        images: Folder of the image files. They are opened only where the annotation file cannot have the size right.

    Raises:
        PipelineError: Something cannot be read right; the line names file and id.
    """
    alone = captions or instances
    if alone is None:
        raise PipelineError("no annotation file given; pass --annotations DIR, --captions FILE or --instances FILE")
    with _without_garbage_collection():
        box_file = files.read_instances(instances) if instances else AnnotationFile(alone, BoxRow)
        caption_file = files.read_captions(captions) if captions else AnnotationFile(alone, CaptionRow)
        return _join(caption_file, box_file, Pictures(images) if images else None)


def _join(
    caption_file: AnnotationFile[CaptionRow], box_file: AnnotationFile[BoxRow], pictures: Pictures | None
) -> Annotations:
    """Join the rows of both files by image, part by part: never more than one part is in memory."""
    dropped: Counter[str] = Counter()
    labels, categories = read_categories(box_file)
    listing = Listing(caption_file, box_file)
    placing = Placing(labels, box_file.path, dropped)
    common = _Common()
    scenes, places = Scenes(), array("Q")
    stores = [store for file in (caption_file, box_file) for store in (file.images, file.annotations)]
    for part in deal_alike(*stores):
        images = listing.images(part, dropped)
        caption_rows = _by_image(caption_file.annotations.part(part), images, dropped)
        box_rows = _by_image(box_file.annotations.part(part), images, dropped)
        common.add(caption_rows.keys(), box_rows.keys())
        for image_id, image in images.items():
            lines = _lines(caption_rows.get(image_id, []), dropped)
            path = pictures.find(image) if pictures else None
            boxes, size = placing.place(box_rows.get(image_id, []), image_id, image, path)
            if lines or boxes:
                width, height = size or (path and size_in_file(path)) or (0, 0)
                licence = image.licence
                scene = Scene(image_id, image.file_name, width, height, lines, tuple(boxes), licence, path)
                scenes.add(scene)
                places.append(image.place)
            else:
                dropped["images with neither caption nor box"] += 1
    common.check(caption_file.path, box_file.path, dropped)
    if not scenes:
        _refuse_nothing(caption_file.path, box_file.path, dropped)
    in_order = Picked(scenes, sorted(range(len(scenes)), key=places.__getitem__))
    if pictures:
        _count_lost(in_order, pictures.folder, dropped)
    return Annotations(in_order, categories, {reason: count for reason, count in dropped.items() if count})


def _refuse_nothing(captions: Path, instances: Path, dropped: Counter[str]) -> NoReturn:
    files = " or ".join(dict.fromkeys((str(captions), str(instances))))
    why = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)
    left_out = f" (left out: {why})" if why else ""
    raise PipelineError(f"no image with a caption or a box in {files}{left_out}; pass a file with annotations")


def _count_lost(scenes: Sequence[Scene], folder: Path, dropped: Counter[str]) -> None:
    lost = sum(scene.path is None for scene in scenes)
    if lost == len(scenes):
        name = shown(scenes[0].file_name) or "an image without a file_name"
        raise PipelineError(f"none of the {lost} image files is in {folder}, the first being {name}; check --images")
    dropped[f"image files that are not in {folder}"] += lost


class _Slots(dict[Id | None, list[AnnotationRow]], Generic[AnnotationRow]):
    """For each image id, as rows have it, the rows of that image; ``1`` and ``"1"`` share theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.by_text: dict[str, list[AnnotationRow]] = {}

    def __missing__(self, image_id: Id | None) -> list[AnnotationRow]:
        text = "" if image_id is None else str(image_id)  # no image has an empty id
        self[image_id] = rows = self.by_text.setdefault(text, [])
        return rows


def _by_image(
    rows: Sequence[AnnotationRow], images: Mapping[str, Listed], dropped: Counter[str]
) -> dict[str, list[AnnotationRow]]:
    """Return the rows of listed images by image, each once, in file order."""
    slots: _Slots[AnnotationRow] = _Slots()
    for row in rows:
        slots[row.image_id].append(row)
    groups = slots.by_text
    for image_id in groups.keys() - images.keys():
        dropped["annotations of images that are not listed"] += len(groups.pop(image_id))
    # Ids alone do not tell: many files number their annotations anew for each image.
    if len({row.id for row in rows}) < len(rows):
        for image_id, group in groups.items():
            groups[image_id] = once = _without_repeats(group)
            dropped["annotations listed more than once"] += len(group) - len(once)
    return groups


def _without_repeats(rows: list[AnnotationRow]) -> list[AnnotationRow]:
    # Field by field, since the readers make rows of several classes.
    tell = attrgetter(*(BoxRow if isinstance(rows[0], BoxRow) else CaptionRow).__struct_fields__)
    # Rows without id are all kept, since two people may well have written the same caption.
    met: set[tuple[object, ...]] = set()
    once = []
    for row in rows:
        told = tell(row)
        if row.id is None or told not in met:
            met.add(told)
            once.append(row)
    return once


class _Common:
    """How many annotated images two files have in common."""

    def __init__(self) -> None:
        self._captioned = self._boxed = self._both = 0
        self._only_captioned: set[str] = set()
        self._only_boxed: set[str] = set()

    def add(self, captioned: Set[str], boxed: Set[str]) -> None:
        """Count the images of a part."""
        self._captioned += len(captioned)
        self._boxed += len(boxed)
        self._both += len(captioned & boxed)
        self._only_captioned.update(sorted(captioned - boxed)[:1])  # for a message, one is enough
        self._only_boxed.update(sorted(boxed - captioned)[:1])

    def check(self, captions: Path, instances: Path, dropped: Counter[str]) -> None:
        """Refuse files that hardly have an image in common, and count what is in doubt where few are."""
        smaller, common = min(self._captioned, self._boxed), self._both
        if smaller and common < ENOUGH_IN_COMMON * smaller:
            raise PipelineError(
                f"{captions} and {instances} have {common} annotated images in common (image "
                f"{shown(min(self._only_captioned))} is only in the first, {shown(min(self._only_boxed))} only in the "
                "second); are they from different splits? Pass two files of the same images"
            )
        if common < USUAL_IN_COMMON * smaller:
            neither = self._captioned + self._boxed - 2 * common
            dropped["images that only one of the two files annotates (kept)"] += neither


def _lines(rows: list[CaptionRow], dropped: Counter[str]) -> tuple[str, ...]:
    """Return the captions of an image, in file order, each as one line."""
    texts = [text for row in rows if (text := (row.caption or "").strip())]
    if len(texts) < len(rows):
        dropped["captions without text"] += len(rows) - len(texts)
    if all(map(str.isprintable, texts)):  # then there is no line break; nearly all captions go this quick way
        return tuple(texts)
    return tuple(" ".join(filter(None, map(str.strip, text.splitlines()))) for text in texts)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    # Millions of new rows, none of them in a cycle: the collector would walk them all again and again.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
