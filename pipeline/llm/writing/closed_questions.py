"""Closed questions: some answered "yes", some "no", about presence, numbers, sides and relations."""

from __future__ import annotations

from pipeline.llm.writing.asking import Asked, Asker
from pipeline.llm.writing.facts import Pen, are_apart, be, is_clear, is_fair_match, mention, more, the, whereabouts
from pipeline.llm.writing.layout import common_side, is_left_of
from pipeline.llm.writing.lexicon import COMPANIONS, EVERYDAY, FORMS, GROUPS, MEMBERS
from pipeline.llm.writing.nouns import NUMBERS, article, capital
from pipeline.llm.writing.scene import View
from pipeline.records import Turn

# Of these groups, one thing may be named in place of another: "no dog, but a cat".
_ALIKE = ("vehicle", "animal", "food", "kitchen", "appliance", "electronic", "sport", "accessory")
_IS_THERE = ("Is there {} in the {}?", "Is there {} anywhere?", "Can you see {} in the {}?", "Does the {1} show {0}?")
_ARE_THERE = (
    "Are there any {} in the {}?",
    "Are there {} in this {}?",
    "Can you see any {}?",
    "Does the {1} show any {0}?",
)


def _is_there(pen: Pen, one: str, many: str, single: bool) -> str:
    if single:
        return pen.pick(_IS_THERE).format(f"{article(one)} {one}", pen.image)
    return pen.pick(_ARE_THERE).format(many, pen.image)


def _yes_there(view: View, pen: Pen, asked: Asked) -> Turn | None:
    thing = asked.thing(view, pen, "there", lambda thing: True)
    if thing is None:
        return None
    noun, place, what = thing.noun, whereabouts(pen, thing), mention(pen, thing)
    asked.topics.update((f"where:{noun.label}", *([f"count:{noun.label}"] if thing.count > 1 else [])))
    question = _is_there(pen, noun.one, noun.many, single=thing.count == 1 and noun.counts)
    if place is None and not is_clear(thing):
        answer = "Yes, there {1} {0}."
    elif place is None:
        answer = pen.pick(("Yes, there {1} {0}.", "Yes, {0} can be seen.", "Yes, {0} {1} in the {2}."))
    elif thing.count > 1:
        answer = "Yes, there {1} {0}, {3}."
    elif noun.group == "people" or not noun.counts:
        answer = pen.pick(("Yes, there {1} {0} {3}.", "Yes, {3}.", "Yes, {0} can be seen {3}."))
    else:
        answer = pen.pick(("Yes, there {1} {0} {3}.", "Yes, {3}.", "Yes, {0} can be seen {3}.", "Yes, it is {3}."))
    return Turn(question, answer.format(what, be(thing), pen.image, place))


def _yes_side(view: View, pen: Pen, asked: Asked) -> Turn | None:
    return _side(view, pen, asked, truth=True)


def _no_side(view: View, pen: Pen, asked: Asked) -> Turn | None:
    return _side(view, pen, asked, truth=False)


def _side(view: View, pen: Pen, asked: Asked, truth: bool) -> Turn | None:
    thing = asked.thing(view, pen, "where", lambda one: is_clear(one) and common_side(one.spots) is not None)
    if thing is None:
        return None
    asked.topics.add(f"there:{thing.noun.label}")
    actual = common_side(thing.spots)
    other = "left" if actual == "right" else "right"
    words, verb = the(pen, thing), be(thing)
    question = f"{capital(verb)} {words} on the {actual if truth else other} side of the {pen.image}?"
    they_are = "they are" if thing.count > 1 else f"the {thing.noun.one} is"
    if truth:
        answer = pen.pick(("Yes, {0} on the {1}.", "Yes, {0} on the {1} side.", "Yes, that is where {2} {3}."))
        return Turn(question, answer.format(they_are, actual, words, verb))
    answer = pen.pick(("No, {0} on the {1}.", "No, {0} on the opposite side, the {1}.", "No, {0} on the {1} side."))
    return Turn(question, answer.format(they_are, actual))


def _yes_relation(view: View, pen: Pen, asked: Asked) -> Turn | None:
    return _relation(view, pen, asked, truth=True)


def _no_relation(view: View, pen: Pen, asked: Asked) -> Turn | None:
    return _relation(view, pen, asked, truth=False)


def _relation(view: View, pen: Pen, asked: Asked, truth: bool) -> Turn | None:
    found = asked.pair(view, pen, are_apart)
    if found is None:
        return None
    a, b = found
    actual = "left" if is_left_of(a.main, b.main) else "right"
    other = "left" if actual == "right" else "right"
    first, second = f"the {a.noun.one}", f"the {b.noun.one}"
    question = f"Is {first} to the {actual if truth else other} of {second}?"
    if truth:
        answer = pen.pick(("Yes, {0} is to the {1} of {2}.", "Yes, {0} is farther {1} than {2}.", "Yes, it is."))
        if "it is" in answer and a.noun.group == "people":
            answer = "Yes, {0} is to the {1} of {2}."
    else:
        answer = pen.pick(("No, {0} is to the {1} of {2}.", "No, it is the other way round: {0} is to the {1} of {2}."))
    return Turn(question, answer.format(first, actual, second))


def _yes_more(view: View, pen: Pen, asked: Asked) -> Turn | None:
    return _more(view, pen, asked, truth=True)


def _no_more(view: View, pen: Pen, asked: Asked) -> Turn | None:
    return _more(view, pen, asked, truth=False)


def _more(view: View, pen: Pen, asked: Asked, truth: bool) -> Turn | None:
    found = asked.pair(view, pen, lambda a, b: is_fair_match(a, b) and more(a, b) is not None)
    if found is None:
        return None
    many, few = more(*found) or found
    first, second = (many, few) if truth else (few, many)
    question = f"Are there more {first.noun.many} than {second.noun.many}?"
    totals = f"{mention(pen, many)} and {mention(pen, few)}"
    forms = ("Yes, there are {0}.", "Yes, there are more {1}: {0}.") if truth else (
        "No, there are {0}.", "No, there are more {1} than {2}.")  # fmt: skip
    return Turn(question, pen.pick(forms).format(totals, many.noun.many, few.noun.many))


def _no_count(view: View, pen: Pen, asked: Asked) -> Turn | None:
    thing = asked.thing(view, pen, "count", is_clear)
    if thing is None:
        return None
    noun, count = thing.noun, thing.count
    asked.topics.add(f"there:{noun.label}")
    if not thing.exact:
        question = f"Are there fewer than {pen.pick(('four', 'five', 'six'))} {noun.many} in the {pen.image}?"
        return Turn(question, f"No, there are at least ten {noun.many}.")
    if count == 1:
        question = pen.pick(("Is there more than one {}?", "Are there several {1}?")).format(noun.one, noun.many)
        return Turn(question, pen.pick(("No, there is only one {}.", "No, just one {}.")).format(noun.one))
    claimed = count + 1 if count == 2 or pen.chance(0.5) else count - 1
    question = f"Are there {NUMBERS[claimed]} {noun.many} in the {pen.image}?"
    answer = pen.pick(("No, there are {} {}.", "No, the number of {1} is {0}.", "No, {} {} can be seen."))
    return Turn(question, answer.format(NUMBERS[count], noun.many))


def no_absent(view: View, pen: Pen, asked: Asked) -> Turn | None:
    """Ask for something that could well be here but is not."""
    if not view.closed_world:
        return None
    near = pen.early(view.things[:6]).noun.group
    drawn = (MEMBERS[near], EVERYDAY[pen.pick(COMPANIONS[near])], EVERYDAY[pen.pick(tuple(EVERYDAY))])
    for labels in drawn if pen.chance(0.6) else drawn[1:]:
        for label in pen.shuffled(labels)[:6]:
            if view.is_absent(label) and asked.first_time(f"there:{label}"):
                return _absent(view, pen, label)
    return None


def _absent(view: View, pen: Pen, label: str) -> Turn:
    one, many = FORMS[label]
    single = pen.chance(0.6) and label != "person"
    question = _is_there(pen, one, many, single)
    none = f"there is no {one}" if single else f"there are no {many}"
    group = GROUPS[label] if GROUPS[label] in _ALIKE else "none"
    instead = next((thing for thing in view.things if thing.noun.group == group), None)
    if instead is not None and pen.chance(0.5):
        return Turn(question, f"No, {none}, but there {be(instead)} {mention(pen, instead)}.")
    answer = pen.pick(("No, {}.", "No, {} in the {}.", "No, {} in sight.", "No, {} to be seen.", "No, {} here."))
    return Turn(question, answer.format(none, pen.image))


YES: tuple[Asker, ...] = (_yes_there, _yes_there, _yes_there, _yes_side, _yes_relation, _yes_more)
NO: tuple[Asker, ...] = (_no_count, _no_side, _no_relation, _no_more)
"""Without ``no_absent``, which is tried more often than these."""
