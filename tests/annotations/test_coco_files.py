"""Annotation files that are found, read whatever their form, or refused in one line."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from coco_rows import BOX, CAPTION, DOG, IMAGE, refusal

from pipeline.annotations.coco import find_files, read_scenes

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
        (b"\n <!DOCTYPE html>\n<html>Not found", "begins with '<!DOCTYPE html>"),
        (b"<html>Not found</html>}", "begins with '<html>"),
        (b"\0" * 999, r"begins with '\x00\x00"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is not JSON"),
        (b'[{"image_id": 1, "category_id": 18, "bbox": [1, 2, 3, 4], "score": 0.5}]', "as results files are"),
        (b"12", "begins with '12'"),
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


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "captions.json"
    os.mkfifo(pipe)
    content = json.dumps({"images": [IMAGE], "annotations": [CAPTION], "info": float("nan")})
    writer = threading.Thread(target=pipe.write_text, args=(content,))
    writer.start()
    assert read_scenes(pipe, None).scenes[0].captions == ("A dog.",)
    writer.join()


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
    found = read_scenes(captions, instances)
    assert len(found.scenes) == 40
    assert found.dropped == {"images that only one of the two files annotates (kept)": 38}


def test_files_that_share_half_their_images_or_more_pass_without_a_word(tmp_path: Path) -> None:
    instances, captions = tmp_path / "i.json", tmp_path / "c.json"
    images = [{**IMAGE, "id": n} for n in range(30)]
    boxes, words = ([{**row, "image_id": n} for n in ids] for row, ids in ((BOX, range(20)), (CAPTION, range(10, 30))))
    instances.write_text(json.dumps({"images": images, "annotations": boxes, "categories": [DOG]}))
    captions.write_text(json.dumps({"images": images, "annotations": words}))
    assert read_scenes(captions, instances).dropped == {}


def test_a_file_of_which_nothing_is_left_is_refused_with_the_counts(tmp_path: Path) -> None:
    instances, captions = tmp_path / "i.json", tmp_path / "c.json"
    boxes = [{**BOX, "id": n, "bbox": [1, 1, 0, 5]} for n in range(3)]
    instances.write_text(json.dumps({"images": [IMAGE], "annotations": boxes, "categories": [DOG]}))
    captions.write_text(json.dumps({"images": [IMAGE], "annotations": [{"id": 1, "image_id": 1}]}))
    line = refusal(read_scenes, captions, instances)
    assert f"no image with a caption or a box in {captions} or {instances}" in line
    assert "3 boxes with no area" in line
    assert "1 captions without text" in line


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
