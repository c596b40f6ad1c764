"""What reviewers say of samples: a file of JSON lines that only grows.

A line is written and synced before it is acknowledged. Several processes may append to one file; a line that a power
cut or a kill tore is passed over and counted. Nothing in the file is ever changed: who decides again adds a line, and
so does who undoes. Files of reviewers who worked apart can be put together with ``cat``.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import filelock
import msgspec

from pipeline.errors import PipelineError

Decision = Literal["accepted", "rejected"]
Combined = Literal["accepted", "rejected", "disputed"]

FIRST, SECOND = 1, 2
LOCK_TIMEOUT_S = 20.0
LONGEST_NAME = 40


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that a reviewer did; a line of the file."""

    act: Literal["verdict", "note", "edit", "undo"]
    sample: str
    """The sample's id."""
    of: str
    """Fingerprint of the sample's own text, so that a verdict is not taken for one on other words of the same id."""
    by: str
    """The reviewer's name."""
    at: str
    """When, UTC."""
    look: int = FIRST
    """``SECOND`` for a verdict that was given without sight of the earlier ones."""
    verdict: Decision | None = None
    """Of the act ``verdict``; ``None`` takes an earlier one back."""
    reasons: tuple[str, ...] = ()
    """Why it is rejected."""
    note: str = ""
    """Of the act ``note``; empty takes an earlier one away."""
    message: int = 0
    """Of the act ``edit``: place in the row's ``messages``."""
    text: str = ""
    """Of the act ``edit``: what the message says from now on."""

    @property
    def rater(self) -> str:
        """Return the name under which the verdict is compared with others'."""
        return rater(self.by, self.look)


class Standing(msgspec.Struct, frozen=True):
    """How things stand with one sample."""

    verdicts: dict[str, Entry]
    """The last one of each rater."""
    notes: dict[str, str]
    """The last one of each reviewer; never empty."""
    edits: dict[int, Entry]
    """The last one of each message, whoever made it."""

    @property
    def combined(self) -> Combined | None:
        """Return what all raters agree on, ``disputed`` where they do not, ``None`` where nobody has decided."""
        found = {entry.verdict for entry in self.verdicts.values()}
        return "disputed" if len(found) > 1 else next(iter(found), None)

    @property
    def reasons(self) -> list[str]:
        """Return why raters reject it, each reason once."""
        return list(dict.fromkeys(reason for entry in self.verdicts.values() for reason in entry.reasons))


UNTOUCHED = Standing({}, {}, {})


def rater(by: str, look: int) -> str:
    """Return the name under which a reviewer's verdicts of one look are compared with others'."""
    return by if look == FIRST else f"{by} · second look"


def clean_name(name: str) -> str:
    """Return a reviewer's name on one line and no longer than fits; empty if there is nothing in it."""
    shown = "".join(letter if letter.isprintable() and letter != "·" else " " for letter in name)
    return " ".join(shown.split())[:LONGEST_NAME].strip()


def fingerprint(contents: Iterable[str]) -> str:
    """Return what tells a sample's text from any other; ``index.py`` has the same in SQL."""
    joined = "\x1e".join(contents).encode(errors="replace")
    return hashlib.md5(joined, usedforsecurity=False).hexdigest()[:16]


def now() -> str:
    """Return the time as lines of the file tell it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def stand(entries: Sequence[Entry], of: str) -> Standing:
    """Return how a sample with the fingerprint ``of`` stands after these lines, undone ones not among them."""
    verdicts: dict[str, Entry] = {}
    notes: dict[str, str] = {}
    edits: dict[int, Entry] = {}
    for entry in entries:
        if entry.of != of:
            continue
        if entry.act == "verdict":
            verdicts.pop(entry.rater, None)
            if entry.verdict:
                verdicts[entry.rater] = entry
        elif entry.act == "note":
            notes.pop(entry.by, None)
            if entry.note:
                notes[entry.by] = entry.note
        elif entry.act == "edit":
            edits[entry.message] = entry
    return Standing(verdicts, notes, edits)


def edited(messages: Sequence[Mapping[str, Any]], standing: Standing) -> list[dict[str, Any]]:
    """Return a row's messages with the edits in them."""
    return [
        {**message, "content": standing.edits[at].text} if at in standing.edits else dict(message)
        for at, message in enumerate(messages)
    ]


class VerdictLog:
    """The file, and what follows from it."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is made by the first line.

        Args:
            path: Of the file.
        """
        self.path = path
        self.unreadable = 0
        """Lines that are no entries, a torn last one included."""
        self._entries: dict[str, list[Entry]] = {}
        self._done: dict[str, list[Entry]] = {}
        self._read = 0  # bytes
        self._threads = threading.RLock()
        self._processes = filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_TIMEOUT_S)

    def catch_up(self) -> set[str]:
        """Read what has been added, by this process or another, and return the ids of the samples it is about.

        Raises:
            PipelineError: The file cannot be read.
        """
        with self._threads:
            try:
                size = self.path.stat().st_size if self.path.exists() else 0
                if size == self._read:
                    return set()
                touched: set[str] = set()
                if size < self._read:  # somebody has put another file in its place
                    touched = set(self._entries)
                    self._entries, self._done, self._read, self.unreadable = {}, {}, 0, 0
                added = _read_from(self.path, self._read) if size else b""
            except OSError as error:
                raise PipelineError(f"cannot read {self.path}: {error.strerror or error}") from None
            whole = added[: added.rfind(b"\n") + 1]
            self._read += len(whole)
            for line in whole.splitlines():
                if entry := self._parse(line):
                    touched |= self._take(entry)
            return touched

    def _parse(self, line: bytes) -> Entry | None:
        try:
            return _READER.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.unreadable += bool(line.strip())
            return None

    def _take(self, entry: Entry) -> set[str]:
        """Count an entry in, and return which samples it touches."""
        done = self._done.setdefault(entry.by, [])
        if entry.act != "undo":
            done.append(entry)
            self._entries.setdefault(entry.sample, []).append(entry)
            return {entry.sample}
        if not done:
            return set()
        undone = done.pop()
        kept = self._entries[undone.sample]
        self._entries[undone.sample] = [other for other in kept if other is not undone]
        return {undone.sample}

    def standing(self, sample: str, of: str) -> Standing:
        """Return how a sample stands, as far as the file has been read."""
        entries = self._entries.get(sample)
        return stand(entries, of) if entries else UNTOUCHED

    def samples(self) -> list[str]:
        """Return the ids of the samples that somebody said something about."""
        return [sample for sample, entries in self._entries.items() if entries]

    def stale(self, sample: str, of: str) -> int:
        """Return how many entries are about an earlier text of a sample."""
        return sum(entry.of != of for entry in self._entries.get(sample, ()))

    def add(self, entries: Sequence[Entry]) -> None:
        """Append entries; once this returns, they are on the disk.

        Raises:
            PipelineError: They cannot be written; then none of them counts.
        """
        if entries:
            with self._threads, self._held():
                self._append(entries)

    def undo(self, by: str) -> Entry | None:
        """Take back what a reviewer did last, and return it; ``None`` if there is nothing left to undo.

        Raises:
            PipelineError: That cannot be written.
        """
        with self._threads, self._held():
            self.catch_up()
            if not self._done.get(by):
                return None
            last = self._done[by][-1]
            self._append([Entry("undo", last.sample, last.of, by, now())])
            return last

    @contextmanager
    def _held(self) -> Iterator[None]:
        try:
            self._processes.acquire()
        except filelock.Timeout:
            raise PipelineError(f"{self.path} is held by another process; nothing was kept, try again") from None
        except OSError as error:
            raise PipelineError(f"cannot write to {self.path}: {error.strerror or error}; nothing was kept") from None
        try:
            yield
        finally:
            self._processes.release()

    def _append(self, entries: Sequence[Entry]) -> None:
        lines = b"".join(_WRITER.encode(entry) + b"\n" for entry in entries)
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    lines = b"\n" + lines  # a kill tore the last line; what is left of it must not join ours
                while lines:
                    lines = lines[os.write(descriptor, lines) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if not size:
                self._sync_folder()
        except OSError as error:
            raise PipelineError(f"cannot write to {self.path}: {error.strerror or error}; nothing was kept") from None

    def _sync_folder(self) -> None:
        """Bring the new file's name to the disk, without which its lines would be lost with the power."""
        descriptor = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read_from(path: Path, start: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read()


_READER = msgspec.json.Decoder(Entry)
_WRITER = msgspec.json.Encoder()
