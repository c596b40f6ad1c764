"""Ways of saying how many there are and where, in prose of our own, that a set of prose brought up or may bring up.

``ways/false.txt`` and ``true.txt`` have one question and answer a line, with a bar between them; a line with ``#``
names the scene.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.quality.claims.finding import find_claims
from pipeline.quality.reading.lexicon import Lexicon, load_lexicon
from pipeline.records import Box, Scene, Turn

FOLDER = Path(__file__).parent / "ways"
CATEGORIES = dict.fromkeys(
    ("dining table", *"person dog bench clock cup chair umbrella cake horse car bottle bird tv".split()), ""
)
SCENES = {
    "beach": Scene(
        "1", "", 640, 480,
        (
            "Two men ride horses along a beach.",
            "A couple of men on horseback with dogs.",
            "Two men are riding past a few chairs.",
        ),
        (
            *(Box("person", x, 0.2, x + 0.12, 0.6) for x in (0.3, 0.6)),
            *(Box("horse", x, 0.4, x + 0.23, 0.9) for x in (0.25, 0.55)),
            *(Box("dog", x, 0.7, x + 0.12, 0.95) for x in (0.02, 0.5, 0.85)),
            *(Box("chair", x, 0.3, x + 0.1, 0.5) for x in (0.0, 0.1, 0.8, 0.9)),
            Box("umbrella", 0.02, 0.05, 0.2, 0.25),
            Box("bird", 0.5, 0.05, 0.6, 0.12),
        ),
    ),
    "dinner": Scene(
        "2", "", 640, 480,
        (
            "A family eating dinner at a table.",
            "People sitting around a wooden table with plates of food.",
            "A woman serves food at a dining table.",
            "A table set for dinner.",
            "A group of friends share a meal.",
        ),
        (
            Box("person", 0.1, 0.2, 0.3, 0.7),
            Box("person", 0.4, 0.15, 0.55, 0.6),
            Box("person", 0.7, 0.2, 0.9, 0.7),
            Box("dining table", 0.05, 0.5, 0.95, 1.0),
            *(Box("cup", x, 0.6, x + 0.06, 0.72) for x in (0.15, 0.35, 0.5, 0.7)),
            *(Box("bottle", x, 0.45, x + 0.04, 0.65) for x in (0.45, 0.62)),
            *(Box("chair", x, 0.5, x + 0.15, 0.8) for x in (0.0, 0.85)),
            Box("clock", 0.8, 0.02, 0.88, 0.1),
            Box("cake", 0.4, 0.7, 0.6, 0.85),
            Box("dog", 0.02, 0.8, 0.2, 0.98),
        ),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return load_lexicon(CATEGORIES)


def rows(name: str) -> Iterator[tuple[str, str, str]]:
    scene = ""
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            scene = line.removeprefix("# ")
        else:
            question, answer = line.split("|")
            yield scene, question, answer


def is_flagged(scene: str, question: str, answer: str, lexicon: Lexicon) -> bool:
    found = find_claims([Turn(question, answer)], SCENES[scene], lexicon)
    return any(claim.verdict == "contradicted" for claim in found)


@pytest.mark.parametrize(("scene", "question", "answer"), list(rows("false.txt")))
def test_what_is_false_is_flagged(scene: str, question: str, answer: str, lexicon: Lexicon) -> None:
    assert is_flagged(scene, question, answer, lexicon)


@pytest.mark.parametrize(("scene", "question", "answer"), list(rows("true.txt")))
def test_what_is_true_or_a_guess_is_let_through(scene: str, question: str, answer: str, lexicon: Lexicon) -> None:
    assert not is_flagged(scene, question, answer, lexicon)
