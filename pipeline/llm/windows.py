"""What a few hundred requests sent under one limit tell about a server.

Short replies come back first, so a window closes when nine in ten of the requests sent first in it have settled,
rather than after a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

ENOUGH = 400  # latencies in a window: the mean of replies whose length varies threefold is then known to 1.5 %


@dataclass(slots=True, eq=False)
class Window:
    """Requests sent under one limit, and what came of them."""

    limit: int
    quota: int
    """Those to be marked: sent while the limit was in use, and waited for."""
    sent: int = 0
    refused: int = 0
    failed: int = 0
    marked: int = 0
    resting: int = 0
    """Places of refused requests, not to be used until answers show that it was luck."""
    rested: int = 0
    """Answers since one of them was last released."""
    settled: int = 0
    """Those of ``marked``."""
    count: int = 0
    """Latencies measured; of marked requests only."""
    loads: float = 0
    latencies: float = 0
    squares: float = 0

    @property
    def is_closed(self) -> bool:
        """Tell whether enough of the marked have settled; one in ten may hang."""
        return self.settled >= self.quota - max(1, self.quota // 10)

    @property
    def share(self) -> float:
        """Return the share of requests refused."""
        return self.refused / self.sent if self.sent else 0.0

    @property
    def excess(self) -> float:
        """Return the refused as a share of at least a full limit's requests: the first few prove no deep fall."""
        return self.refused / max(self.sent, self.limit)

    @property
    def mean(self) -> float:
        """Return the mean latency in seconds; there must be one."""
        return self.latencies / self.count

    @property
    def throughput(self) -> float:
        """Return good answers a second, as Little's law has it; there must be a latency."""
        return self.loads / max(self.latencies, 1e-9)

    @property
    def error(self) -> float:
        """Return the standard error of the mean latency, relative to it; never quite 0."""
        mean = max(self.mean, 1e-9)
        variance = max(0.0, self.squares / self.count - mean * mean)
        return 0.005 + math.sqrt(variance / self.count) / mean

    def add(self, other: Window) -> None:
        """Take another window of the same limit in; the older half of too many counts half."""
        if self.count > ENOUGH:
            self.sent, self.refused, self.count = self.sent // 2, self.refused // 2, self.count // 2
            self.loads, self.latencies, self.squares = self.loads / 2, self.latencies / 2, self.squares / 2
        self.sent += other.sent
        self.refused += other.refused
        self.count += other.count
        self.loads += other.loads
        self.latencies += other.latencies
        self.squares += other.squares
