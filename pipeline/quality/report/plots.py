"""The plots of the report, each from the figures alone; ``None`` where there is nothing to show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.quality.drawing import (
    ACCENT,
    BAD,
    GOOD,
    INK,
    MUTED,
    PALE,
    PAPER,
    QUIET,
    TEXT,
    bare,
    drawn,
)
from pipeline.quality.figures import published
from pipeline.quality.wording import named, percent, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pipeline.quality.figures.comparison import Compared

Figures = Mapping[str, Any]

_ROW = 30  # units of height a bar
_HEAD = 56  # units for a legend and an axis
_HEADING = 1.15  # rows that a heading takes
_TWO = 1.75  # rows that a share takes with LLaVA's below it
_MOST_BARS = 14
_MOST_CATEGORIES = 24
_THINNEST = 0.012  # share of the width below which parts of a bar run together
_LETTER = 0.0125  # share of the width that a letter takes
_LOOKS = {
    "supported": (GOOD, GOOD, ""),
    "contradicted": (PAPER, BAD, "xxxx"),
    "not checkable": (PAPER, QUIET, ".."),
}
"""Face, edge and hatch of a verdict."""


def claims_by_verdict(figures: Figures) -> str | None:
    """Draw how many claims of each kind are supported, contradicted, not checkable."""
    rows = list(figures["claims"]["by_claim_kind"].items())[:_MOST_BARS]
    if not rows:
        return None

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        bare(axes)
        axes.set_xticks([])
        most = max(sum(verdicts[name] for name in _LOOKS) for _, verdicts in rows)
        for name, (face, edge, hatch) in _LOOKS.items():
            widths = [verdicts[name] for _, verdicts in rows]
            starts = [sum(verdicts[other] for other in _before(name)) for _, verdicts in rows]
            axes.barh(
                range(len(rows)), widths, left=starts, height=0.6, label=name,
                facecolor=face, edgecolor=edge, hatch=hatch, linewidth=1.2,
            )  # fmt: skip
        for at, (_, verdicts) in enumerate(rows):
            total = sum(verdicts[name] for name in _LOOKS)
            wrong = f", {verdicts['contradicted']:,} contradicted" if verdicts["contradicted"] else ""
            axes.text(total + most * 0.015, at, f"{total:,}{wrong}", va="center", fontsize=TEXT - 1, color=MUTED)
        axes.set_yticks(range(len(rows)), [short(kind) for kind, _ in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, most * 1.3)
        figure.legend(loc="outside upper left", ncols=3, handlelength=1.6, columnspacing=1.4)

    return drawn("claims", "Claims by kind and verdict", _HEAD + _ROW * len(rows), paint)


def _before(name: str) -> list[str]:
    names = list(_LOOKS)
    return names[: names.index(name)]


def error_rates(groups: Mapping[str, Sequence[Compared]]) -> str | None:
    """Draw shares with their intervals under headings, LLaVA's below each where there is one."""
    rows = [row for group in groups.values() for row in group]
    if not rows:
        return None
    height = sum(_HEADING for _ in groups) + sum(_TWO if row.theirs else 1.0 for row in rows)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        bare(axes, grid="x")
        at = 0.0
        ticks: dict[float, str] = {}
        for heading, group in groups.items():
            axes.annotate(heading, (0, at), (-4, 0), textcoords="offset points", va="center", fontsize=TEXT,
                          fontweight="bold", bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 2})  # fmt: skip
            at += _HEADING
            for row in group:
                ticks[at] = row.name
                _interval(axes, at, row.ours, ACCENT, "o")
                if row.theirs:
                    _interval(axes, at + _TWO - 1, row.theirs, MUTED, "D")
                at += _TWO if row.theirs else 1
        axes.set_yticks(list(ticks), [short(name) for name in ticks.values()])
        axes.set_ylim(at - 0.4, -0.6)
        axes.set_xlim(0, 1.45 * max(share["high"] for row in rows for share in (row.ours, row.theirs) if share))
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
        axes.xaxis.set_major_locator(_few_ticks())
        for name, colour, marker, face in (("this data", ACCENT, "o", ACCENT), (published.NAME, MUTED, "D", PAPER)):
            axes.plot([], [], marker=marker, color=colour, markerfacecolor=face, markersize=7, label=name)
        figure.legend(loc="outside upper left", ncols=2, handlelength=2.2)

    return drawn("rates", "Shares of what is wrong, with 95 % intervals", _HEAD + 10 + 24 * height, paint)


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5)


def _interval(axes: Axes, at: float, share: Mapping[str, Any], colour: str, marker: str) -> None:
    low, high, middle = share["low"], share["high"], share["share"] or 0.0
    face = colour if marker == "o" else PAPER
    axes.plot([low, high], [at, at], color=colour, linewidth=2, solid_capstyle="butt")
    for end in (low, high):
        axes.plot([end, end], [at - 0.14, at + 0.14], color=colour, linewidth=2)
    axes.plot([middle], [at], marker=marker, color=colour, markerfacecolor=face, markersize=7, markeredgewidth=1.5)
    axes.annotate(
        f"{percent(share['share'])} ({share['count']:,} of {share['of']:,})",
        (high, at), (7, 0), textcoords="offset points", va="center",
        fontsize=TEXT - 1.5, color=INK if marker == "o" else MUTED,
    )  # fmt: skip


def answer_lengths(figures: Figures) -> str | None:
    """Draw a histogram of the answers' words for each kind of sample, with median and LLaVA's mean."""
    kinds = [(name, spread) for name, spread in figures["lengths"]["answers"].items() if spread["n"]][:8]
    if not kinds:
        return None
    theirs = figures["llava"]["mean_answer_words"]

    def paint(figure: Figure) -> None:
        panels = figure.subplots(len(kinds), 1, squeeze=False)[:, 0]
        for axes, (name, spread) in zip(panels, kinds, strict=True):
            _histogram(axes, spread)
            axes.set_title(named(name), loc="left", fontsize=TEXT, color=INK)
            axes.set_xlim(0, max(axes.get_xlim()[1], theirs.get(name, 0) * 1.05))
            _pole(axes, spread["median"], f"median {spread['median']:,}", INK, "-", 0.93)
            if name in theirs:
                _pole(axes, theirs[name], f"{published.NAME}'s mean {theirs[name]:g}", MUTED, ":", 0.76)
        panels[-1].set_xlabel("words in an answer")

    return drawn("lengths", "Lengths of answers by kind", 44 + 118 * len(kinds), paint)


def _histogram(axes: Axes, spread: Mapping[str, Any]) -> None:
    width, counts = spread["histogram"]["bar_width"], spread["histogram"]["counts"]
    bare(axes)
    axes.spines["bottom"].set_visible(True)
    axes.set_yticks([])
    axes.bar(
        [at * width for at in range(len(counts))], counts, width=width, align="edge",
        facecolor=PALE, edgecolor=ACCENT, linewidth=1,
    )  # fmt: skip
    axes.set_ylim(0, max(counts) * 1.5)


def _pole(axes: Axes, at: float, label: str, colour: str, line: str, level: float) -> None:
    """Draw a vertical line with its label at a level of its own, on the side that has more room."""
    axes.axvline(at, color=colour, linewidth=1.5, linestyle=line)
    left = at > axes.get_xlim()[1] / 2
    told = axes.annotate(
        label, (at, level), (-4 if left else 4, 0), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
        va="center", ha="right" if left else "left", fontsize=TEXT - 1.5, color=colour,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1},
    )  # fmt: skip
    told.set_in_layout(False)


def first_words(figures: Figures) -> str | None:
    """Draw the first two words of questions as bars within bars."""
    return _two_levels(
        "words",
        "First two words of the questions",
        [(row["word"], row["count"], row["then"]) for row in figures["diversity"]["first_words"]],
        figures["samples"]["questions"],
    )


def roots(figures: Figures) -> str | None:
    """Draw what questions ask, verb and noun, as bars within bars."""
    return _two_levels(
        "roots",
        "Verbs of the questions, and their nouns",
        [(row["verb"], row["count"], row["nouns"]) for row in figures["diversity"]["verbs"]],
        figures["samples"]["questions"],
    )


def _two_levels(name: str, label: str, rows: list[tuple[str, int, dict[str, int]]], total: int) -> str | None:
    rows = [row for row in rows if row[1]][:_MOST_BARS]
    if not rows:
        return None

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        bare(axes)
        axes.set_xticks([])
        most = max(count for _, count, _ in rows)
        for at, (_, count, parts) in enumerate(rows):
            axes.barh([at], [count], height=0.74, facecolor=PALE, edgecolor=PALE)
            for start, width, part in _parts(parts, most * _THINNEST):
                axes.barh([at], [width], left=[start], height=0.74, facecolor=PALE, edgecolor=PAPER, linewidth=1.5)
                if part and width > most * (0.025 + _LETTER * min(len(part), 14)):
                    axes.text(start + most * 0.012, at, short(part, 14), va="center", fontsize=TEXT - 1.5)
            axes.text(count + most * 0.015, at, percent(count / total), va="center", fontsize=TEXT - 1, color=MUTED)
        axes.set_yticks(range(len(rows)), [short(word or "(none)", 16) for word, _, _ in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, most * 1.12)

    return drawn(name, label, 12 + _ROW * len(rows), paint)


def _parts(parts: Mapping[str, int], thinnest: float) -> Iterator[tuple[int, int, str]]:
    """Yield start, width and name of the parts that are wide enough to be seen; the largest come first."""
    start = 0
    for part, width in parts.items():
        if width < thinnest:
            return
        yield start, width, part
        start += width


def coverage(figures: Figures) -> str | None:
    """Draw for each of the most frequent categories the images that have it, and those where an answer names it."""
    rows = list(figures["coverage"].items())[:_MOST_CATEGORIES]
    if not rows or not any(row["images_named"] for _, row in rows):
        return None

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        bare(axes)
        axes.set_xticks([])
        places = range(len(rows))
        images = [row["images"] for _, row in rows]
        named = [row["images_named"] for _, row in rows]
        axes.barh(
            places, images, height=0.62, facecolor=PAPER, edgecolor=QUIET, linewidth=1.2, label="images that have it"
        )
        axes.barh(places, named, height=0.62, facecolor=ACCENT, edgecolor=ACCENT, label="and an answer speaks of it")
        for at, (_, row) in enumerate(rows):
            told = f"{row['images_named']:,} of {row['images']:,}"
            axes.text(row["images"] + images[0] * 0.012, at, told, va="center", fontsize=TEXT - 1.5, color=MUTED)
        axes.set_yticks(places, [short(name) for name, _ in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, images[0] * 1.2)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        figure.legend(loc="outside upper left", ncols=2, handlelength=1.6)

    return drawn("coverage", "Categories and the images that speak of them", _HEAD - 10 + 24 * len(rows), paint)


def yes_and_no(figures: Figures) -> str | None:
    """Draw how closed questions were answered, for each kind of sample."""
    rows = [(name, row) for name, row in figures["closed"]["by_kind"].items() if row["yes"] + row["no"]][:8]
    if not rows:
        return None

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        bare(axes)
        axes.set_xticks([0, 0.5, 1], ["0 %", "half", "100 %"])
        for at, (_, row) in enumerate(rows):
            yes = row["yes"] / (row["yes"] + row["no"])
            axes.barh([at], [yes], height=0.6, facecolor=PALE, edgecolor=ACCENT, linewidth=1.2)
            axes.barh([at], [1 - yes], left=[yes], height=0.6, facecolor=PAPER, edgecolor=ACCENT, hatch="////",
                      linewidth=1.2)  # fmt: skip
            axes.text(0.012, at, f"yes {row['yes']:,}", va="center", fontsize=TEXT - 1)
            plate = {"facecolor": PAPER, "edgecolor": "none", "pad": 2}
            axes.text(0.988, at, f"no {row['no']:,}", va="center", ha="right", fontsize=TEXT - 1, bbox=plate)
        axes.axvline(0.5, color=INK, linewidth=1.5, linestyle=(0, (4, 3)))
        axes.set_yticks(range(len(rows)), [named(name, 26) for name, _ in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, 1)

    return drawn("closed", "Yes and no in answers to closed questions", 34 + 34 * len(rows), paint)
