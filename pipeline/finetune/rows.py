"""Samples as training takes them: messages, a picture or none, and how often in an epoch.

    rows = read_rows(["outputs/first", "llava_instruct_150k.json:0.5"], images, {"conversation": 1, "detail": 0.05})

Whatever a source holds becomes a :class:`Row` or a :class:`Rejected` with its reason; nothing else leaves this module,
and nothing is left out in silence. Rows are made one at a time. What stays is the ids met so far, about 100 bytes a
row.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.annotations.listing import Listed
from pipeline.annotations.pictures import Pictures
from pipeline.errors import PipelineError
from pipeline.finetune.pictures import Picture
from pipeline.finetune.sources import Entry, Source, Told, find_files, parse_source, read_entries
from pipeline.finetune.tokens import IMAGE_TEXT
from pipeline.samples.reviewed import Review, Reviewed, find_verdicts, is_wanted, load_reviewed

CAPTION = "caption"
REQUEST = "Describe this picture in one sentence."
"""What a caption answers; the form ``plain`` does not show it."""
LONGEST_ID = 200  # characters; what is longer is no id but a text in the wrong place

_COCO = re.compile(r"(?:COCO_(?:train|val|test)20\d\d_)?0*(\d+)(?:\.\w{3,4})?")
_ASKING = ("user", "human")


@dataclass(frozen=True, slots=True)
class Row:
    """A sample, read and not yet looked into."""

    id: str
    """Unique over all sources."""
    image_id: str
    """Of the image, empty without one. One COCO image has one, whichever release's file name its source knows."""
    kind: str
    source: int
    """Place of its source among those asked for."""
    messages: Sequence[Any]
    """``role`` and ``content`` each, if they are messages at all; without marks and parts for the image."""
    picture: Picture | None
    """None: a row of text alone."""
    times: int
    """How often it comes in an epoch; 0: the weights leave it out, and it has neither messages nor picture."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be trained on."""

    id: str
    source: int
    reason: str
    """One of few."""
    detail: str
    """What is special about this one."""


class _Unfit(Exception):
    """Reason and detail of a ``Rejected``."""


def read_rows(
    sources: Sequence[str],
    images: Path | None,
    kinds: Mapping[str, float] | None,
    *,
    seed: int = 0,
    captions: bool = False,
    reviewed: Reviewed = "all",
) -> Iterator[Row | Rejected]:
    """Return the rows of sources, one after another; sources are looked for at once and read later.

    Args:
        sources: ``DATA`` or ``DATA:WEIGHT`` each: a run folder, a ``datasets`` folder, or a LLaVA-format or messages
            file. 0.5 takes a half of its samples, always the same; 2 takes each twice in an epoch, 2.5 half of them
            a third time.
        images: Folder with the image files, for rows that name them or whose paths are of another machine.
        kinds: Weights by kind, on top of the source's; other kinds are left out. None: all kinds.
        seed: Of which samples a weight takes.
        captions: Whether to take the captions of a run's images, each as a sample of the kind ``caption``, instead of
            its samples: what the first stage learns from. Other files are taken as they are.
        reviewed: Which samples of a source that was reviewed; edits of reviewers are put in.

    Raises:
        PipelineError: A source or the image folder is not there or is not what it should be. While iterating: a
            file cannot be read, or none of the rows is of a kind that was asked for.
    """
    if not sources:
        raise PipelineError("nothing to train on; pass --data with a run folder or a file, or --demo")
    parsed = [parse_source(source) for source in sources]
    files = [find_files(source.path) for source in parsed]
    return _Reader(parsed, files, images, kinds, seed, captions, reviewed).rows()


def held_out(row: Row, share: float, seed: int) -> bool:
    """Return whether a row is kept for validation: by its image, so that no image is on both sides; else by its id."""
    return _fraction("held out", seed, row.image_id or row.id) < share


def image_key(name: str) -> str:
    """Return what identifies an image, given its id or file name: the number alone where the name is one of COCO's."""
    found = _COCO.fullmatch(name)
    return found[1] if found else name


def is_question(message: object) -> bool:
    """Return whether a message is one of a person's."""
    return isinstance(message, dict) and message.get("role") in _ASKING


def _fraction(what: str, seed: int, name: str) -> float:
    """Return a number from 0 to 1 that is drawn by hashing, so that it depends on no other row."""
    digest = hashlib.sha256(f"{what}/{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


class _Reader:
    """Makes rows of entries."""

    def __init__(
        self,
        sources: Sequence[Source],
        files: Sequence[Sequence[Path]],
        images: Path | None,
        kinds: Mapping[str, float] | None,
        seed: int,
        captions: bool,
        reviewed: Reviewed,
    ) -> None:
        self._sources = sources
        self._files = files
        self._folder = Pictures(images) if images else None
        self._kinds = kinds
        self._seed = seed
        self._captions = captions
        self._reviewed = reviewed
        self._captioned: set[tuple[int, str]] = set()
        self._ids: set[str] = set()
        self._kinds_met: dict[str, None] = {}
        self._embedded: dict[str, Picture] = {}  # each image once, whichever rows hold a copy

    def rows(self) -> Iterator[Row | Rejected]:
        for at, (source, files) in enumerate(zip(self._sources, self._files, strict=True)):
            reviews = load_reviewed(source.path) if find_verdicts(source.path).exists() else {}
            for file in files:
                for entry in read_entries(file):
                    if self._captions and entry.is_ours:
                        for caption in self._captions_of(at, entry):
                            yield self._row(at, source, file, caption)
                    elif reviews or self._reviewed == "accepted":
                        yield self._reviewed_row(at, source, file, entry, reviews)
                    else:
                        yield self._row(at, source, file, entry)
        for kind in self._kinds or ():
            if kind not in self._kinds_met:
                there = ", ".join(self._kinds_met) or "no row at all"
                raise PipelineError(f"--kinds: no row is of the kind {kind!r}; there is {there}")

    def _reviewed_row(
        self, at: int, source: Source, file: Path, entry: Entry, reviews: Mapping[str, Review]
    ) -> Row | Rejected:
        """Return an entry as reviewers left it."""
        review = reviews.get(_text(entry.fields.get("id")))
        if not is_wanted(review, self._reviewed):
            verdict = review.verdict if review else "not reviewed"
            return Rejected(self._unique_id(source, entry), at, "left out by reviewers", str(verdict))
        messages = entry.fields.get("messages")
        if review and review.edits and isinstance(messages, list):
            told = [
                message | {"content": review.edits[place]} if place in review.edits else message
                for place, message in enumerate(messages)
            ]
            entry = entry._replace(fields=entry.fields | {"messages": told})
        return self._row(at, source, file, entry)

    def _captions_of(self, at: int, entry: Entry) -> Iterator[Entry]:
        """Yield the captions of an image that has not come yet; the run's other samples of it have the same ones."""
        image_id = _text(entry.fields.get("image_id"))
        if (at, image_id) in self._captioned:
            return
        self._captioned.add((at, image_id))
        for number, caption in enumerate(entry.fields.get("captions") or ()):
            messages = [{"role": "user", "content": REQUEST}, {"role": "assistant", "content": caption}]
            own = {"id": f"{image_id}/{CAPTION}/{number}", "kind": CAPTION, "messages": messages}
            yield entry._replace(fields=entry.fields | own)

    def _row(self, at: int, source: Source, file: Path, entry: Entry) -> Row | Rejected:
        row_id = self._unique_id(source, entry)
        kind = _text(entry.fields.get("kind")) or source.path.stem
        self._kinds_met[kind] = None
        weight = source.weight * (1.0 if self._kinds is None else self._kinds.get(kind, 0.0))
        times = int(weight) + (_fraction("times", self._seed, row_id) < weight % 1)
        if not times:
            return Row(row_id, "", kind, at, (), None, 0)
        try:
            if entry.fault:
                raise _Unfit("not a sample", entry.fault)
            messages, images = _conversation(entry)
            told = _only(images)
            if told is None:
                return Row(row_id, "", kind, at, messages, None, times)
            own = _text(entry.fields.get("image_id"))
            image_id = image_key(own or _file_name(told))
            if told.picture and not own and not image_id.isdecimal():
                image_id = told.digest  # some sets give all their images one name
            return Row(row_id, image_id, kind, at, messages, self._picture(file, told), times)
        except _Unfit as error:
            return Rejected(row_id, at, *error.args)

    def _unique_id(self, source: Source, entry: Entry) -> str:
        own = _text(entry.fields.get("id")) or f"{source.path.stem}/{entry.number}"
        name = own
        while name in self._ids:  # published sets use an image's id for all its samples
            name = f"{name}/{entry.number}"
        self._ids.add(name)
        return name

    def _picture(self, file: Path, told: Told) -> Picture:
        if told.picture:
            return self._embedded.setdefault(told.digest, told.picture)
        if self._folder and (found := self._folder.find(Listed(0, told.names, None, None))):
            return Picture(os.path.abspath(found))  # noqa: PTH100  # keeps links, and is quick
        for name in told.names:
            for path in (os.path.join(file.parent, name), name):  # noqa: PTH118  # an absolute name stays what it is
                if os.path.isfile(path):  # noqa: PTH113  # takes any text, zero bytes and half characters included
                    return Picture(os.path.abspath(path))  # noqa: PTH100
        name = f"{_text(told.names[0])} is not there" if told.names else "nor a name of one"
        raise _Unfit("no image file", f"{name}; pass --images DIR")


def _text(value: object) -> str:
    """Return an id or a name as text that any file can hold; empty where it is neither."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    return str(value)[:LONGEST_ID].encode("utf-8", "replace").decode()


def _only(images: Sequence[Told]) -> Told | None:
    if len(images) > 1:
        raise _Unfit("more than one image", f"{len(images)} images")
    return images[0] if images else None


def _file_name(told: Told) -> str:
    return _text(PurePosixPath(told.names[0].replace("\\", "/")).name) if told.names else ""


def _conversation(entry: Entry) -> tuple[list[Any], tuple[Told, ...]]:
    """Return the messages without what stands for the image in them, and the images that the entry tells.

    In texts of others, ``<image>`` at either end of a question stands for the image; elsewhere it is text.
    """
    told = entry.fields.get("messages")
    told = entry.fields.get("conversations") if told is None else told
    if not isinstance(told, list) or not told:
        raise _Unfit("no messages", "neither messages nor conversations is a list with something in it")
    messages: list[Any] = []
    marks: list[int] = []  # places of the messages that an image stands in, one an image
    inline: list[Told] = []
    for place, message in enumerate(told):
        if not isinstance(message, dict):
            messages.append(message)
            continue
        role, content = message.get("role", message.get("from")), message.get("content", message.get("value"))
        if isinstance(content, list):
            pictures = [part for part in content if _is_image(part)]
            content = [part for part in content if not _is_image(part)]
            marks += [place] * len(pictures)
            inline += [Told(names) for names in map(_inline_names, pictures) if names]
        elif isinstance(content, str) and role in _ASKING and not entry.is_ours:
            content, count = _without_marks(content)
            marks += [place] * count
        messages.append({"role": role, "content": content})
    images = entry.images or tuple(inline)
    _check_marks(marks, images, [is_question(message) for message in messages])
    return messages, images


def _check_marks(marks: Sequence[int], images: Sequence[Told], are_questions: Sequence[bool]) -> None:
    if len(marks) > 1:
        raise _Unfit("more than one image", f"{len(marks)} places for images")
    if marks and not images:
        raise _Unfit("no image file", f"{IMAGE_TEXT} stands in its messages, and it names no image")
    if marks and (not are_questions[marks[0]] or any(are_questions[: marks[0]])):
        raise _Unfit("image out of place", "its image is not in the first question")


def _without_marks(text: str) -> tuple[str, int]:
    """Return a question without ``<image>`` at its ends, and how many there were."""
    count = 0
    bare = text.strip()
    while bare.startswith(IMAGE_TEXT) or bare.endswith(IMAGE_TEXT):
        bare = bare.removeprefix(IMAGE_TEXT) if bare.startswith(IMAGE_TEXT) else bare.removesuffix(IMAGE_TEXT)
        bare = bare.strip()
        count += 1
    return (bare, count) if count else (text, 0)


def _is_image(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") in ("image", "image_url")


def _inline_names(part: Mapping[str, Any]) -> tuple[str, ...]:
    told = next((part[name] for name in ("image", "path", "url", "image_url") if part.get(name)), None)
    if isinstance(told, Mapping):
        told = told.get("url") or told.get("path")
    return (told,) if isinstance(told, str) else ()
