"""The rows of a COCO-format file, as far as scenes need them; what else a file holds is skipped.

The structs are the meeting point of the two readers: ``msgspec`` fills them straight from the bytes
(``files.py``), and ``tolerant.py`` fills them by hand from what ``msgspec`` refuses. Names that the
file format fixes (``license``, ``bbox``) are kept as they are there.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

_Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What can be packed; `tolerant.py` sees to larger ones."""

Id: TypeAlias = _Integer | str
"""An id as the file writes it. ``str(id)`` is the form in which ids are compared: ``1`` and ``"1"`` are one id."""

Pixels: TypeAlias = tuple[float, float, float, float]
"""``x, y, width, height`` of a box in pixels, ``x, y`` its top left corner; may be NaN, infinite or negative."""


def shown(value: object) -> str:
    """Return an id or a name as a message shows it: as it is, or quoted where it would break the line."""
    text = str(value)
    return text if text.isprintable() else repr(text)


class ImageRow(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One entry of ``images``."""

    id: Id
    file_name: str | None = None
    width: _Integer | None = None
    height: _Integer | None = None
    license: Id | None = None


class CaptionRow(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One entry of ``annotations`` in a captions file."""

    image_id: Id | None = None
    caption: str | None = None
    id: Id | None = None


class BoxRow(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One entry of ``annotations`` in an instances file. ``bbox`` is None where nothing tells the box."""

    image_id: Id | None = None
    category_id: Id | None = None
    bbox: Pixels | None = None
    iscrowd: Literal[0, 1] = 0
    id: Id | None = None


class CategoryRow(msgspec.Struct, frozen=True, gc=False):
    """One entry of ``categories``."""

    id: Id
    name: str | None = None
    supercategory: str | None = None


class LicenceRow(msgspec.Struct, frozen=True, gc=False):
    """One entry of ``licenses``."""

    id: Id | None = None
    name: str | None = None
    url: str | None = None
