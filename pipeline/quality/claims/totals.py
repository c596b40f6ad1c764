"""Whether a number that a sentence gives is meant to be all there are, and what several numbers add up to."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.quality.claims.evidence import Evidence, Range
from pipeline.quality.claims.positions import area, gap_between
from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.mentions import Mention, number
from pipeline.quality.reading.statements import Statement
from pipeline.quality.reading.vocabulary import AMOUNTS, BE, NOT, ORDINALS, SIGNS, VERBS, word_set

_ALIKE = 4  # ratio of the areas of things that are about as large as each other
_PLAIN = word_set(
    "a of young little happy cheerful smiling laughing hungry tired bored lovely cute pretty beautiful handsome "
    "friendly brave skilled keen colourful colorful fluffy furry woolly shaggy adorable proud elegant graceful "
    "majestic well-dressed well dressed healthy playful curious thirsty lazy sleepy weary magnificent impressive "
    "gentle gorgeous tasty delicious fresh juicy wild strong fine nice sweet smart merry bold"
)
"""Adjectives that are said of all there are as easily as of some."""
_OTHERS = word_set("while whereas other others remaining rest more besides")
"""Words by which a sentence goes on to speak of further things."""
_OF_SOME = word_set(
    "have has had wear wears wearing hold holds look looks seem seems appear appears do don't facing looking face "
    "faces with without in who that whose closest nearest nearer further farther"
)
"""Words after a number of things that pick some of them by what they have or do."""
_LISTS = word_set("and , plus")
_AT = word_set("at around")
PICKS = word_set(
    "have wear wears wearing hold holds holding look looks looking carry carries carrying face faces facing dressed "
    "seem seems appear appears smile smiles smiling wave waves waving turn turns turned turning do point points own"
)
"""Verbs of what only some of several people do."""
_LEADS = word_set("with has and ,")
_EACH = word_set("each every both either")
_LOCATIVES = word_set("on in at by near behind under beside above below next to inside around along against across")
_WHICH = word_set("with without who that whose which of from like nearest closest facing than")
"""Words behind a name that pick some of several things."""
_SCENIC = word_set(
    "is are stand stands standing sit sits sitting seated wait waits waiting walk walks walking gather gathered "
    "gathering lie lies lying ride rides riding ski skiing surf surfing play plays playing graze grazing park parked "
    "moored docked lined present spread out around in on at by try trying share swim swimming fly flying gathered help"
)
"""Words that are as good as "are there"."""


def is_whole(
    statement: Statement, mention: Mention, sense: Sense, mentions: Sequence[Mention], evidence: Evidence
) -> bool:
    """Tell whether a number of things, named without "of" or "the", surely means all of them.

    Whoever describes an image and writes "the holder keeps three toothbrushes" has counted them, unless he goes on
    with others. Of people, "two are laughing" leaves it open whether there is a third, but hardly so at the head of a
    sentence where all that one sees are of a size.
    """
    if mention.described and not (mention.first == statement.first and _is_plain(statement, mention)):
        return False
    if mention.described and not evidence.agrees(sense):
        return False
    if mention.vague or mention.part or mention.pronoun or not mention.low:
        return False
    if mention.low == 1:
        is_head = mention.first == statement.first or statement.before(mention.first) in _LEADS
        is_said = statement.low[mention.first] == "one" and is_head and not mention.owner
        is_said &= _EACH.isdisjoint(statement.low[statement.first : mention.first])
        is_said &= statement.after(mention) not in NOT and statement.after(mention) not in _EACH
        if not is_said or sense.may == _may(evidence) or has_others(statement, mention, sense, mentions):
            return False
        return not (_is_told_apart(statement, mention) or _is_of_some(statement, mention))
    if mention.article in ("the", "another") or has_others(statement, mention, sense, mentions):
        return False
    if evidence.agrees(sense):
        return not (
            _is_told_apart(statement, mention) or _is_picked(statement, mention) or _is_placed(statement, mention)
        )
    if _is_of_some(statement, mention):
        return False
    if sense.may != _may(evidence):
        return not _is_told_apart(statement, mention)
    clear = evidence.clear(sense) or evidence.clear_of_role(sense)
    areas = sorted(area(evidence.boxes[index]) for index in clear)
    return (
        mention.first == statement.first and 1 < len(areas) <= 3 * (mention.low or 0) and areas[-1] <= _ALIKE * areas[0]
    )


def is_counted_out(mention: Mention, sense: Sense, evidence: Evidence) -> bool:
    """Tell whether a bare number answers a question for things of which captions count as many as there are boxes."""
    if not (mention.answers and mention.pronoun and evidence.agrees(sense)) or mention.low is None:
        return False
    return not (mention.part or mention.vague or mention.described or mention.article == "the")


def _is_plain(statement: Statement, mention: Mention) -> bool:
    """Tell whether the adjectives of a number of things hardly pick some of them: "two hungry sheep"."""
    words = statement.low[mention.first : mention.head]
    return all(word in _PLAIN or number(word) is not None or word in AMOUNTS or word in SIGNS for word in words)


def _is_told_apart(statement: Statement, mention: Mention) -> bool:
    """Tell whether words behind a number of things say which ones: "two chairs with cushions"."""
    return statement.after(mention) in _WHICH


def _is_picked(statement: Statement, mention: Mention) -> bool:
    """Tell whether some of the things do what others may not: "two people are wearing hats"."""
    low, index = statement.low, mention.last + 1
    if _is_perfect(statement, index):
        return False
    if index < statement.stop and low[index] in BE:
        index += 1
    return index < statement.stop and low[index] in PICKS


def _is_perfect(statement: Statement, index: int) -> bool:
    """Tell whether "have gathered" or "has been parked" begins at a word."""
    following = statement.low[index + 1] if index + 1 < statement.stop else "."
    is_past = following in ("been", "come", "gone", "got") or following.endswith("ed")
    return index < statement.stop and statement.low[index] in ("have", "has") and is_past


def _is_of_some(statement: Statement, mention: Mention) -> bool:
    """Tell whether some of the things are picked: "two people have hats", "two chairs are by the window"."""
    if _is_perfect(statement, mention.last + 1):
        return False
    return statement.after(mention) in _OF_SOME or _is_placed(statement, mention)


def _is_placed(statement: Statement, mention: Mention) -> bool:
    """Tell whether a number of things "are by the window", where others may be elsewhere; "on the table" is no such."""
    low, index = statement.low, mention.last + 1
    if index + 1 >= statement.stop or low[index] not in BE or low[index + 1] not in _LOCATIVES:
        return False
    thing = statement.starting_at(index + 2)
    return thing is None or thing.article != "the" or low[index + 1] not in ("on", "in")


def has_others(statement: Statement, mention: Mention, sense: Sense, mentions: Sequence[Mention]) -> bool:
    """Tell whether a message speaks of more such things than a mention."""
    for other in mentions:
        if other is mention or other.sense is None or not other.sense.may & sense.may:
            continue
        if other.like >= 0:
            if _is_further(statement, mention, other) or (other.low or 0) > (mention.low or 0):
                return True
        elif other.described or other.counted or other.article in ("a", "another") or other.sense.several:
            return True
    return False


def _is_further(statement: Statement, mention: Mention, other: Mention) -> bool:
    """Tell whether "one" or "a third" is not among a number of things that was named before."""
    low = statement.low
    if not statement.first <= other.first < statement.stop:
        return False
    if "some" in low[mention.last + 1 : other.first]:
        return False  # "nine women: some of them in front, the others behind"
    ordinals = [ORDINALS[word] for word in low[other.first : other.last + 1] if word in ORDINALS]
    return any(each > (mention.low or 0) for each in ordinals) or not _OTHERS.isdisjoint(
        low[mention.last + 1 : other.last + 1]
    )


def is_far_fewer(
    statement: Statement,
    mention: Mention,
    there: Range,
    evidence: Evidence,
    sense: Sense,
    mentions: Sequence[Mention],
) -> bool:
    """Tell whether "only two people are waiting" cannot be meant, since captions and boxes have a crowd of them.

    A number of people who do something may be some of those whom one sees; of things that just stand there it is all.
    """
    if mention.part or mention.described or mention.colours or mention.article in ("the", "another"):
        return False
    if mention.high is None or mention.vague or not _is_scenic(statement, mention):
        return False
    is_only = mention.exact or mention.answers
    if not is_only and (mention.first != statement.first or has_others(statement, mention, sense, mentions)):
        return False
    crowds = evidence.spoken.crowded(sense)
    needed = 2 * mention.high + (is_only or mention.high > 2)
    low = there.low
    if any(said.sense.word == sense.word and said.caption in crowds for said in evidence.said):
        low = max(low, len(evidence.clear(evidence.person or sense)) if sense.may == _may(evidence) else 0)
    if sense.may != _may(evidence) and is_only and low >= mention.high + 2:
        return True
    return low >= needed and len(crowds) > (1 if is_only else 2)


def _may(evidence: Evidence) -> frozenset[str]:
    return evidence.person.may if evidence.person is not None else frozenset()


def _is_scenic(statement: Statement, mention: Mention) -> bool:
    """Tell whether what follows a number of things is as good as that they are there."""
    low, index = statement.low, mention.last + 1
    if index >= statement.stop:
        return False
    if low[index] in BE:
        index += 1
        while index < statement.stop - 1 and low[index].endswith("ly"):
            index += 1
        return low[index] not in PICKS and (low[index] in _SCENIC or low[index].endswith(("ing", "ed")))
    if low[index] == "has" and mention.low == 1:
        return False  # "only one dog has a collar"
    return low[index] in _SCENIC or (low[index] in VERBS and low[index] not in PICKS)


def sum_with_more(statement: Statement, mention: Mention) -> int:
    """Return the sum of "two on the left and three more on the right", 0 where a number adds to no other."""
    if not mention.described or mention.part or mention.low is None or mention.vague:
        return 0
    if not {"more", "another", "other", "others"} & set(statement.low[mention.first : mention.last + 2]):
        return 0
    total = mention.low
    for other in statement.mentions:
        if other is mention:
            break
        if mention.pronoun and other.sense is not mention.sense:
            return 0  # "a dog with a boy, and five others"
        if other.sense is mention.sense and (other.like >= 0 or ":" in statement.low[other.last : mention.first]):
            return 0  # "three bottles: a large one on the left and two more ..."
        if other.sense is mention.sense and other.low is not None and not (other.part or other.vague):
            total += other.low
        elif other.sense is mention.sense and other.many is not True and _is_apart(statement, other):
            total += 1  # "besides the one with the sheep on it, two more beds"
    return total if total > mention.low else 0


def _is_apart(statement: Statement, other: Mention) -> bool:
    """Tell whether a thing that is named is not among "two more": "a dog runs, and two more sit"."""
    is_new = other.article == "a" and other.real and not other.part and not other.owner
    return is_new or _is_beside(statement, other)


def _is_beside(statement: Statement, mention: Mention) -> bool:
    """Tell whether "besides" or "in addition to" stands before a mention at the head of a sentence."""
    before = statement.low[statement.first : mention.first]
    return before in (["besides"], ["beside"]) or before[-2:] in (
        ["addition", "to"],
        ["apart", "from"],
        ["aside", "from"],
    )


def too_few_at(statement: Statement, mention: Mention, sense: Sense, evidence: Evidence) -> tuple[int, ...]:
    """Return the boxes of a thing at a table, where a sentence has clearly fewer of it "at the table"."""
    if mention.part or mention.described or mention.vague or mention.high is None or mention.article == "the":
        return ()
    at = statement.at if mention.answers else None
    if not mention.answers:
        index = next(
            (k for k in range(mention.last + 1, min(mention.last + 4, statement.stop)) if statement.low[k] in _AT), 0
        )
        at = statement.starting_at(index + 1) if index else None
    others = evidence.boxes_of(at.sense) if at is not None and at.sense is not None else ()
    if not others or (not mention.answers and not mention.exact):
        return ()
    there = tuple(
        one
        for one in evidence.clear(sense)
        if one not in others and any(gap_between(evidence.boxes[one], evidence.boxes[other]) <= 0 for other in others)
    )
    return there if len(there) > mention.high + (not mention.exact) else ()


def is_definite(statement: Statement, mention: Mention, sense: Sense, earlier: Sequence[Mention]) -> bool:
    """Tell whether "the two dogs" are all there are, being spoken of for the first time and not told apart."""
    low = statement.low
    if mention.article != "the" or mention.low is None or mention.described or mention.vague or mention.pronoun:
        return False
    if mention.part and low[mention.first] != "the":
        return False  # "two of the dogs"
    for other in earlier:
        if other.first >= mention.first and other in statement.mentions:
            break
        if other.sense is not None and other.sense.may & sense.may:
            return False
    after = statement.after(mention)
    return after in SIGNS or after in ("and", "all", "both") or after in VERBS or after in BE


def sorts_total(statement: Statement, sense: Sense) -> tuple[int, int, int]:
    """Return the first and last word of "a man, a woman and two children", and how many they are; 0 for no list."""
    listed: list[Mention] = []
    low = statement.low
    spans = [(each.place.first, each.place.last) for each in statement.located]
    best = (0, 0, 0)
    for mention in statement.mentions:
        is_sort = (
            mention.sense is not None
            and mention.sense.may == sense.may
            and mention.sense.word != sense.word
            and not (mention.sense.open or mention.part or mention.vague or mention.pronoun or mention.owner)
            and (mention.article == "a" or (mention.counted and not mention.article))
        )
        if listed:
            between = [
                low[word]
                for word in range(listed[-1].last + 1, mention.first)
                if not any(first <= word <= last for first, last in spans)
            ]
            if not between or not _LISTS.issuperset(between):
                listed = []
        if not is_sort:
            listed = []
            continue
        assert mention.sense is not None
        if any(each.sense is mention.sense for each in listed):
            listed = []
        listed.append(mention)
        if len(listed) > 1 and "and" in low[listed[-2].last : mention.first]:
            head, rest = listed[0].low or 1, sum(each.low or 1 for each in listed[1:])
            best = (listed[0].first, mention.last, rest if rest == head > 1 else head + rest)
    return best
