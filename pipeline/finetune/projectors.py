"""What joins a vision model to a language model, and the form of it that any LLaVA loader reads.

linear        LLaVA v1: one matrix
mlp2x_gelu    LLaVA v1.5: two matrices with a GELU between; the form that transformers itself has
transformer   OmniFusion: an encoder layer, then a matrix (modeling_transformer_projector.py)
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from transformers import LlavaConfig
from transformers.models.llava.modeling_llava import LlavaMultiModalProjector

from pipeline.errors import PipelineError
from pipeline.finetune.modeling_transformer_projector import HEADS, MARKS, TransformerProjector

Projector = Literal["linear", "mlp2x_gelu", "transformer"]
"""Names of projectors, as the settings have them."""


def make_projector(name: Projector, config: LlavaConfig, *, seed: int, dtype: torch.dtype) -> nn.Module:
    """Make a projector with weights drawn as ``torch.nn`` draws them, the same ones for the same seed.

    Args:
        name: Which one.
        config: Of the joined model; the widths are read from it.
        seed: Of the weights; the global random state is left as it was.
        dtype: Of the weights; they are drawn in float32 first.

    Returns:
        A module from ``(N, P, width of vision)`` to ``(N, P, width of text)``, with ``P + 2`` for ``transformer``.

    Raises:
        PipelineError: The vision model's width cannot be shared among the adapter's heads.
    """
    vision, text = config.vision_config.hidden_size, config.text_config.hidden_size
    if name == "transformer" and vision % HEADS:
        raise PipelineError(f"--projector transformer has {HEADS} heads, and {vision} is no multiple; take another")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == "linear":
            return nn.Linear(vision, text).to(dtype)
        if name == "transformer":
            return TransformerProjector(vision, text).to(dtype)
        return LlavaMultiModalProjector(config).to(dtype)


def added_tokens(name: str) -> int:
    """Return how many embeddings a projector puts around an image."""
    return MARKS if name == "transformer" else 0


def as_mlp(weight: Tensor, bias: Tensor) -> tuple[str, dict[str, Tensor]]:
    """Write one linear map as LLaVA's two with an activation between, the same function.

    LLaVA's form is ``x -> W2 · act(W1 · x + b1) + b2`` with ``W1`` of shape (text, vision), ``W2`` of (text, text).
    With ReLU, ``W1 = [I; -I; 0]`` keeps both signs of x and ``W2 = [W, -W, 0]`` joins them again: exact, since of
    each pair one term is x and the other 0. That needs a text model twice as wide as the vision model. Where it is
    narrower, ``W1 = W``, no activation and ``W2 = I`` do; but vLLM knows no activation named ``linear``.

    Args:
        weight: ``(text, vision)``.
        bias: ``(text,)``.

    Returns:
        The activation's name, and the tensors by name.
    """
    text, vision = weight.shape
    if text < 2 * vision:
        second = torch.eye(text, dtype=weight.dtype, device=weight.device)
        tensors = {"linear_1.weight": weight, "linear_1.bias": bias, "linear_2.weight": second}
        return "linear", {**tensors, "linear_2.bias": torch.zeros_like(bias)}
    identity = torch.eye(vision, dtype=weight.dtype, device=weight.device)
    first, second = weight.new_zeros(text, vision), weight.new_zeros(text, text)
    first[:vision], first[vision : 2 * vision] = identity, -identity
    second[:, :vision], second[:, vision : 2 * vision] = weight, -weight
    tensors = {"linear_1.weight": first, "linear_1.bias": torch.zeros_like(bias), "linear_2.weight": second}
    return "relu", {**tensors, "linear_2.bias": bias}


def from_mlp(activation: str, mlp: LlavaMultiModalProjector) -> nn.Linear:
    """Take the linear map back out of what ``as_mlp`` made of it."""
    vision, text = mlp.linear_1.in_features, mlp.linear_1.out_features
    first = activation == "linear"
    linear = nn.Linear(vision, text, dtype=mlp.linear_1.weight.dtype, device=mlp.linear_1.weight.device)
    with torch.no_grad():
        linear.weight.copy_(mlp.linear_1.weight if first else mlp.linear_2.weight[:, :vision])
        linear.bias.copy_(mlp.linear_1.bias if first else mlp.linear_2.bias)
    return linear
