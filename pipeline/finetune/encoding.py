"""One row to ids and labels, or to the reason why it has none."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from pipeline.finetune.labels import NothingToLearn, TooLong, Unusable, fit
from pipeline.finetune.pictures import BrokenPicture, Picture, decode
from pipeline.finetune.rows import Rejected, Row, is_question
from pipeline.finetune.templates import Template
from pipeline.finetune.tokens import IGNORE, IMAGE_TEXT

CHARACTERS_A_TOKEN = 64  # more than the tokens of words have; a text longer than that is not even tokenised

Placement = Literal["first", "random"]


class Encoded(NamedTuple):
    """A sample that fits; arrays, because they travel between processes."""

    ids: NDArray[np.int32]
    learnt: NDArray[np.bool_]
    """Whether a token is the label of its place."""
    turns_dropped: int


Outcome = Encoded | Rejected | None
"""None: the weights leave the row out."""


@dataclass(frozen=True)
class Encoder:
    """Encodes rows, and sees to it that their pictures can be decoded."""

    tokenizer: PreTrainedTokenizerBase
    template: Template
    """Loaded for the tokenizer."""
    max_tokens: int
    """Longest sample, image tokens included."""
    image_tokens: int
    placement: Placement
    """Whether the image comes first in the first question, or before or after its text by chance."""
    seed: int
    """Of that chance."""
    decode_pictures: bool
    _faults: dict[Picture, str] = field(default_factory=dict)  # of pictures decoded so far; empty: none

    def encode(self, row: Row | Rejected) -> Outcome:
        """Return a row's ids and labels, or why it has none."""
        if isinstance(row, Rejected):
            return row
        if not row.times:
            return None
        most = self.max_tokens * CHARACTERS_A_TOKEN
        kept = _cut(row.messages, most)
        cut = row.messages[len(kept) :]
        try:
            fitted = fit(
                self._with_image(row, kept),
                self.tokenizer,
                self.template,
                max_tokens=self.max_tokens,
                image_tokens=self.image_tokens,
            )
        except NothingToLearn as error:
            if cut:
                detail = f"the first turn takes more than {most:,} characters, and {self.max_tokens:,} tokens fit"
                return Rejected(row.id, row.source, "too long for one turn", detail)
            return Rejected(row.id, row.source, "nothing to learn", str(error))
        except Unusable as error:
            reason = "too long for one turn" if isinstance(error, TooLong) else "no conversation"
            return Rejected(row.id, row.source, reason, str(error))
        learnt = np.array(fitted.labels, np.int32) != IGNORE
        if not learnt[1:].any():  # the first token is predicted by none
            return Rejected(row.id, row.source, "nothing to learn", "no token of it counts in the loss")
        if row.picture and self.decode_pictures and (fault := self._fault(row.picture)):
            return Rejected(row.id, row.source, "broken image", fault)
        return Encoded(np.array(fitted.ids, np.int32), learnt, fitted.turns_dropped + sum(map(is_question, cut)))

    def _with_image(self, row: Row, messages: Sequence[Any]) -> list[Any]:
        """Return messages with the image as a part of the first question; so ``<image>`` in its text stays text."""
        placed = list(messages)
        first = next((place for place, message in enumerate(placed) if is_question(message)), None)
        if first is None:
            return placed
        content = placed[first]["content"]
        if isinstance(content, str) and (row.picture or IMAGE_TEXT in content):
            content = [{"type": "text", "text": content}]
        if row.picture and isinstance(content, list):
            image = [{"type": "image"}]
            is_last = self.placement == "random" and _coin(self.seed, row.id)
            content = content + image if is_last else image + content
        placed[first] = placed[first] | {"content": content}
        return placed

    def _fault(self, picture: Picture) -> str:
        if picture not in self._faults:
            try:
                decode(picture)
                self._faults[picture] = ""
            except BrokenPicture as error:
                self._faults[picture] = str(error)
        return self._faults[picture]


def _coin(seed: int, name: str) -> bool:
    return hashlib.sha256(f"placement/{seed}/{name}".encode()).digest()[0] < 128


def _cut(messages: Sequence[Any], most: int) -> Sequence[Any]:
    """Return the messages before the one that takes the text beyond ``most`` characters."""
    total = 0
    for place, message in enumerate(messages):
        content = message.get("content") if isinstance(message, dict) else None
        parts = content if isinstance(content, list) else [{"text": content}]
        texts = (part.get("text") for part in parts if isinstance(part, dict))
        total += sum(len(text) for text in texts if isinstance(text, str))
        if total > most:
            return messages[:place]
    return messages
