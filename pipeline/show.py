"""A few samples of a run, readable in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from pipeline.errors import PipelineError
from pipeline.samples.shards import read_shard
from pipeline.settings import ShowSettings

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
        raise PipelineError(f"{run} has no sample" + (f" of {wanted}" if wanted else "; run generate again to go on"))


def _rows(run: Path) -> Iterator[dict[str, Any]]:
    """Yield rows from the Parquet file, or from the shards of a run that is not finished."""
    parquet = run / "samples.parquet" if run.is_dir() else run
    shards = sorted((run / "shards").glob("*.arrow"))
    try:
        if parquet.is_file():
            for batch in pq.ParquetFile(parquet).iter_batches(100, columns=_COLUMNS):
                yield from batch.to_pylist()
        elif shards:
            for shard in shards:
                yield from read_shard(shard).select(_COLUMNS).to_pylist()
        else:
            raise PipelineError(f"no run at {run}; pass the folder that generate wrote, such as outputs/quickstart")
    except (pa.ArrowInvalid, KeyError) as error:
        raise PipelineError(f"{parquet if parquet.is_file() else run} holds no samples of ours: {error}") from None


def _panel(row: dict[str, Any]) -> Panel:
    parts = [Text(row["context"], style="dim"), Text("")]
    for message in row["messages"]:
        asked = message["role"] == "user"
        parts.append(Text(("Q  " if asked else "A  ") + message["content"], style="bold" if asked else ""))
    facts = [f"{row['attempts']} attempts" if row["attempts"] > 1 else "", row["licence"] or ""]
    return Panel(
        Group(*parts),
        title=Text(row["id"], style="bold"),
        subtitle=Text(" · ".join(fact for fact in (row["file_name"], row["model"], *facts) if fact), style="dim"),
        title_align="left",
        subtitle_align="left",
        padding=(1, 2),
    )
