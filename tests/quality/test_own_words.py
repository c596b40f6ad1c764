"""Our own words are held to what we hold others to: the seed examples, and what the offline writer writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import run_command
from pipeline.prompting.context import describe
from pipeline.prompting.kinds import Example, load_kinds
from pipeline.quality.checker import Checker

EXAMPLES = [(name, example) for name, kind in load_kinds().items() for example in kind.examples]


def figures(out: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(Path(out, "stats.json").read_text())
    return told


@pytest.mark.parametrize(("kind", "example"), EXAMPLES, ids=[example.scene.image_id for _, example in EXAMPLES])
def test_no_seed_example_contradicts_its_scene_or_has_a_fault(kind: str, example: Example) -> None:
    labels = dict.fromkeys((box.label for box in example.scene.boxes), "")
    turns = example.turns
    if not turns[0].question:  # of the shape that draws its questions
        turns = [type(turn)("What is in the picture?", turn.answer) for turn in turns]
    context = describe(example.scene, ("captions", "boxes"))
    claims, findings = Checker(labels).check(turns, example.scene, kind=kind, context=context)
    assert findings == []
    assert any(claim.verdict == "supported" for claim in claims)


def test_the_offline_writer_contradicts_no_drawn_scene() -> None:
    assert run_command(["generate", "--on-contradiction", "flag", "--out", "run"]) == 0
    told = figures("run")
    assert told["claims"]["contradicted"] == 0
    assert told["claims"]["supported"] > 300
    assert told["findings"] == {}


@pytest.mark.parametrize("part", ["train", "val"])
def test_the_offline_writer_says_much_of_real_scenes_and_nothing_wrong(part: str, coco_sample: Path) -> None:
    files = [f"--{name}={coco_sample / f'{name}_{part}.json'}" for name in ("captions", "instances")]
    assert run_command(["generate", *files, "--on-contradiction", "flag", "--out", "run"]) == 0
    told = figures("run")
    assert told["claims"]["contradicted"] == 0
    assert told["claims"]["checkable_an_answer"]["by_kind"]["detailed_description"] >= 3
    assert 0.48 <= told["closed"]["no_share"]["share"] <= 0.52
