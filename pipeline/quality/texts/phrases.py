"""What the checks of texts look for: ``phrases.toml``, with a user's own file laid over it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator

from pipeline.errors import PipelineError
from pipeline.quality.texts.words import words_of
from pipeline.validated import Record, first_fault, read_toml

_SHIPPED = Path(__file__).with_name("phrases.toml")
_PIECE = re.compile(r"\{([a-z_]+)\}")  # not a count such as {0,3}

Place = Literal["question", "answer", "both"]
"""Which messages a rule is for."""
Word = Annotated[str, Field(pattern=r"^\w+$")]
"""One word, in lower case; never part of one."""


class _RuleEntry(Record):
    """One ``[[rules]]`` of the file."""

    finding: str = Field(min_length=1)
    """What to call what it finds."""
    patterns: tuple[str, ...] = Field(min_length=1)
    """Regular expressions, any of which will do."""
    words: tuple[Word, ...] = ()
    """The rule is tried only on texts that have one of these."""
    signs: str = ""
    """The rule is tried only on texts that have one of these characters; for rules without words."""
    place: Place = Field(default="both", alias="in")
    """Which messages it is for."""
    unless_seen: bool = False
    """Whether the rule is silent where the scene's own text has the word that set it off."""
    in_quotes: bool = False
    """Whether it holds inside quotation marks too, where a picture's own words stand."""


class _HedgesEntry(Record):
    """``[hedges]`` of the file."""

    words: tuple[Word, ...] = ()
    phrases: tuple[str, ...] = ()


class _PhrasesFile(Record):
    """A file of phrases, as a person writes it; each part may be left out."""

    allow: tuple[str, ...] = ()
    lengths: dict[str, tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]]] = Field(default_factory=dict)
    hedges: _HedgesEntry = _HedgesEntry()
    fragments: dict[str, str] = Field(default_factory=dict)
    rules: tuple[_RuleEntry, ...] = ()
    lists: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    languages: dict[str, str] = Field(default_factory=dict)

    @field_validator("lengths")
    @classmethod
    def _in_order(cls, lengths: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        for kind, (fewest, most) in lengths.items():
            if fewest > most:
                raise ValueError(f"{kind}: {fewest} is more than {most}")
        return lengths


@dataclass(frozen=True, slots=True)
class Rule:
    """Wording that is a finding, ready to be searched for."""

    finding: str
    search: re.Pattern[str]
    """Over text in lower case."""
    words: frozenset[str]
    """Those that set it off."""
    signs: str
    """Characters that set it off, where it has no words; empty if it is tried on every text."""
    place: Place
    unless_seen: bool
    in_quotes: bool
    """Whether it holds inside quotation marks too, where a picture's own words stand."""


@dataclass(frozen=True, slots=True)
class Phrases:
    """All that the checks of texts look for, compiled."""

    by_sign: tuple[Rule, ...]
    """Rules without words."""
    signs: re.Pattern[str]
    """What all of ``by_sign`` wait for."""
    by_word: Mapping[str, tuple[Rule, ...]]
    """The other rules, by each of the words that set them off."""
    triggers: frozenset[str]
    """The keys of ``by_word``."""
    allowed: frozenset[str]
    """Wording that is never a finding, in lower case."""
    lengths: Mapping[str, tuple[int, int]]
    """Fewest and most words of an answer by kind; ``other`` is always there."""
    surface_before: re.Pattern[str]
    """What ends right before wording that a thing in the picture bears."""
    hedges: frozenset[str]
    hedging: re.Pattern[str] | None
    """Hedges of more than one word; ``None`` where the files have none."""
    languages: Mapping[str, frozenset[str]]
    """Small words by language."""
    foreign: Mapping[str, Mapping[str, frozenset[str]]]
    """For each expected language, the small words that only the other languages have: word -> those languages."""


def load_phrases(path: Path | None = None) -> Phrases:
    """Return the shipped phrases, with the user's file laid over them.

    Rules, word lists, hedges and allowed wording of the user's file are added; lengths, fragments and languages take
    the place of shipped ones of the same name. A fragment that is replaced changes the shipped rules that use it.

    Raises:
        PipelineError: The file cannot be read, has an unknown field, or has a pattern that does not compile.
    """
    shipped = _read(_SHIPPED)
    own = _read(path) if path else _PhrasesFile()
    fragments = _fragments(path or _SHIPPED, shipped.fragments | own.fragments)
    rules = list(_rules(_SHIPPED, shipped, fragments))
    if path:
        rules += _rules(path, own, fragments)
    by_word: dict[str, tuple[Rule, ...]] = {}
    for rule in rules:
        for word in rule.words:
            by_word[word] = (*by_word.get(word, ()), rule)
    hedging = (*shipped.hedges.phrases, *own.hedges.phrases)
    languages = {name: frozenset(words.split()) for name, words in (shipped.languages | own.languages).items()}
    return Phrases(
        by_sign=tuple(rule for rule in rules if not rule.words),
        signs=_any_of([rule.signs for rule in rules if not rule.words]),
        by_word=by_word,
        triggers=frozenset(by_word),
        allowed=frozenset(text.lower() for text in (*shipped.allow, *own.allow)),
        lengths=shipped.lengths | own.lengths,
        surface_before=_compile(path or _SHIPPED, "surface_before", rf"(?<!\w){fragments['surface_before']} $"),
        hedges=frozenset((*shipped.hedges.words, *own.hedges.words)),
        hedging=_compile(path or _SHIPPED, "hedges", _whole(hedging)) if hedging else None,
        languages=languages,
        foreign={name: _foreign(languages, name) for name in languages},
    )


def _read(path: Path) -> _PhrasesFile:
    entries = read_toml(path, flag="--phrases: ")
    try:
        return _PhrasesFile.model_validate(entries)
    except ValidationError as error:
        raise PipelineError(f"--phrases: {path}: {first_fault(error)}") from None


def _rules(path: Path, file: _PhrasesFile, fragments: Mapping[str, str]) -> Iterator[Rule]:
    for entry in file.rules:
        pattern = _filled(path, _whole(entry.patterns) if entry.words else "|".join(entry.patterns), fragments)
        search = _compile(path, entry.finding, pattern)
        words = frozenset(word.lower() for word in entry.words)
        yield Rule(entry.finding, search, words, entry.signs, entry.place, entry.unless_seen, entry.in_quotes)
    for finding, entries in file.lists.items():
        for first, group in groupby(sorted(map(str.lower, entries), key=_first_word), key=_first_word):
            search = _compile(path, finding, _whole([re.escape(" ".join(text.split())) for text in group]))
            yield Rule(finding, search, frozenset({first}), "", "both", unless_seen=False, in_quotes=True)


def _first_word(text: str) -> str:
    found = re.search(r"\w+", text)
    return found[0] if found else ""


def _any_of(signs: Sequence[str]) -> re.Pattern[str]:
    """Return a pattern that is found where any of the rules with these signs could be."""
    return re.compile("" if not all(signs) else f"[{re.escape(''.join(signs))}]")


def _whole(patterns: Sequence[str]) -> str:
    return rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)"


def _flagged(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE)


def _compile(path: Path, where: str, pattern: str) -> re.Pattern[str]:
    try:
        return _flagged(pattern)
    except re.error as error:
        raise PipelineError(f"--phrases: {path}: {where}: {error.msg} in {pattern[:60]}…") from None


def _fragments(path: Path, pieces: Mapping[str, str]) -> dict[str, str]:
    filled: dict[str, str] = {}
    for name, piece in pieces.items():
        filled[name] = _filled(path, piece, filled)
    return filled


def _filled(path: Path, pattern: str, fragments: Mapping[str, str]) -> str:
    """Return the pattern with its ``{name}`` replaced."""

    def piece(match: re.Match[str]) -> str:
        if match[1] not in fragments:
            raise PipelineError(f"--phrases: {path}: no fragment {match[1]!r}; there are {', '.join(fragments)}")
        return fragments[match[1]]

    return _PIECE.sub(piece, pattern)


def _foreign(languages: Mapping[str, frozenset[str]], expected: str) -> dict[str, frozenset[str]]:
    others: dict[str, set[str]] = {}
    for name, words in languages.items():
        for word in words - languages[expected]:
            others.setdefault(word, set()).add(name)
    return {word: frozenset(names) for word, names in others.items()}


def has_hedge(text: str, phrases: Phrases) -> bool:
    """Tell whether a text carries doubt, such as ``probably``."""
    lower = text.lower()
    if not phrases.hedges.isdisjoint(words_of(lower)):
        return True
    return phrases.hedging is not None and phrases.hedging.search(lower) is not None


def length_bounds(phrases: Phrases, kind: str) -> tuple[int, int]:
    """Return the fewest and most words of an answer of a kind."""
    return phrases.lengths.get(kind) or phrases.lengths["other"]
