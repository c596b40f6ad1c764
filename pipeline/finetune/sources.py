"""What ``--data`` names, entry by entry, with pictures left where they are.

A run folder's shards and a ``datasets`` folder are read in place, batch by batch; a JSON list is scanned once and
its samples are built one at a time, so a set of 665,000 takes about 50 bytes a sample here. An entry that is nonsense
is told as such and does not stop the rest; a file that is nonsense as a whole is a :class:`PipelineError`.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import PipelineError
from pipeline.finetune.pictures import Picture, image_column
from pipeline.samples.run import RunFolder
from pipeline.samples.shards import open_parquet

SUFFIXES = (".arrow", ".parquet", ".json", ".jsonl")
MOST_WEIGHT = 1000
BATCH_ROWS = 200  # of Parquet, whose pictures are unpacked with it

_WANTED = ("id", "image_id", "file_name", "kind", "messages", "conversations", "captions")
_SPACE = re.compile(r"[ \t\r\n]*")
_UNREADABLE = (ValueError, RecursionError, msgspec.DecodeError)  # UnicodeDecodeError is a ValueError


class Source(NamedTuple):
    """One ``--data``."""

    path: Path
    weight: float
    """How often its samples come in an epoch."""


class Told(NamedTuple):
    """An image as an entry tells it."""

    names: tuple[str, ...]
    """Paths or file names, the likeliest first."""
    picture: Picture | None = None
    """Where its bytes are, if the entry holds them."""
    digest: str = ""
    """Hash of those bytes: the samples of an image each hold a copy."""


class Entry(NamedTuple):
    """One element of a source."""

    number: int
    """From 0, in its file."""
    fields: dict[str, Any]
    images: tuple[Told, ...] = ()
    is_ours: bool = False
    """Whether it is a row of a run, in whose texts ``<image>`` is seven characters and nothing else."""
    fault: str = ""
    """Why it is no sample at all."""


def parse_source(text: str) -> Source:
    """Read ``DATA`` or ``DATA:WEIGHT``; a colon that is part of a name that exists is no weight.

    Raises:
        PipelineError: The weight is no number above 0.
    """
    name, colon, weight = text.rpartition(":")
    if not colon or not name or Path(text).exists():
        return Source(Path(text), 1.0)
    try:
        number = float(weight)
    except ValueError:
        if Path(name).exists():
            raise PipelineError(f"--data {text}: {weight!r} is no weight; write it like {name}:0.5") from None
        return Source(Path(text), 1.0)  # such as C:\data
    if not (0 < number <= MOST_WEIGHT and math.isfinite(number)):
        raise PipelineError(f"--data {text}: a weight is above 0 and at most {MOST_WEIGHT}, such as {name}:0.5")
    return Source(Path(name), number)


def find_files(path: Path) -> list[Path]:
    """Return the files that hold the samples of a run folder, a ``datasets`` folder or a file, in their order.

    Raises:
        PipelineError: There is nothing there, or a run that is not finished, or something else.
    """
    if path.is_file():
        if path.suffix not in SUFFIXES:
            raise PipelineError(f"--data {path}: not one of {', '.join(SUFFIXES)}; pass a run folder or such a file")
        return [path]
    if not path.is_dir():
        raise PipelineError(f"--data: no run or file at {path}; pass a run folder, or a .json, .jsonl or .parquet file")
    if (path / "dataset_dict.json").exists():
        splits = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
        raise PipelineError(f"--data {path} has the splits {', '.join(splits)}; pass one, such as {path / splits[0]}")
    if (path / "state.json").exists():
        return _files_of_datasets(path)
    return _files_of_run(RunFolder(path))


def _files_of_datasets(path: Path) -> list[Path]:
    try:
        state = json.loads((path / "state.json").read_bytes())
        return [path / file["filename"] for file in state["_data_files"]]
    except (OSError, LookupError, TypeError, *_UNREADABLE) as error:
        raise PipelineError(f"--data {path}: cannot read its state.json ({error}); save_to_disk writes one") from None


def _files_of_run(run: RunFolder) -> list[Path]:
    shards = sorted(run.shards.glob("*.arrow"))
    is_complete = run.samples.exists() or (run.read_record() or {}).get("status") == "complete"
    if not is_complete and (shards or run.journal.exists()):
        raise PipelineError(f"--data {run.path} is a run that is not finished; run generate again to finish it")
    if not is_complete:
        raise PipelineError(f"--data {run.path} is neither a run folder nor one that datasets' save_to_disk wrote")
    return shards or [run.samples]


def read_entries(file: Path) -> Iterator[Entry]:
    """Yield the entries of a file.

    Raises:
        PipelineError: It cannot be read, or is not what its suffix says.
    """
    try:
        if file.suffix == ".arrow":
            yield from _arrow(file)
        elif file.suffix == ".parquet":
            yield from _parquet(file)
        elif file.suffix == ".jsonl":
            yield from _json_lines(file)
        else:
            yield from _json_list(file)
    except (OSError, pa.ArrowException) as error:
        raise PipelineError(f"cannot read {file}: {' '.join(str(error).split())}") from None


def _arrow(file: Path) -> Iterator[Entry]:
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
        _check_columns(file, stream.schema)
        yield from _rows(file, iter(stream))


def _parquet(file: Path) -> Iterator[Entry]:
    with open_parquet(file) as parquet:
        schema = parquet.schema_arrow
        _check_columns(file, schema)
        columns = [name for name in (*_WANTED, "image", "images", "prompt_hash") if name in schema.names]
        yield from _rows(file, parquet.iter_batches(BATCH_ROWS, columns=columns))


def _check_columns(file: Path, schema: pa.Schema) -> None:
    if not {"messages", "conversations"} & set(schema.names):
        raise PipelineError(f"--data {file} holds no samples: it has no column 'messages' or 'conversations'")


def _rows(file: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[Entry]:
    number = 0
    for batch in batches:
        names = batch.schema.names
        is_ours = {"prompt_hash", "file_name", "messages"} <= set(names)
        images = _images_of_batch(file, batch, number)
        fields = batch.select([name for name in _WANTED if name in names]).to_pylist()
        for row, told in zip(fields, images, strict=True):
            if is_ours:
                # The image of a row of ours may lie elsewhere by now, or never have been at hand: it is still there.
                first = told[0] if told else Told(())
                file_name = (row["file_name"],) if row["file_name"] else ()
                told = (Told((*file_name, *first.names), first.picture, first.digest),)
            elif not told and isinstance(row.get("file_name"), str) and row["file_name"]:
                told = (Told((row["file_name"],)),)
            yield Entry(number, row, told, is_ours)
            number += 1


def _images_of_batch(file: Path, batch: pa.RecordBatch, before: int) -> list[tuple[Told, ...]]:
    """Return the images of each row, without taking their bytes into memory.

    A column may hold paths, bytes, or structs of both as ``datasets`` has them, or lists of such.
    """
    try:
        column = batch.column(image_column(batch.schema.names))
    except LookupError:
        return [()] * batch.num_rows
    counts = [1] * batch.num_rows
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        counts = pc.fill_null(pc.list_value_length(column), 0).to_pylist()
        column = pc.list_flatten(column)
    told = iter(_paths_and_digests(column))
    images = []
    for row, many in enumerate(counts):
        picture = Picture(str(file.absolute()), before + row)
        own = [next(told) for _ in range(many)]
        images.append(
            tuple(
                Told((path,) if path else (), picture if digest else None, digest)
                for path, digest in own
                if path or digest
            )
        )
    return images


def _paths_and_digests(column: pa.Array) -> Iterator[tuple[str, str]]:
    """Yield the path and the hash of the bytes of each image; empty where there is none."""
    kind = column.type
    paths = data = [None] * len(column)
    if pa.types.is_struct(kind):
        fields = {field.name for field in kind}
        paths = pc.struct_field(column, "path") if "path" in fields else paths
        data = pc.struct_field(column, "bytes") if "bytes" in fields else data
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        paths = column
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        data = column
    for path, image in zip(paths, data, strict=True):
        held = image.as_buffer() if image is not None else None
        yield (path and path.as_py()) or "", hashlib.sha256(held).hexdigest()[:32] if held else ""


def _json_lines(file: Path) -> Iterator[Entry]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines):
            if line.strip():
                yield _json_entry(number, line)


def _json_list(file: Path) -> Iterator[Entry]:
    with file.open("rb") as opened:
        if not opened.read(1):
            raise PipelineError(f"--data {file} is empty")
        data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        elements = msgspec.json.decode(data, type=list[msgspec.Raw])
    except _UNREADABLE:
        yield from _json_elements(file, data[:])
        return
    for number, raw in enumerate(elements):
        yield _json_entry(number, bytes(raw))


def _json_elements(file: Path, data: bytes) -> Iterator[Entry]:
    """Yield the elements of a list that is not JSON by the book.

    Python writes half characters and NaN, which others refuse; its own reader takes them, more slowly and from text
    that lies in memory as a whole.
    """
    text = data.decode("utf-8-sig", errors="replace")
    decoder = json.JSONDecoder()
    wrong = "is no JSON list of samples; .jsonl has one sample a line"
    at = _after_space(text, 0)
    if text[at : at + 1] != "[":
        raise PipelineError(f"--data {file} {wrong}")
    at = _after_space(text, at + 1)
    if text[at : at + 1] == "]":
        return
    for number in count():
        try:
            value, at = decoder.raw_decode(text, at)
        except _UNREADABLE as error:
            raise PipelineError(f"--data {file} {wrong}: sample {number}: {error}") from None
        yield _entry(number, value)
        at = _after_space(text, at)
        if text[at : at + 1] == "]":
            return
        if text[at : at + 1] != ",":
            raise PipelineError(f"--data {file} {wrong}: nothing ends sample {number}; is the file cut short?")
        at = _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _json_entry(number: int, text: bytes) -> Entry:
    try:
        return _entry(number, msgspec.json.decode(text))
    except _UNREADABLE:
        pass
    try:
        return _entry(number, json.loads(text.decode("utf-8-sig")))
    except _UNREADABLE as error:
        return Entry(number, {}, fault=f"is no JSON: {error}")


def _entry(number: int, value: object) -> Entry:
    if not isinstance(value, dict):
        return Entry(number, {}, fault=f"is no object but {_json_name(value)}")
    told = value.get("image")
    if told is None:
        told = value.get("images")
    if told is None:
        told = value.get("file_name")
    images = told if isinstance(told, list) else [told] if told not in (None, "") else []
    return Entry(number, value, tuple(Told(_names(image)) for image in images))


def _names(told: object) -> tuple[str, ...]:
    """Return the names that JSON tells an image by; none where it tells something else, which is then not found."""
    if isinstance(told, dict):
        told = next((told[name] for name in ("path", "file_name", "image", "url") if told.get(name)), None)
    return (told,) if isinstance(told, str) and told else ()


def _json_name(value: object) -> str:
    return "null" if value is None else "a list" if isinstance(value, list) else "text or a number"
