"""Rows and scenes in temporary files: nothing changes on the way, and memory stays as it is."""

from __future__ import annotations

import errno
import io
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from coco_rows import DOG, refusal

from pipeline import temporary
from pipeline.annotations import chunks, store
from pipeline.annotations.coco import read_scenes
from pipeline.annotations.store import PARTS, Parts, Picked, Scenes
from pipeline.errors import PipelineError
from pipeline.records import Box, Scene

SCENES = [
    Scene("1", "a.jpg", 640, 480, ("A dog.", "犬"), (Box("dog", 0.1, 1 / 3, 0.7, 1.0), Box("cup", 0, 0, 1, 1, True))),
    Scene("b", "", 0, 0, ("Two.",), (), "CC0", Path(os.fsdecode(b"pictures/\xff.jpg"))),
    Scene("10", "c.jpg", 1, 1, (), (Box("x" * 300, 5e-324, 0.0, 0.1 + 0.2, 1.0),)),
]


@pytest.fixture(params=[1, 2**20])
def scenes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Scenes:
    """Return scenes on the disk, and in memory."""
    monkeypatch.setattr(temporary, "IN_MEMORY_BYTES", request.param)
    kept = Scenes()
    for scene in SCENES:
        kept.add(scene)
    return kept


def test_scenes_come_back_as_they_were_in_any_order(scenes: Scenes) -> None:
    assert list(scenes) == SCENES
    assert [scenes[place] for place in (2, 0, -1, 1)] == [SCENES[place] for place in (2, 0, -1, 1)]
    assert scenes[1:] == SCENES[1:]
    assert len(scenes) == 3
    with pytest.raises(IndexError):
        scenes[3]


def test_scenes_can_be_added_after_some_were_looked_at(scenes: Scenes) -> None:
    assert scenes[0] == SCENES[0]
    scenes.add(SCENES[1])
    assert list(scenes) == [*SCENES, SCENES[1]]


def test_picked_scenes_may_be_picked_from_again(scenes: Scenes) -> None:
    picked = Picked(Picked(scenes, [2, 0]), [1, 0, 1])
    assert list(picked) == [SCENES[0], SCENES[2], SCENES[0]]
    assert picked[:2] == [SCENES[0], SCENES[2]]


def test_rows_of_an_image_are_in_one_part_in_their_order() -> None:
    ids: list[int | str | None] = [7, "7", 7 + PARTS, "img/a-1", -3, None, 2**63, str(2**63), "img/a-1"]
    parts = Parts(tuple[int, str])
    for start in (0, 100):
        parts.add(ids, [(start + number, str(image_id)) for number, image_id in enumerate(ids)])
    few = [parts.part(number) for number in range(PARTS)]
    assert few[0] == sorted(few[0], key=lambda row: row[0])
    assert not any(few[1:])
    parts.deal()
    dealt = [parts.part(number) for number in range(PARTS)]
    assert sorted(row for part in dealt for row in part) == sorted(few[0])
    assert len(parts) == sum(map(len, dealt)) == 2 * len(ids)
    for image_id in ("7", "img/a-1", str(2**63)):
        assert len([part for part in dealt if image_id in [text for _, text in part]]) == 1
    assert all(part == sorted(part) for part in dealt)


def test_a_full_disk_is_one_line(scenes: Scenes, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, _: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(scenes._store, "_file", Full())
    assert "cannot use the temporary folder: No space left" in refusal(scenes.add, SCENES[0])


@pytest.mark.parametrize("few", [0, 5, 12, 30])  # all rows are dealt to parts, some are many and some few, all are few
def test_few_rows_and_many_make_the_same_scenes(few: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [{"id": 61 * n % 100, "file_name": f"{n}.jpg", "width": 640, "height": 480} for n in range(10)]
    boxes = [
        {"id": n, "image_id": 61 * n % 100, "category_id": 18, "bbox": [n, 1, 50.5, 60]}
        for n in (*range(10), *range(10))
    ]
    captions = [{"id": n, "image_id": 61 * n % 100, "caption": f"Dog {n}."} for n in range(8)]
    (tmp_path / "i.json").write_text(json.dumps({"images": images, "annotations": boxes, "categories": [DOG]}))
    (tmp_path / "c.json").write_text(json.dumps({"images": images[3:], "annotations": captions}))
    monkeypatch.setattr(store, "FEW", few)
    scenes = read_scenes(tmp_path / "c.json", tmp_path / "i.json").scenes
    assert [(scene.file_name, scene.captions, len(scene.boxes)) for scene in scenes] == [
        (f"{n}.jpg", (f"Dog {n}.",) if n < 8 else (), 1) for n in range(10)
    ]


@pytest.mark.parametrize("few", [0, 2, 10])
def test_numbers_that_are_too_large_to_pack_are_read_all_the_same(
    few: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [{"id": 1, "file_name": "1.jpg", "width": 640, "height": 480, "license": -(2**70)}]
    images.append({"id": 2**64, "file_name": "2.jpg", "width": 10**20, "height": 480})
    boxes = [{"id": 10**25 + n, "image_id": 1, "category_id": 18, "bbox": [n, 1, 50, 60]} for n in range(3)]
    captions = [{"id": 10**25, "image_id": 2**64, "caption": "A dog."}, {"id": 1, "image_id": 1, "caption": "A cat."}]
    (tmp_path / "i.json").write_text(json.dumps({"images": images, "annotations": boxes, "categories": [DOG]}))
    (tmp_path / "c.json").write_text(json.dumps({"images": images, "annotations": captions}))
    monkeypatch.setattr(store, "FEW", few)
    scenes = read_scenes(tmp_path / "c.json", tmp_path / "i.json").scenes
    assert [(scene.image_id, scene.width, len(scene.boxes)) for scene in scenes] == [("1", 640, 3), (str(2**64), 0, 0)]


def test_five_times_the_images_take_hardly_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FEW", 1000)
    monkeypatch.setattr(temporary, "IN_MEMORY_BYTES", 2**16)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 2**17)
    path = tmp_path / "instances.json"
    peaks = []
    for count in (400, 2000):
        images = [{"id": n, "file_name": f"{n:012}.jpg", "width": 640, "height": 480} for n in range(count)]
        boxes = [
            {"id": n, "image_id": n // 9, "category_id": 18, "bbox": [n % 99, 1, 50.5, 60]} for n in range(9 * count)
        ]
        path.write_text(json.dumps({"images": images, "annotations": boxes, "categories": [DOG]}))
        tracemalloc.start()
        try:
            assert sum(len(scene.boxes) for scene in read_scenes(None, path).scenes) == 9 * count
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] - peaks[0] < 800 * 1600  # bytes an image; nine boxes in memory take more than 2000


class Short(io.BytesIO):
    """A disk that is full after 3,000 bytes, and takes what fits."""

    def write(self, data: Any) -> int:
        return super().write(data[: max(0, 3000 - self.tell())])


def test_a_disk_that_is_full_when_memory_is_left_loses_nothing_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary, "IN_MEMORY_BYTES", 4000)
    monkeypatch.setattr(temporary.tempfile, "TemporaryFile", lambda **_: Short())
    store = temporary.Store(mixed=True)
    starts = [store.put(bytes([n]) * 1000) for n in range(4)]
    assert store.get(starts[3], 1000) == b"\3" * 1000
    with pytest.raises(PipelineError, match="cannot use the temporary folder: No space left"):
        store.put(b"x")
    assert [store.get(start, 1)[0] for start in starts] == [0, 1, 2, 3]
