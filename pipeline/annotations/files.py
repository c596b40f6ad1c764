"""Annotation files on disk: which of a folder to take, and their rows, read the fast way where possible."""

from __future__ import annotations

import codecs
import json
import mmap
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec

from pipeline.annotations import tolerant
from pipeline.annotations.masks import box_or_around
from pipeline.annotations.rows import CaptionFile, InstanceFile, Pixels
from pipeline.errors import PipelineError

Bytes: TypeAlias = bytes | mmap.mmap
File = TypeVar("File", CaptionFile, InstanceFile)

NOT_JSON = {
    b"version https://git-lfs": "is a Git LFS pointer, not the file itself; run git lfs pull",
    b"\x1f\x8b": "is compressed; unpack it with gunzip first",
    b"PK\x03\x04": "is a zip archive; unpack it first",
}


class _Mask(msgspec.Struct, gc=False):
    segmentation: msgspec.Raw = msgspec.Raw(b"null")


class _MaskFile(msgspec.Struct):
    annotations: list[_Mask]


def find_files(folder: Path) -> tuple[Path | None, Path | None]:
    """Return the captions file and the instances file of a folder; one of them may be None.

    They are named ``captions_SPLIT.json`` and ``instances_SPLIT.json``, or ``captions.json`` and
    ``instances.json``, and lie in ``folder`` or else in ``folder/annotations``.

    Raises:
        PipelineError: There is none, or files of several splits.
    """
    for place in (folder, folder / "annotations"):
        splits: dict[str, dict[str, Path]] = {}
        for kind in ("captions", "instances"):
            for path in sorted([*place.glob(f"{kind}.json"), *place.glob(f"{kind}_*.json")]):
                splits.setdefault(path.stem.removeprefix(kind), {})[kind] = path
        if len(splits) > 1:
            names = ", ".join(path.name for files in splits.values() for path in files.values())
            raise PipelineError(f"{place} holds several splits ({names}); pass --captions FILE and --instances FILE")
        for files in splits.values():
            return files.get("captions"), files.get("instances")
    if folder.is_file():
        raise PipelineError(f"{folder} is a file; pass it as --captions FILE or --instances FILE")
    raise PipelineError(
        f"no annotation file at {folder}; pass --annotations DIR with captions_*.json or instances_*.json"
    )


def read_captions(path: Path) -> CaptionFile:
    """Return the rows of a captions file; raises ``PipelineError`` where they cannot be read right."""
    return _read(path, _plain_captions, tolerant.read_captions)


def read_instances(path: Path) -> InstanceFile:
    """Return the rows of an instances file; raises ``PipelineError`` where they cannot be read right."""
    return _read(path, _plain_instances, tolerant.read_instances)


def _read(
    path: Path, read_fast: Callable[[memoryview], File | None], read_tolerantly: Callable[[str, Path], File]
) -> File:
    data = _bytes_of(path)
    try:
        file = read_fast(memoryview(data)[_mark_length(data) :])
        if file is not None:
            return file
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # the tolerant reader reads it, or says in our words what is wrong
    text = _text_of(data, path)
    del data  # a large file should not lie in memory twice
    return read_tolerantly(text, path)


def _plain_captions(data: memoryview) -> CaptionFile | None:
    """Return the rows, or None where the tolerant reader has to look at them."""
    file = msgspec.json.decode(data, type=CaptionFile)
    return file if all(row.caption is not None for row in file.annotations) else None


def _plain_instances(data: memoryview) -> InstanceFile | None:
    """Return the rows, or None where the tolerant reader has to look at them."""
    file = msgspec.json.decode(data, type=InstanceFile)
    rows = file.annotations
    without_area: list[tuple[int, Pixels]] = []
    for number, row in enumerate(rows):
        bbox = row.bbox
        if bbox is None or row.category_id is None:
            return None
        if bbox[2] <= 0.0 or bbox[3] <= 0.0:
            without_area.append((number, bbox))
    if without_area:  # then the segmentations, skipped so far, may tell; a second look takes a sixth of the whole time
        masks = msgspec.json.decode(data, type=_MaskFile).annotations
        for number, bbox in without_area:
            box = box_or_around(bbox, msgspec.json.decode(masks[number].segmentation))
            rows[number] = msgspec.structs.replace(rows[number], bbox=box)
    return file


def _bytes_of(path: Path) -> Bytes:
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            # Mapped, not copied: that takes a tenth off the time for a large file. Pipes and empty files have no map.
            can_map = stat.S_ISREG(about.st_mode) and about.st_size > 0
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if can_map else file.read()
    except FileNotFoundError:
        raise PipelineError(f"no annotation file at {path}; pass --captions FILE or --instances FILE") from None
    except IsADirectoryError:
        raise PipelineError(f"{path} is a folder; pass the file in it, or --annotations {path}") from None
    except OSError as error:
        raise PipelineError(f"cannot read {path}: {error.strerror}") from None
    start = data[:256]
    if not start.strip():
        raise PipelineError(f"{path} is empty; fetch it again")
    for magic, words in NOT_JSON.items():
        if start.startswith(magic):
            raise PipelineError(f"{path} {words}")
    words = start.decode(json.detect_encoding(start[:4]), errors="replace").lstrip()
    if words[:1] not in ("{", "["):
        raise PipelineError(f"{path} is not JSON with annotations: it begins with {words[:30]!r}; fetch it again")
    return data


def _mark_length(data: Bytes) -> int:
    return len(codecs.BOM_UTF8) if data[: len(codecs.BOM_UTF8)] == codecs.BOM_UTF8 else 0


def _text_of(data: Bytes, path: Path) -> str:
    encoding = json.detect_encoding(data[:4])  # tells UTF-16 and UTF-32 too, with or without a mark
    try:
        return str(data, encoding)
    except UnicodeDecodeError as error:
        if error.end >= len(data):  # cut in the middle of a character; the reader then finds that the JSON is cut, too
            return data[: error.start].decode(encoding)
        raise PipelineError(f"{path} is not {encoding} text (at byte {error.start}); save it as UTF-8") from None
