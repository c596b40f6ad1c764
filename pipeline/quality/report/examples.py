"""The samples that a report shows: a few of the best of each kind, and a few of each thing that is wrong."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

BEST = 4
WORST = 8
CONTRADICTED = "contradicted"
CONTRADICTION = "contradiction"
"""The kind of finding that repeats a contradicted claim."""
_GROUPS = 24  # kinds, or kinds of findings, that rows are kept for; a bound on memory, never met by our own data

_Ranked = tuple[tuple[int, int], int, dict[str, Any]]
"""How good (or bad) a row is, minus its place in the run so that the earlier of equals is kept, and the row."""


class Examples:
    """Keeps the best and worst rows of those it is shown, and no more than a report may need."""

    def __init__(self) -> None:
        self._count = 0
        self._best: dict[str, list[_Ranked]] = {}
        self._worst: dict[str, list[_Ranked]] = {}

    def add(self, row: dict[str, Any]) -> None:
        """Consider a row of ``SCHEMA``; it is kept as it is, so the caller must not change it afterwards."""
        self._count += 1
        supported = contradicted = 0
        for claim in row.get("claims") or ():
            verdict = claim["verdict"]
            if verdict == "supported":
                supported += 1
            elif verdict == CONTRADICTED:
                contradicted += 1
        findings = row.get("findings")
        if contradicted:
            self._keep(self._worst, CONTRADICTED, WORST, (contradicted, -supported), row)
        elif findings:
            self._keep(self._worst, findings[0]["kind"], WORST, (len(findings), -supported), row)
        elif supported:
            self._keep(self._best, row.get("kind") or "", BEST, (supported, 0), row)

    def _keep(
        self, heaps: dict[str, list[_Ranked]], group: str, most: int, rank: tuple[int, int], row: dict[str, Any]
    ) -> None:
        heap = heaps.get(group)
        if heap is None:
            if len(heaps) == _GROUPS:
                return
            heap = heaps[group] = []
        if len(heap) < most:
            heapq.heappush(heap, (rank, -self._count, row))
        elif rank > heap[0][0]:
            heapq.heapreplace(heap, (rank, -self._count, row))

    def best(self) -> list[dict[str, Any]]:
        """Return rows with many supported claims and nothing wrong, of every kind in turn, each of another image."""
        return _chosen([self._best[kind] for kind in sorted(self._best)], BEST)

    def worst(self) -> list[dict[str, Any]]:
        """Return contradicted rows first, half of the list if others are there, then one of each finding in turn."""
        others = [heap for group, heap in sorted(self._worst.items()) if group != CONTRADICTED]
        contradicted = self._worst.get(CONTRADICTED, [])
        rest = _chosen(others, WORST // 2)
        first = _chosen([contradicted], WORST - len(rest))
        return first + _chosen(others, WORST - len(first))


def _chosen(heaps: list[list[_Ranked]], most: int) -> list[dict[str, Any]]:
    """Return rows of each heap in turn: the highest of an image that is not shown yet, else the highest there is."""
    queues = [[row for _, _, row in sorted(heap, key=lambda ranked: ranked[:2], reverse=True)] for heap in heaps]
    chosen: list[dict[str, Any]] = []
    seen: set[Any] = set()
    while len(chosen) < most and any(queues):
        for queue in queues:
            if queue and len(chosen) < most:
                at = next((at for at, row in enumerate(queue) if _image(row) not in seen), 0)
                chosen.append(queue.pop(at))
                seen.add(_image(chosen[-1]))
    return chosen


def _image(row: Mapping[str, Any]) -> Any:
    return row.get("image_id") or row.get("id")
