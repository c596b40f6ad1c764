"""A name with what stands around it: article, adjectives, colours, and whether a thing that one sees is meant."""

from __future__ import annotations

from pipeline.quality.reading.amounts import LONELY, read_bounds_after, read_quantity
from pipeline.quality.reading.lexicon import Form, Lexicon
from pipeline.quality.reading.mentions import Mention, find_form, number
from pipeline.quality.reading.vocabulary import (
    AMOUNTS,
    ANY,
    ARTICLES,
    BE,
    COLOURS,
    DEFINITE,
    DEPICTED,
    FUNCTION,
    HEDGES,
    IMAGES,
    MATERIALS,
    NONE,
    NOT_ADJECTIVES,
    NOT_REALLY,
    OF_AMOUNTS,
    ORDINALS,
    OTHER,
    PIECES,
    SEES,
    SIGNS,
    SIZES,
    UNREAL,
    VERBS,
    word_set,
)

_ENDINGS = ("ing", "ed", "ly")
_LONGEST = 7  # words of a noun phrase before its name
_CAUSES = word_set(
    "make let help keep give allow get tell show ask want see watch bring remind encourage invite "
    "carry eat drink wear hold follow throw"
)
"""Verbs that are no adjectives of what they are said of: "that make people smile", "waiters carry cups"."""
_NO_END = _CAUSES | NOT_ADJECTIVES | SIGNS | {word for word in VERBS if word[-1] == "s"}
_SAMES = word_set("series species chassis canvas bus glasses scissors trousers pants shorts jeans")
_HOLDS = word_set("take takes fit fits seat seats")
_SEEN_AFTER = {"for": word_set("except look looks"), "as": word_set("such well"), "like": word_set("look looks")}
"""Words after which "for" and "as" still speak of what there is: "except for a dog", "as well as a dog"."""
_ALONE = word_set("single lone sole solitary only")
_NOT_EVEN = frozenset((("anything", "but"), ("let", "alone"), ("much", "less"), ("never", "mind")))
_BECOMES = word_set(
    "turn turned turns turning transform transformed transforms made make making shaped shape carved carve sculpted "
    "cut cuts cutting folded fold converted convert changed change grow grows grown growing grew moulded molded bump "
    "bumps bumped crash crashes crashed run runs ran blend blends evolve evolved"
)
"""Verbs of what becomes a thing, or meets one, with "into"."""
_RATES = word_set("a an at")
_PERIODS = word_set("hour day week month year minute second night time")
_COMPARES = word_set("more less fewer rather")
_STOPS = word_set(". ? !")
_WHICH = word_set("which what whose")
_OPENERS = word_set("is 's this that's it's with takes")
_NO_THINGS = HEDGES | SIGNS | FUNCTION | VERBS | SEES | COLOURS.keys()


def read_mention(low: list[str], start: int, head: int, form: Form, owner: bool) -> Mention:
    """Return the mention whose name begins at ``head``.

    Args:
        low: The message's words.
        start: First word that may belong to it: after the mention before, or the sentence's first.
        head: First word of the name.
        form: Of the name.
        owner: Whether the name is in the genitive.
    """
    found = Mention(form.sense, head, head, head + len(form.rest), many=form.many, owner=owner)
    if low[head] in ("someone", "somebody"):
        _read_setting(low, found)
        return found
    before = _read_adjectives(low, start, head - 1, found)
    if low[found.first] == ",":
        found.first += 1
    read_quantity(low, start, before, found)
    if not found.article and found.first == start and start and low[start - 1].endswith("'s") and not owner:
        owned = "no" if low[start - 2] in NONE else "the"
        found.article = owned if low[start - 1] not in BE else ""  # "the boy's bat", "no children's chair"
    read_bounds_after(low, found)
    if found.exact:
        _read_alone(low, found)
    _read_setting(low, found)
    return found


def _read_adjectives(low: list[str], start: int, index: int, found: Mention) -> int:
    """Read leftwards up to the article; return the word before what was read."""
    colours: list[str] = []
    stop = max(start, index - _LONGEST + 1)
    while index >= stop:
        word = low[index]
        if word == "more" and index > stop and number(low[index - 1]) is not None:
            found.described = True  # "two more people"
            found.first = index
            index -= 1
            continue
        if word in ARTICLES or word in DEFINITE or word in ANY:
            found.article = "a" if word in ARTICLES else "the" if word in DEFINITE else "any"
            found.first = index
            index -= 1
            break
        if word in _WHICH and (not index or low[index - 1] in _STOPS):
            found.article, found.first = "the", index
            break
        if word in NONE or (word == "single" and low[index - 2 : index] == ["not", "a"]):
            found.article = "no"
            found.first = index
            break
        if (word in AMOUNTS and word not in OF_AMOUNTS) or word == "-" or number(word) is not None:
            break
        if word in COLOURS:
            colours.append(COLOURS[word])
        elif word in LONELY:
            found.exact = True
        elif word in OTHER:
            found.article = "another" if word == "another" else found.article
            found.described = True
            found.least = ORDINALS.get(word, 1)
        elif not _goes_on(low, start, index, found):
            if word in _NO_END:
                break
            found.real &= word not in UNREAL
            found.likeness |= word in MATERIALS
            found.size = SIZES.get(word, found.size)
            found.described = True
        found.first = index
        index -= 1
    found.colours = tuple(colours)
    return index


def _read_alone(low: list[str], found: Mention) -> None:
    """Take "a single dog" and "the only dog" for the number one."""
    before = low[found.first : found.head]
    if found.many is False and not found.counted and found.article != "no" and not _ALONE.isdisjoint(before):
        found.low = found.high = 1


def _goes_on(low: list[str], start: int, index: int, found: Mention) -> bool:
    """Tell whether a comma or "and" joins two adjectives: ``a small, brown dog``, ``a black and white dog``."""
    if low[index] == "well":
        return low[index + 1].endswith("ed")  # "well dressed men"
    if low[index] == "and":
        return low[index - 1] in COLOURS and low[index + 1] in COLOURS
    return (
        low[index] == ","
        and found.first == index + 1
        and found.described
        and index > start
        and low[index - 1] not in _NO_END
    )


def is_thing(found: Mention, low: list[str], stop: int, form: Form, lexicon: Lexicon) -> bool:
    """Tell whether a name is of a thing, and not half of another name or a word for a doing, as in "by bus"."""
    if found.owner:
        return True
    after = low[found.last + 1] if found.last + 1 < stop else "."
    if found.article == "a" and found.many is False and after[-1] == "s" and after[-2:] != "ss" and after not in _SAMES:
        return True  # "a motorbike roars": of a compound, the last word would be the one, as in "a car door"
    is_all = after in SIGNS and low[found.first] not in COLOURS and (not found.first or low[found.first - 1] in _STOPS)
    if is_all and found.first == found.head:
        return True  # "What is for dessert?" "Cake."
    is_piece = low[found.first - 1] == "of" and low[found.first - 2] in PIECES
    if form.many is False and not (found.article or found.counted or found.exact or is_piece):
        return False
    return not is_modifier(low, found.last, stop, form, lexicon)


def is_modifier(low: list[str], last: int, stop: int, form: Form, lexicon: Lexicon) -> bool:
    """Tell whether a name is only the first half of another: ``dog house``, ``an orange shirt``."""
    if form.many or last + 1 >= stop:
        return False
    after = low[last + 1]
    if after in _NO_THINGS or after.endswith(_ENDINGS) or "'" in after or number(after) is not None:
        return False
    if form.many is None:  # "sheep walk": only another name makes it half of one
        rows = lexicon.forms.get(after)
        return rows is not None and find_form(low, last + 1, stop, rows) is not None
    return True


def _is_rate(low: list[str], after: int) -> bool:
    """Tell whether "an hour" or "at a time" follows."""
    if after + 1 >= len(low) or low[after] not in _RATES:
        return False
    return low[after + 1] in _PERIODS or low[after : after + 3] == ["at", "a", "time"]


def _is_conjunction(low: list[str], index: int, found: Mention) -> bool:
    """Tell whether "as" or "for" begins a clause: "as the bus stops, ...", "for two more buses can be made out"."""
    if low[index] not in ("as", "for") or (index and low[index - 1] not in SIGNS):
        return False
    after = low[found.last + 1] if found.last + 1 < len(low) else "."
    if low[index] == "as" and index and found.counted and after == "and":  # "as two cups and a bowl show"
        stop = next((k for k in range(found.last + 1, len(low)) if low[k] in SIGNS), len(low))
        return any(word in BE or word in VERBS for word in low[found.last + 2 : stop])
    return after in BE or after in VERBS or after in ("can", "could")


def _read_setting(low: list[str], found: Mention) -> None:
    """See from the word before whether the thing is thought of or depicted rather than there."""
    index = found.first - 1
    is_general = found.vague and low[found.last + 1 : found.last + 2] in (["do"], ["don't"])  # "many dogs do"
    if low[found.first] in ("my", "our") and found.sense is not None and "person" in found.sense.may:
        found.real = False  # the speaker's own grandmother
        return
    if low[found.first] == "every" or is_general or _is_rate(low, found.last + 1):
        found.real = False
        return
    if index < 0:
        return
    word = low[index]
    is_idiom = word == "by" and low[found.first : found.last + 1] == ["the", "book"]
    if is_idiom or (word in _HOLDS and found.counted) or (low[index - 1], word) in _NOT_EVEN:
        found.real = False
    elif word == "with" and low[index - 2 : index] == ["to", "do"]:
        found.real = False  # "nothing to do with elephants"
    elif word == "into":
        found.real &= low[index - 1] not in _BECOMES and low[index - 2] not in _BECOMES
    elif word in NOT_REALLY:
        before = low[index - 1]
        if word == "than":
            found.real &= before not in _COMPARES and found.article != "a"  # "no bigger than a bird"
        elif not _is_conjunction(low, index, found):
            found.real &= before in _SEEN_AFTER.get(word, ())
    elif word == "of" and index and low[index - 1] in DEPICTED:
        whole = index - 2 if low[index - 2] in ("a", "an", "the", "this") else index - 1
        is_whole = whole <= 0 or low[whole - 1] in SIGNS or low[whole - 1] in _OPENERS
        found.real &= is_whole and low[index - 1] in IMAGES  # "This is a picture of a dog"
    elif word in ("depicting", "showing", "featuring") and index and low[index - 1] in DEPICTED - IMAGES:
        found.real = False
