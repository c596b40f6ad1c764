# ruff: noqa: E402
from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from pipeline.errors import PipelineError, RunStopped
from pipeline.finetune import states
from pipeline.finetune.states import CHECKSUMS, States
from pipeline.finetune.watching import random_states, seed_all, set_random_states

ABOUT = {"--lr": "0.001", "data set": "abc"}
CPU = torch.device("cpu")


def tensors(size: int = 4) -> Iterator[tuple[str, Any]]:
    yield "weight/a", torch.arange(size, dtype=torch.float32)
    yield "weight/b", torch.arange(size, dtype=torch.bfloat16)
    yield "step/a", torch.tensor(3.0)


def save(folder: Path, *steps: int, keep: int = 9) -> States:
    found = States(folder, ABOUT, keep=keep)
    for step in steps:
        found.save(step, tensors(), [random_states(CPU)], {"losses": [step / 2]})
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def disk_full_after(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: the same OSError from the same calls as a full disk gives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("file_bytes", [1, 1 << 30])
def test_what_was_saved_comes_back_to_the_last_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_bytes: int
) -> None:
    monkeypatch.setattr(states, "FILE_BYTES", file_bytes)
    state = save(tmp_path, 2, 10).newest(print)
    assert state
    assert (state.step, state.facts) == (10, {"losses": [5.0]})
    assert len(list(state.folder.glob("*.safetensors"))) == (3 if file_bytes == 1 else 1)
    found = dict(state.tensors())
    assert found.keys() == dict(tensors()).keys()
    for name, tensor in tensors():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_nothing_saved_is_no_state(tmp_path: Path) -> None:
    assert States(tmp_path / "states", ABOUT, keep=1).newest(print) is None


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    save(tmp_path, 2, 4, 6, keep=2)
    assert names(tmp_path) == ["step-00000004", "step-00000006"]


@pytest.mark.parametrize("file", ["00000.safetensors", "random.pt", "state.json", CHECKSUMS])
@pytest.mark.parametrize("how", ["a bit", "cut off", "gone"])
def test_a_damaged_state_is_told_and_the_one_before_it_taken(tmp_path: Path, file: str, how: str) -> None:
    found = save(tmp_path, 2, 4)
    path = tmp_path / "step-00000004" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(content if how == "a bit" else content[: len(content) // 2])
    told: list[str] = []
    state = found.newest(told.append)
    assert state
    assert state.step == 2
    assert "step-00000004 is damaged" in told[0]


def test_where_all_states_are_damaged_nothing_begins_again_in_silence(tmp_path: Path) -> None:
    found = save(tmp_path, 2)
    (tmp_path / "step-00000002" / "state.json").unlink()
    with pytest.raises(PipelineError, match=r"no state in .* is undamaged; delete it"):
        found.newest(print)


def test_a_damaged_state_does_not_push_out_the_good_ones_before_it(tmp_path: Path) -> None:
    found = save(tmp_path, 2, 4, 8, keep=2)
    (tmp_path / "step-00000008" / "state.json").unlink()
    assert found.newest(print)
    found.save(6, tensors(), [], {})
    assert names(tmp_path) == ["step-00000004", "step-00000006"]


def test_half_a_state_of_a_killed_run_is_swept_away(tmp_path: Path) -> None:
    found = save(tmp_path, 2)
    (tmp_path / ".step-00000004.part").mkdir()
    state = found.newest(print)
    assert state
    assert state.step == 2
    assert names(tmp_path) == ["step-00000002"]


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"--lr": "0.002", "data set": "abc"}, "another --lr (0.001, now 0.002)"),
        ({"--lr": "0.001", "data set": "abd"}, "another data set (abc, now abd)"),
        ({"--lr": "0.001"}, "another data set (abc, now nothing)"),
        (ABOUT | {"--lora-rank": "8"}, "another --lora-rank (nothing, now 8)"),
    ],
)
def test_a_run_with_another_result_is_refused_by_name(tmp_path: Path, about: dict[str, str], told: str) -> None:
    save(tmp_path, 2)
    with pytest.raises(PipelineError) as error:
        States(tmp_path, about, keep=2).newest(print)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_full_disk_leaves_the_last_good_state_and_says_which(tmp_path: Path) -> None:
    found = save(tmp_path, 2)
    with disk_full_after(20_000), pytest.raises(RunStopped) as error:
        found.save(4, tensors(100_000), [], {})
    assert "the last good state is step-00000002" in str(error.value)
    assert "\n" not in str(error.value)
    assert names(tmp_path) == ["step-00000002"]
    state = found.newest(print)
    assert state
    assert state.step == 2


def test_a_full_disk_at_the_small_files_is_no_traceback_either(tmp_path: Path) -> None:
    found = save(tmp_path, 2)
    with disk_full_after(1000), pytest.raises(RunStopped, match="the last good state is step-00000002"):
        found.save(4, tensors(), [random_states(CPU)], {})


def test_random_states_survive_the_disk(tmp_path: Path) -> None:
    import random

    import numpy as np

    def draw() -> tuple[float, float, float, float]:
        return random.random(), float(np.random.rand()), float(np.random.randn()), float(torch.rand(()))

    seed_all(3, 0)
    draw()
    found = save(tmp_path, 2)
    expected = draw()
    seed_all(4, 0)
    state = found.newest(print)
    assert state
    set_random_states(state.random()[0], CPU)
    assert draw() == expected


def test_processes_draw_differently_and_the_same_one_alike() -> None:
    def draw(seed: int, rank: int) -> float:
        seed_all(seed, rank)
        return float(torch.rand(()))

    assert len({draw(0, 0), draw(0, 1), draw(1, 0)}) == 3
    assert draw(0, 1) == draw(0, 1)


def test_facts_are_readable_by_people(tmp_path: Path) -> None:
    save(tmp_path, 2)
    told = json.loads((tmp_path / "step-00000002" / "state.json").read_text())
    assert told == {"step": 2, "about": ABOUT, "facts": {"losses": [1.0]}}
