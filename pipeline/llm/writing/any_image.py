"""Questions that fit every image, with answers that are true of each: the last resort where little is known."""

from __future__ import annotations

from pipeline.llm.writing.asking import Asker
from pipeline.records import Turn


def _asker(questions: tuple[str, ...], answers: tuple[str, ...]) -> Asker:
    """Return an asker that draws one of the questions and any of the answers, and needs nothing of the scene."""
    return lambda view, pen, asked: Turn(pen.pick(questions).format(pen.image), pen.pick(answers).format(pen.image))


ALWAYS: tuple[Asker, ...] = (
    _asker(
        ("What can the {} alone not tell us?", "What remains open when one looks at the {}?"),
        (
            "It does not tell what happened before or what comes next.",
            "What came before this moment, and what follows it, remains open.",
            "The moments before and after remain a matter of guesswork.",
        ),
    ),
    _asker(
        ("How should one look at this {}?", "What is a good way to study this {}?"),
        (
            "It helps to take in the whole first and then go from one side to the other.",
            "A good way is to begin with what stands out and then let the eye wander to the edges.",
        ),
    ),
    _asker(
        ("What might somebody say who sees this {} for the first time?", "How might a viewer react?"),
        ("Probably that it deserves a second look.", "A viewer might want to know the story behind it."),
    ),
    _asker(
        ("What could one ask somebody who was there?", "Which question would a witness be able to answer?"),
        ("One could ask what happened just before.", "A good question would be what happened next."),
    ),
    _asker(
        ("What would help to understand the scene better?", "What would one need in order to know more?"),
        (
            "A second view from another angle would probably help.",
            "It would probably help to see the same place a little later.",
        ),
    ),
    _asker(
        ("How might the {} be used in a lesson?", "What might a teacher do with this {}?"),
        (
            "It might be shown for a moment, and then everybody tells what they remember.",
            "Learners might take turns in asking each other about what they see.",
        ),
    ),
    _asker(
        ("How could two people compare what they see here?", "How might two viewers share what they notice?"),
        (
            "Each could write a sentence first, and then they exchange them.",
            "One could tell the other what stands out, and the other adds what is still to be told.",
        ),
    ),
    _asker(
        ("What makes this {} worth keeping?", "Why might somebody keep this {}?"),
        (
            "It holds on to a moment that would probably be forgotten otherwise.",
            "Probably because one can return to it and look again.",
        ),
    ),
)
