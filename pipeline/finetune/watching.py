"""When a run must stop: a loss that is wrong, Ctrl-C. And the random states with which it goes on as if it had not."""

from __future__ import annotations

import json
import math
import random
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

import numpy as np
import torch

SEEN = 50
"""Steps that a loss is held against; before there are so many, only a number that is none stops the run."""
LEAP, ABOVE = 3.0, 2.0
"""A loss above ``LEAP`` × the median of the last steps ``+ ABOVE`` stops the run: from 1.0, one above 5.0. Batches
differ by less; a run that has fallen apart gives the logarithm of the vocabulary's size, 10.4 of 32,000, and more."""


class Watch:
    """Looks at each step's loss."""

    def __init__(self, recent: Iterable[float] = ()) -> None:
        """Take the losses of the last steps, where the run carries on."""
        self.recent = deque(recent, maxlen=SEEN)

    def fault(self, loss: float, gradient_norm: float) -> str:
        """Return what is wrong with a step, or nothing; a good step's loss is remembered."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if not math.isfinite(gradient_norm):
            return f"the loss is {loss:.3f}, and its gradient {gradient_norm}"
        if len(self.recent) == SEEN and loss > self.limit:
            return f"the loss leaps to {loss:.3f} from a median of {median(self.recent):.3f}"
        self.recent.append(loss)
        return ""

    @property
    def limit(self) -> float:
        """The highest loss that is no leap."""
        return LEAP * median(self.recent) + ABOVE if self.recent else math.inf


def worst_first(losses: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return ids of samples and their losses, each id once, the highest loss first, and before it what is no number."""
    return sorted(dict(losses).items(), key=lambda one: -one[1] if math.isfinite(one[1]) else -math.inf)


def write_suspects(path: Path, step: int, why: str, suspects: Sequence[tuple[str, float]]) -> None:
    """Write the samples of a step as JSON; a loss that is no number is written as text.

    Args:
        path: Of the file.
        step: From 1.
        why: Of :meth:`Watch.fault`.
        suspects: Id and mean loss of each sample, from the weights before the step.
    """
    samples = [{"id": name, "loss": loss if math.isfinite(loss) else str(loss)} for name, loss in suspects]
    told = {"step": step, "why": why, "samples": samples}
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False), encoding="utf-8")


def seed_all(seed: int, rank: int) -> None:
    """Seed what can draw, otherwise in each process: dropout of the same places in all would be no chance."""
    random.seed(f"{seed}/{rank}")
    own = random.getrandbits(32)
    np.random.seed(own)
    torch.manual_seed(own)


def random_states(device: torch.device) -> dict[str, Any]:
    """Return the states of all that draws here, in plain values and tensors."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.asarray(keys, np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "device": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def set_random_states(states: dict[str, Any], device: torch.device) -> None:
    """Put back what ``random_states`` gave."""
    random.setstate(states["python"])
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, keys.numpy(), *rest))
    torch.set_rng_state(states["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["device"], device)


@contextmanager
def stopping_on_interrupt(say: Callable[[str], None], *, only_once: bool) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C, or the wish of the machine's owner, end the run after the current step; give what asks for it.

    Args:
        say: Told when it comes.
        only_once: Whether a second Ctrl-C ends the run at once. A ``torchrun`` passes the first on, which then comes
            twice.
    """
    if threading.current_thread() is not threading.main_thread():  # signals are for the main thread
        yield lambda: False
        return
    asked = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not asked.is_set():
            say("stopping after this step" + (" (Ctrl-C again: at once)" if only_once else ""))
        asked.set()
        if only_once:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
