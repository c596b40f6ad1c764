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
