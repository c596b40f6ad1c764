"""Bars on natural prose about real scenes; see ``prose/README.md`` for how it was written."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.annotations.coco import read_scenes
from pipeline.quality.claims.finding import find_claims
from pipeline.quality.reading.lexicon import Lexicon, load_lexicon
from pipeline.records import Scene, Turn

PROSE = Path(__file__).parent / "prose"
BARRED = ("count", "place", "presence", "absence")
RECALL = {
    "dev.jsonl": 0.94,
    "second.jsonl": 0.9,
    "third.jsonl": 0.93,
    "fourth.jsonl": 0.94,
    "fifth.jsonl": 0.94,
    "sixth.jsonl": 0.95,
    "seventh.jsonl": 0.94,
    "eighth.jsonl": 0.9,
}
"""All but the last have been tuned on: bars hold what has been reached; what was found at first is in the README."""
TRIPS = {
    "trips.jsonl": 0,
    "trips_third.jsonl": 0,
    "trips_fourth.jsonl": 0,
    "trips_fifth.jsonl": 1,
    "trips_sixth.jsonl": 0,
    "trips_seventh.jsonl": 0,
    "trips_eighth.jsonl": 2,
}
"""Known alarms; the last has never been tuned on."""


@pytest.fixture(scope="module")
def sample(coco_sample: Path) -> tuple[dict[str, Scene], Lexicon]:
    scenes: dict[str, Scene] = {}
    for part in ("train", "val"):
        data = read_scenes(coco_sample / f"captions_{part}.json", coco_sample / f"instances_{part}.json")
        scenes |= {scene.image_id: scene for scene in data.scenes}
    return scenes, load_lexicon(data.categories)


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (PROSE / name).read_text(encoding="utf-8").splitlines()]


def alarms(row: dict[str, Any], sample: tuple[dict[str, Scene], Lexicon]) -> list[str]:
    scenes, lexicon = sample
    turn = Turn(row["question"], row["answer"])
    found = find_claims([turn], scenes[row["image_id"]], lexicon)
    return [claim.detail for claim in found if claim.verdict == "contradicted"]


@pytest.mark.parametrize("name", RECALL)
def test_false_statements_are_found_and_true_ones_let_through(
    name: str, sample: tuple[dict[str, Scene], Lexicon]
) -> None:
    flagged = [(row, bool(alarms(row, sample))) for row in rows(name)]
    wrong = Counter(row["wrong_kind"] for row, _ in flagged if not row["true"])
    hits = Counter(row["wrong_kind"] for row, flag in flagged if flag and not row["true"])
    false_alarms = sum(flag for row, flag in flagged if row["true"])
    found, barred = sum(hits[kind] for kind in BARRED), sum(wrong[kind] for kind in BARRED)
    by_kind = ", ".join(f"{kind} {hits[kind]}/{count}" for kind, count in sorted(wrong.items()))
    print(f"{name}: {found / barred:.1%} of counts, places, presence and absence; {by_kind}; {false_alarms} alarms")
    assert hits.total() >= 0.95 * (hits.total() + false_alarms)
    assert found >= RECALL[name] * barred


@pytest.mark.parametrize("name", TRIPS)
def test_true_sentences_that_trip_naive_checkers_raise_no_alarm(
    name: str, sample: tuple[dict[str, Scene], Lexicon]
) -> None:
    tricky = rows(name)
    assert len(tricky) >= 40
    assert len(found := [row["id"] for row in tricky if alarms(row, sample)]) <= TRIPS[name], found
