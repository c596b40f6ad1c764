from __future__ import annotations

import random
from collections import Counter

import pytest

from pipeline.errors import PipelineError
from pipeline.prompting.kinds import load_kinds
from pipeline.records import Box, Scene
from pipeline.samples.plan import choose_scenes, draw_question, drawn, plan_each, plan_totals, request_seed

SCENES = [Scene(str(n), f"{n}.jpg", 4, 3, (f"Scene {n}.",), (Box("dog", 0, 0, 1, 1),)) for n in range(100)]


def test_limit_chooses_by_id_and_seed_whatever_the_order() -> None:
    chosen = choose_scenes(SCENES, seed=1, limit=30)
    shuffled = random.Random(0).sample(SCENES, len(SCENES))
    assert {scene.image_id for scene in chosen} == {s.image_id for s in choose_scenes(shuffled, seed=1, limit=30)}
    assert list(chosen) == [scene for scene in SCENES if scene in chosen]
    assert list(choose_scenes(SCENES, seed=2, limit=30)) != list(chosen)


def test_a_longer_run_holds_the_shorter_one() -> None:
    assert set(map(id, choose_scenes(SCENES, 0, 30))) < set(map(id, choose_scenes(SCENES, 0, 36)))


def test_ids_choose_images_and_an_unknown_one_is_refused() -> None:
    assert [scene.image_id for scene in choose_scenes(SCENES, 0, image_ids=("9", "3"))] == ["3", "9"]
    with pytest.raises(PipelineError, match="no image '100' among the 100"):
        choose_scenes(SCENES, 0, image_ids=("3", "100"))


def test_counts_are_samples_an_image() -> None:
    kinds = load_kinds(["conversation", "detailed_description"])
    plan = plan_each(SCENES[:2], kinds, {"conversation": 2, "detailed_description": 1})
    assert [planned.id for planned in plan] == [
        "0/conversation/0",
        "0/conversation/1",
        "0/detailed_description/0",
        "1/conversation/0",
        "1/conversation/1",
        "1/detailed_description/0",
    ]


def test_a_plan_is_a_sequence_of_its_samples() -> None:
    kinds = load_kinds(["conversation", "detailed_description"])
    plan = plan_each(SCENES[:3], kinds, {"conversation": 2, "detailed_description": 1})
    assert len(plan) == 9
    assert [plan[place] for place in range(9)] == list(plan)
    assert (plan[-1], plan[2:4]) == (list(plan)[-1], list(plan)[2:4])
    assert list(plan.by_kind().items()) == [("conversation", 6), ("detailed_description", 3)]
    with pytest.raises(IndexError):
        plan[9]


def test_plans_of_other_samples_have_other_bytes() -> None:
    kinds = load_kinds(["conversation", "detailed_description"])
    counts = [(1, 1), (2, 1), (1, 2), (0, 1), (1, 0)]
    plans = [plan_each(SCENES[:3], kinds, {"conversation": c, "detailed_description": d}) for c, d in counts]
    assert len({plan.packed() for plan in plans}) == len(plans)
    again = plan_each(SCENES[:3], kinds, {"conversation": 1, "detailed_description": 1})
    assert again.packed() == plans[0].packed()


def test_an_order_is_drawn_by_ids_whatever_the_order_was() -> None:
    order = [scene.image_id for scene in drawn(SCENES, 5)]
    assert order == [scene.image_id for scene in drawn(SCENES[::-1], 5)]
    assert order != [scene.image_id for scene in drawn(SCENES, 6)]
    assert sorted(order) == sorted(scene.image_id for scene in SCENES)


def test_a_scene_without_captions_is_not_planned_for_a_kind_that_sees_captions_alone() -> None:
    kinds = load_kinds(["conversation"], context={"conversation": ("captions",)})
    silent = Scene("silent", "", 4, 3, (), (Box("dog", 0, 0, 1, 1),))
    assert [p.scene.image_id for p in plan_each([silent, SCENES[0]], kinds, {"conversation": 1})] == ["0"]


@pytest.mark.parametrize(("wanted", "each"), [(37, {0, 1}), (100, {1}), (250, {2, 3})])
def test_totals_are_met_exactly_and_spread_evenly(wanted: int, each: set[int]) -> None:
    kinds = load_kinds(["conversation"])
    plan = plan_totals(SCENES, kinds, {"conversation": wanted}, seed=3)
    assert len(plan) == wanted
    counts = Counter(planned.scene.image_id for planned in plan)
    assert {counts[scene.image_id] for scene in SCENES} == each
    assert len({planned.id for planned in plan}) == wanted


def test_a_larger_total_holds_the_smaller_one() -> None:
    kinds = load_kinds(["conversation"])
    small, large = (
        {planned.id for planned in plan_totals(SCENES, kinds, {"conversation": count}, seed=0)} for count in (40, 130)
    )
    assert small < large


def test_seeds_and_questions_depend_on_the_sample_alone() -> None:
    kinds = load_kinds(["detailed_description"])
    first, second = plan_each(SCENES[:1], kinds, {"detailed_description": 2})
    questions = kinds["detailed_description"].questions
    assert len({request_seed(first, 0, 0), request_seed(second, 0, 0), request_seed(first, 0, 1)}) == 3
    assert 0 <= request_seed(first, 0, 0) < 2**31
    assert draw_question(first, questions, 0) == draw_question(first, questions, 0)
    drawn = {draw_question(p, questions, 0) for p in plan_each(SCENES, kinds, {"detailed_description": 1})}
    assert len(drawn) > len(questions) / 2
