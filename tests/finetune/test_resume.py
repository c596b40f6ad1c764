# ruff: noqa: E402
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from pipeline.finetune.tracking import read_metrics
from tests.conftest import REPO
from tests.finetune import tiny_training

KILLS = int(os.environ.get("KILLS", 2))  # KILLS=5 KILL_SEED=… pytest tests/finetune/test_resume.py
SEED = int(os.environ.get("KILL_SEED", 0))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run each stage whole; killed and begun again; and the same with random states forgotten."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "bases").mkdir()
    tiny_training.bases(folder / "bases")
    command = [sys.executable, "-m", "tests.finetune.killed_runs", str(folder), str(KILLS), str(SEED)]
    done = subprocess.run(
        command,
        cwd=REPO,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=60 * KILLS + 120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(params=["align", "instruct"])
def killed(both: Path, request: pytest.FixtureRequest) -> Path:
    return both / str(request.param)


@pytest.fixture
def told(killed: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((killed / "told.json").read_text())
    return told


def test_killed_at_any_moment_the_same_command_carries_on_to_the_same_weights(told: dict[str, Any]) -> None:
    assert any(state for _, state in told["killed"])  # it did carry on, and not begin again
    assert told["killed digest"] == told["whole digest"]


def test_without_random_states_it_would_not(told: dict[str, Any]) -> None:
    assert told["forgetful digest"] != told["whole digest"]


def test_the_record_of_a_killed_run_has_each_step_once(killed: Path) -> None:
    def told_of(name: str) -> list[tuple[float, float]]:
        return [(line["step"], line.get("loss", line.get("held_out_loss"))) for line in read_metrics(killed / name)]

    assert told_of("killed") == told_of("whole")
    assert [step for step, _ in told_of("whole")].count(24) == 2  # the step, and the look at what is held out
