"""Edited messages held against the scene again, so that a reviewer sees at once what an edit has mended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.quality.checker import Checker
from pipeline.quality.survey import turns_of
from pipeline.records import Box, Scene
from pipeline.samples.verdicts import Standing, edited


class Rechecker:
    """Checks edited samples of one data set; the rules are loaded when the first one comes."""

    def __init__(self, categories: Mapping[str, str]) -> None:
        """Begin with nothing loaded.

        Args:
            categories: Of the data set, name to supercategory; where there are none, those of a sample's boxes count.
        """
        self._categories = categories
        self._checker: Checker | None = None

    def recheck(self, row: Mapping[str, Any], standing: Standing) -> dict[str, Any]:
        """Return a row with its edits, and with the claims and findings that its edited messages have now.

        A row that was never checked has none then either.
        """
        new = {**row, "messages": edited(row["messages"] or [], standing)}
        claims, findings = row["claims"] or [], row["findings"] or []
        if not standing.edits or not (claims or findings):
            return new
        kept: dict[str, list[Any]] = {
            name: [one for one in row[name] or [] if one["message"] not in standing.edits] for name in _FOUND
        }
        if [message["role"] for message in new["messages"]] != ["user", "assistant"] * (len(new["messages"]) // 2):
            return new | kept  # made elsewhere, in another order than question and answer
        found = self._load(row).check(turns_of(new), _scene(row), kind=row["kind"] or "", context=row["context"] or "")
        claims_now, findings_now = found
        kept["claims"] += [msgspec.to_builtins(one) for one in claims_now if one.message in standing.edits]
        kept["findings"] += [msgspec.to_builtins(one) for one in findings_now if one.message in standing.edits]
        return new | kept

    def _load(self, row: Mapping[str, Any]) -> Checker:
        if not self._categories:
            return Checker({box["label"]: None for box in row["boxes"] or () if box["label"]})
        self._checker = self._checker or Checker(self._categories)
        return self._checker


_FOUND = ("claims", "findings")


def _scene(row: Mapping[str, Any]) -> Scene:
    """Return what the checker needs of a row's scene."""
    boxes = tuple(_box(box["label"] or "", box["bbox"], bool(box["crowd"])) for box in row["boxes"] or ())
    return Scene("", "", 0, 0, tuple(row["captions"] or ()), boxes)


def _box(label: str, bbox: tuple[float, float, float, float], crowd: bool) -> Box:
    left, top, right, bottom = bbox
    return Box(label, left, top, right, bottom, crowd)
