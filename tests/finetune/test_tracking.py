# ruff: noqa: E402
from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from pipeline.errors import PipelineError, RunStopped
from pipeline.finetune.tracking import Step, Tracker, read_metrics
from tests.finetune.test_states import disk_full_after

STEP = Step(
    number=1,
    loss=2.0,
    lr=1e-3,
    gradient_norm=0.5,
    samples=8,
    tokens=600,
    computed=480,
    places=600,
    supervised=150,
    seconds=2.0,
    waited_s=0.5,
    flops=1e12,
    memory_bytes=3 << 30,
    micro_tokens=4096,
)


def test_a_step_is_a_line_of_figures(tmp_path: Path) -> None:
    with Tracker(tmp_path, 10, flops_a_second=1e12) as tracker:
        tracker.begin(0)
        tracker.step(STEP)
        tracker.checked(1, 2.5)
    step, check = read_metrics(tmp_path)
    assert step == {
        "step": 1,
        "loss": 2.0,
        "samples_per_s": 4.0,
        "tokens_per_s": 300.0,
        "data_wait_share": 0.25,
        "shared_share": pytest.approx(0.2),
        "padding_share": pytest.approx(0.2),
        "supervised_share": 0.25,
        "samples": 8,
        "seconds": 2.0,
        "micro_tokens": 4096,
        "memory_gib": 3.0,
        "mfu": 0.5,
        "gradient_norm": 0.5,
        "lr": 1e-3,
    }
    assert check == {"step": 1, "held_out_loss": 2.5}


def test_a_line_is_on_disk_at_once(tmp_path: Path) -> None:
    with Tracker(tmp_path, 10) as tracker:
        tracker.begin(0)
        tracker.step(STEP)
        assert len(read_metrics(tmp_path)) == 1


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with Tracker(tmp_path, 10) as tracker:
        tracker.begin(0)
        tracker.step(STEP)
        with disk_full_after(10), pytest.raises(RunStopped, match=r"cannot write .*metrics.jsonl: .*make room"):
            tracker.step(replace(STEP, number=2))


def test_steps_that_come_again_are_forgotten_and_so_is_half_a_line(tmp_path: Path) -> None:
    with Tracker(tmp_path, 10) as tracker:
        tracker.begin(0)
        for number in (1, 2, 3):
            tracker.step(replace(STEP, number=number))
        tracker.checked(3, 1.0)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    with Tracker(tmp_path, 10) as tracker:
        tracker.begin(2)
        tracker.step(replace(STEP, number=3, loss=9.0))
    assert [(line["step"], line["loss"]) for line in read_metrics(tmp_path)] == [(1, 2.0), (2, 2.0), (3, 9.0)]


def test_without_a_terminal_there_is_a_plain_line_now_and_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Tracker(tmp_path, 100, plain_every_s=0) as tracker:
        tracker.begin(0)
        tracker.step(STEP)
        tracker.step(replace(STEP, number=2, loss=4.0))
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == (
        "step 2 of 100, loss 3.000, 4.0 samples/s, 300 tokens/s, data wait 25%, shared 20%, padding 20.0%, learnt 25%, "
        "3.0 GiB, about 3 min left"
    )


def test_a_terminal_has_one_moving_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Tracker(tmp_path, 100, flops_a_second=1e12) as tracker:
        tracker.begin(0)
        tracker.step(STEP)
        bar: Any = tracker._bar
        assert "loss 2.000" in bar.tasks[0].fields["facts"]
        assert "MFU 50%" in bar.tasks[0].fields["facts"]
        assert bar.tasks[0].completed == 1


def test_an_unknown_tracker_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="'mlflow' is unknown; pass any of tensorboard, trackio, wandb"):
        Tracker(tmp_path, 1, trackers=["mlflow"])


def test_a_tracker_that_is_not_installed_is_named_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PipelineError, match="wandb is not installed; pip install wandb"):
        Tracker(tmp_path, 1, trackers=["wandb"])


def test_tensorboard_shows_a_run_that_carried_on_as_one(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for done, loss in ((0, 2.0), (1, 9.0)):
        with Tracker(tmp_path, 10, trackers=["tensorboard"]) as tracker:
            tracker.begin(done)
            for number in range(done + 1, 4):
                tracker.step(replace(STEP, number=number, loss=loss))
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [(event.step, event.value) for event in found.Scalars("loss")] == [(1, 2.0), (2, 9.0), (3, 9.0)]


RECORDER = """
import json
class _Run:
    def log(self, figures, step): told.append([step, figures["loss"]])
    def finish(self): told.append("finished")
told = []
def init(**named):
    told.append(sorted(named))
    return _Run()
def finish(): _Run().finish()
"""


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_other_trackers_are_given_the_run_and_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / f"{name}.py").write_text(RECORDER)  # stands in for a package that asks for an account, or a server
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    with Tracker(tmp_path / "run", 10, trackers=[name]) as tracker:
        tracker.begin(0)
        tracker.step(STEP)
    told = sys.modules.pop(name).told
    assert {"project", "name", "resume"} <= set(told[0])
    assert told[1:] == [[1, 2.0], "finished"]
