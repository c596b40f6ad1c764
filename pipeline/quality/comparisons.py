"""More of one thing than of another, and larger: what counts and areas say of a comparison."""

from __future__ import annotations

import msgspec

from pipeline.quality.evidence import Evidence, Range
from pipeline.quality.lexicon import Sense
from pipeline.quality.mentions import Mention
from pipeline.quality.positions import area
from pipeline.quality.statements import Statement
from pipeline.quality.vocabulary import SIGNS, word_set
from pipeline.records import Verdict

_LARGER = 1.5  # ratio of areas from which one thing clearly takes up more of the image
_SIZES = {"larger": True, "bigger": True, "smaller": False}
_PICTURED = word_set("image picture photo frame looks appears")
"""Words that say that it is about the picture: in the world, a small thing may be near and look large."""


class Compared(msgspec.Struct, frozen=True, gc=False):
    """One comparison of a sentence."""

    first: int
    last: int
    verdict: Verdict
    boxes: tuple[int, ...]
    detail: str = ""
    """What the evidence says instead."""


def read_comparisons(statement: Statement, evidence: Evidence) -> list[Compared]:
    """Return the comparisons of a sentence: "more X than Y", "as many X as Y", "X is larger than Y"."""
    low = statement.low
    found = []
    for link in range(statement.first + 1, statement.stop - 1):
        if low[link] != "than" and low[link] != "as":
            continue
        after = statement.starting_at(link + 1)
        before = next((each for each in reversed(statement.mentions) if each.last < link), None)
        if after is None or before is None or not (_is_comparable(before) and _is_comparable(after)):
            continue
        if not SIGNS.isdisjoint(low[before.last : link]):
            continue
        judged = _judge(low, before, link, after, evidence)
        if judged is not None:
            found.append(judged)
    return found


def _is_comparable(mention: Mention) -> bool:
    return mention.sense is not None and not mention.owner and not mention.colours


def _judge(low: list[str], before: Mention, link: int, after: Mention, evidence: Evidence) -> Compared | None:
    assert before.sense is not None
    assert after.sense is not None
    first, last = before.first, after.last
    if before.last + 1 == link and before.many:
        ahead = low[max(0, before.first - 2) : before.head]
        if before.sense.open or after.sense.open:
            return None
        one, other = evidence.count(before.sense), evidence.count(after.sense)
        if low[link] == "as":
            return _alike(one, other, first - 1, last) if ahead.count("as") and "many" in ahead else None
        if "more" in ahead:
            return _more(one, other, first, last)
        return _more(other, one, first, last) if "fewer" in ahead or "less" in ahead else None
    if low[link] == "as":
        return None
    between = low[before.last + 1 : link]
    pairs = {" ".join(between[k : k + 2]) for k in range(len(between))}
    size = next((_SIZES[word] for word in between if word in _SIZES), None)
    takes = "more of" in pairs or "less of" in pairs
    if takes:
        size = "more of" in pairs
    if size is None:
        return None
    pictured = takes or not _PICTURED.isdisjoint(between)
    small, large = (after.sense, before.sense) if size else (before.sense, after.sense)
    return _larger(large, small, first, last, pictured, evidence)


def _more(one: Range, other: Range, first: int, last: int) -> Compared | None:
    """Judge that there are more of one thing than of another."""
    boxes = (*one.boxes, *other.boxes)
    if not boxes:
        return None
    if one.high is not None and one.high <= other.low:
        return Compared(first, last, "contradicted", boxes, _numbers(one, other))
    return Compared(first, last, "supported" if len(one.boxes) > len(other.boxes) else "not checkable", boxes)


def _alike(one: Range, other: Range, first: int, last: int) -> Compared | None:
    """Judge that there are as many of one thing as of another."""
    boxes = (*one.boxes, *other.boxes)
    if not boxes:
        return None
    if (one.high is not None and one.high < other.low) or (other.high is not None and other.high < one.low):
        return Compared(first, last, "contradicted", boxes, _numbers(one, other))
    return Compared(first, last, "supported" if len(one.boxes) == len(other.boxes) else "not checkable", boxes)


def _numbers(one: Range, other: Range) -> str:
    return f"the boxes show {len(one.boxes)} of the one and {len(other.boxes)} of the other"


def _larger(large: Sense, small: Sense, first: int, last: int, pictured: bool, evidence: Evidence) -> Compared | None:
    """Judge that one single thing is larger than another."""
    one, other = evidence.boxes_of(large), evidence.boxes_of(small)
    if len(one) != 1 or len(other) != 1 or one == other:
        return None
    boxes = (*one, *other)
    areas = area(evidence.boxes[one[0]]), area(evidence.boxes[other[0]])
    if areas[0] >= areas[1]:
        return Compared(first, last, "supported", boxes)
    if not pictured or areas[1] < _LARGER * areas[0]:
        return Compared(first, last, "not checkable", boxes)
    detail = f"the {large.word} fills {areas[0]:.2f} of the image, the {small.word} {areas[1]:.2f}"
    return Compared(first, last, "contradicted", boxes, detail)
