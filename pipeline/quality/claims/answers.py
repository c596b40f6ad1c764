"""An answer read together with its question: what "Two.", "On the left." and "A dog." are about."""

from __future__ import annotations

import msgspec

from pipeline.quality.claims.judging import Judge
from pipeline.quality.claims.totals import PICKS
from pipeline.quality.claims.yes_no import judge_agreement
from pipeline.quality.reading.lexicon import Lexicon, Sense
from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.parsing import read_statement
from pipeline.quality.reading.pronouns import NOUNLESS, Memory
from pipeline.quality.reading.questions import Asked, remember
from pipeline.quality.reading.sentences import Text, split_sentences
from pipeline.quality.reading.statements import Listed, Located, Relation, Statement
from pipeline.quality.reading.vocabulary import BE, OTHER, SEES, SIGNS, THERE, word_set

_LEADS = BE | THERE | SEES | word_set("it that i we you can could one just only mainly mostly , a the")
"""Words before what an answer names in reply to "what is there?"."""
_STARTS = word_set(
    "in on at near by next beside to under above below behind between left right top bottom lower upper along towards "
    "toward over down up high low just right opposite across against beyond inside within around past underneath "
    "beneath among amid alongside somewhere far directly close all both"
)
"""Words with which an answer begins that is nothing but places."""
_REASONS = word_set(": because since")
"""Signs and words before what is so: "quite possibly, because the kitchen has two ovens"."""
_YES = word_set("yes , there are indeed i see can count")
_MORE = OTHER | {"more"}
_RANKS = word_set("former latter")
_IT = word_set("it them its their")


def read_answer(asked: Asked, text: Text, judge: Judge, lexicon: Lexicon, memory: Memory) -> None:
    """Add the claims of an answer to its judge's, those that it makes only together with its question included."""
    judge.asked = [mention for statement in asked.statements for mention in statement.mentions]
    statements = []
    for order, (first, stop) in enumerate(split_sentences(text.low)):
        statement = read_statement(text.low, first, stop, lexicon, memory)
        statements.append(statement)
        judge.mentions += statement.mentions
        if asked.restricted:
            statement.narrowed, statement.at = True, asked.at
        if not order:
            statement.guessed = asked.subject.sense if asked.guess and asked.subject is not None else None
            statement.imagined = asked.imagined and not _is_told(text.low, first, stop)
            last = asked.statements[-1] if asked.statements else None
            statement.partial = last is not None and (
                last.has_place
                or (
                    asked.how_many
                    and (
                        len(last.mentions) > 1 or not PICKS.isdisjoint(last.low[last.first : last.stop]) or asked.picks
                    )
                )
            )
            if asked.closed:
                judge_agreement(asked, first, judge)
                _complete_amount(asked, statement)
            _complete(asked, statement)
        remember(statement, memory)
        if memory.asked is not None and any(_is_other(each, memory.asked) for each in statement.mentions):
            memory.asked = None
    judge.expect(statements)
    for statement in statements:
        judge.statement(statement)


def _is_other(mention: Mention, asked: Sense) -> bool:
    """Tell whether an answer speaks of several of another thing, which "seven of them" may be from then on."""
    return (
        mention.many is True and not mention.pronoun and mention.sense is not None and not mention.sense.may & asked.may
    )


def _is_told(low: list[str], first: int, stop: int) -> bool:
    """Tell whether a sentence says what there is, although its question asks what might be: "it is a room with ..."."""
    return (
        low[first] in ("it's", "this")
        or low[first : first + 2] == ["it", "is"]
        or not _REASONS.isdisjoint(low[first:stop])
        or not THERE.isdisjoint(low[first:stop])
    )


def _complete(asked: Asked, statement: Statement) -> None:
    """Add to the first sentence of an answer what its question has said already."""
    if asked.wanted and not statement.has_place:
        _complete_wanted(asked.wanted, statement)
    statement.size, statement.rivals = asked.size, asked.rivals
    if asked.subject is None:
        return
    if asked.how_many:
        _complete_count(asked, asked.subject, statement)
    if asked.asks_where:
        if asked.subject.size is not None:  # "Where is the smaller boat?" "It is on the right."
            for mention in statement.mentions[:1]:
                if mention.pronoun and mention.many is not True and mention.sense is asked.subject.sense:
                    mention.size = asked.subject.size
        _complete_places((asked.subject,), statement, sole=True)
    else:
        _complete_places(tuple(asked.statements[-1].mentions), statement, sole=False)


def _complete_wanted(wanted: list[Located | Relation], statement: Statement) -> None:
    """Let what an answer names be where its question asks what is: "what is on the left?" "A dog." """
    for index in _named(statement):
        mention = statement.mentions[index]
        for each in wanted:
            if isinstance(each, Located):
                place = msgspec.structs.replace(each.place, first=mention.first, last=mention.last)
                statement.located.append(Located(place, (index,), each.sure))
            else:
                statement.relations.append(Relation(each.side, mention.first, mention.last, each.others, -1, (index,)))


def _named(statement: Statement) -> list[int]:
    """Return the mentions with which a sentence begins: "A dog and two cats, ..."."""
    low, index = statement.low, statement.first
    named: list[int] = []
    for position, mention in enumerate(statement.mentions):
        if mention.owner or mention.pronoun or not mention.real:
            break
        between = low[index : mention.first]
        if any(word not in (("and", ",", "or") if named else _LEADS) for word in between):
            break
        named.append(position)
        index = mention.last + 1
    return named


def _complete_count(asked: Asked, subject: Mention, statement: Statement) -> None:
    """Let the first number of an answer be about all that its question asks for."""
    if subject.sense is not None and not (asked.restricted or asked.guess):
        statement.listed = _listed_total(statement, subject.sense)
    for mention in statement.mentions:
        if not mention.counted or mention.sense is None or subject.sense is None:
            continue
        is_other = mention.like >= 0 and not statement.mentions[mention.like].pronoun
        if is_other or not mention.sense.may & subject.sense.may:
            continue
        if mention.sense.open and mention.sense.may >= subject.sense.may:
            mention.sense = subject.sense  # "How many surfboards?" "Two boards."
        mention.answers = True
        mention.part &= asked.restricted or not mention.pronoun
        is_other = not _MORE.isdisjoint(statement.low[mention.first : mention.head])
        mention.total = not (asked.restricted or is_other or mention.part or mention.article == "the")
        return


def _complete_amount(asked: Asked, statement: Statement) -> None:
    """Let "yes, three of them" be all that a question asks for, if it asks whether there are any."""
    subject = asked.subject
    if subject is None or subject.sense is None or not subject.many or subject.article == "the" or asked.restricted:
        return
    for mention in statement.mentions[:1]:
        is_yes = all(word in _YES for word in statement.low[statement.first : mention.first])
        if is_yes and mention.pronoun and mention.counted and mention.sense is subject.sense:
            mention.part, mention.total, mention.answers = False, True, True


def _listed_total(statement: Statement, subject: Sense) -> Listed | None:
    """Return how many things an answer lists that is nothing but a list: "a man and two girls"."""
    listed: list[Mention] = []
    index = statement.first
    places = [each.place for each in statement.located]
    for mention in statement.mentions:
        between = [
            statement.low[word]
            for word in range(index, mention.first)
            if not any(place.first <= word <= place.last for place in places)
        ]
        fits = mention.sense is not None and mention.sense.may <= subject.may and not mention.sense.several
        is_counted = mention.counted or mention.many is False
        if mention.part or mention.vague or mention.article in ("the", "any", "no") or not is_counted:
            return None
        is_share = mention.low is not None and not mention.described  # "one on the left and one on the right"
        if (mention.pronoun and not is_share) or not fits or any(word not in ("and", ",", "plus") for word in between):
            return None
        listed.append(mention)
        index = mention.last + 1
    while places and any(place.first <= index <= place.last for place in places):
        index += 1
    if len(listed) < 2 or (index < statement.stop and statement.low[index] not in SIGNS):
        return None
    return Listed(listed[0].first, listed[-1].last, sum(each.low or 1 for each in listed), subject)


def _complete_places(subjects: tuple[Mention, ...], statement: Statement, *, sole: bool) -> None:
    """Let the places of an answer that name nothing be about what its question asks for.

    Args:
        subjects: What the question is about; whatever of it fits makes the answer true.
        statement: The answer's first sentence.
        sole: Whether the question asks where that is, so that "the girl holds it on the left" tells it too.
    """
    first, position = statement.first, len(statement.mentions)
    places = tuple(range(position, position + len(subjects)))
    said: list[tuple[int, Located | Relation]] = [(located.place.first, located) for located in statement.located]
    said += [(relation.first, relation) for relation in statement.relations]
    if not said or not _RANKS.isdisjoint(statement.low[first : statement.stop]):
        return
    for start, each in said:
        if isinstance(each, Relation) and each.thing >= 0 and statement.mentions[each.thing].pronoun:
            continue  # "Is the bird above the fruit?" "Above it."
        if isinstance(each, Located) and sole and _is_of_asked(subjects[0], each, statement):
            each.subjects = places  # "Where is the fruit?" "The bird has a piece of fruit on the left."
            continue
        is_joined = statement.before(start) in (",", "and") and statement.low[first] in _STARTS
        named = statement.mentions[each.subjects[0]].last + 1 if each.subjects else first
        is_told = sole and isinstance(each, Located) and not _IT.isdisjoint(statement.low[named:start])
        if each.subjects and not (is_joined or is_told):
            if sole and start == first and isinstance(each, Located):
                is_all = statement.low[each.place.last + 1 : each.place.last + 2] == [","]
                each.subjects = places if is_all else (*places, *each.subjects)
        elif (
            sole or is_joined or _is_bare(statement.low, first, start)
        ):  # "On the left, near a cup" has no other subject
            each.subjects = places
    for subject in subjects:
        statement.mentions.append(
            msgspec.structs.replace(subject, first=first, head=first, last=first, pronoun=True, low=None, high=None)
        )


def _is_of_asked(asked: Mention, located: Located, statement: Statement) -> bool:
    """Tell whether a place is of what was asked for, being named once more by a word that may mean other things."""
    named = [statement.mentions[index] for index in located.subjects]
    is_same = any(one.sense is asked.sense and one.article in ("a", "") and not one.many for one in named)
    return is_same and asked.sense is not None and asked.sense.open


def _is_bare(low: list[str], first: int, stop: int) -> bool:
    """Tell whether no other thing is named before a place: "yes, over on the left", not "the platform on the left"."""
    return all(word in NOUNLESS or word in _STARTS or word.endswith(("ing", "ed", "ly")) for word in low[first:stop])
