"""More of one thing than of another, and larger: what counts and areas say of a comparison."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pipeline.quality.claims.evidence import Evidence, Range
from pipeline.quality.claims.positions import area, fit
from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.statements import Located, Statement
from pipeline.quality.reading.vocabulary import NOT, SIGNS, SIZES, word_set
from pipeline.records import Verdict

_LARGER = 1.5  # ratio of areas from which one thing clearly takes up more of the image
_FAR_LARGER = 2.5  # and from which it does so even if the one is nearer than the other
_PICTURED = word_set("image picture photo frame looks look appears seems")
"""Words that say that it is about the picture: in the world, a small thing may be near and look large."""
_OUTNUMBERS = word_set("outnumber outnumbers")
_COMPARES = _OUTNUMBERS | {"than", "as"}
_TIMES = word_set("twice half times")
_LINKS = word_set("is are looks look appears appears seems seem the by far a bit lot much clearly slightly")
"""Words between "the one on the left" and "the largest"."""


class Compared(msgspec.Struct, frozen=True, gc=False):
    """One comparison of a sentence."""

    first: int
    last: int
    verdict: Verdict
    boxes: tuple[int, ...]
    detail: str = ""
    """What the evidence says instead."""


def read_comparisons(statement: Statement, evidence: Evidence) -> list[Compared]:
    """Return the comparisons of a sentence.

    These are "more X than Y", "as many X as Y", "X outnumber Y", "X is larger than Y" and "the largest X is on the
    left"; and the answers to "are there more X or Y?" and "which is the largest?".
    """
    low, mentions = statement.low, statement.mentions
    found: list[Compared | None] = []
    said = range(statement.first, statement.stop - 1)
    for link in said if not _COMPARES.isdisjoint(low[statement.first : statement.stop]) else ():
        if low[link] not in _COMPARES:
            continue
        after = next((k for k, each in enumerate(mentions) if each.first == link + 1), None)
        before = max(
            (k for k in range(len(mentions)) if mentions[k].last < link), key=lambda k: mentions[k].last, default=None
        )
        if (
            after is None
            or before is None
            or not (_is_comparable(mentions[before]) and _is_comparable(mentions[after]))
        ):
            continue
        if SIGNS.isdisjoint(low[mentions[before].last : link]):
            found.append(_judge(statement, before, link, after, evidence))
    if statement.rivals is not None and not found:
        found.append(_judge_choice(statement, statement.rivals, evidence))
    found += _judge_extremes(statement, evidence)
    return [each for each in found if each is not None]


def _is_comparable(mention: Mention) -> bool:
    return mention.sense is not None and not mention.owner and not mention.colours


def _judge(statement: Statement, before: int, link: int, after: int, evidence: Evidence) -> Compared | None:
    """Judge two mentions on either side of "than", "as" or "outnumber"."""
    low, one, other = statement.low, statement.mentions[before], statement.mentions[after]
    if low[link] in _OUTNUMBERS:
        is_negated = not NOT.isdisjoint(low[one.last + 1 : link])
        return None if is_negated else _more(one, other, one.first, other.last, evidence)
    if one.last + 1 == link and one.many:
        ahead = low[max(statement.first, one.first - 4) : one.head]
        if not NOT.isdisjoint(ahead) or not _TIMES.isdisjoint(ahead):
            return None
        if low[link] == "as":
            is_many = ahead.count("as") and "many" in ahead
            return _alike(one, other, one.first - 1, other.last, evidence) if is_many else None
        if "more" in ahead[-3:]:
            return _more(one, other, one.first, other.last, evidence)
        is_fewer = "fewer" in ahead[-3:] or "less" in ahead[-3:]
        return _more(other, one, one.first, other.last, evidence) if is_fewer else None
    if low[link] == "as":
        return None
    return _compare_sizes(statement, before, link, after, evidence)


def _compare_sizes(statement: Statement, before: int, link: int, after: int, evidence: Evidence) -> Compared | None:
    low, one, other = statement.low, statement.mentions[before], statement.mentions[after]
    between = low[one.last + 1 : link]
    pairs = {" ".join(between[k : k + 2]) for k in range(len(between))}
    is_larger = next((SIZES[word] for word in between if word in SIZES), None)
    if "more of" in pairs or "less of" in pairs:
        is_larger = "more of" in pairs
    if is_larger is None or not NOT.isdisjoint(between):
        return None
    ones, others = _picked(statement, before, evidence), _picked(statement, after, evidence)
    if len(ones) != 1 or len(others) != 1 or ones == others:
        return None
    pictured = "more of" in pairs or "less of" in pairs or not _PICTURED.isdisjoint(between)
    alike = one.sense is not None and other.sense is not None and one.sense.may == other.sense.may
    needed = _LARGER if pictured else _FAR_LARGER if alike else None
    large, small = (ones[0], others[0]) if is_larger else (others[0], ones[0])
    return _larger(large, small, needed, one.first, other.last, evidence)


def _picked(statement: Statement, index: int, evidence: Evidence) -> tuple[int, ...]:
    """Return the boxes of a mention, of "the one on the left" those on the left."""
    sense = statement.mentions[index].sense
    boxes = evidence.boxes_of(sense) if sense is not None else ()
    for located in statement.located:
        if located.subjects[:1] == (index,) and located.place.frame == "image":
            boxes = _at(located, boxes, evidence)
    return boxes


def _at(located: Located, boxes: tuple[int, ...], evidence: Evidence) -> tuple[int, ...]:
    return tuple(index for index in boxes if fit(located.place, evidence.boxes[index]) == "yes")


def _larger(large: int, small: int, needed: float | None, first: int, last: int, evidence: Evidence) -> Compared:
    """Judge that one box is larger than another, and not smaller by the ratio that is needed to contradict it."""
    areas = area(evidence.boxes[large]), area(evidence.boxes[small])
    if areas[0] >= areas[1]:
        return Compared(first, last, "supported", (large, small))
    if needed is None or areas[1] < needed * areas[0]:
        return Compared(first, last, "not checkable", (large, small))
    names = evidence.boxes[large].label, evidence.boxes[small].label
    detail = f"the {names[0]} fills {areas[0]:.2f} of the image, the {names[1]} {areas[1]:.2f}"
    return Compared(first, last, "contradicted", (large, small), detail)


def _judge_extremes(statement: Statement, evidence: Evidence) -> Iterator[Compared]:
    """Judge "the largest X is on the left" and "the one on the left is the largest"."""
    low = statement.low
    for located in statement.located:
        if located.place.frame != "image" or not located.subjects or not located.sure:
            continue
        mention = statement.mentions[located.subjects[0]]
        if mention.sense is None or mention.many:
            continue
        is_larger = _size_said(statement, mention, located)
        boxes = evidence.boxes_of(mention.sense)
        there = _at(located, boxes, evidence)
        rivals = [each for each in boxes if each not in there]
        if is_larger is None or not there or not rivals:
            continue
        first, last = min(mention.first, located.place.first), max(mention.last, located.place.last)
        needed = _LARGER if not _PICTURED.isdisjoint(low[statement.first : statement.stop]) else _FAR_LARGER
        utmost = max if is_larger else min
        one, rival = (utmost(each, key=lambda box: area(evidence.boxes[box])) for each in (there, rivals))
        large, small = (one, rival) if is_larger else (rival, one)
        yield _larger(large, small, needed, first, last, evidence)


def _size_said(statement: Statement, mention: Mention, located: Located) -> bool | None:
    """Return whether a thing at a place is called the largest, or the smallest; ``None`` for neither."""
    low = statement.low
    said = next((SIZES[word] for word in low[mention.first : mention.head + 1] if word in SIZES), None)
    if said is not None:
        return said
    index = located.place.last + 1
    while index < statement.stop and low[index] in _LINKS:
        index += 1
    word = low[index] if index < statement.stop else "."
    after = low[index + 1] if index + 1 < statement.stop else "."
    if index > located.place.last + 1 and word in SIZES and (after in SIGNS or after in ("one", "of")):
        return SIZES[word]
    return statement.size if mention.pronoun and word in SIGNS and "than" not in low else None


def _judge_choice(statement: Statement, rivals: tuple[Mention, Mention], evidence: Evidence) -> Compared | None:
    """Judge an answer that names one of two things, of which its question asks whether there are more."""
    named = statement.mentions[0] if statement.mentions else None
    if named is None or named.sense is None or named.first > statement.first + 2 or "than" in statement.low:
        return None
    for one, other in (rivals, rivals[::-1]):
        if one.sense is not None and named.sense.word == one.sense.word:
            return _more(one, other, named.first, named.last, evidence)
    return None


def _more(one: Mention, other: Mention, first: int, last: int, evidence: Evidence) -> Compared | None:
    """Judge that there are more of one thing than of another."""
    assert one.sense is not None
    assert other.sense is not None
    more, fewer = evidence.count(one.sense), evidence.count(other.sense)
    boxes = (*more.boxes, *fewer.boxes)
    if not boxes or one.sense.may & other.sense.may:
        return None
    if more.high is not None and more.high <= fewer.low:
        return Compared(first, last, "contradicted", boxes, _numbers(more, fewer))
    return Compared(first, last, "supported" if len(more.boxes) > len(fewer.boxes) else "not checkable", boxes)


def _alike(one: Mention, other: Mention, first: int, last: int, evidence: Evidence) -> Compared | None:
    """Judge that there are as many of one thing as of another."""
    assert one.sense is not None
    assert other.sense is not None
    ones, others = evidence.count(one.sense), evidence.count(other.sense)
    boxes = (*ones.boxes, *others.boxes)
    if not boxes or one.sense.may & other.sense.may:
        return None
    if (ones.high is not None and ones.high < others.low) or (others.high is not None and others.high < ones.low):
        return Compared(first, last, "contradicted", boxes, _numbers(ones, others))
    return Compared(first, last, "supported" if len(ones.boxes) == len(others.boxes) else "not checkable", boxes)


def _numbers(one: Range, other: Range) -> str:
    return f"the boxes show {len(one.boxes)} of the one and {len(other.boxes)} of the other"
