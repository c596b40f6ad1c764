"""Training: steps over the samples, each the mean loss over the supervised tokens of its whole global batch.

A step sums gradients of summed losses over all packs and processes, and divides once by the number of
supervised tokens. So how a step is cut up changes nothing but rounding. What a run needs to go on as if it had never
stopped is in a state (see states.py); the order of the data is a function of the step. What all processes must agree on
(running out of memory, Ctrl-C) travels in one sum a step.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from pipeline.errors import Interrupted, RunStopped
from pipeline.finetune.batches import Batch
from pipeline.finetune.layout import Layout, Pack
from pipeline.finetune.model import Joined, parameter_groups
from pipeline.finetune.order import Order
from pipeline.finetune.passes import Passes
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.ranks import Ranks, average_gradients, spread, whole
from pipeline.finetune.schedule import make_optimizer, rate, set_precision, set_rate, warmup_steps
from pipeline.finetune.states import State, States, named_tensors, restore
from pipeline.finetune.tracking import Step, Tracker
from pipeline.finetune.tuning import tell_of_trees, tune_layers
from pipeline.finetune.watching import (
    Watch,
    random_states,
    seed_all,
    set_random_states,
    stopping_on_interrupt,
    worst_first,
    write_suspects,
)

SUSPECTS = "suspects.json"
MOST_CHECKED = 1024
"""Held-out samples that a look at the validation loss takes at most: 3 % of the time of 100 steps of 128."""
WORST = 3  # suspects that the last line names


@dataclass(frozen=True)
class Plan:
    """How to train."""

    steps: int
    lr: float
    projector_lr: float
    warmup: float
    """Share of the steps."""
    weight_decay: float
    clip: float | None
    """Largest norm of the gradient; None: any."""
    dtype: torch.dtype
    """Of the computation."""
    seed: int
    """Of dropout."""
    layout: Layout
    """Of a step's samples in packs."""
    micro_tokens: int
    """Most that a device takes at once, padding counted; one sample may have more."""
    save_every: int
    """Steps between two states; there is one at the end too."""
    keep: int
    """States that are kept."""
    check_every: int
    """Steps between two looks at the loss on held-out samples; there is one at the end too."""
    recompute: int = 0
    """Layers whose inside is computed again in the backward pass."""
    compiled: bool = False
    """Whether layers are compiled; on a GPU only."""
    shard: bool = False
    """Whether processes share the weights, see ranks.py."""

    def told(self) -> dict[str, str]:
        """Return what changes the result, by flag: a run carries on with the same only."""
        names = ("steps", "lr", "projector_lr", "warmup", "weight_decay", "clip", "dtype", "seed")
        return {f"--{name.replace('_', '-')}": str(getattr(self, name)).removeprefix("torch.") for name in names}


@dataclass(frozen=True)
class Trained:
    """What came of it."""

    steps: int
    loss: float
    """Mean of the last steps, 50 at most."""
    held_out_loss: float | None
    """At the end; None where nothing is held out."""
    samples: int
    tokens: int
    seconds: float
    """In steps, over all calls that made it."""


def train(
    joined: Joined,
    prepared: Prepared,
    order: Order,
    load: Callable[[Pack], Batch],
    plan: Plan,
    folder: Path,
    *,
    ranks: Ranks,
    about: dict[str, str],
    tracker: Tracker | None,
) -> Trained:
    """Train a model in place, or carry on where an earlier call on the same folder stopped.

    Args:
        joined: With what learns and what is frozen already told apart.
        prepared: All samples.
        order: Of the samples that are learnt.
        load: Makes a batch of a pack; called from threads.
        plan: How.
        folder: Of the run: takes ``states/``, and ``suspects.json`` where samples may be to blame.
        ranks: Of this run.
        about: What else must be the same for a run to carry on, by name: stage, base models.
        tracker: Told of each step; only the first process has one.

    Raises:
        PipelineError: The folder has states of another run.
        Interrupted: Somebody stopped it; the same call carries on.
        RunStopped: The loss is no number or leaps, or memory or disk is full; the last good state is kept.
    """
    try:
        training = _Training(joined, prepared, order, load, plan, folder, ranks, about, tracker)
        return training.run()
    except torch.OutOfMemoryError as error:  # outside of what smaller packs help
        raise RunStopped(
            f"out of memory ({str(error).split('. ')[0]}); lower --micro-tokens, pass --lora-rank, or use more GPUs"
        ) from error


class _Training:
    """A run, from its first or last state to its end."""

    def __init__(
        self,
        joined: Joined,
        prepared: Prepared,
        order: Order,
        load: Callable[[Pack], Batch],
        plan: Plan,
        folder: Path,
        ranks: Ranks,
        about: dict[str, str],
        tracker: Tracker | None,
    ) -> None:
        self._prepared, self._order, self._plan, self._ranks = prepared, order, plan, ranks
        self._folder, self._tracker = folder, tracker
        set_precision(joined.model.parameters(), plan.dtype)
        tune_layers(joined, recompute=plan.recompute, compiled=plan.compiled)
        loss = spread(joined, ranks, plan.dtype, shard=plan.shard)
        if plan.layout != "padded":
            tell_of_trees(joined, plan.dtype, self._say)
        self._weights = {name: weight for name, weight in joined.model.named_parameters() if weight.requires_grad}
        self._optimizer = make_optimizer(parameter_groups(joined, plan.lr, plan.projector_lr, plan.weight_decay))
        self._passes = Passes(
            joined,
            loss,
            prepared,
            order,
            load,
            ranks,
            dtype=plan.dtype,
            layout=plan.layout,
            micro_tokens=plan.micro_tokens,
            is_sharded=plan.shard,
            say=self._say,
        )
        all_about = about | plan.told() | _about_data(prepared, order, plan.steps)
        self._states = States(folder / "states", all_about | {"number of processes": str(ranks.count)}, keep=plan.keep)
        self._done = self._saved = 0
        self._random: dict[str, Any] = {}  # with which the next step begins
        self._watch = Watch()
        self._totals = {"samples": 0, "tokens": 0, "seconds": 0.0}
        self._held_out_loss: float | None = None

    def run(self) -> Trained:
        """Train to the end."""
        state = self._states.newest(self._say) if self._ranks.is_first else None
        state = self._ranks.hear_first(state)
        if state:
            self._resume(state)
        else:
            seed_all(self._plan.seed, self._ranks.rank)
        self._random = random_states(self._ranks.device)
        if self._tracker:
            self._tracker.begin(self._done)
        with (
            stopping_on_interrupt(self._say, only_once=self._ranks.count == 1) as is_interrupted,
            closing(self._passes),
        ):
            while self._done < self._plan.steps:
                must_stop = self._step(is_interrupted)
                self._after_step(must_stop)
        losses = self._watch.recent
        return Trained(self._done, sum(losses) / len(losses), self._held_out_loss, **self._totals)  # type: ignore[arg-type]  # counts are whole

    def _step(self, is_interrupted: Callable[[], bool]) -> bool:
        """Do one step, or raise with the weights as they were before; return whether somebody wants to stop."""
        began = time.perf_counter()
        sums = self._passes.step(self._done, is_interrupted)
        average_gradients(self._weights.values(), self._ranks, sums.supervised)
        norm = whole(get_total_norm([weight.grad for weight in self._weights.values() if weight.grad is not None]))
        loss, gradient_norm = sums.loss / sums.supervised, norm.item()
        if why := self._watch.fault(loss, gradient_norm):
            self._stop_for(why)
        if self._plan.clip is not None:
            clip_grads_with_norm_(self._weights.values(), self._plan.clip, norm)
        warmup = warmup_steps(self._plan.warmup, self._plan.steps)
        set_rate(self._optimizer, rate(self._done, self._plan.steps, warmup))
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._random = random_states(self._ranks.device)
        samples = len(self._order.step(self._done))
        self._done += 1
        self._tell(
            Step(
                number=self._done,
                loss=loss,
                lr=max(group["lr"] for group in self._optimizer.param_groups),
                gradient_norm=gradient_norm,
                samples=samples,
                tokens=int(sums.tokens),
                computed=int(sums.computed),
                places=int(sums.places),
                supervised=int(sums.supervised),
                seconds=time.perf_counter() - began,
                waited_s=sums.waited_s / self._ranks.count,
                flops=sums.flops,
                memory_bytes=torch.cuda.max_memory_allocated() if self._ranks.device.type == "cuda" else 0,
                micro_tokens=self._passes.micro_tokens,
            )
        )
        return sums.interrupted > 0

    def _tell(self, step: Step) -> None:
        self._totals["samples"] += step.samples
        self._totals["tokens"] += step.tokens
        self._totals["seconds"] += step.seconds
        if self._tracker:
            self._tracker.step(step)

    def _after_step(self, must_stop: bool) -> None:
        """Look at the held-out samples and save, where it is time for either."""
        is_last = self._done == self._plan.steps
        if is_last or self._done % self._plan.check_every == 0:
            self._check()
        if is_last or must_stop or self._done % self._plan.save_every == 0:
            self._save()
        if must_stop and not is_last:
            raise Interrupted(f"stopped after step {self._done:,}; the same command carries on")

    def _check(self) -> None:
        held_out = self._prepared.validation()
        if not len(held_out):
            return
        chosen = held_out[np.unique(np.linspace(0, len(held_out) - 1, MOST_CHECKED).astype(np.int64))].tolist()
        loss = supervised = 0.0
        for _, own_loss, own_supervised in self._passes.losses(chosen):
            loss, supervised = loss + own_loss, supervised + own_supervised
        loss, supervised = self._ranks.sum([loss, supervised])
        self._held_out_loss = loss / supervised
        if self._tracker:
            self._tracker.checked(self._done, self._held_out_loss)

    def _stop_for(self, why: str) -> None:
        """Keep the state before the step, write down which samples it has, and raise.

        Raises:
            RunStopped: In any case.
        """
        self._optimizer.zero_grad()
        self._save()
        own = [
            (name, loss / max(supervised, 1))
            for names, loss, supervised in self._passes.losses(self._order.step(self._done), one_by_one=True)
            for name in names
        ]
        suspects = worst_first([one for losses in self._ranks.gather(own) for one in losses])
        path = self._folder / SUSPECTS
        if self._ranks.is_first:
            write_suspects(path, self._done + 1, why, suspects)
        named = ", ".join(name for name, _ in suspects[:WORST])
        raise RunStopped(
            f"step {self._done + 1:,}: {why}; its samples, the worst first ({named}, …), are in {path}: "
            f"take out what is wrong, or lower --lr, and pass another --out"
        )

    def _save(self) -> None:
        if self._done == self._saved:
            return
        random = self._ranks.gather(self._random)
        tensors = named_tensors(self._weights, self._optimizer)
        if self._ranks.is_first:
            facts = {
                "losses": list(self._watch.recent),
                "held_out_loss": self._held_out_loss,
                "totals": self._totals,
                "micro_tokens": [self._plan.micro_tokens, self._passes.micro_tokens],
            }
            self._states.save(self._done, tensors, random, facts)
        else:
            for _ in tensors:  # shards come together when all ask for them
                pass
        self._saved = self._done

    def _resume(self, state: State) -> None:
        restore(state, self._weights, self._optimizer)
        set_random_states(state.random()[self._ranks.rank], self._ranks.device)
        self._done = self._saved = state.step
        self._watch = Watch(state.facts["losses"])
        self._totals = state.facts["totals"]
        self._held_out_loss = state.facts["held_out_loss"]
        asked, had = state.facts["micro_tokens"]
        if asked == self._plan.micro_tokens:  # it was halved then, and would be again
            self._passes.micro_tokens = had
        self._say(f"carrying on after step {self._done:,}")

    def _say(self, line: str) -> None:
        if self._tracker:
            self._tracker.say(line)


def _about_data(prepared: Prepared, order: Order, steps: int) -> dict[str, str]:
    """Return what a state's data are known by."""
    ends = [order.step(0), order.step(steps - 1)]
    return {
        "data set": prepared.fingerprint[:16],
        "--batch": str(len(ends[0])),
        "order of the samples": hashlib.sha256(str(ends).encode()).hexdigest()[:16],
    }
