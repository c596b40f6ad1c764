"""One moving line while a run goes on."""

from __future__ import annotations

from types import TracebackType

import rich.progress
from rich.console import Console


class Progress:
    """Done, rejected, rate, tokens, time left; on standard error, so that output can be piped."""

    def __init__(self, total: int) -> None:
        """Prepare a line for so many samples."""
        self._console = Console(stderr=True, highlight=False)
        self._bar = rich.progress.Progress(
            rich.progress.BarColumn(bar_width=24),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("{task.fields[rejected]} rejected"),
            rich.progress.TextColumn("{task.fields[rate]}"),
            rich.progress.TextColumn("{task.fields[tokens]} tokens"),
            rich.progress.TextColumn("left"),
            rich.progress.TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("samples", total=total, rejected="0", rate="", tokens="0")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, samples: int, rejects: int, tokens: int) -> None:
        """Show the counts so far."""
        speed = self._bar.tasks[0].speed
        self._bar.update(
            self._task,
            completed=samples + rejects,
            rejected=f"{rejects:,}",
            tokens=f"{tokens:,}",
            rate=f"{speed:,.1f}/s" if speed else "",
        )

    def say(self, line: str) -> None:
        """Print a line above the moving one."""
        self._console.print(line, markup=False)
