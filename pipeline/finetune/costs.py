"""Floating-point operations that training takes, by arithmetic: for the progress line and the forecast of time.

A matrix with W weights takes 2 W operations a token forward, 2 W for the gradient of what went in, and 2 W
for its own: 6 W where it learns; 4 W where it is frozen and gradients pass through it to the projector; 2 W in the
vision model, which none pass through. Attention takes 4 · width operations for each token and each earlier one, and
twice that backward. Logits count at supervised tokens. Padding counts for nothing, and neither does what is computed
twice: the share of the machine that is used (MFU) is a share of useful work.

For 7B with ViT-L/14 at 336 pixels and samples of 576 + 250 tokens: 22 TFLOP a sample in stage 1, 33 in stage 2.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from pipeline.finetune.model import Joined


@dataclass(frozen=True)
class Flops:
    """Operations of a forward and a backward pass."""

    token: float
    """Of one token in the linear layers of the language model."""
    pair: float
    """Of one token's attention to one other."""
    supervised: float
    """Of the logits of one supervised token."""
    image: float
    """Of one image in vision model and projector."""

    def total(self, tokens: float, pairs: float, supervised: float, images: float) -> float:
        """Return the operations of samples.

        Args:
            tokens: That are computed, the images' counted; what samples share counts once.
            pairs: Of a token and one that it sees.
            supervised: Tokens that count in the loss.
            images: That the vision model looks at.
        """
        return self.token * tokens + self.pair * pairs + self.supervised * supervised + self.image * images


def count_flops(joined: Joined) -> Flops:
    """Return what the model costs, frozen parts as such."""
    model, text = joined.model, joined.model.config.text_config
    vision = model.config.vision_config
    used = model.config.vision_feature_layer % (vision.num_hidden_layers + 1)
    states = (vision.image_size // vision.patch_size) ** 2 + 1
    tower = model.model.vision_tower
    seen = _matrices(tower.encoder.layers[:used].parameters()) + _matrices(
        tower.embeddings.patch_embedding.parameters()
    )
    attended = 4 * vision.hidden_size * used * states**2
    attention = text.num_attention_heads * _head_width(text)
    return Flops(
        token=sum(_times(weight) * weight.numel() for weight in _multiplied(model.model.language_model)),
        pair=3 * 4.0 * attention * text.num_hidden_layers,
        supervised=_times(model.lm_head.weight) * model.lm_head.weight.numel(),
        image=2.0 * seen * states + attended + 6.0 * _matrices(model.model.multi_modal_projector.parameters()) * states,
    )


def _multiplied(module: nn.Module) -> Iterator[Tensor]:
    """Yield the matrices that each token is multiplied with: all but the tables that it is looked up in."""
    for part in module.modules():
        if not isinstance(part, nn.Embedding):
            yield from (weight for weight in part.parameters(recurse=False) if weight.ndim > 1)


def _times(weight: Tensor) -> float:
    return 6.0 if weight.requires_grad else 4.0


def _matrices(weights: Iterable[Tensor]) -> int:
    return sum(weight.numel() for weight in weights if weight.ndim > 1)


def measured_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Return how many operations a second the device does in one large matrix product: what MFU is a share of.

    Takes half a second of a GPU or less. No table of devices could know of its power limit.
    """
    side = 8192 if device.type == "cuda" else 512
    # Not zeros, with which a GPU needs less power and is quicker; and no draw from the run's random state.
    left = torch.linspace(-1, 1, side * side, device=device).to(dtype).view(side, side)
    right = left.sin()
    best = float("inf")
    for _ in range(5):
        start = _now(device)
        for _ in range(10):
            left @ right
        best = min(best, (_now(device) - start) / 10)
    return 2 * side**3 / best


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _head_width(text: PreTrainedConfig) -> int:
    return getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
