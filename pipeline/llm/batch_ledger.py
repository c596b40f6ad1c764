"""What of a run is in the hands of the batch endpoints, kept in the run's journal.

An entry is written before its batch is created, and names the keys that it covers. From that moment no other batch
may have those keys, whatever happens to this process, until the entry ends. Keys that were answered stay on record
after that: they are the replies that cost half.
"""

from __future__ import annotations

import time
from collections.abc import Container, Mapping

import msgspec

from pipeline.llm.journal import Journal

_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS batches (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,    -- our own, and in the batch's metadata
        file_id TEXT NOT NULL,      -- of the input file, as the server names it
        batch_id TEXT,              -- as the server names it; unknown until it answers
        tried_at REAL NOT NULL,     -- when its creation was asked for, in seconds since 1970
        ended INTEGER NOT NULL      -- 1 once all that it gave is in the journal
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS batch_keys (
        key BLOB PRIMARY KEY,       -- so that no two batches can have it
        number INTEGER NOT NULL,    -- of its batch
        sample TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX IF NOT EXISTS batch_numbers ON batch_keys (number)",
)
_UNANSWERED = "number = ? AND NOT EXISTS (SELECT 1 FROM keys WHERE keys.key = batch_keys.key)"


class Entry(msgspec.Struct, frozen=True):
    """A batch that exists at the server, or may exist."""

    number: int
    id: str
    """Our own; the server has it in the batch's metadata."""
    file_id: str
    batch_id: str | None
    """None: its creation was asked for, and the answer never read."""
    tried_at: float
    """When its creation was asked for, in seconds since 1970."""


class Ledger:
    """The batches of one journal."""

    def __init__(self, journal: Journal) -> None:
        """Open the ledger, or begin it."""
        self._journal = journal
        with journal.transaction() as db:
            for table in _TABLES:
                db.execute(table)

    def intend(self, own_id: str, file_id: str, items: Mapping[bytes, str]) -> None:
        """Write that a batch is about to be created.

        Args:
            own_id: A name that no other batch has.
            file_id: Its input file, uploaded already.
            items: From the keys that it covers to their samples.
        """
        # Forced: after a power cut, an intent that is forgotten would be work that is paid for twice.
        with self._journal.transaction(forced=True) as db:
            cursor = db.execute(
                "INSERT INTO batches (id, file_id, tried_at, ended) VALUES (?, ?, ?, 0)", (own_id, file_id, time.time())
            )
            number = cursor.lastrowid
            rows = ((key, number, sample) for key, sample in items.items())
            db.executemany("INSERT INTO batch_keys (key, number, sample) VALUES (?, ?, ?)", rows)

    def created(self, own_id: str, batch_id: str) -> None:
        """Write that the batch exists, and what the server calls it."""
        with self._journal.transaction(forced=True) as db:
            db.execute("UPDATE batches SET batch_id = ? WHERE id = ?", (batch_id, own_id))

    def open(self) -> list[Entry]:
        """Return the batches that have not ended, oldest first."""
        columns = ", ".join(Entry.__struct_fields__)
        rows = self._journal.query(f"SELECT {columns} FROM batches WHERE NOT ended ORDER BY number")
        return [Entry(*row) for row in rows]

    def has(self, key: bytes) -> bool:
        """Tell whether a key is answered, or covered by a batch."""
        return self._journal.has(key) or bool(self._journal.query("SELECT 1 FROM batch_keys WHERE key = ?", key))

    def sample(self, number: int, key: bytes) -> str | None:
        """Return the sample for which a batch has this key, or None where the key is none of its own."""
        rows = self._journal.query("SELECT sample FROM batch_keys WHERE key = ? AND number = ?", key, number)
        return str(rows[0][0]) if rows else None

    def end(self, number: int, refused: Container[bytes] = ()) -> list[bytes]:
        """Close a batch, so that keys that it did not answer may be asked again.

        Args:
            number: Its entry's number.
            refused: Keys for which it gave an error that lasts.

        Returns:
            The keys without an answer and without such an error.
        """
        self._journal.sort_keys()
        with self._journal.transaction(forced=True) as db:
            left = [key for (key,) in db.execute(f"SELECT key FROM batch_keys WHERE {_UNANSWERED}", (number,))]
            db.execute(f"DELETE FROM batch_keys WHERE {_UNANSWERED}", (number,))
            db.execute("UPDATE batches SET ended = 1 WHERE number = ?", (number,))
        return [key for key in left if key not in refused]

    def keys(self) -> set[bytes]:
        """Return the keys that batches which have not ended cover."""
        rows = self._journal.query("SELECT key FROM batch_keys JOIN batches USING (number) WHERE NOT ended")
        return {key for (key,) in rows}

    def waiting(self) -> int:
        """Return how many requests are in batches that have not ended."""
        ((count,),) = self._journal.query("SELECT count(*) FROM batch_keys JOIN batches USING (number) WHERE NOT ended")
        return int(count)
