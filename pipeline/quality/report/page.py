"""``report.html``: one page that shows a run to a person, and needs nothing beside it.

All that a model or an annotation file wrote is escaped by the template. Should anything slip through, the page's own
policy still forbids it to load, send or run: only the one script that is named by its digest may run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from pipeline.quality import wording
from pipeline.quality.figures.comparison import errors
from pipeline.quality.figures.published import NAME
from pipeline.quality.report import plots, readings
from pipeline.quality.report.examples import Examples
from pipeline.quality.report.exhibits import exhibit
from pipeline.quality.report.timeline import Timeline, over_time, read_timeline

__all__ = ["Examples", "write_report"]

_HERE = Path(__file__).parent
_OWN = frozenset(
    """samples turns claims contradicted_samples findings hedged_answers closed lengths diversity coverage rejects made
    llava""".split()
)
"""The figures that have their place in the page; others get a table each."""


_DUPLICATES = ("duplicate", "near duplicate", "repeated across the run")
_SILENT = 12  # categories told that are seldom spoken of


class Plot(msgspec.Struct, frozen=True):
    """A picture of figures, with what it says."""

    title: str
    reading: str
    svg: Markup


class Key(msgspec.Struct, frozen=True):
    """One of the numbers at the top."""

    value: str
    name: str
    note: str = ""
    grave: bool = False
    """Whether it is bad news."""


def write_report(
    path: Path,
    figures: Mapping[str, Any],
    examples: Examples,
    *,
    title: str,
    record: Mapping[str, Any] | None,
    metrics: Path | None,
) -> None:
    """Write the page.

    Args:
        path: Of the page.
        figures: As ``Statistics.figures`` returns them, and any others by their headings.
        examples: Rows to choose from; their images are read now.
        title: Of the page.
        record: ``run.json``, where there is one.
        metrics: ``metrics.jsonl``, where there is one.

    Raises:
        OSError: The page cannot be written.
    """
    page = _page(figures, examples, title=title, record=record or {}, metrics=metrics)
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(page, encoding="utf-8", errors="replace")
    beside.replace(path)


def _page(
    figures: Mapping[str, Any],
    examples: Examples,
    *,
    title: str,
    record: Mapping[str, Any],
    metrics: Path | None,
) -> str:
    timeline = read_timeline(metrics) if metrics else None
    script = _HERE.joinpath("report.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "percent": wording.percent,
        "interval": wording.interval,
        "named": wording.named,
        "plain": wording.plain,
    }
    return environment.get_template("report.html.jinja").render(
        title=wording.plain(title),
        made=_made(figures, record),
        keys=_keys(figures, record),
        best=[exhibit(row) for row in examples.best()],
        worst=[exhibit(row) for row in examples.worst()],
        plots=_plots(figures, timeline),
        compared=errors(figures),
        figures=figures,
        duplicates={kind: figures["findings"].get(kind) for kind in _DUPLICATES},
        silent=_silent(figures),
        sources=_sources(figures, record),
        others={name: _flat(found, "") for name, found in figures.items() if name not in _OWN},
        theirs=NAME,
        # Marked as safe, being files of ours; nothing of a run is in them.
        style=Markup(_HERE.with_name("report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _made(figures: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Return what was made, in one sentence."""
    samples = figures["samples"]
    writer = record.get("written_by") or wording.listed(list(figures["made"]["models"])[:3])
    told = f"{wording.count(samples['total'], 'sample')} about {wording.count(samples['images'], 'image')}"
    if writer and writer != "unnamed":
        told += f", written by {writer}"
    if seconds := _seconds(record):
        told += f" in {wording.duration(seconds)}"
    if cost := record.get("cost_usd"):
        told += f" for {wording.money(cost)}"
    return wording.plain(told) + "."


def _seconds(record: Mapping[str, Any]) -> float | None:
    """Return how long the last process of the run took; ``None`` where that is not told."""
    try:
        begun, ended = (datetime.fromisoformat(record[name]) for name in ("started_at", "finished_at"))
        return max((ended - begun).total_seconds(), 1.0)
    except (KeyError, TypeError, ValueError):
        return None


def _keys(figures: Mapping[str, Any], record: Mapping[str, Any]) -> list[Key]:
    samples, claims, made = figures["samples"], figures["claims"], figures["made"]
    checkable = claims["supported"] + claims["contradicted"]
    kinds = ", ".join(f"{count:,} {wording.named(kind)}" for kind, count in samples["by_kind"].items())
    keys = [
        Key(f"{samples['total']:,}", "samples", kinds),
        Key(f"{samples['questions']:,}", "questions", f"about {wording.count(samples['images'], 'image')}"),
        Key(f"{checkable:,}", "statements checked", f"{claims['checkable_an_answer']['all'] or 0:.2f} an answer"),
    ]
    if checkable:
        wrong = figures["contradicted_samples"]["all"]
        note = f"{wrong['count']:,} samples; 95 % interval {wording.interval(wrong)}"
        keys.append(Key(wording.percent(wrong["share"]), "contradict their scene", note, wrong["count"] > 0))
    rejects = figures["rejects"]
    if record or rejects["total"]:
        reasons = "; ".join(f"{count:,} {wording.short(reason, 40)}" for reason, count in rejects["by_reason"].items())
        keys.append(Key(f"{rejects['total']:,}", "rejected", reasons))
    if tokens := made["prompt_tokens"] + made["completion_tokens"]:
        unpriced = f"; {made['rows_without_cost']:,} samples have no price" if made["rows_without_cost"] else ""
        cost = made["cost_usd"] + rejects["cost_usd"]
        keys.append(Key(wording.money(cost), "spent", f"{tokens:,} tokens, rejects included{unpriced}"))
    return keys


def _plots(figures: Mapping[str, Any], timeline: Timeline | None) -> dict[str, Plot]:
    """Return the pictures that there is something to show in, by name."""
    compared = errors(figures)
    drawings: dict[str, tuple[str, str | None, Callable[[], str]]] = {
        "claims": ("What statements are about", plots.claims_by_verdict(figures), lambda: readings.claims(figures)),
        "errors": ("Errors, with their intervals", plots.error_rates(compared), lambda: readings.errors(figures)),
        "words": ("How questions begin", plots.first_words(figures), lambda: readings.first_words(figures)),
        "verbs": ("What questions ask", plots.roots(figures), lambda: readings.verbs(figures)),
        "lengths": ("How long answers are", plots.answer_lengths(figures), lambda: readings.lengths(figures)),
        "closed": ("Yes and no", plots.yes_and_no(figures), lambda: readings.closed(figures)),
        "coverage": ("What of the images is spoken of", plots.coverage(figures), lambda: readings.coverage(figures)),
    }
    if timeline:
        drawings["time"] = ("The run, second by second", over_time(timeline), lambda: readings.over_time(timeline))
    # Matplotlib escapes the names that it writes.
    return {name: Plot(title, say(), Markup(svg)) for name, (title, svg, say) in drawings.items() if svg}


def _silent(figures: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the categories that answers speak of least, if there is a picture of those that they do speak of."""
    rows = [(name, row) for name, row in figures["coverage"].items() if row["share"] < 1]
    return sorted(rows, key=lambda pair: (pair[1]["share"], -pair[1]["images"]))[:_SILENT]


def _sources(figures: Mapping[str, Any], record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a run was made from, as names and values."""
    annotations = record.get("annotations") or {}
    left_out = record.get("left_out") or {}
    told = [
        ("Written by", record.get("written_by")),
        ("Model", ", ".join(figures["made"]["models"])),
        *((name.replace("_", " ").capitalize(), value) for name, value in annotations.items()),
        ("Left out of the annotations", ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())),
        ("Prompts", ", ".join(f"{kind} {digest}" for kind, digest in (record.get("prompts") or {}).items())),
        ("Attempts", ", ".join(f"{n} for {count:,}" for n, count in figures["made"]["attempts"].items() if n != "0")),
        ("Ended by", ", ".join(f"{why} {count:,}" for why, count in figures["made"]["finish_reasons"].items())),
        ("Begun", record.get("started_at")),
        ("Finished", record.get("finished_at")),
        ("Command", record.get("command")),
        ("Version", record.get("pipeline_version")),
    ]
    return [(name, wording.plain(str(value))) for name, value in told if value]


def _flat(found: Any, before: str) -> list[tuple[str, str]]:
    """Return nested figures as names and values."""
    if not isinstance(found, Mapping):
        shown = f"{found:,}" if isinstance(found, int | float) and not isinstance(found, bool) else str(found)
        return [(wording.plain(before), wording.plain(shown))]
    return [
        pair for name, inner in found.items() for pair in _flat(inner, f"{before} {name}".strip().replace("_", " "))
    ]
