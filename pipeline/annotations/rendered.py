"""Drawn scenes with known truth: pictures with COCO-format captions and instances, made from nothing but a seed.

Every scene depends on the seed and its own number only, so a longer set begins with the shorter one. What is said of
a picture can be held against what was drawn: besides COCO's own fields, an annotation has the object's ``colour`` and
the spot ``where`` it is; an image has its ``place``, ``mood`` (day, sunset or night) and what its background shows.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from random import Random
from typing import Any, Literal

from PIL import Image

from pipeline.annotations.drawn import table
from pipeline.annotations.drawn.captions import captions
from pipeline.annotations.drawn.compose import DrawnScene, compose
from pipeline.annotations.drawn.things import THINGS
from pipeline.errors import PipelineError

Style = Literal["places", "table"]
"""places: rooms, streets and landscapes; table: a few things to eat, in small pictures, for models that are small."""

QUICKSTART_COUNT = 12
QUICKSTART_SEED = 34  # chosen by eye among many: each place once, people, crowds and single things, noon to night

LICENCE = {"id": 1, "name": "CC0-1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}
INFO = {"description": "Drawn scenes with known truth", "version": "1.0", "contributor": "python -m pipeline scenes"}


def draw_scene(seed: int, index: int, style: Style = "places") -> tuple[Image.Image, DrawnScene, list[str]]:
    """Return picture ``index`` (from 0) of the endless set ``seed``, the truth about it, and five captions."""
    rng = Random(f"captions {seed} {index}")
    if style == "table":
        picture, scene = table.compose(seed, index)
        return picture, scene, table.captions(scene, rng)
    picture, scene = compose(seed, index)
    return picture, scene, captions(scene, rng)


def draw_scenes(count: int, out: Path, seed: int = 0, style: Style = "places") -> None:
    """Draw ``count`` scenes into ``out``: ``images/``, ``captions_scenes.json`` and ``instances_scenes.json``.

    Args:
        count: How many; the first of them are the same for any larger count.
        out: A folder that is empty or not there yet. It appears when everything in it is complete.
        seed: Which of the endless sets to draw.
        style: What they show.

    Raises:
        PipelineError: ``count`` is below 1, ``out`` holds files, or it cannot be written.
    """
    if count < 1:
        raise PipelineError(f"cannot draw {count} scenes; ask for at least 1")
    out = out.resolve()
    if out.exists() and not out.is_dir():
        raise PipelineError(f"{out} is a file; name a new or empty folder for the scenes")
    try:
        if out.exists() and any(out.iterdir()):
            raise PipelineError(f"{out} already holds files; name a new or empty folder for the scenes")
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as beside:
            complete = Path(beside) / "scenes"
            _write(count, complete, seed, style)
            if out.exists():
                out.rmdir()
            complete.rename(out)
    except OSError as error:
        raise PipelineError(
            f"cannot write scenes to {out}: {error.strerror}; free some space or name another folder"
        ) from error


def _write(count: int, folder: Path, seed: int, style: Style) -> None:
    (folder / "images").mkdir(parents=True)
    images: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    instances: list[dict[str, Any]] = []
    for index in range(count):
        picture, scene, sentences = draw_scene(seed, index, style)
        number = index + 1
        name = f"images/{number:06d}.jpg"
        # Full colour resolution: flat colours have sharp edges, which halved colour would smear.
        picture.save(folder / name, quality=86, subsampling=0, optimize=True)
        images.append(_image(number, name, scene))
        told += [{"id": len(told) + i, "image_id": number, "caption": text} for i, text in enumerate(sentences, 1)]
        instances += _instances(scene, number, len(instances) + 1)
    common = {"info": INFO, "licenses": [LICENCE], "images": images}
    categories = [{"id": t.number, "name": name, "supercategory": t.group} for name, t in THINGS.items()]
    _save(folder / "captions_scenes.json", {**common, "annotations": told})
    _save(folder / "instances_scenes.json", {**common, "annotations": instances, "categories": categories})


def _image(number: int, name: str, scene: DrawnScene) -> dict[str, Any]:
    return {
        "id": number,
        "file_name": Path(name).name,
        "width": scene.width,
        "height": scene.height,
        "license": LICENCE["id"],
        "place": scene.place,
        "mood": scene.mood,
        "seen": scene.seen,
    }


def _instances(scene: DrawnScene, image: int, first: int) -> list[dict[str, Any]]:
    return [
        {
            "id": first + i,
            "image_id": image,
            "category_id": THINGS[one.category].number,
            "bbox": one.bbox,
            "area": one.area,
            "iscrowd": 0,
            "segmentation": one.outline,
            "colour": one.colour,
            "where": one.where,
        }
        for i, one in enumerate(scene.objects)
    ]


def _save(path: Path, document: dict[str, Any]) -> None:
    """Write JSON with one record a line, so that a person can read it and a change shows up as a small difference."""
    parts = []
    for key, value in document.items():
        if isinstance(value, list):
            lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in value)
            parts.append(f"{json.dumps(key)}: [\n{lines}\n]")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    path.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")
