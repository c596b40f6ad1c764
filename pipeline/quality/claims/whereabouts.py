"""Whether things are where a sentence says, in the image or beside each other."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from pipeline.quality.claims.evidence import Evidence
from pipeline.quality.claims.positions import Fit, area, fit, gap_between, where
from pipeline.quality.claims.relations import relate, relate_between
from pipeline.quality.reading.lexicon import Sense
from pipeline.quality.reading.mentions import Mention
from pipeline.quality.reading.places import Place
from pipeline.quality.reading.statements import Located, Relation, Side, Statement
from pipeline.quality.reading.vocabulary import NOT, SIGNS, word_set
from pipeline.records import Box, Verdict

_MANY = 10
_FAR_LARGER = 2  # ratio of areas from which nobody doubts which of two things is the larger one
_MOST_OF_FEW, _MOST_OF_MANY = (
    0.5,
    0.75,
)  # share of the dogs that are elsewhere from which "the dogs" are not on the left


_CONTACT = word_set(
    "with holding holds carrying carries wearing wears riding rides has using uses holding on swinging swings pushing "
    "pushes pulling pulls walking walks"
)
"""Words between somebody and what touches him."""
_UPON = word_set("on in into at by under above beside behind the a an")
"""Words before what has no box and another thing touches."""
_JOINS = word_set(
    "who that which is are and a the , has been past by along down up about around off away out sitting seated "
    "standing lying perched riding parked sits stands lies rides sleeping resting"
)


class Judged(msgspec.Struct, frozen=True, gc=False):
    """A verdict with its evidence."""

    verdict: Verdict
    last: int
    """Last word of the claim."""
    boxes: tuple[int, ...]
    detail: str = ""


def judge_place(statement: Statement, located: Located, denied: Collection[int], evidence: Evidence) -> Judged | None:
    """Return whether something is where a sentence says, ``None`` where no box can settle it.

    A place may be said of several things. One that fits is enough; it is wrong only if none can fit.
    """
    place = located.place
    if place.across == place.down == "middle" and any(
        each.place.down in ("top", "bottom") for each in statement.located
    ):
        place = msgspec.structs.replace(place, down="")  # "in the middle of the frame, close to the bottom"
    frame: Box | None = None
    if place.frame == "thing":
        frame = _frame(statement, place, evidence)
        if frame is None and not place.spread:
            return None
    best: Fit = "no"
    is_upon = False
    blamed: tuple[Sense, tuple[int, ...]] | None = None
    for order, index in enumerate(located.subjects):
        mention = statement.mentions[index]
        sense = mention.sense
        if sense is None or index in denied or not mention.real or mention.first == place.thing:
            if not order:
                return None
            continue
        boxes, is_narrowed = candidates(statement, index, evidence)
        if not is_narrowed and not settles(mention, boxes, evidence):
            if not order and len(located.subjects) > 1 and statement.before(mention.first) in _UPON:
                is_upon = True  # "a sink is set into the counter on the right"
            elif statement.before(place.first) != "," and (not order or sense.open):
                return None
            continue
        found, fitting = _fit_mention(_roughly(place) if is_upon else place, mention, boxes, frame, evidence)
        if found == "yes":
            return Judged("supported", place.last, fitting)
        best = found if found == "perhaps" else best
        blamed = blamed or (sense, boxes)
    if blamed is None:
        return None
    sense, boxes = blamed
    doubt = best == "perhaps" or not located.sure or is_negated(statement, place.first)
    if doubt or (place.aside and _is_aside(statement, place, boxes, evidence)):
        return Judged("not checkable", place.last, boxes)
    return Judged("contradicted", place.last, boxes, _explain(place, sense, boxes, evidence))


def _roughly(place: Place) -> Place:
    return msgspec.structs.replace(place, rough=True, close=False)


def _frame(statement: Statement, place: Place, evidence: Evidence) -> Box | None:
    """Return the box of the thing that a place is a part of: "on the left side of the table"."""
    thing = statement.starting_at(place.thing)
    boxes = evidence.boxes_of(thing.sense) if thing is not None and thing.sense is not None else ()
    return evidence.boxes[boxes[0]] if len(boxes) == 1 and not place.depth else None


def settles(mention: Mention, boxes: tuple[int, ...], evidence: Evidence) -> bool:
    """Tell whether there are boxes, and they are all that a mention can be about."""
    sense = mention.sense
    assert sense is not None
    if mention.article == "the" and evidence.names_apart(sense):
        return False
    if not boxes or not sense.open or mention.article == "the" or mention.low == len(boxes):
        return bool(boxes)
    return evidence.is_all(sense)


def candidates(statement: Statement, index: int, evidence: Evidence) -> tuple[tuple[int, ...], bool]:
    """Return the boxes that a mention may be about, and whether what it holds or rides leaves only some of them.

    Of "the man with the umbrella" it is those that touch an umbrella.
    """
    mention = statement.mentions[index]
    assert mention.sense is not None
    boxes = evidence.boxes_of(mention.sense)
    if mention.size is not None and mention.many is not True and not mention.sense.open:
        chosen = _of_size(boxes, mention.size, evidence)
        return (chosen or boxes), bool(chosen)
    held = statement.mentions[index + 1] if index + 1 < len(statement.mentions) else None
    if held is None or held.sense is None or held.sense.open or mention.many or mention.owner:
        return boxes, False
    if not held.real or held.article == "no":
        return boxes, False
    places = [each.place for each in statement.located]
    between = [
        statement.low[word]
        for word in range(mention.last + 1, held.first)
        if not any(place.first <= word <= place.last for place in places)
    ]
    if not between or between[-1] not in _CONTACT or not _JOINS.issuperset(between[:-1]):
        return boxes, False
    others = evidence.boxes_of(held.sense)
    touching = tuple(
        one
        for one in boxes
        if any(one != other and gap_between(evidence.boxes[one], evidence.boxes[other]) <= 0 for other in others)
    )
    return (touching, True) if touching else (boxes, False)


def _of_size(boxes: tuple[int, ...], largest: bool, evidence: Evidence) -> tuple[int, ...]:
    """Return the box that is by far the largest or the smallest of several, none if there is no such."""
    if not 1 < len(boxes) < _MANY or any(evidence.boxes[index].crowd for index in boxes):
        return ()
    first, second = sorted(boxes, key=lambda index: area(evidence.boxes[index]), reverse=largest)[:2]
    one, other = area(evidence.boxes[first]), area(evidence.boxes[second])
    return (first,) if max(one, other) >= _FAR_LARGER * min(one, other) else ()


def _fit_mention(
    place: Place, mention: Mention, boxes: tuple[int, ...], frame: Box | None, evidence: Evidence
) -> tuple[Fit, tuple[int, ...]]:
    """Return whether what is mentioned may be at a place, and the boxes that are."""
    sense = mention.sense
    assert sense is not None
    fits = [fit(place, evidence.boxes[index], frame) for index in boxes]
    good = tuple(index for index, each in zip(boxes, fits, strict=True) if each == "yes")
    named = mention.article == "the" and mention.like < 0
    some = mention.part or mention.described or sense.loose
    if mention.many and named and not some:
        clear = evidence.clear(sense)
        wrong = sum(fits[boxes.index(index)] == "no" for index in clear)
        if wrong > len(clear) * (_MOST_OF_FEW if len(boxes) < _MANY else _MOST_OF_MANY):
            return "no", good
    if good:
        return "yes", good
    if "perhaps" in fits:
        return "perhaps", boxes
    if len(boxes) > 1 and place.loose:
        return "perhaps", boxes  # the middle one of several
    is_choice = place.first == mention.last + 1 and not mention.pronoun
    if len(boxes) > 1 and named and is_choice and mention.many is False and place.across in ("left", "right"):
        return ("no" if place.down or place.close else "perhaps"), boxes  # "the man on the left" is the left one of two
    return "no", boxes


def _is_aside(statement: Statement, place: Place, boxes: tuple[int, ...], evidence: Evidence) -> bool:
    """Tell whether "to the left" may mean left of something that was named before."""
    side: Side = "left" if place.across == "left" else "right"
    for mention in statement.mentions:
        if mention.first > place.first or mention.sense is None:
            continue
        for other in evidence.boxes_of(mention.sense):
            if any(i != other and relate(side, evidence.boxes[i], evidence.boxes[other]) != "no" for i in boxes):
                return True
    return False


def _explain(place: Place, sense: Sense, boxes: tuple[int, ...], evidence: Evidence) -> str:
    if len(boxes) > 1:
        found = dict.fromkeys(where(evidence.boxes[index]) for index in boxes)
        return f"the {sense.plural} are at the {' and '.join(found)}, not {place.words}"
    box = evidence.boxes[boxes[0]]
    across, down = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    centre = (
        f"{across:.2f} of the width" if not place.down else f"{across:.2f} of the width and {down:.2f} of the height"
    )
    at = where(box) if place.down else where(box).split()[-1]
    return f"the {sense.word}'s centre is at {centre}: {at}, not {place.words}"


def judge_shared(statement: Statement, evidence: Evidence) -> Judged | None:
    """Return that "one on the left and the other on the right" cannot be, since each must be another box.

    ``None`` where it can be, or where some part of it is wrong by itself.
    """
    shares: dict[int, list[Place]] = {}
    senses = set()
    for located in statement.located:
        place = located.place
        mention = statement.mentions[located.subjects[0]] if located.subjects else None
        is_share = mention is not None and (mention.pronoun or mention.article == "a") and mention.many is not True
        if mention is None or not is_share or mention.sense is None or place.frame != "image" or place.aside:
            continue
        if not located.sure or place.loose or place.rough or (mention.low or 1) > 1:
            continue
        shares.setdefault(located.subjects[0], []).append(place)
        senses.add(mention.sense.word)
    if len(shares) < 2 or len(senses) != 1 or not any(statement.mentions[each].pronoun for each in shares):
        return None
    sense = statement.mentions[next(iter(shares))].sense
    assert sense is not None
    boxes = evidence.boxes_of(sense)
    if sense.open or not len(shares) <= len(boxes) <= _MANY or any(evidence.boxes[index].crowd for index in boxes):
        return None
    fitting = [
        {index for index in boxes if all(fit(place, evidence.boxes[index]) != "no" for place in places)}
        for places in shares.values()
    ]
    if not all(fitting) or _can_share(fitting):
        return None
    last = max(places[-1].last for places in shares.values())
    return Judged("contradicted", last, boxes, f"no two {sense.plural} are there")


def _can_share(fitting: list[set[int]]) -> bool:
    """Tell whether each set can give an element that no other gives."""
    if not fitting:
        return True
    return any(_can_share([each - {one} for each in fitting[1:]]) for one in fitting[0])


def judge_relation(
    statement: Statement, relation: Relation, denied: Collection[int], evidence: Evidence
) -> Judged | None:
    """Return whether one thing is beside another as a sentence says, ``None`` where no box can settle it."""
    last = relation.last
    others = tuple(index for sense in relation.others for index in evidence.boxes_of(sense))
    if relation.thing >= 0:
        thing = statement.mentions[relation.thing]
        last = thing.last
        if not thing.real or relation.thing in denied or thing.owner or not settles(thing, others, evidence):
            return None
    elif not all(evidence.boxes_of(sense) for sense in relation.others):
        return None  # "it" may stand for what has no box
    if relation.side == "between" and len(others) != 2:
        return None
    best: Fit | None = None
    end = statement.mentions[relation.thing] if relation.thing >= 0 else None
    every = end is not None and end.many is True and end.low == len(others) > 1 and relation.side != "between"
    doubt = is_negated(statement, relation.first)
    pair = (0, 0)
    for order, index in enumerate(relation.subjects):
        mention = statement.mentions[index]
        if mention.sense is None or not mention.real or index in denied:
            return None
        ones, is_narrowed = candidates(statement, index, evidence)
        if not is_narrowed and not settles(mention, ones, evidence):
            if not order:
                return None
            doubt = True
            continue
        for one in ones:
            if every:  # "to the right of both glasses"
                fits = {_relate(relation.side, one, other, others, evidence) for other in others if other != one}
                worst: Fit = "no" if "no" in fits else "perhaps" if "perhaps" in fits else "yes"
                if best is None or (worst != best and (worst == "yes" or best == "no")):
                    best, pair = worst, (one, others[0])
                continue
            for other in others:
                found = _relate(relation.side, one, other, others, evidence) if one != other else best
                if best is None or (found != best and (found == "yes" or best == "no")):
                    best, pair = found, (one, other)
    if best is None:
        return None
    if best == "yes":
        return Judged("supported", last, pair)
    if best == "perhaps" or doubt:
        return Judged("not checkable", last, pair)
    one_box, other_box = evidence.boxes[pair[0]], evidence.boxes[pair[1]]
    return Judged(
        "contradicted",
        last,
        pair,
        f"the {one_box.label} is at {_at(one_box)}, the {other_box.label} at {_at(other_box)}",
    )


def _relate(side: Side, one: int, other: int, others: tuple[int, ...], evidence: Evidence) -> Fit:
    box = evidence.boxes[one]
    if side == "between":
        return relate_between(box, (evidence.boxes[others[0]], evidence.boxes[others[1]]))
    return relate(side, box, evidence.boxes[other])


def _at(box: Box) -> str:
    return f"x {(box.x0 + box.x1) / 2:.2f}, y {(box.y0 + box.y1) / 2:.2f}"


def is_negated(statement: Statement, word: int) -> bool:
    """Tell whether a "not" or "no" stands before a word, in the same clause."""
    low = statement.low
    for index in range(word - 1, max(statement.first, word - 7) - 1, -1):
        if low[index] in SIGNS or low[index] == "but":
            return False
        if low[index] in NOT or low[index] in ("no", "without"):
            return True
    return False
