from __future__ import annotations

import pytest

pytest.importorskip("torch")

from pipeline.finetune.sight import Question, is_right, questions, read
from pipeline.records import Box, Scene

FOOD = ("apple", "banana", "donut", "orange")


def box(label: str, across: float, down: float) -> Box:
    return Box(label, across - 0.1, down - 0.1, across + 0.1, down + 0.1)


LEFT, MIDDLE, RIGHT = 1 / 6, 1 / 2, 5 / 6
SCENE = Scene(
    "7",
    "7.jpg",
    192,
    192,
    boxes=(
        box("apple", LEFT, LEFT),
        box("apple", LEFT, RIGHT),
        box("banana", MIDDLE, RIGHT),
        box("orange", RIGHT, LEFT),
    ),
)


def asked(scene: Scene = SCENE) -> dict[str, str]:
    return {question.text: question.truth for question in questions([scene])}


def test_boxes_tell_how_many_where_and_what() -> None:
    assert asked() == {
        "How many apples are there in the picture?": "2",
        "How many bananas are there in the picture?": "1",
        "How many oranges are there in the picture?": "1",
        "Where is the banana?": "centre bottom",
        "Where is the orange?": "right top",
        "What is on the left side of the picture?": "apple",
        "What is on the right side of the picture?": "orange",
    }


def test_nothing_is_asked_that_the_boxes_leave_in_doubt() -> None:
    between = Scene(
        "8", "8.jpg", 192, 192, boxes=(box("apple", 0.36, 0.36), box("donut", LEFT, LEFT), box("donut", RIGHT, LEFT))
    )
    assert list(asked(between)) == [
        "How many apples are there in the picture?",
        "How many donuts are there in the picture?",
    ]


@pytest.mark.parametrize(
    ("about", "answer", "truth"),
    [
        ("number", "There are two apples in all, one on the left.", "2"),
        ("number", "Only one banana can be seen.", "1"),
        ("number", "I see 3 of them", "3"),
        ("number", "Apples.", ""),
        ("place", "The donut is in the top left corner.", "left top"),
        ("place", "It is on the right-hand side, about halfway down.", "right middle"),
        ("place", "The apple is in the lower middle of the picture.", "centre bottom"),
        ("place", "It is near the top of the image, about halfway across.", "centre top"),
        ("place", "It is in the centre of the picture.", "centre middle"),
        ("place", "It is an apple.", ""),
        ("things", "On the left, there are two bananas and an apple.", "apple, banana"),
        ("things", "There is an orange on the right.", "orange"),
        ("things", "Nothing.", ""),
    ],
)
def test_an_answer_is_read_for_what_was_asked(about: str, answer: str, truth: str) -> None:
    assert read(about, answer, FOOD) == truth


def test_an_answer_is_right_only_if_all_of_it_is() -> None:
    question = Question("7", "what is where", "Where is the orange?", "right top", "place")
    assert is_right(question, "The orange is in the upper right of the picture.", FOOD)
    assert not is_right(question, "The orange is on the right, about halfway down.", FOOD)
    assert not is_right(question, "There is an orange.", FOOD)
