"""What a sentence says is not there, and whether that is about the whole image."""

from __future__ import annotations

import msgspec

from pipeline.quality.claims.evidence import Evidence, Range
from pipeline.quality.claims.positions import share_inside
from pipeline.quality.claims.relations import relate
from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.statements import Statement
from pipeline.quality.reading.vocabulary import BE, IMAGES, NONE, NOT, SEES, SIGNS, THERE, VENUES, word_set
from pipeline.records import Verdict

_LACKS = word_set("without lacks lacking lack missing minus sans")
_WANTS = word_set("need needs needed want wants wanted require requires prefer prefers fear fears know knows")
"""Verbs of which "no dog" is what they are about, there or not."""
_RID = word_set("free empty devoid bare clear")
"""Words that deny a thing with "of": the street is empty of cars."""
_TRACES = word_set("sign signs trace traces evidence hint glimpse")
_NOT_THERE = word_set("isn't aren't wasn't weren't")
_NOT_SEEN = word_set("can't cannot")
_GONE = word_set("absent missing nowhere")
_CLAIMS = BE | _NOT_THERE | _NOT_SEEN | _GONE | {"can", "could"}
"""Words that may begin such a denial behind a name: "is nowhere to be seen"."""
_SEEN = word_set("visible present seen found shown there here anywhere spotted")
_ENDS = SIGNS | word_set("though although so because while")
_SKIPPED = _SEEN | word_set(
    "around about sight view either whatsoever can could is are was be have has been come turned arrived up appear "
    "appears out made put set laid evident evidence far yet today that i you we one see make absent missing nowhere "
    "not it's they're isn't aren't wasn't weren't can't cannot simply"
)
_COME = word_set("been come turned arrived made shown appeared not")
_POSTURES = word_set("lying standing sitting parked left")
_AROUND = word_set("around about here there anywhere nearby")
_PREPOSITIONS = word_set("on at in by near under beside around among next from within")
_BESIDE = word_set("around at by near beside next")
_SCENES = IMAGES | VENUES
_GROUNDS = _SCENES - word_set("sidewalk pavement crossing lane water sea ocean lake river pond pool slope court pitch")
"""Nouns on which all stands that an image shows; "nobody is on the sidewalk" leaves the street."""
_ANY_ELSE = word_set("anything anywhere anyone anybody")
_CORNERS = word_set("left right top bottom background foreground corner")
_SHOWN = word_set("present visible seen shown sight view")
_EXISTS = (
    BE
    | THERE
    | SEES
    | NOT
    | NONE
    | word_set("i you we one can could and but in fact so really just only of not single a")
)
_INSIDE = 0.5  # share of a box inside another from which it is on or at it


class Scope(msgspec.Struct, frozen=True, gc=False):
    """What an absence is about."""

    whole: bool
    """Whether it is the whole image, and not some of the things or an unknown part of it."""
    thing: Mention | None = None
    """On or at which thing there is none."""
    beside: bool = False
    """Whether it is about what is around that thing."""


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


def judge_absence_at(sense: Sense, scope: Scope, there: Range, evidence: Evidence) -> tuple[Verdict, Range]:
    """Return whether there is no such thing on or at another thing."""
    others = evidence.boxes_of(scope.thing.sense) if scope.thing is not None and scope.thing.sense is not None else ()
    clear = evidence.clear(sense)
    if not clear:
        return ("not checkable" if there.boxes else "supported"), there
    if len(others) != 1:
        return "not checkable", there
    outer = evidence.boxes[others[0]]
    found = []
    for index in clear:
        box = evidence.boxes[index]
        if index != others[0] and (
            share_inside(box, outer) > _INSIDE or (scope.beside and relate("on", box, outer) == "yes")
        ):
            found.append(index)
    return ("contradicted", Range(0, None, tuple(found))) if found else ("not checkable", there)


def denials(statement: Statement) -> set[int]:
    """Return the places of the mentions that are said to be absent."""
    if statement.denied is None:
        statement.denied = set()
        for index, mention in enumerate(statement.mentions):
            if _is_denied(statement, index, mention, statement.denied):
                statement.denied.add(index)
    return statement.denied


def _is_denied(statement: Statement, index: int, mention: Mention, denied: set[int]) -> bool:
    low, before = statement.low, statement.before(mention.first)
    if mention.article == "no":
        return not mention.part and before not in _WANTS and (not mention.pronoun or _is_of_being(statement, mention))
    if before in _LACKS or (before in ("or", "nor") and index - 1 in denied and mention.article in ("", "any")):
        return True
    if before == "of" and mention.first - 1 > statement.first:
        word = low[mention.first - 2]
        earlier = low[max(statement.first, mention.first - 5) : mention.first - 2]
        return word in _RID or (word in _TRACES and not (NONE | NOT).isdisjoint(earlier))
    if _is_gone(statement, mention):
        return True
    if before == "neither":
        return mention.article == "a" and _is_pair_of_being(statement, mention)
    if (mention.article in ("a", "any", "") and not mention.counted) or mention.exact:
        for position in range(mention.first - 1, max(statement.first, mention.first - 4) - 1, -1):
            if low[position] in SIGNS or low[position] in ("but", "and"):
                return False
            if low[position] in NOT:
                return _denies(statement, position, mention)
    return False


def _is_of_being(statement: Statement, mention: Mention) -> bool:
    """Tell whether "none" or "any" is about what there is, not about what somebody has or is."""
    index = mention.first - 1
    while index >= statement.first and statement.low[index] not in SIGNS:
        if statement.low[index] not in _EXISTS:
            return False
        index -= 1
    return True


def _is_gone(statement: Statement, mention: Mention) -> bool:
    """Tell whether a mention is followed by words that deny it: "is nowhere to be seen", "cannot be seen"."""
    low, index = statement.low, mention.last + 1
    is_claim = index < statement.stop and (low[index] in _CLAIMS or low[index - 1].endswith(("'s", "'re")))
    if not is_claim or mention.counted or mention.owner or mention.part or (mention.pronoun and mention.like >= 0):
        return False
    words = low[index : min(index + 4, statement.stop)]
    if words[0] in _NOT_SEEN or words[:2] in (["can", "not"], ["could", "not"]):
        return "be" in words and not _SEEN.isdisjoint(words)
    if words[0] in _NOT_THERE or (words[0] in BE and words[1:2] == ["not"]):
        rest = words[1:] if words[0] in _NOT_THERE else words[2:]
        return bool(rest) and (rest[0] in _SEEN or rest[:2] in (["in", "sight"], ["in", "view"], ["to", "be"]))
    if words[0] in BE:
        words = words[1:]
    elif not low[mention.last].endswith(("'s", "'re")):
        return False
    after = words[1] if len(words) > 1 else "."
    return bool(words) and words[0] in _GONE and (after in SIGNS or after in ("to", "in", "from", "here", "altogether"))


def _denies(statement: Statement, position: int, mention: Mention) -> bool:
    """Tell whether a "not" is about whether a thing is there: "there isn't a", "I can't see a"."""
    low, word, before = statement.low, statement.low[position], statement.before(position)
    if word in _NOT_THERE and before in THERE:
        return True
    if word == "not" and ((before in BE and low[position - 2] in THERE) or before in SEES):
        return True
    return not SEES.isdisjoint(low[position + 1 : mention.first])


def _is_pair_of_being(statement: Statement, mention: Mention) -> bool:
    """Tell whether "neither a dog nor a cat" is about what there is, not about what a thing is."""
    earlier = statement.low[statement.first : mention.first]
    return any(word in THERE or word in SEES for word in earlier) or not _SHOWN.isdisjoint(
        statement.low[mention.last : statement.stop]
    )


def scope(statement: Statement, index: int, mention: Mention | None) -> Scope:
    """Return what an absence is about, from the words that begin at ``index``, after "no dog" or "nobody"."""
    low, stop = statement.low, statement.stop
    if mention is not None:
        if mention.described or mention.counted or mention.colours or mention.part:
            return Scope(whole=False)
        if not _is_of_scene(statement, mention):
            return Scope(whole=False)
    while index < stop:
        word = low[index]
        if word in _ENDS or (word == "but" and mention is not None):
            return Scope(whole=True)
        if word == "to":  # "no lights to guide them", "no dog to be seen"
            return Scope(whole=True)
        if word in ("or", "nor"):  # "no cake or anything sweet"
            if low[index + 1] in _ANY_ELSE:
                return Scope(whole=True)
            index += 3 if low[index + 1 : index + 2] in (["a"], ["an"], ["any"]) else 2
        elif word in _PREPOSITIONS:
            found = _scope_of(statement, index, mention)
            if found is not None:
                return found
            index += 1
        elif word in _POSTURES and low[index + 1] in _AROUND:  # "no bags lying about"
            index += 2
        elif word in ("have", "has") and low[index + 1] not in _COME:
            return Scope(whole=False)
        elif word in _SKIPPED:
            index += 1
        else:
            return Scope(whole=False)
    return Scope(whole=True)


def _is_of_scene(statement: Statement, mention: Mention) -> bool:
    """Tell whether what lacks a thing is the scene: "the kitchen lacks a sink", not "the dog is without a leash"."""
    low, index = statement.low, mention.first - 1
    if index > statement.first and low[index] == "of" and low[index - 1] in _RID:
        index -= 1
    elif index < statement.first or low[index] not in _LACKS:
        return True
    begin = index
    while begin > statement.first and low[begin - 1] not in SIGNS and low[begin - 1] not in ("and", "but"):
        begin -= 1
    if any(begin <= each.first < index for each in statement.mentions):
        return False
    words = low[begin:index]
    return not _SCENES.isdisjoint(words) or words[:1] in (["it"], ["it's"])


def _scope_of(statement: Statement, index: int, mention: Mention | None) -> Scope | None:
    """Return what "in the kitchen", "on it" or "in sight" makes of an absence, ``None`` if the word is an adverb."""
    low, word = statement.low, statement.low[index]
    following = low[index + 1 : min(index + 6, statement.stop)]
    if word in ("in", "at", "from", "within", "around") and not _SCENES.isdisjoint(following):
        return Scope(_CORNERS.isdisjoint(following))
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
    return None if word == "around" and following[:1] != ["the"] else Scope(whole=False)
