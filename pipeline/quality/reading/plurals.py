"""One and many: the regular English plural of a noun, and the common irregular ones."""

from __future__ import annotations

_IRREGULAR = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "foot": "feet", "tooth": "teeth",
    "goose": "geese", "mouse": "mice", "ox": "oxen", "knife": "knives", "wife": "wives", "life": "lives",
    "leaf": "leaves", "loaf": "loaves", "half": "halves", "shelf": "shelves", "calf": "calves", "wolf": "wolves",
    "scarf": "scarves", "thief": "thieves", "elf": "elves", "bus": "buses", "gas": "gases", "lens": "lenses",
    "quiz": "quizzes", "potato": "potatoes", "tomato": "tomatoes", "mango": "mangoes", "hero": "heroes",
    "buffalo": "buffalo", "mosquito": "mosquitoes", "cactus": "cacti", "sheep": "sheep", "deer": "deer", "fish": "fish",
    "moose": "moose", "bison": "bison", "aircraft": "aircraft", "spacecraft": "spacecraft", "series": "series",
    "salmon": "salmon", "trout": "trout", "shrimp": "shrimp", "squid": "squid", "offspring": "offspring",
    "human": "humans", "german": "germans",
    "binoculars": "binoculars", "scissors": "scissors", "skis": "skis", "shorts": "shorts", "trousers": "trousers",
    "pants": "pants", "jeans": "jeans", "glasses": "glasses", "goggles": "goggles", "sunglasses": "sunglasses",
    "tongs": "tongs", "pliers": "pliers", "headphones": "headphones", "earphones": "earphones", "pyjamas": "pyjamas",
}  # fmt: skip
_SINGULAR_S = ("ss", "us", "is")


def plural_of(words: str) -> str:
    """Return the plural of a name of one or several words; of ``glass of wine`` it is ``glasses of wine``."""
    head, *rest = words.split(" of ", 1)
    before, _, last = head.rpartition(" ")
    many = _plural(last)
    return " of ".join([f"{before} {many}".strip(), *rest])


def _plural(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for one, many in _IRREGULAR.items():  # fisherman, grandchild
        if len(one) > 2 and word.endswith(one) and one in ("man", "child", "person"):
            return word[: -len(one)] + many
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return word[:-1] + "ies"
    return word + "s"


def is_plural(word: str) -> bool:
    """Tell whether the last word of a category's name is surely a plural already, as in ``skis`` and ``people``."""
    if word in _IRREGULAR:
        return _IRREGULAR[word] == word and word.endswith("s") and word != "series"
    if word in _IRREGULAR.values():
        return True
    return len(word) > 3 and word.endswith("s") and not word.endswith(_SINGULAR_S)


def singular_of(word: str) -> str:
    """Return the singular of a word that is surely a plural."""
    for one, many in _IRREGULAR.items():
        if many == word:
            return one
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1]
