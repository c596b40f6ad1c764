"""What the tests of the annotation reader share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from coco_rows import DOG, IMAGE

from pipeline.annotations.coco import Annotations, read_scenes


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Annotations]:
    """Write the given rows to files and read them."""

    def write_and_read(
        boxes: list[Any] | None = None,
        captions: list[Any] | None = None,
        images: list[Any] | None = None,
        categories: list[Any] | None = None,
        folder: Path | None = None,
        **more: Any,
    ) -> Annotations:
        top = {"images": [IMAGE] if images is None else images, **more}
        box_path = caption_path = None
        if boxes is not None:
            box_path = tmp_path / "instances.json"
            box_file = {**top, "annotations": boxes, "categories": [DOG] if categories is None else categories}
            box_path.write_text(json.dumps(box_file), encoding="utf-8")
        if captions is not None:
            caption_path = tmp_path / "captions.json"
            caption_path.write_text(json.dumps({**top, "annotations": captions}), encoding="utf-8")
        return read_scenes(caption_path, box_path, folder)

    return write_and_read
