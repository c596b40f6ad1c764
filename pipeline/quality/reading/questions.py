"""A question, read: what it asks for, and of which things."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from pipeline.quality.reading.lexicon import Lexicon
from pipeline.quality.reading.mentions import Mention, number
from pipeline.quality.reading.parsing import read_statement
from pipeline.quality.reading.pronouns import Memory
from pipeline.quality.reading.sentences import Text, split_sentences
from pipeline.quality.reading.statements import Located, Relation, Statement
from pipeline.quality.reading.vocabulary import ASKS, BE, IMAGES, SEES, SIGNS, SIZES, VENUES, word_set

_CLOSED = word_set(
    "is are was were do does did can could has have had will would should am isn't aren't doesn't don't can't any"
)
_FILLERS = word_set("and so but , then also well now okay ok")
_MODALS = word_set("would might could may should can")
_IMAGINES = word_set(
    "would could might should will think thinks thinking dream dreams dreaming want wants need needs hope hopes wish "
    "wishes imagine guess favourite favorite usually often call calls prefer prefers like likes missing lacking lack "
    "fear fears lacks absent"
)
_HOLDS = word_set("fit fits seat seats accommodate sleep sleeps")
_OPEN = word_set("what who whom which")
_HELPS = word_set("have has had did do does is are was were can")
_PUTS = word_set(
    "left leave put park parked keep kept place placed set hold holding held carry carrying carried hang hung hidden "
    "hide store stored lay laid lean leaned leant drop dropped rest rested tie tied wear wearing see find spot "
    "position positioned mount mounted stack stacked"
)
"""Verbs of somebody by whom a thing is where it is."""
_PREPOSITIONS = (["about"], ["of"], ["after"], ["for"])
_ON = word_set("on at in around by near beside to under")
_HAVE = word_set("have has")
_EITHER = word_set("either each every")
_COUNTS = word_set("how many number")
_COUNTED = word_set("many of the all count different")
_REGIONS = word_set("side part half corner end edge third position portion area spot section direction")
_PLAIN = (
    BE
    | SEES
    | IMAGES
    | VENUES
    | word_set(
        "there in on at around the this that can do does you i we one altogether total all of here any anyone anybody "
        "up out about got lie lying stand standing sit sitting hang hanging parked"
    )
)
_CAN_SEE = (SEES - word_set("have has")) | word_set("make tell")
_VIEWERS = word_set("you i we one")


class Asked(msgspec.Struct):
    """A question, read."""

    text: Text
    statements: list[Statement]
    closed: bool = False
    """Whether it asks for yes or no."""
    asks_where: bool = False
    how_many: bool = False
    guess: bool = False
    """Whether it asks for how many there might be."""
    imagined: bool = False
    """Whether it asks what somebody would do, thinks of or wants, so that an answer may name what nobody sees."""
    restricted: bool = False
    """Whether it asks for some of the things only: "how many people are wearing hats?"."""
    picks: bool = False
    """Whether it asks how many of the things are of a kind: "how many of them are brown?"."""
    subject: Mention | None = None
    """What it is about."""
    at: Mention | None = None
    """On or beside which thing that is."""
    size: bool | None = None
    """Whether it asks for the larger (true) or the smaller one (false) of some things."""
    rivals: tuple[Mention, Mention] | None = None
    """Two things, where it asks of which there are more; the other way round if it asks of which there are fewer."""
    wanted: list[Located | Relation] = []
    """Where that is of which it asks what it is: "what is on the left?"."""


def read_question(text: Text, lexicon: Lexicon, memory: Memory) -> Asked:
    """Read a question; ``memory`` then knows what it is about."""
    asked = Asked(text, [])
    memory.asked = None
    for first, stop in split_sentences(text.low):
        statement = read_statement(text.low, first, stop, lexicon, memory)
        asked.statements.append(statement)
        remember(statement, memory)
    if not asked.statements:
        return asked
    last = asked.statements[-1]
    _read_subject(asked, last)
    _read_form(asked, last, text.low[last.first : last.stop])
    if asked.subject and (asked.asks_where or asked.how_many or asked.closed or asked.size is not None):
        memory.asked = asked.subject.sense
    return asked


def _read_subject(asked: Asked, last: Statement) -> None:
    """Read what a question is about."""
    asked.subject = next((each for each in last.mentions if not each.owner and last.before(each.first) != "of"), None)
    if asked.subject is not None and len(last.mentions) > 1 and last.low[opening(last)] == "where":
        asked.subject = _put(last, asked.subject)
    asked.restricted = _is_restricted(asked.subject, last)
    asked.wanted = _wanted(last)
    asked.at = next((each for each in last.mentions if last.before(each.first) in _ON), None)


def _put(last: Statement, subject: Mention) -> Mention:
    """Return what somebody has put where, or does hold: "where have visitors left their cars?"."""
    thing = next((each for each in last.mentions if each.first > subject.last), subject)
    between = last.low[subject.last + 1 : thing.first]
    return thing if len(between) == 1 and between[0] in _PUTS and last.low[opening(last) + 1] in _HELPS else subject


def _read_form(asked: Asked, last: Statement, words: list[str]) -> None:
    """Read what a question wants to know of that."""
    asked.closed = last.low[opening(last)] in _CLOSED
    asked.asks_where = any(word.startswith("where") or word == "locate" for word in words) or _asks_region(words)
    asked.how_many = words[0] == "count" or ("number" in words and not asked.closed)
    asked.how_many |= ("how", "many") in pairwise(words)
    is_counted = asked.subject is None or last.low[asked.subject.first] == "many"  # "how many of the dogs"
    if asked.subject and not is_counted and last.before(asked.subject.first) not in _COUNTED:
        asked.how_many = False  # "how many calories does a cake have?"
    is_kind = len(words) > 3 and words[-3] in BE and not (words[-2] in _PLAIN or words[-2].endswith(("ing", "ed")))
    is_kind |= not _HAVE.isdisjoint(words[:-2]) or not _EITHER.isdisjoint(words)
    asked.picks = asked.subject is not None and (asked.subject.part or is_kind)
    asked.guess = asked.how_many and asked.subject is not None and _asks_capacity(words)
    asked.imagined = not _IMAGINES.isdisjoint(words[_polite(words) :]) or (asked.how_many and _asks_room(asked, last))
    if "like" in words and words[0].removesuffix("'s") == "what" and _IMAGINES.isdisjoint(set(words) - {"like"}):
        asked.imagined = False  # "what's the room like?"
    asked.imagined |= words[-2:-1] in _PREPOSITIONS and words[0].removesuffix("'s") in _OPEN  # "what is it about?"
    if words[0] in ("which", "what"):
        asked.size = next((SIZES[word] for word in words if word in SIZES), None)
    if "or" in words and len(last.mentions) == 2:
        asked.rivals = _rivals(last, words)


def opening(statement: Statement) -> int:
    """Return the first word of a sentence that carries meaning."""
    index = statement.first
    while index < statement.stop - 1 and statement.low[index] in _FILLERS:
        index += 1
    return index


def remember(statement: Statement, memory: Memory) -> None:
    """Keep what "it" and "they" of the next sentence may stand for."""
    named = [each for each in statement.mentions if not each.owner]
    singles = tuple(
        each.sense for each in named if each.many is not True and each.sense is not None and not each.sense.several
    )
    severals = tuple(each.sense for each in named if each.many is not False and each.sense is not None)
    memory.singles = singles or memory.singles
    memory.severals = severals or memory.severals


def _asks_region(words: list[str]) -> bool:
    """Tell whether a question asks for a place without "where": "which side is it on?"."""
    return any(one in ("which", "what") and other.removesuffix("'s") in _REGIONS for one, other in pairwise(words))


def _polite(words: list[str]) -> int:
    """Return how many words of a question are "could you" or "would you"."""
    return 2 if words[:2] in (["could", "you"], ["would", "you"], ["can", "you"]) else 0


def _asks_room(asked: Asked, last: Statement) -> bool:
    """Tell whether a question asks for how many a thing has room: "how many people does it seat?"."""
    head = asked.subject.head if asked.subject is not None else -1
    return any(last.low[index] in _HOLDS for index in range(last.first, last.stop) if index != head)


def _asks_capacity(words: list[str]) -> bool:
    """Tell whether a question asks for how many there might be: "how many people could sit here?"."""
    modal = next((k for k, word in enumerate(words) if word in _MODALS), None)
    if modal is None:
        return False
    after = words[modal + 1 : modal + 3]
    return not (after[0] in SEES or after[0] in BE or (after[0] in _VIEWERS and not _CAN_SEE.isdisjoint(after[1:])))


def _is_restricted(subject: Mention | None, question: Statement) -> bool:
    if subject is not None and (subject.described or subject.colours):
        return True
    named = [each for each in question.mentions if not (each.pronoun and question.before(each.first) == "or")]
    if question.has_place or len(named) > 1:
        return True  # but not "two dogs or three?"
    words = [
        word
        for index, word in enumerate(question.low[question.first : question.stop], question.first)
        if subject is None or not subject.first <= index <= subject.last
    ]
    words = [word for word, after in zip(words, [*words[1:], "."], strict=True) if not (word == "or" and number(after))]
    return any(not (word in _PLAIN or word in SIGNS or number(word)) for word in words if word not in _COUNTS)


def _rivals(question: Statement, words: list[str]) -> tuple[Mention, Mention] | None:
    """Return the things of "are there more cars or buses?"."""
    one, other = question.mentions
    if not (one.many and other.many):
        return None
    return (one, other) if "more" in words else (other, one) if "fewer" in words else None


def _wanted(question: Statement) -> list[Located | Relation]:
    """Return the places that a question gives for something that it wants to be told."""
    if question.low[opening(question)] not in ASKS:
        return []
    said: list[Located | Relation] = [each for each in question.located if each.place.frame == "image"]
    said += [each for each in question.relations if not question.mentions[each.thing].part]
    return [each for each in said if all(_is_asked(question, index) for index in each.subjects)]


def _is_asked(question: Statement, index: int) -> bool:
    """Tell whether a mention is what is asked for: "which animal"."""
    return question.low[question.mentions[index].first] in ASKS
