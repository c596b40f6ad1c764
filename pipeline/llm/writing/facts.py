"""What is seen, in sentences: how many, where, on which side of what, which is larger. Every sentence is certain.

Sentences come without a full stop where a caller may go on, with one where the name says sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from pipeline.llm.writing.layout import (
    TINY,
    Spot,
    common_level,
    common_side,
    is_above,
    is_close,
    is_larger,
    is_left_of,
    overlaps_across,
    place,
    side,
    spot,
)
from pipeline.llm.writing.nouns import NUMBERS, capital, listed
from pipeline.llm.writing.scene import Thing

T = TypeVar("T")


class Pen:
    """Draws wordings: the same key gives the same text."""

    def __init__(self, key: str) -> None:
        """Seed the draws with any text."""
        self._random = Random(key).random
        self.image = self.pick(("image", "picture"))
        """The word for the image, one throughout a reply."""

    def pick(self, wordings: Sequence[T]) -> T:
        """Draw one."""
        return wordings[int(self._random() * len(wordings))]

    def early(self, items: Sequence[T]) -> T:
        """Draw one, rather an early one than a late one."""
        return items[int(self._random() ** 1.6 * len(items))]

    def chance(self, share: float) -> bool:
        """Return true in this share of the draws."""
        return self._random() < share

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return the items in a drawn order."""
        keyed = sorted((self._random(), index) for index in range(len(items)))
        return [items[index] for _, index in keyed]


_WHERE: dict[tuple[str | None, str | None], tuple[str, ...]] = {
    ("left", None): ("on the left", "on the left side of the {}", "on the left-hand side"),
    ("right", None): ("on the right", "on the right side of the {}", "on the right-hand side"),
    ("left", "top"): ("at the top left", "in the upper left of the {}", "in the upper left part of the {}"),
    ("right", "top"): ("at the top right", "in the upper right of the {}", "in the upper right part of the {}"),
    ("left", "bottom"): ("at the bottom left", "in the lower left of the {}", "in the lower left part of the {}"),
    ("right", "bottom"): ("at the bottom right", "in the lower right of the {}", "in the lower right part of the {}"),
    ("left", "middle"): ("on the left, about halfway down", "on the left side of the {}, about halfway up"),
    ("right", "middle"): ("on the right, about halfway down", "on the right side of the {}, about halfway up"),
    ("centre", "top"): ("in the upper middle of the {}", "near the top of the {}, about halfway across"),
    ("centre", "bottom"): ("in the lower middle of the {}", "near the bottom of the {}, about halfway across"),
    ("centre", "middle"): ("in the middle of the {}", "near the centre of the {}", "in the centre of the {}"),
    (None, "top"): ("near the top of the {}", "in the upper part of the {}"),
    (None, "bottom"): ("near the bottom of the {}", "in the lower part of the {}"),
}
_CORNER = ("in the {} {} corner", "in the {} {} corner of the {}")


def where(pen: Pen, box: Spot) -> str | None:
    """Return where a box is, as in ``on the left``; ``None`` where that is not clear."""
    found = place(box)
    if found is None:
        if abs(box.cx - 0.5) < 0.12:
            return None
        return f"to the {'left' if box.cx < 0.5 else 'right'} of the centre"
    if found.corner:
        up = pen.pick(("top", "upper") if found.level == "top" else ("bottom", "lower"))
        return pen.pick(_CORNER).format(up, found.side, pen.image)
    return pen.pick(_WHERE[found.side, found.level]).format(pen.image)


def mention(pen: Pen, thing: Thing) -> str:
    """Return the thing with as much of a number as is certain: ``a dog``, ``three dogs``, ``at least ten books``."""
    noun, count = thing.noun, thing.count
    if not noun.counts or thing.alone:
        return noun.a
    if thing.exact:
        return f"{NUMBERS[count]} {noun.many}"
    if count >= 12:
        return f"{pen.pick(('more than ten', 'at least ten', 'many'))} {noun.many}"
    if count >= 10:
        return f"{pen.pick(('at least ten', 'ten or more', 'many'))} {noun.many}"
    if count >= 2:
        return f"{'several' if count > 2 else 'some'} {noun.many}"
    return f"at least one {noun.one}"


def be(thing: Thing) -> str:
    """Return ``is`` or ``are``, after ``mention`` or ``the``."""
    if not thing.noun.counts:
        return thing.noun.are
    return "is" if thing.count == 1 else "are"


def the(pen: Pen, thing: Thing) -> str:
    """Return ``the dog``, ``the two dogs`` or ``the dogs``."""
    if thing.count == 1 or not thing.noun.counts:
        return f"the {thing.noun.one}"
    if thing.exact and pen.chance(0.5):
        return f"the {NUMBERS[thing.count]} {thing.noun.many}"
    return f"the {thing.noun.many}"


def names(thing: Thing) -> str:
    """Return the thing without article or number: ``dog`` or ``dogs``."""
    return thing.noun.one if thing.count == 1 else thing.noun.many


def is_clear(thing: Thing) -> bool:
    """Tell whether "the dog", "the two dogs" or "the books" leaves no doubt about which boxes are meant."""
    return thing.noun.counts and (thing.exact or thing.count >= 10)


def hull(thing: Thing) -> Spot:
    """Return the box around all boxes of a thing."""
    if thing.count == 1:
        return thing.main
    x0, y0 = min(box.x0 for box in thing.spots), min(box.y0 for box in thing.spots)
    x1, y1 = max(box.x1 for box in thing.spots), max(box.y1 for box in thing.spots)
    return spot(x0, y0, x1, y1)


def spread(pen: Pen, thing: Thing) -> str | None:
    """Return how several things of a kind are placed: ``one on the left and one on the right``, ``all on the left``."""
    if not is_clear(thing) or thing.count < 2:
        return None
    common, upright = common_side(thing.spots), common_level(thing.spots)
    both = "both" if thing.count == 2 else "all"
    if common:
        return f"{both} {pen.pick(_WHERE[common, None]).format(pen.image)}"
    if upright:
        return f"{both} {pen.pick(_WHERE[None, upright]).format(pen.image)}"
    sides = sorted(str(side(box)) for box in thing.spots)
    if sides == ["left", "right"]:
        return pen.pick(("one on the left and one on the right", "one on the left and the other on the right"))
    if sides == ["centre", "left", "right"]:
        return "one on the left, one in the middle and one on the right"
    if set(sides) == {"left", "right"} and thing.count <= 9:
        left, right = sides.count("left"), sides.count("right")
        return f"{NUMBERS[left]} on the left and {NUMBERS[right]} on the right"
    return None


def whereabouts(pen: Pen, thing: Thing) -> str | None:
    """Return where a thing is, be it one or several."""
    if thing.count == 1:
        return where(pen, thing.main) if thing.exact else None
    return spread(pen, thing)


def is_shared(place_words: str) -> bool:
    """Tell whether words from ``spread`` are for all at once (``both on the left``) or for one after another."""
    return place_words.startswith(("both ", "all "))


_KNOWN_APART = ("{0} are apart, {2}", "{0} can be seen, {2}", "{0} are in different spots, {2}")


def existence(pen: Pen, thing: Thing, known: bool = False) -> str:
    """Return a sentence, without its stop, that says a thing is there, and where as far as that is clear.

    Args:
        pen: Draws the wording.
        thing: Any thing.
        known: Whether the reader has met it, so that it is "the dog" and no longer "a dog".
    """
    place_words = whereabouts(pen, thing)
    what, verb = mention(pen, thing), be(thing)
    if place_words is None:
        form = pen.pick(("There {1} {0} in the {3}", "{2} can be seen", "{2} {1} visible", "The {3} also has {0}"))
        return form.format(what, verb, capital(what), pen.image)
    if known and is_clear(thing):
        if thing.count == 1:
            form = pen.pick(("{0} {1} {2}", "{0} can be found {2}", "{0} can be seen {2}"))
        else:
            form = "{0} {1} {2}" if is_shared(place_words) else pen.pick(_KNOWN_APART)
        return form.format(capital(the(pen, thing)), verb, place_words)
    if thing.count > 1:
        form = pen.pick(("There {1} {0}, {3}", "{2} can be seen, {3}", "{2} are visible, {3}", "{2} are in view, {3}"))
        return form.format(what, verb, capital(what), place_words)
    forms = ("There {1} {0} {3}", "{2} {1} {3}", "{4}, there {1} {0}", "{2} can be seen {3}", "{2} appears {3}")
    form = pen.pick(forms) if verb == "is" else "There {1} {0} {3}"
    return form.format(what, verb, capital(what), place_words, capital(place_words))


def relation(pen: Pen, a: Thing, b: Thing, vertical: bool | None = None) -> str | None:
    """Return how ``a`` lies to ``b``, without a stop and in small letters; ``None`` where that is not clear.

    Args:
        pen: Draws the wording.
        a: What the sentence is about.
        b: What it is measured by.
        vertical: Whether to speak of above and below only, or of left and right only; whichever is clear if ``None``.
    """
    if not (is_clear(a) and is_clear(b)):
        return None
    first, second = hull(a), hull(b)
    found = []
    if vertical is not True:
        if is_left_of(first, second):
            found.append(pen.pick(("to the left of", "left of", "to the left of")))
        elif is_left_of(second, first):
            found.append(pen.pick(("to the right of", "right of", "to the right of")))
    if vertical is not False:
        over = overlaps_across(first, second)
        if is_above(first, second):
            found.append("above" if over else f"higher up in the {pen.image} than")
        elif is_above(second, first):
            found.append("below" if over else f"lower in the {pen.image} than")
    return f"{the(pen, a)} {be(a)} {pen.pick(found)} {the(pen, b)}" if found else None


def are_apart(a: Thing, b: Thing) -> bool:
    """Tell whether one of two single things is clearly to the left of the other."""
    return a.alone and b.alone and (is_left_of(a.main, b.main) or is_left_of(b.main, a.main))


def closeness(a: Thing, b: Thing) -> str | None:
    """Return that two things are side by side, without a stop and in small letters."""
    if a.alone and b.alone and is_close(a.main, b.main):
        return f"the {a.noun.one} and the {b.noun.one} are close together"
    return None


def size(pen: Pen, a: Thing, b: Thing) -> str | None:
    """Return which of two single things takes up more of the image, without a stop and in small letters."""
    if not (a.alone and b.alone):
        return None
    if is_larger(b.main, a.main):
        a, b = b, a
    elif not is_larger(a.main, b.main):
        return None
    form = pen.pick(
        (
            "the {0} takes up more of the {2} than the {1}",
            "the {0} fills more of the {2} than the {1}",
            "the {1} takes up less of the {2} than the {0}",
            "the {0} looks larger in the {2} than the {1}",
        )
    )
    return form.format(a.noun.one, b.noun.one, pen.image)


def certain_count(thing: Thing) -> tuple[int, int | None]:
    """Return the fewest and the most there can be of a thing; no bound is ``None``."""
    if thing.exact:
        return thing.count, thing.count
    return thing.count if thing.count >= 10 else 1, None


def more(a: Thing, b: Thing) -> tuple[Thing, Thing] | None:
    """Return the thing that there is certainly more of, then the other; ``None`` where that is not certain."""
    if not (a.noun.counts and b.noun.counts):
        return None
    (fewest_a, most_a), (fewest_b, most_b) = certain_count(a), certain_count(b)
    if most_b is not None and fewest_a > most_b:
        return a, b
    return (b, a) if most_a is not None and fewest_b > most_a else None


def largest(pen: Pen, thing: Thing) -> str | None:
    """Return where the largest of several is, without a stop and in small letters, if it clearly is the largest."""
    if not thing.exact or thing.count < 2 or not thing.noun.counts or not is_larger(thing.spots[0], thing.spots[1]):
        return None
    place_words = where(pen, thing.main)
    if place_words is None:
        return None
    which = "larger" if thing.count == 2 else "largest"
    form = pen.pick(("of the {0} {1}, the one that looks {2} is {3}", "the {2}-looking of the {0} {1} is {3}"))
    return form.format(NUMBERS[thing.count], thing.noun.many, which, place_words)


def is_fair_match(a: Thing, b: Thing) -> bool:
    """Tell whether it makes sense to ask which of the two there are more of."""
    if a.count < 2 and b.count < 2:
        return False
    alike = a.noun.group == b.noun.group or "people" in (a.noun.group, b.noun.group)
    return alike or (a.count > 1 and b.count > 1)


def foreground(pen: Pen, things: Sequence[Thing]) -> str | None:
    """Return that one thing stands in the foreground: large, low, and far larger than all others."""
    first = things[0] if things else None
    if first is None or not first.alone or first.main.area < 0.22 or first.main.y1 < 0.9:
        return None
    if first.noun.group in ("furniture", "") or any(first.main.area < 3 * other.main.area for other in things[1:]):
        return None
    return pen.pick(("the {0} is in the foreground", "the {0} is up close, in the foreground")).format(first.noun.one)


def extent(pen: Pen, thing: Thing) -> str | None:
    """Return what a single thing fills, without a stop and in small letters; ``None`` if it is not that large."""
    box, one = thing.main, thing.noun.one
    if box.x0 <= 0.08 and box.x1 >= 0.92:
        return f"the {one} reaches almost from one side of the {pen.image} to the other"
    if box.y0 <= 0.08 and box.y1 >= 0.92:
        return f"the {one} reaches almost from the top of the {pen.image} to the bottom"
    return f"the {one} takes up a large part of the {pen.image}" if box.area >= 0.35 else None


def everything(pen: Pen, things: Sequence[Thing], most: int = 6) -> str:
    """Return the things as a list, each with as much of a number as is certain."""
    return listed([mention(pen, thing) for thing in things[:most]])


def worth_a_word(thing: Thing) -> bool:
    """Tell whether a thing is large enough to be pointed at."""
    return thing.main.area >= TINY
