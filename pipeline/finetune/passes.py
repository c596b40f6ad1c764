"""The passes of a step: packs decoded ahead, forward and backward, sums over all processes, memory run out."""

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
from pipeline.finetune.layout import Layout, Pack, lay_out, of_rank
from pipeline.finetune.model import Joined
from pipeline.finetune.order import Order
from pipeline.finetune.pictures import ahead, threads_for
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.ranks import Ranks
from pipeline.finetune.schedule import computing
from pipeline.finetune.watching import random_states, set_random_states

AHEAD = 2  # packs a thread: one to be fetched, one in the making


@dataclass
class Sums:
    """Of the packs of one step, over all processes."""

    loss: float = 0.0
    supervised: float = 0.0
    tokens: float = 0.0
    """Of the samples, one by one."""
    computed: float = 0.0
    """The same with what samples share counted once."""
    places: float = 0.0
    """Those and padding."""
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
        load: Callable[[Pack], Batch],
        ranks: Ranks,
        *,
        dtype: torch.dtype,
        layout: Layout,
        micro_tokens: int,
        is_sharded: bool,
        say: Callable[[str], None],
    ) -> None:
        """Take what the passes are made of.

        Args:
            joined: The model.
            loss: ``token_loss_sum`` for it, of ``ranks.spread``.
            prepared: All samples.
            order: Of those that are learnt.
            load: Makes a batch of a pack; called from threads.
            ranks: Of this run.
            dtype: Of the computation.
            layout: Of the samples in packs.
            micro_tokens: Most that a device takes at once, padding counted.
            is_sharded: Whether processes share the weights.
            say: Told when memory runs out.
        """
        self.micro_tokens = micro_tokens
        self._layout = layout
        self._joined, self._loss, self._prepared, self._order = joined, loss, prepared, order
        self._ranks, self._dtype, self._is_sharded, self._say = ranks, dtype, is_sharded, say
        self._load = (lambda pack: load(pack).pinned()) if ranks.device.type == "cuda" else load
        self._flops = count_flops(joined)
        self._has_halved = False
        self._stream = self._batches(())
        self._next = -1  # step whose first pack comes out of the stream next

    def step(self, number: int, is_interrupted: Callable[[], bool]) -> Sums:
        """Add the gradients of a step's summed losses to those of the weights.

        Where memory runs out in a process, all do the step again with packs of half the size, once in a run.

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
            for pack in self._parts(number):
                began = time.perf_counter()
                batch = next(self._stream)
                sums.waited_s += time.perf_counter() - began
                with computing(self._ranks.device, self._dtype):
                    loss, supervised = self._loss(batch)
                loss.backward()
                losses.append(loss.detach())
                self._count(sums, pack, batch, supervised)
            sums.loss = float(torch.stack(losses).double().sum())  # the one place where the GPU is waited for
            self._next = number + 1
        except torch.OutOfMemoryError:
            if self._is_sharded and self._ranks.count > 1:
                raise  # in the middle of a pass, the other processes cannot be told
            sums.out_of_memory = 1.0
        return sums

    def _count(self, sums: Sums, pack: Pack, batch: Batch, supervised: int) -> None:
        sums.supervised += supervised
        sums.tokens += int(self._prepared.lengths[pack.samples].sum())
        sums.computed += pack.tokens
        sums.places += batch.input_ids.numel()
        # What the vision model saw in an earlier run is no work of this one.
        images = 0 if batch.pixel_values is None else batch.pictures
        sums.flops += self._flops.total(pack.tokens, pack.pairs, supervised, images)

    def _halve(self) -> None:
        """Make room, and go on with packs of half the size.

        Raises:
            RunStopped: They have been halved before, or a pack is a sample.
        """
        self._joined.model.zero_grad()
        self.close()
        gc.collect()
        if self._ranks.device.type == "cuda":
            torch.cuda.empty_cache()
        had, longest = self.micro_tokens, int(self._prepared.lengths.max())
        if self._has_halved or had <= longest:
            smaller = f"pass --micro-tokens {had // 2}" if had > longest else "pass a smaller --max-tokens"
            raise RunStopped(f"out of memory with {had:,} tokens at once; {smaller}, or use more devices")
        self._has_halved = True
        self.micro_tokens = had // 2
        self._say(
            f"out of memory with {had:,} tokens at once; going on with {self.micro_tokens:,}, which changes no result"
        )

    def losses(self, samples: Sequence[int], *, one_by_one: bool = False) -> Iterator[tuple[list[str], float, int]]:
        """Yield ids, summed loss and supervised tokens of this process's packs of samples, without dropout.

        Args:
            samples: Over all processes.
            one_by_one: Whether each sample is a pack of its own.
        """
        model = self._joined.model
        is_on = {module: module.training for module in model.modules()}
        model.eval()
        stream = self._batches(self._split(samples, "padded", 1) if one_by_one else self._split(samples))
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

    def _batches(self, packs: Iterable[Pack]) -> Generator[Batch]:
        threads = threads_for(int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
        yield from ahead(packs, self._load, threads=threads, window=AHEAD * threads)

    def _parts(self, step: int) -> list[Pack]:
        return self._split(self._order.step(step))

    def _split(
        self, samples: Sequence[int], layout: Layout | None = None, most_tokens: int | None = None
    ) -> list[Pack]:
        """Return this process's packs."""
        ranks = self._ranks
        packs = lay_out(
            self._prepared,
            samples,
            layout or self._layout,
            most_tokens=most_tokens or self.micro_tokens,
            ranks=ranks.count,
        )
        return of_rank(packs, ranks.rank, ranks.count)
