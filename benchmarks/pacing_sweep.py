"""How close pacing comes to the best fixed number of requests at once, where a server slows down instead of refusing.

    python benchmarks/pacing_sweep.py [--requests 6000] [--seeds 3]

Three simulated servers, in virtual time: no second passes, and processor time plays no part. Each answers the same
requests under fixed limits and under ``Pacing``, which is told nothing but that 256 is the most. Reply lengths vary
threefold. The bar is 90 % of the best fixed limit's speed, slow start included.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import random
import selectors
import statistics
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from pipeline.llm.pacing import Pacing

MOST = 256
BAR = 0.9
REFUSAL_S = 0.002  # from sending to a refusal


class _Skipping(selectors.SelectSelector):
    """Waits for nothing: the clock jumps instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds take no time."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._skipping.now


def in_virtual_time(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end on a ``VirtualLoop``."""
    loop = VirtualLoop()
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()


@dataclass
class Simulated:
    """A server that refuses, slows down or queues. All may be changed while it runs."""

    dice: random.Random
    latency_s: float = 0.2
    per_load_s: float = 0
    """Seconds longer for each other request in flight."""
    spread: float = 0
    """Latency varies evenly by so much up and down, as a share: 0.5 is threefold."""
    workers: int = 0
    """Requests served at once, others wait for their turn; 0 for no bound."""
    ceiling: int = 0
    """Requests beyond so many are refused; 0 for no ceiling."""
    luck: float = 0
    """Share refused whatever the load."""
    failing: float = 0
    """Share that fails after the latency."""
    load: int = 0
    most_load: int = 0
    requests: int = 0
    free: list[float] = field(default_factory=list)

    async def serve(self) -> bool | None:
        """Return whether a request was answered; None if it failed."""
        self.requests += 1
        if (self.ceiling and self.load >= self.ceiling) or self.dice.random() < self.luck:
            await asyncio.sleep(REFUSAL_S)
            return False
        takes = self.latency_s * self.dice.uniform(1 - self.spread, 1 + self.spread) + self.per_load_s * self.load
        now = asyncio.get_running_loop().time()
        starts = now
        if self.workers:
            while len(self.free) >= self.workers:
                starts = max(now, heapq.heappop(self.free))
            heapq.heappush(self.free, starts + takes)
        self.load += 1
        self.most_load = max(self.most_load, self.load)
        await asyncio.sleep(starts + takes - now)
        self.load -= 1
        return not self.dice.random() < self.failing or None


@dataclass
class Run:
    """What came of a run."""

    seconds: float = 0
    answered_at: list[float] = field(default_factory=list)
    requests: int = 0
    trace: list[tuple[float, int, str]] = field(default_factory=list)
    """Time, limit and reason, at each change of one."""

    @property
    def rate(self) -> float:
        """Return answers a second over the whole run."""
        return len(self.answered_at) / self.seconds


async def drive(server: Simulated, pacing: Pacing, count: int, at: dict[float, Callable[[], None]], run: Run) -> None:
    """Ask ``count`` requests until each is answered, with somewhat more tasks than there may be places."""
    loop = asyncio.get_running_loop()
    for when, change in at.items():
        loop.call_later(when, change)
    left = iter(range(count))
    again: list[tuple[float, int]] = []

    async def work() -> None:
        for number in left:
            while True:
                place = await pacing.place()
                answer = await server.serve()
                if answer:
                    pacing.answered(place)
                    run.answered_at.append(loop.time())
                elif answer is None:
                    pacing.failed(place)
                else:
                    pacing.refused(place, None)
                if not run.trace or run.trace[-1][1:] != (pacing.allowed, pacing.why):
                    run.trace.append((loop.time(), pacing.allowed, pacing.why))
                if answer:
                    break
                await asyncio.sleep(server.dice.uniform(0.3, 0.6))
                again.append((loop.time(), number))

    began = loop.time()
    await asyncio.gather(*(work() for _ in range(2 * MOST)))
    run.seconds = loop.time() - began
    run.requests = server.requests


def simulate(server: Simulated, count: int, most: int = MOST, at: dict[float, Callable[[], None]] | None = None) -> Run:
    """Return what comes of ``count`` requests under ``Pacing``; ``at`` maps seconds to changes of the server."""
    run = Run()

    async def paced() -> None:
        pacing = Pacing(most, clock=asyncio.get_running_loop().time, dice=server.dice)
        await drive(server, pacing, count, at or {}, run)

    in_virtual_time(paced())
    return run


def simulate_fixed(server: Simulated, count: int, limit: int) -> Run:
    """Return what comes of ``count`` requests with always ``limit`` in flight."""
    run = Run()

    async def work(left: Any) -> None:
        for _ in left:
            await server.serve()
            run.answered_at.append(asyncio.get_running_loop().time())

    async def fixed() -> None:
        left = iter(range(count))
        await asyncio.gather(*(work(left) for _ in range(limit)))
        run.seconds = asyncio.get_running_loop().time()

    in_virtual_time(fixed())
    return run


SERVERS: dict[str, dict[str, float]] = {
    "0.2 s + 10 ms a request": {"per_load_s": 0.01},
    "0.2 s + 2 ms a request": {"per_load_s": 0.002},
    "0.2 s + 50 ms a request": {"per_load_s": 0.05},
    "24 at once, others queue": {"workers": 24},
    "100 at once, others queue": {"workers": 100},
    "4 at once, others queue": {"workers": 4},
    "no bound": {},
}


def main() -> None:
    """Print a table of speeds; exit with an error below the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=6000, help="requests a run (default: 6000)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of Pacing; the fixed limits run once (default: 3)")
    options = parser.parse_args()
    limits = [2**power for power in range(9)]
    print("answers a second".ljust(28), *(f"{limit:>6}" for limit in limits), "  pacing   of best   limit at the end")
    worst = 1.0
    for name, settings in SERVERS.items():
        fixed = [
            simulate_fixed(Simulated(random.Random(1), spread=0.5, **settings), options.requests, limit).rate  # type: ignore[arg-type]
            for limit in limits
        ]
        runs = [
            simulate(Simulated(random.Random(seed), spread=0.5, **settings), options.requests)  # type: ignore[arg-type]
            for seed in range(options.seeds)
        ]
        shares = [run.rate / max(fixed) for run in runs]
        worst = min(worst, *shares)
        ends = " ".join(str(run.trace[-1][1]) for run in runs)
        rate = statistics.median(run.rate for run in runs)
        print(name.ljust(28), *(f"{each:6.1f}" for each in fixed), f"  {rate:6.1f}   {min(shares):7.1%}   {ends}")
    if worst < BAR:
        raise SystemExit(f"below the bar: {worst:.1%}")


if __name__ == "__main__":
    main()
