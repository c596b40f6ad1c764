"""What there is to review: a run, a Parquet file of one, or samples that others made, as one Parquet file to read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pipeline.errors import PipelineError
from pipeline.records import Scene
from pipeline.review.settings import ReviewSettings
from pipeline.samples.reviewed import VERDICTS, find_samples, run_around
from pipeline.samples.run import RunFolder


class Source(msgspec.Struct, frozen=True):
    """Samples, and what belongs to them."""

    title: str
    samples: Path
    """Parquet; where the samples came in another form, a copy that is gone when the review ends."""
    verdicts: Path
    out: Path
    """Folder for the samples with the verdicts applied."""
    images: Path | None
    """Folder of the image files; ``None`` where nobody has named one."""
    categories: dict[str, str]
    """Of the data set, name to supercategory; empty where nobody tells."""
    notices: tuple[str, ...] = ()
    """What the person should know of it."""


def open_source(path: Path, settings: ReviewSettings, scratch: Path) -> Source:
    """Find the samples of a run or a file.

    Args:
        path: A run folder, finished or not; a Parquet file; or JSON or JSON lines that others made.
        settings: What the person asked for.
        scratch: Folder for a copy, where one is needed.

    Raises:
        PipelineError: There are no samples, or they cannot be read.
    """
    if path.is_dir():
        return _of_run(RunFolder(path), settings, scratch)
    if not path.is_file():
        raise PipelineError(f"no run or file at {path}; pass a run folder, or a .json, .jsonl or .parquet file")
    if path.suffix not in (".json", ".jsonl", ".parquet"):
        raise PipelineError(f"{path} is no file of samples; pass a run folder, or a .json, .jsonl or .parquet file")
    if folder := run_around(path):
        found = _of_run(folder, settings, scratch)
        return msgspec.structs.replace(found, samples=path, notices=())
    out = settings.out or Path("outputs") / f"{path.stem}-reviewed"
    beside = path.with_name(f"{path.stem}.{VERDICTS}")
    source = Source(path.name, path, beside, out, settings.images, {})
    return source if path.suffix == ".parquet" and _is_ours(path) else _copied(source, settings, scratch)


def _of_run(run: RunFolder, settings: ReviewSettings, scratch: Path) -> Source:
    record = run.read_record() or {}
    annotations = record.get("annotations") or {}
    images = settings.images or (Path(annotations["images"]) if annotations.get("images") else None)
    notices: list[str] = []
    if run.samples.exists():
        samples = find_samples(run)
        if samples == run.samples and (run.path / "check").exists():
            notices.append("the samples are newer than what check found in them; run check again to see claims")
    else:
        samples = _from_shards(run, scratch)
        notices.append("the run is not finished; these are the samples of its finished shards")
    return Source(
        title=run.path.resolve().name,
        samples=samples,
        verdicts=run.path / VERDICTS,
        out=settings.out or run.path / "reviewed",
        images=images,
        categories=record.get("categories") or {},
        notices=tuple(notices),
    )


def _from_shards(run: RunFolder, scratch: Path) -> Path:
    from pipeline.samples.shards import SCHEMA, read_shard, write_parquet

    if not run.journal.exists():
        raise PipelineError(f"no run at {run.path}; pass the folder that generate wrote, such as outputs/quickstart")
    shards = sorted(run.shards.glob("*.arrow"))
    if not shards:
        raise PipelineError(f"{run.path} has no sample yet: no shard is finished yet; run generate again to go on")
    copy = scratch / "samples.parquet"
    write_parquet(copy, (read_shard(shard) for shard in shards), SCHEMA)
    return copy


def _is_ours(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise PipelineError(f"cannot read {path}: {' '.join(str(error).split())}") from None
    if not {"id", "messages"} <= set(schema.names):
        return False
    inner = schema.field("messages").type
    parts = inner.value_type if pa.types.is_list(inner) else None
    return parts is not None and pa.types.is_struct(parts) and {field.name for field in parts} >= {"role", "content"}


def _copied(source: Source, settings: ReviewSettings, scratch: Path) -> Source:
    """Bring samples that others made into our form."""
    from pipeline.samples.foreign import read_foreign
    from pipeline.samples.shards import SCHEMA, in_batches, write_parquet

    dropped: Counter[str] = Counter()
    scenes, categories = _annotations(settings)
    copy = scratch / "samples.parquet"
    write_parquet(copy, in_batches(read_foreign(source.samples, scenes, dropped), SCHEMA), SCHEMA)
    strangers = "samples whose image the annotation files do not list"
    notices = tuple(f"{count:,} {reason}" for reason, count in dropped.items() if scenes or reason != strangers)
    return msgspec.structs.replace(source, samples=copy, categories=categories, notices=notices)


def _annotations(settings: ReviewSettings) -> tuple[Sequence[Scene], dict[str, str]]:
    from pipeline.annotations.coco import find_files, read_scenes

    captions, instances = settings.captions, settings.instances
    if settings.annotations:
        captions, instances = find_files(settings.annotations)
    if not (captions or instances):
        return (), {}
    found = read_scenes(captions, instances, settings.images)
    return found.scenes, found.categories


def check_writable(verdicts: Path) -> None:
    """Refuse to begin where no verdict could be kept.

    Raises:
        PipelineError: The folder, or the file in it, cannot be written to.
    """
    if not os.access(verdicts if verdicts.exists() else verdicts.parent, os.W_OK):
        raise PipelineError(f"cannot write to {verdicts}, where the verdicts go; make it writable, or review a copy")
