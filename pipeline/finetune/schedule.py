"""How weights move: AdamW, a learning rate that rises and falls, and which numbers are kept in which precision.

Memory in bfloat16 training, in bytes a parameter. What learns is kept in float32, and matrix products cast it as they
go: weight 4, gradient 4, AdamW's two averages 8, and 2 for the cast copy between forward and backward pass: 18. Frozen:
2. AdamW on bfloat16 weights would take 8 or 10, but at a rate of 2e-5 most of its steps are smaller than half the
distance to the next bfloat16 number, and are rounded away: weights move 12 % as far. Gradients of micro-batches are
summed in float32 for the same reason.

So LLaVA's 7B takes in stage 1: 2 × 7.05 B frozen, 18 × 21 M: 13.5 GiB; in stage 2: 18 × 6.76 B + 2 × 0.3 B: 114 GiB;
with low-rank pairs of rank 128: 2 × 7.05 B + 18 × 0.34 B: 19 GiB; each with activations on top.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW


def warmup_steps(share: float, steps: int) -> int:
    """Return in how many steps the rate rises: a share of all, rounded up."""
    return math.ceil(share * steps)


def rate(step: int, steps: int, warmup: int) -> float:
    """Return the learning rate of a step, as a share of the highest.

    It rises from 0 in a line over the first ``warmup`` steps, and falls to 0 along half a cosine: what Hugging Face's
    ``get_cosine_schedule_with_warmup`` gives, with which LLaVA was trained.

    Args:
        step: Counted from 0.
        steps: In the whole run.
        warmup: Steps in which the rate rises.
    """
    if step < warmup:
        return step / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def make_optimizer(
    groups: Iterable[dict[str, Any]], *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> AdamW:
    """Return AdamW for parameter groups with ``params``, ``lr`` and ``weight_decay``.

    Their ``lr`` is the highest rate, and is kept as ``highest``.

    Args:
        groups: Of ``model.parameter_groups``.
        betas: How much the averages of gradient and squared gradient keep of themselves in a step.
        eps: Added to the root that is divided by.
    """
    told = [{**group, "highest": group["lr"]} for group in groups]
    on_gpu = all(weight.is_cuda for group in told for weight in group["params"])
    return AdamW(told, betas=betas, eps=eps, fused=on_gpu)


def set_rate(optimizer: AdamW, share: float) -> None:
    """Give each group that share of its highest rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["highest"] * share


def set_precision(weights: Iterable[nn.Parameter], dtype: torch.dtype) -> None:
    """Cast weights to what training in ``dtype`` keeps them in.

    For bfloat16: what learns in float32, what is frozen in bfloat16. For float32 and float64: all in that.
    """
    for weight in weights:
        learns_beside = weight.requires_grad and dtype == torch.bfloat16
        weight.data = weight.data.to(torch.float32 if learns_beside else dtype)


def computing(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Return a context in which matrix products are computed in ``dtype``, whatever weights are kept in."""
    # Its cache would hold the cast copies of all weights until the pass ends, also of layers that compute again.
    return torch.autocast(device.type, dtype, cache_enabled=False) if dtype == torch.bfloat16 else nullcontext()
