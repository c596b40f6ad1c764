"""What a reply looks like: its schema, how the prompt describes it, how an example is written, how a reply is read.

Writing and reading stand side by side because they are one agreement: what ``write_reply`` writes in a few-shot
example, ``read_reply`` reads back from the model.
"""

import json
import re
from itertools import product
from typing import Any, Literal, NamedTuple, get_args

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.records import Message, Turn
from pipeline.validated import first_fault

Shape = Literal["turns", "pair", "answer"]
"""``turns``: several questions and answers; ``pair``: one of each; ``answer``: an answer to a drawn question."""

Form = Literal["json", "text"]
"""``json``: an object of the shape's schema; ``text``: LLaVA's ``Question:``/``===``/``Answer:`` blocks."""


class UnreadableReply(ValueError):
    """A reply that does not have the agreed form; the text says why, in words the model can act on."""


class Reply(BaseModel):
    """Base of what a model writes. The schema forbids further fields; those that come all the same are ignored."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True, json_schema_extra={"additionalProperties": False})


class Pair(Reply):
    """One question about the image and its answer."""

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)


class Turns(Reply):
    """A conversation about the image."""

    turns: list[Pair] = Field(min_length=1)


class Answer(Reply):
    """An answer to a question that the model was not shown."""

    answer: str = Field(min_length=1)


_MODELS: dict[Shape, type[Turns] | type[Pair] | type[Answer]] = {"turns": Turns, "pair": Pair, "answer": Answer}

_EXAMPLES: dict[Shape, dict[Form, str]] = {
    "turns": {
        "json": '{"turns": [{"question": "...", "answer": "..."}, {"question": "...", "answer": "..."}]}',
        "text": "Question:\n...\n===\nAnswer:\n...\n===\nQuestion:\n...\n===\nAnswer:\n...",
    },
    "pair": {"json": '{"question": "...", "answer": "..."}', "text": "Question:\n...\n===\nAnswer:\n..."},
    "answer": {"json": '{"answer": "..."}', "text": "..."},
}


def reply_schema(shape: Shape) -> dict[str, Any]:
    """Return the JSON schema of a reply, in the subset that OpenAI's strict mode takes (no length bounds)."""
    schema: dict[str, Any] = _without_bounds(_MODELS[shape].model_json_schema())
    return schema


class Wanted(NamedTuple):
    """What a prompt asks for."""

    shape: Shape
    form: Form
    min_turns: int = 1
    """Fewest turns, for the shape ``turns``."""
    max_turns: int | None = None
    """Most turns, for the shape ``turns``; no bound if ``None``."""


def describe_form(shape: Shape, form: Form, min_turns: int, max_turns: int) -> str:
    """Return the paragraph of the system prompt that tells the model which form its reply must have.

    Args:
        shape: What the reply holds.
        form: How it is written.
        min_turns: Fewest turns, told for the shape ``turns``.
        max_turns: Most turns, told for the shape ``turns``.
    """
    if shape != "turns":
        return _form_alone(shape, form)
    count = str(max_turns) if min_turns == max_turns else f"{min_turns} to {max_turns}"
    questions = "question with its answer" if max_turns == 1 else "questions, each with its answer"
    return f"Write {count} {questions}. {_form_alone(shape, form)}"


_BOUNDS = re.compile(r"Write (\d+)(?: to (\d+))? questions?\b[^.\n]*\. \Z")


def read_form(prompt: str) -> Wanted | None:
    """Return what ``describe_form`` has told in a prompt, ``None`` where there is no such paragraph."""
    # What is told of a pair in text is also how a conversation begins, which therefore comes first.
    for shape, form in product(get_args(Shape), get_args(Form)):
        before, told, _ = prompt.partition(_form_alone(shape, form))
        if told:
            bounds = _BOUNDS.search(before) if shape == "turns" else None
            return Wanted(shape, form, int(bounds[1]), int(bounds[2] or bounds[1])) if bounds else Wanted(shape, form)
    return None


def _form_alone(shape: Shape, form: Form) -> str:
    if form == "json":
        return f"Reply with one JSON object of exactly this form and nothing around it:\n{_EXAMPLES[shape]['json']}"
    if shape == "answer":
        return "Reply with the text of the answer alone, without a heading."
    return f"Reply in exactly this form, with nothing before or after it:\n{_EXAMPLES[shape]['text']}"


def write_reply(turns: list[Turn], shape: Shape, form: Form) -> str:
    """Return what a model that answers in this form would have sent for these turns."""
    pairs = [{"question": turn.question, "answer": turn.answer} for turn in turns]
    if form == "json":
        replies: dict[Shape, Any] = {
            "turns": {"turns": pairs},
            "pair": pairs[0],
            "answer": {"answer": turns[0].answer},
        }
        return json.dumps(replies[shape], ensure_ascii=False)
    if shape == "answer":
        return turns[0].answer
    return "\n===\n".join(f"Question:\n{pair['question']}\n===\nAnswer:\n{pair['answer']}" for pair in pairs)


def read_reply(
    content: str, shape: Shape, form: Form, *, question: str = "", min_turns: int = 1, max_turns: int | None = None
) -> list[Turn]:
    """Read the turns out of a model's reply.

    Labelled blocks are read even where JSON was asked for, and the other way round: a model that mixes up the two forms
    has still said what is needed. Bare prose is an answer only where ``text`` was asked for.

    Args:
        content: The assistant's text. Thoughts in ``<think>`` and a code fence around the reply are taken off.
        shape: The shape that the prompt asked for.
        form: The form that the prompt asked for.
        question: The drawn question, for the shape ``answer``.
        min_turns: Fewest turns, for the shape ``turns``.
        max_turns: Most turns, for the shape ``turns``; no bound if ``None``.

    Raises:
        UnreadableReply: The reply is empty, broken, of another shape, or has too few or too many turns.
    """
    text = _unwrap(content)
    if not text:
        raise UnreadableReply("the reply is empty")
    if text.startswith(("{", "[")):
        turns = _from_json(text, shape, question)
    else:
        turns = _from_text(text, shape, form, question)
    if shape == "turns" and not min_turns <= len(turns) <= (max_turns or len(turns)):
        wanted = f"{min_turns} to {max_turns}" if max_turns else f"at least {min_turns}"
        raise UnreadableReply(f"the reply has {len(turns)} question-and-answer turns; {wanted} are wanted")
    return turns


_THOUGHTS = re.compile(r"\A\s*(?:<think>)?.*?</think>", re.DOTALL)
_FENCE = re.compile(r"```(?:\w+)?[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)


def _unwrap(content: str) -> str:
    """Take off what models put around a reply: thoughts, a code fence, a sentence before a JSON object."""
    text = _THOUGHTS.sub("", content, count=1).strip() if "</think>" in content else content.strip()
    if "```" in text and (fenced := _FENCE.search(text)):
        text = fenced[1].strip()
    opening = text.find("{")
    if opening > 0 and text.endswith("}") and "Question:" not in text[:opening]:
        return text[opening:]
    return text


class _Turns(msgspec.Struct):
    turns: list[Turn]


class _Answer(msgspec.Struct):
    answer: str


_right: dict[Shape, msgspec.json.Decoder[_Turns | Turn | _Answer]] = {
    "turns": msgspec.json.Decoder(_Turns),
    "pair": msgspec.json.Decoder(Turn),
    "answer": msgspec.json.Decoder(_Answer),
}


def _from_right_json(text: str, shape: Shape, question: str) -> list[Turn]:
    """Return the turns of a reply in which nothing is wrong, as hardly anything ever is; else none."""
    try:
        reply = _right[shape].decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return []
    if isinstance(reply, _Answer):
        answer = reply.answer.strip()
        return [Turn(question, answer)] if answer else []
    pairs = reply.turns if isinstance(reply, _Turns) else [reply]
    turns = [Turn(pair.question.strip(), pair.answer.strip()) for pair in pairs]
    return turns if all(turn.question and turn.answer for turn in turns) else []


def _from_json(text: str, shape: Shape, question: str) -> list[Turn]:
    if turns := _from_right_json(text, shape, question):
        return turns
    try:  # pydantic, at three times the price, tells what is wrong
        reply = _MODELS[shape].model_validate_json(text)
    except ValidationError as error:
        raise UnreadableReply(first_fault(error)) from None
    match reply:
        case Turns():
            return [Turn(pair.question, pair.answer) for pair in reply.turns]
        case Pair():
            return [Turn(reply.question, reply.answer)]
        case Answer():
            return [Turn(question, reply.answer)]


_LABEL = re.compile(r"(?:\A|\n)[ \t*#]*(Question|Answer)[ \t*]*:[ \t*]*")


def _from_text(text: str, shape: Shape, form: Form, question: str) -> list[Turn]:
    pieces = _LABEL.split(text)  # what stands before the first label, then label, body, label, body, …
    labels, bodies = pieces[1::2], [re.sub(r"\s*={3,}\s*\Z", "", body).strip() for body in pieces[2::2]]
    if not labels and shape == "answer" and form == "text":
        return [Turn(question, text)]
    if not labels:
        wanted = "a JSON object" if form == "json" else '"Question:" and "Answer:" blocks'
        raise UnreadableReply(f"the reply is not {wanted}")
    if shape == "answer" and labels in (["Answer"], ["Question", "Answer"]) and bodies[-1]:
        return [Turn(question, bodies[-1])]
    if labels != ["Question", "Answer"] * (len(labels) // 2) or not all(bodies):
        raise UnreadableReply('"Question:" and "Answer:" do not alternate, or one of them is empty')
    turns = [Turn(asked, told) for asked, told in zip(bodies[::2], bodies[1::2], strict=True)]
    if shape != "turns" and len(turns) != 1:
        raise UnreadableReply(f"the reply has {len(turns)} questions; one is wanted")
    return turns


def _without_bounds(schema: Any) -> Any:
    """Return the schema without titles, descriptions and the length bounds that strict mode refuses; we check those."""
    if isinstance(schema, dict):
        # Inside "properties" the keys are field names, not keywords.
        return {
            key: {name: _without_bounds(field) for name, field in value.items()}
            if key in ("properties", "$defs")
            else _without_bounds(value)
            for key, value in schema.items()
            if key not in ("title", "description", "minLength", "minItems")
        }
    if isinstance(schema, list):
        return [_without_bounds(item) for item in schema]
    return schema


def ask_again(content: str, fault: str) -> tuple[Message, Message]:
    """Return a reply and what is wrong with it, as the messages that go on from the first request."""
    asked = f"{fault} Send the whole reply again, in the form that was asked for."
    return Message("assistant", content or "(empty)"), Message("user", asked)
