"""What two processes of a torchrun do for test_ranks.py; the first writes down what came out."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from pipeline.finetune.batches import Batch
from pipeline.finetune.features import fill
from pipeline.finetune.layout import Pack, lay_out
from pipeline.finetune.loop import Interrupted
from pipeline.finetune.pixels import Pixels
from pipeline.finetune.ranks import Ranks, joined_ranks, whole_weights
from tests.finetune.tiny_training import (
    PLAN,
    digest,
    loader,
    model,
    order,
    run,
    samples,
    step_gradients,
    with_pictures,
)

PATIENCE_S = 150
WAYS = {"copies": False, "shards": True}
STEPS: dict[str, Any] = {
    "large": {"batch": 32, "micro_tokens": 150, "recompute": 1},
    "padded": {"batch": 32, "micro_tokens": 150, "layout": "padded"},
    "uneven": {"seed": 84, "batch": 4, "micro_tokens": 25},  # a process has a text, and then nothing
}


def main(folder: Path) -> None:
    told: dict[str, Any] = {}
    with joined_ranks() as ranks:
        told["ranks"] = ranks.gather(ranks.rank)
        told["sum"] = ranks.sum([1.0, float(ranks.rank)])
        told["first"] = ranks.gather(ranks.hear_first(f"from {ranks.rank}"))
        for way, shard in WAYS.items():
            for stage in ("align", "instruct"):
                for lora_rank in (0, 2) if stage == "instruct" else (0,):
                    one_step(folder, ranks, f"{way}-{stage}-{lora_rank}", shard, stage, lora_rank)
            told[way] = runs(folder, ranks, way, shard)
        told["looked at"] = looked_at(folder, ranks)
        if ranks.is_first:
            (folder / "told.json").write_text(json.dumps(told))


def one_step(folder: Path, ranks: Ranks, name: str, shard: bool, stage: Any, lora_rank: int) -> None:
    """Write the gradients of each of the steps."""
    for step, asked in STEPS.items():
        joined = model(folder / "bases", stage, dtype=torch.float64, lora_rank=lora_rank)
        found = step_gradients(joined, samples(), ranks=ranks, shard=shard, **asked)
        if ranks.is_first:
            torch.save(found, folder / f"{name}-{step}.pt")


def runs(folder: Path, ranks: Ranks, way: str, shard: bool) -> dict[str, Any]:
    """Run to the end; run until somebody stops one process, then to a fault, then to the end; and short of memory."""
    told = {}
    whole = model(folder / "bases", dropout=0.2)
    trained = run(whole, samples(held_out=5), folder / f"{way}-whole", ranks=ranks, shard=shard)
    told["held out"] = trained.held_out_loss
    told["whole"] = digest(whole)
    weights = whole_weights(whole, ranks)
    told["pieces"] = (weights is None) == (not ranks.is_first) and len(ranks.gather(1)) == 2
    if weights is not None:
        torch.save(weights, folder / f"{way}-weights.pt")
    cut = model(folder / "bases", dropout=0.2)
    try:
        run(cut, samples(held_out=5), folder / f"{way}-cut", ranks=ranks, shard=shard, load=interrupting(cut, ranks))
    except Interrupted as error:
        told["interrupted"] = ranks.gather(str(error))
    cut = model(folder / "bases", dropout=0.2)
    try:
        run(cut, samples(held_out=5), folder / f"{way}-cut", ranks=ranks, shard=shard, load=failing(cut))
    except LookupError:
        told["cut"] = digest(cut)
    again = model(folder / "bases", dropout=0.2)
    run(again, samples(held_out=5), folder / f"{way}-cut", ranks=ranks, shard=shard)
    told["again"] = digest(again)
    if not shard:
        told["halved"] = halved(folder, ranks)
    return told


def looked_at(folder: Path, ranks: Ranks) -> list[list[int]]:
    """Have both fill a cache of features together; return how many images each looked at, then and again."""
    joined = model(folder / "bases")
    prepared = with_pictures(samples(12), folder / "pictures")
    seen: list[int] = []
    joined.model.model.vision_tower.embeddings.register_forward_hook(lambda *of: seen.append(len(of[2])))
    to_pixels = Pixels(joined.processor.image_processor)
    told = []
    for _ in range(2):
        features = fill(joined, prepared, to_pixels, folder / "cache", ranks, torch.float32, "", print)
        told.append(ranks.gather(sum(seen)))
    if ranks.is_first:
        torch.save(features.read(range(len(prepared.pictures))), folder / "features.pt")
    return told


def interrupting(joined: Any, ranks: Ranks) -> Any:
    """Return what makes batches, and sends Ctrl-C to the second process alone with its first."""
    load = loader(joined, samples(held_out=5))

    def interrupted(pack: Pack) -> Batch:
        if ranks.rank == 1 and not signals:
            signals.append(signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return load(pack)

    signals: list[int] = []
    return interrupted


def failing(joined: Any) -> Any:
    """Return what makes batches until the fourth step begins, in both processes."""
    prepared = samples(held_out=5)
    load, made = loader(joined, prepared), 0
    steps = [order(prepared).step(number) for number in range(3)]
    packs = [lay_out(prepared, step, PLAN.layout, most_tokens=PLAN.micro_tokens, ranks=2) for step in steps]
    most = sum(map(len, packs)) // 2  # a process

    def counted(pack: Pack) -> Batch:
        nonlocal made
        made += not prepared.held_out[pack.samples].any()
        if made > most:
            raise LookupError
        return load(pack)

    return counted


def halved(folder: Path, ranks: Ranks) -> str:
    """Run out of memory in the second process alone."""
    joined = model(folder / "bases", dtype=torch.float64)

    def hook(module: Any, arguments: Any, named: dict[str, Any]) -> None:
        if ranks.rank == 1 and torch.is_grad_enabled() and named["inputs_embeds"].shape[1] > 50:
            raise torch.OutOfMemoryError("none left")

    joined.model.model.language_model.register_forward_pre_hook(hook, with_kwargs=True)
    run(joined, samples(), folder / "halved", ranks=ranks, dtype=torch.float64, micro_tokens=100)
    return digest(joined)


if __name__ == "__main__":
    faulthandler.dump_traceback_later(PATIENCE_S, exit=True)  # where one hangs, both do
    main(Path(sys.argv[1]))
