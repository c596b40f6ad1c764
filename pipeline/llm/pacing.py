"""When the next request may be sent: first come, first served, as many at once as the server serves well.

``capacity`` says how many; here are the places, the queue before them, and the account of requests and tokens a minute.
On the way of a request there is no lock, no task and no timer: who finds a place free takes it, and who gives one back
hands it to the first in the queue. A timer runs only while the queue waits for a minute's account or for a server that
refuses everybody.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable

from pipeline.llm.capacity import Capacity
from pipeline.llm.windows import Window

LISTEN_S = 0.005  # between two looks whether a server that has said nothing yet still says nothing
BURST_S = 1.0  # of a minute's account that may be used at once; a request larger than that is paid off afterwards
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0  # while everybody is refused or fails


class Place:
    """One request's permission to be in flight. It is given back once: answered, refused, failed or withdrawn."""

    __slots__ = ("began", "is_open", "load", "marked", "tokens", "window")

    def __init__(self, began: float, load: int, tokens: int, window: Window, marked: bool) -> None:
        self.began = began
        """When it was given, on the clock of its ``Pacing``."""
        self.load = load
        self.tokens = tokens
        self.window = window
        self.marked = marked
        self.is_open = True


class _Account:
    """So many a minute, spread evenly."""

    def __init__(self, a_minute: float) -> None:
        self._seconds_each = 60 / a_minute
        self._used_until = 0.0  # when all that was used would have been used at the even rate

    def wait_s(self, now: float) -> float:
        """Return the seconds until more may be used; 0 or less for none."""
        return self._used_until - now - max(0.0, BURST_S - self._seconds_each)

    def use(self, amount: float, now: float) -> None:
        """Use so many now; negative to give back."""
        if amount > 0:
            self._used_until = max(self._used_until, now)
        self._used_until += amount * self._seconds_each


class Pacing:
    """Places for requests to one server, for one event loop."""

    def __init__(
        self,
        most: int,
        *,
        rpm: float | None = None,
        tpm: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        dice: random.Random | None = None,
    ) -> None:
        """Start with nothing known about the server.

        Args:
            most: Never more requests in flight.
            rpm: Never more requests in a minute, give or take a second's worth.
            tpm: The same for tokens.
            clock: Seconds that never go back.
            dice: For the jitter of pauses.
        """
        self._capacity = Capacity(most)
        self._requests = _Account(rpm) if rpm else None
        self._tokens = _Account(tpm) if tpm else None
        self._clock = clock
        self._dice = dice or random.Random()
        self._queue: deque[tuple[asyncio.Future[Place], int]] = deque()
        self._gone = 0  # entries of the queue whose task was cancelled
        self._pause_s = 0.0
        self._shut_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.in_flight = 0
        """Places given and not yet given back."""

    @property
    def allowed(self) -> int:
        """Return how many may be in flight now; at least 1."""
        return self._capacity.allowed

    @property
    def waiting(self) -> int:
        """Return how many wait for a place."""
        return len(self._queue) - self._gone

    @property
    def why(self) -> str:
        """Return what changed ``allowed`` last, in a few words."""
        return self._capacity.why

    @property
    def latency_s(self) -> float:
        """Return the recent mean latency of good answers; 0 before the first."""
        return self._capacity.latency_s

    async def place(self, tokens: int = 0) -> Place:
        """Wait until a request may be sent.

        Args:
            tokens: About how many it will use, question and answer; ``answered`` corrects it.
        """
        now = self._clock()
        if not self._queue and self.in_flight < (allowed := self.allowed) and self._wait_s(now) <= 0:
            return self._take(tokens, now, allowed)
        future: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._queue.append((future, tokens))
        self._serve(now)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # given in the very moment of cancelling
                self.withdrawn(future.result())
            else:
                self._gone += 1
                self._serve(self._clock())
            raise

    def answered(self, place: Place, tokens: int | None = None) -> None:
        """Give a place back after a good answer.

        Args:
            place: Of the request.
            tokens: What it truly used, if the server said so.
        """
        now = self._close(place)
        self._capacity.answered(place.window, place.marked, place.load, now - place.began, now, self.in_flight + 1)
        if self._tokens and tokens is not None:
            self._tokens.use(tokens - place.tokens, now)
        self._pause_s = 0.0
        self._serve(now)

    def refused(self, place: Place, retry_after_s: float | None) -> float:
        """Give a place back after status 429.

        Returns:
            Seconds after which this request may be tried again: what the server asked for, or about half a second,
            and jitter, so that requests refused together do not come back together.
        """
        now = self._close(place)
        self._capacity.refused(place.window, place.marked, now, self.in_flight)
        if self._tokens:
            self._tokens.use(-place.tokens, now)
        self._shut(now, retry_after_s)
        self._serve(now)
        asked = 0.25 if retry_after_s is None else retry_after_s
        return asked + self._dice.uniform(0, max(0.5, asked / 4))

    def failed(self, place: Place) -> None:
        """Give a place back after a time-out, a dropped connection or a status from 500."""
        now = self._close(place)
        self._capacity.failed(place.window, place.marked, now)
        self._shut(now, None)
        self._serve(now)

    def withdrawn(self, place: Place) -> None:
        """Give a place back that says nothing: the request was not sent, or its task was cancelled."""
        now = self._close(place)
        self._capacity.withdrawn(place.window, place.marked)
        self._serve(now)

    def _take(self, tokens: int, now: float, allowed: int) -> Place:
        self.in_flight += 1
        if self._requests:
            self._requests.use(1, now)
        if self._tokens:
            self._tokens.use(tokens, now)
        window, marked = self._capacity.sent(self.in_flight >= 0.9 * allowed)
        return Place(now, self.in_flight, tokens, window, marked)

    def _close(self, place: Place) -> float:
        if not place.is_open:
            raise RuntimeError("a place was given back twice")
        place.is_open = False
        self.in_flight -= 1
        return self._clock()

    def _serve(self, now: float) -> None:
        """Give places to the first in the queue, as long as there are any."""
        while self._queue:
            future, tokens = self._queue[0]
            if future.done():
                self._queue.popleft()
                self._gone -= 1
                continue
            allowed = self._capacity.allowed
            if self.in_flight >= allowed:
                if self._capacity.is_unheard and self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(LISTEN_S, self._wake_unheard, now)
                return
            wait_s = self._wait_s(now)
            if wait_s > 0:
                if self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(max(wait_s, 0.001), self._wake)
                return
            self._queue.popleft()
            future.set_result(self._take(tokens, now, allowed))

    def _wake(self) -> None:
        self._timer = None
        self._serve(self._clock())

    def _wake_unheard(self, since: float) -> None:
        now = self._clock()
        if self._capacity.is_unheard:
            self._capacity.wait_unheard(min(now - since, LISTEN_S))
        self._wake()

    def _wait_s(self, now: float) -> float:
        wait_s = self._shut_until - now
        if self._requests:
            wait_s = max(wait_s, self._requests.wait_s(now))
        if self._tokens:
            wait_s = max(wait_s, self._tokens.wait_s(now))
        return wait_s

    def _shut(self, now: float, retry_after_s: float | None) -> None:
        """Pause if the last request in flight comes back without an answer: nobody gets through, so one shall try."""
        if self.in_flight:
            return
        # A first refusal may be bad luck, where few are in flight: only the second makes everybody wait as asked.
        longer = max(self._pause_s * 2, retry_after_s or 0.0) if self._pause_s else SHORTEST_PAUSE_S
        self._pause_s = min(LONGEST_PAUSE_S, longer)
        self._shut_until = now + self._pause_s * self._dice.uniform(0.75, 1.25)
