"""What a reviewer does at the page: look at a sample, decide, note, edit, undo. No HTTP here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from pipeline.errors import PipelineError
from pipeline.review.agreement import Pair, Rater, compare
from pipeline.review.board import Board
from pipeline.review.filters import View
from pipeline.review.images import ImageFolder, media_type, size_of
from pipeline.review.index import Samples, texts_of
from pipeline.review.rechecking import Rechecker
from pipeline.review.shown import Shown, show_row
from pipeline.samples.verdicts import (
    SECOND,
    Decision,
    Entry,
    Standing,
    VerdictLog,
    edited,
    fingerprint,
    now,
    rater,
)

REASONS = (
    "says what is not there",
    "wrong number",
    "wrong place or relation",
    "wrong colour or kind",
    "teaches nothing",
    "unclear or badly worded",
    "repeats itself",
    "harmful or private",
)
"""Why a sample is rejected; the keys 1 to 8."""


class OnTable(msgspec.Struct, frozen=True):
    """A sample as one reviewer sees it."""

    shown: Shown
    seen: str
    """Fingerprint of the text as it is shown; goes along with what the reviewer decides."""
    mine: Entry | None
    """The reviewer's own verdict of this look."""
    note: str
    """The reviewer's own."""
    others: list[Entry]
    """The verdicts of the others; none before the reviewer has decided."""
    hidden: int
    """How many of those are not shown yet."""
    notes: dict[str, str]
    """Of the others; none before the reviewer has decided."""


class Conflict(PipelineError):
    """The text was changed by another while it was looked at."""


class Desk:
    """Joins samples, verdicts and images for the page."""

    def __init__(self, board: Board, images: ImageFolder, rechecker: Rechecker) -> None:
        """Take what it works with."""
        self.board = board
        self.samples: Samples = board.samples
        self.log: VerdictLog = board.log
        self._images = images
        self._rechecker = rechecker

    def look(self, number: int, reviewer: str, view: View) -> OnTable:
        """Return a sample for a reviewer.

        Raises:
            PipelineError: There is none of that number.
        """
        self.board.catch_up()
        row = self.samples.row(number)
        standing = self._standing(row)
        name = rater(reviewer, view.look)
        mine = standing.verdicts.get(name)
        others = [entry for other, entry in standing.verdicts.items() if other != name]
        notes = {by: note for by, note in standing.notes.items() if by != reviewer}
        open_now = mine is not None
        size = None if row["width"] and row["height"] else self._size(number, row)
        now_reading = self._rechecker.recheck(row, standing)
        return OnTable(
            shown=show_row(number, now_reading, standing, originals=texts_of(row), size=size, q=view.q),
            seen=_seen(row, standing),
            mine=mine,
            note=standing.notes.get(reviewer, "") if open_now or view.look != SECOND else "",
            others=others if open_now else [],
            hidden=0 if open_now else len(others),
            notes=notes if open_now else {},
        )

    def decide(
        self, number: int, reviewer: str, look: int, verdict: Decision | None, reasons: Sequence[str], seen: str
    ) -> str:
        """Keep a verdict, and return the sample's id.

        Raises:
            Conflict: The text is no longer the one that was seen.
            PipelineError: It cannot be written.
        """
        row = self._seen_row(number, seen)
        of = fingerprint(texts_of(row))
        self.log.add(
            [Entry("verdict", row["id"], of, reviewer, now(), look=look, verdict=verdict, reasons=tuple(reasons))]
        )
        self.board.refresh()
        return str(row["id"])

    def note(self, number: int, reviewer: str, text: str) -> bool:
        """Keep a note, and return whether it is another than before.

        Raises:
            PipelineError: It cannot be written.
        """
        row = self.samples.row(number)
        of = fingerprint(texts_of(row))
        text = _as_typed(text).strip()
        self.board.catch_up()
        if self.log.standing(row["id"], of).notes.get(reviewer, "") == text:
            return False
        self.log.add([Entry("note", row["id"], of, reviewer, now(), note=text)])
        self.board.refresh()
        return True

    def edit(self, number: int, reviewer: str, message: int, text: str, seen: str) -> bool:
        """Keep another wording of a message, and return whether it is another than before.

        Raises:
            Conflict: The text is no longer the one that was seen.
            PipelineError: There is no such message, nothing is left of it, or it cannot be written.
        """
        row = self._seen_row(number, seen)
        originals = texts_of(row)
        if not 0 <= message < len(originals):
            raise PipelineError(f"there is no message number {message}")
        before = edited(row["messages"], self._standing(row))[message]["content"] or ""
        text = _as_typed(text)
        if not text.strip():
            raise PipelineError("a message needs some words; reject the sample if it has none worth keeping")
        if text == _as_typed(before):
            return False
        of = fingerprint(originals)
        self.log.add([Entry("edit", row["id"], of, reviewer, now(), message=message, text=text)])
        self.board.refresh()
        return True

    def undo(self, reviewer: str) -> Entry | None:
        """Take back what a reviewer did last, and return it.

        Raises:
            PipelineError: That cannot be written.
        """
        undone = self.log.undo(reviewer)
        self.board.refresh()
        return undone

    def image(self, number: int) -> tuple[bytes, str] | None:
        """Return the image file of a sample and its media type; ``None`` where there is no picture at hand."""
        data = self.samples.image_bytes(number)
        if not data:
            row = self.samples.row(number)
            path = self._images.find(row["file_name"], row["path"])
            try:
                data = path.read_bytes() if path else b""
            except OSError:
                data = b""
        kind = media_type(data[:12])
        return (data, kind) if kind else None

    def agreement(self) -> tuple[list[Rater], list[Pair]]:
        """Return what each reviewer decided, and how each two agree."""
        self.board.refresh()
        return compare(self._standings())

    def _standings(self) -> Iterator[Standing]:
        for sample, of in self.board.reviewed():
            yield self.log.standing(sample, of)

    def _seen_row(self, number: int, seen: str) -> dict[str, Any]:
        self.board.catch_up()
        row = self.samples.row(number)
        standing = self._standing(row)
        if _seen(row, standing) != seen:
            others = ", ".join(dict.fromkeys(entry.by for entry in standing.edits.values())) or "somebody"
            raise Conflict(f"{others} changed this text while you looked; nothing was kept, look again")
        return row

    def _standing(self, row: dict[str, Any]) -> Standing:
        return self.log.standing(row["id"], fingerprint(texts_of(row)))

    def _size(self, number: int, row: dict[str, Any]) -> tuple[int, int] | None:
        data = self.samples.image_bytes(number) or self._images.find(row["file_name"], row["path"])
        return size_of(data) if data else None


def _seen(row: dict[str, Any], standing: Standing) -> str:
    return fingerprint(message["content"] or "" for message in edited(row["messages"] or [], standing))


def _as_typed(text: str) -> str:
    """Return a text as a browser's form would give it back, with plain line breaks."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
