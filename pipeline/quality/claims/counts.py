"""Whether there is what a mention says, and whether there are as many."""

from __future__ import annotations

from pipeline.quality.claims.evidence import Evidence, Range
from pipeline.quality.claims.positions import fit
from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.places import Place
from pipeline.quality.reading.statements import Statement
from pipeline.quality.reading.vocabulary import (
    AMOUNTS,
    ARTICLES,
    BE,
    DEFINITE,
    IMAGES,
    SEES,
    SIGNS,
    THERE,
    VENUES,
    VERBS,
    word_set,
)
from pipeline.records import Verdict

_SHOWN = word_set(
    "visible present seen shown pictured depicted here altogether total all view sight found spotted counted around "
    "about out nearby"
)
_FILLERS = word_set(
    "also clearly only just still actually now exactly about at least a total of can be could easily make it that "
    "roughly"
)
_PICTURED = IMAGES | word_set("visible present seen shown pictured depicted")
_PASSIVES = word_set("be been turned come made up left")
_AT = word_set("in at on around")
_SCENES = IMAGES | VENUES | word_set("sight view")
_MAKES = word_set("form forms compose comprise constitute complete")
"""Verbs of all that a group has: "five suitcases form the pile"."""
_OBJECTS = ARTICLES | DEFINITE | word_set("down up it him them")
_POSTURES = word_set("lie stand sit hang rest lean line surround fill flank cover decorate")
"""Verbs of what one sees, if something definite follows."""
_HOLDS = word_set("holds carries holding carrying")
_DISTANT = word_set("distance background foreground nearby")
_LONE = word_set("lone sole solitary single")
_OTHERS = word_set("other others rest remaining")
_HAS = word_set("has have wears wear holds hold looks look")
_MEANS = word_set("by with to for of on in from at")
_INTRODUCES = THERE | SEES | word_set("of is i total")


def told(count: int, sense: Sense) -> str:
    """Return a number with its noun: ``3 dogs``, ``no dog``."""
    if not count:
        return f"no {sense.word}"
    return f"{count} {sense.word if count == 1 else sense.plural}"


def one_of(sense: Sense) -> str:
    """Return a noun with its article: ``a dog``, ``an apple``, ``scissors``."""
    if sense.word == sense.plural:
        return sense.word
    return f"{'an' if sense.word[0] in 'aeiou' else 'a'} {sense.word}"


def judge_presence(sense: Sense, evidence: Evidence) -> tuple[Verdict, Range]:
    """Return whether there is such a thing, and the evidence."""
    boxes = evidence.boxes_of(sense)
    if boxes:
        return "supported", Range(0, None, boxes)
    there = evidence.count(sense)
    if there.captions:
        return "supported", there
    if sense.open or sense.several or not evidence.boxes or evidence.is_hinted(sense):
        return "not checkable", there
    return "contradicted", there


def judge_number(low: int, high: int | None, exact: bool, there: Range) -> Verdict:
    """Return the verdict on a number.

    Args:
        low: The fewest that the statement allows.
        high: The most; ``None`` for no limit.
        exact: Whether the statement says that there are no more.
        there: How many there can be.
    """
    if there.high is not None and low > there.high:
        return "contradicted"
    if exact and high is not None and high < there.low:
        return "contradicted"
    if not there.boxes and not there.captions:
        return "not checkable"
    if there.high is None and low > len(there.boxes) and not there.captions:
        return "not checkable"
    return "supported"


def with_place(there: Range, place: Place, evidence: Evidence, sense: Sense) -> Range:
    """Return how many of a thing there can be at a place."""
    clear = evidence.clear(sense)
    fits = [(index, fit(place, evidence.boxes[index])) for index in there.boxes]
    boxes = tuple(index for index, each in fits if each != "no")
    low = sum(each == "yes" and index in clear for index, each in fits)
    counted = there.high is not None and there.high <= len(there.boxes)
    return Range(min(low, there.low), len(boxes) if counted else there.high, boxes, there.captions)


def is_exact(statement: Statement, mention: Mention, placed: bool) -> bool:
    """Tell whether a number is said to be all there are: "there are two dogs", not "two dogs sit on a rug".

    Args:
        statement: The sentence.
        mention: What is counted.
        placed: Whether the sentence says where they are.
    """
    low, after = statement.low, statement.after(mention)
    if mention.total:
        return True
    if mention.exact and not mention.part:
        if mention.article == "a" and statement.before(mention.first) in _MEANS:
            return False  # "held by a single person"
        if mention.described and "only" in low[mention.first : mention.head] and mention.low == 1:
            return False  # "the only adult bear" has a cub with it
        return _is_alone(statement, mention) or not _is_narrowed(statement, mention)
    if mention.described or mention.part or mention.vague or mention.article in ("the", "another"):
        return False
    if mention.answers and not _OTHERS.isdisjoint(low[mention.last + 1 : statement.stop]):
        return False  # "how many lie down?" "One dog, the other two stand."
    following = low[mention.last + 1 : min(mention.last + 5, statement.stop)]
    if following[1:3] in (["in", "all"], ["in", "total"]) or following[:2] in (["in", "all"], ["in", "total"]):
        return True
    if following[:2] == ["make", "up"] or (following[:1] and following[0] in _MAKES):
        return any(word in AMOUNTS or word in _SCENES for word in following[1:])
    if (after in BE or after == "can") and (placed or not _SHOWN.isdisjoint(following)):
        return True
    closed = after in SIGNS or after in _SHOWN or after == "and" or placed
    if not closed and not (after in ("in", "on") and not IMAGES.isdisjoint(following)):
        return False
    index = mention.first - 1
    while index > statement.first and low[index] in _FILLERS:
        index -= 1
    if index < statement.first or low[index] in _INTRODUCES:
        return True
    earlier = low[max(statement.first, index - 6) : index]
    return low[index] in BE and any(word in _INTRODUCES or word == "number" for word in earlier)


def _is_alone(statement: Statement, mention: Mention) -> bool:
    """Tell whether "a lone zebra stands next to a giraffe", which says that there is no other."""
    if _LONE.isdisjoint(statement.low[mention.first : mention.head]):
        return False
    after = statement.after(mention)
    is_listed = statement.before(mention.first) in ("and", ",") and any(
        each.last in (mention.first - 2, mention.first - 3) for each in statement.mentions
    )
    return (mention.first == statement.first or is_listed) and (after in VERBS or after in BE) and after not in _HAS


def _is_narrowed(statement: Statement, mention: Mention) -> bool:
    """Tell whether "only two people" goes on to say of whom that holds: "... are wearing hats", "... with dogs"."""
    low, index = statement.low, mention.last + 1
    if index < statement.stop and (low[index] in BE or low[index] in ("can", "could", "have", "has")):
        index += 1
        while index < statement.stop and low[index] in _PASSIVES:
            index += 1
    after = low[index] if index < statement.stop else "."
    if after == "among" and low[index + 1] in ("them", "these", "those"):
        return False
    if after in SIGNS or after in _SHOWN or after in ("and", "but", "or", "so"):
        return False
    if after == "to":
        return low[index + 1] not in ("be", "see", "count")
    return after not in _AT or _SCENES.isdisjoint(low[index + 1 : index + 5])


def is_shown(statement: Statement, mention: Mention) -> bool:
    """Tell whether bare plural names are of things that one sees, not of things in general: "dogs are loyal"."""
    after = statement.after(mention)
    ends = after in SIGNS or after == "and"
    if after in _OBJECTS:
        return False  # "and watches the game", "and skis down": a verb
    names = listed(statement, mention)
    if names[0].first == statement.first:
        rest = statement.low[names[-1].last + 1 : statement.stop]
        if rest[:1] == [] or rest[0] in SIGNS or not _PICTURED.isdisjoint(rest[:4]):
            return True
        if rest[0] in _POSTURES and not DEFINITE.isdisjoint(rest[1:3]):
            return True  # "bottles lie in the sand"
        index = statement.mentions.index(mention)
        is_placed = any(index in each.subjects and each.place.frame == "image" for each in statement.located)
        return is_placed or not _DISTANT.isdisjoint(rest)
    before = statement.before(mention.first)
    if before == "and" and names[0] is not mention:
        head = names[0]  # "waiters carry bottles and cups"
        return head.many is not True or head.counted or bool(head.article) or is_shown(statement, head)
    if before in ("and", "with"):
        return after not in VERBS or after in BE
    if before == ",":
        return ends
    if before in _HOLDS:
        return True
    if before in BE and statement.low[mention.first].endswith("ing"):
        return True  # "two people are riding bicycles"
    if before in BE and statement.low[mention.first - 2] in THERE:
        return True
    if before == "sees" and statement.low[mention.first - 2] == "one":
        return False  # "the zoo, where one sees elephants"
    return before == "of" or (before in SEES and before not in ("make", "makes")) or before in THERE


def listed(statement: Statement, mention: Mention) -> list[Mention]:
    """Return the names of the list in which a name stands: "cats, dogs and horses"."""
    low = statement.low
    found: list[Mention] = []
    for each in statement.mentions:
        if each.pronoun and each is not mention:
            continue
        between = low[found[-1].last + 1 : each.first] if found else []
        if found and (not between or any(word not in ("and", ",", "or") for word in between)):
            if mention in found:
                break
            found = []
        found.append(each)
    return found
