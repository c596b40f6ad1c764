"""The row, and the files that hold it: Arrow shards as the run goes, Parquet when it is done.

Shards are Arrow IPC *streams*: ``datasets.Dataset.from_file`` reads them and cannot read the file format. A shard holds
a fixed range of the plan and is written once all its samples are settled, so the same replies give the same bytes
whatever order they came in. It is compressed, which makes a quarter of texts; but with images in it it is not, so that
readers can leave those on the disk. Columns are added, never renamed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from pipeline.errors import RunStopped
from pipeline.records import Reject, Sample, Scene
from pipeline.samples.columns import build_table
from pipeline.samples.writing import writing_beside

if TYPE_CHECKING:
    import pyarrow.parquet as pq

BATCH_ROWS = 1000
BATCH_BYTES = 64 * 2**20  # of images, so that a reader need not hold a whole shard's; Arrow's own limit is 2 GiB

# Arrow's own pool keeps what it has had, and several times of it; that would be the peak of a whole run.
_POOL = pa.system_memory_pool()

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_BOXES = pa.list_(pa.struct([("label", pa.string()), ("bbox", pa.list_(pa.float32(), 4)), ("crowd", pa.bool_())]))
_SPAN = [("message", pa.int32()), ("start", pa.int32()), ("end", pa.int32())]
_CLAIMS = pa.list_(
    pa.struct(
        [
            *_SPAN,
            ("kind", pa.string()),
            ("verdict", pa.string()),
            ("boxes", pa.list_(pa.int32())),
            ("captions", pa.list_(pa.int32())),
            ("detail", pa.string()),
        ]
    )
)
_FINDINGS = pa.list_(pa.struct([*_SPAN, ("kind", pa.string()), ("detail", pa.string())]))

_ROW: list[tuple[str, pa.DataType]] = [
    ("id", pa.string()),
    ("image_id", pa.string()),
    ("image", _IMAGE),
    ("file_name", pa.string()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("licence", pa.string()),
    ("kind", pa.string()),
    ("messages", _MESSAGES),
    ("context", pa.string()),
    ("captions", pa.list_(pa.string())),
    ("boxes", _BOXES),
    ("claims", _CLAIMS),
    ("findings", _FINDINGS),
    ("model", pa.string()),
    ("prompt_hash", pa.string()),
    ("request_hash", pa.string()),
    ("seed", pa.int64()),
    ("attempts", pa.int32()),
    ("finish_reason", pa.string()),
    ("prompt_tokens", pa.int64()),
    ("completion_tokens", pa.int64()),
    ("cost_usd", pa.float64()),
]

_REJECT_ROW: list[tuple[str, pa.DataType]] = [
    ("id", pa.string()),
    ("image_id", pa.string()),
    ("kind", pa.string()),
    ("reason", pa.string()),
    ("error", pa.string()),
    ("attempts", pa.int32()),
    ("prompt_tokens", pa.int64()),
    ("completion_tokens", pa.int64()),
    ("cost_usd", pa.float64()),
    ("request_hash", pa.string()),
    ("reply", pa.string()),
]


def _feature(column: pa.DataType) -> Any:
    """Return a column's type as the ``datasets`` library writes it."""
    if column == _IMAGE:
        return {"_type": "Image"}
    if pa.types.is_struct(column):
        return {field.name: _feature(field.type) for field in column}
    if pa.types.is_fixed_size_list(column):
        return {"feature": _feature(column.value_type), "length": column.list_size, "_type": "List"}
    if pa.types.is_list(column):
        return {"feature": _feature(column.value_type), "_type": "List"}
    names = {"float": "float32", "double": "float64"}
    return {"dtype": names.get(str(column), str(column)), "_type": "Value"}


def _schema(row: list[tuple[str, pa.DataType]]) -> pa.Schema:
    features = {name: _feature(column) for name, column in row}
    return pa.schema(row, metadata={"huggingface": json.dumps({"info": {"features": features}})})


SCHEMA = _schema(_ROW)
"""Of a sample's row; carries the ``datasets`` features, so that its viewer shows the image."""
REJECT_SCHEMA = _schema(_REJECT_ROW)
"""Of a reject's row."""


def sample_row(sample: Sample, *, embed_image: bool) -> dict[str, Any]:
    """Return a sample as a row of ``SCHEMA``; the structs in it are tuples.

    Raises:
        RunStopped: The image is to be embedded and cannot be read.
    """
    scene = sample.scene
    return {
        "id": sample.id,
        "image_id": scene.image_id,
        "image": _image(scene, embed=embed_image),
        "file_name": scene.file_name,
        "width": scene.width,
        "height": scene.height,
        "licence": scene.licence,
        "kind": sample.kind,
        "messages": [
            message for turn in sample.turns for message in (("user", turn.question), ("assistant", turn.answer))
        ],
        "context": sample.context,
        "captions": scene.captions,
        "boxes": [(box.label, (box.x0, box.y0, box.x1, box.y1), box.crowd) for box in scene.boxes],
        "claims": [msgspec.structs.astuple(claim) for claim in sample.claims],
        "findings": [msgspec.structs.astuple(finding) for finding in sample.findings],
        "model": sample.model,
        "prompt_hash": sample.prompt_hash,
        "request_hash": sample.request_hash,
        "seed": sample.seed,
        "attempts": sample.attempts,
        "finish_reason": sample.finish_reason,
        "prompt_tokens": sample.prompt_tokens,
        "completion_tokens": sample.completion_tokens,
        "cost_usd": sample.cost_usd,
    }


def _image(scene: Scene, *, embed: bool) -> dict[str, Any] | None:
    if scene.path is None:
        return None
    if embed:
        try:
            return {"bytes": scene.path.read_bytes(), "path": scene.path.name}
        except OSError as error:
            raise RunStopped(
                f"cannot read {scene.path}: {error.strerror}; paid replies are kept, put it back and run again"
            ) from None
    return {"bytes": None, "path": str(scene.path.resolve())}


def reject_row(reject: Reject, reply: str | None) -> dict[str, Any]:
    """Return a reject as a row of ``REJECT_SCHEMA``, with the last reply that was paid for it."""
    return {name: getattr(reject, name) for name in Reject.__struct_fields__} | {"reply": reply}


def write_shard(path: Path, samples: Iterable[Sample], *, embed_images: bool) -> None:
    """Write samples as one Arrow stream of a few batches, beside and then renamed.

    Raises:
        RunStopped: It cannot be written, or an image cannot be read.
    """
    rows = (sample_row(sample, embed_image=embed_images) for sample in samples)
    write_shard_tables(path, in_batches(rows, SCHEMA), embed_images=embed_images)


def write_shard_tables(path: Path, tables: Iterable[pa.Table], *, embed_images: bool) -> None:
    """Write tables as one Arrow stream, beside and then renamed.

    Raises:
        RunStopped: It cannot be written.
    """
    # One thread: the bytes are the same, and more would take longer for so little.
    options = pa.ipc.IpcWriteOptions(compression=None if embed_images else "zstd", use_threads=False)
    with (
        writing_beside(path) as beside,
        pa.OSFile(str(beside), "wb") as sink,
        pa.ipc.new_stream(sink, SCHEMA, options=options) as stream,
    ):
        for table in tables:
            stream.write_table(table)


def read_shard(path: Path) -> pa.Table:
    """Read a shard back; images in it stay on the disk until they are looked at."""
    options = pa.ipc.IpcReadOptions(use_threads=False)
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_stream(source, options=options, memory_pool=_POOL).read_all()


def open_parquet(path: Path | str) -> pq.ParquetFile:
    """Open a Parquet file to go through it; left to itself, Arrow holds all of it in memory from the first batch on."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, pre_buffer=False)


def write_parquet(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write tables as one Parquet file, a row group for each of their batches, beside and then renamed."""
    import pyarrow.parquet as pq

    with (
        writing_beside(path) as beside,
        pq.ParquetWriter(str(beside), schema, compression="zstd", memory_pool=_POOL) as writer,
    ):
        for table in tables:
            for batch in table.to_batches():
                writer.write_batch(batch)


def in_batches(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield rows as tables of at most ``BATCH_ROWS``, cut earlier where they hold ``BATCH_BYTES`` of images."""
    waiting: list[dict[str, Any]] = []
    weight = 0
    for row in rows:
        waiting.append(row)
        if image := row.get("image"):
            weight += len(image.get("bytes") or b"")
        if len(waiting) == BATCH_ROWS or weight >= BATCH_BYTES:
            yield build_table(waiting, schema)
            waiting, weight = [], 0
    if waiting:
        yield build_table(waiting, schema)


class Shards:
    """Takes settled samples in any order and writes each shard of the plan when its last one is in."""

    def __init__(self, folder: Path, size: int, *, embed_images: bool) -> None:
        """Begin with nothing settled.

        Args:
            folder: Where the shards go.
            size: Planned samples a shard; rejects leave a shard shorter, never shift the next one.
            embed_images: Whether rows hold the image's bytes.
        """
        self._folder = folder
        self._size = size
        self._embed = embed_images
        self._open: dict[int, dict[int, Sample | None]] = {}
        self._settled = 0

    def settle(self, settled: Iterable[tuple[int, Sample | None]]) -> None:
        """Take what became of planned samples, by their places in the plan: ``None`` where one was rejected."""
        for index, sample in settled:
            number = index // self._size
            shard = self._open.setdefault(number, {})
            shard[index] = sample
            self._settled += 1
            if len(shard) == self._size:
                self._write(number)

    def finish(self, planned: int) -> list[Path]:
        """Write the last shard, and return where all are, in plan order.

        Raises:
            RuntimeError: Not all that was planned is settled; a bug of ours.
        """
        for number in sorted(self._open):
            self._write(number)
        if self._settled != planned:
            raise RuntimeError(f"{planned} samples were planned and {self._settled} settled")
        return [self._path(number) for number in range(-(-planned // self._size))]

    def _write(self, number: int) -> None:
        settled = self._open.pop(number)
        samples = (settled[index] for index in sorted(settled))
        write_shard(self._path(number), (sample for sample in samples if sample), embed_images=self._embed)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:05d}.arrow"
