"""Numbers and amounts before a name: ``at least three``, ``a couple of``, ``two of the``, ``not a single``."""

from __future__ import annotations

from pipeline.quality.reading.mentions import Mention, number
from pipeline.quality.reading.vocabulary import (
    AMOUNTS,
    ARTICLES,
    DEFINITE,
    DEPICTED,
    NOT_ADJECTIVES,
    NUMBER_AMOUNTS,
    OF_AMOUNTS,
    OTHER,
    SIGNS,
    word_set,
)

LONELY = word_set("only just single lone sole solitary exactly precisely")
"""Words that say that there are no more."""
_ABOUT = word_set("about around roughly approximately nearly almost some circa maybe perhaps")
_SHARES = word_set("none each some all many most both several few")
_PARTS = word_set("rest half one bulk")
_NOT_A = word_set("not isn't never")


def read_quantity(low: list[str], start: int, index: int, found: Mention) -> None:
    """Read a number or an amount that ends at ``index``, and the words before it that widen it, into a mention."""
    if index < start:
        return
    word = low[index]
    if word == "of" and index > start and found.article in ("the", "any", ""):
        _read_part(low, start, index - 1, found)
    elif word in ("all", "both") and found.article in ("the", ""):
        found.article, found.first = "the", index
        if word == "both" and found.many is not False and low[found.last + 1 : found.last + 2] != ["and"]:
            found.low = found.high = 2
    elif found.article == "a":
        found.exact |= word in ("only", "just")
        if word in _NOT_A:
            found.article = "no"
    elif found.article != "no":
        value = number(word)
        if value is not None:
            _read_number(low, start, index, value, found)
        elif word in AMOUNTS and word not in OF_AMOUNTS and low[index - 1 : index] != ["how"]:
            _read_amount(low, start, index, found)


def _read_number(low: list[str], start: int, index: int, value: int, found: Mention) -> None:
    found.first = index
    if value == 0 or (value == 1 and low[index - 1 : index] == ["not"]):
        found.article = "no"
        return
    found.low = found.high = value
    if value == 1 and not found.article:
        found.article = "a"
    index -= 1
    is_between = low[index] == "and" and low[index - 2 : index - 1] == ["between"]
    if index > start and (is_between or low[index] in ("or", "to", "-", "–")):
        other = number(low[index - 1])
        if other is not None and other < value:
            found.low, index = other, index - 2
            found.first = index + 1
    _read_bounds(low, start, index, found)
    before = found.first - 1
    if found.article == "the" and before > start and low[before] == "of":
        found.part = low[before - 1] not in DEPICTED  # "the larger of the two dogs"


def _read_part(low: list[str], start: int, index: int, found: Mention) -> None:
    """Read what stands before ``of``: ``two of the dogs``, ``a couple of dogs``, ``the back of a dog``."""
    word = low[index]
    value = number(word)
    if value is not None or word in _SHARES:
        if found.article not in ("the", "any"):
            return
        found.first = index
        found.part = word not in ("all", "both", "each")
        found.real &= word != "none"
        if value is not None or word == "both":
            found.low = found.high = 2 if value is None else value
            _read_bounds(low, start, index - 1, found)
    elif word.endswith(("est", "er", "looking")) or word in _PARTS:
        found.part = True
    elif word in AMOUNTS and not found.article and not (word == "number" and low[index - 1 : index] == ["the"]):
        _read_amount(low, start, index, found)


def _read_amount(low: list[str], start: int, index: int, found: Mention) -> None:
    word = low[index]
    found.low, found.high = AMOUNTS[word]
    found.vague = word not in NUMBER_AMOUNTS
    found.first = index
    index -= 1
    half = next((k for k in (index, index - 1) if word == "dozen" and k >= start and low[k] == "half"), None)
    if half is not None:  # "half dozen", "half a dozen"
        (found.low, found.high), found.first, index = AMOUNTS["half-dozen"], half, half - 1
    while index >= start and found.first - index < 3 and low[index] not in NOT_ADJECTIVES and low[index] not in SIGNS:
        value = number(low[index])
        if value is not None:  # two dozen, three pairs of, three rows of
            found.low, found.high = {"dozen": (10 * value, 14 * value), "pairs": (value, 2 * value)}.get(
                word, (value, None)
            )
            found.vague = found.high is None
            found.first = index
            break
        index -= 1
    if index >= start and (low[index] in ARTICLES or low[index] in DEFINITE):
        found.first = index
        found.article = "the" if low[index] in DEFINITE else found.article
        index -= 1
    _read_bounds(low, start, index, found)


def read_bounds_after(low: list[str], found: Mention) -> None:
    """Read ``or so``, ``or more`` and ``at least`` behind a name that is counted."""
    if found.low is None:
        return
    after = low[found.last + 1 : found.last + 3]
    if after in (["or", "so"], ["or", "thereabouts"]):
        spread = max(1, found.low // 3)
        found.low -= spread
        found.high = None if found.high is None else found.high + spread
    elif after in (["or", "more"], ["at", "least"]):
        found.high = None
    elif after in (["at", "most"], ["or", "fewer"], ["or", "less"]):
        found.low = 0


def _read_bounds(low: list[str], start: int, index: int, found: Mention) -> None:
    """Read ``at least``, ``more than``, ``about``, ``only`` and ``the``, which end at ``index`` before a number."""
    if index < start or found.low is None:
        return
    word = low[index]
    pair = f"{low[index - 1]} {word}" if index > start else word
    if pair == "at least":
        found.high, index = None, index - 2
    elif pair == "many as" and low[index - 2 : index - 1] == ["as"]:
        index -= 3
    elif pair in ("fewer than", "less than") and low[index - 2 : index - 1] == ["no"]:
        found.high, index = None, index - 3
    elif pair == "more than" and low[index - 2 : index - 1] == ["no"]:
        found.low, index = 0, index - 3
    elif pair in ("more than", "greater than"):
        found.low, found.high, index = found.low + 1, None, index - 2
    elif pair in ("fewer than", "less than"):
        found.low, found.high, index = 0, (found.high or 1) - 1, index - 2
    elif pair in ("at most", "up to"):
        found.low, index = 0, index - 2
    elif word == "over" and found.low > 2:
        found.low, found.high, index = found.low + 1, None, index - 1
    elif word in _ABOUT or pair == "close to":
        spread = max(1, found.low // 3)
        found.low -= spread
        found.high = None if found.high is None else found.high + spread
        index -= 2 if pair == "close to" else 1
    elif word in LONELY:
        found.exact, index = True, index - 1
    elif pair == "total of":
        found.exact, index = True, index - 2
        index -= index >= start and low[index] in ARTICLES
    elif word.endswith("est") or word in ("first", "last"):
        found.described, index = True, index - 1  # "the nearest two chairs"
    elif word in OTHER or word in ("more", "remaining"):
        found.described, index = True, index - 1
        found.article = "another" if word == "another" else found.article
    if index >= start and low[index] in DEFINITE:
        found.article, index = "the", index - 1
    if index >= start and low[index] == "all":
        found.article, found.exact, index = "the", True, index - 1
    if index >= start and low[index] in LONELY:
        found.exact, index = True, index - 1
    found.first = min(found.first, index + 1)
