"""Messages for a kind and a scene: system, few-shot pairs, the scene.

What is the same for all scenes of a kind comes first and is rendered once, to bytes: a server's prefix cache serves it,
and a request costs no more than its own scene.
"""

from __future__ import annotations

import hashlib

import msgspec

from pipeline.prompting.kinds import Kind, render_system, render_user
from pipeline.prompting.replies import Form, describe_form, write_reply
from pipeline.records import Message, Scene


class Prompt(msgspec.Struct, frozen=True):
    """What all requests of a kind begin with."""

    kind: Kind
    form: Form
    static: tuple[Message, ...]
    """System message and few-shot turns."""
    static_json: bytes
    """The same as JSON, without the closing bracket, ready for more messages to follow."""
    hash: str
    """Hex digest over ``static_json`` and the drawn questions: changes when anything that shapes this kind does."""


def build_prompt(kind: Kind, form: Form) -> Prompt:
    """Render the static part of a kind's prompt."""
    static = [Message("system", render_system(kind, describe_form(kind.file.shape, form)))]
    for example in kind.examples:
        static.append(Message("user", render_user(kind, example.scene)))
        static.append(Message("assistant", write_reply(example.turns, kind.file.shape, form)))
    static_json = msgspec.json.encode(static)[:-1]
    digest = hashlib.sha256(b"\0".join((static_json, *(question.encode() for question in kind.questions))))
    return Prompt(kind, form, tuple(static), static_json, digest.hexdigest()[:16])


def render_messages(prompt: Prompt, scene: Scene) -> list[Message]:
    """Return all messages of a request, the scene last."""
    return [*prompt.static, Message("user", render_user(prompt.kind, scene))]


def encode_messages(prompt: Prompt, following: list[Message]) -> bytes:
    """Return the static messages and those that follow them as one JSON list."""
    return prompt.static_json + b"," + msgspec.json.encode(following)[1:]
