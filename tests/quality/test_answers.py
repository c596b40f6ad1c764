"""Answers in the words of people: fragments, replies that need their question, denials and amounts of many forms."""

from __future__ import annotations

import pytest

from pipeline.quality.claims.finding import find_claims
from pipeline.quality.reading.lexicon import Lexicon, load_lexicon
from pipeline.records import Box, Scene, Turn

CATEGORIES = dict.fromkeys(
    (
        "person", "car", "truck", "bus", "dog", "cat", "horse", "bird", "bench", "umbrella", "scissors", "cup", "bowl",
        "chair", "couch", "bed", "dining table", "tv", "laptop", "skis", "wine glass", "cell phone", "teddy bear",
    ),
    "",
)  # fmt: skip
FARM = Scene(
    "1", "", 640, 480,
    ("A man and three horses.", "Horses stand around a man by a bench."),
    (
        Box("person", 0.45, 0.30, 0.55, 0.80),
        Box("horse", 0.05, 0.50, 0.25, 0.80),
        Box("horse", 0.25, 0.55, 0.43, 0.80),
        Box("horse", 0.60, 0.20, 0.95, 0.90),
        Box("bench", 0.80, 0.90, 0.98, 0.99),
        Box("scissors", 0.46, 0.82, 0.50, 0.86),
        Box("scissors", 0.52, 0.82, 0.56, 0.86),
    ),
)  # fmt: skip
"""A man in the middle, two horses left of him, a large one right of him, a bench in the lower right."""


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return load_lexicon(CATEGORIES)


def wrong(lexicon: Lexicon, question: str, answer: str, scene: Scene = FARM) -> list[str]:
    """Return kind and words of what is contradicted."""
    texts = (question, answer)
    claims = find_claims([Turn(question, answer)], scene, lexicon)
    return [
        f"{claim.kind}: {texts[claim.message][claim.start : claim.end]}"
        for claim in claims
        if claim.verdict == "contradicted"
    ]


@pytest.mark.parametrize(
    ("question", "answer", "found"),
    [
        ("How many horses are there?", "A couple.", []),  # or three, to some
        ("How many horses are there?", "A pair.", ["count: A pair"]),
        ("How many horses are there?", "Half a dozen.", ["count: Half a dozen"]),
        ("How many horses are there?", "A trio.", []),
        ("How many horses are there?", "Just the one.", ["count: Just the one"]),
        ("How many horses are there?", "Just the three of them.", []),
        ("How many horses are there?", "All four of them.", ["count: four of them"]),
        ("How many horses are there?", "Not one.", ["absence: Not one"]),
        ("How many horses are there?", "Zero.", ["absence: Zero"]),
        ("How many horses are there?", "None that I can see.", ["absence: None"]),
        ("How many men are there?", "A lone man.", []),
        ("How many horses are there?", "A single horse.", ["count: A single horse"]),
        ("How many scissors are there?", "Two pairs.", []),
        ("How many scissors are there?", "Four pairs.", ["count: Four pairs"]),
        ("How many horses wear a saddle?", "None.", []),
        ("How many horses wear a saddle?", "Only one of the three.", []),
        ("How many horses could graze here?", "A dozen horses, I should think.", []),
        ("Is the man alone?", "No, a second man is with him.", ["count: a second man"]),
        ("Is the horse alone?", "No, a second horse is with it.", []),
        ("Are there more horses or benches?", "More benches.", ["comparison: More benches"]),
        ("Are there more horses or benches?", "Horses.", []),
    ],
)
def test_amounts_that_stand_alone(lexicon: Lexicon, question: str, answer: str, found: list[str]) -> None:
    assert wrong(lexicon, question, answer) == found


@pytest.mark.parametrize(
    ("question", "answer", "found"),
    [
        ("What is on the right?", "A bench.", []),
        ("What is on the left?", "A bench.", ["place: A bench"]),
        ("What stands at the far left?", "Two horses.", []),
        ("What do you see at the top?", "A bench.", ["place: A bench"]),
        ("What is at the far left?", "The man and the bench.", ["place: the bench"]),
        ("Which animal is on the left?", "A horse.", []),
        ("What is to the left of the man?", "A bench.", ["relation: A bench"]),
        ("Which side is the bench on?", "The left one.", ["place: The left"]),
        ("Where is the bench?", "Low down on the left.", ["place: on the left"]),
        ("Where is the bench?", "High up on the right.", ["place: High up"]),
        ("Where is the bench?", "At the foot of the picture.", []),
        ("What comes in which order?", "From left to right, there is a horse, then the man, then a bench.", []),
        ("Where is the bench?", "The man keeps it on the left.", ["place: on the left"]),
        ("Where is the bench?", "To his left, near the horse.", []),  # his left may be our right
        ("Where is the man?", "In the middle, and the bench is on the right of him.", []),
        ("Is there a bench?", "Yes, over on the left.", ["place: over on the left"]),
        ("Is there a bench?", "Yes; the fence is on the left.", []),
        ("How are the scissors stored?", "Lying near the top edge.", ["place: near the top edge"]),
        ("Where is the man?", "Between the bench and the scissors.", []),  # which scissors?
        ("Where is the bench?", "Between the man and the horses.", []),
        ("Where are the scissors?", "Above the man.", ["relation: Above the man"]),
        ("Where is the bench relative to the man?", "It is to the left of him.", ["relation: to the left of him"]),
        ("Where is the bench relative to the man?", "It stands above him.", ["relation: above him"]),
    ],
)
def test_places_that_need_their_question(lexicon: Lexicon, question: str, answer: str, found: list[str]) -> None:
    assert wrong(lexicon, question, answer) == found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("There isn't a single horse.", ["absence: a single horse"]),
        ("There is no sign of a horse.", ["absence: a horse"]),
        ("A bench is nowhere to be seen.", ["absence: A bench"]),
        ("The bench cannot be seen.", ["absence: The bench"]),
        ("The yard is empty of horses.", ["absence: horses"]),
        ("The yard lacks a bench.", ["absence: a bench"]),
        ("There isn't anyone around.", ["absence: anyone"]),
        ("No bench can be made out anywhere in the yard.", ["absence: No bench"]),
        ("No horses or anything else alive can be seen.", ["absence: No horses"]),
        ("The horse is without a man.", []),
        ("The horse has no man on its back.", []),
        ("No horse has a saddle.", []),
        ("Nobody else is there but the man.", []),
        ("A man stands there and nobody else.", []),
        ("No bench would be missed.", []),
        ("The man's face is not visible.", []),
        ("No horse's tail is docked.", []),
        ("No cats, let alone a bird.", []),
        ("Horses need no bench.", []),
    ],
)
def test_forms_of_denial(lexicon: Lexicon, answer: str, found: list[str]) -> None:
    assert wrong(lexicon, "Describe the image.", answer) == found


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What would you add to the yard?", "A cat and two birds."),
        ("What is he thinking of?", "His dog, or a cup of tea."),
        ("What's missing from the yard?", "A dog."),
        ("Does the farmer need a dog?", "One dog, maybe two."),
        ("What does the owner of the cats say?", "There are no cats."),
        ("How many people can sit on the bench?", "Two people, or three children."),
        ("What might come by?", "A truck, a bus or a car."),
        ("Describe the image.", "A dog or a cat may be near, who knows."),
        ("Describe the image.", "Two buses an hour pass the yard."),
        ("Describe the image.", "One person at a time may ride."),
        ("Describe the image.", "It is anything but a dog's life."),
        ("Describe the image.", "Every dog has its day."),
        ("Describe the image.", "Dogs, cats and horses get along well."),
        ("Describe the image.", "He goes by the book."),
        ("Describe the image.", "People call it a yard, and cats like it."),
        ("Describe the image.", "There are twice as many horses as men."),
        ("Describe the image.", "A wooden horse stood there, and so did a stone bird."),
        ("Describe the image.", "A man with a horse stands in the middle."),
        ("Who is there?", "Just one man stands near the horses; the two others are at home."),
    ],
)
def test_what_is_thought_of_is_no_claim(lexicon: Lexicon, question: str, answer: str) -> None:
    assert wrong(lexicon, question, answer) == []


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("The largest horse is on the left.", ["comparison: The largest horse is on the left", "place: on the left"]),
        ("The largest horse is on the right.", []),
        ("The horse on the right looks smaller than the bench.", ["comparison: The horse on the right looks smaller"]),
        ("The benches outnumber the horses.", ["comparison: The benches outnumber the horses"]),
        ("There are fewer benches than horses.", []),
        ("There are not as many benches as horses.", []),
    ],
)
def test_sizes_and_numbers_are_compared(lexicon: Lexicon, answer: str, found: list[str]) -> None:
    told = wrong(lexicon, "Describe the image.", answer)
    assert [each.removesuffix(" than the bench") for each in told] == found


def test_a_caption_that_counts_some_of_a_crowd_does_not_count_it_all(lexicon: Lexicon) -> None:
    crowd = tuple(Box("person", x / 10, 0.2, x / 10 + 0.08, 0.9) for x in range(8))
    scene = Scene("1", "", 640, 480, ("A crowd watches two children dance.",), crowd)
    assert wrong(lexicon, "How many people are there?", "Two.", scene) == ["count: Two"]
    assert wrong(lexicon, "How many people are there?", "Eight.", scene) == []


def test_a_caption_that_names_a_thing_again_does_not_make_it_two(lexicon: Lexicon) -> None:
    scene = Scene("1", "", 640, 480, ("A dog runs, and the dog barks.",), (Box("dog", 0.1, 0.1, 0.5, 0.9),))
    assert wrong(lexicon, "How many dogs are there?", "Two dogs.", scene) == ["count: Two dogs"]


def test_bare_plurals_are_claims_where_they_are_shown(lexicon: Lexicon) -> None:
    assert wrong(lexicon, "Is there a pet?", "There are cats by the bench.") == ["presence: cats"]
    assert wrong(lexicon, "Describe the image.", "Cats are visible everywhere.") == ["presence: Cats"]
    assert wrong(lexicon, "Describe the image.", "Cats are quick.") == []


def test_one_who_looks_for_a_thing_is_not_one_of_the_things_before(lexicon: Lexicon) -> None:
    turns = [
        Turn("What is there?", "Three horses."),
        Turn("Where should one look for the man?", "He is in the middle."),
    ]
    claims = find_claims(turns, FARM, lexicon)
    assert [claim.detail for claim in claims if claim.verdict == "contradicted"] == []
    assert [claim.boxes for claim in claims if claim.kind == "place"] == [(0,)]
