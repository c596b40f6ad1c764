"""What a sample says twice: an answer, a sentence, or the same few words over and over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_WORD = re.compile(r"\w+")
_FEWEST = 4  # words of a sentence that may not come twice
_LONGEST = 12  # words of a loop
_ROUNDS = 3  # of a loop; "very, very" is emphasis


def find_repeats(text: str, lower: str, words: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield first character, one past the last, and what is repeated.

    Args:
        text: As it is written.
        lower: The same in lower case, equally long.
        words: The words of ``lower``.
    """
    if len(set(_grams(words))) >= len(words) - _FEWEST + 1:
        return
    yield from _sentences(text, lower)
    if loop := _loop(list(_grams(words))):
        first, past = loop
        spans = [found.span() for found in _WORD.finditer(lower)]
        yield spans[first][0], spans[past - 1][1], "the same words over and over"


def _grams(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Return each ``_FEWEST`` words that follow each other."""
    return zip(words, words[1:], words[2:], words[3:], strict=False)


def _sentences(text: str, lower: str) -> Iterator[tuple[int, int, str]]:
    seen: set[tuple[str, ...]] = set()
    for found in _SENTENCE.finditer(lower):
        words = tuple(_WORD.findall(found[0]))
        if len(words) >= _FEWEST and words in seen:
            start = found.start() + len(found[0]) - len(found[0].lstrip())
            yield start, found.end(), f"said before: {text[start : found.end()]}"
        seen.add(words)


def _loop(grams: Sequence[tuple[str, ...]]) -> tuple[int, int] | None:
    """Return the first word and one past the last of the same few words said at least ``_ROUNDS`` times in a row.

    In a loop of so many words, each group of ``_FEWEST`` words comes again after that many words.
    """
    last: dict[tuple[str, ...], int] = {}
    run, period = 0, 0
    for place, gram in enumerate(grams):
        apart = place - last.get(gram, -len(grams))
        run = run + 1 if apart == period else 1
        period = apart
        last[gram] = place
        if period <= _LONGEST and run >= max(period * (_ROUNDS - 1) - _FEWEST + 1, 1):
            return place - run - period + 1, place + _FEWEST
    return None
