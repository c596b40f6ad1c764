"""What training costs by arithmetic: floating-point operations for the progress line, bytes for the forecast.

Operations. A matrix with W weights takes 2 W operations a token forward, 2 W for the gradient of what went in, and 2 W
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

from pipeline.finetune.forward import CHUNK
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


@dataclass(frozen=True)
class Memory:
    """Bytes that training takes on each device."""

    weights: int
    gradients: int
    averages: int
    """AdamW's two, of gradient and squared gradient."""
    activations: int
    """What the forward pass of the largest micro-batch keeps for the backward pass, cast copies of weights included."""

    @property
    def resting(self) -> int:
        """Without activations."""
        return self.weights + self.gradients + self.averages

    @property
    def total(self) -> int:
        """All of it."""
        return self.resting + self.activations


def forecast(
    joined: Joined, dtype: torch.dtype, *, tokens: int, supervised: int, shards: int = 1, recompute: int = 0
) -> Memory:
    """Return what training will take, with weights in the precision that ``schedule.set_precision`` gives them.

    Activations are estimated for layers of Llama's form and attention that keeps no scores; 10 % and the library's own
    buffers may come on top.

    Args:
        joined: With what learns and what is frozen already told apart.
        dtype: Of the computation.
        tokens: Of the largest micro-batch, padding counted.
        supervised: Of those, how many count in the loss.
        shards: Processes that share the weights.
        recompute: Layers that keep only what goes into them.
    """
    size, text = dtype.itemsize, joined.model.config.text_config
    kept = max(size, 4) if dtype == torch.bfloat16 else size
    trained = sum(weight.numel() for weight in joined.model.parameters() if weight.requires_grad)
    frozen = sum(weight.numel() for weight in joined.model.parameters() if not weight.requires_grad)
    copies = trained * size if kept != size else 0
    logits = 3 * kept * text.vocab_size * min(supervised, CHUNK)  # themselves, their exponentials, their gradient
    return Memory(
        weights=(trained * kept + frozen * size) // shards,
        gradients=trained * kept // shards,
        averages=2 * trained * kept // shards,
        activations=tokens * text.num_hidden_layers * _kept_a_token(joined, size) + logits + copies // shards,
    )


def _kept_a_token(joined: Joined, size: int) -> int:
    """Return bytes of one token that a layer keeps for the backward pass; counted in bfloat16, scaled for others.

    Attention keeps queries, keys, values and its output. Where weights are frozen, a norm keeps its input in float32,
    and the perceptron its two halves and the activation of one. Where they learn, linear layers keep their inputs, each
    its own cast copy, and norms what they scale. Low-rank pairs keep their input, and a byte for what was dropped.
    """
    text, language = joined.model.config.text_config, joined.model.model.language_model
    width, heads = text.hidden_size, text.num_attention_heads
    inner = getattr(text, "intermediate_size", None) or 4 * width
    queries = heads * _head_width(text)
    keys = (getattr(text, "num_key_value_heads", None) or heads) * _head_width(text)
    attention = 4 * queries + 4 * keys + 4 * heads
    pairs = [module for name, module in language.named_modules() if name.endswith("lora_A.default")]
    if not pairs and any(weight.requires_grad for weight in language.parameters()):
        return (attention + 2 * (4 + 2) * width + 2 * 5 * width + 8 * inner) * size // 2
    inputs = sum(3 * pair.in_features + 2 * pair.out_features for pair in pairs) // text.num_hidden_layers
    return (attention + 2 * 4 * width + 6 * inner + inputs) * size // 2


def _head_width(text: PreTrainedConfig) -> int:
    return getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
