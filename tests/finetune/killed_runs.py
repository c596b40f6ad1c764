"""Runs that are killed at any moment and begun again, each in a process of its own; test_resume.py asks for them.

Processes are forked from this one, which has done nothing but import: that takes ten times as long as a run.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.finetune import loop, tracking
from tests.finetune import tiny_training

STEPS = 24
PATIENCE_S = 60


def train(folder: Path, bases: Path, stage: Any, forgetful: bool = False) -> None:
    """Train to the end, and write down what the weights are."""
    if forgetful:
        loop.set_random_states = lambda *_: None
    joined = tiny_training.model(bases, stage, dropout=0.2)
    prepared = tiny_training.samples(held_out=4)
    tiny_training.run(joined, prepared, folder, steps=STEPS, save_every=3, check_every=5)
    (folder / "digest").write_text(tiny_training.digest(joined))


def in_process(work: Callable[[], None]) -> int:
    """Start work in a process of its own, and return its id."""
    if child := os.fork():
        return child
    try:
        work()
    finally:
        sys.stderr.flush()
        os._exit(0 if sys.exc_info()[0] is None else 1)


def steps_done(folder: Path) -> int:
    try:
        return int(max((line["step"] for line in tracking.read_metrics(folder)), default=0))
    except FileNotFoundError:
        return 0


def kill(child: int, folder: Path, step: int, wait_s: float) -> bool:
    """Kill a process that trains, some time after a step; return whether it had not ended by itself."""
    give_up = time.monotonic() + PATIENCE_S
    while steps_done(folder) < step and time.monotonic() < give_up:
        time.sleep(0.002)
    time.sleep(wait_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def runs(folder: Path, bases: Path, stage: str, kills: int, seed: int) -> dict[str, Any]:
    """Run whole; killed and begun again; and killed once and begun again with random states forgotten."""
    draw = random.Random(seed)
    told: dict[str, Any] = {"killed": []}
    steps = sorted(draw.sample(range(4, STEPS - 6), kills))
    for name, forgetful in (("whole", False), ("killed", False), ("forgetful", True)):
        run = folder / name
        for step in steps[: {"whole": 0, "killed": kills, "forgetful": 1}[name]]:
            child = in_process(lambda run=run, forgetful=forgetful: train(run, bases, stage, forgetful))  # type: ignore[misc]
            was_killed = kill(child, run, step, draw.uniform(0, 0.03))
            if name == "killed" and was_killed:
                states = sorted(path.name for path in (run / "states").glob("step-*"))
                told["killed"].append([step, states[-1] if states else ""])
        child = in_process(lambda run=run, forgetful=forgetful: train(run, bases, stage, forgetful))  # type: ignore[misc]
        _, status = os.waitpid(child, 0)
        assert status == 0
        told[name + " digest"] = (run / "digest").read_text()
    return told


def main(folder: Path, kills: int, seed: int) -> None:
    for stage in ("align", "instruct"):
        (folder / stage).mkdir()
        told = runs(folder / stage, folder / "bases", stage, kills, seed)
        (folder / stage / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
