"""Which thing a sentence says is beside, above, on or between others: "to the left of the dog", "above it"."""

from __future__ import annotations

import msgspec

from pipeline.quality.reading.attachment import NAMELESS, OBJECTS, gap, is_fronted, is_parted, is_unknown
from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.places import Place
from pipeline.quality.reading.pronouns import Memory, is_nounless
from pipeline.quality.reading.statements import Relation, Side, Statement
from pipeline.quality.reading.vocabulary import BE, SIGNS, THERE, VERBS, word_set

_SIDES: dict[str, Side] = {
    "above": "above", "below": "below", "beneath": "below", "underneath": "below", "under": "below", "beside": "near",
    "alongside": "near", "near": "near", "atop": "on", "on": "on", "between": "between",
}  # fmt: skip
_CLOSELY = word_set("directly right just immediately closely located positioned")
_MINDS = word_set("eye eyes gaze attention focus focused sights interest mind")
_BY = word_set("close right standing sitting parked")


def read_relations(found: Statement, memory: Memory) -> None:
    """Find "above the sink", "next to a dog", "lower than"; those with left and right come from the places."""
    for k, mention in enumerate(found.mentions):
        index = mention.first - 1
        if index < found.first or mention.sense is None:
            continue
        side, start = _side_before(found, index)
        if side is None or found.low[start - 1] in _MINDS:
            continue
        if start > found.first and _is_of_unknown(found, start - 1):
            continue  # "a picture of the beer on the table" is about the beer
        subjects = _subjects(found, k, start)
        if subjects or not k or start == found.first:
            last = mention
            others: tuple[Sense, ...] = (mention.sense,)
            if side == "between" and not mention.many:
                other = found.mentions[k + 1] if k + 1 < len(found.mentions) else None
                if other is None or other.sense is None or other.many or found.low[mention.last + 1] != "and":
                    continue
                others, last = (mention.sense, other.sense), other
            if not subjects:
                subjects = _ahead(found, start, last.last)
            found.relations.append(Relation(side, start, index, others, k, subjects))
    _read_relations_to_it(found, memory)


def _ahead(found: Statement, start: int, last: int) -> tuple[int, ...]:
    """Return what stands behind a verb after the words for a side: "to the left of her stands a hydrant"."""
    verb = found.low[last + 1] if last + 1 < found.stop else "."
    if verb not in BE and verb not in VERBS and verb not in THERE:
        return ()
    ahead = next((k for k, each in enumerate(found.mentions) if each.first > last), None)
    if ahead is None or found.mentions[ahead].pronoun:
        return ()
    return (ahead,) if is_fronted(found, Place(start, last, "", "", "", "relation"), ahead, []) else ()


def _read_relations_to_it(found: Statement, memory: Memory) -> None:
    """Find "above it" and "next to her", which stand for something named before."""
    low = found.low
    if OBJECTS.isdisjoint(low[found.first : found.stop]):
        return
    for index in range(found.first + 1, found.stop):
        if low[index] not in OBJECTS or not is_nounless(low, index + 1, found.stop):
            continue
        side, start = _side_before(found, index - 1)
        if side is None or found.low[start - 1] in _MINDS:
            continue
        thing = sum(each.last < start for each in found.mentions)
        subjects = _subjects(found, thing, start)
        others = _others(found, index, start, subjects, memory)
        subjects = subjects or _ahead(found, start, index)
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
    return is_unknown(low[word]) and low[word] not in NAMELESS and all(each.last != word for each in found.mentions)


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
        is_it = low[place.thing] in OBJECTS and (thing is not None or is_nounless(low, place.thing + 1, found.stop))
        if not is_it and low[place.thing] != "its":
            return
        subjects = _subjects(found, sum(each.last < place.first for each in mentions), place.first)
        others = _others(found, place.thing, place.first, subjects, memory)
        subjects = subjects or _ahead(found, place.first, place.thing)
        if others and (subjects or place.first == found.first):
            found.relations.append(Relation(side, place.first, place.thing, others, -1, subjects))
        return
    sense = mentions[thing].sense
    if sense is None:
        return
    whole = msgspec.structs.replace(place, last=mentions[thing].last)
    if thing + 1 < len(mentions) and is_fronted(found, whole, thing + 1, []):
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
        if not subjects and gap(found, mentions[k].last + 1, start) != "clear":
            break
        if subjects and is_parted(low, mentions[k].last + 1, mentions[subjects[-1]].first):
            break
        if not mentions[k].owner:
            subjects.append(k)
    return tuple(subjects)
