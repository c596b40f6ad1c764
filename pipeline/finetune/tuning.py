"""What makes a model's passes quick and small, as far as the model and the device can: set up once, before training."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.integrations.flex_attention import flex_attention_forward

from pipeline.finetune.attention import TOLERATED, grow, tree_at_a_time, use
from pipeline.finetune.layout import Tree
from pipeline.finetune.model import Joined, layers_of
from pipeline.finetune.narrow import narrow_last_layer


def tune_layers(joined: Joined, *, recompute: int, compiled: bool) -> None:
    """Have the last layer compute what is asked for alone, and others save memory or be compiled.

    Call it before shards are made: what a layer is wrapped in there must stay outside.

    Args:
        joined: The model.
        recompute: How many layers, the first ones, keep only what goes into them.
        compiled: Whether layers are compiled, each by itself and all with the same code.
    """
    language = joined.model.model.language_model
    joined.is_narrow = narrow_last_layer(language)
    for place, layer in enumerate(getattr(*layers_of(language))):
        if compiled:
            layer.forward = torch.compile(layer.forward)
        if place < recompute:
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)


def tell_of_trees(joined: Joined, dtype: torch.dtype, say: Callable[[str], None]) -> None:
    """Choose the quickest way to tell the model who sees whom that works on its device."""
    language = joined.model.model.language_model
    if joined.model.device.type != "cuda":
        use(language, flex=False)
        return
    fault = _fault_of_flex(language.config, joined.model.device, dtype)
    if fault:
        say(f"FlexAttention cannot be used here ({fault}); trees are attended one at a time, which is slower")
    use(language, flex=not fault)


def _fault_of_flex(config: object, device: torch.device, dtype: torch.dtype) -> str:
    """Return why FlexAttention does not work on a GPU with heads as a model has them; empty if it does."""
    heads: int = config.num_attention_heads  # type: ignore[attr-defined]  # every configuration has it
    width = getattr(config, "head_dim", None) or config.hidden_size // heads  # type: ignore[attr-defined]
    fewer = getattr(config, "num_key_value_heads", None) or heads
    module = nn.Module()
    module.num_key_value_groups = heads // fewer
    trees = (Tree((0, 1), 130, (40, 50)), Tree((2,), 0, (36,)))
    draw = torch.Generator(device).manual_seed(0)

    def drawn(count: int) -> Tensor:
        values = torch.randn(1, count, 256, width, generator=draw, device=device).to(dtype)
        return values.requires_grad_()

    tensors = (drawn(heads), drawn(fewer), drawn(fewer))
    try:
        blocks = grow(trees, 256, device, flex=True).attention_mask
        pieces = grow(trees, 256, device, flex=False).pieces
        found = _with_gradients(
            lambda: flex_attention_forward(module, *tensors, blocks, scaling=width**-0.5)[0], tensors
        )
        exact = _with_gradients(
            lambda: tree_at_a_time(module, *tensors, None, pieces=pieces, scaling=width**-0.5)[0], tensors
        )
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    apart = max(float((one - other).norm() / other.norm()) for one, other in zip(found, exact, strict=True))
    return "" if apart < TOLERATED[dtype] else f"it is {apart:.1%} off"


def _with_gradients(make: Callable[[], Tensor], tensors: tuple[Tensor, ...]) -> list[Tensor]:
    made = make()
    return [made.detach(), *torch.autograd.grad(made.float().square().sum(), tensors)]
