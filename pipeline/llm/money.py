"""The tables in which a journal counts its money, in billionths of a dollar so that sums are exact.

What they are for is told in ``budget.py``; here is only how they are kept cheap. The sum that a reservation is checked
against stays in memory while this process is the only one to write; SQLite tells when another has written, and then it
is read again, under the write lock, so that no two processes can both take the last place.
"""

from __future__ import annotations

import sqlite3

TABLES = """
ALTER TABLE replies ADD COLUMN cost_usd REAL;  -- NULL where the price was not known
CREATE TABLE reservations (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL,          -- of the request; a request that is tried again has a second one
    worst INTEGER NOT NULL      -- the most that this one try can cost
);
CREATE TABLE spent (sum INTEGER NOT NULL);
INSERT INTO spent VALUES (0);
"""
BILLIONTHS = 1_000_000_000


class Money:
    """Reservations and what was spent. All but ``read`` is called inside a transaction of the journal's."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Count nothing yet."""
        self._db = db
        self._version: int | None = None
        self._counted = 0
        """Spent and reserved together; true while SQLite's version of the file is the one above."""

    def reserve(self, key: bytes, worst: int, ceiling: int) -> int | None:
        """Reserve for one try of a request, and return the reservation's id; ``None`` if that would pass the ceiling.

        A transaction that fails after this call leaves too much counted in memory, never too little.
        """
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._counted, self._version = sum(self.read()), version
        if self._counted + worst > ceiling:
            return None
        self._counted += worst
        return self._db.execute("INSERT INTO reservations (key, worst) VALUES (?, ?)", (key, worst)).lastrowid

    def release(self, reservation: int) -> int:
        """Remove a reservation, and return what it held; tell ``freed`` once the transaction is committed."""
        row = self._db.execute("DELETE FROM reservations WHERE id = ? RETURNING worst", (reservation,)).fetchall()
        return int(row[0][0]) if row else 0

    def spend(self, cost: int) -> None:
        """Count what was spent; it must be told ``freed``, as less than nothing, before the transaction is committed."""
        self._db.execute("UPDATE spent SET sum = sum + ?", (cost,))

    def freed(self, amount: int) -> None:
        """Take from the sum in memory what is no longer counted."""
        self._counted -= amount

    def read(self) -> tuple[int, int]:
        """Return what is spent and what is reserved, over all processes."""
        sums = "SELECT (SELECT sum FROM spent), (SELECT ifnull(sum(worst), 0) FROM reservations)"
        spent, reserved = self._db.execute(sums).fetchone()
        return spent, reserved
