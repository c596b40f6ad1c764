"""The run folder: one process at a time, and ``run.json`` that says what was made from what.

outputs/<run>/
    run.json          what was asked for, what became of it
    journal.sqlite    every paid reply; the rest can be made again from it
    shards/*.arrow    the samples, in plan order
    samples.parquet   the same, to look at
    rejects.parquet   what could not be made, and why
    metrics.jsonl     figures, second by second
    report.html       what was made and how good it is, to look at
    stats.json        the same figures, to compute with
    README.md         dataset card
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.samples.writing import write_text


class RunFolder:
    """Where a run keeps what it makes."""

    def __init__(self, path: Path) -> None:
        """Name the places in a run folder; nothing is touched yet."""
        self.path = path
        self.journal = path / "journal.sqlite"
        self.shards = path / "shards"
        self.samples = path / "samples.parquet"
        self.rejects = path / "rejects.parquet"
        self.record = path / "run.json"
        self.card = path / "README.md"
        self.metrics = path / "metrics.jsonl"
        self.report = path / "report.html"
        self.stats = path / "stats.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder and hold it for this process; the hold ends with the process, however that ends.

        Raises:
            PipelineError: Another process holds it, it holds something else than a run, or it cannot be written to.
        """
        import filelock  # here, since only one of the processes of a run holds the folder

        try:
            self._refuse_strangers()
            self.shards.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.path / ".lock", blocking=False)
            lock.acquire()
        except filelock.Timeout:
            raise PipelineError(
                f"{self.path} is in use by another process; wait for it, or pass another --out"
            ) from None
        except OSError as error:
            raise PipelineError(f"cannot write to {self.path}: {error.strerror}; pass another --out") from None
        try:
            yield
        finally:
            lock.release()

    def _refuse_strangers(self) -> None:
        """Refuse a folder with files that are no run's: a run removes and replaces files by name."""
        if self.journal.exists() or not self.path.exists():
            return
        ours = {".lock", self.shards.name}  # all there is if the very first moment of a run was interrupted
        if any(self.shards.glob("*")) or any(entry.name not in ours for entry in self.path.iterdir()):
            raise PipelineError(f"{self.path} holds files and is no run folder; pass another --out")

    def read_record(self) -> dict[str, Any] | None:
        """Return ``run.json`` as an earlier process left it; ``None`` if there is none that can be read."""
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return record if isinstance(record, dict) else None

    def write_record(self, record: dict[str, Any]) -> None:
        """Replace ``run.json``."""
        write_text(self.record, json.dumps(record, indent=2, ensure_ascii=False) + "\n")

    def clear_derived(self) -> None:
        """Remove what an earlier plan left; it must not mix with this plan's, and the journal can make it again.

        Raises:
            PipelineError: Something of it cannot be removed.
        """
        for path in [*self.shards.glob("*.arrow"), self.samples, self.rejects, self.report, self.stats, self.card]:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise PipelineError(f"cannot remove {path}: {error.strerror}; pass another --out") from None
