"""Words that stand for what was named before: ``one``, ``another``, ``both``, ``two of them``, ``it``, ``they``."""

from __future__ import annotations

import msgspec

from pipeline.quality.reading.amounts import read_bounds_after
from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.mentions import Mention, number
from pipeline.quality.reading.vocabulary import (
    AMOUNTS,
    BE,
    DEFINITE,
    FUNCTION,
    NOT,
    NUMBER_AMOUNTS,
    NUMBERS,
    SEES,
    SIGNS,
    THERE,
    VERBS,
    word_set,
)


class Memory(msgspec.Struct):
    """What such words may stand for from one sentence to the next."""

    singles: tuple[Sense, ...] = ()
    """For "it", the likeliest first."""
    severals: tuple[Sense, ...] = ()
    """For "they" and "one"."""
    asked: Sense | None = None
    """What a question asks about; bare numbers and places of its answer are about it."""


_IT = word_set("it he she they them him these those it's he's she's they're")
_THEY = word_set("they them these those they're")
_HUMAN = word_set("he she him he's she's")
_ANOTHERS = word_set("another others rest remainder second third fourth")
_OTHERS = word_set("others rest remainder")
_SHARES = word_set("both all each several many most some few")
_AMOUNTS = word_set("couple pair pairs duo trio quartet dozen half-dozen dozens handful plenty loads lots")
"""Amounts that may stand alone in an answer: "A couple." """
_DENIED = word_set("none any")
_WHOLE = word_set("both all each")
_THEM = word_set("them these those which whom")
PRONOUNS = _IT | _ANOTHERS | _SHARES | _AMOUNTS | _DENIED | NUMBERS.keys() | {"other"}
"""Words at which to look for one; numbers in digits may be one too."""
_IMPERSONAL = word_set("can could might may should would")
_COUNTS = word_set("count counted see spot find found")
_BEFORE_ONE = word_set(
    "the a an this that each every another other larger smaller bigger nearest largest smallest third second first "
    "fourth far closest left right taller shorter darker lighter only just remaining last single"
)
_BEFORE = word_set("the a only just other at least more than about exactly not single half two three four")
_MORE = word_set("more fewer less")
_FEW_WORDS = 4  # between "not" and "any"
NOUNLESS = FUNCTION | VERBS | SEES | THERE | BE | SIGNS
"""Words that are no noun and no adjective of one; see also ``ADJECTIVES``."""
ADJECTIVES = word_set(
    "large small big open closed empty full busy free deep high low very quite two three four five six seven other "
    "more most less black white front back half top bottom left right"
)
"""Words of ``NOUNLESS`` that a noun may follow all the same."""

_ONES = word_set("a an the")
_TO = word_set("for on in at to")
_SORTS = word_set("one another a an each different")
_SHARES_OUT = word_set("per each every apiece")
_AT_MOST = (["at", "most"], ["up", "to"])


def is_nounless(low: list[str], index: int, stop: int) -> bool:
    """Tell whether no noun follows, so that a number or "another" stands for something named before."""
    if index >= stop:
        return True
    word = low[index]
    if low[index : index + 3] == ["more", "or", "less"]:
        return True
    return word not in ADJECTIVES and (word in NOUNLESS or word.endswith(("ing", "ed", "ly")))


def read_pronoun(
    low: list[str], start: int, index: int, stop: int, mentions: list[Mention], memory: Memory
) -> Mention | None:
    """Return the mention that such a word is, with what it stands for; ``None`` if it stands for nothing named.

    Args:
        low: The message's words.
        start: First word that may belong to it.
        index: The word.
        stop: One past the sentence's last word.
        mentions: Those before it in the sentence.
        memory: Of the sentences before.
    """
    word = low[index]
    before = low[index - 1] if index > start else ""
    found = Mention(None, index, index, index, pronoun=True)
    value = number(word)
    if value is not None:
        is_one = _read_number(low, index, stop, value, before, found, mentions)
    elif word in _AMOUNTS:
        is_one = memory.asked is not None and _read_amount(low, start, index, stop, found)
    elif word in _DENIED:
        is_one = _read_denied(low, start, index, stop, found)
    elif word in _SHARES:
        is_one = _read_share(low, index, stop, found)
    elif word in _IT:
        found.article, found.many = "the", word in _THEY
        after = low[index + 1] if index + 1 < stop else "."
        is_one = before != "of" and (word not in ("these", "those") or after in BE)
    else:
        is_one = _read_other(low, index, stop, before, found)
    if not is_one:
        return None
    counted = value is not None or word in _AMOUNTS or found.article in ("another", "no")
    found.sense, found.like = _stands_for(mentions, memory, found, word, counted)
    if found.sense is None:
        return None
    if found.like >= 0 and mentions[found.like].described and mentions[found.like].article in ("the", "another"):
        found.exact = found.answers = False  # "the other dogs, two in number"
    if word == "pairs" and (found.sense.word == found.sense.plural or found.sense.word.startswith("pair of ")):
        found.high = found.low
    while word not in _IT and found.first > start and low[found.first - 1] in _BEFORE:
        if low[found.first - 1] == "than" and low[found.first - 2] not in _MORE:
            break
        found.first -= 1
    return found


def _read_number(
    low: list[str], index: int, stop: int, value: int, before: str, found: Mention, mentions: list[Mention]
) -> bool:
    if low[index - 2 : index + 1] in (["is", "the", "one"], ["was", "the", "one"]) and not _HUMAN.isdisjoint(
        low[max(0, index - 5) : index]
    ):
        return False  # "she is the one on the left"
    word, after = low[index], low[index + 1] if index + 1 < stop else "."
    beyond = low[index + 2] if index + 2 < stop else "."
    if not value:
        found.article = "no"
        return is_nounless(low, index + 1, stop) and after != "to"
    if after in _SHARES_OUT or (after in _TO and beyond in _SHARES_OUT):
        return False  # "one for each of the men"
    if before == "of" and number(low[index - 2]) is not None:
        return False
    if after == "of" and (beyond in _SORTS or low[index + 3 : index + 4] == ["same"]):
        return False  # "two of one breed and one of another"
    if after in ("or", "to", "-", "–") and number(beyond) is not None:
        return False  # the second number of "two or three" is read with the first
    if after == "of" and beyond in _THEM:
        named = next((each for each in reversed(mentions) if not each.pronoun), None)
        is_apposed = before == "," and named is not None and named.last == index - 2 and not named.counted
        is_all = before in ("the", "all") or is_apposed or (before == "count" and low[index - 2] in ("i", "can"))
        found.last, found.part = index + 2, not is_all
        found.exact = not found.part
    elif after == "of" and beyond in ("the", "these") and index + 3 < stop and number(low[index + 3]) is not None:
        if not is_nounless(low, index + 4, stop):
            return False
        found.last, found.part = index + 3, True
    elif after in ("more", "others") and (after == "others" or is_nounless(low, index + 2, stop)) and beyond != "than":
        if [after, beyond] == ["more", "or"]:
            return False
        found.last, found.many, found.low, found.high = index + 1, True, value, value
        found.described, found.article = True, "another"
        return True
    elif after == "in" and beyond in ("all", "total", "number"):
        found.last, found.exact = index + 2, True
    elif not is_nounless(low, index + 1, stop) or (word == "one" and not _IMPERSONAL.isdisjoint((before, after))):
        return False
    found.many = value != 1
    found.low = found.high = value
    found.exact |= before in ("only", "just", "exactly", "all") or after in ("altogether", "total")
    earlier = low[index - 2] if index > 1 else ""
    found.answers = (
        before in _COUNTS
        or (before == "number" and any(each.many and each.last == index - 2 for each in mentions))
        or low[max(0, index - 4) : index] == ["of", "which", "there", "are"]
        or (after == "in" and beyond in ("all", "total", "number"))
        or (before in ("them", "just", "only") and earlier in _COUNTS)
        or ((before in BE or before == ":") and "number" in low[max(0, index - 7) : index])
    )
    found.answers |= before == ":" and index - 2 >= 0 and (index == 2 or low[index - 3] in (".", "!", "?"))  # "dogs: 2"
    found.article = "the" if before in DEFINITE else ""
    found.exact |= before == "the" and earlier == "all"
    if word == "one" and _is_denied(low, index, before, after):
        found.article, found.low, found.high = "no", None, None
    elif before == "the" and earlier in ("only", "just") and after in SIGNS:  # "just the one"
        found.exact, found.article = True, ""
    elif word == "one" and ((before in ("only", "just") and earlier != "the") or [earlier, before] == ["a", "single"]):
        found.exact = True
    elif word == "one" and (before in _BEFORE_ONE or (earlier in _ONES and before not in NOUNLESS)):
        found.article = "a" if before in ("a", "an") else "the"
        found.low = found.high = None
    if before in ("or", "to", "-", "–") and index > 1 and number(low[index - 2]) is not None and found.low is not None:
        found.low = min(found.low, number(low[index - 2]) or 0)  # "nine or ten"
    if before == "other" or before in _ANOTHERS:
        found.described, found.article = True, "another"
    if value > 1 and before in NOT:
        found.real = False  # "not five, but three"
    if before == "between" and after == "and" and (most := number(beyond)) is not None:
        found.high, found.last = max(most, value), index + 2
    elif before == "than" and earlier in ("fewer", "less"):
        is_least = low[index - 3 : index - 2] in (["no"], ["not"])
        found.low, found.high = (value, None) if is_least else (0, value - 1)
    elif (before == "than" and low[index - 3 : index - 2] in (["no"], ["not"])) or [earlier, before] in _AT_MOST:
        found.low = 0
    elif before in ("least", "than", "over"):
        found.low, found.high = value if before == "least" else value + 1, None
    elif before in ("about", "around", "roughly", "nearly", "almost"):
        found.low, found.high = value - max(1, value // 3), value + max(1, value // 3)
    read_bounds_after(low, found)
    found.answers &= found.low is not None
    return True


def _is_denied(low: list[str], index: int, before: str, after: str) -> bool:
    """Tell whether a "one" is said not to be there: "there isn't one", "not a single one", "no sign of one"."""
    if after == "but":
        return False  # "not one but two"
    if before in SEES and not NOT.isdisjoint(low[max(0, index - 4) : index]):
        return True  # "I can't see one"
    if before == "single":
        index -= 1
    earlier = low[max(0, index - 3) : index]
    return before in NOT or earlier[-2:] == ["not", "a"] or (earlier[-1:] == ["of"] and "no" in earlier)


def _read_amount(low: list[str], start: int, index: int, stop: int, found: Mention) -> bool:
    """Read an amount that stands alone: ``a couple``, ``half a dozen``, ``four pairs``."""
    word, after = low[index], low[index + 1] if index + 1 < stop else "."
    if after == "of" and index + 2 < stop and low[index + 2] in _THEM:
        found.last, found.part = index + 2, True
    elif after == "of" or not is_nounless(low, index + 1, stop):
        return False
    found.low, found.high = AMOUNTS[word]
    found.many, found.vague = True, word not in NUMBER_AMOUNTS
    before = low[start:index][-2:]
    value = number(before[-1]) if before else None
    if "half" in before:
        found.low, found.high = AMOUNTS["half-dozen"]
    elif value is not None:
        found.low, found.high = (10 * value, 14 * value) if word == "dozen" else (value, 2 * value)
        found.vague = False
        if low[max(start, index - 3) : index - 1] == ["more", "than"]:
            found.low, found.high = found.low + 1, None  # "more than one pair"
    found.exact = not {"only", "just"}.isdisjoint(before)
    found.answers = True
    read_bounds_after(low, found)
    return True


def _read_denied(low: list[str], start: int, index: int, stop: int, found: Mention) -> bool:
    """Read ``none``, and ``any`` after a "not": ``I don't see any``."""
    if not is_nounless(low, index + 1, stop) or low[index + 1 : index + 2] == ["of"]:
        return False
    if low[index] == "any" and NOT.isdisjoint(low[max(start, index - _FEW_WORDS) : index]):
        return False
    found.article = "no"
    return True


def _read_share(low: list[str], index: int, stop: int, found: Mention) -> bool:
    word, after = low[index], low[index + 1] if index + 1 < stop else "."
    if after == "of" and index + 2 < stop and low[index + 2] in _THEM:
        found.last, found.part = index + 2, word not in _WHOLE
    elif not is_nounless(low, index + 1, stop) or (
        word not in ("both", "several", "few") and after not in BE and after != "on"
    ):
        return False
    found.article, found.many = "the" if word in _WHOLE else "", True
    if word in ("several", "few") and not found.part:
        (found.low, found.high), found.vague = AMOUNTS[word], True
    if word == "both":
        found.low = found.high = 2
    return True


def _read_other(low: list[str], index: int, stop: int, before: str, found: Mention) -> bool:
    word, after = low[index], low[index + 1] if index + 1 < stop else "."
    if word not in ("another", *_OTHERS) and not (before == "the" or (before == "a" and word != "other")):
        return False
    if after == "one":
        found.last = index + 1
    elif after == "of" and index + 2 < stop and low[index + 2] in ("them", "these"):
        found.last = index + 2
    elif not is_nounless(low, index + 1, stop):
        return False
    found.article, found.many, found.described = "another", word in _OTHERS, True
    return True


def _stands_for(
    mentions: list[Mention], memory: Memory, found: Mention, word: str, counted: bool
) -> tuple[Sense | None, int]:
    """Return what a word stands for, and its place among the mentions, -1 for one of an earlier sentence."""
    one = memory.singles[0] if memory.singles else None
    many = memory.severals[0] if memory.severals else None
    if word in _IT:
        if mentions:  # within a sentence, what "it" stands for is anybody's guess
            return None, -1
        if found.many:
            return many or memory.asked, -1
        fitting = [sense for sense in memory.singles if ("person" in sense.may) == (word in _HUMAN)]
        return (fitting[0] if fitting else one or memory.asked), -1
    named = [place for place in range(len(mentions) - 1, -1, -1) if not mentions[place].owner]
    for place in named:
        each = mentions[place]
        if each.sense is not None and (each.many or each.like >= 0 or each.low is not None):
            return each.sense, place
    if named and (word in _ANOTHERS or word in ("other", "one")):
        return mentions[named[0]].sense, named[0]
    if len(named) == 1 and found.article == "another" and found.low is not None:
        return mentions[named[0]].sense, named[0]  # "a horse leads, and two more follow"
    if mentions and (not counted or memory.asked is None):
        return None, -1
    is_definite = word == "one" and found.article == "the"
    return memory.asked or many or (one if is_definite or (not counted and word != "both") else None), -1
