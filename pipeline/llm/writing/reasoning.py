"""Complex reasoning: a question that the scene does not answer outright, and an answer built on what it shows."""

from __future__ import annotations

from pipeline.llm.writing.captions import agree, as_phrase, as_sentence, lowered
from pipeline.llm.writing.description import layout_sentences, led
from pipeline.llm.writing.facts import Pen, be, existence, is_clear, the, whereabouts
from pipeline.llm.writing.lexicon import FORMS, NAMED
from pipeline.llm.writing.nouns import capital
from pipeline.llm.writing.scene import Thing, View
from pipeline.llm.writing.topics.anything import ANYTHING, WITHOUT_BOXES
from pipeline.llm.writing.topics.home import HOME
from pipeline.llm.writing.topics.life import LIFE
from pipeline.llm.writing.topics.street import STREET
from pipeline.llm.writing.topics.table import TABLE
from pipeline.llm.writing.topics.topic import Topic
from pipeline.records import Turn

_LONGEST_WORDS = 105  # nothing is added to an answer that has this many

_BY_LABEL: dict[str, list[Topic]] = {}
for _topic in (*STREET, *LIFE, *TABLE, *HOME):
    for _label in _topic.about.split():
        _BY_LABEL.setdefault(_label.replace("_", " "), []).append(_topic)


def reason(view: View, pen: Pen) -> Turn:
    """Return one question and an answer whose facts are those of the scene and whose guesses say that they are."""
    topic, thing, slots = _choose(view, pen)
    index = pen.pick(range(len(topic.questions)))
    parts = (topic.questions, topic.claims, topic.reasons, (pen.pick(topic.closes),))
    question, claim, why, close = (capital(part[index % len(part)].format(**slots)) for part in parts)
    first, *others = _facts(view, pen, thing) or [why]
    sentences = [claim, first] if pen.chance(0.5) else [first, claim]
    words = sum(sentence.count(" ") + 1 for sentence in (*sentences, why, close))
    further: tuple[str, ...] = _FURTHER_LEADS
    for number, fact in enumerate(others[:3]):
        words += fact.count(" ") + 1
        if words > _LONGEST_WORDS:
            break
        lead = pen.pick(_LEADS if number == 0 else further)
        if lead and not any(word in fact for word in _AT_ODDS):
            further = tuple(other for other in further if other != lead)
            fact = led(lead, fact)
        sentences.append(fact)
    if why is not first:
        sentences.append(led(pen.pick(_WHY), why))
    return Turn(question, " ".join((*sentences, close)))


_LEADS = ("", "", "For one thing, ", "To begin with, ")
_FURTHER_LEADS = ("", "", "", "Besides, ", "In addition, ")
_AT_ODDS = (" also ", " as well.", " too.")  # in a sentence that brings its own "besides"
_WHY = ("", "", "After all, ", "In general, ", "As a rule, ")


def _choose(view: View, pen: Pen) -> tuple[Topic, Thing | None, dict[str, str]]:
    """Return a topic, the thing that it is about, and its slots: mostly a special topic on one of the larger ones."""
    clear = [thing for thing in view.things if is_clear(thing)]
    found = [
        (topic, thing)
        for thing in clear[:7]
        for topic in _BY_LABEL.get(thing.noun.label, ())
        if topic.many is None or topic.many == (thing.count > 1)
    ]
    if found and pen.chance(0.88):
        topic, thing = pen.early(found)
        return topic, thing, _slots(pen, the(pen, thing), be(thing) == "is")
    if clear:
        return pen.pick(ANYTHING), clear[0], _slots(pen, the(pen, clear[0]), be(clear[0]) == "is")
    if not view.things and (named := _named_in_captions(view)) and pen.chance(0.88):
        label, many = pen.pick(named)
        topics = [topic for topic in _BY_LABEL[label] if topic.many is None or topic.many == many]
        if topics:
            return pen.pick(topics), None, _slots(pen, f"the {FORMS[label][many]}", not many)
    return WITHOUT_BOXES, None, _slots(pen, "the scene", True)


def _named_in_captions(view: View) -> list[tuple[str, bool]]:
    """Return the categories that the best caption names, and whether as a plural."""
    words = view.captions[0].words if view.captions else ()
    return list(dict.fromkeys(NAMED[word] for word in words if word in NAMED and NAMED[word][0] in _BY_LABEL))


def _slots(pen: Pen, words: str, single: bool) -> dict[str, str]:
    return {
        "t": words,
        "is": "is" if single else "are",
        "does": "does" if single else "do",
        "has": "has" if single else "have",
        "it": "it" if single else "they",
        "them": "it" if single else "them",
        "its": "its" if single else "their",
        "image": pen.image,
    }


_AT_HAND = ("The scene shows {}.", "What can be seen is {}.", "Here, we have {}.", "The {image} shows {}.")


def _facts(view: View, pen: Pen, thing: Thing | None) -> list[str]:
    """Return what the answer rests on, the most telling first: what goes on, where the thing is, what else is there."""
    facts = []
    told = []
    if view.captions:
        caption = view.captions[0] if pen.chance(0.6) else pen.pick(view.captions[:3])
        told.append(caption)
        phrase, sentence = as_phrase(caption), as_sentence(caption)
        if phrase is not None and (sentence is None or pen.chance(0.5)):
            facts.append(pen.pick(_AT_HAND).format(phrase, image=pen.image))
        else:
            facts.append(f"{sentence or capital(lowered(caption))}.")
    done: set[str] = set()
    if thing is not None:
        done.add(thing.noun.label)
        if whereabouts(pen, thing) is not None or not view.captions:
            facts.append(f"{existence(pen, thing, known=True)}.")
    facts += [f"{sentence}." for sentence in layout_sentences(view, pen, done, told, focus=thing)]
    others = (caption for caption in view.captions if told and agree(told[0], caption))
    facts += [f"{sentence}." for caption in others if (sentence := as_sentence(caption, told[0].words)) is not None]
    return facts
