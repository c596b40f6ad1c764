"""A judge's reply: its schema, and how its verdicts are read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from pipeline.prompting.replies import Reply, UnreadableReply
from pipeline.records import Verdict
from pipeline.validated import first_fault


class Judgement(Reply):
    """What the judge says of one answer."""

    answer: int
    """Its number among those that were asked about, from 1."""
    reason: str
    wrong: str
    """The wrong words, as the judge quotes them; empty unless contradicted."""
    verdict: Verdict


class Judgements(Reply):
    """A judge's whole reply."""

    verdicts: list[Judgement]


_SCHEMA = {
    "type": "object",
    "properties": {
        "verdicts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "answer": {"type": "integer"},
                    "reason": {"type": "string"},
                    "wrong": {"type": "string"},
                    "verdict": {"type": "string", "enum": list(get_args(Verdict))},
                },
                "required": ["answer", "reason", "wrong", "verdict"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["verdicts"],
    "additionalProperties": False,
}  # of Judgements, written out: a word changed in a docstring must not make all requests new
RESPONSE_FORMAT: Mapping[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "verdicts", "strict": True, "schema": _SCHEMA},
}
"""Goes into a judge's requests as ``response_format``, where the server takes it."""


def read_judgements(content: str, count: int) -> list[Judgement]:
    """Read the verdicts on ``count`` answers out of a judge's reply, in the order of the answers.

    Thoughts, a code fence and prose around the JSON object are passed over. A reply of plain lines such as
    ``2. contradicted - the boxes show one dog`` is read as well: a judge that mixes up the form has still judged.

    Raises:
        UnreadableReply: There are no verdicts, or not exactly one an answer.
    """
    text = content.rpartition("</think>")[2]
    read = _from_json(text) if "{" in text else _from_lines(text)
    judgements = sorted(read, key=lambda each: each.answer)
    if [each.answer for each in judgements] != list(range(1, count + 1)):
        told = ", ".join(str(each.answer) for each in judgements) or "none"
        raise UnreadableReply(f"one verdict is wanted for each answer from 1 to {count}; there are {told}")
    return judgements


def _from_json(text: str) -> list[Judgement]:
    try:
        reply, _ = json.JSONDecoder().raw_decode(text, text.index("{"))
        return Judgements.model_validate(reply).verdicts
    except ValidationError as error:
        raise UnreadableReply(first_fault(error)) from None
    except (ValueError, RecursionError) as error:
        raise UnreadableReply(f"the reply is not a JSON object: {error}") from None


_LINE = re.compile(
    r"^[^\w\n]*(?:answer +)?(\d{1,3})[^\w\n]+(supported|contradicted|not checkable)\b[^\w\n]*(.*)$",
    re.IGNORECASE | re.MULTILINE,
)


def _from_lines(text: str) -> list[Judgement]:
    lines = [
        {"answer": number, "verdict": verdict.lower(), "wrong": "", "reason": reason}
        for number, verdict, reason in _LINE.findall(text)
    ]
    return [Judgement.model_validate(line) for line in lines]


def find_quote(quote: str, answer: str) -> tuple[int, int] | None:
    """Return where an answer has the words that a judge quotes, as the first character and one past the last.

    Case, white space and marks around the quote do not matter: judges add them, and drop full stops.
    """
    words = re.findall(r"\S+", quote.strip(" \t\n\"'“”‘’«».,;:…"))
    if not words:
        return None
    found = re.search(r"\s+".join(map(re.escape, words)), answer, re.IGNORECASE)
    return found.span() if found else None


def verdict_of_rules(claims: Sequence[Mapping[str, Any]], message: int) -> Verdict:
    """Return what the rules' claims come to for one answer.

    Args:
        claims: Of the whole sample, as its row has them.
        message: The answer's place in the row's ``messages``.

    Returns:
        ``contradicted`` if any claim is, else ``supported`` if any is, else ``not checkable``.
    """
    verdicts = {claim["verdict"] for claim in claims if claim["message"] == message}
    if "contradicted" in verdicts:
        return "contradicted"
    return "supported" if "supported" in verdicts else "not checkable"
