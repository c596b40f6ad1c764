"""What a person sees of a training run: one moving line, ``metrics.jsonl``, and the trackers that they asked for."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.errors import PipelineError, RunStopped
from pipeline.progress import PLAIN_EVERY_S, printable

METRICS = "metrics.jsonl"
SEEN = 20
"""Steps that the moving line's figures are of."""

Log = Callable[[Mapping[str, float], int], None]


@dataclass(frozen=True)
class Step:
    """What one step did, over all processes."""

    number: int
    """From 1."""
    loss: float
    """Mean over the supervised tokens."""
    lr: float
    """Of the group with the highest."""
    gradient_norm: float
    """Before it is clipped."""
    samples: int
    tokens: int
    """Of the samples, the images' counted."""
    computed: int
    """The same with what samples share counted once."""
    places: int
    """Those and padding."""
    supervised: int
    seconds: float
    waited_s: float
    """Of those, how long the first process waited for data."""
    flops: float
    """Useful operations."""
    memory_bytes: int
    """Most that the first process's GPU has held so far; 0 without one."""
    micro_tokens: int


def read_trackers(text: str | None) -> list[str]:
    """Return the names in what ``--trackers`` says.

    Raises:
        PipelineError: See :func:`check_trackers`.
    """
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    check_trackers(names)
    return names


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that cannot be had.

    Raises:
        PipelineError: One is unknown or not installed.
    """
    for name in names:
        if name not in _OPENERS:
            raise PipelineError(f"--trackers: {name!r} is unknown; pass any of {', '.join(_OPENERS)}")
        if importlib.util.find_spec(name) is None:
            raise PipelineError(f"--trackers: {name} is not installed; pip install {name}")


class Tracker:
    """Tells of steps; for the first process alone."""

    def __init__(
        self,
        folder: Path,
        steps: int,
        *,
        trackers: Sequence[str] = (),
        flops_a_second: float | None = None,
        plain_every_s: float = PLAIN_EVERY_S,
    ) -> None:
        """Prepare to tell.

        Args:
            folder: Of the run; its name is the run's with trackers.
            steps: In the whole run.
            trackers: Of ``tensorboard``, ``trackio`` and ``wandb``.
            flops_a_second: Of all devices together, that MFU is a share of; None: MFU is not told.
            plain_every_s: Seconds between two plain lines, where there is no terminal.

        Raises:
            PipelineError: A tracker is unknown or not installed.
        """
        check_trackers(trackers)
        self._folder = folder
        self._steps = steps
        self._names = trackers
        self._rate = flops_a_second
        self._recent: deque[Step] = deque(maxlen=SEEN)
        self._logs: list[tuple[Log, Callable[[], None]]] = []
        self._plain_every_s = plain_every_s
        self._plain_at = time.monotonic()
        self._bar = _moving_line() if sys.stderr.isatty() else None
        self._task = self._bar.add_task("steps", total=steps, facts="") if self._bar else None

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        for _, close in self._logs:
            close()

    def begin(self, done: int) -> None:
        """Take up a run after ``done`` steps: what is on record of later ones is deleted, for they come again."""
        self._folder.mkdir(parents=True, exist_ok=True)
        _forget(self._folder / METRICS, done)
        self._logs = [_to_file(self._folder / METRICS), *(_OPENERS[name](self._folder, done) for name in self._names)]
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=done)
            self._bar.start()

    def step(self, step: Step) -> None:
        """Tell of a step.

        Raises:
            RunStopped: The disk is full, or the like.
        """
        self._recent.append(step)
        self._log(_figures([step], self._rate) | {"gradient_norm": step.gradient_norm, "lr": step.lr}, step.number)
        now = time.monotonic()
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=step.number, facts=_facts(self._recent, self._rate))
        elif now - self._plain_at >= self._plain_every_s:
            self._plain_at = now
            left_s = (self._steps - step.number) * sum(one.seconds for one in self._recent) / len(self._recent)
            facts = _facts(self._recent, self._rate)
            self.say(f"step {step.number:,} of {self._steps:,}, {facts}, about {left_s / 60:,.0f} min left")

    def checked(self, step: int, held_out_loss: float) -> None:
        """Tell of the loss on held-out samples after a step."""
        self._log({"held_out_loss": held_out_loss}, step)
        self.say(f"step {step:,}: loss {held_out_loss:.4f} on held-out images")

    def say(self, line: str) -> None:
        """Print a line, above the moving one if there is one."""
        if self._bar:
            self._bar.console.print(printable(line), markup=False, soft_wrap=True)
        else:
            print(printable(line), file=sys.stderr)

    def _log(self, figures: Mapping[str, float], step: int) -> None:
        for log, _ in self._logs:
            log(figures, step)


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """Return the lines of a run's ``metrics.jsonl``, each with ``step``; a last line that was cut off is left out."""
    path = folder / METRICS
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def _forget(path: Path, done: int) -> None:
    kept = [line for line in read_metrics(path.parent) if line["step"] <= done]
    beside = path.with_name(f".{path.name}.part")
    beside.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
    beside.replace(path)


def _figures(steps: Sequence[Step], rate: float | None) -> dict[str, float]:
    """Return what steps did together, by name; shares are from 0 to 1."""
    seconds = sum(step.seconds for step in steps)
    tokens, computed = sum(step.tokens for step in steps), sum(step.computed for step in steps)
    supervised = sum(step.supervised for step in steps)
    figures = {
        "loss": sum(step.loss * step.supervised for step in steps) / supervised,
        "samples_per_s": sum(step.samples for step in steps) / seconds,
        "tokens_per_s": tokens / seconds,
        "data_wait_share": sum(step.waited_s for step in steps) / seconds,
        "shared_share": 1 - computed / tokens,
        "padding_share": 1 - computed / sum(step.places for step in steps),
        "supervised_share": supervised / tokens,
        "samples": sum(step.samples for step in steps),
        "seconds": seconds,
        "micro_tokens": steps[-1].micro_tokens,
    }
    if steps[-1].memory_bytes:
        figures["memory_gib"] = steps[-1].memory_bytes / 2**30
    if rate:
        figures["mfu"] = sum(step.flops for step in steps) / seconds / rate
    return figures


def _facts(steps: Sequence[Step], rate: float | None) -> str:
    figures = _figures(steps, rate)
    facts = [
        f"loss {figures['loss']:.3f}",
        f"{figures['samples_per_s']:,.1f} samples/s",
        f"{figures['tokens_per_s']:,.0f} tokens/s",
        f"MFU {figures['mfu']:.0%}" if "mfu" in figures else "",
        f"data wait {figures['data_wait_share']:.0%}",
        f"shared {figures['shared_share']:.0%}",
        f"padding {figures['padding_share']:.1%}",
        f"learnt {figures['supervised_share']:.0%}",
        f"{figures['memory_gib']:,.1f} GiB" if "memory_gib" in figures else "",
    ]
    return ", ".join(filter(None, facts))


def _moving_line() -> Progress:
    return Progress(
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TextColumn("{task.fields[facts]}"),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True, highlight=False),
    )


def _to_file(path: Path) -> tuple[Log, Callable[[], None]]:
    file = path.open("ab", buffering=0)  # a line is on its way once it is written

    def log(figures: Mapping[str, float], step: int) -> None:
        try:
            file.write(json.dumps({"step": step, **figures}).encode() + b"\n")
        except OSError as error:
            raise RunStopped(
                f"cannot write {path}: {error.strerror}; the last state is kept, make room and run again"
            ) from error

    return log, file.close


def _to_tensorboard(folder: Path, done: int) -> tuple[Log, Callable[[], None]]:
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)

    def log(figures: Mapping[str, float], step: int) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, step)

    return log, writer.close


def _to_trackio(folder: Path, done: int) -> tuple[Log, Callable[[], None]]:
    import trackio

    run = trackio.init(project=folder.absolute().parent.name, name=folder.name, resume="allow", embed=False)
    return lambda figures, step: run.log(dict(figures), step=step), trackio.finish


def _to_wandb(folder: Path, done: int) -> tuple[Log, Callable[[], None]]:
    import wandb

    place = folder.absolute()
    mark = hashlib.sha256(os.fsencode(place)).hexdigest()[:12]  # the same folder goes on with the same run
    run = wandb.init(project=place.parent.name, name=place.name, id=mark, resume="allow", dir=place)
    return lambda figures, step: run.log(dict(figures), step=step), run.finish


_OPENERS = {"tensorboard": _to_tensorboard, "trackio": _to_trackio, "wandb": _to_wandb}
"""What takes a run's folder and the steps done, and returns what logs and what ends it."""
