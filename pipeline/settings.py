"""What a person can set: one frozen class a command. A field's docstring is its ``--help`` line.

Settings stop at the commands: rooms take scenes, kinds and numbers, not a configuration.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from cyclopts import Group, Parameter
from pydantic import AfterValidator, ConfigDict, Field

from pipeline.errors import PipelineError
from pipeline.options import read_counts, read_options, read_parts, read_weights
from pipeline.validated import Record

KEY_VARIABLE = "OPENAI_API_KEY"
URL_VARIABLE = "OPENAI_BASE_URL"

# Headings of a help page, in its order.
_READ = Parameter(group=Group("What to read", sort_key=1))
_MAKE = Parameter(group=Group("What to make", sort_key=2))
_MODEL = Parameter(group=Group("Model", sort_key=3))
_PACE = Parameter(group=Group("Pace and money", sort_key=4))
_TRAIN = Parameter(group=Group("Training", sort_key=2))
_BASE = Parameter(group=Group("Base models", sort_key=3))
_FAST = Parameter(group=Group("Speed and memory", sort_key=4))
_CHECK = Parameter(group=Group("Checks", sort_key=5))
_OUTPUT = Parameter(group=Group("Output", sort_key=6))


def _checked(read: Any) -> AfterValidator:
    """Check a text with its reader, and keep the text."""

    def check(value: Any) -> Any:
        if value:
            read(value)
        return value

    return AfterValidator(check)


class SourceSettings(Record):
    """What to read, and which samples to make of it."""

    annotations: Annotated[Path | None, _READ] = None
    """Folder with captions_*.json and instances_*.json; without any annotations, the quick-start scenes are used."""
    captions: Annotated[Path | None, _READ] = None
    """COCO-format captions file; may go alone."""
    instances: Annotated[Path | None, _READ] = None
    """COCO-format instances file; may go alone."""
    images: Annotated[Path | None, _READ] = None
    """Folder with the image files, for the viewer, for training, and for sizes that the annotations lack."""
    prompts: Annotated[Path | None, _READ] = None
    """Folder with kinds of your own, DIR/<kind>/kind.toml; they come before shipped kinds of the same name."""
    seed_examples: Annotated[Path | None, _READ] = None
    """Folder with the examples of kinds, DIR/<kind>/<name>.json. (default: seed_examples inside or beside --prompts)"""
    kinds: Annotated[str | None, _checked(read_counts), _MAKE] = None
    """Samples an image by kind, such as conversation=2,detailed_description. (default: one of every kind)"""
    context: Annotated[str | None, _checked(read_parts), _MAKE] = None
    """What a kind sees, such as conversation=captions for LLaVA's form. (default: what its kind.toml says)"""
    limit: Annotated[int | None, _MAKE] = Field(default=None, ge=1)
    """Most images to use; which ones depends on --seed and the images' ids alone."""
    image_id: Annotated[tuple[str, ...], _MAKE] = ()
    """Only this image; may be repeated."""
    seed: Annotated[int, _MAKE] = 0
    """Seed of every choice and draw."""


class PreviewSettings(SourceSettings):
    """Settings of ``preview``."""

    reply_format: Annotated[Literal["json", "text"], _MODEL] = "json"
    """Form of the replies in the few-shot examples."""


class ServerSettings(Record):
    """How to reach a model's server, how fast, and for how much."""

    base_url: Annotated[str | None, _MODEL] = None
    """OpenAI-compatible server, such as http://localhost:8000/v1. (default: OPENAI_BASE_URL, else OpenAI)"""
    set: Annotated[tuple[str, ...], _checked(read_options), _MODEL] = ()
    """Sampling option passed on as it is, NAME=VALUE, such as temperature=0.7; may be repeated; null leaves one out."""
    attempts: Annotated[int, _MODEL] = Field(default=3, ge=1)
    """Paid replies a sample may take; what cannot be read is asked for again with the reason."""
    concurrency: Annotated[int, _PACE] = Field(default=64, ge=1)
    """Most requests in flight; how many the server takes is found out."""
    rpm: Annotated[float | None, _PACE] = Field(default=None, gt=0)
    """Most requests a minute."""
    tpm: Annotated[float | None, _PACE] = Field(default=None, gt=0)
    """Most tokens a minute, prompt and reply."""
    timeout: Annotated[float, _PACE] = Field(default=180, gt=0)
    """Seconds after which an unanswered request is tried again."""
    give_up: Annotated[float, _PACE] = Field(default=300, gt=0)
    """Seconds without any answer after which the run stops, with everything kept."""
    max_cost: Annotated[float | None, _PACE] = Field(default=None, gt=0)
    """Most US dollars, over all runs on the same folder; what is in flight counts at its worst case."""
    prices: Annotated[Path | None, _PACE] = None
    """Prices of your own, in USD per million tokens; the form is that of pipeline/llm/prices.toml."""


class GenerateSettings(SourceSettings, ServerSettings):
    """Settings of ``generate``."""

    model_config = ConfigDict(allow_inf_nan=False)

    total: Annotated[str | None, _checked(read_counts), _MAKE] = None
    """Samples in all by kind, such as conversation=58000,complex_reasoning=77000; instead of --kinds."""
    count_good: Annotated[int | None, _MAKE] = Field(default=None, ge=1)
    """Stop when so many good samples are made; images come in an order drawn by their ids."""
    model: Annotated[str | None, _MODEL] = None
    """Chat model, as the server knows it; without one, the built-in offline writer (rules, not a model) writes."""
    reply_format: Annotated[Literal["auto", "json", "text"], _MODEL] = "auto"
    """auto: JSON schema where the server takes it, else json; json: JSON in the text; text: LLaVA's Question/Answer."""
    dry_run: Annotated[bool, _PACE] = False
    """Forecast requests, tokens and cost, and send nothing."""
    batch: Annotated[bool, _PACE] = False
    """Use the server's batch interface: half the price at OpenAI, within a day."""
    batch_poll: Annotated[float, _PACE] = Field(default=60, gt=0)
    """Seconds between two looks at the batches."""
    processes: Annotated[int, _PACE] = Field(default=1, ge=1)
    """Processes that send, for one big machine."""
    engine: Annotated[Literal["local", "ray"], _PACE] = "local"
    """ray: the nodes of a Ray cluster send (RAY_ADDRESS, else one started here); plan, journal and budget stay here."""
    on_contradiction: Annotated[Literal["repair", "flag", "reject", "off"], _CHECK] = "repair"
    """repair: ask once more with the evidence, then reject; flag: keep it with a finding; off: check nothing."""
    synonyms: Annotated[Path | None, _CHECK] = None
    """Words of your own for the categories; the form is that of pipeline/quality/reading/coco.toml."""
    phrases: Annotated[Path | None, _CHECK] = None
    """Phrases of your own that are junk; the form is that of pipeline/quality/texts/phrases.toml."""
    verbose: Annotated[bool, _OUTPUT, Parameter(alias="-v")] = False
    """Tell on standard error what fails and is tried again."""
    out: Annotated[Path | None, _OUTPUT] = None
    """Run folder; the same command on the same folder carries on. (default: outputs/<name of the annotations>)"""
    shard_size: Annotated[int, _OUTPUT] = Field(default=1000, ge=1)
    """Planned samples in a shard."""
    embed_images: Annotated[bool | None, _OUTPUT, Parameter(negative="--no-embed-images")] = None
    """Put the image files' bytes into the shards. (default: only for the quick-start scenes)"""


class ShowSettings(Record):
    """Settings of ``show``."""

    count: int = Field(default=3, ge=1)
    """Samples to print."""
    kind: str | None = None
    """Only samples of this kind."""
    image_id: str | None = None
    """Only samples of this image."""


class CheckSettings(ServerSettings):
    """Settings of ``check``."""

    model_config = ConfigDict(allow_inf_nan=False)

    annotations: Annotated[Path | None, _READ] = None
    """Folder with captions_*.json and instances_*.json, for data that was not made here."""
    captions: Annotated[Path | None, _READ] = None
    """COCO-format captions file; may go alone."""
    instances: Annotated[Path | None, _READ] = None
    """COCO-format instances file; may go alone."""
    images: Annotated[Path | None, _READ] = None
    """Folder with the image files, for the report's pictures."""
    synonyms: Annotated[Path | None, _CHECK] = None
    """Words of your own for the categories; the form is that of pipeline/quality/reading/coco.toml."""
    phrases: Annotated[Path | None, _CHECK] = None
    """Phrases of your own that are junk; the form is that of pipeline/quality/texts/phrases.toml."""
    language: Annotated[str, _CHECK] = Field(default="en", pattern="^[a-z]{2}$")
    """Language that the samples should be in; claims are read in English only."""
    processes: Annotated[int | None, _CHECK] = Field(default=None, ge=1)
    """Processes that check. (default: one a core)"""
    judge: Annotated[str | None, _MODEL] = None
    """Second model that also holds the samples against captions and boxes; its agreement with the rules is reported."""
    judge_share: Annotated[float, _MODEL] = Field(default=1.0, gt=0, le=1)
    """Share of the samples that it sees, drawn by their ids."""
    blind: Annotated[str | None, _MODEL] = None
    """Model that answers the questions without seeing anything; those it gets right need no image."""
    seed: Annotated[int, _MODEL] = 0
    """Seed of the draw and of the requests."""
    out: Annotated[Path | None, _OUTPUT] = None
    """Folder for what is found. (default: <run>/check, or outputs/<name of the file>-check)"""


class FinetuneSettings(Record):
    """Settings of ``finetune``."""

    model_config = ConfigDict(allow_inf_nan=False)

    data: Annotated[tuple[str, ...], _READ] = ()
    """Run folder, or LLaVA-format or messages file, DATA or DATA:WEIGHT; may be repeated to mix."""
    kinds: Annotated[str | None, _checked(read_weights), _READ] = None
    """Only these kinds, with weights if wanted, such as conversation,detailed_description=0.05. (default: all)"""
    images: Annotated[Path | None, _READ] = None
    """Folder with the image files, for data that names them and does not hold them."""
    reviewed: Annotated[Literal["accepted", "not-rejected", "all"], _READ] = "not-rejected"
    """Samples of a reviewed run to train on; those that reviewers disagree on count as rejected."""
    held_out: Annotated[float, _READ] = Field(default=0.02, ge=0, lt=1)
    """Share of the images, by id, that is kept for validation."""
    recipe: Annotated[Literal["llava-v1", "llava-v1.5", "llava-v1.5-lora", "omnifusion"], _TRAIN] = "llava-v1.5"
    """Published hyperparameters to begin with; every flag below overrides one."""
    stage: Annotated[Literal["align", "instruct"], _TRAIN] = "instruct"
    """align: the projector learns from captions; instruct: projector and language model learn from the samples."""
    epochs: Annotated[float | None, _TRAIN] = Field(default=None, gt=0)
    """Times that each sample is seen. (default: the recipe's)"""
    steps: Annotated[int | None, _TRAIN] = Field(default=None, ge=1)
    """Most optimizer steps, instead of --epochs."""
    batch: Annotated[int | None, _TRAIN] = Field(default=None, ge=1)
    """Samples a step over all processes. (default: the recipe's)"""
    layout: Annotated[Literal["shared", "packed", "padded"], _FAST] = "shared"
    """shared: an image's tokens are computed once for all its samples; packed: for each; padded: each fills a row."""
    micro_tokens: Annotated[int | None, _FAST] = Field(default=None, ge=1)
    """Most tokens that a device takes at once, images' included. (default: as a GPU has room; 4,096 on a CPU)"""
    recompute: Annotated[int | None, _FAST] = Field(default=None, ge=0)
    """Layers whose inside is computed again in the backward pass to save memory. (default: as few as a GPU needs)"""
    compile: Annotated[bool | None, _FAST, Parameter(negative="--no-compile")] = None
    """Compile the language model's layers. (default: on a GPU)"""
    cache_features: Annotated[Path | None, _FAST] = None
    """Folder to keep what the vision model makes of each image; pays with small language models alone."""
    lr: Annotated[float | None, _TRAIN] = Field(default=None, gt=0)
    """Highest learning rate. (default: the recipe's)"""
    projector_lr: Annotated[float | None, _TRAIN] = Field(default=None, gt=0)
    """Highest learning rate of the projector. (default: the recipe's)"""
    warmup: Annotated[float | None, _TRAIN] = Field(default=None, ge=0, lt=1)
    """Share of the steps in which the rate rises. (default: the recipe's)"""
    weight_decay: Annotated[float | None, _TRAIN] = Field(default=None, ge=0)
    """AdamW's, decoupled. (default: the recipe's)"""
    clip: Annotated[float | None, _TRAIN] = Field(default=None, gt=0)
    """Largest norm of the gradient. (default: the recipe's)"""
    lora_rank: Annotated[int | None, _TRAIN] = Field(default=None, ge=0)
    """Rank of LoRA on the language model's linear layers; 0 trains all its weights. (default: the recipe's)"""
    lora_alpha: Annotated[float | None, _TRAIN] = Field(default=None, gt=0)
    """LoRA's scale. (default: the recipe's)"""
    max_tokens: Annotated[int | None, _TRAIN] = Field(default=None, ge=16)
    """Longest sample, image tokens included; whole turns beyond are left out and counted. (default: the recipe's)"""
    template: Annotated[Literal["vicuna_v1", "plain", "llama_2", "chatml", "tokenizer"] | None, _TRAIN] = None
    """Form of the conversation; tokenizer: the chat template of the tokenizer itself. (default: the recipe's)"""
    placement: Annotated[Literal["first", "random"], _TRAIN] = "first"
    """Where the image stands in the first question; random: before or after it, as in LLaVA's paper."""
    seed: Annotated[int, _TRAIN] = Field(default=0, ge=0)
    """Seed of order, initial weights and placement."""
    dtype: Annotated[Literal["auto", "bfloat16", "float32", "float64"], _TRAIN] = "auto"
    """Of the computation; trained weights are kept in float32 beside bfloat16. (default: bfloat16 on a GPU)"""
    model: Annotated[str | None, _BASE] = None
    """LLaVA checkpoint to go on with, a folder or hub name; instead of --vision and --language."""
    vision: Annotated[str | None, _BASE] = None
    """CLIP or SigLIP vision model, a folder or hub name. (default: the recipe's)"""
    language: Annotated[str | None, _BASE] = None
    """Causal language model, a folder or hub name. (default: the recipe's)"""
    projector: Annotated[Literal["linear", "mlp2x_gelu", "transformer"] | None, _BASE] = None
    """What joins the two. (default: the recipe's)"""
    projector_from: Annotated[Path | None, _BASE] = None
    """Folder of a run of --stage align, whose projector to begin with; refused where it was made for another model."""
    demo: Annotated[bool, _BASE] = False
    """Draw scenes, write samples, train a tiny model that learns to see, and show it; needs nothing."""
    dry_run: Annotated[bool, _OUTPUT] = False
    """Print counts, lengths, memory, time and a few samples with what is learnt in colour, and train nothing."""
    out: Annotated[Path | None, _OUTPUT] = None
    """Folder of the training run; the same command carries on. (default: outputs/<data>-<stage>)"""
    save_every: Annotated[int, _OUTPUT] = Field(default=200, ge=1)
    """Steps between two states that a run can carry on from."""
    keep: Annotated[int, _OUTPUT] = Field(default=2, ge=1)
    """States that are kept."""
    check_every: Annotated[int, _OUTPUT] = Field(default=100, ge=1)
    """Steps between two looks at the validation loss."""
    trackers: Annotated[str | None, _OUTPUT] = None
    """Also report to these, by comma: tensorboard, trackio, wandb; each must be installed."""


class ChatSettings(Record):
    """Settings of ``chat``."""

    max_new_tokens: int = Field(default=256, ge=1)
    """Longest answer."""
    temperature: float = Field(default=0.0, ge=0)
    """0: the likeliest words each time."""
    seed: int = 0
    """Of the draw, where the temperature is above 0."""


class ScenesSettings(Record):
    """Settings of ``scenes``."""

    count: int = Field(default=12, ge=1)
    """Scenes to draw."""
    out: Path = Path("outputs/scenes")
    """Folder for images, captions_scenes.json and instances_scenes.json."""
    seed: int = 0
    """Seed of everything drawn; a longer set begins with the shorter one."""


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
        _check_generate(settings)


def _check_generate(settings: GenerateSettings) -> None:
    if settings.kinds and settings.total:
        raise PipelineError("--kinds counts samples an image and --total in all; pass one of them")
    if settings.batch and settings.count_good:
        raise PipelineError("--batch submits the whole plan, and --count-good stops within it; pass one of them")
    if settings.engine == "ray" and not settings.model and os.environ.get("RAY_ADDRESS"):
        raise PipelineError("--engine ray: the offline writer cannot be reached from other machines; pass --model")
    own = settings.annotations or settings.captions or settings.instances
    if settings.embed_images and own and not settings.images:
        raise PipelineError("--embed-images goes with --images; pass the folder of the image files")
    check_serving(settings)


def check_serving(settings: GenerateSettings | CheckSettings) -> None:
    """Refuse settings of a server that cannot be.

    Raises:
        PipelineError: They cannot.
    """
    asks = settings.model if isinstance(settings, GenerateSettings) else settings.judge or settings.blind
    if settings.base_url and not asks:
        other = "--model" if isinstance(settings, GenerateSettings) else "--judge or --blind"
        raise PipelineError(f"--base-url goes with {other}; name the model that the server serves")
    name, url = ("--base-url", settings.base_url) if settings.base_url else (URL_VARIABLE, os.environ.get(URL_VARIABLE))
    if asks and url and not _is_address(url):
        raise PipelineError(f"{name}: {url!r} is no address of a server; write it like http://localhost:8000/v1")


def _is_address(url: str) -> bool:
    """Return whether a text is an http address with a host, and with a port that can be, if it names one."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")  # fails where no name server could be asked for it
        parts.port  # noqa: B018  # reading it checks it
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and url.isprintable() and " " not in url
