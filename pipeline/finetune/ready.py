"""What training needs, from what a person asked for: model, samples, order, plan; and what they will take."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pipeline.errors import PipelineError
from pipeline.finetune.attention import fault
from pipeline.finetune.costs import count_flops, measured_rate
from pipeline.finetune.fingerprint import fingerprint, load_projector
from pipeline.finetune.layout import Layout, Pack, lay_out
from pipeline.finetune.loop import Plan
from pipeline.finetune.memory import Forecast, Memory
from pipeline.finetune.model import Joined, add_lora, freeze, join, load, use_template
from pipeline.finetune.order import Order
from pipeline.finetune.pixels import padding
from pipeline.finetune.preparation import Prepared, prepare
from pipeline.finetune.ranks import Ranks, must_shard
from pipeline.finetune.recipes import CPU_TOKENS, RECIPES, Resolved
from pipeline.finetune.rows import Rejected, Row, read_rows
from pipeline.finetune.summary import lines, summarise
from pipeline.finetune.templates import load_template
from pipeline.options import read_weights
from pipeline.settings import FinetuneSettings

Say = Callable[[str], None]
STEPS_LOOKED_AT = 20
"""From which the time of all is told."""
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Ready:
    """All that training needs."""

    joined: Joined
    prepared: Prepared
    order: Order
    plan: Plan
    resolved: Resolved
    about: dict[str, str]
    """What must be the same for a run to carry on, beside the plan."""
    forecast: Forecast
    """Of the memory."""


def make_ready(settings: FinetuneSettings, resolved: Resolved, ranks: Ranks, folder: Path, tell: Say) -> Ready:
    """Open the model, read and encode the data, and make the plan; what cannot be used goes to ``rejected.jsonl``.

    Raises:
        PipelineError: A model or the data cannot be read, they do not go together, or nothing is left to train on.
    """
    values = resolved.values
    joined = _open_model(settings, resolved)
    bases = json.dumps(fingerprint(joined, values.template), sort_keys=True)  # before anything is added or learnt
    prepared = _prepare(settings, resolved, joined, ranks, folder, tell)
    training = prepared.training()
    if not len(training):
        raise PipelineError(f"no samples to train on: {_why_none(prepared)}")
    layout = _layout(settings, joined, prepared, tell)
    order = Order(
        training,
        prepared.lengths,
        prepared.picture,
        seed=settings.seed,
        batch=values.batch,
        by_length=values.by_length,
        by_picture=layout == "shared",
    )
    if values.lora_rank and settings.stage == "instruct":
        add_lora(joined, values.lora_rank, values.lora_alpha, values.lora_dropout, seed=settings.seed)
    freeze(joined, settings.stage)
    dtype = DTYPES[resolved.dtype]
    by_tree = layout != "padded" and ranks.device.type == "cpu"
    forecast = Forecast(joined, dtype, by_tree=by_tree)
    shard = must_shard(ranks, forecast.memory(0, 0).resting)
    micro_tokens, recompute = resolved.micro_tokens or CPU_TOKENS, settings.recompute or 0
    if ranks.device.type == "cuda":
        micro_tokens, recompute = forecast.choose(
            torch.cuda.get_device_properties(ranks.device).total_memory,
            tokens=resolved.micro_tokens,
            recompute=settings.recompute,
            shards=ranks.count if shard else 1,
        )
    compiled = ranks.device.type == "cuda" if settings.compile is None else settings.compile
    if compiled and ranks.device.type != "cuda":
        raise PipelineError("--compile: layers are compiled on a GPU alone, and there is none; leave the flag out")
    plan = Plan(
        steps=resolved.steps or max(1, round(values.epochs * order.steps_an_epoch)),
        lr=values.lr,
        projector_lr=values.projector_lr,
        warmup=values.warmup,
        weight_decay=values.weight_decay,
        clip=values.clip,
        dtype=dtype,
        seed=settings.seed,
        layout=layout,
        micro_tokens=micro_tokens,
        save_every=settings.save_every,
        keep=settings.keep,
        check_every=settings.check_every,
        recompute=recompute,
        compiled=compiled,
        shard=shard,
    )
    about = {
        "--stage": settings.stage,
        "--template": values.template,
        "--batch": str(values.batch),
        "the base models": bases,
        "--lora-rank": str(values.lora_rank),
        "--lora-alpha": str(values.lora_alpha),
    }
    return Ready(joined, prepared, order, plan, resolved, about, forecast)


def _layout(settings: FinetuneSettings, joined: Joined, prepared: Prepared, tell: Say) -> Layout:
    """Return the layout that was asked for, or ``padded`` where the model cannot take it."""
    language = joined.model.model.language_model.eval()
    if settings.layout == "padded":
        return "padded"
    if why := fault(language, int(prepared.lengths.max())):
        tell(f"--layout {settings.layout}: the language model cannot be told who sees whom: {why}; samples are padded")
        return "padded"
    return settings.layout


def _open_model(settings: FinetuneSettings, resolved: Resolved) -> Joined:
    values = resolved.values
    if settings.model:
        joined = load(settings.model, dtype=torch.float32)
    else:
        joined = join(
            values.vision,
            values.language,
            values.projector,
            feature_layer=values.feature_layer,
            seed=settings.seed,
            dtype=torch.float64 if resolved.dtype == "float64" else torch.float32,
        )
        if values.fitting == "pad":
            joined.processor.image_processor = padding(joined.processor.image_processor)
    use_template(joined, values.template)
    if settings.projector_from:
        inside = settings.projector_from / "projector"
        # A first stage has another form of conversation; the projector is expected to have learnt from that one.
        learnt_from = RECIPES[settings.recipe]["align"].values.template
        load_projector(joined, inside if inside.is_dir() else settings.projector_from, learnt_from)
    return joined


def _prepare(
    settings: FinetuneSettings, resolved: Resolved, joined: Joined, ranks: Ranks, folder: Path, tell: Say
) -> Prepared:
    """Have the first process read, check and encode the data, and the others take it from there."""
    path = folder / ".prepared.pkl"
    prepared: Prepared | None = None
    fault = None
    if ranks.is_first:
        try:
            prepared = _read_data(settings, resolved, joined, folder)
            if ranks.count > 1:
                folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(pickle.dumps(prepared))
        except PipelineError as error:
            fault = str(error)
    if told := ranks.hear_first(fault):  # else the others would wait for the first, and end with a traceback
        raise PipelineError(told)
    prepared = prepared or pickle.loads(path.read_bytes())
    ranks.gather(None)
    if ranks.is_first:
        path.unlink(missing_ok=True)
        _write_rejected(prepared, folder, settings, tell)
    return prepared


def _read_data(settings: FinetuneSettings, resolved: Resolved, joined: Joined, folder: Path) -> Prepared:
    return prepare(
        open_rows(settings),
        joined.tokenizer,
        load_template(resolved.values.template, joined.tokenizer),
        max_tokens=resolved.values.max_tokens,
        image_tokens=joined.image_tokens,
        placement=settings.placement,
        held_out_share=settings.held_out,
        seed=settings.seed,
        decode_pictures=not (folder / "states").exists(),  # a run that carries on has looked at them
    )


def open_rows(settings: FinetuneSettings) -> Iterator[Row | Rejected]:
    """Return the rows that a person asked for, anew."""
    kinds = read_weights(settings.kinds) if settings.kinds else None
    captions = settings.stage == "align"
    return read_rows(
        settings.data, settings.images, kinds, seed=settings.seed, captions=captions, reviewed=settings.reviewed
    )


def _write_rejected(prepared: Prepared, folder: Path, settings: FinetuneSettings, tell: Say) -> None:
    if not prepared.rejected or settings.dry_run:
        return
    folder.mkdir(parents=True, exist_ok=True)
    told = [
        {"id": each.id, "data": settings.data[each.source], "reason": each.reason, "detail": each.detail}
        for each in prepared.rejected
    ]
    path = folder / "rejected.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in told), encoding="utf-8")
    tell(f"{len(told):,} samples cannot be used; {path} says why")


def _why_none(prepared: Prepared) -> str:
    if prepared.rejected:
        first = prepared.rejected[0]
        return f"{len(prepared.rejected):,} rejected, the first ({first.id}) for: {first.reason}"
    return "all are held out or left out by weights" if len(prepared) or prepared.left_out else "the data is empty"


def tell_data(ready: Ready, ranks: Ranks, tell: Say) -> None:
    """Tell counts, lengths, and what training will take."""
    plan, prepared = ready.plan, ready.prepared
    figures = summarise(prepared, ready.order, layout=plan.layout, micro_tokens=plan.micro_tokens, ranks=ranks.count)
    for line in lines(figures):
        tell(line)
    packs = _packs(ready, 0, ranks)
    largest = max(packs, key=lambda pack: pack.places)
    memory = _memory(ready, largest, ranks)
    again = f"; {plan.recompute} layers compute again what they do not keep" if plan.recompute else ""
    tell(
        f"memory, by arithmetic: {_gigabytes(memory.total)} ({_gigabytes(memory.weights)} weights, "
        f"{_gigabytes(memory.gradients)} gradients, {_gigabytes(memory.averages)} AdamW, "
        f"{_gigabytes(memory.activations)} activations of {largest.places:,} tokens{again}, "
        f"{_gigabytes(memory.working)} to work with)"
    )
    count = f"{len(packs):,} packs" if len(packs) > 1 else "1 pack"
    tell(f"layout {plan.layout}: {count} of at most {plan.micro_tokens:,} tokens in the first step")
    seconds = _forecast_seconds(ready, ranks)
    batch = ready.resolved.values.batch
    tell(f"{plan.steps:,} steps of {batch:,} samples, at least {duration(seconds)} by arithmetic")


def _packs(ready: Ready, step: int, ranks: Ranks) -> list[Pack]:
    plan = ready.plan
    samples = ready.order.step(step)
    return lay_out(ready.prepared, samples, plan.layout, most_tokens=plan.micro_tokens, ranks=ranks.count)


def _memory(ready: Ready, pack: Pack, ranks: Ranks) -> Memory:
    plan = ready.plan
    supervised = int(ready.prepared.supervised[pack.samples].sum())
    shards = ranks.count if plan.shard else 1
    return ready.forecast.memory(pack.places, supervised, recompute=plan.recompute, shards=shards)


def _forecast_seconds(ready: Ready, ranks: Ranks) -> float:
    """Return how long the steps take if the devices do nothing but multiply matrices at the rate measured here."""
    flops, prepared = count_flops(ready.joined), ready.prepared
    steps = np.unique(np.linspace(0, ready.order.steps_an_epoch - 1, STEPS_LOOKED_AT).astype(int)).tolist()
    total = 0.0
    for step in steps:
        for pack in _packs(ready, step, ranks):
            images = len({int(prepared.picture[one]) for one in pack.samples} - {-1})
            supervised = int(prepared.supervised[pack.samples].sum())
            total += flops.total(pack.tokens, pack.pairs, supervised, images)
    return ready.plan.steps * total / len(steps) / (measured_rate(ranks.device, ready.plan.dtype) * ranks.count)


def _gigabytes(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.0f} MiB"


def duration(seconds: float) -> str:
    """Return a time in words."""
    if seconds < 120:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
