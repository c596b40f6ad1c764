"""What wires with workers share: posts go out to workers and outcomes come back, both as plain data in batches.

The driver decides what is sent and when, and keeps what comes; a worker holds a real ``Wire`` and does the sending, no
more. A batch holds whatever has gathered while the one before it was under way, so that a quiet run waits for nothing
and a busy one pays little for each request. How batches travel is told in ``workers.py`` (other processes) and
``cluster.py`` (other machines).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

import msgspec

from pipeline.llm.endpoint import Endpoint
from pipeline.llm.failures import Declined, Unanswered
from pipeline.llm.wire import Wire

READY_S = 60.0  # for a worker to come up, or back on another machine
GRACE_S = 15.0  # a worker tells of a timeout itself; one that is silent for so much longer is stuck


class Setup(msgspec.Struct, frozen=True):
    """What a worker needs for a wire like the driver's own. It holds the key: for a worker's memory only."""

    endpoint: Endpoint
    connections: int
    timeout_s: float


class Post(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A request to send."""

    number: int
    body: bytes


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What came of a request: an answer, or why there is none."""

    number: int
    status: int = 0
    """The answer's; 0 if there is none."""
    body: bytes = b""
    """The answer's; without an answer, the reason in words."""
    headers: dict[str, str] = {}
    """The answer's if it is no success."""
    timed_out: bool = False
    reached: bool = True
    """False if the server cannot have had the request."""


_posts = msgspec.msgpack.Decoder(list[Post])
_outcomes = msgspec.msgpack.Decoder(list[Outcome])
_encode = msgspec.msgpack.Encoder().encode


async def until_one_raises(*endless: Coroutine[Any, Any, NoReturn]) -> NoReturn:
    """Run coroutines that never return, end them all when one raises, and raise that."""
    tasks = [asyncio.ensure_future(each) for each in endless]
    try:
        await asyncio.gather(*tasks)
        raise AssertionError("an endless coroutine has ended")
    finally:
        for task in tasks:  # gather leaves the others running
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# ── in the driver ────────────────────────────────────────────────────────────────────────────────────────────────────


def describe_wire(endpoint: Endpoint, connections: int, timeout_s: float) -> bytes:
    """Return the setup of a worker's wire."""
    return _encode(Setup(endpoint, connections, timeout_s))


class Line:
    """One worker as the driver sees it: what waits to be handed over, and what is in flight."""

    def __init__(self) -> None:
        self.is_open = False
        self.flying: dict[int, asyncio.Future[Outcome]] = {}
        self._waiting: list[Post] = []
        self._more = asyncio.Event()
        self._last = 0

    async def post(self, body: bytes) -> Outcome:
        """Return what comes of a request."""
        self._last = number = self._last + 1
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.flying[number] = outcome
        self._waiting.append(Post(number, body))
        self._more.set()
        try:
            return await outcome
        finally:
            self.flying.pop(number, None)

    async def exchange(
        self, send: Callable[[bytes], Awaitable[None]], receive: Callable[[], Awaitable[bytes]], opened: asyncio.Event
    ) -> NoReturn:
        """Hand over what waits and take what comes, until ``send`` or ``receive`` raises; then all in flight is lost.

        Args:
            send: Returns once the worker can take another batch.
            receive: Returns the next batch that has come.
            opened: Set when the line can be used.
        """
        self.is_open = True
        opened.set()
        try:
            await until_one_raises(self._hand_over(send), self._take_in(receive))
        finally:
            self.is_open = False
            self._lose()

    async def _hand_over(self, send: Callable[[bytes], Awaitable[None]]) -> NoReturn:
        while True:
            await self._more.wait()
            self._more.clear()
            posts, self._waiting = self._waiting, []
            await send(_encode(posts))

    async def _take_in(self, receive: Callable[[], Awaitable[bytes]]) -> NoReturn:
        while True:
            for outcome in _outcomes.decode(await receive()):
                waiting = self.flying.get(outcome.number)
                if waiting and not waiting.done():
                    waiting.set_result(outcome)

    def _lose(self) -> None:
        unsent = {post.number for post in self._waiting}
        self._waiting = []
        for number, waiting in self.flying.items():
            if not waiting.done():
                waiting.set_result(Outcome(number, body=b"the worker was lost", reached=number not in unsent))


class Lines:
    """The lines to all workers: gives each request to the worker with the fewest in flight."""

    def __init__(self, timeout_s: float) -> None:
        """Begin without workers; one itself gives a request up after ``timeout_s``."""
        self.opened = asyncio.Event()
        self._timeout_s = timeout_s
        self._lines: list[Line] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._broken: BaseException | None = None

    def add(self, keep: Callable[[Line], Coroutine[Any, Any, None]]) -> None:
        """Add a worker; ``keep`` starts it, exchanges on the line and starts it again when it is lost."""
        line = Line()
        task = asyncio.create_task(keep(line))
        task.add_done_callback(self._note_end)
        self._lines.append(line)
        self._tasks.append(task)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self._broken = error
            self.opened.set()

    async def close(self) -> None:
        """End all lines."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def post(self, body: bytes) -> bytes:
        """Return the body of the server's answer; raise as ``Wire.post`` does.

        Raises:
            Unanswered: Also if the worker was lost or none is up.
            Declined: An answer that is no success.
            RunStopped: Workers cannot run where they should.
        """
        line = await self._choose()
        try:
            async with asyncio.timeout(self._timeout_s + GRACE_S):
                outcome = await line.post(body)
        except TimeoutError as error:
            raise Unanswered("the worker does not answer", timed_out=True) from error
        if not outcome.status:
            words = outcome.body.decode(errors="replace")
            raise Unanswered(words, reached=outcome.reached, timed_out=outcome.timed_out)
        if outcome.status != 200:
            raise Declined(outcome.status, outcome.headers, outcome.body)
        return outcome.body

    async def _choose(self) -> Line:
        while True:
            if self._broken:
                raise self._broken
            if usable := [line for line in self._lines if line.is_open]:
                return min(usable, key=lambda line: len(line.flying))
            self.opened.clear()
            try:
                async with asyncio.timeout(READY_S):
                    await self.opened.wait()
            except TimeoutError:
                raise Unanswered(f"no worker has come up for {READY_S:.0f} s", reached=False) from None


# ── in a worker ──────────────────────────────────────────────────────────────────────────────────────────────────────


def open_wire(setup: bytes) -> Wire:
    """Return the wire that the driver has described."""
    told = msgspec.msgpack.decode(setup, type=Setup)
    return Wire(told.endpoint, told.connections, told.timeout_s)


class Poster:
    """Posts what a worker is handed, and holds the outcomes until they are fetched."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._tasks: set[asyncio.Task[None]] = set()
        self._came: list[Outcome] = []
        self._some = asyncio.Event()
        self._bug: BaseException | None = None

    def take(self, posts: bytes) -> None:
        """Start to send a batch."""
        for post in _posts.decode(posts):
            task = asyncio.create_task(self._post(post))
            self._tasks.add(task)
            task.add_done_callback(self._note_end)

    async def outcomes(self) -> bytes:
        """Wait until something has come, and return all that has."""
        await self._some.wait()
        if self._bug:
            raise self._bug
        self._some.clear()
        came, self._came = self._came, []
        return _encode(came)

    async def _post(self, post: Post) -> None:
        try:
            outcome = Outcome(post.number, 200, await self._wire.post(post.body))
        except Declined as error:
            outcome = Outcome(post.number, error.status, error.body, dict(error.headers))
        except Unanswered as error:
            words = str(error).encode()
            outcome = Outcome(post.number, body=words, timed_out=error.timed_out, reached=error.reached)
        self._came.append(outcome)
        self._some.set()

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._bug = error
            self._some.set()
