"""What happened, second by second: ``metrics.jsonl`` in the run folder."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from statistics import quantiles

from pipeline.llm.client import Client
from pipeline.loop import Made

EVERY_S = 1.0


class Metrics:
    """Writes a line of figures every second, and one at the end."""

    def __init__(self, path: Path, client: Client, made: Made) -> None:
        """Prepare to append to ``path``; an earlier process's lines stay."""
        self._path = path
        self._client = client
        self._made = made
        self._written_at = time.monotonic()
        self._answered = 0

    async def keep_writing(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            self.write()

    def write(self) -> None:
        """Append one line: counts so far, and rate and latencies since the last line."""
        tally, pacing = self._client.tally, self._client.pacing
        now = time.monotonic()
        latencies = list(tally.latencies_s)
        tally.latencies_s.clear()
        percentiles = quantiles(latencies, n=100, method="inclusive") if len(latencies) > 1 else latencies * 99
        line = {
            "at": round(time.time(), 3),
            "samples": self._made.good,
            "rejects": self._made.rejected,
            "in_flight": pacing.in_flight,
            "allowed": pacing.allowed,
            "why": pacing.why,
            "answers_per_s": round((tally.sent - self._answered) / max(now - self._written_at, 1e-3), 2),
            "latency_s": {f"p{p}": round(percentiles[p - 1], 4) for p in (50, 95, 99)} if latencies else None,
            "failures": dict(tally.failures),
            "prompt_tokens": tally.prompt_tokens,
            "cached_tokens": tally.cached_tokens,
            "completion_tokens": tally.completion_tokens,
            "cost_usd": round(tally.cost_usd, 6),
        }
        self._written_at, self._answered = now, tally.sent
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
