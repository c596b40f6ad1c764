"""What the captions of a scene name, read once for all the samples of the scene."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from pipeline.quality.reading.lexicon import Lexicon, Sense
from pipeline.quality.reading.mentions import Mention, find_form
from pipeline.quality.reading.nouns import is_modifier, read_mention
from pipeline.quality.reading.sentences import Text
from pipeline.quality.reading.vocabulary import AMOUNTS, PIECES, SIGNS, word_set

_AMOUNTS = word_set("few several couple")
_REACH = 8  # words of a caption between a thing and where it is
_AT = frozenset("on in at near by atop inside around surrounding along across under beneath of".split())
_HAVING = frozenset("with has holding containing carrying full bearing covered".split())
_SAME_SPOTS = tuple(
    frozenset(words.split())
    for words in (
        "water sea ocean lake river pool wave waves surf",
        "slope snow hill mountain piste hillside mountainside",
        "grass field meadow pasture lawn",
        "counter countertop worktop",
        "street road sidewalk pavement",
        "floor ground",
    )
)
"""Nouns for what may be one and the same spot."""
_HOLDING = frozenset("with holding carrying wearing holds carries wears using riding".split())
_SCENES = 64  # kept: the kinds of a scene come one soon after another


class Said(msgspec.Struct, frozen=True, gc=False):
    """One mention in a caption."""

    caption: int
    mention: Mention
    sense: Sense
    amount: str = ""
    """The word of a vague amount, such as ``few``."""


class Captions(msgspec.Struct, frozen=True, gc=False):
    """All captions of one scene, read."""

    said: tuple[Said, ...]
    """All mentions of things."""
    words: frozenset[str]
    """Names and other words, each by itself: ``hot dog`` is no ``dog``."""
    text: str
    """These in a row, each after a blank."""
    low: tuple[list[str], ...]
    """The words and signs of each caption."""

    def crowded(self, sense: Sense) -> tuple[int, ...]:
        """Return the captions by which there are many of a thing, without saying how many."""
        return tuple(
            dict.fromkeys(
                said.caption
                for said in self.said
                if said.sense.may & sense.may and (said.sense.several or said.mention.vague or _is_uncounted(said))
            )
        )

    def told_at(self, sense: Sense, noun: str) -> tuple[int, ...]:
        """Return the captions that have such a thing at something: "a cup on the counter"."""
        found = []
        nouns = next((each for each in _SAME_SPOTS if noun in each), frozenset((noun,)))
        for said in self.said:
            if not said.sense.may & sense.may or not said.sense.may <= sense.may:
                continue
            low = self.low[said.caption]
            after, before = low[said.mention.last + 1 :][:_REACH], low[: said.mention.first][-_REACH:]
            ahead = next((k for k, word in enumerate(after) if word in nouns), None)
            behind = next((k for k in range(len(before) - 1, -1, -1) if before[k] in nouns), None)
            if (ahead is not None and _links(after[:ahead], _AT)) or (
                behind is not None and _links(before[behind + 1 :], _HAVING)
            ):
                found.append(said.caption)
        return tuple(dict.fromkeys(found))

    def told_had(self, sense: Sense) -> tuple[int, ...]:
        """Return the captions by which somebody has such a thing: "a man with an umbrella"."""
        found = []
        for said in self.said:
            if said.sense.may & sense.may and said.sense.may <= sense.may:
                before = self.low[said.caption][max(0, said.mention.first - 2) : said.mention.first]
                if not _HOLDING.isdisjoint(before):
                    found.append(said.caption)
        return tuple(dict.fromkeys(found))


@lru_cache(_SCENES)
def read_captions(captions: tuple[str, ...], lexicon: Lexicon) -> Captions:
    """Return what captions name."""
    said: list[Said] = []
    words: list[str] = []
    low = tuple(Text(text).low for text in captions)
    for caption, each in enumerate(low):
        _read(caption, each, lexicon, said, words)
    return Captions(tuple(said), frozenset(words), " " + " ".join(words), low)


def _read(caption: int, low: list[str], lexicon: Lexicon, said: list[Said], words: list[str]) -> None:
    """Add the mentions of one caption, and its words."""
    index = start = 0
    while index < len(low):
        word = low[index]
        forms = lexicon.forms.get(word[:-2] if word[-2:] == "'s" else word)
        form = find_form(low, index, len(low), forms) if forms else None
        if form is not None and not form.rest and word in AMOUNTS and low[index + 1 : index + 2] == ["of"]:
            form = None  # "a couple of birds" is no couple
        if form is None:
            words.append(word)
            index += 1
            continue
        if form.sense is not None:
            mention = read_mention(low, start, index, form, owner=False)
            doubtful = not form.sense.sure and is_modifier(low, mention.last, len(low), form, lexicon)
            doubtful |= low[mention.last] in PIECES and low[mention.last + 1 : mention.last + 2] == ["of"]
            if mention.article != "no" and not doubtful and not _is_doubled(low, mention, form.sense, lexicon):
                said.append(Said(caption, mention, form.sense, _amount(low, mention)))
        start = index + 1 + len(form.rest)
        words += low[index:start] if form.sense is None else [" ".join(low[index:start])]
        index = start


def _is_doubled(low: list[str], mention: Mention, sense: Sense, lexicon: Lexicon) -> bool:
    """Tell whether the next word is another name of the same thing: ``polar bear cub``."""
    after = mention.last + 1
    rows = lexicon.forms.get(low[after]) if after < len(low) else None
    form = find_form(low, after, len(low), rows) if rows else None
    return form is not None and form.sense is not None and bool(form.sense.may & sense.may)


def _amount(low: list[str], mention: Mention) -> str:
    return next((word for word in low[mention.first : mention.head] if word in _AMOUNTS), "") if mention.vague else ""


def _links(between: list[str], words: frozenset[str]) -> bool:
    """Tell whether the words between two things say that one is on the other."""
    return not words.isdisjoint(between) and "and" not in between and SIGNS.isdisjoint(between)


def _is_uncounted(said: Said) -> bool:
    return said.mention.many is True and said.mention.low is None
