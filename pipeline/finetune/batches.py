"""A pack of samples to tensors: ids and positions in rows, pixels of each picture once, what is learnt and from where.

Legend of the axes: B rows, T tokens in a row, N pictures, M places of pictures, U predicting places, S learnt tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import PipelineError
from pipeline.finetune.layout import Pack, Tree
from pipeline.finetune.pictures import BrokenPicture, decode
from pipeline.finetune.pixels import Pixels
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.tokens import IGNORE, IMAGE

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Batch:
    """A pack as a model takes it."""

    input_ids: Tensor
    """int64 (B, T), B being 1 but for padded packs; the image's tokens all have the model's image token id."""
    position_ids: Tensor
    """int64 (B, T): 0, 1, 2, … in each sample, whatever it shares."""
    attention_mask: Tensor | None
    """Of a padded pack, int64 (B, T): 1, and 0 for padding, on the right. None: ``trees`` tell who sees whom."""
    trees: tuple[Tree, ...]
    """Of a pack in one row, in their order; what is beyond the last one is padding."""
    places: Tensor
    """int64 (U,): where learnt tokens are predicted from, counted over all rows; ascending, each once."""
    sources: Tensor | None
    """int64 (S,): which of ``places`` each learnt token is predicted from; None: each from its own, in order."""
    targets: Tensor
    """int64 (S,): learnt tokens."""
    pixel_values: Tensor | None
    """float32 (N, C, H, W), each picture once; None where there is none."""
    features: Tensor | None
    """In their stead, what the vision model has made of them before: (N, P, width)."""
    slots: Tensor
    """int64 (M,): which picture is at each place of one, in the order of the rows."""
    ids: list[str]
    """Of the samples."""

    @property
    def pictures(self) -> int:
        """N."""
        shown = self.features if self.pixel_values is None else self.pixel_values
        return 0 if shown is None else len(shown)

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on a device; copies from pinned memory run beside what comes next."""

        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        return self._with(moved)

    def pinned(self) -> Batch:
        """Return the batch in memory that a GPU can copy from by itself."""
        return self._with(Tensor.pin_memory)

    def _with(self, change: Callable[[Tensor], Tensor]) -> Batch:
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **{name: change(tensor) for name, tensor in tensors.items()})


def load(
    prepared: Prepared,
    pack: Pack,
    to_pixels: Pixels,
    *,
    image_token_id: int,
    pad_id: int,
    multiple: int = 1,
    features: Callable[[Sequence[int]], Tensor] | None = None,
) -> Batch:
    """Decode the pictures of a pack, each once, and make a batch of it.

    Args:
        prepared: What the samples are of.
        pack: Which samples; an empty one gives a batch of shape (0, 0).
        to_pixels: Of the vision model.
        image_token_id: See :func:`collate`; so are the next two.
        pad_id: See there.
        multiple: See there.
        features: Gives what the vision model has made of pictures before, if that is kept; then nothing is decoded.

    Raises:
        PipelineError: A picture could be decoded when the run began, and cannot any more.
    """
    first = {int(prepared.picture[sample]): sample for sample in reversed(pack.samples)}
    wanted = [picture for picture in dict.fromkeys(prepared.picture[pack.samples].tolist()) if picture >= 0]
    made = collate(prepared, pack, image_token_id=image_token_id, pad_id=pad_id, multiple=multiple)
    if not wanted:
        return made
    if features:
        return replace(made, features=features(wanted))
    pixels = []
    for picture in wanted:
        try:
            pixels.append(to_pixels(decode(prepared.pictures[picture])))
        except BrokenPicture as error:
            raise PipelineError(
                f"sample {prepared.ids[first[picture]]}: its image has changed: {error}; put it back and run again"
            ) from None
    return replace(made, pixel_values=torch.stack(pixels))


def collate(prepared: Prepared, pack: Pack, *, image_token_id: int, pad_id: int, multiple: int = 1) -> Batch:
    """Lay a pack out in rows; the pictures themselves are left to whoever has them.

    ``slots`` number the pictures in the order in which the pack's samples name them.

    Args:
        prepared: What the samples are of.
        pack: Which samples.
        image_token_id: Id that the model puts the image's features at.
        pad_id: Id written into padding.
        multiple: What the width of the rows is rounded up to.
    """
    rows = [_Row() for _ in pack.trees] if pack.is_padded else [_Row()]
    numbers: dict[int, int] = {}
    for sample in pack.samples:
        if (picture := int(prepared.picture[sample])) >= 0:
            numbers.setdefault(picture, len(numbers))
    for place, tree in enumerate(pack.trees):
        rows[place if pack.is_padded else 0].add(prepared, tree, numbers, image_token_id)
    if not pack.trees:
        rows = []
    width = -(-max((len(row) for row in rows), default=0) // multiple) * multiple
    shape = (len(rows), width)
    ids, positions, mask = np.full(shape, pad_id), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = np.concatenate(row.ids)
        positions[number, : len(row)] = np.concatenate(row.positions)
        mask[number, : len(row)] = 1
    predicting = _joined([place + number * width for number, row in enumerate(rows) for place in row.predicting])
    places, sources = np.unique(predicting, return_inverse=True)
    is_each_own = len(places) == len(predicting)
    targets = _joined([own for row in rows for own in row.targets])
    if is_each_own:
        targets = targets[np.argsort(predicting, kind="stable")]
    return Batch(
        input_ids=torch.from_numpy(ids),
        position_ids=torch.from_numpy(positions),
        attention_mask=torch.from_numpy(mask) if pack.is_padded else None,
        trees=() if pack.is_padded else pack.trees,
        places=torch.from_numpy(places),
        sources=None if is_each_own else torch.from_numpy(sources.astype(np.int64)),
        targets=torch.from_numpy(targets),
        pixel_values=None,
        features=None,
        slots=torch.tensor([slot for row in rows for slot in row.slots], dtype=torch.int64),
        ids=[prepared.ids[sample] for sample in pack.samples],
    )


class _Row:
    """A row in the making."""

    def __init__(self) -> None:
        self.ids: list[Ints] = []
        self.positions: list[Ints] = []
        self.predicting: list[Ints] = []
        self.targets: list[Ints] = []
        self.slots: list[int] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, prepared: Prepared, tree: Tree, numbers: dict[int, int], image_token_id: int) -> None:
        """Append the beginning that a tree's samples share, and each branch."""
        begin = self._length
        for place, (sample, own) in enumerate(zip(tree.samples, tree.own, strict=True)):
            ids, labels = _widened(prepared, sample, image_token_id)
            if place == 0 and tree.shared:
                self._append(ids[: tree.shared], 0)
            if prepared.picture[sample] >= 0 and (place == 0 or not tree.shared):
                self.slots.append(numbers[int(prepared.picture[sample])])
            learnt = np.flatnonzero(labels[1:] != IGNORE) + 1  # the first token is predicted by none
            before = learnt - 1
            here = self._length - tree.shared  # where the sample's first token would be if it shared none
            self.predicting.append(np.where(before < tree.shared, begin + before, here + before))
            self.targets.append(labels[learnt])
            self._append(ids[tree.shared :], tree.shared)
            assert len(ids) == tree.shared + own

    def _append(self, ids: Ints, position: int) -> None:
        self.ids.append(ids)
        self.positions.append(np.arange(position, position + len(ids)))
        self._length += len(ids)


def _joined(arrays: Sequence[Ints]) -> Ints:
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int64)


def _widened(prepared: Prepared, sample: int, image_token_id: int) -> tuple[Ints, Ints]:
    """Return ids and labels with the image's tokens in its place."""
    ids, labels = prepared.sample(sample)
    widths = np.where(ids == IMAGE, prepared.image_tokens, 1)
    wide = np.repeat(np.where(ids == IMAGE, image_token_id, ids), widths)
    return wide.astype(np.int64), np.repeat(labels, widths).astype(np.int64)
