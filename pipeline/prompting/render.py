"""Messages for a kind and a scene: system, few-shot pairs, the scene.

What is the same for all scenes of a kind comes first and is rendered once, to bytes: a server's prefix cache serves it,
and a request costs no more than its own scene.
"""

from __future__ import annotations

import hashlib

import msgspec

from pipeline.prompting.kinds import Kind, render_system, render_user
from pipeline.prompting.replies import Form, write_reply
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
    """Hex digest over the static part and all that is read from the kind's folders: changes when anything that shapes
    this kind's samples does, shown in the static part or not."""


def build_prompt(kind: Kind, form: Form) -> Prompt:
    """Render the static part of a kind's prompt."""
    static = [Message("system", render_system(kind, form))]
    for example in kind.examples:
        static.append(Message("user", render_user(kind, example.scene)))
        static.append(Message("assistant", write_reply(example.turns, kind.file.shape, form)))
    static_json = msgspec.json.encode(static)[:-1]
    settings = kind.file.model_dump(mode="json", exclude={"description"})  # that one is for people alone
    shaping = (static, settings, kind.context, kind.questions, kind.system.sources, kind.user.sources)
    digest = hashlib.sha256(msgspec.json.encode(shaping)).hexdigest()
    return Prompt(kind, form, tuple(static), static_json, digest[:16])


def render_messages(prompt: Prompt, scene: Scene) -> list[Message]:
    """Return all messages of a request, the scene last."""
    return [*prompt.static, Message("user", render_user(prompt.kind, scene))]


def encode_messages(prompt: Prompt, following: list[Message]) -> bytes:
    """Return the static messages and those that follow them as one JSON list."""
    return b"".join((prompt.static_json, b",", msgspec.json.encode(following)[1:]))
