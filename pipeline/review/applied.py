"""The samples with what reviewers said applied to them, for training and for publishing.

They go into a folder of their own: shards and the run's own ``samples.parquet`` stay as they are, so that all of it can
be made again, and verdicts go on naming the texts that they were given on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import PipelineError
from pipeline.review.rechecking import Rechecker
from pipeline.review.source import Source
from pipeline.samples.reviewed import Review, Reviewed, is_wanted, review_of
from pipeline.samples.verdicts import VerdictLog, fingerprint

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1000
_READ = ("id", "messages", "captions", "boxes", "claims", "findings", "kind", "context")
_TEXT = {"dtype": "string", "_type": "Value"}
_TEXTS = {"feature": _TEXT, "_type": "List"}


class Applied(msgspec.Struct, frozen=True):
    """What was written."""

    samples: Path
    counts: dict[str, int]
    """Of the rows that were read, by verdict."""
    written: int
    edits: int
    """Messages that say something else than the model wrote."""
    stale: int
    """Lines about texts that have changed since."""

    @property
    def told(self) -> str:
        """Return it in one line."""
        counts = ", ".join(f"{count:,} {verdict}" for verdict, count in self.counts.items())
        stale = f"; {self.stale:,} entries about texts that have changed since were left out" if self.stale else ""
        return f"{counts}; {self.written:,} samples in {self.samples}, {self.edits:,} messages of them edited{stale}"


def apply_verdicts(source: Source, reviewed: Reviewed) -> Applied:
    """Write ``samples.parquet`` with edits in its messages and five more columns on the review.

    Claims and findings of edited messages are those of the new text. Rows keep their order and their images.

    Args:
        source: The samples and their verdicts.
        reviewed: Which of them to write.

    Raises:
        PipelineError: Something cannot be read, or the folder not be written to.
    """
    import pyarrow as pa

    from pipeline.samples.shards import open_parquet, write_parquet

    log = VerdictLog(source.verdicts)
    log.catch_up()
    if not log.samples():
        raise PipelineError(f"no verdicts at {source.verdicts}; review some samples first")
    if source.out.resolve() == source.samples.resolve().parent:
        raise PipelineError(f"--out {source.out} holds the samples themselves, which stay as they are; pass another")
    try:
        source.out.mkdir(parents=True, exist_ok=True)
        with open_parquet(source.samples) as file:
            work = _Work(log, Rechecker(source.categories), reviewed)
            target = source.out / "samples.parquet"
            schema = _schema(file.schema_arrow)
            write_parquet(target, work.tables(file.iter_batches(_ROWS), schema), schema)
    except (pa.ArrowException, OSError) as error:
        raise PipelineError(f"cannot apply the verdicts to {source.samples}: {' '.join(str(error).split())}") from None
    stale = sum(log.stale(sample, of) for sample, of in work.met)
    return Applied(target, dict(work.counts), work.written, work.edits, stale)


class _Work:
    """Applies verdicts batch by batch, and counts."""

    def __init__(self, log: VerdictLog, rechecker: Rechecker, reviewed: Reviewed) -> None:
        self._log = log
        self._rechecker = rechecker
        self._reviewed = reviewed
        self._said = set(log.samples())
        self.counts: Counter[str] = Counter(dict.fromkeys(["accepted", "rejected", "disputed", "unreviewed"], 0))
        self.met: list[tuple[str, str]] = []
        self.written = 0
        self.edits = 0

    def tables(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
        """Yield what is to be written."""
        for batch in batches:
            table = self._table(batch, schema)
            self.written += table.num_rows
            yield table

    def _table(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
        import pyarrow as pa

        rows = batch.select([name for name in _READ if name in batch.schema.names]).to_pylist()
        originals = [row["messages"] for row in rows]
        reviews = [self._apply(row) for row in rows]
        columns = {name: batch.column(name) for name in batch.schema.names if name in schema.names}
        if any(review and review.edits for review in reviews):
            for name in ("messages", "claims", "findings"):
                if name in columns:
                    columns[name] = pa.array([row[name] for row in rows], schema.field(name).type)
        added = {
            "review_verdict": [review and review.verdict for review in reviews],
            "review_reasons": [list(review.reasons) if review else [] for review in reviews],
            "reviewers": [list(review.reviewers) if review else [] for review in reviews],
            "review_notes": [list(review.notes) if review else [] for review in reviews],
            "original_messages": [
                original if review and review.edits else None
                for original, review in zip(originals, reviews, strict=True)
            ],
        }
        columns |= {name: pa.array(values, schema.field(name).type) for name, values in added.items()}
        table = pa.table([columns[name] for name in schema.names], schema=schema)
        return table.filter(pa.array([is_wanted(review, self._reviewed) for review in reviews]))

    def _apply(self, row: dict[str, Any]) -> Review | None:
        """Put the edits into a row, and return what was said of it."""
        review = None
        if row["id"] in self._said:
            of = fingerprint(message["content"] or "" for message in row["messages"])
            self.met.append((row["id"], of))
            review = review_of(self._log, row["id"], row["messages"])
            if review and review.edits:
                standing = self._log.standing(row["id"], of)
                full = dict.fromkeys(("captions", "boxes", "claims", "findings", "kind", "context")) | row
                new = self._rechecker.recheck(full, standing)
                row |= {name: new[name] for name in ("messages", "claims", "findings") if name in row}
        self.counts[(review.verdict if review else None) or "unreviewed"] += 1
        if is_wanted(review, self._reviewed) and review:
            self.edits += len(review.edits)
        return review


def _schema(schema: pa.Schema) -> pa.Schema:
    """Return a schema with the columns on the review, also where the ``datasets`` library reads of them."""
    import pyarrow as pa

    messages = schema.field("messages").type
    texts = pa.list_(pa.string())
    types = {
        "review_verdict": pa.string(),
        "review_reasons": texts,
        "reviewers": texts,
        "review_notes": texts,
        "original_messages": messages,
    }
    fields = [field for field in schema if field.name not in types]
    metadata = dict(schema.metadata or {})
    try:
        told = json.loads(metadata[b"huggingface"])
        features = told["info"]["features"]
        features |= {"review_verdict": _TEXT, "original_messages": features["messages"]}
        features |= dict.fromkeys(("review_reasons", "reviewers", "review_notes"), _TEXTS)
        metadata[b"huggingface"] = json.dumps(told).encode()
    except (KeyError, TypeError, ValueError):  # a file without features, or with some of its own making
        metadata.pop(b"huggingface", None)
    return pa.schema([*fields, *(pa.field(name, kind) for name, kind in types.items())], metadata=metadata)
