"""Claims and findings for samples that are there already: a run of ours, or a file that others made.

The samples themselves are not touched: what is found goes, with a copy of them, into a folder of its own.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import track

from pipeline.annotations.coco import Annotations, find_files, read_scenes
from pipeline.connecting import api_key
from pipeline.errors import PipelineError
from pipeline.processes import start
from pipeline.quality.checker import Checker
from pipeline.quality.survey import Survey, turns_of
from pipeline.records import Box, Scene
from pipeline.samples.columns import build_table
from pipeline.samples.foreign import read_foreign
from pipeline.samples.run import RunFolder
from pipeline.samples.shards import SCHEMA, in_batches, open_parquet, write_parquet
from pipeline.settings import CheckSettings, check_serving

BATCH_ROWS = 1000
AHEAD = 2  # batches waiting for each process, so that none is idle and memory stays flat
WORTH_PROCESSES = 5  # batches; below, starting processes takes longer than the checks


class Checked(msgspec.Struct, frozen=True):
    """What a check found, and where it is."""

    samples: Path
    report: Path
    figures: dict[str, Any]
    """As in ``stats.json``."""
    dropped: dict[str, int]
    """What could not be used, by reason."""


class _Data(msgspec.Struct, frozen=True):
    """Samples to check, as batches of rows of ours."""

    name: str
    batches: Iterator[pa.RecordBatch]
    count: int | None
    """How many there are, where that is known before they are read."""
    categories: dict[str, str]
    """Of the data set, name to supercategory."""
    dropped: Counter[str]
    """What could not be used, by reason; complete once all batches are read."""
    folder: RunFolder | None = None
    """The run that they are of, where it is one of ours."""


def check(path: Path, settings: CheckSettings, say: Callable[[str], None]) -> Checked:
    """Check the samples of a run or a file.

    Args:
        path: A run folder, a Parquet file of one, or JSON, JSON lines or Parquet that others made.
        settings: What the person asked for.
        say: Takes a line for people.

    Raises:
        PipelineError: There are no samples, or they or the annotations cannot be read.
        RunStopped: A second model could not go on, or the person stopped it; what was paid for is kept.
    """
    check_serving(settings)
    if settings.judge or settings.blind:
        api_key(settings)  # a missing one is told before the checks, which may take a while
    data = _open(path, settings)
    out = settings.out or (data.folder.path / "check" if data.folder else Path("outputs") / f"{data.name}-check")
    if data.folder and out.resolve() == data.folder.path.resolve():
        raise PipelineError(f"--out {out} is the run itself, whose files stay as they are; pass another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(f"cannot write to {out}: {error.strerror}; pass another --out") from None
    survey = Survey()
    samples = out / "samples.parquet"
    write_parquet(samples, _surveyed(data, settings, survey), SCHEMA)
    if data.folder and data.folder.rejects.exists():
        for batch in open_parquet(data.folder.rejects).iter_batches(BATCH_ROWS):
            for row in batch.to_pylist():
                survey.take_reject(row)
    more = {}
    if settings.judge or settings.blind:
        from pipeline.second_opinion import second_opinion

        more = second_opinion(samples, out, settings, say)
    figures = survey.write(
        out,
        title=data.name,
        record=data.folder.read_record() if data.folder else None,
        metrics=data.folder.metrics if data.folder else None,
        more=more,
    )
    return Checked(samples, out / "report.html", figures, dict(data.dropped))


def _open(path: Path, settings: CheckSettings) -> _Data:
    """Find out what there is to check, and read the annotations that go with it."""
    if path.is_dir():
        return _open_run(path, settings)
    if not path.is_file():
        raise PipelineError(f"no run or file at {path}; pass a run folder, or a .json, .jsonl or .parquet file")
    if path.suffix == ".parquet" and _is_ours(path):
        return _open_ours(path, path.stem, settings)
    if path.suffix not in (".json", ".jsonl", ".parquet"):
        raise PipelineError(f"{path} is no file of samples; pass a run folder, or a .json, .jsonl or .parquet file")
    annotations = _annotations(settings)
    if annotations is None:
        raise PipelineError(
            f"{path} has no boxes to check against; pass --annotations DIR, or --captions and --instances"
        )
    dropped: Counter[str] = Counter()
    rows = read_foreign(path, annotations.scenes, dropped)
    batches = (batch for table in in_batches(rows, SCHEMA) for batch in table.to_batches())
    return _Data(path.stem, batches, None, annotations.categories, dropped)


def _open_run(path: Path, settings: CheckSettings) -> _Data:
    folder = RunFolder(path)
    if not folder.samples.exists():
        hint = "run generate again to finish it" if folder.journal.exists() else "pass the folder that generate wrote"
        raise PipelineError(f"no finished run at {path}; {hint}")
    return msgspec.structs.replace(_open_ours(folder.samples, path.resolve().name, settings), folder=folder)


def _open_ours(path: Path, name: str, settings: CheckSettings) -> _Data:
    """Open a Parquet file of our rows, whose scenes are in it."""
    annotations = _annotations(settings)
    if annotations:
        categories = annotations.categories
    else:
        record = RunFolder(path.parent).read_record() or {}
        categories = record.get("categories") or _labels(path)
    return _Data(name, _read(path), pq.read_metadata(path).num_rows, categories, Counter())


def _is_ours(path: Path) -> bool:
    try:
        return set(SCHEMA.names) <= set(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise PipelineError(f"cannot read {path}: {' '.join(str(error).split())}") from None


def _annotations(settings: CheckSettings) -> Annotations | None:
    captions, instances = settings.captions, settings.instances
    if settings.annotations:
        captions, instances = find_files(settings.annotations)
    return read_scenes(captions, instances, settings.images) if captions or instances else None


def _labels(path: Path) -> dict[str, str]:
    """Return the categories that a file's boxes name, where nothing tells those that the data set has beyond them."""
    names: set[str] = set()
    with open_parquet(path) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=["boxes"]):
            boxes = batch.column("boxes").flatten()
            names.update(boxes.field("label").unique().to_pylist())
    return dict.fromkeys(sorted(names), "")


def _read(path: Path) -> Iterator[pa.RecordBatch]:
    try:
        with open_parquet(path) as file:
            yield from file.iter_batches(BATCH_ROWS, columns=SCHEMA.names)
    except (pa.ArrowException, OSError) as error:
        raise PipelineError(f"cannot read {path}: {' '.join(str(error).split())}") from None


def _surveyed(data: _Data, settings: CheckSettings, survey: Survey) -> Iterator[pa.Table]:
    """Yield the samples with what was found in them, and show them to the survey."""
    console = Console(stderr=True)
    total = None if data.count is None else -(-data.count // BATCH_ROWS)
    found = _checked(data, settings)
    for batch, claims, findings in track(found, "checking", total, console=console, disable=not console.is_terminal):
        rows = batch.to_pylist()
        for row, row_claims, row_findings in zip(rows, claims, findings, strict=True):
            row["claims"], row["findings"] = row_claims, row_findings
            survey.take(row)
        yield _with_columns(batch, rows)


def _with_columns(batch: pa.RecordBatch, rows: list[dict[str, Any]]) -> pa.Table:
    schema = pa.schema([SCHEMA.field(name) for name in ("claims", "findings")])
    table = pa.Table.from_batches([batch])
    for name, column in zip(schema.names, build_table(rows, schema).columns, strict=True):
        table = table.set_column(table.schema.get_field_index(name), SCHEMA.field(name), column)
    return table.cast(SCHEMA)


Batch = tuple[pa.RecordBatch, list[list[dict[str, Any]]], list[list[dict[str, Any]]]]


def _checked(data: _Data, settings: CheckSettings) -> Iterator[Batch]:
    """Yield each batch with its claims and findings, in order, checked by as many processes as there are cores."""
    _prepare(data.categories, settings)  # here too: what is wrong with a file of words is told before processes start
    first_few = list(islice(data.batches, WORTH_PROCESSES))
    processes = settings.processes or os.cpu_count() or 1
    if processes == 1 or len(first_few) < WORTH_PROCESSES:
        for batch in chain(first_few, data.batches):
            yield batch, *_decoded(_check_batch(batch.select(_SEEN)))
        return
    with start(processes, _prepare, data.categories, settings) as pool:
        waiting: deque[tuple[pa.RecordBatch, Future[bytes]]] = deque()
        for batch in chain(first_few, data.batches):
            waiting.append((batch, pool.submit(_check_batch, batch.select(_SEEN))))
            if len(waiting) >= AHEAD * processes:
                first, done = waiting.popleft()
                yield first, *_decoded(done.result())
        for first, done in waiting:
            yield first, *_decoded(done.result())


_SEEN = ["kind", "messages", "context", "captions", "boxes"]
_checking: tuple[Checker, str] | None = None  # of this process


def _prepare(categories: dict[str, str], settings: CheckSettings) -> None:
    global _checking
    _checking = Checker(categories, settings.synonyms, settings.phrases), settings.language


def _check_batch(batch: pa.RecordBatch) -> bytes:
    """Return the claims and findings of each row, encoded: what waits for its turn takes a tenth of the memory."""
    assert _checking, "prepared before any batch comes"
    checker, language = _checking
    claims, findings = [], []
    for row in batch.to_pylist():
        scene = scene_of(row)
        found = checker.check(turns_of(row), scene, kind=row["kind"], context=row["context"], language=language)
        claims.append(found[0])
        findings.append(found[1])
    return msgspec.msgpack.encode((claims, findings))


def _decoded(encoded: bytes) -> tuple[list[list[dict[str, Any]]], list[list[dict[str, Any]]]]:
    """Return claims and findings as the columns hold them."""
    claims, findings = msgspec.msgpack.decode(encoded)
    return claims, findings


def scene_of(row: dict[str, Any]) -> Scene:
    """Return what the checker needs of a row's scene."""
    boxes = tuple(_box(box["label"], box["bbox"], bool(box["crowd"])) for box in row["boxes"] or ())
    return Scene("", "", 0, 0, tuple(row["captions"] or ()), boxes)


def _box(label: str, bbox: tuple[float, float, float, float], crowd: bool) -> Box:
    left, top, right, bottom = bbox
    return Box(label, left, top, right, bottom, crowd)
