"""Which samples a person looks at, and in which order: an address, a record, a query.

The address says all of it, so that a view can be sent to a colleague.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal, cast, get_args
from urllib.parse import urlencode

import msgspec

from pipeline.review.index import LUCK, Samples
from pipeline.samples.verdicts import FIRST, SECOND, rater

Sort = Literal["file", "worst", "longest", "shortest", "random"]
Facet = Literal["kind", "statements", "finding", "category", "length", "model", "verdict", "mark", "reason", "by"]

STEPS = (0, 10, 25, 50, 100, 200, 400)  # words; where one bar of the lengths ends and the next begins
LENGTHS = [f"{low}–{high - 1}" for low, high in pairwise(STEPS)] + [f"{STEPS[-1]}+"]
UNREVIEWED = "unreviewed"
_ROOM = 1 << 32  # more than a file has rows: place * _ROOM + n sorts by place, then by n

_LENGTH = (
    "CASE "
    + " ".join(f"WHEN words < {high} THEN '{name}'" for high, name in zip(STEPS[1:], LENGTHS, strict=False))
    + f" ELSE '{LENGTHS[-1]}' END"
)
SINGLE: dict[Facet, str] = {
    "kind": "kind",
    "statements": "statements",
    "length": _LENGTH,
    "model": "model",
    "verdict": f"coalesce(verdict, '{UNREVIEWED}')",
}
"""Facets of which a sample has one value, as expressions."""
LISTS: dict[Facet, str] = {
    "category": "labels",
    "finding": "findings",
    "mark": "tags",
    "reason": "reasons",
    "by": "raters",
}
"""Facets of which a sample may have several values, as columns."""
CODED: frozenset[Facet] = frozenset(["category", "finding"])
"""Facets whose values the table holds as codes."""
REVIEWED: frozenset[Facet] = frozenset(["verdict", "mark", "reason", "by"])
"""Facets that change as people review; lots are drawn before they are looked at, so that a draw stays as it is."""


class View(msgspec.Struct, frozen=True):
    """Which samples, in which order."""

    chosen: dict[Facet, tuple[str, ...]] = {}
    """Values of facets. One of a facet's values is enough; of ``by``, all must have decided."""
    q: str = ""
    """What the text has in it, upper and lower case alike."""
    todo: bool = False
    """Only what this reviewer has not decided."""
    draw: int = 0
    """So many drawn by lot; 0 for all."""
    seed: int = 0
    """Of the lots."""
    sort: Sort = "file"
    look: int = FIRST
    """``SECOND``: a share of what somebody has decided, to be decided again without sight of that."""

    @property
    def everything(self) -> bool:
        """Return whether it leaves nothing out and keeps the file's order."""
        return self == View()

    @property
    def moves(self) -> bool:
        """Return whether a verdict may take a sample out of it, or bring one in."""
        return self.todo or self.look == SECOND or not REVIEWED.isdisjoint(self.chosen)


def read_view(pairs: Iterable[tuple[str, str]]) -> View:
    """Read an address's query; what it does not know, and numbers that are none, it passes over."""
    chosen: dict[Facet, list[str]] = {}
    rest: dict[str, str] = {}
    for name, value in pairs:
        if name in get_args(Facet):
            values = chosen.setdefault(cast(Facet, name), [])
            if value not in values:
                values.append(value)
        else:
            rest[name] = value
    sort = rest.get("sort", "file")
    return View(
        chosen={facet: tuple(values) for facet, values in chosen.items()},
        q=rest.get("q", "").strip(),
        todo=rest.get("todo", "") == "1",
        draw=_number(rest.get("draw", "")),
        seed=_number(rest.get("seed", "")),
        sort=cast(Sort, sort) if sort in get_args(Sort) else "file",
        look=SECOND if rest.get("look") == "second" else FIRST,
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def pairs_of(view: View) -> list[tuple[str, str]]:
    """Return a view as the names and values of an address, what is as usual left out."""
    pairs: list[tuple[str, str]] = [(facet, value) for facet in get_args(Facet) for value in view.chosen.get(facet, ())]
    told = {
        "q": view.q,
        "todo": "1" if view.todo else "",
        "draw": str(view.draw or ""),
        "seed": str(view.seed or ""),
        "sort": "" if view.sort == "file" else view.sort,
        "look": "second" if view.look == SECOND else "",
    }
    return pairs + [(name, value) for name, value in told.items() if value]


def address(view: View, sample: str | None = None, page: str = "/") -> str:
    """Return the address of a view, at a sample of it."""
    pairs = pairs_of(view) + ([("sample", sample)] if sample is not None else [])
    return f"{page}?{urlencode(pairs)}" if pairs else page


def toggled(view: View, facet: Facet, value: str) -> View:
    """Return a view with a value of a facet chosen, or no longer chosen."""
    before = view.chosen.get(facet, ())
    after = tuple(other for other in before if other != value) if value in before else (*before, value)
    return msgspec.structs.replace(view, chosen={**view.chosen, facet: after} if after else _without(view, facet))


def _without(view: View, facet: Facet) -> dict[Facet, tuple[str, ...]]:
    return {other: values for other, values in view.chosen.items() if other != facet}


def relation(
    view: View, samples: Samples, reviewer: str, share: float, *, without: Facet | None = None
) -> tuple[str, list[Any]]:
    """Return a view as a query that has all columns of ``samples`` and ``marks``, and its values.

    Args:
        view: What is looked at.
        samples: What it is of.
        reviewer: Whose ``todo`` is meant.
        share: Of the decided samples, how many a second look takes; from 0 to 1.
        without: A facet that is not to restrict it, to count what else could be chosen.
    """
    samples.wait()
    chosen = _without(view, without) if without else view.chosen
    fixed = [_condition(facet, values, samples) for facet, values in chosen.items() if facet not in REVIEWED]
    if view.q:
        samples.search(view.q)
        fixed.append(("n IN (SELECT n FROM found WHERE q = ?)", [view.q]))
    moving = [_condition(facet, values, samples) for facet, values in chosen.items() if facet in REVIEWED]
    if view.todo:
        moving.append(("NOT coalesce(list_contains(raters, ?), false)", [rater(reviewer, view.look)]))
    if view.look == SECOND:
        moving.append(("verdict IS NOT NULL AND luck < ?", [int(share * LUCK)]))
    inner, values = _select("samples", fixed)
    if view.draw:
        inner += f" ORDER BY {_lot(view.seed)}, n LIMIT {view.draw}"
    outer, more = _select(f"(SELECT * FROM ({inner}) LEFT JOIN marks USING (n))", moving)
    return outer, values + more


def _select(source: str, conditions: Sequence[tuple[str, list[Any]]]) -> tuple[str, list[Any]]:
    where = " AND ".join(f"({text})" for text, _ in conditions)
    values = [value for _, values in conditions for value in values]
    return f"SELECT * FROM {source}" + (f" WHERE {where}" if where else ""), values


def _condition(facet: Facet, values: Sequence[str], samples: Samples) -> tuple[str, list[Any]]:
    if facet in SINGLE:
        return f"{SINGLE[facet]} IN ({', '.join('?' * len(values))})", list(values)
    known: Sequence[Any] = samples.codes(values) if facet in CODED else values
    # One after the other: DuckDB's list_has_any takes seven times as long as list_contains.
    each = [f"coalesce(list_contains({LISTS[facet]}, ?), false)" for _ in known]
    return (" AND " if facet == "by" else " OR ").join(each) or "false", list(known)


def place(view: View) -> str:
    """Return the expression that sorts the samples of a view; whole, not negative, and different for each."""
    by = {
        "file": "0",
        "worst": f"({_ROOM // 4} - least(wrong, 1000) * 1000 - len(findings))",
        "longest": f"({_ROOM // 4} - least(coalesce(words, 0), {_ROOM // 4}))",
        "shortest": f"least(coalesce(words, 0), {_ROOM // 4})",
        "random": _lot(view.seed),
    }[view.sort]
    return f"({by}::BIGINT * {_ROOM} + n)"


def number_at(spot: int) -> int:
    """Return the number of the sample that ``place`` has put somewhere."""
    return spot % _ROOM


def _lot(seed: int) -> str:
    """Return the expression that shuffles samples; the same on every machine, as it rests on their ids alone."""
    digest = hashlib.md5(str(seed).encode(), usedforsecurity=False).digest()
    factor = int.from_bytes(digest[:8], "little") % (LUCK - 1) + 1
    return f"(luck * {factor} % {LUCK})"
