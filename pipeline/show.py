"""A few samples of a run, readable in the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from pipeline.errors import PipelineError
from pipeline.samples.run import RunFolder
from pipeline.samples.shards import open_parquet, read_shard
from pipeline.settings import ShowSettings

_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # what steers a terminal; line breaks may stay
_COLUMNS = ["id", "image_id", "file_name", "kind", "messages", "context", "model", "attempts", "licence"]


def show(run: Path, settings: ShowSettings, console: Console) -> None:
    """Print samples with what the model saw, what it wrote and where that came from.

    Args:
        run: A run folder, finished or not, or a Parquet file of one.
        settings: Which samples, and how many.
        console: Where to print.

    Raises:
        PipelineError: There is no such run, or it has no such sample.
    """
    shown = 0
    for row in _rows(run):
        if settings.kind not in (None, row["kind"]) or settings.image_id not in (None, row["image_id"]):
            continue
        console.print(_panel(row))
        shown += 1
        if shown == settings.count:
            return
    if not shown:
        wanted = " and ".join(
            f"{name} {value!r}" for name, value in (("kind", settings.kind), ("image", settings.image_id)) if value
        )
        raise PipelineError(f"{run} has no sample of {wanted}" if wanted else _why_none(run))


def _rows(run: Path) -> Iterator[dict[str, Any]]:
    """Yield rows from the Parquet file, or from the shards of a run that is not finished."""
    parquet = RunFolder(run).samples if run.is_dir() else run
    try:
        if parquet.is_file():
            file = open_parquet(parquet)
            _check_columns(file.schema_arrow, parquet)
            for batch in file.iter_batches(100, columns=_COLUMNS):
                yield from batch.to_pylist()
            return
        if not RunFolder(run).journal.exists():
            raise PipelineError(f"no run at {run}; pass the folder that generate wrote, such as outputs/quickstart")
        for shard in sorted(RunFolder(run).shards.glob("*.arrow")):
            table = read_shard(shard)
            _check_columns(table.schema, shard)
            yield from table.select(_COLUMNS).to_pylist()
    except (pa.ArrowException, OSError) as error:
        told = " ".join(str(error).split())
        raise PipelineError(f"cannot read {parquet if parquet.is_file() else run}: {told}") from None


def _check_columns(schema: pa.Schema, path: Path) -> None:
    if missing := [name for name in _COLUMNS if name not in schema.names]:
        raise PipelineError(f"{path} holds no samples of ours: it has no column {missing[0]!r}")


def _why_none(run: Path) -> str:
    """Return why there is no sample to show, and what to do."""
    if run.is_file():
        return f"{run} has no sample"
    folder = RunFolder(run)
    if not folder.samples.exists():
        return f"{run} has no sample yet: no shard is finished yet; run the same command again to go on"
    count = open_parquet(folder.rejects).metadata.num_rows
    return f"{run} has no sample: all {count:,} were rejected; {folder.rejects} says why"


def _panel(row: dict[str, Any]) -> Panel:
    parts = [_text(row["context"], "dim"), Text("")]
    for message in row["messages"]:
        asked = message["role"] == "user"
        parts.append(_text(("Q  " if asked else "A  ") + message["content"], "bold" if asked else ""))
    facts = [f"{row['attempts']} attempts" if row["attempts"] > 1 else "", row["licence"] or ""]
    return Panel(
        Group(*parts),
        title=_text(row["id"], "bold"),
        subtitle=_text(" · ".join(fact for fact in (row["file_name"], row["model"], *facts) if fact), "dim"),
        title_align="left",
        subtitle_align="left",
        padding=(1, 2),
    )


def _text(text: str, style: str) -> Text:
    return Text(_CONTROLS.sub("", text), style=style)
