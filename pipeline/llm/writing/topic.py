"""The form in which the topics of reasoning are kept."""

from __future__ import annotations

from typing import NamedTuple


class Topic(NamedTuple):
    """Something to reason about, for scenes that have one of certain things."""

    about: str
    """COCO categories between blanks, with ``_`` for a blank inside a name; empty for any thing at all."""
    questions: tuple[str, ...]
    claims: tuple[str, ...]
    """What is inferred, said as a guess."""
    reasons: tuple[str, ...]
    """Why, as general knowledge."""
    closes: tuple[str, ...]
    many: bool | None = None
    """Whether it is about several of the thing only, or about a single one only; either if ``None``."""
