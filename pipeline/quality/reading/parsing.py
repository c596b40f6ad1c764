"""One walk over the words of a sentence, from which all that it says is read."""

from __future__ import annotations

from pipeline.quality.reading.alongside import add_side, read_relations
from pipeline.quality.reading.attachment import locate
from pipeline.quality.reading.lexicon import Form, Lexicon
from pipeline.quality.reading.mentions import find_form, number
from pipeline.quality.reading.nouns import is_thing, read_mention
from pipeline.quality.reading.places import KEYS, Place, read_place
from pipeline.quality.reading.pronouns import PRONOUNS, Memory, read_pronoun
from pipeline.quality.reading.statements import BREAKS, Statement
from pipeline.quality.reading.vocabulary import (
    AMOUNTS,
    ARTICLES,
    DEFINITE,
    FUNCTION,
    HEDGES,
    NOT,
    PIECES,
    SEES,
    SIGNS,
    THERE,
    word_set,
)

_MOST_DULL = 50_000  # words kept of which it is known that nothing is to be done at them
_DIGITS = frozenset("0123456789")
_NOBODY = word_set("nobody noone no-one")
_SAYINGS = {"knows": (["who"],), "know": (["never"], ["we"]), "speak": (["to"],), "were": (["as", "it"],)}
"""Last words of "who knows", "for all we know", "so to speak" and "as it were", with those before them."""
_ACTIONS = (
    dict.fromkeys(PRONOUNS, "pronoun")
    | dict.fromkeys(_NOBODY | {"one", "soul", "anyone", "anybody"}, "nobody")
    | dict.fromkeys(KEYS, "place")
    | dict.fromkeys(HEDGES | _SAYINGS.keys(), "hedge")
    | dict.fromkeys(BREAKS, "break")
)
"""What is to be done at a small word."""
_MODALS = word_set("would could might will you'd i'd one'd they'd we'd he'd she'd you'll")
_LOOKS = word_set("see find spot notice count say call put tell recognise recognize describe")
"""Verbs after which "you would" is politeness."""
_READER = word_set("you we one i anyone")
_DOERS = word_set("which who he she it")
"""Words behind which a plural is a verb."""
_TAKING = word_set(
    "wearing holding carrying riding using eating pushing pulling walking watching facing leading feeding having "
    "drinking playing driving flying throwing catching chasing herding petting approaching crossing passing including "
    "being during"
)
"""Participles of which a name may be the object: "two riding bicycles"."""
_SEEMS = word_set("appear seem seems")
_SEEN = word_set("made found told read heard discerned caught in on at behind near next to from under above")
_SUBJECTS = word_set("it he she they you we one i there the would might could")
_CLOSERS = word_set(". ; ! ?")
_TAGS = word_set("maybe perhaps probably presumably possibly")


def read_statement(low: list[str], first: int, stop: int, lexicon: Lexicon, memory: Memory) -> Statement:
    """Read the sentence of the words from ``first`` to before ``stop``."""
    found = Statement(low, first, stop)
    places: list[Place] = []
    dull = lexicon.dull
    start = index = first
    while index < stop:
        word = low[index]
        if word in dull:
            index += 1
            continue
        rows, action = lexicon.forms.get(word), _ACTIONS.get(word)
        if rows is None and action is None and word[0] not in _DIGITS and word[-2:] != "'s":
            if len(dull) < _MOST_DULL:
                dull.add(word)
            index += 1
            continue
        alone = None
        if (
            rows is not None and action == "pronoun" and not _is_before_name(low, index, stop, lexicon)
        ):  # "How many dogs?" "A couple."
            alone = read_pronoun(low, start, index, stop, found.mentions, memory)
        name = _read_name(low, first, index, stop, lexicon) if alone is None and (action is None or rows) else None
        if name is not None:
            form, owner = name
            if form.sense is not None:
                mention = read_mention(low, start, index, form, owner)
                if is_thing(mention, low, stop, form, lexicon):
                    found.mentions.append(mention)
                    start = mention.last + 1
            index += 1 + len(form.rest)
            continue
        if action == "break":
            if word != "," or low[index + 1] not in ("or", "nor"):  # "it would take a giant, or a ladder"
                found.breaks.append(index)
        elif action == "hedge" and _is_hedge(low, index, first, stop):
            found.hedges.append(index)
            found.guess |= _is_tag(low, index, stop)
        elif action == "place":
            index = _add_place(found, index, places)
        elif action == "nobody" and _is_nobody(low, first, index):
            found.nobody.append(index)
        elif (action in ("pronoun", "nobody") or word[0] in _DIGITS) and not _is_before_name(low, index, stop, lexicon):
            pronoun = read_pronoun(low, start, index, stop, found.mentions, memory)
            if pronoun is not None:
                before = low[pronoun.first - 1] if pronoun.first > first else ""
                pronoun.real &= before != "for" or not pronoun.counted
                found.mentions.append(pronoun)
                index = pronoun.last
                start = index + 1
        index += 1
    read_relations(found, memory)
    found.has_place = bool(places or found.relations)
    for place in places:
        if place.frame == "relation":
            add_side(found, place, memory)
        elif place.frame in ("image", "thing"):
            found.located.append(locate(found, place, places))
    return found


def _read_name(low: list[str], first: int, index: int, stop: int, lexicon: Lexicon) -> tuple[Form, bool] | None:
    """Return the name that begins at a word, and whether it is in the genitive."""
    word, owner = low[index], False
    rows = lexicon.forms.get(word)
    if rows is None and word.endswith("'s"):
        rows, owner = lexicon.forms.get(word[:-2]), True
    form = find_form(low, index, stop, rows) if rows else None
    if form is None or word in KEYS:
        return None
    # "clock in" is a verb, but not in "a clock in the hall".
    is_verb = form.sense is None and form.rest and form.rest[-1] in ("in", "out", "up")
    if rows and is_verb and index > first and (low[index - 1] in ARTICLES or low[index - 1] in DEFINITE):
        form = next((each for each in rows if not each.rest), form)
    if form.many and not form.rest and index > first and low[index - 1] in _DOERS:
        return None  # "which sails past", "she skis"
    if word in FUNCTION and form.sense is not None and not _has_article(low, first, index):
        return None
    if not form.rest and word in PIECES and low[index + 1 : index + 2] == ["of"]:
        whole = lexicon.forms.get(low[index + 2]) if index + 2 < stop else None
        if whole and find_form(low, index + 2, stop, whole) is not None:
            return None  # "a slice of orange" is of an orange
    if not form.rest and word in AMOUNTS and low[index + 1 : index + 2] == ["of"]:
        return None  # "a couple of birds" is no couple
    return form, owner


def _is_before_name(low: list[str], index: int, stop: int, lexicon: Lexicon) -> bool:
    """Tell whether a number goes with a name behind a participle: "two potted plants", "three parked cars"."""
    ahead = index + 1
    while ahead < min(index + 4, stop):
        rows = lexicon.forms.get(low[ahead])
        form = find_form(low, ahead, stop, rows) if rows else None
        if form is not None and low[ahead] not in FUNCTION:
            return form.sense is not None and form.many is not False
        if not low[ahead].endswith(("ed", "ing")) or low[ahead] in _TAKING:
            return False
        ahead += 1
    return False


def _has_article(low: list[str], first: int, index: int) -> bool:
    """Tell whether a word that is also a small word, such as "can", is a noun here."""
    if index == first:
        return False
    before = low[index - 1]
    return before in ARTICLES or before in DEFINITE or number(before) is not None


_AGENTS = ("by", "to", "for", "of")
"""Words before somebody who does a thing, or does not: "led by no one"."""


def _is_nobody(low: list[str], first: int, index: int) -> bool:
    word = low[index]
    if word == "one":
        return index > first and low[index - 1] == "no" and low[index - 2] not in _AGENTS
    if word in _NOBODY:
        return low[index - 1] not in _AGENTS
    if low[max(first, index - 2) : index] == ["not", "a"]:
        return True  # "not a soul"
    earlier = low[max(first, index - 5) : index]
    exists = not THERE.isdisjoint(earlier) or not SEES.isdisjoint(earlier)
    return ("sign" in earlier and "no" in earlier) or (exists and not NOT.isdisjoint(earlier))


def _add_place(found: Statement, index: int, places: list[Place]) -> int:
    """Add the place at a word, if there is one; return the last word that was read."""
    place = read_place(found.low, found.first, index, found.stop)
    if place is None:
        return index
    if places and place.first <= places[-1].last:
        place.first = places[-1].last + 1  # "high up on the left" is two
    places.append(place)
    if place.frame == "image":
        return place.last
    while index + 1 < found.stop and found.low[index + 1] in KEYS:
        index += 1
    return index


def _is_tag(low: list[str], index: int, stop: int) -> bool:
    """Tell whether a hedge at the end of a clause is about all before it: "a dog and two boys, maybe"."""
    after = low[index + 1] if index + 1 < stop else "."
    if low[index] == "if" and (after == "any" or low[index + 1 : index + 4] == ["there", "are", "any"]):
        return True
    return low[index] in _SAYINGS or (low[index] in _TAGS and after in _CLOSERS and low[index - 1] == ",")


def _is_hedge(low: list[str], index: int, first: int, stop: int) -> bool:
    word = low[index]
    after = low[index + 1] if index + 1 < stop else ""
    if word in _SAYINGS:
        return any(low[index - len(said) : index] == said for said in _SAYINGS[word])
    if word in _MODALS:
        makes_out = after == "make" and (low[index + 2 : index + 3] == ["out"] or number(low[min(index + 3, stop - 1)]))
        if low[first:index] in (["that"], ["it"], ["this"]) and after in ("be", "make") and number(low[index + 2]):
            return False  # "That would be four."
        is_polite = after in _LOOKS and (after != "put" or "'" in word) and ("'" in word or low[index - 1] in _READER)
        return not (is_polite or makes_out)
    if word == "if":
        return not (after in _READER and index == first)  # "if you count them, there are seven"
    if word in ("when", "once"):
        return not (index > first and after in ("you", "we"))
    if word in _SEEMS:
        is_there = low[index - 1] in THERE and low[index + 1 : index + 3] == ["to", "be"]  # politeness, once more
        return (word != "appear" or after in ("to", "like", "as")) and not is_there
    if word == "can":
        then = low[index + 2] if index + 2 < len(low) else "."
        return after == "be" and then not in SEES and not then.endswith(("ed", "en", "ing")) and then not in _SEEN
    if word == "otherwise":
        return index == first or after in SIGNS or after in _SUBJECTS  # but not "an otherwise empty street"
    return not (word == "may" and low[index - 1 : index] == ["in"])  # the month
