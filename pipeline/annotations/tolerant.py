"""The slow way to read a COCO-format file, or a part of one: for what the fast one refuses, and to say what is wrong.

Python's own ``json`` reads NaN and Infinity; the conversion by hand takes numbers written as text, ids written as
``1.0``, boxes that only a segmentation tells, and the like. What cannot be read right is refused by file and id.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pipeline.annotations.masks import box_around, box_or_around, has_area
from pipeline.annotations.rows import (
    BoxRow,
    CaptionRow,
    CategoryRow,
    Id,
    ImageRow,
    LicenceRow,
    Pixels,
    shown,
)
from pipeline.errors import PipelineError

Converter = Callable[[dict[str, Any]], Any]
"""Makes a row of what JSON has."""
Converters = Mapping[str, Converter]
"""By key of the lists that are wanted."""

NEEDED = {"images", "annotations"}
HALF_CHARACTERS = re.compile("[\ud800-\udfff]")  # left by tools that cut text in the middle of an emoji


def read_document(text: str, converters: Converters, path: Path) -> Iterator[tuple[str, list[Any]]]:
    """Yield each wanted list of a file, as rows.

    Args:
        text: The whole file.
        converters: ``CAPTIONS`` or ``INSTANCES``.
        path: For messages.

    Raises:
        PipelineError: A row cannot be read right, or this is another sort of file; the line names ``path`` and id.
    """
    top = _top_level(text, path)
    for key, convert in converters.items():
        values = top.get(key)
        if values is None and key not in NEEDED:
            continue
        if not isinstance(values, list):
            raise PipelineError(
                f'{path} has no list "{key}"; pass a COCO-format file, such as captions_*.json or instances_*.json'
            )
        yield key, _rows(values, 0, key, convert, path)


def read_rows(chunk: bytes, before: int, *, key: str, convert: Converter, path: Path) -> list[Any]:
    """Return the rows of a part of a list.

    Args:
        chunk: The part, as JSON.
        before: Rows before it.
        key: Of the list.
        convert: Makes a row.
        path: For messages.

    Raises:
        PipelineError: A row cannot be read right.
        ValueError: This is not JSON.
    """
    values = json.loads(chunk.decode(), object_hook=_without_spare_mask, strict=False)
    return _rows(values, before, key, convert, path)


class _RowError(Exception):
    """What is wrong with one row; its caller knows file and id."""


def _top_level(text: str, path: Path) -> dict[str, Any]:
    try:
        top: dict[str, Any] | list[Any] = json.loads(text, object_hook=_without_spare_mask, strict=False)
    except json.JSONDecodeError as error:
        body = text.rstrip()
        if error.pos >= len(body) or body[-1:] != "}" or error.msg.startswith("Unterminated"):
            raise PipelineError(f"{path} is cut short (it ends in the middle of its JSON); fetch it again") from None
        raise PipelineError(f"{path} is not JSON: {error}; fetch or write it again") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists in lists without end
        raise PipelineError(f"{path} cannot be read as JSON: {error}") from None
    if isinstance(top, list):
        raise PipelineError(f"{path} is a bare list, as results files are; pass the annotation file it belongs to")
    return top


def _without_spare_mask(row: dict[str, Any]) -> dict[str, Any]:
    # Nine tenths of a large file are polygons that nobody asks for where the box is given.
    if "segmentation" in row and _is_sound(row.get("bbox")):
        del row["segmentation"]
    return row


def _is_sound(bbox: Any) -> bool:
    try:
        return isinstance(bbox, list) and len(bbox) == 4 and has_area(bbox)
    except (TypeError, OverflowError):
        return False


def _rows(values: list[Any], before: int, key: str, convert: Converter, path: Path) -> list[Any]:
    noun = {"images": "image", "annotations": "annotation", "categories": "category", "licenses": "licence"}[key]
    rows = []
    for number, value in enumerate(values, start=before + 1):
        if not isinstance(value, dict):
            raise PipelineError(f"{path}: {noun} number {number} is {reprlib.repr(value)}, not an object")
        try:
            rows.append(convert(value))
        except _RowError as error:
            name = f"number {number} (without id)" if value.get("id") is None else shown(value["id"])
            raise PipelineError(f"{path}: {noun} {name}: {error}") from None
    return rows


def _image(row: dict[str, Any]) -> ImageRow:
    return ImageRow(
        id=_own_id(row),
        file_name=_text(row, "file_name"),
        width=_side(row.get("width")),
        height=_side(row.get("height")),
        license=_id(row, "license"),
    )


def _caption(row: dict[str, Any]) -> CaptionRow:
    if "caption" not in row and ("bbox" in row or "category_id" in row or "segments_info" in row):
        raise _RowError(
            "this is a file of boxes, not of captions; pass it as --instances (are --captions and --instances swapped?)"
        )
    return CaptionRow(image_id=_id(row, "image_id"), caption=_text(row, "caption"), id=_id(row, "id"))


def _box(row: dict[str, Any]) -> BoxRow:
    if "segments_info" in row:
        raise _RowError("this is a panoptic file, which has no boxes of its own; pass instances_*.json")
    if "caption" in row and "category_id" not in row:
        raise _RowError(
            "this is a file of captions, not of boxes; pass it as --captions (are --captions and --instances swapped?)"
        )
    category_id = _id(row, "category_id")
    if category_id is None:
        raise _RowError("it has no category_id; give it one from categories, or remove it")
    return BoxRow(
        image_id=_id(row, "image_id"),
        category_id=category_id,
        bbox=_pixels(row),
        iscrowd=_flag(row, "iscrowd"),
        id=_id(row, "id"),
    )


def _category(row: dict[str, Any]) -> CategoryRow:
    name = row.get("name")
    if type(name) is int:  # sets of digits name their categories 0 to 9
        row = {**row, "name": str(name)}
    supercategory = row.get("supercategory")
    return CategoryRow(
        id=_own_id(row),
        name=_text(row, "name"),
        supercategory=_text(row, "supercategory") if isinstance(supercategory, str) else None,
    )


def _licence(row: dict[str, Any]) -> LicenceRow:
    return LicenceRow(id=_id(row, "id"), name=_text(row, "name"), url=_text(row, "url"))


def _own_id(row: dict[str, Any]) -> Id:
    own = _id(row, "id")
    if own is None:
        raise _RowError("it has no id; give it one")
    return own


def _id(row: dict[str, Any], key: str) -> Id | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, str):
        return _text(row, key)
    if type(value) is int or (isinstance(value, float) and value.is_integer()):
        number = int(value)
        return number if number.bit_length() < 64 else str(number)
    raise _RowError(f"{key} is {reprlib.repr(value)}, neither a whole number nor text")


def _text(row: dict[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _RowError(f"{key} is {reprlib.repr(value)}, not text; correct or remove it")
    return HALF_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", value)


def _side(value: Any) -> int | None:
    """Return a side in pixels, or None where the file tells none: the image file itself may know."""
    number = _number(value)
    return int(number) if number is not None and number.is_integer() and abs(number) < 2**63 else None


def _pixels(row: dict[str, Any]) -> Pixels | None:
    value = row.get("bbox")
    if value is None or value == []:
        try:
            return box_around(row.get("segmentation"))
        except ValueError as error:
            raise _RowError(f"it has no bbox, and its {error}; correct or remove it") from None
    numbers = [_number(side) for side in value] if isinstance(value, list) and len(value) == 4 else [None]
    if None in numbers:
        raise _RowError(f"bbox is {reprlib.repr(value)}, not four numbers [x, y, width, height]; correct or remove it")
    x, y, width, height = (number for number in numbers if number is not None)
    return box_or_around((x, y, width, height), row.get("segmentation"))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:  # a whole number beyond the range of floats
        return math.inf


def _flag(row: dict[str, Any], key: str) -> Literal[0, 1]:
    value = row.get(key)
    if value in (None, 0, "0", ""):
        return 0
    if value in (1, "1"):
        return 1
    raise _RowError(f"{key} is {reprlib.repr(value)}, neither 0 nor 1; correct or remove it")


CAPTIONS: Converters = {"images": _image, "annotations": _caption, "licenses": _licence}
INSTANCES: Converters = {"images": _image, "annotations": _box, "categories": _category, "licenses": _licence}
