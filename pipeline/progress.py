"""One moving line while a run goes on."""

from __future__ import annotations

import time
from types import TracebackType

import rich.progress
from rich.console import Console
from rich.text import Text


class Progress:
    """Done, rejected, rate, tokens, time left; on standard error, so that output can be piped."""

    def __init__(self, total: int) -> None:
        """Prepare a line for so many samples."""
        self._console = Console(stderr=True, highlight=False)
        self._bar = rich.progress.Progress(
            rich.progress.BarColumn(bar_width=24),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("{task.fields[rejected]:,} rejected"),
            _Rate(),
            rich.progress.TextColumn("{task.fields[tokens]:,} tokens"),
            rich.progress.TextColumn("left"),
            rich.progress.TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("samples", total=total, rejected=0, tokens=0)
        self._shown_at = 0.0

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, samples: int, rejects: int, tokens: int) -> None:
        """Take the counts so far; the line follows ten times a second, and at the end."""
        done = samples + rejects
        now = time.monotonic()
        if now - self._shown_at > 0.1 or done == self._bar.tasks[0].total:
            self._shown_at = now
            self._bar.update(self._task, completed=done, rejected=rejects, tokens=tokens)

    def say(self, line: str) -> None:
        """Print a line above the moving one."""
        self._console.print(line, markup=False, soft_wrap=True)


class _Rate(rich.progress.ProgressColumn):
    """Samples a second."""

    def render(self, task: rich.progress.Task) -> Text:
        """Return the speed over the last moments."""
        return Text(f"{task.speed:,.1f}/s" if task.speed else "")
