"""Loops that fine-tune, run for some seconds in one process: Hugging Face's, and ours in each of its layouts.

The learning rate is 0, so all loops work on the same weights, and the loss of their first step is the same: that they
compute the same thing can be seen.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from benchmarks.llava_shaped import Shape, loader
from pipeline.finetune.attention import BLOCK
from pipeline.finetune.batches import Batch
from pipeline.finetune.costs import count_flops
from pipeline.finetune.layout import Pack, Tree, lay_out
from pipeline.finetune.memory import GPU_TOKENS, Forecast
from pipeline.finetune.model import Joined, Stage, freeze, parameter_groups
from pipeline.finetune.order import Order
from pipeline.finetune.passes import Passes, Sums
from pipeline.finetune.pictures import ahead
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.ranks import Ranks, average_gradients, spread
from pipeline.finetune.schedule import computing, make_optimizer, set_precision
from pipeline.finetune.tuning import tell_of_trees, tune_layers

LOOPS = ("hf", "padded", "packed", "shared")


@dataclass(frozen=True)
class Options:
    """How loops are run."""

    device: torch.device
    dtype: torch.dtype
    seconds: float
    """Of each loop; at least one step."""
    batch: int
    """Samples a step."""
    hf_batch: int
    """Samples that Hugging Face's loop takes at once."""
    micro_tokens: int | None = None
    """That ours take at once; None: the most with which nothing is computed again, by forecast."""
    recompute: int | None = None
    """Layers that compute again what they do not keep; None: as few as the forecast has it."""
    compiled: bool = False
    narrow: bool = True


@dataclass(frozen=True)
class Measured:
    """What came of a loop."""

    stage: str
    loop: str
    manner: str
    steps: int
    samples: int
    seconds: float
    sums: Sums
    loss: float
    """Mean of the first step."""
    peak: int
    """Bytes; 0 where there is no GPU."""
    expected: int
    """Bytes by forecast; 0 for Hugging Face's loop, which has none."""

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.samples / self.seconds


def measure(
    shape: Shape, joined: Joined, forecast: Forecast, prepared: Prepared, stage: Stage, loop: str, options: Options
) -> Measured:
    """Run a loop for some seconds after two small steps to warm up, and leave the model as it was."""
    language = joined.model.model.language_model
    usual = language.config._attn_implementation
    freeze(joined, stage)
    set_precision(joined.model.parameters(), options.dtype)
    try:
        return _measure(shape, joined, forecast, prepared, stage, loop, options)
    finally:
        for layer in language.layers:
            vars(layer).pop("forward", None)  # what tune_layers has put there
        joined.is_narrow = False
        for module in joined.model.modules():
            if hasattr(module, "gradient_checkpointing"):  # the method that does it has two names in transformers 5
                module.gradient_checkpointing = False
        joined.model.zero_grad()
        language.config._attn_implementation = usual
        torch._dynamo.reset()
        make_room()


def _measure(
    shape: Shape, joined: Joined, forecast: Forecast, prepared: Prepared, stage: Stage, loop: str, options: Options
) -> Measured:
    samples = np.arange(len(prepared))
    small, whole = (
        Order(samples, prepared.lengths, prepared.picture, seed=0, batch=batch, by_picture=True)
        for batch in (max(8, options.batch // 8), options.batch)
    )
    load = loader(shape, joined, prepared, multiple=BLOCK if options.device.type == "cuda" else 1)
    steps, manner, expected = _prepare(joined, forecast, prepared, load, loop, (small, whole), options)
    weights = [weight for weight in joined.model.parameters() if weight.requires_grad]
    optimizer = make_optimizer(parameter_groups(joined, 0.0, 0.0, 0.0))

    def step(maker: Passes | HuggingFace, number: int) -> Sums:
        sums = maker.step(number, lambda: False)
        average_gradients(weights, Ranks(0, 1, options.device), sums.supervised)
        norm = get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        clip_grads_with_norm_(weights, 1.0, norm)
        optimizer.step()
        optimizer.zero_grad()
        if options.device.type == "cuda":
            torch.cuda.synchronize()
        return sums

    with closing(steps[0]), closing(steps[1]):
        for number in range(2):  # of two widths, so that what is compiled is so for any
            step(steps[0], number)
        steps[0].close()
        if options.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        done: list[Sums] = []
        count, began = 0, time.perf_counter()
        while not done or time.perf_counter() - began < options.seconds:
            count += len(whole.step(len(done)))
            done.append(step(steps[1], len(done)))
        seconds = time.perf_counter() - began
    sums = Sums(*(sum(getattr(one, name) for one in done) for name in vars(done[0])))
    peak = torch.cuda.max_memory_allocated() if options.device.type == "cuda" else 0
    loss = done[0].loss / done[0].supervised
    return Measured(stage, loop, manner, len(done), count, seconds, sums, loss, peak, expected)


def _prepare(
    joined: Joined,
    forecast: Forecast,
    prepared: Prepared,
    load: Callable[[Pack], Batch],
    loop: str,
    orders: Sequence[Order],
    options: Options,
) -> tuple[list[Any], str, int]:
    """Set the model up for a loop; return what makes its steps for each order, how it is run, and bytes by forecast."""
    if loop == "hf":
        tokens = options.hf_batch * int(prepared.lengths.max())
        is_again = options.device.type == "cuda" and forecast.choose(total(options), tokens=tokens)[1] > 0
        if is_again:
            joined.model.gradient_checkpointing_enable({"use_reentrant": False})
        manner = f"{options.hf_batch} samples at once" + (", checkpointed" if is_again else "")
        return [HuggingFace(joined, prepared, order, load, options) for order in orders], manner, 0
    ranks, layout, dtype = Ranks(0, 1, options.device), loop, options.dtype
    tokens, again = options.micro_tokens or GPU_TOKENS[0], options.recompute or 0
    if options.device.type == "cuda":
        asked, layers = options.micro_tokens, options.recompute
        tokens, again = forecast.choose(total(options), tokens=asked, recompute=layers)
    tune_layers(joined, recompute=again, compiled=options.compiled)
    joined.is_narrow = joined.is_narrow and options.narrow
    loss = spread(joined, ranks, dtype, shard=False)
    if layout != "padded":
        tell_of_trees(joined, dtype, print)
    named: dict[str, Any] = {"dtype": dtype, "layout": layout, "micro_tokens": tokens}
    steps = [
        Passes(joined, loss, prepared, order, load, ranks, is_sharded=False, say=print, **named) for order in orders
    ]
    packs = lay_out(prepared, orders[1].step(0), named["layout"], most_tokens=tokens)
    largest = max(packs, key=lambda pack: pack.places)
    learnt = int(prepared.supervised[largest.samples].sum())
    memory = forecast.memory(largest.places, learnt, recompute=again)
    told = f"{tokens:,} tokens at once" + (f", {again} layers computed again" if again else "")
    return steps, told + (", compiled" if options.compiled else ""), memory.total


class HuggingFace:
    """Steps as transformers' Trainer makes them: as many samples at once, padded on the right, labels and a mask.

    Labels are those of the learnt tokens alone, and gradients those of the mean over the tokens of the whole step.
    """

    def __init__(
        self, joined: Joined, prepared: Prepared, order: Order, load: Callable[[Pack], Batch], options: Options
    ) -> None:
        self._joined, self._prepared, self._order, self._options = joined, prepared, order, options
        self._load = (lambda pack: load(pack).pinned()) if options.device.type == "cuda" else load
        self._flops = count_flops(joined)

    def step(self, number: int, _is_interrupted: Callable[[], bool]) -> Sums:
        """Add up the gradients of a step."""
        sums, losses, options = Sums(), [], self._options
        packs = list(self._packs(self._order.step(number)))
        for pack, batch in zip(packs, ahead(packs, self._load, threads=4, window=8), strict=True):
            supervised = len(batch.targets)
            with computing(options.device, options.dtype):
                loss = self._joined.model(**self._inputs(batch), use_cache=False).loss * supervised
            loss.backward()
            losses.append(loss.detach())
            sums.supervised += supervised
            sums.tokens += pack.tokens
            sums.computed += pack.tokens
            sums.places += batch.input_ids.numel()
            sums.flops += self._flops.total(pack.tokens, pack.pairs, supervised, len(batch.slots))
        sums.loss = float(torch.stack(losses).double().sum())
        return sums

    def close(self) -> None:
        """Do nothing: no pack of a later step is in the making."""

    def _packs(self, samples: Sequence[int]) -> Iterator[Pack]:
        for start in range(0, len(samples), self._options.hf_batch):
            chosen = samples[start : start + self._options.hf_batch]
            yield Pack(tuple(Tree((one,), 0, (int(self._prepared.lengths[one]),)) for one in chosen), is_padded=True)

    def _inputs(self, batch: Batch) -> dict[str, Tensor]:
        assert batch.attention_mask is not None, "its packs are padded"
        assert batch.pixel_values is not None, "each sample has an image"
        assert batch.sources is None, "each learnt token of a row has a place of its own"
        labels = torch.full_like(batch.input_ids, -100)
        labels.view(-1)[batch.places + 1] = batch.targets
        inputs = {
            "input_ids": batch.input_ids,
            "attention_mask": batch.attention_mask,
            "labels": labels,
            "pixel_values": batch.pixel_values[batch.slots],  # one for each sample
        }
        return {name: tensor.to(self._options.device, non_blocking=True) for name, tensor in inputs.items()}


def total(options: Options) -> int:
    """Return the bytes of the GPU's memory."""
    return int(torch.cuda.get_device_properties(options.device).total_memory)


def make_room() -> None:
    """Give back what nobody uses."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
