"""Counters whose memory does not grow with the run, and the interval around a share."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Hashable
from typing import Any

LONGEST = 2000  # words; longer texts count as this long everywhere but in the mean
MOST_KEYS = 20_000  # of a tally; what is frequent has been met long before that many different things
_ROOM = 512  # new hashes before the first sorting


def wilson(successes: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's score interval around the share ``successes / n``, as two fractions.

    Unlike the textbook interval it stays within 0 and 1 and says something where nothing or everything succeeded:
    0 of 100 gives 0 to 3.7 %. From E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", Journal of the American Statistical Association 22 (1927), pages 209-212.

    Args:
        successes: How many, from 0 to ``n``.
        n: Of how many; of none, the whole range is returned.
        z: Standard deviations; 1.96 makes a 95 % interval.
    """
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    centre = share + z * z / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def rate(count: int, of: int) -> dict[str, Any]:
    """Return a share with its 95 % interval; ``share`` is ``None`` of nothing."""
    low, high = wilson(count, of)
    return {
        "count": count,
        "of": of,
        "share": round(count / of, 5) if of else None,
        "low": round(low, 5),
        "high": round(high, 5),
    }


class Spread:
    """How small whole numbers, such as lengths in words, are spread; one counter a number."""

    def __init__(self) -> None:
        self._counts = [0] * (LONGEST + 1)
        self._sum = 0
        self._largest = 0

    def add(self, value: int) -> None:
        """Count a number, 0 or more."""
        self._counts[value if value < LONGEST else LONGEST] += 1
        self._sum += value
        if value > self._largest:
            self._largest = value

    def count(self) -> int:
        """Return how many numbers were counted."""
        return sum(self._counts)

    def figures(self) -> dict[str, Any]:
        """Return mean, percentiles (each a number that was met) and a histogram of about 25 bars."""
        n = self.count()
        if not n:
            return {"n": 0}
        width = _bar_width(self._at(0.99, n))
        counts = [sum(self._counts[at : at + width]) for at in range(0, self._at(0.99, n) + 1, width)]
        return {
            "n": n,
            "mean": round(self._sum / n, 2),
            "p5": self._at(0.05, n),
            "median": self._at(0.5, n),
            "p95": self._at(0.95, n),
            "largest": self._largest,
            "histogram": {"bar_width": width, "counts": counts, "beyond": n - sum(counts)},
        }

    def _at(self, share: float, n: int) -> int:
        """Return the smallest number that at least this share of all does not exceed."""
        wanted = math.ceil(share * n)
        below = 0
        for value, count in enumerate(self._counts):
            below += count
            if below >= wanted:
                return value
        raise AssertionError("shares are at most 1")


def _bar_width(largest: int) -> int:
    return next(width for width in (1, 2, 5, 10, 20, 25, 50, 100) if largest / width <= 25)


class Distinct:
    """How many different things there were, in 8 to 16 bytes each.

    Kept are hashes; of a million things, two share one with a chance below one in ten million.
    """

    def __init__(self) -> None:
        self._known: Any = None
        self._new = array("q")
        self._room = _ROOM

    def add(self, thing: Hashable) -> None:
        """Count a thing, the first time."""
        new = self._new
        new.append(hash(thing))
        if len(new) >= self._room:
            self._settle()

    def count(self) -> int:
        """Return how many different things were added."""
        if self._new:
            self._settle()
        return 0 if self._known is None else len(self._known)

    def _settle(self) -> None:
        import numpy as np

        new = np.frombuffer(self._new, dtype=np.int64)
        self._known = np.unique(new) if self._known is None else np.union1d(self._known, new)
        self._new = array("q")
        self._room = max(_ROOM, len(self._known))


class Tally:
    """How often each thing came, for the first ``MOST_KEYS`` different ones."""

    def __init__(self) -> None:
        self.counts: Counter[Any] = Counter()
        self.others = 0

    def add(self, thing: Hashable, times: int = 1) -> None:
        """Count a thing."""
        known = self.counts.get(thing)
        if known is not None or len(self.counts) < MOST_KEYS:
            self.counts[thing] = (known or 0) + times
        else:
            self.others += times

    def total(self) -> int:
        """Return how many things came."""
        return self.counts.total() + self.others

    def figures(self) -> dict[str, int]:
        """Return the counts by name, the most frequent first, equal ones by name."""
        return {str(thing): count for thing, count in self.ranked()}

    def ranked(self) -> list[tuple[Any, int]]:
        """Return things and counts, the most frequent first, equal ones by name."""
        return sorted(self.counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
