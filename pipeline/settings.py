"""What a person can set: one frozen class a command. A field's docstring is its ``--help`` line.

Settings stop at the commands: rooms take scenes, kinds and numbers, not a configuration.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field

from pipeline.errors import PipelineError
from pipeline.records import ContextPart, Record

MODEL_KEY = "OPENAI_API_KEY"
MODEL_URL = "OPENAI_BASE_URL"


def read_counts(text: str) -> dict[str, int]:
    """Read ``conversation=2,complex_reasoning`` as counts by name; a name alone counts 1.

    Raises:
        ValueError: A count is no whole number of at least 1, or a name comes twice.
    """
    counts: dict[str, int] = {}
    for part in text.split(","):
        name, equals, count = (word.strip() for word in part.partition("="))
        if not name or (equals and not (count.isdecimal() and int(count) > 0)):
            raise ValueError(f"{part.strip()!r} is not KIND or KIND=COUNT with a count of at least 1")
        if name in counts:
            raise ValueError(f"{name!r} comes twice")
        counts[name] = int(count) if equals else 1
    return counts


def read_parts(text: str) -> dict[str, tuple[ContextPart, ...]]:
    """Read ``conversation=captions,complex_reasoning=captions+boxes`` as context parts by kind.

    Raises:
        ValueError: The text has another form, or names another part.
    """
    parts: dict[str, tuple[ContextPart, ...]] = {}
    for part in text.split(","):
        name, _, shown = (word.strip() for word in part.partition("="))
        names = tuple(word.strip() for word in shown.split("+"))
        if not name or not set(names) <= set(get_args(ContextPart)):
            raise ValueError(f"{part.strip()!r} is not KIND=captions, KIND=boxes or KIND=captions+boxes")
        parts[name] = names  # type: ignore[assignment]  # checked against the literal above
    return parts


def read_options(pairs: list[str]) -> dict[str, Any]:
    """Read ``NAME=VALUE`` pairs, the value as JSON where it is JSON, as text where it is not.

    Raises:
        ValueError: A pair has no ``=``, or names a field that the pipeline itself fills.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"{pair!r} is not NAME=VALUE")
        if name.strip() in ("model", "messages", "stream", "n"):
            raise ValueError(f"{name.strip()!r} is not for --set; the pipeline fills it")
        try:
            options[name.strip()] = json.loads(value)
        except ValueError:
            options[name.strip()] = value
    return options


def _checked(read: Any) -> AfterValidator:
    """Check a text with its reader, and keep the text."""

    def check(value: Any) -> Any:
        if value:
            read(value)
        return value

    return AfterValidator(check)


class SourceSettings(Record):
    """What to read, and which samples to make of it."""

    annotations: Path | None = None
    """Folder with captions_*.json and instances_*.json; without any annotations, the quick-start scenes are used."""
    captions: Path | None = None
    """COCO-format captions file; may go alone."""
    instances: Path | None = None
    """COCO-format instances file; may go alone."""
    images: Path | None = None
    """Folder with the image files, for the viewer, for training, and for sizes that the annotations lack."""
    prompts: Path | None = None
    """Folder with kinds of your own, DIR/<kind>/kind.toml; they come before shipped kinds of the same name."""
    seed_examples: Path | None = None
    """Folder with their examples, DIR/<kind>/<name>.json. (default: seed_examples inside or beside --prompts)"""
    kinds: Annotated[str | None, _checked(read_counts)] = None
    """Samples an image by kind, such as conversation=2,detailed_description. (default: one of every kind)"""
    context: Annotated[str | None, _checked(read_parts)] = None
    """What a kind sees, such as conversation=captions for LLaVA's form. (default: what its kind.toml says)"""
    limit: int | None = Field(default=None, ge=1)
    """Most images; which ones depends on --seed and their ids alone."""
    image_id: tuple[str, ...] = ()
    """Only this image; may be repeated."""
    seed: int = 0
    """Of every choice and draw."""


class PreviewSettings(SourceSettings):
    """Settings of ``preview``."""

    reply_format: Literal["json", "text"] = "json"
    """Form of the replies in the few-shot examples."""


class GenerateSettings(SourceSettings):
    """Settings of ``generate``."""

    total: Annotated[str | None, _checked(read_counts)] = None
    """Samples in all by kind, such as conversation=58000,complex_reasoning=77000; instead of --kinds."""
    model: str | None = None
    """Chat model, as the server knows it; without one, the built-in offline writer (rules, not a model) writes."""
    base_url: str | None = None
    """OpenAI-compatible server, such as http://localhost:8000/v1. (default: OPENAI_BASE_URL, else OpenAI)"""
    reply_format: Literal["auto", "json", "text"] = "auto"
    """auto: JSON schema where the server takes it, else json; json: JSON in the text; text: LLaVA's Question/Answer."""
    set: Annotated[tuple[str, ...], _checked(read_options)] = ()
    """Sampling option passed on as it is, NAME=VALUE, such as temperature=0.7; may be repeated; null leaves one out."""
    attempts: int = Field(default=3, ge=1)
    """Paid replies a sample may take; an unreadable one is asked for again with the reason."""
    concurrency: int = Field(default=64, ge=1)
    """Most requests in flight."""
    timeout: float = Field(default=180, gt=0)
    """Seconds after which an unanswered request is tried again."""
    give_up: float = Field(default=300, gt=0)
    """Seconds without any answer after which the run stops, with everything kept."""
    out: Path | None = None
    """Run folder; the same command on the same folder carries on. (default: outputs/<name of the annotations>)"""
    shard_size: int = Field(default=1000, ge=1)
    """Planned samples a shard."""
    embed_images: bool | None = None
    """Put the image files' bytes into the shards. (default: only for the quick-start scenes)"""


class ShowSettings(Record):
    """Settings of ``show``."""

    count: int = Field(default=3, ge=1)
    """Samples to print."""
    kind: str | None = None
    """Only samples of this kind."""
    image_id: str | None = None
    """Only samples of this image."""


class ScenesSettings(Record):
    """Settings of ``scenes``."""

    count: int = Field(default=12, ge=1)
    """Scenes to draw."""
    out: Path = Path("outputs/scenes")
    """Folder for images, captions_scenes.json and instances_scenes.json."""
    seed: int = 0
    """Of everything drawn; a longer set begins with the shorter one."""


def check_source(settings: SourceSettings) -> None:
    """Refuse settings that contradict each other.

    Raises:
        PipelineError: They do.
    """
    if settings.annotations and (settings.captions or settings.instances):
        raise PipelineError("--annotations finds both files by itself; pass it, or --captions and --instances")
    if settings.images and not (settings.annotations or settings.captions or settings.instances):
        raise PipelineError("--images goes with annotations; pass --annotations, or --captions and --instances")
    if isinstance(settings, GenerateSettings):
        if settings.kinds and settings.total:
            raise PipelineError("--kinds counts samples an image and --total in all; pass one of them")
        if settings.base_url and not settings.model:
            raise PipelineError("--base-url goes with --model; name the model that the server serves")
