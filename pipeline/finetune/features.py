"""What a frozen vision model makes of each image, kept on disk, so that it looks at each once and no more.

It saves 15 to 21 % of the work beside a language model of 0.5 B parameters, and 2 % beside 7 B; and it takes 1.2 MB an
image of 576 patches and a width of 1,024, which is more than the image. So it is off unless it is asked for.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import PipelineError, RunStopped
from pipeline.finetune.model import Joined, see
from pipeline.finetune.pictures import BrokenPicture, Picture, ahead, decode, threads_for
from pipeline.finetune.pixels import Pixels
from pipeline.finetune.preparation import Prepared
from pipeline.finetune.ranks import Ranks
from pipeline.finetune.schedule import computing

AT_ONCE = 16  # images
_STORED = {torch.bfloat16: np.uint16, torch.float32: np.float32, torch.float64: np.float64}
"""numpy has no bfloat16; its bits are kept as whole numbers."""


class Features:
    """The vision model's work on the pictures of a training run."""

    def __init__(self, folder: Path, shape: tuple[int, int, int], dtype: torch.dtype) -> None:
        """Open what is in a folder, or begin it.

        Args:
            folder: For these pictures and this model alone.
            shape: Pictures, patches, width of the vision model.
            dtype: Of the computation, and of what is kept.

        Raises:
            PipelineError: The disk has no room for it, or the folder cannot be written.
        """
        self._dtype = dtype
        self._values = self._open(folder / "features.npy", shape, _STORED[dtype])
        self._is_there = self._open(folder / "is_there.npy", shape[:1], np.uint8)

    @staticmethod
    def _open(path: Path, shape: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                free, needed = shutil.disk_usage(path.parent).free, int(np.prod(shape)) * np.dtype(dtype).itemsize
                if needed > free:
                    raise PipelineError(
                        f"--cache-features: {path.parent} has {free / 2**30:,.1f} GiB free, and "
                        f"{needed / 2**30:,.1f} are needed; name another folder, or leave the flag out"
                    )
                beside = path.with_name(f".{path.name}.part")
                np.lib.format.open_memmap(beside, mode="w+", dtype=dtype, shape=shape).flush()
                beside.replace(path)
            opened: NDArray[np.generic] = np.lib.format.open_memmap(path, mode="r+")
        except (OSError, ValueError) as error:
            raise PipelineError(f"--cache-features: {path} cannot be used: {error}") from error
        if opened.shape != shape:
            raise PipelineError(f"--cache-features: {path} is of other data; delete it, or name another folder")
        return opened

    def missing(self, rank: int, ranks: int) -> list[int]:
        """Return which pictures of a rank's share are not there yet."""
        return [int(one) for one in np.flatnonzero(self._is_there == 0) if one % ranks == rank]

    def write(self, pictures: Sequence[int], features: Tensor) -> None:
        """Keep features of pictures: (N, patches, width)."""
        whole = features.detach().to("cpu", self._dtype).contiguous()
        self._values[list(pictures)] = (whole.view(torch.uint16) if self._dtype == torch.bfloat16 else whole).numpy()
        self._is_there[list(pictures)] = 1  # after them, so that a kill leaves nothing half done

    def read(self, pictures: Sequence[int]) -> Tensor:
        """Return features of pictures: (N, patches, width)."""
        values = torch.from_numpy(np.ascontiguousarray(self._values[list(pictures)]))
        return values.view(torch.bfloat16) if self._dtype == torch.bfloat16 else values

    @property
    def nbytes(self) -> int:
        """What it takes on disk."""
        return self._values.nbytes + self._is_there.nbytes


def fill(
    joined: Joined,
    prepared: Prepared,
    to_pixels: Pixels,
    folder: Path,
    ranks: Ranks,
    dtype: torch.dtype,
    bases: str,
    tell: Callable[[str], None],
) -> Features:
    """Have the vision model look at each picture that is not in the cache yet; the ranks share them out.

    Args:
        joined: The model; its vision model moves to the device.
        prepared: What the pictures are of.
        to_pixels: Of the vision model.
        folder: All ranks see the same; each model and set of pictures has a folder of its own in it.
        ranks: Of this run.
        dtype: Of the computation.
        bases: Fingerprint of the base models.
        tell: Told what it costs.

    Raises:
        PipelineError: There is no room, or a picture cannot be decoded any more.
        RunStopped: The disk is full.
    """
    config, device = joined.model.config, ranks.device
    vision = config.vision_config
    extra = 1 if config.vision_feature_select_strategy == "full" and vision.model_type.startswith("clip") else 0
    patches = (vision.image_size // vision.patch_size) ** 2 + extra
    shape = (len(prepared.pictures), patches, vision.hidden_size)
    own = folder / _digest(prepared.pictures, bases, dtype)
    if ranks.is_first:
        Features(own, shape, dtype)  # the others find it made
    ranks.gather(None)
    features = Features(own, shape, dtype)
    wanted = features.missing(ranks.rank, ranks.count)
    tell(
        f"features of {len(prepared.pictures):,} images in {own}: {features.nbytes / 2**30:,.2f} GiB; "
        f"{len(wanted) * ranks.count:,} to be made" + (" by this process and the others" if ranks.count > 1 else "")
    )
    joined.model.model.vision_tower.to(device, dtype)
    chunks = [wanted[at : at + AT_ONCE] for at in range(0, len(wanted), AT_ONCE)]
    made = ahead(chunks, partial(_pixels, prepared, to_pixels), threads=threads_for(ranks.count), window=4)
    try:
        for chunk, pixels in zip(chunks, made, strict=True):
            with computing(device, dtype):
                features.write(chunk, see(joined.model, pixels.to(device)))
    except OSError as error:
        raise RunStopped(f"cannot write {own}: {error.strerror}; make room and run again") from error
    ranks.gather(None)
    return features


def _pixels(prepared: Prepared, to_pixels: Pixels, pictures: Sequence[int]) -> Tensor:
    try:
        return torch.stack([to_pixels(decode(prepared.pictures[one])) for one in pictures])
    except BrokenPicture as error:
        raise PipelineError(f"an image has changed: {error}; put it back and run again") from None


def _digest(pictures: Sequence[Picture], bases: str, dtype: torch.dtype) -> str:
    digest = hashlib.sha256(f"{bases} {dtype}".encode())
    for picture in pictures:
        told = Path(picture.path).stat()
        digest.update(f"{picture} {told.st_size} {told.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
