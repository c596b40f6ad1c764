from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.quality.counting import MOST_KEYS, Distinct, Spread, Tally, rate, wilson
from pipeline.quality.figures.statistics import Statistics

Row = dict[str, Any]


def claim(message: int, verdict: str = "supported", *, kind: str = "presence", boxes: tuple[int, ...] = (0,)) -> Row:
    return {
        "message": message, "start": 0, "end": 3, "kind": kind, "verdict": verdict, "boxes": list(boxes),
        "captions": [], "detail": "no" if verdict == "contradicted" else "",
    }  # fmt: skip


def row(
    *texts: str, image: str = "1", kind: str = "conversation", labels: tuple[str, ...] = ("dog",), **more: Any
) -> Row:
    messages = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]
    return {
        "id": f"{image}/{kind}/0", "image_id": image, "kind": kind, "messages": messages, "model": "m", "attempts": 1,
        "boxes": [{"label": label, "bbox": [0.0, 0.0, 1.0, 1.0], "crowd": False} for label in labels],
        "claims": [], "findings": [], "prompt_tokens": 10, "completion_tokens": 2, "cost_usd": 0.5, **more,
    }  # fmt: skip


def figures(*rows: Row) -> Row:
    statistics = Statistics()
    for one in rows:
        statistics.add(one)
    return statistics.figures()


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(7, 37, 0.095, 0.342), (0, 100, 0.0, 0.037), (100, 100, 0.963, 1.0), (5, 10, 0.237, 0.763), (0, 0, 0.0, 1.0)],
)
def test_wilsons_interval_has_its_known_values(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=0.0005)


def test_a_share_of_nothing_has_no_value() -> None:
    assert rate(0, 0) == {"count": 0, "of": 0, "share": None, "low": 0.0, "high": 1.0}


def test_a_spread_tells_mean_percentiles_and_a_histogram_of_all() -> None:
    spread = Spread()
    for value in range(1, 101):
        spread.add(value)
    spread.add(1_000_000)
    told = spread.figures()
    assert (told["n"], told["p5"], told["median"], told["p95"], told["largest"]) == (101, 6, 51, 96, 1_000_000)
    assert told["mean"] == pytest.approx((5050 + 1_000_000) / 101, abs=0.01)
    assert sum(told["histogram"]["counts"]) + told["histogram"]["beyond"] == 101


def test_different_things_are_counted_once_however_many_there_are() -> None:
    distinct = Distinct()
    for number in range(5000):
        distinct.add(f"question {number % 1234}")
    assert distinct.count() == 1234
    distinct.add("another")
    assert distinct.count() == 1235


def test_a_tally_forgets_no_count_and_keeps_no_more_names_than_it_may() -> None:
    tally = Tally()
    for number in range(MOST_KEYS + 500):
        tally.add(number)
        tally.add("often")
    assert len(tally.counts) == MOST_KEYS
    assert tally.counts["often"] == MOST_KEYS + 500
    assert tally.total() == 2 * (MOST_KEYS + 500)


def test_claims_are_counted_by_kind_and_verdict_and_an_answer() -> None:
    told = figures(
        row("Is there a dog?", "Yes.", "Where?", "Left.", claims=[claim(1), claim(3, kind="place"), claim(2)]),
        row("Describe it.", "Two dogs.", kind="detailed_description", claims=[claim(1, "contradicted", kind="count")]),
        row("Why?", "Because.", kind="complex_reasoning", claims=[claim(1, "not checkable")]),
    )
    claims = told["claims"]
    assert (claims["supported"], claims["contradicted"], claims["not checkable"]) == (3, 1, 1)
    assert claims["by_claim_kind"]["count"]["contradicted_share"]["share"] == 1.0
    assert claims["by_sample_kind"]["conversation"]["supported"] == 3
    assert claims["checkable_an_answer"] == {
        "all": 0.75,  # three of four answers; the claim in a question is no answer's
        "by_kind": {"complex_reasoning": 0.0, "conversation": 1.0, "detailed_description": 1.0},
    }
    assert claims["count_and_place_claims_an_answer"]["all"] == 0.5
    assert told["contradicted_samples"]["all"]["count"] == 1
    assert told["contradicted_samples"]["by_kind"]["detailed_description"] == rate(1, 1)
    assert told["llava"]["contradicted_samples"]["by_kind"]["detailed_description"] == rate(7, 37)


def test_a_sample_with_many_contradictions_counts_once() -> None:
    told = figures(row("Q?", "A.", claims=[claim(1, "contradicted"), claim(1, "contradicted")]))
    assert told["contradicted_samples"]["all"]["count"] == 1
    assert told["claims"]["contradicted"] == 2


def test_closed_questions_are_counted_by_their_answer() -> None:
    told = figures(
        row("Is there a dog?", "Yes, there is.", "Is there a cat?", "No, there is no cat.", "What is it?", "A dog."),
        row("Is there a car?", "The sky is blue."),
    )["closed"]
    assert (told["questions"], told["yes"], told["no"], told["unreadable"]) == (3, 1, 1, 1)
    assert told["absence"] == 1
    assert told["no_share"] == rate(1, 2)


def test_findings_are_counted_each_and_by_sample() -> None:
    leak = {"message": 1, "start": 0, "end": 1, "kind": "source leak", "detail": ""}
    told = figures(row("Q?", "A.", findings=[leak, leak]), row("Q?", "A."))["findings"]
    assert told == {"source leak": {"findings": 2, "samples": rate(1, 2)}}


def test_questions_lengths_and_turns_are_told_by_kind() -> None:
    told = figures(
        row("What is it?", "It is a dog.", "What is it? ", "A cat."),
        row("WHAT IS IT?", "It is possibly a very small dog.", kind="detailed_description"),
    )
    assert told["samples"]["questions"] == 3
    assert told["diversity"]["distinct_questions"]["all"] == rate(1, 3)
    assert told["diversity"]["distinct_questions"]["by_kind"]["conversation"] == rate(1, 2)
    assert told["diversity"]["first_words"] == [{"word": "what", "count": 3, "then": {"is": 3}}]
    assert told["lengths"]["answers"]["conversation"]["mean"] == 3
    assert told["lengths"]["questions"]["detailed_description"]["median"] == 3
    assert told["turns"]["conversation"] == {"mean": 2.0, "samples_by_turns": {"2": 1}}
    assert told["hedged_answers"]["by_kind"] == {"conversation": rate(0, 2), "detailed_description": rate(1, 1)}


def test_a_category_is_covered_where_an_answers_claim_rests_on_its_box() -> None:
    labels = ("dog", "dog", "cat")
    told = figures(
        row("Q?", "A.", labels=labels, claims=[claim(1, boxes=(0, 1))]),
        row("Q?", "A.", labels=labels, kind="complex_reasoning", claims=[claim(1, boxes=(1,))]),
        row("Q?", "A.", image="2", labels=labels, claims=[claim(0, boxes=(2,))]),  # in a question
    )["coverage"]
    assert told == {
        "cat": {"images": 2, "images_named": 0, "share": 0.0, "samples_naming": 0},
        "dog": {"images": 2, "images_named": 1, "share": 0.5, "samples_naming": 2},
    }


def test_an_image_that_comes_again_later_is_the_same_image() -> None:
    told = figures(*(row("Q?", "A.", image=image) for image in ("1", "2", "1")))
    assert told["samples"]["images"] == 2
    assert told["coverage"]["dog"]["images"] == 2


def test_rejects_are_told_by_reason_with_what_they_cost() -> None:
    statistics = Statistics()
    for reason in ("unreadable reply", "contradicted", "contradicted"):
        statistics.add_reject({"reason": reason, "kind": "conversation", "prompt_tokens": 5, "cost_usd": 0.25})
    told = statistics.figures()["rejects"]
    assert told["by_reason"] == {"contradicted": 2, "unreadable reply": 1}
    assert (told["total"], told["prompt_tokens"], told["cost_usd"]) == (3, 15, 0.75)


def test_foreign_rows_of_bare_messages_are_counted() -> None:
    bare: Row = dict.fromkeys(row("Q?", "A."))
    bare["messages"] = [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "A dog."}]
    told = figures(bare, {"messages": None}, {})
    assert told["samples"]["by_kind"] == {"unnamed": 3}
    assert told["samples"]["questions"] == 1
    assert told["made"]["rows_without_cost"] == 3


def test_figures_are_json_and_the_same_for_the_same_rows() -> None:
    rows = [row(f"What is number {n}?", "A dog.", image=str(n), claims=[claim(1)]) for n in range(50)]
    assert json.dumps(figures(*rows), allow_nan=False) == json.dumps(figures(*rows), allow_nan=False)
    assert json.loads(json.dumps(figures()))["samples"]["total"] == 0


def test_sorts_of_questions_beyond_the_first_thousands_are_estimated_in_proportion() -> None:
    statistics = Statistics()
    questions = ["What is the man holding?", "How many dogs are there?"] * 3
    for _ in range(6_000):
        statistics.add({"messages": [{"role": "user", "content": question} for question in questions]})
    verbs = {told["verb"]: told["count"] for told in statistics.figures()["diversity"]["verbs"]}
    assert sum(verbs.values()) == pytest.approx(36_000, rel=0.05)
    assert verbs["hold"] == pytest.approx(18_000, rel=0.05)
