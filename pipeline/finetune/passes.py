"""The passes of a step: micro-batches decoded ahead, forward and backward, sums over all processes, memory run out."""

from __future__ import annotations

import gc
import itertools
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass

import torch
from torch import Tensor

from pipeline.errors import RunStopped
from pipeline.finetune.batches import Batch
from pipeline.finetune.costs import count_flops
from pipeline.finetune.model import Joined
from pipeline.finetune.order import Order, of_rank, split
from pipeline.finetune.pictures import ahead, threads_for
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.ranks import Ranks
from pipeline.finetune.schedule import computing
from pipeline.finetune.watching import random_states, set_random_states

AHEAD = 2  # micro-batches a thread: one to be fetched, one in the making


@dataclass
class Sums:
    """Of the micro-batches of one step, over all processes."""

    loss: float = 0.0
    supervised: float = 0.0
    tokens: float = 0.0
    places: float = 0.0
    """Tokens and padding."""
    flops: float = 0.0
    waited_s: float = 0.0
    """For data."""
    out_of_memory: float = 0.0
    """Processes that ran out of memory."""
    interrupted: float = 0.0
    """Processes that somebody wants to stop."""


class Passes:
    """Makes gradients of steps, and losses of samples, on all processes together."""

    def __init__(
        self,
        joined: Joined,
        loss: Callable[[Batch], tuple[Tensor, int]],
        prepared: Prepared,
        order: Order,
        load: Callable[[Sequence[int]], Batch],
        ranks: Ranks,
        *,
        dtype: torch.dtype,
        micro_batch: int,
        is_sharded: bool,
        say: Callable[[str], None],
    ) -> None:
        """Take what the passes are made of.

        Args:
            joined: The model.
            loss: ``token_loss_sum`` for it, of ``ranks.spread``.
            prepared: All samples.
            order: Of those that are learnt.
            load: Makes a batch of samples; called from threads.
            ranks: Of this run.
            dtype: Of the computation.
            micro_batch: Samples that a device takes at once.
            is_sharded: Whether processes share the weights.
            say: Told when memory runs out.
        """
        self.micro_batch = micro_batch
        self._joined, self._loss, self._prepared, self._order = joined, loss, prepared, order
        self._ranks, self._dtype, self._is_sharded, self._say = ranks, dtype, is_sharded, say
        self._load = (lambda samples: load(samples).pinned()) if ranks.device.type == "cuda" else load
        self._flops = count_flops(joined)
        self._has_halved = False
        self._stream = self._batches(())
        self._next = -1  # step whose first micro-batch comes out of the stream next

    def step(self, number: int, is_interrupted: Callable[[], bool]) -> Sums:
        """Add the gradients of a step's summed losses to those of the weights.

        Where memory runs out in a process, all do the step again with half the micro-batch, once in a run.

        Args:
            number: Of the step, from 0.
            is_interrupted: Whether somebody wants to stop this process; asked once the passes are done.

        Raises:
            RunStopped: Memory has run out, and there is nothing more to try.
        """
        random = random_states(self._ranks.device)
        while True:
            sums = self._try(number)
            sums.interrupted = is_interrupted()
            sums = Sums(*self._ranks.sum(astuple(sums)))
            if not sums.out_of_memory:
                return sums
            self._halve()
            set_random_states(random, self._ranks.device)

    def _try(self, number: int) -> Sums:
        if self._next != number:
            self.close()
            self._stream = self._batches(part for step in itertools.count(number) for part in self._parts(step))
        sums, losses = Sums(), []
        try:
            for _ in self._parts(number):
                began = time.perf_counter()
                batch = next(self._stream)
                sums.waited_s += time.perf_counter() - began
                with computing(self._ranks.device, self._dtype):
                    loss, supervised = self._loss(batch)
                loss.backward()
                losses.append(loss.detach())
                self._count(sums, batch, supervised)
            sums.loss = float(torch.stack(losses).double().sum())  # the one place where the GPU is waited for
            self._next = number + 1
        except torch.OutOfMemoryError:
            if self._is_sharded and self._ranks.count > 1:
                raise  # in the middle of a pass, the other processes cannot be told
            sums.out_of_memory = 1.0
        return sums

    def _count(self, sums: Sums, batch: Batch, supervised: int) -> None:
        lengths = batch.attention_mask.sum(1)
        images = 0 if batch.pixel_values is None else len(batch.pixel_values)
        sums.supervised += supervised
        sums.tokens += int(lengths.sum())
        sums.places += batch.input_ids.numel()
        sums.flops += self._flops.total(lengths, supervised, images)

    def _halve(self) -> None:
        """Make room, and go on with half the micro-batch.

        Raises:
            RunStopped: It has been halved before, or is one sample.
        """
        self._joined.model.zero_grad()
        self.close()
        gc.collect()
        if self._ranks.device.type == "cuda":
            torch.cuda.empty_cache()
        if self._has_halved or self.micro_batch == 1:
            smaller = f"pass --micro-batch {self.micro_batch // 2}" if self.micro_batch > 1 else "pass --max-tokens"
            raise RunStopped(f"out of memory with a micro-batch of {self.micro_batch}; {smaller}, or use more devices")
        self._has_halved = True
        self._say(
            f"out of memory with a micro-batch of {self.micro_batch}; going on with {self.micro_batch // 2}, "
            f"which changes no result"
        )
        self.micro_batch //= 2

    def losses(self, samples: Sequence[int], micro_batch: int) -> Iterator[tuple[list[str], float, int]]:
        """Yield ids, summed loss and supervised tokens of this process's micro-batches of samples, without dropout.

        Args:
            samples: Over all processes.
            micro_batch: How many at once.
        """
        model = self._joined.model
        is_on = {module: module.training for module in model.modules()}
        model.eval()
        stream = self._batches(self._split(samples, micro_batch))
        try:
            for batch in stream:
                with torch.no_grad(), computing(self._ranks.device, self._dtype):
                    loss, supervised = self._loss(batch)
                yield batch.ids, float(loss), supervised
        finally:
            stream.close()
            for module, mode in is_on.items():
                module.training = mode

    def close(self) -> None:
        """Stop decoding ahead."""
        self._stream.close()
        self._next = -1

    def _batches(self, parts: Iterable[list[int]]) -> Generator[Batch]:
        threads = threads_for(int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
        yield from ahead(parts, self._load, threads=threads, window=AHEAD * threads)

    def _parts(self, step: int) -> list[list[int]]:
        return self._split(self._order.step(step), self.micro_batch)

    def _split(self, samples: Sequence[int], micro_batch: int) -> list[list[int]]:
        """Return this process's micro-batches."""
        parts = split(
            samples,
            self._prepared.lengths,
            self._prepared.picture,
            micro_batch=micro_batch,
            ranks=self._ranks.count,
        )
        return of_rank(parts, self._ranks.rank, self._ranks.count)
