"""One process or many: who is who, sums over all, and weights that are spread over the processes of a ``torchrun``.

Two ways, both torch's own, and the same code on GPUs (NCCL) and on CPUs (gloo):

- *Copies*: each process has all weights, and gradients are summed once a step, after its last micro-batch. How many
  micro-batches a process has, and whether they have images, is then its own affair. Summing does not overlap with
  computing, which costs 20 ms a step where 0.5 B parameters learn, of the seconds that a step takes.
- *Shards* (FSDP2): each process keeps its part of every weight, gradient and average, for what would not fit as copies.
  Weights come together layer by layer in each pass, so all processes must make equally many passes through the same
  layers: ``order.split`` gives each as many micro-batches, and ``token_loss_sum`` goes through all layers with each.

Accelerate is not between: it has shards on GPUs alone, so nothing of it could be tested with two processes on a CPU.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from pipeline.finetune.batches import Batch
from pipeline.finetune.forward import token_loss_sum
from pipeline.finetune.model import Joined

PATIENCE = timedelta(hours=1)
"""How long a process waits for the others: while the first writes a state or looks through the data, they do."""
MOST_OF_MEMORY = 0.7
"""Share of a device's memory that weights, gradients and averages may take as copies; the rest is for activations."""


@dataclass(frozen=True)
class Ranks:
    """This process among all."""

    rank: int
    """Its number, from 0."""
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return each value summed over all processes, in float64."""
        if self.count == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def gather(self, thing: Any) -> list[Any]:
        """Return what each process gave, in the order of their numbers; small things, for they are pickled."""
        if self.count == 1:
            return [thing]
        things: list[Any] = [None] * self.count
        dist.all_gather_object(things, thing)
        return things

    def hear_first(self, thing: Any) -> Any:
        """Return what the first process gave."""
        return self.gather(thing)[0]


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Join the processes of a ``torchrun``, if there are any, for as long as the context lasts.

    Unless it ends with an error, a process of a ``torchrun`` ends with it, once all have come so far.
    """
    index = int(os.environ.get("LOCAL_RANK", 0))
    device = torch.device("cuda", index) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if "RANK" not in os.environ:
        yield Ranks(0, 1, device)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    yield Ranks(dist.get_rank(), dist.get_world_size(), device)
    dist.barrier()  # the first may still be writing the checkpoint, and torchrun ends all where one ends badly
    sys.stdout.flush()
    sys.stderr.flush()
    # While a process takes itself apart, a thread of gloo's now and then aborts it, and torchrun then ends the others.
    os._exit(0)


def must_shard(ranks: Ranks, needed: int) -> bool:
    """Return whether ``needed`` bytes of weights, gradients and averages are too many for a copy on each GPU."""
    if ranks.count == 1 or ranks.device.type != "cuda":
        return False
    return needed > MOST_OF_MEMORY * torch.cuda.get_device_properties(ranks.device).total_memory


def spread(joined: Joined, ranks: Ranks, dtype: torch.dtype, *, shard: bool) -> Callable[[Batch], tuple[Tensor, int]]:
    """Put the model on the device, or its shards on all devices, and return ``token_loss_sum`` for it.

    Make the optimizer after that: shards are parameters of their own.

    Args:
        joined: With what learns and what is frozen already told apart, and in its precision.
        ranks: Of this run.
        dtype: Of the computation, in which weights come together from their shards.
        shard: Whether each process is to keep but a part of each weight.
    """
    if not shard:
        joined.model.to(ranks.device)
        return lambda batch: token_loss_sum(joined, batch)
    model, whole = joined.model, _WithLoss(joined)
    mesh = init_device_mesh(ranks.device.type, (ranks.count,))
    narrow = MixedPrecisionPolicy(dtype, torch.float32, cast_forward_inputs=False)
    policy = narrow if dtype == torch.bfloat16 else MixedPrecisionPolicy(cast_forward_inputs=False)
    language = model.model.language_model
    for layer in language.modules():
        if type(layer).__name__ in (language._no_split_modules or ()):  # what transformers calls a layer
            fully_shard(layer, mesh=mesh, mp_policy=policy)
    # The vision model stays whole: a process without images in a micro-batch does not go through its layers.
    vision = set(model.model.vision_tower.to(ranks.device).parameters())
    # Else what no layer has would stay in one piece after a pass without gradients.
    fully_shard(whole, mesh=mesh, mp_policy=policy, reshard_after_forward=True, ignored_params=vision)
    return whole


class _WithLoss(nn.Module):
    """The model with its loss as ``forward``: shards come together for what is called as a module."""

    def __init__(self, joined: Joined) -> None:
        super().__init__()
        self.model = joined.model
        self._joined = joined

    def forward(self, batch: Batch) -> tuple[Tensor, int]:
        """Return ``token_loss_sum``; no layer is left out in any process."""
        return token_loss_sum(self._joined, batch, through_all_layers=True)


def average_gradients(weights: Iterable[nn.Parameter], ranks: Ranks, tokens: float) -> None:
    """Make gradients of summed losses those of the mean loss a token, over all processes.

    Args:
        weights: That learn; each has a gradient.
        ranks: Of this run.
        tokens: Supervised tokens of the whole step, over all processes.
    """
    pending = []
    for weight in weights:
        assert weight.grad is not None, "token_loss_sum reaches each weight"
        is_shard = isinstance(weight.grad, DTensor)  # FSDP has averaged them over the processes
        weight.grad.mul_(ranks.count / tokens if is_shard else 1 / tokens)
        if ranks.count > 1 and not is_shard:
            pending.append(dist.all_reduce(weight.grad, async_op=True))
    for work in pending:
        work.wait()


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor in one piece; where it is in shards, all processes must ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def whole_weights(joined: Joined, ranks: Ranks) -> dict[str, Tensor] | None:
    """Return all weights in one piece on the CPU of the first process, for ``save_plain``; None in the others."""
    weights = {}
    for name, tensor in joined.model.state_dict().items():
        piece = whole(tensor)
        if ranks.is_first:
            weights[name] = piece.cpu()
    return weights if ranks.is_first else None


def placed_like(tensor: Tensor, weight: Tensor) -> Tensor:
    """Return a tensor of a weight's shape where the weight is: on its device, in shards if it is."""
    tensor = tensor.to(weight.device)
    if not isinstance(weight, DTensor):
        return tensor
    return distribute_tensor(tensor, weight.device_mesh, weight.placements, src_data_rank=None)
