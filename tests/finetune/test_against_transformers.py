# ruff: noqa: E402
"""Our loop against Hugging Face's with correct labels: the same data in the same order, the same losses."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from pipeline.finetune.model import Joined
from pipeline.finetune.tracking import read_metrics
from tests.finetune import hf_loop, tiny_training
from tests.finetune.tiny_training import model, run, samples

STEPS, BATCH, LR = 30, 8, 2e-3
PREPARED = samples(48, held_out=8)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


def held_out_loss(joined: Joined, collate: Any) -> float:
    """Return the library's own loss on the samples that are held out."""
    joined.model.eval()
    with torch.no_grad():
        return float(joined.model(**collate(PREPARED.validation().tolist()), use_cache=False).loss)


@pytest.mark.parametrize("stage", ["align", "instruct"])
def test_losses_are_those_of_hugging_faces_loop_step_by_step_and_on_held_out_images(
    bases: Path, tmp_path: Path, stage: Any
) -> None:
    ours, theirs = model(bases, stage), model(bases, stage)
    collate = hf_loop.collator(theirs, PREPARED, tiny_training.pixels)
    before = held_out_loss(ours, collate)
    plan = {"lr": LR, "projector_lr": LR, "warmup": 0.1, "weight_decay": 0.01, "clip": 1.0, "steps": STEPS}
    trained = run(ours, PREPARED, tmp_path / "ours", batch=BATCH, save_every=100, check_every=100, **plan)
    order = tiny_training.order(PREPARED, BATCH)
    # In the first stage a micro-batch of text alone would end its loop: nothing that learns is in its graph.
    expected = hf_loop.train(
        theirs,
        list(chain.from_iterable(order.step(number) for number in range(STEPS))),
        collate,
        tmp_path / "theirs",
        batch=BATCH,
        micro_batch=4 if stage == "instruct" else BATCH,
        learning_rate=LR,
        lr_scheduler_type="cosine",
        warmup_steps=3,
        weight_decay=0.01,
        max_grad_norm=1.0,
        use_cpu=True,
    )
    losses = [line["loss"] for line in read_metrics(tmp_path / "ours") if "loss" in line]
    assert losses == pytest.approx(expected, rel=1e-3)
    assert trained.held_out_loss == pytest.approx(held_out_loss(ours, collate), rel=1e-4)
    assert held_out_loss(ours, collate) <= held_out_loss(theirs, collate) + 1e-3
    assert held_out_loss(ours, collate) < before  # something was learnt
    assert losses[-1] < losses[0] * (0.9 if stage == "instruct" else 1)  # a projector alone learns little in 30 steps
