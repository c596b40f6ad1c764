"""The files of a run once all its samples are settled: one look over all of them, Parquet, report, card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import RunStopped
from pipeline.quality.report.summary import card_section
from pipeline.quality.survey import Survey
from pipeline.samples.card import write_card
from pipeline.samples.columns import build_table
from pipeline.samples.run import RunFolder
from pipeline.samples.shards import (
    REJECT_SCHEMA,
    SCHEMA,
    in_batches,
    read_shard,
    write_parquet,
    write_shard_tables,
)


def write_files(
    folder: RunFolder,
    shards: Iterable[Path],
    rejects: Iterable[dict[str, Any]],
    survey: Survey | None,
    *,
    embed_images: bool,
) -> None:
    """Write the Parquet files of a run, and show the survey all that is in them.

    That a sample says what an earlier one said is known only now, in plan order. It is added to the findings of the
    later one, in its shard and in the Parquet file alike.

    Args:
        folder: Of the run.
        shards: In plan order.
        rejects: Rows of ``rejects.parquet``.
        survey: Takes samples and rejects; ``None`` where samples are not checked.
        embed_images: Whether the shards hold the images' bytes.
    """
    if survey is None:
        write_parquet(folder.samples, map(read_shard, shards), SCHEMA)
        write_parquet(folder.rejects, in_batches(rejects, REJECT_SCHEMA), REJECT_SCHEMA)
        return
    write_parquet(folder.samples, (_surveyed(path, survey, embed_images) for path in shards), SCHEMA)
    write_parquet(folder.rejects, in_batches(_seen(rejects, survey), REJECT_SCHEMA), REJECT_SCHEMA)


def _surveyed(shard: Path, survey: Survey, embed_images: bool) -> pa.Table:
    table = read_shard(shard)
    findings: list[pa.Array] = []
    added = False
    for batch in table.to_batches():
        rows = batch.to_pylist()
        for row in rows:
            added |= survey.take(row)
        findings.append(findings_column(rows))
    if not added:
        return table
    place = table.schema.get_field_index("findings")
    table = table.set_column(place, SCHEMA.field(place), pa.chunked_array(findings))
    write_shard_tables(shard, [table], embed_images=embed_images)
    return table


def findings_column(rows: list[dict[str, Any]]) -> pa.Array:
    """Return the findings of rows as their column."""
    schema = pa.schema([SCHEMA.field("findings")])
    return build_table(rows, schema).column(0).chunk(0)


def _seen(rejects: Iterable[dict[str, Any]], survey: Survey) -> Iterator[dict[str, Any]]:
    for row in rejects:
        survey.take_reject(row)
        yield row


def write_words(folder: RunFolder, record: dict[str, Any], survey: Survey | None) -> None:
    """Write what people read of a finished run: the dataset card, and where it was checked the report and its figures.

    Args:
        folder: Of the run.
        record: ``run.json`` as it is at the end.
        survey: Of all samples and rejects.
    """
    if survey is None:
        write_card(folder, record)
        return
    try:
        figures = survey.write(folder.path, title=folder.path.resolve().name, record=record, metrics=folder.metrics)
    except OSError as error:
        raise RunStopped(
            f"cannot write {folder.report}: {error.strerror or error}; the samples are complete, run again for the rest"
        ) from error
    write_card(folder, record, card_section(figures))
