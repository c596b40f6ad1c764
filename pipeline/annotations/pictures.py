"""The image files that belong to an annotation file: where they are, and what size they have."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from pipeline.annotations.listing import Listed
from pipeline.errors import PipelineError

# COCO named its images COCO_val2014_000000000139.jpg in 2014 and 000000000139.jpg from 2017 on, with the same ids.
PREFIX_OF_2014 = re.compile(r"COCO_(train|val|test)20\d\d_")


class Pictures:
    """The image files in a folder. Folders are listed once instead of asking for each of 118,287 files."""

    def __init__(self, folder: Path) -> None:
        """List the folder.

        Raises:
            PipelineError: It is not a folder, or cannot be read.
        """
        self.folder = folder
        self._listings = {"": _files_in(folder, must_exist=True)}

    def find(self, image: Listed) -> Path | None:
        """Return an image's file: ``folder / name``, else the file of the same base name in ``folder``.

        Each of its names is tried, and in each place also the name that differs only by COCO's prefix of 2014. Names
        that lead out of ``folder`` (``/data/a.jpg``, ``../a.jpg``) count by their base name only.
        """
        return next(filter(None, map(self._find, image.names)), None)

    def _find(self, name: str) -> Path | None:
        way = PurePosixPath(name.replace("\\", "/"))
        parent = str(way.parent) if len(way.parts) > 1 and not way.is_absolute() and ".." not in way.parts else ""
        if parent not in self._listings:
            self._listings[parent] = _files_in(self.folder / parent)
        for place in (parent, ""):
            there = self._listings[place].get(way.name) or self._listings[place].get(_without_prefix(way.name))
            if there:
                return Path(self.folder, place, there)
        return None


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


def _files_in(folder: Path, *, must_exist: bool = False) -> dict[str, str]:
    """Return the names in a folder by themselves, and by themselves without prefix."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_file()]
    except (OSError, ValueError) as error:  # ValueError: a name that no file system takes
        if must_exist:
            raise PipelineError(f"no image folder at {folder} ({error}); pass --images DIR") from None
        return {}
    return {_without_prefix(name): name for name in names} | {name: name for name in names}


def _without_prefix(name: str) -> str:
    return PREFIX_OF_2014.sub("", name, count=1) if name.startswith("COCO_") else name
