"""What a place or a relation of a sentence is said of.

A place belongs to what follows it at the head of a clause ("On the left there is a dog"), else to what was named last
before it, or to that thing's own subject ("a man on a bench on the left"): whatever fits makes it true.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pipeline.quality.lexicon import Sense
from pipeline.quality.mentions import Mention
from pipeline.quality.places import Place
from pipeline.quality.pronouns import ADJECTIVES, NOUNLESS, Memory, is_nounless
from pipeline.quality.statements import BREAKS, Located, Relation, Side, Statement
from pipeline.quality.vocabulary import (
    ARTICLES,
    ASKS,
    BE,
    DEFINITE,
    FUNCTION,
    IMAGES,
    SEES,
    SIGNS,
    THERE,
    VERBS,
    word_set,
)

_TRANSPARENT = IMAGES | word_set(
    "room kitchen bathroom bedroom street road ground floor grass field beach water sky snow park background "
    "foreground court sidewalk pavement yard lot station tarmac platform hill slope river ocean sea lake air office "
    "restaurant corner side left right top bottom middle centre center day night group row line crowd pair front "
    "back rear"
)
"""Nouns that nobody says are on the left: a dog on the grass on the left."""
_LEAD_INS = word_set(
    "and but or while whereas with also then plus where because that yet so finally though although as for nor"
)
_ADVERBS = word_set(
    "just over down up here further far somewhere slightly somewhat little bit way mostly plumb smack tucked right a"
)
_POINTERS = FUNCTION | VERBS | SEES | THERE | BE | frozenset(",")
"""Words between a place at the head of a clause and what is there, less those below."""
_NO_POINTERS = word_set(
    "a an the some any in on at of with by from to into onto near next under above behind beside for without opposite "
    "against along over between around through across beyond inside opposite past within below beneath and or it he "
    "she they him her his its their this these those another one ones both all two three four five six seven"
)
_TAKEN = word_set("occupied filled dominated covered up")
_NAMELESS = ARTICLES | DEFINITE | ADJECTIVES
_FINITE = VERBS | BE
_HELPERS = word_set("has have had been is are was were be being")
_FARTHER = word_set("to toward towards from opposite like past and or for about")
_EYES = ("look", "star", "gaz", "point", "glanc", "aim", "wav")
_SIDES: dict[str, Side] = {
    "above": "above", "below": "below", "beneath": "below", "underneath": "below", "under": "below", "beside": "near",
    "alongside": "near", "near": "near", "atop": "on", "on": "on", "between": "between",
}  # fmt: skip
_OBJECTS = word_set("it him her them")
_CLOSELY = word_set("directly right just immediately closely located positioned")
_BY = word_set("close right standing sitting parked")


def locate(found: Statement, place: Place, places: list[Place]) -> Located:
    """Return a place with what is said to be there."""
    low, mentions = found.low, found.mentions
    ahead = next(
        (k for k, each in enumerate(mentions) if each.first > place.last and not _is_object_of(low, each)), None
    )
    if ahead is not None and _is_fronted(found, place, ahead, places):
        return Located(place, (ahead,))
    earlier = [k for k, each in enumerate(mentions) if each.last < place.first and not each.owner]
    if not earlier:
        return Located(place, ())
    nearest = earlier[-1]
    gap = _gap(found, mentions[nearest].last + 1, place.first)
    if gap == "other":
        return Located(place, ())
    subjects = [nearest]
    if mentions[nearest].like >= 0:  # "the clocks are above the benches, both ..." is about either
        subjects += [k for k in reversed(earlier[:-1]) if mentions[k].many and not mentions[k].pronoun]
        return Located(place, tuple(subjects), gap == "clear")
    for k in range(nearest - 1, -1, -1):
        if _is_parted(low, mentions[k].last + 1, mentions[k + 1].first):
            break
        here = range(mentions[k].last + 1, mentions[k + 1].first)
        if any(other.first in here and other.frame == "image" for other in places):
            break
        if not mentions[k].owner:
            subjects.append(k)
    return Located(place, tuple(subjects), gap == "clear")


def _is_object_of(low: list[str], mention: Mention) -> bool:
    """Tell whether a word such as "them" goes with a preposition: "behind them"."""
    return mention.pronoun and low[mention.first] in _OBJECTS and low[mention.first - 1] in FUNCTION


def _is_parted(low: list[str], start: int, stop: int) -> bool:
    return any(low[index] in BREAKS or low[index] in ("and", "or") for index in range(start, stop))


def _is_fronted(found: Statement, place: Place, ahead: int, places: list[Place]) -> bool:
    """Tell whether a place stands at the head of a clause, before what is there."""
    low = found.low
    index = place.first - 1
    while index >= found.first and low[index] in _ADVERBS:
        index -= 1
    earlier = next((each for each in places if each.last in (index, index - 1) and each.last < place.first), None)
    if earlier is not None:
        return _is_fronted(found, earlier, ahead, places)
    if index >= found.first and low[index] not in SIGNS and low[index] not in _LEAD_INS:
        return False
    begin = place.last + 1
    if low[begin] == "," and "," in low[begin + 1 : begin + 5]:  # ", behind them, "
        begin = low.index(",", begin + 1)
    for each in range(begin, found.mentions[ahead].first):
        word = low[each]
        if any(other.first <= each <= other.last for other in places):
            begin = each + 1
            continue
        if word == "," and each > begin:
            return False
        if word == "by" and low[each - 1] in _TAKEN:
            continue
        if word in _NO_POINTERS or not (word in _POINTERS or word.endswith(("ing", "ed", "ly"))):
            return False
    return True


def _gap(found: Statement, start: int, stop: int) -> Literal["clear", "doubtful", "other"]:
    """Tell whether something without a name in the lexicon stands between a mention and what is said of it.

    Returns:
        ``other`` where a new part of the sentence is about such a thing, ``doubtful`` where the thing is the object of
        a verb, as in "a boy watches the kettle on the left".
    """
    low = found.low
    commas = [index for index in range(start, stop) if low[index] == ","]
    if len(commas) > 1 and commas[0] == start and low[commas[-1] + 1] in _FINITE:
        start = commas[-1] + 1  # "a dog, hoping for scraps, lies on the left"
    parted = ""
    verdict: Literal["clear", "doubtful", "other"] = "clear"
    index = start
    while index < stop:
        word = low[index]
        if word in BREAKS or word in ("and", "or"):
            parted = word
        elif word in ("it", "he", "she", "they"):
            first = found.mentions[0]
            if first.last + 1 != start or first.first != found.first:
                verdict = "doubtful"
        elif word in ("one", "another", "other", "others"):
            return "other"
        elif _is_unknown(word):
            end = index
            while end < stop and _is_unknown(low[end]):
                end += 1
            named = [each for each in low[index:end] if each not in _NAMELESS]
            if named and _TRANSPARENT.isdisjoint(named):
                if parted and not _is_prepositional(low, index):
                    return "other" if parted != "," or word in ARTICLES else "doubtful"
                if _is_object(low, index):
                    verdict = "doubtful"
            index = end
            continue
        index += 1
    return verdict


def _is_unknown(word: str) -> bool:
    """Tell whether a word is of the name of something that the lexicon does not know, its article included."""
    if word in ARTICLES or word in DEFINITE or word in ADJECTIVES:
        return True
    return not (word in NOUNLESS or word.endswith(("ing", "ed", "ly")))


def _is_prepositional(low: list[str], index: int) -> bool:
    before = low[index - 1]
    return before in FUNCTION and before not in _FARTHER and before not in BE


def _is_object(low: list[str], index: int) -> bool:
    """Tell whether an unknown name is the object of a verb, so that a place may be the object's own."""
    before = low[index - 1]
    if before == "at":
        return low[index - 2].startswith(_EYES)
    return before not in _HELPERS and (before not in FUNCTION or before in _FARTHER)


def read_relations(found: Statement, memory: Memory) -> None:
    """Find "above the sink", "next to a dog", "lower than"; those with left and right come from the places."""
    low = found.low
    for k, mention in enumerate(found.mentions):
        index = mention.first - 1
        if index < found.first or mention.sense is None:
            continue
        side, start = _side_before(found, index)
        if side is None:
            continue
        if start > found.first and _is_of_unknown(found, start - 1):
            continue  # "a picture of the beer on the table" is about the beer
        subjects = _subjects(found, k, start)
        if subjects or not k or start == found.first:
            others = (mention.sense,)
            if side == "between" and not mention.many:
                other = found.mentions[k + 1] if k + 1 < len(found.mentions) else None
                if other is None or other.sense is None or other.many or found.low[mention.last + 1] != "and":
                    continue
                others = (mention.sense, other.sense)
            found.relations.append(Relation(side, start, index, others, k, subjects))
    _read_relations_to_it(found, memory)


def _read_relations_to_it(found: Statement, memory: Memory) -> None:
    """Find "above it" and "next to her", which stand for something named before."""
    low = found.low
    if _OBJECTS.isdisjoint(low[found.first : found.stop]):
        return
    for index in range(found.first + 1, found.stop):
        if low[index] not in _OBJECTS or not is_nounless(low, index + 1, found.stop):
            continue
        side, start = _side_before(found, index - 1)
        if side is None:
            continue
        thing = sum(each.last < start for each in found.mentions)
        subjects = _subjects(found, thing, start)
        others = _others(found, index, start, subjects, memory)
        if others and (subjects or start == found.first):
            found.relations.append(Relation(side, start, index, others, -1, subjects))


def _side_before(found: Statement, index: int) -> tuple[Side | None, int]:
    """Return the side that the words ending at ``index`` name, and the first of them."""
    low, word = found.low, found.low[index]
    side, start = _SIDES.get(word), index
    if word == "to" and low[index - 1] in ("next", "close", "adjacent"):
        side, start = "near", index - 1
    elif word == "of" and low[index - 2 : index] == ["on", "top"]:
        side, start = "on", index - 2
    elif word == "by" and low[index - 1] in _BY:
        side = "near"
    elif word == "than":
        side, start = _compared(found, index)
    if side is not None and start > found.first and low[start - 1] in _CLOSELY:
        start -= 1
    return side, start


def _is_of_unknown(found: Statement, word: int) -> bool:
    """Tell whether a word ends the name of something that the lexicon does not know."""
    low = found.low
    return _is_unknown(low[word]) and low[word] not in _NAMELESS and all(each.last != word for each in found.mentions)


def _compared(found: Statement, than: int) -> tuple[Side | None, int]:
    """Read "lower in the image than", "further to the left than"; return the side and the first word."""
    low = found.low
    for index in range(than - 1, max(found.first, than - 8), -1):
        word = low[index]
        if word in ("lower", "higher"):
            return ("below" if word == "lower" else "above"), index
        if word in ("left", "right") and not {"farther", "further", "more"}.isdisjoint(low[max(0, index - 3) : index]):
            return ("left" if word == "left" else "right"), index
        if word in SIGNS:
            break
    return None, than


def add_side(found: Statement, place: Place, memory: Memory) -> None:
    """Add the relation that "to the left of the dog" or "to the left of it" is."""
    mentions, low = found.mentions, found.low
    side: Side = "left" if place.across == "left" else "right"
    thing = next((k for k, each in enumerate(mentions) if each.first == place.thing), None)
    if thing is None or mentions[thing].pronoun:
        is_it = low[place.thing] in _OBJECTS and (thing is not None or is_nounless(low, place.thing + 1, found.stop))
        if not is_it and low[place.thing] != "its":
            return
        subjects = _subjects(found, sum(each.last < place.first for each in mentions), place.first)
        others = _others(found, place.thing, place.first, subjects, memory)
        if others and (subjects or place.first == found.first):
            found.relations.append(Relation(side, place.first, place.thing, others, -1, subjects))
        return
    sense = mentions[thing].sense
    if sense is None:
        return
    whole = msgspec.structs.replace(place, last=mentions[thing].last)
    if thing + 1 < len(mentions) and _is_fronted(found, whole, thing + 1, []):
        subjects = (thing + 1,)
    else:
        subjects = _subjects(found, thing, place.first)
    if subjects or not thing or place.first == found.first:
        found.relations.append(Relation(side, place.first, place.thing - 1, (sense,), thing, subjects))


def _others(found: Statement, index: int, start: int, subjects: tuple[int, ...], memory: Memory) -> tuple[Sense, ...]:
    """Return what "it", "him", "her" or "them" at ``index`` may stand for, if the relation begins at ``start``."""
    word = found.low[index]
    many = word == "them"
    senses = [
        each.sense
        for k, each in enumerate(found.mentions)
        if k not in subjects[:1] and each.last < start and each.sense is not None and each.many in (many, None)
    ]
    if not senses:
        told = {found.mentions[k].sense for k in subjects}
        senses = [sense for sense in (memory.severals if many else memory.singles) if sense not in told]
    if word in ("him", "her"):
        senses = [sense for sense in senses if "person" in sense.may]
    return tuple(senses)


def _subjects(found: Statement, thing: int, start: int) -> tuple[int, ...]:
    """Return what may be said to be beside a thing, from the words that begin at ``start``; the nearest first."""
    mentions, low = found.mentions, found.low
    subjects: list[int] = []
    for k in range(thing - 1, -1, -1):
        if not subjects and _gap(found, mentions[k].last + 1, start) != "clear":
            break
        if subjects and _is_parted(low, mentions[k].last + 1, mentions[subjects[-1]].first):
            break
        if not mentions[k].owner:
            subjects.append(k)
    return tuple(subjects)
