"""What reviewers together say of the samples of a run or a file, for whoever takes those samples further."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from pipeline.errors import PipelineError
from pipeline.samples.run import RunFolder
from pipeline.samples.shards import open_parquet
from pipeline.samples.verdicts import Combined, VerdictLog, fingerprint

VERDICTS = "verdicts.jsonl"
Reviewed = Literal["accepted", "not-rejected", "all"]
_ROWS = 1000


class Review(msgspec.Struct, frozen=True):
    """What all reviewers together say of one sample."""

    verdict: Combined | None
    """``None`` where it was only edited or noted."""
    reasons: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    edits: dict[int, str] = {}
    """What messages say now, by their places."""


def is_wanted(review: Review | None, reviewed: Reviewed) -> bool:
    """Return whether a sample is among those asked for.

    ``accepted``: all who decided accept it; ``not-rejected``: nobody rejects it; ``all``: it is there.
    """
    verdict = review.verdict if review else None
    return reviewed == "all" or verdict == "accepted" or (reviewed == "not-rejected" and verdict is None)


def load_reviewed(path: Path) -> dict[str, Review]:
    """Return what was said of the samples of a run or file, by id; those that nobody looked at are not in it.

    What was said of an earlier text of a sample does not count.

    Raises:
        PipelineError: Verdicts or samples cannot be read.
    """
    import pyarrow as pa

    log = VerdictLog(find_verdicts(path))
    log.catch_up()
    said = set(log.samples())
    samples = find_samples(RunFolder(path)) if path.is_dir() else path
    found: dict[str, Review] = {}
    try:
        if said:
            with open_parquet(samples) as file:
                for batch in file.iter_batches(_ROWS, columns=["id", "messages"]):
                    for sample, messages in zip(batch.column("id").to_pylist(), batch.column("messages"), strict=True):
                        if sample in said and (review := review_of(log, sample, messages.as_py())):
                            found[sample] = review
    except (pa.ArrowException, OSError) as error:
        raise PipelineError(f"cannot read {samples}: {' '.join(str(error).split())}") from None
    return found


def review_of(log: VerdictLog, sample: str, messages: list[dict[str, Any]]) -> Review | None:
    """Return what a log says of one sample, as its messages are now; ``None`` if nothing."""
    standing = log.standing(sample, fingerprint(message["content"] or "" for message in messages))
    if not (standing.verdicts or standing.notes or standing.edits):
        return None
    return Review(
        verdict=standing.combined,
        reasons=tuple(standing.reasons),
        reviewers=tuple(standing.verdicts),
        notes=tuple(f"{by}: {note}" for by, note in standing.notes.items()),
        edits={at: entry.text for at, entry in standing.edits.items() if at < len(messages)},
    )


def find_verdicts(path: Path) -> Path:
    """Return where the verdicts on a run or a file are kept, whether there are any or not."""
    folder = RunFolder(path) if path.is_dir() else run_around(path)
    return folder.path / VERDICTS if folder else path.with_name(f"{path.stem}.{VERDICTS}")


def find_samples(run: RunFolder) -> Path:
    """Return the Parquet file of a finished run: that with claims and findings, unless the run's own is newer."""
    checked = run.path / "check" / "samples.parquet"
    if checked.exists() and checked.stat().st_mtime_ns >= run.samples.stat().st_mtime_ns:
        return checked
    return run.samples


def run_around(path: Path) -> RunFolder | None:
    """Return the run whose samples a file holds; the copy with claims and findings has the same ids and texts."""
    parent = path.resolve().parent
    folder = RunFolder(parent.parent if parent.name == "check" else parent)
    return folder if path.name == folder.samples.name and folder.journal.exists() else None
