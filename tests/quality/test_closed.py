"""Closed questions and their answers, by rule."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipeline.annotations.coco import read_scenes
from pipeline.llm.writer import write
from pipeline.prompting.context import describe
from pipeline.prompting.kinds import load_kinds, render_system
from pipeline.prompting.replies import read_reply
from pipeline.quality.texts.closed import asks_for_absent, closed_answer, is_closed

CLOSED = """
Is there a dog?
In the image, is there a cat on the mat?
And are there any people?
The dog is brown, isn't it?
Does the picture show a bus?
Are there any dogs or cats here?
Can you see any bananas?
Is the man wearing a hat?
Has anyone sat down?
Can you tell whether it is raining?
Do you see a clock?
Looking at the table, are there two cups?
This is a kitchen, right?
Is it raining or not?
Yes or no: is the dog asleep?
Could this be a station?
Isn't there a bench?
Would you say the room is tidy?
Nobody is at this desk. Is the lamp on?
Is anybody helping her?
Can you find a clock?
Is what he holds a phone?
Does the man who stands by the door have a hat?
Is there someone or something behind the tree?
Are they both sitting?
Is the street wet, too?
Besides the dog, is any other animal in view?
There are three cups, aren't there?
Didn't the boy put on a helmet?
Is this photo black and white?
""".strip().splitlines()

OPEN = """
Is it a cat or a dog?
What is there?
How many dogs are there?
Can you describe the room?
Could you walk me through this image?
Can you tell me what the man is doing?
Where is the cat?
Would you sit on the left or on the right?
Describe this image.
Is the man on the left or the right?
Do you know what this is?
Which is larger?
If I had to draw this picture from your words alone, what would you tell me?
I cannot open this image. What is in it?
Can you explain why he is smiling?
Are the apples red or green?
Could you tell me more about the scene?
Can you see what the woman is holding?
Tell me about this photo: what is in it, and where?
Who is there, and what is he doing?
In the image, what is there?
The dog is brown.
""".strip().splitlines()

YES = """
Yes.
Yes, there is.
Yeah, two.
There is one on the left.
It is.
They do.
Correct.
Indeed, it is.
Certainly.
There are two dogs.
Probably, since it is wet.
Right, that is the one.
Of course.
Oh, yes.
yes it is
""".strip().splitlines()

NO = """
No.
No, it is blue.
There isn't any.
Not that can be seen.
None.
There are no dogs.
It is not.
They don't.
Nobody is.
I'm afraid not.
Probably not.
Nope.
The dog is not on the bed.
Not really.
Neither of them is.
There is nobody.
It’s not.
Never.
You can't see one.
no, there are only two
""".strip().splitlines()

NEITHER = """
Two.
On the left.
A man rides a horse.
Blue.
Right behind the dog.
The man is wearing a hat.
Not far from the door.
Nothing but snow.
Sure-footed goats climb the rock.
Notes lie on the desk.
""".strip().splitlines()


@pytest.mark.parametrize("question", CLOSED)
def test_yes_or_no_answers_a_closed_question(question: str) -> None:
    assert is_closed(question)


@pytest.mark.parametrize("question", OPEN)
def test_a_choice_a_request_and_an_open_question_are_not_closed(question: str) -> None:
    assert not is_closed(question)


@pytest.mark.parametrize(
    ("answer", "said"),
    [*((text, "yes") for text in YES), *((text, "no") for text in NO), *((text, None) for text in NEITHER)],
)
def test_an_answer_says_yes_or_no_or_neither(answer: str, said: str | None) -> None:
    assert closed_answer(answer) == said


def test_a_question_for_what_is_not_there_is_an_absence_question() -> None:
    assert asks_for_absent("Is there a dog in the room?", "No, there is not.")
    assert asks_for_absent("Can you see any boats?", "None can be seen.")
    assert not asks_for_absent("Is there a dog in the room?", "Yes, under the table.")
    assert not asks_for_absent("Is the dog brown?", "No, it is black.")
    assert not asks_for_absent("What is there?", "No dog, at least.")


def test_all_drawn_questions_are_requests_not_closed_questions() -> None:
    questions = [question for kind in load_kinds().values() for question in kind.questions]
    assert len(questions) > 20
    assert [question for question in questions if is_closed(question)] == []


def test_half_of_the_offline_writers_closed_questions_are_answered_no(coco_sample: Path) -> None:
    scenes = read_scenes(coco_sample / "captions_val.json", coco_sample / "instances_val.json").scenes
    kind = load_kinds(["conversation"])["conversation"]
    system = {"role": "system", "content": render_system(kind, "json")}
    said: Counter[str | None] = Counter()
    for number, scene in enumerate(scenes):
        user = {"role": "user", "content": describe(scene, kind.context)}
        turns = read_reply(write([system, user], seed=number), "turns", "json")
        said.update(closed_answer(turn.answer) for turn in turns if is_closed(turn.question))
    assert said["yes"] > 50
    assert said["yes"] == pytest.approx(said["no"], rel=0.1)
    assert said[None] == 0
