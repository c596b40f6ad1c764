"""A question and its answer read together: what "Two.", "On the left." and "No" are about."""

from __future__ import annotations

import msgspec

from pipeline.quality.absences import judge_absence
from pipeline.quality.counts import told
from pipeline.quality.judging import Judge
from pipeline.quality.lexicon import Lexicon, Sense
from pipeline.quality.mentions import Mention
from pipeline.quality.parsing import read_statement
from pipeline.quality.places import Place
from pipeline.quality.positions import fit, where
from pipeline.quality.pronouns import Memory
from pipeline.quality.sentences import Text, split_sentences
from pipeline.quality.statements import Located, Relation, Statement
from pipeline.quality.vocabulary import BE, IMAGES, SEES, SIGNS, word_set
from pipeline.records import ClaimKind, Verdict

_ASKS = word_set(
    "is are was were do does did can could has have had will would should am isn't aren't doesn't don't can't any"
)
_FILLERS = word_set("and so but , then also well now")
_GUESSES = word_set("would might could may should")
_YES = word_set("yes yeah yep certainly indeed absolutely correct right sure definitely")
_NO = word_set("no nope not none never")
_NOT_NO = (["not", "quite"], ["not", "entirely"], ["not", "exactly"], ["no", "doubt"])
_HERE = IMAGES | word_set("anywhere visible all sight here present")
_PLAIN = BE | SEES | IMAGES | word_set("there in the this can you do i we altogether total all of here does")


class Asked(msgspec.Struct):
    """A question, read."""

    text: Text
    statements: list[Statement]
    closed: bool = False
    """Whether it asks for yes or no."""
    asks_where: bool = False
    how_many: bool = False
    guess: bool = False
    """Whether it asks for what might be."""
    subject: Mention | None = None
    """What it is about."""


def read_question(text: Text, lexicon: Lexicon, memory: Memory) -> Asked:
    """Read a question; ``memory`` then knows what it is about."""
    asked = Asked(text, [])
    memory.asked = None
    for first, stop in split_sentences(text.low):
        statement = read_statement(text.low, first, stop, lexicon, memory)
        asked.statements.append(statement)
        _remember(statement, memory)
    if not asked.statements:
        return asked
    last = asked.statements[-1]
    words = text.low[last.first : last.stop]
    asked.closed = text.low[_opening(last)] in _ASKS
    asked.subject = next((each for each in last.mentions if not each.owner), None)
    asked.asks_where = any(word.startswith("where") for word in words) or ("side" in words and "which" in words)
    asked.how_many = words[:1] == ["count"] or ("number" in words and not asked.closed)
    asked.how_many |= any(words[k : k + 2] == ["how", "many"] for k in range(len(words)))
    seeks = asked.closed or asked.asks_where or last.located or not SEES.isdisjoint(words)
    seeks = seeks or "why" in words
    asked.guess = bool(last.hedges) and not seeks and not _GUESSES.isdisjoint(words)
    if asked.subject and (asked.asks_where or asked.how_many or asked.closed):
        memory.asked = asked.subject.sense
    return asked


def _opening(statement: Statement) -> int:
    index = statement.first
    while index < statement.stop - 1 and statement.low[index] in _FILLERS:
        index += 1
    return index


def _remember(statement: Statement, memory: Memory) -> None:
    """Keep what "it" and "they" of the next sentence may stand for."""
    named = [each for each in statement.mentions if not each.owner]
    singles = tuple(each.sense for each in named if each.many is not True and each.sense is not None)
    severals = tuple(each.sense for each in named if each.many is not False and each.sense is not None)
    memory.singles = singles or memory.singles
    memory.severals = severals or memory.severals


def read_answer(asked: Asked, text: Text, judge: Judge, lexicon: Lexicon, memory: Memory) -> None:
    """Add the claims of an answer to its judge's, those that it makes only together with its question included."""
    statements = []
    for order, (first, stop) in enumerate(split_sentences(text.low)):
        statement = read_statement(text.low, first, stop, lexicon, memory)
        statements.append(statement)
        judge.mentions += statement.mentions
        if not order:
            statement.guess = asked.guess
            statement.partial = bool(asked.statements) and asked.statements[-1].has_place
            if asked.closed:
                _close(asked, first, judge)
            if asked.subject is not None and asked.how_many:
                _complete_count(asked, asked.subject, statement)
            if asked.subject is not None and asked.asks_where:
                _complete_places(asked.subject, statement)
        _remember(statement, memory)
    for statement in statements:
        judge.statement(statement)


def _close(asked: Asked, first: int, judge: Judge) -> None:
    """Add the claims that "yes" or "no" makes of its question, where that is plain."""
    low = judge.text.low
    statement = asked.statements[-1]
    if statement.hedges or "or" in statement.low:
        return
    if low[first] in _YES:
        agreed = Judge(judge.evidence, 0, asked.text)
        agreed.statement(statement)
        for claim in agreed.claims:
            judge.add(first, first, claim.kind, claim.verdict, claim.boxes, claim.captions, claim.detail)
    elif low[first] in _NO and low[first : first + 2] not in _NOT_NO:
        subject = asked.subject
        if (
            subject is not None
            and subject.sense is not None
            and len(statement.mentions) == 1
            and not statement.relations
        ):
            _deny(statement, subject, subject.sense, first, judge)


def _deny(statement: Statement, subject: Mention, sense: Sense, first: int, judge: Judge) -> None:
    """Add what "no" says of a question after one thing, its number or its place."""
    low, opening, after = statement.low, _opening(statement), statement.after(subject)
    if subject.described or subject.colours or not subject.real:
        return
    existential = low[opening + 1 : opening + 2] == ["there"] or not SEES.isdisjoint(low[opening : subject.first])
    rest = low[subject.last + 1 : statement.stop]
    if not existential and len(statement.located) == 1 and statement.located[0].place.frame == "image":
        _deny_place(statement.located[0].place, sense, first, judge)
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


def _complete_count(asked: Asked, subject: Mention, statement: Statement) -> None:
    """Let the first number of an answer be about all that its question asks for."""
    restricted = _is_restricted(subject, asked.statements[-1])
    for mention in statement.mentions:
        if not mention.counted or mention.sense is None or subject.sense is None:
            continue
        is_other = mention.like >= 0 and not statement.mentions[mention.like].pronoun
        if is_other or not mention.sense.may & subject.sense.may:
            continue
        if mention.sense.open and mention.sense.may >= subject.sense.may:
            mention.sense = subject.sense  # "How many surfboards?" "Two boards."
        mention.answers = True
        mention.part &= not mention.pronoun
        mention.exact |= not (restricted or mention.described or mention.part or mention.article == "the")
        return


def _is_restricted(subject: Mention, question: Statement) -> bool:
    """Tell whether a question asks for some of the things only: "how many people are wearing hats?"."""
    if subject.described or subject.colours or question.has_place or len(question.mentions) > 1:
        return True
    rest = question.low[subject.last + 1 : question.stop]
    return any(word not in _PLAIN and word not in SIGNS for word in rest)


def _complete_places(subject: Mention, statement: Statement) -> None:
    """Let the places of an answer that name nothing be about what its question asks for."""
    first, position = statement.first, len(statement.mentions)
    said: list[tuple[int, Located | Relation]] = [(located.place.first, located) for located in statement.located]
    said += [(relation.first, relation) for relation in statement.relations]
    for start, each in said:
        is_joined = statement.before(start) in (",", "and") and any(begin == first for begin, _ in said)
        if not each.subjects or is_joined:  # "On the left, near a cup" has no other subject
            each.subjects = (position,)
    statement.mentions.append(
        msgspec.structs.replace(subject, first=first, head=first, last=first, pronoun=True, low=None, high=None)
    )
