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
from pipeline.finetune.layout import Layout, Pack, Tree
from pipeline.finetune.loop import Plan, Trained, train
from pipeline.finetune.model import Joined, Stage, add_lora, freeze, join, parameter_groups
from pipeline.finetune.order import Order
from pipeline.finetune.passes import Passes
from pipeline.finetune.pictures import Picture
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.ranks import Ranks, average_gradients, spread, whole
from pipeline.finetune.schedule import set_precision
from pipeline.finetune.tokens import IGNORE, IMAGE
from pipeline.finetune.tracking import Tracker
from pipeline.finetune.tuning import tell_of_trees, tune_layers
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
    layout="shared",
    micro_tokens=64,
    save_every=3,
    keep=2,
    check_every=4,
)


def bases(folder: Path, language: str = "llama", **more: Any) -> tuple[str, str]:
    """Write both base models, once in a folder; ``more`` is for the configuration of the language model."""
    if not (folder / "clip").exists():
        tiny.save_clip(folder / "clip")
    if not (folder / language).exists():
        tiny.save_language(folder / language, language, **more)
    return str(folder / "clip"), str(folder / language)


def model(
    folder: Path,
    stage: Stage = "instruct",
    *,
    dtype: torch.dtype = torch.float32,
    dropout: float = 0.0,
    lora_rank: int = 0,
    projector: Any = "mlp2x_gelu",
    language: str = "llama",
    **more: Any,
) -> Joined:
    """Join the base models in a folder; dropout is that of attention, which draws in both stages."""
    joined = join(*bases(folder, language, **more), projector, dtype=dtype)
    if lora_rank:
        add_lora(joined, lora_rank, 2 * lora_rank, dropout)
    freeze(joined, stage)
    for layer in joined.model.model.language_model.layers if dropout else ():
        layer.self_attn.attention_dropout = dropout
    return joined


@cache
def samples(
    count: int = 40, held_out: int = 0, image_tokens: int = tiny.PATCHES, samples_an_image: int = 2
) -> Prepared:
    """Draw samples of 4 to 20 tokens, up to half of them learnt.

    Every third has no image. Of the others, neighbours share one and their first tokens; the last samples are held out.
    """
    draw = np.random.default_rng(0)
    ids, learnt, picture = [], [], []
    seen = 0
    for number in range(count):
        length = int(draw.integers(4, 21))
        own = draw.integers(300, 400, length).astype(np.int32)
        has_image = number % 3 != 0
        own[:2] = (301, IMAGE) if has_image else own[:2]
        picture.append(seen // samples_an_image if has_image else -1)
        seen += has_image
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


def with_pictures(prepared: Prepared, folder: Path) -> Prepared:
    """Give samples pictures that are files in a folder."""
    folder.mkdir(exist_ok=True)
    pictures = [Picture(str(folder / f"{number}.png")) for number in range(int(prepared.picture.max()) + 1)]
    for number, picture in enumerate(pictures):
        if not Path(picture.path).exists():
            tiny.picture(number).save(picture.path)
    return replace(prepared, pictures=pictures)


def order(prepared: Prepared, batch: int = 8, seed: int = 0) -> Order:
    return Order(prepared.training(), prepared.lengths, prepared.picture, seed=seed, batch=batch, by_picture=True)


def loader(joined: Joined, prepared: Prepared) -> Callable[[Pack], Batch]:
    """Return what makes batches, with pixels drawn from a picture's number."""

    def load(pack: Pack) -> Batch:
        made = collate(prepared, pack, image_token_id=joined.image_token_id, pad_id=0)
        pictures = [picture for picture in dict.fromkeys(prepared.picture[pack.samples].tolist()) if picture >= 0]
        return replace(made, pixel_values=torch.stack([pixels(one) for one in pictures])) if pictures else made

    return load


def padded(joined: Joined, prepared: Prepared, chosen: Sequence[int]) -> Batch:
    """Return a batch of samples in the order given, each in a row of its own."""
    trees = tuple(Tree((sample,), 0, (int(prepared.lengths[sample]),)) for sample in chosen)
    return loader(joined, prepared)(Pack(trees, is_padded=True))


def labels(batch: Batch) -> Tensor:
    """Return what transformers takes as labels for a padded batch."""
    made = torch.full(batch.input_ids.shape, IGNORE)
    sources = torch.arange(len(batch.places)) if batch.sources is None else batch.sources
    made.view(-1)[batch.places[sources] + 1] = batch.targets
    return made


def pixels(number: int) -> Tensor:
    side = tiny.IMAGE_SIZE
    return torch.randn(3, side, side, generator=torch.Generator().manual_seed(number))


def run(
    joined: Joined,
    prepared: Prepared,
    folder: Path,
    *,
    ranks: Ranks = ALONE,
    batch: int = 8,
    load: Callable[[Pack], Batch] | None = None,
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


def tuned(joined: Joined, *, recompute: int = 0) -> Joined:
    """Have a model take packs of trees, as training does."""
    tune_layers(joined, recompute=recompute, compiled=False)
    tell_of_trees(joined, joined.model.dtype, print)
    return joined


def step_gradients(
    joined: Joined,
    prepared: Prepared,
    *,
    micro_tokens: int,
    layout: Layout = "shared",
    batch: int = 32,
    seed: int = 0,
    ranks: Ranks = ALONE,
    shard: bool = False,
    recompute: int = 0,
    dtype: torch.dtype = torch.float64,
) -> tuple[float, dict[str, Tensor]]:
    """Return the loss of the first step, and the gradient of each weight that learns."""
    set_precision(joined.model.parameters(), dtype)
    if layout != "padded":
        tune_layers(joined, recompute=recompute, compiled=False)
    loss = spread(joined, ranks, dtype, shard=shard)
    if layout != "padded":
        tell_of_trees(joined, dtype, print)
    ordered = order(prepared, batch, seed)
    passes = Passes(
        joined,
        loss,
        prepared,
        ordered,
        loader(joined, prepared),
        ranks,
        dtype=dtype,
        layout=layout,
        micro_tokens=micro_tokens,
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
