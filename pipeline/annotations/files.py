"""Annotation files on disk: which of a folder to take, and their rows, read the fast way where possible."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Generic, TypeVar

import msgspec

from pipeline.annotations import tolerant
from pipeline.annotations.chunks import Decode, NotPlain, read_chunks
from pipeline.annotations.masks import box_or_around, has_area
from pipeline.annotations.rows import BoxRow, CaptionRow, CategoryRow, Id, ImageRow, LicenceRow, Pixels
from pipeline.annotations.store import Parts
from pipeline.errors import PipelineError

Row = TypeVar("Row", CaptionRow, BoxRow)

NOT_JSON = {
    b"version https://git-lfs": "is a Git LFS pointer, not the file itself; run git lfs pull",
    b"\x1f\x8b": "is compressed; unpack it with gunzip first",
    b"PK\x03\x04": "is a zip archive; unpack it first",
}


class AnnotationFile(Generic[Row]):
    """The rows of one file; those that come by the hundred thousand are dealt to parts by image."""

    def __init__(self, path: Path, row: type[Row]) -> None:
        """Begin with no rows.

        Args:
            path: The file, for messages.
            row: What its annotations are.
        """
        self.path = path
        self.images = Parts(tuple[int, ImageRow])
        """With their number in the file, from 1."""
        self.annotations: Parts[Row] = Parts(row)
        self.categories: list[CategoryRow] = []
        self.licences: list[LicenceRow] = []
        self.used: dict[Id | None, Id | None] = {}
        """Category ids that boxes have, to the id of the first box that has it."""
        self._has_boxes = row is BoxRow

    def take(self, key: str, rows: Sequence[Any]) -> None:
        """Take more rows of one of the file's lists."""
        match key:
            case "images":
                self.images.add([row.id for row in rows], list(enumerate(rows, start=len(self.images) + 1)))
            case "annotations":
                self.annotations.add([row.image_id for row in rows], rows)
                if self._has_boxes:
                    self._note_categories(rows)
            case "categories":
                self.categories += rows
            case "licenses":
                self.licences += rows

    def _note_categories(self, rows: Sequence[BoxRow]) -> None:
        for category_id in {row.category_id for row in rows} - self.used.keys():
            self.used[category_id] = next(row.id for row in rows if row.category_id == category_id)


class _Caption(CaptionRow, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    caption: str


class _Box(BoxRow, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    category_id: Id
    bbox: Pixels


Positive = Annotated[float, msgspec.Meta(gt=0)]


class _BoxWithArea(_Box, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    bbox: tuple[float, float, Positive, Positive]


class _Mask(msgspec.Struct, gc=False):
    segmentation: msgspec.Raw = msgspec.Raw(b"null")


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


def read_captions(path: Path) -> AnnotationFile[CaptionRow]:
    """Return the rows of a captions file; raises ``PipelineError`` where they cannot be read right."""
    fast = {"images": [_rows_of(ImageRow)], "annotations": [_rows_of(_Caption)], "licenses": [_rows_of(LicenceRow)]}
    return _read(path, CaptionRow, fast, tolerant.CAPTIONS)


def read_instances(path: Path) -> AnnotationFile[BoxRow]:
    """Return the rows of an instances file; raises ``PipelineError`` where they cannot be read right."""
    fast = {
        "images": [_rows_of(ImageRow)],
        "annotations": [_rows_of(_BoxWithArea), _boxes_or_around],
        "categories": [_rows_of(CategoryRow)],
        "licenses": [_rows_of(LicenceRow)],
    }
    return _read(path, BoxRow, fast, tolerant.INSTANCES)


def _read(
    path: Path, row: type[Row], fast: Mapping[str, list[Decode]], converters: tolerant.Converters
) -> AnnotationFile[Row]:
    try:
        with _open(path) as source:
            _refuse_other_sorts(source.read(256), path)
            try:
                source.seek(0)
                return _read_in_chunks(source, path, row, fast, converters)
            except (NotPlain, RecursionError, OverflowError):
                pass  # read as a whole, such a file can be understood after all, or is refused in our words
            source.seek(0)
            file = AnnotationFile(path, row)
            for key, rows in tolerant.read_document(_text_of(source.read(), path), converters, path):
                file.take(key, rows)
            return file
    except FileNotFoundError:
        raise PipelineError(f"no annotation file at {path}; pass --captions FILE or --instances FILE") from None
    except IsADirectoryError:
        raise PipelineError(f"{path} is a folder; pass the file in it, or --annotations {path}") from None
    except OSError as error:
        raise PipelineError(f"cannot read {path}: {error.strerror}") from None


def _read_in_chunks(
    source: BinaryIO, path: Path, row: type[Row], fast: Mapping[str, list[Decode]], converters: tolerant.Converters
) -> AnnotationFile[Row]:
    file = AnnotationFile(path, row)
    for key, rows in read_chunks(source, _decoders(path, fast, converters), tolerant.NEEDED):
        file.take(key, rows)
    return file


def _decoders(path: Path, fast: Mapping[str, list[Decode]], converters: tolerant.Converters) -> dict[str, list[Decode]]:
    return {
        key: [*fast[key], partial(tolerant.read_rows, key=key, convert=convert, path=path)]
        for key, convert in converters.items()
    }


def _rows_of(row: type) -> Decode:
    decode = msgspec.json.Decoder(list[row]).decode  # type: ignore[valid-type]
    return lambda chunk, _: decode(chunk)


def _boxes_or_around(chunk: bytes, _: int) -> list[BoxRow]:
    """Return boxes of which some have no area; then the segmentations, skipped else, may tell."""
    rows: list[BoxRow] = []
    masks = msgspec.json.decode(chunk, type=list[_Mask])
    for row, mask in zip(msgspec.json.decode(chunk, type=list[_Box]), masks, strict=True):
        box = row.bbox
        if not has_area(box):
            box = box_or_around(box, msgspec.json.decode(mask.segmentation))
        rows.append(row if box is row.bbox else msgspec.structs.replace(row, bbox=box))
    return rows


def _open(path: Path) -> BinaryIO:
    """Return the file; a pipe as a whole, since it may have to be read twice."""
    file = path.open("rb")
    if stat.S_ISREG(path.stat().st_mode):
        return file
    with file:
        return io.BytesIO(file.read())


def _refuse_other_sorts(start: bytes, path: Path) -> None:
    """Say what a file is that begins as no JSON object or list does."""
    if not start.strip():
        raise PipelineError(f"{path} is empty; fetch it again")
    for magic, words in NOT_JSON.items():
        if start.startswith(magic):
            raise PipelineError(f"{path} {words}")
    words = start.decode(json.detect_encoding(start[:4]), errors="replace").lstrip()
    if words[:1] not in ("{", "["):
        raise PipelineError(f"{path} is not JSON with annotations: it begins with {words[:30]!r}; fetch it again")


def _text_of(data: bytes, path: Path) -> str:
    encoding = json.detect_encoding(data[:4])  # tells UTF-16 and UTF-32 too, with or without a mark
    try:
        return str(data, encoding)
    except UnicodeDecodeError as error:
        if error.end >= len(data):  # cut in the middle of a character; the reader then finds that the JSON is cut, too
            return data[: error.start].decode(encoding)
        raise PipelineError(f"{path} is not {encoding} text (at byte {error.start}); save it as UTF-8") from None
