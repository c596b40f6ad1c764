"""A conversation: four to seven questions and answers unless other bounds are set, yes and no in equal parts.

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
LONE_OPENING = 0.25
"""How often the one question of a conversation that has no other is about the scene as a whole."""


def converse(view: View, pen: Pen, fewest: int = 1, most: int | None = None) -> list[Turn]:
    """Return the turns of a conversation about the scene.

    Args:
        view: The scene.
        pen: Draws the questions and their wordings.
        fewest: Fewest turns; a scene that has nothing left to ask about gets fewer all the same, though never fewer
            than nine.
        most: Most turns; no bound if ``None``.
    """
    asked = Asked()
    if most == 1:
        return [_lone(view, pen, asked)]
    first = opening(view, pen, asked)
    wanted = FEWEST + pen.chance(0.75) + pen.chance(0.55) + pen.chance(0.35)
    wanted = max(fewest, min(wanted, most or wanted))
    turns: list[Turn] = []
    for _ in range(1 + pen.chance(0.5) if wanted == MOST - 1 else wanted // 3):
        turns += _closed_pair(view, pen, asked)
    said = {text for turn in (first, *turns) for text in (turn.question, turn.answer)}
    rounds = OPEN * (wanted // (MOST + 1))  # a long conversation goes through the open questions several times
    for asker in (*pen.shuffled(OPEN), *pen.shuffled(OPEN_AGAIN), *rounds, *LAST):
        if len(turns) + 1 >= wanted:
            break
        draft = asked.draft()
        turn = asker(view, pen, draft)
        if turn is not None and said.isdisjoint((turn.question, turn.answer)):
            asked.adopt(draft)
            turns.append(turn)
            said.update((turn.question, turn.answer))
    return [first, *pen.shuffled(turns)]


def _lone(view: View, pen: Pen, asked: Asked) -> Turn:
    """Return one question of any open sort, so that many conversations of one turn have all sorts among them."""
    turn = None if pen.chance(LONE_OPENING) else _first(pen.shuffled(OPEN), view, pen, asked)
    return turn or opening(view, pen, asked)


def _closed_pair(view: View, pen: Pen, asked: Asked) -> list[Turn]:
    """Return one question answered "yes" and one answered "no"; none if the scene has only one of the two.

    What is asked is noted only if both are.
    """
    draft = asked.draft()
    no_askers = pen.shuffled(NO)
    no_askers.insert(0 if pen.chance(0.6) else len(no_askers), no_absent)
    yes = _first(pen.shuffled(YES), view, pen, draft)
    no = _first(no_askers, view, pen, draft) if yes is not None else None
    if yes is None or no is None:
        return []
    asked.adopt(draft)
    return [yes, no]


def _first(askers: Sequence[Asker], view: View, pen: Pen, asked: Asked) -> Turn | None:
    return next((turn for asker in askers if (turn := asker(view, pen, asked)) is not None), None)
