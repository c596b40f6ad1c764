"""COCO-format captions and boxes, as people really have them, to scenes.

What can be read right is read; what cannot is refused in one line that names file and id; what is left out is
counted. How fast, and in how much memory: ``benchmarks/annotations.py``.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from pipeline.annotations import files
from pipeline.annotations.boxes import place_boxes
from pipeline.annotations.categories import read_categories
from pipeline.annotations.files import find_files
from pipeline.annotations.listing import Listed, list_images
from pipeline.annotations.pictures import find_pictures, size_in_file
from pipeline.annotations.rows import BoxRow, CaptionFile, CaptionRow, Id, InstanceFile, shown
from pipeline.errors import PipelineError
from pipeline.records import Scene

__all__ = ["Annotations", "find_files", "read_scenes"]

AnnotationRow = TypeVar("AnnotationRow", CaptionRow, BoxRow)

ENOUGH_IN_COMMON = 0.1  # of the annotated images of the smaller file; two random splits of one set share none
USUAL_IN_COMMON = 0.5  # below this, a person is told


class Annotations(msgspec.Struct, frozen=True):
    """What the annotation files tell, and what was left out of it."""

    scenes: list[Scene]
    """In file order: the images of the instances file, then those that only the captions file lists."""
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
    with _without_garbage_collection():
        box_file = files.read_instances(instances) if instances else InstanceFile([], [])
        caption_file = files.read_captions(captions) if captions else CaptionFile([], [])
        if captions and instances:
            return _join(caption_file, captions, box_file, instances, images)
        alone = captions or instances
        if alone is None:
            raise PipelineError("no annotation file given; pass --annotations DIR, --captions FILE or --instances FILE")
        return _join(caption_file, alone, box_file, alone, images)


def _join(
    caption_file: CaptionFile, captions: Path, box_file: InstanceFile, instances: Path, images: Path | None
) -> Annotations:
    dropped: Counter[str] = Counter()
    listed = list_images(caption_file, captions, box_file, instances, dropped)
    labels, categories = read_categories(box_file, instances)
    caption_rows, captioned = _of_listed(caption_file.annotations, listed, dropped)
    box_rows, boxed = _of_listed(box_file.annotations, listed, dropped)
    _compare_images(set(captioned.values()), captions, set(boxed.values()), instances, dropped)
    paths = find_pictures(listed, images) if images else {}
    lines = _lines(caption_rows, captioned, dropped)
    boxes, corrected = place_boxes(box_rows, boxed, labels, listed, paths, instances, dropped)

    scenes = []
    for image_id, image in listed.items():
        if not lines.get(image_id) and not boxes.get(image_id):
            dropped["images with neither caption nor box"] += 1
            continue
        path = paths.get(image_id)
        width, height = corrected.get(image_id) or image.size or (path and size_in_file(path)) or (0, 0)
        texts, objects = tuple(lines.get(image_id, ())), tuple(boxes.get(image_id, ()))
        scenes.append(Scene(image_id, image.file_name, width, height, texts, objects, image.licence, path))
    _check_scenes(scenes, images, dropped, captions, instances)
    return Annotations(scenes, categories, {reason: count for reason, count in dropped.items() if count})


def _check_scenes(
    scenes: list[Scene], images: Path | None, dropped: Counter[str], captions: Path, instances: Path
) -> None:
    if not scenes:
        files = " or ".join(dict.fromkeys((str(captions), str(instances))))
        why = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)
        left_out = f" (left out: {why})" if why else ""
        raise PipelineError(f"no image with a caption or a box in {files}{left_out}; pass a file with annotations")
    if images is None:
        return
    lost = sum(scene.path is None for scene in scenes)
    if lost == len(scenes):
        name = shown(scenes[0].file_name) or "an image without a file_name"
        raise PipelineError(f"none of the {lost} image files is in {images}, the first being {name}; check --images")
    dropped[f"image files that are not in {images}"] += lost


def _of_listed(
    rows: list[AnnotationRow], listed: dict[str, Listed], dropped: Counter[str]
) -> tuple[list[AnnotationRow], dict[Id | None, str]]:
    """Return the rows of listed images, each once, and the image ids they have, to the same as text."""
    ids = {row.image_id for row in rows}
    known: dict[Id | None, str] = {
        image_id: text for image_id in ids if image_id is not None and (text := str(image_id)) in listed
    }
    ours = rows if len(known) == len(ids) else [row for row in rows if row.image_id in known]
    once = _without_repeats(ours)
    dropped["annotations of images that are not listed"] += len(rows) - len(ours)
    dropped["annotations listed more than once"] += len(ours) - len(once)
    return once, known


def _without_repeats(rows: list[AnnotationRow]) -> list[AnnotationRow]:
    # Ids alone do not tell: many files number their annotations anew for each image. Rows without id are all kept,
    # since two people may well have written the same caption.
    if len({row.id for row in rows}) == len(rows):
        return rows
    met: set[AnnotationRow] = set()
    once = []
    for row in rows:
        if row.id is None or row not in met:
            met.add(row)
            once.append(row)
    return once


def _compare_images(
    captioned: set[str], captions: Path, boxed: set[str], instances: Path, dropped: Counter[str]
) -> None:
    """Refuse files that hardly have an image in common, and count what is in doubt where few are."""
    smaller, common = min(len(captioned), len(boxed)), len(captioned & boxed)
    if smaller and common < ENOUGH_IN_COMMON * smaller:
        raise PipelineError(
            f"{captions} and {instances} have {common} annotated images in common (image "
            f"{shown(min(captioned - boxed))} is only in the first, {shown(min(boxed - captioned))} only in the "
            "second); are they from different splits? Pass two files of the same images"
        )
    if common < USUAL_IN_COMMON * smaller:
        dropped["images that only one of the two files annotates (kept)"] += len(captioned ^ boxed)


def _lines(rows: list[CaptionRow], known: dict[Id | None, str], dropped: Counter[str]) -> dict[str, list[str]]:
    """Return the captions of each image, in file order."""
    lines: dict[str, list[str]] = {image_id: [] for image_id in known.values()}
    slots = {key: lines[image_id] for key, image_id in known.items()}
    for row in rows:
        line = _line(row.caption or "")
        if line:
            slots[row.image_id].append(line)
        else:
            dropped["captions without text"] += 1
    return lines


def _line(caption: str) -> str:
    caption = caption.strip()
    if caption.isprintable():  # then it has no line break; nearly all captions go this quick way
        return caption
    return " ".join(filter(None, map(str.strip, caption.splitlines())))


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
