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
from pipeline.prompting.replies import Form, Shape, write_reply
from pipeline.records import Turn

NAME = "offline-writer-1"
"""The model name it answers under; the number goes up when its words change."""


def write(
    messages: Sequence[Mapping[str, str]], response_format: Mapping[str, Any] | None = None, seed: int = 0
) -> str:
    """Return the assistant's reply to a chat.

    Args:
        messages: A system message, few-shot pairs of a scene and its reply, and last the scene; or the scene, a reply
            that could not be read, and a request to mend it, which is answered for the scene.
        response_format: OpenAI's ``{"type": "json_schema", ...}``. Without a schema, the few-shot replies show the
            shape and the form; without these, the reply is a description in plain text.
        seed: Another seed gives other words about the same scene.

    Returns:
        A reply that is never empty. ``turns`` is answered with a conversation, ``pair`` with reasoning, ``answer``
        with a description.
    """
    last = _scene_index(messages)
    scene = messages[last]["content"] if messages else ""
    shape, form = _wanted(messages[:last], response_format)
    return write_reply(_turns(read_scene(scene), shape, Pen(f"{seed}|{shape}|{scene}")), shape, form)


def _turns(view: View, shape: Shape, pen: Pen) -> list[Turn]:
    if shape == "turns":
        return converse(view, pen)
    return [reason(view, pen) if shape == "pair" else Turn("", describe(view, pen))]


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


def _wanted(before: Sequence[Mapping[str, str]], response_format: Mapping[str, Any] | None) -> tuple[Shape, Form]:
    """Return shape and form, from the schema or from the replies that were shown before the scene."""
    shown = next((message["content"] for message in before if message["role"] == "assistant"), None)
    shape, form = _shown(shown) if shown is not None else ("answer", "text")
    if response_format is None or response_format.get("type") == "text":
        return shape, form
    properties = response_format.get("json_schema", {}).get("schema", {}).get("properties", {})
    if "turns" in properties:
        return "turns", "json"
    if "question" in properties:
        return "pair", "json"
    return ("answer" if "answer" in properties else shape), "json"


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
