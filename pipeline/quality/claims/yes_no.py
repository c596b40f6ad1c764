"""What "yes" and "no" say of the question before them."""

from __future__ import annotations

from pipeline.quality.claims.absences import judge_absence, judge_absence_at
from pipeline.quality.claims.counts import told
from pipeline.quality.claims.judging import Judge
from pipeline.quality.claims.positions import fit, where
from pipeline.quality.claims.scopes import Scope
from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.places import Place
from pipeline.quality.reading.questions import Asked, opening
from pipeline.quality.reading.statements import Statement
from pipeline.quality.reading.vocabulary import IMAGES, SEES, SIGNS, word_set
from pipeline.records import ClaimKind, Verdict

_YES = word_set("yes yeah yep certainly indeed absolutely correct right sure definitely")
_NO = word_set("no nope not none never")
_NOT_NO = (["not", "quite"], ["not", "entirely"], ["not", "exactly"], ["no", "doubt"], ["not", "only"], ["not", "all"])
_SUBJECTS = word_set("it there he she they i you we one this")
_HELPS = word_set("is are does do has have can")
_DENIES = word_set("isn't aren't doesn't don't hasn't haven't can't cannot")
_HERE = IMAGES | word_set("anywhere visible all sight here present")


def judge_agreement(asked: Asked, first: int, judge: Judge) -> None:
    """Add what "yes" or "no", if an answer begins with it, claims of its question, where that is plain."""
    low = judge.text.low
    statement = asked.statements[-1]
    if statement.hedges or "or" in statement.low:
        return
    answer = _short_answer(low, first)
    if low[first] in _YES or answer == "yes":
        agreed = Judge(judge.evidence, 0, asked.text)
        agreed.statement(statement)
        for claim in agreed.claims:
            judge.add(first, first, claim.kind, claim.verdict, claim.boxes, claim.captions, claim.detail)
    elif (low[first] in _NO or answer == "no") and low[first : first + 2] not in _NOT_NO:
        subject = asked.subject
        if (
            subject is not None
            and subject.sense is not None
            and len(statement.mentions) == 1
            and not statement.relations
        ):
            _deny(statement, subject, subject.sense, first, judge)


def _short_answer(low: list[str], first: int) -> str:
    """Return what "it does not." and "there is." say."""
    if low[first] not in _SUBJECTS:
        return ""
    words = low[first + 1 : first + 4]
    if words[:1] and words[0] in _DENIES:
        return "no" if words[1:2] in ([], ["."], [","], [";"]) else ""
    if not words or words[0] not in _HELPS:
        return ""
    if words[1:2] == ["not"]:
        return "no" if words[2:3] in ([], ["."], [","], [";"]) else ""
    return "yes" if words[1:2] in ([], ["."], [","], [";"]) else ""


def _deny(statement: Statement, subject: Mention, sense: Sense, first: int, judge: Judge) -> None:
    """Add what "no" says of a question after one thing, its number or its place."""
    low, begin, after = statement.low, opening(statement), statement.after(subject)
    if subject.described or subject.colours or not subject.real:
        return
    existential = low[begin + 1 : begin + 2] == ["there"] or not SEES.isdisjoint(low[begin : subject.first])
    existential = existential or low[begin] == "any"
    rest = low[subject.last + 1 : statement.stop]
    if not existential and len(statement.located) == 1 and statement.located[0].place.frame == "image":
        _deny_place(statement.located[0].place, sense, first, judge)
    if existential and len(statement.located) == 1 and not subject.counted:
        place = statement.located[0].place
        there = judge.evidence.count(sense)
        verdict, found = judge_absence_at(sense, Scope(whole=False, place=place), there, judge.evidence)
        if place.frame == "image" and verdict == "contradicted":
            detail = f"the boxes show {told(len(found.boxes), sense)} there"
            judge.add(first, first, "absence", verdict, found.boxes, found.captions, detail)
    if not existential or statement.located or not (after in SIGNS or not _HERE.isdisjoint(rest)):
        return
    kind: ClaimKind = "count" if subject.counted else "absence"
    if not subject.counted:
        verdict, there = judge_absence(sense, judge.evidence)
    else:
        there = judge.evidence.count(sense)
        certain = there.high is not None and there.low == there.high
        meant = (subject.low or 0) <= there.low and (subject.high is None or there.low <= subject.high)
        verdict = "not checkable" if not certain else "contradicted" if meant else "supported"
    detail = f"the boxes show {told(len(there.boxes), sense)}"
    judge.add(first, first, kind, verdict, there.boxes, there.captions, detail)


def _deny_place(place: Place, sense: Sense, first: int, judge: Judge) -> None:
    """Add that a thing is not where a question has it."""
    boxes = judge.evidence.boxes_of(sense)
    if len(boxes) != 1 or place.loose or place.rough:
        return
    box = judge.evidence.boxes[boxes[0]]
    fits = fit(place, box)
    verdict: Verdict = "contradicted" if fits == "yes" else "supported" if fits == "no" else "not checkable"
    judge.add(first, first, "place", verdict, boxes, (), f"the {sense.word} is there: {where(box)}")
