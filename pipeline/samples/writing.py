"""Writing files so that nobody ever meets half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import RunStopped


@contextmanager
def writing_beside(path: Path) -> Iterator[Path]:
    """Give a path to write to, and rename it to ``path`` when all went well.

    Raises:
        RunStopped: The disk is full, the folder is read-only, or the like.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())  # the name must not reach the disk before the bytes do
        beside.replace(path)
    except OSError as error:
        raise RunStopped(
            f"cannot write {path}: {error.strerror or error}; paid replies are kept, run again to go on"
        ) from error
    finally:
        with suppress(OSError):  # on a disk that has become read-only
            beside.unlink(missing_ok=True)  # whatever ended the writing, Ctrl-C included


def write_text(path: Path, text: str) -> None:
    """Replace a text file as a whole."""
    with writing_beside(path) as beside:
        beside.write_text(text, encoding="utf-8")
