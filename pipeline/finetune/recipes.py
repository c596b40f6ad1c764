"""Published hyperparameters, each with where it was published, and what a person's flags make of them.

A recipe is two stages. LLaVA's are those of its papers (v1: arXiv 2304.08485; v1.5: arXiv 2310.03744) and, for what the
papers leave open, of the scripts in its repository (haotian-liu/LLaVA). Papers and scripts disagree once: a step of
v1's second stage has 32 samples in the paper and 128 in ``scripts/finetune_full_schedule.sh``; the paper's results
were had with 32. The size is 7B throughout; the scripts of v1.5 name the 13B model and are the same otherwise.

OmniFusion (arXiv 2404.06212) tells its architecture, and little of how it was trained: what is not told is taken from
LLaVA v1.5 and marked "ours". Its own training code uses Adafactor where ours has AdamW, and frames questions with
learnt embeddings where ours has Vicuna's form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal

from pipeline.errors import PipelineError
from pipeline.settings import FinetuneSettings

CPU_TOKENS = 4096
"""That a CPU takes at once: five of LLaVA's samples."""

Fitting = Literal["crop", "pad"]
"""crop: CLIP's own, the short side scaled and the rest cut off; pad: to a square with the mean colour first."""


@dataclass(frozen=True)
class Values:
    """What a stage is trained with; fields that have a flag are named as it."""

    epochs: float
    batch: int
    """Samples a step, over all processes."""
    lr: float
    """Highest rate of whatever has no rate of its own."""
    projector_lr: float
    warmup: float
    """Share of the steps."""
    weight_decay: float
    clip: float
    """Largest norm of the gradient."""
    lora_rank: int
    """0: no LoRA."""
    lora_alpha: float
    lora_dropout: float
    max_tokens: int
    """Of a sample, image tokens included."""
    by_length: bool
    """Whether the samples of a step are about equally long."""
    template: str
    projector: Literal["linear", "mlp2x_gelu", "transformer"]
    vision: str
    language: str
    feature_layer: int
    """Layer of the vision model whose output is projected; -2: the last but one."""
    fitting: Fitting


@dataclass(frozen=True)
class Recipe:
    """One stage as it was published."""

    values: Values
    sources: Mapping[str, str]
    """Where each value was published, by field; "ours" where it was not."""


@dataclass(frozen=True)
class Resolved:
    """What a run is trained with, and where each value comes from."""

    recipe: str
    stage: Literal["align", "instruct"]
    values: Values
    steps: int | None
    """Most steps; None: as ``values.epochs`` has it."""
    micro_tokens: int | None
    """Most that a device takes at once; None: as its memory has room."""
    dtype: Literal["bfloat16", "float32", "float64"]
    sources: Mapping[str, str]
    """By field of ``values``, and ``steps``, ``micro_tokens`` and ``dtype``: a flag, or a recipe's source."""


_PAPER = "paper, section 5"
_APPENDIX = "paper, appendix on training"
_MODEL = "paper, section 4.1"
_TABLE = "paper, appendix, table of hyperparameters"
_LEFT = "scripts: left at 1.0, the default of transformers' Trainer"
_NONE = "no LoRA in this recipe"
_OURS = "ours: as LLaVA v1.5"


def _stage(values: Values, source: str, **others: str) -> Recipe:
    """Return a stage whose values come from one source, but for the fields that are named."""
    return Recipe(values, MappingProxyType({field.name: source for field in fields(values)} | others))


_V1_ALIGN = _stage(
    Values(
        epochs=1,
        batch=128,
        lr=2e-3,
        projector_lr=2e-3,
        warmup=0.03,
        weight_decay=0.0,
        clip=1.0,
        lora_rank=0,
        lora_alpha=1.0,
        lora_dropout=0.0,
        max_tokens=2048,
        by_length=False,
        template="plain",
        projector="linear",
        vision="openai/clip-vit-large-patch14",
        language="lmsys/vicuna-7b-v1.3",  # the paper's is the 13B Vicuna of its day, v0
        feature_layer=-2,
        fitting="crop",
    ),
    "scripts/pretrain.sh",
    epochs=_PAPER,
    batch=_PAPER,
    lr=_PAPER,
    projector_lr=_PAPER,
    warmup=_APPENDIX,
    weight_decay=_APPENDIX,
    clip=_LEFT,
    lora_rank=_NONE,
    lora_alpha=_NONE,
    lora_dropout=_NONE,
    projector=_MODEL,
    vision=_MODEL,
)
_V1_INSTRUCT = _stage(
    replace(_V1_ALIGN.values, epochs=3, batch=32, lr=2e-5, projector_lr=2e-5, template="vicuna_v1"),
    "scripts/finetune_full_schedule.sh",
    **{name: source for name, source in _V1_ALIGN.sources.items() if not source.startswith("scripts/")},
)
_V15_ALIGN = _stage(
    replace(
        _V1_ALIGN.values,
        batch=256,
        lr=1e-3,
        projector_lr=1e-3,
        projector="mlp2x_gelu",
        vision="openai/clip-vit-large-patch14-336",
        language="lmsys/vicuna-7b-v1.5",
    ),
    "scripts/v1_5/pretrain.sh",
    **dict.fromkeys(("epochs", "batch", "lr", "projector_lr", "warmup", "weight_decay"), _TABLE),
    clip=_LEFT,
    lora_rank=_NONE,
    lora_alpha=_NONE,
    lora_dropout=_NONE,
)
_V15_INSTRUCT = _stage(
    replace(
        _V15_ALIGN.values,
        batch=128,
        lr=2e-5,
        projector_lr=2e-5,
        template="vicuna_v1",
        by_length=True,
        fitting="pad",
    ),
    "scripts/v1_5/finetune.sh",
    **{name: source for name, source in _V15_ALIGN.sources.items() if not source.startswith("scripts/")},
)
_V15_LORA = _stage(
    replace(_V15_INSTRUCT.values, lr=2e-4, lora_rank=128, lora_alpha=256.0, lora_dropout=0.05),
    "scripts/v1_5/finetune_lora.sh",
    clip=_LEFT,
    lora_dropout="llava/train/train.py, its default",
)
_OMNIFUSION_ALIGN = _stage(
    replace(_V15_ALIGN.values, warmup=0.01, projector="transformer", language="mistralai/Mistral-7B-v0.1"),
    _OURS,
    warmup="its training code, train_sft.py, for the second stage",
    projector="its README: one transformer layer with four heads",
    vision="its training code, train_sft.py",
    language="paper: Mistral 7B; which version is ours",
    fitting="ours: CLIP's own",
    lora_rank=_NONE,
    lora_alpha=_NONE,
    lora_dropout=_NONE,
)
_OMNIFUSION_INSTRUCT = _stage(
    replace(_OMNIFUSION_ALIGN.values, batch=128, lr=2e-5, projector_lr=2e-5, template="vicuna_v1", by_length=True),
    _OURS,
    **{name: source for name, source in _OMNIFUSION_ALIGN.sources.items() if source != _OURS}
    | {"warmup": "its training code, train_sft.py"},
)

RECIPES: Mapping[str, Mapping[str, Recipe]] = MappingProxyType(
    {
        "llava-v1": {"align": _V1_ALIGN, "instruct": _V1_INSTRUCT},
        "llava-v1.5": {"align": _V15_ALIGN, "instruct": _V15_INSTRUCT},
        "llava-v1.5-lora": {"align": _V15_ALIGN, "instruct": _V15_LORA},
        "omnifusion": {"align": _OMNIFUSION_ALIGN, "instruct": _OMNIFUSION_INSTRUCT},
    }
)
"""By name, then by stage. LoRA has LLaVA v1.5's first stage: there the language model does not learn."""


def resolve(settings: FinetuneSettings, *, on_gpu: bool) -> Resolved:
    """Return the recipe's values for the stage, with those of the flags in their place.

    A rate given with ``--lr`` is the projector's too, unless the recipe has another one for it or ``--projector-lr``
    tells one.

    Args:
        settings: Of the command.
        on_gpu: Whether it will run on one, which decides ``--dtype auto`` and the default of ``--micro-tokens``.

    Raises:
        PipelineError: Flags contradict each other or the stage.
    """
    _check(settings)
    recipe = RECIPES[settings.recipe][settings.stage]
    flags = {field.name: getattr(settings, field.name, None) for field in fields(Values)}
    given = {name: value for name, value in flags.items() if value is not None}
    sources = {name: f"{settings.recipe}: {source}" for name, source in recipe.sources.items()}
    sources |= {name: _flag(name) for name in given}
    if "lr" in given and "projector_lr" not in given and recipe.values.projector_lr == recipe.values.lr:
        given["projector_lr"], sources["projector_lr"] = given["lr"], "as --lr"
    if settings.model:
        sources |= dict.fromkeys(("vision", "language", "projector", "feature_layer", "fitting"), "--model")
    sources["steps"] = "--steps" if settings.steps else "as many as the epochs have"
    sources["micro_tokens"] = "--micro-tokens" if settings.micro_tokens else f"ours, for a {'GPU' if on_gpu else 'CPU'}"
    sources["dtype"] = f"ours, for a {'GPU' if on_gpu else 'CPU'}" if settings.dtype == "auto" else "--dtype"
    return Resolved(
        recipe=settings.recipe,
        stage=settings.stage,
        values=replace(recipe.values, **given),
        steps=settings.steps,
        micro_tokens=settings.micro_tokens or (None if on_gpu else CPU_TOKENS),
        dtype=("bfloat16" if on_gpu else "float32") if settings.dtype == "auto" else settings.dtype,
        sources=MappingProxyType(sources),
    )


def _check(settings: FinetuneSettings) -> None:
    for name in ("vision", "language", "projector"):
        if settings.model and getattr(settings, name) is not None:
            raise PipelineError(f"--{name}: the checkpoint of --model has one already; pass one of the two flags")
    if settings.stage == "align" and settings.lora_rank:
        raise PipelineError("--lora-rank: in --stage align the language model does not learn; leave the flag out")
    if settings.steps and settings.epochs:
        raise PipelineError("--steps and --epochs both tell how long to train; pass one of them")
    rank = (
        RECIPES[settings.recipe][settings.stage].values.lora_rank if settings.lora_rank is None else settings.lora_rank
    )
    if settings.lora_alpha and not rank:
        raise PipelineError("--lora-alpha goes with LoRA; pass --lora-rank, or --recipe llava-v1.5-lora")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def table(resolved: Resolved) -> list[tuple[str, str, str]]:
    """Return name, value and source of each value that has a say in this run."""
    values: dict[str, Any] = {field.name: getattr(resolved.values, field.name) for field in fields(Values)}
    if resolved.steps:
        values = {"steps": resolved.steps} | values
        del values["epochs"]
    if resolved.stage == "align":
        del values["lr"]  # of the language model, which is frozen
    if not values["lora_rank"]:
        del values["lora_alpha"], values["lora_dropout"]
    values |= {"micro_tokens": resolved.micro_tokens or "as memory has room", "dtype": resolved.dtype}
    checkpoint = {name for name in values if resolved.sources[name] == "--model"}
    return [
        (name.replace("_", " "), "the checkpoint's" if name in checkpoint else _shown(value), resolved.sources[name])
        for name, value in values.items()
    ]


def lines(resolved: Resolved) -> list[str]:
    """Return the values as a table of aligned columns: name, value, where it comes from."""
    rows = table(resolved)
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    head = f"recipe {resolved.recipe}, stage {resolved.stage}"
    return [head, *(f"  {name:<{widths[0]}}  {value:<{widths[1]}}  {source}" for name, value, source in rows)]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
