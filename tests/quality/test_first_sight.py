"""Ways of saying that a set of prose brought up at first sight, in sentences of our own."""

from __future__ import annotations

import pytest

from pipeline.quality.claims.finding import find_claims
from pipeline.quality.reading.lexicon import Lexicon, load_lexicon
from pipeline.records import Box, Scene, Turn

CATEGORIES = dict.fromkeys(("person", "dog", "bench", "clock", "cup", "chair", "dining table", "umbrella", "cake"), "")
HALL = Scene(
    "1", "", 640, 480,
    ("A woman and a dog in a station.", "A woman with two benches and three chairs."),
    (
        Box("person", 0.40, 0.30, 0.55, 0.90),
        Box("dog", 0.80, 0.60, 0.98, 0.90),
        Box("bench", 0.02, 0.60, 0.30, 0.80),
        Box("bench", 0.15, 0.80, 0.21, 0.86),
        Box("clock", 0.80, 0.05, 0.90, 0.15),
        Box("cup", 0.02, 0.40, 0.12, 0.50),
        *(Box("chair", x, 0.55, x + 0.1, 0.7) for x in (0.58, 0.68, 0.78)),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return load_lexicon(CATEGORIES)


@pytest.mark.parametrize(
    ("question", "answer", "is_wrong"),
    [
        ("Where does the clock hang?", "On the left wall.", True),
        ("Where does the clock hang?", "On the right wall.", False),
        ("Where is the dog?", "On the left side of the station.", True),
        ("What is there?", "Benches for tired passengers have been installed on the right side of the station.", True),
        ("What is there?", "Benches for tired passengers have been installed on the left side of the station.", False),
        ("What does the woman drink?", "There is a cup on the right of the tray.", True),
        ("What does the woman drink?", "There is a cup on the left of the tray.", False),
        ("What is near her?", "A woman waits. To the left of her sits a dog.", True),
        ("What is near her?", "A woman waits. To the right of her sits a dog.", False),
        ("Where has the woman left her dog?", "On the left.", True),
        ("Where has the woman left her dog?", "On the right.", False),
        ("What is there?", "A woman has a dog that fills the left of the picture.", True),
        ("Are there seats?", "It should do, as there are five chairs.", True),
        ("What is for dessert?", "There is a cake that will please the dog.", True),
        ("How many benches are there?", "Besides the one by the wall, two more benches are there.", True),
        ("How is it divided?", "The dog has left the left of the picture to the benches.", False),
        ("Who else is there?", "Except for the woman there's nobody here.", False),
    ],
)
def test_ways_of_saying(lexicon: Lexicon, question: str, answer: str, is_wrong: bool) -> None:
    found = find_claims([Turn(question, answer)], HALL, lexicon)
    assert any(claim.verdict == "contradicted" for claim in found) == is_wrong
