"""The samples of a Parquet file, by number: a slim table in memory to filter and count by, whole rows from the file.

DuckDB reads the file and holds the table. The table is made in the background, 150,000 samples in about a second, so
that the first page need not wait for it. Nothing is written, and DuckDB may load no extension, so it opens no
connection.
"""

from __future__ import annotations

import glob
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from pipeline.errors import PipelineError

MEMORY = "256MB"
_THREADS = 4  # at most; more make a query of a few milliseconds no faster
LUCK = 2_147_483_647  # a prime; drawing lots is multiplying modulo it

COLUMNS = {
    "id": "VARCHAR",
    "image_id": "VARCHAR",
    "image": "STRUCT(bytes BLOB, path VARCHAR)",
    "file_name": "VARCHAR",
    "width": "INTEGER",
    "height": "INTEGER",
    "licence": "VARCHAR",
    "kind": "VARCHAR",
    "messages": "STRUCT(role VARCHAR, content VARCHAR)[]",
    "context": "VARCHAR",
    "captions": "VARCHAR[]",
    "boxes": "STRUCT(label VARCHAR, bbox FLOAT[], crowd BOOLEAN)[]",
    "claims": 'STRUCT(message INTEGER, "start" INTEGER, "end" INTEGER, kind VARCHAR, verdict VARCHAR, boxes INTEGER[], '
    "captions INTEGER[], detail VARCHAR)[]",
    "findings": 'STRUCT(message INTEGER, "start" INTEGER, "end" INTEGER, kind VARCHAR, detail VARCHAR)[]',
    "model": "VARCHAR",
    "prompt_hash": "VARCHAR",
    "request_hash": "VARCHAR",
    "seed": "BIGINT",
    "attempts": "INTEGER",
    "finish_reason": "VARCHAR",
    "prompt_tokens": "BIGINT",
    "completion_tokens": "BIGINT",
    "cost_usd": "DOUBLE",
}
"""What a page shows of a row. A file may lack all but ``id`` and ``messages``; what it lacks is null."""

_TEXT = "array_to_string(list_transform(messages, lambda m: coalesce(m.content, '')), chr({sign}))"
_FINGERPRINT = f"left(md5({_TEXT.format(sign=30)}), 16)"
_TABLE = f"""
CREATE TABLE samples AS
SELECT n, id, coalesce(kind, '') AS kind, coalesce(model, '') AS model,
    list_distinct(list_transform(coalesce(boxes, []), lambda b: coalesce(b.label, ''))) AS labels,
    list_distinct(list_transform(coalesce(findings, []), lambda f: coalesce(f.kind, ''))) AS findings,
    len(list_filter(coalesce(claims, []), lambda c: c.verdict = 'contradicted')) AS wrong,
    CASE WHEN wrong > 0 THEN 'contradicted'
         WHEN len(list_filter(coalesce(claims, []), lambda c: c.verdict = 'supported')) > 0 THEN 'supported'
         ELSE 'none checkable' END AS statements,
    list_sum(list_transform(coalesce(messages, []), lambda m:
        CASE WHEN m.role = 'assistant' THEN len(string_split(m.content, ' ')) ELSE 0 END))::INTEGER AS words,
    (md5_number_lower(id) % {LUCK})::BIGINT AS luck,
    lower(id || chr(10) || {_TEXT.format(sign=10)}) AS text
FROM (SELECT * REPLACE (coalesce(id, n::VARCHAR) AS id) FROM rows)
"""
_MARKS = """
CREATE TABLE marks (n INTEGER PRIMARY KEY, verdict VARCHAR, raters VARCHAR[], reasons VARCHAR[], tags VARCHAR[])
"""


class Samples:
    """The samples of one file."""

    def __init__(self, path: Path) -> None:
        """Open the file; ``prepare`` makes the table.

        Raises:
            PipelineError: It is no Parquet file with samples.
        """
        self.path = path
        self._signature = _signature(path)
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "threads": min(os.cpu_count() or 1, _THREADS),
                "memory_limit": MEMORY,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        self._connection.execute("SET parquet_metadata_cache = true")
        self._ready = threading.Event()
        self._failed: Exception | None = None
        self._writing = threading.Lock()
        source = f"read_parquet('{_quoted(path)}', file_row_number = true)"
        try:
            self._connection.execute(f"CREATE VIEW rows AS SELECT {self._columns(source)} FROM {source}")
            self.count: int = self.ask("SELECT count(*) FROM rows")[0][0]
        except duckdb.Error as error:
            raise PipelineError(f"cannot read {path}: {_in_short(error)}") from None
        self._connection.execute(_MARKS)

    def _columns(self, source: str) -> str:
        there = {name for name, *_ in self.ask(f"DESCRIBE SELECT * FROM {source}")}
        parts = ["file_row_number::INTEGER AS n"]
        for name, kind in COLUMNS.items():
            fits = name in there and self._casts(source, name, kind)
            parts.append(f'CAST({name if fits else "NULL"} AS {kind}) AS "{name}"')
            if name in ("id", "messages") and not fits:
                raise PipelineError(f"{self.path} holds no samples: it has no column {name!r} that could be read")
        return ", ".join(parts)

    def _casts(self, source: str, name: str, kind: str) -> bool:
        try:
            self.ask(f"SELECT CAST({name} AS {kind}) FROM {source} LIMIT 1")
        except (duckdb.BinderException, duckdb.ConversionException):
            return False
        return True

    def prepare(self) -> None:
        """Make the table, in a thread of its own."""
        threading.Thread(target=self._prepare, name="index", daemon=True).start()

    def _prepare(self) -> None:
        try:
            self._connection.cursor().execute(_TABLE)
        except duckdb.Error as error:
            self._failed = PipelineError(f"cannot read {self.path}: {_in_short(error)}")
        finally:
            self._ready.set()

    def wait(self) -> None:
        """Wait until the table is made.

        Raises:
            PipelineError: The file turned out to be broken.
        """
        self._ready.wait()
        if self._failed:
            raise self._failed

    def ask(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows that a query gives, as tuples. Any thread may ask."""
        return self._connection.cursor().execute(query, list(values)).fetchall()

    def check_unchanged(self) -> None:
        """Refuse to go on with a file that has been replaced, as the numbers of its rows mean nothing then.

        Raises:
            PipelineError: It has been.
        """
        if _signature(self.path) != self._signature:
            raise PipelineError(f"{self.path} has been written again; stop the review with Ctrl-C and start it anew")

    def row(self, number: int) -> dict[str, Any]:
        """Return a row with what ``COLUMNS`` names, but without the bytes of its image.

        Raises:
            PipelineError: The file has been replaced, or has no such row.
        """
        self.check_unchanged()
        names = [name for name in COLUMNS if name != "image"]
        columns = ", ".join(f'"{name}"' for name in names)
        found = self.ask(f"SELECT {columns}, image.path FROM rows WHERE n = ?", [number])
        if not found:
            raise PipelineError(f"there is no sample number {number}; there are {self.count:,}")
        row = dict(zip([*names, "path"], found[0], strict=True))
        row["id"] = row["id"] if row["id"] is not None else str(number)
        return row

    def image_bytes(self, number: int) -> bytes | None:
        """Return the image file that a row holds; ``None`` where it holds none."""
        self.check_unchanged()
        found = self.ask("SELECT image.bytes FROM rows WHERE n = ?", [number])
        return found[0][0] if found else None

    def find(self, sample: str) -> int | None:
        """Return the number of a sample; ``None`` where there is none of that id."""
        self.wait()
        return self.ask("SELECT min(n) FROM samples WHERE id = ?", [sample])[0][0]  # type: ignore[no-any-return]

    def places(self, samples: Sequence[str]) -> list[tuple[str, int, str]]:
        """Return id, number and fingerprint of those samples that the file has."""
        self.wait()
        if not samples:
            return []
        numbers = [n for (n,) in self.ask("SELECT n FROM samples WHERE id IN (SELECT unnest(?))", [list(samples)])]
        # Number by number for a few: a look-up passes over all row groups but one.
        if len(numbers) <= 4:
            return [found for n in numbers for found in self._fingerprints("n = ?", n)]
        return self._fingerprints("n IN (SELECT unnest(?))", numbers)

    def _fingerprints(self, where: str, value: Any) -> list[tuple[str, int, str]]:
        return self.ask(f"SELECT coalesce(id, n::VARCHAR), n, {_FINGERPRINT} FROM rows WHERE {where}", [value])

    def mark(self, marks: Iterable[tuple[int, str | None, list[str], list[str], list[str]]]) -> None:
        """Note verdict, raters, reasons and tags of samples, by number, so that they can be filtered by."""
        sides = [list(side) for side in zip(*marks, strict=True)]
        if not sides:
            return
        types = ("INTEGER[]", "VARCHAR[]", "VARCHAR[][]", "VARCHAR[][]", "VARCHAR[][]")
        columns = ", ".join(f"unnest(?::{kind})" for kind in types)
        # Nested lists would be unnested to their bottom otherwise; so each list is unnested once, side by side.
        with self._writing:
            self._connection.cursor().execute(f"INSERT OR REPLACE INTO marks SELECT {columns}", sides)


def _signature(path: Path) -> tuple[int, int, int]:
    try:
        told = path.stat()
    except OSError as error:
        raise PipelineError(f"cannot read {path}: {error.strerror or error}") from None
    return told.st_ino, told.st_size, told.st_mtime_ns


def _quoted(path: Path) -> str:
    """Return a path as it stands in a query: no character of it is a pattern or ends the text."""
    return glob.escape(str(path.resolve())).replace("'", "''")


def _in_short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
