from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.annotations.coco import read_scenes
from pipeline.prompting.kinds import load_kinds
from pipeline.quality.claims.finding import find_claims
from pipeline.quality.reading.lexicon import Lexicon, load_lexicon
from pipeline.records import Box, Claim, Scene, Turn

CATEGORIES = {
    name: group
    for group, names in {
        "person": "person",
        "vehicle": "car,bus,bicycle,truck,train,boat",
        "animal": "dog,cat,horse,bird,sheep,cow,bear",
        "outdoor": "bench,traffic light,stop sign",
        "accessory": "umbrella,tie,backpack",
        "kitchen": "cup,bowl,fork,bottle",
        "food": "orange,hot dog,banana,apple",
        "furniture": "chair,couch,bed,dining table",
        "electronic": "tv,laptop,cell phone,mouse,remote,keyboard",
        "indoor": "book,clock,scissors,teddy bear",
    }.items()
    for name in names.split(",")
}
WALK = Scene(
    "1", "", 640, 480,
    ("Two people walk a dog.", "A man and a woman with a brown dog."),
    (
        Box("person", 0.60, 0.20, 0.75, 0.90),
        Box("person", 0.80, 0.30, 0.95, 0.90),
        Box("dog", 0.10, 0.60, 0.30, 0.90),
    ),
)  # fmt: skip
"""Two people on the right, a dog in the lower left."""


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return load_lexicon(CATEGORIES)


def said(lexicon: Lexicon, answer: str, question: str = "Describe the image.", scene: Scene = WALK) -> list[Claim]:
    return find_claims([Turn(question, answer)], scene, lexicon)


def wrong(lexicon: Lexicon, answer: str, question: str = "Describe the image.", scene: Scene = WALK) -> list[str]:
    """Return kind and words of what is contradicted."""
    found = [claim for claim in said(lexicon, answer, question, scene) if claim.verdict == "contradicted"]
    texts = (question, answer)
    return [f"{claim.kind}: {texts[claim.message][claim.start : claim.end]}" for claim in found]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("There are three people in the image.", ["count: three people"]),
        ("The image contains 3 persons and 1 dog.", ["count: 3 persons"]),
        ("There's only one person here.", ["count: only one person"]),
        ("A total of three people can be counted.", ["count: A total of three people"]),
        ("Several dogs are in view.", ["count: Several dogs"]),
        ("A pair of dogs walk along.", ["count: A pair of dogs"]),
        ("At least three people are walking.", ["count: At least three people"]),
        ("More than two people are present.", ["count: More than two people"]),
        ("One of the three people is a woman.", ["count: the three people"]),
        ("Both dogs are on a leash.", ["count: Both dogs"]),
        ("Half a dozen people stroll past.", ["count: Half a dozen people"]),
        ("The number of people is three.", ["count: three"]),
    ],
)
def test_wrong_numbers_are_found(lexicon: Lexicon, answer: str, found: list[str]) -> None:
    assert [each.replace("One of ", "") for each in wrong(lexicon, answer)] == found


@pytest.mark.parametrize(
    "answer",
    [
        "There are two people in the image.",
        "A couple of people are on the right.",
        "One man is in the picture.",
        "Two or three people are visible.",
        "At least one person is visible, fewer than four.",
        "About three people can be seen.",
        "One of the two people is a woman.",
        "Another person stands behind her.",
        "Several people pass by.",
    ],
)
def test_numbers_that_may_be_meant_are_let_through(lexicon: Lexicon, answer: str) -> None:
    assert wrong(lexicon, answer) == []


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("There are two people, one on the left and another further back on the right.", ["place: on the left"]),
        ("A dog can be seen on the right side of the image.", ["place: on the right side of the image"]),
        ("On the right-hand side a dog is walking.", ["place: On the right-hand side"]),
        ("The dog, which is at the top, looks up.", ["place: at the top"]),
        ("The dog is in the upper left corner.", ["place: in the upper left corner"]),
        ("There is a dog in the middle of the image.", ["place: in the middle of the image"]),
        ("The left side of the image shows two people.", ["place: The left side of the image"]),
        ("The two people are on the left.", ["place: on the left"]),
        ("A dog runs about. It is on the right.", ["place: on the right"]),
    ],
)
def test_wrong_places_are_found(lexicon: Lexicon, answer: str, found: list[str]) -> None:
    assert [each for each in wrong(lexicon, answer) if each.startswith("place")] == found


@pytest.mark.parametrize(
    "answer",
    [
        "The dog looks to the right.",
        "A dog is right next to a post.",
        "The man holds it in his left hand.",
        "A dog lies on the right side of the rug.",
        "The man on the left has the leash.",  # the left one of the two
        "Somebody has left; the dog is right here.",
        "People keep to the right of the road.",
        "One person is on the right and the other is farther to the left.",
    ],
)
def test_left_and_right_are_not_always_places(lexicon: Lexicon, answer: str) -> None:
    assert wrong(lexicon, answer) == []


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("In addition there is a cat in the scene.", ["presence: a cat"]),
        ("The man sits on a bench.", ["presence: a bench"]),
        ("Dogs, cats and horses fill the scene.", ["presence: cats", "presence: horses"]),
        ("He holds a cup.", ["presence: a cup"]),
        ("No people are visible.", ["absence: No people"]),
        ("There is nobody in the picture.", ["absence: nobody"]),
        ("I don't see any dogs.", ["absence: any dogs"]),
        ("There isn't a dog anywhere.", ["absence: a dog"]),
        ("Neither a dog nor a cat is present.", ["absence: a dog"]),
    ],
)
def test_what_is_not_there_and_what_is_are_found(lexicon: Lexicon, answer: str, found: list[str]) -> None:
    assert wrong(lexicon, answer) == found


@pytest.mark.parametrize(
    "answer",
    [
        "Perhaps there is a cat nearby, and a bus might come.",
        "If it rains, people would open umbrellas.",
        "They are waiting for a bus.",
        "It is a kind of hot dog stand with an orange shirt.",
        "A statue of a horse, a toy car and a painting of a cat decorate it.",
        "They pass a bus stop and a car park near the train station.",
        "The dog walks without a leash, and no dog is running.",
        "Bear in mind that it is late.",
        "Family units and individual pieces are for sale.",
        "They play table tennis.",
        "The cat-shaped sign swings.",
        "Horses are noble animals.",
    ],
)
def test_words_that_look_like_things_are_no_claims(lexicon: Lexicon, answer: str) -> None:
    assert wrong(lexicon, answer) == []


@pytest.mark.parametrize(
    ("question", "answer", "found"),
    [
        ("Is there a dog?", "No.", ["absence: No"]),
        ("Is there a cat?", "Yes, there is.", ["presence: Yes"]),
        ("Is there a cat?", "No.", []),
        ("Are there three people?", "Yes.", ["count: Yes"]),
        ("Are there two people?", "No.", ["count: No"]),
        ("Are there three people?", "No, only two.", []),
        ("How many people are there?", "Three.", ["count: Three"]),
        ("How many people are there?", "I can see four.", ["count: four"]),
        ("How many people are there?", "Two.", []),
        ("Where is the dog?", "On the right.", ["place: On the right"]),
        ("Where is the dog?", "In the lower left corner.", []),
        ("Which side is the dog on?", "The right side.", ["place: The right side"]),
        ("Is the dog on the left?", "No.", ["place: No"]),
        ("Is the dog on the right?", "No, it is on the left.", []),
        ("What is the cat doing?", "Sleeping.", ["presence: the cat"]),
        ("Where is the cat?", "There is no cat.", []),
        ("What animal is there?", "A horse.", ["presence: A horse"]),
    ],
)
def test_an_answer_is_read_with_its_question(lexicon: Lexicon, question: str, answer: str, found: list[str]) -> None:
    assert wrong(lexicon, answer, question) == found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("The dog is to the right of the people.", ["relation: to the right of the people"]),
        ("To the right of the people, a dog runs.", ["relation: To the right of the people"]),
        ("The dog is farther to the right than the people.", ["relation: right than the people"]),
        ("There are more dogs than people.", ["comparison: more dogs than people"]),
        ("There are as many dogs as people.", ["comparison: as many dogs as people"]),
        ("The dog is to the left of the people.", []),
        ("There are fewer dogs than people.", []),
    ],
)
def test_relations_and_comparisons_are_held_against_the_boxes(lexicon: Lexicon, answer: str, found: list[str]) -> None:
    assert [each for each in wrong(lexicon, answer) if not each.startswith("count")] == found


def test_colours_are_held_against_the_captions(lexicon: Lexicon) -> None:
    captions = ("A brown dog.", "A brown dog runs.")
    scene = Scene("1", "", 640, 480, captions, (Box("dog", 0.1, 0.6, 0.3, 0.9),))
    assert wrong(lexicon, "A blue dog runs.", scene=scene) == ["attribute: A blue dog"]
    assert wrong(lexicon, "The dog is green.", scene=scene) == ["attribute: The dog"]
    assert wrong(lexicon, "A brown dog runs.", scene=scene) == []
    assert wrong(lexicon, "A tan dog runs.", scene=scene) == []


def test_crowds_small_things_and_captions_widen_what_may_be_said(lexicon: Lexicon) -> None:
    cups = tuple(Box("cup", x / 10, 0.5, x / 10 + 0.05, 0.6) for x in range(3))
    scene = Scene("1", "", 640, 480, ("Four cups on a table.",), (*cups, Box("cup", 0.9, 0.1, 0.905, 0.105)))
    uncounted = Scene("1", "", 640, 480, ("Some cups on a table.",), scene.boxes)
    assert wrong(lexicon, "There are three cups in the image.", scene=uncounted) == []  # the fourth is tiny
    assert wrong(lexicon, "There are three cups in the image.", scene=scene) == ["count: three cups"]
    assert wrong(lexicon, "There are four cups in the image.", scene=scene) == []
    assert wrong(lexicon, "There are five cups in the image.", scene=scene) == ["count: five cups"]
    crowd = Scene("1", "", 640, 480, (), (*cups, Box("cup", 0.5, 0.1, 0.9, 0.5, crowd=True)))
    assert wrong(lexicon, "There are twenty cups in the image.", scene=crowd) == []


def test_without_boxes_nothing_is_proved_absent(lexicon: Lexicon) -> None:
    scene = Scene("1", "", 640, 480, ("A dog runs.",))
    assert wrong(lexicon, "A dog and two cats run.", scene=scene) == []
    (claim,) = said(lexicon, "A dog.", scene=scene)
    assert (claim.verdict, claim.captions) == ("supported", (0,))


def test_a_claim_has_its_words_and_its_evidence(lexicon: Lexicon) -> None:
    answer = "A dog is on the left."
    presence, place = said(lexicon, answer)
    assert (presence.kind, answer[presence.start : presence.end], presence.boxes) == ("presence", "A dog", (2,))
    assert (place.kind, answer[place.start : place.end], place.boxes) == ("place", "on the left", (2,))
    assert {presence.verdict, place.verdict} == {"supported"}


def test_a_contradiction_says_what_the_evidence_says(lexicon: Lexicon) -> None:
    answer = "There are three people in the image. The dog is on the right."
    assert [claim.detail for claim in said(lexicon, answer) if claim.verdict == "contradicted"] == [
        "the boxes show 2 people",
        "the dog's centre is at 0.20 of the width: left, not right",
    ]


def test_spans_hold_where_small_letters_are_longer(lexicon: Lexicon) -> None:
    answer = "In İstanbul’s park, the dog’s owner sees a cat."
    (claim,) = [each for each in said(lexicon, answer) if each.verdict == "contradicted"]
    assert answer[claim.start : claim.end] == "a cat"


@pytest.mark.parametrize(
    "text", ["", " ", "?", "....", "the", "left", "of of of", "two", "-", "\n\n", "’s", "a" * 5000]
)
def test_no_text_is_too_odd_to_be_read(lexicon: Lexicon, text: str) -> None:
    for question, answer in ((text, text), ("Where is the dog?", text), (text, "Two."), ("Is there a dog?", text)):
        assert all(claim.verdict for claim in said(lexicon, answer, question))


def test_the_shipped_examples_hold() -> None:
    for kind in load_kinds().values():
        for example in kind.examples:
            labels = dict.fromkeys([box.label for box in example.scene.boxes], "")
            found = find_claims(example.turns, example.scene, load_lexicon(CATEGORIES | labels))
            assert [claim for claim in found if claim.verdict == "contradicted"] == [], example.scene.image_id
            assert any(claim.verdict == "supported" for claim in found)


def test_captions_say_nothing_that_their_own_image_denies(coco_sample: Path) -> None:
    """Strangers' words about real scenes: hardly one caption in a hundred names what another annotator did not see."""
    data = read_scenes(coco_sample / "captions_val.json", coco_sample / "instances_val.json")
    lexicon = load_lexicon(data.categories)
    alarms = total = 0
    for scene in data.scenes:
        for caption in scene.captions:
            total += 1
            found = find_claims([Turn("Describe the image.", caption)], scene, lexicon)
            alarms += any(claim.verdict == "contradicted" for claim in found)
    assert total > 300
    assert alarms <= total // 100
