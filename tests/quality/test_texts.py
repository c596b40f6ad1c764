"""Faults of texts: everything that is planted is found, and nothing else is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline.annotations.coco import read_scenes
from pipeline.errors import PipelineError
from pipeline.llm.writer import write
from pipeline.prompting.context import describe
from pipeline.prompting.kinds import Kind, load_kinds, render_system, render_user, shipped
from pipeline.prompting.replies import read_reply
from pipeline.quality.texts.faults import find_faults
from pipeline.quality.texts.phrases import Phrases, has_hedge, load_phrases
from pipeline.records import Finding, Scene, Turn

JUNK = Path(__file__).parent / "junk"
LENGTHS = {"too short", "too long"}


def rows(*names: str) -> list[dict[str, Any]]:
    files = [JUNK / f"{name}.jsonl" for name in names] if names else sorted(JUNK.glob("*.jsonl"))
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines]


PLANTED = [row for row in rows() if "find" in row and "of" not in row]
CLEAN = rows("clean")


@pytest.fixture(scope="module")
def phrases() -> Phrases:
    return load_phrases()


def faults(row: dict[str, Any], phrases: Phrases) -> list[Finding]:
    turns = [Turn(question, answer) for question, answer in row["turns"]]
    words = tuple(row["words"]) if "words" in row else None
    return find_faults(turns, row.get("context", ""), phrases, kind=row.get("kind", "conversation"), words=words)


def of(
    answer: str, phrases: Phrases, question: str = "What is it?", context: str = "", language: str = "en"
) -> set[str]:
    found = find_faults([Turn(question, answer)], context, phrases, kind="conversation", language=language)
    return {finding.kind for finding in found}


def test_everything_that_is_planted_is_found_under_its_name(phrases: Phrases) -> None:
    missed = [row for row in PLANTED if row["find"] not in {finding.kind for finding in faults(row, phrases)}]
    assert missed == []


def test_no_clean_row_has_a_finding(phrases: Phrases) -> None:
    assert [(row["turns"], found) for row in CLEAN if (found := faults(row, phrases))] == []


def test_the_planted_corpus_has_every_kind_in_many_wordings() -> None:
    wordings = Counter(row["find"] for row in PLANTED)
    assert len(PLANTED) >= 250
    assert min(wordings.values()) >= 8, wordings
    assert len({json.dumps(row["turns"]) for row in PLANTED}) == len(PLANTED)
    assert len({json.dumps(row["turns"]) for row in CLEAN}) == len(CLEAN) >= 250


def test_a_finding_says_where_it_is_and_what(phrases: Phrases) -> None:
    turns = [Turn("Where is it?", "On the left."), Turn("What is it?", "It is a dog. As mentioned, it sleeps.")]
    (found,) = find_faults(turns, "", phrases, kind="conversation")
    assert found.message == 3
    assert turns[1].answer[found.start : found.end] == "As mentioned" == found.detail


def test_spans_stay_true_where_lower_case_is_longer_than_upper_case(phrases: Phrases) -> None:
    answer = "İİİ is the name on the boat, as mentioned before."
    (found,) = find_faults([Turn("What is it?", answer)], "", phrases, kind="conversation")
    assert answer[found.start : found.end] == "as mentioned"


def test_findings_come_in_the_order_of_the_text(phrases: Phrases) -> None:
    turns = [
        Turn("What does the caption say?", "Call +44 20 7946 0018, as mentioned. Mail a.b@example.com"),
        Turn("Who is it?", "I am sorry, but I cannot help with that."),
    ]
    found = find_faults(turns, "", phrases, kind="conversation")
    assert [(finding.message, finding.start) for finding in found] == sorted(
        (finding.message or 0, finding.start) for finding in found
    )
    assert [finding.kind for finding in found[:2]] == ["source leak", "personal data"]


def test_what_the_captions_of_a_scene_name_is_no_leak(phrases: Phrases) -> None:
    answer = "The caption names two actors."
    assert of(answer, phrases) == {"source leak"}
    assert of(answer, phrases, context="A film poster with a caption.") == set()


def test_a_number_of_a_caption_is_no_leak_but_one_of_a_box_is(phrases: Phrases) -> None:
    context = "A board that shows the odds 0.375.\n\nboard: [0.125, 0.2, 0.5, 0.75]"
    assert of("The board shows 0.375.", phrases, context=context) == set()
    assert of("The board begins at 0.125.", phrases, context=context) == {"source leak"}


def test_words_that_a_picture_shows_are_no_refusal(phrases: Phrases) -> None:
    assert of("“I'm sorry, but I cannot help” is written on the wall.", phrases) == set()
    assert of("“I'm sorry, but I cannot help you with that.”", phrases) == {"refusal"}


@pytest.mark.parametrize(
    ("language", "answer", "expected"),
    [
        ("de", "Ein Hund liegt auf dem Sofa und schläft, und neben ihm steht eine Lampe.", set()),
        ("de", "A dog is lying on the sofa, and there is a lamp next to it.", {"wrong language"}),
        ("fr", "Un chien dort sur le canapé, à côté d'une lampe.", set()),
        ("ru", "На диване спит собака, рядом стоит лампа.", set()),
        ("ru", "A dog is sleeping on the sofa next to a lamp.", {"wrong language"}),
        ("ja", "ソファの上で犬が寝ています。", set()),
        ("fi", "Koira nukkuu sohvalla, ja sen vieressä on lamppu.", set()),
        ("fi", "На диване спит собака, рядом стоит лампа.", {"wrong language"}),
    ],
)
def test_texts_in_the_language_that_is_expected_are_clean(
    phrases: Phrases, language: str, answer: str, expected: set[str]
) -> None:
    assert of(answer, phrases, question="", language=language) - {"empty request"} == expected


def test_the_length_is_judged_by_kind(phrases: Phrases) -> None:
    turns = [Turn("Describe this image.", "A dog on a sofa.")]

    def kinds(kind: str) -> list[str]:
        return [finding.kind for finding in find_faults(turns, "", phrases, kind=kind)]

    assert kinds("detailed_description") == ["too short"]
    assert kinds("conversation") == kinds("a_kind_of_mine") == []


def test_characters_count_as_words_where_a_script_has_no_blanks(phrases: Phrases) -> None:
    turns = [Turn("请描述这张图片。", "一只棕色的狗躺在沙发上，旁边有一盏灯，窗外是一个有很多树的花园，天空是蓝色的。")]
    assert find_faults(turns, "", phrases, kind="detailed_description", language="zh") == []


@pytest.mark.parametrize("text", ["It is probably a dog.", "That is hard to tell.", "It looks as if it rains."])
def test_doubt_is_heard(phrases: Phrases, text: str) -> None:
    assert has_hedge(text, phrases)
    assert not has_hedge("It is a dog, and it sleeps.", phrases)


def test_a_file_of_ones_own_is_laid_over_the_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'allow = ["as mentioned"]\n'
        "[lengths]\nconversation = [1, 5]\n"
        '[[rules]]\nfinding = "brand"\nwords = ["acme"]\npatterns = ["acme (?:cola|{drink})"]\n'
        '[fragments]\ndrink = "lemonade"\n'
        '[lists]\n"unsafe words" = ["flummery"]\n'
    )
    own = load_phrases(path)
    assert of("As mentioned, yes.", own) == set()
    assert of("It is a bottle of beer.", own) == {"too long"}
    assert of("Acme lemonade.", own) == {"brand"}
    assert of("Flummery! He says shit.", own) == {"unsafe words"}
    assert of("It is described as red.", own) == {"source leak"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[rules]]\nfinding = 'x'\n", "rules.0.patterns"),
        ("[[rules]]\nfinding = 'x'\npatterns = ['(']\n", "missing )"),
        ("[[rules]]\nfinding = 'x'\npatterns = ['{nothing}']\n", "no fragment 'nothing'"),
        ("colour = 'red'\n", "colour"),
        ("[lengths\n", "line 1"),
        ("[lengths]\nconversation = [9, 3]\n", "conversation"),
    ],
)
def test_a_bad_file_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(PipelineError, match=r"mine\.toml") as error:
        load_phrases(path)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"cannot read .*none\.toml"):
        load_phrases(tmp_path / "none.toml")


def test_seed_examples_are_clean(phrases: Phrases) -> None:
    for kind in load_kinds().values():
        assert kind.examples
        for example in kind.examples:
            context = describe(example.scene, kind.context)
            turns = [Turn(turn.question or kind.questions[0], turn.answer) for turn in example.turns]
            assert find_faults(turns, context, phrases, kind=kind.name) == [], example.scene.image_id


def written(scenes: Iterable[Scene], phrases: Phrases) -> list[tuple[str, Finding]]:
    """Return what is found in what the offline writer makes of scenes, with the id of the image."""
    found: list[tuple[str, Finding]] = []
    kinds = load_kinds().values()
    for number, scene in enumerate(scenes):
        for kind in kinds:
            turns = _ask(kind, scene, number)
            faults = find_faults(turns, describe(scene, kind.context), phrases, kind=kind.name)
            found += [(scene.image_id, fault) for fault in faults]
    return found


def _ask(kind: Kind, scene: Scene, number: int) -> list[Turn]:
    system = {"role": "system", "content": render_system(kind, "json")}
    reply = write([system, {"role": "user", "content": render_user(kind, scene)}], seed=number)
    question = kind.questions[number % len(kind.questions)] if kind.questions else ""
    return read_reply(reply, kind.file.shape, "json", question=question)


def test_the_offline_writer_is_clean_on_the_quick_start(phrases: Phrases) -> None:
    folder = shipped("seed_examples") / "quickstart"
    scenes = read_scenes(folder / "captions_scenes.json", folder / "instances_scenes.json").scenes
    assert len(scenes) == 12
    assert written(scenes, phrases) == []


def test_the_offline_writer_is_clean_on_the_coco_sample(phrases: Phrases, coco_sample: Path) -> None:
    for part in ("train", "val"):
        scenes = read_scenes(coco_sample / f"captions_{part}.json", coco_sample / f"instances_{part}.json").scenes
        assert scenes
        assert written(scenes, phrases) == []


def test_captions_that_people_wrote_are_clean(phrases: Phrases, coco_sample: Path) -> None:
    captions = [
        caption
        for part in ("train", "val")
        for scene in read_scenes(coco_sample / f"captions_{part}.json", None).scenes
        for caption in scene.captions
    ]
    assert len(captions) > 700
    assert [caption for caption in captions if of(caption, phrases) - LENGTHS] == []
