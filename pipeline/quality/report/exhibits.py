"""A sample as the report shows it: its picture with boxes, its text with claims marked.

Texts stay texts here; the template escapes them. Offsets of claims and boxes of images are taken as they come from any
data, so what lies outside its text or image is cut to it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from pipeline.quality.report.examples import CONTRADICTION
from pipeline.quality.report.overlay import ShownBox, overlay
from pipeline.quality.wording import gravest, plain

LONGEST_EDGE = 640  # pixels of a picture in the page, at most
_JPEG_QUALITY = 82
_SHAPE = (4, 3)  # of an image whose size nobody knows


class Segment(msgspec.Struct, frozen=True):
    """A piece of a message that no claim begins or ends in."""

    text: str
    verdict: str
    """The gravest of the claims that cover it; empty if none does."""
    boxes: str
    """Places of the boxes that those claims rest on, with spaces between."""
    told: str
    """What those claims are, for a person."""


class Line(msgspec.Struct, frozen=True):
    """One message."""

    asked: bool
    """Whether it is a question."""
    segments: list[Segment]


class Exhibit(msgspec.Struct, frozen=True):
    """One sample, ready for the template."""

    id: str
    kind: str
    note: str
    """File name and model."""
    source: str
    """Address of the picture with its data; empty where there is none."""
    width: int
    height: int
    """Of the picture as it is shown, in the units of the boxes."""
    boxes: list[ShownBox]
    """The largest first, so that small ones lie above."""
    lines: list[Line]
    captions: list[str]
    supported: int
    contradictions: list[tuple[str, str]]
    """The sentence, and what is wrong with it."""
    findings: list[tuple[str, str]]
    """What kind, and what exactly."""


def exhibit(row: Mapping[str, Any]) -> Exhibit:
    """Return a row of ``SCHEMA`` as it is to be shown; an image that cannot be read is left out."""
    messages = [message["content"] or "" for message in row.get("messages") or []]
    roles = [message["role"] for message in row.get("messages") or []]
    claims: list[dict[str, Any]] = [claim for claim in row.get("claims") or [] if claim["message"] < len(messages)]
    source, size = _picture(row.get("image"))
    width, height = _shown_size(row, size)
    boxes = row.get("boxes") or []
    wrong = [claim for claim in claims if claim["verdict"] == "contradicted"]
    return Exhibit(
        id=plain(row.get("id") or ""),
        kind=plain(row.get("kind") or ""),
        note=plain(" · ".join(part for part in (row.get("file_name"), row.get("model")) if part)),
        source=source,
        width=width,
        height=height,
        boxes=overlay(boxes, claims, width, height),
        lines=[
            Line(role == "user", segments(text, [claim for claim in claims if claim["message"] == at], boxes))
            for at, (role, text) in enumerate(zip(roles, messages, strict=True))
        ],
        captions=[plain(caption) for caption in row.get("captions") or []],
        supported=sum(claim["verdict"] == "supported" for claim in claims),
        contradictions=[
            (plain(messages[claim["message"]][claim["start"] : claim["end"]]), plain(claim["detail"] or ""))
            for claim in wrong
        ],
        findings=[
            (plain(finding["kind"]), plain(finding["detail"] or ""))
            for finding in row.get("findings") or []
            if finding["kind"] != CONTRADICTION
        ],
    )


def segments(text: str, claims: Sequence[Mapping[str, Any]], boxes: Sequence[Mapping[str, Any]]) -> list[Segment]:
    """Return a text cut where claims begin and end; together the pieces are the text."""
    cuts = {0, len(text)}
    for claim in claims:
        cuts |= {min(max(claim["start"], 0), len(text)), min(max(claim["end"], 0), len(text))}
    ordered = sorted(cuts)
    return [
        _segment(text[start:end], [c for c in claims if c["start"] < end and c["end"] > start], boxes)
        for start, end in pairwise(ordered)
    ]


def _segment(text: str, covering: list[Mapping[str, Any]], boxes: Sequence[Mapping[str, Any]]) -> Segment:
    if not covering:
        return Segment(plain(text), "", "", "")
    verdict = gravest([claim["verdict"] for claim in covering])
    cited = sorted({box for claim in covering for box in claim["boxes"] or () if box < len(boxes)})
    told = [
        f"{claim['kind']}: {claim['verdict']}" + (f" ({claim['detail']})" if claim["detail"] else "")
        for claim in covering
    ]
    return Segment(plain(text), verdict, " ".join(map(str, cited)), plain("; ".join(dict.fromkeys(told))))


def _shown_size(row: Mapping[str, Any], size: tuple[int, int] | None) -> tuple[int, int]:
    """Return the size of the shown picture: of the image itself, else as the row tells, else of some usual shape."""
    width, height = size or (row.get("width") or 0, row.get("height") or 0)
    if width <= 0 or height <= 0:
        width, height = _SHAPE
    scale = LONGEST_EDGE / max(width, height)
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _picture(image: Mapping[str, Any] | None) -> tuple[str, tuple[int, int] | None]:
    """Return an image as a small JPEG in an address, and its own size; nothing where it cannot be read."""
    if not image or not (image.get("bytes") or image.get("path")):
        return "", None
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image["bytes"]) if image.get("bytes") else Path(image["path"])) as opened:
            size = opened.size
            opened.draft("RGB", (LONGEST_EDGE, LONGEST_EDGE))
            small = opened.convert("RGB")
            small.thumbnail((LONGEST_EDGE, LONGEST_EDGE))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # all that Pillow's readers end with
        return "", None
    file = io.BytesIO()
    small.save(file, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode(), size
