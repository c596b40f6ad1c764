"""Open questions: what, where, how many, which."""

from __future__ import annotations

from pipeline.llm.writing.any_image import ALWAYS
from pipeline.llm.writing.asking import Asked, Asker
from pipeline.llm.writing.captions import Caption, as_phrase, as_sentence, lowered, subject
from pipeline.llm.writing.facts import (
    Pen,
    are_apart,
    be,
    everything,
    is_clear,
    is_fair_match,
    is_shared,
    mention,
    more,
    names,
    relation,
    size,
    spread,
    the,
    where,
    whereabouts,
    worth_a_word,
)
from pipeline.llm.writing.layout import common_side, is_left_of, left_to_right
from pipeline.llm.writing.lexicon import FORMS
from pipeline.llm.writing.nouns import NUMBERS, capital, listed
from pipeline.llm.writing.scene import View
from pipeline.records import Turn

_WHAT_IS_SHOWN = (
    "What does the {} show?",
    "What is shown in this {}?",
    "What can be seen in the {}?",
    "What is the {} about?",
    "How would you describe the {} in one sentence?",
    "What do you see in this {}?",
    "What is the first thing to notice about this {}?",
)
_WHAT_HAPPENS = (
    "What is happening in the {}?",
    "What is going on in this {}?",
    "What does the {} show?",
    "How would you sum up the {}?",
    "What can you tell me about this {}?",
)
_IN_SHORT = ("How would you sum up the {} in a few words?", "What does the {} show, in short?", "What is in the {}?")
_SHOWS = (
    "The {} shows {}.",
    "The {} shows {}.",
    "This is a scene with {1}.",
    "We see {1} in this {0}.",
    "In the {}, we can see {}.",
    "The {} presents {}.",
)


def opening(view: View, pen: Pen, asked: Asked) -> Turn:
    """Return the first question, about the scene as a whole."""
    if view.captions:
        caption = view.captions[0] if pen.chance(0.7) else pen.pick(view.captions[:2])
        asked.first_time(_key(caption))
        phrase, sentence = as_phrase(caption), as_sentence(caption)
        if phrase is not None and (sentence is None or pen.chance(0.6)):
            return Turn(pen.pick(_WHAT_IS_SHOWN).format(pen.image), pen.pick(_SHOWS).format(pen.image, phrase))
        if sentence is not None:
            return Turn(pen.pick(_WHAT_HAPPENS).format(pen.image), f"{sentence}.")
        return Turn(pen.pick(_IN_SHORT).format(pen.image), f"{capital(lowered(caption))}.")
    question = pen.pick(_WHAT_IS_SHOWN).format(pen.image)
    if view.things:
        return Turn(question, pen.pick(_SHOWS).format(pen.image, everything(pen, view.things, 5)))
    return Turn(question, "That is hard to put into words: nothing in view can be made out with certainty.")


def _key(caption: Caption) -> str:
    return f"caption:{' '.join(caption.words)}"


def _how_many(view: View, pen: Pen, asked: Asked) -> Turn | None:
    many_only = pen.chance(0.6)
    thing = asked.thing(view, pen, "count", lambda thing: is_clear(thing) and (thing.count > 1 or not many_only))
    if thing is None:
        return None
    noun, count = thing.noun, thing.count
    asked.topics.update((f"there:{noun.label}", f"where:{noun.label}"))
    question = pen.pick(
        (
            "How many {} are there in the {}?",
            "How many {} can be seen?",
            "How many {} are in view?",
            "What is the number of {} in the {}?",
            "How many {} do you count?",
        )
    ).format(noun.many, pen.image)
    if count == 1:
        place = where(pen, thing.main)
        form = pen.pick(("There is one {}{}.", "There is just one {}{}.", "Only one {} can be seen{}."))
        return Turn(question, form.format(noun.one, f", {place}" if place else ""))
    if not thing.exact:
        form = pen.pick(
            (
                "There are many {0}, at least ten of them.",
                "Quite a lot: at least ten {0} can be seen.",
                "There are at least ten {0}, too many to give an exact number at a glance.",
                "At least ten {0} are in view.",
            )
        )
        return Turn(question, form.format(noun.many))
    split = spread(pen, thing)
    form = pen.pick(("There are {0} {1}{3}.", "{2} {1} can be seen{3}.", "There are {0} {1} in all{3}."))
    placed = f", {split}" if split else ""
    return Turn(question, form.format(NUMBERS[count], noun.many, capital(NUMBERS[count]), placed))


def _where_is(view: View, pen: Pen, asked: Asked) -> Turn | None:
    thing = asked.thing(view, pen, "where", lambda thing: whereabouts(pen, thing) is not None)
    place = whereabouts(pen, thing) if thing is not None else None
    if thing is None or place is None:
        return None
    asked.topics.update((f"there:{thing.noun.label}", f"count:{thing.noun.label}"))
    words, verb = the(pen, thing), be(thing)
    question = pen.pick(
        (
            "Where {1} {0}?",
            "Where in the {2} {1} {0}?",
            "Where can {0} be seen?",
            "In which part of the {2} {1} {0}?",
            "Where should one look for {0}?",
        )
    ).format(words, verb, pen.image)
    if thing.count == 1:
        forms = ("{0} {2} {1}.", "{0} {2} {1}.", "It is {1}." if verb == "is" else "They are {1}.")
        form = forms[0] if thing.noun.group == "people" else pen.pick(forms)
        return Turn(question, form.format(capital(words), place, verb))
    if is_shared(place):
        return Turn(question, pen.pick(("{0} are {1}.", "They are {1}.")).format(capital(words), place))
    form = pen.pick(("There are {0}, {1}.", "{2} can be seen, {1}."))
    counted = mention(pen, thing)
    return Turn(question, form.format(counted, place, capital(counted)))


def _where_relative(view: View, pen: Pen, asked: Asked) -> Turn | None:
    found = asked.pair(view, pen, lambda a, b: a.alone and relation(pen, a, b) is not None)
    if found is None:
        return None
    a, b = found
    question = pen.pick(
        (
            "Where is {0} in relation to {1}?",
            "How is {0} placed with respect to {1}?",
            "Where does {0} appear, seen from {1}?",
            "Where would you find {0}, starting from {1}?",
        )
    )
    return Turn(question.format(the(pen, a), the(pen, b)), f"{capital(str(relation(pen, a, b)))}.")


def _which_side(view: View, pen: Pen, asked: Asked) -> Turn | None:
    found = asked.pair(view, pen, are_apart)
    if found is None:
        return None
    a, b = found
    sides = ("left", "right") if is_left_of(a.main, b.main) else ("right", "left")
    asked_side = pen.pick(("left", "right"))
    near, far = (a, b) if sides[0] == asked_side else (b, a)
    question = pen.pick(
        ("Which is farther to the {2}, the {0} or the {1}?", "What is farther {2} in the {3}: the {0} or the {1}?")
    ).format(a.noun.one, b.noun.one, asked_side, pen.image)
    answer = pen.pick(("The {0} is; the {1} is to the {3} of it.", "The {0} is farther to the {2} than the {1}."))
    other = "right" if asked_side == "left" else "left"
    return Turn(question, answer.format(near.noun.one, far.noun.one, asked_side, other))


def _in_order(view: View, pen: Pen, asked: Asked) -> Turn | None:
    things = [thing for thing in view.things if thing.alone and worth_a_word(thing)]
    if len(things) < 3:
        return None
    three = pen.shuffled(things)[:3]
    order = left_to_right([thing.main for thing in three])
    if order is None or not asked.first_time("order"):
        return None
    words = [f"the {thing.noun.one}" for thing in three]
    question = pen.pick(
        ("In which order do {} appear from left to right?", "Going from left to right, how are {} arranged?")
    ).format(listed(words))
    first, second, third = (words[index] for index in order)
    answer = pen.pick(
        (
            "From left to right, there is {0}, then {1}, and then {2}.",
            "{3} comes first on the left, {1} is next, and {2} is farthest to the right.",
        )
    ).format(first, second, third, capital(first))
    return Turn(question, answer)


def _larger(view: View, pen: Pen, asked: Asked) -> Turn | None:
    found = asked.pair(view, pen, lambda a, b: size(pen, a, b) is not None)
    if found is None:
        return None
    a, b = found
    question = pen.pick(
        (
            "Which takes up more of the {2}, the {0} or the {1}?",
            "Which looks larger in the {2}: the {0} or the {1}?",
            "Comparing the {0} and the {1}, which fills more of the {2}?",
        )
    ).format(a.noun.one, b.noun.one, pen.image)
    return Turn(question, f"{capital(str(size(pen, a, b)))}.")


def _more_of(view: View, pen: Pen, asked: Asked) -> Turn | None:
    found = asked.pair(view, pen, lambda a, b: is_fair_match(a, b) and more(a, b) is not None)
    if found is None:
        return None
    a, b = found
    many, few = more(a, b) or found
    question = pen.pick(("Which are there more of, {0} or {1}?", "What is there more of in the {2}: {0} or {1}?"))
    answer = f"There are more {many.noun.many} than {few.noun.many}"
    if many.exact and few.exact:
        only = "only one" if few.count == 1 else NUMBERS[few.count]
        answer += f": {NUMBERS[many.count]} {many.noun.many} and {only} {names(few)}"
    return Turn(question.format(a.noun.many, b.noun.many, pen.image), f"{answer}.")


def _what_else(view: View, pen: Pen, asked: Asked) -> Turn | None:
    if len(view.things) < 3 or not asked.first_time("else"):
        return None
    first, *others = view.things
    others = pen.shuffled(others[:6])[:4]
    words = everything(pen, others, 4)
    question = pen.pick(("What else is there besides {}?", "Apart from {}, what else can be seen?"))
    forms = ("There {1} also {0}.", "{2} can be seen as well.", "One can also see {0}.", "The {3} also has {0}.")
    return Turn(
        question.format(the(pen, first)), pen.pick(forms).format(words, be(others[0]), capital(words), pen.image)
    )


def _what_is_where(view: View, pen: Pen, asked: Asked) -> Turn | None:
    chosen = pen.pick(("left", "right"))
    there = [
        thing
        for thing in view.things
        if is_clear(thing)
        and common_side(thing.spots) == chosen
        and worth_a_word(thing)
        and f"where:{thing.noun.label}" not in asked.topics
    ][:3]
    if not there or not asked.first_time(f"side:{chosen}"):
        return None
    for thing in there:
        asked.note(thing, "where", "there")
    question = pen.pick(
        (
            "What is on the {} side of the {}?",
            "What can be seen on the {} of the {}?",
            "What is there on the {} of the {}?",
        )
    )
    form = pen.pick(("On the {1}, there {2} {0}.", "There {2} {0} on the {1}."))
    return Turn(question.format(chosen, pen.image), form.format(everything(pen, there, 3), chosen, be(there[0])))


def _doing(view: View, pen: Pen, asked: Asked) -> Turn | None:
    for caption in view.captions:
        doer = subject(caption) if _key(caption) not in asked.topics else None
        sentence = as_sentence(caption, caption.words) if doer is not None else None
        if sentence is not None:
            asked.first_time(_key(caption))
            return Turn(pen.pick(("What is {} doing?", "What is {} up to?")).format(doer), f"{sentence}.")
    return None


def _another_detail(view: View, pen: Pen, asked: Asked) -> Turn | None:
    for caption in view.captions:
        sentence = as_sentence(caption) if _key(caption) not in asked.topics else None
        if sentence is not None:
            asked.first_time(_key(caption))
            question = pen.pick(
                (
                    "What more is there to say about the scene?",
                    "What else can be said about the {}?",
                    "How could one put the scene into other words?",
                    "What detail would you add?",
                )
            )
            return Turn(question.format(pen.image), f"{sentence}.")
    return None


def _colour(view: View, pen: Pen, asked: Asked) -> Turn | None:
    for label, colour in view.colours.items():
        if asked.first_time(f"colour:{label}"):
            thing = view.thing(label)
            name = thing.noun.one if thing else FORMS[label][0]
            question = pen.pick(("What colour is the {}?", "Which colour does the {} have?"))
            return Turn(question.format(name), pen.pick(("The {} is {}.", "It is {1}.")).format(name, colour))
    return None


def _place(view: View, pen: Pen, asked: Asked) -> Turn | None:
    if view.setting is None or not asked.first_time("setting"):
        return None
    if view.setting == "a baseball game":
        return Turn("What kind of event is this?", pen.pick(("It looks like a baseball game.", "A baseball game.")))
    question = pen.pick(("Where might this be?", "What kind of place is this?", "What is the setting of the {}?"))
    answer = pen.pick(("It looks like {}.", "The setting is {}.", "It seems to be {}."))
    return Turn(question.format(pen.image), answer.format(view.setting))


def _closer_look(view: View, pen: Pen, asked: Asked) -> Turn | None:
    thing = asked.thing(view, pen, "look", is_clear)
    if thing is None:
        return None
    question = pen.pick(("What catches the eye?", "What is worth a closer look?", "What draws attention in the {}?"))
    form = pen.pick(("Above all, {0} {1} worth a look.", "It is probably {0}.", "The eye probably goes to {0} first."))
    return Turn(question.format(pen.image), form.format(the(pen, thing), be(thing)))


def _title(view: View, pen: Pen, asked: Asked) -> Turn | None:
    fresh = [caption for caption in view.captions if _key(caption) not in asked.topics] or view.captions
    if fresh:
        words = " ".join(fresh[-1].parts)
    elif view.things:
        words = everything(pen, view.things, 3)
    else:
        return None
    question = pen.pick(("What would be a fitting title for the {}?", "Which title would suit the {}?"))
    return Turn(question.format(pen.image), f"A fitting title could be “{capital(words)}”.")


OPEN: tuple[Asker, ...] = (
    _how_many, _where_is, _where_relative, _which_side, _in_order, _larger, _more_of, _what_else, _what_is_where,
    _doing, _colour, _place,
)  # fmt: skip
OPEN_AGAIN: tuple[Asker, ...] = (_how_many, _where_is, _where_relative, _another_detail)
LAST: tuple[Asker, ...] = (_another_detail, _closer_look, _title, *ALWAYS)
"""For scenes about which hardly anything is known, and for conversations that are to be long."""
