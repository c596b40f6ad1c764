"""What a sentence says is not there, and whether that is so."""

from __future__ import annotations

from pipeline.quality.claims.evidence import Evidence, Range
from pipeline.quality.claims.positions import fits_well, share_inside
from pipeline.quality.claims.relations import relate
from pipeline.quality.claims.scopes import LACKS, RID, Scope
from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.statements import Statement
from pipeline.quality.reading.vocabulary import BE, NONE, NOT, SEES, SIGNS, THERE, word_set
from pipeline.records import Verdict

_WANTS = word_set("need needs needed want wants wanted require requires prefer prefers fear fears know knows")
"""Verbs of which "no dog" is what they are about, there or not."""
_TRACES = word_set("sign signs trace traces evidence hint glimpse")
_NOT_THERE = word_set("isn't aren't wasn't weren't")
_NOT_SEEN = word_set("can't cannot")
_GONE = word_set("absent missing nowhere")
_CLAIMS = BE | _NOT_THERE | _NOT_SEEN | _GONE | {"can", "could"}
"""Words that may begin such a denial behind a name: "is nowhere to be seen"."""
_SEEN = word_set("visible present seen found shown there here anywhere spotted")
_SHOWN = word_set("present visible seen shown sight view")
_EXISTS = (
    BE
    | THERE
    | SEES
    | NOT
    | NONE
    | word_set("i you we one can could and but in fact so really just only of not single a")
)
_HELD = 0.6  # share of a box inside another from which that one may be said to have it
_LOWER = 0.02  # of the image: what ends further below another is in front of it
_INSIDE = 0.5  # share of a box inside another from which it is on or at it


def judge_absence(sense: Sense, evidence: Evidence) -> tuple[Verdict, Range]:
    """Return whether there is no such thing, and the evidence."""
    there = evidence.count(sense)
    clear = evidence.clear(sense) or evidence.clear_of_role(sense)
    if clear:
        return "contradicted", Range(len(clear), None, clear, there.captions)
    if there.boxes and (evidence.speaks_of(sense) or evidence.has_watchers(sense) or evidence.is_named(sense)):
        return "contradicted", there
    if there.boxes or there.captions or sense.open or not evidence.boxes or evidence.is_hinted(sense):
        return "not checkable", there
    return "supported", there


def judge_absence_at(sense: Sense, scope: Scope, there: Range, evidence: Evidence) -> tuple[Verdict, Range]:
    """Return whether there is no such thing where an absence is said to be: on a thing, at a place, with somebody."""
    clear = evidence.clear(sense)
    if not clear:
        return ("not checkable" if there.boxes else "supported"), there
    found: tuple[int, ...] = ()
    noun = scope.spot
    if scope.place is not None:
        found = tuple(index for index in clear if fits_well(scope.place, evidence.boxes[index]))
    elif scope.owner is not None:
        found = _with(scope.owner, clear, evidence)
    elif scope.human and evidence.person is not None:
        others = evidence.boxes_of(evidence.person)
        near = [index for index in clear if len(others) == 1 and scope.beside and index != others[0]]
        found = tuple(k for k in near if relate("near", evidence.boxes[k], evidence.boxes[others[0]]) == "yes")
    elif scope.thing is not None and scope.thing.sense is not None:
        noun = scope.thing.sense.word
        others = evidence.boxes_of(scope.thing.sense)
        if len(others) == 1 or (scope.beside and scope.thing.many and not scope.thing.described):
            found = tuple(dict.fromkeys(one for other in others for one in _at(clear, other, scope.beside, evidence)))
    if found:
        return "contradicted", Range(0, None, found)
    told = evidence.spoken.told_at(sense, noun) if noun else ()
    return ("contradicted", Range(0, None, clear, told)) if told else ("not checkable", there)


def _at(clear: tuple[int, ...], other: int, beside: bool, evidence: Evidence) -> tuple[int, ...]:
    """Return the boxes that are on or at another, or around it."""
    outer = evidence.boxes[other]
    found = []
    for index in clear:
        box = evidence.boxes[index]
        is_on = share_inside(box, outer) > _INSIDE and box.y1 <= outer.y1 + _LOWER  # and not in front of it
        if index != other and (is_on or (beside and relate("on", box, outer) == "yes")):
            found.append(index)
    return tuple(found)


def _with(owner: Mention, clear: tuple[int, ...], evidence: Evidence) -> tuple[int, ...]:
    """Return the boxes that are with whoever is said to have nothing of the kind, if it can be nobody else."""
    if owner.sense is None or owner.part:
        return ()
    owners = evidence.boxes_of(owner.sense)
    if len(owners) == 1 and evidence.boxes[owners[0]].label == "person":
        return tuple(index for index in clear if share_inside(evidence.boxes[index], evidence.boxes[owners[0]]) > 0)
    if len(owners) == 1 or (owner.many and owner.article == "the" and owner.low in (None, len(owners))):
        return held(clear, owners, evidence)
    return ()


def held(clear: tuple[int, ...], owners: tuple[int, ...], evidence: Evidence) -> tuple[int, ...]:
    """Return the boxes that are all but inside the box of somebody, who may be said to have them."""
    return tuple(
        index
        for index in clear
        if any(
            index != other and share_inside(evidence.boxes[index], evidence.boxes[other]) > _HELD for other in owners
        )
    )


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
    if (before in NOT or low[mention.first] in NOT) and low[mention.last + 1 : mention.last + 2] == ["but"]:
        return False  # "not a horse but a bicycle"
    if before in ('"', "“"):
        return False  # a sign that says "no dogs"
    if mention.article == "no":
        return not mention.part and before not in _WANTS and (not mention.pronoun or _is_of_being(statement, mention))
    if before in LACKS or (before in ("or", "nor") and index - 1 in denied and mention.article in ("", "any")):
        return True
    if before == "of" and mention.first - 1 > statement.first:
        word = low[mention.first - 2]
        earlier = low[max(statement.first, mention.first - 5) : mention.first - 2]
        return word in RID or (word in _TRACES and not (NONE | NOT).isdisjoint(earlier))
    if _is_gone(statement, mention):
        return True
    if before == "neither":
        return mention.article == "a" and _is_pair_of_being(statement, mention)
    if (mention.article in ("a", "any", "") and not mention.counted) or mention.exact:
        for position in range(mention.first - 1, max(statement.first, mention.first - 4) - 1, -1):
            if low[position] in SIGNS or low[position] in ("but", "and"):
                return False
            if low[position] in NOT:
                if low[mention.last + 1 : mention.last + 2] == ["but"]:
                    return False  # "not a horse but a bicycle"
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
