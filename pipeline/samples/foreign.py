"""Samples that others made, as our rows: LLaVA-format JSON, and chat ``messages`` in JSON, JSON lines or Parquet.

Their annotations come from COCO-format files beside them. A row whose image those files do not know keeps its text and
has neither captions nor boxes, so nothing in it can be held against a scene.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from pipeline.errors import PipelineError
from pipeline.prompting.context import describe
from pipeline.records import Scene
from pipeline.samples.shards import open_parquet

_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
_PLACEHOLDER = re.compile(r"\s*<image>\s*")
_NUMBER = re.compile(r"(\d+)(?!.*\d)")  # the last number of a name, such as the id in COCO_train2014_000000033471.jpg


class SceneFinder:
    """Finds the scene of a sample by its image's file name, or by the COCO id in it."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        """Note where each scene is; the scenes themselves are asked for one by one."""
        self._scenes = scenes
        self._named: dict[str, int] = {}
        self._numbered: dict[str, int] = {}
        for place, scene in enumerate(scenes):
            self._named.setdefault(PurePosixPath(scene.file_name).name, place)
            self._numbered.setdefault(_number(scene.image_id) or scene.image_id, place)

    def find(self, image: str, image_id: str) -> Scene | None:
        """Return the scene of an image, or ``None`` where the annotation files do not list it."""
        place = self._named.get(PurePosixPath(image).name) if image else None
        for name in (image, image_id):
            # The 2014 and 2017 releases name one image differently; the number is the same.
            if place is None and (number := _number(name)):
                place = self._numbered.get(number)
        return None if place is None else self._scenes[place]


def _number(name: str) -> str | None:
    found = _NUMBER.search(PurePosixPath(name).stem)
    return found[1].lstrip("0") or "0" if found else None


def read_foreign(path: Path, scenes: Sequence[Scene], dropped: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield the samples of a file as rows of ours; columns that the file has nothing for are left out.

    Args:
        path: ``.json`` (one list), ``.jsonl`` or ``.parquet``.
        scenes: Of the annotation files; may be empty.
        dropped: Counts what could not be used, by reason.

    Raises:
        PipelineError: The file cannot be read, or a row of it is no sample; the line names it.
    """
    finder = SceneFinder(scenes)
    ids: set[str] = set()
    listed = strangers = 0
    for number, entry in enumerate(_entries(path)):
        where = f"{path}, sample {entry.get('id', number)!r}"
        messages = _messages(entry, where)
        if not messages:
            dropped["samples without a question and its answer"] += 1
            continue
        image = _image_of(entry)
        image_id = str(entry.get("image_id") or _number(image) or "")
        scene = finder.find(image, image_id or str(entry.get("id", "")))
        listed += scene is not None
        if scene is None and image:
            strangers += 1
            dropped["samples whose image the annotation files do not list"] += 1
        scene = scene or Scene(image_id, image, 0, 0)
        own = str(entry.get("id", number))
        # Published sets use an image's id for all its samples.
        name = own if own not in ids else f"{own}/{number}"
        ids.add(name)
        yield {
            "id": name,
            "image_id": scene.image_id,
            "image": {"bytes": None, "path": str(scene.path)} if scene.path else None,
            "file_name": scene.file_name,
            "width": scene.width or None,
            "height": scene.height or None,
            "licence": scene.licence,
            "kind": str(entry.get("kind") or path.stem),
            "messages": messages,
            "context": describe(scene, ("captions", "boxes")),
            "captions": list(scene.captions),
            "boxes": [
                {"label": box.label, "bbox": (box.x0, box.y0, box.x1, box.y1), "crowd": box.crowd}
                for box in scene.boxes
            ],
            "model": entry.get("model") if isinstance(entry.get("model"), str) else None,
        }

    if len(scenes) and strangers and not listed:
        raise PipelineError(
            f"{path}: the annotation files list none of its {strangers:,} images; pass those it is about"
        )


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    try:
        if path.suffix == ".parquet":
            yield from _parquet_rows(path)
        elif path.suffix == ".jsonl":
            with path.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield _decoded(line, f"{path}, line {number}")
        else:
            entries = _decode_list(path)
            for number, raw in enumerate(entries):
                yield _decoded(bytes(raw), f"{path}, sample {number}")
    except OSError as error:
        raise PipelineError(f"cannot read {path}: {error.strerror or error}") from None


def _decode_list(path: Path) -> list[msgspec.Raw]:
    # Raw entries: a published set of 150,000 samples is read without building all of it at once.
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PipelineError(f"{path} is no JSON list of samples: {error}; .jsonl has one sample a line") from None


def _decoded(line: bytes, where: str) -> dict[str, Any]:
    try:
        entry = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PipelineError(f"{where} is no JSON: {error}") from None
    if not isinstance(entry, dict):
        raise PipelineError(f"{where} is no sample; it should be an object with conversations or messages")
    return entry


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa

    try:
        with open_parquet(path) as file:
            names = set(file.schema_arrow.names)
            if not names & {"messages", "conversations"}:
                raise PipelineError(f"{path} holds no samples: it has no column 'messages' or 'conversations'")
            wanted = ["id", "image_id", "file_name", "image", "kind", "messages", "conversations", "model"]
            columns = [name for name in wanted if name in names]
            for batch in file.iter_batches(1000, columns=columns):
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise PipelineError(f"cannot read {path}: {' '.join(str(error).split())}") from None


def _image_of(entry: dict[str, Any]) -> str:
    """Return the name of a sample's image, however its set tells it; empty where it has none."""
    for name in ("file_name", "image"):
        told = entry.get(name)
        if isinstance(told, dict):
            told = told.get("path")
        if isinstance(told, list):
            told = told[0] if told else None
        if isinstance(told, str) and told:
            return told
    return ""


def _messages(entry: dict[str, Any], where: str) -> list[dict[str, str]]:
    """Return a sample's questions and answers in turn, without system messages and a last unanswered question.

    Raises:
        PipelineError: The entry has no such list, or one in another order.
    """
    told = entry.get("messages", entry.get("conversations"))
    if not isinstance(told, list):
        raise PipelineError(f"{where} has neither conversations nor messages")
    messages: list[dict[str, str]] = []
    for message in told:
        role, text = _role_and_text(message, where)
        if role == "system":
            continue
        if role != ("user", "assistant")[len(messages) % 2]:
            raise PipelineError(f"{where}: question and answer do not take turns at message {len(messages) + 1}")
        messages.append({"role": role, "content": text})
    return messages[: len(messages) // 2 * 2]


def _role_and_text(message: object, where: str) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise PipelineError(f"{where} has a message that is no object")
    name = message.get("role", message.get("from"))
    role = _ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        raise PipelineError(f"{where}: unknown role {name!r}; known are {', '.join(_ROLES)}")
    text = message.get("content", message.get("value"))
    if isinstance(text, list):  # parts, of which images are no words
        text = " ".join(_texts(text))
    if not isinstance(text, str):
        raise PipelineError(f"{where} has a message without text")
    return role, _PLACEHOLDER.sub("\n", text).strip()


def _texts(parts: Iterable[object]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]
