"""Questions that boxes answer exactly, and whether a model's answer is right.

A question is asked only where the boxes leave no doubt; what left, top and the rest mean is what they mean to the
offline writer, from whose samples a model learns the words. An answer is read by rule: it is right if it tells the
truth that was asked for, whatever else it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from pipeline.llm.writing.layout import Spot, common_side, level, side, spot
from pipeline.llm.writing.nouns import NUMBERS, noun
from pipeline.records import Scene

Kind = Literal["counting", "what is where"]

_NUMBER = {word: number for number, word in enumerate(NUMBERS)} | {"a": 1, "an": 1}
_SIDES = {"left": "left", "right": "right"}
_LEVELS = {"top": "top", "upper": "top", "bottom": "bottom", "lower": "bottom"}
_PLACES = {*_SIDES, *_LEVELS, "middle", "centre", "halfway"}


class Question(NamedTuple):
    """A question about an image."""

    image_id: str
    kind: Kind
    text: str
    truth: str
    """As ``read`` reads it off a right answer."""
    about: Literal["number", "place", "things"]
    """What the truth is: a number; a side and a level; things, in alphabetical order."""


def questions(scenes: Iterable[Scene]) -> Iterator[Question]:
    """Yield the questions that the boxes of scenes answer: how many, where, and what on a side."""
    for scene in scenes:
        things: dict[str, list[Spot]] = {}
        for box in scene.boxes:
            things.setdefault(box.label, []).append(spot(box.x0, box.y0, box.x1, box.y1))
        for label, spots in things.items():
            words = noun(label)
            text = f"How many {words.many} are there in the picture?"
            yield Question(scene.image_id, "counting", text, str(len(spots)), "number")
            across, down = side(spots[0]), level(spots[0])
            if len(spots) == 1 and across and down:
                text = f"Where is the {words.one}?"
                yield Question(scene.image_id, "what is where", text, f"{across} {down}", "place")
        for here in ("left", "right"):
            there = {label for label, spots in things.items() if common_side(spots) == here}
            partly = {label for label, spots in things.items() if any(side(one) in (here, None) for one in spots)}
            if there and there == partly:
                text = f"What is on the {here} side of the picture?"
                yield Question(scene.image_id, "what is where", text, _listed(there), "things")


def is_right(question: Question, answer: str, labels: Iterable[str]) -> bool:
    """Return whether an answer tells the truth.

    Args:
        question: That was asked.
        answer: Of a model.
        labels: Of all things that any picture shows; others are not looked for.
    """
    return read(question.about, answer, labels) == question.truth


def read(about: str, answer: str, labels: Iterable[str]) -> str:
    """Return what an answer says of what it was asked about; empty if nothing."""
    words = re.findall(r"[a-z]+|\d+", answer.lower())
    if about == "number":
        return next((str(_NUMBER.get(word, word)) for word in words if word in _NUMBER or word.isdecimal()), "")
    if about == "place":
        if _PLACES.isdisjoint(words):
            return ""
        across = next((_SIDES[word] for word in words if word in _SIDES), "centre")
        return f"{across} {next((_LEVELS[word] for word in words if word in _LEVELS), 'middle')}"
    said = f" {' '.join(words)} "
    return _listed(
        label for label in labels if any(f" {name} " in said for name in (noun(label).one, noun(label).many))
    )


def _listed(labels: Iterable[str]) -> str:
    return ", ".join(sorted(labels))
