"""Every reply that was paid for, kept before anything else happens to it.

One SQLite file a run, in WAL mode: a committed reply survives ``kill -9`` at once, and a power cut from the next fsync
on. Shards, Parquet and figures are derived from here; the journal is the truth.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pipeline.errors import PipelineError, RunStopped

APPLICATION_ID = 0x564C4A31  # "VLJ1" in the file's header, so that `file` and we can tell what it is
VERSION = 1

_TABLES = """
CREATE TABLE replies (
    key BLOB PRIMARY KEY,       -- sha256 over the request's bytes and its seed
    sample TEXT NOT NULL,       -- id of the sample it was asked for
    content TEXT,               -- the assistant's text
    refusal TEXT,               -- what the server says instead of a text
    finish_reason TEXT,
    model TEXT NOT NULL,        -- as the server names it
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    at REAL NOT NULL            -- seconds since 1970
) WITHOUT ROWID;
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Reply(msgspec.Struct, frozen=True):
    """One paid reply, as the server gave it."""

    content: str | None
    refusal: str | None
    finish_reason: str | None
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


_COLUMNS = ", ".join(Reply.__struct_fields__)


class Journal:
    """The journal of one run, open for one process."""

    def __init__(self, path: Path) -> None:
        """Open the journal, or begin it.

        Raises:
            PipelineError: The file is no journal, is from a newer version, or cannot be written.
        """
        self.path = path
        with self._explained():
            self._db = sqlite3.connect(path, isolation_level=None)
            self._prepare()

    def _prepare(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and application != APPLICATION_ID:
            raise PipelineError(f"{self.path} is a database, but no journal of ours; pass another --out")
        if version > VERSION:
            raise PipelineError(f"{self.path} is from a newer version ({version}, not {VERSION}); upgrade to read it")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")  # safe against a kill; see `force`
        if not tables:
            self._db.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {APPLICATION_ID};"
                f" PRAGMA user_version = {VERSION}; COMMIT;"
            )

    def find(self, key: bytes) -> Reply | None:
        """Return the reply to this request, if it was ever paid for."""
        with self._explained():
            row = self._db.execute(f"SELECT {_COLUMNS} FROM replies WHERE key = ?", (key,)).fetchone()
        return Reply(*row) if row else None

    def keep(self, key: bytes, sample: str, reply: Reply) -> None:
        """Commit a reply.

        Raises:
            RunStopped: The disk is full or the file cannot be written.
        """
        fields = msgspec.structs.astuple(reply)
        with self._explained():
            self._db.execute(
                f"INSERT OR IGNORE INTO replies (key, sample, {_COLUMNS}, at) VALUES (?, ?, {'?, ' * len(fields)}?)",
                (key, sample, *fields, time.time()),
            )

    def count(self) -> int:
        """Return how many replies are kept."""
        with self._explained():
            (count,) = self._db.execute("SELECT count(*) FROM replies").fetchone()
        return int(count)

    def note(self, name: str) -> str | None:
        """Return a note that an earlier process left, such as what the server was found to accept."""
        with self._explained():
            row = self._db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def leave_note(self, name: str, value: str) -> None:
        """Write a note for later processes."""
        with self._explained():
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Close the file; nothing is left to be written."""
        self._db.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what a disk or a file can do to us into one line."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise RunStopped(
                f"cannot use {self.path}: {error}; what was committed is kept, run again to go on"
            ) from error
        except sqlite3.DatabaseError as error:
            raise PipelineError(f"{self.path} is not a readable journal: {error}; pass another --out") from error
