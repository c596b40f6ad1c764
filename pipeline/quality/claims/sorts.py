"""How many of a sort of people there surely are, although boxes know people only."""

from __future__ import annotations

from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.vocabulary import word_set

_MALE = word_set("man guy lad bloke chap gentleman fellow dude boy gent")
_FEMALE = word_set("woman lady girl gal lass")
_ANYBODY = word_set(
    "person pedestrian passer-by passerby bystander onlooker individual figure adult human walker people being"
)
_STEMS = ("surf", "ski", "snow", "skat", "bik", "cycl", "motor", "play", "ride")
"""Beginnings of words for who does something, and for doing it."""


def is_everybody(sense: Sense, spoken: list[list[str]], words: list[str]) -> bool:
    """Tell whether all people of a scene are of a sort, by its captions.

    Args:
        sense: The sort.
        spoken: The words for people in each caption that has some, in the singular.
        words: These captions.
    """
    if not spoken:
        return False
    named = {word for each in spoken for word in each} - _ANYBODY
    if sense.word in _ANYBODY:
        return True
    for sex, other in ((_MALE, _FEMALE), (_FEMALE, _MALE)):
        if sense.word in sex:
            return bool(named & sex) and not named & other and not any(word.startswith("child") for word in named)
    stem = next((each for each in _STEMS if sense.word.startswith(each)), None)
    if stem is None:
        return False
    return all(any(word.startswith(stem) for word in text.lower().split()) for text in words)


def most_of_sort(sense: Sense, counted: list[tuple[str, int | None]]) -> int | None:
    """Return how many of a sort there can be at the most, if all captions have the same number, or most have and the
    others have none; ``None`` if not.

    Args:
        sense: The sort.
        counted: The words for people of all captions, each with its number; ``None`` for a plural without one.
    """
    sex = next((each for each in (_MALE, _FEMALE) if sense.word in each), None)
    if sex is None:
        return None
    given = [number for word, number in counted if word in sex]
    numbers = [number for number in given if number is not None]
    is_told = len(numbers) == len(given) >= 2 or len(numbers) > max(2, len(given) - len(numbers))
    return numbers[0] if is_told and len(set(numbers)) == 1 and numbers[0] > 1 else None
