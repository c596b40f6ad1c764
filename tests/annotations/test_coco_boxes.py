"""Boxes, image sizes and image files as people have them: read right, dropped and counted, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from coco_rows import BOX, CAPTION, DOG, IMAGE, Json, edges, refusal, save_picture
from pycocotools import mask

from pipeline.annotations.coco import Annotations, read_scenes

# Boxes


def test_a_crowd_keeps_its_box(read: Callable[..., Annotations]) -> None:
    crowd, bare = {**BOX, "iscrowd": 1}, {key: BOX[key] for key in BOX if key != "iscrowd"}
    boxes = read([crowd, {**BOX, "iscrowd": True}, {**BOX, "iscrowd": None}, bare]).scenes[0].boxes
    assert [box.crowd for box in boxes] == [True, False]  # the second repeats the first, the last the third


def test_an_iscrowd_that_is_neither_0_nor_1_is_refused(read: Callable[..., Annotations]) -> None:
    assert "instances.json: annotation 7: iscrowd is 'maybe'" in refusal(read, [{**BOX, "iscrowd": "maybe"}])


def test_numbers_written_as_text_are_read(read: Callable[..., Annotations]) -> None:
    found = read([{**BOX, "bbox": ["10", "10.0", " 50", "2e1"]}], images=[{**IMAGE, "width": "100", "height": "50.0"}])
    assert edges(found.scenes[0].boxes[0]) == [0.1, 0.2, 0.6, 0.6]


def test_a_box_over_the_edge_is_clipped_to_the_image(read: Callable[..., Annotations]) -> None:
    boxes = read([{**BOX, "bbox": [-30, 40, 40, 15]}, {**BOX, "bbox": [95, -5.5, 5.01, 10.5]}]).scenes[0].boxes
    assert [edges(box) for box in boxes] == [[0, 0.8, 0.1, 1], [0.95, 0, 1, 0.1]]


@pytest.mark.parametrize(
    ("bbox", "reason"),
    [
        ([10, 10, 0, 5], "boxes with no area"),
        ([10, 10, 5, 0.0], "boxes with no area"),
        ([10, 10, -5, 5], "boxes with no area"),
        ([float("nan"), 10, 5, 5], "boxes with NaN or infinite numbers"),
        ([10, 10, float("inf"), 5], "boxes with NaN or infinite numbers"),
        ([10, -float("inf"), 5, 5], "boxes with NaN or infinite numbers"),
        (["NaN", 10, 5, 5], "boxes with NaN or infinite numbers"),
        ([10**400, 10, 5, 5], "boxes with NaN or infinite numbers"),
        ([102, 10, 5, 5], "boxes wholly outside the image"),
        ([10, -20, 5, 20], "boxes wholly outside the image"),
        (None, "annotations without box or segmentation"),
        ([], "annotations without box or segmentation"),
    ],
)
def test_a_box_that_shows_nothing_is_dropped_and_counted(
    read: Callable[..., Annotations], bbox: Any, reason: str
) -> None:
    found = read([BOX, {**BOX, "bbox": bbox}, {**BOX, "bbox": [0, 0, 5, 5]}])
    assert [edges(box) for box in found.scenes[0].boxes] == [[0.1, 0.2, 0.6, 0.6], [0, 0, 0.05, 0.1]]
    assert found.dropped == {reason: 1}


@pytest.mark.parametrize(
    "bbox", [[1, 2, 3], [1, 2, 3, 4, 5], ["a", "b", "c", "d"], "1 2 3 4", [1, 2, None, 4], {"x": 1}]
)
def test_a_box_that_is_not_four_numbers_is_refused(read: Callable[..., Annotations], bbox: Any) -> None:
    line = refusal(read, [BOX, {**BOX, "id": 8, "bbox": bbox}])
    assert "instances.json: annotation 8: bbox is" in line
    assert "not four numbers" in line


def test_a_missing_box_comes_from_the_polygons(read: Callable[..., Annotations]) -> None:
    polygons = [[10, 10, 30, 12, 20, 30], [40, 20, 60, 20, 60, 25.5, 40, 25.5]]
    rows = [{**BOX, "bbox": None, "segmentation": polygons}, {**BOX, "bbox": None, "segmentation": polygons[0]}]
    boxes = read(rows).scenes[0].boxes
    assert [edges(box) for box in boxes] == [[0.1, 0.2, 0.6, 0.6], [0.1, 0.2, 0.3, 0.6]]


def test_a_missing_box_comes_from_the_mask_compressed_or_not(read: Callable[..., Annotations]) -> None:
    runs = {"size": [50, 100], "counts": [50 * 10 + 10, 20, 30, 20, 50 * 88 + 20]}  # columns 10 and 11, rows 10 to 29
    packed = mask.frPyObjects(runs, 50, 100)
    rows = [
        {"id": 1, "image_id": 1, "category_id": 18, "iscrowd": 1, "segmentation": runs},
        {"id": 2, "image_id": 1, "category_id": 18, "segmentation": {**packed, "counts": packed["counts"].decode()}},
    ]
    boxes = read(rows).scenes[0].boxes
    assert [edges(box) for box in boxes] == [[0.1, 0.2, 0.12, 0.6]] * 2
    assert [box.crowd for box in boxes] == [True, False]


@pytest.mark.parametrize("bbox", [[0, 0, 0, 0], [10, 10, -5, 5], [0, 0, float("nan"), 4], ["0", "0", "0", "0"]])
@pytest.mark.parametrize(
    "segmentation",
    [[[10, 10, 30, 12, 20, 30]], {"size": [50, 100], "counts": [50 * 10 + 10, 20] + [30, 20] * 19 + [50 * 70 + 20]}],
)
def test_a_box_without_area_comes_from_the_segmentation(
    read: Callable[..., Annotations], bbox: Any, segmentation: Any
) -> None:
    found = read([BOX, {**BOX, "id": 8, "bbox": bbox, "segmentation": segmentation}])
    assert [edges(box) for box in found.scenes[0].boxes] == [[0.1, 0.2, 0.6, 0.6], [0.1, 0.2, 0.3, 0.6]]
    assert found.dropped == {}


@pytest.mark.parametrize("segmentation", [None, [], "?", {"size": "?"}, [[1, 1, 5, 1]], [[10**400, 1, 5, 5]]])
@pytest.mark.parametrize("info", [0, float("nan")])
def test_a_box_without_area_is_dropped_where_its_segmentation_has_none_either(
    read: Callable[..., Annotations], segmentation: Any, info: float
) -> None:
    found = read([BOX, {**BOX, "bbox": [1, 1, 0, 5], "segmentation": segmentation}], info=info)
    assert len(found.scenes[0].boxes) == 1
    assert found.dropped == {"boxes with no area": 1}


@pytest.mark.parametrize(
    "segmentation",
    [
        "none",
        [[1, 2, 3]],
        [["a", "b"]],
        {"counts": [1, 2]},
        {"size": [0, 0], "counts": [0]},
        {"size": [50, 100], "counts": [1, 2]},
        {"size": [50, 100], "counts": "\x7f!"},
    ],
)
def test_a_broken_segmentation_in_place_of_a_box_is_refused(
    read: Callable[..., Annotations], segmentation: Any
) -> None:
    line = refusal(read, [BOX, {**BOX, "id": 8, "bbox": None, "segmentation": segmentation}])
    assert "instances.json: annotation 8: it has no bbox, and its segmentation" in line


def test_a_broken_segmentation_beside_a_box_does_no_harm(read: Callable[..., Annotations]) -> None:
    assert len(read([{**BOX, "segmentation": {"counts": None, "size": "?"}}]).scenes[0].boxes) == 1


# Sizes


@pytest.mark.parametrize(
    "size",
    [
        {},
        {"width": 0, "height": 0},
        {"width": None},
        {"width": 1, "height": 3},
        {"width": "?"},
        {"width": 2**31, "height": 50},
        {"width": 100, "height": 10**400},
    ],
)
def test_a_size_that_cannot_be_right_comes_from_the_image_file(
    read: Callable[..., Annotations], tmp_path: Path, size: Json
) -> None:
    save_picture(tmp_path / "pictures" / "one.jpg", 100, 50)
    (scene,) = read([BOX], images=[{"id": 1, "file_name": "one.jpg", **size}], folder=tmp_path / "pictures").scenes
    assert (scene.width, scene.height) == (100, 50)
    assert edges(scene.boxes[0]) == [0.1, 0.2, 0.6, 0.6]


@pytest.mark.parametrize(
    "size",
    [
        {},
        {"width": 0, "height": 0},
        {"width": -100, "height": 50},
        {"width": 1, "height": 3},
        {"width": 3_000_000_000, "height": 50},
        {"width": 10**400, "height": 50},
    ],
)
def test_a_size_that_nothing_tells_is_refused(read: Callable[..., Annotations], size: Json) -> None:
    line = refusal(read, [BOX], images=[{"id": 1, "file_name": "one.jpg", **size}])
    assert "instances.json: image 1 has" in line
    assert "pass --images DIR with one.jpg" in line


def test_a_size_that_the_image_file_cannot_tell_either_is_refused(
    read: Callable[..., Annotations], tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(b"not a picture")
    bare = [{"id": 1, "file_name": "one.jpg"}]
    assert "one.jpg cannot be opened as an image" in refusal(read, [BOX], images=bare, folder=folder)
    save_picture(folder / "one.jpg", 8, 8)
    assert "do not fit the 8 × 8 of" in refusal(read, [BOX], images=bare, folder=folder)


def test_a_size_in_doubt_is_settled_by_an_image_file_that_agrees(
    read: Callable[..., Annotations], tmp_path: Path
) -> None:
    save_picture(tmp_path / "pictures" / "one.jpg", 100, 50)
    found = read([{**BOX, "bbox": [50, 10, 500, 20]}], folder=tmp_path / "pictures")
    assert edges(found.scenes[0].boxes[0]) == [0.5, 0.2, 1, 0.6]


def test_one_stray_box_among_many_does_not_cast_doubt_on_the_size(read: Callable[..., Annotations]) -> None:
    found = read([BOX, {**BOX, "bbox": [0, 0, 5, 5]}, {**BOX, "bbox": [300, 10, 20, 20]}])
    assert len(found.scenes[0].boxes) == 2
    assert found.dropped == {"boxes wholly outside the image": 1}


def test_captions_alone_need_no_size_but_take_it_where_it_is_at_hand(
    read: Callable[..., Annotations], tmp_path: Path
) -> None:
    bare = [{"id": 1, "file_name": "one.jpg"}]
    (scene,) = read(captions=[CAPTION], images=bare).scenes
    assert (scene.width, scene.height) == (0, 0)
    save_picture(tmp_path / "pictures" / "one.jpg", 100, 50)
    (scene,) = read(captions=[CAPTION], images=bare, folder=tmp_path / "pictures").scenes
    assert (scene.width, scene.height) == (100, 50)


# Image files


def test_image_files_are_found_by_name_and_by_base_name(read: Callable[..., Annotations], tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    save_picture(folder / "sub" / "a.jpg", 4, 4)
    save_picture(folder / "b.jpg", 4, 4)
    names = ["sub/a.jpg", "train/b.jpg", "C:\\data\\b.jpg", "../pictures/b.jpg", "/etc/b.jpg", "gone.jpg", None]
    images = [{**IMAGE, "id": n, "file_name": name} for n, name in enumerate(names)]
    found = read(captions=[{**CAPTION, "image_id": n} for n in range(len(names))], images=images, folder=folder)
    assert [scene.path for scene in found.scenes] == [folder / "sub" / "a.jpg", *[folder / "b.jpg"] * 4, None, None]
    assert found.dropped == {f"image files that are not in {folder}": 2}


OLD, NEW = "COCO_val2014_000000000001.jpg", "000000000001.jpg"


@pytest.mark.parametrize(("there", "listed"), [(NEW, OLD), (OLD, NEW), (f"sub/{NEW}", f"sub/{OLD}"), (OLD, OLD)])
def test_image_files_are_found_by_the_names_of_2014_and_of_2017(
    read: Callable[..., Annotations], tmp_path: Path, there: str, listed: str
) -> None:
    save_picture(tmp_path / "pictures" / there, 100, 50)
    found = read([BOX], images=[{**IMAGE, "file_name": listed}], folder=tmp_path / "pictures")
    assert found.scenes[0].path == tmp_path / "pictures" / there


def test_an_image_file_is_found_by_the_name_that_only_one_of_the_files_gives(tmp_path: Path) -> None:
    instances, captions, folder = tmp_path / "i.json", tmp_path / "c.json", tmp_path / "pictures"
    save_picture(folder / "dog.jpg", 100, 50)
    instances.write_text(json.dumps({"images": [IMAGE], "annotations": [BOX], "categories": [DOG]}))
    captions.write_text(json.dumps({"images": [{**IMAGE, "file_name": "dog.jpg"}], "annotations": [CAPTION]}))
    (scene,) = read_scenes(captions, instances, folder).scenes
    assert (scene.file_name, scene.path) == ("one.jpg", folder / "dog.jpg")


def test_a_name_never_leads_out_of_the_image_folder(read: Callable[..., Annotations], tmp_path: Path) -> None:
    save_picture(tmp_path / "secret.jpg", 4, 4)
    save_picture(tmp_path / "pictures" / "one.jpg", 4, 4)
    images = [IMAGE] + [
        {**IMAGE, "id": n, "file_name": name} for n, name in ((2, "../secret.jpg"), (3, f"{tmp_path}/secret.jpg"))
    ]
    found = read(captions=[{**CAPTION, "image_id": n} for n in (1, 2, 3)], images=images, folder=tmp_path / "pictures")
    assert [scene.path is None for scene in found.scenes] == [False, True, True]


def test_a_folder_without_any_of_the_images_is_refused(read: Callable[..., Annotations], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert f"none of the 1 image files is in {empty}, the first being one.jpg" in refusal(read, [BOX], folder=empty)
    assert "no image folder at" in refusal(read, [BOX], folder=tmp_path / "nowhere")
