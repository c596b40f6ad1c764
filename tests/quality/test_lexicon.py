from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.quality.claims.finding import find_claims
from pipeline.quality.reading.lexicon import Lexicon, Sense, load_lexicon
from pipeline.records import Box, Claim, Scene, Turn

COCO = {
    "person": "person",
    "car": "vehicle",
    "bus": "vehicle",
    "tv": "electronic",
    "scissors": "indoor",
    "mouse": "electronic",
}


def sense(lexicon: Lexicon, words: str) -> Sense | None:
    first, *rest = words.split()
    return next((form.sense for form in lexicon.forms.get(first, ()) if list(form.rest) == rest), None)


def claims(answer: str, lexicon: Lexicon, *boxes: Box) -> list[Claim]:
    return find_claims([Turn("What is there?", answer)], Scene("1", "", 640, 480, (), boxes), lexicon)


def wrong(answer: str, lexicon: Lexicon, *boxes: Box) -> list[str]:
    return [claim.detail for claim in claims(answer, lexicon, *boxes) if claim.verdict == "contradicted"]


@pytest.mark.parametrize(
    ("name", "one", "many"),
    [
        ("traffic_light", "traffic light", "traffic lights"),
        ("TrafficCone", "traffic cone", "traffic cones"),
        ("Berry", "berry", "berries"),
        ("wine glass", "wine glass", "wine glasses"),
        ("pocket_knife", "pocket knife", "pocket knives"),
        ("policewoman", "policewoman", "policewomen"),
        ("bow_(weapon)", "bow", "bows"),
        ("tomatoes", "tomato", "tomatoes"),
        ("jeans", "jeans", "jeans"),
        ("human", "human", "humans"),
    ],
)
def test_a_category_is_known_by_its_own_name_and_its_plural(name: str, one: str, many: str) -> None:
    lexicon = load_lexicon({name: None})
    for words in (one, many):
        found = sense(lexicon, words)
        assert found is not None, words
        assert name in found.may


def test_a_name_of_two_things_in_one_is_known_by_either() -> None:
    lexicon = load_lexicon({"cup/mug": "", "soda_can": ""})
    assert sense(lexicon, "mug") is not None
    assert sense(lexicon, "cups") is not None
    assert sense(lexicon, "soda-can") is not None


def test_data_nobody_has_seen_are_checked_by_their_own_names() -> None:
    lexicon = load_lexicon({"milk_carton": "dairy", "yogurt_cup": "dairy", "price tag": ""})
    cartons = [Box("milk_carton", x, 0.2, x + 0.1, 0.6) for x in (0.1, 0.3, 0.5)]
    assert wrong("There are three milk cartons in the picture.", lexicon, *cartons) == []
    assert wrong("There are two milk cartons in the picture.", lexicon, *cartons) == ["the boxes show 3 milk cartons"]
    assert wrong("A price tag hangs below the milk cartons.", lexicon, *cartons) == [
        "neither the boxes nor the captions show a price tag"
    ]


def test_a_narrower_word_may_mean_fewer_but_not_more() -> None:
    lexicon = load_lexicon(COCO)
    people = [Box("person", x, 0.2, x + 0.2, 0.9) for x in (0.1, 0.4, 0.7)]
    assert wrong("There are two men in the picture.", lexicon, *people) == []
    assert wrong("There are four men in the picture.", lexicon, *people) == ["the boxes show 3 men"]


def test_a_group_covers_its_supercategory_and_more() -> None:
    lexicon = load_lexicon(COCO)
    boxes = [Box("car", 0.1, 0.2, 0.4, 0.5), Box("bus", 0.5, 0.2, 0.9, 0.6)]
    assert {claim.verdict for claim in claims("Two vehicles are visible.", lexicon, *boxes)} == {"supported"}
    assert wrong("There are no vehicles in the picture.", lexicon, *boxes) == ["the boxes show 2 vehicles"]
    assert wrong("A vehicle has stopped.", lexicon, Box("person", 0.1, 0.1, 0.5, 0.9)) == []  # it may be a tractor


def test_a_supercategory_of_the_data_set_is_a_group_of_its_own() -> None:
    lexicon = load_lexicon({"tern": "shore bird", "plover": "shore bird"})
    found = sense(lexicon, "shore birds")
    assert found is not None
    assert found.may == {"tern", "plover"}


def test_people_of_another_data_set_are_people() -> None:
    lexicon = load_lexicon({"pedestrian": "", "people": ""})
    boxes = [
        Box("people", 0.1, 0.1, 0.2, 0.4),
        Box("pedestrian", 0.4, 0.1, 0.5, 0.4),
        Box("pedestrian", 0.7, 0.1, 0.8, 0.4),
    ]
    assert wrong("There are three people in the picture.", lexicon, *boxes) == []
    assert wrong("There are four people in the picture.", lexicon, *boxes) == ["the boxes show 3 people"]


def test_where_only_some_people_have_boxes_others_may_be_there() -> None:
    lexicon = load_lexicon({"pedestrian": "", "car": ""})
    assert wrong("A man sits in it.", lexicon, Box("car", 0.1, 0.1, 0.9, 0.9)) == []


def test_a_heading_such_as_kitchen_names_no_thing() -> None:
    lexicon = load_lexicon({"cup": "kitchen", "other": "misc", "7": ""})
    assert sense(lexicon, "kitchen") is None
    assert sense(lexicon, "other") is None


def test_an_unclear_word_is_borne_out_but_never_wrong() -> None:
    lexicon = load_lexicon(COCO)
    assert wrong("A mouse hides under the floor.", lexicon, Box("person", 0.1, 0.1, 0.5, 0.9)) == []
    (claim,) = claims("The mouse is small.", lexicon, Box("mouse", 0.1, 0.1, 0.5, 0.9))
    assert claim.verdict == "supported"


def test_a_pair_of_scissors_is_one_or_two(tmp_path: Path) -> None:
    lexicon = load_lexicon(COCO)
    scissors = Box("scissors", 0.1, 0.1, 0.5, 0.5)
    assert wrong("There is a pair of scissors in the picture.", lexicon, scissors) == []
    assert wrong("There are three pairs of scissors in the picture.", lexicon, scissors) == [
        "the boxes show 1 pair of scissors"
    ]


def test_a_wider_word_is_denied_by_a_box_but_proved_absent_by_none() -> None:
    lexicon = load_lexicon({"wine glass": "kitchen", "person": "person"})
    glass, person = Box("wine glass", 0.1, 0.2, 0.4, 0.5), Box("person", 0.5, 0.2, 0.9, 0.6)
    assert wrong("There are no glasses in the picture.", lexicon, glass) == ["the boxes show 1 glass"]
    assert wrong("There are two glasses in the picture.", lexicon, glass) == []  # one may be a tumbler
    assert wrong("A glass stands there.", lexicon, person) == []


def test_a_wooden_bench_is_a_bench_and_a_wooden_horse_is_none() -> None:
    lexicon = load_lexicon({"bench": "outdoor", "horse": "animal", "person": "person"})
    person = Box("person", 0.5, 0.2, 0.9, 0.6)
    assert wrong("A wooden bench stands there.", lexicon, person) == ["neither the boxes nor the captions show a bench"]
    assert wrong("A wooden horse stands there.", lexicon, person) == []


def test_a_file_of_the_user_adds_words_and_takes_words_over(tmp_path: Path) -> None:
    own = tmp_path / "words.toml"
    own.write_text(
        '[category.car]\nsame = ["motor"]\n[category.bus]\nkinds = ["cab"]\n[nothing]\nphrases = ["sedan"]\n'
    )
    lexicon = load_lexicon(COCO, own)
    found = [sense(lexicon, word) for word in ("motor", "cab", "automobile")]
    assert [set(each.may) if each else None for each in found] == [{"car"}, {"bus"}, {"car"}]
    assert sense(lexicon, "sedan") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[category.car]\nsame = 3\n", "category.car.same"),
        ("[category.car]\nsynonyms = ['auto']\n", "category.car.synonyms"),
        ("[category.car\n", "words.toml"),
        ("[group.toys]\n", "group.toys.words"),
    ],
)
def test_a_bad_file_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    own = tmp_path / "words.toml"
    own.write_text(text)
    with pytest.raises(PipelineError, match=r"words\.toml") as caught:
        load_lexicon(COCO, own)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot read the synonyms at"):
        load_lexicon(COCO, tmp_path / "none.toml")
