"""How many tokens a text has, without anybody's tokenizer: a range that holds for those in use.

Byte-pair tokenizers first cut a text into words, groups of at most three digits and runs of signs, and never join
across a cut. So the pieces are counted as they cut them, and only what a piece costs is left open: by its length and
its script. Boxes are why bytes alone will not do: ``[0.25, 0.123, 0.5, 1.0]`` has hardly more bytes than tokens,
English prose four to five.
"""

from __future__ import annotations

import re

import msgspec


class Range(msgspec.Struct, frozen=True):
    """A number that is not known for certain: between ``low`` and ``high`` in 19 of 20 cases, ``mid`` most likely."""

    low: float
    mid: float
    high: float

    def __add__(self, other: Range) -> Range:
        """Add as if both err on the same side, which is what estimates of one tokenizer do."""
        return Range(self.low + other.low, self.mid + other.mid, self.high + other.high)

    def __mul__(self, factor: float) -> Range:
        return Range(self.low * factor, self.mid * factor, self.high * factor)


ZERO = Range(0, 0, 0)

_PIECE = re.compile(r" ?(?P<word>[^\W\d_]+)|(?P<digits>\d{1,3})|(?P<signs> ?(?:[^\w\s]|_)+)|\s+")
_CHARACTERS_A_TOKEN = 4.8  # of English prose, for the best of tokenizers; a rule of thumb of 4 stays inside the range

# Tokens a character, by the first code point of a script's block: in a vocabulary that was made for the script, in
# one of today, and in one that knows it only as bytes.
_SCRIPTS = (
    (0x2E80, Range(0.45, 0.9, 2.2)),  # Chinese, Japanese, Korean and beyond, emoji too
    (0x0900, Range(0.22, 0.6, 2.2)),  # Indic scripts, Thai, Georgian …
    (0x0250, Range(0.20, 0.4, 1.1)),  # Greek, Cyrillic, Armenian, Hebrew, Arabic
    (0x0000, Range(0.18, 0.32, 0.6)),  # Latin with accents
)


def estimate_tokens(text: str) -> Range:
    """Return about how many tokens a text has, in any language."""
    low, mid, high = 0.0, 0.0, 0.0
    for piece in _PIECE.finditer(text):
        if word := piece["word"]:
            cost = _word(word)
            low, mid, high = low + cost.low, mid + cost.mid, high + cost.high
        elif digits := piece["digits"]:
            low, mid, high = low + 1, mid + 1, high + len(digits)  # many vocabularies have single digits only
        elif signs := piece["signs"]:
            low, mid, high = low + 1, mid + (1 + len(signs.encode())) / 2, high + len(signs.encode())
        else:
            mid, high = mid + 0.7, high + 1  # often joined to what follows
    return Range(min(low, len(text) / _CHARACTERS_A_TOKEN), mid, min(high, len(text.encode())))


def _word(word: str) -> Range:
    length = len(word)
    if word.isascii():
        # A common word is one token; names, rare words and languages other than English are cut.
        return Range(1, max(1, length / 5.5), max(1, length / 2.5))
    highest = ord(max(word))
    cost = next(cost for first, cost in _SCRIPTS if highest >= first)
    return Range(max(1, cost.low * length), max(1, cost.mid * length), max(1, cost.high * length))
