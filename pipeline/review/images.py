"""The image of a sample: from the file that holds it, or from the run's image folder, and from nowhere else.

A path in a row is data, written by whoever made the row. It is never opened: only its name counts, and is looked for
in the listing of the folder that the person or the run has named.
"""

from __future__ import annotations

import threading
from pathlib import Path

from pipeline.annotations.listing import Listed
from pipeline.annotations.pictures import Pictures
from pipeline.errors import PipelineError

_STARTS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif", b"BM": "image/bmp"}


class ImageFolder:
    """The image files of a run; its listing is read when the first one is asked for."""

    def __init__(self, folder: Path | None) -> None:
        """Name the folder; ``None`` where there is none, and then no file is found."""
        self._folder = folder
        self._pictures: Pictures | None = None
        self._lock = threading.Lock()

    def find(self, *names: str | None) -> Path | None:
        """Return the file of the first name that the folder has, by the rules of ``Pictures``."""
        with self._lock:
            if self._folder and not self._pictures:
                try:
                    self._pictures = Pictures(self._folder)
                except PipelineError:  # it has moved, or is on another machine; the page serves without
                    self._folder = None
        if not self._pictures:
            return None
        wanted = tuple(name for name in names if name)
        return self._pictures.find(Listed(place=0, names=wanted, size=None, licence=None))


def media_type(start: bytes) -> str | None:
    """Return what kind of picture a file is, by its first 12 bytes; ``None`` for all that is no picture.

    SVG is none: it may hold scripts.
    """
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for begin, kind in _STARTS.items() if start.startswith(begin)), None)


def size_of(data: bytes | Path) -> tuple[int, int] | None:
    """Return width and height in pixels from the header of an image; ``None`` where it cannot be read."""
    import io

    from PIL import Image

    try:
        with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # Pillow's ways to say it is broken
        return None
