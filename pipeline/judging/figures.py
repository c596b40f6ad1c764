"""What became of the answers that were judged and guessed, and the figures over them.

Shares have the form of ``quality.counting.rate``. Their intervals take answers for independent of each other; those of
one sample are not quite, so that the truth is a little wider. What could not be read is in no share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from pipeline.judging.blind import QuestionType
from pipeline.quality.counting import rate
from pipeline.records import Turn, Verdict

MOST_DISAGREEMENTS = 100  # that the figures list; the file has all
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
SETTLED: tuple[Verdict, ...] = ("supported", "contradicted")


class Judged(msgspec.Struct, frozen=True):
    """What the judge says of one answer."""

    verdict: Verdict | None
    """``None`` if there is none, for the reason in ``failed``."""
    wrong: str = ""
    """The wrong words, as the judge quotes them."""
    start: int | None = None
    """First character of these words in the answer; ``None`` if they do not stand there."""
    end: int | None = None
    """One past their last character."""
    reason: str = ""
    failed: str | None = None
    """Why there is no verdict, such as ``unreadable reply``."""


class Guessed(msgspec.Struct, frozen=True):
    """What became of one question without its image."""

    type: QuestionType
    reference: str | None = None
    """For a closed question or a count, what the right answer says: ``yes``, ``no`` or a number."""
    answer: str | None = None
    """``None`` if there is none that can be read."""
    declined: bool = False
    """Whether the answer says that it cannot be known; then it is not right."""
    right: bool | None = None
    """``None`` if nobody could tell, for the reason in ``failed``."""
    failed: str | None = None
    """Why there is no mark: what became of the guess, or ``judge: `` and what became of the comparison."""


class Ruling(msgspec.Struct, frozen=True):
    """All that was found out about one question and its answer."""

    id: str
    """Of the sample."""
    message: int
    """The answer's place in the sample's ``messages``."""
    turn: Turn
    rules: Verdict
    judged: Judged | None
    """``None`` if there is no judge."""
    guessed: Guessed | None
    """``None`` if there is no blind model."""


class JudgeResult:
    """Counts rulings; holds no more of them than a list of disagreements."""

    def __init__(self, *, judge: str | None, blind: str | None, share: float) -> None:
        """Begin with nothing counted.

        Args:
            judge: The judge's model; ``None`` if there is none.
            blind: The blind model; ``None`` if there is none.
            share: Of the samples, how many were drawn; from 0 to 1.
        """
        self._judge = judge
        self._blind = blind
        self._share = share
        self.samples = 0
        """How many samples are settled."""
        self._pairs: Counter[tuple[Verdict, Verdict]] = Counter()
        self._unjudged: Counter[str] = Counter()
        self._misquoted = 0
        self._disagreements: list[dict[str, Any]] = []
        self._guesses: dict[QuestionType, _Guesses] = {name: _Guesses() for name in get_args(QuestionType)}

    def add(self, rulings: list[Ruling]) -> None:
        """Count one sample."""
        self.samples += 1
        for ruling in rulings:
            if ruling.judged:
                self._add_verdict(ruling, ruling.judged)
            if ruling.guessed:
                self._guesses[ruling.guessed.type].add(ruling.guessed)

    def figures(self) -> dict[str, Any]:
        """Return the figures for ``stats.json``: ``judge`` and ``blind``, each only if there was such a model."""
        figures: dict[str, Any] = {}
        if self._judge:
            figures["judge"] = {"model": self._judge, "share": self._share, "samples": self.samples} | self._verdicts()
        if self._blind:
            marked_by = f"{self._judge}, beside the reference" if self._judge else "the same words"
            figures["blind"] = {
                "model": self._blind,
                "share": self._share,
                "samples": self.samples,
                "others_marked_by": marked_by,
                **sum(self._guesses.values(), start=_Guesses()).figures(),
                "by_type": {name: guesses.figures() | guesses.chance() for name, guesses in self._guesses.items()},
            }
        return figures

    def _add_verdict(self, ruling: Ruling, judged: Judged) -> None:
        if judged.verdict is None:
            self._unjudged[judged.failed or ""] += 1
            return
        self._pairs[ruling.rules, judged.verdict] += 1
        self._misquoted += judged.verdict == "contradicted" and judged.start is None
        if judged.verdict != ruling.rules and len(self._disagreements) < MOST_DISAGREEMENTS:
            self._disagreements.append(
                {
                    "id": ruling.id,
                    "message": ruling.message,
                    "question": ruling.turn.question,
                    "answer": ruling.turn.answer,
                    "rules": ruling.rules,
                    "judge": judged.verdict,
                    "wrong": judged.wrong,
                    "reason": judged.reason,
                }
            )

    def _verdicts(self) -> dict[str, Any]:
        judged = self._pairs.total()
        by_judge: Counter[Verdict] = Counter()
        for (_, verdict), count in self._pairs.items():
            by_judge[verdict] += count
        settled = {pair: count for pair, count in self._pairs.items() if set(pair) <= set(SETTLED)}
        return {
            "answers": judged + self._unjudged.total(),
            "judged": judged,
            "not_judged": dict(self._unjudged),
            "verdicts": {verdict: by_judge[verdict] for verdict in VERDICTS},
            "contradicted": rate(by_judge["contradicted"], judged),
            "quotes_not_found": self._misquoted,
            "confusion": {rules: {verdict: self._pairs[rules, verdict] for verdict in VERDICTS} for rules in VERDICTS},
            "agreement": _agreement(self._pairs),
            "agreement_where_both_settle": _agreement(settled),
            "disagreements": self._disagreements,
        }


class _Guesses:
    """Counts of one type of question."""

    def __init__(self) -> None:
        self.marks: Counter[bool] = Counter()
        self.declined = 0
        self.unmarked: Counter[str] = Counter()
        self.references: Counter[str] = Counter()

    def add(self, guessed: Guessed) -> None:
        if guessed.right is None:
            self.unmarked[guessed.failed or ""] += 1
            return
        self.marks[guessed.right] += 1
        self.declined += guessed.declined
        if guessed.reference is not None:
            self.references[guessed.reference] += 1

    def __add__(self, other: _Guesses) -> _Guesses:
        # Without the references: the commonest answer over several types of question would mean nothing.
        both = _Guesses()
        both.marks = self.marks + other.marks
        both.declined = self.declined + other.declined
        both.unmarked = self.unmarked + other.unmarked
        return both

    def figures(self) -> dict[str, Any]:
        marked = self.marks.total()
        return {
            "questions": marked + self.unmarked.total(),
            "not_marked": dict(self.unmarked),
            "declined": self.declined,
            "right": rate(self.marks[True], marked),
        }

    def chance(self) -> dict[str, Any]:
        """Return what answers that look at nothing would have come to on the same questions."""
        n = self.references.total()
        if not n:
            return {}
        chance: dict[str, Any] = {"always_the_commonest": round(max(self.references.values()) / n, 5)}
        if set(self.references) <= {"yes", "no"}:
            chance["always_yes"] = round(self.references["yes"] / n, 5)
        return {"chance": chance}


def kappa(pairs: Mapping[tuple[Verdict, Verdict], int]) -> float | None:
    """Return Cohen's kappa of a table of counts: 1 for agreement throughout, 0 for no more than chance would give.

    ``None`` where it has no value: for an empty table, and where both raters always gave one and the same verdict.
    """
    n = sum(pairs.values())
    first: Counter[Verdict] = Counter()
    second: Counter[Verdict] = Counter()
    for (one, other), count in pairs.items():
        first[one] += count
        second[other] += count
    by_chance = sum(first[verdict] * second[verdict] for verdict in VERDICTS)
    if by_chance == n * n:  # in whole numbers: both of an empty table are 0
        return None
    agreed = sum(count for (one, other), count in pairs.items() if one == other)
    return (agreed * n - by_chance) / (n * n - by_chance)


def _agreement(pairs: Mapping[tuple[Verdict, Verdict], int]) -> dict[str, Any]:
    agreed = sum(count for (one, other), count in pairs.items() if one == other)
    beyond_chance = kappa(pairs)
    return rate(agreed, sum(pairs.values())) | {"kappa": None if beyond_chance is None else round(beyond_chance, 5)}
