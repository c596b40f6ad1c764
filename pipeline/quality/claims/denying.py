"""Claims of what a sentence says is absent: "no dog", "nobody", "nobody else"."""

from __future__ import annotations

from pipeline.quality.claims.absences import held, judge_absence, judge_absence_at
from pipeline.quality.claims.counts import one_of, told
from pipeline.quality.claims.doubts import is_but_for
from pipeline.quality.claims.ledger import Ledger
from pipeline.quality.claims.scopes import OWNS, Scope, scope
from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.statements import Statement
from pipeline.quality.reading.vocabulary import BE, word_set
from pipeline.records import Verdict

_BUT_FOR = word_set("except apart aside besides beyond")


def claim_absence(ledger: Ledger, statement: Statement, mention: Mention, sense: Sense) -> None:
    """Add that a thing is said to be absent."""
    where = scope(statement, mention.last + 1, mention)
    if mention.pronoun and where.whole and statement.narrowed:
        where = Scope(whole=False, thing=statement.at, beside=True)
    if is_but_for(statement, mention, sense):
        where = Scope(whole=False)
    if statement.low[mention.first : mention.first + 2] == ["no", "other"]:
        where = _others(ledger, sense)
    _absent(ledger, statement, sense, mention.first, mention.last, where)


def claim_nobody(ledger: Ledger, statement: Statement, word: int) -> None:
    """Add that nobody is said to be there, or to have something."""
    sense, where = ledger.evidence.person, scope(statement, word + 1, None)
    if sense is not None and statement.low[word + 1 : word + 2] == ["else"]:
        where = _others(ledger, sense)
    is_all = {"no", ","}.issuperset(statement.low[statement.first : word])  # the whole answer is "nobody"
    if where.whole and statement.narrowed and is_all:
        where = Scope(whole=False, thing=statement.at, beside=True)
    if sense is None:
        return
    if not _BUT_FOR.isdisjoint(statement.low[statement.first : word]):
        where = Scope(whole=False)  # "except for the man there's nobody"
    had = _had(statement, word + 1)
    if had is not None and had.sense is not None:
        _had_by_nobody(ledger, statement, word, had, had.sense, sense)
    else:
        _absent(ledger, statement, sense, word, word, where)


def _had(statement: Statement, index: int) -> Mention | None:
    """Return what nobody is said to have, wear or hold."""
    low = statement.low
    while index < statement.stop and (low[index] in BE or low[index] == "else"):
        index += 1
    if index + 1 >= statement.stop or low[index] not in OWNS:
        return None
    return next((each for each in statement.mentions if each.first == index + 1), None)


def _had_by_nobody(ledger: Ledger, statement: Statement, word: int, had: Mention, sense: Sense, person: Sense) -> None:
    boxes = held(ledger.evidence.clear(sense), ledger.evidence.boxes_of(person), ledger.evidence)
    told = ledger.evidence.spoken.told_had(sense)
    is_wrong = (boxes or told) and not (had.described or had.colours or statement.is_hedged(word))
    verdict: Verdict = "contradicted" if is_wrong else "not checkable"
    detail = f"somebody has {one_of(sense)}, by the boxes" if boxes else f"the captions speak of {one_of(sense)}"
    ledger.add(word, had.last, "absence", verdict, boxes, told, detail)


def _others(ledger: Ledger, sense: Sense) -> Scope:
    """Return what "nobody else" and "no other dogs" deny: all, if there are more than have been spoken of."""
    told = 0
    for mention in (*ledger.asked, *ledger.mentions):
        is_again = mention.pronoun or (mention in ledger.asked and mention.article != "the")
        if is_again:
            continue  # "Does he have an audience?" has told of nobody
        if mention.sense is not None and mention.sense.may & sense.may and mention.article != "no":
            if mention.many and not mention.counted:
                return Scope(whole=False)
            told += mention.low or 1
    return Scope(
        whole=len(ledger.evidence.clear(sense)) > max(told, 1) + 1 or ledger.evidence.count(sense).low > max(told, 1)
    )


def _absent(ledger: Ledger, statement: Statement, sense: Sense, first: int, last: int, where: Scope) -> None:
    ledger.denied |= denied_by(sense)
    verdict, there = judge_absence(sense, ledger.evidence)
    if not where.whole:
        verdict, there = judge_absence_at(sense, where, there, ledger.evidence)
    if verdict == "contradicted" and statement.is_hedged(last):
        verdict = "not checkable"
    ledger.add(
        first,
        last,
        "absence",
        verdict,
        there.boxes,
        there.captions,
        f"the boxes show {told(len(there.boxes), sense)}",
    )


def denied_by(sense: Sense) -> frozenset[str]:
    """Return what "no dog" denies, the label; "no referee" denies that sort of people only."""
    return sense.may if sense.sure else frozenset((sense.word,))
