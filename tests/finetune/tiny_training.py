"""A training run small enough for a test: two tiny base models, samples drawn at random, a step in some 20 ms."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.finetune.batches import Batch, collate
from pipeline.finetune.loop import Plan, Trained, train
from pipeline.finetune.model import Joined, Stage, add_lora, freeze, join, parameter_groups
from pipeline.finetune.order import Order
from pipeline.finetune.passes import Passes
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.ranks import Ranks, average_gradients, spread, whole
from pipeline.finetune.schedule import set_precision
from pipeline.finetune.tokens import IMAGE
from pipeline.finetune.tracking import Tracker
from tests.finetune import tiny

torch.set_num_threads(1)  # quicker for tensors so small, and sums have one order

ALONE = Ranks(0, 1, torch.device("cpu"))
PLAN = Plan(
    steps=8,
    lr=2e-3,
    projector_lr=5e-3,
    warmup=0.1,
    weight_decay=0.01,
    clip=1.0,
    dtype=torch.float32,
    seed=0,
    micro_batch=4,
    save_every=3,
    keep=2,
    check_every=4,
)


def bases(folder: Path) -> tuple[str, str]:
    """Write both base models, once in a folder."""
    if not (folder / "llama").exists():
        tiny.save_clip(folder / "clip")
        tiny.save_language(folder / "llama")
    return str(folder / "clip"), str(folder / "llama")


def model(
    folder: Path,
    stage: Stage = "instruct",
    *,
    dtype: torch.dtype = torch.float32,
    dropout: float = 0.0,
    lora_rank: int = 0,
    projector: Any = "mlp2x_gelu",
) -> Joined:
    """Join the base models in a folder; dropout is that of attention, which draws in both stages."""
    joined = join(*bases(folder), projector, dtype=dtype)
    if lora_rank:
        add_lora(joined, lora_rank, 2 * lora_rank, dropout)
    freeze(joined, stage)
    for layer in joined.model.model.language_model.layers:
        layer.self_attn.attention_dropout = dropout
    return joined


@cache
def samples(count: int = 40, held_out: int = 0, image_tokens: int = tiny.PATCHES) -> Prepared:
    """Draw samples of 4 to 20 tokens, up to half of them learnt; every third has no image, the last are held out."""
    draw = np.random.default_rng(0)
    ids, learnt, picture = [], [], []
    for number in range(count):
        length = int(draw.integers(4, 21))
        own = draw.integers(300, 400, length).astype(np.int32)
        has_image = number % 3 != 0
        own[1] = IMAGE if has_image else own[1]
        picture.append(number if has_image else -1)
        ids.append(own)
        learnt.append(np.arange(length) >= length - int(draw.integers(1, length // 2 + 1)))
    has_image = np.array(picture) >= 0
    return Prepared(
        tokens=np.concatenate(ids),
        learnt=np.concatenate(learnt),
        starts=np.cumsum([0, *map(len, ids)]),
        lengths=np.array([len(own) for own in ids], np.int32) + (image_tokens - 1) * has_image.astype(np.int32),
        supervised=np.array([own[1:].sum() for own in learnt], np.int32),
        picture=np.array(picture, np.int32),
        times=np.ones(count, np.int32),
        held_out=np.arange(count) >= count - held_out,
        ids=[f"sample{number}" for number in range(count)],
        pictures=[],
        image_tokens=image_tokens,
        rejected=[],
        shortened={},
        left_out=0,
        kinds={},
    )


def order(prepared: Prepared, batch: int = 8) -> Order:
    return Order(prepared.training(), prepared.lengths, prepared.picture, seed=0, batch=batch)


def loader(joined: Joined, prepared: Prepared) -> Callable[[Sequence[int]], Batch]:
    """Return what makes batches, with pixels drawn from a sample's number."""

    def load(chosen: Sequence[int]) -> Batch:
        drawn = [_pixels(sample) for sample in chosen if prepared.picture[sample] >= 0]
        pixels = torch.stack(drawn) if drawn else None
        return collate(prepared, chosen, pixels, image_token_id=joined.image_token_id, pad_id=0)

    return load


def _pixels(number: int) -> Tensor:
    side = tiny.IMAGE_SIZE
    return torch.randn(3, side, side, generator=torch.Generator().manual_seed(number))


def run(
    joined: Joined,
    prepared: Prepared,
    folder: Path,
    *,
    ranks: Ranks = ALONE,
    batch: int = 8,
    load: Callable[[Sequence[int]], Batch] | None = None,
    tracker: Tracker | None = None,
    about: dict[str, str] | None = None,
    **changes: Any,
) -> Trained:
    """Train, with ``PLAN`` but for ``changes``; a tracker is made where none is given."""
    plan = replace(PLAN, **changes)
    folder.mkdir(exist_ok=True)
    given = (joined, prepared, order(prepared, batch), load or loader(joined, prepared), plan, folder)
    if tracker or not ranks.is_first:
        return train(*given, ranks=ranks, about=about or {}, tracker=tracker)
    with Tracker(folder, plan.steps) as own:
        return train(*given, ranks=ranks, about=about or {}, tracker=own)


def step_gradients(
    joined: Joined,
    prepared: Prepared,
    *,
    micro_batch: int,
    batch: int = 32,
    ranks: Ranks = ALONE,
    shard: bool = False,
    dtype: torch.dtype = torch.float64,
) -> tuple[float, dict[str, Tensor]]:
    """Return the loss of the first step, and the gradient of each weight that learns."""
    set_precision(joined, dtype)
    loss = spread(joined, ranks, dtype, shard=shard)
    ordered = order(prepared, batch)
    passes = Passes(
        joined,
        loss,
        prepared,
        ordered,
        loader(joined, prepared),
        ranks,
        dtype=dtype,
        micro_batch=micro_batch,
        is_sharded=shard,
        say=print,
    )
    sums = passes.step(0, lambda: False)
    passes.close()
    groups = parameter_groups(joined, 1.0, 1.0, 0.0)
    average_gradients([weight for group in groups for weight in group["params"]], ranks, sums.supervised)
    return sums.loss / sums.supervised, {
        name: whole(weight.grad)
        for name, weight in joined.model.named_parameters()
        if weight.requires_grad and weight.grad is not None
    }


def difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Return the largest relative distance between two sets of gradients, weight by weight."""
    assert one.keys() == other.keys()
    norms = {name: one[name].norm() for name in one}
    floor = 1e-6 * max(norms.values())  # a weight without any gradient is compared with the others' size
    return max(float((one[name] - other[name]).norm() / (norms[name] + floor)) for name in one)


def digest(joined: Joined) -> str:
    """Return the sha256 of all weights that learn."""
    found = hashlib.sha256()
    for name, weight in sorted(joined.model.named_parameters()):
        if weight.requires_grad:
            found.update(name.encode() + whole(weight.detach()).numpy().tobytes())
    return found.hexdigest()
