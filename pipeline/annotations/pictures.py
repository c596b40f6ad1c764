"""The image files that belong to an annotation file: where they are, and what size they have."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from pipeline.errors import PipelineError


def find_pictures(names: Iterable[str], folder: Path) -> dict[str, Path]:
    """Return where the named image files are: ``folder / name``, else the file of the same base name in ``folder``.

    Folders are listed once instead of asking for each of 118,287 files. Names that lead out of ``folder``
    (``/data/a.jpg``, ``../a.jpg``) count by their base name only. Names without a file are left out.

    Raises:
        PipelineError: ``folder`` is not a folder, or cannot be read.
    """
    listings = {"": _files_in(folder, must_exist=True)}
    found: dict[str, Path] = {}
    for name in names:
        way = PurePosixPath(name.replace("\\", "/"))
        parent = str(way.parent) if len(way.parts) > 1 and not way.is_absolute() and ".." not in way.parts else ""
        if parent not in listings:
            listings[parent] = _files_in(folder / parent)
        if way.name in listings[parent]:
            found[name] = folder / parent / way.name
        elif way.name in listings[""]:
            found[name] = folder / way.name
    return found


def size_in_file(path: Path) -> tuple[int, int] | None:
    """Return width and height of an image file in pixels, from its header alone, or None where it is no image."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size
    except (
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
    ):  # Pillow's ways to say that a file is broken
        return None


def _files_in(folder: Path, *, must_exist: bool = False) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except (OSError, ValueError) as error:  # ValueError: a name that no file system takes
        if must_exist:
            raise PipelineError(f"no image folder at {folder} ({error}); pass --images DIR") from None
        return set()
