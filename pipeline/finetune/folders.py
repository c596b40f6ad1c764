"""Writing a folder so that nobody ever meets half of one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from pipeline.errors import RunStopped


@contextmanager
def writing_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write to, and put it in the place of ``folder`` when all went well.

    A folder cannot be replaced in one step as a file can: for an instant the old one bears the name ``.NAME.old``, and
    whoever is killed in that instant finds it there.

    Raises:
        RunStopped: The disk is full, the folder is read-only, or the like; what lay there before still does.
    """
    folder = folder.absolute()
    beside, old = folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")
    try:
        shutil.rmtree(beside, ignore_errors=True)  # of a run that was killed
        beside.mkdir(parents=True)
        yield beside
        for path in (*beside.rglob("*"), beside):
            _flush(path)  # the name must not reach the disk before the bytes do
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        beside.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
        _flush(folder.parent)
    except (OSError, SafetensorError) as error:  # safetensors has its own word for a full disk
        reason = getattr(error, "strerror", None) or error
        raise RunStopped(f"cannot write {folder}: {reason}; what was there is kept, make room and run again") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)  # whatever ended the writing, Ctrl-C included


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
