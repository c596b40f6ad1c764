"""What captions and boxes of a scene say about a word: how many there can be, and which boxes bear it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property

import msgspec

from pipeline.quality.claims.captions import Captions, Said, read_captions
from pipeline.quality.claims.positions import area, gap_between, share_inside
from pipeline.quality.claims.sorts import is_everybody, most_of_sort
from pipeline.quality.reading.lexicon import Lexicon, Sense
from pipeline.quality.reading.vocabulary import AMOUNTS, NUMBER_AMOUNTS
from pipeline.records import Box, Scene

_TINY = 0.002  # share of the image; people overlook smaller things, unless all of the name are so small
_CUT_OFF = 0.03  # a thing at the border, this small and far smaller than another, may be taken for a part of one
_COVERED = 0.85  # share of a box inside another from which it may be a part of that
_FEW = 3  # fewer boxes than this do not go with "several" or "a herd" in a caption: some were not drawn
_MOST_OF = {"few": 6, "several": 9, "couple": 4}
"""How many people may see where they write so of few boxes; any number where they write of a group."""
_THRONGS = frozenset(("crowd", "audience"))
_MANY = 7  # from so many boxes on, nobody is held to a wide word's number
_WATCHERS = frozenset("spectator onlooker bystander crowd audience fan viewer".split())
_TELEVISIONS = frozenset(("tv", "television", "tv set", "television set", "telly"))
"""Words for one thing whose boxes may be of another, a monitor."""
_UNCOUNTED = 10  # from so many boxes of a name on, annotators merge some and people estimate


class Range(msgspec.Struct, frozen=True, gc=False):
    """How many there can be."""

    low: int
    high: int | None
    """``None`` for no limit."""
    boxes: tuple[int, ...]
    """Those that bear the name."""
    captions: tuple[int, ...] = ()
    """Those that speak of it."""


class Evidence:
    """What is known of one scene, in terms of one lexicon. Captions are read only once they are needed."""

    def __init__(self, scene: Scene, lexicon: Lexicon) -> None:
        """Sort the boxes by label."""
        self.boxes: tuple[Box, ...] = scene.boxes
        self.captions = scene.captions
        self._lexicon = lexicon
        self._by_label: dict[str, list[int]] = {}
        for index, box in enumerate(scene.boxes):
            self._by_label.setdefault(box.label, []).append(index)
        self._ranges: dict[str, Range] = {}
        self._drawn: dict[str, Range] = {}
        self._clear: dict[str, tuple[int, ...]] = {}
        self._roles: dict[str, tuple[int, ...]] = {}
        self._all: dict[str, bool] = {}
        self._of: dict[str, tuple[int, ...]] = {}

    @property
    def person(self) -> Sense | None:
        """What "nobody" denies: the word for a person, where the data set has one."""
        return self._sense_of("person") or self._sense_of("people")

    @property
    def animal(self) -> Sense | None:
        """The word for all animals of the data set, where it has one."""
        return self._sense_of("animal")

    def _sense_of(self, word: str) -> Sense | None:
        return next((form.sense for form in self._lexicon.forms.get(word, ()) if not form.rest), None)

    def boxes_of(self, sense: Sense) -> tuple[int, ...]:
        """Return the places of all boxes that a word may mean, in the scene's order."""
        known = self._of.get(sense.word)
        if known is None:
            if len(sense.may) == 1:
                (label,) = sense.may
                known = tuple(self._by_label.get(label, ()))
            else:
                known = tuple(sorted(index for label in sense.may for index in self._by_label.get(label, ())))
            self._of[sense.word] = known
        return known

    def clear(self, sense: Sense) -> tuple[int, ...]:
        """Return the boxes that nobody who counts would overlook."""
        known = self._clear.get(sense.word)
        if known is None:
            known = self._clear[sense.word] = self._find_clear(
                index for index in self.boxes_of(sense) if self.boxes[index].label in sense.sure
            )
        return known

    def _find_clear(self, indices: Iterable[int]) -> tuple[int, ...]:
        single = [index for index in indices if not self.boxes[index].crowd]
        largest = max((area(self.boxes[index]) for index in single), default=0.0)
        found = []
        for index in single:
            box = self.boxes[index]
            size = area(box)
            is_cut_off = size < min(_CUT_OFF, 0.3 * largest) and _at_border(box)
            if size >= min(_TINY, 0.4 * largest) and not is_cut_off and not self._is_inside(index, single):
                found.append(index)
        return tuple(found)

    def clear_of_role(self, sense: Sense) -> tuple[int, ...]:
        """Return the boxes that surely bear a name by what they are with: people on skis are skiers."""
        if not sense.gear:
            return ()
        known = self._roles.get(sense.word)
        if known is None:
            gear = [index for label in sense.gear for index in self._by_label.get(label, ())]
            clear = self._find_clear(self.boxes_of(sense))
            found = [k for k in clear if any(gap_between(self.boxes[k], self.boxes[each]) <= 0 for each in gear)]
            known = self._roles[sense.word] = tuple(found[: len(gear)])
        return known

    def _is_inside(self, index: int, others: list[int]) -> bool:
        """Tell whether a box is all but covered by a far larger one of the same name."""
        inner = self.boxes[index]
        for other in others:
            outer = self.boxes[other]
            if other != index and area(outer) >= 2 * area(inner) and share_inside(inner, outer) >= _COVERED:
                return True
        return False

    def count(self, sense: Sense) -> Range:
        """Return how many of a thing there can be, by the boxes and by any caption."""
        known = self._ranges.get(sense.word)
        if known is None:
            known = self._ranges[sense.word] = self._count(sense)
        return known

    def drawn(self, sense: Sense) -> Range:
        """Return how many of a thing there can be, by the boxes alone."""
        known = self._drawn.get(sense.word)
        if known is None:
            known = self._drawn[sense.word] = self._find_drawn(sense)
        return known

    def _find_drawn(self, sense: Sense) -> Range:
        boxes = self.boxes_of(sense)
        low = len(self.clear(sense)) or len(self.clear_of_role(sense))
        high: int | None = len(boxes)
        crowd = any(self.boxes[index].crowd for index in boxes)
        if sense.open or sense.several or crowd or len(boxes) >= _UNCOUNTED or not self.boxes:
            high = None
        elif sense.loose and boxes:
            high = 2 * len(boxes) + 1
        if (
            len(sense.sure) > 1 and sense.open and not sense.summed
        ):  # whether a bicycle counts as a vehicle is a matter of opinion
            labels = Counter(self.boxes[index].label for index in self.clear(sense))
            low = max(labels.values(), default=0)
        if sense.loose:
            low = min(low, 1)
        elif len(boxes) >= _UNCOUNTED:
            low = min(low, max(_UNCOUNTED // 2, low // 2))
        return Range(low, high, boxes)

    def _count(self, sense: Sense) -> Range:
        drawn = self.drawn(sense)
        boxes, low, high = drawn.boxes, drawn.low, drawn.high
        told, spoken = self._told(sense, len(boxes))
        numbers = [value for value in told if value is not None]
        crowd = any(self.boxes[index].crowd for index in boxes)
        if high is None and sense.open and boxes and not crowd and len(boxes) < _MANY and self._is_bounded(sense):
            high = len(boxes)
            if not sense.sure and high in self._explicit(sense):
                low = high
        if len(boxes) >= _UNCOUNTED and not crowd and not sense.open and len(numbers) == len(told) > 0:
            high = max(len(boxes), *numbers)  # a caption has counted what annotators may not have
        is_countable = len(boxes) < _UNCOUNTED or self.agrees(sense)
        if low < len(boxes) and is_countable and not sense.loose and not crowd:
            low = self._surely(sense, low, numbers)
        most = self._most_of_sort(sense) if high is not None and len(boxes) < _UNCOUNTED else None
        if most is not None and high is not None:
            high = min(high, most)
        for value in told:
            if value is None:
                high = None
            elif value == len(boxes) or low < len(boxes) or len(boxes) not in self._explicit(sense):
                low = min(low, value)
                high = None if high is None else max(high, value)
        return Range(low, high, boxes, spoken)

    def _told(self, sense: Sense, boxes: int) -> tuple[list[int | None], tuple[int, ...]]:
        """Return the numbers that captions give, ``None`` for any number, and which captions speak of the thing."""
        told: list[int | None] = []
        spoken: list[int] = []
        plural = False
        singular = 0
        totals: dict[int, int] = {}
        for said in self.said:
            other, mention = said.sense, said.mention
            if not (other.may & sense.may):
                continue
            if not other.may <= sense.may and any(label in self._by_label for label in other.may - sense.may):
                continue  # "fruit" is the apples that have boxes, and no word for bananas
            is_again = bool(spoken) and spoken[-1] == said.caption
            if not is_again:
                spoken.append(said.caption)
            if other.word in NUMBER_AMOUNTS:
                plural = True
                told.append(AMOUNTS[other.word][0])  # "a couple walks by"
                continue
            if (
                other.several
                or other.word in AMOUNTS
                or mention.vague
                or (mention.many and mention.low is None and boxes < 2)
            ):
                plural = True
                if other.word in _THRONGS or boxes < _FEW:
                    told.append(_MOST_OF.get(said.amount))
                continue
            plural |= bool(mention.many)
            if mention.counted and not (is_again and mention.low == mention.high == 1):  # "two men, one with a dog"
                totals[said.caption] = totals.get(said.caption, 0) + (mention.low or 0)
                if other.may == sense.may and not is_again:  # "a crowd watches two children" counts no crowd
                    told += [mention.low, None] if mention.high is None else [mention.low]
            elif mention.many is False and not mention.counted:
                singular += other.word == sense.word or (boxes <= _FEW and sense.may <= other.may)
                if mention.article in ("a", "another") or not is_again:  # "a dog looks up, and the dog barks" has one
                    totals[said.caption] = totals.get(said.caption, 0) + 1
        told += [
            value
            for value in totals.values()
            if value > boxes or (value > 1 and boxes <= 3 * value and sense.sure and not plural)
        ]
        if singular >= 2 and not plural and max(totals.values(), default=0) < boxes:
            told.append(1)
        return [value for value in told if value is None or value > 0], tuple(spoken)

    def is_named(self, sense: Sense) -> bool:
        """Tell whether a caption names what one denies by a word that means the very same: a tv, but no television."""
        return sense.word in _TELEVISIONS and any(said.sense.word in _TELEVISIONS for said in self.said)

    def speaks_of(self, sense: Sense) -> bool:
        """Tell whether two captions have this very word, or the only one."""
        captions = {said.caption for said in self.said if said.sense.word == sense.word}
        return len(captions) >= min(2, len(self.captions)) > 0

    @cached_property
    def spoken(self) -> Captions:
        """What the captions say."""
        return read_captions(self.captions, self._lexicon)

    @property
    def said(self) -> tuple[Said, ...]:
        """All mentions of things in the captions."""
        return self.spoken.said

    def names_apart(self, sense: Sense) -> bool:
        """Tell whether captions have a doubtful word beside a sure one, as for two things: a counter and a table."""
        if sense.sure or not sense.open:
            return False
        words = {said.sense.word for said in self.said if said.sense.may & sense.may}
        return sense.word in words and any(said.sense.sure & sense.may for said in self.said)

    def is_all(self, sense: Sense) -> bool:
        """Tell whether the boxes are all that a wide word such as "bag" can mean: captions speak of no more."""
        known = self._all.get(sense.word)
        if known is None:
            is_known = bool(self.captions and sense.sure) or (
                bool(self.captions) and not any(said.sense.word == sense.word for said in self.said)
            )
            known = self._all[sense.word] = is_known and self._most_told(sense) <= len(self.boxes_of(sense))
        return known

    def _is_bounded(self, sense: Sense) -> bool:
        """Tell whether there can be no more of a wide or doubtful word than boxes: captions count or name so many."""
        if sense.several or sense.loose:
            return False
        explicit = [said for said in self.said if said.sense.may == sense.may and said.mention.low is not None]
        if sum(said.mention.low == len(self.boxes_of(sense)) for said in explicit) > 1 and self.agrees(sense):
            return self._most_numbered(sense) <= len(self.boxes_of(sense))
        if sense.sure:
            return self.is_all(sense)
        if not self.captions:
            return False
        if not (
            (self.person and sense.may == self.person.may) or any(said.sense.word == sense.word for said in self.said)
        ):
            return False
        spoken = {said.caption for said in self.said if said.sense.may & sense.may}
        return len(sense.may) == 1 and len(spoken) > 1 and self._most_told(sense) <= len(self.boxes_of(sense))

    def agrees(self, sense: Sense) -> bool:
        """Tell whether a caption counts as many of a thing as there are boxes."""
        boxes = self.boxes_of(sense)
        return len(boxes) > 1 and len(boxes) in self._explicit(sense)

    def _surely(self, sense: Sense, low: int, numbers: list[int]) -> int:
        """Return the fewest there are, if captions count as many as boxes, or have nobody but people of that sort."""
        boxes = self.boxes_of(sense)
        if self.agrees(sense) and all(value == len(boxes) for value in numbers):
            return len(boxes)
        person = self.person
        if person is None or sense.may != person.may or sense.open or sense.several or sense.word == person.word:
            return low
        spoken: dict[int, list[str]] = {}
        for said in self.said:
            if said.sense.may == person.may:
                spoken.setdefault(said.caption, []).append(said.sense.word)
        if not is_everybody(sense, list(spoken.values()), [self.captions[caption] for caption in spoken]):
            return low
        return max(low, min([len(self.clear(person)), *numbers]))

    def _most_of_sort(self, sense: Sense) -> int | None:
        person = self.person
        if person is None or sense.may != person.may or sense.sure:
            return None
        counted: list[tuple[str, int | None]] = []
        for said in self.said:
            if said.sense.may == person.may:
                mention = said.mention
                number = None if mention.vague else mention.low if mention.counted else None if mention.many else 1
                counted.append((said.sense.word, number))
        return most_of_sort(sense, counted)

    def _explicit(self, sense: Sense) -> set[int | None]:
        """Return the numbers that captions give in so many words, of that thing and nothing wider or narrower."""
        return {said.mention.low for said in self.said if said.sense.may == sense.may and not said.mention.vague}

    def _most_told(self, sense: Sense) -> int:
        told: dict[int, int] = {}
        for said in self.said:
            if said.sense.may & sense.may:
                mention = said.mention
                several = _UNCOUNTED if said.sense.word in _THRONGS else _FEW
                many = several if said.sense.several or mention.vague else 2 if mention.many else 1
                told[said.caption] = told.get(said.caption, 0) + max(mention.low or 0, many)
        return max(told.values(), default=0)

    def _most_numbered(self, sense: Sense) -> int:
        """Return the largest number that a caption gives of a thing."""
        return max(said.mention.low or 0 for said in self.said if said.sense.may & sense.may)

    def has_watchers(self, sense: Sense) -> bool:
        """Tell whether captions have a crowd, where a word is one for those who watch."""
        if sense.word not in _WATCHERS or len(self.boxes_of(sense)) < _FEW:
            return False
        return any(said.sense.word in _WATCHERS for said in self.said)

    def is_hinted(self, sense: Sense) -> bool:
        """Tell whether a word of a caption makes the thing believable."""
        for label in sense.may:
            for hint in self._lexicon.hints.get(label, ()):
                if hint in self.spoken.words or (len(hint) >= 4 and f" {hint}" in self.spoken.text):
                    return True
        return False


def _at_border(box: Box) -> bool:
    return box.x0 <= 0.01 or box.y0 <= 0.01 or box.x1 >= 0.99 or box.y1 >= 0.99
