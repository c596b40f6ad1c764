"""The run second by second, from ``metrics.jsonl``: read once, kept in a few hundred points, drawn."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.quality.drawing import ACCENT, BAD, INK, MUTED, PALE, TEXT, bare, drawn
from pipeline.quality.wording import duration, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 600  # points; when there are more, every two become one
_BREAK_S = 30.0  # without a line: the process ended there and another began later; its lines come every second
_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600, 43200, 86400)
_FEWEST = 3  # points that make a line
_LOOKS = [("-", ACCENT), ("--", INK), (":", BAD), ("-.", MUTED)]
"""Line styles, so that lines differ in print as well."""


class Point(msgspec.Struct, frozen=True):
    """What was measured over some seconds of running."""

    at_s: float
    """Since the start, the time between processes left out."""
    for_s: float
    """How long this point stands for."""
    answers_per_s: float
    in_flight: float
    allowed: float
    cost_usd: float
    """In this process so far."""
    failures: dict[str, int]
    """By what failed, within these seconds."""


class Timeline(msgspec.Struct, frozen=True):
    """A run over time."""

    points: list[Point]
    breaks_s: list[float]
    """When another process took over."""


def read_timeline(path: Path) -> Timeline | None:
    """Return what ``metrics.jsonl`` tells; ``None`` where there is too little of it for a picture.

    Lines that are no figures are skipped: the last one of a killed process may be cut.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return _timeline(_figures(file))
    except OSError:
        return None


def _figures(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            figures = json.loads(line)
            float(figures["at"])
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        yield figures


def _timeline(lines: Iterable[dict[str, Any]]) -> Timeline | None:
    points: list[Point] = []
    breaks: list[float] = []
    elapsed = 0.0
    before: dict[str, Any] | None = None
    every = 1
    waiting: list[Point] = []
    for line in lines:
        step = float(line["at"]) - float(before["at"]) if before else 1.0
        failed = Counter(_failures(line))
        if before and (step > _BREAK_S or step < 0 or failed.total() < sum(_failures(before).values())):
            breaks.append(elapsed)
            step = 1.0
        elif before:
            failed.subtract(_failures(before))
        elapsed += step
        waiting.append(_point(line, elapsed, step, failed))
        before = line
        if len(waiting) == every:
            points.append(_joined(waiting))
            waiting = []
        if len(points) == _MOST:
            points = [_joined(points[at : at + 2]) for at in range(0, _MOST, 2)]
            every *= 2
    if waiting:
        points.append(_joined(waiting))
    return Timeline(points, breaks) if len(points) >= _FEWEST else None


def _failures(line: Mapping[str, Any]) -> dict[str, int]:
    failures = line.get("failures")
    return {str(what): int(count) for what, count in failures.items()} if isinstance(failures, dict) else {}


def _point(line: Mapping[str, Any], elapsed: float, step: float, failed: Counter[str]) -> Point:
    def number(name: str) -> float:
        value = line.get(name)
        return float(value) if isinstance(value, int | float) else 0.0

    told = {what: count for what, count in failed.items() if count > 0}
    return Point(
        elapsed, step, number("answers_per_s"), number("in_flight"), number("allowed"), number("cost_usd"), told
    )


def _joined(points: list[Point]) -> Point:
    """Return points that follow each other as one."""
    if len(points) == 1:
        return points[0]
    seconds = sum(point.for_s for point in points) or 1.0
    failures: Counter[str] = Counter()
    for point in points:
        failures.update(point.failures)
    last = points[-1]
    rate = sum(point.answers_per_s * point.for_s for point in points) / seconds
    in_flight = sum(point.in_flight * point.for_s for point in points) / seconds
    return Point(last.at_s, seconds, rate, in_flight, last.allowed, last.cost_usd, dict(failures))


def over_time(timeline: Timeline) -> str:
    """Draw answers a second, requests in flight beside the limit, failures, and cost where there is any."""
    panels: list[tuple[str, Callable[[Axes, Timeline], None]]] = [
        ("answers a second", _answers),
        ("requests in flight, and the limit", _in_flight),
    ]
    if any(point.failures for point in timeline.points):
        panels.append(("failed tries a second", _failed))
    if timeline.points[-1].cost_usd:
        panels.append(("cost so far, in this process (US dollars)", _cost))

    def paint(figure: Figure) -> None:
        for axes, (title, draw) in zip(
            figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0], panels, strict=True
        ):
            bare(axes, grid="y")
            axes.set_title(title, loc="left", fontsize=TEXT, color=INK)
            draw(axes, timeline)
            axes.set_ylim(bottom=0)
            axes.tick_params(axis="y", labelcolor=MUTED, labelsize=TEXT - 1)
            axes.locator_params(axis="y", nbins=4)
            for at in timeline.breaks_s:
                axes.axvline(at, color=MUTED, linewidth=1.2, linestyle=(0, (1, 2)))
        axes.set_xlim(0, timeline.points[-1].at_s)
        axes.set_xticks(_round_times(timeline.points[-1].at_s))
        axes.xaxis.set_major_formatter(lambda seconds, _: duration(seconds))
        axes.set_xlabel("time of running" + (", dotted where the run was begun again" if timeline.breaks_s else ""))

    return drawn("time", "The run over time", 40 + 128 * len(panels), paint)


def _round_times(most: float) -> list[float]:
    """Return a few round times from 0 to ``most``, in seconds."""
    step = next((step for step in _STEPS_S if most / step <= 6), _STEPS_S[-1] * math.ceil(most / _STEPS_S[-1] / 6))
    return [float(at) for at in range(0, math.floor(most) + 1, step)]


def _times(timeline: Timeline) -> list[float]:
    return [point.at_s for point in timeline.points]


def _answers(axes: Axes, timeline: Timeline) -> None:
    rates = [point.answers_per_s for point in timeline.points]
    axes.fill_between(_times(timeline), rates, facecolor=PALE, edgecolor=PALE)
    axes.plot(_times(timeline), rates, color=ACCENT, linewidth=1.5)


def _in_flight(axes: Axes, timeline: Timeline) -> None:
    times = _times(timeline)
    axes.plot(times, [point.allowed for point in timeline.points], color=INK, linewidth=1.3, linestyle="--")
    axes.plot(times, [point.in_flight for point in timeline.points], color=ACCENT, linewidth=1.5)
    last = timeline.points[-1]
    axes.annotate("limit", (times[-1], last.allowed), (-4, 4), textcoords="offset points", ha="right",
                  fontsize=TEXT - 2)  # fmt: skip


def _failed(axes: Axes, timeline: Timeline) -> None:
    total: Counter[str] = Counter()
    for point in timeline.points:
        total.update(point.failures)
    for (what, count), (style, colour) in zip(total.most_common(len(_LOOKS)), _LOOKS, strict=False):
        rates = [point.failures.get(what, 0) / (point.for_s or 1.0) for point in timeline.points]
        axes.plot(
            _times(timeline), rates, linestyle=style, color=colour, linewidth=1.4, label=f"{short(what)} ({count:,})"
        )
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.96), ncols=len(_LOOKS), fontsize=TEXT - 2, borderpad=0)


def _cost(axes: Axes, timeline: Timeline) -> None:
    axes.plot(_times(timeline), [point.cost_usd for point in timeline.points], color=ACCENT, linewidth=1.5)
