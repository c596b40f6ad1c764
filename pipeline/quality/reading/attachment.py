"""What a place of a sentence is said of.

A place belongs to what follows it at the head of a clause ("On the left there is a dog"), else to what was named last
before it, or to that thing's own subject ("a man on a bench on the left"): whatever fits makes it true.
"""

from __future__ import annotations

from typing import Literal

from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.places import Place
from pipeline.quality.reading.pronouns import ADJECTIVES, NOUNLESS
from pipeline.quality.reading.statements import BREAKS, Located, Statement
from pipeline.quality.reading.vocabulary import (
    ARTICLES,
    BE,
    DEFINITE,
    FUNCTION,
    IMAGES,
    SEES,
    SIGNS,
    THERE,
    VERBS,
    word_set,
)

_TRANSPARENT = IMAGES | word_set(
    "room kitchen bathroom bedroom street road ground floor grass field beach water sky snow park background "
    "foreground court sidewalk pavement yard lot station tarmac platform hill slope river ocean sea lake air office "
    "restaurant corner side left right top bottom middle centre center day night group row line crowd pair front "
    "back rear"
)
"""Nouns that nobody says are on the left: a dog on the grass on the left."""
_LEAD_INS = word_set(
    "and but or while whereas with also then plus where because that yet so finally though although as for nor"
)
_SOMEBODY = word_set("someone somebody")
_CONJUNCTIONS = word_set("and while whereas but although though because as so")
_ADVERBS = word_set(
    "just over down up here further far somewhere slightly somewhat little bit way mostly plumb smack tucked right a"
)
_POINTERS = FUNCTION | VERBS | SEES | THERE | BE | frozenset(",")
"""Words between a place at the head of a clause and what is there, less those below."""
_NO_POINTERS = word_set(
    "a an the some any in on at of with by from to into onto near next under above behind beside for without opposite "
    "against along over between around through across beyond inside opposite past within below beneath and or it he "
    "she they him her his its their this these those another one ones both all two three four five six seven"
)
_TAKEN = word_set("occupied filled dominated covered taken up shown seen")
NAMELESS = ARTICLES | DEFINITE | ADJECTIVES
"""Words before a noun that name nothing."""
_FINITE = VERBS | BE
_WHICH = word_set("that which")
_FILLINGS = word_set("coffee tea milk water wine beer juice cream cake cakes rice vegetables fruit sauce cheese")
_CAN = word_set("can could")
_RELATIVES = word_set("that which who to and")
_HELPERS = word_set("has have had been is are was were be being")
_FARTHER = word_set("to toward towards from opposite like past and or for about")
_EYES = ("look", "star", "gaz", "point", "glanc", "aim", "wav")
_WATCHES = ("watch", "view", "face", "observe", "admire", "inspect", "examine")
_ATTACHES = word_set("with in on of by near behind beside holding wearing carrying")
_PARTICIPLES = word_set("held kept laid put set built stuck hidden bound done gone left hung seen sat shown found lost")
OBJECTS = word_set("it him her them")
"""Words that stand for a thing beside which another is."""


def locate(found: Statement, place: Place, places: list[Place]) -> Located:
    """Return a place with what is said to be there."""
    low, mentions = found.low, found.mentions
    ahead = next(
        (
            k
            for k, each in enumerate(mentions)
            if each.first > place.last and not each.owner and not _is_object_of(low, each)
        ),
        None,
    )
    if ahead is not None and is_fronted(found, place, ahead, places):
        if low[mentions[ahead].head] in _SOMEBODY and ahead + 1 < len(mentions):
            return Located(place, (ahead + 1, ahead))  # "on the left somebody has put up a tent"
        return Located(place, (ahead,))
    after = low[place.last + 1] if place.last + 1 < found.stop else "."
    if after in THERE and found.before(place.first) in ("and", ",", ";", "but", ""):
        return Located(place, ())  # "and on the right there's a bit of wall"
    earlier = [k for k, each in enumerate(mentions) if each.last < place.first and not each.owner]
    passed = -1
    if len(earlier) > 1 and earlier[-1] == earlier[-2] + 1 and _is_apposition(found, earlier[-1]):
        passed = mentions[earlier.pop()].last + 1
    elif len(earlier) > 1 and _is_passed_over(found, earlier[-1], place):
        passed = mentions[earlier.pop()].last
    elif len(earlier) > 1 and _is_purpose(found, earlier[-1]):
        passed = mentions[earlier.pop()].last  # "benches for passengers have been installed on the left"
    if not earlier:
        return Located(place, ())
    nearest = earlier[-1]
    between = gap(found, max(passed, mentions[nearest].last) + 1, place.first)
    if between == "other":
        return Located(place, ())
    subjects = [nearest]
    if "which" in low[mentions[nearest].last + 1 : place.first]:  # and nothing before it
        return Located(place, (nearest,), between == "clear")
    if mentions[nearest].like >= 0:  # "the clocks are above the benches, both ..." is about either
        subjects += [k for k in reversed(earlier[:-1]) if mentions[k].many and not mentions[k].pronoun]
        return Located(place, tuple(subjects), between == "clear")
    if low[mentions[nearest].last + 1] in _WHICH and mentions[nearest].last + 2 < place.first:
        return Located(place, (nearest,), between == "clear")  # "he has an umbrella that covers the bottom"
    for k in range(nearest - 1, -1, -1):
        if is_parted(low, mentions[k].last + 1, mentions[k + 1].first):
            break
        here = range(mentions[k].last + 1, mentions[k + 1].first)
        if any(other.first in here and other.frame == "image" for other in places):
            break
        if not mentions[k].owner:
            subjects.append(k)
    return Located(place, tuple(subjects), between == "clear")


def _is_apposition(found: Statement, nearest: int) -> bool:
    """Tell whether a thing only explains the one before: "the bus, the largest of the vehicles, stands"."""
    low, mention, before = found.low, found.mentions[nearest], found.mentions[nearest - 1]
    after = mention.last + 1
    if before.part:
        return False  # "the tallest of the animals, the giraffe, ..."
    if low[before.last + 1] != "," or after + 1 >= found.stop or low[after] != "," or low[after + 1] not in _FINITE:
        return False
    return "," not in low[before.last + 2 : after] and "and" not in low[before.last + 2 : after]


def _is_passed_over(found: Statement, nearest: int, place: Place) -> bool:
    """Tell whether a verb between a thing and a place is said of another thing: "a man with a dog sits"."""
    low, mention, before = found.low, found.mentions[nearest], found.mentions[nearest - 1]
    index = mention.last + 1
    joins = low[before.last + 1 : mention.first]
    is_object = len(joins) == 1 and joins[0] in _ATTACHES
    return is_object and index < place.first and low[index] in _FINITE and low[index] not in _PARTICIPLES


def _is_purpose(found: Statement, nearest: int) -> bool:
    """Tell whether a thing is what the one before is for: "a bowl for the cat stands"."""
    low, mention = found.low, found.mentions[nearest]
    index = mention.last + 1
    return (
        low[mention.first - 1] == "for" and index < found.stop and (low[index] in _FINITE or low[index].endswith("ed"))
    )


def _is_object_of(low: list[str], mention: Mention) -> bool:
    """Tell whether a word such as "them" goes with a preposition: "behind them"."""
    return mention.pronoun and low[mention.first] in OBJECTS and low[mention.first - 1] in FUNCTION


def is_parted(low: list[str], start: int, stop: int) -> bool:
    """Tell whether a clause or a new part of a list begins between two words."""
    return any(low[index] in BREAKS or low[index] in ("and", "or") for index in range(start, stop))


def is_fronted(found: Statement, place: Place, ahead: int, places: list[Place]) -> bool:
    """Tell whether a place stands at the head of a clause, before what is there."""
    low = found.low
    index = place.first - 1
    while index >= found.first and low[index] in _ADVERBS:
        index -= 1
    joined = (index, index - 1, place.first - 1)
    earlier = next((each for each in places if each.last in joined and each.last < place.first), None)
    if earlier is not None:
        return is_fronted(found, earlier, ahead, places)
    if index >= found.first and low[index] not in SIGNS and low[index] not in _LEAD_INS:
        return _is_participial(found, place, ahead)
    is_apart = index > found.first and low[index] == "," and low[place.last + 1 : place.last + 2] == [","]
    if is_apart and any(each.last == index - 1 and each.first == found.first for each in found.mentions):
        return False  # "The cat, on the left, leaves the bird alone"
    is_added = is_apart and low[place.last + 2] in _CONJUNCTIONS and low[index - 1] not in _LEAD_INS
    if is_added and any(each.last < index for each in found.mentions):
        return False  # "It shows a dog, on the left, while the cat ..."
    begin = place.last + 1
    within = 10 if low[begin + 1 : begin + 2] in (["where"], ["just"], ["right"], ["close"], ["near"]) else 5
    if low[begin] == "," and "," in low[begin + 1 : begin + within]:  # ", behind them, "
        begin = low.index(",", begin + 1)
    end = found.mentions[ahead].first
    if ahead and found.mentions[ahead - 1].owner and found.mentions[ahead - 1].last == end - 1:
        end = found.mentions[ahead - 1].first  # "somebody's dog"
    for each in range(begin, end):
        word = low[each]
        if any(other.first <= each <= other.last for other in places):
            begin = each + 1
            continue
        if word == "," and each > begin:
            return False
        if word in _TAKEN or (word == "by" and low[each - 1] in _TAKEN):
            continue
        if word in _NO_POINTERS or not (word in _POINTERS or word.endswith(("ing", "ed", "ly"))):
            return False
    return True


def _is_participial(found: Statement, place: Place, ahead: int) -> bool:
    """Tell whether a place belongs to "standing on the left," before what stands there."""
    low, mention = found.low, found.mentions[ahead]
    begin = place.first
    while begin > found.first and low[begin - 1] not in SIGNS and low[begin - 1] not in _LEAD_INS:
        begin -= 1
    if any(begin <= each.first < place.first for each in found.mentions):
        return False
    if not (low[begin].endswith(("ing", "ed")) or low[begin] in _PARTICIPLES):
        return False
    if any(word in ARTICLES or word in DEFINITE for word in low[begin : place.first]):
        return False
    link = low[place.last + 1 : mention.first]
    return link == [","] or (len(link) == 1 and link[0] in BE)


def gap(found: Statement, start: int, stop: int) -> Literal["clear", "doubtful", "other"]:
    """Tell whether something without a name in the lexicon stands between a mention and what is said of it.

    Returns:
        ``other`` where a new part of the sentence is about such a thing, ``doubtful`` where the thing is the object of
        a verb, as in "a boy watches the kettle on the left".
    """
    low = found.low
    commas = [index for index in range(start, stop) if low[index] == ","]
    if len(commas) > 1 and commas[0] == start and low[commas[-1] + 1] in _FINITE:
        start = commas[-1] + 1  # "a dog, hoping for scraps, lies on the left"
    parted = ""
    verdict: Literal["clear", "doubtful", "other"] = "clear"
    index = start
    if low[start : start + 1] in (["or"], ["and"]) and low[start - 2] == "of" and low[start + 1] in _FILLINGS:
        index = start = start + 2  # "a cup of coffee or tea on the right"
    if index < stop and _is_verb_of(found, start):
        index += 1
    while index < stop:
        word = low[index]
        if word in BREAKS or word in ("and", "or"):
            parted = word
        elif word in ("it", "he", "she", "they") and low[index - 1] != "of":
            first = found.mentions[0]
            if (first.last + 1 != start or first.first != found.first) and not _is_only(found, index):
                verdict = "doubtful"
        elif word in ("one", "another", "other", "others", "former", "latter"):
            return "other"
        elif word.endswith("est") and low[index + 1] == "of":
            return "other"  # "the nearest of them"
        elif is_unknown(word):
            end = index
            while end < stop and is_unknown(low[end]):
                end += 1
            named = [each for each in low[index:end] if each not in NAMELESS]
            if named and _TRANSPARENT.isdisjoint(named):
                if parted and not _is_prepositional(low, index):
                    return "other" if parted != "," or word in ARTICLES else "doubtful"
                if _is_object(low, index) and not (end == index + 1 and _is_doing(low, index)):
                    verdict = "doubtful"
            index = end
            continue
        elif verdict == "doubtful" and word in _FINITE | _CAN and low[index - 1] not in _RELATIVES and not parted:
            verdict = "clear"  # "a dog wearing a collar can be spotted"
        index += 1
    return verdict


def _is_only(found: Statement, index: int) -> bool:
    """Tell whether there is but one thing that "it" at a word can stand for: "there is a bench, and it stands ..."."""
    if found.low[index] != "it" or found.low[index - 1] not in ("and", ",", "but"):
        return False
    named = [each for each in found.mentions if each.last < index and not each.owner]
    sense = named[0].sense if len(named) == 1 else None
    return sense is not None and named[0].many is False and "person" not in sense.may


def _is_verb_of(found: Statement, index: int) -> bool:
    """Tell whether a word that nobody listed is a verb, being behind the name of one thing: "a plant brightens"."""
    word = found.low[index]
    named = next((each for each in found.mentions if each.last == index - 1), None)
    return named is not None and named.article == "a" and named.many is False and word[-1] == "s" and word[-2:] != "ss"


def is_unknown(word: str) -> bool:
    """Tell whether a word is of the name of something that the lexicon does not know, its article included."""
    if word in ARTICLES or word in DEFINITE or word in ADJECTIVES:
        return True
    return not (word in NOUNLESS or word.endswith(("ing", "ed", "ly")))


def _is_prepositional(low: list[str], index: int) -> bool:
    before = low[index - 1]
    return before in FUNCTION and before not in _FARTHER and before not in BE


def _is_doing(low: list[str], index: int) -> bool:
    """Tell whether a bare noun is half of what a verb says: "gives shade", "keeps watch"."""
    verb, noun = low[index - 1], low[index]
    return verb in VERBS and verb not in SEES and not verb.startswith(_EYES + _WATCHES) and noun[-1] != "s"


def _is_object(low: list[str], index: int) -> bool:
    """Tell whether an unknown name is the object of a verb, so that a place may be the object's own."""
    before = low[index - 1]
    if before == "at":
        return low[index - 2].startswith(_EYES)
    return before not in _HELPERS and (before not in FUNCTION or before in _FARTHER)
