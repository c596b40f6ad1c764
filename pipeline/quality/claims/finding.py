"""The statements of a sample that captions and boxes can settle, each with its verdict.

A sentence goes this way; the first half is ``reading/``, which knows no scene, the second is this folder::

    message   sentences.py   words and signs; where each sentence ends
    words     parsing.py     one walk from left to right, which asks
                nouns.py, amounts.py   at a name of the lexicon: article, number, adjectives, is a real thing meant?
                pronouns.py            at "one", "both", "none", "it": what does it stand for?
                places.py              at "left", "top", "corner": is it a place, and measured by what?
              attachment.py  what each place is said of
              alongside.py   what is said to be beside, above, on or between what
    Statement questions.py   what a question asks for
              answers.py     what an answer leaves to its question: "Two.", "On the left.", "A dog."
              yes_no.py      what "yes" and "no" say of it
    claims    judging.py     each statement held against evidence.py (boxes, and captions.py) by
                counts.py, totals.py    presence and numbers; whether a number is all there are (of men: sorts.py)
                absences.py, scopes.py  what is not there, and in which part of the image
                whereabouts.py          places and sides, with positions.py and relations.py
                comparisons.py, attributes.py
                doubts.py               what makes it doubtful that a thing is said to be there

``reading/lexicon.py`` knows which words name which categories (``coco.toml``, ``plurals.py``), ``vocabulary.py`` the
small words of English. Whatever no rule understands makes no claim: to read wrongly costs more than not to read.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.quality.claims.answers import read_answer
from pipeline.quality.claims.evidence import Evidence
from pipeline.quality.claims.judging import Judge
from pipeline.quality.reading.lexicon import Lexicon
from pipeline.quality.reading.pronouns import Memory
from pipeline.quality.reading.questions import read_question
from pipeline.quality.reading.sentences import Text
from pipeline.quality.reading.vocabulary import NOT
from pipeline.records import Claim, Scene, Turn


def find_claims(turns: Sequence[Turn], scene: Scene, lexicon: Lexicon) -> list[Claim]:
    """Return what questions and answers say about a scene, in the order of the text, each with its verdict.

    A statement is called contradicted only where no reasonable reading of captions and boxes permits it. Guesses,
    conditions, general talk and words for no category are no claims, or are not checkable.

    Args:
        turns: The questions and answers of one sample.
        scene: What they are about. Without boxes, nothing is proved absent.
        lexicon: Of the data set that the scene is from.
    """
    evidence = Evidence(scene, lexicon)
    claims: list[Claim] = []
    memory = Memory()
    for position, turn in enumerate(turns):
        asked = read_question(Text(turn.question), lexicon, memory)
        text = Text(turn.answer)
        judge = Judge(evidence, 2 * position + 1, text)
        read_answer(asked, text, judge, lexicon, memory)
        if not asked.closed:
            questioned = Judge(evidence, 2 * position, asked.text)
            questioned.presumptions(asked.statements, judge.denied, corrected=not NOT.isdisjoint(text.low[:4]))
            claims += questioned.claims
        claims += judge.claims
    return sorted(claims, key=lambda claim: (claim.message, claim.start, claim.end, claim.kind))
