from __future__ import annotations

import json

import pytest

from pipeline.judging.verdicts import find_quote, read_judgements
from pipeline.prompting.replies import UnreadableReply
from tests.judging.stage import verdicts


@pytest.mark.parametrize(
    "reply",
    [
        verdicts("supported", "contradicted"),
        f"Sure!\n{verdicts('supported', 'contradicted')}",
        "1. supported\n2. contradicted - there is one dog",
        "**Answer 1:** Supported.\n**Answer 2:** Contradicted: there is one dog",
        json.dumps({"verdicts": json.loads(verdicts("supported", "contradicted"))["verdicts"][::-1]}),
    ],
)
def test_verdicts_are_read_in_any_dress(reply: str) -> None:
    assert [each.verdict for each in read_judgements(reply, 2)] == ["supported", "contradicted"]


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("", "there are none"),
        ("1. supported", "there are 1"),
        ("1. not supported\n2. supported", "there are 2"),
        ("1. supported\n2. supported\n2. contradicted", "there are 1, 2, 2"),
        (verdicts("supported", "supported", "supported"), "there are 1, 2, 3"),
        (verdicts("supported", "wrong"), "verdicts.1.verdict"),
        ('{"verdicts": [{"answer": 1', "not a JSON object"),
        ("[]", "there are none"),
    ],
)
def test_verdicts_that_do_not_fit_the_answers_are_unreadable(reply: str, told: str) -> None:
    with pytest.raises(UnreadableReply, match=told):
        read_judgements(reply, 2)


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("two dogs", "two dogs"),
        ('"Two Dogs."', "two dogs"),
        ("two\ndogs", "two dogs"),
        ("(left)", "(left)"),
        ("three dogs", None),
        ("", None),
        ("...", None),
    ],
)
def test_a_quote_is_found_whatever_marks_the_judge_put_around_it(quote: str, found: str | None) -> None:
    text = "There are two dogs (left)."
    span = find_quote(quote, text)
    assert (text[slice(*span)] if span else None) == found
