"""A conversation: four to seven questions and answers, yes and no in equal parts.

Closed questions come in pairs, one answered "yes" and one "no", so that over any number of replies half of them are
"no". A scene that supports only one of the two gets none.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.llm.writing.asking import Asked, Asker
from pipeline.llm.writing.closed_questions import NO, YES, no_absent
from pipeline.llm.writing.facts import Pen
from pipeline.llm.writing.open_questions import LAST, OPEN, OPEN_AGAIN, opening
from pipeline.llm.writing.scene import View
from pipeline.records import Turn

FEWEST, MOST = 4, 7


def converse(view: View, pen: Pen) -> list[Turn]:
    """Return the turns of a conversation about the scene."""
    asked = Asked()
    first = opening(view, pen, asked)
    wanted = FEWEST + pen.chance(0.75) + pen.chance(0.55) + pen.chance(0.35)
    turns: list[Turn] = []
    for _ in range(2 if wanted == MOST or (wanted == MOST - 1 and pen.chance(0.5)) else 1):
        turns += _closed_pair(view, pen, asked)
    said = {first.answer, *(turn.answer for turn in turns)}
    for asker in (*pen.shuffled(OPEN), *pen.shuffled(OPEN_AGAIN), *LAST):
        if len(turns) + 1 >= wanted:
            break
        turn = asker(view, pen, asked)
        if turn is not None and turn.answer not in said:
            turns.append(turn)
            said.add(turn.answer)
    return [first, *pen.shuffled(turns)]


def _closed_pair(view: View, pen: Pen, asked: Asked) -> list[Turn]:
    """Return one question answered "yes" and one answered "no"; none if the scene has only one of the two."""
    no_askers = pen.shuffled(NO)
    no_askers.insert(0 if pen.chance(0.6) else len(no_askers), no_absent)
    yes = _first(pen.shuffled(YES), view, pen, asked)
    no = _first(no_askers, view, pen, asked) if yes is not None else None
    return [yes, no] if yes is not None and no is not None else []


def _first(askers: Sequence[Asker], view: View, pen: Pen, asked: Asked) -> Turn | None:
    return next((turn for asker in askers if (turn := asker(view, pen, asked)) is not None), None)
