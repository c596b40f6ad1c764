"""A sample's picture: where it is, and what it looks like in RGB.

A picture is decoded as a person sees it, and as ``transformers`` and vLLM show it to the finished model: turned the way
its EXIF data says, transparency on white, the first picture of an animation, 16 bits scaled to 8. What cannot be shown
faithfully is refused with the reason (:class:`BrokenPicture`).
"""

from __future__ import annotations

import io
import os
import struct
import warnings
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import ExifTags, Image, UnidentifiedImageError

from pipeline.errors import PipelineError
from pipeline.samples.shards import open_parquet

A = TypeVar("A")
B = TypeVar("B")

# Of all that Pillow reads, what photographs come in. It would start Ghostscript for an EPS file.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MOST_PIXELS = 89_478_485  # Pillow's own limit for what is no decompression bomb: 256 MiB of RGB
MOST_SIDE_PX = 16_384  # padded to a square it takes 768 MiB for a moment
MOST_STRETCH = 100  # long side to short side; with the short side resized to 336 the long one takes 33,600

# What Pillow raises for damaged files of the formats above.
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, struct.error, LookupError, TypeError, ArithmeticError)
_DAMAGED_TOO = (AttributeError, AssertionError, MemoryError, Image.DecompressionBombError)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation; 1 is upright."""

Image.init()  # Pillow knows half of these formats only then
# A picture over the limit is refused, with its size; a warning beside that says nothing more.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class BrokenPicture(PipelineError):
    """A picture that cannot be used; the text says why, and whoever knows the sample's id adds it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Where a picture is: a file of its own, or a row of an Arrow or Parquet file."""

    path: str
    row: int = -1
    """Row in the file whose column ``image`` (or ``images``) holds the bytes; -1: ``path`` is the picture itself."""

    def __str__(self) -> str:
        return self.path if self.row < 0 else f"{self.path}, row {self.row}"


def read_bytes(picture: Picture) -> bytes:
    """Return the file of a picture.

    From an Arrow shard it is read in place. From Parquet its whole row group is unpacked first, the last two of which
    are kept: about 60 ms for our 64 MiB, which threads that decode ahead hide.

    Raises:
        BrokenPicture: There is nothing to read.
    """
    try:
        if picture.row < 0:
            with open(picture.path, "rb") as file:  # noqa: PTH123  # half the time of Path.open, for every picture
                data = file.read()
        else:
            data = _cell(picture.path, picture.row)
    except (OSError, ValueError, LookupError, pa.ArrowException) as error:
        raise BrokenPicture(f"{picture} cannot be read: {_line(error)}") from None
    if not data:
        raise BrokenPicture(f"{picture} is empty")
    return data


def _cell(path: str, row: int) -> bytes:
    if path.endswith(".parquet"):
        starts = _row_groups(path)
        group = bisect_right(starts, row) - 1
        value = _row_group(path, group)[row - starts[group]]
    else:
        value = _shard(path)[row]
    if pa.types.is_list(value.type):
        value = value[0]
    if pa.types.is_struct(value.type):
        value = value["bytes"]
    return value.as_py() or b""


@cache
def _shard(path: str) -> pa.ChunkedArray:
    with pa.memory_map(path) as source:
        table = pa.ipc.open_stream(source).read_all()
    return table.column(image_column(table.schema.names))


@cache
def _row_groups(path: str) -> list[int]:
    """Return the first row of each row group."""
    metadata = pq.read_metadata(path)
    counts = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups - 1))
    return list(accumulate(counts, initial=0))


@lru_cache(maxsize=2)
def _row_group(path: str, group: int) -> pa.ChunkedArray:
    with open_parquet(path) as file:
        name = image_column(file.schema_arrow.names)
        return file.read_row_group(group, columns=[name]).column(name)


def image_column(names: list[str]) -> str:
    """Return which of a file's columns holds the images.

    Raises:
        LookupError: None does.
    """
    for name in ("image", "images"):
        if name in names:
            return name
    raise LookupError("it has no column image or images")


def decode(picture: Picture) -> Image.Image:
    """Return a picture in RGB, as a person sees it; see the module.

    Raises:
        BrokenPicture: It is not there, damaged, cut short, in a form that is not known, or of a size that nobody
            photographs (``MOST_PIXELS``, ``MOST_SIDE_PX``, ``MOST_STRETCH``).
    """
    data = read_bytes(picture)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if fault := _fault_in_size(*image.size):
                raise BrokenPicture(f"{picture} is {fault}")
            image.load()
            return _rgb(_upright(image), image.format)
    except UnidentifiedImageError:
        raise BrokenPicture(f"{picture} is no picture in {', '.join(FORMATS)}") from None
    except (*_DAMAGED, *_DAMAGED_TOO) as error:
        raise BrokenPicture(f"{picture} cannot be decoded: {_line(error)}") from None


def _fault_in_size(width: int, height: int) -> str:
    size = f"{width} × {height} pixels"
    if width * height > MOST_PIXELS:
        return f"too large: {size}, and {MOST_PIXELS:,} are the most"
    if max(width, height) > MOST_SIDE_PX:
        return f"too large: {size}, and {MOST_SIDE_PX:,} are the most on a side"
    if max(width, height) > MOST_STRETCH * min(width, height):
        return f"a stripe: {size}"
    return ""


def _upright(image: Image.Image) -> Image.Image:
    """Turn a loaded picture as its EXIF data says; where those are damaged, it stays."""
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except (*_DAMAGED, *_DAMAGED_TOO):
        turn = None
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image, kind: str | None) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and kind in ("PNG", "PPM")):
        # 16 bits a pixel, which convert() would cut off at 255
        return Image.fromarray((np.asarray(image).astype(np.int64) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("its pixels are numbers without a known scale")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        return Image.alpha_composite(white, seen).convert("RGB")
    return image.convert("RGB")


def _line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def ahead(items: Iterable[A], work: Callable[[A], B], *, threads: int, window: int) -> Generator[B, None, None]:
    """Yield ``work(item)`` in the order of the items, with up to ``window`` done or being done in advance.

    Threads, not processes: Pillow lets go of the interpreter while it decodes and resizes. What ``work`` raises is
    raised in its item's turn. Close the iterator to stop before the end.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="pictures") as pool:
        waiting: deque[Future[B]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= window:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def threads_for(processes: int) -> int:
    """Return how many threads should decode in each of a machine's training processes."""
    return max(1, min(8, (os.cpu_count() or 1) // processes))
