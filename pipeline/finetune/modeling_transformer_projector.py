"""LLaVA with OmniFusion's adapter between vision and language model.

This file stands alone: it is copied into every checkpoint that has this adapter, and transformers (5.17 or newer)
reads it from there with ``trust_remote_code=True``. It needs torch and transformers only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import LlavaConfig, LlavaForConditionalGeneration

HEADS = 4
FEEDFORWARD = 2048  # width inside the encoder layer, whatever the vision model's width
MARKS = 2  # embeddings around the image: one before it, one after it


class TransformerProjector(nn.Module):
    """One transformer encoder layer over the patches, then a linear map; a learnable mark on either side.

    As in OmniFusion: four heads, norms after the sums, ReLU. Its dropout of 0.1 is left out: a sample's loss must not
    depend on the batch that it came in.
    """

    def __init__(self, vision_width: int, text_width: int) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            vision_width, HEADS, dim_feedforward=FEEDFORWARD, dropout=0.0, activation="relu", batch_first=True
        )
        self.linear = nn.Linear(vision_width, text_width)
        self.start = nn.Parameter(torch.randn(text_width) / text_width**0.5)
        self.end = nn.Parameter(torch.randn(text_width) / text_width**0.5)

    def forward(self, patches: Tensor) -> Tensor:
        """Turn patch states ``(N, P, width of vision)`` into image embeddings ``(N, P + 2, width of text)``."""
        inside = self.linear(self.layer(patches))
        start, end = (mark.expand(len(inside), 1, -1) for mark in (self.start, self.end))
        return torch.cat([start, inside, end], dim=1)


class TransformerProjectorConfig(LlavaConfig):
    """LLaVA's fields under a type of its own, so that nobody takes the checkpoint for one with LLaVA's projector."""

    model_type = "llava_transformer_projector"


class TransformerProjectorForConditionalGeneration(LlavaForConditionalGeneration):
    """LLaVA's model with the adapter in the place of its projector."""

    config_class = TransformerProjectorConfig

    def __init__(self, config: TransformerProjectorConfig) -> None:
        super().__init__(config)
        vision, text = config.vision_config.hidden_size, config.text_config.hidden_size
        self.model.multi_modal_projector = TransformerProjector(vision, text)
        self.post_init()
