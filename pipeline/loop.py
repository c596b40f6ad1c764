"""All samples of a run: workers that ask, shards that fill, counts that people watch."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from pipeline.errors import PipelineError, RunStopped
from pipeline.llm.client import Client
from pipeline.making import Maker
from pipeline.progress import Progress
from pipeline.records import Reject, Sample
from pipeline.samples.plan import Planned
from pipeline.samples.shards import Shards


class Interrupted(RunStopped):
    """The person pressed Ctrl-C; all that was in flight has been kept."""


class Made(msgspec.Struct):
    """What became of the plan so far."""

    samples: Counter[str] = msgspec.field(default_factory=Counter)
    """By kind."""
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    """Rejects by reason."""
    rejects: dict[int, Reject] = msgspec.field(default_factory=dict)
    """By place in the plan."""

    @property
    def settled(self) -> int:
        """How many planned samples are good or rejected."""
        return self.samples.total() + self.reasons.total()


class Loop:
    """Settles the samples of a plan, many at once."""

    def __init__(
        self,
        client: Client,
        maker: Maker,
        shards: Shards,
        progress: Progress,
        *,
        workers: int,
    ) -> None:
        """Prepare to work.

        Args:
            client: Asks.
            maker: Makes one sample.
            shards: Take what is settled.
            progress: Shows the counts.
            workers: Samples in the making at once. More than may be in flight: a worker that waits for its next try
                leaves its place to another.
        """
        self.made = Made()
        self._client = client
        self._maker = maker
        self._shards = shards
        self._progress = progress
        self._workers = workers
        self._busy = 0
        self._stopped: PipelineError | None = None

    async def run(self, plan: Sequence[Planned], count_good: int | None = None) -> None:
        """Settle the plan, or as much from its beginning as it takes to have ``count_good`` samples.

        Workers share one iterator, so nothing exists for a sample before its turn.

        Raises:
            PipelineError: The run cannot go on; all that was in flight has been kept.
        """
        todo = iter(enumerate(plan))
        wanted = len(plan) if count_good is None else count_good
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._workers, wanted)):
                group.create_task(self._work(todo, wanted))
        if self._stopped:
            raise self._stopped

    async def _work(self, todo: Iterator[tuple[int, Planned]], wanted: int) -> None:
        # Never more begun than can all be good: a reject makes room for the next one of the plan.
        while not self._stopped and self.made.samples.total() + self._busy < wanted:
            index, planned = next(todo, (0, None))
            if planned is None:
                return
            self._busy += 1
            try:
                self._settle(index, await self._maker.make(self._client, planned))
            except PipelineError as error:
                self.stop(error)
            finally:
                self._busy -= 1
            await asyncio.sleep(0)  # replies from the journal come without waiting; Ctrl-C must come between them

    def stop(self, why: PipelineError) -> None:
        """Begin nothing more; keep what is in flight."""
        self._stopped = self._stopped or why
        self._client.stop()

    def _settle(self, index: int, outcome: Sample | Reject) -> None:
        if isinstance(outcome, Sample):
            self.made.samples[outcome.kind] += 1
            self._shards.settle(index, outcome)
        else:
            self.made.reasons[outcome.reason] += 1
            self.made.rejects[index] = outcome
            self._shards.settle(index, None)
        tally = self._client.tally
        tokens = tally.prompt_tokens + tally.completion_tokens
        self._progress.update(self.made.samples.total(), self.made.reasons.total(), tokens, tally.cost_usd)

    @contextmanager
    def stopping_on_interrupt(self) -> Iterator[None]:
        """Let the first Ctrl-C end the run once all that is in flight has been kept; the second ends it at once."""
        loop = asyncio.get_running_loop()

        def on_interrupt() -> None:
            loop.remove_signal_handler(signal.SIGINT)
            self._progress.say("stopping; requests in flight are being kept (Ctrl-C again leaves them)")
            self.stop(Interrupted("stopped"))

        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C ends the run at once
            loop.add_signal_handler(signal.SIGINT, on_interrupt)
        try:
            yield
        finally:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(signal.SIGINT)
