"""Samples held against their scenes in processes of their own, so that no request waits for it.

A check takes a millisecond or two of processor time, several times what all else about a sample takes. The processes
are started once there is something to check; what they are told and what they tell is bytes, for some samples at a
time. If one is lost, what it and the others had, and all that follows, is checked in this one: slower, but the same.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import TracebackType

import msgspec

from pipeline import processes
from pipeline.making import Checked, Maker
from pipeline.quality.checker import Checker
from pipeline.records import Sample, Scene, Turn, pack, unpacker

TOGETHER = 16  # samples handed over at once
WAIT_S = 0.02  # most that a sample waits for others to go with
MOST_PROCESSES = 4  # which check more than the fastest servers answer


class Work(msgspec.Struct, frozen=True, array_like=True):
    """One sample to check."""

    turns: list[Turn]
    scene: Scene
    kind: str
    context: str
    language: str


class Crew:
    """Checks samples beside the event loop; to be used as a context manager."""

    def __init__(
        self,
        maker: Maker,
        categories: Mapping[str, str | None],
        synonyms: Path | None,
        phrases: Path | None,
        say: Callable[[str], None],
    ) -> None:
        """Prepare to check; no process is started yet.

        Args:
            maker: Checks where no process does.
            categories: As ``Checker`` takes them; so are the next two.
            synonyms: A file of a person's own.
            phrases: Another.
            say: Takes a line for people.
        """
        self._maker = maker
        self._setup = dict(categories), synonyms, phrases
        self._say = say
        self._waiting: list[tuple[Sample, asyncio.Future[Checked]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._pool: asyncio.Task[ProcessPoolExecutor] | None = None
        self._is_lost = False

    async def __aenter__(self) -> Crew:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer:
            self._timer.cancel()
        for task in self._under_way:
            task.cancel()
        if self._pool:
            (await self._pool).shutdown(wait=False, cancel_futures=True)

    async def check(self, sample: Sample) -> Checked:
        """Return the claims and findings of a sample, once a process has found them."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Checked] = loop.create_future()
        self._waiting.append((sample, done))
        if len(self._waiting) == TOGETHER:
            self._hand_over()
        elif self._timer is None:
            self._timer = loop.call_later(WAIT_S, self._hand_over)
        return await done

    def _hand_over(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        together, self._waiting = self._waiting, []
        task = asyncio.create_task(self._settle(together))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _settle(self, together: list[tuple[Sample, asyncio.Future[Checked]]]) -> None:
        told = await self._have_checked([sample for sample, _ in together])
        for index, (sample, done) in enumerate(together):
            if told is None:
                await asyncio.sleep(0)  # the network's turn
            checked = self._maker.check(sample) if told is None else told[index]
            if not done.done():  # else its task was cancelled
                done.set_result(checked)

    async def _have_checked(self, samples: list[Sample]) -> list[Checked] | None:
        """Return what a process finds; ``None`` where one was lost."""
        if self._is_lost:
            return None
        if self._pool is None:
            count = min(MOST_PROCESSES, os.cpu_count() or 1)
            self._pool = asyncio.create_task(asyncio.to_thread(processes.start, count, _begin, *self._setup))
        works = [
            Work(sample.turns, sample.scene, sample.kind, sample.context, self._maker.language(sample.kind))
            for sample in samples
        ]
        try:
            pool = await asyncio.shield(self._pool)
            told = await asyncio.get_running_loop().run_in_executor(pool, _check, pack(works))
        except BrokenProcessPool:
            if not self._is_lost:
                self._say("a process that checks samples was lost; checking goes on without, more slowly")
            self._is_lost = True
            return None
        return _checked.decode(told)


_works = unpacker(list[Work])
_checked = unpacker(list[Checked])


# ── in a process of the crew ─────────────────────────────────────────────────────────────────────────────────────────

_checker: Checker | None = None


def _begin(categories: dict[str, str | None], synonyms: Path | None, phrases: Path | None) -> None:
    global _checker  # the pool has no other place for what its processes keep
    _checker = Checker(categories, synonyms, phrases)


def _check(works: bytes) -> bytes:
    assert _checker
    told = [
        Checked(*_checker.check(each.turns, each.scene, kind=each.kind, context=each.context, language=each.language))
        for each in _works.decode(works)
    ]
    return pack(told)
