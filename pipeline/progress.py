"""One moving line while a run goes on; without a terminal, a plain one now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

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
        self._shown_at = 0.0
        self._bar: Bar | None = None  # only on a terminal: its library takes longer to load than most else here
        self._task: TaskID | None = None
        if sys.stderr.isatty():
            self._bar = _moving_line()
            self._task = self._bar.add_task("samples", total=total, rejected=0, tokens=0, cost="")

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, samples: int, rejects: int, tokens: int, cost_usd: float) -> None:
        """Take the counts so far; the line follows ten times a second, and at the end."""
        now = time.monotonic()
        done = samples + rejects
        if self._bar is None:
            if now - self._plain_at >= self._plain_every_s:
                self._say_plainly(now, done, rejects, tokens, cost_usd)
        elif now - self._shown_at > 0.1 or done == self._total:
            self._shown_at = now
            assert self._task is not None
            self._bar.update(self._task, completed=done, rejected=rejects, tokens=tokens, cost=_dollars(cost_usd))

    def _say_plainly(self, now: float, done: int, rejects: int, tokens: int, cost_usd: float) -> None:
        rate = (done - self._plain_done) / max(now - self._plain_at, 1e-3)
        self._plain_at, self._plain_done = now, done
        facts = [f"{done:,} of {self._total:,}", f"{rejects:,} rejected", f"{rate:,.1f}/s", f"{tokens:,} tokens"]
        left = max(self._total - done, 0) / rate / 60 if rate else 0
        self.say(", ".join([*facts, *filter(None, [_dollars(cost_usd)]), f"about {left:,.0f} min left"]))

    def say(self, line: str) -> None:
        """Print a line, above the moving one if there is one."""
        if self._bar:
            self._bar.console.print(printable(line), markup=False, soft_wrap=True)
        else:
            print(printable(line), file=sys.stderr)


def _moving_line() -> Bar:
    """Return a line on standard error; its task has the fields ``rejected``, ``tokens`` and ``cost``."""
    from rich import progress
    from rich.console import Console
    from rich.text import Text

    class Rate(progress.ProgressColumn):
        """Samples a second."""

        def render(self, task: progress.Task) -> Text:
            """Return the speed over the last moments."""
            return Text(f"{task.speed:,.1f}/s" if task.speed else "")

    return progress.Progress(
        progress.BarColumn(bar_width=24),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rejected]:,} rejected"),
        Rate(),
        progress.TextColumn("{task.fields[tokens]:,} tokens {task.fields[cost]}"),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True, highlight=False),
    )


def printable(line: str) -> str:
    """Return a text as one line that does nothing to a terminal, whatever an id or a server's answer in it may hold."""
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "?" for sign in line)


def _dollars(cost_usd: float) -> str:
    return f"${cost_usd:,.2f}" if cost_usd else ""
