"""What an absence is about: the whole image, a part of it, a thing of it, or what one of its things has."""

from __future__ import annotations

import msgspec

from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.places import Place
from pipeline.quality.reading.statements import BREAKS, Statement
from pipeline.quality.reading.vocabulary import (
    ARTICLES,
    BE,
    DEFINITE,
    IMAGES,
    SEES,
    SIGNS,
    THERE,
    VENUES,
    word_set,
)

LACKS = word_set("without lacks lacking lack missing minus sans")
RID = word_set("free empty devoid bare clear")
"""Words that deny a thing with "of": the street is empty of cars."""
_SEEN = word_set("visible present seen found shown there here anywhere spotted")
_ENDS = SIGNS | word_set("though although so because while since as")
_SKIPPED = _SEEN | word_set(
    "around about sight view either whatsoever can could is are was be have has stayed remained been come turned "
    "arrived up appear appears out made put set laid evident evidence far yet today that i you we one see make absent "
    "missing nowhere not it's they're isn't aren't wasn't weren't can't cannot simply else actually currently just "
    "discernible"
)
_COME = word_set("stayed remained been come turned arrived made shown appeared not")
_POSTURES = word_set(
    "stands stand sits sit lies lie hangs hang rests rest waits wait lying standing sitting parked left seated resting "
    "hanging placed waiting kept stored mounted"
)
_AROUND = word_set("around about here there anywhere nearby")
_PREPOSITIONS = word_set("on at in by near under beside around among next from within inside behind atop along across")
_BESIDE = word_set("around at by near beside next")
_SCENES = IMAGES | VENUES
_GROUNDS = _SCENES - word_set("sidewalk pavement crossing lane water sea ocean lake river pond pool slope court pitch")
"""Nouns on which all stands that an image shows; "nobody is on the sidewalk" leaves the street."""
_FLYING = frozenset(("bird", "kite", "airplane"))
_ANY_ELSE = word_set("anything anywhere anyone anybody")
_CORNERS = word_set("left right top bottom background foreground corner front back rear distance middle center centre")
_KINDS = (["any", "kind"], ["any", "sort"], ["any", "type"], ["any", "description"])
_CLAUSES = ARTICLES | DEFINITE | THERE | word_set("it he she they nobody all only everything both two three four")
"""Words with which a new clause begins after "and"."""
_SPEAKERS = word_set("it it's there there's i you we one i've we've you'll")
"""Subjects of a sentence that says what is in the picture."""
_HUMAN = word_set("he she he's she's")
_HAS = word_set(
    "has have had carries carry holds hold wears wear wearing carrying holding having rides ride riding uses use using "
    "brings bring brought owns own walks with keeps keep takes took"
)
"""Words by which somebody is said to have a thing, or not to have it."""
OWNS = _HAS - word_set("own owns")


class Scope(msgspec.Struct, frozen=True, gc=False):
    """What an absence is about."""

    whole: bool
    """Whether it is the whole image, and not some of the things or an unknown part of it."""
    thing: Mention | None = None
    """On or at which thing there is none."""
    beside: bool = False
    """Whether it is about what is around that thing."""
    owner: Mention | None = None
    """Who or what does not have it."""
    human: bool = False
    """Whether it is about what is around "him" or "her"."""
    spot: str = ""
    """Noun of what has no box, on or at which there is none: ``counter``."""
    place: Place | None = None
    """The part of the image where there is none."""


def scope(statement: Statement, index: int, mention: Mention | None) -> Scope:
    """Return what an absence is about, from the words that begin at ``index``, after "no dog" or "nobody"."""
    low, stop = statement.low, statement.stop
    if mention is not None:
        if mention.described or mention.counted or mention.colours or mention.part:
            return Scope(whole=False)
        owned = _owned(statement, mention)
        if owned is not None:
            return owned
    while index < stop:
        word = low[index]
        if word == "but" and mention is not None:
            return Scope(whole=low[index + 1] not in DEFINITE)  # "no dog but this one"
        if word in _ENDS:
            return Scope(whole=True)
        if word == "to":  # "no lights to guide them", "no dog to be seen"
            return Scope(whole=True)
        if word == "of" and low[index + 1 : index + 3] in _KINDS:
            index += 3
        elif word == "and" and _is_new_clause(statement, index + 1):
            return Scope(whole=True)
        elif word in ("or", "nor", "and"):  # "no cake or anything sweet"
            if low[index + 1] in _ANY_ELSE:
                return Scope(whole=True)
            other = next((each for each in statement.mentions if index < each.first <= index + 2), None)
            if word == "and" and (other is None or other.article != "no"):
                return Scope(whole=False)
            index = other.last + 1 if other is not None else index + 2
        elif word in _PREPOSITIONS:
            found = _scope_of(statement, index, mention)
            if found is not None:
                return found
            index += 1
        elif word in _POSTURES and (low[index + 1] in _AROUND or low[index + 1] in _PREPOSITIONS):
            index += 1 if low[index + 1] in _PREPOSITIONS else 2  # "no bags lying about"
        elif word == "anywhere" and low[index + 1] in ("nearby", "close"):
            index += 2
        elif word in ("have", "has") and low[index + 1] not in _COME:
            return Scope(whole=False)
        elif word in _SKIPPED:
            index += 1
        else:
            return Scope(whole=False)
    return Scope(whole=True)


def _is_new_clause(statement: Statement, index: int) -> bool:
    """Tell whether what follows "and" is a sentence of its own: "there is no dog, and the cat sleeps"."""
    low = statement.low
    return index < statement.stop and (low[index] in _CLAUSES or (low[index - 2] == "," and low[index] != "no"))


def _owned(statement: Statement, mention: Mention) -> Scope | None:
    """Return who lacks a thing: "the dog is without a leash"; ``None`` where it is the scene that does."""
    low, index = statement.low, mention.first - 1
    if index > statement.first and low[index] == "of" and low[index - 1] in RID:
        index -= 1
    begin = index + 1
    while begin > statement.first and low[begin - 1] not in BREAKS and low[begin - 1] != "and":
        begin -= 1
    words = low[begin : index + 1]
    lacks = index >= statement.first and (low[index] in LACKS or low[index] in RID)
    owner = next((each for each in statement.mentions if begin <= each.first < index and not each.owner), None)
    if lacks:
        if owner is not None:
            return Scope(whole=False, owner=owner)
        is_first = begin == index == statement.first and not _SEEN_AFTER.isdisjoint(
            low[mention.last + 1 : mention.last + 3]
        )
        is_added = begin == index and not _SCENES.isdisjoint(low[statement.first : begin])
        is_first |= is_added and all(each.first >= index for each in statement.mentions)
        is_scene = not _SCENES.isdisjoint(words) or words[:1] in (["it"], ["it's"]) or is_first
        return None if is_scene else Scope(whole=False)
    if mention.article != "no" and not mention.pronoun and not _HAS.isdisjoint(words):
        pass  # "the man doesn't have a dog"
    elif mention.article != "no" or index < statement.first or not (low[index] in _HAS or low[index] in SEES):
        return None
    if words[0] in _SPEAKERS or not THERE.isdisjoint(words):
        return None
    if owner is not None and owner.sense is not None:
        return Scope(whole=False, owner=owner)
    if words[0] in _HUMAN or words[0] in ("they", "they're"):
        return Scope(whole=False)
    return None if not _SCENES.isdisjoint(words) or low[index] in SEES - _HAS else Scope(whole=False)


_SEEN_AFTER = word_set("sight view visible around nearby present")


def _scope_of(statement: Statement, index: int, mention: Mention | None) -> Scope | None:
    """Return what "in the kitchen", "on it" or "in sight" makes of an absence, ``None`` if the word is an adverb."""
    low, word = statement.low, statement.low[index]
    following = low[index + 1 : min(index + 6, statement.stop)]
    following = following[: next((k for k, each in enumerate(following) if each in SIGNS), None)]
    place = next((each.place for each in statement.located if each.place.first == index), None)
    if place is not None and place.frame == "image":
        after = low[place.last + 1] if place.last + 1 < statement.stop else "."
        is_end = after in _ENDS or after in ("and", "to", "or", "either")
        return Scope(whole=False, place=place if is_end else None)
    if word in ("in", "at", "from", "within", "around", "inside") and not _SCENES.isdisjoint(following):
        if following[0] in VENUES:
            return Scope(whole=False)  # "at sea"
        if _CORNERS.isdisjoint(following):
            return Scope(whole=True)
        return Scope(whole=False)
    if word == "in" and following[:2] in (["the", "sky"], ["the", "air"]):
        return Scope(whole=False, place=Place(index, index, "", "top", "", "image"))
    if word == "on" and mention is not None and mention.sense is not None and mention.sense.may <= _FLYING:
        return Scope(whole=False)  # "no bird on the ground"
    if word == "on" and not _GROUNDS.isdisjoint(following):
        return Scope(_CORNERS.isdisjoint(following))
    if (word == "in" and following[:1] in (["sight"], ["view"])) or (word == "at" and following[:1] == ["all"]):
        return Scope(whole=True)
    thing = statement.starting_at(index + 1)
    if thing is None and following[:1] in (["it"], ["them"]):
        many = following[0] == "them"
        earlier = [
            each
            for each in statement.mentions
            if each.last < index and each is not mention and each.many in (many, None)
        ]
        thing = earlier[-1] if earlier else None
    if thing is not None:
        return Scope(whole=False, thing=thing, beside=word in _BESIDE)
    if following[:1] in (["him"], ["her"]):
        return Scope(whole=False, beside=word in _BESIDE, human=True)
    if word == "around" and following[:1] != ["the"]:
        return None
    return Scope(whole=False, spot=_spot(following))


def _spot(following: list[str]) -> str:
    """Return the noun of "on the wooden counter"."""
    if not following or following[0] not in DEFINITE:
        return ""
    noun = ""
    for word in following[1:]:
        if word in SIGNS or word in BE or word in ("and", "or", "to", "of", "in", "on", "at", "with", "behind"):
            break
        noun = word
    return noun
