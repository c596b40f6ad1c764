"""``finetune``: from samples and two base models, or a checkpoint, to a plain checkpoint and a page about it."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from transformers.utils import logging as transformers_logging

from pipeline.errors import PipelineError
from pipeline.finetune.attention import BLOCK
from pipeline.finetune.batches import load as load_batch
from pipeline.finetune.colouring import show_samples
from pipeline.finetune.costs import measured_rate
from pipeline.finetune.demo import demo
from pipeline.finetune.export import save_plain
from pipeline.finetune.features import fill
from pipeline.finetune.fingerprint import save_projector
from pipeline.finetune.loop import Trained, train
from pipeline.finetune.model import load
from pipeline.finetune.page import answers, write_page
from pipeline.finetune.pixels import Pixels
from pipeline.finetune.ranks import Ranks, joined_ranks, whole_weights
from pipeline.finetune.ready import Ready, Say, duration, make_ready, open_rows, tell_data
from pipeline.finetune.recipes import lines, resolve, table
from pipeline.finetune.sources import find_files, parse_source
from pipeline.finetune.summary import summarise
from pipeline.finetune.tracking import Tracker, read_metrics, read_trackers
from pipeline.settings import FinetuneSettings


def finetune(settings: FinetuneSettings, say: Say) -> None:
    """Train a model, or carry on where an earlier call with the same ``--out`` stopped.

    Raises:
        PipelineError: What was asked for cannot be done; nothing has been trained.
        RunStopped: Training cannot go on; the last good state is kept.
        Interrupted: The person stopped it; the same command carries on.
    """
    transformers_logging.set_verbosity_error()  # what matters of its warnings is checked and told in one line
    transformers_logging.disable_progress_bar()
    read_trackers(settings.trackers)  # now, and not when all else is ready
    if settings.demo:
        demo(settings, partial(_finetune, say=say), say)
    else:
        _finetune(settings, say)


def _finetune(settings: FinetuneSettings, say: Say) -> None:
    if not settings.data:
        raise PipelineError("no data; pass --data DIR with a run folder or a file of samples, or --demo to see it work")
    for text in settings.data:
        find_files(parse_source(text).path)  # before base models are looked for, which may be far away
    with joined_ranks() as ranks:
        tell: Say = say if ranks.is_first else lambda line: None
        folder = settings.out or Path("outputs") / f"{parse_source(settings.data[0]).path.stem}-{settings.stage}"
        if _is_done(folder, settings) and not settings.dry_run:
            tell(f"{folder} is complete: checkpoint {folder / 'checkpoint'}, page {folder / 'report.html'}")
            return
        resolved = resolve(settings, on_gpu=ranks.device.type == "cuda")
        for line in lines(resolved):
            tell(line)
        ready = make_ready(settings, resolved, ranks, folder, tell)
        tell_data(ready, ranks, tell)
        if settings.dry_run:
            if ranks.is_first:
                show_samples(ready.prepared, ready.joined.tokenizer, Console(highlight=False))
            return
        trained = _train(settings, ready, ranks, folder, tell)
        _keep(settings, ready, ranks, folder, trained, tell)


def _is_done(folder: Path, settings: FinetuneSettings) -> bool:
    """Tell whether an earlier call with the same settings got to its end.

    Raises:
        PipelineError: One with other settings did.
    """
    try:
        record = json.loads((folder / "finetune.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if record["settings"] != _asked(settings):
        raise PipelineError(f"{folder} holds a finished run with other settings; pass another --out")
    return True


_MANNER = {
    "out", "dry_run", "save_every", "keep", "check_every", "trackers", "micro_tokens", "recompute", "compile",
    "cache_features",
}  # fmt: skip


def _asked(settings: FinetuneSettings) -> dict[str, Any]:
    """Return what was asked for, apart from what changes nothing in the result."""
    return settings.model_dump(mode="json", exclude=_MANNER)


def _train(settings: FinetuneSettings, ready: Ready, ranks: Ranks, folder: Path, tell: Say) -> Trained:
    joined, prepared, plan = ready.joined, ready.prepared, ready.plan
    to_pixels = Pixels(joined.processor.image_processor)
    features = None
    if settings.cache_features and prepared.pictures:
        bases = ready.about["the base models"]
        features = fill(joined, prepared, to_pixels, settings.cache_features, ranks, plan.dtype, bases, tell)
    make_batch = partial(
        load_batch,
        prepared,
        to_pixels=to_pixels,
        image_token_id=joined.image_token_id,
        pad_id=joined.tokenizer.pad_token_id,
        multiple=BLOCK if ranks.device.type == "cuda" else 1,
        features=features.read if features else None,
    )
    go = partial(train, joined, prepared, ready.order, make_batch, plan, folder, ranks=ranks, about=ready.about)
    if not ranks.is_first:
        return go(tracker=None)
    rate = measured_rate(ranks.device, plan.dtype) * ranks.count if ranks.device.type == "cuda" else None
    with Tracker(folder, plan.steps, trackers=read_trackers(settings.trackers), flops_a_second=rate) as tracker:
        return go(tracker=tracker)


def _keep(settings: FinetuneSettings, ready: Ready, ranks: Ranks, folder: Path, trained: Trained, tell: Say) -> None:
    """Write the checkpoint, the page and the record of a finished run."""
    weights = whole_weights(ready.joined, ranks)  # all processes take part
    if not ranks.is_first:
        return
    checkpoint, rows = folder / "checkpoint", table(ready.resolved)
    dtype = torch.bfloat16 if ready.plan.dtype == torch.bfloat16 else torch.float32
    save_plain(ready.joined, checkpoint, data=settings.data, recipe=rows, weights=weights, dtype=dtype)
    if settings.stage == "align":
        save_projector(ready.joined, folder / "projector", ready.resolved.values.template)
    told = load(str(checkpoint))  # what is asked is what was written
    told.model.to(ranks.device)
    plan = ready.plan
    figures = summarise(
        ready.prepared, ready.order, layout=plan.layout, micro_tokens=plan.micro_tokens, ranks=ranks.count
    )
    write_page(
        folder / "report.html",
        title=folder.resolve().name,
        told=f"{ready.resolved.recipe}, stage {settings.stage}: {trained.steps:,} steps, "
        f"{trained.samples:,} samples in {duration(trained.seconds)}.",
        metrics=read_metrics(folder),
        settings=rows,
        data=figures,
        answered=answers(told, ready.prepared, open_rows(settings)),
    )
    record = {
        "settings": _asked(settings),
        "values": [list(row) for row in rows],
        "data": figures,
        "steps": trained.steps,
        "loss": trained.loss,
        "held_out_loss": trained.held_out_loss,
        "seconds": round(trained.seconds, 1),
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    (folder / "finetune.json").write_text(json.dumps(record, indent=2, default=str) + "\n", encoding="utf-8")
    held_out = "" if trained.held_out_loss is None else f", {trained.held_out_loss:.4f} on held-out images"
    tell(f"loss {trained.loss:.4f}{held_out}; checkpoint in {checkpoint}, page in {folder / 'report.html'}")
    tell(f"to ask it:  python -m pipeline chat {checkpoint} IMAGE 'What does the picture show?'")
