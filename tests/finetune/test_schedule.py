# ruff: noqa: E402
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from transformers import get_cosine_schedule_with_warmup

from pipeline.finetune.model import parameter_groups
from pipeline.finetune.schedule import make_optimizer, rate, set_precision, set_rate, warmup_steps
from tests.finetune import tiny_training


@pytest.mark.parametrize(("steps", "share"), [(1, 0.0), (1, 0.03), (7, 0.5), (40, 0.03), (100, 0.0), (101, 0.1)])
def test_the_rate_is_the_librarys_cosine_at_every_step(steps: int, share: float) -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    warmup = warmup_steps(share, steps)
    schedule = get_cosine_schedule_with_warmup(optimizer, warmup, steps)
    for step in range(steps):
        assert 0.5 * rate(step, steps, warmup) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        schedule.step()


def test_warmup_is_rounded_up_and_begins_at_nothing() -> None:
    assert warmup_steps(0.03, 101) == 4
    assert [rate(step, 101, 4) for step in range(5)] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_each_group_keeps_its_own_highest_rate(tmp_path: Path) -> None:
    joined = tiny_training.model(tmp_path)
    optimizer = make_optimizer(parameter_groups(joined, 2e-4, 2e-5, 0.0))
    for share in (0.5, 0.25):
        set_rate(optimizer, share)
    rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
    assert rates["language, decayed"] == pytest.approx(5e-5)
    assert rates["projector, decayed"] == pytest.approx(5e-6)


@pytest.mark.parametrize("stage", ["align", "instruct"])
def test_what_learns_is_wide_and_what_is_frozen_narrow(tmp_path: Path, stage: Any) -> None:
    joined = tiny_training.model(tmp_path, stage)
    set_precision(joined.model.parameters(), torch.bfloat16)
    kinds = {(weight.requires_grad, weight.dtype) for weight in joined.model.parameters()}
    assert kinds == {(True, torch.float32), (False, torch.bfloat16)}


def test_steps_too_small_for_bfloat16_are_not_lost(tmp_path: Path) -> None:
    joined = tiny_training.model(tmp_path)
    head = joined.model.lm_head.weight
    before = head.detach().clone()
    tiny_training.run(
        joined, tiny_training.samples(), tmp_path / "run", dtype=torch.bfloat16, lr=2e-5, weight_decay=0.0
    )
    moved = (head.detach() - before).abs()
    assert head.dtype == torch.float32
    assert float((moved > 0).float().mean()) > 0.9
    narrow = head.detach().bfloat16() == before.bfloat16()
    assert float(narrow.float().mean()) > 0.5  # most would have stood still


def test_without_narrow_computation_all_weights_are_as_wide_as_it(tmp_path: Path) -> None:
    joined = tiny_training.model(tmp_path)
    set_precision(joined.model.parameters(), torch.float64)
    assert {weight.dtype for weight in joined.model.parameters()} == {torch.float64}
