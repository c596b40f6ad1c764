"""What several tests need: one image with one dog, a server that plays replies, and a home for each test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.records import Box, Scene

REPO = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in its own folder, without the key and address of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def dog() -> Scene:
    return Scene(
        "7", "dog.jpg", 640, 480, ("A dog runs.", 'The "good" dog.'), (Box("dog", 0.25, 0.1234, 0.5, 1.0),), "CC0"
    )


@pytest.fixture(scope="session")
def coco_sample() -> Path:
    """Real COCO annotations, where somebody has them; not part of the project."""
    folder = Path(os.environ.get("COCO_SAMPLE", REPO.parent / "shared" / "data" / "coco-sample"))
    if not folder.is_dir():
        pytest.skip("needs the COCO sample; set COCO_SAMPLE to its folder")
    return folder


@pytest.fixture
def coco(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of small COCO-format folders: ``coco(count)`` makes so many images with a dog and a cup each."""

    def write(count: int = 1, folder: str = "annotations") -> Path:
        images: list[dict[str, Any]] = [
            {"id": n, "file_name": f"{n}.jpg", "width": 640, "height": 480, "license": 1} for n in range(1, count + 1)
        ]
        captions = [
            {"id": 2 * n + k, "image_id": n, "caption": text.format(n=n)}
            for n in range(1, count + 1)
            for k, text in enumerate(("A dog next to cup number {n}. ", "A brown dog."))
        ]
        boxes = [
            {"id": 2 * n + k, "image_id": n, "category_id": k + 1, "bbox": bbox, "iscrowd": 0}
            for n in range(1, count + 1)
            for k, bbox in enumerate(([64, 48, 128.5, 240], [400, 300, 40 + n % 100, 60]))
        ]
        categories = [
            {"id": 1, "name": "dog", "supercategory": "animal"},
            {"id": 2, "name": "cup", "supercategory": "kitchen"},
        ]
        licences = [{"id": 1, "name": "Attribution", "url": "http://example.org/by"}]
        path = tmp_path / folder
        path.mkdir(parents=True, exist_ok=True)
        for name, rows in (("captions", captions), ("instances", boxes)):
            content = {"images": images, "annotations": rows, "categories": categories, "licenses": licences}
            (path / f"{name}_tiny.json").write_text(json.dumps(content))
        return path

    return write
