"""What makes it doubtful that a sentence says that a thing is there: "or", "not", "apart from", a figure of speech."""

from __future__ import annotations

from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.statements import Statement
from pipeline.quality.reading.vocabulary import BE, NOT, SIGNS, word_set

_CONSISTS = word_set("has have needs contains takes requires")
_RULES = word_set("often usually typically generally normally commonly sometimes")
_HABITS = word_set(
    "staying living working using sleeping owning renting stays lives works uses sleeps owns rents keeps runs cooks "
    "cleans responsible"
)
_PAST = word_set("had has have was took made built left put set cut lit hung drew shot wrote must will may might")
"""Words of what somebody does or has done whom nobody needs to see: "the person who parked the car"."""
_BUT_FOR = word_set("apart aside except besides than but")


def is_but_for(statement: Statement, mention: Mention, sense: Sense) -> bool:
    """Tell whether "apart from a giraffe" goes with "no animal"."""
    for other in statement.mentions:
        if other is mention or other.sense is None or not other.sense.may & sense.may:
            continue
        if not _BUT_FOR.isdisjoint(statement.low[max(statement.first, other.first - 3) : other.first]):
            return True
    return False


def is_image(statement: Statement, mention: Mention) -> bool:
    """Tell whether "her steed is a motorcycle", which is no steed."""
    if statement.after(mention) not in BE:
        return False
    other = statement.starting_at(mention.last + 2)
    return other is not None and other.article == "a" and other.sense is not None and other.sense is not mention.sense


def is_of_rule(statement: Statement, mention: Mention) -> bool:
    """Tell whether a number is that of any such group: "a baseball team has nine players"."""
    low, before = statement.low, statement.before(mention.first)
    if before not in _CONSISTS and not (before == "of" and low[mention.first - 2] in ("consists", "up", "composed")):
        return False
    group = next((each for each in statement.mentions if each.last < mention.first), None)
    return group is not None and group.first == statement.first and low[group.first] in ("a", "an", "every", "any")


def is_in_rule(statement: Statement, mention: Mention) -> bool:
    """Tell whether a sentence speaks of a rule: "cats often choose places to which people pay attention"."""
    return any(hedge < mention.first and statement.low[hedge] in _RULES for hedge in statement.hedges)


def is_alternative(statement: Statement, mention: Mention) -> bool:
    """Tell whether a mention is one of "a scooter or a bicycle"."""
    after = statement.low[mention.last + 1 : min(mention.last + 3, statement.stop)]
    return statement.before(mention.first) == "or" or after[:1] == ["or"] or after == [",", "or"]


def is_negated(statement: Statement, mention: Mention) -> bool:
    """Tell whether a "not" stands shortly before a mention, in the same clause."""
    low = statement.low
    for index in range(mention.first - 1, max(statement.first, mention.first - 6) - 1, -1):
        if low[index] in SIGNS or low[index] == "but":
            return False
        if low[index] in NOT:
            return True
    return False


def is_unseen(statement: Statement, mention: Mention) -> bool:
    """Tell whether "the person staying in it" or "the people who built it" are thought of, as those of a trace."""
    low, index = statement.low, mention.last + 1
    if mention.article != "the" or index + 1 >= statement.stop:
        return False
    if low[index] in ("who", "that"):
        return low[index + 1] in _PAST or low[index + 1].endswith("ed") or low[index + 1] in _HABITS
    return low[index] in _HABITS or low[index] == "behind"


def is_at_home(statement: Statement, mention: Mention) -> bool:
    """Tell whether a thing has been "left at home"."""
    return statement.low[mention.last + 1 : mention.last + 3] in (["at", "home"], ["at", "work"], ["elsewhere", "."])


def is_doing(statement: Statement, mention: Mention) -> bool:
    """Tell whether somebody "is washing up", and so is seen."""
    after = statement.low[mention.last + 1 : mention.last + 3]
    return len(after) > 1 and after[0] in BE and after[1].endswith("ing")
