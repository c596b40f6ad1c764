"""The files of a run: shards as samples settle; at the end one look over all of them, Parquet, report, card."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.errors import RunStopped
from pipeline.records import Reject, Sample
from pipeline.samples.columns import build_table
from pipeline.samples.run import RunFolder
from pipeline.samples.shards import (
    REJECT_SCHEMA,
    SCHEMA,
    Shards,
    in_batches,
    read_shard,
    reject_row,
    write_parquet,
    write_shard_tables,
)

if TYPE_CHECKING:
    from pipeline.quality.survey import Survey


class Files:
    """Takes what becomes of the plan, and writes it."""

    def __init__(self, run: Path, shard_size: int, *, embed_images: bool, checked: bool) -> None:
        """Begin with nothing settled.

        Args:
            run: The run folder.
            shard_size: Planned samples a shard.
            embed_images: Whether rows hold the image's bytes.
            checked: Whether samples were held against their scenes, so that there is something to report.
        """
        self._folder = RunFolder(run)
        self._shards = Shards(self._folder.shards, shard_size, embed_images=embed_images)
        self._embed = embed_images
        self._survey = _new_survey() if checked else None

    def settle(self, settled: Iterable[tuple[int, Sample | None]]) -> None:
        """Take what became of planned samples, by their places in the plan: ``None`` where one was rejected.

        Raises:
            RunStopped: A shard cannot be written, or an image cannot be read.
        """
        self._shards.settle(settled)

    def finish(self, planned: int, rejects: list[Reject]) -> None:
        """Write the last shard and the Parquet files, and show the survey all that is in them.

        That a sample says what an earlier one said is known only now, in plan order. It is added to the findings of the
        later one, in its shard and in the Parquet file alike.

        Args:
            planned: How many are settled.
            rejects: In plan order.

        Raises:
            RunStopped: One of them cannot be written.
            RuntimeError: Not all that was planned is settled; a bug of ours.
        """
        shards = self._shards.finish(planned)
        write_parquet(self._folder.samples, map(self._surveyed, shards), SCHEMA)
        write_parquet(self._folder.rejects, in_batches(self._rows_of(rejects), REJECT_SCHEMA), REJECT_SCHEMA)

    def _surveyed(self, shard: Path) -> pa.Table:
        table = read_shard(shard)
        if self._survey is None:
            return table
        findings: list[pa.Array] = []
        added = False
        for batch in table.to_batches():
            rows = batch.to_pylist()
            for row in rows:
                added |= self._survey.take(row)
            findings.append(_findings_column(rows))
        if not added:
            return table
        place = table.schema.get_field_index("findings")
        table = table.set_column(place, SCHEMA.field(place), pa.chunked_array(findings))
        write_shard_tables(shard, [table], embed_images=self._embed)
        return table

    def _rows_of(self, rejects: list[Reject]) -> Iterator[dict[str, Any]]:
        if not rejects:
            return
        from pipeline.llm.journal import Journal

        with contextlib.closing(Journal(self._folder.journal)) as journal:
            for reject in rejects:
                paid = journal.find(bytes.fromhex(reject.request_hash)) if reject.request_hash else None
                row = reject_row(reject, paid.content if paid else None)
                if self._survey:
                    self._survey.take_reject(row)
                yield row

    def write_words(self, record: dict[str, Any]) -> None:
        """Write what people read of a finished run: the dataset card, and where it was checked the report and figures.

        Args:
            record: ``run.json`` as it is at the end.

        Raises:
            RunStopped: One of them cannot be written.
        """
        from pipeline.samples.card import write_card

        folder = self._folder
        if self._survey is None:
            write_card(folder, record)
            return
        from pipeline.quality.report.summary import card_section

        title = folder.path.resolve().name
        try:
            figures = self._survey.write(folder.path, title=title, record=record, metrics=folder.metrics)
        except OSError as error:
            what, why = error.filename or folder.report, error.strerror or error
            raise RunStopped(f"cannot write {what}: {why}; the samples are complete, run again for the rest") from error
        write_card(folder, record, card_section(figures))


def _new_survey() -> Survey:
    from pipeline.quality.survey import Survey  # loads what finds near duplicates

    return Survey()


def _findings_column(rows: list[dict[str, Any]]) -> pa.Array:
    """Return the findings of rows as their column."""
    schema = pa.schema([SCHEMA.field("findings")])
    return build_table(rows, schema).column(0).chunk(0)
