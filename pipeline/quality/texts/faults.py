"""Faults of a sample that show in its text alone: leaks, refusals, echoes, broken endings, personal data and more.

All of them are rules, tuned to be silent on what pictures are full of: words on signs, quoted speech, numbers on
jerseys. What the rules look for by wording is in ``phrases.toml``; what no list of words can say has a module each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from pipeline.quality.texts.endings import broken_ending
from pipeline.quality.texts.languages import foreign_language
from pipeline.quality.texts.personal import find_personal
from pipeline.quality.texts.phrases import Phrases, Rule, length_bounds
from pipeline.quality.texts.repeats import find_repeats
from pipeline.quality.texts.words import words_of
from pipeline.records import Finding, Turn

# Scripts without blanks between words: a character counts as one.
_WORD_OR_SIGN = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|\w+")
_QUOTED = re.compile(
    r"\"[^\"\n]*\"|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»|‘[^’\n]*’"
    r"|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w))+'(?!\w)"
)
_POINT = re.compile(r"\.[0-9]|[\[(] ?-?[0-9]")  # most texts have none
_NUMBER_LIST = re.compile(
    r"[\[(]\s*-?(?:[01]?\.\d+|\d{1,4})(?:\s*,\s*-?(?:[01]?\.\d+|\d{1,4})){3}\s*[\])]"  # a box
    r"|[\[(]\s*[01]?\.\d+\s*,\s*[01]?\.\d+\s*[\])]"  # a point
    r"|[\[(]?(?<![\d.])[01]\.\d+(?:\s*,\s*[01]\.\d+){2,}[\])]?"
)
_FRACTION = re.compile(
    r"(?<![\w.$€£¥])(?:0?\.\d{3,4}|1\.000)(?![\d%°]|\.\d)"
    r"(?!\s*-?(?:cm|ft|inch(?:es)?|kg|kilo\w*|km|lit(?:er|re)s?|m|met(?:er|re)s?|miles?|mm|ounces?|oz|pounds?|sec\w*|s)\b)"
    r"|\b[xy]\d? ?(?:=|of|is|at|from|between) ?0?\.\d+"
)
_SAME_ANSWER = 8  # words; "There are two on the left." may well answer two questions
_SAME_QUESTION = 3  # words
_ECHO_AT_START, _ECHO_INSIDE = 4, 7  # words of a question that an answer may not repeat


class _Text(msgspec.Struct, frozen=True, gc=False):
    """A message, and what all checks need of it."""

    message: int
    raw: str
    lower: str
    """As long as ``raw``, with straight apostrophes."""
    flat: str
    """``lower`` in one line, as rules of words read it."""
    words: list[str]
    """Of ``lower``."""

    def finding(self, kind: str, start: int, end: int, detail: str = "") -> Finding:
        return Finding(self.message, start, end, kind, detail or _shown(self.raw[start:end]))

    def about_all(self, kind: str, detail: str) -> Finding:
        return Finding(self.message, 0, len(self.raw), kind, detail)


def find_faults(
    turns: Sequence[Turn],
    context: str,
    phrases: Phrases,
    *,
    kind: str,
    language: str = "en",
    words: tuple[int, int] | None = None,
) -> list[Finding]:
    """Return what is wrong with a sample's texts, in the order of the text.

    Args:
        turns: Questions and answers of the sample.
        context: The scene's text as the model saw it: what its captions name is no leak.
        phrases: As ``load_phrases`` returns them.
        kind: Name of the kind, by which the length of an answer is judged.
        language: Code of the language that questions and answers should be in.
        words: Fewest and most words of an answer, where they differ from those of the kind.
    """
    bounds = words or length_bounds(phrases, kind)
    parts = [part for turn in turns for part in (turn.question, turn.answer)]
    texts = [_text(message, part) for message, part in enumerate(parts)]
    found = [finding for text in texts for finding in _in_message(text, context, phrases, language, bounds)]
    found += _across(texts)
    found.sort(key=lambda finding: (finding.message or 0, finding.start))
    return found


def _text(message: int, raw: str) -> _Text:
    lower = raw.lower()
    if len(lower) != len(raw):  # such as for a dotted capital I; spans must stay true
        lower = "".join(low if len(low := letter.lower()) == 1 else letter for letter in raw)
    if not lower.isascii():
        lower = lower.replace("’", "'")
    return _Text(message, raw, lower, lower.replace("\n", " "), words_of(lower))


def _in_message(
    text: _Text, context: str, phrases: Phrases, language: str, bounds: tuple[int, int]
) -> Iterator[Finding]:
    if not text.words and not text.raw.strip():
        yield text.about_all("empty request" if text.message % 2 == 0 else "too short", "there is no text")
        return
    yield from _by_rules(text, context, phrases)
    if _POINT.search(text.raw):
        yield from _numbers(text, context)
    for start, end, what in find_personal(text.raw):
        yield text.finding("personal data", start, end, what)
    if name := foreign_language(text.raw, text.words, language, phrases):
        yield text.about_all("wrong language", f"reads as {name}, not {language}")
    if text.message % 2:
        yield from _in_answer(text, bounds)


def _in_answer(text: _Text, bounds: tuple[int, int]) -> Iterator[Finding]:
    for start, end, what in find_repeats(text.raw, text.lower, text.words):
        yield text.finding("repeated answer", start, end, _shown(what))
    if wrong := broken_ending(text.raw, len(text.words)):
        end = len(text.raw.rstrip())
        yield text.finding("broken ending", max(0, end - 40), end, wrong)
    count = len(text.words) if text.raw.isascii() else len(_WORD_OR_SIGN.findall(text.raw))
    fewest, most = bounds
    if count < fewest:
        yield text.about_all("too short", f"{count} words; at least {fewest} are expected")
    elif count > most:
        yield text.about_all("too long", f"{count} words; at most {most} are expected")


def _by_rules(text: _Text, context: str, phrases: Phrases) -> Iterator[Finding]:
    triggers = phrases.triggers.intersection(text.words)
    rules = {id(rule): rule for trigger in sorted(triggers) for rule in phrases.by_word[trigger]}
    if phrases.signs.search(text.lower):
        rules |= {id(rule): rule for rule in phrases.by_sign}
    past: dict[str, list[tuple[int, int]]] = {}
    for rule in rules.values():
        if rule.place != "both" and (rule.place == "answer") != (text.message % 2 == 1):
            continue
        for match in rule.search.finditer(text.flat if rule.words else text.lower):
            span = _without_blanks(match)
            others = past.setdefault(rule.finding, [])
            if any(start < span[1] and span[0] < end for start, end in others):
                continue
            if _is_excused(text, span, rule, triggers, context, phrases):
                continue
            others.append(span)
            yield text.finding(rule.finding, *span)


def _without_blanks(match: re.Match[str]) -> tuple[int, int]:
    start, end = match.span()
    return start + len(match[0]) - len(match[0].lstrip()), end


def _is_excused(
    text: _Text, span: tuple[int, int], rule: Rule, triggers: frozenset[str], context: str, phrases: Phrases
) -> bool:
    """Tell whether wording that a rule found is innocent here."""
    start, end = span
    if text.lower[start:end] in phrases.allowed:
        return True
    if rule.unless_seen and not rule.words.isdisjoint(triggers & set(words_of(context.lower()))):
        return True
    if rule.in_quotes:
        return False
    sentence = re.split(r"[.!?;]", text.flat[max(0, start - 100) : start])[-1]
    if phrases.surface_before.search(sentence):
        return True
    return any(opens <= start and end <= closes for opens, closes in _quotations(text.lower))


@lru_cache(maxsize=1)  # asked for each finding of a message
def _quotations(lower: str) -> list[tuple[int, int]]:
    """Return where quotation marks begin and end, but for those around the whole text."""
    whole = 0.8 * len(lower.strip())
    return [found.span() for found in _QUOTED.finditer(lower) if len(found[0]) < whole]


def _numbers(text: _Text, context: str) -> Iterator[Finding]:
    """Yield boxes and fractions of the image, which nobody sees in a picture."""
    lists = [match.span() for match in _NUMBER_LIST.finditer(text.lower)]
    alone = [match.span() for match in _FRACTION.finditer(text.lower)]
    inside = {place for start, end in lists for place in range(start, end)}
    for start, end in (*lists, *(span for span in alone if span[0] not in inside)):
        if not _in_captions(text.lower[start:end], context):
            yield text.finding("source leak", start, end)


def _in_captions(number: str, context: str) -> bool:
    return any(number in line for line in context.lower().splitlines() if not line.endswith("]"))


def _across(texts: Sequence[_Text]) -> Iterator[Finding]:
    """Yield what is wrong between the messages: answers and questions that come twice, echoes of the question."""
    answers: dict[str, int] = {}
    questions: dict[str, int] = {}
    for question, answer in zip(texts[::2], texts[1::2], strict=True):
        asked, said = " ".join(question.words), " ".join(answer.words)
        if len(answer.words) >= _SAME_ANSWER and said in answers:
            yield answer.about_all("repeated answer", f"the same as the answer to question {answers[said]}")
        if len(question.words) >= _SAME_QUESTION and asked in questions:
            yield question.about_all("repeated question", f"the same as question {questions[asked]}")
        answers.setdefault(said, answer.message // 2 + 1)
        questions.setdefault(asked, question.message // 2 + 1)
        if _echoes(len(question.words), asked, said):
            yield answer.about_all("prompt echo", "repeats the question")


def _echoes(words: int, asked: str, said: str) -> bool:
    if words < _ECHO_AT_START or asked not in said:
        return False
    return words >= _ECHO_INSIDE or said.startswith(asked)


def _shown(text: str) -> str:
    return " ".join(text[:80].split()) + ("…" if len(text) > 80 else "")
