"""The nouns that travel through the pipeline.

They come by the hundred thousand and are ``msgspec`` structs: a validated box of pydantic's costs five times the time
and memory, and COCO train2017 has 860,001. What people and models write is in ``validated``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

T = TypeVar("T")
ContextPart = Literal["captions", "boxes"]
"""What of a scene a kind may be shown."""


class Box(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One labelled object, in fractions of the image so that size does not matter.

    ``0 <= x0 <= x1 <= 1``, and the same for y.
    """

    label: str
    """Category name, such as ``dog``."""
    x0: float
    """Left edge, from 0 (left of the image) to 1 (right)."""
    y0: float
    """Top edge, from 0 (top of the image) to 1 (bottom)."""
    x1: float
    """Right edge."""
    y1: float
    """Bottom edge."""
    crowd: bool = False
    """Whether the box surrounds a group that was not annotated one by one (COCO's ``iscrowd``)."""


class Scene(msgspec.Struct, frozen=True, array_like=True):
    """One annotated image: all that is known of it without looking at its pixels."""

    image_id: str
    """The annotation file's id, as text: ``493652`` or whatever the file uses."""
    file_name: str
    """As in the annotation file; may hold folders. Empty if the file names none."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    captions: tuple[str, ...] = ()
    """Stripped, without line breaks, in file order; may be empty."""
    boxes: tuple[Box, ...] = ()
    """In file order; may be empty."""
    licence: str | None = None
    """Name and address of the image's licence, where the file tells."""
    path: Path | None = None
    """The image file, where ``--images`` was given and the file is there."""


class Message(msgspec.Struct, frozen=True):
    """One chat message, as it is sent and as it is stored."""

    role: Literal["system", "user", "assistant"]
    content: str


class Turn(msgspec.Struct, frozen=True):
    """One question about the image and its answer."""

    question: str
    answer: str


ClaimKind = Literal["presence", "absence", "count", "place", "relation", "comparison", "attribute"]
"""What a claim is about: that something is there, or is not; how many; where in the image; where beside another
thing; which is larger or more; what colour or other quality."""
Verdict = Literal["supported", "contradicted", "not checkable"]


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A statement of a sample, and whether the captions and boxes of its scene bear it out."""

    message: int
    """Place in the row's ``messages``: 0 is the first question, 1 its answer."""
    start: int
    """First character of the statement in that message."""
    end: int
    """One past its last character."""
    kind: ClaimKind
    verdict: Verdict
    boxes: tuple[int, ...] = ()
    """Places of the boxes that settle it, in the scene's order."""
    captions: tuple[int, ...] = ()
    """Places of the captions that settle it."""
    detail: str = ""
    """What the evidence says instead, such as ``the boxes show 3 dogs``; empty unless contradicted."""


class Finding(msgspec.Struct, frozen=True, gc=False):
    """Something about a sample that a person may want to know before training on it."""

    message: int | None
    """Place in the row's ``messages``; ``None`` where it is about the whole sample."""
    start: int
    """First character it is about; 0 for a whole sample."""
    end: int
    """One past the last; 0 for a whole sample."""
    kind: str
    """Short and countable, such as ``source leak``."""
    detail: str
    """What exactly, for a person."""


class Sample(msgspec.Struct, frozen=True):
    """One finished sample: turns about a scene, and where they came from."""

    id: str
    """``<image_id>/<kind>/<n>``."""
    scene: Scene
    kind: str
    context: str
    """The scene's text as the model saw it."""
    turns: list[Turn]
    model: str
    """As the server names it."""
    prompt_hash: str
    """Of all that shapes the kind: its templates, settings, questions and examples."""
    request_hash: str
    """Of the request that was answered well; the journal's key in hex."""
    seed: int
    attempts: int
    """Replies paid for, the good one included."""
    finish_reason: str | None
    prompt_tokens: int
    """Over all attempts."""
    completion_tokens: int
    """Over all attempts."""
    cost_usd: float | None
    """Over all attempts, in US dollars; ``None`` where the price was not known."""
    claims: list[Claim] = []
    """In the order of the text."""
    findings: list[Finding] = []
    """In the order of the text, those about the whole sample last."""


class Reject(msgspec.Struct, frozen=True):
    """A planned sample that could not be made, and why."""

    id: str
    image_id: str
    kind: str
    reason: str
    """Short and countable, such as ``unreadable reply``."""
    error: str
    """What exactly was wrong, in the server's or the checker's words."""
    request_hash: str | None
    """Of the last request that was answered; the journal has its reply."""
    attempts: int
    """Replies paid for."""
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    """Over all attempts, in US dollars; ``None`` where the price was not known."""


# ── as bytes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def pack(records: Any) -> bytes:
    """Return records as MessagePack, which takes a tenth of the time and of the room that pickling them does."""
    return _packer.encode(records)


def unpacker(kind: type[T]) -> msgspec.msgpack.Decoder[T]:
    """Return what reads the bytes of ``pack`` as records of a type."""
    return msgspec.msgpack.Decoder(kind, dec_hook=_unpack_path)


def _unpack_path(_: type, name: bytes) -> Path:
    return Path(os.fsdecode(name))


_packer = msgspec.msgpack.Encoder(enc_hook=os.fsencode)
