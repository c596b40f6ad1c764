"""A conversation: four to seven questions and answers, yes and no in equal parts.

Each kind of question is a function that returns a turn, or ``None`` where the scene does not support one. Closed
questions come in pairs, one answered "yes" and one "no", so that over any number of replies half of them are "no".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.llm.writing.captions import as_phrase, as_sentence, lowered, subject
from pipeline.llm.writing.facts import (
    Pen,
    be,
    everything,
    existence,
    is_clear,
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
from pipeline.llm.writing.layout import common_side, is_left_of, left_to_right, side
from pipeline.llm.writing.lexicon import COMPANIONS, FORMS, GROUPS, MEMBERS
from pipeline.llm.writing.nouns import NUMBERS, article, capital, listed
from pipeline.llm.writing.scene import Thing, View
from pipeline.records import Turn

Asker = Callable[[View, Pen, set[str]], Turn | None]
"""Makes a turn; the set holds what has been asked (``count:dog``), and the asker adds its own."""

FEWEST, MOST = 4, 7


def converse(view: View, pen: Pen) -> list[Turn]:
    """Return the turns of a conversation about the scene."""
    asked: set[str] = set()
    turns = [_opening(view, pen)]
    wanted = FEWEST + int(pen.chance(0.75)) + int(pen.chance(0.55)) + int(pen.chance(0.35))
    pairs = 2 if wanted >= 6 and pen.chance(0.5) else 1
    closed: list[Turn] = []
    for _ in range(pairs):
        closed += _closed_pair(view, pen, asked)
    opened: list[Turn] = []
    for asker in (*pen.shuffled(_OPEN), *pen.shuffled(_OPEN_AGAIN), *_LAST):
        if len(turns) + len(opened) + len(closed) >= wanted:
            break
        turn = asker(view, pen, asked)
        if turn is not None and turn.answer != turns[0].answer:
            opened.append(turn)
    turns += pen.shuffled(opened + closed)
    return turns


def _closed_pair(view: View, pen: Pen, asked: set[str]) -> list[Turn]:
    """Return one question answered "yes" and one answered "no"; none if the scene has only one of the two."""
    yes = _first(pen.shuffled(_YES), view, pen, asked)
    no = _first((_no_absent, *pen.shuffled(_NO)) if pen.chance(0.6) else (*pen.shuffled(_NO), _no_absent), view, pen, asked)
    return [yes, no] if yes and no else []


def _first(askers: Sequence[Asker], view: View, pen: Pen, asked: set[str]) -> Turn | None:
    for asker in askers:
        turn = asker(view, pen, asked)
        if turn is not None:
            return turn
    return None


def _fresh(view: View, pen: Pen, asked: set[str], topic: str, fits: Callable[[Thing], bool]) -> Thing | None:
    """Draw a thing that this has not been asked of yet, and note that it has."""
    found = [thing for thing in view.things if f"{topic}:{thing.noun.label}" not in asked and fits(thing)]
    if not found:
        return None
    thing = pen.pick(found[:8])
    asked.add(f"{topic}:{thing.noun.label}")
    return thing


def _pair(view: View, pen: Pen, asked: set[str], fits: Callable[[Thing, Thing], bool]) -> tuple[Thing, Thing] | None:
    """Draw two things that have not been asked about together, and note that they have."""
    things = pen.shuffled([thing for thing in view.things[:10] if thing.noun.counts and worth_a_word(thing)])
    for index, a in enumerate(things):
        for b in things[index + 1 :]:
            topic = "pair:" + "+".join(sorted((a.noun.label, b.noun.label)))
            if topic not in asked and fits(a, b):
                asked.add(topic)
                return a, b
    return None


# --- open questions ---------------------------------------------------------------------------------------------------


def _opening(view: View, pen: Pen) -> Turn:
    for caption in view.captions[:1] if pen.chance(0.7) else view.captions[1:2] or view.captions[:1]:
        phrase, sentence = as_phrase(caption), as_sentence(caption)
        if phrase is not None and (sentence is None or pen.chance(0.6)):
            question = pen.pick(_WHAT_IS_SHOWN).format(pen.image)
            return Turn(question, pen.pick(_SHOWS).format(pen.image, phrase))
        if sentence is not None:
            return Turn(pen.pick(_WHAT_HAPPENS).format(pen.image), f"{sentence}.")
        return Turn(pen.pick(_IN_SHORT).format(pen.image), f"{capital(lowered(caption))}.")
    if view.things:
        question = pen.pick(_WHAT_IS_SHOWN).format(pen.image)
        return Turn(question, pen.pick(_SHOWS).format(pen.image, everything(pen, view.things, 5)))
    return Turn(pen.pick(_WHAT_IS_SHOWN).format(pen.image), NOTHING_CERTAIN)


NOTHING_CERTAIN = "That is hard to put into words: nothing in view can be made out with certainty."

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
    "What is the scene in the {}?",
    "What does the {} show?",
    "How would you sum up the {}?",
    "What can you tell me about this {}?",
)
_IN_SHORT = ("How would you sum up the {} in a few words?", "What does the {} show, in short?", "What is in the {}?")
_SHOWS = (
    "The {} shows {}.",
    "The {} shows {}.",
    "This is a scene with {1}.",
    "What we see is {1}.",
    "In the {}, we can see {}.",
    "The main thing to see is {1}.",
)


def _how_many(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    def fits(thing: Thing) -> bool:
        return thing.noun.counts and (thing.exact or thing.count >= 10) and (thing.count > 1 or pen.chance(0.4))

    thing = _fresh(view, pen, asked, "count", fits)
    if thing is None:
        return None
    asked.add(f"there:{thing.noun.label}")
    noun, count = thing.noun, thing.count
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
        at = f", {place}" if place else ""
        form = pen.pick(("There is one {}{}.", "There is just one {}{}.", "Only one {} can be seen{}."))
        return Turn(question, form.format(noun.one, at))
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
    placed = f", {split}" if split else ""
    form = pen.pick(("There are {} {}{}.", "{2} {1} can be seen{3}.", "There are {} {} in all{}."))
    if form.startswith("{2}"):
        return Turn(question, form.format("", noun.many, capital(NUMBERS[count]), placed))
    return Turn(question, form.format(NUMBERS[count], noun.many, placed))


def _where_is(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    thing = _fresh(view, pen, asked, "where", lambda thing: whereabouts(pen, thing) is not None)
    if thing is None:
        return None
    place = whereabouts(pen, thing)
    subject_words, verb = the(pen, thing), be(thing)
    question = pen.pick(
        (
            "Where {1} {0}?",
            "Where in the {2} {1} {0}?",
            "Where can {0} be seen?",
            "In which part of the {2} {1} {0}?",
            "Where should one look for {0}?",
        )
    ).format(subject_words, verb, pen.image)
    pronoun = "it" if thing.count == 1 and thing.noun.group != "people" else "they"
    if thing.count == 1 and thing.noun.group != "people" and pen.chance(0.35):
        return Turn(question, f"{capital(pronoun)} is {place}.")
    if thing.count > 1 and pen.chance(0.35):
        return Turn(question, f"They are {'placed ' if not str(place).startswith(('both', 'all')) else ''}{place}."
                    if str(place).startswith(("both", "all")) else f"There are {NUMBERS[thing.count]}, {place}.")  # fmt: skip
    return Turn(question, f"{capital(subject_words)} {verb} {place}." if thing.count == 1 or str(place).startswith(("both", "all"))
                else f"{capital(mention(pen, thing))} can be seen, {place}.")  # fmt: skip


def _where_relative(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    found = _pair(view, pen, asked, lambda a, b: a.alone and relation(pen, a, b) is not None)
    if found is None:
        return None
    a, b = found
    first, second = the(pen, a), the(pen, b)
    question = pen.pick(
        (
            "Where is {0} in relation to {1}?",
            "How is {0} placed with respect to {1}?",
            "Where does {0} appear, seen from {1}?",
            "Where would you find {0}, starting from {1}?",
        )
    ).format(first, second)
    return Turn(question, f"{capital(str(relation(pen, a, b)))}.")


def _which_side(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    found = _pair(view, pen, asked, lambda a, b: a.alone and b.alone and _apart(a, b))
    if found is None:
        return None
    a, b = found
    left, right = (a, b) if is_left_of(a.main, b.main) else (b, a)
    ask_left = pen.chance(0.5)
    question = pen.pick(
        ("Which is farther to the {2}, the {0} or the {1}?", "What is farther {2} in the {3}: the {0} or the {1}?")
    ).format(a.noun.one, b.noun.one, "left" if ask_left else "right", pen.image)
    near, far = (left, right) if ask_left else (right, left)
    answer = pen.pick(
        ("The {0} is; the {1} is to the {2} of it.", "The {0} is farther to the {3} than the {1}.")
    ).format(near.noun.one, far.noun.one, "right" if ask_left else "left", "left" if ask_left else "right")
    return Turn(question, answer)


def _apart(a: Thing, b: Thing) -> bool:
    return is_left_of(a.main, b.main) or is_left_of(b.main, a.main)


def _in_order(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    things = [thing for thing in view.things if thing.alone and worth_a_word(thing)]
    if len(things) < 3 or "order" in asked:
        return None
    three = pen.shuffled(things)[:3]
    order = left_to_right([thing.main for thing in three])
    if order is None:
        return None
    asked.add("order")
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


def _larger(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    found = _pair(view, pen, asked, lambda a, b: size(pen, a, b) is not None)
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


def _more_of(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    found = _pair(view, pen, asked, lambda a, b: more(a, b) is not None)
    if found is None:
        return None
    a, b = found
    many, few = more(a, b) or found
    question = pen.pick(
        (
            "Which are there more of, {0} or {1}?",
            "What is there more of in the {2}: {0} or {1}?",
            "Which outnumber the others, the {0} or the {1}?",
        )
    )
    if few.count == 1 or many.count == 1:
        question = "Which are there more of, {0} or {1}?"
    answer = f"There are more {many.noun.many} than {few.noun.many}"
    if many.exact and few.exact:
        only = "only one" if few.count == 1 else NUMBERS[few.count]
        answer += f": {NUMBERS[many.count]} {many.noun.many} and {only} {names(few)}"
    return Turn(question.format(a.noun.many, b.noun.many, pen.image), f"{answer}.")


def _what_else(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    if len(view.things) < 3 or "else" in asked:
        return None
    asked.add("else")
    first, *others = view.things
    question = pen.pick(("What else is there besides {}?", "Apart from {}, what else can be seen?", "What is there next "
                         "to look at, other than {}?")).format(the(pen, first))  # fmt: skip
    others = pen.shuffled(others[:6])[:4]
    words = everything(pen, others, 4)
    verb = be(others[0]) if len(others) == 1 else "are"
    forms = ("There {1} also {0}.", "{2} can be seen as well.", "Also in the {3} {1} {0}.", "One can also see {0}.")
    return Turn(question, pen.pick(forms).format(words, verb, capital(words), pen.image))


def _what_is_where(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    chosen = pen.pick(("left", "right"))
    there = [
        thing for thing in view.things if is_clear(thing) and common_side(thing.spots) == chosen and worth_a_word(thing)
    ]
    if not there or f"side:{chosen}" in asked:
        return None
    asked.add(f"side:{chosen}")
    question = pen.pick(
        ("What is on the {} side of the {}?", "What can be seen on the {} of the {}?", "What stands out on the {} of the {}?")
    ).format(chosen, pen.image)
    words = everything(pen, there, 3)
    verb = be(there[0]) if len(there[:3]) == 1 or there[0].count == 1 else "are"
    verb = "are" if len(there[:3]) > 1 and there[0].count > 1 else verb
    return Turn(question, pen.pick(("On the {1}, there {2} {0}.", "There {2} {0} on the {1}.")).format(words, chosen, verb))


def _doing(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    for caption in view.captions[1:] or view.captions:
        doer, sentence = subject(caption), as_sentence(caption, caption.words)
        if doer is not None and sentence is not None and sentence not in asked:
            asked.add(sentence)
            return Turn(pen.pick(("What is {} doing?", "What is {} up to?")).format(doer), f"{sentence}.")
    return None


def _another_detail(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    for caption in view.captions[1:]:
        sentence = as_sentence(caption)
        if sentence is not None and sentence not in asked:
            asked.add(sentence)
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


def _colour(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    for label, colour in view.colours.items():
        if f"colour:{label}" not in asked:
            asked.add(f"colour:{label}")
            thing = view.thing(label)
            name = thing.noun.one if thing else FORMS[label][0]
            return Turn(pen.pick(("What colour is the {}?", "Which colour does the {} have?")).format(name),
                        pen.pick(("The {} is {}.", "It is {1}.")).format(name, colour))  # fmt: skip
    return None


def _place(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    if view.setting is None or "setting" in asked:
        return None
    asked.add("setting")
    question = pen.pick(("Where might this be?", "What kind of place is this?", "What is the setting of the {}?"))
    if view.setting.startswith("a baseball game"):
        return Turn("What kind of event is this?", pen.pick(("It looks like a baseball game.", "It is a baseball game.")))
    answer = pen.pick(("It looks like {}.", "The setting is {}.", "The scene seems to be at or in {}."))
    return Turn(question.format(pen.image), answer.format(view.setting))


# --- closed questions -------------------------------------------------------------------------------------------------


def _is_there(pen: Pen, one: str, many: str, single: bool) -> str:
    if single:
        form = pen.pick(("Is there {} in the {}?", "Is there {} anywhere?", "Can you see {} in the {}?", "Does the {1} show {0}?"))
        return form.format(f"{article(one)} {one}", pen.image)
    form = pen.pick(("Are there any {} in the {}?", "Are there {} in this {}?", "Can you see any {}?", "Does the {1} show any {0}?"))
    return form.format(many, pen.image)


def _yes_there(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    thing = _fresh(view, pen, asked, "there", lambda thing: True)
    if thing is None:
        return None
    asked.add(f"count:{thing.noun.label}")
    noun = thing.noun
    question = _is_there(pen, noun.one, noun.many, single=thing.count == 1 and noun.counts)
    place = whereabouts(pen, thing)
    what = mention(pen, thing)
    if place is None:
        answer = pen.pick(("Yes, there {1} {0}.", "Yes, {0} can be seen.", "Yes, {0} {1} in the {2}."))
    elif thing.count == 1:
        answer = pen.pick(("Yes, there {1} {0} {3}.", "Yes, {3}.", "Yes, {0} can be seen {3}.", "Yes, it is {3}."))
        answer = "Yes, there {1} {0} {3}." if "it is" in answer and noun.group == "people" else answer
    else:
        answer = "Yes, there {1} {0}, {3}."
    return Turn(question, answer.format(what, be(thing), pen.image, place))


def _yes_side(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    return _side(view, pen, asked, truth=True)


def _no_side(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    return _side(view, pen, asked, truth=False)


def _side(view: View, pen: Pen, asked: set[str], truth: bool) -> Turn | None:
    thing = _fresh(view, pen, asked, "where", lambda one: is_clear(one) and common_side(one.spots) is not None)
    if thing is None:
        return None
    actual = common_side(thing.spots)
    other = "left" if actual == "right" else "right"
    subject_words, verb = the(pen, thing), be(thing)
    question = f"{capital(verb)} {subject_words} on the {actual if truth else other} side of the {pen.image}?"
    pronoun = "they are" if thing.count > 1 else f"the {thing.noun.one} is"
    if truth:
        answer = pen.pick(("Yes, {0} on the {1}.", "Yes, {0} on the {1} side.", "Yes, that is where {2} {3}."))
        return Turn(question, answer.format(pronoun, actual, subject_words, verb))
    answer = pen.pick(("No, {0} on the {1}.", "No, {0} on the opposite side, the {1}.", "No, {0} on the {1} side instead."))
    return Turn(question, answer.format(pronoun, actual))


def _yes_relation(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    return _relation(view, pen, asked, truth=True)


def _no_relation(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    return _relation(view, pen, asked, truth=False)


def _relation(view: View, pen: Pen, asked: set[str], truth: bool) -> Turn | None:
    found = _pair(view, pen, asked, lambda a, b: a.alone and b.alone and _apart(a, b))
    if found is None:
        return None
    a, b = found
    actual = "left" if is_left_of(a.main, b.main) else "right"
    other = "left" if actual == "right" else "right"
    first, second = f"the {a.noun.one}", f"the {b.noun.one}"
    question = f"Is {first} to the {actual if truth else other} of {second}?"
    if truth:
        answer = pen.pick(("Yes, {0} is to the {1} of {2}.", "Yes, {0} is farther {1} than {2}.", "Yes, it is."))
        return Turn(question, answer.format(first, actual, second))
    answer = pen.pick(("No, {0} is to the {1} of {2}.", "No, it is the other way round: {0} is to the {1} of {2}."))
    return Turn(question, answer.format(first, actual, second))


def _yes_more(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    return _more(view, pen, asked, truth=True)


def _no_more(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    return _more(view, pen, asked, truth=False)


def _more(view: View, pen: Pen, asked: set[str], truth: bool) -> Turn | None:
    found = _pair(view, pen, asked, lambda a, b: more(a, b) is not None)
    if found is None:
        return None
    many, few = more(*found) or found
    first, second = (many, few) if truth else (few, many)
    question = f"Are there more {first.noun.many} than {second.noun.many}?"
    totals = f"{mention(pen, many)} and {mention(pen, few)}"
    if truth:
        return Turn(question, pen.pick(("Yes, there are {0}.", "Yes, there are more {1}: {0}.")).format(totals, many.noun.many))
    answer = pen.pick(("No, there are {0}.", "No, there are more {1} than {2}.")) 
    return Turn(question, answer.format(totals, many.noun.many, few.noun.many))


def _no_count(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    thing = _fresh(view, pen, asked, "count", lambda thing: thing.noun.counts and (thing.exact or thing.count >= 10))
    if thing is None:
        return None
    asked.add(f"there:{thing.noun.label}")
    noun, count = thing.noun, thing.count
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


def _no_absent(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    """Ask for something that could well be here but is not."""
    if not view.closed_world:
        return None
    near = view.things[int(pen.chance(0.5)) % len(view.things)].noun.group
    groups = (near, pen.pick(COMPANIONS[near]), pen.pick(tuple(MEMBERS)))
    for group in groups if pen.chance(0.6) else groups[1:]:
        for label in pen.shuffled(MEMBERS[group])[:5]:
            if f"there:{label}" not in asked and view.is_absent(label):
                asked.add(f"there:{label}")
                return Turn(*_absent(view, pen, label))
    return None


def _absent(view: View, pen: Pen, label: str) -> tuple[str, str]:
    one, many = FORMS[label]
    single = pen.chance(0.6) and label != "person"
    question = _is_there(pen, one, many, single)
    none = f"there is no {one}" if single else f"there are no {many}"
    instead = [thing for thing in view.things if thing.noun.group == GROUPS[label]]
    if instead and pen.chance(0.5):
        thing = instead[0]
        return question, f"No, {none}, but there {be(thing)} {mention(pen, thing)}."
    answer = pen.pick(("No, {}.", "No, {} in the {}.", "No, {} in sight.", "No, {} to be seen.", "No, {} here."))
    return question, answer.format(none, pen.image)


# --- when there is hardly anything to go by ---------------------------------------------------------------------------


def _title(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    if view.captions:
        words = " ".join(view.captions[-1].parts)
    elif view.things:
        words = everything(pen, view.things, 3)
    else:
        return None
    question = pen.pick(("What would be a fitting title for the {}?", "Which title would suit the {}?"))
    return Turn(question.format(pen.image), f"A fitting title could be “{capital(words)}”.")


def _closer_look(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    thing = _fresh(view, pen, asked, "look", lambda thing: True)
    if thing is None:
        return None
    question = pen.pick(("What catches the eye?", "What is worth a closer look?", "What draws attention in the {}?"))
    return Turn(question.format(pen.image), f"{existence(pen, thing)}.")


def _unknowable(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    return Turn(
        pen.pick(("What can the {} alone not tell us?", "What remains open when one looks at the {}?")).format(pen.image),
        pen.pick(
            (
                "It does not tell what happened before or what comes next.",
                "What came before this moment, and what follows it, remains open.",
                "The moments before and after remain a matter of guesswork.",
            )
        ),
    )


def _in_mind(view: View, pen: Pen, asked: set[str]) -> Turn | None:
    return Turn(
        pen.pick(("How should one look at this {}?", "What is a good way to study this {}?")).format(pen.image),
        pen.pick(
            (
                "It helps to take in the whole first and then go from one side to the other.",
                "A good way is to begin with what stands out and then let the eye wander to the edges.",
            )
        ),
    )


_OPEN: tuple[Asker, ...] = (
    _how_many, _where_is, _where_relative, _which_side, _in_order, _larger, _more_of, _what_else, _what_is_where, _doing,
    _colour, _place,
)  # fmt: skip
_OPEN_AGAIN: tuple[Asker, ...] = (_how_many, _where_is, _where_relative, _another_detail)
_LAST: tuple[Asker, ...] = (_closer_look, _another_detail, _title, _unknowable, _in_mind)
_YES: tuple[Asker, ...] = (_yes_there, _yes_there, _yes_there, _yes_side, _yes_relation, _yes_more)
_NO: tuple[Asker, ...] = (_no_count, _no_side, _no_relation, _no_more)
