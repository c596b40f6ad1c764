"""What is too much for memory, in a temporary file that ends with the process, however that ends."""

from __future__ import annotations

import errno
import os
import tempfile

from pipeline.errors import PipelineError

IN_MEMORY_BYTES = 2**22  # a small set of annotations comes to no file, which makes a start 0.04 s quicker


class Store:
    """Byte strings in a temporary file; a few, in memory."""

    def __init__(self, *, mixed: bool = False) -> None:
        """Begin with nothing.

        Args:
            mixed: Whether ``put`` and ``get`` take turns, so that a buffer would be thrown away at each of them.
        """
        buffering = 0 if mixed else -1
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, buffering=buffering)  # noqa: SIM115 (lives as we do)
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
            if self._file.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise _fault(error) from error
        self._end += len(data)
        return start

    def get(self, start: int, length: int) -> bytes:
        """Return what was put.

        Raises:
            PipelineError: What was put cannot be written after all, or not be read.
        """
        self._is_at_end = False
        try:
            self._file.seek(start)
            return self._file.read(length)
        except OSError as error:
            raise _fault(error) from error


def _fault(error: OSError) -> PipelineError:
    words = error.strerror or str(error)
    return PipelineError(f"cannot use the temporary folder: {words}; free some space, or set TMPDIR to another folder")
