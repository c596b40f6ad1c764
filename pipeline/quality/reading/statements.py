"""A sentence that has been read: what it names, where it says that is, and which of its clauses are a guess."""

from __future__ import annotations

from bisect import bisect_left
from typing import Literal

import msgspec

from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.places import Place
from pipeline.quality.reading.vocabulary import SIGNS, word_set

Side = Literal["left", "right", "above", "below", "near", "on", "between"]

BREAKS = word_set("but while whereas although though because since so yet however") | SIGNS
"""Words and signs between clauses."""
_WIDE = word_set("if when whenever unless whether imagine supposing should once")
"""Hedges that reach to the end of the sentence."""

_EVIDENTIAL = word_set("may might must seem seems appear probably")
"""Hedges of what is said of a thing, not of whether it is there, if its place goes before them."""
_MODALS = word_set("could should would will")
_RELATIVES = word_set("that which who")
_POINTS = word_set("suggest suggests suggesting imply implies implying hint hints hinting")
"""Hedges of what comes after them only."""


class Relation(msgspec.Struct, gc=False):
    """That one thing is beside, above or on another."""

    side: Side
    first: int
    last: int
    """Last word before the thing that it is measured by, or that thing if it is "it" or "her"."""
    others: tuple[Sense, ...]
    """What it is measured by; several where "it" or "her" may stand for several things."""
    thing: int
    """Place among the mentions of what it is measured by; -1 for "it" or "her"."""
    subjects: tuple[int, ...] = ()
    """Places among the mentions of what may be said to be there, the nearest first."""


class Located(msgspec.Struct, gc=False):
    """A place in the image, and what may be said to be there."""

    place: Place
    subjects: tuple[int, ...]
    """Places among the mentions, the likeliest first; empty where it is about something else."""
    sure: bool = True
    """Whether nothing without a name in the lexicon may be meant instead."""


class Listed(msgspec.Struct, gc=False):
    """All things of a sort that an answer lists, instead of saying how many there are."""

    first: int
    last: int
    total: int
    sense: Sense


class Statement(msgspec.Struct):
    """One sentence."""

    low: list[str]
    """The words of the whole message."""
    first: int
    """The sentence's first word."""
    stop: int
    """One past its last."""
    mentions: list[Mention] = []
    located: list[Located] = []
    relations: list[Relation] = []
    breaks: list[int] = []
    """Words and signs that part its clauses."""
    hedges: list[int] = []
    """Words that make a clause a guess or a rule."""
    nobody: list[int] = []
    """Words such as ``nobody``."""
    denied: set[int] | None = None
    """Places among the mentions of what is said to be absent, once that has been asked."""
    guess: bool = False
    """Whether all of it is a guess."""
    guessed: Sense | None = None
    """Of what its question asks to guess how many there might be."""
    imagined: bool = False
    """Whether what it names may be no more than thought of, since its question asks what somebody would do or wants."""

    has_place: bool = False
    """Whether it speaks of a place in the image or beside a thing."""
    narrowed: bool = False
    """Whether its question asks for some of the things only, so that "none" and "nobody" are about those."""
    at: Mention | None = None
    """The thing on or beside which these are."""
    partial: bool = False
    """Whether its question asks for some of the things only, such as those on the left."""
    listed: Listed | None = None
    """What it lists, where its question asks how many there are."""
    size: bool | None = None
    """Whether its question asks for the larger (true) or the smaller one (false) of some things."""
    rivals: tuple[Mention, Mention] | None = None
    """Two things, where its question asks of which there are more."""

    def is_hedged(self, word: int, known: bool | None = None) -> bool:
        """Tell whether the clause of a word is a guess or a rule.

        Args:
            word: Which one.
            known: Of a place, whether it is that of something definite; only a hedge before it makes it a guess then:
                "the dog on the left may be hungry".
        """
        if not self.hedges:
            return self.guess
        clause = bisect_left(self.breaks, word)
        for hedge in self.hedges:
            at = bisect_left(self.breaks, hedge)
            said = self.low[hedge]
            if word < hedge and (
                said in _POINTS or (known is not None and said in _EVIDENTIAL) or (known and said in _MODALS)
            ):
                continue  # "the skis suggest that ..."
            if word < hedge - 1 and said in _MODALS and self.low[hedge - 1] in _RELATIVES and said != "would":
                continue  # "there are doughnuts that will serve as a dessert"
            if at == clause or (at < clause and self._is_wide(hedge)):
                return True
        return self.guess

    def _is_wide(self, hedge: int) -> bool:
        """Tell whether a hedge reaches to the end of the sentence; "it should be, as ..." does not."""
        said = self.low[hedge]
        return said in _WIDE and (said != "should" or hedge == self.first or self.low[hedge - 1] in SIGNS)

    def starting_at(self, word: int) -> Mention | None:
        """Return the mention whose first word this is."""
        return next((each for each in self.mentions if each.first == word), None)

    def after(self, mention: Mention) -> str:
        """Return the word after a mention, a full stop at the end."""
        return self.low[mention.last + 1] if mention.last + 1 < self.stop else "."

    def before(self, word: int) -> str:
        """Return the word before a word, nothing at the beginning of the sentence."""
        return self.low[word - 1] if word > self.first else ""
