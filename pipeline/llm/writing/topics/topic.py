"""The form in which the topics of reasoning are kept.

The texts have slots: ``{t}`` is the thing ("the dog", "the two dogs"), ``{is}``, ``{has}``, ``{does}``, ``{it}``,
``{them}`` and ``{its}`` go with it, and ``{image}`` is the word for the image.
"""

from __future__ import annotations

from typing import NamedTuple


class Topic(NamedTuple):
    """Something to reason about, for scenes that have one of certain things."""

    about: str
    """COCO categories between blanks, with ``_`` for a blank inside a name; empty for any thing at all."""
    questions: tuple[str, ...]
    claims: tuple[str, ...]
    """What is inferred, said as a guess ("may", "suggests"); the first answers the first question, and so on."""
    reasons: tuple[str, ...]
    """Why, as general knowledge that holds anywhere; in the order of the questions, and round again."""
    closes: tuple[str, ...]
    """Last sentences, as guesses too; any of them goes with any question."""
    many: bool | None = None
    """Whether it is about several of the thing only, or about a single one only; either if ``None``."""
