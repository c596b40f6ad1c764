"""A batch to its loss: the one place where tokens, image embeddings and the language model meet in training.

Logits are made at supervised positions alone and a chunk at a time, so that memory for them is bounded whatever the
vocabulary: with 32,000 words and full logits, 8 samples of 826 tokens would take 0.8 GB in float32, three times over.

Legend of the axes: B samples, T tokens, D width of the language model, S supervised positions, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from pipeline.finetune.batches import Batch
from pipeline.finetune.model import Joined, embed
from pipeline.finetune.tokens import IGNORE

CHUNK = 1024
"""Positions whose logits exist at once: 131 MB in float32 with 32,000 words."""

_ONE = torch.zeros(1, 1, dtype=torch.int64)
_NOTHING = Batch(_ONE, _ONE + IGNORE, _ONE + 1, _ONE, None, [], 0)  # no model takes a batch of no tokens


def token_loss_sum(joined: Joined, batch: Batch, *, through_all_layers: bool = False) -> tuple[Tensor, int]:
    """Return the cross-entropy summed over the supervised tokens of a batch, and how many those are.

    The sum is a scalar in float32 (float64 for a model in float64). It depends on every weight that learns, if only by
    an exact zero: a batch without images, and one without samples, gives each of them a gradient.

    Args:
        joined: Its weights may be on another device than the batch.
        batch: On the CPU. What is supervised is looked up there, so that no GPU is waited for.
        through_all_layers: Whether the backward pass goes through each layer even where nothing needs it to, as with
            text in the first stage: processes that share their weights wait for each other at every layer.
    """
    device = joined.model.device
    batch = batch if batch.ids else _NOTHING
    nothing = sum(
        (0 * weight.sum() for weight in joined.model.model.multi_modal_projector.parameters() if weight.requires_grad),
        start=torch.zeros((), device=device),
    )
    has_images = batch.pixel_values is not None
    states = hidden_states(joined, batch, nothing if through_all_layers and not has_images else None)
    rows, columns = (batch.labels[:, 1:] != IGNORE).nonzero(as_tuple=True)
    targets = batch.labels[rows, columns + 1].to(device, non_blocking=True)
    places = (rows * batch.labels.shape[1] + columns).to(device, non_blocking=True)  # each once: no sum has an order
    chosen = states.flatten(0, 1).index_select(0, places)  # (S, D)
    loss = sum(
        checkpoint(
            _chunk_loss, joined.model.lm_head, *chunk, use_reentrant=False, preserve_rng_state=False
        )  # logits are made again in the backward pass: 1 % more work, and no chunk's logits are kept
        for chunk in zip(chosen.split(CHUNK), targets.split(CHUNK), strict=True)
    )
    assert isinstance(loss, Tensor), "splitting nothing gives one empty chunk"
    return (loss if has_images else loss + nothing), len(rows)


def hidden_states(joined: Joined, batch: Batch, nothing: Tensor | None = None) -> Tensor:
    """Return what the language model makes of a batch before its head: ``(B, T, D)``.

    Under autocast the sum that runs through the layers is kept in the precision of the computation, as it is where all
    weights are: half the memory for what the backward pass needs.

    Args:
        joined: See :func:`token_loss_sum`.
        batch: See there.
        nothing: A zero to be added to the embeddings, for the sake of what it depends on.
    """
    device = joined.model.device
    pixels = batch.pixel_values
    embeddings = embed(
        joined,
        batch.input_ids.to(device, non_blocking=True),
        None if pixels is None else pixels.to(device, non_blocking=True),
    )
    if nothing is not None:
        embeddings = embeddings + nothing
    if torch.is_autocast_enabled(device.type):
        embeddings = embeddings.to(torch.get_autocast_dtype(device.type))
    output = joined.model.model.language_model(
        inputs_embeds=embeddings,
        attention_mask=batch.attention_mask.to(device, non_blocking=True),
        position_ids=batch.position_ids.to(device, non_blocking=True),
        use_cache=False,  # with a cache, samples packed into one row would attend to each other
    )
    states: Tensor = output.last_hidden_state
    return states


def _chunk_loss(head: nn.Module, states: Tensor, targets: Tensor) -> Tensor:
    logits = head(states)  # (S, V)
    exact = torch.promote_types(logits.dtype, torch.float32)
    return functional.cross_entropy(logits.to(exact), targets, reduction="sum")
