"""A whole run, looked at once from beginning to end: duplicates, figures, the best and the worst of it, a report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pipeline.quality.figures.statistics import Statistics
from pipeline.quality.texts.duplicates import Duplicates
from pipeline.records import Turn


class Survey:
    """Takes the rows of a run in plan order, one at a time, and keeps only what the report needs."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        from pipeline.quality.report.page import Examples

        self._duplicates = Duplicates()
        self._statistics = Statistics()
        self._examples = Examples()

    def take(self, row: dict[str, Any]) -> bool:
        """Take a row of ``samples.parquet``, and add to its findings that an earlier one said the same, if one did.

        Returns:
            Whether anything was added.
        """
        found = self._duplicates.add(row["id"], turns_of(row))
        if found:
            row["findings"] = [*row["findings"], *(msgspec.to_builtins(finding) for finding in found)]
        self._statistics.add(row)
        self._examples.add(row)
        return bool(found)

    def take_reject(self, row: Mapping[str, Any]) -> None:
        """Take a row of ``rejects.parquet``."""
        self._statistics.add_reject(row)

    def write(
        self,
        folder: Path,
        *,
        title: str,
        record: dict[str, Any] | None,
        metrics: Path | None,
        more: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Write ``stats.json`` and ``report.html``, and return the figures.

        Args:
            folder: Where they go.
            title: Of the report.
            record: ``run.json``, where there is one.
            metrics: ``metrics.jsonl``, where there is one.
            more: Figures that others have found, by their headings, such as the judge's.
        """
        from pipeline.quality.report.page import write_report

        figures = self._statistics.figures() | dict(more or {})
        folder.joinpath("stats.json").write_text(
            json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        write_report(folder / "report.html", figures, self._examples, title=title, record=record, metrics=metrics)
        return figures


def turns_of(row: Mapping[str, Any]) -> list[Turn]:
    """Return the questions and answers of a row."""
    messages = row["messages"]
    return [
        Turn(asked["content"], answered["content"])
        for asked, answered in zip(messages[::2], messages[1::2], strict=True)
    ]
