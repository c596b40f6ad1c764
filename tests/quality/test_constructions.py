"""Ways of saying how many there are, where, and what is not there, each in a short sentence about one of eleven scenes.

``constructions/false.txt`` and ``true.txt`` have one answer a line, after its question and a bar where it has one; a
line with ``#`` names the scene. They are written to be plainly false, or plainly true and easily misread.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.quality.claims.finding import find_claims
from pipeline.quality.reading.lexicon import Lexicon, load_lexicon
from pipeline.records import Box, Scene, Turn

FOLDER = Path(__file__).parent / "constructions"
CATEGORIES = {
    name: group
    for group, names in {
        "person": "person",
        "vehicle": "bicycle,car,motorcycle,bus,truck,boat",
        "animal": "bird,cat,dog,horse,cow,elephant,zebra,giraffe",
        "outdoor": "bench,traffic light,fire hydrant",
        "accessory": "backpack,umbrella,handbag,tie,suitcase",
        "sports": "skis,snowboard,surfboard,frisbee,kite,sports ball,baseball bat,baseball glove,tennis racket",
        "kitchen": "wine glass,bottle,cup,fork,knife,spoon,bowl",
        "food": "banana,carrot,pizza,cake",
        "furniture": "chair,couch,bed,dining table,potted plant,toilet",
        "electronic": "laptop,mouse,keyboard,cell phone",
        "appliance": "microwave,oven,toaster,sink,refrigerator",
        "indoor": "book,clock,toothbrush,hair drier",
    }.items()
    for name in names.split(",")
}
MISSED = 63
"""False sentences that no rule understands yet; a rule that finds one lowers the number."""


def box(label: str, x: float, y: float, width: float, height: float) -> Box:
    """Return a box by its centre and size."""
    return Box(label, x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def scene(captions: str, *boxes: Box) -> Scene:
    return Scene("1", "", 640, 480, tuple(captions.split("|")), boxes)


SCENES = {
    "street": scene(
        "Three people walk along a city street.|A man with an umbrella and a dog on a sidewalk.|"
        "A bus and two cars on a street.",
        *(box("person", 0.15, 0.6, 0.16, 0.6), box("person", 0.5, 0.6, 0.12, 0.5)),
        box("person", 0.85, 0.6, 0.14, 0.55),
        *(box("car", 0.72, 0.7, 0.14, 0.12), box("car", 0.92, 0.72, 0.12, 0.14), box("bus", 0.25, 0.5, 0.3, 0.4)),
        *(box("traffic light", 0.8, 0.1, 0.05, 0.12), box("dog", 0.1, 0.88, 0.15, 0.15)),
        *(box("umbrella", 0.15, 0.25, 0.22, 0.12), box("handbag", 0.17, 0.65, 0.06, 0.08)),
    ),
    "kitchen": scene(
        "A kitchen with a stove and a refrigerator.|A clean kitchen with a table and four chairs.|"
        "A kitchen counter with bottles and bowls.",
        *(box("oven", 0.15, 0.55, 0.2, 0.35), box("refrigerator", 0.88, 0.45, 0.2, 0.8)),
        box("sink", 0.5, 0.5, 0.15, 0.08),
        *(box("bottle", x, 0.4, 0.04, 0.12) for x in (0.65, 0.7, 0.75)),
        *(box("bowl", 0.2, 0.4, 0.08, 0.06), box("bowl", 0.3, 0.42, 0.08, 0.06), box("cup", 0.52, 0.43, 0.05, 0.06)),
        *(box("dining table", 0.5, 0.8, 0.5, 0.3), box("potted plant", 0.93, 0.1, 0.08, 0.12)),
        *(box("chair", 0.3, 0.85, 0.12, 0.25), box("chair", 0.7, 0.85, 0.12, 0.25)),
        *(box("chair", 0.4, 0.7, 0.1, 0.2), box("chair", 0.6, 0.7, 0.1, 0.2)),
    ),
    "field": scene(
        "Two zebras and a giraffe stand in a grassy field.|A giraffe next to two zebras.|Animals graze in the wild.",
        *(box("zebra", 0.2, 0.7, 0.2, 0.3), box("zebra", 0.4, 0.72, 0.2, 0.3), box("giraffe", 0.8, 0.45, 0.2, 0.8)),
    ),
    "ski": scene(
        "A group of skiers stand on a snowy slope.|Five people on skis pose for a picture.|"
        "A group of people standing in the snow.",
        *(box("person", x, 0.5, 0.12, 0.5) for x in (0.2, 0.35, 0.5, 0.65, 0.8)),
        *(box("skis", x, 0.78, 0.12, 0.06) for x in (0.2, 0.35, 0.5, 0.65, 0.8)),
        box("backpack", 0.2, 0.45, 0.06, 0.12),
    ),
    "desk": scene(
        "A desk with a laptop and a mouse.|A laptop computer sitting on a wooden desk.|A cat sleeps next to a laptop.",
        *(box("laptop", 0.6, 0.45, 0.4, 0.5), box("mouse", 0.87, 0.75, 0.08, 0.06), box("cat", 0.15, 0.6, 0.25, 0.3)),
        *(box("cup", 0.1, 0.2, 0.08, 0.12), box("book", 0.35, 0.85, 0.15, 0.08), box("dining table", 0.5, 0.7, 1, 0.6)),
    ),
    "one": scene(
        "A man riding a wave on a surfboard.|A surfer on a wave.|A man surfing in the ocean.",
        *(box("person", 0.3, 0.4, 0.15, 0.25), box("surfboard", 0.32, 0.55, 0.2, 0.06)),
    ),
    "park": scene(
        "Four people play frisbee with two dogs in a park.|People and dogs in a park.|"
        "A man throws a frisbee to his dog.",
        *(box("person", 0.15, 0.55, 0.1, 0.4), box("person", 0.35, 0.5, 0.1, 0.4), box("person", 0.62, 0.5, 0.1, 0.4)),
        *(box("person", 0.85, 0.55, 0.12, 0.45), box("dog", 0.45, 0.8, 0.12, 0.15), box("dog", 0.75, 0.82, 0.12, 0.15)),
        *(box("frisbee", 0.5, 0.3, 0.04, 0.02), box("bench", 0.1, 0.85, 0.18, 0.12)),
        box("bicycle", 0.92, 0.8, 0.14, 0.2),
    ),
    "dinner": scene(
        "A pizza on a table with two glasses of wine.|Two people share a pizza.|"
        "A couple at a table with a pizza and wine.",
        *(box("person", 0.15, 0.4, 0.3, 0.7), box("person", 0.85, 0.4, 0.3, 0.7), box("pizza", 0.5, 0.8, 0.4, 0.25)),
        *(box("wine glass", 0.35, 0.5, 0.06, 0.2), box("wine glass", 0.65, 0.5, 0.06, 0.2)),
        *(box("fork", 0.25, 0.85, 0.1, 0.04), box("knife", 0.75, 0.86, 0.1, 0.04), box("bottle", 0.5, 0.4, 0.06, 0.25)),
        box("dining table", 0.5, 0.8, 1, 0.4),
    ),
    "harbour": scene(
        "Several boats are docked in a harbor.|Boats on the water near a pier.|Two people stand on a pier with birds.",
        *(box("boat", x, 0.5, 0.15, 0.2) for x in (0.1, 0.3, 0.5, 0.7, 0.9)),
        *(box("person", 0.2, 0.8, 0.06, 0.25), box("person", 0.28, 0.8, 0.06, 0.25)),
        *(box("bird", x, 0.1, 0.04, 0.03) for x in (0.7, 0.8, 0.9)),
    ),
    "bath": scene(
        "A bathroom with a toilet and two sinks.|A cat sits on a toilet in a bathroom.|"
        "A white bathroom with a mirror.",
        *(box("toilet", 0.2, 0.7, 0.2, 0.4), box("cat", 0.2, 0.45, 0.12, 0.2), box("bottle", 0.7, 0.42, 0.03, 0.1)),
        *(box("sink", 0.6, 0.5, 0.15, 0.08), box("sink", 0.85, 0.5, 0.15, 0.08)),
        *(box("toothbrush", 0.92, 0.4, 0.02, 0.08), box("hair drier", 0.97, 0.3, 0.05, 0.1)),
    ),
    "ball": scene(
        "A batter swings at a ball while the catcher and umpire look on.|A baseball player swinging a bat.|"
        "A batter, catcher and umpire during a game.",
        *(box("person", 0.4, 0.5, 0.25, 0.6), box("person", 0.65, 0.7, 0.2, 0.35), box("person", 0.82, 0.6, 0.2, 0.5)),
        *(box("baseball bat", 0.28, 0.3, 0.15, 0.1), box("baseball glove", 0.58, 0.65, 0.06, 0.08)),
        box("sports ball", 0.15, 0.4, 0.02, 0.02),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return load_lexicon(CATEGORIES)


def sentences(name: str) -> Iterator[tuple[str, Turn]]:
    """Yield the scene's name and the turn of each line."""
    scene_name = ""
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            scene_name = line[1:].strip()
        elif line:
            question, _, answer = line.rpartition(" | ")
            yield scene_name, Turn(question or "Describe the image.", answer)


def contradicted(name: str, turn: Turn, lexicon: Lexicon) -> bool:
    return any(claim.verdict == "contradicted" for claim in find_claims([turn], SCENES[name], lexicon))


def test_false_sentences_are_found(lexicon: Lexicon) -> None:
    told = list(sentences("false.txt"))
    missed = [turn for name, turn in told if not contradicted(name, turn, lexicon)]
    assert len(told) > 600
    assert len(missed) <= MISSED, missed


def test_true_sentences_raise_no_alarm(lexicon: Lexicon) -> None:
    told = list(sentences("true.txt"))
    assert len(told) > 350
    assert [turn for name, turn in told if contradicted(name, turn, lexicon)] == []
