"""What a guess without the image is worth: which questions can be marked by rule, and how.

A question that is answered right by somebody who has seen nothing needs no image, and teaches a model to look away. A
closed question is marked by yes or no, a count by its number; both are read by the same rule on either side, so that
wording changes no mark. Any other answer is marked by the judge, beside the reference; without a judge only the same
words count, which hardly ever happens, so that the share is then no more than a lower bound.

What the figures cannot tell:

- A guess is right by luck as often as the chance beside it says. Only what is above that is knowledge.
- A question is asked alone. One that builds on the turns before it is harder than the sample makes it, and one that
  gives away what the turns before it asked is as easy as it looks.
- The reference is the sample's own answer: a wrong one is held against a guess that was right.
- A model may know a published photograph by heart, and with it the answer to a question that does need the image.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from pipeline.prompting.replies import UnreadableReply, read_reply
from pipeline.quality.texts.closed import closed_answer, is_closed

QuestionType = Literal["closed", "count", "other"]
"""``closed``: yes or no; ``count``: a number; ``other``: whatever else."""


class Key(msgspec.Struct, frozen=True):
    """What a right answer to a question says."""

    type: QuestionType
    value: str
    """``yes`` or ``no``; a number in digits; or the reference's words in lower case, without articles and marks."""


def make_key(question: str, reference: str) -> Key:
    """Return what the reference answer says; where it has no yes, no or number to go by, the type is ``other``."""
    if is_closed(question) and (settled := closed_answer(reference)):
        return Key("closed", settled)
    if _HOW_MANY.search(question) and (number := read_number(reference)) is not None:
        return Key("count", str(number))
    return Key("other", _plain(reference))


def read_guess(content: str, question: str, key: Key) -> str:
    """Return the blind model's answer out of its reply.

    Raises:
        UnreadableReply: It is none, or it neither declines nor has the yes, the no or the number that the question asks
            for.
    """
    (turn,) = read_reply(content, "answer", "text", question=question)
    if not declines(turn.answer) and _value(turn.answer, key.type) is None:
        wanted = "Yes or No" if key.type == "closed" else "a number"
        raise UnreadableReply(f"the answer has to begin with {wanted}")
    return turn.answer


def is_right(guess: str, key: Key) -> bool:
    """Tell whether a guess says what the reference says; for the type ``other``, whether in the same words."""
    return not declines(guess) and _value(guess, key.type) == key.value


def declines(guess: str) -> bool:
    """Tell whether a guess says that it is none: that the image cannot be seen, or the answer not be known.

    Such an answer is not right even if it begins with "No". Only its opening tells: an explanation that ends in "the
    rest cannot be known" has answered.
    """
    return bool(_DECLINES.search(guess[:_OPENING].replace("’", "'")))


def read_number(answer: str) -> int | None:
    """Return the first number of an answer, in digits or in words; "none" and "no dogs" are 0."""
    words = _WORD.findall(answer.lower().replace("no one", "nobody"))
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word[0].isdigit():
            return int(word.replace(",", ""))
        if word in _TENS:
            return _TENS[word] + (_ONES.get(following, 0) if following in _UNITS else 0)
        if word in _ONES:
            return _ONES[word]
    return 0 if {"no", "none", "nobody"} & set(words) else None


def _value(answer: str, asked: QuestionType) -> str | None:
    match asked:
        case "closed":
            return closed_answer(answer)
        case "count":
            number = read_number(answer)
            return None if number is None else str(number)
        case "other":
            return _plain(answer)


def _plain(answer: str) -> str:
    words = re.findall(r"\w+", answer.casefold())
    return " ".join(word for word in words if word not in ("a", "an", "the"))


_HOW_MANY = re.compile(r"\bhow many\b|\b(?:what|which) (?:is the )?(?:total )?number of\b", re.IGNORECASE)
_ONES = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen".split()
    )
} | {"single": 1, "pair": 2, "couple": 2, "dozen": 12}
_UNITS = list(_ONES)[1:10]
_TENS = {
    word: 10 * number
    for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_WORD = re.compile(r"(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d{1,9})(?!\w|\.\d)|[a-z]+")
_OPENING = 120  # characters: "I'm sorry." and a sentence after it
_IMAGE = "(?:image|picture|photo|photograph)"
_DECLINES = re.compile(
    r"\bI(?:'m| am)? (?:\w+ )?(?:can ?not|can't|could not|couldn't|unable to|not able to|do not|don't)"
    r" (?:\w+ )?(?:see|view|tell|know|say|determine|answer|access|have|identify|count)\b"
    r"|^\W*(?:unable to|unknown\b|not known\b)"
    r"|\b(?:not |im)possible to (?:tell|know|say|see|determine|answer|count)\b"
    r"|\b(?:cannot|can't|can not) be (?:told|known|said|seen|determined|answered|counted)\b"
    rf"|\bno {_IMAGE} (?:is|was|has|to|here|attached|provided|given|available)\b"
    rf"|\bwithout (?:\w+ ){{0,2}}(?:{_IMAGE}|context)\b"
    r"|\bas an? (?:AI|language model)\b",
    re.IGNORECASE,
)
