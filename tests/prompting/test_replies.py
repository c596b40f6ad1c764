from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.prompting.replies import (
    Form,
    Shape,
    UnreadableReply,
    Wanted,
    describe_form,
    read_form,
    read_reply,
    reply_schema,
    write_reply,
)
from pipeline.records import Turn

words = (
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)
    .map(str.strip)
    .filter(lambda text: text and "===" not in text and "Question" not in text and "Answer" not in text)
)
turns = st.lists(st.builds(Turn, words, words), min_size=1, max_size=4)


@given(turns=turns, form=st.sampled_from(get_args(Form)))
def test_what_write_reply_writes_read_reply_reads_back(turns: list[Turn], form: Form) -> None:
    assert read_reply(write_reply(turns, "turns", form), "turns", form) == turns
    assert read_reply(write_reply(turns[:1], "pair", form), "pair", form) == turns[:1]


@given(answer=words.filter(lambda text: text[0] not in "{[`" and "think>" not in text and "{" not in text))
def test_an_answer_is_read_with_its_drawn_question(answer: str) -> None:
    for form in get_args(Form):
        reply = write_reply([Turn("Why?", answer)], "answer", form)
        assert read_reply(reply, "answer", form, question="Why?") == [Turn("Why?", answer)]


@pytest.mark.parametrize("shape", get_args(Shape))
def test_schema_is_what_strict_mode_takes(shape: Shape) -> None:
    def check(schema: dict[str, object]) -> None:
        assert not {"minLength", "minItems", "title"} & set(schema)
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
            properties = schema["properties"]
            assert isinstance(properties, dict)
            assert list(properties) == schema["required"]
            for field in properties.values():
                check(field)

    schema = reply_schema(shape)
    check(schema)
    for definition in schema.get("$defs", {}).values():
        check(definition)


@pytest.mark.parametrize("form", get_args(Form))
@pytest.mark.parametrize("shape", get_args(Shape))
def test_the_form_told_in_the_prompt_is_one_that_is_read(shape: Shape, form: Form) -> None:
    told = describe_form(shape, form, 1, 2).partition("\n")[2] or "An answer."
    assert read_reply(told, shape, form)


@pytest.mark.parametrize("form", get_args(Form))
@pytest.mark.parametrize("shape", get_args(Shape))
@pytest.mark.parametrize("bounds", [(1, 1), (1, 20), (4, 4), (8, 12)])
def test_what_describe_form_tells_read_form_finds_in_a_prompt(
    shape: Shape, form: Form, bounds: tuple[int, int]
) -> None:
    prompt = f"Write 99 questions. Be brief.\n\n{describe_form(shape, form, *bounds)}\n\nThank you."
    assert read_form(prompt) == (Wanted(shape, form, *bounds) if shape == "turns" else Wanted(shape, form))


def test_a_prompt_that_tells_no_form_asks_for_none() -> None:
    assert read_form("Write 3 to 5 questions, each with its answer.") is None


@pytest.mark.parametrize(
    "wrapped",
    [
        'Sure! Here it is:\n```json\n{"answer": "A dog."}\n```\nAnything else?',
        '```\n{"answer": "A dog."}\n```',
        '<think>The {"answer"} is a dog.</think>\n{"answer": "A dog."}',
        'Here is the JSON: {"answer": "A dog."}',
        '{"answer": "  A dog.\\n", "confidence": 1}',
        "Answer: A dog.",
    ],
)
def test_what_models_put_around_a_reply_is_taken_off(wrapped: str) -> None:
    assert read_reply(wrapped, "answer", "json", question="What?") == [Turn("What?", "A dog.")]


@pytest.mark.parametrize(
    ("content", "shape", "form", "why"),
    [
        ("", "turns", "json", "empty"),
        (" \n", "answer", "text", "empty"),
        ("A dog.", "answer", "json", "not a JSON object"),
        ("A dog.", "pair", "text", '"Question:"'),
        ('{"answer": "A d', "answer", "json", "Invalid JSON"),
        ('{"answer": " "}', "answer", "json", "answer: String should have at least 1 character"),
        ('{"turns": []}', "turns", "json", "at least 1 item"),
        ('{"turns": [{"question": "Why?"}]}', "turns", "json", "turns.0.answer: Field required"),
        ('[{"question": "Why?", "answer": "So."}]', "turns", "json", "object"),
        ("Question:\nWhy?\n===\nQuestion:\nSo?", "turns", "text", "alternate"),
        ("Question:\nWhy?\n===\nAnswer:\n", "pair", "text", "empty"),
        ("Question: a?\nAnswer: b\nQuestion: c?\nAnswer: d", "pair", "text", "one is wanted"),
    ],
)
def test_an_unreadable_reply_says_why(content: str, shape: Shape, form: Form, why: str) -> None:
    with pytest.raises(UnreadableReply, match=why):
        read_reply(content, shape, form)


def test_too_few_and_too_many_turns_are_told_apart_from_enough() -> None:
    reply = json.dumps({"turns": [{"question": "a?", "answer": "b"}] * 3})
    assert len(read_reply(reply, "turns", "json", min_turns=3, max_turns=3)) == 3
    for bounds in ({"min_turns": 4}, {"max_turns": 2}):
        with pytest.raises(UnreadableReply, match="3 question-and-answer turns"):
            read_reply(reply, "turns", "json", **bounds)
