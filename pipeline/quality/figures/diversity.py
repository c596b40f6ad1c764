"""What a question asks, as its first words and as a verb and a noun: measures of how varied questions are.

Verb and noun are found by rule, without a model of the language, which a download would need. The rules, in order:

1. Of a text with several sentences the last that ends in a question mark counts, else the first. What leads in
   ("Based on the picture, ...", "Please ...", "Could you ...") is skipped.
2. "How many dogs ..." and "What is the number of dogs ..." are *count* dog; "Where is the dog?" is *locate* dog.
3. A question that weighs things is *compare* and the first of them: "Which is larger, the dog or the cat?" is
   *compare* dog.
4. A noun phrase is determiners and words up to a preposition, an auxiliary, a verb in -ing or -ed, or a comma; its last
   word is its noun, in the singular: "the two young dogs in" is dog. "Kind of" and the like are passed over.
5. "What", "which" and "whose" before a noun ask for that noun: "What colour is the car?" is *be* colour.
6. Otherwise the noun is the subject, and the verb the one that is said of it: "What is the man holding?" is *hold* man,
   "Why might the dogs bark?" is *bark* dog, "Is there a cat?" is *be* cat. Where the subject is a question word or a
   pronoun, the noun is what follows the verb: "What can you tell me about this picture?" is *tell* picture.
7. A sentence that begins with a verb is an order: "Describe the scene" is *describe* scene.

They are right for most English questions about pictures, and find little in other languages: read the counts as a map.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from pipeline.quality.figures.verbs import (
    ADJECTIVES,
    AUXILIARIES,
    BARE_AFTER,
    BE,
    DETERMINERS,
    IRREGULAR_VERBS,
    NOUNS_IN_ING,
    PREPOSITIONS,
    PRONOUNS,
    SINGULARS,
    VERBS,
)

_AROUND = ".,:;?!¿¡\"'“”‘’()[]-–—…"
_LATIN_WORD = re.compile(r"[a-z]+(?:['\-][a-z]+)*|,")
_SENTENCE = re.compile(r"[^.?!\n]+[.?!]*")
_ASKING = frozenset("what which who whom whose where when why how".split())
_RELATIVES = frozenset("who that which whom whose".split())
_WEIGHING = frozenset(
    "more fewer less larger bigger smaller taller shorter closer nearer farther further higher lower".split()
)
_LEADING = frozenset("please kindly now so and also then just ,".split())
_OFFERS = frozenset("can could would will".split())
_TRANSPARENT = frozenset("kind kinds type types sort sorts variety number amount pair group".split())
_ENDS_PHRASE = AUXILIARIES | PREPOSITIONS | _ASKING | {"that", ","}
_PASSED_OVER = _ENDS_PHRASE | PRONOUNS
_BEGINS_QUESTION = _ASKING | AUXILIARIES

Root = tuple[str, str]
"""A verb in its base form and a noun in the singular; either is empty where the rules find none."""


def first_words(words: Sequence[str]) -> Root:
    """Return the first two of a question's words in lower case without punctuation, empty where there are none."""
    first, second = ([*words[:2], "", ""])[:2]
    return first.strip(_AROUND).lower(), second.strip(_AROUND).lower()


@lru_cache(maxsize=4096)  # many questions are asked in the same words
def root(question: str) -> Root:
    """Return what a question asks, by the rules above."""
    words = _skip_lead(_LATIN_WORD.findall(_sentence(question).lower().replace("’", "'").replace(":", ",")))
    if not words:
        return "", ""
    first = words[0]
    if first == "how" and words[1:2] in (["many"], ["much"]):
        return "count", _phrase(words, 1)[0]
    if first in _BEGINS_QUESTION and not _WEIGHING.isdisjoint(words) and words[:2] != ["what", "more"]:
        return "compare", _compared(words)
    if first in _ASKING:
        return _asked(words)
    if first in AUXILIARIES:
        return _said(words, 0)
    if (verb := _base(first)) in VERBS:
        return verb, _object(words, 1)
    return "", _phrase(words, 0)[0]


def _sentence(text: str) -> str:
    """Return the last sentence that asks, else the first."""
    sentences = _SENTENCE.findall(text[:1000])
    asking = [sentence for sentence in sentences if sentence.endswith("?")]
    return asking[-1] if asking else sentences[0] if sentences else ""


def _skip_lead(words: list[str]) -> list[str]:
    """Return the words from where the question or order begins."""
    start = next((at for at, word in enumerate(words) if word not in _LEADING), len(words))
    words = words[start:]
    if words and words[0] in PREPOSITIONS:  # "Based on the picture, what ...", "In which room ..."
        for at, word in enumerate(words):
            if word in _ASKING or (word in AUXILIARIES and words[at - 1] == ","):
                return words[at:]
    if words[1:2] == ["you"] and words[0] in _OFFERS:
        at = 3 if words[2:3] == ["please"] else 2
        if words[at : at + 1] and words[at] in VERBS:
            return words[at:]
    return words


def _asked(words: list[str]) -> Root:
    """Return the root of a sentence that begins with a question word."""
    if len(words) == 1:
        return "", ""
    asking, second = words[:2]
    if second not in AUXILIARIES and asking in ("what", "which", "who", "whose"):
        if _base(second) != second and _base(second) in VERBS and words[2:3] and words[2] not in AUXILIARIES:
            return _base(second), _object(words, 2)  # "What makes ...", but not "What drinks are ..."
        noun, end = _phrase(words, 1, bare=True)
        verb, after = _verb(words, end)
        return verb or "be", noun or _object(words, after)
    start = 1 if second in AUXILIARIES else 2  # "How old is ..."
    verb, noun = _said(words, _phrase(words, 2)[1] if second in PREPOSITIONS else start)  # "Where in the room is ..."
    if asking == "where" and verb == "be":
        return "locate", noun
    if asking == "what" and verb == "be" and ("number" in words or "amount" in words):
        return "count", noun
    return verb, noun


def _compared(words: list[str]) -> str:
    """Return the first noun of a question that weighs things: of those it names at its end, if it does."""
    words = [word for word in words if word not in _WEIGHING]
    last_comma = len(words) - words[::-1].index(",") if "," in words else 1
    return _object(words, last_comma) or _object(words, 1)


def _said(words: list[str], at: int) -> Root:
    """Return the verb and noun of ``auxiliary subject verb ...``, the auxiliary standing at ``at``."""
    bare = False
    while at < len(words) and (words[at] in AUXILIARIES or words[at] in ("there", "not")):
        bare = words[at] in BARE_AFTER
        at += 1
    noun, end = _phrase(words, at, bare=bare)
    verb, after = _verb(words, end)
    return verb or "be", noun or _object(words, after if verb else end)


def _verb(words: list[str], at: int) -> tuple[str, int]:
    """Return the first verb from ``at`` on in its base form, past what only describes a noun, and the place after it.

    The verb is empty if there is none.
    """
    if at < len(words) and words[at] in _RELATIVES:  # "the person who made the picture have wanted"
        at = next((n for n in range(at + 1, len(words)) if words[n] in AUXILIARIES), at)
    while at < len(words) and words[at] != ",":
        word = words[at]
        if word in PREPOSITIONS and not (word == "to" and words[at + 1 : at + 2] and words[at + 1] in VERBS):
            at = max(_phrase(words, at + 1)[1], at + 1)  # "the woman in the red dress"
            continue
        if word not in AUXILIARIES and (word in VERBS or _is_inflected(word)):
            return _base(word), at + 1
        at += 1
    return "", at


def _object(words: list[str], at: int) -> str:
    """Return the first noun after a verb, whatever stands between."""
    while at < len(words):
        if words[at] in _PASSED_OVER:
            at += 2 if words[at] in PRONOUNS and words[at + 1 : at + 2] and words[at + 1] in VERBS else 1
            continue
        noun, end = _phrase(words, at)
        if noun:
            return noun
        at = max(end, at + 1)
    return ""


def _phrase(words: list[str], at: int, *, bare: bool = False) -> tuple[str, int]:
    """Return the noun of the phrase at ``at`` in the singular, and the place after the phrase.

    Args:
        words: Of the sentence.
        at: Where the phrase begins.
        bare: Whether a verb in its base form may follow, as it does after "do" and "might".
    """
    noun = ""
    begun = False
    while at < len(words):
        word = words[at]
        if word == "of" and noun in _TRANSPARENT:
            noun = ""
        elif _ends(word, noun, begun=begun, bare=bare):
            break
        elif word in PRONOUNS:
            return "", at + 1
        elif word in DETERMINERS:
            begun = True
        else:
            begun, noun = True, _singular(word)
        at += 1
    return noun, at


def _ends(word: str, noun: str, *, begun: bool, bare: bool) -> bool:
    """Return whether a noun phrase, which may have begun and may have its noun already, is over before a word."""
    if word in _ENDS_PHRASE:
        return begun or word != "that"
    if noun and (word in ADJECTIVES or word in PRONOUNS or (bare and word in VERBS)):
        return True
    return bool(noun or not begun) and _is_inflected(word)


@lru_cache(maxsize=4096)
def _is_inflected(word: str) -> bool:
    """Return whether a word is a verb in -ing or -ed, or an irregular past."""
    if word in NOUNS_IN_ING:
        return False
    return word in IRREGULAR_VERBS or (len(word) > 4 and word.endswith(("ing", "ed")))


@lru_cache(maxsize=4096)
def _base(word: str) -> str:
    """Return a verb's base form: ``holding``, ``holds`` and ``held`` are hold. Other words come back somehow cut."""
    if word in VERBS:
        return word
    if irregular := "be" if word in BE else IRREGULAR_VERBS.get(word):
        return irregular
    for ending in ("ying", "ied", "ies", "ing", "ed", "es", "s"):
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 2:
            continue
        undoubled = [stem[:-1]] if stem[-1] == stem[-2] else []
        for base in (stem, stem + "e", stem + "y", *undoubled):
            if base in VERBS and (base != stem + "y" or ending[0] in "yi"):
                return base
    return word.removesuffix("ing") if len(word) > 5 else word


@lru_cache(maxsize=4096)
def _singular(word: str) -> str:
    """Return a noun in the singular."""
    word = word.removesuffix("'s").removesuffix("'")
    if word in SINGULARS:
        return SINGULARS[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
