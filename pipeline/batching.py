"""A run through the batch interface: round by round, until the journal holds what the samples need.

The first round has every sample's first question; the next ones have the questions again whose replies could not be
read. What is left after that, the ordinary loop asks online.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import openai

from pipeline.llm.batch import run_batches
from pipeline.llm.batch_ledger import Ledger
from pipeline.llm.batch_lines import Job
from pipeline.llm.bodies import Body, Question
from pipeline.llm.budget import Budget
from pipeline.llm.client import Client
from pipeline.llm.journal import Journal, Reply
from pipeline.llm.money import NO_HOLD
from pipeline.making import Maker
from pipeline.records import Sample
from pipeline.samples.plan import Planned

ROUNDS_WITHOUT_ALL = 3  # batches that expire are submitted again so often; then the rest is asked online


async def run_in_batches(
    connection: openai.AsyncOpenAI,
    client: Client,
    journal: Journal,
    budget: Budget,
    plan: Sequence[Planned],
    maker: Maker,
    *,
    poll_s: float,
    say: Callable[[str], None],
) -> None:
    """Have as much of the plan answered by batches as they will answer.

    Args:
        connection: For files and batches.
        client: Asks one question online, to learn what the server takes: a batch of wrong requests would fail whole.
        journal: Where replies and the state of batches are kept.
        budget: At the batch price.
        plan: What to make.
        maker: Makes samples; here, what is asked for them.
        poll_s: Seconds between two looks at the batches.
        say: Takes a line for people.

    Raises:
        RunStopped: The server refuses batches, or the person stopped the run; the same command carries on.
    """
    if not journal.count():
        await maker.make(client, plan[0])
    missing = _Missing(client, journal, budget, plan, maker)
    try:
        for _ in range(maker.attempts):
            for _ in range(ROUNDS_WITHOUT_ALL):
                outcome = await run_batches(
                    connection,
                    journal,
                    missing.jobs(),
                    say=say,
                    poll_s=poll_s,
                    stopping=client.stopping,
                    keep=missing.keep,
                )
                missing.free([*(refusal.key for refusal in outcome.refused), *outcome.unanswered])
                if not outcome.unanswered or not outcome.answered:
                    break
            if not outcome.answered:
                return
    finally:
        await connection.close()


class _Missing:
    """The questions of a plan that the journal has no reply to, and the money that they may cost."""

    def __init__(self, client: Client, journal: Journal, budget: Budget, plan: Sequence[Planned], maker: Maker) -> None:
        self._client = client
        self._budget = budget
        self._plan = plan
        self._maker = maker
        submitted = Ledger(journal).keys()  # by an earlier process; what else is held may have been billed elsewhere
        self._holds = {key: hold for key, hold in journal.money.open_holds().items() if key in submitted}

    def jobs(self) -> Iterator[Job]:
        """Yield the next question of each sample that lacks a reply, as long as the budget has room for it."""
        for planned in self._plan:
            question = self._next(planned)
            if question is None:
                continue
            body = self._client.bodies.build(question, self._client.dialect)
            if not self._afford(body):
                return
            yield Job(body.key, planned.id, body.content)

    def _next(self, planned: Planned) -> Question | None:
        taking = self._maker.steps(planned)
        try:
            wanted = next(taking)
            while True:
                if isinstance(wanted, Sample):
                    wanted = taking.send(self._maker.check(wanted))
                elif kept := self._client.find(wanted):
                    wanted = taking.send(kept)
                else:
                    return wanted
        except StopIteration:
            return None

    def _afford(self, body: Body) -> bool:
        if body.key in self._holds:
            return True
        hold = self._budget.reserve(body.key, len(body.content), body.most_tokens)
        if hold is not None:
            self._holds[body.key] = hold
        return hold is not None

    def keep(self, key: bytes, sample: str, reply: Reply) -> None:
        """Commit a reply at the batch price."""
        self._budget.keep(self._holds.pop(key, NO_HOLD), key, sample, reply)

    def free(self, keys: list[bytes]) -> None:
        """Give back what was reserved for requests that were not answered, and so not billed."""
        for key in keys:
            if hold := self._holds.pop(key, None):
                self._budget.release(hold)
