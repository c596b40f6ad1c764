"""All that two second models say about one sample."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from pipeline.judging import blind as marking
from pipeline.judging.asking import Unanswered, ask_until_read
from pipeline.judging.figures import Guessed, Judged, Ruling
from pipeline.judging.prompts import (
    Guess,
    agreement_prompt,
    blind_prompt,
    evidence_and_turns,
    guesses_beside_references,
    question_alone,
    verdicts_prompt,
)
from pipeline.judging.verdicts import Judgement, find_quote, read_judgements, verdict_of_rules
from pipeline.llm.client import Client
from pipeline.prompting.render import Prompt
from pipeline.records import Turn


class Rulings:
    """Settles samples; several may be under way at once."""

    def __init__(self, judge: Client | None, blind: Client | None, *, seed: int, attempts: int) -> None:
        """Prepare the prompts; nothing is sent yet.

        Args:
            judge: Asks the judge; ``None`` for no judge.
            blind: Asks the blind model; ``None`` for no blind test.
            seed: Of the requests.
            attempts: Most replies to pay for, for one request.
        """
        self._judge = judge
        self._blind = blind
        self._verdicts, self._agreement, self._alone = verdicts_prompt(), agreement_prompt(), blind_prompt()
        self._seed = seed
        self._attempts = attempts
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def make(self, row: Mapping[str, Any]) -> list[Ruling]:
        """Return what there is to say about each answer of a sample, in their order.

        Raises:
            RunStopped: A server answers nobody any more, or the budget is used up.
        """
        messages = [message["content"] for message in row["messages"]]
        turns = [Turn(question, answer) for question, answer in zip(messages[::2], messages[1::2], strict=False)]
        judged: list[Judged] | list[None] = [None] * len(turns)
        guessed: list[Guessed] | list[None] = [None] * len(turns)
        if self._judge and turns:
            judged = await self._judge_turns(self._judge, row, turns)
        if self._blind:
            guessed = [await self._guess(self._blind, row["id"], turn) for turn in turns]
            if self._judge:
                await self._compare(self._judge, row["id"], turns, guessed)
        claims = row["claims"] or ()
        return [
            Ruling(row["id"], 2 * n + 1, turn, verdict_of_rules(claims, 2 * n + 1), judged[n], guessed[n])
            for n, turn in enumerate(turns)
        ]

    async def _judge_turns(self, judge: Client, row: Mapping[str, Any], turns: list[Turn]) -> list[Judged]:
        text = evidence_and_turns(self._verdicts, row, turns)
        told = await self._ask_judge(judge, self._verdicts, text, len(turns), row["id"])
        if isinstance(told, Unanswered):
            return [Judged(None, failed=told.reason) for _ in turns]
        return [_judged(judgement, turn.answer) for judgement, turn in zip(told, turns, strict=True)]

    async def _guess(self, blind: Client, sample: str, turn: Turn) -> Guessed:
        key = marking.make_key(turn.question, turn.answer)
        reference = None if key.type == "other" else key.value
        if not turn.question.strip():
            return Guessed(key.type, reference, failed="empty question")
        # A question that many samples have is one request: who asks it second finds the reply in the journal.
        async with self._locks.setdefault(turn.question, asyncio.Lock()):
            guess = await ask_until_read(
                blind,
                self._alone,
                question_alone(self._alone, turn.question),
                lambda content: marking.read_guess(content, turn.question, key),
                asked_for=sample,
                seed=self._seed,
                attempts=self._attempts,
            )
        if isinstance(guess, Unanswered):
            return Guessed(key.type, reference, failed=guess.reason)
        return Guessed(key.type, reference, guess, marking.declines(guess), marking.is_right(guess, key))

    async def _compare(self, judge: Client, sample: str, turns: list[Turn], guessed: list[Guessed]) -> None:
        """Have the judge mark, in place, the guesses that no rule can mark."""
        places = [
            n for n, each in enumerate(guessed) if each.type == "other" and each.right is False and not each.declined
        ]
        if not places:
            return
        guesses = [Guess(turns[n].question, turns[n].answer, guessed[n].answer or "") for n in places]
        text = guesses_beside_references(self._agreement, guesses)
        told = await self._ask_judge(judge, self._agreement, text, len(places), sample)
        for at, n in enumerate(places):
            guess = guessed[n]
            if isinstance(told, Unanswered):
                guessed[n] = msgspec.structs.replace(guess, right=None, failed=f"judge: {told.reason}")
            else:
                guessed[n] = msgspec.structs.replace(guess, right=told[at].verdict == "supported")

    async def _ask_judge(
        self, judge: Client, prompt: Prompt, text: str, count: int, sample: str
    ) -> list[Judgement] | Unanswered:
        return await ask_until_read(
            judge,
            prompt,
            text,
            lambda content: read_judgements(content, count),
            asked_for=sample,
            seed=self._seed,
            attempts=self._attempts,
        )


def _judged(judgement: Judgement, answer: str) -> Judged:
    wrong = judgement.wrong if judgement.verdict == "contradicted" else ""  # some judges quote what is right as well
    start, end = find_quote(wrong, answer) or (None, None)
    return Judged(judgement.verdict, wrong, start, end, judgement.reason)
