"""All samples of a run: workers that ask, shards that fill, counts that people watch."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from pipeline.errors import PipelineError
from pipeline.llm.client import Client
from pipeline.making import Checked, Maker
from pipeline.progress import Progress
from pipeline.records import Reject, Sample
from pipeline.samples.plan import Planned

AT_ONCE = 16  # samples begun between two looks at the network
LOAD_AFTER_S = 0.12  # until as many requests as allowed are on their way, and before the first answers
HAND_OVER_EVERY_S = 0.25
MOST_SETTLED = 2000  # samples that wait to be written


class Made(msgspec.Struct):
    """What became of the plan so far."""

    good: int = 0
    """All samples; counted along, since each one that settles asks for it."""
    rejected: int = 0
    """All rejects."""
    samples: Counter[str] = msgspec.field(default_factory=Counter)
    """By kind."""
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    """Rejects by reason."""
    rejects: dict[int, Reject] = msgspec.field(default_factory=dict)
    """By place in the plan."""

    @property
    def settled(self) -> int:
        """How many planned samples are good or rejected."""
        return self.good + self.rejected


class TakesSettled(Protocol):
    """What writes the files of a run: ``Files``, in this process or in one of its own."""

    def settle(self, settled: Sequence[tuple[int, Sample | None]]) -> None:
        """Take what became of planned samples, by their places in the plan."""

    def finish(self, planned: int, rejects: list[Reject]) -> None:
        """Write the last of the samples, and the rejects."""

    def write_words(self, record: dict[str, Any]) -> None:
        """Write what people read."""


class Loop:
    """Settles the samples of a plan, many at once."""

    def __init__(
        self,
        client: Client,
        maker: Maker,
        open_files: Callable[[], TakesSettled],
        progress: Progress,
        *,
        workers: int,
        check: Callable[[Sample], Awaitable[Checked]] | None = None,
    ) -> None:
        """Prepare to work.

        Args:
            client: Asks.
            maker: Makes one sample.
            open_files: Returns what takes that which is settled. Its libraries take as long to load as all else before
                the first request, so it is called in a thread once requests are on their way.
            progress: Shows the counts.
            workers: Samples in the making at once. More than may be in flight: a worker that waits for its next try
                leaves its place to another.
            check: Holds a sample against its scene; if not given, the maker does.
        """
        self.made = Made()
        self._client = client
        self._maker = maker
        self._open_files = open_files
        self._files: TakesSettled | None = None
        self._settled: list[tuple[int, Sample | None]] = []  # and not yet handed over
        self._has_room = asyncio.Event()
        self._ended = asyncio.Event()
        self._progress = progress
        self._workers = workers
        self._check = check
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
            group.create_task(self._keep_files())
            async with asyncio.TaskGroup() as workers:
                for begun in range(min(self._workers, wanted)):
                    workers.create_task(self._work(todo, wanted))
                    if begun % AT_ONCE == AT_ONCE - 1:
                        await asyncio.sleep(0)
            self._ended.set()
        if self._stopped:
            raise self._stopped

    async def _keep_files(self) -> None:
        """Hand over what is settled, in a thread: what takes it loads and writes for long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), LOAD_AFTER_S)
        self._files = await asyncio.to_thread(self._open_files)
        while self._settled or not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), HAND_OVER_EVERY_S)
            settled, self._settled = self._settled, []
            try:
                if settled:
                    await asyncio.to_thread(self._files.settle, settled)
            except PipelineError as error:
                self.stop(error)
            self._has_room.set()

    @property
    def files(self) -> TakesSettled:
        """What has taken all that is settled, once ``run`` has ended."""
        assert self._files
        return self._files

    async def _work(self, todo: Iterator[tuple[int, Planned]], wanted: int) -> None:
        # Never more begun than can all be good: a reject makes room for the next one of the plan.
        while not self._stopped and self.made.good + self._busy < wanted:
            index, planned = next(todo, (0, None))
            if planned is None:
                return
            self._busy += 1
            sent = self._client.tally.sent
            try:
                self._settle(index, await self._maker.make(self._client, planned, self._check))
            except PipelineError as error:
                self.stop(error)
            finally:
                self._busy -= 1
            if self._client.tally.sent == sent:  # the journal's replies come without waiting
                await asyncio.sleep(0)  # Ctrl-C must come between them
                if len(self._settled) > MOST_SETTLED:  # and faster than they are written
                    self._has_room.clear()
                    await self._has_room.wait()

    def stop(self, why: PipelineError) -> None:
        """Begin nothing more; keep what is in flight."""
        self._stopped = self._stopped or why
        self._client.stop()

    def _settle(self, index: int, outcome: Sample | Reject) -> None:
        if isinstance(outcome, Sample):
            self.made.good += 1
            self.made.samples[outcome.kind] += 1
        else:
            self.made.rejected += 1
            self.made.reasons[outcome.reason] += 1
            self.made.rejects[index] = outcome
        self._settled.append((index, outcome if isinstance(outcome, Sample) else None))
        tally = self._client.tally
        tokens = tally.prompt_tokens + tally.completion_tokens
        self._progress.update(self.made.good, self.made.rejected, tokens, tally.cost_usd)
