"""A batch to its loss: the one place where tokens, image embeddings and the language model meet in training.

Logits are made where a learnt token is predicted and a chunk at a time, so that memory for them is bounded whatever
the vocabulary: with 32,000 words and all logits, 8 samples of 826 tokens would take 0.8 GB in float32, three times.

Legend of the axes: B rows, T tokens, D width of the language model, U predicting places, S learnt tokens, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from pipeline.finetune.attention import BLOCK, FLEX, grow
from pipeline.finetune.batches import Batch
from pipeline.finetune.layout import Tree
from pipeline.finetune.model import Joined, embed, image_features

CHUNK = 1024
"""Places whose logits exist at once: 131 MB in float32 with 32,000 words."""

_ONE, _NONE = torch.zeros(1, 1, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
_NOTHING = Batch(_ONE, _ONE, None, (Tree((0,), 0, (1,)),), _NONE, None, _NONE, None, None, _NONE, [])
"""No model takes a batch of no tokens."""


def token_loss_sum(joined: Joined, batch: Batch, *, through_all_layers: bool = False) -> tuple[Tensor, int]:
    """Return the cross-entropy summed over the learnt tokens of a batch, and how many those are.

    The sum is a scalar in float32 (float64 for a model in float64). It depends on every weight that learns, if only by
    an exact zero: a batch without images, and one without samples, gives each of them a gradient.

    Args:
        joined: Its weights may be on another device than the batch. For a batch with trees, ``attention.use`` has told
            it of them.
        batch: On the CPU. What is learnt is looked up there, so that no GPU is waited for.
        through_all_layers: Whether the backward pass goes through each layer even where nothing needs it to, as with
            text in the first stage: processes that share their weights wait for each other at every layer.
    """
    device = joined.model.device
    batch = batch if batch.ids else _NOTHING
    nothing = sum(
        (0 * weight.sum() for weight in joined.model.model.multi_modal_projector.parameters() if weight.requires_grad),
        start=torch.zeros((), device=device),
    )
    states = predicting_states(joined, batch, nothing if through_all_layers and not batch.pictures else None)
    targets = batch.targets.to(device, non_blocking=True)
    if batch.sources is not None:
        # A look-up, because its backward pass adds up in one order on a GPU too; that of an index does not.
        states = functional.embedding(batch.sources.to(device, non_blocking=True), states)  # (S, D)
    loss = sum(
        checkpoint(
            _chunk_loss, joined.model.lm_head, *chunk, use_reentrant=False, preserve_rng_state=False
        )  # logits are made again in the backward pass: 1 % more work, and no chunk's logits are kept
        for chunk in zip(states.split(CHUNK), targets.split(CHUNK), strict=True)
    )
    assert isinstance(loss, Tensor), "splitting nothing gives one empty chunk"
    return (loss if batch.pictures else loss + nothing), len(targets)


def predicting_states(joined: Joined, batch: Batch, nothing: Tensor | None = None) -> Tensor:
    """Return what the language model makes of the predicting places of a batch before its head: ``(U, D)``.

    Under autocast the sum that runs through the layers is kept in the precision of the computation, as it is where all
    weights are: half the memory for what the backward pass needs.

    Args:
        joined: See :func:`token_loss_sum`.
        batch: See there.
        nothing: A zero to be added to the embeddings, for the sake of what it depends on.
    """
    device = joined.model.device
    embeddings = embed(
        joined,
        batch.input_ids.to(device, non_blocking=True),
        _features(joined, batch, device),
        batch.slots.to(device, non_blocking=True) if len(batch.slots) != batch.pictures else None,
    )
    if nothing is not None:
        embeddings = embeddings + nothing
    if device.type != "meta" and torch.is_autocast_enabled(device.type):  # which knows no meta device
        embeddings = embeddings.to(torch.get_autocast_dtype(device.type))
    places = batch.places.to(device, non_blocking=True)
    is_narrow = joined.is_narrow and batch.attention_mask is None and len(places) > 0
    flex = joined.model.model.language_model.config._attn_implementation == FLEX
    asked = (_rounded(batch.places) if flex else batch.places) if is_narrow else None
    output = joined.model.model.language_model(
        inputs_embeds=embeddings,
        position_ids=batch.position_ids.to(device, non_blocking=True),
        use_cache=False,  # with a cache, samples packed into one row would attend to each other
        **_who_sees_whom(batch, device, asked, flex=flex),
    )
    states: Tensor = output.last_hidden_state.flatten(0, 1)
    return states[: len(places)] if is_narrow else states.index_select(0, places)  # each once: no sum has an order


def _rounded(places: Tensor) -> Tensor:
    """Repeat the last place up to whole blocks, so that a GPU meets few shapes."""
    return torch.cat([places, places[-1:].expand(-len(places) % BLOCK)])


def _who_sees_whom(batch: Batch, device: torch.device, asked: Tensor | None, *, flex: bool) -> dict[str, Any]:
    if batch.attention_mask is not None:
        return {"attention_mask": batch.attention_mask.to(device, non_blocking=True)}
    width = batch.input_ids.shape[1]
    arguments = grow(batch.trees, width, device, flex=flex).arguments
    if asked is not None:
        forest = grow(batch.trees, width, device, flex=flex, places=asked)
        arguments["asked"] = (asked.to(device, non_blocking=True), forest)
    return arguments


def _features(joined: Joined, batch: Batch, device: torch.device) -> Tensor | None:
    """Return image embeddings, each picture's once: ``(N, P, D)``."""
    if batch.pixel_values is not None:
        return image_features(joined.model, batch.pixel_values.to(device, non_blocking=True))
    if batch.features is None:
        return None
    kept: Tensor = joined.model.model.multi_modal_projector(batch.features.to(device, non_blocking=True))
    return kept


def _chunk_loss(head: nn.Module, states: Tensor, targets: Tensor) -> Tensor:
    logits = head(states)  # (S, V)
    exact = torch.promote_types(logits.dtype, torch.float32)
    return functional.cross_entropy(logits.to(exact), targets, reduction="sum")
