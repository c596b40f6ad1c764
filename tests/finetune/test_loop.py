# ruff: noqa: E402
from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from pipeline.errors import PipelineError, RunStopped
from pipeline.finetune.batches import Batch
from pipeline.finetune.forward import token_loss_sum
from pipeline.finetune.layout import Layout, Pack, lay_out
from pipeline.finetune.loop import Interrupted
from pipeline.finetune.model import Joined
from pipeline.finetune.tracking import Tracker, read_metrics
from pipeline.finetune.watching import SEEN, Watch
from tests.finetune import tiny_training
from tests.finetune.tiny_training import difference, digest, loader, model, padded, run, samples, step_gradients


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


def saved(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "states").iterdir()) if (folder / "states").exists() else []


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(folder) if "loss" in line]


@pytest.mark.parametrize("stage", ["align", "instruct"])
@pytest.mark.parametrize("projector", ["linear", "transformer"])
def test_how_a_step_is_cut_up_changes_neither_loss_nor_gradients(bases: Path, stage: Any, projector: str) -> None:
    def cut(layout: Layout, micro_tokens: int) -> tuple[float, dict[str, Any]]:
        joined = model(bases, stage, dtype=torch.float64, projector=projector)
        prepared = samples(image_tokens=joined.image_tokens)
        return step_gradients(joined, prepared, layout=layout, micro_tokens=micro_tokens)

    loss, gradients = cut("padded", 10**6)
    for layout in ("padded", "packed", "shared"):
        other_loss, other_gradients = cut(layout, 1 if layout == "padded" else 100)
        assert other_loss == pytest.approx(loss, abs=1e-6)
        assert difference(gradients, other_gradients) < 1e-5


def test_a_mean_for_each_micro_batch_would_fail_that(bases: Path) -> None:
    joined = model(bases, dtype=torch.float64)
    loss, gradients = step_gradients(joined, samples(), layout="padded", micro_tokens=10**6)
    joined.model.zero_grad()
    means = []
    chosen = tiny_training.order(samples(), 32).step(0)
    for number in chosen:
        own, supervised = token_loss_sum(joined, padded(joined, samples(), [number]))
        (own / supervised / len(chosen)).backward()
        means.append(own.item() / supervised)
    wrong = {name: weight.grad for name, weight in joined.model.named_parameters() if weight.requires_grad}
    assert abs(sum(means) / len(means) - loss) > 1e-3
    assert difference(gradients, wrong) > 1e-2


@pytest.mark.parametrize("stage", ["align", "instruct"])
def test_a_run_learns_only_what_its_stage_trains(bases: Path, tmp_path: Path, stage: Any) -> None:
    joined = model(bases, stage)
    before = {name: weight.detach().clone() for name, weight in joined.model.named_parameters()}
    trained = run(joined, samples(), tmp_path / "run", steps=15)
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "run")[0]
    assert (trained.steps, trained.samples) == (15, 15 * 8)
    for name, weight in joined.model.named_parameters():
        assert torch.equal(weight, before[name]) != weight.requires_grad, name


def test_low_rank_pairs_learn(bases: Path, tmp_path: Path) -> None:
    joined = model(bases, lora_rank=2, dropout=0.1)
    run(joined, samples(), tmp_path / "run", steps=3)
    assert all(weight.any() for name, weight in joined.model.named_parameters() if "lora_B" in name)


def test_a_run_of_text_alone_goes_through_in_both_stages(bases: Path, tmp_path: Path) -> None:
    prepared = samples()
    text = [number for number in range(len(prepared)) if prepared.picture[number] < 0]
    for stage in ("align", "instruct"):
        joined = model(bases, stage)
        (pack,) = lay_out(prepared, text[:5], "packed", most_tokens=10**6)
        made = loader(joined, prepared)(pack)
        run(joined, prepared, tmp_path / stage, steps=2, load=lambda _, made=made: made)


def running_out(joined: Joined, most: int) -> list[int]:
    """Make the model run out of memory with more than ``most`` tokens, and return what sizes it saw."""
    seen: list[int] = []

    def hook(module: Any, arguments: Any, named: dict[str, Any]) -> None:
        seen.append(named["inputs_embeds"].shape[1] if torch.is_grad_enabled() else 0)
        if seen[-1] > most:
            raise torch.OutOfMemoryError("tried to allocate 2 GiB. GPU 0 has none")

    joined.model.model.language_model.register_forward_pre_hook(hook, with_kwargs=True)
    return seen


def test_out_of_memory_the_step_is_done_again_in_halves_with_the_same_result(
    bases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    joined, other = model(bases, dtype=torch.float64), model(bases, dtype=torch.float64)
    seen = running_out(joined, most=50)
    run(joined, samples(), tmp_path / "run", micro_tokens=100, steps=3, dtype=torch.float64)
    run(other, samples(), tmp_path / "other", micro_tokens=50, steps=3, dtype=torch.float64)
    assert [tokens > 50 for tokens in filter(None, seen)] == [True] + [False] * (len(list(filter(None, seen))) - 1)
    assert digest(joined) == digest(other)
    assert "out of memory with 100 tokens at once; going on with 50, which changes no result" in capsys.readouterr().err


def test_out_of_memory_in_the_middle_of_a_step_counts_nothing_twice(bases: Path, tmp_path: Path) -> None:
    joined, other = model(bases, dropout=0.1), model(bases, dropout=0.1)
    steps = [tiny_training.order(samples()).step(number) for number in range(3)]
    packs = [len(lay_out(samples(), step, "shared", most_tokens=100)) for step in steps]
    assert min(packs) > 1
    count = iter(range(10**6))

    def fail_once(*_: Any) -> None:
        if torch.is_grad_enabled() and next(count) == packs[0] + packs[1] + 1:  # the second pack of the third step
            raise torch.OutOfMemoryError("none left")

    handle = joined.model.model.language_model.register_forward_pre_hook(fail_once)
    run(joined, samples(), tmp_path / "run", micro_tokens=100, steps=3)
    handle.remove()
    run(other, samples(), tmp_path / "other", micro_tokens=100, steps=2 + 1)
    assert losses(tmp_path / "run")[:2] == losses(tmp_path / "other")[:2]
    assert losses(tmp_path / "run")[2] == pytest.approx(losses(tmp_path / "other")[2], rel=0.1)  # dropout in new shapes


def test_out_of_memory_again_ends_in_one_line(bases: Path, tmp_path: Path) -> None:
    joined = model(bases)
    running_out(joined, most=20)
    with pytest.raises(RunStopped) as error:
        run(joined, samples(), tmp_path / "run", micro_tokens=100)
    assert str(error.value).startswith("out of memory with 50 tokens at once; pass --micro-tokens 25, or use more")
    assert "\n" not in str(error.value)


def test_out_of_memory_with_one_sample_there_is_nothing_to_halve(bases: Path, tmp_path: Path) -> None:
    joined = model(bases)
    running_out(joined, most=20)
    with pytest.raises(RunStopped, match=r"out of memory with 30 tokens at once; pass a smaller --max-tokens"):
        run(joined, samples(), tmp_path / "run", micro_tokens=30)


def test_halved_packs_are_remembered_and_another_wish_respected(bases: Path, tmp_path: Path) -> None:
    joined = model(bases)
    running_out(joined, most=50)
    with Tracker(tmp_path / "run", 8) as tracker, pytest.raises(Interrupted):
        run(joined, samples(), tmp_path / "run", micro_tokens=100, tracker=interrupting(tracker, at=2))
    again, narrower = model(bases), model(bases)
    seen = running_out(again, most=50)
    with Tracker(tmp_path / "run", 8) as tracker, pytest.raises(Interrupted):
        run(again, samples(), tmp_path / "run", micro_tokens=100, tracker=interrupting(tracker, at=4))
    assert 35 < max(seen) <= 50
    seen = running_out(narrower, most=50)
    run(narrower, samples(), tmp_path / "run", micro_tokens=40)
    assert max(seen) <= 40


def interrupting(tracker: Tracker, at: int) -> Tracker:
    """Send Ctrl-C to this process as soon as a step has been told of."""
    tell = tracker.step

    def step(told: Any) -> None:
        tell(told)
        if told.number == at:
            os.kill(os.getpid(), signal.SIGINT)

    tracker.step = step  # type: ignore[method-assign]
    return tracker


def test_after_ctrl_c_the_same_call_carries_on_to_the_same_weights(
    bases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut = model(bases, dropout=0.2), model(bases, dropout=0.2)
    run(whole, samples(), tmp_path / "whole")
    with Tracker(tmp_path / "run", 8) as tracker, pytest.raises(Interrupted, match="after step 5; the same command"):
        run(cut, samples(), tmp_path / "run", tracker=interrupting(tracker, at=4))
    assert saved(tmp_path / "run")[-1] == "step-00000005"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again = model(bases, dropout=0.2)
    trained = run(again, samples(), tmp_path / "run")
    assert digest(again) == digest(whole) != digest(cut)
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")
    assert trained.samples == 8 * 8
    assert "carrying on after step 5" in capsys.readouterr().err


def test_a_finished_run_comes_back_without_a_step(bases: Path, tmp_path: Path) -> None:
    joined, again = model(bases), model(bases)
    trained = run(joined, samples(held_out=4), tmp_path / "run")
    assert run(again, samples(held_out=4), tmp_path / "run") == trained
    assert digest(again) == digest(joined)
    assert len(losses(tmp_path / "run")) == 8


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"lr": 1.0}, "--lr"),
        ({"steps": 9}, "--steps"),
        ({"batch": 4}, "--batch"),
        ({"about": {"--stage": "x"}}, "--stage"),
    ],
)
def test_other_settings_do_not_carry_on(bases: Path, tmp_path: Path, changes: dict[str, Any], flag: str) -> None:
    run(model(bases), samples(), tmp_path / "run")
    with pytest.raises(PipelineError, match=f"of a run with another {flag} "):
        run(model(bases), samples(), tmp_path / "run", **changes)


def test_other_data_do_not_carry_on(bases: Path, tmp_path: Path) -> None:
    run(model(bases), samples(40), tmp_path / "run")
    with pytest.raises(PipelineError, match="of a run with another data set"):
        run(model(bases), samples(41), tmp_path / "run")


def test_a_loss_that_is_no_number_stops_before_the_step_and_names_the_sample(bases: Path, tmp_path: Path) -> None:
    prepared = samples()
    joined = model(bases)
    bad = next(number for number in tiny_training.order(prepared).step(4) if prepared.picture[number] >= 0)

    def load(pack: Pack) -> Batch:
        batch = loader(joined, prepared)(pack)
        if bad in pack.samples:
            assert batch.pixel_values is not None
            pictures = [picture for picture in dict.fromkeys(prepared.picture[pack.samples].tolist()) if picture >= 0]
            batch.pixel_values[pictures.index(int(prepared.picture[bad]))] = torch.nan
        return batch

    with pytest.raises(RunStopped) as error:
        run(joined, prepared, tmp_path / "run", load=load)
    assert f"step 5: the loss is nan; its samples, the worst first (sample{bad}, " in str(error.value)
    told = json.loads((tmp_path / "run" / "suspects.json").read_text())
    assert told["samples"][0] == {"id": f"sample{bad}", "loss": "nan"}
    assert len(told["samples"]) == 8
    assert all(isinstance(one["loss"], float) for one in told["samples"][1:])
    assert saved(tmp_path / "run")[-1] == "step-00000004"
    assert all(weight.isfinite().all() for weight in joined.model.parameters())
    with pytest.raises(RunStopped, match="step 5: the loss is nan"):  # and again, from the state that was kept
        run(model(bases), prepared, tmp_path / "run", load=load)


def test_a_leap_of_the_loss_is_told_only_with_enough_steps_behind_it() -> None:
    watch = Watch()
    assert not watch.fault(100.0, 1.0)
    for _ in range(SEEN):
        assert not watch.fault(1.0, 1.0)
    assert not watch.fault(5.0, 1.0)
    assert watch.fault(5.1, 1.0) == "the loss leaps to 5.100 from a median of 1.000"
    assert "its gradient nan" in watch.fault(1.0, float("nan"))


def test_held_out_samples_are_looked_at_and_never_learnt(bases: Path, tmp_path: Path) -> None:
    prepared = samples(held_out=8)
    joined = model(bases, dropout=0.5, dtype=torch.float64)
    seen: list[int] = []

    def load(pack: Pack) -> Batch:
        seen.extend(pack.samples if joined.model.training else [])
        return loader(joined, prepared)(pack)

    trained = run(joined, prepared, tmp_path / "run", load=load, dtype=torch.float64)
    lines = [line for line in read_metrics(tmp_path / "run") if "held_out_loss" in line]
    assert [line["step"] for line in lines] == [4, 8]
    joined.model.eval()
    loss, supervised = token_loss_sum(joined, padded(joined, prepared, range(32, 40)))
    assert trained.held_out_loss == lines[-1]["held_out_loss"] == pytest.approx(loss.item() / supervised, rel=1e-9)
    assert set(seen) <= set(range(32))


def test_a_look_at_held_out_samples_changes_nothing_of_the_run(bases: Path, tmp_path: Path) -> None:
    often, never = model(bases, dropout=0.2), model(bases, dropout=0.2)
    run(often, samples(held_out=8), tmp_path / "often", check_every=1)
    run(never, samples(held_out=8), tmp_path / "never", check_every=100)
    assert digest(often) == digest(never)
