"""Pictures of a training run: its curves, and how well a model sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from pipeline.quality.counting import wilson
from pipeline.quality.drawing import ACCENT, BAD, INK, MUTED, PALE, PAPER, QUIET, TEXT, bare, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Metrics = Sequence[Mapping[str, float]]
"""Lines of ``metrics.jsonl``, each with ``step``."""

HELD_OUT = "held_out_loss"
_MOST = 300  # points of a curve; where there are more, several become their mean
_SMOOTH = 25  # points that the smooth line is a mean of, where there are so many
_FIRST = 12  # of so many parts of a run, the first may leave the picture
_FEWEST = 2  # points that make a line
_PANELS = {
    "loss": "loss",
    "lr": "highest learning rate",
    "gradient_norm": "norm of the gradient, before it is clipped",
    "samples_per_s": "samples a second",
}
"""Figures that have a curve, and what stands above it."""


def curves(metrics: Metrics) -> str | None:
    """Draw loss, held-out loss, learning rate, gradient norm and speed over the steps; ``None`` of too few steps."""
    panels = [name for name in _PANELS if len(_points(metrics, name)) >= _FEWEST]
    if not panels:
        return None

    def paint(figure: Figure) -> None:
        rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, name in zip(rows, panels, strict=True):
            bare(axes, grid="y")
            axes.set_title(_PANELS[name], loc="left", fontsize=TEXT, color=INK)
            axes.tick_params(axis="y", labelcolor=MUTED, labelsize=TEXT - 1)
            _curve(axes, _points(metrics, name), smooth=name != "lr")
            if name == "loss":
                _held_out(axes, _points(metrics, HELD_OUT))
            axes.set_ylim(bottom=0)
            axes.locator_params(axis="y", nbins=4)
        rows[-1].set_xlabel("step")
        rows[-1].locator_params(axis="x", integer=True)

    return drawn("curves", "Loss, learning rate, gradient norm and speed over the steps", 40 + 128 * len(panels), paint)


def _points(metrics: Metrics, name: str) -> list[tuple[float, float]]:
    """Return steps and values of a figure, neighbours as their mean where there are too many."""
    points = [(line["step"], line[name]) for line in metrics if name in line]
    size = -(-len(points) // _MOST)
    groups = [points[at : at + size] for at in range(0, len(points), size or 1)]
    return [(fmean(step for step, _ in group), fmean(value for _, value in group)) for group in groups]


def _curve(axes: Axes, points: Sequence[tuple[float, float]], *, smooth: bool) -> None:
    steps, values = zip(*points, strict=True)
    if not smooth or len(points) < 2 * _SMOOTH:
        axes.plot(steps, values, color=ACCENT, linewidth=1.6)
        return
    axes.plot(steps, values, color=PALE, linewidth=1.2)
    half = _SMOOTH // 2
    means = [fmean(values[max(0, at - half) : at + half + 1]) for at in range(len(values))]
    axes.plot(steps, means, color=ACCENT, linewidth=1.8)
    # The fall of the first steps would press all that follows to the floor; it goes out of the picture.
    axes.set_ylim(top=1.15 * max(means[len(means) // _FIRST :]))


def _held_out(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    if points:
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, color=INK, linewidth=1.4, linestyle="--", marker="D", markersize=4.5)
        axes.annotate("on held-out images", (steps[-1], values[-1]), (0, 7), textcoords="offset points", ha="right",
                      fontsize=TEXT - 1, color=INK)  # fmt: skip


class Score(NamedTuple):
    """How many questions were answered right."""

    right: int
    asked: int

    @property
    def share(self) -> float:
        """From 0 to 1; 0 of nothing."""
        return self.right / self.asked if self.asked else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, at 95 %."""
        return wilson(self.right, self.asked)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:.2f} [{low:.2f}, {high:.2f}]"


class Sight(NamedTuple):
    """How one kind of question was answered: with its image, with another image, by a model that never saw any."""

    name: str
    true: Score
    shuffled: Score
    blind: Score

    @property
    def margin(self) -> float:
        """What the image adds: the share for the true image less the better of the other two."""
        return self.true.share - max(self.shuffled.share, self.blind.share)


_LOOKS = {
    "true": ("with its own image", ACCENT, ACCENT, ""),
    "shuffled": ("with another image", PAPER, BAD, "////"),
    "blind": ("by a model trained without images", PAPER, QUIET, ".."),
}
"""Words, face, edge and hatch of a bar."""
_BAR = 26  # units of height


def sight_chart(kinds: Iterable[Sight]) -> str:
    """Draw the shares of right answers with their intervals, three bars a kind of question."""
    rows = list(kinds)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        bare(axes, grid="x")
        for place, (which, (label, face, edge, hatch)) in enumerate(_LOOKS.items()):
            scores: list[Score] = [getattr(row, which) for row in rows]
            at = [4 * row + place for row in range(len(rows))]
            shares = [score.share for score in scores]
            axes.barh(at, shares, height=0.8, label=label, facecolor=face, edgecolor=edge, hatch=hatch, linewidth=1.2)
            reach = [
                [score.share - score.interval[0] for score in scores],
                [score.interval[1] - score.share for score in scores],
            ]
            axes.errorbar(shares, at, xerr=reach, fmt="none", ecolor=INK, elinewidth=1.4, capsize=3)
            for score, y in zip(scores, at, strict=True):
                axes.annotate(f"{score.share:.0%}", (score.interval[1], y), (5, 0), textcoords="offset points",
                              va="center", fontsize=TEXT - 1)  # fmt: skip
        axes.set_yticks([4 * row + 1 for row in range(len(rows))], [row.name for row in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, 1.12)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        figure.legend(loc="outside upper left", ncols=1, handlelength=1.8)

    height = 110 + _BAR * 4 * len(rows)
    return drawn("sight", "Right answers with the true image, another image, and no image", height, paint)
