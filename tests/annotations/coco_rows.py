"""Rows of a small COCO-format file, and what the tests of its reader share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import PipelineError
from pipeline.records import Box

Json = dict[str, Any]

IMAGE: Json = {"id": 1, "file_name": "one.jpg", "width": 100, "height": 50}
DOG: Json = {"id": 18, "name": "dog", "supercategory": "animal"}
BOX: Json = {"id": 7, "image_id": 1, "category_id": 18, "bbox": [10, 10, 50, 20], "iscrowd": 0}
CAPTION: Json = {"id": 5, "image_id": 1, "caption": "A dog."}


def refusal(work: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """Return the one line with which the work is refused."""
    with pytest.raises(PipelineError) as caught:
        work(*args, **kwargs)
    (line,) = str(caught.value).splitlines()
    return line


def edges(box: Box) -> list[float]:
    return [round(edge, 6) for edge in (box.x0, box.y0, box.x1, box.y1)]


def save_picture(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path)
