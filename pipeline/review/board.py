"""Samples and verdicts side by side: where one is in a view, what comes next, how many there are of what."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, get_args

import msgspec

from pipeline.review.filters import (
    CODED,
    LENGTHS,
    LISTS,
    REVIEWED,
    SINGLE,
    UNREVIEWED,
    Facet,
    View,
    number_at,
    place,
    relation,
)
from pipeline.review.index import Samples
from pipeline.samples.verdicts import FIRST, VerdictLog, rater

MOST_BARS = 200
_MARKED_AT_ONCE = 10_000
_COUNTS_KEPT = 64  # views
TITLES: dict[Facet, str] = {
    "verdict": "Verdict",
    "statements": "Statements",
    "kind": "Kind",
    "finding": "Finding",
    "category": "Category",
    "length": "Words in the answers",
    "model": "Model",
    "by": "Decided by",
    "reason": "Rejected for",
    "mark": "Changed",
}
"""In the order in which a person meets them."""
_ORDER = {
    "length": LENGTHS,
    "verdict": [UNREVIEWED, "accepted", "rejected", "disputed"],
    "statements": ["contradicted", "supported", "none checkable"],
}


class Spot(msgspec.Struct, frozen=True):
    """Where a sample is in a view."""

    total: int
    """Samples in the view."""
    rank: int | None
    """Its place, from 1; ``None`` where it is not in the view, or no longer."""
    following: int | None
    """Number of the next sample; ``None`` at the end."""
    previous: int | None
    first: int | None
    """Number of the view's first sample; ``None`` if the view is empty."""


class Bar(msgspec.Struct, frozen=True):
    """One value of a facet."""

    value: str
    count: int
    chosen: bool
    per_cent: float
    """Length, of the longest in its histogram."""


class Histogram(msgspec.Struct, frozen=True):
    """A facet, and how many samples of the view have each of its values."""

    facet: Facet
    title: str
    bars: list[Bar]


class Progress(msgspec.Struct, frozen=True):
    """How far a reviewer is."""

    decided: int
    total: int


class Board:
    """What pages ask."""

    def __init__(self, samples: Samples, log: VerdictLog, share: float) -> None:
        """Join the two.

        Args:
            samples: Of one file.
            log: About them.
            share: Of the decided samples, how many a second look takes; from 0 to 1.
        """
        self.samples = samples
        self.log = log
        self.share = share
        self._lock = threading.Lock()
        self._pending: set[str] = set()
        self._decided: dict[str, set[int]] = {}
        self._kept: dict[Any, dict[Facet, dict[str, int]]] = {}
        self._known: dict[str, list[tuple[int, str]]] = {}

    def catch_up(self) -> None:
        """Read what other reviewers have added, without waiting for the table."""
        with self._lock:
            self._pending |= self.log.catch_up()

    def refresh(self) -> None:
        """Bring the table up to what has been said, by whichever process."""
        self.samples.wait()
        with self._lock:
            self._pending |= self.log.catch_up()
            waiting = iter(sorted(self._pending))
            while some := list(islice(waiting, _MARKED_AT_ONCE)):
                self._mark(some)
            self._pending.clear()

    def _mark(self, samples: Sequence[str]) -> None:
        marks = []
        for sample, number, of in self._places(samples):
            standing = self.log.standing(sample, of)
            for decided in self._decided.values():
                decided.discard(number)
            for name in standing.verdicts:
                self._decided.setdefault(name, set()).add(number)
            tags = [name for name, there in (("edited", standing.edits), ("noted", standing.notes)) if there]
            marks.append((number, standing.combined, list(standing.verdicts), standing.reasons, tags))
        self.samples.mark(marks)

    def _places(self, samples: Sequence[str]) -> Iterator[tuple[str, int, str]]:
        """Yield id, number and fingerprint of samples; of several that share an id, all."""
        new = [sample for sample in samples if sample not in self._known]
        self._known |= {sample: [] for sample in new}
        for sample, number, of in self.samples.places(new):
            self._known[sample].append((number, of))
        for sample in samples:
            for number, of in self._known[sample]:
                yield sample, number, of

    def reviewed(self) -> list[tuple[str, str]]:
        """Return id and fingerprint of the samples that somebody said something about."""
        with self._lock:
            return [(sample, of) for sample in self.log.samples() for _, of in self._known.get(sample, ())]

    def stale(self) -> int:
        """Return how many entries are about a text that their sample had before it was made again."""
        return sum(self.log.stale(sample, of) for sample, of in self.reviewed())

    def progress(self, reviewer: str, look: int) -> Progress:
        """Return how far a reviewer is with all samples, or with a second look at those that it takes."""
        decided = len(self._decided.get(rater(reviewer, look), ()))
        if look == FIRST:
            return Progress(decided, self.samples.count)
        query, values = relation(View(look=look), self.samples, reviewer, self.share)
        return Progress(decided, self.samples.ask(f"SELECT count(*) FROM ({query})", values)[0][0])

    def spot(self, view: View, reviewer: str, number: int | None) -> Spot:
        """Return where a sample is in a view, whether or not it is still in it; for ``None``, where the view begins."""
        if view.everything:
            return self._in_the_file(number)
        self.samples.wait()
        spot = place(view)
        at = None if number is None else self.samples.ask(f"SELECT {spot} FROM samples WHERE n = ?", [number])[0][0]
        query, values = relation(view, self.samples, reviewer, self.share)
        total, before, here, following, previous, first = self.samples.ask(
            f"""SELECT count(*), count(*) FILTER (WHERE spot < $at), count(*) FILTER (WHERE spot = $at),
                min(spot) FILTER (WHERE spot > $at), max(spot) FILTER (WHERE spot < $at), min(spot)
            FROM (SELECT {spot} AS spot FROM ({query}))""".replace("$at", "NULL" if at is None else str(at)),
            values,
        )[0]
        return Spot(total, before + 1 if here else None, _number(following), _number(previous), _number(first))

    def _in_the_file(self, number: int | None) -> Spot:
        """Return the same for all samples in the file's order, which needs no table."""
        last = self.samples.count - 1
        if number is None or last < 0:
            return Spot(last + 1, None, None, None, 0 if last >= 0 else None)
        return Spot(last + 1, number + 1, number + 1 if number < last else None, number - 1 if number else None, 0)

    def histograms(self, view: View, reviewer: str) -> list[Histogram]:
        """Return how many samples of a view have each value of each facet.

        A facet that restricts the view is counted as if it did not, so that its other values can be seen.
        """
        free = [facet for facet in get_args(Facet) if facet not in view.chosen]
        counted = self._counts(view, reviewer, [facet for facet in free if facet in REVIEWED], None)
        counted |= self._lasting_counts(view, reviewer, [facet for facet in free if facet not in REVIEWED], None)
        for facet in view.chosen:
            count = self._counts if facet in REVIEWED else self._lasting_counts
            counted |= count(view, reviewer, [facet], facet)
        return [found for facet in TITLES if (found := _histogram(facet, counted.get(facet, {}), view))]

    def _lasting_counts(
        self, view: View, reviewer: str, facets: Sequence[Facet], without: Facet | None
    ) -> dict[Facet, dict[str, int]]:
        """Count facets that no verdict changes; kept as long as the view has the same samples."""
        if view.moves:
            return self._counts(view, reviewer, facets, without)
        key = (repr(msgspec.structs.replace(view, sort="file")), without)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._counts(view, reviewer, facets, without)
            with self._lock:
                self._kept[key] = kept
                while len(self._kept) > _COUNTS_KEPT:
                    del self._kept[next(iter(self._kept))]
        return kept

    def _counts(
        self, view: View, reviewer: str, facets: Sequence[Facet], without: Facet | None
    ) -> dict[Facet, dict[str, int]]:
        query, values = relation(view, self.samples, reviewer, self.share, without=without)
        found: dict[Facet, dict[str, int]] = {}
        singles = [facet for facet in facets if facet in SINGLE]
        if singles:
            columns = ", ".join(f"{SINGLE[facet]} AS {facet}_" for facet in singles)
            sets = ", ".join(f"({facet}_)" for facet in singles)
            told = f"grouping({', '.join(f'{facet}_' for facet in singles)})"
            names = ", ".join(f"{facet}_" for facet in singles)
            rows = self.samples.ask(
                f"SELECT {told}, {names}, count(*) FROM (SELECT {columns} FROM ({query})) "
                f"GROUP BY GROUPING SETS ({sets})",
                values,
            )
            for bits, *row, count in rows:
                # The bit of the one column that a row is grouped by is 0, the first column's bit being the highest.
                at = next(at for at in range(len(singles)) if not bits >> (len(singles) - 1 - at) & 1)
                found.setdefault(singles[at], {})[row[at]] = count
        for facet in facets:
            if facet in LISTS:
                each = f"SELECT unnest({LISTS[facet]}) AS value FROM ({query})"
                counts = f"SELECT value, count(*) AS count FROM ({each}) GROUP BY value"
                if facet in CODED:
                    counts = f"SELECT names.value, count FROM ({counts}) AS each JOIN names ON code = each.value"
                found[facet] = dict(self.samples.ask(counts, values))
        return found


def _number(spot: int | None) -> int | None:
    return None if spot is None else number_at(spot)


def _histogram(facet: Facet, counts: dict[str, int], view: View) -> Histogram | None:
    """Return a facet's histogram; ``None`` where there is nothing to choose."""
    chosen = view.chosen.get(facet, ())
    all_counts = dict.fromkeys(chosen, 0) | counts
    if not all_counts or (facet == "model" and len(all_counts) == 1 and not chosen):
        return None
    order = _ORDER.get(facet)
    if order:
        values = [value for value in order if value in all_counts] + [v for v in all_counts if v not in order]
    else:
        values = sorted(all_counts, key=lambda value: (-all_counts[value], value))
    most = max(all_counts.values()) or 1
    bars = [
        Bar(value, all_counts[value], value in chosen, round(100 * all_counts[value] / most, 1))
        for value in values[:MOST_BARS]
    ]
    return Histogram(facet, TITLES[facet], bars)
