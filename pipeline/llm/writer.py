"""The offline writer: rules over the context text that play the LLM, so that the whole pipeline runs without a key.

It is given what a model is given, the messages and perhaps a JSON schema, and learns from them what to write and in
which form. What it writes is true of the scene's captions and boxes; where they leave a doubt, it says less. The same
request always gives the same reply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pipeline.llm.writing.conversation import converse
from pipeline.llm.writing.description import describe
from pipeline.llm.writing.facts import Pen
from pipeline.llm.writing.reasoning import reason
from pipeline.llm.writing.scene import View, holds_boxes, read_scene
from pipeline.prompting.replies import Form, Shape, Wanted, read_form, write_reply
from pipeline.records import Turn

NAME = "offline-writer-2"
"""The model name it answers under; the number goes up when its words change."""


def write(
    messages: Sequence[Mapping[str, str]], response_format: Mapping[str, Any] | None = None, seed: int = 0
) -> str:
    """Return the assistant's reply to a chat.

    Args:
        messages: A system message, few-shot pairs of a scene and its reply, and last the scene; or the scene, a reply
            that could not be read, and a request to mend it, which is answered for the scene.
        response_format: OpenAI's ``{"type": "json_schema", ...}``. Without a schema, the system message tells the
            shape and the form, as ``describe_form`` puts it, or else the few-shot replies show them; without either,
            the reply is a description in plain text.
        seed: Another seed gives other words about the same scene.

    Returns:
        A reply that is never empty. ``turns`` is answered with a conversation of as many turns as the system message
        asks for, ``pair`` with reasoning, ``answer`` with a description.
    """
    last = _scene_index(messages)
    scene = messages[last]["content"] if messages else ""
    wanted = _wanted(messages[:last], response_format)
    turns = _turns(read_scene(scene), wanted, Pen(f"{seed}|{wanted.shape}|{scene}"))
    return write_reply(turns, wanted.shape, wanted.form)


def _turns(view: View, wanted: Wanted, pen: Pen) -> list[Turn]:
    if wanted.shape == "turns":
        return converse(view, pen, wanted.min_turns, wanted.max_turns)
    return [reason(view, pen) if wanted.shape == "pair" else Turn("", describe(view, pen))]


_MENDING = re.compile(
    r"\b(json|schema|repl(?:y|ies)|answers?|valid|invalid|error|again|read|parse|format|question|turns|expected)\b"
)


def _scene_index(messages: Sequence[Mapping[str, str]]) -> int:
    """Return the index of the latest user message that holds a scene and is not about a reply."""
    users = [index for index, message in enumerate(messages) if message["role"] == "user"]
    for index in reversed(users):
        content = messages[index]["content"]
        if content.strip() and (holds_boxes(content) or len(set(_MENDING.findall(content.lower()))) < 2):
            return index
    return users[-1] if users else max(len(messages) - 1, 0)


_read_form = lru_cache(maxsize=64)(read_form)  # a kind's system message is the same for all its requests


def _wanted(before: Sequence[Mapping[str, str]], response_format: Mapping[str, Any] | None) -> Wanted:
    """Return what is asked for: by the schema, by the system message, or by the replies shown before the scene."""
    told = next((told for message in before if (told := _told(message)) is not None), Wanted("answer", "text"))
    if response_format is None or response_format.get("type") == "text":
        return told
    properties = response_format.get("json_schema", {}).get("schema", {}).get("properties", {})
    shapes: dict[str, Shape] = {"turns": "turns", "question": "pair", "answer": "answer"}
    shape = next((shape for field, shape in shapes.items() if field in properties), told.shape)
    return told._replace(shape=shape, form="json")


def _told(message: Mapping[str, str]) -> Wanted | None:
    """Return what a message tells or shows of the reply that is wanted."""
    if message["role"] == "assistant":
        return Wanted(*_shown(message["content"]))
    return _read_form(message["content"]) if message["role"] != "user" else None


@lru_cache(maxsize=64)
def _shown(reply: str) -> tuple[Shape, Form]:
    """Return the shape and form of a reply that was shown as an example."""
    if reply.lstrip().startswith("{"):
        try:
            fields = json.loads(reply)
        except ValueError:
            fields = {}
        return ("turns" if "turns" in fields else "pair" if "question" in fields else "answer"), "json"
    questions = len(re.findall(r"^Question:", reply, re.MULTILINE))
    return ("turns" if questions > 1 else "pair" if questions else "answer"), "text"
