"""The table in which a journal counts its money, in billionths of a dollar so that sums are exact.

What it is for is told in ``budget.py``; here is only how it is kept cheap. Its first row is what was spent, each other
row what is reserved for one try of a request, so that the sum over it is what the ceiling bounds. That sum stays in
memory while this process is the only one to write; SQLite tells when another has written, and then it is read again,
under the write lock, so that no two processes can both take the last place.
"""

from __future__ import annotations

import sqlite3

import msgspec

TABLES = """
CREATE TABLE IF NOT EXISTS money (
    id INTEGER PRIMARY KEY,
    key BLOB,                   -- of the request; one that is tried again has a row more
    amount INTEGER NOT NULL     -- the most that this one try can cost; in row 0, what all kept replies cost
);
INSERT OR IGNORE INTO money VALUES (0, NULL, 0);
"""
BILLIONTHS = 1_000_000_000


class Hold(msgspec.Struct, frozen=True, gc=False):
    """One try's place under the ceiling."""

    id: int | None
    """Of the reservation; ``None`` where nothing is reserved, because nothing can be billed or no price is known."""
    worst: int
    """The most that the try can cost, in billionths of a dollar."""


NO_HOLD = Hold(None, 0)


class Money:
    """Reservations and what was spent; ``reserve`` and ``settle`` go inside a transaction of the journal's."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Count nothing yet."""
        self._db = db
        self._version: int | None = None
        self._counted = 0
        """Spent and reserved together; true while SQLite's version of the file is the one above."""

    def reserve(self, key: bytes, worst: int, ceiling: int) -> Hold | None:
        """Reserve for one try of a request; ``None`` if that would pass the ceiling.

        A transaction that fails after this call leaves too much counted in memory, never too little.
        """
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._counted, self._version = sum(self.read()), version
        if self._counted + worst > ceiling:
            return None
        self._counted += worst
        return Hold(self._db.execute("INSERT INTO money (key, amount) VALUES (?, ?)", (key, worst)).lastrowid, worst)

    def settle(self, hold: Hold, cost: int) -> None:
        """Put a cost in the place of a reservation; tell ``settled`` once the transaction is committed."""
        if hold.id is not None:
            self._db.execute("DELETE FROM money WHERE id = ?", (hold.id,))
        if cost:
            self._db.execute("UPDATE money SET amount = amount + ? WHERE id = 0", (cost,))

    def settled(self, hold: Hold, cost: int) -> None:
        """Count in memory what ``settle`` has changed; a transaction that failed leaves the sum as it was."""
        self._counted += cost - hold.worst

    def read(self) -> tuple[int, int]:
        """Return what is spent and what is reserved, over all processes."""
        row = self._db.execute("SELECT sum(amount) FILTER (WHERE id = 0), sum(amount) FROM money").fetchone()
        return int(row[0]), int(row[1] - row[0])

    def open_holds(self) -> dict[bytes, Hold]:
        """Return what is reserved by the key of its request, the oldest where there are several."""
        rows = self._db.execute("SELECT key, id, amount FROM money WHERE id > 0 ORDER BY id DESC")
        return {key: Hold(reservation, worst) for key, reservation, worst in rows}
