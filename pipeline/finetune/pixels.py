"""Pictures to the numbers that a vision model takes, as its image processor makes them.

Where torchvision is missing, the processors of ``transformers`` take 34 ms a picture of 640 × 480, most of it in
conversions that hold the interpreter. Pillow and one table look-up give the same numbers in 8 ms. ``Pixels`` takes that
way where trial pictures come out equal to the last bit, and asks the processor itself where they do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import LlavaImageProcessorPil

_TRIALS = ((97, 61), (40, 150), (64, 64), (9, 7))
"""Widths and heights of the pictures that a quick way is tried on: wide, tall, square, tiny."""


def padding(image_processor: Any) -> Any:
    """Return an image processor that pads pictures to squares with the mean colour, as LLaVA 1.5 was trained.

    It is the one that ``transformers`` has for LLaVA, so a checkpoint that holds it shows pictures the same way
    wherever it is loaded. The processor of a vision model alone would cut off what is beyond the middle square.

    Args:
        image_processor: Of the vision model; gives side, mean, deviation and filter.
    """
    told = image_processor.to_dict()
    size = told["crop_size"] if told.get("do_center_crop") else told["size"]
    side = size.get("height") or size["shortest_edge"]
    return LlavaImageProcessorPil(
        do_pad=True,
        size={"shortest_edge": side},
        crop_size={"height": side, "width": side},
        resample=told["resample"],
        rescale_factor=told["rescale_factor"],
        image_mean=list(told["image_mean"]),
        image_std=list(told["image_std"]),
    )


class Pixels:
    """Makes pixels of a picture; may be called from many threads."""

    def __init__(self, image_processor: Any) -> None:
        """Find out whether the quick way gives what the processor gives.

        Args:
            image_processor: Of ``transformers``; takes a PIL picture, gives ``pixel_values``.
        """
        self._processor = image_processor
        quick = _quick(image_processor)
        same = quick and all(np.array_equal(quick(image), self._slow(image)) for image in map(_trial, _TRIALS))
        self._quick = quick if same else None

    @property
    def is_quick(self) -> bool:
        """Whether the quick way is taken."""
        return self._quick is not None

    def __call__(self, image: Image.Image) -> Tensor:
        """Return the pixels of an RGB picture: float32 of shape ``(3, H, W)``."""
        return torch.from_numpy(self._quick(image) if self._quick else self._slow(image))

    def _slow(self, image: Image.Image) -> NDArray[np.float32]:
        made = self._processor(image, return_tensors="np")["pixel_values"][0]
        return np.ascontiguousarray(made, dtype=np.float32)


def _trial(size: tuple[int, int]) -> Image.Image:
    width, height = size
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


@dataclass(frozen=True)
class _Quick:
    """Pad, resize, crop, look up: what CLIP's, SigLIP's and LLaVA's processors do."""

    background: tuple[int, int, int] | None
    """Colour to pad with to a square; None: nothing is padded."""
    side: int | None
    """Short side after resizing; None: ``size`` is the size."""
    size: tuple[int, int]
    """Width and height that come out."""
    filter: int
    table: NDArray[np.float32]
    """Shape (3, 256): the number for each value of each channel."""

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        if self.background and image.width != image.height:
            image = _square(image, self.background)
        image = image.resize(self._resized(*image.size), self.filter)
        left, top = ((have - want) // 2 for have, want in zip(image.size, self.size, strict=True))
        image = image.crop((left, top, left + self.size[0], top + self.size[1]))
        values = np.asarray(image)
        pixels = np.empty((3, self.size[1], self.size[0]), np.float32)
        for channel in range(3):  # mode="clip" saves numpy a copy; nothing is clipped
            np.take(self.table[channel], values[:, :, channel], out=pixels[channel], mode="clip")
        return pixels

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        if self.side is None:
            return self.size
        if width <= height:
            return self.side, int(self.side * height / width)
        return int(self.side * width / height), self.side


def _square(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    side = max(image.size)
    square = Image.new("RGB", (side, side), background)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def _quick(image_processor: Any) -> _Quick | None:
    """Return the quick way of a processor, or None where it does anything else."""
    told = image_processor.to_dict()
    if not all(told.get(step) for step in ("do_resize", "do_rescale", "do_normalize")):
        return None
    size, crop = dict(told["size"]), dict(told.get("crop_size") or {})
    if not told.get("do_center_crop"):
        crop = size
    side = size.get("shortest_edge")
    if not {"height", "width"} <= set(crop) or (side is None and crop != size) or "longest_edge" in size:
        return None
    mean, std = (np.array(told[name], dtype=np.float32).reshape(3, 1) for name in ("image_mean", "image_std"))
    values = (np.arange(256, dtype=np.float64) * told["rescale_factor"]).astype(np.float32)
    background = tuple(int(part * 255) for part in told["image_mean"]) if told.get("do_pad") else None
    return _Quick(background, side, (crop["width"], crop["height"]), told["resample"], (values - mean) / std)  # type: ignore[arg-type]  # three of each
