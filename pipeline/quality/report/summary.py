"""The figures of a run in a few lines for the terminal, and as a section of its dataset card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.quality.figures.comparison import errors
from pipeline.quality.figures.published import NAME
from pipeline.quality.report import readings
from pipeline.quality.wording import interval, percent, plain

_MOST_FINDINGS = 12
_DESCRIPTION = "detailed_description"


def lines(figures: Mapping[str, Any]) -> list[str]:
    """Return what a person wants to know at once, for the terminal."""
    claims, wrong = figures["claims"], figures["contradicted_samples"]["all"]
    told = [
        f"{figures['samples']['total']:,} samples; {claims['supported'] + claims['contradicted']:,} statements could "
        f"be checked, {claims['contradicted']:,} of them contradict their captions or boxes"
    ]
    if wrong["of"]:
        told.append(
            f"{wrong['count']:,} samples have a contradiction: {percent(wrong['share'])} [{interval(wrong)}]; "
            f"{NAME}'s descriptions: {_share(figures['llava']['contradicted_samples']['by_kind'][_DESCRIPTION])}"
        )
    told += [f"  {row['samples']['count']:,} samples with: {kind}" for kind, row in figures["findings"].items()]
    return told


def card_section(figures: Mapping[str, Any]) -> str:
    """Return Markdown with a heading of the second level: claims, errors beside LLaVA's, findings, variety."""
    parts = ["## Quality", _statements(figures)]
    if compared := errors(figures):
        rows = [
            f"| {heading}: {_cell(row.name)} | {_share(row.ours)} | {_share(row.theirs) if row.theirs else '–'} |"
            for heading, group in compared.items()
            for row in group
        ]
        parts.append("\n".join([f"| share of what is wrong | here | {NAME} |", "| --- | ---: | ---: |", *rows]))
    parts.append(_findings(figures))
    if figures["closed"]["questions"]:
        parts.append(readings.closed(figures))
    if figures["samples"]["questions"]:
        parts.append(f"{readings.first_words(figures)} {readings.lengths(figures)}")
    if figures["coverage"] and errors(figures):
        parts.append(_cell(readings.coverage(figures)))
    parts.append(
        "Statements are held against captions and boxes by rules; nobody looked at the pixels. Intervals are Wilson's, "
        f"at 95 %; {NAME}'s figures were measured by similar rules on its 111 published GPT-4 answers. All figures are "
        "in `stats.json`, and with pictures in `report.html`."
    )
    return "\n\n".join(parts) + "\n"


def _statements(figures: Mapping[str, Any]) -> str:
    if not figures["claims"]["by_claim_kind"]:
        return "The statements of these samples have not been checked."
    return readings.claims(figures)


def _findings(figures: Mapping[str, Any]) -> str:
    found = [
        f"{_cell(kind)} in {row['samples']['count']:,} samples ({percent(row['samples']['share'])})"
        for kind, row in list(figures["findings"].items())[:_MOST_FINDINGS]
    ]
    return f"Findings, kept in the column `findings`: {'; '.join(found) or 'none'}."


def _share(share: Mapping[str, Any]) -> str:
    return f"{percent(share['share'])} [{interval(share)}] of {share['of']:,}"


def _cell(text: str) -> str:
    """Return a text as Markdown that means only itself, on one line of a table."""
    text = " ".join(plain(text).split())
    return "".join("\\" + letter if letter in "\\`*_[]<>|#" else letter for letter in text)
