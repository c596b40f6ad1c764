from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from pycocotools.coco import COCO

from pipeline.annotations.drawn.compose import DrawnScene
from pipeline.annotations.drawn.table import CELL, FOOD, MOST, SIDE
from pipeline.annotations.rendered import draw_scene, draw_scenes
from pipeline.llm.writing.layout import level, side, spot

NUMBER = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}


@pytest.fixture(scope="module")
def drawn() -> list[tuple[DrawnScene, list[str]]]:
    return [draw_scene(3, index, "table")[1:] for index in range(40)]


def test_a_table_has_one_to_six_things_each_in_a_square_of_its_own(drawn: list[tuple[DrawnScene, list[str]]]) -> None:
    counts = Counter()  # type: Counter[int]
    for scene, _ in drawn:
        cells = {(int((x + w / 2) // CELL), int((y + h / 2) // CELL)) for x, y, w, h in (o.bbox for o in scene.objects)}
        assert len(cells) == len(scene.objects)
        counts[len(scene.objects)] += 1
    assert set(counts) == set(range(1, MOST + 1))


def test_no_thing_touches_another_or_the_edge(drawn: list[tuple[DrawnScene, list[str]]]) -> None:
    for scene, _ in drawn:
        for one in scene.objects:
            x, y, width, height = one.bbox
            assert x // CELL == (x + width) // CELL
            assert y // CELL == (y + height) // CELL
            assert 0 <= x < x + width <= SIDE


def test_where_each_thing_is_leaves_no_doubt(drawn: list[tuple[DrawnScene, list[str]]]) -> None:
    for scene, _ in drawn:
        for x, y, width, height in (one.bbox for one in scene.objects):
            box = spot(x / SIDE, y / SIDE, (x + width) / SIDE, (y + height) / SIDE)
            assert side(box) == ("left", "centre", "right")[int((x + width / 2) // CELL)]
            assert level(box) == ("top", "middle", "bottom")[int((y + height / 2) // CELL)]


def test_a_thing_has_its_colour_inside_its_box() -> None:
    picture, scene, _ = draw_scene(3, 0, "table")
    cloth = picture.getpixel((0, 0))
    for one in scene.objects:
        x, y, width, height = one.bbox
        inside = picture.crop((x, y, x + width, y + height))
        difference = ImageChops.difference(inside, Image.new("RGB", inside.size, cloth)).convert("L")
        far = sum(difference.histogram()[20:])
        assert far > 0.7 * one.area


def test_five_different_captions_tell_true_numbers(drawn: list[tuple[DrawnScene, list[str]]]) -> None:
    for scene, captions in drawn:
        there = Counter(one.category for one in scene.objects)
        assert len(set(captions)) == 5
        for caption in captions:
            words = caption.lower().rstrip(".").replace(",", "").split()
            for place, word in enumerate(words):
                if (name := word.removesuffix("s")) in FOOD and words[place - 1] != name:
                    number = next(NUMBER[before] for before in reversed(words[:place]) if before in NUMBER)
                    assert number == there[name], caption


def test_the_same_seed_draws_the_same_table_and_the_files_are_cocos(tmp_path: Path) -> None:
    draw_scenes(3, tmp_path / "a", 5, "table")
    draw_scenes(2, tmp_path / "b", 5, "table")
    for number in (1, 2):
        name = f"images/{number:06d}.jpg"
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    coco = COCO(tmp_path / "a" / "instances_scenes.json")
    for annotation in coco.anns.values():
        assert int(coco.annToMask(annotation).sum(dtype=int)) == pytest.approx(annotation["area"], rel=0.1)
