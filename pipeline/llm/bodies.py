"""The bytes of a request. What is the same for all scenes of a kind is encoded once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.llm.dialect import Dialect
from pipeline.prompting.render import Prompt, encode_messages
from pipeline.prompting.replies import reply_schema
from pipeline.records import Message


class Question(msgspec.Struct, frozen=True):
    """What to ask: a kind's prompt, and what follows its static part."""

    sample: str
    """Id of the sample it is for."""
    prompt: Prompt
    following: list[Message]
    """The scene, and on a second attempt the reply that could not be read and why."""
    seed: int
    """Sent where the server knows seeds, and part of the key in any case: two samples of one scene are two requests."""


class Body(msgspec.Struct, frozen=True):
    """A request as it is sent."""

    key: bytes
    """What the journal knows it by: sha256 over the seed and the content."""
    content: bytes
    """JSON, UTF-8."""
    most_tokens: int | None
    """The bound on the reply's tokens that the content carries; ``None`` if it carries none."""


class _Head(msgspec.Struct, frozen=True):
    """What is the same for all bodies of a kind."""

    fields: bytes
    """All but seed and messages, as JSON without the closing brace."""
    takes_seed: bool
    most_tokens: int | None
    """The bound among the fields."""


class Bodies:
    """Builds the bodies of one run."""

    def __init__(self, model: str, options: Mapping[str, Any]) -> None:
        """Take what is the same for all requests.

        Args:
            model: As the server knows it.
            options: Sampling options that override those of ``kind.toml``; ``None`` as a value leaves a field out.
        """
        self._model = model
        self._options = dict(options)
        self._heads: dict[tuple[str, Dialect], _Head] = {}

    def build(self, question: Question, dialect: Dialect) -> Body:
        """Return the body of a question as the server takes it."""
        known_by = (question.prompt.kind.name, dialect)
        head = self._heads.get(known_by)
        if head is None:
            head = self._heads[known_by] = self._build_head(question.prompt, dialect)
        seed = b',"seed":%d' % question.seed if head.takes_seed else b""
        messages = encode_messages(question.prompt, question.following)
        content = b"".join((head.fields, seed, b',"messages":', messages, b"}"))
        digest = hashlib.sha256(b"%d\0" % question.seed)
        digest.update(content)
        return Body(digest.digest(), content, head.most_tokens)

    def sampling(self, prompt: Prompt, dialect: Dialect) -> dict[str, Any]:
        """Return the sampling fields of a kind's requests, without the seed."""
        file = prompt.kind.file
        fields = {"temperature": file.temperature, "max_tokens": file.max_tokens} | self._options
        if "max_completion_tokens" in self._options or not dialect.max_tokens:
            bound = fields.pop("max_tokens")
            fields.setdefault("max_completion_tokens", bound)
        return {name: value for name, value in fields.items() if value is not None and name not in dialect.without}

    def _build_head(self, prompt: Prompt, dialect: Dialect) -> _Head:
        sampling = self.sampling(prompt, dialect)
        fields: dict[str, Any] = {"model": self._model} | sampling
        if dialect.schema and "response_format" not in self._options:
            name = re.sub(r"[^A-Za-z0-9_-]", "_", prompt.kind.name)[:64]
            schema = {"name": name, "strict": True, "schema": reply_schema(prompt.kind.file.shape)}
            fields["response_format"] = {"type": "json_schema", "json_schema": schema}
        bound = sampling.get("max_completion_tokens", sampling.get("max_tokens"))
        takes_seed = "seed" not in {*dialect.without, *self._options}
        return _Head(msgspec.json.encode(fields)[:-1], takes_seed, bound if isinstance(bound, int) else None)
