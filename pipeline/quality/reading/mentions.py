"""What a sentence names: the record, and the words by which a name is found."""

from __future__ import annotations

import msgspec

from pipeline.quality.reading.lexicon import Form, Sense
from pipeline.quality.reading.vocabulary import NUMBERS


class Mention(msgspec.Struct, gc=False):
    """One name of a thing in a sentence, or a word that stands for one: ``one``, ``another``, ``they``."""

    sense: Sense | None
    """What it means; ``None`` for a word of no interest."""
    first: int
    """Its first word, be it an article, a number or the name."""
    head: int
    """First word of the name."""
    last: int
    """Last word of the name."""
    article: str = ""
    """``a``, ``the``, ``another``, ``no``, ``any``, or nothing."""
    many: bool | None = None
    """Whether it is in the plural; ``None`` where that cannot be told."""
    low: int | None = None
    """The fewest that a number or amount allows; ``None`` without one."""
    high: int | None = None
    """The most; ``None`` for no limit."""
    exact: bool = False
    """Whether a word like ``only`` says that there are no more."""
    vague: bool = False
    """Whether the number is an amount such as ``several``."""
    part: bool = False
    """Whether it is some of a number of things: ``two of the dogs``."""
    owner: bool = False
    """Whether it is in the genitive."""
    real: bool = True
    """Whether a thing that one sees is meant."""
    likeness: bool = False
    """Whether it is of a material that likenesses are made of: a stone lion, but also a stone bench."""
    colours: tuple[str, ...] = ()
    described: bool = False
    """Whether an adjective stands before the name, so that fewer things are meant than have it."""
    pronoun: bool = False
    """Whether it is no name but a word that stands for one."""
    like: int = -1
    """Place among the sentence's mentions of what it stands for; -1 for a name."""
    size: bool | None = None
    """Whether it is the larger (true) or the smaller one (false) of some things."""
    least: int = 1
    """How many there must be, if it is the second or another of them."""
    total: bool = False
    """Whether its number answers a question for the number of all there are."""
    answers: bool = False
    """Whether its number is what somebody counted, or was asked for."""

    @property
    def counted(self) -> bool:
        """Whether a number or an amount goes with it."""
        return self.low is not None


def find_form(low: list[str], index: int, stop: int, forms: tuple[Form, ...]) -> Form | None:
    """Return the longest of the lexicon's forms that stands at a word."""
    after = low[index + 1] if index + 1 < stop else ""
    for form in forms:
        rest = form.rest
        if not rest or (rest[0] == after and tuple(low[index + 1 : min(index + 1 + len(rest), stop)]) == rest):
            return form
    return None


def number(word: str) -> int | None:
    """Return the value of a number in words or digits."""
    value = NUMBERS.get(word)
    if value is None and word.isdecimal() and len(word) <= 3:
        return int(word)
    return value
