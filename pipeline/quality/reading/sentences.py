"""A message cut into words, and the words into sentences."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"[^\W_]+(?:['.-][^\W_]+)*|[.,;:!?()\"“”—–]|-(?=\s)|\n\n")
_ENDS = frozenset((".", "!", "?", "\n\n"))
_ABBREVIATIONS = frozenset("mr mrs ms dr st vs etc no approx".split())


class Text:
    """The words and signs of a message, in small letters; where they stand is found out only if it is asked."""

    def __init__(self, message: str) -> None:
        """Read a message; typographic apostrophes are made plain."""
        lower = message.lower()
        if len(lower) != len(message):  # a few letters grow when made small, and places must stay
            lower = "".join(char.lower() if len(char.lower()) == 1 else char for char in message)
        self._lower = lower.replace("’", "'") if "’" in lower else lower
        self.low: list[str] = _TOKEN.findall(self._lower)
        self._starts: list[int] = []

    def start(self, word: int) -> int:
        """Return where a word begins in the message."""
        starts = self._starts
        if len(starts) <= word:
            end = starts[-1] + len(self.low[len(starts) - 1]) if starts else 0
            for each in self.low[len(starts) : word + 1]:  # each is the next of its kind after the one before
                begin = self._lower.index(each, end)
                starts.append(begin)
                end = begin + len(each)
        return starts[word]

    def end(self, word: int) -> int:
        """Return one past where a word ends."""
        return self.start(word) + len(self.low[word])


def split_sentences(low: list[str]) -> list[tuple[int, int]]:
    """Return the sentences as ranges of words, each with its closing sign."""
    found, first = [], 0
    for index, word in enumerate(low):
        if word in _ENDS and not (word == "." and index and low[index - 1] in _ABBREVIATIONS):
            if index > first:
                found.append((first, index + 1))
            first = index + 1
    if first < len(low):
        found.append((first, len(low)))
    return found
