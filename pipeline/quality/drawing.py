"""Plots as inline SVG that takes its colours and its font from the page around it.

Matplotlib draws in stand-in colours, which become CSS variables: the same plot is then right on a light page, on a dark
one and in print. Nothing is told by colour alone: marks differ in hatch or shape, and carry their numbers.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 600  # units of a plot's own, which are pixels where the page has room
TEXT = 13  # units
INK, MUTED, LINE, PAPER, GOOD, BAD, QUIET, ACCENT, PALE = (f"#0{n}0{n}0{n}" for n in range(1, 10))
"""Stand-ins: text, lesser text, grid, page; supported, contradicted, undecided; the run's own and its pale tone."""

_COLOURS = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    PAPER: "var(--paper)",
    GOOD: "var(--good)",
    BAD: "var(--bad)",
    QUIET: "var(--quiet)",
    ACCENT: "var(--accent)",
    PALE: "var(--pale)",
}
_STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a category's name is no formula
    "axes.unicode_minus": False,
    "font.size": TEXT,
    "axes.labelsize": TEXT,
    "xtick.labelsize": TEXT - 1,
    "ytick.labelsize": TEXT,
    "legend.fontsize": TEXT - 1,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "hatch.linewidth": 1.4,
    "legend.frameon": False,
}
_FONT = re.compile(r"font: (?:[a-z]+ )?([\d.]+)px [^;\"]*")
_COLOUR = re.compile("|".join(_COLOURS))
_POINTS_AN_INCH = 72


def drawn(name: str, label: str, height: float, paint: Callable[[Figure], None]) -> str:
    """Return an ``<svg>`` element.

    Args:
        name: Unlike that of any other plot of the page; ids are made from it.
        label: What the plot shows, for those who cannot see it.
        height: In the units of ``WIDTH``.
        paint: Draws into the empty figure.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # the browser has a font for it
        figure = Figure(figsize=(WIDTH / _POINTS_AN_INCH, height / _POINTS_AN_INCH), layout="constrained")
        paint(figure)
        file = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    return _inline(file.getvalue(), name, label)


def _inline(svg: str, name: str, label: str) -> str:
    """Return a stand-alone SVG file as an element of a page."""
    start = svg.index("<svg")
    body = svg[svg.index(">", start) + 1 :]
    box = re.search(r'viewBox="([^"]+)"', svg[start:])
    assert box
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'(id="|url\(#|href="#)', rf"\1{name}-", body)
    body = _FONT.sub(r"font-size: \1px", body)
    body = _COLOUR.sub(lambda found: _COLOURS[found[0]], body)
    return f'<svg viewBox="{box[1]}" role="img" aria-label="{escape(label)}">{body.strip()}'


def bare(axes: Axes, *, grid: str | None = None) -> None:
    """Take from axes what is not data: frame and tick marks; leave grid lines across ``grid``, ``x`` or ``y``."""
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if grid == "x":
        axes.grid(axis="x")
    elif grid == "y":
        axes.grid(axis="y")
