"""A sample as the page shows it. Texts stay texts here; the template escapes them."""

from __future__ import annotations

import math
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from pipeline.quality.report.overlay import ShownBox, overlay
from pipeline.quality.wording import gravest, named
from pipeline.samples.verdicts import Standing

HUES = 12  # colours of categories; more could not be told apart
LONGEST_EDGE = 640  # units of the picture; labels are placed for letters of that scale
_SHAPE = (4, 3)  # of an image whose size nobody knows
_CONTRADICTION = "contradiction"  # the finding that repeats a claim


class Piece(msgspec.Struct, frozen=True):
    """A part of a message that nothing begins or ends in."""

    text: str
    verdict: str = ""
    """The gravest of the claims that cover it; empty if none does."""
    claims: str = ""
    """Their numbers, with spaces between."""
    told: str = ""
    """What they are, for a person."""
    found: bool = False
    """Whether it is what was searched for."""


class Said(msgspec.Struct, frozen=True):
    """One message."""

    at: int
    asked: bool
    """Whether it is a question."""
    pieces: list[Piece]
    text: str
    """As it now reads, raw."""
    original: str | None
    """What it said before it was edited, raw; ``None`` if it was not."""
    editor: str
    """Who edited it last."""


class ShownClaim(msgspec.Struct, frozen=True):
    """A statement and what it rests on."""

    number: int
    at: int
    """The message that it stands in."""
    sentence: str
    kind: str
    verdict: str
    detail: str
    boxes: str
    captions: str


class ContextLine(msgspec.Struct, frozen=True):
    """A line of the context as the model saw it."""

    text: str
    caption: int | None = None
    """Which caption it is."""
    box: int | None = None
    """Which box it is."""


class Category(msgspec.Struct, frozen=True):
    """What the boxes of one category are drawn as."""

    name: str
    hue: int
    count: int


class Shown(msgspec.Struct, frozen=True):
    """One sample, ready for the template."""

    number: int
    id: str
    kind: str
    file_name: str
    width: int
    height: int
    """Of the picture, in the units of the boxes."""
    boxes: list[ShownBox]
    """The largest first, so that small ones lie above."""
    labels: list[str]
    """Category of each box, in the row's order."""
    hues: list[int]
    """Colour of each box, in the row's order."""
    categories: list[Category]
    messages: list[Said]
    claims: list[ShownClaim]
    findings: list[tuple[str, str]]
    """What kind, and what exactly."""
    context: list[ContextLine]
    unseen: list[tuple[int, str]]
    """Captions that the model was not shown, with their places."""
    provenance: list[tuple[str, str]]
    standing: Standing


def show_row(
    number: int,
    row: Mapping[str, Any],
    standing: Standing,
    *,
    originals: Sequence[str],
    size: tuple[int, int] | None,
    q: str = "",
) -> Shown:
    """Return a row as it is to be shown.

    Args:
        number: Of the row.
        row: With the columns that ``index.COLUMNS`` names; its messages are the edited ones, and so are those that its
            claims and findings are about.
        standing: What reviewers said of it.
        originals: What the messages said before they were edited.
        size: Of the image in pixels, where the row does not tell it.
        q: What was searched for.
    """
    roles = [message["role"] for message in row["messages"] or []]
    texts = [message["content"] or "" for message in row["messages"] or []]
    boxes = [_box(box) for box in row["boxes"] or []]
    claims = [claim for claim in row["claims"] or [] if 0 <= (claim["message"] or 0) < len(texts)]
    width, height = _shown_size(row, size)
    context, unseen = _context(row["context"] or "", row["captions"] or [], boxes)
    categories = _categories(boxes)
    hues = {category.name: category.hue for category in categories}
    return Shown(
        number=number,
        id=row["id"],
        kind=named(row["kind"] or "sample"),
        file_name=row["file_name"] or "",
        width=width,
        height=height,
        boxes=overlay(boxes, claims, width, height),
        labels=[box["label"] for box in boxes],
        hues=[hues[box["label"]] for box in boxes],
        categories=categories,
        messages=[
            Said(
                at=at,
                asked=role == "user",
                pieces=_pieces(text, [(n, claim) for n, claim in enumerate(claims) if claim["message"] == at], q),
                text=text,
                original=originals[at] if text != originals[at] else None,
                editor=standing.edits[at].by if at in standing.edits else "",
            )
            for at, (role, text) in enumerate(zip(roles, texts, strict=True))
        ],
        claims=[_claim(n, claim, texts, len(boxes)) for n, claim in enumerate(claims)],
        findings=[
            (visible(finding["kind"] or ""), visible(finding["detail"] or ""))
            for finding in row["findings"] or []
            if finding["kind"] != _CONTRADICTION
        ],
        context=context,
        unseen=unseen,
        provenance=_provenance(row),
        standing=standing,
    )


def visible(text: str) -> str:
    """Return a text in which what steers a screen or turns the direction of writing can be seen, and does nothing."""
    if text.isascii() and (text.isprintable() or not any(_hidden(letter) for letter in text)):
        return text
    return "".join(f"⟨U+{ord(letter):04X}⟩" if _hidden(letter) else letter for letter in text)


def _hidden(letter: str) -> bool:
    if letter in "\n\t\u200d":  # the last joins emoji
        return False
    return unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp")


def _pieces(text: str, claims: Sequence[tuple[int, Mapping[str, Any]]], q: str) -> list[Piece]:
    """Return a text cut where claims and what was searched for begin and end; together the pieces are the text."""
    spans = [(max(claim["start"], 0), min(claim["end"], len(text)), number, claim) for number, claim in claims]
    hits = _hits(text, q)
    edges = {edge for start, end, *_ in spans if start < end for edge in (start, end)}
    cuts = sorted({0, len(text)} | edges | {edge for hit in hits for edge in hit})
    pieces = []
    for start, end in pairwise(cuts):
        covering = [(number, claim) for low, high, number, claim in spans if low < end and start < high]
        found = any(low < end and start < high for low, high in hits)
        told = dict.fromkeys(_told(claim) for _, claim in covering)
        pieces.append(
            Piece(
                text=visible(text[start:end]),
                verdict=gravest(claim["verdict"] or "" for _, claim in covering),
                claims=" ".join(str(number) for number, _ in covering),
                told=visible("; ".join(told)),
                found=found,
            )
        )
    return pieces


def _hits(text: str, q: str) -> list[tuple[int, int]]:
    wanted, lower = q.lower(), text.lower()
    if not wanted or len(lower) != len(text):  # some letters have more than one lower-case one; then the places differ
        return []
    hits: list[tuple[int, int]] = []
    start = lower.find(wanted)
    while start >= 0:
        hits.append((start, start + len(wanted)))
        start = lower.find(wanted, start + len(wanted))
    return hits


def _told(claim: Mapping[str, Any]) -> str:
    return f"{claim['kind']}: {claim['verdict']}" + (f" ({claim['detail']})" if claim["detail"] else "")


def _claim(number: int, claim: Mapping[str, Any], texts: Sequence[str], boxes: int) -> ShownClaim:
    return ShownClaim(
        number=number,
        at=claim["message"],
        sentence=visible(texts[claim["message"]][max(claim["start"], 0) : max(claim["end"], 0)]),
        kind=claim["kind"] or "",
        verdict=claim["verdict"] or "",
        detail=visible(claim["detail"] or ""),
        boxes=" ".join(str(box) for box in claim["boxes"] or () if 0 <= box < boxes),
        captions=" ".join(map(str, claim["captions"] or ())),
    )


def _box(box: Mapping[str, Any]) -> dict[str, Any]:
    """Return a box that can be drawn; one that cannot is a point, so that the others keep their places."""
    edges = [edge for edge in box["bbox"] or () if edge is not None and math.isfinite(edge)]
    return {"label": box["label"] or "", "bbox": edges if len(edges) == 4 else [0.0] * 4}


def _shown_size(row: Mapping[str, Any], size: tuple[int, int] | None) -> tuple[int, int]:
    width, height = row["width"] or 0, row["height"] or 0
    if width <= 0 or height <= 0:
        width, height = size or _SHAPE
    scale = LONGEST_EDGE / max(width, height)
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _categories(boxes: Sequence[Mapping[str, Any]]) -> list[Category]:
    """Return the categories of some boxes by name, each with a colour that it has in nearly all pictures."""
    counts: dict[str, int] = {}
    for box in boxes:
        counts[box["label"]] = counts.get(box["label"], 0) + 1
    taken: set[int] = set()
    found = []
    for name in sorted(counts):
        own = zlib.crc32(name.encode()) % HUES
        free = [(own + step) % HUES for step in range(HUES) if (own + step) % HUES not in taken]
        hue = free[0] if free else own
        taken.add(hue)
        found.append(Category(name, hue, counts[name]))
    return found


def _context(
    context: str, captions: Sequence[str], boxes: Sequence[Mapping[str, Any]]
) -> tuple[list[ContextLine], list[tuple[int, str]]]:
    """Return the context line by line, with the caption or box that each is, and the captions that are not in it."""
    lines = []
    left = list(range(len(captions)))
    box = 0
    for text in context.split("\n"):
        caption = next((place for place in left if captions[place] == text), None) if text else None
        if caption is not None:
            left.remove(caption)
            lines.append(ContextLine(visible(text), caption=caption))
        elif box < len(boxes) and text.startswith(f"{boxes[box]['label']}: ["):
            lines.append(ContextLine(visible(text), box=box))
            box += 1
        else:
            lines.append(ContextLine(visible(text)))
    return lines, [(place, visible(captions[place] or "")) for place in left]


def _provenance(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    tokens = [row["prompt_tokens"], row["completion_tokens"]]
    told = [
        ("Model", row["model"]),
        ("Prompt", row["prompt_hash"]),
        ("Request", (row["request_hash"] or "")[:16]),
        ("Seed", row["seed"]),
        ("Attempts", row["attempts"]),
        ("Ended by", row["finish_reason"]),
        ("Tokens", f"{tokens[0] or 0:,} read, {tokens[1] or 0:,} written" if any(tokens) else None),
        ("Cost", f"${row['cost_usd']:.5f}" if row["cost_usd"] else None),
        ("Image", f"{row['width']} × {row['height']}" if row["width"] and row["height"] else None),
        ("Licence", row["licence"]),
    ]
    return [(name, visible(str(value))) for name, value in told if value not in (None, "")]
