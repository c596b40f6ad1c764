"""Duplicates across a run: found when they are there, whatever their number, and only then."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.quality.texts.duplicates import Duplicates
from pipeline.records import Finding, Turn

ROWS = [json.loads(line) for line in (Path(__file__).parent / "junk" / "duplicates.jsonl").read_text().splitlines()]
LONG = (
    "A woman in a red coat walks two dogs along a path. On her left a river glitters in the sun, and on her right some "
    "children play with a ball. Behind them stands a row of old trees, and far away one can see the towers of a town."
)


def add_all(duplicates: Duplicates, rows: list[dict[str, Any]]) -> dict[str, list[Finding]]:
    return {row["id"]: duplicates.add(row["id"], [Turn(*turn) for turn in row["turns"]]) for row in rows}


def kinds(found: list[Finding]) -> list[str]:
    return [finding.kind for finding in found]


def test_everything_that_is_planted_is_found_and_names_the_earlier_sample() -> None:
    found = add_all(Duplicates(), ROWS)
    for row in ROWS:
        if "find" not in row:
            assert found[row["id"]] == [], row["turns"]
        else:
            (finding,) = found[row["id"]]
            assert finding.kind == row["find"], row["turns"]
            assert finding.detail.endswith(row["of"])
    assert min(Counter(row.get("find") for row in ROWS).values()) >= 8


def test_of_one_caption_that_comes_thousands_of_times_all_but_the_first_are_found() -> None:
    duplicates = Duplicates()
    turns = [Turn("What is in the video?", "A man in a suit is talking to the camera.")]
    found = [kinds(duplicates.add(f"{n}/caption/0", turns)) for n in range(4000)]
    assert found[0] == []
    assert found[1:] == [["duplicate"]] * 3999


def test_thousands_of_variants_of_one_text_are_found() -> None:
    duplicates = Duplicates()
    duplicates.add("first", [Turn("", LONG)])
    found = Counter[str]()
    for n in range(2000):
        found.update(kinds(duplicates.add(f"{n}", [Turn("", LONG.replace("ball", f"toy{n}"))])))
    assert found.keys() == {"near duplicate"}
    assert found["near duplicate"] >= 1980  # MinHash is an estimate


def test_short_answers_come_again_by_themselves() -> None:
    duplicates = Duplicates()
    for n in range(5):
        assert duplicates.add(str(n), [Turn("Is there a dog?", "No, there is no dog here.")]) == []


def test_an_answer_that_another_conversation_has_is_marked_at_its_place() -> None:
    duplicates = Duplicates()
    answer = "It leans against the wall of the house, right below the window with the green shutters."
    duplicates.add("a", [Turn("Where is the ladder?", answer), Turn("Is it new?", "No.")])
    (finding,) = duplicates.add("b", [Turn("Is it tall?", "Yes."), Turn("Where is it?", answer)])
    assert finding == Finding(3, 0, len(answer), "repeated across the run", "the same answer as in a")


def test_an_answer_given_twice_in_one_sample_is_none_of_the_runs_business() -> None:
    turns = [Turn("Where is the ladder?", LONG), Turn("Where is it?", LONG)]
    assert Duplicates().add("a", turns) == []


def test_two_descriptions_of_one_image_are_no_duplicates() -> None:
    duplicates = Duplicates()
    duplicates.add("7/detailed_description/0", [Turn("", LONG)])
    other = (
        "Along a river walks a woman with two dogs; she wears a red coat. To her right, children are busy with a ball. "
        "A row of trees runs behind all of them, and the towers of a town rise in the distance beyond the water."
    )
    assert duplicates.add("7/detailed_description/1", [Turn("", other)]) == []


def test_text_in_other_scripts_is_compared_too() -> None:
    duplicates = Duplicates()
    turns = [Turn("", "На диване спит большая собака, а рядом на столе стоит лампа.")]
    assert kinds(duplicates.add("a", turns) + duplicates.add("b", turns)) == ["duplicate"]


PROGRAM = """
import random
from pipeline.quality.texts.duplicates import Duplicates
from pipeline.records import Turn
draw, duplicates = random.Random(1), Duplicates()
base = [f"word{n}" for n in range(60)]
for n in range(300):
    words = list(base)
    for _ in range(draw.randrange(6)):
        words[draw.randrange(60)] = f"other{draw.randrange(1000)}"
    print([(f.kind, f.detail) for f in duplicates.add(str(n), [Turn("", " ".join(words))])])
"""


def run(hash_seed: str) -> str:
    env = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True).stdout


def test_another_process_finds_the_same() -> None:
    first = run(hash_seed="1")
    assert first == run(hash_seed="2")
    assert first.count("near duplicate") > 20
    assert first.count("[]") > 1


def test_what_was_said_is_found_again_after_thousands_of_others() -> None:
    seen = Duplicates()
    answers = [f"Number {number} of many answers that nobody else has ever given." for number in range(5000)]
    for number, answer in enumerate(answers):
        assert [finding.kind for finding in seen.add(f"s{number}", [Turn("What?", answer)])] == []
    for number in (0, 1, 2047, 2048, 4999):
        (finding,) = seen.add("again", [Turn("What?", answers[number])])
        assert (finding.kind, finding.detail) == ("duplicate", f"the same answers as s{number}")


def test_a_sample_that_is_unlike_all_others_costs_next_to_no_memory() -> None:
    draw, duplicates = random.Random(1), Duplicates()

    def add(first: int, count: int) -> None:
        for n in range(first, first + count):
            text = " ".join(f"word{draw.randrange(50_000)}" for _ in range(40))
            assert duplicates.add(f"{n}/kind/0", [Turn("", text)]) == []

    add(0, 14_000)  # what is small is held in memory, and tables have doubled for the last time
    tracemalloc.start()
    add(14_000, 4000)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / 4000 < 120
