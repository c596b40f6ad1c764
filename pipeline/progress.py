"""One moving line while a run goes on; without a terminal, a plain one now and then."""

from __future__ import annotations

import time
from types import TracebackType

import rich.progress
from rich.console import Console
from rich.text import Text

PLAIN_EVERY_S = 60.0  # in a log that nobody watches


class Progress:
    """Done, rejected, rate, tokens, time left; on standard error, so that output can be piped."""

    def __init__(self, total: int, plain_every_s: float = PLAIN_EVERY_S) -> None:
        """Prepare a line for so many samples.

        Args:
            total: Samples to settle.
            plain_every_s: Seconds between two plain lines, where there is no terminal.
        """
        self._total = total
        self._plain_every_s = plain_every_s
        self._plain_at = time.monotonic()
        self._plain_done = 0
        self._console = Console(stderr=True, highlight=False)
        self._has_terminal = self._console.is_terminal
        self._bar = rich.progress.Progress(
            rich.progress.BarColumn(bar_width=24),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("{task.fields[rejected]:,} rejected"),
            _Rate(),
            rich.progress.TextColumn("{task.fields[tokens]:,} tokens {task.fields[cost]}"),
            rich.progress.TextColumn("left"),
            rich.progress.TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
            disable=not self._has_terminal,
        )
        self._task = self._bar.add_task("samples", total=total, rejected=0, tokens=0, cost="")
        self._shown_at = 0.0

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, samples: int, rejects: int, tokens: int, cost_usd: float) -> None:
        """Take the counts so far; the line follows ten times a second, and at the end."""
        done = samples + rejects
        now = time.monotonic()
        if not self._has_terminal:
            if now - self._plain_at >= self._plain_every_s:
                self._say_plainly(now, done, rejects, tokens, cost_usd)
        elif now - self._shown_at > 0.1 or done == self._total:
            self._shown_at = now
            self._bar.update(self._task, completed=done, rejected=rejects, tokens=tokens, cost=_dollars(cost_usd))

    def _say_plainly(self, now: float, done: int, rejects: int, tokens: int, cost_usd: float) -> None:
        rate = (done - self._plain_done) / max(now - self._plain_at, 1e-3)
        self._plain_at, self._plain_done = now, done
        facts = [f"{done:,} of {self._total:,}", f"{rejects:,} rejected", f"{rate:,.1f}/s", f"{tokens:,} tokens"]
        left = max(self._total - done, 0) / rate / 60 if rate else 0
        self.say(", ".join([*facts, *filter(None, [_dollars(cost_usd)]), f"about {left:,.0f} min left"]))

    def say(self, line: str) -> None:
        """Print a line above the moving one."""
        self._console.print(line, markup=False, soft_wrap=True)


class _Rate(rich.progress.ProgressColumn):
    """Samples a second."""

    def render(self, task: rich.progress.Task) -> Text:
        """Return the speed over the last moments."""
        return Text(f"{task.speed:,.1f}/s" if task.speed else "")


def _dollars(cost_usd: float) -> str:
    return f"${cost_usd:,.2f}" if cost_usd else ""
