"""A detailed description: what goes on, in the captions' words, then how many of what and where."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.llm.writing.captions import Caption, agree, as_phrase, as_sentence, lowered
from pipeline.llm.writing.facts import (
    Pen,
    be,
    closeness,
    everything,
    existence,
    foreground,
    is_clear,
    relation,
    size,
    the,
    whereabouts,
    worth_a_word,
)
from pipeline.llm.writing.lexicon import FORMS
from pipeline.llm.writing.nouns import capital
from pipeline.llm.writing.scene import Thing, View

_ENOUGH_WORDS, _LONGEST_WORDS = 80, 120


def describe(view: View, pen: Pen) -> str:
    """Return one paragraph of 60 to 120 words, fewer where the scene has little to tell."""
    sentences = _from_captions(view, pen) or [_from_things(view, pen)]
    words = sum(sentence.count(" ") + 1 for sentence in sentences)
    enough = _ENOUGH_WORDS + (20 if pen.chance(0.5) else 0)
    for fact in layout_sentences(view, pen, set(), told=view.captions[:1]):
        length = fact.count(" ") + 1
        if words + length > _LONGEST_WORDS:
            continue
        sentences.append(f"{fact}.")
        words += length
        if words >= enough:
            break
    if words < enough - 10 and (closing := _absence(view, pen)):
        sentences.append(f"{closing}.")
    return " ".join(sentences)


_OPENINGS = (
    "The {} shows {}.",
    "This {} shows {}.",
    "In this {}, we see {}.",
    "The scene is that of {1}.",
    "The {} presents {}.",
    "The subject of the {} is {}.",
    "Here, we see {1}.",
    "This is a view of {1}.",
)


def _from_captions(view: View, pen: Pen) -> list[str]:
    """Return an opening, and what another caption adds to it."""
    if not view.captions:
        return []
    best = [caption for caption in view.captions[:3] if caption.form != "loose"] or list(view.captions)
    first = best[0] if pen.chance(0.65) else pen.pick(best)
    phrase, sentence = as_phrase(first), as_sentence(first)
    if phrase is not None and (sentence is None or pen.chance(0.7)):
        sentences = [pen.pick(_OPENINGS).format(pen.image, phrase)]
    else:
        sentences = [f"{sentence or capital(lowered(first))}."]
    known = set(first.words)
    for other in view.captions:
        added = as_sentence(other, known) if other is not first and agree(first, other) else None
        if added is not None:
            sentences.append(f"{added}.")
            break
    return sentences


def _from_things(view: View, pen: Pen) -> str:
    if not view.things:
        return f"Not much of the {pen.image} can be made out with certainty, so its details are left to the viewer."
    form = pen.pick(("The {} shows {}.", "In this {}, we see {}.", "The {} has {} in it.", "This {} brings together {}."))
    if len(view.things) == 1:
        form = pen.pick(("The {} shows {}.", "In this {}, we see {}.", "The {} is about {}.", "This {} shows nothing but {}."))
        form = form.replace("nothing but ", "")
    return form.format(pen.image, everything(pen, view.things, 5))


def layout_sentences(
    view: View, pen: Pen, done: set[str], told: tuple[Caption, ...] = (), focus: Thing | None = None
) -> Iterator[str]:
    """Yield sentences about the layout, without their stops, the most telling first.

    Args:
        view: The scene.
        pen: Draws the wordings.
        done: Labels that need no sentence of their own; grows.
        told: Captions whose things the reader has met.
        focus: A thing that the others are to be related to.
    """
    text = " ".join(" ".join(caption.words) for caption in told)
    things = [thing for thing in view.things if worth_a_word(thing)] or list(view.things)
    main = things[:6]
    front = foreground(pen, view.things)
    if front is not None and focus is None:
        yield capital(front)
    anchor = focus
    held: str | None = None
    for thing in main:
        label = thing.noun.label
        if label in done:
            continue
        beside = relation(pen, thing, anchor) if anchor is not None and anchor is not thing else None
        if beside is not None and pen.chance(0.55):
            done.add(label)
            tail = whereabouts(pen, thing) if thing.count > 1 else None
            yield f"{capital(beside)}, {tail}" if tail and not tail.startswith(("one", "two")) else capital(beside)
            continue
        if whereabouts(pen, thing) is None and len(main) > 2:
            continue
        done.add(label)
        known = thing.noun.one in text or (thing.noun.many in text and thing.count > 1)
        sentence = existence(pen, thing, known)
        if held is None and pen.chance(0.4) and thing is not main[-1]:
            held = sentence
            continue
        if held is not None:
            sentence, held = f"{held}{pen.pick((', and ', ', while ', '; '))}{_small(sentence)}", None
        yield sentence
        if is_clear(thing) and (anchor is None or pen.chance(0.5)):
            anchor = thing
    if held is not None:
        yield held
    yield from _comparisons(view, pen, main)
    rest = [thing for thing in view.things if thing.noun.label not in done][:6]
    if rest:
        words = everything(pen, rest, 6)
        single = len(rest) == 1 and be(rest[0]) == "is"
        form = pen.pick(("There {1} also {0}", "{2} can be seen as well", "The {3} also has {0}", "{2} {1} in view too"))
        yield form.format(words, "is" if single else "are", capital(words), pen.image)
        done.update(thing.noun.label for thing in rest)


def _comparisons(view: View, pen: Pen, things: list[Thing]) -> Iterator[str]:
    alone = pen.shuffled([thing for thing in things if thing.alone])
    for a, b in zip(alone, alone[1:], strict=False):
        for words in (size(pen, a, b), closeness(a, b), relation(pen, a, b)):
            if words is not None:
                yield capital(words)
                break
    for label, colour in view.colours.items():
        thing = view.thing(label)
        if thing is not None and pen.chance(0.5):
            yield f"{capital(the(pen, thing))} is {colour}"
    if len(things) == 1 and things[0].alone and things[0].main.area >= 0.3:
        yield f"The {things[0].noun.one} takes up a large part of the {pen.image}"


def _small(sentence: str) -> str:
    """Return a sentence of ours with a small letter, to follow a comma."""
    first = sentence.split(" ", 1)[0]
    return sentence[:1].lower() + sentence[1:] if first[1:].islower() or len(first) == 1 else sentence


def _absence(view: View, pen: Pen) -> str | None:
    """Return that there is nobody, or no vehicle or animal, where that is certain."""
    labels = [label for label in ("person", "car", "dog", "cat", "chair", "bird") if view.is_absent(label)]
    if not labels:
        return None
    label = labels[0] if pen.chance(0.7) else pen.pick(labels)
    many = FORMS[label][1]
    return pen.pick(("There are no {} in the {}", "No {} are in sight", "No {} can be seen")).format(many, pen.image)
