"""What is too much for memory, in a temporary file that ends with the process, however that ends."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from typing import IO

from pipeline.errors import PipelineError

IN_MEMORY_BYTES = 2**22  # a small set of annotations comes to no file, which makes a start 0.04 s quicker


class Store:
    """Byte strings in a temporary file; a few, in memory."""

    def __init__(self, *, mixed: bool = False) -> None:
        """Begin with nothing.

        Args:
            mixed: Whether ``put`` and ``get`` take turns, so that a buffer would be thrown away at each of them.
        """
        self._file: IO[bytes] = io.BytesIO()
        self._buffering = 0 if mixed else -1
        self._is_in_memory = True
        self._end = 0
        self._is_at_end = True

    def put(self, data: bytes) -> int:
        """Append, and return where it begins.

        Raises:
            PipelineError: The disk is full, or the like.
        """
        start = self._end
        try:
            if not self._is_at_end:
                self._file.seek(start)
                self._is_at_end = True
            if self._is_in_memory and start + len(data) > IN_MEMORY_BYTES:
                self._move()
            _write(self._file, data)
        except OSError as error:
            raise _fault(error) from error
        self._end += len(data)
        return start

    def _move(self) -> None:
        self._file.seek(0)
        file = tempfile.TemporaryFile(buffering=self._buffering)  # noqa: SIM115 (it lives as long as this object)
        _write(file, self._file.read())
        self._file, self._is_in_memory = file, False

    def get(self, start: int, length: int) -> bytes:
        """Return what was put.

        Raises:
            PipelineError: What was put cannot be written after all, or not be read.
        """
        self._is_at_end = False
        try:
            self._file.seek(start)
            data = self._file.read(length)
            if len(data) < length:
                raise OSError(errno.EIO, "a temporary file has lost its end")
        except OSError as error:
            raise _fault(error) from error
        return data


def _write(file: IO[bytes], data: bytes) -> None:
    if file.write(data) < len(data):  # without a buffer, as much as there is room for
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _fault(error: OSError) -> PipelineError:
    words = error.strerror or str(error)
    return PipelineError(f"cannot use the temporary folder: {words}; free some space, or set TMPDIR to another folder")
