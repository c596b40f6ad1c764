"""The seed examples teach a model what to write, so each statement in them is held against its own captions and boxes.

``FACTS`` lists, for every example, the fragments of its reply that can be checked and what must hold for each. Further
tests see to it that no number, place or colour in a reply is missing there, and that mirrored boxes would be noticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

FOLDER = Path(__file__).parent.parent / "seed_examples"
KINDS = ("conversation", "detailed_description", "complex_reasoning")
FILES = {path.stem: path for kind in KINDS for path in sorted((FOLDER / kind).glob("*.json"))}
WORDS_PER_ANSWER = {"conversation": (12, 22), "detailed_description": (90, 130), "complex_reasoning": (90, 130)}

COCO = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,"
    "snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,"
    "fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
)
CATEGORIES = COCO.split(",")
NAMES = {"person": "persons?|people", "tv": "tvs?|monitors?", "knife": "knife|knives", "sheep": "sheep", "skis": "skis"}
NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}

PLACE = (
    r"left|right|top|bottom|above|below|under|upper|lower|high|middle|between|beside|nearest|edge|corner|halfway|"
    r"higher|larger|largest|smaller|smallest|apart|farther|gaps|low"
)
NUMBER = r"two|three|four|five|six|seven|eight|nine|ten|many|only|single|just|nobody|no|each|every"
COLOUR = r"red|blue|green|yellow|white|black|grey|brown|pink|purple|bright|striped|wooden|clay"
LEAK = (
    r"captions?|box(es)?|bounding|coordinates?|fractions?|described|description|mention\w*|provided|context|annotat\w+|"
    r"listed|according|information|stated|given|notes?|labell?ed|detected|0?\.\d+"
)
CLOSED = r"(Is|Are|Was|Were|Do|Does|Did|Can|Could|Has|Have|Will|Would)\b"


class Thing(NamedTuple):
    """A labelled box; edges in fractions of the image, y down."""

    label: str
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def x(self) -> float:
        return (self.x0 + self.x1) / 2

    @property
    def y(self) -> float:
        return (self.y0 + self.y1) / 2

    @property
    def area(self) -> float:
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    @property
    def place(self) -> str:
        """The thirds of the image that hold the centre: ``top left``, ``middle``, ``bottom middle``, …"""
        row = "top" if self.y < 1 / 3 else "bottom" if self.y > 2 / 3 else ""
        column = "left" if self.x < 1 / 3 else "right" if self.x > 2 / 3 else "middle"
        return f"{row} {column}".strip()


Things = list[Thing]


class Example:
    """One seed example; called with a category, it gives that category's things from left to right."""

    def __init__(self, name: str, mirrored: bool = False) -> None:
        raw: dict[str, Any] = json.loads(FILES[name].read_text(encoding="utf-8"))
        self.captions: list[str] = raw["captions"]
        self.things = [Thing(box["label"], *box["bbox"]) for box in raw["boxes"]]
        if mirrored:
            self.things = [t._replace(x0=1 - t.x1, x1=1 - t.x0) for t in self.things]
        self.turns: list[dict[str, str]] = raw["reply"].get("turns") or [raw["reply"]]
        self.answers = [turn["answer"] for turn in self.turns]

    def __call__(self, label: str) -> Things:
        return sorted((t for t in self.things if t.label == label), key=lambda t: t.x)

    def count(self, label: str) -> int:
        return len(self(label))

    def places(self, label: str) -> list[str]:
        return [t.place for t in self(label)]

    def largest(self, label: str) -> Things:
        """Return the one that is larger than the others by far, or nothing."""
        first, second = sorted(self(label), key=lambda t: -t.area)[:2]
        return [first] if first.area > 1.3 * second.area else []

    def says(self, *phrases: str) -> bool:
        """Tell whether each phrase stands in some caption."""
        return all(any(re.search(rf"\b{phrase}", c, re.I) for c in self.captions) for phrase in phrases)

    def lacks(self, *labels: str) -> bool:
        """Tell whether neither boxes nor captions know any of these."""
        return not any(self(label) or self.says(label) for label in labels)


def for_all(holds: Callable[[Thing, Thing], bool]) -> Callable[[Things, Things], bool]:
    """Lift a relation to groups: there is something on both sides, and it holds for every pair."""
    return lambda a, b: bool(a and b) and all(holds(s, t) for s in a for t in b)


left_of = for_all(lambda a, b: b.x - a.x >= 0.05)
above = for_all(lambda a, b: b.y - a.y >= 0.05)
straight_above = for_all(lambda a, b: b.y - a.y >= 0.05 and a.x0 < b.x1 and b.x0 < a.x1)
clear_of = for_all(lambda a, b: a.x1 < b.x0)
on = for_all(lambda a, b: b.x0 <= a.x0 and a.x1 <= b.x1 and b.y0 < a.y1 < b.y1)

OTHER_VEHICLES = ("bus", "truck", "train", "bicycle", "motorcycle")
OTHER_ANIMALS = ("cow", "horse", "cat", "goat")
OTHER_FRUIT = ("apple", "pear", "melon", "grape")

FACTS: dict[str, list[tuple[str, Callable[[Example], bool]]]] = {
    "street_crossing": [
        ("walking across the street at a crosswalk", lambda e: e.says("two people cross the street", "crosswalk")),
        ("in front of a yellow taxi that waits", lambda e: e.says("yellow taxi waits", "in front of a taxi")),
        ("Three.", lambda e: e.count("car") == 3),
        ("taxi on the right looks by far the largest", lambda e: [t.x > 2 / 3 for t in e.largest("car")] == [True]),
        ("two much smaller cars on the left", lambda e: e.places("car")[:2] == ["left"] * 2),
        ("woman, who is the one on the left", lambda e: straight_above(e("umbrella"), e("person")[:1])),
        ("umbrella is directly above her", lambda e: e.says("woman with an umbrella")),
        ("man beside her has a backpack", lambda e: e.says("man with a back") and on(e("backpack"), e("person")[1:])),
        ("the only vehicles here are cars", lambda e: e.lacks(*OTHER_VEHICLES)),
        ("one of those is the taxi", lambda e: e.says("taxi")),
        ("two of them, both near the top", lambda e: [t.y < 0.2 for t in e("traffic light")] == [True] * 2),
        ("one on the left and one on the right", lambda e: e.places("traffic light") == ["top left", "top right"]),
        ("a rainy day and the street is wet", lambda e: e.says("rainy day", "wet street")),
    ],
    "bread_baking": [
        ("woman is rolling out the dough", lambda e: e.says("rolls out dough", "making bread")),
        ("with a rolling pin on a wooden counter", lambda e: e.says("rolling pin", "wooden kitchen counter")),
        ("four bowls", lambda e: e.count("bowl") == 4),
        ("two on the left side", lambda e: all(t.x < 1 / 3 for t in e("bowl")[:2])),
        ("and two on the right", lambda e: all(t.x > 2 / 3 for t in e("bowl")[2:])),
        ("One. She has the kitchen to herself", lambda e: e.count("person") == 1),
        ("a small one near the top right corner", lambda e: e.places("clock") == ["top right"]),
        ("a small one near the top right corner", lambda e: all(t.area < 0.01 and t.x > 0.8 for t in e("clock"))),
        ("oven is on the left", lambda e: e.places("oven") == ["left"]),
        ("Over on the right, past the woman", lambda e: clear_of(e("person"), e("bottle") + e("knife") + e("cup"))),
        ("two bottles, a knife and a cup", lambda e: [e.count(k) for k in ("bottle", "knife", "cup")] == [2, 1, 1]),
        ("No, it is blue", lambda e: e.says("blue apron") and e.lacks("white")),
    ],
    "sheepdog_at_work": [
        ("herding sheep across a green field", lambda e: e.says("herds sheep across a green field")),
        ("farmer is to the right of the dog", lambda e: left_of(e("dog"), e("person"))),
        ("every sheep is to the left of it", lambda e: left_of(e("sheep"), e("dog"))),
        ("There are six", lambda e: e.count("sheep") == 6),
        ("Five form a group on the left", lambda e: e.places("sheep")[:5] == ["left"] * 5),
        ("one stays apart near the middle", lambda e: e.places("sheep")[5] == "middle"),
        ("the animals here are sheep, a dog and a bird", lambda e: e.lacks(*OTHER_ANIMALS)),
        ("a dog and a bird", lambda e: e.count("dog") == 1 and e.count("bird") == 1),
        ("High up: it is near the top", lambda e: all(t.y < 0.2 for t in e("bird"))),
        ("about halfway across, above all of the sheep", lambda e: above(e("bird"), e("sheep"))),
        ("about halfway across", lambda e: all(0.45 < t.x < 0.55 for t in e("bird"))),
        (
            "Just the farmer, who is standing on the right",
            lambda e: e.count("person") == 1 and e.places("person") == ["right"],
        ),
        ("the one that is nearest to it", lambda e: left_of(e("sheep")[:5], e("sheep")[5:])),
        ("apart from the other five", lambda e: e("sheep")[5].x0 - e("sheep")[4].x1 > 0.1),
    ],
    "harbour_bench": [
        ("a quiet harbour under a cloudy sky", lambda e: e.says("quiet harbor", "under a cloudy sky")),
        ("with calm water and hills behind it", lambda e: e.says("calm water with hills behind")),
        ("Five small boats", lambda e: e.count("boat") == 5),
        ("small boats, fishing boats among them", lambda e: e.says("small fishing boats")),
        ("tied up along a wooden dock", lambda e: e.says("tied up along a wooden dock")),
        ("looks largest is on the left", lambda e: [t.place for t in e.largest("boat")] == ["left"]),
        ("the smallest shows above it", lambda e: e("boat")[0] == min(e("boat"), key=lambda t: t.area)),
        ("shows above it, close to the left edge", lambda e: straight_above(e("boat")[:1], e.largest("boat"))),
        ("close to the left edge", lambda e: e("boat")[0].x < 0.1),
        ("the others are spread out to the right", lambda e: left_of(e.largest("boat"), e("boat")[2:])),
        ("as far as the middle", lambda e: e.places("boat")[3:] == ["middle"] * 2),
        ("In the lower right, a man", lambda e: e.places("person") == e.places("bench") == ["bottom right"]),
        ("sits on a bench on the pier", lambda e: e.says("man sits on a bench", "bench on the pier")),
        ("backpack is on the bench", lambda e: on(e("backpack"), e("bench"))),
        ("to the right of him", lambda e: clear_of(e("person"), e("backpack"))),
        ("Two birds are near the bottom, about halfway", lambda e: e.places("bird") == ["bottom middle"] * 2),
        ("to the left of the bench", lambda e: clear_of(e("bird"), e("bench"))),
        ("Nobody else is in sight", lambda e: e.count("person") == 1),
    ],
    "orange_stall": [
        ("an outdoor street market", lambda e: e.says("outdoor fruit stall", "street market")),
        ("under a striped awning", lambda e: e.says("under a striped awning")),
        ("Many oranges lie in piles", lambda e: e.count("orange") > 10 and e.says("piles of oranges")),
        ("in the lower middle of the picture", lambda e: set(e.places("orange")) == {"bottom middle"}),
        ("high above them hangs a bunch of bananas", lambda e: above(e("banana"), e("orange"))),
        ("a bunch of bananas, near the top", lambda e: e.places("banana") == ["top middle"]),
        ("hangs a bunch of bananas", lambda e: e.says("a bunch of bananas hanging up")),
        ("Two people", lambda e: e.count("person") == 2),
        ("one on the left and one on the right", lambda e: e.places("person") == ["left", "right"]),
        ("with the fruit between them", lambda e: clear_of(e("person")[:1], e("orange") + e("banana"))),
        ("with the fruit between them", lambda e: clear_of(e("orange") + e("banana"), e("person")[1:])),
        ("the man who sells it, and a customer", lambda e: e.says("man sells", "a vendor and a customer")),
        ("woman in a red scarf", lambda e: e.says("woman in a red scarf looks at the fruit")),
        ("person on the right takes up more of the picture", lambda e: e.largest("person") == e("person")[1:]),
        ("closer to the bottom edge", lambda e: e("person")[1].y1 > e("person")[0].y1 + 0.2),
        ("edge than the person on the left", lambda e: e("person")[1].y1 > e("person")[0].y1),
        ("the only kinds of fruit", lambda e: e.lacks(*OTHER_FRUIT)),
    ],
    "cat_on_bed": [
        ("A grey cat is asleep in a sunny bedroom", lambda e: e.says("grey cat", "sunny bedroom with a cat asleep")),
        ("on a white blanket on the bed", lambda e: e.says("white blanket") and on(e("cat"), e("bed"))),
        ("near the window", lambda e: e.says("cat asleep near the window")),
        ("The bed is the largest thing", lambda e: all(t.area < 0.5 * e("bed")[0].area for t in e.things[1:])),
        ("takes up most of the lower half", lambda e: (e("bed")[0].x1 - e("bed")[0].x0) * (e("bed")[0].y1 - 0.5) > 0.3),
        ("An open laptop is on the bed too", lambda e: e.says("open laptop") and on(e("laptop"), e("bed"))),
        ("to the left of the cat", lambda e: clear_of(e("laptop"), e("cat"))),
        ("a cell phone is on the bed below", lambda e: on(e("cell phone"), e("bed"))),
        ("below the laptop", lambda e: straight_above(e("laptop"), e("cell phone"))),
        ("Five books are lined up", lambda e: e.count("book") == 5),
        ("lined up on a shelf", lambda e: e.says("books on a shelf")),
        ("in the upper left", lambda e: set(e.places("book")) == {"top left"}),
        ("Under them, a clock", lambda e: above(e("book"), e("clock")) and e("clock")[0].x < e("book")[-1].x1),
        ("can be seen at the left", lambda e: e.places("clock") == ["left"]),
        ("just beside the bed", lambda e: 0 < e("bed")[0].x0 - e("clock")[0].x1 < 0.05),
        ("a potted plant is close to the right edge", lambda e: e("potted plant")[0].x > 0.9),
        ("higher than the cat", lambda e: above(e("potted plant"), e("cat"))),
        ("There is a lamp as well", lambda e: e.says("lamp")),
        ("no person is in view", lambda e: e.lacks("person", "man", "woman")),
    ],
    "ski_class": [
        ("The adult is an instructor", lambda e: e.says("behind an adult", "ski instructor leads")),
        ("the children are still learning", lambda e: e.says("kids learning to ski")),
        ("From the front, on the right", lambda e: [t.place for t in e.largest("person")] == ["right"]),
        ("down the gentle hill", lambda e: e.says("gentle hill")),
        ("each of the four children", lambda e: e.count("person") == 4 + 1 and e.says("children", "an adult")),
        ("strung out farther to the left", lambda e: left_of(e("person")[:4], e.largest("person"))),
        ("gaps between them", lambda e: all(clear_of([a], [b]) for a, b in pairwise(e("person")))),
        ("The bright vests", lambda e: e.says("bright vests")),
        ("the helmets protect", lambda e: e.says("children in helmets")),
    ],
    "late_desk": [
        ("late at night and the chair is empty", lambda e: e.says("late at night", "empty office chair")),
        ("the lamp is still on", lambda e: e.says("a lamp on") and e.lacks("person")),
        ("Four cups are on the desk", lambda e: e.count("cup") == 4 and e.says("a desk with .* cups")),
        ("three on the left and one on the right", lambda e: e.places("cup") == ["left"] * 3 + ["bottom right"]),
        ("empty coffee cups", lambda e: e.says("empty cups", "coffee cups")),
        ("Two monitors", lambda e: e.count("tv") == 2 and e.says("two monitors")),
        ("a laptop to the right of them", lambda e: clear_of(e("tv"), e("laptop"))),
        ("stacks of paper", lambda e: e.says("stacks of paper")),
        ("mouse is to the right of the keyboard", lambda e: clear_of(e("keyboard"), e("mouse"))),
        ("a single chair", lambda e: e.count("chair") == 1),
    ],
    "tennis_stretch": [
        ("player is stretching to reach the ball", lambda e: e.says("stretches to hit a ball", "woman")),
        ("out to the right of her body", lambda e: left_of(e.largest("person"), e("tennis racket"))),
        ("ball is farther to the right than the racket", lambda e: clear_of(e("tennis racket"), e("sports ball"))),
        ("and lower too", lambda e: above(e("tennis racket"), e("sports ball"))),
        ("A low ball", lambda e: e.says("low ball") and e.places("sports ball") == ["bottom right"]),
        ("The clay court", lambda e: e.says("clay court")),
        ("the six spectators", lambda e: sum(t.y < 0.2 for t in e("person")) == 6 and e.says("watching from the st")),
    ],
}

# Phrases with a word of number, place or size that state nothing about the scene.
IDLE = (
    "No,",
    "several sources",
    "right-handed",
    "many left-handers",
    "only has to follow",
    "most likely try only",
    "A red light could",
    "since clay slows",
)
# A number that counts a part of a category; FACTS holds it.
PARTS = {("street_crossing", "two", "car")}
# Statements of side that a mirrored scene keeps.
SYMMETRIC = ("one on the left and one on the right", "two on the left side", "and two on the right")

every_example = pytest.mark.parametrize("name", FILES)


def named(category: str) -> str:
    """Return a pattern for a category's name, in the singular or the plural."""
    return rf"\b(?:{NAMES.get(category, category + '(?:e?s)?')})\b"


def spans(pattern: str, text: str) -> list[range]:
    return [range(*match.span()) for match in re.finditer(pattern, text)]


def closed_turns() -> list[tuple[Example, dict[str, str]]]:
    examples = [Example(name) for name in FILES]
    return [(e, turn) for e in examples for turn in e.turns if re.match(CLOSED, turn.get("question", ""))]


def test_each_kind_has_three_examples_and_each_example_has_facts() -> None:
    assert [path.parent.name for path in FILES.values()] == [kind for kind in KINDS for _ in range(3)]
    assert set(FACTS) == set(FILES)


@every_example
def test_boxes_and_captions_look_like_those_of_coco(name: str) -> None:
    example = Example(name)
    assert len(example.captions) == 5
    assert 4 <= len(example.things) <= 14
    for thing in example.things:
        assert thing.label in CATEGORIES
        assert 0 <= thing.x0 < thing.x1 <= 1
        assert 0 <= thing.y0 < thing.y1 <= 1
        assert all(round(edge, 3) == edge for edge in thing[1:])


@pytest.mark.parametrize(
    ("name", "fragment", "holds"), [(name, *fact) for name, facts in FACTS.items() for fact in facts]
)
def test_every_fact_is_stated_and_holds(name: str, fragment: str, holds: Callable[[Example], bool]) -> None:
    example = Example(name)
    assert fragment in "\n".join(example.answers)
    assert holds(example)


@every_example
def test_a_mirrored_scene_breaks_its_statements_of_side(name: str) -> None:
    mirrored = Example(name, mirrored=True)
    sided = [fact for fact in FACTS[name] if re.search(r"\b(left|right)\b", fact[0])]
    assert sided
    for fragment, holds in sided:
        assert fragment.endswith(SYMMETRIC) or not holds(mirrored), fragment


@every_example
def test_no_number_place_or_colour_goes_unchecked(name: str) -> None:
    for answer in Example(name).answers:
        held = [r for words in (*(f for f, _ in FACTS[name]), *IDLE) for r in spans(re.escape(words), answer)]
        for word in spans(rf"(?i)\b({PLACE}|{NUMBER}|{COLOUR})\b", answer):
            assert any(word.start in r for r in held), answer[word.start - 30 : word.stop + 30]


@every_example
def test_a_number_before_a_category_is_the_number_of_its_boxes(name: str) -> None:
    example = Example(name)
    for category in CATEGORIES:
        counted = rf"\b({'|'.join(NUMBERS)}) (?:[a-z]+ ){{0,2}}?{named(category)}"
        for number in re.findall(counted, " ".join(example.answers).lower()):
            if (name, number, category) not in PARTS:
                assert example.count(category) == NUMBERS[number], (number, category)


@every_example
def test_answers_name_only_categories_of_the_scene(name: str) -> None:
    example = Example(name)
    for category in CATEGORIES:
        if re.search(named(category), " ".join(example.answers), re.I):
            assert not example.lacks(category) or (name, category) == ("cat_on_bed", "person")  # "no person is in view"


@every_example
def test_nothing_tells_of_captions_or_boxes(name: str) -> None:
    for turn in Example(name).turns:
        for text in turn.values():
            assert not re.search(rf"\b({LEAK})\b", text, re.I)


def test_half_of_the_yes_or_no_questions_are_answered_no() -> None:
    openings = [re.match(r"(Yes|No)\b", turn["answer"]) for _, turn in closed_turns()]
    words = [opening.group() for opening in openings if opening]
    assert len(words) == len(openings) >= 6
    assert words.count("No") == words.count("Yes")


def test_is_there_is_answered_by_what_the_scene_has() -> None:
    asked = 0
    for example, turn in closed_turns():
        for category in CATEGORIES:
            if re.match(rf"(Is there|Are there|Can you \w+) (an?|any) {named(category)}", turn["question"]):
                assert turn["answer"].startswith("No" if example.lacks(category) else "Yes")
                asked += 1
    assert asked >= 3


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_as_long_as_their_kind_wants(kind: str) -> None:
    low, high = WORDS_PER_ANSWER[kind]
    for name in (name for name, path in FILES.items() if path.parent.name == kind):
        answers = Example(name).answers
        assert low <= sum(len(answer.split()) for answer in answers) / len(answers) <= high
        assert kind != "conversation" or 5 <= len(answers) <= 7
