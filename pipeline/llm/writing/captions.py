"""Captions as sentences: strangers' words, taken only where they can stand in a paragraph without harm.

A caption is data, never an instruction. One that holds markup, an address, or words that speak to a machine is not
quoted at all; the others are tidied and sorted into phrases ("a cat on a chair"), sentences ("a cat is asleep") and
loose ones, about which the rules below are not sure.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from pipeline.llm.writing.lexicon import COLOURS, GROUPS, NAMED, TELLING, word_set
from pipeline.llm.writing.nouns import NUMBERS, article, is_plural

Form = Literal["phrase", "sentence", "loose"]


class Caption(NamedTuple):
    """One caption that may be used, without its full stop."""

    parts: tuple[str, ...]
    """The words as written."""
    words: tuple[str, ...]
    """The same words in lower case, without punctuation."""
    form: Form
    pivot: int
    """Index of the main verb in a sentence, of the first word after the head noun in a phrase; else 0."""


_TAG = re.compile(r"<[^>]*>")
_PLAIN = re.compile(r"[A-Za-zéèêñçöüä0-9 ,.'’;:!?&()/%-]+")
_TALKS_TO_MACHINES = re.compile(
    r"ignor|instruct|prompt|system|assistant|disregard|overrid|http|www\.|question:|answer:|json|schema|as an ai|"
    r"caption|bounding|context|coordinate|repl(y|ies)|respond|output|above text|previous|pretend|@|\.com|\.(jpe?g|png)",
    re.IGNORECASE,
)
_PICTURE_OF = re.compile(r"^(?:(?:an?|the|this is an?) )?(?:picture|photo|image|photograph) of (?=\w)", re.IGNORECASE)

_DETERMINERS = word_set(
    "a an the some several many few various multiple different assorted two three four five six seven eight nine ten "
    "his her their its this these that those no one each every another"
)
_STARTERS = word_set("a an the some several many multiple various two three four five six seven eight nine")
_PLACES = word_set(
    "in on near behind beside under at above inside outside against underneath atop next along below beneath across "
    "over by around between among"
)
_LINKS = _PLACES | word_set("through onto into from with of and to for down up off that who which during about without")
_SOME_OF = word_set("number couple lot variety bunch pair")
_DONE = word_set(
    "parked filled covered topped surrounded located decorated stacked perched placed displayed dressed seated lined "
    "loaded packed mounted attached arranged piled gathered laden set full"
)
_NOT_DOING = word_set(
    "building king ring ceiling clothing wing string spring living dining parking evening morning wedding cutting "
    "railing painting crossing landing during something nothing anything everything interesting sling flooring "
    "frosting icing stuffing lighting shopping baking serving pudding swimming amazing remaining bowling "
    "setting gathering carving willing cooking reading sing bring rolling changing drawing opening matching "
    "boarding"
)
_FLOCKS = word_set("group herd bunch couple number pair team crowd flock lot row line stack pile family fleet trio")
_ADJECTIVES_ED = word_set("red bed sled shed hundred seed weed breed wooded naked sacred aged speed")
# Plural nouns as often as verbs: a verb only where something follows that a verb would take.
_TWOFOLD = word_set(
    "sails hands works turns skis plays stands drinks races rolls slides shares lands stops types plans looks lifts "
    "floats cooks cuts rests walks fills flies drives catches hits waits covers brushes"
)
_THINGS_ING = word_set("building painting setting ceiling string wing drawing ring king railing opening crossing")
_UNKIND = word_set(
    "fat ugly sexy pretty asian oriental hispanic obese chubby homeless bum hobo midget lesbian gay nude"
)
_LOOKS = word_set("nice delicious good pretty old odd strange funny weird tasty cute sad")
_SUBORDINATE = word_set("while as because when where after if until since before")
_BE = word_set("is are was were has have will does")
_VERBS = word_set(
    "sits stands holds walks rides lies lays sleeps eats drives flies runs jumps plays grazes poses leans carries "
    "wears uses takes makes prepares serves hits swings catches throws kicks cuts reads talks smiles brushes pulls "
    "pushes passes travels moves waits hangs rests goes comes gets gives shows features contains includes holds "
    "reaches watches performs attempts tries skis surfs skates skateboards snowboards glides rolls leads hovers "
    "stares peers gazes faces fills sprays enjoys cooks works types writes pets feeds drinks chews bites perches "
    "crosses turns leaps balances bends squats crouches kneels winds pitches overlooks surrounds stretches helps "
    "touches approaches pours puts begins hides stays belongs rubs pecks shares plans follows competes relaxes "
    "surveys displays depicts wades swims floats sails drifts lands taxis climbs slides speeds races gathers "
    "shines looks stops appears seems lounges naps snuggles cuddles offers hands tosses blows lifts"
)
_BASE_VERBS = word_set(
    "sit stand hold walk ride lie lay sleep eat drive fly run jump play graze pose lean carry wear use take make "
    "prepare wait hang rest go come get gather watch work look kick cross enjoy line fill travel share move talk "
    "stop drink surround pass lay"
)
_FUNCTION_WORDS = word_set(
    "a an the of in on with is are and at to by near next some two sitting standing while his her from for"
)


def read_caption(raw: str) -> Caption | None:
    """Return the caption ready for use, ``None`` if it is better not repeated."""
    text = raw
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    text = (
        " ".join(text.split())
        .strip(" .,;:!-\"'`“”")
        .replace(" & ", " and ")
        .replace(" ,", ",")
        .replace("..", ".")
        .replace(" .", ".")
    )
    if not 4 <= len(text) <= 260 or not _PLAIN.fullmatch(text) or _TALKS_TO_MACHINES.search(text):
        return None
    if text.isupper():
        text = text.lower()
    text = _PICTURE_OF.sub("", text, count=1)
    parts = tuple(text.split())
    words = tuple([part.strip(",.;:!?()'’\"").lower() for part in parts])
    if len(words) < 2 or _FUNCTION_WORDS.isdisjoint(words) or "" in words:
        return None
    if not _UNKIND.isdisjoint(words):
        return None
    if "it's" in words or any(_is_slip(a, b) for a, b in pairwise(words)):
        return None  # it would be our slip once it is in our text
    return Caption(parts, words, *_form(words))


def _is_slip(first: str, second: str) -> bool:
    """Tell whether two words in a row are a mistake: a word said twice, "a ocean", "a lots"."""
    if first in ("a", "an"):
        return article(second) != first or second in _DETERMINERS or second == "lots"
    return first == second


def _is_doing(word: str) -> bool:
    return word.endswith("ing") and len(word) > 4 and word not in _NOT_DOING


def _is_plural(word: str) -> bool:
    return word == "sheep" or is_plural(word)  # which may be one, but here the number is in other words


def _form(words: Sequence[str]) -> tuple[Form, int]:
    """Return the form and its pivot; unsure is loose."""
    if words[0] == "there" and words[1] in ("is", "are"):
        return "sentence", 1
    first = 0
    relative = False
    for index in range(1, len(words)):
        word, before = words[index], words[index - 1]
        if word in _SUBORDINATE:
            first = first or index
            break
        if word in ("that", "who", "which", "that's"):
            relative, first = word != "that's", first or index
        elif word in _BE or _is_verb(words, index):
            if not relative:
                return ("sentence", index) if _starts_well(words, index) else ("loose", 0)
            relative = False
        elif word in _BASE_VERBS and _is_plural(before) and not relative:
            return ("sentence", index) if _starts_well(words, index) else ("loose", 0)
        elif not first and _links(words, index):
            first = index
    if not first or words[0] not in _STARTERS or not _head_is_sound(words, first):
        return "loose", 0
    return "phrase", first


def _is_verb(words: Sequence[str], index: int) -> bool:
    word, before = words[index], words[index - 1]
    if word not in _VERBS or index + 1 == len(words) or before in _DETERMINERS or before in _LINKS:
        return False
    return word not in _TWOFOLD or words[index + 1] in _LINKS or words[index + 1] in _DETERMINERS


def _links(words: Sequence[str], index: int) -> bool:
    """Tell whether this word can follow a head noun: a preposition, "sitting", "parked in"."""
    word, before = words[index], words[index - 1]
    if word in _DONE or (word.endswith("ed") and len(word) > 4 and word not in _ADJECTIVES_ED):
        return index > 1 and before not in _DETERMINERS and index + 1 < len(words) and words[index + 1] in _LINKS
    return word in _LINKS or (_is_doing(word) and not (word == "looking" and before in _LOOKS))


def _starts_well(words: Sequence[str], verb: int) -> bool:
    if words[0] in _STARTERS and words[0] not in ("a", "an", "the") and words[1] != "of":
        return any(_is_plural(word) for word in words[1:verb])
    return words[0] in _STARTERS or _is_plural(words[0]) or words[0] == "this"


def _head_is_sound(words: Sequence[str], first: int) -> bool:
    """Tell whether no verb that we do not know hides before the first linking word ("a hydrant sprays water in …")."""
    head = words[first - 1]
    if words[0] in ("a", "an"):
        return not any(_is_plural(word) for word in words[1:first])
    if words[0] == "the":
        return not _is_plural(head) or _is_doing(words[first])
    return _is_plural(head)


def lowered(caption: Caption) -> str:
    """Return the caption with a small letter where it begins with a small word, to go on in mid-sentence."""
    first = caption.parts[0].lower() if caption.words[0] in _STARTERS or caption.words[0] in NAMED else caption.parts[0]
    if caption.words[0] in ("there", "people", "this"):
        first = first.lower()
    return " ".join((first, *caption.parts[1:]))


def as_phrase(caption: Caption) -> str | None:
    """Return the caption as a noun phrase, ``None`` where it cannot be had safely."""
    words, pivot = caption.words, caption.pivot
    if caption.form == "phrase":
        return lowered(caption)
    is_doing = caption.form == "sentence" and words[pivot] in ("is", "are") and pivot + 1 < len(words)
    is_doing = is_doing and _BE.isdisjoint(words[pivot + 1 :])
    if is_doing and words[0] in _STARTERS and words[0] != "the" and _is_doing(words[pivot + 1]):
        parts = (caption.parts[0].lower(), *caption.parts[1:pivot], *caption.parts[pivot + 1 :])
        return " ".join(parts)
    return None


def as_sentence(caption: Caption, known: Collection[str] = ()) -> str | None:
    """Return the caption as a full sentence without its stop, ``None`` where it cannot be had safely.

    Args:
        caption: Any usable caption.
        known: Words that the reader has met: a thing among them is "the cat", no longer "a cat".
    """
    words, pivot = caption.words, caption.pivot
    if caption.form == "sentence":
        return " ".join((_opening(caption, known, pivot - 1), *caption.parts[1:]))
    if caption.form == "loose":
        if len(words) > 2 and words[0] in NAMED and _is_doing(words[1]):
            verb = "are" if NAMED[words[0]][1] else "is"
            return " ".join(("The", caption.parts[0].lower(), verb, *caption.parts[1:]))
        return None
    link = words[pivot]
    if link == "of":  # "a group of people sitting at …"
        pivot = next((i for i in range(pivot + 1, min(pivot + 5, len(words))) if _is_doing(words[i])), 0)
        if not pivot or words[1] not in _FLOCKS or any(word in _LINKS for word in words[caption.pivot + 1 : pivot]):
            return None
        link = words[pivot]
    elif not _is_doing(link) and any(_is_doing(word) for word in words[pivot:]):
        return None
    head = words[pivot - 1]
    if caption.parts[pivot - 1].endswith(",") or (head.endswith("ing") and head not in _THINGS_ING):
        return None
    many = _is_plural(head) or words[0] in NUMBERS or words[1] == "couple"
    opening = (_opening(caption, known, pivot - 1), *caption.parts[1:pivot])
    if link == "with":
        has = words[pivot + 1 : pivot + 4]
        if not has or not (has[0] in _DETERMINERS or any(_is_plural(word) for word in has)):
            return None
        return " ".join((*opening, "have" if many else "has", *caption.parts[pivot + 1 :]))
    if _is_doing(link) or link in _DONE or link in _PLACES or link.endswith("ed"):
        return " ".join((*opening, "are" if many else "is", *caption.parts[pivot:]))
    return None


def definite(caption: Caption, labels: Collection[str]) -> frozenset[str]:
    """Return the caption's words for these categories, which the reader has met under whatever name."""
    return frozenset(word for word in caption.words if word in NAMED and NAMED[word][0] in labels)


def _opening(caption: Caption, known: Collection[str], head: int) -> str:
    first = caption.words[0]
    if caption.words[head] in known and caption.words[1] not in _SOME_OF:
        if first in ("a", "an"):
            return "The"
        if first in NUMBERS:
            return f"The {first}"
    return caption.parts[0][:1].upper() + (caption.parts[0][1:])


def subject(caption: Caption) -> str | None:
    """Return what the caption is about, as ``the black cat``; ``None`` unless it is one thing that does something."""
    words, pivot = caption.words, caption.pivot
    doing = pivot + 1 if caption.form == "sentence" and words[pivot] == "is" else pivot
    if not 2 <= pivot <= 4 or words[0] not in ("a", "an", "the") or doing >= len(words) or not _is_doing(words[doing]):
        return None
    named = NAMED.get(words[pivot - 1])
    if named is None or named[1] or GROUPS[named[0]] not in ("people", "animal", "vehicle"):
        return None
    return " ".join(("the", *caption.parts[1:pivot]))


_POSES = (
    word_set("sitting sits seated sit"),
    word_set("standing stands stand"),
    word_set("laying lying lays lies sleeping sleeps resting asleep"),
    word_set("walking walks running runs walk run"),
    word_set("parked stopped docked"),
    word_set("driving traveling travelling moving drives travels passes flying flies"),
)
_COLOURS = COLOURS | {"colorful"}


def agree(first: Caption, second: Caption) -> bool:
    """Tell whether the second caption can follow the first: it adds something, and does not say otherwise."""
    a, b = set(first.words), set(second.words)
    added, common = (sum(len(word) > 3 for word in words) for words in (b - a, b & a))
    if added < 3 or added < common:
        return False
    if (a & _COLOURS) and (b & _COLOURS) and not (a & _COLOURS) >= (b & _COLOURS):
        return False
    poses_a = {index for index, words in enumerate(_POSES) if words & a}
    poses_b = {index for index, words in enumerate(_POSES) if words & b}
    if poses_a and poses_b and not poses_a & poses_b:
        return False
    numbers_a, numbers_b = a.intersection(NUMBERS), b.intersection(NUMBERS)
    if numbers_b - numbers_a and numbers_a:
        return False
    people_a, people_b = ({TELLING[word] for word in words & TELLING.keys()} for words in (a, b))
    return not people_a or not people_b or bool(people_a & people_b)
