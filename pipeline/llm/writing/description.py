"""A detailed description: what goes on, in the captions' words, then how many of what and where."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from pipeline.llm.writing.captions import Caption, agree, as_phrase, as_sentence, definite, lowered
from pipeline.llm.writing.facts import (
    Pen,
    be,
    closeness,
    everything,
    existence,
    extent,
    foreground,
    is_clear,
    is_shared,
    largest,
    relation,
    size,
    spread,
    the,
    whereabouts,
    worth_a_word,
)
from pipeline.llm.writing.lexicon import COMPANIONS, EVERYDAY, FORMS, NAMED
from pipeline.llm.writing.nouns import capital
from pipeline.llm.writing.scene import Thing, View

_ENOUGH_WORDS, _LONGEST_WORDS = 80, 120
_MOST_NAMED = 5  # things in an opening that has no caption to go by


def describe(view: View, pen: Pen) -> str:
    """Return one paragraph of 60 to 120 words, fewer where the scene has little to tell."""
    sentences, told = _from_captions(view, pen)
    named: list[Thing] = []
    if not sentences:
        named = list(view.things[:_MOST_NAMED])
        sentences = [_from_things(named, pen)]
    words = sum(sentence.count(" ") + 1 for sentence in sentences)
    enough = _ENOUGH_WORDS + (20 if pen.chance(0.5) else 0)
    for fact in layout_sentences(view, pen, set(), told, named):
        length = fact.count(" ") + 1
        if words + length > _LONGEST_WORDS:
            continue
        sentences.append(f"{fact}.")
        words += length
        if words >= enough:
            break
    if words < 65 and pen.chance(0.5) and (closing := _absence(view, pen)):
        sentences.append(f"{closing}.")
    return " ".join(sentences)


_OPENINGS = (
    "The {} shows {}.",
    "The {} shows {}.",
    "This {} shows {}.",
    "In this {}, we see {}.",
    "Here we have {1}.",
    "We see {1} in this {0}.",
    "The {} is of {}.",
)


def _from_captions(view: View, pen: Pen) -> tuple[list[str], list[Caption]]:
    """Return an opening and what other captions add to it, and the captions used."""
    best = [caption for caption in view.captions[:3] if caption.form != "loose"] or list(view.captions[:1])
    if not best:
        return [], []
    first = best[0] if pen.chance(0.65) else pen.pick(best)
    phrase, sentence = as_phrase(first), as_sentence(first)
    if phrase is not None and (sentence is None or pen.chance(0.7)):
        sentences = [pen.pick(_OPENINGS).format(pen.image, phrase)]
    else:
        sentences = [f"{sentence or capital(lowered(first))}."]
    told = [first]
    alone = [thing.noun.label for thing in view.things if thing.alone]
    for other in view.captions:
        if len(told) > (1 if len(view.things) > 2 else 2):
            break
        if not all(other is not caption and agree(caption, other) for caption in told):
            continue
        met = {word for caption in told for word in caption.words}
        met |= definite(other, [label for label in alone if definite(first, [label])])
        if (added := as_sentence(other, met)) is not None:
            sentences.append(f"{added}.")
            told.append(other)
    return sentences, told


def _from_things(things: Sequence[Thing], pen: Pen) -> str:
    if not things:
        return f"Not much of the {pen.image} can be made out with certainty, so its details are left to the viewer."
    form = pen.pick(("The {} shows {}.", "In this {}, we see {}.", "The {} has {} in it.", "This {} shows {}."))
    return form.format(pen.image, everything(pen, things))


def layout_sentences(
    view: View,
    pen: Pen,
    done: set[str],
    told: Sequence[Caption] = (),
    named: Sequence[Thing] = (),
    focus: Thing | None = None,
) -> Iterator[str]:
    """Yield sentences about the layout, without their stops, the most telling first.

    Args:
        view: The scene.
        pen: Draws the wordings.
        done: Labels that need no sentence of their own; grows.
        told: Captions whose things the reader has met.
        named: Things that the reader has met, with their number.
        focus: A thing that the others are to be related to.
    """
    words_met = {word for caption in told for word in caption.words}
    met = {thing.noun.label for thing in view.things if thing in named or _is_named(thing, words_met)}
    things = [thing for thing in view.things if worth_a_word(thing)] or list(view.things)
    main = things[:6]
    front = foreground(pen, view.things)
    if front is not None and focus is None and pen.chance(0.7):
        yield capital(front)
    yield from _one_by_one(pen, main, done, met, focus)
    yield from _comparisons(view, pen, main, done)
    rest = [thing for thing in view.things if thing.noun.label not in done]
    known = [thing for thing in rest if thing.count > 1 and thing.noun.label in met and thing not in named]
    if known:
        form = pen.pick(("There are {0} in all", "In all, there are {0}", "{1} can be counted"))
        words = everything(pen, known, 3)
        yield (form if all(is_clear(thing) for thing in known) else "There are {0}").format(words, capital(words))
    rest = [thing for thing in rest if thing.noun.label not in met][:6]
    if rest:
        words = everything(pen, rest, 6)
        verb = "are" if len(rest) > 1 else be(rest[0])
        forms = ("There {4} also {0}", "{2} can be seen as well", "The {3} also has {0}", "{2} {1} in view too")
        yield pen.pick(forms).format(words, verb, capital(words), pen.image, be(rest[0]))


def _is_named(thing: Thing, words: Collection[str]) -> bool:
    """Tell whether these words name the thing, by whatever name."""
    return thing.noun.one in words or any(NAMED.get(word, ("",))[0] == thing.noun.label for word in words)


def _one_by_one(
    pen: Pen, things: Sequence[Thing], done: set[str], met: Collection[str], focus: Thing | None
) -> Iterator[str]:
    """Yield where each thing is, now and then by its neighbour, two of them in one sentence here and there."""
    anchor = focus
    held: str | None = None
    for thing in things:
        if thing.noun.label in done:
            continue
        beside = relation(pen, thing, anchor) if anchor is not None and anchor is not thing else None
        if beside is not None and anchor is not None and pen.chance(0.5):
            done |= {thing.noun.label, _pair(thing, anchor)}
            shared = spread(pen, thing)
            yield f"{capital(beside)}, {shared}" if shared and is_shared(shared) else capital(beside)
            continue
        if whereabouts(pen, thing) is None:
            continue
        done.add(thing.noun.label)
        sentence = existence(pen, thing, thing.noun.label in met)
        if is_clear(thing) and (anchor is None or pen.chance(0.5)):
            anchor = thing
        if held is not None:
            sentence, held = f"{held}{pen.pick((', and ', ', while ', ', and '))}{_small(sentence)}", None
        elif pen.chance(0.4) and thing is not things[-1]:
            held = sentence
            continue
        yield sentence
    if held is not None:
        yield held


def _pair(a: Thing, b: Thing) -> str:
    """Return the mark in ``done`` of two things whose relation has been told."""
    return "+".join(sorted((a.noun.label, b.noun.label)))


def _comparisons(view: View, pen: Pen, things: Sequence[Thing], done: set[str]) -> Iterator[str]:
    """Yield how things compare: one pair by size, others by place, and what a lone thing fills."""
    alone = pen.shuffled([thing for thing in things if thing.alone])
    sized = False
    for a, b in pairwise(alone):
        words = closeness(a, b) or (relation(pen, a, b) if _pair(a, b) not in done else None)
        if not sized and (words is None or pen.chance(0.4)) and (by_size := size(pen, a, b)) is not None:
            words, sized = by_size, True
        if words is not None:
            yield capital(words)
    for thing in things:
        if pen.chance(0.7 if len(things) < 3 else 0.3) and (words := largest(pen, thing)) is not None:
            yield capital(words)
    for label, colour in view.colours.items():
        coloured = view.thing(label)
        if coloured is not None and pen.chance(0.5):
            yield f"{capital(the(pen, coloured))} is {colour}"
    if 1 <= len(things) <= 2 and things[0].alone and (filled := extent(pen, things[0])) is not None:
        yield capital(filled)


def led(lead: str, sentence: str) -> str:
    """Return the sentence after words that lead up to it."""
    return f"{lead}{_small(sentence)}" if lead else sentence


def _small(sentence: str) -> str:
    """Return a sentence of ours with a small letter, to follow a comma."""
    first = sentence.split(" ", 1)[0].rstrip(",")
    return sentence[:1].lower() + sentence[1:] if first[1:].islower() or len(first) == 1 else sentence


def _absence(view: View, pen: Pen) -> str | None:
    """Return that something is not there which often keeps such things company."""
    group = pen.pick(COMPANIONS[view.things[0].noun.group]) if view.closed_world else ""
    labels = [label for label in EVERYDAY.get(group, ()) if " of " not in FORMS[label][0] and view.is_absent(label)]
    if not labels:
        return None
    form = pen.pick(("There are no {} in the {}", "No {} are in sight", "No {} can be seen", "There are no {} around"))
    return form.format(FORMS[pen.pick(labels)][1], pen.image)
