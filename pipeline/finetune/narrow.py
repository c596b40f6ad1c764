"""The last layer for the tokens alone that something is predicted from.

What follows the last layer is the head, at the places that predict learnt tokens: a quarter of a conversation, a
thirtieth of an image with its caption. Of the others the last layer needs keys and values, for these places look at
them, and nothing else: no query, no attention of their own, no perceptron. At 32 layers that is 2 to 3 % of the work.

It needs the layer's parts by their names, which are those of Llama, Mistral, Qwen2, Qwen3 and many more. Any other
layer is left as it is, and so is one that does something else with parts of these names: Granite scales what a part
adds, and some layers of SmolLM3 turn nothing. Whether it does is found out by trying.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from pipeline.finetune.attention import TOLERATED, Forest, grow, use
from pipeline.finetune.layout import Tree

_PARTS = {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"}
_ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
_NORMS = {"q_norm", "k_norm"}


def narrow_last_layer(language: PreTrainedModel) -> bool:
    """Let a language model's last layer take ``asked``, and return whether it can; else it stays as it is.

    Called with ``asked=(places, forest)``, the layer returns the states of ``places`` alone, (1, U, D); ``forest`` is
    what ``attention.grow`` made for them. Without it, the layer does what it always did.
    """
    layer: Any = language.layers[-1] if hasattr(language, "layers") else None
    # What is clipped may not be so in a trial; OLMo does that.
    if layer is None or not _has_known_form(layer) or getattr(language.config, "clip_qkv", None):
        return False
    usual = layer.forward
    layer.forward = partial(_forward, layer, usual)
    if language.device.type != "meta" and not _agrees(language):
        layer.forward = usual
        return False
    return True


@torch.no_grad()
def _agrees(language: Any) -> bool:
    """Try whether the last layer says of some places what it says of them among all."""
    layers, usual = language.layers, language.config._attn_implementation
    is_on = {module: module.training for module in language.modules()}
    ids, places, trees = torch.tensor([[5, 7, 11, 13, 2, 3]]), torch.tensor([1, 4, 5]), (Tree((0,), 0, (6,)),)
    few, whole = (grow(trees, 6, language.device, flex=False, places=asked) for asked in (places, None))
    call = partial(language, ids.to(language.device), use_cache=False, **whole.arguments)
    try:
        language.layers = layers[-1:]
        language.eval()
        use(language, flex=False)
        wide = call().last_hidden_state[:, places]
        narrow = call(asked=(places.to(language.device), few)).last_hidden_state
    except (TypeError, ValueError, RuntimeError, AttributeError):  # a part gives or wants something else
        return False
    finally:
        language.layers, language.config._attn_implementation = layers, usual
        for module, mode in is_on.items():
            module.training = mode
    return bool((narrow - wide).norm() < TOLERATED[wide.dtype] * wide.norm())


def _has_known_form(layer: nn.Module) -> bool:
    parts = dict(layer.named_children())
    if parts.keys() != _PARTS:
        return False
    attention = parts["self_attn"]
    inside = {name for name, _ in attention.named_children()}
    known = inside >= _ATTENTION and inside <= _ATTENTION | _NORMS
    told = all(hasattr(attention, name) for name in ("head_dim", "scaling", "attention_dropout"))
    return known and told and _rotation(attention) is not None


def _rotation(attention: nn.Module) -> Callable[..., Any] | None:
    """Return the function that a modelling file turns queries and keys with."""
    function = getattr(sys.modules[type(attention).__module__], "apply_rotary_pos_emb", None)
    names = list(inspect.signature(function).parameters)[:4] if function else []
    return function if names == ["q", "k", "cos", "sin"] else None


def _forward(
    layer: Any,
    usual: Callable[..., Tensor],
    hidden_states: Tensor,
    *arguments: Any,
    asked: tuple[Tensor, Forest] | None = None,
    **named: Any,
) -> Tensor:
    if asked is None:
        return usual(hidden_states, *arguments, **named)
    places, forest = asked
    states = hidden_states.index_select(1, places)
    states = states + _attend(layer.self_attn, layer.input_layernorm(hidden_states), places, forest, named)
    perceived: Tensor = layer.mlp(layer.post_attention_layernorm(states))
    return states + perceived


def _attend(attention: Any, states: Tensor, places: Tensor, forest: Forest, named: dict[str, Any]) -> Tensor:
    """Return what attention gives at places: (1, U, D)."""

    def heads(projected: Tensor) -> Tensor:
        return projected.unflatten(-1, (-1, attention.head_dim))

    query = heads(attention.q_proj(states.index_select(1, places)))
    key, value = heads(attention.k_proj(states)), heads(attention.v_proj(states))
    if hasattr(attention, "q_norm"):
        query, key = attention.q_norm(query), attention.k_norm(key)
    query, key, value = (one.transpose(1, 2) for one in (query, key, value))
    turn = _rotation(attention)
    assert turn, "looked for before the layer was changed"
    cos, sin = named["position_embeddings"]
    query, _ = turn(query, query, cos.index_select(1, places), sin.index_select(1, places))  # both are turned alike,
    _, key = turn(key, key, cos, sin)  # and have to be as long
    attend = AttentionInterface().get_interface(attention.config._attn_implementation, None)
    seen, _ = attend(
        attention,
        query,
        key,
        value,
        dropout=attention.attention_dropout if attention.training else 0.0,
        scaling=attention.scaling,
        **forest.arguments,
    )
    given: Tensor = attention.o_proj(seen.reshape(1, len(places), -1))
    return given
