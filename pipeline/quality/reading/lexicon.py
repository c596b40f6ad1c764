"""Which words of a sentence name which categories of a data set.

A word need not mean one category and nothing else. Each has the labels of the boxes that it *may* mean, of those the
ones that it *surely* covers, and whether there may be such a thing without a box: "dog" surely covers every ``dog``, a
"man" may be any ``person``, a "vehicle" covers cars and buses and also what nobody drew boxes around.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from pydantic import Field, ValidationError

from pipeline.errors import PipelineError
from pipeline.quality.reading.plurals import is_plural, plural_of, singular_of
from pipeline.quality.reading.sentences import Text
from pipeline.validated import Record, first_fault, read_toml

_SHIPPED = Path(__file__).with_name("coco.toml")


class CategoryWords(Record):
    """The words for one category, as a person writes them."""

    same: tuple[str, ...] = ()
    """Other names of the very thing."""
    kinds: tuple[str, ...] = ()
    """Names of some of the things only."""
    wider: tuple[str, ...] = ()
    """Names of all of the things, and of others too."""
    perhaps: tuple[str, ...] = ()
    """May be meant, or may be something else."""
    several: tuple[str, ...] = ()
    """One word for a number of them."""
    gear: dict[str, str] = Field(default_factory=dict)
    """Name of some of the things → the category of what these always have: a skier has skis."""
    hints: tuple[str, ...] = ()
    """Words in a caption that make the thing believable where nobody drew a box."""
    loose: bool = False
    """Whether it is a matter of opinion how many there are."""
    made: bool = False
    """Whether it is made of wood, glass and the like, so that a wooden one is no likeness of it."""


class GroupWords(Record):
    """The words for things of several categories."""

    words: tuple[str, ...] = Field(min_length=1)
    members: tuple[str, ...] = ()
    """Categories; those of the supercategory with the group's name if left out."""
    doubtful: tuple[str, ...] = ()
    """Those of them that not everybody counts."""
    counted: bool = False
    """Whether one may count things of all these categories together."""


class NothingWords(Record):
    """What looks like a word for a category and is none."""

    headings: tuple[str, ...] = ()
    """Names of categories and supercategories that name nothing one sees."""
    phrases: tuple[str, ...] = ()
    """Phrases that hold a word for a thing and mean another."""


class SynonymFile(Record):
    """The form of ``coco.toml`` and of a user's file."""

    category: dict[str, CategoryWords] = Field(default_factory=dict)
    group: dict[str, GroupWords] = Field(default_factory=dict)
    nothing: NothingWords = NothingWords()


class Sense(msgspec.Struct, frozen=True, gc=False):
    """What a word means in terms of boxes."""

    word: str
    """The word for one, or for the whole where nobody counts."""
    plural: str
    may: frozenset[str]
    """Labels of the boxes that it may mean."""
    sure: frozenset[str]
    """Labels of the boxes that all bear this name."""
    open: bool
    """Whether there may be such a thing without a box."""
    loose: bool
    """Whether it is a matter of opinion how many there are."""
    several: bool
    """Whether one of it is a number of things, as with ``crowd``."""
    made: bool
    """Whether a wooden one, say, is a real one."""
    gear: frozenset[str] = frozenset()
    """Labels of what everybody of this name has."""
    summed: bool = False
    """Whether things of all its labels may be counted together."""


class Form(msgspec.Struct, frozen=True, gc=False):
    """One spelling of a word."""

    rest: tuple[str, ...]
    """The words after the first."""
    sense: Sense | None
    """``None`` for a phrase that means nothing of interest."""
    many: bool | None
    """Whether it is the plural; ``None`` where one and many are spelt alike or nobody counts."""


class Lexicon(msgspec.Struct, frozen=True, eq=False):
    """The words for the categories of one data set."""

    forms: dict[str, tuple[Form, ...]]
    """First word → all that begins with it, longest first."""
    hints: dict[str, tuple[str, ...]]
    """Label → words and beginnings of words that make it believable."""
    dull: set[str] = msgspec.field(default_factory=set)
    """Words that have been met and name nothing, which saves looking them up again."""


def load_lexicon(categories: Mapping[str, str | None], synonyms: Path | None = None) -> Lexicon:
    """Return the words for a data set's categories.

    Args:
        categories: Name → supercategory, which may be empty or ``None``.
        synonyms: A user's file of the form of ``coco.toml``. A word in it means what that file says and nothing else.

    Raises:
        PipelineError: A file cannot be read, or an entry of it is wrong.
    """
    files = [_read(_SHIPPED)]
    if synonyms:
        files.append(_read(synonyms))
    return _Builder(categories, files).build()


def _read(path: Path) -> SynonymFile:
    entries = read_toml(path, name="the synonyms at ")
    try:
        return SynonymFile.model_validate(entries)
    except ValidationError as error:
        raise PipelineError(f"{path}: {first_fault(error)}") from None


class _Meaning(msgspec.Struct):
    """What is gathered about one word."""

    plurals: tuple[str, ...] | None
    """``None`` where nobody counts."""
    may: set[str]
    sure: set[str]
    open: bool = False
    loose: bool = False
    several: bool = False
    made: bool = False
    gear: set[str] = msgspec.field(default_factory=set)
    summed: bool = False


class _Builder:
    """Gathers the meanings of all words, file after file."""

    def __init__(self, categories: Mapping[str, str | None], files: list[SynonymFile]) -> None:
        self._headings = {_tidy(word) for file in files for word in file.nothing.headings}
        self._names: dict[str, list[str]] = {}
        """Words of a category's name, in the singular → the labels that are called so."""
        self._groups: dict[str, list[str]] = {}
        """Supercategory → its labels."""
        self._unclear: set[str] = set()
        """Names that need an explanation in brackets, since they mean several things."""
        for label, group in categories.items():
            for name in _names(label):
                if name not in self._headings:
                    self._names.setdefault(name, []).append(label)
                    if re.search(r"\(.+\)", label):
                        self._unclear.add(name)
            if group:
                self._groups.setdefault(_names(group)[0] if _names(group) else "", []).append(label)
        self._files = files
        self._meanings: dict[str, _Meaning] = {}
        self._nothing: set[str] = set()

    def build(self) -> Lexicon:
        narrow = {
            _one(word)
            for file in self._files
            for entry in file.category.values()
            for word in (*entry.kinds, *entry.wider, *entry.perhaps)
        }
        for name, labels in self._names.items():
            if name not in narrow or not any(_tidy(key) == name for file in self._files for key in file.category):
                self._add(name, labels, labels, open_=name in self._unclear)
        for position, file in enumerate(self._files):
            if position:  # what a user's file names means only what that file says
                for word in _all_words(file):
                    if _tidy(word.partition("/")[0]) not in self._names:
                        self._meanings.pop(_tidy(word.partition("/")[0]), None)
            for name, entry in file.category.items():
                self._read_category(_tidy(name), entry)
            for name, group in file.group.items():
                self._read_group(_tidy(name), group)
            self._nothing |= {_tidy(phrase) for phrase in file.nothing.phrases}
        for name, labels in self._groups.items():
            if name and name not in self._meanings and name not in self._headings:
                self._add(name, labels, labels, open_=True)
        return Lexicon(self._forms(), self._hints())

    def _read_category(self, name: str, entry: CategoryWords) -> None:
        own = [label for word in (name, *map(_one, entry.same)) for label in self._names.get(word, ())]
        named = {word: self._names.get(word, []) for word in map(_one, (*entry.kinds, *entry.several))}
        everyone = [*own, *(label for labels in named.values() for label in labels)]
        if not everyone:
            return
        partly = not own  # pedestrians have boxes, other people have none
        for word in (name, *entry.same):
            if _one(word) in map(_one, (*entry.kinds, *entry.wider, *entry.perhaps)):
                continue
            self._add(word, everyone, everyone, open_=partly, loose=entry.loose)
        for word in entry.kinds:
            labels = [] if _one(word) == name else named[_one(word)]
            may = [*own, *labels] if labels else everyone  # a man may be a pedestrian, but a Man is no Woman
            self._add(word, may, labels, open_=partly and not labels, loose=entry.loose)
        for word in entry.wider:
            self._add(word, everyone, everyone, open_=True, loose=entry.loose)
        for word in entry.perhaps:
            self._add(word, everyone, (), open_=True, loose=entry.loose)
        for word in entry.several:
            self._add(word, everyone, (), open_=True, loose=True, several=True)
        for word, category in entry.gear.items():
            if _one(word) in self._meanings:
                self._meanings[_one(word)].gear |= set(self._names.get(_tidy(category), ()))
        for word in (name, *entry.same, *entry.kinds, *entry.wider, *entry.perhaps):
            meaning = self._meanings.get(_one(word))
            if meaning is not None:
                meaning.made |= entry.made

    def _read_group(self, name: str, group: GroupWords) -> None:
        labels = [label for member in group.members for label in self._names.get(_tidy(member), ())]
        labels = labels if group.members else self._groups.get(name, [])
        doubtful = {label for member in group.doubtful for label in self._names.get(_tidy(member), ())}
        for word in group.words if labels else ():
            self._add(word, labels, [label for label in labels if label not in doubtful], open_=True)
            self._meanings[_one(word)].summed |= group.counted

    def _add(
        self, word: str, may: Iterable[str], sure: Iterable[str], *, open_: bool, loose: bool = False,
        several: bool = False,
    ) -> None:  # fmt: skip
        one, *plurals = (_tidy(part) for part in word.split("/"))
        many = None if plurals == ["-"] else tuple(plurals) if plurals else (plural_of(one),)
        known = self._meanings.get(one)
        if known is None:
            known = self._meanings[one] = _Meaning(many, set(), set())
        elif plurals:
            known.plurals = many
        fresh = not known.may
        known.sure = set(sure) if fresh else known.sure if set(sure) <= known.sure else known.sure | set(sure)
        known.may |= {*may, *sure}
        known.open = open_ and (fresh or known.open)
        known.loose |= loose
        known.several |= several

    def _forms(self) -> dict[str, tuple[Form, ...]]:
        found: dict[tuple[str, ...], Form] = {}
        for word, meaning in self._meanings.items():
            plural, *others = meaning.plurals or (word,)
            sense = Sense(
                word, plural, frozenset(meaning.may), frozenset(meaning.sure), meaning.open, meaning.loose,
                meaning.several, meaning.made, frozenset(meaning.gear), meaning.summed,
            )  # fmt: skip
            alike = plural == word
            spelt = [(word, None if alike else False), *((each, None if alike else True) for each in (plural, *others))]
            for spelling, many in spelt:
                for words in _spellings(spelling):
                    if words and not (words in found and many):
                        found[words] = Form(words[1:], sense, many)
        for phrase in self._nothing:
            words = tuple(Text(phrase).low)
            if words and words not in found:
                found[words] = Form(words[1:], None, None)
        forms: dict[str, list[Form]] = {}
        for words, form in found.items():
            forms.setdefault(words[0], []).append(form)
        return {first: tuple(sorted(rows, key=lambda form: -len(form.rest))) for first, rows in forms.items()}

    def _hints(self) -> dict[str, tuple[str, ...]]:
        hints: dict[str, dict[str, None]] = {}
        for file in self._files:
            for name, entry in file.category.items():
                for label in self._names.get(_tidy(name), ()):
                    hints.setdefault(label, {}).update(dict.fromkeys(map(str.lower, entry.hints)))
        return {label: tuple(words) for label, words in hints.items()}


def _all_words(file: SynonymFile) -> list[str]:
    words = [
        word for entry in file.category.values() for word in (*entry.same, *entry.kinds, *entry.wider, *entry.perhaps)
    ]
    words += [word for entry in file.category.values() for word in entry.several]
    return words + [word for group in file.group.values() for word in group.words] + list(file.nothing.phrases)


def _tidy(words: str) -> str:
    return " ".join(words.replace("_", " ").lower().split())


def _one(word: str) -> str:
    return _tidy(word.partition("/")[0])


def _names(label: str) -> list[str]:
    """Return how a category is called: ``traffic_light``, ``TrafficLight``, ``cup/mug``, ``bow_(weapon)``."""
    plain = re.sub(r"\([^)]*\)|\[[^\]]*\]", " ", label)
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain).replace("-", " ").replace("&", " and ")
    found = []
    for part in re.split(r"[/,;|]", plain):
        words = _tidy(part).strip(" .:").split()
        if not words or not any(char.isalpha() for char in words[-1]) or len("".join(words)) < 2:
            continue
        if is_plural(words[-1]) and plural_of(words[-1]) != words[-1]:
            words[-1] = singular_of(words[-1])
        found.append(" ".join(words))
    return found


def _spellings(words: str) -> list[tuple[str, ...]]:
    """Return a name as it is written apart, and with a hyphen between two of its words."""
    split = tuple(Text(words).low)
    if "of" in split:
        return [split]
    joined = [(*split[:k], f"{split[k]}-{split[k + 1]}", *split[k + 2 :]) for k in range(len(split) - 1)]
    return [split, *joined]
