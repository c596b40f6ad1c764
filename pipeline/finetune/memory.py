"""How much of a device's memory training will take: told before the first step, and what packs are made to fit.

Weights, gradients and averages are counted. What a layer keeps for the backward pass is not looked up in a table of
architectures: the first layer of the language model itself is run on a few tokens, twice, on the CPU, and what autograd
keeps is counted. So it holds for any model, with or without low-rank pairs.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from pipeline.finetune.attention import grow, use
from pipeline.finetune.forward import CHUNK
from pipeline.finetune.layout import Tree
from pipeline.finetune.model import Joined, layers_of
from pipeline.finetune.schedule import computing, set_precision

PROBES = (64, 192)
"""Tokens that a layer is tried with: what differs between the two is what tokens take, and the rest its weights'."""
USED_OF_GPU = 0.92
"""Share of a GPU's memory that may be planned with; the rest is for fragments and for its own libraries."""
GPU_TOKENS = (16384, 8192, 4096)
"""That a GPU may take at once; with fewer, its matrix products are too small to be quick."""
NARROW = 0.25
"""Share of a layer's memory that the last one needs for a token that nothing is predicted from: keys, values, their
input, and the norm's."""


@dataclass(frozen=True)
class Memory:
    """Bytes that training takes on each device."""

    weights: int
    gradients: int
    averages: int
    """AdamW's two, of gradient and squared gradient."""
    activations: int
    """What the forward pass of the largest pack keeps for the backward pass, cast copies of weights included."""
    working: int
    """What passes need on top for one layer at a time, or for one chunk of logits."""

    @property
    def resting(self) -> int:
        """Without activations."""
        return self.weights + self.gradients + self.averages

    @property
    def total(self) -> int:
        """All of it."""
        return self.resting + self.activations + self.working


class Forecast:
    """Of the memory of a model as it is going to be trained."""

    def __init__(self, joined: Joined, dtype: torch.dtype, *, by_tree: bool = False) -> None:
        """Try a layer.

        Args:
            joined: With what learns and what is frozen already told apart; on the CPU, or without weights at all, of
                which torch computes no bfloat16 beside float32: then ask for no tokens.
            dtype: Of the computation; weights will be in the precision that ``schedule.set_precision`` gives them.
            by_tree: Whether trees are attended one at a time, which keeps more than one kernel for the whole row does.
        """
        self._by_tree = by_tree
        self._size = dtype.itemsize
        self._kept_size = max(self._size, 4) if dtype == torch.bfloat16 else self._size
        self._text = joined.model.config.text_config
        weights = list(joined.model.parameters())
        self._trained = sum(weight.numel() for weight in weights if weight.requires_grad)
        self._frozen = sum(weight.numel() for weight in weights if not weight.requires_grad)
        self._joined, self._dtype = joined, dtype
        if joined.model.device.type != "meta":
            _ = self._a_token  # now, before layers are tuned

    @cached_property
    def _a_token(self) -> float:
        return kept_a_token(self._joined, self._dtype, by_tree=self._by_tree)

    @property
    def layers(self) -> int:
        """Of the language model."""
        return int(self._text.num_hidden_layers)

    def memory(self, tokens: int, predicting: int, *, recompute: int = 0, shards: int = 1) -> Memory:
        """Return what training will take.

        Args:
            tokens: Of the largest pack, padding counted.
            predicting: Of those, from how many a learnt token is predicted.
            recompute: Layers that keep only what goes into them.
            shards: Processes that share the weights.
        """
        size, kept, text = self._size, self._kept_size, self._text
        copies = self._trained * size if kept != size else 0  # for matrix products, made again with the layer
        layers = self.layers
        a_token = self._a_token if tokens else 0.0
        a_layer = a_token * tokens
        last = (predicting + NARROW * (tokens - predicting)) * a_token if recompute < layers else 0.0
        states = a_layer * max(0, layers - 1 - recompute) + last
        inputs = recompute * tokens * text.hidden_size * size
        logits = 3 * kept * text.vocab_size * min(predicting, CHUNK)  # themselves, their exponentials, their gradient
        return Memory(
            weights=(self._trained * kept + self._frozen * size) // shards,
            gradients=self._trained * kept // shards,
            averages=2 * self._trained * kept // shards,
            activations=int(states + inputs) + copies * (layers - recompute) // layers // shards,
            working=max(int(a_layer), logits),
        )

    def choose(
        self, total: int, *, tokens: int | None = None, recompute: int | None = None, shards: int = 1
    ) -> tuple[int, int]:
        """Return how many tokens a GPU takes at once, and how many layers compute again what they do not keep.

        What is asked for stands. Else the most tokens that fit while all layers keep what they compute, and where even
        the fewest do not fit, those and as many layers as it takes.

        Args:
            total: Of the GPU's memory, in bytes.
            tokens: That are asked for; None: to be chosen.
            recompute: Layers that are asked for; None: to be chosen.
            shards: Processes that share the weights.
        """

        def fits(many: int, again: int) -> bool:
            return self.memory(many, many, recompute=again, shards=shards).total < USED_OF_GPU * total

        for many in [tokens] if tokens else GPU_TOKENS:
            if fits(many, recompute or 0):
                return many, recompute or 0
        fewest = tokens or GPU_TOKENS[-1]
        if recompute is not None:
            return fewest, recompute
        return fewest, next((again for again in range(self.layers) if fits(fewest, again)), self.layers)


def kept_a_token(joined: Joined, dtype: torch.dtype, *, by_tree: bool = False) -> float:
    """Return bytes that a layer of the language model keeps of a token for the backward pass."""
    few, many = PROBES
    return (_kept(joined, dtype, many, by_tree) - _kept(joined, dtype, few, by_tree)) / (many - few)


def _kept(joined: Joined, dtype: torch.dtype, tokens: int, by_tree: bool) -> int:
    """Return bytes that one layer keeps: what two keep without what one does, so that nothing around them counts."""
    language = joined.model.model.language_model
    owner, name = layers_of(language)
    layers = getattr(owner, name)
    layer = _in_training(layers[0], dtype)
    usual = language.config._attn_implementation
    try:
        if by_tree:
            use(language, flex=False)
        amounts = []
        for count in (1, 2):
            setattr(owner, name, nn.ModuleList([layer] * count))
            amounts.append(_kept_by(language, tokens, dtype, by_tree))
    finally:
        setattr(owner, name, layers)
        language.config._attn_implementation = usual
    return amounts[1] - amounts[0]


def _in_training(layer: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return a copy of a layer as it will be when it learns."""
    made = copy.deepcopy(layer).train()
    set_precision(made.parameters(), dtype)
    return made


def _kept_by(language: nn.Module, tokens: int, dtype: torch.dtype, by_tree: bool) -> int:
    """Return bytes that a forward pass keeps, apart from the weights."""
    weights = {weight.untyped_storage()._cdata for weight in language.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}  # held, so that no other takes its number

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage
        return tensor

    device = next(language.parameters()).device
    states = torch.zeros(1, tokens, language.config.hidden_size, dtype=dtype, device=device, requires_grad=True)
    tree = Tree((0, 1), tokens // 2, (tokens // 4, tokens // 4))
    arguments = grow([tree], tokens, device, flex=False).arguments if by_tree else {}
    with computing(device, dtype), saved_tensors_hooks(keep, lambda tensor: tensor):
        language(inputs_embeds=states, use_cache=False, **arguments)
    return sum(storage.nbytes() for storage in kept.values())
