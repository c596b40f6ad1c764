"""How things are said: labels as nouns, articles, plurals, numbers, lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pipeline.llm.writing.lexicon import FORMS, GROUPS, regular_plural, word_set

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


class Noun(NamedTuple):
    """A label in words."""

    label: str
    """What tells this thing from others: the category, in COCO's spelling where it is one of COCO's."""
    one: str
    """``dog``, ``pair of scissors``."""
    many: str
    """``dogs``, ``pairs of scissors``."""
    a: str
    """``a dog``; ``some grass`` where there is no counting."""
    group: str
    """COCO's supercategory in one word; empty for a label that COCO does not have."""
    counts: bool
    """False for a mass (``grass``) and for a label that is a plural already (``glasses``)."""
    are: str
    """The verb after one of it: ``is``, or ``are`` for a label that is a plural already."""


_MARKUP = re.compile(r"<[^>]*>|&\w+;|[<>{}\[\]|\\`*_#~^=\"“”]+")
_MASSES = word_set(
    "grass snow sand water food luggage furniture clothing rice bread fruit cheese hair paper wood metal traffic "
    "equipment jewelry jewellery cutlery tissue fluid blood bone air gravel mud rubbish trash garbage"
)
_IRREGULAR = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "foot": "feet", "tooth": "teeth",
    "goose": "geese", "mouse": "mice", "knife": "knives", "leaf": "leaves", "shelf": "shelves", "wolf": "wolves",
    "loaf": "loaves", "half": "halves", "sheep": "sheep", "deer": "deer", "fish": "fish", "aircraft": "aircraft",
    "series": "series", "species": "species",
}  # fmt: skip
_PLURALS = frozenset(_IRREGULAR.values()) - _IRREGULAR.keys() | {"cattle"}
_SINGULARS = _IRREGULAR.keys() | word_set("christmas gas lens news")
"""Words that are no plural, whatever they end in."""
_LONGEST_WORDS = 8  # of a label; some data sets put a whole sentence there


@lru_cache(maxsize=4096)
def noun(label: str) -> Noun:
    """Return the words for a label: ours for COCO's categories, regular English for others."""
    known = label.strip().lower().replace("_", " ")
    if known in FORMS:
        one, many = FORMS[known]
        return Noun(known, one, many, f"{article(one)} {one}", GROUPS[known], True, "is")
    words = _MARKUP.sub(" ", label.replace("_", " ")).split()[:_LONGEST_WORDS] or ["object"]
    if all(word.istitle() and word.isascii() for word in words):
        words = [word.lower() for word in words]
    one = " ".join(words).rstrip(".,;:!?")[:300].rstrip() or "object"
    words = one.split()
    head = words[words.index("of") - 1] if "of" in words[1:] else words[-1]
    if head.lower() in _MASSES:
        return Noun(one, one, one, f"some {one}", "", False, "is")
    if is_plural(head):
        return Noun(one, one, one, f"some {one}", "", False, "are")
    before, after = one.rsplit(head, 1) if head == words[-1] else one.split(head, 1)
    return Noun(one, one, f"{before}{_plural(head)}{after}", f"{article(one)} {one}", "", True, "is")


def is_plural(word: str) -> bool:
    """Tell whether a word is surely a plural, by its ending or because we know it."""
    lower = word.lower()
    if lower in _SINGULARS or lower in _PLURALS:
        return lower in _PLURALS
    return word.isascii() and len(word) > 3 and lower.endswith("s") and not lower.endswith(("ss", "us", "is"))


def _plural(word: str) -> str:
    if not (word.isascii() and word[-1:].isalpha()):
        return word
    if word.lower() in _IRREGULAR:
        return _IRREGULAR[word.lower()]
    return word + "s" if word.isupper() else regular_plural(word)


def article(words: str) -> str:
    """Return ``a`` or ``an``, by sound as far as spelling tells it."""
    first = words.split(maxsplit=1)[0].split("-")[0]
    if first.isupper() and len(first) <= 4 and first.isalpha() and first.isascii():  # said letter by letter
        return "an" if first[0] in "AEFHILMNORSX" else "a"
    lower = first.lower()
    if lower.startswith(("uni", "use", "usu", "eu", "one", "once", "ufo", "ute", "uri")) and lower[:5] != "unint":
        return "a"
    if lower.startswith(("hour", "honest", "heir", "8", "11", "18")):
        return "an"
    return "an" if lower[:1] in tuple("aeiouáàâäéèêëíìîïóòôöúùûü") else "a"


def listed(items: Sequence[str]) -> str:
    """Return ``a``, ``a and b``, or ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def capital(sentence: str) -> str:
    """Return the sentence with a capital at its start, and the rest left alone."""
    return sentence[:1].upper() + sentence[1:]
