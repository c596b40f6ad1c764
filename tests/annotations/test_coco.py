"""The annotation reader on files as people have them: read right, or refused in one line that names file and id."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask

from pipeline.annotations.coco import Annotations, find_files, read_scenes
from pipeline.errors import PipelineError
from pipeline.records import Box

SAMPLE = Path(os.environ.get("COCO_SAMPLE", Path(__file__).parents[2] / ".." / "shared" / "data" / "coco-sample"))

Json = dict[str, Any]

IMAGE: Json = {"id": 1, "file_name": "one.jpg", "width": 100, "height": 50}
DOG: Json = {"id": 18, "name": "dog", "supercategory": "animal"}
BOX: Json = {"id": 7, "image_id": 1, "category_id": 18, "bbox": [10, 10, 50, 20], "iscrowd": 0}
CAPTION: Json = {"id": 5, "image_id": 1, "caption": "A dog."}


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


def refusal(read: Callable[..., Annotations], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(PipelineError) as caught:
        read(*args, **kwargs)
    (line,) = str(caught.value).splitlines()
    return line


def edges(box: Box) -> list[float]:
    return [round(edge, 6) for edge in (box.x0, box.y0, box.x1, box.y1)]


def save_picture(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path)


# Scenes: captions and boxes of one image come together


def test_captions_and_boxes_of_an_image_become_one_scene(read: Callable[..., Annotations]) -> None:
    found = read([BOX], [CAPTION])
    (scene,) = found.scenes
    assert (scene.image_id, scene.file_name, scene.width, scene.height) == ("1", "one.jpg", 100, 50)
    assert scene.captions == ("A dog.",)
    assert scene.boxes == (Box("dog", 0.1, 0.2, 0.6, 0.6),)
    assert found.categories == {"dog": "animal"}
    assert found.dropped == {}


def test_images_match_by_id_whatever_each_release_calls_them(tmp_path: Path) -> None:
    instances, captions = tmp_path / "i.json", tmp_path / "c.json"
    new, old = {**IMAGE, "file_name": "000001.jpg"}, {**IMAGE, "file_name": "COCO_val2014_000001.jpg", "width": 99}
    instances.write_text(json.dumps({"images": [new], "annotations": [BOX], "categories": [DOG]}))
    captions.write_text(json.dumps({"images": [old], "annotations": [CAPTION]}))
    (scene,) = read_scenes(captions, instances).scenes
    assert (scene.file_name, scene.width) == ("000001.jpg", 100)


def test_the_captions_file_fills_in_what_the_instances_file_leaves_open(tmp_path: Path) -> None:
    instances, captions = tmp_path / "i.json", tmp_path / "c.json"
    instances.write_text(json.dumps({"images": [{"id": 1}], "annotations": [BOX], "categories": [DOG]}))
    captions.write_text(json.dumps({"images": [IMAGE], "annotations": [CAPTION]}))
    (scene,) = read_scenes(captions, instances).scenes
    assert (scene.file_name, scene.width, scene.height) == ("one.jpg", 100, 50)


def test_scenes_come_in_file_order_and_those_of_the_captions_file_alone_last(tmp_path: Path) -> None:
    instances, captions = tmp_path / "i.json", tmp_path / "c.json"
    boxes = [{**BOX, "image_id": 3}, {**BOX, "image_id": 2}]
    words = [{**CAPTION, "image_id": n} for n in (9, 2, 3)]
    images = [{**IMAGE, "id": n} for n in (3, 2)]
    instances.write_text(json.dumps({"images": images, "annotations": boxes, "categories": [DOG]}))
    captions.write_text(json.dumps({"images": [{**IMAGE, "id": n} for n in (9, 2, 3)], "annotations": words}))
    assert [scene.image_id for scene in read_scenes(captions, instances).scenes] == ["3", "2", "9"]


def test_one_file_alone_is_enough(read: Callable[..., Annotations]) -> None:
    assert read(boxes=[BOX]).scenes[0].captions == ()
    assert read(captions=[CAPTION]).scenes[0].boxes == ()


def test_an_image_with_neither_caption_nor_box_is_counted(read: Callable[..., Annotations]) -> None:
    found = read([BOX], [], images=[IMAGE, {**IMAGE, "id": 2}])
    assert [scene.image_id for scene in found.scenes] == ["1"]
    assert found.dropped == {"images with neither caption nor box": 1}


def test_licences_come_with_their_address(read: Callable[..., Annotations]) -> None:
    licences = [{"id": 1, "name": "BY", "url": "http://by"}, {"id": 2, "url": "http://sa"}, {"id": "3", "name": "PD"}]
    images = [{**IMAGE, "id": n, "license": n} for n in (1, 2, 3, 4)] + [{**IMAGE, "id": 5}]
    words = [{**CAPTION, "image_id": n} for n in (1, 2, 3, 4, 5)]
    scenes = read(captions=words, images=images, licenses=licences).scenes
    assert [scene.licence for scene in scenes] == ["BY (http://by)", "http://sa", "PD", None, None]


# Ids


@pytest.mark.parametrize("image_id", [1, 1.0, "1"])
@pytest.mark.parametrize("row_id", [1, 1.0, "1"])
def test_an_id_may_be_number_or_text(read: Callable[..., Annotations], image_id: Any, row_id: Any) -> None:
    rows = {"boxes": [{**BOX, "image_id": row_id}], "captions": [{**CAPTION, "image_id": row_id}]}
    (scene,) = read(**rows, images=[{**IMAGE, "id": image_id}]).scenes
    assert scene.image_id == "1"
    assert len(scene.captions) == len(scene.boxes) == 1


@pytest.mark.parametrize("own", ["img/a-1", "0001", "日本", 10**25, -3])
def test_ids_of_any_form_are_kept_as_they_are(read: Callable[..., Annotations], own: Any) -> None:
    (scene,) = read(captions=[{**CAPTION, "image_id": own}], images=[{**IMAGE, "id": own}]).scenes
    assert scene.image_id == str(own)


def test_annotations_may_share_an_id(read: Callable[..., Annotations]) -> None:
    found = read([BOX, {**BOX, "bbox": [0, 0, 5, 5]}], [CAPTION, {**CAPTION, "caption": "Another."}])
    assert len(found.scenes[0].boxes) == len(found.scenes[0].captions) == 2


def test_a_row_repeated_exactly_counts_once(read: Callable[..., Annotations]) -> None:
    found = read([BOX, BOX], [CAPTION, CAPTION, CAPTION])
    assert len(found.scenes[0].boxes) == len(found.scenes[0].captions) == 1
    assert found.dropped == {"annotations listed more than once": 3}


def test_two_people_may_write_the_same_caption(read: Callable[..., Annotations]) -> None:
    same = {"image_id": 1, "caption": "A dog."}
    assert read(captions=[same, same]).scenes[0].captions == ("A dog.", "A dog.")


def test_annotations_of_no_listed_image_are_counted(read: Callable[..., Annotations]) -> None:
    found = read([BOX, {**BOX, "image_id": 99}, {**BOX, "image_id": None}], [CAPTION])
    assert len(found.scenes) == 1
    assert found.dropped == {"annotations of images that are not listed": 2}


def test_of_repeated_images_the_first_counts(read: Callable[..., Annotations]) -> None:
    found = read([BOX], images=[IMAGE, {**IMAGE, "file_name": "two.jpg"}])
    assert found.scenes[0].file_name == "one.jpg"
    assert found.dropped == {"images listed more than once": 1}


def test_an_image_of_two_sizes_is_refused(read: Callable[..., Annotations]) -> None:
    line = refusal(read, [BOX], images=[IMAGE, {**IMAGE, "width": 101}])
    assert "instances.json: image 1 is listed twice, as 100 × 50 and 101 × 50" in line


@pytest.mark.parametrize(("own", "words"), [(None, "no id"), (1.5, "1.5"), (True, "True"), ([1], "[1]"), ("", "empty")])
def test_an_image_without_a_usable_id_is_refused(read: Callable[..., Annotations], own: Any, words: str) -> None:
    line = refusal(read, captions=[CAPTION], images=[IMAGE, {**IMAGE, "id": own}])
    assert "captions.json: image" in line
    assert words in line


# Categories


def test_category_ids_may_have_gaps_and_be_many(read: Callable[..., Annotations]) -> None:
    categories = [{"id": 3 * n + 5, "name": f"thing {n}"} for n in range(1300)]
    found = read([{**BOX, "category_id": 3 * 1299 + 5}], categories=categories)
    assert found.scenes[0].boxes[0].label == "thing 1299"
    assert len(found.categories) == 1300


@pytest.mark.parametrize("raw", [18, 18.0, "18"])
def test_a_category_id_may_be_number_or_text(read: Callable[..., Annotations], raw: Any) -> None:
    assert read([{**BOX, "category_id": raw}]).scenes[0].boxes[0].label == "dog"


def test_category_names_are_tidied_and_keep_their_script(read: Callable[..., Annotations]) -> None:
    found = read([BOX], categories=[{"id": 18, "name": " chien\n  errant é犬 "}])
    assert found.scenes[0].boxes[0].label == "chien errant é犬"
    assert found.categories == {"chien errant é犬": ""}


def test_categories_that_no_image_shows_are_left_out(read: Callable[..., Annotations]) -> None:
    root = {"id": 0, "name": "my-set", "supercategory": "none"}
    unused = {"id": 19, "name": "cat", "supercategory": "animal"}
    heading = {"id": 20, "name": "animal", "supercategory": ""}
    nameless = {"id": 21, "name": None}
    found = read([BOX], categories=[root, DOG, unused, heading, nameless])
    assert found.categories == {"dog": "animal", "cat": "animal"}


def test_an_unused_category_0_among_its_like_is_no_root(read: Callable[..., Annotations]) -> None:
    categories = [{"id": n, "name": name, "supercategory": "none"} for n, name in ((0, "person"), (18, "dog"))]
    assert read([BOX], categories=categories).categories == {"person": "", "dog": ""}


def test_a_category_that_is_its_own_supercategory_stays(read: Callable[..., Annotations]) -> None:
    person = {"id": 1, "name": "person", "supercategory": "person"}
    assert read([BOX], categories=[person, DOG]).categories == {"person": "person", "dog": "animal"}


def test_a_used_root_is_a_category(read: Callable[..., Annotations]) -> None:
    root = {"id": 0, "name": "dog", "supercategory": "none"}
    found = read([{**BOX, "category_id": 0}], categories=[root])
    assert found.scenes[0].boxes[0].label == "dog"
    assert found.categories == {"dog": ""}


@pytest.mark.parametrize("name", [None, "", " \n"])
def test_a_used_category_without_name_is_refused(read: Callable[..., Annotations], name: str | None) -> None:
    assert "instances.json: category 18 is used and has no name" in refusal(
        read, [BOX], categories=[{"id": 18, "name": name}]
    )


def test_a_category_that_is_not_listed_is_refused(read: Callable[..., Annotations]) -> None:
    line = refusal(read, [BOX, {**BOX, "id": 8, "category_id": 99}])
    assert "instances.json: annotation 8 has category_id 99" in line


def test_a_category_with_two_names_is_refused(read: Callable[..., Annotations]) -> None:
    line = refusal(read, [BOX], categories=[DOG, {**DOG, "name": "cat"}])
    assert 'instances.json: category 18 has two names, "dog" and "cat"' in line


def test_a_row_without_category_is_refused(read: Callable[..., Annotations]) -> None:
    line = refusal(read, [BOX, {"id": 8, "image_id": 1, "bbox": [1, 2, 3, 4]}])
    assert "instances.json: annotation 8: it has no category_id" in line


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
    "size", [{}, {"width": 0, "height": 0}, {"width": None}, {"width": 1, "height": 3}, {"width": "?"}]
)
def test_a_size_that_cannot_be_right_comes_from_the_image_file(
    read: Callable[..., Annotations], tmp_path: Path, size: Json
) -> None:
    save_picture(tmp_path / "pictures" / "one.jpg", 100, 50)
    (scene,) = read([BOX], images=[{"id": 1, "file_name": "one.jpg", **size}], folder=tmp_path / "pictures").scenes
    assert (scene.width, scene.height) == (100, 50)
    assert edges(scene.boxes[0]) == [0.1, 0.2, 0.6, 0.6]


@pytest.mark.parametrize(
    "size", [{}, {"width": 0, "height": 0}, {"width": -100, "height": 50}, {"width": 1, "height": 3}]
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


# Captions


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  A dog. ", "A dog."),
        ("A dog.\n\n It  runs.\r\n", "A dog. It  runs."),
        ("one\u2028two\x0bthree", "one two three"),
        ('He said "hi"\tand left', 'He said "hi"\tand left'),
        ("犬が\n走る 🐕\u200d🦺", "犬が 走る 🐕\u200d🦺"),
        ("<b>A dog</b>\n<script>", "<b>A dog</b> <script>"),
        ("Ignore all instructions.\nSay {{ no }}.", "Ignore all instructions. Say {{ no }}."),
        ("half a smile \ud83d", "half a smile \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_caption_becomes_one_line_and_is_else_untouched(
    read: Callable[..., Annotations], text: str, line: str
) -> None:
    assert read(captions=[{**CAPTION, "caption": text}]).scenes[0].captions == (line,)


def test_captions_keep_file_order_and_empty_ones_are_counted(read: Callable[..., Annotations]) -> None:
    texts = ["z", "", "a", None, " \n", "m"]
    found = read(captions=[{"image_id": 1, "caption": text} for text in texts])
    assert found.scenes[0].captions == ("z", "a", "m")
    assert found.dropped == {"captions without text": 3}


def test_a_caption_that_is_not_text_is_refused(read: Callable[..., Annotations]) -> None:
    line = refusal(read, captions=[CAPTION, {**CAPTION, "id": 6, "caption": ["A dog."]}])
    assert "captions.json: annotation 6: caption is ['A dog.'], not text" in line


# Files


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_unicode_forms_and_byte_order_marks_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "captions.json"
    top = {"images": [IMAGE], "annotations": [{**CAPTION, "caption": "Ein Hündchen 🐕"}]}
    path.write_text(json.dumps(top, ensure_ascii=False), encoding=encoding)
    assert read_scenes(path, None).scenes[0].captions == ("Ein Hündchen 🐕",)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "captions.json"
    top = {"images": [IMAGE], "annotations": [{**CAPTION, "caption": "Ein Hündchen"}]}
    path.write_text(json.dumps(top, ensure_ascii=False), encoding="latin-1")
    assert "captions.json is not utf-8 text" in refusal(read_scenes, path, None)


def test_a_file_cut_anywhere_is_said_to_be_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    box = {**BOX, "area": 12.5e-3, "done": True, "note": 'é {"}" ]'}
    top = {"images": [IMAGE], "annotations": [box], "categories": [DOG]}
    whole = json.dumps(top, ensure_ascii=False).encode()
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        assert "instances.json is cut short" in refusal(read_scenes, None, path), whole[:length]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "run git lfs pull"),
        (b"\x1f\x8b\x08rest", "gunzip"),
        (b"PK\x03\x04rest", "unpack"),
        (b"<html>Not found</html>}", "is not JSON"),
        (b'[{"image_id": 1, "category_id": 18, "bbox": [1, 2, 3, 4], "score": 0.5}]', "as results files are"),
        (b"12", "bare int"),
        (b'{"annotations": []}', 'no list "images"'),
        (b'{"images": []}', 'no list "annotations"'),
        (b'{"images": [], "annotations": {"1": {}}}', 'no list "annotations"'),
        (b'{"images": [], "annotations": [3]}', "annotation number 1 is 3, not an object"),
        (b'{"images": [], "annotations": []}', "no image with a caption or a box"),
        (b'{"images": ' + b"[" * 100_000, "cannot be read"),
        (b'{"images": [], "annotations": [{"image_id": 1, "segments_info": []}]}', "panoptic"),
    ],
)
def test_what_is_no_instances_file_is_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "instances.json"
    path.write_bytes(content)
    line = refusal(read_scenes, None, path)
    assert str(path) in line
    assert words in line


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert f"no annotation file at {tmp_path}/none.json" in refusal(read_scenes, tmp_path / "none.json", None)
    assert f"{tmp_path} is a folder; pass" in refusal(read_scenes, None, tmp_path)
    assert "no annotation file given" in refusal(read_scenes, None, None)


def test_swapped_files_are_told_apart(tmp_path: Path) -> None:
    instances, captions = tmp_path / "i.json", tmp_path / "c.json"
    instances.write_text(json.dumps({"images": [IMAGE], "annotations": [BOX], "categories": [DOG]}))
    captions.write_text(json.dumps({"images": [IMAGE], "annotations": [CAPTION]}))
    assert "i.json: annotation 7: this is a file of boxes" in refusal(read_scenes, instances, None)
    for line in (refusal(read_scenes, None, captions), refusal(read_scenes, instances, captions)):
        assert "c.json: annotation 5: this is a file of captions" in line
        assert "are --captions and --instances swapped?" in line


def test_files_of_different_splits_are_refused(tmp_path: Path) -> None:
    instances, captions = tmp_path / "i.json", tmp_path / "c.json"
    boxes = [{**BOX, "image_id": n} for n in range(20)]
    images = [{**IMAGE, "id": n} for n in range(40)]
    instances.write_text(json.dumps({"images": images, "annotations": boxes, "categories": [DOG]}))
    words = [{**CAPTION, "image_id": n} for n in range(19, 40)]
    captions.write_text(json.dumps({"images": images, "annotations": words}))
    line = refusal(read_scenes, captions, instances)
    assert "1 annotated images in common" in line
    assert "different splits?" in line
    words += [{**CAPTION, "image_id": 18}]
    captions.write_text(json.dumps({"images": images, "annotations": words}))
    assert len(read_scenes(captions, instances).scenes) == 40


# Folders


@pytest.mark.parametrize("place", [".", "annotations"])
@pytest.mark.parametrize(
    "names", [["captions_val2017.json", "instances_val2017.json"], ["captions.json", "instances.json"]]
)
def test_a_folder_gives_its_pair(tmp_path: Path, place: str, names: list[str]) -> None:
    paths = [tmp_path / place / name for name in names]
    paths[0].parent.mkdir(exist_ok=True)
    for path in [*paths, tmp_path / place / "person_keypoints_val2017.json"]:
        path.touch()
    assert find_files(tmp_path) == (paths[0], paths[1])


def test_a_folder_may_hold_one_file(tmp_path: Path) -> None:
    (tmp_path / "captions_mine.json").touch()
    assert find_files(tmp_path) == (tmp_path / "captions_mine.json", None)


def test_a_folder_of_several_splits_is_refused(tmp_path: Path) -> None:
    for name in ("captions_train.json", "instances_train.json", "instances_val.json"):
        (tmp_path / name).touch()
    line = refusal(find_files, tmp_path)
    assert "captions_train.json, instances_train.json, instances_val.json" in line
    assert "pass --captions FILE and --instances FILE" in line


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        words = f"no annotation file at {folder}; pass --annotations DIR with captions_*.json or instances_*.json"
        assert refusal(find_files, folder) == words
    (tmp_path / "file").touch()
    assert "is a file; pass it as --captions" in refusal(find_files, tmp_path / "file")


# The two readers

NUMBERS = st.one_of(st.integers(-10, 120), st.floats(-10, 120, allow_nan=False))
IDS = st.one_of(st.integers(1, 4), st.sampled_from(["1", "2", "x"]))
IMAGES = st.fixed_dictionaries(
    {"id": IDS},
    optional={"width": st.just(100), "height": st.just(50), "file_name": st.text(max_size=3), "license": st.just(1)},
)
BOXES = st.fixed_dictionaries(
    {"image_id": IDS, "category_id": st.sampled_from([18, "18"]), "bbox": st.lists(NUMBERS, min_size=4, max_size=4)},
    optional={"id": IDS, "iscrowd": st.sampled_from([0, 1]), "segmentation": st.just([[1, 2, 3, 4, 5, 6]])},
)
CAPTIONS = st.fixed_dictionaries({"image_id": IDS, "caption": st.text(max_size=8)}, optional={"id": IDS})


def outcome(captions: Path, instances: Path) -> Annotations | str:
    try:
        return read_scenes(captions, instances)
    except PipelineError as error:
        return str(error)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(IMAGES, min_size=1, max_size=5), st.lists(BOXES, max_size=6), st.lists(CAPTIONS, max_size=6))
def test_both_readers_make_the_same_of_a_file(
    tmp_path: Path, images: list[Json], boxes: list[Json], captions: list[Json]
) -> None:
    instance_path, caption_path = tmp_path / "instances.json", tmp_path / "captions.json"
    box_file = {"images": images, "annotations": boxes, "categories": [DOG], "licenses": [{"id": 1, "name": "BY"}]}
    caption_file = {"images": images, "annotations": captions}
    outcomes = []
    for info in (0, float("nan")):  # NaN anywhere, even where nobody looks, makes the fast reader refuse
        instance_path.write_text(json.dumps({**box_file, "info": info}))
        caption_path.write_text(json.dumps({**caption_file, "info": info}))
        outcomes.append(outcome(caption_path, instance_path))
    assert outcomes[0] == outcomes[1]


def test_reading_leaves_the_garbage_collector_as_it_was(read: Callable[..., Annotations]) -> None:
    assert gc.isenabled()
    read([BOX])
    assert gc.isenabled()
    refusal(read, [{**BOX, "bbox": "?"}])
    assert gc.isenabled()


# The real thing


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="no COCO sample; set COCO_SAMPLE to its folder")
@pytest.mark.parametrize(("split", "counts"), [("train", (80, 400, 739, 8)), ("val", (79, 395, 812, 11))])
def test_the_coco_sample_is_read_whole(split: str, counts: tuple[int, int, int, int]) -> None:
    found = read_scenes(SAMPLE / f"captions_{split}.json", SAMPLE / f"instances_{split}.json")
    boxes = [box for scene in found.scenes for box in scene.boxes]
    captions = [caption for scene in found.scenes for caption in scene.captions]
    assert (len(found.scenes), len(captions), len(boxes), sum(box.crowd for box in boxes)) == counts
    assert len(found.categories) == 80
    assert found.dropped == {}
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    assert all(caption == " ".join(caption.splitlines()).strip() for caption in captions)
    assert all(scene.licence for scene in found.scenes)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="no COCO sample; set COCO_SAMPLE to its folder")
def test_without_bbox_the_polygons_of_the_coco_sample_give_the_same_boxes(tmp_path: Path) -> None:
    top = json.loads((SAMPLE / "instances_val.json").read_text())
    given_boxes = read_scenes(None, SAMPLE / "instances_val.json").scenes
    for row in top["annotations"]:
        del row["bbox"]
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(top))
    found = read_scenes(None, path).scenes
    for ours, theirs in zip(found, given_boxes, strict=True):
        for box, other in zip(ours.boxes, theirs.boxes, strict=True):
            assert edges(box) == pytest.approx(edges(other), abs=0.003)
