"""The samples of a Parquet file, by number: a slim table in memory to filter and count by, whole rows from the file.

DuckDB reads the file and holds the table. It is made when it is first needed, 150,000 samples in two to four seconds,
so that the first page need not wait for it. Nothing is written, and DuckDB may load no extension, so it opens no
connection.
"""

from __future__ import annotations

import glob
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.errors import PipelineError
from pipeline.review.rows import MOST_BYTES, Rows
from pipeline.samples.verdicts import fingerprint

MEMORY = "256MB"
LUCK = 2_147_483_647  # a prime; drawing lots is multiplying modulo it
_THREADS = 4  # at most; more make a query of a few milliseconds no faster
_KEPT = 512  # rows
_SEARCHES = 16  # whose results are kept
_FEW = 4  # samples of which each is looked up by itself

COLUMNS = {
    "id": "VARCHAR",
    "image_id": "VARCHAR",
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
"""What a page shows of a row, beside the image. A file may lack all but ``id`` and ``messages``; the rest is null."""
_IMAGE = "STRUCT(bytes BLOB, path VARCHAR)"

_TEXT = "array_to_string(list_transform(messages, lambda m: coalesce(m.content, '')), chr({sign}))"
_FINGERPRINT = f"left(md5({_TEXT.format(sign=30)}), 16)"  # as ``verdicts.fingerprint`` makes it
_TABLES = f"""
CREATE TABLE read AS
SELECT n, id, coalesce(kind, '') AS kind, coalesce(model, '') AS model,
    list_distinct(list_transform(coalesce(boxes, []), lambda b: coalesce(b.label, ''))) AS labels,
    list_distinct(list_transform(coalesce(findings, []), lambda f: coalesce(f.kind, ''))) AS findings,
    len(list_filter(coalesce(claims, []), lambda c: c.verdict = 'contradicted')) AS wrong,
    CASE WHEN wrong > 0 THEN 'contradicted'
         WHEN len(list_filter(coalesce(claims, []), lambda c: c.verdict = 'supported')) > 0 THEN 'supported'
         ELSE 'none checkable' END AS statements,
    coalesce(list_sum(list_transform(messages, lambda m:
        CASE WHEN m.role = 'assistant' THEN len(string_split(m.content, ' ')) ELSE 0 END)), 0)::INTEGER AS words,
    (md5_number_lower(id) % {LUCK})::BIGINT AS luck,
    lower(id || chr(10) || {_TEXT.format(sign=10)}) AS text
FROM rows;
CREATE TABLE names AS
SELECT value, (row_number() OVER (ORDER BY value))::INTEGER AS code
FROM (SELECT DISTINCT unnest(list_concat(labels, findings)) AS value FROM read);
CREATE TABLE samples AS
SELECT * EXCLUDE (codes) REPLACE (list_transform(labels, lambda l: codes[l]) AS labels,
    list_transform(findings, lambda f: codes[f]) AS findings)
FROM read, (SELECT map(list(value), list(code)) AS codes FROM names);
DROP TABLE read;
CREATE TABLE found (q VARCHAR, n INTEGER);
"""
_MARKS = """
CREATE TABLE marks (n INTEGER PRIMARY KEY, verdict VARCHAR, raters VARCHAR[], reasons VARCHAR[], tags VARCHAR[])
"""


class Samples:
    """The samples of one file."""

    def __init__(self, path: Path) -> None:
        """Open the file.

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
        self._connection.execute("SET GLOBAL parquet_metadata_cache = true")
        self._made = False
        self._making = threading.Lock()
        self._writing = threading.Lock()
        self._kept: OrderedDict[int, dict[str, Any]] = OrderedDict()
        self._searches: dict[str, None] = {}
        source = f"read_parquet('{_quoted(path)}', file_row_number = true)"
        try:
            self._connection.execute(f"CREATE VIEW rows AS SELECT {self._columns(source)} FROM {source}")
            self.count: int = self.ask("SELECT count(*) FROM rows")[0][0]
            self._rows = self._reader()
        except (duckdb.Error, pa.ArrowException) as error:
            raise PipelineError(f"cannot read {path}: {_in_short(error)}") from None
        self._connection.execute(_MARKS)

    def _reader(self) -> Rows | None:
        """Return what reads rows, unless a column has to be brought into another type, or row groups are too large."""
        rows = Rows(self.path, [*self._ready_made, "image.path"])
        return rows if self._all_ready and rows.heaviest <= MOST_BYTES else None

    def _columns(self, source: str) -> str:
        """Return what brings a file's columns into our types; a column of another kind counts as missing."""
        there = {name: kind for name, kind, *_ in self.ask(f"DESCRIBE SELECT * FROM {source}")}
        wanted = COLUMNS | {"image": _IMAGE}
        told = self.ask("DESCRIBE SELECT " + ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in wanted.items()))
        ours = {name: kind for name, kind, *_ in told}
        self._ready_made = [name for name in COLUMNS if there.get(name) == ours[name]]
        self._all_ready = not (there.keys() & ours.keys()) - {"image", *self._ready_made}
        parts = ["file_row_number::INTEGER AS n"]
        for name, kind in wanted.items():
            value = f'"{name}"' if there.get(name) == ours[name] else f"NULL::{kind}"
            if name in there and there[name] != ours[name] and self._casts(source, name, kind):
                value = f'TRY_CAST("{name}" AS {kind})'
            if name in ("id", "messages") and value.startswith("NULL"):
                raise PipelineError(f"{self.path} holds no samples: it has no column {name!r} that could be read")
            if name == "id":
                value = f"coalesce({value}, file_row_number::VARCHAR)"
            parts.append(f'{value} AS "{name}"')
        return ", ".join(parts)

    def _casts(self, source: str, name: str, kind: str) -> bool:
        try:
            self.ask(f'SELECT TRY_CAST("{name}" AS {kind}) FROM {source} LIMIT 0')
        except duckdb.BinderException:
            return False
        return True

    def wait(self) -> None:
        """Make the table, or wait until it is made.

        Raises:
            PipelineError: The file turns out to be broken.
        """
        if self._made:
            return
        with self._making:
            if not self._made:
                try:
                    self._connection.cursor().execute(_TABLES)
                except duckdb.Error as error:
                    raise PipelineError(f"cannot read {self.path}: {_in_short(error)}") from None
                self._made = True

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
        """Return a row with what ``COLUMNS`` names, and as ``path`` that of its image. It must not be changed.

        Raises:
            PipelineError: The file has been replaced, or has no such row.
        """
        self.check_unchanged()
        row = self._kept.get(number)
        if row is None:
            row = self._rows.read(number) if self._rows else self._query(number)
            if row is None:
                raise PipelineError(f"there is no sample number {number}; there are {self.count:,}")
            image = row.pop("image", None)
            row = dict.fromkeys(COLUMNS) | row | {"path": image["path"] if image else None}
            row["id"] = str(number) if row["id"] is None else row["id"]
            with self._writing:
                self._kept[number] = row
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return row

    def _query(self, number: int) -> dict[str, Any] | None:
        """Return a row from a file that ``Rows`` cannot take."""
        columns = ", ".join(f'"{name}"' for name in COLUMNS)
        found = self.ask(f"SELECT {columns}, {{'path': image.path}} FROM rows WHERE n = {number:d}")
        return dict(zip([*COLUMNS, "image"], found[0], strict=True)) if found else None

    def image_bytes(self, number: int) -> bytes | None:
        """Return the image file that a row holds; ``None`` where it holds none."""
        self.check_unchanged()
        found = self.ask(f"SELECT image.bytes FROM rows WHERE n = {number:d}")
        return found[0][0] if found else None

    def find(self, sample: str) -> int | None:
        """Return the number of a sample; ``None`` where there is none of that id."""
        self.wait()
        return self.ask("SELECT min(n) FROM samples WHERE id = ?", [sample])[0][0]  # type: ignore[no-any-return]

    def codes(self, values: Sequence[str]) -> list[int]:
        """Return the codes by which the table knows categories and kinds of findings; those that it has."""
        self.wait()
        return [
            code for (code,) in self.ask("SELECT code FROM names WHERE value IN (SELECT unnest(?))", [list(values)])
        ]

    def search(self, q: str) -> None:
        """See to it that the table ``found`` has the samples in whose text or id something occurs."""
        self.wait()
        with self._writing:
            if q in self._searches:
                return
            cursor = self._connection.cursor()
            if len(self._searches) >= _SEARCHES:
                oldest = next(iter(self._searches))
                del self._searches[oldest]
                cursor.execute("DELETE FROM found WHERE q = ?", [oldest])
            cursor.execute("INSERT INTO found SELECT $1, n FROM samples WHERE contains(text, lower($1))", [q])
            self._searches[q] = None

    def places(self, samples: Sequence[str]) -> list[tuple[str, int, str]]:
        """Return id, number and fingerprint of those samples that the file has."""
        self.wait()
        if not samples:
            return []
        found = self.ask("SELECT id, n FROM samples WHERE id IN (SELECT unnest(?))", [list(samples)])
        if len(found) <= _FEW:
            return [(sample, n, fingerprint(texts_of(self.row(n)))) for sample, n in found]
        numbers = [n for _, n in found]
        return self.ask(f"SELECT id, n, {_FINGERPRINT} FROM rows WHERE n IN (SELECT unnest(?))", [numbers])

    def mark(self, marks: Iterable[tuple[int, str | None, list[str], list[str], list[str]]]) -> None:
        """Note verdict, raters, reasons and tags of samples, by number, so that they can be filtered by."""
        sides = [list(side) for side in zip(*marks, strict=True)]
        if not sides:
            return
        types = ("INTEGER[]", "VARCHAR[]", "VARCHAR[][]", "VARCHAR[][]", "VARCHAR[][]")
        columns = ", ".join(f"unnest(?::{kind})" for kind in types)
        with self._writing:
            self._connection.cursor().execute(f"INSERT OR REPLACE INTO marks SELECT {columns}", sides)


def texts_of(row: dict[str, Any]) -> list[str]:
    """Return what a row's messages say."""
    return [message["content"] or "" for message in row["messages"] or []]


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
