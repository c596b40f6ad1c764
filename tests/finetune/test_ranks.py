# ruff: noqa: E402
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from pipeline.finetune.layout import lay_out, of_rank
from pipeline.finetune.model import see
from pipeline.finetune.pictures import decode
from pipeline.finetune.pixels import Pixels
from pipeline.finetune.ranks import Ranks, must_shard
from pipeline.finetune.tracking import read_metrics
from tests.conftest import REPO
from tests.finetune import tiny_training
from tests.finetune.tiny_training import difference, digest, model, order, run, samples, step_gradients
from tests.finetune.two_ranks import STEPS, WAYS

PATIENCE_S = 200  # the two end themselves before, and tell where they were


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let two processes do all that this file looks at, once."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "bases").mkdir()
    tiny_training.bases(folder / "bases")
    tiny_training.with_pictures(samples(12), folder / "pictures")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    processes = subprocess.Popen(
        [*command, "-m", "tests.finetune.two_ranks", str(folder)],
        cwd=REPO,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, said = processes.communicate(timeout=PATIENCE_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(processes.pid, signal.SIGKILL)
    assert processes.returncode == 0, said[-3000:]
    return folder


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "told.json").read_text())
    return told


def test_two_processes_know_each_other_and_add_up(told: dict[str, Any]) -> None:
    assert told["ranks"] == [0, 1]
    assert told["sum"] == [2.0, 1.0]
    assert told["first"] == ["from 0", "from 0"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("stage", "lora_rank"), [("align", 0), ("instruct", 0), ("instruct", 2)])
@pytest.mark.parametrize("step", STEPS)
def test_two_processes_make_the_loss_and_gradients_of_one(
    folder: Path, way: str, stage: Any, lora_rank: int, step: str
) -> None:
    joined = model(folder / "bases", stage, dtype=torch.float64, lora_rank=lora_rank)
    asked = {name: STEPS[step][name] for name in ("batch", "seed") if name in STEPS[step]}
    loss, gradients = step_gradients(joined, samples(), layout="padded", micro_tokens=10**6, **asked)
    other_loss, other_gradients = torch.load(folder / f"{way}-{stage}-{lora_rank}-{step}.pt")
    assert other_loss == pytest.approx(loss, abs=1e-6)
    assert difference(gradients, other_gradients) < 1e-5


def test_in_one_of_these_steps_a_process_has_a_text_and_then_nothing() -> None:
    uneven = STEPS["uneven"]
    step = order(samples(), uneven["batch"], uneven["seed"]).step(0)
    packs = lay_out(samples(), step, "shared", most_tokens=uneven["micro_tokens"], ranks=2)
    first, second = of_rank(packs, 0, 2), of_rank(packs, 1, 2)
    assert [len(pack.trees[0].samples) for pack in first] == [2, 1]
    assert samples().picture[second[0].samples] == -1
    assert not second[1].samples


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_that_were_cut_off_carry_on_to_the_same_weights(told: dict[str, Any], way: str) -> None:
    assert told[way]["again"] == told[way]["whole"] != told[way]["cut"]


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_in_one_process_stops_both_after_the_same_step(told: dict[str, Any], way: str) -> None:
    first, second = told[way]["interrupted"]
    assert first == second
    assert first.endswith("; the same command carries on")


@pytest.mark.parametrize("way", WAYS)
def test_one_process_writes_for_both(folder: Path, told: dict[str, Any], way: str) -> None:
    lines = [line for line in read_metrics(folder / f"{way}-whole") if "loss" in line]
    assert [line["step"] for line in lines] == list(range(1, 9))
    assert [line["samples"] for line in lines] == [8.0] * 4 + [3.0] + [8.0] * 3  # 35 samples an epoch
    assert told[way]["pieces"]
    weights = torch.load(folder / f"{way}-weights.pt")
    joined = model(folder / "bases")
    joined.model.load_state_dict(weights)
    assert digest(joined) == told[way]["whole"]


def test_copies_and_shards_hold_out_the_same_and_find_the_same(told: dict[str, Any]) -> None:
    assert told["copies"]["held out"] == pytest.approx(told["shards"]["held out"], rel=0.02)  # dropout, and rounding


def test_a_process_that_runs_out_of_memory_halves_the_packs_of_all(
    folder: Path, told: dict[str, Any], tmp_path: Path
) -> None:
    assert [line["micro_tokens"] for line in read_metrics(folder / "halved") if "loss" in line] == [50] * 8
    joined = model(folder / "bases", dtype=torch.float64)
    trained = run(joined, samples(), tmp_path / "alone", dtype=torch.float64)
    lines = [line["loss"] for line in read_metrics(folder / "halved") if "loss" in line]
    assert lines == pytest.approx(
        [line["loss"] for line in read_metrics(tmp_path / "alone") if "loss" in line], abs=1e-6
    )
    assert trained.steps == 8


def test_two_processes_look_at_each_image_once_between_them_and_both_read_all(
    folder: Path, told: dict[str, Any]
) -> None:
    assert told["looked at"] == [[2, 2], [2, 2]]
    prepared = tiny_training.with_pictures(samples(12), folder / "pictures")
    joined = model(folder / "bases")
    to_pixels = Pixels(joined.processor.image_processor)
    pixels = torch.stack([to_pixels(decode(picture)) for picture in prepared.pictures])
    torch.testing.assert_close(torch.load(folder / "features.pt"), see(joined.model, pixels))


def test_weights_are_not_shared_without_need() -> None:
    assert not must_shard(Ranks(0, 1, torch.device("cuda")), 10**15)
    assert not must_shard(Ranks(0, 2, torch.device("cpu")), 10**15)
