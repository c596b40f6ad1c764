"""How far reviewers agree, and on what they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations

import msgspec

from pipeline.samples.verdicts import Decision, Standing


class Rater(msgspec.Struct, frozen=True):
    """What one reviewer decided in one look."""

    name: str
    accepted: int
    rejected: int


class Pair(msgspec.Struct, frozen=True):
    """What two raters made of the samples that both decided."""

    one: str
    other: str
    both: int
    """Samples that both decided."""
    agreed: int
    kappa: float | None
    """Cohen's; ``None`` where it has no value."""


def compare(standings: Iterable[Standing]) -> tuple[list[Rater], list[Pair]]:
    """Return what each rater decided, and how each two that met agree; by name."""
    decided: Counter[tuple[str, str]] = Counter()
    tables: dict[tuple[str, str], Counter[tuple[Decision, Decision]]] = {}
    for standing in standings:
        given = {name: entry.verdict for name, entry in sorted(standing.verdicts.items()) if entry.verdict}
        decided.update(given.items())
        for (one, first), (other, second) in combinations(given.items(), 2):
            tables.setdefault((one, other), Counter())[first, second] += 1
    raters = [
        Rater(name, decided[name, "accepted"], decided[name, "rejected"])
        for name in sorted({name for name, _ in decided})
    ]
    pairs = [
        Pair(one, other, table.total(), sum(count for (a, b), count in table.items() if a == b), kappa(table))
        for (one, other), table in sorted(tables.items())
    ]
    return raters, pairs


def kappa(table: Mapping[tuple[Decision, Decision], int]) -> float | None:
    """Return Cohen's kappa of a table of counts: 1 for agreement throughout, 0 for no more than chance would give.

    ``None`` for an empty table, and where both raters always gave one and the same verdict.
    """
    n = sum(table.values())
    first: Counter[Decision] = Counter()
    second: Counter[Decision] = Counter()
    for (one, other), count in table.items():
        first[one] += count
        second[other] += count
    by_chance = sum(first[verdict] * second[verdict] for verdict in first)
    if by_chance == n * n:  # in whole numbers: both of an empty table are 0
        return None
    agreed = sum(count for (one, other), count in table.items() if one == other)
    return (agreed * n - by_chance) / (n * n - by_chance)
