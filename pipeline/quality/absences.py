"""What a sentence says is not there, and whether that is about the whole image."""

from __future__ import annotations

from pipeline.quality.evidence import Evidence, Range
from pipeline.quality.lexicon import Sense
from pipeline.quality.mentions import Mention
from pipeline.quality.positions import share_inside
from pipeline.quality.statements import Statement
from pipeline.quality.vocabulary import BE, IMAGES, NOT, SEES, SIGNS, THERE, word_set
from pipeline.records import Verdict

_LACKS = word_set("without lacks lacking missing free")
_NOT_THERE = word_set("isn't aren't wasn't weren't")
_ENDS = SIGNS | word_set("though although so because while to")
_SKIPPED = word_set(
    "visible anywhere around here there sight view present seen shown either whatsoever can could is are was be"
)
_NARROWS = word_set("else except with that who which whose")
_PREPOSITIONS = word_set("on at in by near under beside around among next")
_SCENES = IMAGES | word_set(
    "kitchen room bathroom bedroom platform tarmac apron station park garden patio beach airport office restaurant "
    "field yard enclosure pasture water"
)
_CORNERS = word_set("left right top bottom background foreground corner")
_SHOWN = word_set("present visible seen shown sight view")
_INSIDE = 0.5  # share of a box inside another from which it is on or at it


def judge_absence(sense: Sense, evidence: Evidence) -> tuple[Verdict, Range]:
    """Return whether there is no such thing, and the evidence."""
    there = evidence.count(sense)
    clear = evidence.clear(sense)
    if clear:
        return "contradicted", Range(len(clear), None, clear, there.captions)
    if there.boxes and evidence.speaks_of(sense):
        return "contradicted", there
    if there.boxes or there.captions or sense.open or not evidence.boxes or evidence.is_hinted(sense):
        return "not checkable", there
    return "supported", there


def judge_absence_at(sense: Sense, thing: Mention, there: Range, evidence: Evidence) -> tuple[Verdict, Range]:
    """Return whether there is no such thing on or at another thing."""
    others = evidence.boxes_of(thing.sense) if thing.sense is not None else ()
    clear = evidence.clear(sense)
    if not clear:
        return ("not checkable" if there.boxes else "supported"), there
    if len(others) != 1:
        return "not checkable", there
    outer = evidence.boxes[others[0]]
    inside = [index for index in clear if index != others[0] and share_inside(evidence.boxes[index], outer) > _INSIDE]
    return ("contradicted", Range(0, None, tuple(inside))) if inside else ("not checkable", there)


def denials(statement: Statement) -> set[int]:
    """Return the places of the mentions that are said to be absent."""
    low = statement.low
    denied: set[int] = set()
    for index, mention in enumerate(statement.mentions):
        before = statement.before(mention.first)
        if mention.article == "no":
            if not mention.part:
                denied.add(index)
        elif before in _LACKS or (before in ("or", "nor") and index - 1 in denied and mention.article in ("", "any")):
            denied.add(index)
        elif before == "neither":
            if mention.article == "a" and _is_of_being(statement, mention):
                denied.add(index)
        elif (mention.article in ("a", "any", "") and not mention.counted) or mention.exact:
            for position in range(mention.first - 1, max(statement.first, mention.first - 4) - 1, -1):
                if low[position] in SIGNS or low[position] in ("but", "and"):
                    break
                if low[position] in NOT:
                    if _denies(statement, position, mention):
                        denied.add(index)
                    break
    return denied


def _denies(statement: Statement, position: int, mention: Mention) -> bool:
    """Tell whether a "not" is about whether a thing is there: "there isn't a", "I can't see a"."""
    low, word, before = statement.low, statement.low[position], statement.before(position)
    if word in _NOT_THERE and before in THERE:
        return True
    if word == "not" and ((before in BE and low[position - 2] in THERE) or before in SEES):
        return True
    return not SEES.isdisjoint(low[position + 1 : mention.first])


def _is_of_being(statement: Statement, mention: Mention) -> bool:
    """Tell whether "neither a dog nor a cat" is about what there is, not about what a thing is."""
    earlier = statement.low[statement.first : mention.first]
    return any(word in THERE or word in SEES for word in earlier) or not _SHOWN.isdisjoint(
        statement.low[mention.last : statement.stop]
    )


def scope(statement: Statement, index: int, mention: Mention | None) -> bool | Mention:
    """Return what an absence is about, from the words that begin at ``index``, after "no dog" or "nobody".

    Returns:
        True for the whole image, False for some of the things or an unknown part of the image, and a mention where it
        is about what is on or at that thing.
    """
    low, stop = statement.low, statement.stop
    if mention is not None:
        narrowed = mention.described or mention.counted or mention.colours or mention.part
        if narrowed or statement.before(mention.first) in _LACKS:
            return False
    while index < stop:
        word = low[index]
        if word in _ENDS or (word == "but" and mention is not None):
            return True
        if word in ("or", "nor"):  # "no cake or anything sweet"
            index += 3 if low[index + 1 : index + 2] in (["a"], ["an"], ["any"], ["anything"]) else 2
        elif word in _PREPOSITIONS:
            found = _scope_of(statement, index, mention)
            if found is not None:
                return found
            index += 1
        elif word in _SKIPPED and word not in _NARROWS:
            index += 1
        else:
            return False
    return True


def _scope_of(statement: Statement, index: int, mention: Mention | None) -> bool | Mention | None:
    """Return what "in the kitchen", "on it" or "in sight" makes of an absence, ``None`` if the word is an adverb."""
    low, word = statement.low, statement.low[index]
    following = low[index + 1 : min(index + 6, statement.stop)]
    if word in ("in", "at", "on") and not _SCENES.isdisjoint(following):
        return _CORNERS.isdisjoint(following)
    if (word == "in" and following[:1] in (["sight"], ["view"])) or (word == "at" and following[:1] == ["all"]):
        return True
    thing = statement.starting_at(index + 1)
    if thing is not None:
        return thing
    if word in ("on", "in", "at", "around") and following[:1] in (["it"], ["them"]):
        earlier = [each for each in statement.mentions if each.last < index and each is not mention]
        return earlier[-1] if earlier else False
    return None if word == "around" else False
