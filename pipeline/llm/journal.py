"""Every reply that was paid for, kept before anything else happens to it.

One SQLite file a run, in WAL mode: a committed reply survives ``kill -9`` at once, and a power cut once ``force`` has
run. Shards, Parquet and figures are derived from here; the journal is the truth.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from pipeline.errors import PipelineError, RunStopped
from pipeline.llm import money
from pipeline.llm.money import NO_HOLD, Hold, Money

APPLICATION_ID = 0x564C4A31  # "VLJ1" in the file's header, so that `file` and we can tell what it is
VERSION = 2
CHECKPOINT_EVERY = 6000  # replies: 5 seconds of a fast server, and 65 MB of log; as much again at most for their keys
FORCE_EVERY_S = 0.04  # with the time that a disk takes, a reply is safe from a power cut within 50 ms
START_BYTES = 3  # of a key, to look it up in memory first: of 100,000 other keys, 1 in 170 begins like one of these
PAGE_BYTES = 8192  # a few replies a page: at SQLite's 4096 most of them would spill over onto a page of their own

_TABLES = """
CREATE TABLE IF NOT EXISTS replies (
    key BLOB NOT NULL,          -- sha256 over the request's bytes and its seed
    sample TEXT NOT NULL,       -- id of the sample it was asked for
    content TEXT,               -- the assistant's text
    refusal TEXT,               -- what the server says instead of a text
    finish_reason TEXT,
    model TEXT NOT NULL,        -- as the server names it
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost_usd REAL,              -- NULL where the price was not known
    at REAL NOT NULL            -- seconds since 1970
);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_KEYS = """
CREATE TABLE IF NOT EXISTS keys (
    key BLOB PRIMARY KEY,
    reply INTEGER NOT NULL      -- its row in the table of replies
) WITHOUT ROWID
"""


class Reply(msgspec.Struct, frozen=True):
    """One paid reply, as the server gave it, and its cost."""

    content: str | None
    refusal: str | None
    finish_reason: str | None
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost_usd: float | None = None
    """What it cost, by the price at the time; ``None`` where that was not known."""


_COLUMNS = ", ".join(Reply.__struct_fields__)
_KEEP = (
    f"INSERT OR IGNORE INTO replies (key, sample, {_COLUMNS}, at)"
    f" VALUES (?, ?, {'?, ' * len(Reply.__struct_fields__)}?)"
)
_SORT = "INSERT OR IGNORE INTO keys SELECT key, rowid FROM replies WHERE rowid > ? ORDER BY key"
_MOVE = "PRAGMA wal_checkpoint(PASSIVE)"  # waits for nobody


class Journal:
    """The journal of one run, open for one process."""

    def __init__(self, path: Path) -> None:
        """Open the journal, or begin it.

        Raises:
            PipelineError: The file is no journal, is from a newer version, or cannot be written.
        """
        self.path = path
        self._explained = _Explained(path)
        self._sorted_to = 0
        """Row of the latest reply whose key is in the table of keys, as are those of all replies before it."""
        self._unsorted: dict[bytes, int] = {}
        """Rows of the replies after that, which are this process's own, and those that it found.

        A key's place in a sorted table is at random: written with its reply, it would cost as much as the reply itself.
        A thousand keys cost little more than one.
        """
        with self._explained:
            try:
                self._open()
            except sqlite3.OperationalError as error:
                if "database is locked" not in str(error):
                    raise
                self._open_once_free()
        self.money = Money(self._db)
        """What its replies cost, and what is reserved for those to come."""

    def _open(self) -> None:
        self._db = sqlite3.connect(self.path, isolation_level=None)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _open_once_free(self) -> None:
        # SQLite itself waits for others, but not when it is to change to WAL, as several may want at a beginning.
        import tenacity  # which takes as long to load as all else here to open

        tenacity.retry(
            retry=tenacity.retry_if_exception_message(match=r"database is locked"),
            wait=tenacity.wait_random(0, 0.1),
            stop=tenacity.stop_after_delay(5),
            reraise=True,
        )(self._open)()

    def _prepare(self) -> None:
        self._db.execute("BEGIN")  # one look at all three: another process may begin the same file in this very moment
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        self._db.execute("COMMIT")
        if tables and application != APPLICATION_ID:
            raise PipelineError(f"{self.path} is a database, but no journal of ours; pass another --out")
        if version > VERSION:
            raise PipelineError(f"{self.path} is from a newer version ({version}, not {VERSION}); upgrade to read it")
        if not tables:
            self._db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")  # safe against a kill; `force` is for the rest
        if not tables:
            begun = f"PRAGMA application_id = {APPLICATION_ID};"
            self._db.executescript(f"BEGIN IMMEDIATE; {_TABLES} {money.TABLES} {begun} COMMIT;")
        if version < VERSION:  # new, or from before there was a table of keys
            self._db.executescript(f"BEGIN IMMEDIATE; {_KEYS}; PRAGMA user_version = {VERSION}; COMMIT;")
            self.sort_keys()
        (self._sorted_to,) = self._db.execute("SELECT coalesce(max(reply), 0) FROM keys").fetchone()
        rest = "SELECT key, rowid FROM replies WHERE rowid > ? ORDER BY rowid DESC"
        self._unsorted = dict(self._db.execute(rest, (self._sorted_to,)))

    def find(self, key: bytes) -> Reply | None:
        """Return the reply to this request, if it was ever paid for.

        What another process has kept since the first look-up is not seen; a run folder is held by one at a time.
        """
        number = self._number(key) if self._may_have(key) else None
        if number is None:
            return None
        with self._explained:
            row = self._db.execute(f"SELECT {_COLUMNS} FROM replies WHERE rowid = ?", (number,)).fetchone()
        return Reply(*row)

    def has(self, key: bytes) -> bool:
        """Tell whether there is a reply to this request; what is said of ``find`` goes for this as well."""
        return self._may_have(key) and self._number(key) is not None

    def _number(self, key: bytes) -> int | None:
        """Return the row of a reply."""
        if key in self._unsorted:
            return self._unsorted[key]
        with self._explained:
            row = self._db.execute("SELECT reply FROM keys WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def keep(self, key: bytes, sample: str, reply: Reply, hold: Hold = NO_HOLD) -> None:
        """Commit a reply and what it cost, which takes the place of what was reserved for it.

        A second reply under one key is not kept, but its cost is counted: it was paid for as well.

        Raises:
            RunStopped: The disk is full or the file cannot be written.
        """
        is_new = not (_mark(self._starts, key) and self.has(key))
        row = (key, sample, *msgspec.structs.astuple(reply), time.time())
        if hold.id is None and not reply.cost_usd:
            number = self._insert(row) if is_new else None
        else:
            cost = round((reply.cost_usd or 0) * money.BILLIONTHS)
            with self.transaction():
                number = self._insert(row) if is_new else None
                self.money.settle(hold, cost)
            self.money.settled(hold, cost)
        if number is not None:
            self._unsorted[key] = number

    def _insert(self, row: tuple[object, ...]) -> int | None:
        with self._explained:
            cursor = self._db.execute(_KEEP, row)
        return cursor.lastrowid if cursor.rowcount else None  # a journal of the first version refuses a second reply

    def _may_have(self, key: bytes) -> bool:
        """Tell whether a key is worth looking for in the file: of a new run's, hardly one is."""
        start = int.from_bytes(key[:START_BYTES])
        return bool(self._starts[start >> 3] & 1 << (start & 7))

    @cached_property
    def _starts(self) -> bytearray:
        """A bit for each beginning of a key."""
        starts = bytearray(2 ** (8 * START_BYTES - 3))
        with self._explained:
            for (known,) in self._db.execute("SELECT key FROM keys"):
                _mark(starts, known)
        for known in self._unsorted:
            _mark(starts, known)
        return starts

    def count(self) -> int:
        """Return how many replies are kept."""
        ((count,),) = self.query("SELECT count(DISTINCT key) FROM replies")
        return int(count)

    def sort_keys(self) -> None:
        """Put the keys of the replies that are not there yet into their table.

        Raises:
            RunStopped: The disk is full or the file cannot be written.
        """
        with self.transaction() as db:
            db.execute(_SORT, (self._sorted_to,))  # those of other processes as well, or they would be left out
            (sorted_to,) = db.execute("SELECT coalesce(max(rowid), 0) FROM replies").fetchone()
        self._sorted_to = sorted_to
        self._unsorted.clear()

    def note(self, name: str) -> str | None:
        """Return a note that an earlier process left, such as what the server was found to accept."""
        with self._explained:
            row = self._db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def leave_note(self, name: str, value: str) -> None:
        """Write a note for later processes."""
        with self._explained:
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a question that another module asks of tables of its own."""
        with self._explained:
            return self._db.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def transaction(self, *, forced: bool = False) -> Iterator[sqlite3.Connection]:
        """Give the database for a change that happens as a whole or not at all, with other processes kept out.

        Args:
            forced: Whether the change must survive a power cut too, and not only a kill, once the block has ended.

        Raises:
            RunStopped: The disk is full or the file cannot be written; nothing of it was done.
        """
        with self._explained:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if forced else 'NORMAL'}")
            try:
                self._db.execute("BEGIN IMMEDIATE")
                with self._db:
                    yield self._db
            finally:
                self._db.execute("PRAGMA synchronous = NORMAL")

    async def keep_forcing(self) -> None:
        """Force what was committed to the disk every 40 ms, in a thread, so that no answer waits for it; never ends.

        What SQLite does by itself after some hundred commits, moving the log into the file, is done here as well: the
        commit that does it takes a thousand times as long as others.
        """
        log = self.path.with_name(f"{self.path.name}-wal")
        self._run("PRAGMA wal_autocheckpoint = 0")
        forced = moved = 0
        try:
            while True:
                await asyncio.sleep(FORCE_EVERY_S)
                committed = self._db.total_changes
                if committed == forced:
                    continue
                await asyncio.to_thread(_force, log)
                forced = committed
                if committed - moved > CHECKPOINT_EVERY:
                    self.sort_keys()
                    with self._explained:
                        await asyncio.to_thread(_move, self.path)
                    self._run(_MOVE)  # the little that has come meanwhile, so that the log begins anew
                    moved = self._db.total_changes
        finally:
            self._run("PRAGMA wal_autocheckpoint = 1000")

    def _run(self, sql: str) -> None:
        with self._explained:
            self._db.execute(sql).fetchall()

    def close(self) -> None:
        """Close the file; all that was kept is in it."""
        self._db.close()


class _Explained:
    """Turns what a disk or a file can do to us into one line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.OperationalError):
            raise RunStopped(
                f"cannot use {self._path}: {error}; what was committed is kept, run again to go on"
            ) from error
        if isinstance(error, sqlite3.DatabaseError):
            raise PipelineError(f"{self._path} is not a readable journal: {error}; pass another --out") from error


def _mark(starts: bytearray, key: bytes) -> bool:
    """Set the bit of a key, and return whether it was set."""
    start = int.from_bytes(key[:START_BYTES])
    bit, before = 1 << (start & 7), starts[start >> 3]
    starts[start >> 3] = before | bit
    return bool(before & bit)


def _force(path: Path) -> None:
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # all of it is in the database file by now
        return
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _move(path: Path) -> None:
    """Move the write-ahead log of a journal into its file, by a connection of its own: others go on writing."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(_MOVE).fetchall()
