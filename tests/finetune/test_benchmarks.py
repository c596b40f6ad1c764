# ruff: noqa: E402
from __future__ import annotations

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks import finetune_gpu
from benchmarks.finetune_flops import CASES, MICRO_TOKENS, count
from benchmarks.finetune_loops import Measured, Options
from benchmarks.llava_shaped import LLAVA_7B, TINY, build, draw
from pipeline.finetune.attention import use
from pipeline.finetune.costs import count_flops
from pipeline.finetune.layout import lay_out
from pipeline.finetune.model import freeze


def losses(printed: str) -> dict[tuple[str, str], float]:
    """Return the loss of each row, by stage and loop."""
    rows = re.findall(r"^ *(align|instruct) +(\w+) +[\d.]+ .* (\d\.\d{4}) +[\d.,]+ h", printed, re.MULTILINE)
    return {(stage, loop): float(loss) for stage, loop, loss in rows}


def test_the_gpu_script_runs_each_loop_of_both_stages_and_all_compute_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    finetune_gpu.main(["--device", "cpu", "--tiny", "--seconds", "0"])
    found = losses(capsys.readouterr().out)
    assert len(found) == 2 * len(finetune_gpu.LOOPS)
    for stage in finetune_gpu.STAGES:
        same = [loss for (own, _), loss in found.items() if own == stage]
        assert max(same) - min(same) < 0.005  # bfloat16 has 3 digits


def test_single_changes_of_the_gpu_script_can_be_turned_off(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--device", "cpu", "--tiny", "--seconds", "0", "--stages", "instruct", "--loops", "shared"]
    finetune_gpu.main(few)
    finetune_gpu.main([*few, "--no-narrow", "--recompute", "2", "--micro-tokens", "128"])
    first, second = capsys.readouterr().out.split("a bfloat16 matrix product")[1:]
    assert losses(first)["instruct", "shared"] == pytest.approx(losses(second)["instruct", "shared"], abs=0.005)
    assert "256 tokens at once" in first
    assert "128 tokens at once, 2 layers computed again" in second


def test_a_loop_that_fails_does_not_take_the_others_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    # No loop can take samples of which none is there; Hugging Face's has as many at once as it is told.
    finetune_gpu.main("--device cpu --tiny --seconds 0 --stages align --loops hf,packed --hf-batch -1".split())
    printed = capsys.readouterr().out
    assert "failed:" in printed
    assert set(losses(printed)) == {("align", "packed")}


def test_a_loop_takes_half_as_many_samples_at_once_where_memory_runs_out(capsys: pytest.CaptureFixture[str]) -> None:
    tried: list[int] = []

    def run(options: Options) -> Measured:
        tried.append(options.hf_batch)
        raise torch.OutOfMemoryError("no room")

    options = Options(torch.device("cpu"), torch.float32, 0.0, batch=8, hf_batch=4)
    assert finetune_gpu.attempt(run, options, can_halve=True) is None
    assert finetune_gpu.attempt(run, options, can_halve=False) is None
    assert tried == [4, 2, 1, 4]
    assert "out of memory: no room" in capsys.readouterr().out


def test_samples_are_as_many_and_as_long_as_those_of_llava() -> None:
    prepared = draw(LLAVA_7B, "instruct", 4000)
    assert len(prepared) / 4000 == pytest.approx(1.94, abs=0.03)
    own = prepared.lengths - 611  # the image, and what is before it
    assert 110 < own.mean() < 215
    assert np.all(prepared.supervised > 0)
    assert len(draw(LLAVA_7B, "align", 10)) == 50


@pytest.mark.parametrize(("name", "stage", "all_kinds", "bar"), CASES)
def test_sharing_saves_as_many_operations_at_7b_as_it_should(
    name: str, stage: str, all_kinds: bool, bar: float
) -> None:
    joined = build(LLAVA_7B, "meta")
    freeze(joined, stage)
    prepared, flops = draw(LLAVA_7B, stage, 100, all_kinds=all_kinds), count_flops(joined)

    def total(layout: str) -> float:
        packs = lay_out(prepared, range(len(prepared)), layout, most_tokens=MICRO_TOKENS)
        images = sum(len(set(prepared.picture[pack.samples].tolist())) for pack in packs)
        tokens, pairs = sum(pack.tokens for pack in packs), sum(pack.pairs for pack in packs)
        return flops.total(tokens, pairs, float(prepared.supervised.sum()), images)

    assert total("packed") / total("shared") >= bar


def test_torch_counts_as_large_a_saving_as_arithmetic_does() -> None:
    joined = build(TINY, "meta")
    freeze(joined, "instruct")
    use(joined.model.model.language_model, flex=False)
    prepared = draw(TINY, "instruct", 10)
    (by_torch, by_arithmetic), (less_by_torch, less_by_arithmetic) = (
        count(TINY, joined, prepared, layout) for layout in ("packed", "shared")
    )
    assert by_torch / less_by_torch == pytest.approx(by_arithmetic / less_by_arithmetic, rel=0.1)
    assert by_torch == pytest.approx(by_arithmetic, rel=0.2)  # it counts pairs that do not see each other, too
