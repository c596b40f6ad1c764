from __future__ import annotations

import json

import pytest

from pipeline.judging.blind import declines, is_right, make_key, read_number
from tests.judging.stage import COUNT, Body, Room, answer, last, row, verdicts

YES = ("Is there a dog?", "Yes, a dog is running.")
NO = ("Is there a cat?", "No, there is only a dog.")
ONE = ("How many dogs are there?", "There is one dog.")
OPEN = ("What is the dog doing?", "The dog is running.")
MIXED = [row("1/c/0", YES, ONE, OPEN), row("2/c/0", NO), row("3/c/0", ("Are there dogs?", "Yes."))]
REFERENCES = dict([YES, NO, ONE, OPEN, ("Are there dogs?", "Yes.")])


def test_an_oracle_is_right_throughout(room: Room) -> None:
    figures = room.guess(MIXED, lambda body: answer(REFERENCES[last(body)]))
    assert (figures["questions"], figures["right"]["share"], figures["declined"]) == (5, 1, 0)
    assert {name: each["right"]["of"] for name, each in figures["by_type"].items()} == {
        "closed": 3, "count": 1, "other": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    "excuse", ["I cannot see the image.", "No, I'm sorry, I can't see it.", "Unable to determine."]
)
def test_a_model_that_says_it_cannot_see_is_never_right(room: Room, excuse: str) -> None:
    figures = room.guess(MIXED, lambda body: answer(excuse))
    assert (figures["right"]["share"], figures["right"]["of"], figures["declined"]) == (0, 5, 5)


def test_always_yes_is_right_as_often_as_yes_is_the_answer(room: Room) -> None:
    figures = room.guess(MIXED, lambda body: answer("Yes."))
    closed = figures["by_type"]["closed"]
    assert closed["right"]["share"] == 0.66667
    assert closed["chance"] == {
        "always_yes": closed["right"]["share"],
        "always_the_commonest": closed["right"]["share"],
    }
    assert figures["by_type"]["count"]["not_marked"] == {"unreadable reply": 1}
    assert figures["by_type"]["count"]["right"]["share"] is None
    assert figures["by_type"]["other"]["right"]["share"] == 0
    assert "chance" not in figures["by_type"]["other"]


def test_the_blind_model_gets_one_question_and_nothing_else(room: Room) -> None:
    room.guess([row("1/c/0", YES, OPEN)], lambda body: answer("Yes."))
    bodies = room.seen["blind"]
    assert [last(body) for body in bodies] == [YES[0], OPEN[0]]
    assert bodies[0]["messages"][0] == bodies[1]["messages"][0]
    assert "runs" not in json.dumps(bodies)
    assert bodies[0]["response_format"]["json_schema"]["schema"]["required"] == ["answer"]


def test_an_empty_question_is_not_asked(room: Room) -> None:
    figures = room.guess([row("1/c/0", (" ", "A dog."))], lambda body: answer("A dog."))
    assert figures["not_marked"] == {"empty question": 1}
    assert room.seen["blind"] == []


def test_a_question_that_many_samples_have_is_asked_once(room: Room) -> None:
    figures = room.guess([row(f"{n}/c/0", OPEN) for n in range(30)], lambda body: answer("It is running."))
    assert figures["questions"] == 30
    assert len(room.seen["blind"]) == 1


def test_with_a_judge_open_answers_are_marked_by_meaning(room: Room) -> None:
    def play(body: Body) -> str:
        if "Reference 1:" not in last(body):
            return verdicts(*["supported"] * last(body).count("Answer "))
        return verdicts("supported", "contradicted")

    room.serve("judge", play)
    room.serve("blind", lambda body: answer("Two. It runs."))
    samples = [row("1/c/0", COUNT, OPEN, ("Why?", "It is at play."), ("What?", "Two. It runs."))]
    figures = room.run(samples).figures()["blind"]
    assert figures["others_marked_by"] == "judge, beside the reference"
    assert [each["blind_right"] for each in room.table()] == [True, True, False, True]
    comparing = last(room.seen["judge"][1])
    assert comparing == (
        "Question 1: What is the dog doing?\nReference 1: The dog is running.\nAnswer 1: Two. It runs.\n"
        "Question 2: Why?\nReference 2: It is at play.\nAnswer 2: Two. It runs."
    )
    assert figures["by_type"]["other"]["right"]["of"] == 3


def test_a_guess_that_declines_is_not_worth_a_judge(room: Room) -> None:
    room.serve("judge", lambda body: verdicts("supported"))
    room.serve("blind", lambda body: answer("I cannot tell."))
    figures = room.run([row("1/c/0", OPEN)]).figures()["blind"]
    assert (figures["declined"], figures["right"]["count"], figures["right"]["of"]) == (1, 0, 1)
    assert len(room.seen["judge"]) == 1  # about the sample's own answer


def test_a_comparison_that_cannot_be_read_marks_nothing(room: Room) -> None:
    def play(body: Body) -> str:
        return verdicts("supported") if "Captions:" in body["messages"][1]["content"] else "Hard to say."

    room.serve("judge", play)
    room.serve("blind", lambda body: answer("Sleeping."))
    figures = room.run([row("1/c/0", OPEN)]).figures()["blind"]
    assert figures["by_type"]["other"]["not_marked"] == {"judge: unreadable reply": 1}
    assert (figures["right"]["of"], figures["right"]["share"]) == (0, None)
    assert room.table()[0]["blind_right"] is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("There are three dogs, one of them black.", 3), ("3.", 3), ("About 1,200 people", 1200), ("Twenty-one.", 21),
        ("forty people", 40), ("A couple of dogs.", 2), ("None.", 0), ("There are no dogs.", 0), ("No one is.", 0),
        ("No, there are two.", 2), ("Several.", None), ("2.5 dogs", None), ("A1 is the road.", None),
    ],
)  # fmt: skip
def test_the_first_number_of_an_answer_counts(text: str, number: int | None) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    ("guess", "right"),
    [("Yes.", True), ("yes, certainly!", True), ("YES", True), ("No.", False), ("Yes, but I cannot see it.", False)],
)
def test_wording_changes_no_mark(guess: str, right: bool) -> None:
    assert is_right(guess, make_key(*YES)) is right


@pytest.mark.parametrize(
    "guess",
    [
        "The man cannot see the ball.", "No, there is no picture on the wall.", "It is unknown to most people.",
        "He is unable to reach it.", "A dog without a collar.",
        "The girl is brushing her teeth in front of a mirror, and is looking at the toothbrush rather than at who is "
        "standing there. Whether that was planned cannot be told.",
    ],
)  # fmt: skip
def test_an_answer_about_not_seeing_is_still_an_answer(guess: str) -> None:
    assert not declines(guess)


def test_a_closed_question_without_a_yes_or_no_and_a_count_without_a_number_are_of_the_type_other() -> None:
    assert make_key("Is it day?", "The sun shines.").type == "other"
    assert make_key("How many are there?", "Several.").type == "other"
    assert is_right("the Sun, shines", make_key("Is it day?", "The sun shines."))
