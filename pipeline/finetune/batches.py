"""Samples to tensors: right-padded, the image's place widened to its tokens, pixels for those that have a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import PipelineError
from pipeline.finetune.pictures import BrokenPicture, decode
from pipeline.finetune.pixels import Pixels
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.tokens import IGNORE, IMAGE


@dataclass(frozen=True, eq=False)
class Batch:
    """A micro-batch of B samples with N pictures, the longest sample having T tokens."""

    input_ids: Tensor
    """int64 (B, T); the image's tokens all have the model's image token id."""
    labels: Tensor
    """int64 (B, T), not shifted; ``IGNORE`` where nothing is learnt, padding included."""
    attention_mask: Tensor
    """int64 (B, T): 1, and 0 for padding, which is on the right."""
    position_ids: Tensor
    """int64 (B, T): 0, 1, 2, …"""
    pixel_values: Tensor | None
    """float32 (N, C, H, W), in the order of the samples that have a picture; None where none has."""
    ids: list[str]
    """Of the samples."""
    supervised: int
    """Tokens that count in the loss, after the shift by one."""

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on a device; copies from pinned memory run beside what comes next."""

        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        return self._with(moved)

    def pinned(self) -> Batch:
        """Return the batch in memory that a GPU can copy from by itself."""
        return self._with(Tensor.pin_memory)

    def _with(self, change: Callable[[Tensor], Tensor]) -> Batch:
        return replace(
            self,
            input_ids=change(self.input_ids),
            labels=change(self.labels),
            attention_mask=change(self.attention_mask),
            position_ids=change(self.position_ids),
            pixel_values=None if self.pixel_values is None else change(self.pixel_values),
        )


def load(prepared: Prepared, samples: Sequence[int], to_pixels: Pixels, *, image_token_id: int, pad_id: int) -> Batch:
    """Decode the pictures of samples, each once, and make a batch of them.

    Args:
        prepared: What the samples are of.
        samples: Their numbers; none gives a batch of shape (0, 0).
        to_pixels: Of the vision model.
        image_token_id: See :func:`collate`; so is the next.
        pad_id: See there.

    Raises:
        PipelineError: A picture could be decoded when the run began, and cannot any more.
    """
    places = [int(prepared.picture[sample]) for sample in samples]
    pixels: dict[int, Tensor] = {}
    for sample, place in zip(samples, places, strict=True):
        if place >= 0 and place not in pixels:
            try:
                pixels[place] = to_pixels(decode(prepared.pictures[place]))
            except BrokenPicture as error:
                raise PipelineError(
                    f"sample {prepared.ids[sample]}: its image has changed: {error}; put it back and run again"
                ) from None
    stacked = [pixels[place] for place in places if place >= 0]
    return collate(
        prepared,
        samples,
        torch.stack(stacked) if stacked else None,
        image_token_id=image_token_id,
        pad_id=pad_id,
    )


def collate(
    prepared: Prepared, samples: Sequence[int], pixels: Tensor | None, *, image_token_id: int, pad_id: int
) -> Batch:
    """Pad samples to the longest of them.

    Args:
        prepared: What the samples are of.
        samples: Their numbers.
        pixels: float32 (N, C, H, W), one for each sample that has a picture, in their order; None where none has.
        image_token_id: Id that the model puts the image's features at.
        pad_id: Id written into the padding of ``input_ids``.

    Raises:
        ValueError: There are more or fewer pixels than samples with a picture.
    """
    chosen = np.asarray(samples, dtype=np.int64)
    having = int((prepared.picture[chosen] >= 0).sum())
    given = 0 if pixels is None else len(pixels)
    if having != given:
        raise ValueError(f"{having} of the samples have a picture, and there are pixels of {given}")
    longest = int(prepared.lengths[chosen].max(initial=0))
    shape = (len(samples), longest)
    ids, labels = np.full(shape, pad_id), np.full(shape, IGNORE)
    mask = np.zeros(shape, np.int64)
    for row, sample in enumerate(samples):
        own_ids, own_labels = _widened(*prepared.sample(sample), prepared.image_tokens, image_token_id)
        ids[row, : len(own_ids)] = own_ids
        labels[row, : len(own_ids)] = own_labels
        mask[row, : len(own_ids)] = 1
    return Batch(
        input_ids=torch.from_numpy(ids),
        labels=torch.from_numpy(labels),
        attention_mask=torch.from_numpy(mask),
        position_ids=torch.arange(longest).repeat(len(samples), 1),
        pixel_values=pixels,
        ids=[prepared.ids[sample] for sample in samples],
        supervised=int((labels[:, 1:] != IGNORE).sum()),
    )


def _widened(
    ids: NDArray[np.int32], labels: NDArray[np.int32], image_tokens: int, image_token_id: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return ids and labels with the image's tokens in its place."""
    is_image = ids == IMAGE
    widths = np.where(is_image, image_tokens, 1)
    return np.repeat(np.where(is_image, np.int32(image_token_id), ids), widths), np.repeat(labels, widths)
