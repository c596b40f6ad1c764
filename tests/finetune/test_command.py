"""The command from data to checkpoint, as a person runs it, on models of a few thousand weights."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

from pipeline.cli import run_command
from pipeline.finetune.tracking import read_metrics
from tests.finetune import tiny_training

SMALL = ["--batch", "8", "--held-out", "0.2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the quick start, and two base models beside it."""
    folder = tmp_path_factory.mktemp("data")
    assert run_command(["generate", "--on-contradiction", "off", "--out", str(folder / "run")]) == 0
    tiny_training.bases(folder)
    return folder


def finetune(data: Path, *flags: str) -> int:
    bases = ["--vision", str(data / "clip"), "--language", str(data / "llama")]
    return run_command(["finetune", "--data", str(data / "run"), *bases, *SMALL, *flags])


def test_both_stages_lead_to_a_checkpoint_that_answers(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert finetune(data, "--stage", "align", "--steps", "2", "--out", "one") == 0
    assert finetune(data, "--projector-from", "one", "--steps", "3", "--out", "two") == 0
    told = capsys.readouterr().err
    assert "36 rows: 36 used" in told
    assert re.search(r"template +vicuna_v1 +llava-v1\.5", told)
    assert re.search(r"steps +3 +--steps", told)
    record = json.loads(Path("two/finetune.json").read_text())
    assert (record["steps"], record["data"]["samples_held_out"]) == (3, 9)
    assert "held" in Path("two/report.html").read_text()
    picture = "seed_examples/quickstart/images/000003.jpg"
    image = str(Path(__file__).parents[2] / picture)
    assert run_command(["chat", "two/checkpoint", image, "What is there?", "--max-new-tokens", "4"]) == 0


def test_a_finished_run_is_not_made_again_and_not_mixed_with_another(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(data, "--steps", "1", "--out", "run") == 0
    before = Path("run/checkpoint/model.safetensors").read_bytes()
    assert finetune(data, "--steps", "1", "--out", "run") == 0
    assert "run is complete" in capsys.readouterr().err
    assert Path("run/checkpoint/model.safetensors").read_bytes() == before
    assert finetune(data, "--steps", "2", "--out", "run") == 2
    assert "holds a finished run with other settings" in capsys.readouterr().err


def test_a_dry_run_tells_what_would_be_learnt_and_leaves_nothing(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(data, "--dry-run", "--out", "run") == 0
    told = capsys.readouterr()
    assert "memory, by arithmetic" in told.err
    assert "⟦" in told.out
    assert not Path("run").exists()


def test_kept_features_and_smaller_packs_lead_to_the_same_loss(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ways = {"plain": [], "kept": ["--cache-features", "cache", "--micro-tokens", "600", "--recompute", "1"]}
    for name, more in ways.items():
        assert finetune(data, *more, "--steps", "1", "--out", name) == 0
    assert "12 to be made" in capsys.readouterr().err
    plain, kept = ([line["loss"] for line in read_metrics(Path(name)) if "loss" in line] for name in ways)
    assert kept == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--data", "nowhere"], "nowhere"),
        (["--kinds", "haiku"], "haiku"),
        (["--projector-from", "nowhere"], "no projector in nowhere"),
        (["--trackers", "abacus"], "abacus"),
        (["--compile"], "--compile: layers are compiled on a GPU alone"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    flags: list[str], told: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(data, "--steps", "1", *flags) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("pipeline: ")
    assert told in last


def test_without_data_the_next_step_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["finetune"]) == 2
    assert "--demo" in capsys.readouterr().err
