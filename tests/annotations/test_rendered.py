from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat
from pycocotools.coco import COCO

from pipeline.annotations.drawn.compose import Drawn, DrawnScene, Placed, Wanted, paint_objects
from pipeline.annotations.drawn.outline import outlines
from pipeline.annotations.drawn.places import Spot
from pipeline.annotations.drawn.sheet import PAINTS
from pipeline.annotations.drawn.things import THINGS
from pipeline.annotations.rendered import QUICKSTART_COUNT, QUICKSTART_SEED, draw_scene, draw_scenes
from pipeline.errors import PipelineError

QUICKSTART = Path(__file__).parents[2] / "seed_examples" / "quickstart"

# Written down apart from the module's own words, so that a wrong word there shows up here.
PLURALS = {"person": "people", "bus": "buses", "bench": "benches", "couch": "couches", "sheep": "sheep"}
OTHER_WORDS = {
    "bicycle": ["bike"], "airplane": ["plane"], "boat": ["sailing boat"], "couch": ["sofa"], "cup": ["mug"],
    "sports ball": ["ball", "beach ball"], "umbrella": ["beach umbrella"], "potted plant": ["plant"],
    "dining table": ["table"], "tv": ["television"],
}  # fmt: skip
CATEGORY = {word: name for name in THINGS for word in (name, PLURALS.get(name, name + "s"))}
CATEGORY |= {word + end: name for name, words in OTHER_WORDS.items() for word in words for end in ("", "s")}
CATEGORY |= {"park bench": "bench", "park benches": "bench"}
NUMBER = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
ONE_NOUN = "|".join(sorted(CATEGORY, key=len, reverse=True))
ONE_COLOUR = "|".join(PAINTS)
MENTION = re.compile(
    rf"\b({'|'.join(NUMBER)}) (?:({ONE_COLOUR}) )?({ONE_NOUN})\b(?: (?:in|dressed in|wearing) ({ONE_COLOUR})\b)?"
)
BACKGROUND = {
    "sun shines": "sun", "sunny": "sun", "moon shines": "moon", "sun is setting": "setting sun", "trees": "trees",
    "houses in the background": "houses", "mountains": "mountains", "rolling hills": "hills", "window": "window",
}  # fmt: skip


@pytest.fixture(scope="module")
def drawn() -> list[tuple[DrawnScene, list[str]]]:
    """Four scenes of each place, with their captions."""
    return [draw_scene(7, index)[1:] for index in range(48)]


def faults(caption: str, scene: DrawnScene) -> list[str]:
    """Return what ``caption`` says that is not so: numbers, colours, articles, plurals, sides and background."""
    found = []
    text = caption.lower().rstrip(".")
    there = Counter(one.category for one in scene.objects)
    coloured = Counter((one.category, one.colour) for one in scene.objects)
    for article, before, word, after in MENTION.findall(text):
        category, colour, said = CATEGORY[word], before or after, NUMBER[article]
        real = coloured[category, colour] if colour else there[category]
        if said != real:
            found.append(f"says {said} {colour} {category}, drawn {real}")
        if (said > 1) != (word.endswith("s") or word in PLURALS.values()) and word not in ("sheep", "bus"):
            found.append(f"{article} {word}")
        if article in ("a", "an") and (article == "an") != ((before or word)[0] in "aeiou"):
            found.append(f"article of {before} {word}")
    known = re.sub(rf"\b(?:{ONE_COLOUR})\b(?= (?:{ONE_NOUN})\b)", "", text)
    known = re.sub(rf"(?:in|wearing) (?:{ONE_COLOUR})\b", "", known)
    found += [f"no {word}" for word in re.findall(rf"\b({ONE_NOUN})\b", known) if not there[CATEGORY[word]]]
    found += [f"no {thing}" for words, thing in BACKGROUND.items() if words in text and thing not in scene.seen]
    if ("night" in text or "moon" in text or "starry" in text) and scene.mood != "night":
        found.append("it is not night")
    if ("sunset" in text or "sun goes down" in text or "evening" in text) and scene.mood != "sunset":
        found.append("it is not evening")
    return found + misplaced(text, scene)


def misplaced(text: str, scene: DrawnScene) -> list[str]:
    """Return the relations of ``text`` that the boxes contradict; ``left``, ``right`` are said of single objects."""
    boxes: dict[str, tuple[int, int, int, int]] = {one.category: one.bbox for one in scene.objects}
    named = [CATEGORY[word] for _, _, word, _ in MENTION.findall(text)]
    found = []
    for side, sign in (("left", 1), ("right", -1)):
        if f"to the {side} of" in text:
            (x, _, w, _), (other, _, width, _) = boxes[named[0]], boxes[named[1]]
            if sign * (other + width / 2 - x - w / 2) <= 0:
                found.append(f"{named[0]} is not {side} of {named[1]}")
        if f"on the {side} side" in text:
            x, _, w, _ = boxes[named[0]]
            if sign * (scene.width / 2 - x - w / 2) <= 0:
                found.append(f"{named[0]} is not on the {side}")
    spots = {one.where: one.category for one in scene.objects if one.category in named}
    everywhere = {one.where for one in scene.objects}
    return found + [f"nothing named is {where}" for where in everywhere if where in text and where not in spots]


def park(*objects: tuple[str, str, int]) -> DrawnScene:
    """Return the truth about a sunny park with (category, colour, left edge) objects of 100 pixels."""
    things = tuple(Drawn(name, colour, "on the grass", (x, 200, 100, 100), 10000, []) for name, colour, x in objects)
    return DrawnScene("park", "day", ("sun", "trees"), 640, 480, things)


def test_captions_are_true(drawn: list[tuple[DrawnScene, list[str]]]) -> None:
    wrong = [(text, faults(text, scene)) for scene, texts in drawn for text in texts if faults(text, scene)]
    assert wrong == []


@pytest.mark.parametrize(
    "lie",
    [
        "Three brown dogs in a park.",
        "Two white dogs in a park.",
        "A dog in a park.",
        "Two brown dogs and a cat.",
        "Two brown dogs near the bench.",
        "A orange ball in a park.",
        "Two brown dog in a park.",
        "An orange ball at night.",
        "An orange ball to the left of a bicycle.",
        "A red bicycle, on the right side of the picture.",
        "An orange ball in front of mountains.",
    ],
)
def test_the_check_of_captions_notices_a_lie(lie: str) -> None:
    scene = park(("dog", "brown", 20), ("dog", "brown", 140), ("bicycle", "red", 200), ("sports ball", "orange", 400))
    assert faults(lie, scene)
    assert faults("Two brown dogs and a red bicycle to the left of an orange ball.", scene) == []


def test_captions_name_what_they_describe(drawn: list[tuple[DrawnScene, list[str]]]) -> None:
    for scene, texts in drawn:
        assert all(MENTION.search(text.lower()) for text in texts)
        everything = {one.category for one in scene.objects}
        assert any({CATEGORY[m[2]] for m in MENTION.findall(text.lower())} == everything for text in texts)


def test_a_picture_has_five_different_captions_as_five_people_might_write(
    drawn: list[tuple[DrawnScene, list[str]]],
) -> None:
    assert all(len(set(texts)) == 5 for _, texts in drawn)
    shapes = {MENTION.sub("X", text.lower()) for _, texts in drawn for text in texts}
    assert len(shapes) > 60
    openings = Counter(" ".join(MENTION.sub("X", text.lower()).split()[:3]) for _, texts in drawn for text in texts)
    assert len(openings) >= 12
    assert all(
        12 <= len(text) <= 220 and text[0].isupper() and text.endswith(".") for _, texts in drawn for text in texts
    )


def test_sets_hold_many_categories_all_colours_and_groups_of_one_to_six(
    drawn: list[tuple[DrawnScene, list[str]]],
) -> None:
    objects = [one for scene, _ in drawn for one in scene.objects]
    assert len({one.category for one in objects}) >= 25
    assert {one.colour for one in objects} == set(PAINTS)
    counts = {n for scene, _ in drawn for n in Counter(one.category for one in scene.objects).values()}
    assert {1, 2, 3, 4, 5, 6} <= counts
    assert all(1 <= len(scene.objects) <= 8 for scene, _ in drawn)


def test_a_box_is_tight_around_the_pixels_of_its_object() -> None:
    white = Image.new("RGB", (640, 480), (255, 255, 255))
    spot = Spot("in the sky", (), 0, 1, 1, 1, floating=True)
    for category in ("dog", "bicycle", "kite", "airplane", "person", "book"):
        thing = THINGS[category]
        placed = Placed(Wanted(category, thing.colours[0], spot), (100, 60, 100 + 1.5 * thing.width, 210), 1.5)
        picture, (one,) = paint_objects(white, [placed], Random(3))
        changed = ImageChops.difference(picture, white).convert("L").point(lambda v: 255 if v > 60 else 0).getbbox()
        x, y, width, height = one.bbox
        assert changed is not None
        assert all(abs(a - b) <= 1 for a, b in zip((x, y, x + width, y + height), changed, strict=True)), category


def test_a_covered_object_keeps_only_the_box_of_what_is_seen_and_a_hidden_one_is_gone() -> None:
    white = Image.new("RGB", (640, 480), (255, 255, 255))
    spot = Spot("on the floor", (), 0, 1, 1, 1)
    book = Placed(Wanted("book", "red", spot), (100, 100, 256, 300), 2)
    near = Placed(Wanted("book", "blue", spot), (236, 100, 392, 300), 2)
    picture, (far, _) = paint_objects(white, [book, near], Random(1))
    alone = paint_objects(white, [book], Random(1))[1][0]
    assert far.bbox[2] < alone.bbox[2]
    assert far.area < alone.area
    before = Placed(Wanted("book", "blue", spot), (110, 100, 266, 300), 2)
    assert [one.colour for one in paint_objects(white, [book, before], Random(1))[1]] != ["red", "blue"]
    assert picture.size == (640, 480)


def test_a_crowded_table_stays_and_the_nearest_thing_on_it_goes() -> None:
    white = Image.new("RGB", (640, 480), (255, 255, 255))
    table = Placed(Wanted("dining table", "brown", Spot("by the window", (), 0, 1, 1, 1)), (80, 200, 310, 300), 1)
    on_it = Spot("on the table", (), 0, 1, 1, 1)
    books = [Placed(Wanted("book", "red", on_it), (x, 146, x + 62, 226), 0.8) for x in (90, 160, 230)]
    left = [one.category for one in paint_objects(white, [table, *books], Random(1))[1]]
    assert left[0] == "dining table"
    assert 1 <= left.count("book") < 3


def test_objects_lie_inside_the_picture_and_outlines_inside_their_boxes(
    drawn: list[tuple[DrawnScene, list[str]]],
) -> None:
    for scene, _ in drawn:
        for one in scene.objects:
            x, y, width, height = one.bbox
            assert x >= 0
            assert y >= 0
            assert x + width <= scene.width
            assert y + height <= scene.height
            assert 0 < one.area <= width * height
            xs = [v for ring in one.outline for v in ring[::2]]
            ys = [v for ring in one.outline for v in ring[1::2]]
            assert min(xs) - x <= 1
            assert min(ys) - y <= 1
            assert x + width - max(xs) <= 1
            assert y + height - max(ys) <= 1


def test_outlines_run_around_each_part_and_leave_holes_out() -> None:
    mask = Image.new("L", (40, 20))
    pencil = ImageDraw.Draw(mask)
    pencil.rectangle((2, 3, 11, 12), fill=255)
    pencil.rectangle((5, 6, 8, 9), fill=0)
    pencil.rectangle((20, 3, 29, 7), fill=255)
    mask.putpixel((35, 15), 255)
    corners = [sorted(zip(ring[::2], ring[1::2], strict=True)) for ring in outlines(mask)]
    assert sorted(corners) == [
        [(2, 3), (2, 13), (12, 3), (12, 13)],
        [(20, 3), (20, 8), (30, 3), (30, 8)],
        [(35, 15), (35, 16), (36, 15), (36, 16)],
    ]


def test_the_same_seed_draws_the_same_bytes_and_a_longer_set_begins_with_the_shorter(tmp_path: Path) -> None:
    for name, count, seed in (("two", 2, 5), ("again", 2, 5), ("three", 3, 5), ("other", 2, 6)):
        draw_scenes(count, tmp_path / name, seed)
    files = {
        name: {p.relative_to(tmp_path / name).as_posix(): p.read_bytes() for p in (tmp_path / name).rglob("*.*")}
        for name in ("two", "again", "three", "other")
    }
    assert sorted(files["two"]) == [
        "captions_scenes.json", "images/000001.jpg", "images/000002.jpg", "instances_scenes.json",
    ]  # fmt: skip
    assert files["two"] == files["again"]
    assert files["two"] != files["other"]
    assert all(files["three"][name] == content for name, content in files["two"].items() if name.endswith("jpg"))
    for name in ("captions_scenes.json", "instances_scenes.json"):
        short, long = (json.loads(files[which][name])["annotations"] for which in ("two", "three"))
        assert long[: len(short)] == short


def test_pycocotools_reads_the_files_and_its_masks_fill_the_boxes(tmp_path: Path) -> None:
    draw_scenes(3, tmp_path / "set", seed=2)
    captions, instances = (COCO(str(tmp_path / "set" / f"{name}_scenes.json")) for name in ("captions", "instances"))
    for number in captions.getImgIds():
        (image,) = instances.loadImgs(number)
        with Image.open(tmp_path / "set" / "images" / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"])
        assert len(captions.getAnnIds(imgIds=number)) == 5
        for one in instances.loadAnns(instances.getAnnIds(imgIds=number)):
            mask = Image.fromarray(instances.annToMask(one) * 255)
            x, y, width, height = one["bbox"]
            seen = mask.getbbox()
            assert seen is not None
            assert all(abs(a - b) <= 1 for a, b in zip((x, y, x + width, y + height), seen, strict=True))
    assert instances.loadCats(18)[0]["name"] == "dog"
    assert instances.dataset["licenses"][0]["name"] == "CC0-1.0"


@pytest.mark.parametrize("count", [0, -1])
def test_no_scenes_are_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(PipelineError, match="at least 1"):
        draw_scenes(count, tmp_path / "set")


def test_a_folder_that_holds_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(PipelineError, match="already holds files"):
        draw_scenes(1, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "set"
    out.mkdir()
    draw_scenes(1, out)
    assert sorted(p.name for p in out.iterdir()) == ["captions_scenes.json", "images", "instances_scenes.json"]
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_a_file_in_the_way_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("mine")
    for out in (tmp_path / "set", tmp_path / "set" / "inside"):
        with pytest.raises(PipelineError, match="set") as error:
            draw_scenes(1, out)
        assert "\n" not in str(error.value)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_folder_that_cannot_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(PipelineError, match="cannot write scenes"):
        draw_scenes(1, tmp_path / "closed" / "set")


def test_the_quick_start_set_is_what_the_code_draws(tmp_path: Path) -> None:
    draw_scenes(QUICKSTART_COUNT, tmp_path / "set", QUICKSTART_SEED)
    for name in ("captions_scenes.json", "instances_scenes.json"):
        kept: dict[str, Any] = json.loads((QUICKSTART / name).read_text())
        assert kept == json.loads((tmp_path / "set" / name).read_text())
    names = sorted(p.name for p in (QUICKSTART / "images").iterdir())
    assert names == [f"{n:06d}.jpg" for n in range(1, QUICKSTART_COUNT + 1)]
    for name in names:
        with Image.open(QUICKSTART / "images" / name) as kept_image, Image.open(tmp_path / "set/images" / name) as new:
            difference = ImageStat.Stat(ImageChops.difference(kept_image, new))
        assert max(difference.mean) < 1  # another libjpeg may round differently
        assert (QUICKSTART / "images" / name).stat().st_size < 64_000
